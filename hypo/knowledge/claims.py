"""Claims: statements about numbers that hold or do not, measured at points and enclosed over boxes.

Every rule about a law comes down to one claim over a domain: ``f is increasing in x`` is ``df/dx >= 0``, a first-order rule
a combination of comparisons. A claim gives a *margin*: a number ≥ 0 where it holds and < 0 where it does not, so that near
misses rank before gross ones. Points map names to values (n,); boxes map names to bounds (n,) each.

Margins are relative, so that they depend neither on units nor on the sizes of the sides:

    left >= right   m = (left - right)/scale, taken as 0 where -1e-9 <= m < 0: short by rounding only
    left > right    m = (left - right)/scale, less 1e-9 where it is not > 0
    left == right   m = tolerance - |left - right|/scale
    left != right   m = |left - right|/scale - tolerance

and likewise for <= and <. The scale is sqrt(mean(left²) + mean(right²)) over the sample points where both sides are finite, 1
when that is 0. Where a side is undefined the margin is NaN.

Combinations follow Kleene's logic of three values, true, false and undefined: ``and`` is false as soon as one part is, ``or``
true as soon as one part is (so a false premise makes an implication true even where the conclusion is undefined); ``not`` of
undefined is undefined.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from hypo.expression.centred import enclose_centred
from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.expression.identity import is_identity
from hypo.expression.intervals import FUNCTIONS, Enclosure, enclose
from hypo.expression.simplify import simplify
from hypo.knowledge.kleene import TINY, conjunction, enclosed_conjunction, opposite, turned

Values = NDArray[np.float64]
Points = Mapping[str, Values]
Boxes = Mapping[str, tuple[Values, Values]]
Flags = NDArray[np.bool_]

PROVED, REFUTED, UNREFUTED = "proved", "refuted", "unrefuted"

SLACK = 1e-9
"""The part of its scale by which an inequality may fall short: rounding."""
_MAX_NODES = 120


@dataclass(frozen=True)
class Sides:
    """The comparison that decides at one point: ``left relation right``, such as 0.3 >= 1.0.

    Where such a comparison does not say what is wrong, ``note`` does in a few words.
    """

    left: float
    relation: str
    right: float
    note: str = ""


@dataclass(frozen=True)
class Witness:
    """A point at which a claim does not hold, and the two sides there."""

    at: Mapping[str, float]
    sides: Sides


@dataclass(frozen=True)
class Verdict:
    """How a claim fares over a domain.

    ``level`` is PROVED (on the whole domain), REFUTED (``witness`` says where) or UNREFUTED (at ``points`` points). ``amount``
    is the violation, 0 unless refuted, else in (0, 1].
    """

    level: str
    amount: float
    points: int
    witness: Witness | None = None


def violation(margins: Values) -> float:
    """The amount in [0, 1] by which margins (n,) are violated: (mean(q) + max(q))/2, how widely and how badly.

    q is the :func:`badness` of each margin.
    """
    if not len(margins):
        return 0.0
    q = badness(margins)
    return float((q.mean() + q.max()) / 2)


def badness(margins: Values) -> Values:
    """q = r/(1 + r) of each margin, with r = max(0, -margin), in [0, 1]; 1 for NaN."""
    short = np.maximum(-margins, 0.0)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(short), short / (1 + short), 1.0)


class Claim(ABC):
    """A statement about the variables ``names``."""

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The variables that occur."""

    @abstractmethod
    def margin(self, points: Points) -> Values:
        """Margins (n,) relative to the claim's scale: ≥ 0 where it holds, < 0 where not, NaN where a side is undefined."""

    @abstractmethod
    def sides(self, points: Points, index: int) -> Sides:
        """The comparison that decides at the point ``index``."""

    @abstractmethod
    def enclose(self, boxes: Boxes) -> Enclosure:
        """Bounds on a number with the sign of the margin over each box (its scale may differ), and whether it is defined."""

    @abstractmethod
    def scaled(self, points: Points) -> Claim:
        """The claim with the scales of its comparisons taken from their sides at ``points``."""

    @property
    def work(self) -> int:
        """About how many evaluations of a law one margin takes. Above 1 it rests on quadrature, whose NaN may say no more than
        that it failed."""
        return 1


