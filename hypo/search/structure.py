"""Whether residuals still hold structure: the ground for looking further, or for stopping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Neighbours' residuals correlated beyond this many standard errors count as structure.
THRESHOLD = 2.5


def has_structure(X: NDArray[np.float64], residual: NDArray[np.float64]) -> bool:
    """Whether residuals (n_row,) of near points of ``X`` (n_var, n_row) resemble each other.

    T = mean of s_i s_j(i), s the sign of a residual's difference from the median and j(i) the nearest neighbour of i in
    standardised coordinates: signs, so that noise which grows with the target does not count. For noise T has mean 0 and
    a standard deviation of about sqrt(1.5/n), as half of the pairs are mutual. Too few rows to tell (n < 20) count as no
    structure.
    """
    n = len(residual)
    spread = X.std(axis=1)
    s = np.sign(residual - np.median(residual))
    if n < 20 or not s.any() or not np.any(spread > 0):
        return False
    from scipy.spatial import cKDTree

    points = (X[spread > 0] / spread[spread > 0, None]).T
    neighbour = cKDTree(points).query(points, k=2)[1][:, 1]
    return float(np.mean(s * s[neighbour])) > THRESHOLD * np.sqrt(1.5 / n)
