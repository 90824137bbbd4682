"""A system with fitted parameters: what fits return, and what scores, posteriors and reports read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.system import System

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Calibrated:
    """A system fitted to trajectories.

    Attributes:
        system: with its fitted parameters.
        starts: by run, the fitted state at its first row (n_state,).
        chi2: by measured state, the sum of squares over the smoother's σ² (n_measured,).
        count: by measured state, the number of samples (n_measured,).
        noise: by measured state, the standard deviation of one sample that the fit leaves (n_measured,).
        covariance: of parameters across all equations, starts eliminated (n_parameter, n_parameter).
        misfit: nats, noise integrated out: Σ_k ½ n_k log(χ²_k/n_k).
    """

    system: System
    starts: tuple[Values, ...]
    chi2: Values
    count: Values
    noise: Values
    covariance: Values
    misfit: float
