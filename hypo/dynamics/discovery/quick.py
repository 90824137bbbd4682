"""A first law where there is no time for a search: terms of a line, added one by one as long as they pay for themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.rows.rows import Rows
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Share of the square of the rates below which nothing is left to explain.
EXACT = 1e-12


def quick_law(rows: Rows, names: tuple[str, ...]) -> Expression:
    """A sum of few columns with coefficients: the least ½ m log S + ½ k log m over sums of k of them."""
    A = np.column_stack([rows.X, np.ones(len(rows.X))])
    y, m = rows.target, len(rows.target)
    whole = float(y @ y)
    chosen: list[int] = []
    best, least = chosen, 0.5 * m * np.log(whole + 1e-300)
    left = [c for c in range(A.shape[1]) if np.isfinite(A[:, c]).all()]
    while left and len(chosen) < m - 1:
        squares = [_squares(A[:, [*chosen, c]], y) for c in left]
        n = int(np.argmin(squares))
        chosen = [*chosen, left.pop(n)]
        nats = 0.5 * m * np.log(squares[n] + EXACT * whole + 1e-300) + 0.5 * len(chosen) * np.log(m)
        if nats >= least:
            break
        best, least = chosen, nats
    slopes = np.linalg.lstsq(A[:, best], y, rcond=None)[0] if best else np.zeros(0)
    out: Expression | None = None
    for c, slope in zip(best, slopes, strict=True):
        term = Expression.constant(float(slope), free=True)
        if c < len(names):
            term = term * Expression.variable(names[c])
        out = term if out is None else out + term
    return Expression.constant(0.0, free=True) if out is None else out


def _squares(A: Values, y: Values) -> float:
    rest = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return float(rest @ rest)
