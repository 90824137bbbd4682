"""Reads the quantities of a knowledge file: [units], [constants] and [ranges]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypo.errors import UnitError
from hypo.knowledge.file.contents import FileContent
from hypo.knowledge.limits import NamedConstant
from hypo.knowledge.text.problems import Report, is_array, is_number, is_table, read_number
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import bare, name_problem, safe_name, show, suggestion
from hypo.units import Unit, parse_unit

UNIT_SETTINGS = ("strict_angles", "hard")


def read_units(table: Any, report: Report, out: FileContent) -> None:
    """[units]: ``name = "unit"`` and the settings."""
    if not is_table(table, ("units",), report, 'write lines such as L = "m"'):
        return
    for key in UNIT_SETTINGS:
        value = table.get(key)
        if value is not None and not isinstance(value, bool):
            report.add(
                ("units", key),
                f"this is a setting, expected true or false, got {show(value)} "
                f"(a column named {key} must be renamed to be given a unit)",
            )
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
        hint = 'write "1" in quotes for a dimensionless quantity' if is_number(value) else 'write "m/s^2"'
        report.add(path, f"expected a unit in quotes, got {show(value)}; {hint}")
        return None
    try:
        return parse_unit(value, strict_angles=strict_angles)
    except UnitError as error:
        report.add(path, " ".join(str(error).split()))
        return None


def read_constants(table: Any, units: Any, report: Report, out: FileContent) -> None:
    """[constants]: ``name = { value = …, unit = "…" }``."""
    example = 'c = { value = 299792458.0, unit = "m/s" }'
    if not is_table(table, ("constants",), report, f"write lines such as {example}"):
        return
    for name, entry in table.items():
        path: Path = ("constants", name)
        known = len(report.problems)
        problem = name_problem(name)
        if problem:
            report.add(path, f"{problem}; choose another name, such as {safe_name(name)}")
        if isinstance(units, Mapping) and name in units:
            report.add(
                path,
                "this name also stands in [units], which is for the target and the columns; "
                "rename the constant, or remove the entry there",
            )
        if isinstance(entry, NamedConstant):
            entry = {"value": entry.value, "unit": entry.unit}
        if not isinstance(entry, Mapping):
            hint = f'{bare(name)} = {{ value = {show(entry)}, unit = "1" }}' if is_number(entry) else example
            report.add(path, f"expected a table with value and unit, got {show(entry)}; write {hint}")
            continue
        for key in entry:
            if key not in ("value", "unit"):
                guess = suggestion(key, ("value", "unit"), "known keys are ")
                report.add((*path, key), f"unknown key; {guess}")
        value = None
        if entry.get("value") is None:
            report.add(path, f"the constant has no value; write {example}")
        else:
            value = read_number(entry["value"], (*path, "value"), report)
        unit = _read_unit(entry.get("unit", ""), (*path, "unit"), report, out.strict_angles)
        if len(report.problems) == known and value is not None and unit is not None:
            out.constants[name] = NamedConstant(value, unit)


def read_ranges(table: Any, report: Report, out: FileContent) -> None:
    """[ranges]: ``name = [least, greatest]``."""
    example = "L = [0.1, 10.0]"
    if not is_table(table, ("ranges",), report, f"write lines such as {example}"):
        return
    for name, ends in table.items():
        path: Path = ("ranges", name)
        problem = name_problem(name)
        if problem:
            report.add(path, f"{problem}; hypo calls such a column {safe_name(name)}")
        elif name in out.constants:
            report.add(path, "this name is a constant in [constants], which has one value; ranges are for columns")
        else:
            found = read_interval(ends, path, report, f"{bare(name)} = [0.1, 10.0]")
            if found is not None:
                out.ranges[name] = found


def read_interval(ends: Any, path: Path, report: Report, example: str) -> tuple[float, float] | None:
    """``[least, greatest]``, both finite and in this order."""
    if not is_array(ends) or len(ends) != 2:
        report.add(path, f"expected an array of two numbers, least and greatest, got {show(ends)}; write {example}")
        return None
    if any(is_number(end) and float_or_inf(end) in (float("inf"), float("-inf")) for end in ends):
        report.add(path, 'expected finite ends; what holds towards infinity is a rule of kind "limit" or "growth"')
        return None
    low, high = (read_number(end, path, report) for end in ends)
    if low is None or high is None:
        return None
    if not low < high:
        report.add(
            path,
            f"expected the least value first, got [{low:g}, {high:g}]"
            + ("; a range needs two different ends" if low == high else ""),
        )
        return None
    return low, high


def float_or_inf(value: Any) -> float:
    """``value`` as a float; a whole number too large for one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_same_unit(a: Unit, b: Unit) -> bool:
    """True if two units mean the same, however written."""
    return a.dimension == b.dimension and math.isclose(a.factor, b.factor, rel_tol=1e-9)


def describe_unit_conflict(stated: Unit, header: Unit) -> str:
    """Why the unit of the knowledge file and that of the table's header cannot both be right."""
    return (
        f'"{stated.text}" contradicts the unit [{header.text}] in the table\'s header; '
        "correct one of them, or leave it out here"
    )
