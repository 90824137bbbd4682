"""Rules that say what leaves a law f unchanged, or changes it in a known way: each is an identity between f at two points."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import Claim
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.parameters import FORMULA, NUMBER, PAIR, POSITIVE, VARIABLE, VARIABLES, parameter
from hypo.knowledge.rules.shape import Claims
from hypo.knowledge.text.wording import join

if TYPE_CHECKING:
    from hypo.knowledge.claims.domain import Domain

FACTOR = "λ"
"""The name of the factor that a law is tried with; columns have ASCII names."""
SHIFT = "δ"
"""The name of the shift that a law is tried with."""
FACTORS = (0.25, 4.0)
"""The range of the factor: wide enough to tell powers apart, narrow enough to stay near the data."""


class Identity(Rule):
    """``f(moved x) == image(f(x))`` at the points of the domain, to within ``tolerance`` (1e-6) of the size of f."""

    total = True

    @abstractmethod
    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        """The formula that takes the place of each variable."""

    def image(self, f: Expression) -> Expression:
        """The formula that f becomes by the move."""
        return f

    def extend_domain(self, law: Law) -> Domain:
        """The domain, of further variables too where :meth:`move_variables` has any."""
        return self.domain(law)

    def claims(self, law: Law) -> Claims:
        f = law.expression
        moved = f.substitute(dict(self.move_variables(law)))
        claim: Claim = Comparison(moved, "==", self.image(f), tolerance=self.tolerance or 1e-6)
        return [(claim, self.extend_domain(law))]


class _Reflected(Identity):
    variable: str = parameter(VARIABLE, words="the variable")

    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        return {self.variable: -Expression.variable(self.variable)}

    def sentence(self, target: str) -> str:
        return f"{target} is {self.kind} in {self.variable}"


class Even(_Reflected):
    """``f(-x) = f(x)``."""

    kind = "even"


class Odd(_Reflected):
    """``f(-x) = -f(x)``."""

    kind = "odd"

    def image(self, f: Expression) -> Expression:
        return -f


class Periodic(Identity):
    """``f(x + period) = f(x)``."""

    kind = "periodic"
    variable: str = parameter(VARIABLE, words="the variable")
    period: float = parameter(POSITIVE, words="the period")

    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        return {self.variable: Expression.variable(self.variable) + self.period}

    def sentence(self, target: str) -> str:
        return f"{target} repeats every {self.period:g} of {self.variable}"


class _Swapped(Identity):
    swap: tuple[str, str] = parameter(PAIR, words="the two variables to swap")

    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        a, b = self.swap
        return {a: Expression.variable(b), b: Expression.variable(a)}

    def sentence(self, target: str) -> str:
        return f"{target} is {self.kind} under the swap of {join(self.swap)}"


class Symmetric(_Swapped):
    """``f(b, a) = f(a, b)`` for the two variables of ``swap``."""

    kind = "symmetric"


class Antisymmetric(_Swapped):
    """``f(b, a) = -f(a, b)`` for the two variables of ``swap``."""

    kind = "antisymmetric"

    def image(self, f: Expression) -> Expression:
        return -f


class _Scaled(Identity):
    """``f(λx, λy) = λ^k·f(x, y)`` for all λ > 0, tried from 1/4 to 4."""

    variables: tuple[str, ...] = parameter(VARIABLES, words="the variables to scale together")

    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        factor = Expression.variable(FACTOR)
        return {x: factor * Expression.variable(x) for x in self.variables}

    def extend_domain(self, law: Law) -> Domain:
        return self.domain(law, {FACTOR: FACTORS})


class Homogeneous(_Scaled):
    """``f(λx, λy) = λ^degree·f(x, y)`` for all λ > 0, tried from 1/4 to 4."""

    kind = "homogeneous"
    degree: float = parameter(NUMBER, words="the degree")

    def image(self, f: Expression) -> Expression:
        return f * Expression.variable(FACTOR) ** self.degree if self.degree else f

    def sentence(self, target: str) -> str:
        return f"{target} is homogeneous of degree {self.degree:g} in {join(self.variables)}"


class ScaleInvariant(_Scaled):
    """``f(λx, λy) = f(x, y)`` for all λ > 0, tried from 1/4 to 4."""

    kind = "scale_invariant"

    def sentence(self, target: str) -> str:
        return f"{target} does not change when {join(self.variables)} {_are(self.variables)} scaled alike"


class TranslationInvariant(Identity):
    """``f(x + δ, y + δ) = f(x, y)``, tried with shifts up to the least width of the ranges."""

    kind = "translation_invariant"
    variables: tuple[str, ...] = parameter(VARIABLES, words="the variables to shift together")

    def move_variables(self, law: Law) -> Mapping[str, Expression]:
        shift = Expression.variable(SHIFT)
        return {x: Expression.variable(x) + shift for x in self.variables}

    def extend_domain(self, law: Law) -> Domain:
        ranges = {**law.ranges, **self.where}
        widths = [high - low for low, high in (ranges.get(x, (0.0, 1.0)) for x in self.variables)]
        width = min([w for w in widths if 0 < w < math.inf], default=1.0)
        return self.domain(law, {SHIFT: (-width, width)})

    def sentence(self, target: str) -> str:
        return f"{target} does not change when {join(self.variables)} {_are(self.variables)} shifted alike"


class Conserved(Rule):
    """f depends on the variables of a ``quantity`` Q only through it: whatever keeps Q, such as x + y, keeps f.

    So the gradients are parallel, ∂f/∂x·∂Q/∂y = ∂f/∂y·∂Q/∂x for each two variables of Q, to within ``tolerance`` (1e-6) of
    their size.
    """

    kind = "conserved"
    total = True
    quantity: Expression = parameter(FORMULA, words="the quantity")

    def claims(self, law: Law) -> Claims:
        names, domain = self.quantity.variables, self.domain(law)
        of_q = {x: derivative(self.quantity, x) for x in names}
        return [
            (
                Comparison(
                    law.derivative(a) * of_q[b], "==", law.derivative(b) * of_q[a], tolerance=self.tolerance or 1e-6
                ),
                domain,
            )
            for a, b in combinations(names, 2)
        ]

    def sentence(self, target: str) -> str:
        return f"{target} depends on {join(self.quantity.variables)} only through {self.quantity}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
