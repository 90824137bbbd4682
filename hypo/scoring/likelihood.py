"""Gaussian misfit: minus log likelihood at the fitted constants, noise known or estimated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# Residuals below this share of the target's RMS count as rounding: they win no further likelihood.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian noise on the target.

    With row weights w_i (default 1) and known noise σ_i the misfit is
        Σ w_i [ r_i²/(2σ_i²) + log σ_i + ½ log 2π ];
    with unknown noise σ² is profiled out, σ̂² = Σ w r² / Σ w, and it is
        (W/2)·(log 2π σ̂² + RSS/(W σ̂²)),   W = Σ w,   σ̂ not below ``floor`` (rounding).
    """

    y: NDArray[np.float64]
    sigma: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None

    @cached_property
    def floor(self) -> float:
        """Smallest noise level taken seriously: ``ROUNDING`` times the target's RMS."""
        return ROUNDING * (float(np.sqrt(np.mean(self.y**2))) or 1.0)

    @cached_property
    def root_weights(self) -> NDArray[np.float64] | None:
        """Factors on residuals that make them identically distributed (up to an unknown scale), or None for ones."""
        if self.sigma is None:
            return None if self.weights is None else np.sqrt(self.weights)
        return (1.0 if self.weights is None else np.sqrt(self.weights)) / self.sigma

    def rss(self, residual: NDArray[np.float64]) -> float:
        """Weighted residual sum of squares (in units of σ² where σ is known); infinite when a residual is not finite."""
        w = self.root_weights
        value = float(residual @ residual) if w is None else float(np.sum((w * residual) ** 2))
        return value if math.isfinite(value) else math.inf

    @cached_property
    def total_weight(self) -> float:
        """Σ w, the effective number of rows."""
        return float(len(self.y)) if self.weights is None else float(np.sum(self.weights))

    def noise_variance(self, rss: float) -> float:
        """Variance of whitened residuals: 1 where σ is known, else the profiled estimate, not below rounding."""
        if self.sigma is not None:
            return 1.0
        return max(rss / self.total_weight, self.floor**2)

    def misfit(self, rss: float) -> float:
        """Minus log likelihood in nats for a weighted residual sum of squares."""
        w = self.total_weight
        if self.sigma is not None:
            return 0.5 * rss + self._sum_log_sigma + 0.5 * w * math.log(2 * math.pi)
        variance = self.noise_variance(rss)
        return 0.5 * w * (math.log(2 * math.pi * variance) + rss / (w * variance))

    def rss_of(self, misfit: float) -> float:
        """The weighted residual sum of squares whose :meth:`misfit` it is (above rounding)."""
        w = self.total_weight
        if self.sigma is not None:
            return 2.0 * (misfit - self._sum_log_sigma - 0.5 * w * math.log(2 * math.pi))
        return w * math.exp(2.0 * misfit / w - 1.0) / (2 * math.pi)

    def extra_misfit(self, rss: float) -> float:
        """By how much the misfit grows when the sum of squares grows by ``rss`` noise variances."""
        w = self.total_weight
        return 0.5 * rss if self.sigma is not None else 0.5 * w * math.log1p(rss / w)

    @cached_property
    def _sum_log_sigma(self) -> float:
        """Σ w log σ for known σ."""
        assert self.sigma is not None
        return float(np.sum(np.log(self.sigma) if self.weights is None else self.weights * np.log(self.sigma)))
