"""How well a system follows the recorded trajectories, from the fitted start and from the measured one.

A fitted start takes up errors of the law, so both are told: R² = 1 - Σ(x̂ - x)²/Σ(x - x̄)² over the measured samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.past import begin_run
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
    given = []
    runs = [begin_run(fitted, run, number) for number, run in enumerate(data.runs)]
    for start, run in zip(fitted.starts, runs, strict=True):
        own = np.array(start, float)
        first = run.states[0]
        known = np.flatnonzero(np.isfinite(first))
        own[known] = first[known]
        given.append(own)
    return tuple(_r2(fitted.system, starts, runs) for starts in (fitted.starts, given))  # type: ignore[return-value]


def _r2(system: System, starts: tuple[Values, ...] | list[Values], runs: list[Run]) -> Agreement:
    d = system.n_measured
    found = np.vstack([follow_run(system, s, run)[:, :d] for s, run in zip(starts, runs, strict=True)])
    measured = np.vstack([run.states for run in runs])
    known = np.isfinite(measured)
    measured = np.where(known, measured, 0.0)
    mean = measured.sum(0) / known.sum(0)
    rest = np.sum(np.where(known, found - measured, 0.0) ** 2, axis=0)
    spread = np.sum(np.where(known, measured - mean, 0.0) ** 2, axis=0)
    each = 1.0 - rest / spread
    names = system.states[:d]
    return Agreement(dict(zip(names, map(float, each), strict=True)), float(1.0 - rest.sum() / spread.sum()))


def follow_run(system: System, start: Values, run: Run) -> Values:
    """States (n_row, n_state) at the rows of a run, NaN from where they cannot be followed on."""
    moments, first, place = np.unique(run.time, return_index=True, return_inverse=True)
    inputs = run.actions[first] if system.actions else None
    states: Values = follow(system, start[:, None], None, moments, inputs, history=run.past).states[:, :, 0]
    return states[place]
