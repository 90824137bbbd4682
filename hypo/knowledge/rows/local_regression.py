"""Local linear regression: what the rows around a point say of the law there, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri, stdtrit

Values = NDArray[np.float64]

_MOST_ROWS = 5000
"""Rows that are looked at, drawn from more: the search for neighbours takes time."""
_MOST_CENTRES = 200
"""About so many rows serve as centres of fits, spread evenly over those looked at."""
_FAR = 1e6
"""So many widths of the data away, no row is near."""
_LARGEST = 1e300
"""Differences of larger numbers, over so many widths, may be no floats."""
_CHANCE = 0.05
"""The probability that any row at all is blamed wrongly, where the noise is Gaussian."""


@dataclass(frozen=True)
class Fits:
    """y ≈ value + gradient·(x - point) around m points: ``value`` (m,), ``gradient`` (m, n_col), and their standard errors.

    ``miss`` (m,) is the standard deviation of a single row there about the fitted value.
    ``inside`` (m,) says whether a point lies amid its neighbours, so that nothing is extrapolated; ``threshold`` is how many
    standard errors are beyond chance.
    """

    value: Values
    gradient: Values
    value_error: Values
    gradient_error: Values
    miss: Values
    inside: NDArray[np.bool_]
    threshold: float


class Neighbours:
    """The rows ``X`` (n_row, n_col), ``y`` (n_row,), and the noise ``sigma`` (n_row,) of y where it is known.

    A fit uses the k = 3·(n_col + 1) + 3 rows nearest in columns scaled to width 1. Large tables are thinned at random (fixed
    seed), which leaves ``rows``, the numbers of the rows used as centres.
    """

    def __init__(self, X: Values, y: Values, sigma: Values | None = None) -> None:
        n = len(y)
        kept = np.arange(n)
        if n > _MOST_ROWS:
            kept = np.sort(np.random.default_rng(0).choice(n, _MOST_ROWS, replace=False))
        self.X, self.y = X[kept], y[kept]
        self.sigma = None if sigma is None else sigma[kept]
        self._huge = bool(np.abs(self.X).max(initial=0.0) > _LARGEST)
        with np.errstate(over="ignore"):
            self.widths = np.ptp(self.X, axis=0)
        self.widths[self.widths == 0] = 1.0
        self.k = 3 * (X.shape[1] + 1) + 3
        self._tree = cKDTree(self.X / self.widths)
        step = max(1, len(kept) // _MOST_CENTRES)
        self._centres = np.arange(0, len(kept), step)
        self.rows = kept[self._centres]

    @property
    def enough(self) -> bool:
        """True if there are rows enough for any fit, and their differences are numbers."""
        return not self._huge and len(self.y) > self.k + 1

    @cached_property
    def at_rows(self) -> Fits:
        """Fits around the rows ``rows``."""
        return self.around(self.X[self._centres])

    @cached_property
    def noise(self) -> float | None:
        """The standard deviation of y around the local fits (median over the rows); None with too few rows.

        Curvature counts as noise here, so it is rather too large.
        """
        if not self.enough:
            return None
        return float(np.median(self._spread(self.X[self._centres])[0]))

    def around(self, points: Values) -> Fits:
        """Fits around ``points`` (m, n_col); those far from all rows, or not finite, are not ``inside``."""
        near = np.all(np.abs((points - self.X[0]) / self.widths) < _FAR, axis=1)
        fits = self._around(np.where(near[:, None], points, self.X[0]))
        return replace(fits, inside=fits.inside & near)

    def _around(self, points: Values, skipped: int = 0) -> Fits:
        spread, design, coefficients, near = self._spread(points, skipped)
        dof = self.k - design.shape[2]
        known = 0.0 if self.sigma is None else np.median(self.sigma[near], axis=1)
        spread = np.maximum(spread, known)
        inverse = np.linalg.pinv(np.einsum("mki,mkj->mij", design, design))
        errors = spread[:, None] * np.sqrt(np.maximum(np.einsum("mii->mi", inverse), 0.0))
        inside = np.all((design[:, :, 1:].min(axis=1) <= 0) & (design[:, :, 1:].max(axis=1) >= 0), axis=1)
        threshold = float(-stdtrit(dof, _CHANCE / 2 / max(1, len(points))))
        return Fits(
            coefficients[:, 0],
            coefficients[:, 1:] / self.widths,
            errors[:, 0],
            errors[:, 1:] / self.widths,
            np.hypot(errors[:, 0], spread),
            inside,
            threshold,
        )

    @cached_property
    def worst_miss(self) -> float:
        """The largest miss of a row predicted from the others around it, in standard deviations of a single row.

        Where the law is curved it is larger than chance would have it: what straight fits cannot say must not count.
        """
        fits = self._around(self.X[self._centres], skipped=1)
        ratio = np.abs(self.y[self._centres] - fits.value)[fits.inside] / np.maximum(fits.miss[fits.inside], 1e-300)
        return float(ratio.max(initial=0.0))

    def _spread(self, points: Values, skipped: int = 0) -> tuple[Values, Values, Values, NDArray[np.intp]]:
        """Residual standard deviations (m,), designs (m, k, n_col + 1), coefficients and neighbours of local fits.

        The ``skipped`` nearest rows take no part.
        """
        _, near = self._tree.query(points / self.widths, range(1 + skipped, self.k + 1 + skipped))
        offsets = (self.X[near] - points[:, None, :]) / self.widths
        design = np.concatenate([np.ones((*near.shape, 1)), offsets], axis=2)
        coefficients = np.einsum("mik,mk->mi", np.linalg.pinv(design), self.y[near])
        residuals = self.y[near] - np.einsum("mki,mi->mk", design, coefficients)
        dof = self.k - design.shape[2]
        return np.sqrt((residuals**2).sum(axis=1) / dof), design, coefficients, near


def beyond_chance(n: int) -> float:
    """How many standard deviations no one of ``n`` Gaussian errors exceeds, but with probability 0.05; at least 3."""
    return max(3.0, float(-ndtri(_CHANCE / max(1, n))))
