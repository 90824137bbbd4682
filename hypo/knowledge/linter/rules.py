"""Looks over the rules of a knowledge file: those that say nothing, and pairs that do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypo.knowledge.file.column_names import data_ranges, misread_rules
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.file.rules import describe_rule_conflict
from hypo.knowledge.rules.contradictions import constraints, contradictions, possible_contradictions
from hypo.knowledge.text.findings import Findings

if TYPE_CHECKING:
    from hypo.data import Dataset


def check_rules(fields: FileContent, dataset: Dataset | None, out: Findings) -> None:
    """Remarks on [[rule]] that need no rows."""
    constants = {name: c.value for name, c in fields.constants.items()}
    columns, target = (None, "f") if dataset is None else (dataset.names, dataset.target)
    for i, rule in enumerate(fields.rules):
        if rule.weight == 0 and not rule.hard:
            out.warning(("rule", i, "weight"), "this rule counts for nothing; give it a weight above 0, or remove it")
        if not rule.mentions_law(columns, target, constants):
            out.warning(
                ("rule", i, rule.stated_in),
                "this never mentions the law, so it is true or false of every formula alike",
            )
    if dataset is not None:
        for i, trap in misread_rules(fields, dataset.names, dataset.target):
            out.warning(("rule", i, fields.rules[i].stated_in), trap)
    if not out.list_spoiled("ranges") and ("rule",) not in out.list_spoiled("rule"):
        _check_pairs(fields, dataset, out)


def _check_pairs(fields: FileContent, dataset: Dataset | None, out: Findings) -> None:
    """Rules that do not go together; variables without a stated domain have that of the table, if there is one."""
    rules = fields.rules
    target = "f" if dataset is None else dataset.target
    known = fields.ranges if dataset is None else {**data_ranges(dataset), **fields.ranges}

    def say(level: str, i: int, j: int, why: str, said: str = "it contradicts") -> None:
        out.add(level, ("rule", j), describe_rule_conflict(int(out.place(("rule", i))[1]), why, out.lines, said))

    refused = {(i, j) for i, j, _ in contradictions(rules, fields.ranges) if rules[i].hard and rules[j].hard}
    for i, j, why in contradictions(rules, known, target):
        if (i, j) not in refused:  # reading has told of those
            say("error" if rules[i].hard and rules[j].hard else "warning", i, j, why)
    for i, j, why in constraints(rules, known, target):
        say("warning", i, j, why, "beside")
    if dataset is None:
        for i, j, why in possible_contradictions(rules, known):
            say(
                "note",
                i,
                j,
                f"{why}; whether it comes to that depends on the domain, which [ranges] or a table settles",
                "it may contradict",
            )
