"""Boxes of variables, and the numbers that a rule leaves to a law over one: what contradictions are found with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from hypo.knowledge.rules.parameters import Range
from hypo.knowledge.text.wording import join

Box = Mapping[str, Range]
"""The values of variables; those of a variable that is not named are unknown, but not none."""

EVERYTHING: Range = (-math.inf, math.inf)
"""All numbers."""
_SAME = 4e-4
"""Ends as near as this, relative to their size, are written as one number."""


class Approach(NamedTuple):
    """The way of a variable ``to`` a number or infinity, from a ``side`` (above or below) of it; None leaves it open."""

    variable: str
    to: float
    side: str | None


class AllowedValues(NamedTuple):
    """The numbers that f may have over a box; ``open`` excludes the ends, ``off_zero`` excludes 0.

    With an ``approach`` they are those that f may go to on the way.
    """

    low: float
    high: float
    box: Box
    open: bool = False
    off_zero: bool = False
    approach: Approach | None = None

    def excludes(self, end: float) -> bool:
        """True if ``end``, a number between the ends or one of them, is none of those that f may have."""
        return (self.open and end in (self.low, self.high)) or (self.off_zero and end == 0)

    def __str__(self) -> str:
        if self.off_zero:
            return "other than 0"
        if math.isinf(self.low) and self.low == self.high:
            return "infinite"
        if self.low == self.high or (
            math.isfinite(self.high - self.low) and self.high - self.low <= _SAME * abs(self.high)
        ):
            return f"{(self.low + self.high) / 2:g}"
        if math.isinf(self.high):
            return f"{'>' if self.open else '>='} {self.low:g}"
        if math.isinf(self.low):
            return f"{'<' if self.open else '<='} {self.high:g}"
        return f"between {self.low:g} and {self.high:g}"


def allow_near(value: float, tolerance: float | None, relative: float = 1e-6) -> Range:
    """The numbers that count as ``value``: within the ``tolerance``, else within a ``relative`` part of its size."""
    slack = tolerance or (relative * abs(value) if math.isfinite(value) else 0.0)
    return value - slack, value + slack


def meet(a: Box, b: Box) -> Box | None:
    """The box that surely lies in both; None where that may be nothing."""
    whole = {}
    for name in dict.fromkeys((*a, *b)):
        if name not in a or name not in b:
            # The unknown values are among all numbers, but may lie outside an interval.
            if (a.get(name) or b[name]) != EVERYTHING:
                return None
            continue
        low, high = max(a[name][0], b[name][0]), min(a[name][1], b[name][1])
        if low > high:
            return None
        whole[name] = low, high
    return whole


def mirror(ends: Range) -> Range:
    """The interval of the opposite numbers."""
    return -ends[1], -ends[0]


def is_wide(box: Box | None, x: str) -> bool:
    """True if ``x`` has more than one value; unknown values are several."""
    return box is not None and (x not in box or box[x][0] < box[x][1])


def clash(first: AllowedValues, second: AllowedValues) -> str | None:
    """Why no law has its values among both; None if one may. Of one with an approach and one without, that one is the first."""
    # A limit may be the end of an open range, or 0 for a law without zeros.
    limit = first.approach is not None or second.approach is not None
    low, high = max(first.low, second.low), min(first.high, second.high)
    excluded = (first.excludes(low) or second.excludes(low)) and not limit
    if not (low > high or (low == high and excluded) or (low == high and math.isinf(low) and not limit)):
        return None
    if first.approach is not None:
        box = follow(first.approach, first.box, second.approach, second.box)
    else:
        box = None if second.approach is not None else meet(first.box, second.box)
    if box is None:
        return None
    at = [f"{x} = {lo:g}" for x, (lo, hi) in box.items() if lo == hi]
    return f"no number is both {first} and {second}{f' at {join(at)}' if at else ''}"


def follow(a: Approach, own: Box, b: Approach | None, box: Box) -> Box | None:
    """Where a rule over ``box``, or of the approach ``b``, surely speaks of what f does as ``a`` goes to its end over the box
    ``own``; None where it may not."""
    x = a.variable
    if b is not None:
        same = b.variable == x and b.to == a.to and _share_side(a, own.get(x), b, box.get(x))
    else:
        same = x in box and _covers_end(box[x], a, own.get(x))
    others = meet(_drop(own, x), _drop(box, x)) if same else None
    return None if others is None else {**others, x: (a.to, a.to)}


def _drop(box: Box, name: str) -> Box:
    return {x: ends for x, ends in box.items() if x != name}


def _sides(a: Approach, ends: Range | None) -> set[str] | None:
    """The sides from which ``a`` goes to a number; None if that is unknown."""
    if a.side is not None:
        return {a.side}
    if ends is None:
        return None
    return {side for side, there in (("above", a.to < ends[1]), ("below", a.to > ends[0])) if there} or {
        "above",
        "below",
    }


def _share_side(a: Approach, a_ends: Range | None, b: Approach, b_ends: Range | None) -> bool:
    """True if there is a way that both go: 1/x goes to infinity at one side of 0, to -infinity at the other."""
    if math.isinf(a.to) or (a.side is None and b.side is None and a_ends is None and b_ends is None):
        return True
    first, second = _sides(a, a_ends), _sides(b, b_ends)
    return first is not None and second is not None and not first.isdisjoint(second)


def _covers_end(ends: Range, a: Approach, own: Range | None) -> bool:
    """True if an interval reaches to the end of a way that ``a`` goes."""
    low, high = ends
    if math.isinf(a.to):
        return low < high and a.to in ends
    if low == high:
        return low == a.to  # f may jump there, but who states both means that it does not
    covered = {side for side, there in (("above", low <= a.to < high), ("below", low < a.to <= high)) if there}
    sides = _sides(a, own)
    return len(covered) == 2 if sides is None else not covered.isdisjoint(sides)
