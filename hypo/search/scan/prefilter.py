"""The preparation of large scans: the score that a pair has to reach, and a few columns that decide for nearly all pairs.

The columns are those of the rows on principal axes for sums, and those of the probe rows on which the targets are largest for
products. What they bound is in :mod:`hypo.kernels.cpu.pair_scan`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Pairs from which on a scan is worth preparing.
PREPARED_FROM = 10_000_000
# Rows that are paired with all others first.
FIRST_ROWS = 32
# Rows of the sample, on both sides.
SAMPLE = (32, 1024)
# Rows that principal axes are taken of.
AXES = 2048
# Columns tried.
WIDTHS = (16, 24, 32, 48)
# Columns of a matrix product that cost as much as a pair computed in double precision.
COMPUTED = 4000

Rows = NDArray[np.float64]
Short = NDArray[np.float32]
# Scores and the two indices of the best pairs of a block, (n_target, keep) each.
Heaps = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def score_threshold(heaps: Heaps, some: NDArray[np.int64], triangle: bool, keep: int) -> NDArray[np.float64]:
    """A score (n_target,) just below the ``keep``-th best in lists of pairs of the rows ``some`` with all rows."""
    floor = np.zeros(len(heaps[0]))
    for t, (score, i, j) in enumerate(zip(*heaps, strict=True)):
        found = np.flatnonzero(i >= 0)
        first, second = some[i[found]], j[found]
        if triangle:
            # Pairs within ``some`` come twice.
            first, second = np.minimum(first, second), np.maximum(first, second)
        _, once = np.unique(np.column_stack([first, second]), axis=0, return_index=True)
        if len(once) >= keep:
            floor[t] = np.sort(score[found[once]])[-keep] * (1.0 - 1e-12)
    return floor


def partners(heaps: Heaps) -> NDArray[np.int64]:
    """Second rows of the best pairs in the lists."""
    score, j = heaps[0].ravel(), heaps[2].ravel()
    found = np.flatnonzero(j >= 0)
    rows = j[found[np.argsort(-score[found], kind="stable")]]
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)[:FIRST_ROWS]]


def n_prefilter(n: int, computed: Callable[[int], float]) -> int:
    """The number of columns, of ``n``, with which a scan costs least; ``computed(k)`` is how many pairs of a sample remain."""
    best, least = n, float(n)
    for k in reversed([k for k in WIDTHS if k < n]):
        cost = k + COMPUTED * computed(k) / np.prod(SAMPLE)
        if cost > least:
            break
        best, least = k, cost
    return best


def spread(n: int, count: int) -> NDArray[np.int64]:
    """About ``count`` of ``n`` indices, evenly."""
    return np.arange(0, n, max(1, n // count))


def project(rows: Rows, axes: Rows | None) -> tuple[Short, Short]:
    """Unit rows on orthonormal ``axes`` (n, k) in single precision, and the lengths of what they have beside them."""
    if axes is None:
        return rows.astype(np.float32), np.zeros(len(rows), np.float32)
    on = rows @ axes
    return on.astype(np.float32), np.sqrt(np.maximum(1.0 - np.einsum("ij,ij->i", on, on), 0.0)).astype(np.float32)
