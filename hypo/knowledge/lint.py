"""Looks a knowledge file over, alone or against a table, and reports every finding with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import TYPE_CHECKING

from hypo.errors import UnitError
from hypo.expression import ops
from hypo.knowledge.knowledge import contradiction, same_unit
from hypo.knowledge.fields import Fields
from hypo.knowledge.grammar import permitted
from hypo.knowledge.reading import read_file
from hypo.knowledge.report import Report
from hypo.knowledge.words import label, nearest
from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension, Unit, parse_unit

if TYPE_CHECKING:
    from hypo.data import Dataset

_LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One remark on a knowledge file; ``level`` is ``error`` (refused), ``warning`` or ``note``."""

    level: str
    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.level}: {self.message}"


def lint(path: str | PathLike[str], dataset: Dataset | None = None) -> list[Finding]:
    """Everything worth saying about a knowledge file, by line; never raises for what the file holds.

    Errors are what loading refuses, and what contradicts the table's header. Warnings are statements that
    probably do not mean what was intended; notes say what the file leaves open. With ``dataset`` the units
    are checked against its columns, and by dimensional analysis: is the target's unit a product of powers
    of the others, and which columns cannot take part in any such product.
    """
    fields, report = read_file(path)
    findings = [Finding("error", report.source, p.line, p.message) for p in report.problems]
    if report.lines is not None and not report.unreadable:
        out = _Findings(report)
        _check_grammar(fields, dataset, out)
        units = _check_units(fields, dataset, out) if dataset is not None else dict(fields.units)
        for name, constant in fields.constants.items():
            if units and not constant.unit.text:
                out.note(("constants", name), "no unit is given, so it counts as dimensionless")
        if dataset is not None and units:
            _check_dimensions(fields, units, dataset, out)
        findings += out.found
    return sorted(findings, key=lambda f: (f.line or 0, _LEVELS.index(f.level)))


class _Findings:
    """Collects findings at keys of the file."""

    def __init__(self, report: Report) -> None:
        assert report.lines is not None
        self.file = report.source
        self.lines = report.lines
        self.found: list[Finding] = []

    def add(self, level: str, path: tuple[str | int, ...], message: str) -> None:
        self.found.append(Finding(level, self.file, self.lines.of(*path), f"{label(path)}: {message}"))

    def warning(self, path: tuple[str | int, ...], message: str) -> None:
        self.add("warning", path, message)

    def note(self, path: tuple[str | int, ...], message: str) -> None:
        self.add("note", path, message)


# --- [grammar] ------------------------------------------------------------------------------------


def _check_grammar(fields: Fields, dataset: Dataset | None, out: _Findings) -> None:
    allowed = permitted(fields.operators, fields.forbid)
    for name in fields.forbid:
        if fields.operators is not None and name in fields.operators:
            out.warning(("grammar", "forbid"), f"{name} also stands in operators, but forbid wins")
        elif fields.operators is not None and name not in permitted(fields.operators, ()):
            out.note(("grammar", "forbid"), f"{name} is not among the operators anyway")
    if allowed and not any(ops.BY_NAME[name].arity == 2 for name in allowed):
        key = "operators" if fields.operators is not None else "forbid"
        out.warning(("grammar", key), "no operator with two arguments is allowed, so a formula holds one "
                                      "variable or constant; allow + or *, for instance")
    for outer, inner in fields.nesting.items():
        if outer not in allowed:
            out.note(("grammar", "nesting", outer), f"{outer} is not allowed, so this limit never applies")
        for name in inner:
            if outer in allowed and name not in allowed:
                out.note(("grammar", "nesting", outer), f"{name} is not allowed, so it needs no limit here")
    limit = fields.max_complexity
    if limit is not None:
        n = 2 if dataset is None else len(dataset.names)
        if limit < 3:
            out.warning(("grammar", "max_complexity"), f"{limit} leaves no formula with two variables or "
                                                       "constants, which has at least 3 nodes")
        elif limit < 2 * n - 1:
            out.note(("grammar", "max_complexity"), f"{limit} leaves no formula with all {n} columns, which "
                                                    f"has at least {2 * n - 1} nodes")


# --- [units] against the table --------------------------------------------------------------------


def _check_units(fields: Fields, dataset: Dataset, out: _Findings) -> dict[str, Unit]:
    """Compares names and units with the table's; returns all units known, those of the header filled in."""
    names = (*dataset.names, dataset.target)
    for name in fields.units:
        if name not in names:
            out.warning(("units", name), f"the table has no such column; {_advice(name, names, dataset)}")
    for name in fields.constants:
        if name in names:
            out.add("error", ("constants", name), "the table has a column of this name; rename one of them")
    units = dict(fields.units)
    for name, text in dataset.units.items():
        try:
            header = parse_unit(text, strict_angles=fields.strict_angles)
        except UnitError as error:
            out.add("error", ("units", name), f"the unit in the table's header cannot be used: {error}")
            continue
        if name in units and not same_unit(units[name], header):
            out.add("error", ("units", name), contradiction(units[name], header))
        units.setdefault(name, header)
    if units:
        for name in names:
            if name not in units:
                role, counts = ("target", "may have any") if name == dataset.target else ("column", _PURE)
                out.note(("units",), f"the {role} {name} has no unit and {counts}")
    return units


