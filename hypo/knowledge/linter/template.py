"""Looks over the template of a knowledge file: can any formula of its form keep the grammar and have the right unit?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.claims.law import Law
from hypo.knowledge.file.column_names import data_ranges
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.hard_violations import hard_breach
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.template import BoundTemplate, Template
from hypo.knowledge.text.findings import Findings
from hypo.knowledge.text.wording import join
from hypo.units import DIMENSIONLESS, Unit

if TYPE_CHECKING:
    from hypo.data import Dataset

_PATH = ("template", "form")
# What a part yet unknown may still change: its own nodes stand for something else.
_DECIDED = (
    "operators",
    "forbid",
    "nesting",
    "never_inside",
    "must_not_use",
    "never_together",
    "constants",
    "exponents",
    "max_complexity",
    "max_depth",
)


def check_template(fields: FileContent, units: Mapping[str, Unit], dataset: Dataset | None, out: Findings) -> None:
    """Remarks on [template]; names that are no columns are remarked on elsewhere."""
    template = fields.template
    if template is None:
        return
    names = dataset.names if dataset is not None else template.names
    columns = [name for name in names if name not in fields.constants]
    target = dataset.target if dataset is not None else template.left
    if template.problems(columns, fields.constants, target):
        return
    bound = template.bind(columns, {name: c.value for name, c in fields.constants.items()})
    _check_grammar(bound, fields, out)
    _check_names(template, fields, columns, out)
    if units and dataset is not None:
        _check_dimension(bound, fields, units, dataset, out)


def _check_grammar(bound: BoundTemplate, fields: FileContent, out: Findings) -> None:
    """Every part known already must keep the grammar: it stays, whatever the unknown functions are."""
    grammar = dataclasses.replace(fields.grammar, constant_limits=None)
    for v in grammar.violations(bound.expression):
        if v.rule in _DECIDED:
            out.error(_PATH, f"no formula of this form keeps [grammar] {v.rule}: {v.message}")


def _check_names(template: Template, fields: FileContent, columns: list[str], out: Findings) -> None:
    absent = [name for name in fields.grammar.must_use if name in columns and name not in template.names]
    if absent:
        out.error(
            _PATH,
            f"must_use demands {join(absent)}, but {'it' if len(absent) == 1 else 'they'} can stand neither in "
            "the known part nor in the unknown functions",
        )
    unused = [name for name in columns if name not in template.names and name not in absent]
    if unused:
        out.note(_PATH, f"no formula of this form uses {join(unused)}")
    for name, arguments in template.unknowns.items():
        useless = [a for a in arguments if a in fields.grammar.must_not_use]
        if len(useless) == len(arguments):
            out.error(_PATH, f"{name} is a function of {join(useless)} only, which must not be used")


def _check_dimension(
    bound: BoundTemplate, fields: FileContent, units: Mapping[str, Unit], dataset: Dataset, out: Findings
) -> None:
    dimensions = {name: units[name].dimension if name in units else DIMENSIONLESS for name in dataset.names}
    goal = units[dataset.target].dimension if dataset.target in units else None
    # The unknown functions and the constants to be fitted are left open: any dimension may serve.
    found = infer(bound.expression, dimensions, {name: c.unit.dimension for name, c in fields.constants.items()}, goal)
    if found.inconsistent:
        level = "warning" if fields.soft else "error"
        out.add(
            level,
            _PATH,
            f"the units do not fit, whatever {join(bound.unknowns)} may be: {found.messages[0]}"
            + (f"; {found.inconsistent} such places in all" if found.inconsistent > 1 else ""),
        )


def check_guesses(fields: FileContent, dataset: Dataset | None, out: Findings) -> None:
    """Remarks on [guesses]: those that break the grammar, or a hard rule on the table's domain, as they stand."""
    constants = {name: c.value for name, c in fields.constants.items()}
    for i, text in enumerate(fields.guesses):
        _, sign, right = text.partition("=")
        e: Expression = parse(right if sign else text, constants=constants)
        for v in dataclasses.replace(fields.grammar, constant_limits=None, exponents=None).violations(e):
            out.warning(("guesses", "forms", i), f"it breaks [grammar] {v.rule}: {v.message}")
        if dataset is not None and not out.list_spoiled("constants") and set(e.variables) <= set(dataset.names):
            law = Law(e, dataset.target, dataset.names, {**data_ranges(dataset), **fields.ranges}, constants)
            for broken in _broken(fields.rules, law):
                out.warning(("guesses", "forms", i), f"it {broken}; such a guess is refused")


def _broken(rules: Sequence[Rule], law: Law) -> Iterator[str]:
    for i, rule in enumerate(rules):
        if not rule.hard or any(rule.misfits(law.variables, law.target, law.constants)):
            continue
        with suppress(Exception):  # a plug-in may fail in any way, and remarks are made all the same
            broken = hard_breach(i, rule, law)
            if broken:
                yield broken
