"""Variables that enter only together: y depends on a and b through one u(a, b), found from derivatives.

If y = g(u(a, b), …) then ∂_a y : ∂_b y = ∂_a u : ∂_b u everywhere. A handful of forms u is held against that ratio, taken from
a smooth surrogate; the best is kept when a surrogate in u instead of a and b predicts held-out rows as well. Repeated,
with u as a variable like any other, this finds differences, sums of squares, distances, phases, parallel resistors.

Sums are tried with a coefficient too, u = a^p + k·b^q: linear predictors, phases k·x − ω·t, ellipses. k has the least angle
between the two gradients, then the least squares of the surrogate in u; it is fitted again, with all other constants, in
whatever formula u is put into. A variable without which a surrogate predicts no worse is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.problem.surrogate import Surrogate, fit_surrogate, held_out, off
from hypo.units import DIMENSIONLESS, Dimension

Values = NDArray[np.float64]

# Mean square of the sine between the gradients of y and of u above which a form is not tried.
LARGEST_ANGLE = 0.05
# Forms that are tried at a time.
TRIED = 3
# Both terms of a sum with a coefficient take at least this part in it, and in the slope of y.
LEAST_PART = 0.03
# Steps towards the least squares of the coefficient, at most.
COEFFICIENT_STEPS = 4
# They go on as long as the error falls by this factor.
FALLING = 0.9
# A coefficient has to lower the held-out error by this, over the number of rows held out, as a share: some nats.
COEFFICIENT = 5.0
# Pairs below this angle are merged at once.
CLEAR = 1e-3
# A surrogate whose error is more than this share of the spread of y is poor.
POOR = 0.25
# Then a merger has to lower the error by this factor,
BLIND_GAIN = 0.7
# on so many rows.
BLIND_ROWS = 2000
# Trying all mergers of more columns takes too long.
MOST_BLIND = 5
# The held-out error may grow by this factor.
ERROR_GROWTH = 1.01
# An error below this share of the target's RMS is none.
NO_ERROR = 1e-8


@dataclass(frozen=True)
class ReducedColumns:
    """Variables of a reduced problem: names, rows ``X`` (n_var, n_row), formulas in the data's columns, and dimensions."""

    names: tuple[str, ...]
    X: NDArray[np.float64]
    formulas: Mapping[str, Expression]
    dimensions: Mapping[str, Dimension]

    def apply(self, mergers: Sequence[Merger]) -> ReducedColumns:
        """The columns with a new one in place of each pair of ``mergers``."""
        gone = {k for m in mergers for k in (m.i, m.j)}
        left = [k for k in range(len(self.names)) if k not in gone]
        names, rows, formulas, dimensions = [], [], dict(self.formulas), dict(self.dimensions)
        for m in mergers:
            whole = m.u.substitute(self.formulas)
            name = f"({whole})"
            names.append(name)
            rows.append(Program.of(m.u, self.names).value(self.X))
            formulas[name] = whole
            if self.names[m.i] in dimensions:
                dimensions[name] = dimensions[self.names[m.i]] ** m.power
        return ReducedColumns(
            (*names, *(self.names[k] for k in left)), np.vstack([*rows, self.X[left]]), formulas, dimensions
        )


@dataclass(frozen=True)
class Merger:
    """A form u of columns i and j, the power of column i in it, and how far its gradient is from that of y: u is ``first``, or
    with a ``term`` ``first`` + ``k``·``term``."""

    angle: float
    i: int
    j: int
    first: Expression
    power: int
    term: Expression | None = None
    k: float = 1.0

    @property
    def u(self) -> Expression:
        """The form, its coefficient free."""
        return self.first if self.term is None else self.first + Expression.constant(self.k, free=True) * self.term


