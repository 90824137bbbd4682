"""All states of all runs, smoothed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.dynamics.smoothing.evidence import Spectra
from hypo.dynamics.smoothing.path import Path
from hypo.dynamics.smoothing.smoother import CHOSEN_BY, smooth_runs
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Least noise of a sample, as a share of the state's spread: exact numbers have no other.
LEAST_NOISE = 1e-6
# With more states than this each is smoothed by fewer moments of all runs: the work grows with their cube.
MANY = 8
FEWER = 120


@dataclass(frozen=True)
class Smoothed:
    """Paths by run and measured state."""

    data: Trajectories
    paths: tuple[tuple[Path, ...], ...]

    def states(self, run: int) -> Values:
        """Smoothed measured states at the rows of a run (n_row, n_measured)."""
        return self.at(run, self.data.runs[run].time)[0]

    def rates(self, run: int) -> Values:
        """Smoothed rates at the rows of a run (n_row, n_measured)."""
        return self.at(run, self.data.runs[run].time)[1]

    def at(self, run: int, time: Values) -> tuple[Values, Values, Values]:
        """Measured states, their rates and second derivatives (m, n_measured) at any times (m,) of a run."""
        each = np.array([p.curve.local(np.asarray(time, float)) for p in self.paths[run]])
        return each[:, 0].T, each[:, 1].T, each[:, 2].T

    def errors(self, run: int, time: Values) -> tuple[Values, Values, Values]:
        """Standard deviations of what :meth:`at` gives."""
        each = np.array([p.errors(time) for p in self.paths[run]])
        return each[:, 0].T, each[:, 1].T, each[:, 2].T

    def noise(self, run: int) -> Values:
        """Standard deviation of one measurement at the rows of a run (n_row, n_measured)."""
        time = self.data.runs[run].time
        floors = [LEAST_NOISE * float(np.std(p.value)) + 1e-300 for p in self.paths[run]]
        return np.column_stack(
            [np.maximum(p.noise_at(time), least) for p, least in zip(self.paths[run], floors, strict=True)]
        )

    def clipped(self, run: int) -> NDArray[np.bool_]:
        """True at rows of a run (n_row, n_measured) where a state was held at an extreme value."""
        time = self.data.runs[run].time
        return np.column_stack([np.isin(time, p.time[p.clipped]) for p in self.paths[run]])


def smooth_all(data: Trajectories, clock: Expiring | None = None) -> Smoothed:
    """Every measured state of every run, smoothed; the runs of a state share one length and one noise. Once ``clock`` has
    expired they are chosen quickly."""
    d = len(data.states)
    most = CHOSEN_BY if d <= MANY else FEWER
    spectra = Spectra()
    by_state = [
        smooth_runs([(run.time, run.states[:, k]) for run in data.runs], most, spectra, clock) for k in range(d)
    ]
    return Smoothed(data, tuple(zip(*by_state, strict=True)))
