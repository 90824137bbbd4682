"""Courses of inputs that users give as tables: their own times and units become those of the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data import read_table
from hypo.data.columns import TableColumns
from hypo.dynamics.model.fields import ModelFields
from hypo.errors import InputError
from hypo.units.parser import parse_unit

Values = NDArray[np.float64]


@dataclass(frozen=True)
class InputTable:
    """Inputs (n, n_action) at the moments ``time`` (n,), in the model's units."""

    time: Values
    values: Values


def is_table(model: ModelFields, actions: Any) -> bool:
    """True for a path, and for a frame or mapping with a column of times."""
    if isinstance(actions, str | os.PathLike):
        return True
    return has_names(actions) and any(c.name == model.data.time for c in _columns_of(actions))


def find_columns(model: ModelFields, actions: Any) -> dict[str, Any]:
    """The keys of a frame or mapping by the names of inputs, and of time where it is there.

    Raises:
        InputError: an input is missing or unknown.
    """
    names, keys = model.actions, list(actions.columns if hasattr(actions, "columns") else actions)
    found = {c.name: keys[c.position] for c in _columns_of(actions)}
    unknown = [name for name in found if name not in (*names, model.data.time)]
    missing = [name for name in names if name not in found]
    if unknown or missing:
        wrong = f'"{unknown[0]}" is no input' if unknown else f'there is no "{missing[0]}" among actions'
        raise InputError(f"{wrong}; the inputs of the laws are {', '.join(names)}")
    return found


def read_input_table(model: ModelFields, actions: Any) -> InputTable:
    """The table of inputs.

    Args:
        model: the world model.
        actions: the path of a CSV file, or a frame or mapping with a column of times. Units in headers, as in ``u [L/min]``,
            are converted to those of the model; numbers without a unit are in these.

    Raises:
        InputError: a column is missing or unknown, holds no numbers, has another kind of unit, or times go back.
        DataError: the file cannot be read.
    """
    clock, names = model.data.time, model.actions
    if isinstance(actions, str | os.PathLike):
        table = read_table(actions)
        source, units = table.source, dict(table.units)
        columns: dict[str, Any] = {table.aliases.get(name, name): v for name, v in table.columns.items()}
        missing = [name for name in (clock, *names) if name not in columns]
        if missing:
            raise InputError(
                f"{source}: there is no column of numbers called {missing[0]}; such columns are {', '.join(table.labels)}"
            )
    else:
        source, keys = "actions", find_columns(model, actions)
        units = {c.name: c.unit for c in _columns_of(actions) if c.unit is not None}
        columns = {name: actions[key] for name, key in keys.items()}
    numbers = [_as_numbers(source, name, columns[name]) for name in (clock, *names)]
    if len({len(column) for column in numbers}) > 1 or not len(numbers[0]):
        raise InputError(
            f"{source}: the columns {', '.join((clock, *names))} must have as many rows each, and one at least"
        )
    converted = [
        column * _factor(model, source, name, units.get(name))
        for name, column in zip((clock, *names), numbers, strict=True)
    ]
    if np.any(np.diff(converted[0]) < 0):
        raise InputError(f'{source}: times go back in the column "{clock}"; sort its rows')
    return InputTable(converted[0], np.column_stack(converted[1:]))


def has_names(actions: Any) -> bool:
    """True for a frame or a mapping."""
    return hasattr(actions, "columns") or isinstance(actions, Mapping)


def _columns_of(actions: Any) -> TableColumns:
    """Names and units of the columns of a frame or mapping."""
    keys = list(actions.columns if hasattr(actions, "columns") else actions)
    return TableColumns([str(key) for key in keys], source="actions", place="actions")


def _as_numbers(source: str, name: str, column: Any) -> Values:
    try:
        out = np.asarray(column, float).ravel()
    except (TypeError, ValueError):
        raise InputError(f'{source}: the column "{name}" must hold numbers, got {column!r:.40}') from None
    bad = np.flatnonzero(~np.isfinite(out))
    if len(bad):
        raise InputError(f'{source}: the column "{name}" has no number in row {bad[0]} (from 0); fill it in')
    return out


def _factor(model: ModelFields, source: str, name: str, given: str | None) -> float:
    """The factor that takes numbers of a column to the model's unit."""
    own = model.data.units.get(name)
    if given is None or given == own:
        return 1.0
    if own is None:
        raise InputError(
            f'{source}: the column "{name}" is in {given}, but {name} of the model has no unit; give the numbers as the data '
            "of the model have them, without a unit in the header"
        )
    have, want = parse_unit(given), parse_unit(own)
    if have.dimension != want.dimension:
        raise InputError(
            f'{source}: the column "{name}" is in {given}, which cannot be converted to {own}, the model\'s unit'
        )
    return have.factor / want.factor