def merge(
    columns: ReducedColumns, y: NDArray[np.float64], weight: NDArray[np.float64], surrogate: Surrogate, clock: Clock
) -> tuple[ReducedColumns, Surrogate] | None:
    """The columns with pairs of them merged, and the surrogate in these; None when no merger holds."""
    if surrogate.error > POOR * float(np.std(y)):
        if len(columns.names) > MOST_BLIND:
            return None
        return _merge_blindly(columns, y, weight, surrogate, clock)
    mergers = _mergers(columns, weight, surrogate)
    disjoint: list[Merger] = []
    for m in mergers:
        if m.angle < CLEAR and m.term is None and not any({m.i, m.j} & {o.i, o.j} for o in disjoint):
            disjoint.append(m)
    least = NO_ERROR * float(np.sqrt(np.mean(y**2)))
    # Several at once where they are clear; else the one of the best few that predicts best.
    trials = [disjoint] if len(disjoint) > 1 else []
    best: tuple[float, ReducedColumns, Surrogate] | None = None
    n_held = int(held_out(len(y)).sum())
    likely = [[m for m in mergers if (m.term is None) == exact][:TRIED] for exact in (True, False)]
    for chosen in (*trials, *([m] for m in (*likely[0], *likely[1]))):
        if clock.expired:
            return None
        trial = columns.apply(chosen)
        if not np.all(np.isfinite(trial.X)):
            continue
        s = fit_surrogate(trial.X, y, weight, surrogate.log)
        if s is None or s.error > max(ERROR_GROWTH * surrogate.error, least):
            continue
        if len(chosen) > 1:
            return trial, s
        if chosen[0].term is not None:
            trial, s = _refine(columns, chosen[0], trial, s, y, weight, clock)
        # Of forms that predict alike the simplest; a coefficient lowers the error a little by itself.
        error = max(s.error, least) * (
            1.0 + 0.001 * len(chosen[0].u) + (chosen[0].term is not None) * COEFFICIENT / n_held
        )
        if best is None or error < best[0]:
            best = (error, trial, s)
    return None if best is None else best[1:]


def _refine(
    columns: ReducedColumns,
    merger: Merger,
    merged: ReducedColumns,
    surrogate: Surrogate,
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    clock: Clock,
) -> tuple[ReducedColumns, Surrogate]:
    """The merged columns and their surrogate with the coefficient where the squares are least, by steps of Gauss–Newton: what
    the polynomial can follow by itself is taken out of the residuals and of their derivative (variable projection)."""
    assert merger.term is not None
    term = Program.of(merger.term, columns.names).value(columns.X)
    for _ in range(COEFFICIENT_STEPS):
        if clock.expired:
            break
        both = np.array([y - surrogate.value(merged.X), surrogate.gradient(merged.X)[0] * term])
        both = off(surrogate.by_coefficients(merged.X), both, weight)
        step = float(weight @ (both[0] * both[1])) / float(weight @ both[1] ** 2)
        if not np.isfinite(step):
            break
        moved = replace(merger, k=merger.k + step)
        trial = columns.apply([moved])
        s = fit_surrogate(trial.X, y, weight, surrogate.log)
        if s is None or s.error > surrogate.error:
            break
        falling = s.error < FALLING * surrogate.error
        merger, merged, surrogate = moved, trial, s
        if not falling:
            break
    return merged, surrogate


def _without_idle(
    columns: ReducedColumns, y: NDArray[np.float64], weight: NDArray[np.float64], surrogate: Surrogate, clock: Clock
) -> tuple[ReducedColumns, Surrogate]:
    """The columns without those that a surrogate does as well without."""
    if surrogate.error > POOR * float(np.std(y)):
        return columns, surrogate
    least = NO_ERROR * float(np.sqrt(np.mean(y**2)))
    slope = np.sqrt(np.mean(surrogate.gradient(columns.X) ** 2, axis=1)) * columns.X.std(axis=1)
    for name in np.array(columns.names)[np.argsort(slope, kind="stable")]:
        left = [k for k, other in enumerate(columns.names) if other != name]
        if clock.expired or not left:
            break
        s = fit_surrogate(columns.X[left], y, weight, surrogate.log)
        if s is None or s.error > max(surrogate.error, least):
            break
        columns, surrogate = replace(columns, names=tuple(columns.names[k] for k in left), X=columns.X[left]), s
    return columns, surrogate


def _merge_blindly(
    columns: ReducedColumns, y: NDArray[np.float64], weight: NDArray[np.float64], surrogate: Surrogate, clock: Clock
) -> tuple[ReducedColumns, Surrogate] | None:
    """The merger that lowers the error most, where the surrogate is too poor for derivatives: y oscillates, for instance."""
    few = slice(0, BLIND_ROWS)
    rows = replace(columns, X=np.ascontiguousarray(columns.X[:, few]))
    start = fit_surrogate(rows.X, y[few], weight[few])
    best = (
        BLIND_GAIN * (surrogate.error if start is None else start.error),
        Merger(0.0, 0, 0, Expression.constant(0.0), 0),
    )
    for i in range(len(columns.names)):
        for j in range(i + 1, len(columns.names)):
            for u, power, _ in _forms(rows, i, j):
                if power not in (0, 1) or len(u) > 3:
                    continue
                if clock.expired:
                    return None
                m = Merger(0.0, i, j, u, power)
                s = fit_surrogate(rows.apply([m]).X, y[few], weight[few])
                if s is not None and s.error < best[0]:
                    best = (s.error, m)
    if best[1].i == best[1].j:
        return None
    merged = columns.apply([best[1]])
    s = fit_surrogate(merged.X, y, weight)
    return None if s is None or s.error > BLIND_GAIN * surrogate.error else (merged, s)


