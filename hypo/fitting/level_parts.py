"""Parts of a formula that hardly vary over the rows, such as t**1e-16 or 0.1**(1e-15*g), with a number in their place.

A search leaves them where a constant went to a value that switches its part off. What stands for them is the whole number
next to them, where that is what they are, or a number to fit; the score says whether the formula is the better for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.expression.edits.neighbours import replaced
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

# A part is level where it varies by less than this share of its size, and a whole number where it is nearer to it than that.
LEVEL = 1e-3
# Rows looked at.
ROWS = 1000
# Most nodes of formulas that are looked at.
MOST_NODES = 100


def drop_level_parts(
    e: Expression, X: NDArray[np.float64], columns: Sequence[str], fit_constants: bool = True
) -> Iterator[Expression]:
    """``e`` with one level part at a time, the largest first, and then with all of them replaced by numbers; ``X``
    (n_var, n_row)."""
    if len(e) > MOST_NODES:
        return
    X = np.ascontiguousarray(X[:, :: max(1, X.shape[1] // ROWS)])
    found = _level_parts(e, X, columns)
    for node, value in found:
        for number in _numbers(value, fit_constants):
            yield replaced(e, node, number)
    if len(found) > 1:
        whole = e
        # From the end: the places of what stands before do not change.
        for node, value in sorted(found, reverse=True):
            whole = replaced(whole, node, next(_numbers(value, fit_constants), Expression.constant(value)))
        yield whole


def _level_parts(e: Expression, X: NDArray[np.float64], columns: Sequence[str]) -> list[tuple[int, float]]:
    """Nodes at which level parts end that are within no other, and the mean values of these."""
    out: list[tuple[int, float]] = []
    # From the root down, which is itself no part.
    for node in range(len(e) - 2, -1, -1):
        inside = any(e.starts[k] <= node <= k for k, _ in out)
        if inside or e.code[node][0] == oc.CONST:
            continue
        part = e.subtree(node)
        if not part.variables:
            continue
        with np.errstate(all="ignore"):
            values = Program.of(part, columns).value(X)
            size = float(np.max(np.abs(values)))
            if np.isfinite(size) and size > 0 and float(np.ptp(values)) <= LEVEL * size:
                out.append((node, float(np.mean(values))))
    return out


def _numbers(value: float, fit_constants: bool) -> Iterator[Expression]:
    """Numbers that may stand for a part of this mean value, the shortest first."""
    whole = round(value)
    if whole and abs(value - whole) <= LEVEL * abs(whole):
        yield Expression.constant(float(whole))
    if fit_constants:
        yield Expression.constant(value, free=True)
