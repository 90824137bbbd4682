"""Rules about single values of a law f: at a point, and where it vanishes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from hypo.knowledge.claims.claim import Claim, Verdict, combine_verdicts
from hypo.knowledge.claims.claim_forms import Measured, size_of, values_at
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.zeros import check_never_zero
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.parameters import FLAG, NUMBER, NUMBERS, POINT, VARIABLE, parameter
from hypo.knowledge.rules.shape import Claims, constant
from hypo.knowledge.text.wording import join

_SIZED_AT = 64
"""Points from which the size of f is taken."""
_NEAR = 1e-3
"""Beside a zero, f is known to be small: so much of the range is not looked at."""


def scale_of(rule: Rule, law: Law, value: float) -> float:
    """The number that deviations from ``value`` are relative to: its size, or that of f over the rule's domain when it is 0.

    The latter is the root mean square, 1 if it is 0 or f has no value there.
    """
    if value and math.isfinite(value):
        return abs(value)
    domain = rule.domain(law).of(frozenset(law.expression.variables))
    size = size_of(values_at(law.expression, domain.sample(_SIZED_AT)))
    return size if 0 < size < math.inf else 1.0


def equality(rule: Rule, law: Law, value: float) -> list[Claim]:
    """``f == value`` to within the rule's ``tolerance`` in the target's unit, or 1e-6 of the scale if it states none."""
    f, scale = law.expression, scale_of(rule, law, value)
    if rule.tolerance is None:
        return [Measured(Comparison(f, "==", constant(value), scale=scale))]
    return [
        Measured(Comparison(f, ">=", constant(value - rule.tolerance), scale=scale)),
        Measured(Comparison(f, "<=", constant(value + rule.tolerance), scale=scale)),
    ]


class Value(Rule):
    """``f = equals`` where the variables have the values of ``at``, whatever the others are within the domain."""

    kind = "value"
    at: Mapping[str, float] = parameter(POINT, words="the point")
    equals: float = parameter(NUMBER, words="the value")

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        if not self.at:
            yield "at", "the point names no variable; write at = { x = 0.0 }"
        for name in self.at.keys() & self.where.keys():
            yield "where", f"{name} stands in at too, where it has one value; remove it here"

    def claims(self, law: Law) -> Claims:
        domain = self.domain(law, {x: (value, value) for x, value in self.at.items()})
        return [(claim, domain) for claim in equality(self, law, self.equals)]

    def sentence(self, target: str) -> str:
        within = "" if self.tolerance is None else f" ± {self.tolerance:g}"
        return f"{target} = {self.equals:g}{within} at {join(f'{x} = {value:g}' for x, value in self.at.items())}"


class Zeros(Rule):
    """``f = 0`` where the variable has one of the values ``at``; with ``only``, nowhere else in the domain."""

    kind = "zeros"
    variable: str = parameter(VARIABLE, words="the variable")
    at: tuple[float, ...] = parameter(NUMBERS, words="the values at which f is zero")
    only: bool = parameter(FLAG, default=False)

    def claims(self, law: Law) -> Claims:
        return [
            (claim, self.domain(law, {self.variable: (value, value)}))
            for value in self.at
            for claim in equality(self, law, 0.0)
        ]

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        verdict = super().check(law, points=points, proof=proof)
        if not self.only:
            return verdict
        gaps = (
            check_never_zero(law, self.domain(law, {self.variable: gap}), points=points, proof=proof)
            for gap in self._gaps(*self.domain(law).ranges[self.variable])
        )
        return combine_verdicts([verdict, *gaps])

    def _gaps(self, low: float, high: float) -> Iterator[tuple[float, float]]:
        inside = sorted({v for v in self.at if low <= v <= high})
        for a, b in zip([low, *inside], [*inside, high], strict=True):
            width = b - a if math.isfinite(b - a) else max(abs(v) for v in (a, b, 1.0) if math.isfinite(v))
            start, end = (a + _NEAR * width if a in inside else a), (b - _NEAR * width if b in inside else b)
            if start < end:
                yield start, end

    def sentence(self, target: str) -> str:
        return f"{target} is zero at {self.variable} = {join(f'{v:g}' for v in self.at)}{' only' * self.only}"
