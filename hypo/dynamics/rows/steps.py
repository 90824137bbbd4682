"""Rows of discrete systems: pairs of neighbouring samples.

No path is smooth here, so samples stand for themselves; a former value is that of the last sample by then. Noise is seen where
neighbours in the columns differ in the target: with δ the distances of nearest neighbours and γ half the squared differences of
their targets, γ ≈ noise + slope·δ² (the gamma test, Evans and Jones 2002, Proc. R. Soc. A 458, 2759). It counts the noise of
both ends of a step.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.rows.rows import Rows, WeakRows
from hypo.dynamics.trajectories import Run

Values = NDArray[np.float64]

# Nearest neighbours whose targets are compared.
NEIGHBOURS = 8
# Times that differ by this share of a run are one.
ROUNDING = 1e-9
# Least error of a target as a share of its spread.
LEAST_ERROR = 1e-6


def step_rows(columns: Columns, k: int) -> Rows:
    """Rows (columns at a sample, value of state ``k`` at the next); steps with a missing sample are left out."""
    X, y, of, moments = [], [], [], []
    data = columns.data
    for r, run in enumerate(data.runs):
        if run.n_row < 2:
            continue
        states = _means(run)
        moments_of_run, first = np.unique(run.time, return_index=True)
        parts = [states]
        for d in columns.delays:
            before = moments_of_run - d.lag
            # A lag that is a whole number of steps meets a sample, but for rounding.
            slack = ROUNDING * float(np.ptp(moments_of_run))
            last = np.searchsorted(moments_of_run, before + slack, side="right") - 1
            lagged = states[np.maximum(last, 0), data.states.index(d.state)]
            parts.append(np.where(last >= 0, lagged, np.nan)[:, None])
        parts.append(run.actions[first])
        if columns.options.use_time:
            parts.append(moments_of_run[:, None])
        values = np.hstack(parts)
        X.append(values[:-1])
        y.append(states[1:, k])
        of.append(np.full(len(values) - 1, r))
        moments.append(moments_of_run[:-1])
    columns_at, target = np.vstack(X), np.concatenate(y)
    kept = np.isfinite(columns_at).all(1) & np.isfinite(target)
    columns_at, target = columns_at[kept], target[kept]
    sd = np.full(len(target), noise_of_steps(columns_at, target))
    return Rows(columns.names, columns_at, target, sd, np.concatenate(of)[kept], np.concatenate(moments)[kept])


def as_weak(rows: Rows) -> WeakRows:
    """Each row as an average over itself."""
    W = np.diag(1.0 / rows.sd)
    return WeakRows(rows.columns, rows.X, W, rows.target / rows.sd, rows.target, rows.run, rows.time)


def noise_of_steps(X: Values, y: Values) -> float:
    """Standard deviation of what columns (n, n_column) leave open of y (n,)."""
    spread = float(np.std(y))
    floor = LEAST_ERROR * spread + 1e-300
    n = len(y)
    if n <= NEIGHBOURS + 1 or spread == 0:
        return max(floor, 0.01 * spread)
    width = X.std(0)
    Z = X[:, width > 0] / width[width > 0]
    distance, near = cKDTree(Z).query(Z, NEIGHBOURS + 1)
    square = np.mean(distance[:, 1:] ** 2, axis=0)
    gamma = 0.5 * np.mean((y[near[:, 1:]] - y[:, None]) ** 2, axis=0)
    noise = float(np.polyfit(square, gamma, 1)[1])
    return max(math.sqrt(max(noise, 0.0)), floor)


def _means(run: Run) -> Values:
    """Samples by moment (n, n_state), repeated ones averaged; NaN where none was taken."""
    moments, of = np.unique(run.time, return_inverse=True)
    count = np.zeros((len(moments), run.states.shape[1]))
    total = np.zeros_like(count)
    known = np.isfinite(run.states)
    np.add.at(count, of, known)
    np.add.at(total, of, np.where(known, run.states, 0.0))
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
