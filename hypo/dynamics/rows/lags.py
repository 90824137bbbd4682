"""First lags of delays: for each lag of a grid, how well a sum of few terms of the columns then explains the weak rows.

Terms are products of two columns and powers of former values, added one by one, each time the one that leaves the least; with m
rows and the residual sum of squares S_k of k terms a lag has min_k (½ m log S_k + ½ k log m) nats. Few terms, since on a smooth
path the present and a value shortly before tell the rate by themselves, to any accuracy that many terms want. It is only a
proposal: the lag is fitted along with the law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hypo.dynamics.options import DelayRange, Options
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.rows.make import make_weak_rows
from hypo.dynamics.rows.rows import WeakRows
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Lags of a grid between the least and the most.
GRID = 25
# Rounds in which each lag is chosen anew with the others held.
ROUNDS = 2
# Lags that are refined, and steps for each.
REFINED = 2
STEPS = 12
# Powers of a former value; laws with delays rise and fall with it.
POWERS = 6
# Terms of a sum.
MOST_TERMS = 6
# Share of the square of a column below which nothing of it is left beside others.
ALIKE = 1e-8


def choose_lags(
    data: Trajectories, smoothed: Smoothed, options: Options, names: Sequence[str]
) -> tuple[tuple[Delay, ...], tuple[Values, ...]]:
    """Delays with the likeliest lags of a grid, and by delay the lags that are likelier than their neighbours, likeliest first.

    On a cycle the present and the value shortly before tell the rate, too: more than one lag may be worth a trial.
    """
    ranges = options.delays
    grids = [_grid(data, each, options.discrete) for each in ranges]
    # Rows of all lags must be the same, so the longest lag says where they begin.
    delays = [Delay(name, each.state, float(g[-1])) for name, each, g in zip(names, ranges, grids, strict=True)]
    rows = [make_weak_rows(data, smoothed, options, k, delays) for k in range(len(data.states))]
    likely = list(grids)
    for _ in range(ROUNDS if len(delays) > 1 else 1):
        for i, grid in enumerate(grids):

            def nats_of(lag: float, i: int = i) -> float:
                delays[i] = replace(delays[i], lag=float(lag))
                return sum(_nats(Columns(data, smoothed, options, tuple(delays)), each) for each in rows)

            nats = np.array([nats_of(lag) for lag in grid])
            likely[i] = _refined(grid, nats, options.discrete, nats_of)
            delays[i] = replace(delays[i], lag=float(likely[i][0]))
    return tuple(delays), tuple(likely)


def _refined(grid: Values, nats: Values, is_discrete: bool, nats_of: Callable[[float], float]) -> Values:
    """Lags likelier than their neighbours, likeliest first; the first few, which are used, to more digits than the grid's."""
    order = _valleys(nats)
    out = np.array(grid[order], float)
    if is_discrete or len(grid) < 2:
        return out
    for n, at in enumerate(order[:REFINED]):
        ends = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
        found = minimize_scalar(nats_of, bounds=ends, method="bounded", options={"maxiter": STEPS})
        if found.fun < nats[at]:
            out[n] = found.x
    return out


def _valleys(nats: Values) -> NDArray[np.int64]:
    """Places lower than both neighbours, lowest first."""
    around = np.concatenate([[np.inf], nats, [np.inf]])
    low: NDArray[np.int64] = np.flatnonzero((nats <= around[:-2]) & (nats <= around[2:]))
    return low[np.argsort(nats[low], kind="stable")]


def _grid(data: Trajectories, each: DelayRange, is_discrete: bool) -> Values:
    if not is_discrete:
        return np.linspace(each.least, each.most, GRID)
    step = float(np.median(np.concatenate([np.diff(np.unique(run.time)) for run in data.runs])))
    counts = np.arange(max(1.0, np.ceil(each.least / step - 1e-9)), np.floor(each.most / step + 1e-9) + 1.0)
    return np.asarray(counts * step) if len(counts) else np.array([each.most])


def _nats(columns: Columns, rows: WeakRows) -> float:
    """½ m log S of the rows of one equation, with the columns at other lags."""
    if not len(rows.target):
        return 0.0
    X = rows.X.copy()
    first = rows.columns.index(columns.delays[0].column)
    for at, d in enumerate(columns.delays, first):
        X[:, at] = lagged(columns, d, rows)
    Z = X / np.maximum(np.sqrt(np.mean(X * X, axis=0)), 1e-300)
    i, j = np.triu_indices(Z.shape[1])
    late = Z[:, first : first + len(columns.delays)]
    powers = [late**p for p in range(3, POWERS + 1)]
    saturating = [late / (1 + late**p) for p in (1, 2, 4, 8)]
    A = rows.W @ np.hstack([np.ones((len(Z), 1)), Z, Z[:, i] * Z[:, j], *powers, *saturating])
    return _nats_of_few(A[:, np.isfinite(A).all(0)], rows.target)


def _nats_of_few(A: Values, y: Values) -> float:
    """min_k (½ m log S_k + ½ k log m) over sums of k of the columns A (m, p), added one by one."""
    m = len(y)
    left, residual = A.copy(), y.copy()
    square = float(y @ y)
    best = 0.5 * m * np.log(square + 1e-300)
    size = np.sum(A * A, axis=0)
    for k in range(1, min(MOST_TERMS, m - 1) + 1):
        norm = np.sum(left * left, axis=0)
        # What is left of a column that the others make up is rounding.
        gain = np.where(norm > ALIKE * size, (residual @ left) ** 2 / np.maximum(norm, 1e-300), 0.0)
        c = int(np.argmax(gain))
        if gain[c] <= 0:
            break
        q = left[:, c] / np.sqrt(norm[c])
        residual = residual - q * (q @ residual)
        left = left - np.outer(q, q @ left)
        best = min(best, 0.5 * m * np.log(float(residual @ residual) + 1e-12 * square) + 0.5 * k * np.log(m))
    return float(best)


def lagged(columns: Columns, delay: Delay, rows: WeakRows) -> Values:
    """Former values (n_grid,) at the moments of rows: of the path, or in discrete time of the last sample by then."""
    k = columns.data.states.index(delay.state)
    out = np.empty(len(rows.time))
    for r in np.unique(rows.run):
        of = rows.run == r
        before = rows.time[of] - delay.lag
        if columns.options.discrete:
            run = columns.data.runs[r]
            known = np.isfinite(run.states[:, k])
            moments = run.time[known]
            last = np.searchsorted(moments, before + 1e-9 * np.ptp(run.time), side="right") - 1
            out[of] = run.states[known, k][np.maximum(last, 0)]
        else:
            out[of] = columns.smoothed.paths[r][k].at(before)[0]
    return out
