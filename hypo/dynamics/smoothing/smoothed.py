"""All states of all runs, smoothed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.smoothing.smoother import Path, smooth
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Least noise of a sample, as a share of the state's spread: exact numbers have no other.
LEAST_NOISE = 1e-6


@dataclass(frozen=True)
class Smoothed:
    """Paths by run and measured state."""

    data: Trajectories
    paths: tuple[tuple[Path, ...], ...]

    def states(self, run: int) -> Values:
        """Smoothed measured states at the rows of a run (n_row, n_measured)."""
        time = self.data.runs[run].time
        return np.column_stack([np.interp(time, p.time, p.value) for p in self.paths[run]])

    def rates(self, run: int) -> Values:
        """Smoothed rates at the rows of a run (n_row, n_measured)."""
        time = self.data.runs[run].time
        return np.column_stack([np.interp(time, p.time, p.rate) for p in self.paths[run]])

    def noise(self, run: int) -> Values:
        """Standard deviation of one measurement at the rows of a run (n_row, n_measured)."""
        time = self.data.runs[run].time
        floors = [LEAST_NOISE * float(np.std(p.value)) + 1e-300 for p in self.paths[run]]
        return np.column_stack(
            [
                np.interp(time, p.time, np.maximum(p.noise, least))
                for p, least in zip(self.paths[run], floors, strict=True)
            ]
        )


def smooth_all(data: Trajectories) -> Smoothed:
    """Every measured state of every run, smoothed."""
    return Smoothed(
        data, tuple(tuple(smooth(run.time, run.states[:, k]) for k in range(len(data.states))) for run in data.runs)
    )
