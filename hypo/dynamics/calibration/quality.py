"""How well a system follows recorded runs from starts that are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.integration.follow import follow
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]


def r_squared(system: System, starts: Sequence[Values], data: Trajectories) -> tuple[Values, float]:
    """R² = 1 - Σ(x̂ - x)²/Σ(x - x̄)² over the measured samples of all runs, NaN where the states run away.

    Args:
        system: the laws, with the constants that they have.
        starts: the states (n_state,) at the first row of each run.
        data: the runs.

    Returns:
        R² by measured state (n_measured,), and that of all, by the sums of squares.
    """
    found = [follow_run(system, s, run)[:, : system.n_measured] for s, run in zip(starts, data.runs, strict=True)]
    measured = np.vstack([run.states for run in data.runs])
    known = np.isfinite(measured)
    measured = np.where(known, measured, 0.0)
    mean = measured.sum(0) / known.sum(0)
    with np.errstate(all="ignore"):
        rest = np.sum(np.where(known, np.vstack(found) - measured, 0.0) ** 2, axis=0)
        spread = np.sum(np.where(known, measured - mean, 0.0) ** 2, axis=0)
        return 1.0 - rest / spread, float(1.0 - rest.sum() / spread.sum())


def follow_run(system: System, start: Values, run: Run) -> Values:
    """States (n_row, n_state) at the rows of a run, NaN from where they cannot be followed on."""
    moments, first, place = np.unique(run.time, return_index=True, return_inverse=True)
    inputs = run.actions[first] if system.actions else None
    states: Values = follow(system, start[:, None], None, moments, inputs).states[:, :, 0]
    return states[place]
