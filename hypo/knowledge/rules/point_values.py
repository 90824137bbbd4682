"""Rules about single values of a law f: at a point, and where it vanishes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from hypo.knowledge.claims.claim import Claim, Verdict, combine_verdicts
from hypo.knowledge.claims.claim_forms import Measured, size_of, values_at
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.zeros import check_never_zero
from hypo.knowledge.rows.breach import RowBreach, RowResult
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import AllowedValues, Box, allow_near
from hypo.knowledge.rules.parameters import FLAG, NUMBER, NUMBERS, POINT, VARIABLE, parameter
from hypo.knowledge.rules.shape import Claims, constant
from hypo.knowledge.text.wording import join

if TYPE_CHECKING:
    from hypo.knowledge.rows.table_rows import Mask, TableRows

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

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        data, tolerance = table.dataset, self.tolerance or 0.0
        exact = table.select_at(self.at)
        if exact.any():
            return table.check_excess(
                np.abs(data.y - self.equals) - tolerance,
                exact,
                lambda r: f"{data.target} = {data.y[r]:.6g} misses {self.equals:g}",
            )
        beyond = []
        for name, value in self.at.items():
            column = data.X[:, table.columns[name]]
            if not column.min() <= value <= column.max():
                beyond.append(f"{name} = {value:g}, the data {column.min():g} to {column.max():g}")
        if beyond:
            return f"the point lies outside the data ({'; '.join(beyond)})"
        return self._check_neighbours(table, tolerance) if len(self.at) == len(data.names) else None

    def _check_neighbours(self, table: TableRows, tolerance: float) -> RowResult:
        """Compares the value with the local fit around the point, which names all columns."""
        data, near = table.dataset, table.neighbours
        if not near.enough:
            return None
        point = np.array([[self.at[name] for name in data.names]])
        fit = near.around(point)
        off = float(abs(fit.value[0] - self.equals)) - tolerance
        if not fit.inside[0] or off <= table.sure(fit) * fit.miss[0]:
            return None
        nearest = np.argsort((((data.X - point) / near.widths) ** 2).sum(axis=1))[: near.k]
        example = f"{data.target} is {fit.value[0]:.4g} ± {fit.miss[0]:.2g} at the point, not {self.equals:g}"
        return RowBreach(nearest, example, len(nearest), around=True)

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        point = {name: (value, value) for name, value in self.at.items()}
        yield AllowedValues(*allow_near(self.equals, self.tolerance), {**self.box(known), **point})

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

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        data = table.dataset
        exact = rows & np.logical_or.reduce([table.select_at({self.variable: value}) for value in self.at])
        if not exact.any():
            return None
        excess = np.abs(data.y) - (self.tolerance or 0.0)
        return table.check_excess(excess, exact, lambda r: f"{data.target} = {data.y[r]:.6g} is not 0")

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        for value in self.at:
            box = {**self.box(known), self.variable: (value, value)}
            yield AllowedValues(*allow_near(0.0, self.tolerance), box)

    def sentence(self, target: str) -> str:
        return f"{target} is zero at {self.variable} = {join(f'{v:g}' for v in self.at)}{' only' * self.only}"