def _mergers(columns: ReducedColumns, weight: NDArray[np.float64], surrogate: Surrogate) -> list[Merger]:
    """Mergers whose gradients come close to that of the surrogate, the closest first."""
    # In units of the columns' spreads, so that no column counts for its unit.
    spread = columns.X.std(axis=1)
    gradient = surrogate.gradient(columns.X) * spread[:, None]
    out: list[Merger] = []
    n = len(columns.names)
    with np.errstate(all="ignore"):
        for i in range(n):
            for j in range(i + 1, n):
                g = gradient[[i, j]]
                size = np.sum(g**2, axis=0) * weight
                for u, power, (di, dj) in _forms(columns, i, j):
                    di, dj = di * spread[i], dj * spread[j]
                    across = (g[0] * dj - g[1] * di) ** 2 * weight
                    angle = float(np.sum(across) / np.sum(size * (di**2 + dj**2)))
                    if angle < LARGEST_ANGLE:
                        out.append(Merger(angle, i, j, u, power))
                for left, right, power, (di, dj) in _terms(columns, i, j):
                    angle, k = _coefficient(g, size, weight, di * spread[i], dj * spread[j])
                    sizes = [float(np.std(Program.of(e, columns.names).value(columns.X))) for e in (left, right)]
                    if angle < LARGEST_ANGLE and LEAST_PART * sizes[0] < abs(k) * sizes[1] < sizes[0] / LEAST_PART:
                        out.append(Merger(angle, i, j, left, power, right, k))
    return sorted(out, key=lambda m: m.angle)


def _coefficient(
    g: NDArray[np.float64],
    size: NDArray[np.float64],
    weight: NDArray[np.float64],
    di: NDArray[np.float64],
    dj: NDArray[np.float64],
) -> tuple[float, float]:
    """The k for which (di, k·dj) is closest to the gradients ``g`` (2, n_row), and the angle that it leaves: with (α, αk) = v
    this is vᵀAv/vᵀBv, least at an eigenvector. Infinite where one of the two hardly takes part."""
    p, q = g[1] * di, g[0] * dj
    A = np.array([[weight @ p**2, -(weight @ (p * q))], [-(weight @ (p * q)), weight @ q**2]])
    root = np.sqrt([size @ di**2, size @ dj**2])
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(root)) and np.all(root > 0)):
        return np.inf, 1.0
    angles, vectors = np.linalg.eigh(A / root / root[:, None])
    v = vectors[:, 0] / root
    if np.min(np.abs(vectors[:, 0])) < LEAST_PART:
        return np.inf, 1.0
    # Of the smaller part: where one of two variables hardly matters, any two gradients are close.
    return max(0.0, float(angles[0])) / float(np.min(vectors[:, 0] ** 2)), float(v[1] / v[0])


def _forms(columns: ReducedColumns, i: int, j: int) -> Iterator[tuple[Expression, int, tuple[Values, Values]]]:
    """Forms u(a, b) of two columns that their dimensions allow, the power of a in them, and their derivatives."""
    a, b = Expression.variable(columns.names[i]), Expression.variable(columns.names[j])
    da, db = (columns.dimensions.get(columns.names[k], DIMENSIONLESS) for k in (i, j))
    for left, right, p, (dx, dz) in _terms(columns, i, j):
        yield left - right, p, (dx, -dz)
        yield left + right, p, (dx, dz)
    if not columns.dimensions or (da.is_dimensionless and db.is_dimensionless):
        x, z = columns.X[i], columns.X[j]
        yield a * b, 0, (z, x)
        if np.all(z != 0):
            yield a / b, 0, (1 / z, -x / z**2)


def _terms(
    columns: ReducedColumns, i: int, j: int
) -> Iterator[tuple[Expression, Expression, int, tuple[Values, Values]]]:
    """Powers of two columns that their dimensions allow to be added, the power of the first, and their derivatives."""
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
                yield left, right, p, (dx, dz)


def merge_all(
    columns: ReducedColumns,
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    surrogate: Surrogate,
    clock: Clock | None = None,
) -> tuple[ReducedColumns, Surrogate]:
    """Leave out what does not matter and merge as long as a merger holds, and the clock allows."""
    clock = clock or Clock()
    columns, surrogate = _without_idle(columns, y, weight, surrogate, clock)
    while len(columns.names) > 1 and (found := merge(columns, y, weight, surrogate, clock)) is not None:
        columns, surrogate = found
    return columns, surrogate


def reduced_rows(columns: ReducedColumns, original: tuple[str, ...], X: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns' values (n_var, n_row) for rows ``X`` of the data's own columns."""
    with np.errstate(all="ignore"):
        return np.array([Program.of(columns.formulas[n], original).value(X) for n in columns.names])
