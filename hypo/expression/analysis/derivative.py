"""Exact derivatives of expressions, from the ``derivative`` column of the operator table."""

from __future__ import annotations

from functools import cache

from hypo.expression import operators as ops
from hypo.expression.algebra import term as terms
from hypo.expression.algebra.simplify import MAX_NODES, simplify
from hypo.expression.algebra.term import Term, literal, node
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc


def derivative(e: Expression, by: str | int, simplified: bool = True) -> Expression:
    """∂e/∂x for a variable ``x`` given by name, or for a constant given by its position in ``e.constants``.

    It is simplified unless that is not wanted: the raw one takes a tenth of the time, has the same values and is longer.

    By the chain rule, f(u, v)' = f_u·u' + f_v·v'. Where ``abs``, ``min`` or ``max`` have a corner the result is undefined,
    as is ``w*log(u)`` for the exponent of a base u ≤ 0. A name that does not occur gives 0. Constants to be fitted keep
    their present values, but are no longer tied to those of ``e``.

    Raises IndexError for a position that does not exist.
    """
    if isinstance(by, int) and not 0 <= by < len(e.constants):
        raise IndexError(f"the formula has {len(e.constants)} constants, so there is none at position {by}")
    names = [terms.variable(name) for name in e.variables]
    slots = [terms.constant(c) for c in e.constants]
    stack: list[tuple[Term, Term | None]] = []  # each node and its derivative, None for zero
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append((names[arg], literal(1) if e.variables[arg] == by else None))
        elif op == oc.CONST:
            stack.append((slots[arg], literal(1) if arg == by and isinstance(by, int) else None))
        else:
            n = oc.arity(op)
            args = stack[-n:]
            del stack[-n:]
            w = node(op, tuple(t for t, _ in args))
            stack.append((w, _chain_rule(op, w, [d for _, d in args])))
    result = stack[0][1] or literal(0)
    raw = terms.to_expression(result)
    return simplify(raw) if simplified and len(raw) <= MAX_NODES else raw


def _chain_rule(op: int, w: Term, inner: list[Term | None]) -> Term | None:
    if all(d is None for d in inner):
        return None
    total: Term | None = None
    for partial, d in zip(_partials(op), inner, strict=True):
        if d is None:
            continue
        outer = _filled(partial, w)
        product = d if _is_one(outer) else outer if _is_one(d) else node(oc.MUL, (outer, d))
        total = product if total is None else node(oc.ADD, (total, product))
    return total


def _is_one(t: Term) -> bool:
    return terms.is_literal(t) and t.value == 1


def _partials(op: int) -> tuple[Term, ...]:
    return tuple(map(_parsed, ops.BY_OPCODE[op].derivative))


@cache
def _parsed(text: str) -> Term:
    return terms.from_expression(parse(text))


def _filled(pattern: Term, w: Term) -> Term:
    """A table entry with ``u v`` replaced by the arguments of ``w`` and ``w`` by itself."""
    if pattern.op == oc.VAR:
        return {"u": w.args[0], "v": w.args[-1], "w": w}[str(pattern.leaf)]
    if pattern.op == oc.CONST:
        return pattern
    return node(pattern.op, tuple(_filled(a, w) for a in pattern.args))
