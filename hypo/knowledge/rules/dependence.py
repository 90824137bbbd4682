"""Rules that say whether a variable matters to a law f."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.analysis.intervals import enclose
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED, Sides, Verdict, Witness
from hypo.knowledge.claims.claim_forms import size_of, values_at
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import Box, is_wide
from hypo.knowledge.rules.invariance import Identity
from hypo.knowledge.rules.parameters import VARIABLE, parameter
from hypo.knowledge.rules.shape import Monotone, partner, with_partners

if TYPE_CHECKING:
    from hypo.knowledge.rows.breach import RowResult
    from hypo.knowledge.rows.table_rows import Mask, TableRows


class Depends(Rule):
    """The variable matters: f varies with it by more than ``tolerance`` (1e-6) of its size."""

    kind = "depends"
    variable: str = parameter(VARIABLE, words="the variable")

    def check(self, law: Law, *, points: int = 256, proof: bool = False) -> Verdict:
        f, x = law.expression, self.variable
        domain = with_partners(self, law, [x]).of(frozenset(f.variables) | {x, partner(x)})
        sample = domain.sample(points)
        other = f.substitute({x: Expression.variable(partner(x))})
        here, there = values_at(f, sample), values_at(other, sample)
        with np.errstate(all="ignore"):
            change = np.abs(there - here)
        change[~np.isfinite(change)] = 0.0
        most, size = int(np.argmax(change)), size_of(np.concatenate([here, there]))
        needed = self.tolerance or 1e-6
        short = 1.0 - (change[most] / size / needed if size else 0.0)
        at = {name: float(values[most]) for name, values in sample.items()}
        if short > 0:
            return Verdict(
                REFUTED,
                short / (1 + short),
                points,
                Witness(at, Sides(float(there[most]), "!=", float(here[most]), f"the law hardly changes with {x}")),
            )
        boxes = {name: (np.array([v]), np.array([v])) for name, v in at.items()}
        a, b = (enclose(e, boxes) for e in (f, other)) if proof else (None, None)
        apart = a is not None and b is not None and np.all(((a.hi < b.lo) | (b.hi < a.lo)) & a.defined & b.defined)
        return Verdict(PROVED if apart else UNREFUTED, 0.0, points)

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        same = isinstance(other, NotDepends) and other.variable == self.variable
        return f"{self.variable} either matters or not" if same and self.box(known) == other.box(known) else None

    def sentence(self, target: str) -> str:
        return f"{target} depends on {self.variable}"


class NotDepends(Identity):
    """``f(x') = f(x)``: the variable has no influence."""

    kind = "not_depends"
    variable: str = parameter(VARIABLE, words="the variable")

    def move_variables(self) -> Mapping[str, Expression]:
        return {self.variable: Expression.variable(partner(self.variable))}

    def extend_domain(self, law: Law) -> Domain:
        return with_partners(self, law, [self.variable])

    def check_rows(self, table: TableRows, rows: Mask) -> RowResult:
        def describe(slope: str) -> str:
            return f"{table.dataset.target} changes with {self.variable} (slope {slope})"

        return table.check_slopes(self.variable, np.abs, rows, describe)

    def conflict(self, other: Rule, known: Box, target: str) -> str | None:
        x = self.variable
        if not isinstance(other, Monotone) or not other.strict or other.variable != x:
            return None
        return other.forbid_level() if is_wide(other.common_box(self, known), x) else None

    def sentence(self, target: str) -> str:
        return f"{target} does not depend on {self.variable}"
