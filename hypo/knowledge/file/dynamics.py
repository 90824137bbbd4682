"""Reads [dynamics]: what is known of the laws of motion of several states together."""

from __future__ import annotations

from typing import Any

from hypo.errors import FormulaError
from hypo.knowledge.motion import MotionKnowledge, names_of, read_side
from hypo.knowledge.text.problems import Report, is_array, is_table
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import kind, show, suggestion

LISTS = ("positive", "conserved", "decreasing", "linear_inputs")
BY_STATE = ("must_use", "must_not_use")
KEYS = (*LISTS, "exchange", *BY_STATE)
_HINT = 'write lines such as v = "-g/L*sin(x) + h(x, v)" or positive = ["x"]'


def read_dynamics(table: Any, report: Report) -> MotionKnowledge | None:
    """[dynamics]; text at any other key is the right-hand side of the state of that name. None: there is no such section."""
    if table is None or isinstance(table, MotionKnowledge):
        return table
    if not is_table(table, ("dynamics",), report, _HINT):
        return None
    rates = {}
    for key, value in table.items():
        if key in KEYS:
            continue
        if isinstance(value, str):
            if _is_readable(value, ("dynamics", key), report):
                rates[key] = value
        else:
            report.add(
                ("dynamics", key),
                f"unknown key; {suggestion(key, KEYS, 'known keys are ')}; a right-hand side stands in quotes",
            )
    lists = {key: _read_names(table.get(key), ("dynamics", key), report) for key in LISTS}
    for key in ("conserved", "decreasing"):
        lists[key] = tuple(text for text in lists[key] if _is_quantity(text, ("dynamics", key), report))
    by_state = {key: _read_by_state(table.get(key), ("dynamics", key), report) for key in BY_STATE}
    for state, names in by_state["must_use"].items():
        for name in sorted(set(names) & set(by_state["must_not_use"].get(state, ()))):
            report.add(("dynamics", "must_not_use", state), f"{name} also stands in must_use of {state}; keep one")
    return MotionKnowledge(
        rates=rates,
        positive=lists["positive"],
        conserved=lists["conserved"],
        decreasing=lists["decreasing"],
        exchange=_read_pairs(table.get("exchange"), report),
        linear_inputs=lists["linear_inputs"],
        must_use=by_state["must_use"],
        must_not_use=by_state["must_not_use"],
    )


def _is_readable(text: str, path: Path, report: Report) -> bool:
    try:
        read_side(text)
    except FormulaError as error:
        report.add(path, str(error))
        return False
    return True


def _is_quantity(text: str, path: Path, report: Report) -> bool:
    try:
        if names_of(text):
            return True
        report.add(path, f'{show(text)} contains no state; write a formula such as "x + y"')
    except FormulaError as error:
        report.add(path, f"{show(text)}: {error}")
    return False


def _read_names(value: Any, path: Path, report: Report) -> tuple[str, ...]:
    """A list of texts; one text counts as a list of one."""
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) else value
    if not is_array(listed):
        report.add(path, f'expected a list such as ["x", "y"], got {kind(value)}')
        return ()
    for each in listed:
        if not isinstance(each, str):
            report.add(path, f"expected text in quotes, got {show(each)}")
    return tuple(dict.fromkeys(each for each in listed if isinstance(each, str)))


def _read_by_state(table: Any, path: Path, report: Report) -> dict[str, tuple[str, ...]]:
    if table is None or not is_table(table, path, report, 'write lines such as v = ["x"]'):
        return {}
    return {state: _read_names(names, (*path, state), report) for state, names in table.items()}


def _read_pairs(value: Any, report: Report) -> tuple[tuple[str, str], ...]:
    path: Path = ("dynamics", "exchange")
    if value is None:
        return ()
    if is_array(value) and len(value) == 2 and all(isinstance(each, str) for each in value):
        value = [value]
    pairs = []
    for each in value if is_array(value) else [value]:
        names = tuple(each) if is_array(each) else ()
        if len(names) == 2 and all(isinstance(name, str) for name in names) and names[0] != names[1]:
            pairs.append((names[0], names[1]))
        else:
            report.add(path, f'expected pairs of two states such as [["x", "y"]], got {show(each)}')
    return tuple(pairs)
