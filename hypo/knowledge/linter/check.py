"""Looks a knowledge file over, alone or against a table, and reports every finding with its line."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from hypo.knowledge.file.column_names import foreign_names
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.file.reader import read_file
from hypo.knowledge.limits import NamedConstant
from hypo.knowledge.linter.grammar import check_grammar
from hypo.knowledge.linter.rules import check_rules
from hypo.knowledge.linter.template import check_guesses, check_template
from hypo.knowledge.linter.units import Analysis, analyse, check_dimensions, check_units
from hypo.knowledge.text.findings import LEVELS, Finding, Findings
from hypo.units import parse_unit

if TYPE_CHECKING:
    from hypo.data import Dataset

__all__ = ["Analysis", "Finding", "analyse", "lint"]


def lint(path: str | PathLike[str], dataset: Dataset | None = None) -> list[Finding]:
    """Everything worth saying about a knowledge file, by line; never raises for what the file holds.

    Errors are what loading refuses, what contradicts the table's header, and what leaves no formula at all. Warnings are
    statements that probably do not mean what was intended, or that rows of the table speak against; notes say what the file
    leaves open. With ``dataset`` names, ranges, rules and template are held against its columns and rows, and the units are
    checked by dimensional analysis: is the target's unit a product of powers of the others, and which columns cannot take part
    in any such product.
    """
    fields, report = read_file(path) if dataset is None else read_file(path, dataset.target)
    findings = [Finding("error", report.source, p.line, p.message) for p in report.problems]
    if report.lines is not None and not report.unreadable:
        out = Findings(report)
        _check(fields, dataset, out)
        findings += out.found
    return sorted(findings, key=lambda f: (f.line or 0, LEVELS.index(f.level)))


def _check(fields: FileContent, dataset: Dataset | None, out: Findings) -> None:
    """All remarks; what follows from an error alone is left unsaid."""
    fields = _whole(fields, out)
    check_grammar(fields, dataset, out)
    units = check_units(fields, dataset, out) if dataset is not None else dict(fields.units)
    if out.list_spoiled("units") or out.list_spoiled("constants"):
        units = {}
    for name, constant in fields.constants.items():
        if units and not constant.unit.text:
            out.note(("constants", name), "no unit is given, so it counts as dimensionless")
    check_template(fields, units, dataset, out)
    check_guesses(fields, dataset, out)
    check_rules(fields, dataset, out)
    if dataset is None:
        return
    if units:
        check_dimensions(fields, units, dataset, out)
    for path, level, message in foreign_names(fields, dataset.names, dataset.target, dataset.constant):
        out.add(level, path, message)
    if fields.rules or fields.ranges:
        from hypo.knowledge.linter.rows import check_rows

        check_rows(() if out.list_spoiled("ranges") else fields.rules, fields.ranges, dataset, out)


def _whole(fields: FileContent, out: Findings) -> FileContent:
    """The fields, with a stand-in for what could not be read, so that its absence gives rise to no remarks."""
    constants = {
        str(path[1]): NamedConstant(1.0, parse_unit("1")) for path in out.list_spoiled("constants") if len(path) > 1
    }
    operators = None if out.list_spoiled("grammar", "operators") else fields.grammar.operators
    grammar = replace(fields.grammar, operators=operators)
    return replace(fields, grammar=grammar, constants={**constants, **fields.constants})
