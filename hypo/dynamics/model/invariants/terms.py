"""The law as a sum: terms of its equations, and the law without some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc


@dataclass(frozen=True)
class LawTerm:
    """One summand: its equation, its place there, and what it reads like."""

    equation: int
    node: int
    text: str
    variables: tuple[str, ...]


def _summands(e: Expression) -> Iterator[tuple[int, bool]]:
    """Nodes of the summands of ``e``, and True for those that are taken away."""
    todo = [(len(e.code) - 1, False)]
    while todo:
        node, minus = todo.pop()
        op = e.code[node][0]
        if op in (oc.ADD, oc.SUB):
            right = node - 1
            todo += [(right, minus ^ (op == oc.SUB)), (e.starts[right] - 1, minus)]
        elif op == oc.NEG:
            todo.append((node - 1, not minus))
        else:
            yield node, minus


def list_terms(system: System) -> list[tuple[LawTerm, ...]]:
    """Terms that may be left out together: those by which states slow themselves down, all at once; then each by itself."""
    each = []
    for k, e in enumerate(system.equations):
        found = list(_summands(e))
        if len(found) < 2:
            continue
        for node, minus in found:
            part = e.subtree(node)
            each.append(LawTerm(k, node, f"{'-' if minus else ''}{part.pretty()}", part.variables))
    own = [t for t in each if t.variables == (system.states[t.equation],)]
    together = [tuple(own)] if len({t.equation for t in own}) > 1 else []
    return [*together, *((t,) for t in each)]


def leave_out(system: System, terms: Sequence[LawTerm]) -> System:
    """The system without terms; its constants are as they are, and no longer free."""
    equations = list(system.equations)
    zero = Expression.constant(0.0)
    # From the last on, so that the places of those before stay.
    for t in sorted(terms, key=lambda t: -t.node):
        equations[t.equation] = equations[t.equation].replace_node(t.node, zero)
    fixed = tuple(
        Expression(e.code, tuple(type(c)(c.value, c.name) for c in e.constants), e.variables) for e in equations
    )
    return system.with_equations(fixed, ())
