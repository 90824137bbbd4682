"""Rows of a table that stand in it more than once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def repeated_rows(X: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    """For each column of ``X`` (n_var, n_row) the number of the group of equal ones it is in, and how many groups there are."""
    if not X.size:
        return np.zeros(X.shape[1], np.int64), min(1, X.shape[1])
    _, group = np.unique(X, axis=1, return_inverse=True)
    group = np.asarray(group, np.int64).ravel()
    return group, int(group.max()) + 1
