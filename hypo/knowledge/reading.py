"""Checks what a knowledge file or dictionary states, key by key, and collects every problem before it gives up."""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from hypo.data.columns import identifier
from hypo.errors import KnowledgeError, UnitError
from hypo.expression import ops
from hypo.knowledge.toml_lines import Lines, Path, find_lines
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

_TYPE_NAMES: dict[type, str] = {
    bool: "true/false", int: "a whole number", float: "a number", str: "a string", list: "an array", tuple: "an array",
    dict: "a table",
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


def read_file(path: str | FilePath) -> tuple[Fields, Report]:
    """The content of a knowledge file as far as it can be read, and its problems; never raises for a bad file."""
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
    """Checks ``data``, a table of sections; what is wrong goes to ``report`` and is left out of the result."""
    out = Fields()
    if not isinstance(data, Mapping):
        report.add((), f"expected a table with the sections {_join(SECTIONS)}, got {_kind(data)}")
        return out
    for section in data:
        if section in NOT_YET:
            report.add((section,), "this section is not supported yet; remove it "
                                   f"(supported are {_join(f'[{s}]' for s in SECTIONS)})")
        elif section not in SECTIONS:
            home = _home(section)
            hint = f"it belongs into [{home}]" if home else _near(section, SECTIONS, "known sections are ")
            report.add((section,), f"unknown section; {hint}")
    _read_units(data.get("units", {}), report, out)
    _read_constants(data.get("constants", {}), report, out)
    _read_grammar(data.get("grammar", {}), report, out)
    return out


# --- [units] and [constants] ----------------------------------------------------------------------


def _read_units(table: Any, report: Report, out: Fields) -> None:
    if not _is_table(table, ("units",), report, 'write lines such as L = "m"'):
        return
    for key in UNIT_SETTINGS:
        value = table.get(key)
        if value is not None and not isinstance(value, bool):
            report.add(("units", key), f"this is a setting, expected true or false, got {_show(value)} "
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
        hint = 'write "1" in quotes for a dimensionless quantity' if _is_number(value) else 'a string such as "m/s^2"'
        report.add(path, f"expected a unit, got {_show(value)}; {hint}")
        return None
    try:
        return parse_unit(value, strict_angles=strict_angles)
    except UnitError as error:
        report.add(path, " ".join(str(error).split()))
        return None


def _read_constants(table: Any, report: Report, out: Fields) -> None:
    example = 'c = { value = 299792458.0, unit = "m/s" }'
    if not _is_table(table, ("constants",), report, f"write lines such as {example}"):
        return
    for name, entry in table.items():
        path: Path = ("constants", name)
        known = len(report.problems)
        problem = name_problem(name)
        if problem:
            report.add(path, f"{problem}; choose another name, such as {safe_name(name)}")
        if name in out.units:
            report.add(path, "this name also stands in [units], which is for the target and the columns; "
                             "rename the constant, or remove the entry there")
        if isinstance(entry, NamedConstant):
            entry = {"value": entry.value, "unit": entry.unit}
        if not isinstance(entry, Mapping):
            hint = f'{_key(name)} = {{ value = {entry}, unit = "1" }}' if _is_number(entry) else example
            report.add(path, f"expected a table with value and unit, got {_show(entry)}; write {hint}")
            continue
        for key in entry:
            if key not in ("value", "unit"):
                report.add((*path, key), f"unknown key; {_near(key, ('value', 'unit'), 'known keys are ')}")
        value = entry.get("value")
        if value is None:
            report.add(path, f"the constant has no value; write {example}")
        elif not _is_number(value):
            report.add((*path, "value"), f"expected a number, got {_show(value)}")
        elif not _is_finite(value):
            report.add((*path, "value"), f"expected a finite number, got {_show(value)}")
        unit = _read_unit(entry.get("unit", ""), (*path, "unit"), report, out.strict_angles)
        if len(report.problems) == known and unit is not None:
            out.constants[name] = NamedConstant(float(value), unit)


# --- [grammar] ------------------------------------------------------------------------------------


def _read_grammar(table: Any, report: Report, out: Fields) -> None:
    if not _is_table(table, ("grammar",), report, 'write lines such as operators = ["+", "*", "sin"]'):
        return
    for key in table:
        if key in GRAMMAR_NOT_YET:
            report.add(("grammar", key), "this key is not supported yet; remove it "
                                         f"(supported are {_join(GRAMMAR_KEYS)})")
        elif key not in GRAMMAR_KEYS:
            home = key if key in SECTIONS else None
            hint = f"[{home}] is a section of its own" if home else _near(key, GRAMMAR_KEYS, "known keys are ")
            report.add(("grammar", key), f"unknown key; {hint}")
    known = len(report.problems)
    if table.get("operators") is not None:
        out.operators = _read_operators(table["operators"], ("grammar", "operators"), report)
        if not out.operators and len(report.problems) == known:
            report.add(("grammar", "operators"), "the list is empty; name at least one operator, "
                                                 "or leave the key out to allow all")
    out.forbid = _read_operators(table.get("forbid", ()), ("grammar", "forbid"), report)
    if len(report.problems) == known and not permitted(out.operators, out.forbid):
        report.add(("grammar", "forbid"), "this forbids every operator that operators allows; leave at least one")
    limit = table.get("max_complexity")
    if limit is not None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            report.add(("grammar", "max_complexity"), "expected a whole number of nodes, at least 1, "
                                                      f"got {_show(limit)}")
        else:
            out.max_complexity = limit
    _read_nesting(table.get("nesting", {}), report, out)


def _read_operators(value: Any, path: Path, report: Report) -> tuple[str, ...]:
    """Table names in the order given, each once."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        report.add(path, f'expected an array of operators such as ["+", "*", "sin"], got {_show(value)}')
        return ()
    found: dict[str, None] = {}
    for i, name in enumerate(value):
        row = _read_operator(name, (*path, i), report)
        if row is not None:
            found[row] = None
    return tuple(found)


def _read_operator(name: Any, path: Path, report: Report) -> str | None:
    if not isinstance(name, str):
        report.add(path, f"expected an operator's name in quotes, got {_show(name)}")
        return None
    row = ops.lookup(name.strip())
    if row is None:
        valid = "valid are " + " ".join(ops.BY_NAME)
        near = difflib.get_close_matches(name[:40].lower(), [*ops.BY_NAME, *ops.ALIASES], 1)
        report.add(path, f"unknown operator {_show(name)}; " + (f"did you mean {_show(near[0])}? " if near else "")
                   + valid)
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
            report.add(path, f"{_show(outer)} is another spelling of {_show(name)}, which stands here already; "
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
    if operators is None:
        listed = frozenset(ops.BY_NAME) - (SOURCES.keys() - {"cbrt"})
    else:
        listed = frozenset(operators)
    base = listed - banned
    return base | {s for s, sources in SOURCES.items() if s not in banned and not base.isdisjoint(sources)}


# --- names and words ------------------------------------------------------------------------------


def name_problem(name: Any) -> str | None:
    """Why ``name`` cannot stand in a formula, or None."""
    if not isinstance(name, str):
        return f"a name must be text, got {_show(name)}"
    if name == "pi":
        return "pi is a known constant, not a free name"
    if ops.lookup(name) is not None:
        return f"{_show(name)} is an operator, not a free name"
    if identifier(name, 0) != name:
        return f"{_show(name)} cannot be a name in a formula (letters, digits and _, no digit first, no keyword of Python)"
    return None


def safe_name(name: Any) -> str:
    """The name that a column with this header gets."""
    return identifier(str(name)[:60], 0)


def label(path: Path) -> str:
    """How a message names a key: ``[grammar.nesting] sin``, ``[constants] c.value``."""
    keys = [_key(k) for k in path if isinstance(k, str)]
    depth = 2 if keys[:2] == ["grammar", "nesting"] else 1
    rest = ".".join(keys[depth:])
    return f"[{'.'.join(keys[:depth])}] {rest}".strip()


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """The known name closest to ``word``, if one is close; upper and lower case count as close."""
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(str(word)[:40].lower(), by_lower, 1)
    return by_lower[found[0]] if found else None


def _near(word: Any, known: Sequence[str], otherwise: str) -> str:
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise + _join(known)


def _home(key: Any) -> str | None:
    """The section of a key that was written at the top of the file."""
    if key in GRAMMAR_KEYS or key in GRAMMAR_NOT_YET:
        return "grammar"
    return "units" if key in UNIT_SETTINGS else None


def _is_table(value: Any, path: Path, report: Report, hint: str) -> bool:
    if isinstance(value, Mapping):
        return True
    report.add(path, f"expected a table, got {_kind(value)}; {hint}")
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _kind(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")


def _show(value: Any) -> str:
    """The value as TOML writes it when short, else its kind."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:37] + "...", ensure_ascii=False)
    if isinstance(value, int | float):
        return f"{value:.17g}" if isinstance(value, float) else str(value) if abs(value) < 1e30 else "a huge number"
    return _kind(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,60}", key) else _show(key)


def _join(words: Iterable[str]) -> str:
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


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
