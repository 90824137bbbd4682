"""Checks what a knowledge file or dictionary states, key by key, and collects every problem."""

from __future__ import annotations

import math
import numbers
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path as FilePath
from typing import Any

from hypo.errors import KnowledgeError, UnitError
from hypo.expression import ops
from hypo.knowledge.toml_lines import Lines, Path, find_lines
from hypo.knowledge.words import bare, join, kind, label, name_problem, nearest, safe_name, show, suggestion
from hypo.units import Unit, parse_unit

SECTIONS = ("units", "constants", "grammar")
GRAMMAR_KEYS = ("operators", "forbid", "max_complexity", "nesting")
UNIT_SETTINGS = ("strict_angles", "hard")
NOT_YET = ("ranges", "template", "rule", "priors")
GRAMMAR_NOT_YET = ("must_use", "must_not_use", "only", "priors")

# A short form adds nothing that its sources cannot write: -x is 0 - x, 1/x a division, x**2 a product.
SOURCES: dict[str, tuple[str, ...]] = {
    "neg": ("-",), "inv": ("/",), "square": ("*", "**"), "cube": ("*", "**"), "cbrt": ("**",),
}

@dataclass(frozen=True)
class NamedConstant:
    """A known quantity that formulas may use by name: its ``value`` in its ``unit``."""

    value: float
    unit: Unit


@dataclass(frozen=True)
class Problem:
    """One thing wrong, with its line in the file (None when it has no line)."""

    line: int | None
    message: str


@dataclass
class Fields:
    """The checked content of a knowledge file."""

    units: dict[str, Unit] = field(default_factory=dict)
    constants: dict[str, NamedConstant] = field(default_factory=dict)
    operators: tuple[str, ...] | None = None
    forbid: tuple[str, ...] = ()
    max_complexity: int | None = None
    nesting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strict_angles: bool = False
    soft: bool = False


@dataclass
class Report:
    """The problems found so far; ``lines`` is None for a dictionary, which has no lines."""

    source: str
    lines: Lines | None = None
    problems: list[Problem] = field(default_factory=list)
    unreadable: bool = False

    def refuse(self, line: int | None, message: str) -> None:
        """Notes why nothing of the file can be read."""
        self.unreadable = True
        self.problems.append(Problem(line, message))

    def add(self, path: Path, message: str) -> None:
        """Notes a problem at the key ``path``."""
        line = None if self.lines is None else self.lines.of(*path)
        self.problems.append(Problem(line, f"{label(path)}: {message}" if path else message))

    def raise_if_any(self) -> None:
        """Raises KnowledgeError with one line per problem, also kept apart in its ``problems``."""
        if self.problems:
            ordered = sorted(self.problems, key=lambda p: p.line or 0)
            texts = tuple(f"{self.source}:{p.line}: {p.message}" if p.line else f"{self.source}: {p.message}"
                          for p in ordered)
            error = KnowledgeError("\n".join(texts))
            error.__dict__["problems"] = texts
            raise error


