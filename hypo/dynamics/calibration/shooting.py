"""Multiple shooting from paths and noise as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.fit_system import fit_from
from hypo.dynamics.calibration.segments import Guess
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]


def shoot(
    system: System, data: Trajectories, paths: Sequence[Values], sigma: Sequence[Values], effort: str = "quick"
) -> Calibrated | None:
    """Fit the free constants; None where no start of the shortest segments can be followed.

    Args:
        system: with first values of its constants.
        data: runs.
        paths: smoothed states of each run (n_row, n_state).
        sigma: noise of the samples of each run (n_row, n_measured).
        effort: "quick" or "full".
    """
    guess = Guess(np.concatenate(list(paths)), np.concatenate(list(sigma)), system.is_discrete)
    return fit_from(system, data, guess, effort=effort)
