"""Poisson: counts.

f is the rate, above 0, and minus the log likelihood of a row is f - y log f + log y!.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.data import Dataset
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood

# Least rate of a first estimate, as a share of the mean count.
LEAST_RATE = 0.02
# Rate from which counts are drawn as normal ones: numpy draws none beyond 9.2e18, and long before it a normal count has the
# same distribution to rounding.
LARGE_RATE = 1e15
# Rate from which quantiles are Cornish and Fisher's: there pdtrik fails, and the expansion is right to less than 1.
EXPANDED_RATE = 1e9
# Least rate that the expansion is given.
TINY_RATE = 1e-300


@dataclass(frozen=True)
class Poisson(RowLikelihood):
    """Counts with the rate f > 0, which is also their mean and variance. The information is the expected one, 1/f."""

    @cached_property
    def _constant(self) -> Values:
        from scipy.special import gammaln

        return np.asarray(gammaln(self.y + 1.0))

    def row_misfits(self, p: Values, scale: float) -> Values:
        """f - y log f + log y!."""
        f = p[0]
        return np.where(f > 0, f - self.y * np.log(f) + self._constant, math.inf)

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """y/f - 1 and 1/f."""
        return Derivatives((self.y / p[0] - 1.0)[None], 1.0 / p)

    def first_response(self) -> tuple[Values, Values]:
        """y, with its own root for standard deviation."""
        return self.y, np.sqrt(self.y + 0.5)

    def clip_to_possible(self, f: Values) -> Values:
        """Rates no smaller than a share of the mean."""
        return np.maximum(f, LEAST_RATE * float(np.mean(self.y)))


@dataclass(frozen=True)
class PoissonFamily(Family):
    """Counts whose mean and variance are f."""

    kind: ClassVar[str] = "poisson"
    formula_is: ClassVar[str] = "the formula is the rate, the expected count"
    is_discrete: ClassVar[bool] = True

    def require_targets(self, dataset: Dataset) -> None:
        """Whole numbers, 0 or more."""
        y = dataset.y
        self.require_rows(dataset, (y >= 0) & (y == np.round(y)), "a count must be a whole number, 0 or more,")

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`Poisson`."""
        return Poisson(y, weights=weights)

    def is_possible(self, f: Values) -> NDArray[np.bool_]:
        """True where the rate is finite and above 0."""
        return np.isfinite(f) & (f > 0)

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f."""
        return np.maximum(f, 0.0)

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f)."""
        from scipy.special import pdtr

        t, f = np.asarray(t, np.float64), np.asarray(f, np.float64)
        with np.errstate(all="ignore"):
            below = np.asarray(pdtr(np.floor(np.maximum(t, 0.0)), np.where(f > 0, f, math.nan)))
            return np.where((t < 0) & ~np.isnan(below), 0.0, below)

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """Counts, large ones normal and rounded."""
        counts = np.round(rng.normal(f, np.sqrt(f)))
        small = f < LARGE_RATE
        return np.where(small, rng.poisson(np.where(small, f, 1.0)), counts)

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The quantile, for large rates by an expansion."""
        from scipy.special import ndtri, pdtrik

        z, large = ndtri(p), np.maximum(f, TINY_RATE)
        exact = np.maximum(pdtrik(p, np.minimum(large, EXPANDED_RATE)), 0.0)
        expanded = large + np.sqrt(large) * z + (z**2 - 1.0) / 6.0
        return np.asarray(np.ceil(np.nan_to_num(np.where(large < EXPANDED_RATE, exact, expanded))))
