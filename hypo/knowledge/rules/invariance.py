"""Rules that say what leaves a law f unchanged, or changes it in a known way: each is an identity between f at two points."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.knowledge.claims.claim import Claim
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import Box, meet, mirror
from hypo.knowledge.rules.parameters import FORMULA, NUMBER, PAIR, POSITIVE, VARIABLE, VARIABLES, Range, parameter
from hypo.knowledge.rules.shape import Bounds, Claims, Sign
from hypo.knowledge.text.wording import join

if TYPE_CHECKING:
    from hypo.knowledge.claims.domain import Domain
    from hypo.knowledge.rows.breach import RowResult
    from hypo.knowledge.rows.table_rows import Mask, TableRows, Values

FACTOR = "λ"
"""The name of the factor that a law is tried with; columns have ASCII names."""
SHIFT = "δ"
"""The name of the shift that a law is tried with."""
FACTORS = (0.25, 4.0)
"""The range of the factor: wide enough to tell powers apart, narrow enough to stay near the data."""


_TRIED_FACTOR = 1.25
"""The factor by which rows of a table are moved."""
_TRIED_SHIFT = 0.25
"""The shift by which rows of a table are moved, in widths of the narrowest column."""
_IMAGE_OF = "f"
"""The variable of a formula that the image of f is taken of."""


class Identity(Rule):
    """``f(moved x) == image(f(x))`` at the points of the domain, to within ``tolerance`` (1e-6) of the size of f.

    The rows of a table are moved likewise, with :meth:`choose_move` in place of further variables.
    """

    total = True

    @abstractmethod
    def move_variables(self) -> Mapping[str, Expression]:
        """The formula that takes the place of each variable."""

    def image(self, f: Expression) -> Expression:
        """The formula that f becomes by the move."""
        return f

    def extend_domain(self, law: Law) -> Domain:
        """The domain, of further variables too where :meth:`move_variables` has any."""
        return self.domain(law)

    def choose_move(self, table: TableRows) -> Mapping[str, float]:
        """The values of further variables that the rows of a table are moved with."""
        return {}

    def claims(self, law: Law) -> Claims:
        f = law.expression
        moved = f.substitute(dict(self.move_variables()))
        claim: Claim = Comparison(moved, "==", self.image(f), tolerance=self.tolerance or 1e-6)
        return [(claim, self.extend_domain(law))]

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        chosen = self.choose_move(table)
        image = self.image(Expression.variable(_IMAGE_OF))

        def values(e: Expression, columns: Values, names: Sequence[str]) -> Values:
            further = np.broadcast_to([*chosen.values()], (len(columns), len(chosen)))
            return evaluate(e, np.hstack([columns, further]), [*names, *chosen])

        def move(X: Values) -> Values:
            moved = X.copy()
            for name, e in self.move_variables().items():
                moved[:, table.columns[name]] = values(e, X, table.dataset.names)
            return moved

        def expect(y: Values) -> tuple[Values, Values]:
            slope = derivative(image, _IMAGE_OF)
            return values(image, y[:, None], [_IMAGE_OF]), values(slope, y[:, None], [_IMAGE_OF])

        return table.check_moved(move, expect, rows)


class _Reflected(Identity):
    variable: str = parameter(VARIABLE, words="the variable")

    def move_variables(self) -> Mapping[str, Expression]:
        return {self.variable: -Expression.variable(self.variable)}

    def sentence(self, target: str) -> str:
        return f"{target} is {self.kind} in {self.variable}"


class Even(_Reflected):
    """``f(-x) = f(x)``."""

    kind = "even"

    def equates(self, variable: str, common: Range, within: Range) -> bool:
        low, high = mirror(within)
        return variable == self.variable and max(low, common[0]) < min(high, common[1])

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        if isinstance(other, Odd) and other.variable == self.variable and self.common_box(other, known) is not None:
            return f"only {target} = 0 is both even and odd in {self.variable}"
        return None


class Odd(_Reflected):
    """``f(-x) = -f(x)``."""

    kind = "odd"

    def image(self, f: Expression) -> Expression:
        return -f

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        x = self.variable
        for signed in _signed_boxes(other, known):
            box = meet(signed, self.box(known))
            # The rule of the sign must speak of both points that the identity joins.
            both = meet({x: box[x]}, {x: mirror(signed[x])}) if box is not None and x in box else None
            if both is not None:
                low, high = both[x]
                if low <= 0 <= high:
                    return f"a law that is odd in {x} is 0 at {x} = 0"
                return f"a law that is odd in {x} has both signs"
        return None


class Periodic(Identity):
    """``f(x + period) = f(x)``."""

    kind = "periodic"
    variable: str = parameter(VARIABLE, words="the variable")
    period: float = parameter(POSITIVE, words="the period")

    def move_variables(self) -> Mapping[str, Expression]:
        return {self.variable: Expression.variable(self.variable) + self.period}

    def equates(self, variable: str, common: Range, within: Range) -> bool:
        return variable == self.variable and common[0] + self.period < within[1]

    def sentence(self, target: str) -> str:
        return f"{target} repeats every {self.period:g} of {self.variable}"


class _Swapped(Identity):
    swap: tuple[str, str] = parameter(PAIR, words="the two variables to swap")

    def move_variables(self) -> Mapping[str, Expression]:
        a, b = self.swap
        return {a: Expression.variable(b), b: Expression.variable(a)}

    def sentence(self, target: str) -> str:
        return f"{target} is {self.kind} under the swap of {join(self.swap)}"


class Symmetric(_Swapped):
    """``f(b, a) = f(a, b)`` for the two variables of ``swap``."""

    kind = "symmetric"

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        same = isinstance(other, Antisymmetric) and {*self.swap} == {*other.swap}
        if same and self.common_box(other, known) is not None:
            return f"only {target} = 0 is both symmetric and antisymmetric in {join(self.swap)}"
        return None


class Antisymmetric(_Swapped):
    """``f(b, a) = -f(a, b)`` for the two variables of ``swap``."""

    kind = "antisymmetric"

    def image(self, f: Expression) -> Expression:
        return -f

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        x, y = self.swap
        for signed in _signed_boxes(other, known):
            box = meet(signed, self.box(known))
            if box is not None and x in box and y in box and max(box[x][0], box[y][0]) <= min(box[x][1], box[y][1]):
                return f"an antisymmetric law is 0 where {x} = {y}"
        return None


class _Scaled(Identity):
    """``f(λx, λy) = λ^k·f(x, y)`` for all λ > 0, tried from 1/4 to 4."""

    variables: tuple[str, ...] = parameter(VARIABLES, words="the variables to scale together")

    def move_variables(self) -> Mapping[str, Expression]:
        factor = Expression.variable(FACTOR)
        return {x: factor * Expression.variable(x) for x in self.variables}

    def extend_domain(self, law: Law) -> Domain:
        return self.domain(law, {FACTOR: FACTORS})

    def choose_move(self, table: TableRows) -> Mapping[str, float]:
        return {FACTOR: _TRIED_FACTOR}


class Homogeneous(_Scaled):
    """``f(λx, λy) = λ^degree·f(x, y)`` for all λ > 0, tried from 1/4 to 4."""

    kind = "homogeneous"
    degree: float = parameter(NUMBER, words="the degree")

    def image(self, f: Expression) -> Expression:
        return f * Expression.variable(FACTOR) ** self.degree if self.degree else f

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        if not isinstance(other, Homogeneous | ScaleInvariant) or self.common_box(other, known) is None:
            return None
        degree = other.degree if isinstance(other, Homogeneous) else 0.0
        apart = abs(self.degree - degree) > 10 * ((self.tolerance or 1e-6) + (other.tolerance or 1e-6))
        if {*self.variables} == {*other.variables} and apart:
            return f"only {target} = 0 has the degrees {self.degree:g} and {degree:g} at once"
        return None

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

    def move_variables(self) -> Mapping[str, Expression]:
        shift = Expression.variable(SHIFT)
        return {x: Expression.variable(x) + shift for x in self.variables}

    def extend_domain(self, law: Law) -> Domain:
        ranges = {**law.ranges, **self.where}
        widths = [high - low for low, high in (ranges.get(x, (0.0, 1.0)) for x in self.variables)]
        width = min([w for w in widths if 0 < w < math.inf], default=1.0)
        return self.domain(law, {SHIFT: (-width, width)})

    def choose_move(self, table: TableRows) -> Mapping[str, float]:
        columns = table.dataset.X[:, [table.columns[name] for name in self.variables]]
        return {SHIFT: _TRIED_SHIFT * float(np.ptp(columns, axis=0).min())}

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

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        """Compares the gradient of local fits with that of the quantity, for each two of its variables."""
        near = table.neighbours
        if not near.enough:
            return None
        fits, data = near.at_rows, table.dataset
        X = data.X[near.rows]
        slope, error = fits.gradient * near.widths, fits.gradient_error * near.widths
        of_q = {
            x: evaluate(derivative(self.quantity, x), X, data.names) * near.widths[table.columns[x]]
            for x in self.quantity.variables
        }
        for a, b in combinations(self.quantity.variables, 2):
            i, j = table.columns[a], table.columns[b]
            off = np.abs(slope[:, i] * of_q[b] - slope[:, j] * of_q[a])
            # Slopes of straight fits to a curved law differ by what it bends between their rows.
            scatter = np.hypot(error[:, i] * of_q[b], error[:, j] * of_q[a])
            usable = rows[near.rows] & np.isfinite(off)

            def words(k: int, a: str = a, b: str = b, i: int = i, j: int = j) -> str:
                return (
                    f"the slopes of {data.target} in {a} and {b} are {fits.gradient[k, i]:.3g} ± "
                    f"{fits.gradient_error[k, i]:.2g} and {fits.gradient[k, j]:.3g} ± {fits.gradient_error[k, j]:.2g}"
                )

            found = table.check_places(off, scatter, usable, table.sure(fits), words)
            if found is not None:
                return found
        return None

    def sentence(self, target: str) -> str:
        return f"{target} depends on {join(self.quantity.variables)} only through {self.quantity}"


def _signed_boxes(other: Rule, known: Box) -> Iterator[Box]:
    """The boxes over which a rule of bounds or sign leaves f one sign."""
    for one in other.allowed_values(known) if isinstance(other, Bounds | Sign) else ():
        if one.low > 0 or one.high < 0 or (one.open and 0 in (one.low, one.high)):
            yield one.box


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
