"""Samples of a state in one run, put together by moment: means, counts, scatter; rows that were clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Samples in a row at exactly the same extreme value from which on a sensor or a wall has held them there.
LEAST_CLIPPED = 3
# The step into a clipped stretch, in smallest steps between different values: digits and decay to a limit make smaller ones.
ABRUPT = 1.5
# The same in shares of the range: a decay ends in the last digits of a number.
ABRUPT_SHARE = 1e-4
# Samples from which on it can be told that they follow from those before.
LEAST_FOLLOWING = 20
# Share of the variance below which what near pasts leave open of the next sample is no chance.
FOLLOWS = 0.4


@dataclass(frozen=True)
class Moments:
    """Samples by moment.

    Attributes:
        time: (n,), distinct moments.
        mean: (n,), of the samples at each.
        count: (n,), samples at each.
        scatter: (n,), sum of squares around the mean at each.
        freedom: (n,), degrees of freedom of the scatter.
    """

    time: Values
    mean: Values
    count: Values
    scatter: Values
    freedom: Values

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: slice | NDArray[np.int64] | Mask) -> Moments:
        """Some of the moments."""
        return Moments(self.time[rows], self.mean[rows], self.count[rows], self.scatter[rows], self.freedom[rows])

    def grouped(self, size: int) -> Moments:
        """Each ``size`` neighbours as one moment at their mean time. The scatter between them is left out: it holds the course
        as well as the noise."""
        if size <= 1:
            return self
        first = np.arange(0, len(self), size)
        count = np.add.reduceat(self.count, first)
        mean = np.add.reduceat(self.count * self.mean, first) / count
        time = np.add.reduceat(self.count * self.time, first) / count
        return Moments(time, mean, count, np.add.reduceat(self.scatter, first), np.add.reduceat(self.freedom, first))


def by_moment(time: Values, values: Values) -> Moments:
    """Samples (n,) at times (n,), which do not go back; NaN samples are left out."""
    kept = np.isfinite(values)
    moments, first, counts = np.unique(time[kept], return_index=True, return_counts=True)
    if not len(moments):
        return Moments(*np.empty((5, 0)))
    y = values[kept]
    means = np.add.reduceat(y, first) / counts
    scatter = np.add.reduceat((y - np.repeat(means, counts)) ** 2, first)
    return Moments(moments, means, counts.astype(float), scatter, counts.astype(float) - 1.0)


def find_clipped(values: Values, least: float | None = None, most: float | None = None) -> Mask:
    """True for samples in long stretches at exactly the least or the most of all values, which they meet abruptly.

    Args:
        values: (n,), in the order of time.
        least, most: extremes over all runs; None: over ``values``.
    """
    n = len(values)
    clipped = np.zeros(n, bool)
    if n < LEAST_CLIPPED + 1:
        return clipped
    low, high = (float(np.min(values)) if least is None else least), (float(np.max(values)) if most is None else most)
    steps = np.abs(np.diff(values))
    if high <= low or not np.any(steps > 0):
        return clipped
    abrupt = max(ABRUPT * float(np.min(steps[steps > 0])), ABRUPT_SHARE * (high - low))
    for extreme in (low, high):
        at = np.concatenate([[False], values == extreme, [False]])
        edges = np.flatnonzero(at[1:] != at[:-1])
        for begin, end in edges.reshape(-1, 2):
            if end - begin < LEAST_CLIPPED:
                continue
            into = steps[begin - 1] if begin else 0.0
            out = steps[end - 1] if end < n else 0.0
            clipped[begin:end] = max(into, out) > abrupt
    return clipped


def follows_from_past(values: Values) -> bool:
    """True where samples (n,) that look like noise do not change by chance: after two pasts that are alike they are alike."""
    n = len(values)
    spread = float(np.var(values))
    if n < LEAST_FOLLOWING or spread == 0:
        return False
    past, following = np.column_stack([values[:-2], values[1:-1]]), values[2:]
    near = cKDTree(past).query(past, 2)[1][:, 1]
    return bool(0.5 * np.mean((following - following[near]) ** 2) < FOLLOWS * spread)
