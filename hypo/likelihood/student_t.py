"""Student's t: targets with outliers.

f is the location, and minus the log likelihood of a row

    log σ + (ν+1)/2·log(1 + (y-f)²/νσ²) - log Γ((ν+1)/2) + log Γ(ν/2) + ½ log νπ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hypo.data import Dataset
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import SIGMA, Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood, solve_scale

# Degrees of freedom unless given: those of Lange, Little & Taylor, J. Am. Stat. Assoc. 84, 881 (1989).
DOF = 4.0


@dataclass(frozen=True)
class StudentT(RowLikelihood):
    """Student's t with ``dof`` degrees of freedom around f: for targets with outliers. ``sigma`` is the scale, None where it is
    unknown. The information is the expected one, (ν+1)/(ν+3)/σ² on f and 2ν/(ν+3) on log σ (Lange, Little & Taylor 1989)."""

    has_outliers: ClassVar[bool] = True

    sigma: Values | None = None
    dof: float = DOF

    @property
    def can_be_exact(self) -> bool:
        """True if the scale is unknown."""
        return self.sigma is None

    @cached_property
    def _constant(self) -> float:
        v = self.dof
        return math.lgamma(0.5 * v) - math.lgamma(0.5 * (v + 1.0)) + 0.5 * math.log(v * math.pi)

    def _scale(self, scale: float) -> Values | float:
        return scale if self.sigma is None else self.sigma

    def row_misfits(self, p: Values, scale: float) -> Values:
        """See the module."""
        s = self._scale(scale)
        square = ((self.y - p[0]) / s) ** 2
        out: Values = np.log(s) + 0.5 * (self.dof + 1.0) * np.log1p(square / self.dof) + self._constant
        return out

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Score (ν+1) r/(νσ² + r²), expected information."""
        s, v, r = self._scale(scale), self.dof, self.y - p[0]
        information = np.broadcast_to((v + 1.0) / (v + 3.0) / np.asarray(s) ** 2, r.shape)
        return Derivatives(((v + 1.0) * r / (v * s**2 + r**2))[None], information[None])

    def find_scale(self, p: Values) -> float:
        """The root of Σ w [(ν+1) r²/(νσ² + r²) - 1]."""
        if self.sigma is not None:
            return self.mean_square(self.sigma)
        v, square = self.dof, (self.y - p[0]) ** 2
        if not np.all(np.isfinite(square)):
            return math.nan

        def slope(s: float) -> tuple[float, float]:
            u = square / s**2
            value = float(np.sum(self.weigh((v + 1.0) * u / (v + u) - 1.0)))
            return value, -float(np.sum(self.weigh(2.0 * (v + 1.0) * v * u / (v + u) ** 2)))

        return solve_scale(math.sqrt(float(np.median(square))), slope, self.floor)

    def scale_information(self, p: Values, scale: float) -> float:
        """2ν/(ν+3) for each row."""
        return 0.0 if self.sigma is not None else 2.0 * self.dof / (self.dof + 3.0) * self.total_weight

    def first_response(self) -> tuple[Values, Values]:
        """y itself."""
        return self.y, np.full(len(self.y), float(np.std(self.y)) or 1.0) if self.sigma is None else self.sigma


@dataclass(frozen=True)
class StudentTFamily(Family):
    """Student's t with ``dof`` degrees of freedom ν around f, σ its scale."""

    kind: ClassVar[str] = "student_t"
    other_names: ClassVar[tuple[str, ...]] = ("student-t", "studentt")
    formula_is: ClassVar[str] = "the formula is the location of the target"
    parameters: ClassVar[tuple[str, ...]] = ("dof",)
    uses: ClassVar[frozenset[str]] = frozenset({SIGMA})
    is_scale_in_target_unit: ClassVar[bool] = True

    dof: float = DOF

    @property
    def name_in_words(self) -> str:
        """The name with ν."""
        return f"student_t with {self.dof:g} degrees of freedom"

    @property
    def has_variance(self) -> bool:
        """True for more than 2 degrees of freedom."""
        return self.dof > 2.0

    @property
    def heavy_tails(self) -> str:
        """Words for it where its variance is infinite."""
        return f"Student's t with {self.dof:g} degrees of freedom, 2 or fewer,"

    @property
    def without_variance(self) -> str:
        """Those with few degrees of freedom."""
        return "Student's t with 2 degrees of freedom or fewer"

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`StudentT`."""
        return StudentT(y, self.noise_of(dataset, scales), self.dof, weights=weights)

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """σ² ν/(ν-2), infinite for ν ≤ 2."""
        square = np.square(np.asarray(scale, np.float64)) + np.zeros_like(f)
        return square * (self.dof / (self.dof - 2.0)) if self.has_variance else np.full(square.shape, math.inf)

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f)."""
        from scipy.special import stdtr

        t, f, scale = (np.asarray(v, np.float64) for v in (t, f, scale))
        with np.errstate(all="ignore"):
            return np.asarray(stdtr(self.dof, (t - f) / scale))

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """f + σ t."""
        return f + scale * rng.standard_t(self.dof, f.shape)

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """f + σ times the quantile of t."""
        from scipy.special import stdtrit

        return np.asarray(f + np.asarray(scale, np.float64) * stdtrit(self.dof, p))
