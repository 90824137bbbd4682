"""Reads which numbers may stand in a formula: [grammar] constants and exponents."""

from __future__ import annotations

import math
from typing import Any

from hypo.knowledge.limits import NumberLimits
from hypo.knowledge.text.problems import Report, is_array, is_table, read_number
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import show, suggestion

_KINDS = ("integer", "rational")
_KEYS = ("min", "max", *_KINDS, "values")
_HINT = 'write "integer", "rational", an array of values, or { min = -3, max = 3, integer = true }'


def read_limits(value: Any, key: str, report: Report) -> NumberLimits | None:
    """Limits stated as a table, as a kind in quotes, or as an array of the values allowed; None when there are none."""
    if value is None or isinstance(value, NumberLimits):
        return value
    path: Path = ("grammar", key)
    if is_array(value):
        return _read_table({"values": value}, path, report)
    if isinstance(value, str):
        if value in _KINDS:
            return NumberLimits(kind=value)
        report.add(path, f"expected limits of the {key}, got {show(value)}; {_HINT}")
        return None
    return _read_table(value, path, report) if is_table(value, path, report, _HINT) else None


def _read_table(table: Any, path: Path, report: Report) -> NumberLimits | None:
    known = len(report.problems)
    for name in table:
        if name not in _KEYS:
            report.add((*path, name), f"unknown key; {suggestion(name, _KEYS, 'known keys are ')}")
    low = _read_end(table, "min", -math.inf, path, report)
    high = _read_end(table, "max", math.inf, path, report)
    if low > high:
        report.add(path, f"min = {low:g} is above max = {high:g}, which leaves no number")
    for name in _KINDS:
        if not isinstance(table.get(name, False), bool):
            report.add((*path, name), f"expected true or false, got {show(table[name])}")
    kind = next((name for name in _KINDS if table.get(name) is True), "any")
    around = NumberLimits(low, high, kind)
    values = _read_values(table["values"], (*path, "values"), report) if "values" in table else None
    if len(report.problems) > known:
        return None
    if values is not None and all(around.excess(v) for v in values):
        report.add((*path, "values"), f"none of the values is {around}")
        return None
    return NumberLimits(low, high, kind, values)


def _read_end(table: Any, name: str, default: float, path: Path, report: Report) -> float:
    found = read_number(table[name], (*path, name), report) if name in table else None
    return default if found is None else found


def _read_values(value: Any, path: Path, report: Report) -> tuple[float, ...]:
    if not is_array(value):
        report.add(path, f"expected an array of numbers such as [1, 2, 0.5], got {show(value)}")
        return ()
    if not value:
        report.add(path, "the list is empty; name at least one value")
    found = [read_number(v, (*path, i), report) for i, v in enumerate(value)]
    return tuple(dict.fromkeys(v for v in found if v is not None))
