"""A Gaussian process with a Matérn kernel, conditioned on samples: means and joint errors of value and slopes.

The kernel of smoothness ν = 9/2 is, with a = 3 |w - w'|/ℓ,

    k = (1 + a + 3a²/7 + 2a³/21 + a⁴/105) exp(-a)

(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, 4.2.1). Its paths have four derivatives. The squared
exponential, whose paths have all, is too sure of rates along trajectories: their squared errors were twice what it said, and
these were once to 1.3 times. With F_j the j-th derivative of k by s = u²/2, u = (w - w')/ℓ, derivatives by u are F_1 u,
F_1 + F_2 u², 3 F_2 u + F_3 u³, 3 F_2 + 6 F_3 u² + F_4 u⁴.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Orders of derivatives that a process gives: value, rate, second derivative.
ORDERS = (0, 1, 2)


def covariance(a: Values, b: Values, length: float, order_a: int = 0, order_b: int = 0) -> Values:
    """Prior covariance (len(a), len(b)) of the derivatives of ``order_a`` at ``a`` and ``order_b`` at ``b``, of variance 1."""
    u = (a[:, None] - b[None, :]) / length
    by_u = _derivative(u, order_a + order_b)
    return np.asarray((-1) ** order_b * length ** -(order_a + order_b) * by_u)


def _derivative(u: Values, order: int) -> Values:
    """The derivative of the kernel by u, up to the fourth."""
    a = 3.0 * np.abs(u)
    decay = np.exp(-a)
    if order == 0:
        return (1 + a * (1 + a * (3 / 7 + a * (2 / 21 + a / 105)))) * decay
    first = -9 / 7 * (1 + a * (1 + a * (2 / 5 + a / 15))) * decay
    if order == 1:
        return first * u
    second = 81 / 35 * (1 + a * (1 + a / 3)) * decay
    if order == 2:
        return first + second * u * u
    third = -243 / 35 * (1 + a) * decay
    if order == 3:
        return (3 * second + third * u * u) * u
    return 3 * second + 6 * third * u * u + 2187 / 35 * decay * u**4


@dataclass(frozen=True)
class Process:
    """A process after its samples.

    Attributes:
        nodes: (n,), where it was sampled.
        half: (n, n), with half·halfᵀ the inverse of the samples' covariance in units of ``scale``.
        alpha: (n,), that inverse times samples minus mean.
        mean: level to which the process returns far from samples.
        length: of the kernel.
        scale: variance of the process.
    """

    nodes: Values
    half: Values
    alpha: Values
    mean: float
    length: float
    scale: float

    def means(self, at: Values) -> Values:
        """Value, slope and second slope (3, m) at places (m,)."""
        out = np.array([covariance(at, self.nodes, self.length, order) @ self.alpha for order in ORDERS])
        out[0] += self.mean
        return out

    def errors(self, at: Values) -> Values:
        """Covariance (m, 3, 3) of the errors of value and slopes at each place."""
        to = np.stack([covariance(at, self.nodes, self.length, order) @ self.half for order in ORDERS])
        zero = np.zeros(1)
        prior = np.array([[covariance(zero, zero, self.length, a, b)[0, 0] for b in ORDERS] for a in ORDERS])
        return np.asarray(self.scale * (prior[None] - np.einsum("amn,bmn->mab", to, to)))

    def joint_errors(self, at: Values, by: Values) -> Values:
        """Covariance (m, m) of the errors of value·by₀ + slope·by₁ + second slope·by₂ at all places, ``by`` (m, 3)."""
        used = [order for order in ORDERS if np.any(by[:, order])]
        m = len(at)
        to, prior = np.zeros((m, self.half.shape[1])), np.zeros((m, m))
        for a in used:
            to += by[:, a, None] * (covariance(at, self.nodes, self.length, a) @ self.half)
            for b in used:
                prior += by[:, a, None] * covariance(at, at, self.length, a, b) * by[:, b]
        return np.asarray(self.scale * (prior - to @ to.T))
