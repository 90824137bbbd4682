"""Claims made of other claims: and, or, not, implies.

They follow Kleene's logic of three values, true, false and undefined: ``and`` is false as soon as one part is, ``or`` true as
soon as one part is (so a false premise makes an implication true even where the conclusion is undefined); ``not`` of undefined
is undefined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from hypo.expression.intervals import Enclosure
from hypo.knowledge.claims import Boxes, Claim, Points, Qualified, Sides, Values
from hypo.knowledge.comparison import OPPOSITE, Comparison
from hypo.knowledge.kleene import conjunction, enclosed_conjunction, opposite, turned


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
        return Sides(s.left, OPPOSITE.get(s.relation, s.relation), s.right)

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
