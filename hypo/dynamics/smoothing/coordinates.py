"""Coordinates in which a state is smoothed: logarithms of values that stay positive, and time stretched near a start.

With z = x or log x and w(t) = t or t₀ log(1 + t/t₀), derivatives of z by w become those of x by t by the chain rule; errors
follow to first order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """The choice for one state.

    Attributes:
        begin: first moment of the run.
        origin: t₀ of the stretched time, inf for time as it is.
        is_log: True where the logarithm is smoothed.
    """

    begin: float
    origin: float = math.inf
    is_log: bool = False

    def warp(self, time: Values) -> tuple[Values, Values, Values]:
        """w(t), its slope and its second slope."""
        since = time - self.begin
        if math.isinf(self.origin):
            return since, np.ones_like(since), np.zeros_like(since)
        # Before the start the stretch would run into its pole; it goes on as a straight line there.
        share = 1.0 + np.maximum(since, 0.0) / self.origin
        w = self.origin * np.log(share) + np.minimum(since, 0.0)
        return w, 1.0 / share, np.where(since > 0, -1.0 / (self.origin * share**2), 0.0)

    def smoothed(self, x: Values) -> Values:
        """z of x."""
        return np.log(x) if self.is_log else x

    def back(self, z: Values, time: Values) -> tuple[Values, Values]:
        """Value, rate and second derivative of x (3, m) from those of z by w (3, m); G (m, 3, 3) takes errors along."""
        _, s, s2 = self.warp(time)
        m = len(time)
        chain = np.zeros((m, 3, 3))
        chain[:, 0, 0] = 1.0
        chain[:, 1, 1] = s
        chain[:, 2, 1], chain[:, 2, 2] = s2, s * s
        z0, z1, z2 = np.einsum("mab,bm->am", chain, z)
        if not self.is_log:
            return np.array([z0, z1, z2]), chain
        x = np.exp(z0)
        out = np.array([x, x * z1, x * (z2 + z1 * z1)])
        grow = np.zeros((m, 3, 3))
        grow[:, 0, 0], grow[:, 1, 0], grow[:, 2, 0] = out
        grow[:, 1, 1] = grow[:, 2, 2] = x
        grow[:, 2, 1] = 2 * x * z1
        return out, np.asarray(grow @ chain)
