"""Reads what is known of the law itself: [[rule]], [template] and [guesses]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import hypo.knowledge.rules.built_in  # noqa: F401  (makes the built-in kinds known)
from hypo.errors import FormulaError, KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.rules.contradictions import contradictions
from hypo.knowledge.rules.registry import read_rule
from hypo.knowledge.template import Template
from hypo.knowledge.text.problems import Report, is_array, is_table
from hypo.knowledge.text.toml_lines import Lines, Path
from hypo.knowledge.text.wording import kind, show

_LEFT_SIDE = re.compile(r"\s*[^\W\d]\w*\s*=(?!=)")


def read_rules(value: Any, report: Report, out: FileContent) -> None:
    """[[rule]]: one table per rule; its kind reads the rest. Rules that are made already are kept."""
    if isinstance(value, Mapping):
        report.add(("rule",), "expected an array of tables; write [[rule]] in double brackets")
        return
    if not is_array(value):
        report.add(("rule",), f"expected an array of tables, got {show(value)}; begin each rule with [[rule]]")
        return
    rules = []
    kept = report.kept[("rule",)] = []
    for i, table in enumerate(value):
        path: Path = ("rule", i)

        def problem(key: Path, message: str, path: Path = path) -> None:
            report.add((*path, *key), message)

        known = len(report.problems)
        rule = read_rule(table, problem)
        if rule is not None:
            rules.append(rule)
            kept.append(i)
        elif len(report.problems) == known:  # a plug-in need not say why
            report.add(path, "the rule cannot be read")
    out.rules = tuple(rules)
    try:
        found = list(contradictions(rules, out.ranges, report.target))
    except KnowledgeError as error:  # of a kind that is not ours
        report.add(("rule",), str(error))
        return
    for i, j, why in found:
        if rules[i].hard and rules[j].hard:
            report.add(("rule", kept[j]), describe_rule_conflict(kept[i], why, report.lines))


def describe_rule_conflict(i: int, why: str, lines: Lines | None, said: str = "it contradicts") -> str:
    """The message at a rule that contradicts the rule ``i``, or has to do with it as ``said``."""
    place = "" if lines is None else f" on line {lines.of('rule', i)}"
    return f"{said} rule {i + 1}{place}: {why}"


def read_template(table: Any, report: Report, out: FileContent) -> None:
    """[template]: ``form = "sqrt(L/g) * h(theta)"``."""
    if table is None or isinstance(table, Template):
        out.template = table
        return
    example = 'form = "sqrt(L/g) * h(theta)"'
    if not is_table(table, ("template",), report, f"write {example}"):
        return
    for key in table:
        if key != "form":
            report.add(("template", key), "unknown key; the only key is form")
    path: Path = ("template", "form")
    if "form" not in table:
        report.add(("template",), f"the template has no form; write {example}")
    elif not isinstance(table["form"], str):
        report.add(path, f"expected a formula in quotes, got {show(table['form'])}; write {example}")
    else:
        try:
            template = Template(table["form"])
        except FormulaError as error:
            report.add(path, str(error))
            return
        columns = {name for name in out.units if name != template.left}
        found = [name for name in template.unknowns if name in columns or name in out.constants]
        for name in found:
            what = "a column in [units]" if name in columns else "a constant in [constants]"
            report.add(
                path,
                f"{name}(...) is called like a function, but {name} is {what}; write {name}*(...), or give "
                "the unknown function another name",
            )
        out.template = None if found else template


def read_guesses(value: Any, report: Report, out: FileContent) -> None:
    """[guesses]: ``forms = ["a*x/(b + x)"]``, or the array itself."""
    path: Path = ("guesses",)
    if not is_array(value):
        if not is_table(value, path, report, 'write forms = ["a*x/(b + x)"]'):
            return
        for key in value:
            if key != "forms":
                report.add((*path, key), "unknown key; the only key is forms")
        path = (*path, "forms")
        value = value.get("forms", ())
        if not is_array(value):
            report.add(path, f'expected an array of formulas such as ["a*x/(b + x)"], got {show(value)}')
            return
    found = []
    kept = report.kept[("guesses", "forms")] = []
    for i, text in enumerate(value):
        if not isinstance(text, str):
            report.add((*path, i), f"expected a formula in quotes, got {kind(text)}")
            continue
        left = _LEFT_SIDE.match(text)
        start = left.end() if left else 0
        try:
            parse(" " * start + text[start:], variables=())
        except FormulaError as error:
            report.add((*path, i), str(error))
        else:
            found.append(text)
            kept.append(i)
    out.guesses = tuple(found)