@dataclass(frozen=True)
class Qualified(Claim):
    """Another ``claim`` with a reservation: all that a subclass does not say itself is as the claim says."""

    claim: Claim

    @property
    def names(self) -> frozenset[str]:
        return self.claim.names

    @property
    def work(self) -> int:
        return self.claim.work

    def margin(self, points: Points) -> Values:
        return self.claim.margin(points)

    def sides(self, points: Points, index: int) -> Sides:
        return self.claim.sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return self.claim.enclose(boxes)

    def scaled(self, points: Points) -> Claim:
        return replace(self, claim=self.claim.scaled(points))


# --- one comparison -------------------------------------------------------------------------------------------------

_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "==": "!=", "!=": "=="}


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
        if self.relation not in _OPPOSITE:
            raise ValueError(f"unknown relation {self.relation!r}: expected one of {' '.join(_OPPOSITE)}")
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

    def scaled(self, points: Points) -> Comparison:
        return replace(self, scale=_scale(*self._values(points)))

    def negated(self) -> Comparison:
        """The comparison that holds just where this one is false."""
        return replace(self, relation=_OPPOSITE[self.relation])

    def enclose(self, boxes: Boxes) -> Enclosure:
        """Plain interval arithmetic on both sides; where that leaves the sign open, on the simplified difference and its
        centred form too. Both sides are defined only where they are as written: x/x is not at 0."""
        with np.errstate(all="ignore"):
            left, right = enclose(self.left, boxes), enclose(self.right, boxes)
            plain = FUNCTIONS["sub"](left[:2], right[:2])
            # inf - inf is unknown, not undefined.
            lo, hi, defined, empty = map(np.array, np.broadcast_arrays(
                np.where(np.isnan(plain.lo), -np.inf, plain.lo), np.where(np.isnan(plain.hi), np.inf, plain.hi),
                left.defined & right.defined, np.isnan(left.lo) | np.isnan(right.lo)))
            least, most = self._signed(lo, hi)
            self._refine(boxes, lo, hi, defined, ~empty & (least < 0) & (most >= 0))
            least, most = self._signed(lo, hi)
            return Enclosure(np.where(empty, np.nan, least), np.where(empty, np.nan, most), defined & ~empty)

    def _refine(self, boxes: Boxes, lo: Values, hi: Values, defined: Flags, unsettled: Flags) -> None:
        """Narrows the bounds on left - right, in place, over the boxes that are ``unsettled``."""
        names = sorted(self.names)
        wide = reduce(np.logical_or, (np.less(*boxes[name]) for name in names), np.zeros((), dtype=bool))
        unsettled = unsettled & wide
        if not unsettled.any():
            return
        positive = frozenset(name for name in names if np.min(boxes[name][0]) >= 0) if self.relation == "==" else frozenset()
        simple = difference(self.left, self.right, self.relation == "==", positive)
        ends = {name: tuple(np.broadcast_to(b, lo.shape) for b in boxes[name]) for name in simple.variables}
        if simple != self.left:
            found = enclose(simple, {name: (a[unsettled], b[unsettled]) for name, (a, b) in ends.items()})
            lo[unsettled], hi[unsettled] = np.fmax(lo[unsettled], found.lo), np.fmin(hi[unsettled], found.hi)
            least, most = self._signed(lo, hi)
            unsettled = unsettled & (least < 0) & (most >= 0)
        unsettled = unsettled & defined
        if unsettled.any() and simple.variables:
            low, high = enclose_centred(simple, {name: (a[unsettled], b[unsettled]) for name, (a, b) in ends.items()})
            lo[unsettled], hi[unsettled] = np.fmax(lo[unsettled], low), np.fmin(hi[unsettled], high)

    def _signed(self, lo: Values, hi: Values) -> tuple[Values, Values]:
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
        return np.where(most < 0, -most, np.minimum(-most, -TINY)), np.where(least < 0, -least, np.minimum(-least, -TINY))

    @cached_property
    def _programs(self) -> tuple[Program, Program]:
        return Program.of(self.left, self.left.variables), Program.of(self.right, self.right.variables)

    def _values(self, points: Points) -> tuple[Values, Values]:
        n = _count(points)
        left, right = (_evaluated(p, e, points, n) for p, e in zip(self._programs, (self.left, self.right), strict=True))
        return left, right


