"""Variables that enter only together: y depends on a and b through one u(a, b), found from derivatives.

If y = g(u(a, b), …) then ∂_a y : ∂_b y = ∂_a u : ∂_b u everywhere. A handful of forms u is held against that ratio, taken from
a smooth surrogate; the best is kept when a surrogate in u instead of a and b predicts held-out rows as well. Repeated,
with u as a variable like any other, this finds differences, sums of squares, distances, phases, parallel resistors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.search.surrogate import Surrogate, fit_surrogate
from hypo.units import DIMENSIONLESS, Dimension

# Mean square of the sine between the gradients of y and of u above which a form is not tried; forms tried at a time.
LARGEST_ANGLE, TRIED = 0.05, 3
# The held-out error may grow by this factor; an error below this share of the target's RMS is none.
WORSE, NO_ERROR = 1.01, 1e-8


@dataclass(frozen=True)
class Columns:
    """Variables of a reduced problem: names, rows ``X`` (n_var, n_row), formulas in the data's columns, and dimensions."""

    names: tuple[str, ...]
    X: NDArray[np.float64]
    formulas: Mapping[str, Expression]
    dimensions: Mapping[str, Dimension]

    def merged(self, i: int, j: int, u: Expression, power: int) -> Columns:
        """The columns with the formula ``u``, of the dimension of column i to a power, in place of number i and j."""
        left = [k for k in range(len(self.names)) if k not in (i, j)]
        values = Program.of(u, self.names).value(self.X)
        whole = u.substitute(self.formulas)
        name = f"({whole})"
        dimensions = dict(self.dimensions)
        if self.names[i] in dimensions:
            dimensions[name] = dimensions[self.names[i]] ** power
        return Columns(
            (name, *(self.names[k] for k in left)),
            np.vstack([values, self.X[left]]),
            {**self.formulas, name: whole},
            dimensions,
        )


def merge(
    columns: Columns, y: NDArray[np.float64], weight: NDArray[np.float64], surrogate: Surrogate
) -> tuple[Columns, Surrogate] | None:
    """The columns with two of them merged into one, and the surrogate in these; None when no merger holds."""
    # In units of the columns' spreads, so that no column counts for its unit.
    spread = columns.X.std(axis=1)
    gradient = surrogate.gradient(columns.X) * spread[:, None]
    tried: list[tuple[float, int, int, Expression, int]] = []
    n = len(columns.names)
    with np.errstate(all="ignore"):
        for i in range(n):
            for j in range(i + 1, n):
                for u, power, du in _forms(columns, i, j):
                    g = gradient[[i, j]]
                    du = (du[0] * spread[i], du[1] * spread[j])
                    across = (g[0] * du[1] - g[1] * du[0]) ** 2 * weight
                    whole = np.sum(g**2, axis=0) * (du[0] ** 2 + du[1] ** 2) * weight
                    angle = float(np.sum(across) / np.sum(whole))
                    if angle < LARGEST_ANGLE:
                        tried.append((angle, i, j, u, power))
    least = NO_ERROR * float(np.sqrt(np.mean(y**2)))
    best: tuple[float, Columns, Surrogate] | None = None
    for _, i, j, u, power in sorted(tried, key=lambda t: t[0])[:TRIED]:
        trial = columns.merged(i, j, u, power)
        if not np.all(np.isfinite(trial.X)):
            continue
        s = fit_surrogate(trial.X, y, weight)
        if s is None or s.error > max(WORSE * surrogate.error, least):
            continue
        # Of forms that predict alike the simplest.
        error = max(s.error, least) * (1.0 + 0.001 * len(u))
        if best is None or error < best[0]:
            best = (error, trial, s)
    return None if best is None else best[1:]


def _forms(columns: Columns, i: int, j: int) -> Iterator[tuple[Expression, int, tuple[NDArray, NDArray]]]:
    """Forms u(a, b) of two columns that their dimensions allow, the power of a in them, and their derivatives."""
    a, b = Expression.variable(columns.names[i]), Expression.variable(columns.names[j])
    x, z = columns.X[i], columns.X[j]
    one = np.ones_like(x)
    powers = {1: (a, b, one, one), 2: (a**2, b**2, 2 * x, 2 * z)}
    if np.all(x != 0) and np.all(z != 0):
        powers[-1] = (1 / a, 1 / b, -1 / x**2, -1 / z**2)
    da, db = (columns.dimensions.get(columns.names[k], DIMENSIONLESS) for k in (i, j))
    for p, (left, _, dx, _) in powers.items():
        for q, (_, right, _, dz) in powers.items():
            if da**p == db**q and (p == q or -1 not in (p, q)):
                yield left - right, p, (dx, -dz)
                yield left + right, p, (dx, dz)
    if not columns.dimensions:
        yield a * b, 0, (z, x)
        if np.all(z != 0):
            yield a / b, 0, (1 / z, -x / z**2)


def merge_all(
    columns: Columns, y: NDArray[np.float64], weight: NDArray[np.float64], surrogate: Surrogate
) -> tuple[Columns, Surrogate]:
    """Merge as long as a merger holds."""
    while len(columns.names) > 1 and (found := merge(columns, y, weight, surrogate)) is not None:
        columns, surrogate = found
    return columns, surrogate


def reduced_rows(columns: Columns, original: tuple[str, ...], X: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns' values (n_var, n_row) for rows ``X`` of the data's own columns."""
    with np.errstate(all="ignore"):
        return np.array([Program.of(columns.formulas[n], original).value(X) for n in columns.names])
