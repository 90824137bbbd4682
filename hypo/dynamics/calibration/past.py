"""Where recorded runs begin for laws that look back: from the row at which their past is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.segments import longest_lag
from hypo.dynamics.trajectories import Run

Values = NDArray[np.float64]


def begin_run(fitted: Calibrated, run: Run, number: int | None) -> Run:
    """The part of a run that laws can be followed along, with its past; the run itself where laws do not look back.

    Args:
        fitted: the laws.
        run: the run.
        number: that of the run in the data of the fit, whose past was smoothed; None for a new one, whose past is that of its
            samples, gaps filled by straight lines. One that is too short for the longest lag begins with its first row, as if
            states had always been as they were then.
    """
    segment = None if number is None else fitted.first_segment(number)
    if segment is not None:
        return _cut(run, segment.first, segment.past) if segment.first else run
    lag = longest_lag(fitted.system)
    moments, first = np.unique(run.time, return_index=True)
    begin = int(np.searchsorted(moments, moments[0] + lag))
    if not 0 < begin < len(moments) - 1:
        return run
    row = int(first[begin])
    before = np.flatnonzero(run.time <= run.time[row])
    states = np.zeros((len(before), len(fitted.system.states)))
    for k, x in enumerate(run.states.T):
        known = np.isfinite(x)
        if known.any():
            states[:, k] = np.interp(run.time[before], run.time[known], x[known])
    return _cut(run, row, (run.time[before], states))


def _cut(run: Run, row: int, past: tuple[Values, Values] | None) -> Run:
    return replace(run.take(slice(row, None)), past=past)
