"""Predictions written beside the rows of a new table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.data import Table
from hypo.data.csv_reader import CsvFile
from hypo.errors import DataError


def write_predictions(table: Table, columns: Mapping[str, NDArray[np.float64] | Sequence[str]]) -> str:
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
