"""New tables: the columns a formula needs of them, and predictions written beside them."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data import Table, read_table
from hypo.data.columns import TableColumns
from hypo.data.csv_reader import CsvFile
from hypo.data.roles import vector
from hypo.errors import DataError, UnitError
from hypo.units import parse_unit

_KELVIN = parse_unit("K").dimension


def predictions_csv(table: Table, columns: Mapping[str, NDArray[np.float64] | Sequence[str]]) -> str:
    """The file behind ``table`` as comma-separated text with ``columns`` of values or texts (n_row,) added, by name.

    All columns are kept, those with text too; comments and blank lines are not. Undefined values are empty
    cells. Raises DataError when the file has a column of such a name already.
    """
    file = table.file or CsvFile(table.source)
    header = list(file.header or [f"x{k}" for k in range(file.n_columns)])
    for name in columns:
        if name not in header:
            continue
        raise DataError(f'{table.source}: there is a column "{name}" already; rename or remove it')
    lines = file.read(range(file.n_columns), header, skip_text=True)
    numeric = [k for k in range(file.n_columns) if k not in lines.text]
    rows = iter(zip(lines.lines, zip(*columns.values(), strict=True), strict=True))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*header, *columns])
    wanted, values = next(rows)
    for at, line in enumerate(file.lines(), start=1):
        if at != wanted:
            continue
        cells = file.split(line.rstrip("\n"), at)
        for k in numeric:
            cells[k] = file.plain(cells[k])
        writer.writerow([*cells, *map(_cell, values)])
        wanted, values = next(rows, (0, values))
    return stream.getvalue()


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return repr(float(value)) if math.isfinite(value) else ""


def new_columns(
    data: Any, needed: Sequence[str], units: Mapping[str, str], thousands: str | None = None
) -> NDArray[np.float64]:
    """Columns ``needed`` of a data frame, mapping, or CSV file (by path) in ``units``, shape (n_row,
    len(needed)).

    ``thousands`` is the mark between thousands in a file. A header with another unit of the same dimension (``L [cm]`` where
    the law was found in m) is converted.
    Raises DataError when a column is missing, holds text, or has a unit of another dimension.
    """
    if isinstance(data, str | os.PathLike):
        data = read_table(data, thousands)
    if isinstance(data, Table):
        place = data.source
        needed_here = [name if name in data.columns else data.aliases.get(name, name) for name in needed]
        missing = [name for name in needed_here if name not in data.columns]
        if missing:
            why = "".join(f"; {note}" for note in data.notes)
            raise DataError(
                f"{place}: the formula needs the column {missing[0]}, but the columns of numbers are "
                f"{', '.join(data.names) or 'none'}{why}"
            )
        found = [(data.columns[name], data.units.get(name)) for name in needed_here]
        n_row = data.n_row
    else:
        place = "the data"
        keys = list(data.columns if hasattr(data, "columns") else data)
        columns = TableColumns([str(key) for key in keys], source=place, place=place, lenient=True)
        chosen = [columns.find(name, "variable") for name in needed]
        found = [(vector(f'column "{c.label}"', data[keys[c.position]]), c.unit) for c in chosen]
        n_row = len(data) if hasattr(data, "columns") else max((np.size(v) for v in data.values()), default=0)
    out = np.empty((n_row, len(needed)))
    for k, (name, (values, unit)) in enumerate(zip(needed, found, strict=True)):
        if len(values) != n_row:
            raise DataError(f"{place}: the column {name} has {len(values)} values, but others have {n_row}")
        out[:, k] = values * _conversion(place, name, unit, units.get(name))
    return out


def _conversion(place: str, name: str, given: str | None, wanted: str | None) -> float:
    """The factor from the unit in a new table's header to the unit the law was found in."""
    if given is None or wanted is None or given == wanted:
        return 1.0
    try:
        a, b = parse_unit(given), parse_unit(wanted)
    except UnitError as error:
        raise DataError(f"{place}, column {name}: {error}") from None
    if a.dimension != b.dimension:
        raise DataError(
            f"{place}: the column {name} is in {given}, but the law was found with {wanted}; "
            "convert it or correct the header"
        )
    if _is_difference(given) != _is_difference(wanted) and a.dimension == _KELVIN:
        raise DataError(
            f"{place}: the column {name} is in {given}, but the law was found with {wanted}, and a temperature and a "
            f"difference of two have different zeros; give what the fit had, and write [{wanted}]"
        )
    return a.factor / b.factor


def _is_difference(unit: str) -> bool:
    """True where a unit of temperature is one of differences."""
    return "delta_" in unit
