"""Whether residuals still hold structure: the ground for looking further, or for stopping.

Nearest neighbours in standardised coordinates tell: where a smooth function remains, their residuals have one sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Neighbours' residuals correlated beyond this many standard errors count as structure.
THRESHOLD = 2.5
# Neighbours see the target itself when its signs about the median agree this much.
SIGHT = 0.7
# Fewer rows than this tell nothing.
LEAST_ROWS = 20


def nearest(X: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """For each column of ``X`` (n_var, n_row) the index of its nearest neighbour; None with too few rows."""
    spread = X.std(axis=1)
    if X.shape[1] < LEAST_ROWS or not np.any(spread > 0):
        return None
    from scipy.spatial import cKDTree

    points = (X[spread > 0] / spread[spread > 0, None]).T
    return cKDTree(points).query(points, k=2)[1][:, 1]


def neighbour_correlation(values: NDArray[np.float64], neighbours: NDArray[np.int64]) -> float:
    """Mean of s_i·s_j(i), s the sign of a value's difference from the median and j(i) the neighbour of i.

    Signs, so that noise which grows with the target does not count.
    """
    s = np.sign(values - np.median(values))
    return float(np.mean(s * s[neighbours]))


def noise_level(n_row: int) -> float:
    """What :func:`neighbour_correlation` of noise hardly exceeds: its standard deviation is about sqrt(1.5/n), as half of the
    pairs are mutual."""
    return THRESHOLD * float(np.sqrt(1.5 / n_row))
