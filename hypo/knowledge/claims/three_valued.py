"""Kleene's logic of three values on margins and their enclosures: true is >= 0, false < 0, undefined NaN.

"and" is written out here; "or" is its mirror image, with the signs turned before and after.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.intervals import Enclosure

TINY = 5e-324
"""The least positive number: 0 is true, so its negation lies just below."""


def negate_margins(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Margins of the negation; 0 holds, so it turns into a number just below."""
    return np.where(margins == 0, -TINY, -margins)


def negate_enclosure(e: Enclosure) -> Enclosure:
    """The enclosure of the negation, which is false at 0."""
    lo, hi = -np.asarray(e.hi), -np.asarray(e.lo)
    return Enclosure(np.where(lo == 0, -TINY, lo), np.where(hi == 0, -TINY, hi), e.defined)


def conjoin_margins(margins: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The least margin; NaN where one is undefined and none is false."""
    least = reduce(np.fmin, margins)
    undefined = reduce(np.logical_or, map(np.isnan, margins))
    return np.where(undefined & ~(least < 0), np.nan, least)


def conjoin_enclosures(parts: list[Enclosure]) -> Enclosure:
    """Kleene's "and" over boxes: a part that is not defined throughout may be absent at some points."""
    shape = np.broadcast_shapes(*(np.shape(b) for e in parts for b in e))
    lows, highs, whole = (np.stack([np.broadcast_to(b, shape) for b in column]) for column in zip(*parts, strict=True))
    empty = np.isnan(lows)
    lo = np.where(empty, np.inf, lows).min(axis=0)
    surely_false = (whole & (highs < 0)).any(axis=0)
    hi = np.where(
        whole.any(axis=0), np.where(whole, highs, np.inf).min(axis=0), np.where(empty, -np.inf, highs).max(axis=0)
    )
    # Beside a part that is false or absent, the others only count where they are false.
    hi = np.where((empty | (highs < 0)).any(axis=0), np.minimum(hi, -TINY), hi)
    # Nowhere a value: some part has none, and no other can be false.
    nothing = empty.any(axis=0) & ~((lows < 0) & ~empty).any(axis=0)
    lo, hi = np.where(nothing, np.nan, lo), np.where(nothing, np.nan, hi)
    return Enclosure(lo, hi, surely_false | (whole.all(axis=0) & ~nothing))
