"""Sequences that run towards a point or to infinity, and where numbers along them are going.

Rungs come first by factors of ten, then by squares, so that slow laws (1/log x) show as well. Floats die on the way:
differences cancel, products overflow. So a stretch of rungs that agree counts, wherever it is; the far end has the last word
only where interval arithmetic confirms its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.intervals import Enclosure, enclose
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import Points, Values
from hypo.knowledge.claims.claim_forms import values_at

_DECADES = 10.0 ** np.arange(1, 13)
"""The first rungs, as factors: most laws show where they go within twelve decades."""
_SQUARES = 10.0 ** np.array([16.0, 32.0, 64.0, 128.0, 256.0])
"""The rungs after them, each the square of the one before."""
_EPS = float(np.finfo(np.float64).eps)
"""The relative distance between neighbouring floats."""
_LARGE = 1e300
"""No rung lies further out, so that sums of two do not overflow."""
_PACE = 0.9
"""Steps that shrink by at least this factor converge; Aitken's formula is used for these alone."""


@dataclass(frozen=True)
class Ladder:
    """``rungs`` (k,) towards ``to``, at the ``distance`` (k,) from it, or from 0 on the way to infinity."""

    to: float
    rungs: Values
    distance: Values


def ladders(to: float, side: str | None, low: float, high: float) -> list[Ladder]:
    """The ways to ``to``: from ``side`` (above or below), else from within the range [low, high], else from both."""
    steps = np.concatenate([_DECADES, _SQUARES])
    ends = [abs(end) for end in (low, high) if math.isfinite(end) and end]
    if math.isinf(to):
        start = min(max(ends, default=1.0), _LARGE / 1e20)
        distance = np.array([start * s for s in steps if s < _LARGE / start])
        return [Ladder(to, math.copysign(1.0, to) * distance, distance)]
    width = high - low if 0 < high - low < math.inf else max([abs(to), *ends], default=1.0) or 1.0
    least = 1e3 * _EPS * abs(to)
    # So that some rungs can be told from the point itself, whatever the range.
    width = min(max(width, 1e8 * least, 1e20 / _LARGE), _LARGE)
    distance = np.array([width / s for s in steps if max(least, 1 / _LARGE) < width / s])
    within = [s for s, out in ((1.0, to >= high), (-1.0, to <= low)) if not out]
    signs = {"above": [1.0], "below": [-1.0]}.get(side or "", within)
    return [Ladder(to, to + s * distance, distance) for s in signs or [1.0, -1.0]]


def evaluate_along(f: Expression, variable: str, ladder: Ladder, others: Points) -> Values:
    """Values (m, k) of ``f`` at each rung, for each of m points of the other variables."""
    return values_at(f, grid(variable, ladder.rungs, others)).reshape(-1, len(ladder.rungs))


def grid(variable: str, rungs: Values, others: Points) -> Points:
    """All pairs of a point and a rung, rungs running fastest."""
    m = max((len(v) for v in others.values()), default=1)
    return {**{name: np.repeat(v, len(rungs)) for name, v in others.items()}, variable: np.tile(rungs, m)}


def measure_shortfall(values: Values, short: Callable[[Values], Values]) -> tuple[Values, NDArray[np.int64]]:
    """How far (m,) sequences ``values`` (m, k) end from where they should, and which rung (m,) tells.

    ``short`` gives the distance of a number from what is wanted. Two neighbours that are both near count, or two neighbours of
    the sequence extrapolated by Aitken's formula; infinite where no two numbers stand side by side.
    """
    with np.errstate(all="ignore"):
        found = _neighbours(short(values))
        first, second = np.diff(values[:, :-1]), np.diff(values[:, 1:])
        pace = second / first
        better = values[:, 2:] - second**2 / (second - first)
        better[~(np.abs(pace) < _PACE)] = np.nan
        extrapolated = _neighbours(short(better))
    both = np.concatenate([found, extrapolated], axis=1)
    best = both.argmin(axis=1)
    column = np.where(best < found.shape[1], best + 1, best - found.shape[1] + 3)
    return both[np.arange(len(both)), best], column


def _neighbours(distances: Values) -> Values:
    distances = np.where(np.isnan(distances), np.inf, distances)
    return np.maximum(distances[:, 1:], distances[:, :-1])


def take_last(values: Values, count: int) -> tuple[Values, NDArray[np.int64]]:
    """The last ``count`` numbers (m, count) of each row that are no NaN, NaN where there are fewer; and their columns."""
    columns = np.arange(values.shape[1])
    order = np.sort(np.where(np.isnan(values), -1, columns), axis=1)[:, -count:]
    rows = np.arange(len(values))[:, None]
    return np.where(order < 0, np.nan, values[rows, order]), order


def drop_untrusted(values: Values, bounds: Enclosure, allowed: float | Values) -> Values:
    """``values`` (m, k), with NaN where rounding may have changed them by more than ``allowed``.

    A row of which fewer than three numbers would be left stays as it is.
    """
    with np.errstate(all="ignore"):
        sure = (bounds.hi - bounds.lo <= allowed) | ~np.isfinite(values)
    kept = np.where(sure, values, np.nan)
    return np.where((~np.isnan(kept)).sum(axis=1, keepdims=True) >= 3, kept, values)


def enclose_along(f: Expression, variable: str, ladder: Ladder, others: Points) -> Enclosure:
    """Bounds (m, k) on the values of :func:`evaluate_along`, rounding included."""
    points = grid(variable, ladder.rungs, others)
    found = enclose(f, {name: (v, v) for name, v in points.items() if name in f.variables})
    n = max((len(v) for v in points.values()), default=1)
    return Enclosure(*(np.broadcast_to(b, n).reshape(-1, len(ladder.rungs)) for b in found))
