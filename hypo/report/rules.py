"""The fate of each rule of the knowledge, as reports and ``result.json`` show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hypo.expression.printing import shortened
from hypo.report.formatting import format_nats, format_number, group_digits
from hypo.report.layout import BOUND, TextTable

if TYPE_CHECKING:
    from hypo.fitting.rule_checks import RuleReport
    from hypo.knowledge.claims.claim import Verdict
    from hypo.knowledge.rules.base import Rule
    from hypo.search.table_units import Border


# The entries of a row that say how one formula fares.
CHECKED = ("rule", "kind", "hard", "weight", "level", "violation", "points", "at", "left", "relation", "right", "note")


@dataclass(frozen=True)
class RuleRow:
    """One rule: how the best formula fares, and what the rule did to the others.

    ``level`` is ``proved``, ``refuted`` or ``unrefuted`` (at ``points`` points), None when there is no formula; ``violation``
    is in [0, 1]. ``at``, ``left``, ``relation``, ``right`` and ``note`` are the witness of a broken rule. Of ``tried`` formulas
    ``broken`` broke the rule. ``without`` is the formula that would have been the answer without this rule, by ``gain`` nats
    (None where there is no answer); None when the rule did not change the answer. ``pruned`` subexpressions were not
    enumerated because hard rules want the law to have a value all over the stated ranges (one count for all such rules).
    """

    rule: str
    kind: str
    hard: bool
    weight: float
    level: str | None
    violation: float
    points: int
    at: Mapping[str, float] | None
    left: float | None
    relation: str | None
    right: float | None
    note: str = ""
    tried: int = 0
    broken: int = 0
    without: str | None = None
    gain: float | None = None
    pruned: int = 0

    def __repr__(self) -> str:
        return f"<RuleRow {shortened(self.rule)}; {shortened(self.status)}>"

    @staticmethod
    def checked(rule: Rule, v: Verdict | None, target: str) -> RuleRow:
        """The row for a rule and how a formula for ``target`` fares."""
        w = None if v is None else v.witness
        return RuleRow(
            rule.label or rule.describe(target),
            rule.kind,
            rule.hard,
            rule.weight,
            None if v is None else v.level,
            0.0 if v is None else v.amount,
            0 if v is None else v.points,
            None if w is None else dict(w.at),
            None if w is None else w.sides.left,
            None if w is None else w.sides.relation,
            None if w is None else w.sides.right,
            "" if w is None else w.sides.note,
        )

    @staticmethod
    def of(report: RuleReport, target: str, border: Border) -> RuleRow:
        """The row for what a search for ``target`` says of a rule; ``border`` leads to the columns' units."""
        without = None if report.without is None else border.formula(report.without.expression).pretty()
        row = RuleRow.checked(report.rule, report.verdict, target)
        return replace(
            row, tried=report.tried, broken=report.broken, without=without, gain=report.gain, pruned=report.pruned
        )

    @staticmethod
    def read(entry: Mapping[str, Any]) -> RuleRow:
        """The row that :func:`dataclasses.asdict` wrote; KeyError or TypeError when it is none."""
        return RuleRow(**{"note": "", **{name: entry[name] for name in RuleRow.__dataclass_fields__ if name in entry}})

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``result.json``."""
        return asdict(self)

    @property
    def status(self) -> str:
        """How the best formula fares, in words."""
        if self.level is None:
            return "-"
        if self.level == "refuted":
            return f"broken{self._witness}"
        if self.violation > 0:
            return f"not met at the points tried{self._witness}"
        count = f"{group_digits(self.points)} point{'s' * (self.points != 1)}"
        return self.level if self.level == "proved" else f"holds at {count}"

    @property
    def _witness(self) -> str:
        if self.at is None:
            return ""
        where = ", ".join(f"{name} = {format_number(value)}" for name, value in self.at.items())
        place = f" at {where}" if where else ""
        if self.relation is None:
            return place
        if self.note:
            return f"{place}: {self.note}"
        left, right = (_side(value) for value in (self.left, self.right))
        return f"{place}: {left} {self.relation} {right} is false"


def _side(value: float | None) -> str:
    """A side of a comparison: a result file has no number for what is undefined or infinite."""
    if value is None or math.isnan(value):
        return "undefined"
    return format_number(value) if math.isfinite(value) else "inf" if value > 0 else "-inf"


def make_rules_table(rows: Sequence[RuleRow]) -> TextTable:
    """One line per rule."""
    table = TextTable()
    table.add_column("rule", wraps=True)
    table.add_column("the formula", wraps=True)
    searched = any(row.tried for row in rows)
    if searched:
        table.add_column("broken by", right=True)
    for row in rows:
        kind = " (hard)" if row.hard else f" (weight {format_number(row.weight)})"
        counts = [f"{group_digits(row.broken)} of {group_digits(row.tried)}"] if searched else []
        status = row.status.replace(" = ", f"{BOUND}={BOUND}").replace(" is false", f"{BOUND}is{BOUND}false")
        table.add_row(row.rule + kind, status, *counts)
    return table


def explain_pruned(rows: Iterable[RuleRow]) -> str:
    """A sentence on the subexpressions that hard rules and stated ranges kept from being enumerated; empty without any."""
    most = max((row.pruned for row in rows), default=0)
    if not most:
        return ""
    return f"{group_digits(most)} subexpressions without a value somewhere in the stated ranges were not enumerated."


def explain_tight_rules(rows: Iterable[RuleRow], target: str) -> list[str]:
    """A sentence for each rule that changed the answer: knowledge that is too tight must be seen."""
    return [
        f'Without the rule "{row.rule}" the answer would be {target} = {row.without}'
        + (f", with a score lower by {format_nats(row.gain)}" if row.gain is not None else "")
        + ": make sure that the rule is right."
        for row in rows
        if row.without is not None
    ]
