"""Reads [grammar] and [priors]: which operators, names, numbers and sizes a formula may have."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from hypo.expression import operators as ops
from hypo.knowledge.file.number_limits import read_limits
from hypo.knowledge.grammar import Grammar, permit
from hypo.knowledge.text.problems import Report, is_array, is_table, read_number
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import join, name_problem, nearest, show, suggestion

GRAMMAR_KEYS = (
    "operators",
    "forbid",
    "max_complexity",
    "max_depth",
    "nesting",
    "must_use",
    "must_not_use",
    "never_together",
    "only",
    "never_inside",
    "constants",
    "exponents",
)


def read_grammar(table: Any, report: Report, sections: Sequence[str]) -> Grammar:
    """[grammar]; ``sections`` are the names that are sections of their own."""
    if not is_table(table, ("grammar",), report, 'write lines such as operators = ["+", "*", "sin"]'):
        return Grammar()
    for key in table:
        if key not in GRAMMAR_KEYS:
            hint = suggestion(key, GRAMMAR_KEYS, "known keys are ")
            if key in sections:
                hint = f"[{key}] is a section of its own"
            report.add(("grammar", key), f"unknown key; {hint}")
    known = len(report.problems)
    operators = None
    if table.get("operators") is not None:
        operators = _read_operators(table["operators"], ("grammar", "operators"), report)
        if not operators and len(report.problems) == known:
            report.add(
                ("grammar", "operators"),
                "the list is empty; name at least one operator, or leave the key out to allow all",
            )
    forbid = _read_operators(table.get("forbid", ()), ("grammar", "forbid"), report)
    if len(report.problems) == known and not permit(operators, forbid):
        report.add(("grammar", "forbid"), "this forbids every operator allowed; leave at least one")
    grammar = Grammar(
        operators=operators,
        forbid=forbid,
        max_complexity=_read_size(table.get("max_complexity"), "max_complexity", "of nodes", report),
        max_depth=_read_size(table.get("max_depth"), "max_depth", "of levels", report),
        nesting=_read_nesting(table.get("nesting", {}), report),
        must_use=_read_names(table.get("must_use", ()), ("grammar", "must_use"), report),
        must_not_use=_read_names(table.get("must_not_use", ()), ("grammar", "must_not_use"), report),
        never_together=_read_groups(table.get("never_together", ()), report),
        only=_read_places(table.get("only", {}), "only", report),
        never_inside=_read_places(table.get("never_inside", {}), "never_inside", report),
        constant_limits=read_limits(table.get("constants"), "constants", report),
        exponents=read_limits(table.get("exponents"), "exponents", report),
    )
    _check_names(report, grammar)
    return grammar


def read_priors(table: Any, report: Report) -> dict[str, float]:
    """[priors]: ``operator = weight``."""
    found: dict[str, float] = {}
    if not is_table(table, ("priors",), report, 'write lines such as sin = 0.1 or "**" = 0.5'):
        return found
    for name, weight in table.items():
        path: Path = ("priors", name)
        row = _read_operator(name, path, report)
        value = read_number(weight, path, report)
        if value is not None and value <= 0:
            report.add(
                path,
                f"expected a weight above 0, got {show(weight)}; 1 leaves the operator as it is, and "
                "[grammar] forbid excludes it",
            )
        elif row is not None and row in found:
            report.add(path, f"{show(name)} is another spelling of {show(row)}, which stands here too; keep one")
        elif row is not None and value is not None:
            found[row] = value
    return found


# --- names ----------------------------------------------------------------------------------------------------


def _read_names(value: Any, path: Path, report: Report) -> tuple[str, ...]:
    """Names of columns or named constants in the order given, each once."""
    if not is_array(value):
        report.add(path, f'expected an array of names such as ["x", "y"], got {show(value)}')
        return ()
    found: dict[str, None] = {}
    for i, name in enumerate(value):
        if _is_name(name, (*path, i), report):
            found[name] = None
    return tuple(found)


def _is_name(name: Any, path: Path, report: Report) -> bool:
    if not isinstance(name, str):
        report.add(path, f"expected a name in quotes, got {show(name)}")
        return False
    problem = name_problem(name)
    if problem:
        report.add(path, problem)
    return problem is None


def _read_groups(value: Any, report: Report) -> tuple[tuple[str, ...], ...]:
    path: Path = ("grammar", "never_together")
    if not is_array(value):
        report.add(path, f'expected an array of groups such as [["x", "y"]], got {show(value)}')
        return ()
    if value and all(isinstance(name, str) for name in value):
        report.add(path, f"expected an array of groups, got one group; write [[{', '.join(map(show, value))}]]")
        return ()
    groups = []
    kept = report.kept[path] = []
    for i, group in enumerate(value):
        if not is_array(group):
            report.add((*path, i), f'expected a group of names such as ["x", "y"], got {show(group)}')
            continue
        known = len(report.problems)
        names = _read_names(group, (*path, i), report)
        if len(names) > 1:
            groups.append(names)
            kept.append(i)
        elif len(report.problems) == known:
            report.add((*path, i), "a group needs at least two different names")
    return tuple(groups)


def _read_places(table: Any, key: str, report: Report) -> dict[str, tuple[str, ...]]:
    """``name = [operators]``."""
    path: Path = ("grammar", key)
    if not is_table(table, path, report, 'write lines such as theta = ["sin", "cos"]'):
        return {}
    found = {}
    for name, listed in table.items():
        known = len(report.problems)
        _is_name(name, (*path, name), report)
        operators = _read_operators(listed, (*path, name), report)
        if not operators and len(report.problems) == known:
            report.add(
                (*path, name),
                "the list is empty; name at least one operator, or leave the key out"
                + (" (must_not_use keeps a variable out)" if key == "only" else ""),
            )
        elif operators:
            found[name] = operators
    return found


def _check_names(report: Report, grammar: Grammar) -> None:
    """Statements about one name must leave room for it."""
    for name in grammar.must_use:
        if name in grammar.must_not_use:
            report.add(("grammar", "must_not_use"), f"{name} also stands in must_use; no formula can do both")
    path: Path = ("grammar", "never_together")
    for i, group in zip(report.kept.get(path, ()), grammar.never_together, strict=True):
        both = [name for name in group if name in grammar.must_use]
        if len(both) > 1:
            report.add((*path, i), f"{join(both)} both stand in must_use; no formula can do both")


# --- sizes --------------------------------------------------------------------------------------------------


def _read_size(limit: Any, key: str, unit: str, report: Report) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, numbers.Integral) or limit < 1:
        report.add(("grammar", key), f"expected a whole number {unit}, at least 1, got {show(limit)}")
        return None
    return int(limit)


# --- operators ------------------------------------------------------------------------------------------------


def _read_operators(value: Any, path: Path, report: Report) -> tuple[str, ...]:
    """Table names in the order given, each once."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        report.add(path, f'expected an array of operators such as ["+", "*", "sin"], got {show(value)}')
        return ()
    found: dict[str, None] = {}
    for i, name in enumerate(value):
        row = _read_operator(name, (*path, i), report)
        if row is not None:
            found[row] = None
    return tuple(found)


def _read_operator(name: Any, path: Path, report: Report) -> str | None:
    if not isinstance(name, str):
        report.add(path, f"expected an operator's name in quotes, got {show(name)}")
        return None
    row = ops.lookup(name.strip())
    if row is None:
        near = nearest(name, [*ops.BY_NAME, *ops.ALIASES])
        guess = f"did you mean {show(near)}? " if near else ""
        report.add(path, f"unknown operator {show(name)}; {guess}valid are {' '.join(ops.BY_NAME)}")
        return None
    return row.name


def _read_nesting(table: Any, report: Report) -> dict[str, tuple[str, ...]]:
    if not is_table(table, ("grammar", "nesting"), report, 'write lines such as sin = ["sin", "exp"]'):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for outer, inner in table.items():
        path: Path = ("grammar", "nesting", outer)
        name = _read_operator(outer, path, report)
        banned = _read_operators(inner, path, report)
        if name is not None and name in found:
            report.add(
                path,
                f"{show(outer)} is another spelling of {show(name)}, which stands here too; put both into one list",
            )
        elif name is not None:
            found[name] = banned
    return found
