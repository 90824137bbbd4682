"""Claims: statements about numbers that hold or do not, measured at points and enclosed over boxes.

Every rule about a law comes down to one claim over a domain: ``f is increasing in x`` is ``df/dx >= 0``, a first-order rule
a combination of comparisons. A claim gives a *margin*: a number ≥ 0 where it holds and < 0 where it does not, so that near misses
rank before gross ones. Points map names to values (n,); boxes map names to bounds (n,) each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.intervals import Enclosure

Values = NDArray[np.float64]
Points = Mapping[str, Values]
Boxes = Mapping[str, tuple[Values, Values]]

PROVED, REFUTED, UNREFUTED = "proved", "refuted", "unrefuted"


@dataclass(frozen=True)
class Sides:
    """The comparison that decides at one point: ``left relation right``, such as 0.3 >= 1.0."""

    left: float
    relation: str
    right: float


@dataclass(frozen=True)
class Witness:
    """A point at which a claim does not hold, and the two sides there."""

    at: Mapping[str, float]
    sides: Sides


@dataclass(frozen=True)
class Verdict:
    """How a claim fares over a domain.

    ``level`` is PROVED (on the whole domain), REFUTED (``witness`` says where) or UNREFUTED (at ``points`` points). ``amount`` is
    the violation, 0 unless refuted, else in (0, 1].
    """

    level: str
    amount: float
    points: int
    witness: Witness | None = None


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
