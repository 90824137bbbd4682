"""How well a system follows the recorded trajectories, from the fitted start and from the measured one.

A fitted start takes up errors of the law, so both are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.calibration.quality import given_start, r_squared
from hypo.dynamics.integration.follow import follow
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """R² by measured state, and of all of them (``total``, by the sums of squares); NaN where the states run away."""

    states: dict[str, float]
    total: float

    def as_dict(self) -> dict[str, float]:
        """The states' R² by name, and ``total``."""
        return {**self.states, "total": self.total}


def measure_agreement(fitted: Calibrated, data: Trajectories) -> tuple[Agreement, Agreement]:
    """R² from the fitted starts, and from those measured (a state not measured in the first row has its fitted start)."""
    runs = [begin_run(fitted, run, number) for number, run in enumerate(data.runs)]
    given = [given_start(start, run) for start, run in zip(fitted.starts, runs, strict=True)]
    return _agree(fitted.system, fitted.starts, runs), _agree(fitted.system, given, runs)


def _agree(system: System, starts: Sequence[Values], runs: Sequence[Run]) -> Agreement:
    found = [follow_run(system, s, run)[:, : system.n_measured] for s, run in zip(starts, runs, strict=True)]
    each, total = r_squared(np.vstack(found), np.vstack([run.states for run in runs]))
    return Agreement(dict(zip(system.states, each.tolist(), strict=False)), total)


def follow_run(system: System, start: Values, run: Run) -> Values:
    """States (n_row, n_state) at the rows of a run, NaN from where they cannot be followed on."""
    moments, first, place = np.unique(run.time, return_index=True, return_inverse=True)
    inputs = run.actions[first] if system.actions else None
    states: Values = follow(system, start[:, None], None, moments, inputs, history=run.past).states[:, :, 0]
    return states[place]