def read_file(path: str | PathLike[str]) -> tuple[Fields, Report]:
    """The content of a knowledge file as far as it can be read, and its problems; never raises."""
    report = Report(str(path))
    try:
        raw = FilePath(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        report.refuse(None, f"cannot read the knowledge file: {reason}")
        return Fields(), report
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        report.refuse(line, f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8")
        return Fields(), report
    report.lines = find_lines(text)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        report.refuse(1, "arrays or tables are nested too deeply")
    except ValueError as error:
        report.refuse(*_syntax_problem(text, str(error), report.lines))
    else:
        return read_sections(data, report), report
    return Fields(), report


def read_sections(data: Any, report: Report) -> Fields:
    """Checks ``data``, a table of sections; what is wrong goes to ``report`` and is left out."""
    out = Fields()
    if not _is_table(data, (), report, f"write the sections {join(f'[{s}]' for s in SECTIONS)}"):
        return out
    for section in data:
        if section in NOT_YET:
            report.add((section,), "this section is not supported yet; remove it (supported are "
                                   f"{join(f'[{s}]' for s in SECTIONS)})")
        elif section not in SECTIONS:
            home = _home(section)
            guess = suggestion(section, SECTIONS, "known sections are ")
            report.add((section,), f"unknown section; {f'it belongs into [{home}]' if home else guess}")
    _read_units(data.get("units", {}), report, out)
    _read_constants(data.get("constants", {}), data.get("units", {}), report, out)
    _read_grammar(data.get("grammar", {}), report, out)
    return out


# --- [units] and [constants] ----------------------------------------------------------------------


def _read_units(table: Any, report: Report, out: Fields) -> None:
    if not _is_table(table, ("units",), report, 'write lines such as L = "m"'):
        return
    for key in UNIT_SETTINGS:
        value = table.get(key)
        if value is not None and not isinstance(value, bool):
            report.add(("units", key), f"this is a setting, expected true or false, got {show(value)} "
                                       f"(a column named {key} must be renamed to be given a unit)")
    out.strict_angles = table.get("strict_angles") is True
    out.soft = table.get("hard") is False
    for name, value in table.items():
        if name in UNIT_SETTINGS:
            continue
        path = ("units", name)
        problem = name_problem(name)
        if problem:
            report.add(path, f"{problem}; hypo calls such a column {safe_name(name)}")
        unit = _read_unit(value, path, report, out.strict_angles)
        if unit is not None and not problem:
            out.units[name] = unit


def _read_unit(value: Any, path: Path, report: Report, strict_angles: bool) -> Unit | None:
    if isinstance(value, Unit):
        return value
    if not isinstance(value, str):
        hint = 'write "1" in quotes for a dimensionless quantity' if _is_number(value) else 'write "m/s^2"'
        report.add(path, f"expected a unit in quotes, got {show(value)}; {hint}")
        return None
    try:
        return parse_unit(value, strict_angles=strict_angles)
    except UnitError as error:
        report.add(path, " ".join(str(error).split()))
        return None


def _read_constants(table: Any, units: Any, report: Report, out: Fields) -> None:
    example = 'c = { value = 299792458.0, unit = "m/s" }'
    if not _is_table(table, ("constants",), report, f"write lines such as {example}"):
        return
    for name, entry in table.items():
        path: Path = ("constants", name)
        known = len(report.problems)
        problem = name_problem(name)
        if problem:
            report.add(path, f"{problem}; choose another name, such as {safe_name(name)}")
        if isinstance(units, Mapping) and name in units:
            report.add(path, "this name also stands in [units], which is for the target and the columns; "
                             "rename the constant, or remove the entry there")
        if isinstance(entry, NamedConstant):
            entry = {"value": entry.value, "unit": entry.unit}
        if not isinstance(entry, Mapping):
            hint = f'{bare(name)} = {{ value = {show(entry)}, unit = "1" }}' if _is_number(entry) else example
            report.add(path, f"expected a table with value and unit, got {show(entry)}; write {hint}")
            continue
        for key in entry:
            if key not in ("value", "unit"):
                guess = suggestion(key, ("value", "unit"), "known keys are ")
                report.add((*path, key), f"unknown key; {guess}")
        value = entry.get("value")
        if value is None:
            report.add(path, f"the constant has no value; write {example}")
        elif not _is_number(value):
            report.add((*path, "value"), f"expected a number, got {show(value)}")
        elif not _is_finite(value):
            report.add((*path, "value"), f"expected a finite number, got {show(value)}")
        unit = _read_unit(entry.get("unit", ""), (*path, "unit"), report, out.strict_angles)
        if len(report.problems) == known and value is not None and unit is not None:
            out.constants[name] = NamedConstant(float(value), unit)


# --- [grammar] ------------------------------------------------------------------------------------


def _read_grammar(table: Any, report: Report, out: Fields) -> None:
    if not _is_table(table, ("grammar",), report, 'write lines such as operators = ["+", "*", "sin"]'):
        return
    for key in table:
        if key in GRAMMAR_NOT_YET:
            report.add(("grammar", key), "this key is not supported yet; remove it "
                                         f"(supported are {join(GRAMMAR_KEYS)})")
        elif key not in GRAMMAR_KEYS:
            hint = suggestion(key, GRAMMAR_KEYS, "known keys are ")
            if key in SECTIONS:
                hint = f"[{key}] is a section of its own"
            report.add(("grammar", key), f"unknown key; {hint}")
    known = len(report.problems)
    if table.get("operators") is not None:
        out.operators = _read_operators(table["operators"], ("grammar", "operators"), report)
        if not out.operators and len(report.problems) == known:
            report.add(("grammar", "operators"), "the list is empty; name at least one operator, "
                                                 "or leave the key out to allow all")
    out.forbid = _read_operators(table.get("forbid", ()), ("grammar", "forbid"), report)
    if len(report.problems) == known and not permitted(out.operators, out.forbid):
        report.add(("grammar", "forbid"), "this forbids every operator allowed; leave at least one")
    limit = table.get("max_complexity")
    if limit is not None:
        if isinstance(limit, bool) or not isinstance(limit, numbers.Integral) or limit < 1:
            report.add(("grammar", "max_complexity"), "expected a whole number of nodes, at least 1, "
                                                      f"got {show(limit)}")
        else:
            out.max_complexity = int(limit)
    _read_nesting(table.get("nesting", {}), report, out)


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


def _read_nesting(table: Any, report: Report, out: Fields) -> None:
    if not _is_table(table, ("grammar", "nesting"), report, 'write lines such as sin = ["sin", "exp"]'):
        return
    for outer, inner in table.items():
        path: Path = ("grammar", "nesting", outer)
        name = _read_operator(outer, path, report)
        banned = _read_operators(inner, path, report)
        if name is not None and name in out.nesting:
            report.add(path, f"{show(outer)} is another spelling of {show(name)}, which stands here too; "
                             "put both into one list")
        elif name is not None:
            out.nesting[name] = banned


def permitted(operators: Iterable[str] | None, forbid: Iterable[str]) -> frozenset[str]:
    """The operators a formula may use: those given (None: all) less those forbidden.

    A short form of ``SOURCES`` is permitted when it is listed itself or one of its sources is permitted; so
    ``*`` brings ``square``, and forbidding ``/`` forbids ``inv``. ``cbrt`` is a function of its own where
    all operators are allowed. A short form that is forbidden by name always is.
    """
    banned = frozenset(forbid)
    own = frozenset(ops.BY_NAME) - (SOURCES.keys() - {"cbrt"})
    base = (own if operators is None else frozenset(operators)) - banned
    return base | {s for s, sources in SOURCES.items() if s not in banned and not base.isdisjoint(sources)}


# --- helpers -------------------------------------------------------------------------------------


def _home(key: Any) -> str | None:
    """The section of a key that was written at the top of the file."""
    if key in GRAMMAR_KEYS or key in GRAMMAR_NOT_YET:
        return "grammar"
    return "units" if key in UNIT_SETTINGS else None


def _is_table(value: Any, path: Path, report: Report, hint: str) -> bool:
    if not isinstance(value, Mapping):
        report.add(path, f"expected a table, got {kind(value)}; {hint}")
        return False
    odd = [k for k in value if not isinstance(k, str)]
    if odd:
        report.add(path, f"a key must be text, got {show(odd[0])}; {hint}")
    return not odd


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _syntax_problem(text: str, message: str, lines: Lines) -> tuple[int, str]:
    """tomllib's message as line and one sentence; a repeated key is named with both its lines."""
    at = re.search(r"\s*\(at line (\d+), column (\d+)\)\s*$", message)
    if re.match(r"Cannot (overwrite|declare)", message) and lines.repeated:
        path, first, second = lines.repeated[0]
        return second, f"{label(path)}: stands here twice, first on line {first}; keep one"
    what = re.sub(r"\s*\(at .*\)\s*$", "", message) or "the text cannot be read"
    what = what[0].lower() + what[1:]
    if at:
        return int(at[1]), f"not valid TOML at column {at[2]}: {what}"
    last = text.rstrip("\n").split("\n")
    return len(last), f"not valid TOML at column {len(last[-1]) + 1}, the end of the file: {what}"
