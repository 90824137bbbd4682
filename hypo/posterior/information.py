"""The covariance of fitted constants by the data alone: the inverse of their information, and which ones they leave open.

With A the information of the rows on the constants (Fisher's, or JᵀWJ of least squares), the covariance is A⁻¹: for formulas
linear in their constants and known noise that of weighted least squares. The prior of constants takes no part in it. Where A
has no inverse, some combinations of constants change no prediction on any row. The constants in them are *open*: they have no
standard error, and ``covariance`` is as wide along such a combination as the prior is, so that draws stay finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Eigenvalue of the information, its diagonal scaled to 1, below which it is taken from the rows, since products of them have
# lost its digits.
BLURRED = 1e-8
# Singular values of the rows that are rounding.
ROUNDING = 1e-11
# Share of a constant in an open combination that is more than rounding.
PART = 1e-5


@dataclass(frozen=True)
class Spread:
    """``covariance`` (k, k) and groups of constants that are open: (i,) changes nothing, (i, j, …) nothing together."""

    covariance: Values
    open: tuple[tuple[int, ...], ...]


def spread(information: Values, prior: Values, lines: Callable[[], Values | None] | None = None) -> Spread | None:
    """The inverse of ``information`` (k, k), and ``prior`` (k, k), what the prior adds to it, for open combinations alone.

    ``lines`` gives derivatives (k, n_row) with ``information`` = lines·linesᵀ, or None. None where numbers overflow.
    """
    k = len(information)
    root = np.sqrt(np.maximum(np.diag(information), 0.0))
    unit = np.where(root > 0, root, np.sqrt(np.diag(prior)))
    with np.errstate(all="ignore"):
        scaled = information / unit / unit[:, None]
        own = prior / unit / unit[:, None]
    if not (np.all(np.isfinite(scaled)) and np.all(np.isfinite(own))):
        return None
    values, vectors = np.linalg.eigh(scaled)
    known = values > k * ROUNDING
    if values.min(initial=1.0) < BLURRED:
        rows = None if lines is None else lines()
        if rows is not None and np.all(np.isfinite(rows)):
            # The other side of it is as large as the square of the rows, and not needed.
            vectors, size, _ = np.linalg.svd(rows / unit[:, None], full_matrices=rows.shape[1] < k)
            size = np.append(size, np.zeros(k - len(size)))
            values, known = size**2, size > k * ROUNDING
    found = (vectors[:, known] / values[known]) @ vectors[:, known].T
    lost = vectors[:, ~known]
    if lost.size:
        found = found + lost @ np.linalg.pinv(lost.T @ own @ lost, hermitian=True) @ lost.T
    with np.errstate(over="ignore"):
        return Spread(found / unit / unit[:, None], _groups(lost @ lost.T))


def _groups(shares: Values) -> tuple[tuple[int, ...], ...]:
    """Constants that appear together in combinations, whose projector is ``shares`` (k, k)."""
    linked = np.abs(shares) > PART
    left = [int(i) for i in np.flatnonzero(np.diag(shares) > PART)]
    out = []
    while left:
        group, waiting = set(), [left[0]]
        while waiting:
            i = waiting.pop()
            if i not in group:
                group.add(i)
                waiting += [j for j in left if linked[i, j]]
        out.append(tuple(sorted(group)))
        left = [i for i in left if i not in group]
    return tuple(out)
