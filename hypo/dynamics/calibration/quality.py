"""How a fitted system lies beside the samples: the segments that it was fitted to, and R²."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.segments import Segments, gather, guess_by_samples
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]


def r_squared(found: Values, measured: Values) -> tuple[Values, float]:
    """R² = 1 - Σ(x̂ - x)²/Σ(x - x̄)² over the samples that were taken.

    Args:
        found: followed states (n, n_measured), NaN where they ran away.
        measured: the samples (n, n_measured), NaN where there is none.

    Returns:
        R² by state (n_measured,), and that of all, by the sums of squares; NaN where a state ran away.
    """
    known = np.isfinite(measured)
    x = np.where(known, measured, 0.0)
    mean = x.sum(0) / known.sum(0)
    with np.errstate(all="ignore"):
        rest = np.sum(np.where(known, found - x, 0.0) ** 2, axis=0)
        spread = np.sum(np.where(known, x - mean, 0.0) ** 2, axis=0)
        return 1.0 - rest / spread, float(1.0 - rest.sum() / spread.sum())


def given_start(fitted: Values, run: Run) -> Values:
    """The start (n_state,) that the first row of a run gives: what was not measured there begins at the fitted start."""
    out = np.array(fitted, float)
    known = np.flatnonzero(np.isfinite(run.states[0]))
    out[known] = run.states[0][known]
    return out


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
