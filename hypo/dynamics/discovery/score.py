"""The score of a fitted system: misfit + code length + λ·violation, in nats.

The code of a fitted number θ is what Laplace's integral over a Cauchy prior of its natural size s leaves,

    -log p(θ) + ½ log(I/2π),    p(θ) = 1/(π s (1 + (θ/s)²)),

where s is the size at which the number changes the rate as much as the whole rate is: with u = rms(θ ∂f/∂θ)/rms(f) it is
s = |θ|/u. A number that hardly acts costs what saying so precisely costs, terms that nearly cancel cost their excess, and all
numbers together cost by the determinant of their joint information, so that two that act alike cost less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.prior.lengths import system_structure
from hypo.dynamics.system import System

Values = NDArray[np.float64]

# A relative change that makes a derivative by differences.
NUDGE = 1e-5
# Shares of the rate beyond which a number costs no more.
LEAST_SHARE = 1e-6
MOST_SHARE = 1e6
# Least relative error of a number that its code is charged for.
PRECISE = 1e-9
# Least eigenvalue of correlations: rounding.
LEAST_EIGENVALUE = 1e-14
# Naming the number that another one is equal to, beside log of their count, where they stand in unlike terms.
SHARED = 0.7


@dataclass(frozen=True)
class Scorer:
    """A measure of fits, in nats.

    Attributes:
        columns: of the laws, evaluated along the smoothed paths (n_column, n).
        sought: numbers of the equations that are sought; known ones cost nothing.
        rows: independent rows of a rate, for exact numbers.
        violation: of knowledge, in nats; None: there is none.
    """

    columns: Values
    sought: tuple[int, ...]
    rows: float
    violation: Callable[[System], float] | None = None

    def score(self, fitted: Calibrated) -> float:
        """Misfit + code lengths + violation of a fitted system."""
        total = fitted.misfit + self.structure(fitted.system) + self.numbers(fitted)
        if self.violation is not None:
            total += self.violation(fitted.system)
        return total if math.isfinite(total) else math.inf

    def structure(self, system: System) -> float:
        """Nats of the forms, and of which numbers are equal."""
        equations, states = [system.equations[k] for k in self.sought], [system.states[k] for k in self.sought]
        found = system_structure(equations, states, len(self.columns), self.rows)
        free = len(system.of_constants)
        others = max(found.numbers - system.n_constant - found.equal, 0)
        return found.nats + others * (math.log(max(free, 1)) + SHARED)

    def numbers(self, fitted: Calibrated) -> float:
        """Nats of the fitted numbers."""
        theta = fitted.system.parameters
        if not len(theta):
            return 0.0
        shares = np.clip(self._shares(fitted.system), LEAST_SHARE, MOST_SHARE)
        return float(np.sum(np.log(shares + 1.0 / shares))) + 0.5 * _log_det(theta, fitted.covariance)

    def _shares(self, system: System) -> Values:
        """rms(θ ∂f/∂θ)/rms(f) of each parameter, in the equation where it is largest (n_parameter,)."""
        theta = system.parameters
        p, n = len(theta), self.columns.shape[1]
        step = NUDGE * np.where(theta == 0.0, 1.0, np.abs(theta))
        P = np.repeat(theta[:, None], (p + 1) * n, axis=1)
        for j in range(p):
            P[j, (j + 1) * n : (j + 2) * n] += step[j]
        with np.errstate(all="ignore"):
            rates = system.rates(np.tile(self.columns, (1, p + 1)), P).reshape(len(system.states), p + 1, n)
            slopes = (rates[:, 1:] - rates[:, :1]) / step[None, :, None] * theta[None, :, None]
        size = _rms(rates[:, 0])
        return np.asarray(np.max(_rms(slopes) / np.maximum(size, 1e-300)[:, None], axis=0, initial=0.0))


def _rms(values: Values) -> Values:
    """Root of the mean square over the last axis, undefined points left out."""
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(-1), 1)
    return np.asarray(np.sqrt(np.sum(np.where(finite, values, 0.0) ** 2, axis=-1) / count))


def _log_det(theta: Values, covariance: Values) -> float:
    """log det(1 + Θ C⁻¹ Θ)·(π/2), the information of numbers in units of their own size, for the Cauchy prior.

    It is log det(1 + S) - log det S with S = Θ⁻¹ C Θ⁻¹, each matrix scaled to a diagonal of ones: beside a number of which next
    to nothing is known, those that are known exactly would be lost to rounding.
    """
    size = np.where(theta == 0.0, 1.0, np.abs(theta))
    with np.errstate(all="ignore"):
        relative = covariance / size[:, None] / size
    if not np.all(np.isfinite(relative)):
        return len(theta) * 2 * -math.log(PRECISE)
    relative = 0.5 * (relative + relative.T)
    diagonal = np.maximum(np.diag(relative), 0.0)
    whole = _scaled_log_det(relative, 1.0 + diagonal) - _scaled_log_det(relative, diagonal + PRECISE**2)
    return whole + len(theta) * math.log(math.pi / 2)


def _scaled_log_det(matrix: Values, diagonal: Values) -> float:
    """log det of a symmetric matrix with another diagonal."""
    root = np.sqrt(diagonal)
    scaled = matrix / root[:, None] / root
    np.fill_diagonal(scaled, 1.0)
    least = np.maximum(np.linalg.eigvalsh(scaled), LEAST_EIGENVALUE)
    return float(np.sum(np.log(least)) + np.sum(np.log(diagonal)))
