"""Structure that residuals still hold: the ground for looking further, or for stopping.

Three tests tell. Nearest neighbours in standardised coordinates: where a smooth function remains, their residuals have one
sign. Regression on polynomials, which sees in more dimensions what is no more wiggly than they are. And rows that were measured
more than once, whose differences are noise for certain.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from hypo.problem.repeated_rows import repeated_rows
from hypo.problem.surrogate import Coordinates, design, multi_indices, solve

# Neighbours' residuals correlated beyond this many standard errors count as structure.
THRESHOLD = 2.5
# Neighbours see the target itself when its signs about the median agree this much.
SIGHT = 0.7
# Fewer rows than this tell nothing.
LEAST_ROWS = 20
# Degrees of freedom within groups of repeated rows from which on they tell the noise.
REPEATED = 3
# Polynomials see the target when they explain this share of its variance.
EXPLAINED = 0.8
# Rows used for them.
POLYNOMIAL_ROWS = 5000
# Most terms,
POLYNOMIAL_TERMS = 150
# and as a share of the rows.
POLYNOMIAL_SHARE = 0.1


def nearest(X: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """For each column of ``X`` (n_var, n_row) the index of its nearest neighbour; None with too few rows."""
    spread = X.std(axis=1)
    if X.shape[1] < LEAST_ROWS or not np.any(spread > 0):
        return None
    from scipy.spatial import cKDTree

    points = (X[spread > 0] / spread[spread > 0, None]).T
    return np.asarray(cKDTree(points).query(points, k=2)[1][:, 1])


def neighbour_correlation(values: NDArray[np.float64], neighbours: NDArray[np.int64]) -> float:
    """Mean of s_i·s_j(i), s the sign of a value's difference from the median and j(i) the neighbour of i.

    Signs, so that noise which grows with the target does not count.
    """
    s = np.sign(values - np.median(values))
    return float(np.mean(s * s[neighbours]))


def noise_level(n_row: int) -> float:
    """A value that :func:`neighbour_correlation` of noise hardly exceeds: its standard deviation is about sqrt(1.5/n), as half
    of the pairs are mutual."""
    return THRESHOLD * float(np.sqrt(1.5 / n_row))


def lack_of_fit(residuals: NDArray[np.float64], X: NDArray[np.float64], fitted: int) -> float | None:
    """The chance of residuals (n_row,) that differ so much more between the groups of equal rows of ``X`` than within, if they
    are noise (the F test for lack of fit, ``fitted`` constants); None where too few rows are repeated. Copies of a row, equal
    in their residuals too, are no repetition."""
    if len(residuals) > POLYNOMIAL_ROWS:
        return None
    _, first = np.unique(np.vstack([X, residuals]), axis=1, return_index=True)
    residuals, (group, m) = residuals[first], repeated_rows(X[:, first])
    n = len(residuals)
    if n - m < REPEATED or m <= fitted:
        return None
    from scipy.special import fdtrc

    mean = np.bincount(group, residuals) / np.bincount(group)
    within = float(np.sum((residuals - mean[group]) ** 2))
    between = float(np.sum(residuals**2)) - within
    if within <= 0.0:
        return None
    return float(fdtrc(m - fitted, n - m, (between / (m - fitted)) / (within / (n - m))))


class StructureTest:
    """A test by polynomials of degree two or more in the variables of values on the rows of ``X`` (n_var, n_row)."""

    def __init__(self, X: NDArray[np.float64]) -> None:
        self.rows = np.unique(np.linspace(0, X.shape[1] - 1, min(X.shape[1], POLYNOMIAL_ROWS)).round().astype(np.int64))
        X = X[:, self.rows]
        X = X[np.ptp(X, axis=1) > 0]
        most = min(POLYNOMIAL_TERMS, POLYNOMIAL_SHARE * len(self.rows))
        degree = 0
        while len(X) and comb(len(X) + degree + 1, degree + 1) <= most:
            degree += 1
        self._basis = design(Coordinates.of(X).map(X), multi_indices(len(X), degree)) if degree >= 2 else None

    def measure_explained(self, values: NDArray[np.float64]) -> float:
        """Share of the variance of ``values`` (n_row,) that the polynomials explain beyond what they would of noise; 0 with too
        few rows."""
        return self._shares(values)[0]

    def has_structure(self, values: NDArray[np.float64]) -> bool | None:
        """True if they explain more than noise of equal variance allows, by an F test; None where they cannot tell."""
        if self._basis is None:
            return None
        return self._shares(values)[1] > THRESHOLD

    def _shares(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """(Explained share beyond noise, excess of F over 1 in standard errors)."""
        if self._basis is None:
            return 0.0, 0.0
        v = values[self.rows]
        terms, n = self._basis.shape
        total = float(np.sum((v - v.mean()) ** 2))
        rest = float(np.sum((v - solve(self._basis, v, np.ones(n)) @ self._basis) ** 2))
        if not 0.0 < total < np.inf or rest <= 0.0:
            return float(total > 0.0), np.inf if total > 0.0 else 0.0
        between, within = (total - rest) / (terms - 1), rest / (n - terms)
        return 1.0 - within * (n - 1) / total, (between / within - 1.0) / float(
            np.sqrt(2 / (terms - 1) + 2 / (n - terms))
        )
