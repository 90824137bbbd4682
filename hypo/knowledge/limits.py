"""Named constants, and limits of the numbers in a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypo.units import Unit

MAX_DENOMINATOR = 12
"""The largest denominator of a number that counts as rational, as in dimensional analysis."""

_ROUNDING = 1e-9
"""Numbers nearer than this to an allowed one, relative to their size, are it."""


@dataclass(frozen=True)
class NamedConstant:
    """A known quantity that formulas may use by name: its ``value`` in its ``unit``."""

    value: float
    unit: Unit


@dataclass(frozen=True)
class NumberLimits:
    """Which numbers may stand in a formula: those in [``min``, ``max``] that are of a ``kind`` or among ``values``.

    ``kind`` is ``any``, ``integer`` or ``rational`` (p/q with q ≤ ``MAX_DENOMINATOR``); ``values`` None admits all of the kind.
    """

    min: float = -math.inf
    max: float = math.inf
    kind: str = "any"
    values: tuple[float, ...] | None = None

    def excess(self, value: float) -> float:
        """How far ``value`` lies outside: 0 inside (up to 1e-9 of its size), rising towards 1 with the distance.

        The distance is measured in widths of the range, in sizes of the bound where one side is open, and in halves of the
        gap between neighbours for whole and rational numbers.
        """
        if not math.isfinite(value):
            return 1.0
        slack = _ROUNDING * max(1.0, abs(value))
        nearest = min(max(value, self.min), self.max)
        distances = [abs(value - nearest) / self._width(nearest) if abs(value - nearest) > slack else 0.0]
        if self.values is not None:
            off = min(abs(value - v) for v in self.values)
            distances.append(off / max(1.0, abs(value)) if off > slack else 0.0)
        if self.kind != "any":
            top = 1 if self.kind == "integer" else MAX_DENOMINATOR
            off = abs(value - float(Fraction(value).limit_denominator(top)))
            distances.append(2 * top * off if off > slack else 0.0)
        worst = max(distances)
        return worst / (1 + worst)

    def _width(self, bound: float) -> float:
        width = self.max - self.min
        return width if 0 < width < math.inf else abs(bound) or 1.0

    def __str__(self) -> str:
        if self.values is not None:
            return "one of " + ", ".join(f"{v:g}" for v in self.values)
        noun = {
            "any": "a number",
            "integer": "a whole number",
            "rational": f"a fraction p/q with q <= {MAX_DENOMINATOR}",
        }
        if math.isfinite(self.min) and math.isfinite(self.max):
            return f"{noun[self.kind]} from {self.min:g} to {self.max:g}"
        if math.isfinite(self.min):
            return f"{noun[self.kind]} of at least {self.min:g}"
        return f"{noun[self.kind]} of at most {self.max:g}" if math.isfinite(self.max) else noun[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """The table of a knowledge file that reads back as these limits."""
        out: dict[str, Any] = {}
        if math.isfinite(self.min):
            out["min"] = self.min
        if math.isfinite(self.max):
            out["max"] = self.max
        if self.kind != "any":
            out[self.kind] = True
        if self.values is not None:
            out["values"] = list(self.values)
        return out
