"""Claims: statements about numbers that hold or do not, measured at points and enclosed over boxes.

Every rule about a law comes down to one claim over a domain: ``f is increasing in x`` is ``df/dx >= 0``, a first-order rule
a combination of comparisons. A claim gives a *margin*: a number ≥ 0 where it holds and < 0 where it does not, so that near
misses rank before gross ones. Points map names to values (n,); boxes map names to bounds (n,) each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.intervals import Enclosure

Values = NDArray[np.float64]
Points = Mapping[str, Values]
Boxes = Mapping[str, tuple[Values, Values]]
Flags = NDArray[np.bool_]

PROVED = "proved"
"""The claim holds on the whole domain."""
REFUTED = "refuted"
"""A point is known at which the claim does not hold."""
UNREFUTED = "unrefuted"
"""The claim holds at all points tried."""


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


def combine_verdicts(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on all claims of a rule: as violated as the worst of them, refuted if one is and proved if all are."""
    all_of = list(verdicts)
    worst = max(all_of, key=lambda v: v.amount)
    points = max(v.points for v in all_of)
    if any(v.level == REFUTED for v in all_of):
        return replace(worst, level=REFUTED, points=points)
    proved = all(v.level == PROVED for v in all_of)
    return replace(worst, level=PROVED if proved else UNREFUTED, points=points)


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
    def fix_scale(self, points: Points) -> Claim:
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

    def fix_scale(self, points: Points) -> Claim:
        return replace(self, claim=self.claim.fix_scale(points))
