"""Steps of the classical Runge–Kutta method of order four, in NumPy: the reference that the compiled integrator is held to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.system import System

Values = NDArray[np.float64]


def step(system: System, X: Values, P: Values, h: Values, before: Values, after: Values) -> Values:
    """States (n_state, n) one step h (n,) later, with parameters P (n_parameter, n) and inputs (n_action, n) at both ends."""
    middle = 0.5 * (before + after)
    k1 = system.rates(np.vstack([X, before]), P)
    k2 = system.rates(np.vstack([X + 0.5 * h * k1, middle]), P)
    k3 = system.rates(np.vstack([X + 0.5 * h * k2, middle]), P)
    k4 = system.rates(np.vstack([X + h * k3, after]), P)
    return X + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
