"""Log-normal: positive targets whose noise is a share of them.

f is the median, above 0, and minus the log likelihood of a measured row log y + log σ + (log y - log f)²/2σ² + ½ log 2π.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.data import Dataset
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.censored import Limits
from hypo.likelihood.family import LIMITS, SIGMA, Family


@dataclass(frozen=True)
class LogNormal(Limits):
    """log y is normal with mean log f and standard deviation σ: f is the median of y."""

    log: ClassVar[bool] = True


@dataclass(frozen=True)
class LogNormalFamily(Family):
    """Targets around the median f, σ the standard deviation of their logarithm."""

    kind: ClassVar[str] = "lognormal"
    other_names: ClassVar[tuple[str, ...]] = ("log-normal", "log_normal")
    formula_is: ClassVar[str] = "the formula is the median of the target"
    uses: ClassVar[frozenset[str]] = frozenset({SIGMA, LIMITS})

    def require_targets(self, dataset: Dataset) -> None:
        """Targets, or their upper limits, above 0."""
        end = dataset.y if dataset.upper is None else dataset.upper
        self.require_rows(dataset, end > 0, "the target must be above 0")

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`LogNormal`."""
        factor = scales.get(dataset.target, 1.0)
        lower, upper = (y if v is None else v * factor for v in (dataset.lower, dataset.upper))
        # A lower limit of 0 or less is none.
        middle = np.where((lower <= 0) & np.isfinite(upper), 0.5 * upper, y)
        return LogNormal(middle, lower, upper, self.noise_of(dataset, scales), weights=weights)

    def is_possible(self, f: Values) -> NDArray[np.bool_]:
        """True where the median is finite and above 0."""
        return np.isfinite(f) & (f > 0)

    def mean(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f exp(σ²/2)."""
        return np.asarray(f * np.exp(0.5 * np.square(scale)))

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f² exp(σ²) (exp(σ²) - 1)."""
        square = np.square(np.asarray(scale, np.float64)) + np.zeros_like(f)
        return np.asarray(f**2 * np.exp(square) * np.expm1(square))

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f)."""
        from scipy.special import ndtr

        t, f, scale = (np.asarray(v, np.float64) for v in (t, f, scale))
        with np.errstate(all="ignore"):
            below = np.asarray(ndtr((np.log(np.maximum(t, 0.0)) - np.log(np.where(f > 0, f, math.nan))) / scale))
            return np.where(t <= 0, np.where(f > 0, 0.0, math.nan), below)

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """f times the exponential of normal numbers."""
        return f * np.exp(scale * rng.standard_normal(f.shape))

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The quantile."""
        from scipy.special import ndtri

        return np.asarray(f * np.exp(np.asarray(scale, np.float64) * ndtri(p)))
