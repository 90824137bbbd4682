"""Values of the fitted constants that give the same law: a·sin(b·x) is the same at (a, b) and (-a, -b).

The prior of a constant (:mod:`hypo.posterior.laplace`) is symmetric about 0 and its scale goes with the constant, so each such
value is a peak of its own of the same height, and the evidence is the number of peaks times that of one. Looked at are all
signed permutations of up to ``PERMUTED`` constants, and all changes of sign of up to ``SIGNED``, at a few rows; a peak counts
if it is ``APART`` standard errors away, since nearer ones run into each other and are one already.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program

# Most constants whose signed permutations are tried: 4! · 2^4 = 384.
PERMUTED = 4
# Most constants whose signs are.
SIGNED = 7
# Standard errors between peaks that are two.
APART = 5.0
# Rows that are looked at.
ROWS = 7
# Relative difference that is rounding.
ROUNDING = 1e-9


def equivalent_modes(
    e: Expression,
    theta: NDArray[np.float64],
    slot: NDArray[np.int64],
    covariance: NDArray[np.float64],
    X: NDArray[np.float64],
    columns: Sequence[str],
) -> int:
    """How many values of the constants, those that ``e`` has included, give its predictions on the rows ``X`` (n_var, n_row).

    ``theta`` (k,), ``slot`` and ``covariance`` are those of :class:`hypo.posterior.laplace.Laplace`.
    """
    k = len(theta)
    if not 1 <= k <= SIGNED:
        return 1
    order, sign = _candidates(k)
    others = sign * theta[order]
    # Every so many rows, the first among them.
    rows = np.ascontiguousarray(X[:, :: max(1, X.shape[1] // ROWS)])
    values = np.tile(e.values, (len(others), 1))
    values[:, slot >= 0] = others[:, slot[slot >= 0]]
    with np.errstate(all="ignore"):
        f = Program.of(e, columns).batch(rows, values)
        same = np.max(np.abs(f - f[0]), axis=1) <= ROUNDING * np.max(np.abs(f[0]))
        if np.count_nonzero(same) < 2:
            return 1
        std = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(std, std)
        if not np.all(np.isfinite(correlation)):
            return 1
        inverse = np.linalg.pinv(correlation, hermitian=True)
        peaks: list[NDArray[np.float64]] = []
        for other in others[same]:
            steps = [(other - peak) / std for peak in peaks]
            if all(float(step @ inverse @ step) >= APART**2 for step in steps):
                peaks.append(other)
    return len(peaks)


@lru_cache(maxsize=SIGNED)
def _candidates(k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Orders and signs (n, k) of k constants, the first of them the identity."""
    orders = list(permutations(range(k))) if k <= PERMUTED else [tuple(range(k))]
    both = list(product(orders, product((1.0, -1.0), repeat=k)))
    return np.array([order for order, _ in both]), np.array([sign for _, sign in both])
