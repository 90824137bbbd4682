"""A Gaussian process with the squared exponential kernel, conditioned on samples: means and joint errors of value and slopes.

With u = (w - w')/ℓ the covariance of the a-th derivative at w and the b-th at w' is

    ∂ᵃ∂'ᵇ k = (-1)ᵃ ℓ^-(a+b) He_{a+b}(u) exp(-u²/2),

He the probabilists' Hermite polynomials (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, 9.4).
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
    n = order_a + order_b
    hermite = (np.ones_like(u), u, u * u - 1, (u * u - 3) * u, (u * u - 6) * u * u + 3)[n]
    return np.asarray((-1) ** order_a * length ** (-n) * hermite * np.exp(-0.5 * u * u))


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

    def joint_errors(self, at: Values) -> Values:
        """Covariance (3, m, 3, m) of the errors of value and slopes between all places."""
        m = len(at)
        to = np.stack([covariance(at, self.nodes, self.length, order) @ self.half for order in ORDERS])
        flat = to.reshape(3 * m, -1)
        prior = np.stack([[covariance(at, at, self.length, a, b) for b in ORDERS] for a in ORDERS])
        return np.asarray(self.scale * (prior.transpose(0, 2, 1, 3) - (flat @ flat.T).reshape(3, m, 3, m)))