_PURE = 'counts as a pure number; give its unit, or "1"'


def _advice(name: str, names: Sequence[str], dataset: Dataset) -> str:
    if name in dataset.labels:
        return f"formulas call it {dataset.names[dataset.labels.index(name)]}"
    near = nearest(name, names)
    return f"did you mean {near}?" if near else "its columns are " + ", ".join(names[:20])


def _check_dimensions(fields: Fields, units: Mapping[str, Unit], dataset: Dataset, out: _Findings) -> None:
    """Dimensional analysis; a column without a unit counts as a pure number, a target without one may have any."""
    if dataset.target not in units:
        return
    given = {name: units[name].dimension if name in units else DIMENSIONLESS for name in dataset.names}
    given |= {name: c.unit.dimension for name, c in fields.constants.items() if name not in given}
    goal = units[dataset.target].dimension
    found = analyse(given, goal)
    where = ("units", dataset.target)
    sources = ", ".join(f"{name} [{d}]" for name, d in given.items())
    if found.missing is not None:
        absent = [u for u, a in zip(BASE_UNITS, goal.exponents, strict=True)
                  if a and not any(d.exponents[BASE_UNITS.index(u)] for d in given.values())]
        beside = "" if found.product == "1" else f"beside {found.product} "
        why = f"nothing else carries {' or '.join(absent)}" if absent else (
            f"{beside}a factor in {found.missing} is missing")
        out.warning(where, f"the target's unit {goal} is no product of powers of {sources}: {why}; it takes "
                           f"a constant with a unit such as {found.missing}, in [constants] or fitted")
    elif goal.is_dimensionless and len(found.useless) == len(given):
        out.warning(where, f"the target is dimensionless and no product of powers of {sources} is; only "
                           "constants with units can join them")
        return
    for name in found.useless:
        if name in dataset.names and found.missing is None:
            out.note(("units", name), f"the other units cannot cancel {given[name]}, so {name} can enter "
                                      "only together with a constant that has a unit")


@dataclass(frozen=True)
class Analysis:
    """Which products of powers of given quantities have a wanted dimension.

    ``missing`` is None when one has it, else the dimension that ``product``, a product of powers, falls
    short by. ``useless`` names the quantities whose power is 0 in every such product and in every
    dimensionless one.
    """

    product: str
    missing: Dimension | None
    useless: tuple[str, ...]


def analyse(given: Mapping[str, Dimension], goal: Dimension) -> Analysis:
    """Solves Σ_i p_i·dim_i = ``goal`` for rational powers p, exactly, by Gauss-Jordan elimination."""
    names = list(given)
    n = len(names)
    # Base units foreign to the goal first, so that what is missing is told in the goal's own if possible.
    order = sorted(range(len(BASE_UNITS)), key=lambda k: goal.exponents[k] != 0)
    rows = [[*(given[name].exponents[k] for name in names), goal.exponents[k]] for k in order]
    pivots: list[tuple[int, int]] = []
    for r in range(len(rows)):
        column = next((c for c in range(n) if rows[r][c]), None)
        if column is None:
            continue
        rows[r] = [x / rows[r][column] for x in rows[r]]
        for other in range(len(rows)):
            if other != r and rows[other][column]:
                rows[other] = [x - rows[other][column] * y for x, y in zip(rows[other], rows[r], strict=True)]
        pivots.append((r, column))
    powers = [Fraction(0)] * n
    for r, column in pivots:
        powers[column] = rows[r][n]
    solved = {column for _, column in pivots}
    # A free column makes a dimensionless product with the pivots that have an entry in it.
    useful = {c for c in range(n) if powers[c] or c not in solved}
    useful |= {column for r, column in pivots if any(rows[r][c] for c in range(n) if c not in solved)}
    missing = goal
    for name, power in zip(names, powers, strict=True):
        missing = missing / given[name] ** power
    return Analysis(_product(names, powers), None if missing.is_dimensionless else missing,
                    tuple(name for i, name in enumerate(names) if i not in useful))


def _product(names: Sequence[str], powers: Sequence[Fraction]) -> str:
    parts = list(_factors(names, powers, 1))
    below = list(_factors(names, powers, -1))
    return "/".join(["*".join(parts) or "1", *below])


def _factors(names: Sequence[str], powers: Sequence[Fraction], sign: int) -> Iterator[str]:
    for name, power in zip(names, powers, strict=True):
        p = power * sign
        if p > 0:
            yield name if p == 1 else f"{name}^{p}" if p.denominator == 1 else f"{name}^({p})"
