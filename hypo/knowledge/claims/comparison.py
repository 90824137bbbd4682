"""Comparisons of two formulas, the claims that all others are made of.

Margins are relative, so that they depend neither on units nor on the sizes of the sides:

    left >= right   m = (left - right)/scale, taken as 0 where -1e-9 <= m < 0: short by rounding only
    left > right    m = (left - right)/scale, less 1e-9 where it is not > 0
    left == right   m = tolerance - |left - right|/scale
    left != right   m = |left - right|/scale - tolerance

and likewise for <= and <. The scale is sqrt(mean(left²) + mean(right²)) over the sample points where both sides are finite, 1
when that is 0. Where a side is undefined the margin is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce

import numpy as np

from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.identity import is_identity
from hypo.expression.analysis.intervals import FUNCTIONS, Enclosure, enclose
from hypo.expression.analysis.mean_value import enclose_centred
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.knowledge.claims.claim import Boxes, Claim, Flags, Points, Sides, Values
from hypo.knowledge.claims.three_valued import TINY

SLACK = 1e-9
"""The part of its scale by which an inequality may fall short: rounding."""
_MAX_NODES = 120
"""Differences of more nodes than this are not simplified: it would take longer than the boxes that it saves."""
OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "==": "!=", "!=": "=="}
"""The relation that holds just where another is false."""


@dataclass(frozen=True)
class Comparison(Claim):
    """``left relation right`` with a relation of >= > <= < == !=; margins as above.

    ``tolerance`` is that of == and !=. Without a ``scale`` margins take it from their points, and enclosures allow inequalities
    no shortfall (and == and != have the scale 1). Raises ValueError for another relation, a tolerance < 0 or a scale not > 0.
    """

    left: Expression
    relation: str
    right: Expression
    tolerance: float = 1e-6
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.relation not in OPPOSITE:
            raise ValueError(f"unknown relation {self.relation!r}: expected one of {' '.join(OPPOSITE)}")
        if not self.tolerance >= 0:
            raise ValueError(f"the tolerance must be >= 0, got {self.tolerance}")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"the scale must be a positive number, got {self.scale}")

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.left.variables + self.right.variables)

    def margin(self, points: Points) -> Values:
        left, right = self._values(points)
        scale = self.scale or _scale(left, right)
        if self.relation in ("<=", "<"):
            left, right = right, left
        with np.errstate(all="ignore"):
            short = (left - right) / scale
            if self.relation in (">=", "<="):
                found = np.where(short >= -SLACK, np.maximum(short, 0.0), short)
            elif self.relation in (">", "<"):
                # A difference can vanish in the quotient that the sides themselves show.
                found = np.where(left > right, np.maximum(short, TINY), short - SLACK)
            else:
                found = self.tolerance - np.abs(short)
                found = found if self.relation == "==" else np.where(found < 0, -found, -np.maximum(found, TINY))
            return np.where(np.isfinite(left) & np.isfinite(right), found, np.nan)

    def sides(self, points: Points, index: int) -> Sides:
        left, right = self._values({name: np.atleast_1d(points[name])[index : index + 1] for name in self.names})
        return Sides(float(left[0]), self.relation, float(right[0]))

    def fix_scale(self, points: Points) -> Comparison:
        return replace(self, scale=_scale(*self._values(points)))

    def negate(self) -> Comparison:
        """The comparison that holds just where this one is false."""
        return replace(self, relation=OPPOSITE[self.relation])

    def enclose(self, boxes: Boxes) -> Enclosure:
        """Plain interval arithmetic on both sides; where that leaves the sign open, on the simplified difference and its
        centred form too. Both sides are defined only where they are as written: x/x is not at 0."""
        with np.errstate(all="ignore"):
            left, right = enclose(self.left, boxes), enclose(self.right, boxes)
            plain = FUNCTIONS["sub"](left[:2], right[:2])
            # inf - inf is unknown, not undefined.
            lo, hi, defined, empty = map(
                np.array,
                np.broadcast_arrays(
                    np.where(np.isnan(plain.lo), -np.inf, plain.lo),
                    np.where(np.isnan(plain.hi), np.inf, plain.hi),
                    left.defined & right.defined,
                    np.isnan(left.lo) | np.isnan(right.lo),
                ),
            )
            least, most = self._bound_margin(lo, hi)
            self._refine(boxes, lo, hi, defined, ~empty & (least < 0) & (most >= 0))
            least, most = self._bound_margin(lo, hi)
            return Enclosure(np.where(empty, np.nan, least), np.where(empty, np.nan, most), defined & ~empty)

    def _refine(self, boxes: Boxes, lo: Values, hi: Values, defined: Flags, unsettled: Flags) -> None:
        """Narrows the bounds on left - right, in place, over the boxes that are ``unsettled``."""
        names = sorted(self.names)
        wide = reduce(np.logical_or, (np.less(*boxes[name]) for name in names), np.zeros((), dtype=bool))
        unsettled = unsettled & wide
        if not unsettled.any():
            return
        positive = (
            frozenset(name for name in names if np.min(boxes[name][0]) >= 0) if self.relation == "==" else frozenset()
        )
        simple = difference(self.left, self.right, self.relation == "==", positive)
        ends = {name: tuple(np.broadcast_to(b, lo.shape) for b in boxes[name]) for name in simple.variables}
        if simple != self.left:
            found = enclose(simple, {name: (a[unsettled], b[unsettled]) for name, (a, b) in ends.items()})
            lo[unsettled], hi[unsettled] = np.fmax(lo[unsettled], found.lo), np.fmin(hi[unsettled], found.hi)
            least, most = self._bound_margin(lo, hi)
            unsettled = unsettled & (least < 0) & (most >= 0)
        unsettled = unsettled & defined
        if unsettled.any() and simple.variables:
            low, high = enclose_centred(simple, {name: (a[unsettled], b[unsettled]) for name, (a, b) in ends.items()})
            lo[unsettled], hi[unsettled] = np.fmax(lo[unsettled], low), np.fmin(hi[unsettled], high)

    def _bound_margin(self, lo: Values, hi: Values) -> tuple[Values, Values]:
        """From bounds on left - right to bounds on a number that is >= 0 just where the claim holds."""
        if self.relation in ("<=", "<"):
            lo, hi = -hi, -lo
        if self.relation in (">=", "<="):
            slack = SLACK * (self.scale or 0.0)
            return (np.nextafter(lo + slack, -np.inf), np.nextafter(hi + slack, np.inf)) if slack else (lo, hi)
        if self.relation in (">", "<"):
            return np.where(lo > 0, lo, np.minimum(lo, -TINY)), np.where(hi > 0, hi, np.minimum(hi, -TINY))
        allowed = self.tolerance * (self.scale or 1.0)
        size = FUNCTIONS["abs"]((lo, hi))
        least, most = allowed - size.hi, allowed - size.lo
        if self.relation == "==":
            return least, most
        return np.where(most < 0, -most, np.minimum(-most, -TINY)), np.where(
            least < 0, -least, np.minimum(-least, -TINY)
        )

    @cached_property
    def _programs(self) -> tuple[Program, Program]:
        return Program.of(self.left, self.left.variables), Program.of(self.right, self.right.variables)

    def _values(self, points: Points) -> tuple[Values, Values]:
        n = _count(points)
        left, right = (_evaluate(p, e, points, n) for p, e in zip(self._programs, (self.left, self.right), strict=True))
        return left, right


def _count(points: Points) -> int:
    return max((np.size(values) for values in points.values()), default=1)


def _evaluate(program: Program, e: Expression, points: Points, n: int) -> Values:
    if len(e) == 1 and e.constants:
        return np.full(n, e.constants[0].value)
    columns = np.empty((len(e.variables), n))
    for row, name in zip(columns, e.variables, strict=True):
        row[:] = points[name]
    return program.value(columns)


def _scale(left: Values, right: Values) -> float:
    both = np.isfinite(left) & np.isfinite(right)
    if not both.any():
        return 1.0
    left, right = left[both], right[both]
    largest = float(max(np.abs(left).max(), np.abs(right).max()))
    if largest == 0:
        return 1.0
    # Relative to the largest, squares neither overflow nor vanish.
    left, right = left / largest, right / largest
    return min(largest * math.sqrt(left @ left / len(left) + right @ right / len(right)), float(np.finfo(float).max))


@lru_cache(maxsize=1024)
def difference(
    left: Expression, right: Expression, expand: bool = False, positive: frozenset[str] = frozenset()
) -> Expression:
    """left - right, simplified with every constant at its present value; its domain may be larger than that of the sides.

    With ``expand`` it is 0 also where :func:`is_identity` shows it, for variables ``positive`` that are not negative.
    """
    if expand and is_identity(left, right, positive):
        return Expression.constant(0)
    left, right = (replace(e, constants=tuple(replace(c, free=False) for c in e.constants)) for e in (left, right))
    if right.constants and len(right) == 1 and right.values[0] == 0:
        return simplify(left) if len(left) <= _MAX_NODES else left
    whole = left - right
    return simplify(whole) if len(whole) <= _MAX_NODES else whole
