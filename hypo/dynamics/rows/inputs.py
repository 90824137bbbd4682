"""Recorded inputs between their samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from hypo.dynamics.trajectories import Run

Values = NDArray[np.float64]


def inputs_at(run: Run, hold: str, time: Values) -> Values:
    """Inputs (m, n_action) of a run at any times (m,).

    Args:
        hold: ``"zero"`` keeps the last recorded value, ``"linear"`` connects them, ``"spline"`` by a cubic spline.
            Before the first and after the last sample their values are kept.
    """
    if run.actions.shape[1] == 0:
        return np.empty((len(time), 0))
    # Of rows at one moment the last counts: it is what goes on from there.
    moments, back = np.unique(run.time[::-1], return_index=True)
    values = run.actions[len(run.time) - 1 - back]
    at = np.clip(time, moments[0], moments[-1])
    if hold == "zero":
        return np.asarray(values[np.searchsorted(moments, at, side="right") - 1])
    if hold == "spline" and len(moments) > 2:
        return np.asarray(CubicSpline(moments, values)(at))
    return np.column_stack([np.interp(at, moments, u) for u in values.T])
