"""Rules about where a law f goes: its limit at a point or at infinity, and how fast it grows on the way."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import (
    PROVED,
    REFUTED,
    UNREFUTED,
    Points,
    Sides,
    Values,
    Verdict,
    Witness,
    combine_verdicts,
    violation,
)
from hypo.knowledge.claims.claim_forms import Measured
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import check_claim
from hypo.knowledge.claims.sequences import (
    Ladder,
    drop_untrusted,
    enclose_along,
    evaluate_along,
    ladders,
    measure_shortfall,
    take_last,
)
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import AllowedValues, Approach, Box, allow_near, follow
from hypo.knowledge.rules.parameters import EXTENDED, NUMBER, VARIABLE, OneOf, parameter
from hypo.knowledge.rules.point_values import scale_of
from hypo.knowledge.rules.shape import ZERO, Claims, constant

Rungs = NDArray[np.int64]

_OTHERS = 16
"""At so many points of the other variables the way is followed."""
_GROWING = 1.02
"""The factor by which numbers grow from rung to rung on the way to infinity; log x has 1.08 from 1e12 to 1e13."""
_LONG = 6
"""So many steps upwards make a way to infinity."""
_CLOSE = 1e-12
"""How near the limit point the box of a proof lies, relative to the range."""
_FAR = 1e256
"""Where the box of a proof begins on the way to infinity."""
_LIMIT_TOLERANCE = 1e-4
"""So near, relative to its size, a limit counts as reached where the rule states no tolerance."""
_EXPONENT_TOLERANCE = 0.01
"""So near an exponent counts as met where the rule states no tolerance."""


class _Asymptotic(Rule):
    """The behaviour of f as a variable runs ``to`` a number or infinity, from a ``side`` (above or below) of it.

    Without a side: from within the range when the number lies at its end, else from both.
    """

    variable: str = parameter(VARIABLE, words="the variable")
    to: float = parameter(EXTENDED, words="where the variable goes, a number or infinity")
    side: str | None = parameter(OneOf(("above", "below")), default=None)

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        if self.side is not None and math.isinf(self.to):
            yield "side", "infinity has one side only; remove it"

    @property
    def approach(self) -> Approach:
        """The way that the variable goes."""
        return Approach(self.variable, self.to, self.side)

    @abstractmethod
    def margins(self, law: Law, ladder: Ladder, others: Points, size: float) -> tuple[Values, Rungs, list[Sides]]:
        """The margin (m,), the telling rung (m,) and the sides there, for each point of the other variables."""

    def size(self, law: Law) -> float:
        """The scale that margins are relative to."""
        return 1.0

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        domain = self.domain(law)
        others = domain.of(frozenset(law.expression.variables) - {self.variable}).sample(_OTHERS)
        size = self.size(law)
        verdicts = [self._follow(law, ladder, others, size) for ladder in self._ladders(law)]
        verdict = combine_verdicts(verdicts)
        if not proof or verdict.level == REFUTED:
            return verdict
        parts = self.proofs(law)
        proved = parts and all(
            check_claim(claim, where, deadline=law.deadline).level == PROVED for claim, where in parts
        )
        return Verdict(PROVED, 0.0, verdict.points) if proved else verdict

    def _ladders(self, law: Law) -> list[Ladder]:
        low, high = self.domain(law).ranges.get(self.variable, (-math.inf, math.inf))
        return ladders(self.to, self.side, low, high)

    def _follow(self, law: Law, ladder: Ladder, others: Points, size: float) -> Verdict:
        margins, rungs, sides = self.margins(law, ladder, others, size)
        n = len(margins) * len(ladder.rungs)
        if (margins >= 0).all():
            return Verdict(UNREFUTED, 0.0, n)
        worst = int(np.argmin(np.where(np.isnan(margins), -np.inf, margins)))
        at = {name: float(v[worst]) for name, v in others.items()} | {
            self.variable: float(ladder.rungs[int(rungs[worst])])
        }
        return Verdict(REFUTED, violation(margins), n, Witness(at, sides[worst]))

    def _near(self, law: Law) -> list[Domain]:
        """Boxes about the limit point, one for each side."""
        boxes = []
        for ladder in self._ladders(law):
            if math.isinf(self.to):
                ends = (_FAR, math.inf) if self.to > 0 else (-math.inf, -_FAR)
            else:
                near = ladder.to + math.copysign(1.0, ladder.rungs[0] - ladder.to) * ladder.distance[0] * 10 * _CLOSE
                ends = (min(near, self.to), max(near, self.to))
            boxes.append(self.domain(law, {self.variable: ends}))
        return boxes

    def _way(self) -> str:
        side = "" if self.side is None else f" from {self.side}"
        return f"as {self.variable} goes to {_number(self.to)}{side}"


class Limit(_Asymptotic):
    """``f`` tends to ``equals``, a number or infinity.

    A number counts as reached within ``tolerance`` in the target's unit, or within 1e-4 of its size
    (for 0: of the root mean square of f over the domain).
    """

    kind = "limit"
    equals: float = parameter(EXTENDED, words="the limit, a number or infinity")

    def size(self, law: Law) -> float:
        return scale_of(self, law, self.equals)

    def margins(self, law: Law, ladder: Ladder, others: Points, size: float) -> tuple[Values, Rungs, list[Sides]]:
        f = law.expression
        values = evaluate_along(f, self.variable, ladder, others)
        if math.isinf(self.equals):
            margins, rungs = self._approach_infinity(f, values, ladder, others)
        else:
            margins, rungs = self._approach_number(f, values, ladder, others, size)
        sides = [
            Sides(value, "->", self.equals, self._note(value))
            for value in (float(row[int(k)]) for row, k in zip(values, rungs, strict=True))
        ]
        return margins, rungs, sides

    def _note(self, value: float) -> str:
        if math.isnan(value):
            return "no value on the way"
        if math.isinf(self.equals):
            return f"{value:.4g} and not growing towards {_number(self.equals)}"
        return f"{value:.4g} on the way, expected {self.equals:g}"

    def _approach_number(
        self, f: Expression, values: Values, ladder: Ladder, others: Points, size: float
    ) -> tuple[Values, Rungs]:
        tolerance = self._tolerance(size)
        wanted = self.equals
        with np.errstate(all="ignore"):
            short, rungs = measure_shortfall(values, lambda v: np.abs(v - wanted) / size)
            if (short <= tolerance).any():
                # Where numerators cancel to 0, any law goes to 0.
                values = drop_untrusted(values, enclose_along(f, self.variable, ladder, others), tolerance * size)
                short, rungs = measure_shortfall(values, lambda v: np.abs(v - wanted) / size)
            ends, columns = take_last(values, 3)
            away = np.abs(ends - wanted) / size
            # The far end runs away from a limit that earlier rungs came near to: rounding, or not the limit at all?
            runaway = (
                (short <= tolerance)
                & (away[:, 2] > 10 * tolerance)
                & ((away[:, 2] > _GROWING * away[:, 1]) | (away[:, 2] == np.inf))
                & (away[:, 1] > away[:, 0])
            )
        if runaway.any():
            bounds = enclose_along(f, self.variable, ladder, others)
            for i in np.flatnonzero(runaway):
                k = columns[i]
                clear = (bounds.lo[i, k] > wanted + tolerance * size) | (bounds.hi[i, k] < wanted - tolerance * size)
                if clear.all():
                    short[i], rungs[i] = min(float(away[i, 2]), 1e6), k[2]
        margins = tolerance - short
        margins[np.isinf(short)] = np.nan
        return margins, rungs

    @staticmethod
    def _measure_growth(ends: Values) -> Values:
        """The least factor (m,) by which one of the last numbers (m, k) exceeds the one before; those that are NaN tell
        nothing, but for the last two."""
        with np.errstate(all="ignore"):
            factors = np.where(np.isposinf(ends[:, 1:]), np.inf, ends[:, 1:] / ends[:, :-1])
            factors[:, :-1] = np.where(np.isnan(factors[:, :-1]), np.inf, factors[:, :-1])
            factors[(ends[:, :-1] <= 0) & (ends[:, 1:] > 0)] = np.inf
        least: Values = factors.min(axis=1)
        return least

    def _approach_infinity(self, f: Expression, values: Values, ladder: Ladder, others: Points) -> tuple[Values, Rungs]:
        sign = math.copysign(1.0, self.equals)
        bounds = enclose_along(f, self.variable, ladder, others)
        heights = sign * drop_untrusted(values, bounds, np.abs(values) / 100)
        ends, columns = take_last(heights, 4)
        grown = self._measure_growth(ends)
        # Numbers that stand still are short by 1.
        margins = np.clip((grown - _GROWING) / (_GROWING - 1), -2.0, 1.0)
        margins[~(ends[:, -1] > 0)] = -3.0
        margins[np.isnan(ends[:, -2:]).any(axis=1)] = np.nan
        # What grew before and then broke off may have died of cancellation, unless its bounds show that it came back.
        with np.errstate(all="ignore"):
            grows = (heights[:, 1:] > _GROWING * heights[:, :-1]) & (heights[:, :-1] > 0)
        windows = np.lib.stride_tricks.sliding_window_view(grows, _LONG, axis=1)
        long: NDArray[np.bool_] = np.logical_and.reduce(windows, axis=2)
        lost = ~(margins >= 0) & long.any(axis=1)
        if lost.any():
            highest = np.where(sign > 0, bounds.hi, -bounds.lo)
            for i in np.flatnonzero(lost):
                if highest[i, columns[i, -1]] > heights[i, int(np.argmax(long[i])) + _LONG]:
                    margins[i] = 0.0
        return margins, columns[:, -1]

    def _tolerance(self, size: float) -> float:
        return _LIMIT_TOLERANCE if self.tolerance is None else self.tolerance / size

    def proofs(self, law: Law) -> Claims:
        if math.isinf(self.equals):
            return []
        size = self.size(law)
        claim = Comparison(law.expression, "==", constant(self.equals), tolerance=self._tolerance(size), scale=size)
        return [(Measured(claim), box) for box in self._near(law)]

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        near = allow_near(self.equals, self.tolerance, relative=_LIMIT_TOLERANCE)
        yield AllowedValues(*near, self.box(known), approach=self.approach)

    def sentence(self, target: str) -> str:
        within = "" if self.tolerance is None or math.isinf(self.equals) else f" ± {self.tolerance:g}"
        return f"{target} goes to {_number(self.equals)}{within} {self._way()}"


class Growth(_Asymptotic):
    """``f ~ C·|x - to|^exponent`` (``x^exponent`` on the way to infinity), or bounds on it: ``at_most``, ``at_least``.

    The exponent is that of log|f| by log|x - to|, and counts as met within ``tolerance``, 0.01 if none is stated, in proofs
    too: x^2.0099 grows like x². So does x²·log x, whose exponent nears 2 as slowly as 1/log x.
    """

    kind = "growth"
    exponent: float | None = parameter(NUMBER, default=None)
    at_most: float | None = parameter(NUMBER, default=None)
    at_least: float | None = parameter(NUMBER, default=None)

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        yield from super().inconsistencies()
        bounds = self.at_most is not None or self.at_least is not None
        if self.exponent is None and not bounds:
            yield "", "the kind growth needs exponent, at_most or at_least; write exponent = 2.0"
        elif self.exponent is not None and bounds:
            yield "exponent", "at_most or at_least stands here too; keep one of them"
        elif self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            yield "at_least", f"{self.at_least:g} is above at_most = {self.at_most:g}; swap them"

    @property
    def _within(self) -> float:
        return self.tolerance or _EXPONENT_TOLERANCE

    @property
    def between(self) -> tuple[float, float]:
        """The least and the greatest exponent that is right."""
        if self.exponent is not None:
            return self.exponent, self.exponent
        return (-math.inf if self.at_least is None else self.at_least), (
            math.inf if self.at_most is None else self.at_most
        )

    def margins(self, law: Law, ladder: Ladder, others: Points, size: float) -> tuple[Values, Rungs, list[Sides]]:
        f, tolerance = law.expression, self._within
        low, high = self.between

        def short(p: Values) -> Values:
            off = np.maximum(np.maximum(low - p, p - high), 0.0)
            return off / (1 + min(abs(low), abs(high)))

        values = evaluate_along(f, self.variable, ladder, others)
        with np.errstate(all="ignore"):
            heights = np.log(np.abs(values))
            heights[np.isinf(heights)] = np.nan
            steps = np.diff(np.log(ladder.distance))
            slopes = np.diff(heights) / steps
            found, rungs = measure_shortfall(slopes, short)
            # Waves cancel over a long way.
            half = len(steps) // 2
            (end,), (column,) = (part.T for part in take_last(heights, 1))
            whole = (end - heights[:, half]) / np.log(ladder.distance[column] / ladder.distance[half])
            found = np.where((column > half) & ~np.isnan(whole), np.fmin(found, short(whole)), found)
            ends, columns = take_last(slopes, 2)
            far = short(ends)
            astray = (found <= tolerance) & (far > tolerance).all(axis=1) & (np.abs(ends[:, 1] - ends[:, 0]) < 0.05)
        if astray.any():
            bounds = enclose_along(f, self.variable, ladder, others)
            for i in np.flatnonzero(astray):
                k = [*columns[i], columns[i, 1] + 1]
                # Numbers with a sure sign and size have a sure slope.
                if (np.abs(bounds.hi[i, k] - bounds.lo[i, k]) <= 0.01 * np.abs(values[i, k])).all():
                    found[i], rungs[i] = far[i, 1], columns[i, 1]
        margins = tolerance / (1 + min(abs(low), abs(high))) - found
        margins[np.isinf(found)] = np.nan
        sides = []
        for row, k, off in zip(slopes, rungs, found, strict=True):
            p = float(row[min(int(k), len(row) - 1)])
            relation, right = ("==", low) if low == high else ("<=", high) if p > high else (">=", low)
            wanted = {"==": "", "<=": "at most ", ">=": "at least "}[relation] + f"{right:g}"
            if math.isfinite(off) and math.isfinite(p):
                sides.append(Sides(p, relation, right, f"exponent {p:.6g}, expected {wanted}"))
            else:
                sides.append(Sides(math.nan, relation, right, f"no exponent, expected {wanted}"))
        return margins, rungs, sides

    def proofs(self, law: Law) -> Claims:
        """x·f'/f is within the bounds about the limit point: then so is the exponent."""
        f, x = law.expression, Expression.variable(self.variable)
        way = x if math.isinf(self.to) or not self.to else x - self.to
        rate = simplify(way * law.derivative(self.variable) / f)
        tolerance = self._within
        low, high = self.between
        bounds = ((">=", low - tolerance), ("<=", high + tolerance))
        return [
            (claim, box)
            for box in self._near(law)
            for claim in (
                Comparison(f, "!=", ZERO, tolerance=0.0) if math.isinf(self.to) else None,
                *(Comparison(rate, sign, constant(limit)) for sign, limit in bounds if math.isfinite(limit)),
            )
            if claim is not None
        ]

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        """Limits and rates at the same end."""
        if not isinstance(other, Growth | Limit):
            return None
        if follow(self.approach, self.box(known), other.approach, other.box(known)) is None:
            return None
        low, high = self.between
        if isinstance(other, Growth):
            other_low, other_high = other.between
            apart = max(low, other_low) > min(high, other_high) + self._within + other._within
            return "the exponents exclude each other" if apart else None
        if math.isfinite(self.to):
            low, high = -high, -low  # powers of the distance, which vanishes
        if low > self._within and math.isfinite(other.equals):
            return f"by its rate |{target}| goes to infinity, not to {other.equals:g}"
        if high < -self._within and abs(other.equals) > (other.tolerance or 0.0):
            return f"by its rate {target} goes to 0, not to {other.equals:g}"
        return None

    def sentence(self, target: str) -> str:
        x = self.variable if math.isinf(self.to) or not self.to else f"({self.variable} - {self.to:g})"
        if self.exponent is not None:
            return f"{target} grows like {x}^({self.exponent:g} ± {self._within:g}) {self._way()}"
        words = [
            f"at {word} like {x}^({p:g} {sign} {self._within:g})"
            for word, sign, p in (("least", "-", self.at_least), ("most", "+", self.at_most))
            if p is not None
        ]
        return f"{target} grows {' and '.join(words)} {self._way()}"


def _number(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "infinity" if value > 0 else "-infinity"