def _count(points: Points) -> int:
    return max((np.size(values) for values in points.values()), default=1)


def _evaluated(program: Program, e: Expression, points: Points, n: int) -> Values:
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
def difference(left: Expression, right: Expression, expand: bool = False, positive: frozenset[str] = frozenset()) -> Expression:
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


# --- combinations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Combination(Claim):
    """Several claims at once; ``claims`` may be any sequence with at least one."""

    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", tuple(self.claims))
        if not self.claims:
            raise ValueError(f"{type(self).__name__} needs at least one claim")

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(c.names for c in self.claims))

    @property
    def work(self) -> int:
        return max(c.work for c in self.claims)

    def scaled(self, points: Points) -> Claim:
        return type(self)(tuple(c.scaled(points) for c in self.claims))


@dataclass(frozen=True)
class And(_Combination):
    """All ``claims`` hold: the margin is the least, and NaN where one is undefined and none is false."""

    def margin(self, points: Points) -> Values:
        return conjunction([c.margin(points) for c in self.claims])

    def sides(self, points: Points, index: int) -> Sides:
        return _deciding(self.claims, points, index, 1).sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return enclosed_conjunction([c.enclose(boxes) for c in self.claims])


@dataclass(frozen=True)
class Or(_Combination):
    """At least one of ``claims`` holds: the margin is the greatest, and NaN where one is undefined and none holds."""

    def margin(self, points: Points) -> Values:
        return -conjunction([opposite(c.margin(points)) for c in self.claims])

    def sides(self, points: Points, index: int) -> Sides:
        return _deciding(self.claims, points, index, -1).sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return turned(enclosed_conjunction([turned(c.enclose(boxes)) for c in self.claims]))


@dataclass(frozen=True)
class Not(Qualified):
    """``claim`` is false. Undefined where it is undefined."""

    @cached_property
    def _pushed(self) -> Claim | None:
        """The same with ``not`` inside: its margins and sides tell more. None for kinds of claims that have no such form."""
        c = self.claim
        if isinstance(c, Comparison):
            return c.negated()
        if isinstance(c, Not):
            return c.claim
        if isinstance(c, Implies):
            return And((c.premise, Not(c.conclusion)))
        if isinstance(c, And | Or):
            return (Or if isinstance(c, And) else And)(tuple(Not(part) for part in c.claims))
        return None

    def margin(self, points: Points) -> Values:
        return self._pushed.margin(points) if self._pushed else opposite(self.claim.margin(points))

    def sides(self, points: Points, index: int) -> Sides:
        if self._pushed:
            return self._pushed.sides(points, index)
        s = self.claim.sides(points, index)
        return Sides(s.left, _OPPOSITE.get(s.relation, s.relation), s.right)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return self._pushed.enclose(boxes) if self._pushed else turned(self.claim.enclose(boxes))


@dataclass(frozen=True)
class Implies(Claim):
    """``conclusion`` holds where ``premise`` does: not premise, or conclusion."""

    premise: Claim
    conclusion: Claim

    @cached_property
    def _either(self) -> Or:
        return Or((Not(self.premise), self.conclusion))

    @property
    def names(self) -> frozenset[str]:
        return self._either.names

    @property
    def work(self) -> int:
        return self._either.work

    def margin(self, points: Points) -> Values:
        return self._either.margin(points)

    def sides(self, points: Points, index: int) -> Sides:
        """Those of the conclusion: the premise holds wherever the implication does not."""
        return self.conclusion.sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return self._either.enclose(boxes)

    def scaled(self, points: Points) -> Claim:
        return Implies(self.premise.scaled(points), self.conclusion.scaled(points))


def _deciding(claims: tuple[Claim, ...], points: Points, index: int, sign: int) -> Claim:
    """The claim with the least (``sign`` 1) or greatest (-1) margin at one point; an undefined one counts as 0."""
    margins = [sign * float(c.margin(points)[index]) for c in claims]
    return claims[min(range(len(claims)), key=lambda i: 0.0 if math.isnan(margins[i]) else margins[i])]
