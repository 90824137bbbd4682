"""Domains: the ranges over which a claim must hold, and points to try it at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Any

import numpy as np

from hypo.knowledge.claims.claim import Boxes, Points, Values

WIDE = 100.0
"""A range of positive numbers that spans more than this factor is sampled by orders of magnitude too."""
FAR = 1e4
"""Of an unbounded range, points lie up to this many times the size of its finite end (1 for an end at 0, or none) away."""


@dataclass(frozen=True)
class Domain:
    """A box: for each name its range (lo, hi), closed; ends may be infinite.

    Raises ValueError where an end is not a number, lo > hi, or no finite number lies between them.
    """

    ranges: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranges", {name: _check_ends(name, ends) for name, ends in self.ranges.items()})

    def __hash__(self) -> int:
        return hash(tuple(self.ranges.items()))

    def of(self, names: frozenset[str]) -> Domain:
        """The domain of those ``names`` alone, in its own order; ValueError when a name has no range."""
        missing = sorted(names - self.ranges.keys())
        if missing:
            known = ", ".join(self.ranges) or "none"
            raise ValueError(f"no range is known for {', '.join(missing)}; ranges are known for: {known}")
        return Domain({name: ends for name, ends in self.ranges.items() if name in names})

    def narrow(self, where: Mapping[str, tuple[float, float]]) -> Domain:
        """The part of the domain within ``where``; ValueError for an unknown name and when nothing is left."""
        self.of(frozenset(where))
        ranges = dict(self.ranges)
        for name, ends in where.items():
            (a, b), (lo, hi) = ranges[name], _check_ends(name, ends)
            ranges[name] = (max(a, lo), min(b, hi))
            if ranges[name][0] > ranges[name][1]:
                raise ValueError(f"nothing is left of {name}: {lo:g} to {hi:g} does not overlap {a:g} to {b:g}")
        return Domain(ranges)

    def replace_ranges(self, where: Mapping[str, tuple[float, float]]) -> Domain:
        """The domain with the ranges of ``where`` in place of its own, or added."""
        return Domain({**self.ranges, **where})

    def box(self) -> Boxes:
        """The whole domain as one box, bounds of shape (1,)."""
        return {name: (np.array([lo]), np.array([hi])) for name, (lo, hi) in self.ranges.items()}

    def sample(self, n: int, seed: int = 0) -> Points:
        """``n`` points of the domain, the same on every call, as read-only arrays (n,).

        Up to a quarter are the middle, corners and centres of faces; the others a scrambled Sobol sequence. Over ranges of one
        sign that span more than two decades, and to infinity, half of them are spread evenly by order of magnitude.
        """
        if n < 1:
            raise ValueError(f"expected at least one point, got {n}")
        return _sample(tuple(self.ranges.items()), n, seed)


def _check_ends(name: str, ends: tuple[float, float]) -> tuple[float, float]:
    try:
        lo, hi = (float(end) for end in ends)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"the range of {name} must be two numbers, got {ends!r}") from None
    if math.isnan(lo) or math.isnan(hi):
        raise ValueError(f"the range of {name} must not hold nan")
    if lo > hi:
        raise ValueError(f"the range of {name} is empty: {lo:g} is above {hi:g}")
    if math.isinf(lo) and lo == hi:
        raise ValueError(f"the range of {name} holds no finite number")
    return lo, hi


@lru_cache(maxsize=64)
def _sample(ranges: tuple[tuple[str, tuple[float, float]], ...], n: int, seed: int) -> Points:
    from scipy.stats.qmc import Sobol  # slow to import

    if not ranges:
        return {}
    special = np.array(list(_special(len(ranges), n // 4)), dtype=np.int64).reshape(-1, len(ranges))
    sequence = Sobol(len(ranges), rng=np.random.default_rng(seed)).random_base2(max(0, math.ceil(math.log2(n))))
    points = {}
    for (name, (lo, hi)), chosen, column in zip(ranges, special.T, sequence[: n - len(special)].T, strict=True):
        ends = spread(np.array([0.0, 1.0]), lo, hi)
        marks = np.array([ends[0], float(middle(np.float64(lo), np.float64(hi))), ends[1]])
        values = np.clip(np.concatenate([marks[chosen], spread(column, lo, hi)]), lo, hi)
        values.setflags(write=False)
        points[name] = values
    return points


def _special(d: int, cap: int) -> Iterator[tuple[int, ...]]:
    """At most ``cap`` points, 0 1 2 for each variable's low end, middle and high end: the centre, corners (the first ones of
    very many), centres of faces."""
    faces = [tuple(side if i == k else 1 for i in range(d)) for k in range(d) for side in (0, 2)]
    centre = [(1,) * d][:cap]
    room = cap - len(centre)
    corners = list(islice(product((0, 2), repeat=d), max(room - len(faces), room // 2)))
    yield from centre
    yield from corners
    yield from faces[: room - len(corners)]


def middle(lo: Any, hi: Any) -> Values:
    """A finite number within [lo, hi]: 0 if it lies inside, else the mean, over wide ranges the geometric mean; 2a + 1 for
    [a, ∞)."""
    with np.errstate(all="ignore"):
        mean = lo / 2 + hi / 2
        wide = ((lo > 0) & (hi > WIDE * lo)) | ((hi < 0) & (lo < WIDE * hi))
        geometric = np.sign(lo) * np.sqrt(np.abs(lo)) * np.sqrt(np.abs(hi))
        beyond = np.where(lo >= 0, 2 * lo + 1, 2 * hi - 1)
        found = np.where(np.isinf(lo) | np.isinf(hi), beyond, np.where(wide, geometric, mean))
        found = np.where((lo < 0) & (hi > 0), 0.0, found)
        most = np.finfo(np.float64).max
        return np.clip(found, np.maximum(lo, -most), np.minimum(hi, most))


def spread(t: Values, lo: float, hi: float) -> Values:
    """Numbers from lo (t = 0) to hi (t = 1): evenly spaced, or half of them by order of magnitude."""
    if math.isinf(lo) and math.isinf(hi):
        return np.where(t < 0.5, -spread(1 - 2 * t, 0.0, math.inf), spread(2 * t - 1, 0.0, math.inf))
    if math.isinf(lo):
        return -spread(1 - t, -hi, math.inf)
    if math.isinf(hi):
        size = max(abs(lo), 1.0)
        away = np.where(t < 0.5, 2 * t, FAR ** np.maximum(2 * t - 1, 0.0))
        return np.minimum(lo + size * away, np.finfo(float).max)
    if hi < 0:
        return -spread(1 - t, -hi, -lo)
    if lo > 0 and hi / lo > WIDE:
        by_size = np.exp(np.log(lo) + (np.log(hi) - np.log(lo)) * (2 * t - 1))
        return np.where(t < 0.5, lo + (hi - lo) * np.minimum(2 * t, 1), np.where(t == 1, hi, by_size))
    return lo * (1 - t) + hi * t
