"""First lags of delays: for each lag of a grid, how well a flexible function of the columns then explains the weak rows.

The function is a sum of powers of each former value and of all products of two columns, by ridge regression; with m rows and
residual sum of squares S a lag has ½ m log S nats. It is only a proposal: the lag is fitted along with the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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
# Powers of a former value; laws with delays rise and fall with it.
POWERS = 6
# Share of the mean square of columns that is added to it.
RIDGE = 1e-6


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
            nats = np.zeros(len(grid))
            for n, lag in enumerate(grid):
                delays[i] = replace(delays[i], lag=float(lag))
                nats[n] = sum(_nats(Columns(data, smoothed, options, tuple(delays)), each) for each in rows)
            likely[i] = grid[_valleys(nats)]
            delays[i] = replace(delays[i], lag=float(likely[i][0]))
    return tuple(delays), tuple(likely)


def _valleys(nats: Values) -> NDArray[np.int64]:
    """Places lower than both neighbours, lowest first."""
    around = np.concatenate([[np.inf], nats, [np.inf]])
    low = np.flatnonzero((nats <= around[:-2]) & (nats <= around[2:]))
    return low[np.argsort(nats[low], kind="stable")]


def _grid(data: Trajectories, each: DelayRange, is_discrete: bool) -> Values:
    if not is_discrete:
        return np.linspace(each.least, each.most, GRID)
    step = float(np.median(np.concatenate([np.diff(np.unique(run.time)) for run in data.runs])))
    counts = np.arange(max(1, np.ceil(each.least / step - 1e-9)), np.floor(each.most / step + 1e-9) + 1)
    return np.asarray(counts * step) if len(counts) else np.array([each.most])


def _nats(columns: Columns, rows: WeakRows) -> float:
    """½ m log S of the rows of one equation, with the columns at other lags."""
    if not len(rows.target):
        return 0.0
    X = rows.X.copy()
    first = rows.columns.index(columns.delays[0].column)
    for j, d in enumerate(columns.delays):
        X[:, first + j] = lagged(columns, d, rows)
    Z = (X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1.0)
    i, j = np.triu_indices(Z.shape[1])
    late = Z[:, first : first + len(columns.delays)]
    powers = [late[:, [c]] ** p for c in range(late.shape[1]) for p in range(3, POWERS + 1)]
    A = rows.W @ np.hstack([np.ones((len(Z), 1)), Z, Z[:, i] * Z[:, j], *powers])
    A = A / np.maximum(np.sqrt(np.mean(A * A, axis=0)), 1e-300)
    gram = A.T @ A + RIDGE * len(A) * np.eye(A.shape[1])
    residual = rows.target - A @ np.linalg.solve(gram, A.T @ rows.target)
    return 0.5 * len(residual) * float(np.log(residual @ residual + 1e-300))


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
