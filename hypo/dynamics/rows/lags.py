"""Lags of delays: the grid on which they are sought, and former values at the moments of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.options import DelayRange
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Lags of a grid: two for each step between samples, but not fewer or more than these.
FEWEST = 31
MOST = 61
# Times that differ by this share of a step or of a run are one.
ROUNDING = 1e-9


def lag_grid(data: Trajectories, each: DelayRange, is_discrete: bool) -> Values:
    """Lags within a range: evenly spaced, in discrete time whole steps; the one lag where the range is one."""
    if each.least == each.most:
        return np.array([each.least])
    step = float(np.median(np.concatenate([np.diff(np.unique(run.time)) for run in data.runs])))
    if is_discrete:
        first, last = np.ceil(each.least / step - ROUNDING), np.floor(each.most / step + ROUNDING)
        counts = np.arange(max(1.0, first), last + 1.0)
        return np.asarray(counts * step) if len(counts) else np.array([each.most])
    n = int(np.clip(np.ceil(2 * (each.most - each.least) / step), FEWEST, MOST))
    return np.linspace(each.least, each.most, n)


def former_values(columns: Columns, delay: Delay, run: NDArray[np.int64], time: Values) -> Values:
    """A state's values (n,) the lag before moments of runs: of the path, or in discrete time of the last sample by then."""
    k = columns.data.states.index(delay.state)
    out = np.empty(len(time))
    for r in np.unique(run):
        of = run == r
        before = time[of] - delay.lag
        if columns.options.discrete:
            recorded = columns.data.runs[r]
            known = np.isfinite(recorded.states[:, k])
            moments = recorded.time[known]
            last = np.searchsorted(moments, before + ROUNDING * np.ptp(recorded.time), side="right") - 1
            out[of] = recorded.states[known, k][np.maximum(last, 0)]
        else:
            out[of] = columns.smoothed.paths[r][k].at(before)[0]
    return out
