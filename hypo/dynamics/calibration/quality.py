"""How well a fitted system predicts the samples it was fitted to: R² from fitted starts, and from the starts as measured.

Fitted starts absorb errors of a law, so that both are told.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.course import Clocks, follow_course
from hypo.dynamics.calibration.segments import Segments, cut, gather, guess_by_samples, guess_paths
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]


def r2_fitted(calibrated: Calibrated, data: Trajectories) -> Values:
    """By measured state R² of the paths from the fitted starts (n_measured,), of chaotic systems segment by segment."""
    seg = segments_of(calibrated, data)
    return _r2(calibrated, seg, np.column_stack([s.start for s in calibrated.segments]))


def r2_given(calibrated: Calibrated, data: Trajectories, smoothed: Smoothed) -> Values:
    """By measured state R² of the paths from the first sample of each run (n_measured,), -inf where they run away.

    Where a state was not measured at the first row its smoothed value is taken, of a hidden state the smoothed rate.
    """
    m = calibrated.system.n_measured
    seg = cut(data, guess_paths(calibrated.system, data, smoothed), data.n_row, calibrated.system)
    starts = seg.guess[0].copy()
    starts[:m] = np.where(seg.share[0] > 0, seg.samples[0], starts[:m])
    return _r2(calibrated, seg, starts)


def segments_of(calibrated: Calibrated, data: Trajectories) -> Segments:
    """The segments that a system was fitted to."""
    which = np.array([s.run for s in calibrated.segments])
    span = np.array([(s.first, s.last) for s in calibrated.segments])
    system = calibrated.system
    found = gather(data, guess_by_samples(data, system), which, span, system)
    known = [s.past for s in calibrated.segments if s.past is not None]
    if not system.delays or len(known) < len(which):
        return found
    n = max(len(moments) for moments, _ in known)
    # What is shorter begins with its first moment several times.
    rows = [np.maximum(np.arange(n) - (n - len(moments)), 0) for moments, _ in known]
    moments = np.column_stack([t[at] for (t, _), at in zip(known, rows, strict=True)])
    states = np.stack([x[at] for (_, x), at in zip(known, rows, strict=True)], axis=2)
    return replace(found, past=(moments, states))


def sizes(calibrated: Calibrated) -> Values:
    """Usual sizes of states (n_state,), by the starts and the noise: what accuracy of paths is measured by."""
    out = np.abs(np.column_stack([s.start for s in calibrated.segments])).max(1)
    m = calibrated.system.n_measured
    out[:m] = np.maximum(out[:m], np.sqrt(calibrated.measurement.square))
    return np.where(out > 0, out, 1.0)


def _r2(calibrated: Calibrated, seg: Segments, starts: Values) -> Values:
    system, m = calibrated.system, calibrated.system.n_measured
    with np.errstate(all="ignore"):
        course = follow_course(
            system, Clocks(seg.time, seg.actions, seg.past), starts, system.parameters, sizes(calibrated)
        )
        left = np.sum(seg.share * (course.states[:, :m] - seg.samples) ** 2, axis=(0, 2))
        mean = np.sum(seg.share * seg.samples, axis=(0, 2)) / seg.share.sum((0, 2))
        all_of_it = np.sum(seg.share * (seg.samples - mean[:, None]) ** 2, axis=(0, 2))
        out = 1.0 - left / all_of_it
    return np.where(np.isfinite(out), out, -np.inf)
