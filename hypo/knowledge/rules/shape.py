"""Rules about the shape of a law f: its bounds, sign, slope and curvature."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import REFUTED, Claim, Sides, Verdict, Witness
from hypo.knowledge.claims.claim_forms import AlmostEverywhere, Defined, Roughly
from hypo.knowledge.claims.combinations import Or
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.zeros import check_never_zero
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import EVERYTHING, AllowedValues, Box, is_wide
from hypo.knowledge.rules.parameters import FLAG, NUMBER, VARIABLE, VARIABLES, Number, OneOf, Range, parameter
from hypo.knowledge.text.wording import join

if TYPE_CHECKING:
    from hypo.knowledge.claims.domain import Domain
    from hypo.knowledge.rows.breach import RowResult
    from hypo.knowledge.rows.table_rows import Mask, TableRows

Claims = Sequence[tuple[Claim, "Domain"]]

constant = Expression.constant
"""Makes a formula of a number."""
ZERO = constant(0.0)
"""The formula 0."""


def partner(name: str) -> str:
    """The name of a second value of the variable; no column is called so."""
    return f"{name}'"


class Bounds(Rule):
    """``min <= f <= max``, with < instead when ``strict``."""

    kind = "bounds"
    tolerant = False
    total = True
    min: float | None = parameter(NUMBER, default=None)
    max: float | None = parameter(NUMBER, default=None)
    strict: bool = parameter(FLAG, default=False)

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        if self.min is None and self.max is None:
            yield "", "the kind bounds needs min or max; write min = 0.0"
        elif self.min is not None and self.max is not None:
            if self.min > self.max:
                yield "max", f"{self.max:g} is below min = {self.min:g}; swap them"
            elif self.min == self.max and self.strict:
                yield "max", f"no number lies strictly between {self.min:g} and {self.max:g}"

    def claims(self, law: Law) -> Claims:
        domain, f = self.domain(law), law.expression
        limits = ((">", self.min), ("<", self.max))
        return [
            (Comparison(f, sign + "=" * (not self.strict), constant(limit)), domain)
            for sign, limit in limits
            if limit is not None
        ]

    @property
    def _limits(self) -> Range:
        return -math.inf if self.min is None else self.min, math.inf if self.max is None else self.max

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        return table.check_limits(*self._limits, rows)

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        yield AllowedValues(*self._limits, self.box(known), open=self.strict)

    def sentence(self, target: str) -> str:
        sign = "<" if self.strict else "<="
        low = "" if self.min is None else f"{self.min:g} {sign} "
        high = "" if self.max is None else f" {sign} {self.max:g}"
        return low + target + high


class Sign(Rule):
    """``f`` is positive, negative, nonnegative or nonpositive."""

    kind = "sign"
    tolerant = False
    total = True
    sign: str = parameter(
        OneOf(("positive", "negative", "nonnegative", "nonpositive", "nonzero")), words="a sign, such as positive"
    )

    def claims(self, law: Law) -> Claims:
        return [(Comparison(law.expression, SIGNS[self.sign], ZERO), self.domain(law))]

    @property
    def is_settled_by_claims(self) -> bool:
        return self.sign != "nonzero"

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        if self.sign != "nonzero":
            return super().check(law, points=points, proof=proof)
        return check_never_zero(law, self.domain(law), points=points, proof=proof)

    @property
    def _limits(self) -> Range:
        return {">": (0.0, math.inf), ">=": (0.0, math.inf), "!=": EVERYTHING}.get(SIGNS[self.sign], (-math.inf, 0.0))

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        return None if self.sign == "nonzero" else table.check_limits(*self._limits, rows)

    def allowed_values(self, known: Box) -> Iterator[AllowedValues]:
        strict = SIGNS[self.sign] in ("<", ">")
        yield AllowedValues(*self._limits, self.box(known), open=strict, off_zero=self.sign == "nonzero")

    def sentence(self, target: str) -> str:
        return f"{target} {SIGNS[self.sign]} 0"


SIGNS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<=", "nonzero": "!="}
"""The words for a sign, and the relations to 0."""


class Monotone(Rule):
    """``f`` rises or falls with a variable: ∂f/∂x >= 0 (or <= 0), and f(x') >= f(x) for x' > x.

    The second holds it to account across poles and kinks, where a slope tells nothing. ``strict`` wants f(x') > f(x), and of a
    law without x it is no near miss.
    """

    kind = "monotone"
    tolerant = False
    total = True
    variable: str = parameter(VARIABLE, words="the variable")
    direction: str = parameter(OneOf(("increasing", "decreasing")), words="a direction, increasing or decreasing")
    strict: bool = parameter(FLAG, default=False)

    @property
    def is_settled_by_claims(self) -> bool:
        return not self.strict

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        if self.strict and self.variable not in law.expression.variables:
            return Verdict(
                REFUTED,
                0.5,
                points,
                Witness({}, Sides(0.0, self._relation(True), 0.0, f"the law does not contain {self.variable}")),
            )
        return super().check(law, points=points, proof=proof)

    @property
    def rises(self) -> bool:
        """True if f grows with the variable."""
        return self.direction == "increasing"

    def claims(self, law: Law) -> Claims:
        x, f = self.variable, law.expression
        domain = self.domain(law)
        first, second = Expression.variable(x), Expression.variable(partner(x))
        low = f.substitute({x: Expression.apply("min", first, second)})
        high = f.substitute({x: Expression.apply("max", first, second)})
        pairs: Claim = Comparison(high, self._relation(self.strict), low)
        if self.strict:
            pairs = Or((Comparison(first, "==", second, tolerance=0.0), pairs))
        slope = Comparison(law.derivative(x), self._relation(False), ZERO)
        return [(AlmostEverywhere(slope), domain), (pairs, with_partners(self, law, [x]))]

    def proofs(self, law: Law) -> Claims:
        slope = AlmostEverywhere(Comparison(law.derivative(self.variable), self._relation(self.strict), ZERO))
        return [(Defined(law.expression), self.domain(law)), (slope, self.domain(law))]

    def _relation(self, strict: bool) -> str:
        return (">" if self.rises else "<") + "=" * (not strict)

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        sign = 1.0 if self.rises else -1.0
        subject = f"{table.dataset.target} {'falls' if self.rises else 'rises'} with {self.variable}"
        return table.check_slopes(self.variable, lambda s: -sign * s, rows, lambda slope: f"{subject} (slope {slope})")

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        return self.forbid_level() if self.strict and self._is_level_by(other, known) else None

    def narrowing(self, other: Rule, known: Box) -> str | None:
        if self.strict or (isinstance(other, Monotone) and other.strict) or not self._is_level_by(other, known):
            return None
        return f"only a law that does not change with {self.variable} keeps both"

    def forbid_level(self) -> str:
        """Why nothing that makes f constant along a stretch goes together with this rule, which is ``strict``."""
        return f"a law cannot {'rise' if self.rises else 'fall'} strictly with {self.variable} too"

    def _is_level_by(self, other: Rule, known: Box) -> bool:
        """True if ``other`` makes f the same, or opposite in direction, at both ends of a stretch on which this rule holds."""
        x = self.variable
        box = self.common_box(other, known)
        if box is None:
            return False
        if isinstance(other, Monotone):
            return other.variable == x and other.direction != self.direction and is_wide(box, x)
        return x in box and other.equates(x, box[x], self.box(known)[x])

    def sentence(self, target: str) -> str:
        return f"{target} is {'strictly ' * self.strict}{self.direction} in {self.variable}"


class _Curved(Rule):
    """Curvature in one variable, or in several at once: each ∂²f/∂x² and, for all pairs of points a and b,

        f((a + b)/2) <= (f(a) + f(b))/2     (>= when concave).

    Proofs use that all principal minors of the Hessian (of its opposite when concave) are >= 0, for up to three variables.
    """

    variable: str | None = parameter(VARIABLE, default=None)
    variables: tuple[str, ...] | None = parameter(VARIABLES, default=None)
    tolerant = False
    total = True
    _relation = ">="

    def inconsistencies(self) -> Iterator[tuple[str, str]]:
        if self.variable is None and self.variables is None:
            yield "", f'the kind {self.kind} needs the variable or the variables; write variable = "x"'
        elif self.variable is not None and self.variables is not None:
            yield "variables", "variable stands here too; keep one of them"

    @property
    def several(self) -> tuple[str, ...]:
        """The variables, be it one."""
        return (self.variables or ()) if self.variable is None else (self.variable,)

    def claims(self, law: Law) -> Claims:
        f, names = law.expression, self.several
        ends = [(Expression.variable(x), Expression.variable(partner(x))) for x in names]
        middle = f.substitute({x: (a + b) / 2 for x, (a, b) in zip(names, ends, strict=True)})
        other = f.substitute({x: b for x, (_, b) in zip(names, ends, strict=True)})
        opposite = {">=": "<=", "<=": ">="}[self._relation]
        chord = Comparison(middle, opposite, (f + other) / 2)
        return [*self._second(law), (Roughly(chord), with_partners(self, law, names))]

    def proofs(self, law: Law) -> Claims:
        names, domain = self.several, self.domain(law)
        if len(names) > 3:
            return []
        parts = [(Defined(law.expression), domain), *self._second(law)]
        for a, b in combinations(names, 2):
            both = law.derivative(a, a) * law.derivative(b, b)
            parts.append((AlmostEverywhere(Comparison(both, ">=", law.derivative(a, b) ** 2)), domain))
        if len(names) == 3:
            # det H >= 0, or <= 0 when concave, as the sum of its terms in one order against those in the other.
            a, b, c = names
            product = law.derivative(a, a) * law.derivative(b, b) * law.derivative(c, c)
            cycle = law.derivative(a, b) * law.derivative(b, c) * law.derivative(a, c)
            squares = [
                law.derivative(x, x) * law.derivative(y, z) ** 2 for x, y, z in ((a, b, c), (b, a, c), (c, a, b))
            ]
            even, odd = product + 2 * cycle, squares[0] + squares[1] + squares[2]
            parts.append((AlmostEverywhere(Comparison(even, self._relation, odd)), domain))
        return parts

    def _second(self, law: Law) -> list[tuple[Claim, Domain]]:
        domain = self.domain(law)
        return [
            (AlmostEverywhere(Comparison(law.derivative(x, x), self._relation, ZERO)), domain) for x in self.several
        ]

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        sign = 1.0 if self._relation == ">=" else -1.0
        return table.check_curvature(self.several, sign, self.where, rows)

    def sentence(self, target: str) -> str:
        return f"{target} is {self.kind} in {join(self.several)}"


class Convex(_Curved):
    """``f`` lies below its chords."""

    kind = "convex"

    def narrowing(self, other: Rule, known: Box) -> str | None:
        if not isinstance(other, Concave):
            return None
        box = self.common_box(other, known)
        both = [x for x in self.several if x in other.several and is_wide(box, x)]
        return f"only a law that is linear in {join(both)} keeps both" if both else None


class Concave(_Curved):
    """``f`` lies above its chords."""

    kind = "concave"
    _relation = "<="


_SLOPE = Number(least=0.0, most=1e150)
"""Far from overflow when it is multiplied by a step."""


class Lipschitz(Rule):
    """``|f(x') - f(x)| <= constant·|x' - x|``, so that |∂f/∂x| <= constant."""

    kind = "lipschitz"
    tolerant = False
    total = True
    variable: str = parameter(VARIABLE, words="the variable")
    constant: float = parameter(_SLOPE, words="the constant that bounds the slope")

    def claims(self, law: Law) -> Claims:
        x, f = self.variable, law.expression
        other = Expression.variable(partner(x))
        change = Expression.apply("abs", f.substitute({x: other}) - f)
        step = Expression.apply("abs", other - Expression.variable(x))
        pairs = Comparison(change, "<=", constant(self.constant) * step)
        return [*self._slopes(law), (Roughly(pairs), with_partners(self, law, [x]))]

    def proofs(self, law: Law) -> Claims:
        return [(Defined(law.expression), self.domain(law)), *self._slopes(law)]

    def _slopes(self, law: Law) -> list[tuple[Claim, Domain]]:
        slope, domain = law.derivative(self.variable), self.domain(law)
        return [
            (AlmostEverywhere(Comparison(slope, sign, constant(limit))), domain)
            for sign, limit in (("<=", self.constant), (">=", -self.constant))
        ]

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        def describe(slope: str) -> str:
            return f"{table.dataset.target} has the slope {slope} in {self.variable}"

        return table.check_slopes(self.variable, lambda s: np.abs(s) - self.constant, rows, describe)

    def sentence(self, target: str) -> str:
        return f"{target} changes by at most {self.constant:g} per unit of {self.variable}"


def with_partners(rule: Rule, law: Law, names: Sequence[str]) -> Domain:
    """The rule's domain with a second value, of the same range, for each of ``names``."""
    ranges = {**law.ranges, **rule.where}
    return rule.domain(law, {partner(x): ranges.get(x, (-math.inf, math.inf)) for x in names})
