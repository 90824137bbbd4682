"""Right-hand sides with one column more inside: a further term in a divisor, or in what an exponential grows with.

x/(c + x) → x/(c + x + d·y)  (competition)        1/(1 + exp(a - b·x)) → 1/(1 + exp(a - b·x + d·y))  (several inputs)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc


def widen(e: Expression, columns: Sequence[str]) -> Iterator[Expression]:
    """``e`` with d·y, d = 0 and free, added in one place for each column y that is not there."""
    for node, (op, _) in enumerate(e.code):
        if op not in (oc.DIV, oc.EXP):
            continue
        # The last argument ends one node before its operator.
        inside = e.subtree(node - 1)
        if not inside.variables or (op == oc.DIV and not (inside.root == oc.ADD and inside.free)):
            continue
        if op == oc.DIV and any(o == oc.EXP for o, _ in inside.code):
            continue
        for name in columns:
            if name not in inside.variables:
                more = inside + Expression.constant(0.0, free=True) * Expression.variable(name)
                yield e.replace_node(node - 1, more)
