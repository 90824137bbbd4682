"""Claims that rules about shapes are made of, beside comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hypo.expression.analysis.intervals import Enclosure, enclose
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.knowledge.claims.claim import Boxes, Claim, Points, Qualified, Sides, Values

_ROUGH = 1e-6
"""The part of its scale by which a claim about two points may fall short."""


@dataclass(frozen=True)
class Defined(Claim):
    """``expression`` has a value; its margin is 0 where it has one."""

    expression: Expression

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.expression.variables)

    def margin(self, points: Points) -> Values:
        return np.where(np.isfinite(values_at(self.expression, points)), 0.0, np.nan)

    def sides(self, points: Points, index: int) -> Sides:
        value = float(values_at(self.expression, points)[index])
        return Sides(value, "==", value)

    def enclose(self, boxes: Boxes) -> Enclosure:
        found = enclose(self.expression, boxes)
        shape = np.broadcast_shapes(*(np.shape(low) for low, _ in boxes.values()))
        nothing = np.broadcast_to(np.isnan(found.lo), shape)
        zero = np.where(nothing, np.nan, 0.0)
        return Enclosure(zero, zero, np.broadcast_to(found.defined, shape) & ~nothing)

    def fix_scale(self, points: Points) -> Defined:
        return self


@dataclass(frozen=True)
class AlmostEverywhere(Qualified):
    """``claim`` holds wherever it is defined: a slope is not at a kink, where other claims speak of the law itself.

    Boxes with such points are neither proved nor refuted.
    """

    def margin(self, points: Points) -> Values:
        margins = self.claim.margin(points)
        return np.where(np.isnan(margins), 0.0, margins)

    def enclose(self, boxes: Boxes) -> Enclosure:
        found = self.claim.enclose(boxes)
        lo = np.where(np.isnan(found.lo), -np.inf, found.lo)
        return Enclosure(lo, np.where(found.defined, found.hi, np.inf), found.defined)


@dataclass(frozen=True)
class Roughly(Qualified):
    """``claim`` holds to within 1e-6 of its scale: of two points that lie close together, slopes tell more than differences."""

    def margin(self, points: Points) -> Values:
        margins = self.claim.margin(points)
        return np.where((margins < 0) & (margins >= -_ROUGH), 0.0, margins)


@dataclass(frozen=True)
class Measured(Qualified):
    """``claim`` with a scale of its own, kept whatever the points: at one point, 0 tells nothing of the size of a law."""

    def fix_scale(self, points: Points) -> Measured:
        return self


def values_at(e: Expression, points: Points) -> Values:
    """Values (n,) of ``e``; not finite where it has none."""
    n = max((np.size(v) for v in points.values()), default=1)
    columns = np.empty((len(e.variables), n))
    for row, name in zip(columns, e.variables, strict=True):
        row[:] = points[name]
    return Program.of(e, e.variables).value(columns)


def size_of(values: Values) -> float:
    """Root mean square of those that are finite, 0 if none is; squares neither overflow nor vanish."""
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    return largest * float(np.sqrt(np.mean((finite / largest) ** 2))) if largest else 0.0
