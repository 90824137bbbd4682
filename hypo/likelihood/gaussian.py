"""Gaussian: normal noise around f, known or not, with errors in x or limits in place of values where the table has them.

The rows are :class:`~hypo.likelihood.base.Gaussian`, :class:`~hypo.likelihood.errors_in_x.ErrorsInX` or
:class:`~hypo.likelihood.censored.Limits`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hypo.data import Dataset
from hypo.likelihood.base import Gaussian, Likelihood, Values
from hypo.likelihood.censored import Limits
from hypo.likelihood.errors_in_x import ErrorsInX
from hypo.likelihood.family import LIMITS, QUANTILE_CLOSE, QUANTILE_STEPS, SIGMA, X_SIGMA, ColumnNoise, Family


@dataclass(frozen=True)
class GaussianFamily(Family):
    """Normal noise with the standard deviation σ around f; ``errors`` are those of columns."""

    kind: ClassVar[str] = "gaussian"
    other_names: ClassVar[tuple[str, ...]] = ("normal",)
    uses: ClassVar[frozenset[str]] = frozenset({SIGMA, LIMITS, X_SIGMA})
    is_scale_in_target_unit: ClassVar[bool] = True
    can_be_impossible: ClassVar[bool] = False

    errors: ColumnNoise | None = field(default=None, compare=False)

    @property
    def words(self) -> str:
        """Empty: nothing is to be said."""
        return ""

    @property
    def column_noise(self) -> ColumnNoise | None:
        """Errors of columns, where there are such."""
        return self.errors

    def with_column_noise(self, errors: ColumnNoise) -> GaussianFamily:
        """The family of targets with errors of columns."""
        return replace(self, errors=errors)

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """The rows, with errors in x or limits where the table has them."""
        sigma = self.noise_of(dataset, scales)
        if dataset.x_sigma:
            assert sigma is not None
            noise = {name: s * scales.get(name, 1.0) for name, s in dataset.x_sigma.items()}
            return ErrorsInX(y, sigma, noise, weights=weights)
        if dataset.lower is not None and dataset.upper is not None:
            factor = scales.get(dataset.target, 1.0)
            return Limits(y, dataset.lower * factor, dataset.upper * factor, sigma, weights=weights)
        return Gaussian(y, sigma, weights)

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """σ²."""
        return np.asarray(np.square(np.asarray(scale, np.float64)) + np.zeros_like(f))

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f)."""
        from scipy.special import ndtr

        t, f, scale = (np.asarray(v, np.float64) for v in (t, f, scale))
        with np.errstate(all="ignore"):
            return np.asarray(ndtr((t - f) / scale))

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """Normal numbers."""
        return rng.normal(f, scale)

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The quantile."""
        from scipy.special import ndtri

        return np.asarray(f + np.asarray(scale, np.float64) * ndtri(p))

    def mixture_quantile(self, p: float, f: Values, scale: Values, trials: ArrayLike, weight: Values) -> Values:
        """By Newton's method within a bracket, for the density is known; all of f, scale and weight are (n_draw, n_row) or such
        as fill that up."""
        from scipy.special import ndtr, ndtri

        ends = f + scale * ndtri(p)
        counts = weight > 0
        # At the least of the components' own quantiles none of them has reached p, at the largest all have.
        low = np.min(np.where(counts, ends, math.inf), axis=0)
        high = np.max(np.where(counts, ends, -math.inf), axis=0)
        close = QUANTILE_CLOSE * (high - low)
        mean = np.sum(weight * f, axis=0)
        x = mean + ndtri(p) * np.sqrt(np.sum(weight * ((f - mean) ** 2 + scale**2), axis=0))
        x = np.clip(np.where(np.isfinite(x), x, mean), low, high)
        for _ in range(QUANTILE_STEPS):
            z = (x - f) / scale
            excess = np.sum(weight * ndtr(z), axis=0) - p
            low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
            with np.errstate(all="ignore"):
                step = excess / np.sum(weight / scale * np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi), axis=0)
            newton = x - step
            new = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
            moved = np.abs(new - x)
            x = new
            if np.all(moved <= close):
                break
        return np.asarray(x)
