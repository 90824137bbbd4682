"""The neighbourhood of a good formula: the hypotheses that a posterior must weigh beside it.

A search keeps what wins; a posterior needs what comes close as well: the same form with an exact number fitted after all,
with one constant more, with one part less, or with another function in one place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc

# Fitted constants up to this size are rounded.
LARGEST = 1e3


def neighbours(e: Expression, allowed: Collection[str], fit_constants: bool = True) -> Iterator[Expression]:
    """Formulas one step from ``e``, simplified, each once, with constants to fit where they are new: exact numbers freed, one
    and all; every subexpression times a constant and plus one; every operator exchanged for another of ``allowed``."""
    steps = chain(_freed(e), _widened(e, allowed)) if fit_constants else iter(())
    return _each_once(e, chain(steps, _exchanged(e, allowed)))


def simpler(e: Expression) -> Iterator[Expression]:
    """Formulas with one part less than ``e``, simplified, each once: every fitted constant the nearest whole number instead;
    every operator taken away, one of its operands in its place."""
    return _each_once(e, chain(_rounded(e), _narrowed(e)))


def _each_once(e: Expression, found: Iterable[Expression]) -> Iterator[Expression]:
    seen = {e.masked()}
    for raw in found:
        new = simplify(raw)
        key = new.masked()
        if key not in seen:
            seen.add(key)
            yield new


def _freed(e: Expression) -> Iterator[Expression]:
    exact = [i for i, c in enumerate(e.constants) if c.is_literal or c == PI]
    for chosen in ([i] for i in exact):
        yield _with_free(e, chosen)
    if len(exact) > 1:
        yield _with_free(e, exact)


def _with_free(e: Expression, chosen: Collection[int]) -> Expression:
    constants = (replace(c, name=None, free=True) if i in chosen else c for i, c in enumerate(e.constants))
    return replace(e, constants=tuple(constants))


def _narrowed(e: Expression) -> Iterator[Expression]:
    for node, (op, _) in enumerate(e.code):
        if op not in (oc.VAR, oc.CONST):
            for part in e.subtree(node).children:
                yield replaced(e, node, part)


def _rounded(e: Expression) -> Iterator[Expression]:
    for i, c in enumerate(e.constants):
        if c.free and abs(c.value) < LARGEST:
            exact = replace(c, value=float(round(c.value)), name=None, free=False)
            yield replace(e, constants=(*e.constants[:i], exact, *e.constants[i + 1 :]))


def _widened(e: Expression, allowed: Collection[str]) -> Iterator[Expression]:
    for node, (op, _) in enumerate(e.code):
        if op == oc.CONST:
            continue
        part = e.subtree(node)
        if "*" in allowed:
            yield replaced(e, node, Expression.constant(1.0, free=True) * part)
        if "+" in allowed:
            yield replaced(e, node, part + Expression.constant(0.0, free=True))


def _exchanged(e: Expression, allowed: Collection[str]) -> Iterator[Expression]:
    for node, (op, _) in enumerate(e.code):
        if op in (oc.VAR, oc.CONST):
            continue
        parts = e.subtree(node).children
        for name in sorted(allowed):
            row = ops.BY_NAME[name]
            # A power with a fitted exponent is a family of its own; it comes by freeing one.
            if row.opcode != op and row.arity == len(parts) and name != "**":
                yield replaced(e, node, Expression.join(row.opcode, parts))


def replaced(e: Expression, node: int, new: Expression) -> Expression:
    """``e`` with ``new`` in the place of the subexpression that ends at ``node``."""
    if node == len(e.code) - 1:
        return new
    parts, last = list(e.children), len(e.code) - 2
    for k in reversed(range(len(parts))):
        size = len(parts[k])
        if last - size < node <= last:
            parts[k] = replaced(parts[k], node - (last - size + 1), new)
            return Expression.join(e.root, parts)
        last -= size
    raise IndexError(f"there is no node {node} in a formula of {len(e.code)}")
