"""Claims made of other claims: and, or, not, implies.

They follow Kleene's logic of three values, true, false and undefined: ``and`` is false as soon as one part is, ``or`` true as
soon as one part is (so a false premise makes an implication true even where the conclusion is undefined); ``not`` of undefined
is undefined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from hypo.expression.analysis.intervals import Enclosure
from hypo.knowledge.claims.claim import Boxes, Claim, Points, Qualified, Sides, Values
from hypo.knowledge.claims.comparison import OPPOSITE, Comparison
from hypo.knowledge.claims.three_valued import conjoin_enclosures, conjoin_margins, negate_enclosure, negate_margins


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

    def fix_scale(self, points: Points) -> Claim:
        return type(self)(tuple(c.fix_scale(points) for c in self.claims))


@dataclass(frozen=True)
class And(_Combination):
    """All ``claims`` hold: the margin is the least, and NaN where one is undefined and none is false."""

    def margin(self, points: Points) -> Values:
        return conjoin_margins([c.margin(points) for c in self.claims])

    def sides(self, points: Points, index: int) -> Sides:
        return _find_deciding(self.claims, points, index, 1).sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return conjoin_enclosures([c.enclose(boxes) for c in self.claims])


@dataclass(frozen=True)
class Or(_Combination):
    """At least one of ``claims`` holds: the margin is the greatest, and NaN where one is undefined and none holds."""

    def margin(self, points: Points) -> Values:
        return -conjoin_margins([negate_margins(c.margin(points)) for c in self.claims])

    def sides(self, points: Points, index: int) -> Sides:
        return _find_deciding(self.claims, points, index, -1).sides(points, index)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return negate_enclosure(conjoin_enclosures([negate_enclosure(c.enclose(boxes)) for c in self.claims]))


@dataclass(frozen=True)
class Not(Qualified):
    """``claim`` is false. Undefined where it is undefined."""

    @cached_property
    def _inner_form(self) -> Claim | None:
        """The same with ``not`` inside: its margins and sides tell more. None for kinds of claims that have no such form."""
        c = self.claim
        if isinstance(c, Comparison):
            return c.negate()
        if isinstance(c, Not):
            return c.claim
        if isinstance(c, Implies):
            return And((c.premise, Not(c.conclusion)))
        if isinstance(c, And | Or):
            return (Or if isinstance(c, And) else And)(tuple(Not(part) for part in c.claims))
        return None

    def margin(self, points: Points) -> Values:
        return self._inner_form.margin(points) if self._inner_form else negate_margins(self.claim.margin(points))

    def sides(self, points: Points, index: int) -> Sides:
        if self._inner_form:
            return self._inner_form.sides(points, index)
        s = self.claim.sides(points, index)
        return Sides(s.left, OPPOSITE.get(s.relation, s.relation), s.right)

    def enclose(self, boxes: Boxes) -> Enclosure:
        return self._inner_form.enclose(boxes) if self._inner_form else negate_enclosure(self.claim.enclose(boxes))


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

    def fix_scale(self, points: Points) -> Claim:
        return Implies(self.premise.fix_scale(points), self.conclusion.fix_scale(points))


def _find_deciding(claims: tuple[Claim, ...], points: Points, index: int, sign: int) -> Claim:
    """The claim with the least (``sign`` 1) or greatest (-1) margin at one point; an undefined one counts as 0."""
    margins = [sign * float(c.margin(points)[index]) for c in claims]
    return claims[min(range(len(claims)), key=lambda i: 0.0 if math.isnan(margins[i]) else margins[i])]
