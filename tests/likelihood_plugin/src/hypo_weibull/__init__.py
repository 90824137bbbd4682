"""The likelihood ``weibull``: lifetimes, of which 63 % have passed at what the formula says.

P(y > t) = exp(-(t/f)^(1/σ)), so that log y is log f + σ log E with E exponential; σ is one over the usual shape, and with
z = (log y - log f)/σ minus the log likelihood of a row is log σ + log y - z + exp(z). The information is the expected one,
1/σ² on log f, π²/6 + (1-γ)² on log σ, and (1-γ)/σ on both, γ being Euler's constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gamma

from hypo.data import Dataset
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood, solve_scale

ONE_LESS_GAMMA = 1.0 - float(np.euler_gamma)
# Least σ that is looked for.
LEAST_SCALE = 1e-9


@dataclass(frozen=True)
class Weibull(RowLikelihood):
    """Lifetimes ``y`` with an unknown σ."""

    def _standard(self, p: Values, scale: float) -> Values:
        with np.errstate(all="ignore"):
            return np.log(self.y / np.where(p[0] > 0, p[0], math.nan)) / scale

    def row_misfits(self, p: Values, scale: float) -> Values:
        """See the module."""
        z = self._standard(p, scale)
        return math.log(scale) + np.log(self.y) - z + np.exp(z)

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """By f, of which log f is a function."""
        rate = 1.0 / (scale * p[0])
        score = (np.exp(self._standard(p, scale)) - 1.0) * rate
        return Derivatives(score[None], (rate**2)[None], (ONE_LESS_GAMMA * rate)[None])

    def find_scale(self, p: Values) -> float:
        """The root of Σ w [z (exp(z) - 1) - 1]."""
        z = self._standard(p, 1.0)
        if not np.all(np.isfinite(z)):
            return math.nan

        def slope(s: float) -> tuple[float, float]:
            u = z / s
            up = np.exp(u)
            value = float(np.sum(self.weigh(u * (up - 1.0) - 1.0)))
            return value, -float(np.sum(self.weigh(u * (up - 1.0) + u**2 * up)))

        return solve_scale(float(np.sqrt(np.mean(z**2))), slope, LEAST_SCALE)

    def scale_information(self, p: Values, scale: float) -> float:
        """π²/6 + (1-γ)² for each row."""
        return (math.pi**2 / 6.0 + ONE_LESS_GAMMA**2) * self.total_weight

    def first_response(self) -> tuple[Values, Values]:
        """The lifetimes, and about half of each."""
        return self.y, 0.5 * self.y

    def clip_to_possible(self, f: Values) -> Values:
        """No smaller than a share of the shortest lifetime."""
        return np.maximum(f, 0.1 * float(np.min(self.y)))


@dataclass(frozen=True)
class WeibullFamily(Family):
    """Lifetimes around f."""

    kind: ClassVar[str] = "weibull"
    formula_is: ClassVar[str] = "the formula is the lifetime that 63 % do not reach"

    def require_targets(self, dataset: Dataset) -> None:
        """Lifetimes above 0."""
        self.require_rows(dataset, dataset.y > 0, "a lifetime must be above 0")

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`Weibull`."""
        return Weibull(y, weights=weights)

    def is_possible(self, f: Values) -> NDArray[np.bool_]:
        """True above 0."""
        return np.isfinite(f) & (f > 0)

    def mean(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f Γ(1 + σ)."""
        return np.asarray(f * gamma(1.0 + np.asarray(scale)))

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f² (Γ(1 + 2σ) - Γ(1 + σ)²)."""
        s = np.asarray(scale)
        return np.asarray(f**2 * (gamma(1.0 + 2.0 * s) - gamma(1.0 + s) ** 2))

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """1 - exp(-(t/f)^(1/σ))."""
        f = np.asarray(f, np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(
                -np.expm1(-((np.maximum(t, 0.0) / np.where(f > 0, f, math.nan)) ** (1.0 / np.asarray(scale))))
            )

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """f E^σ."""
        return np.asarray(f * rng.standard_exponential(f.shape) ** scale)

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f (-log(1 - p))^σ."""
        return np.asarray(f * (-math.log1p(-p)) ** np.asarray(scale))
