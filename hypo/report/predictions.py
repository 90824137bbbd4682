"""Predictions written beside the table they were made for."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypo.data.csv_reader import CsvFile
from hypo.errors import DataError

if TYPE_CHECKING:
    from hypo.data import Table


def predictions_csv(table: Table, name: str, values: Sequence[float]) -> str:
    """The file behind ``table`` as comma-separated text with the column ``name`` of ``values`` (n_row,)
    added.

    All columns are kept, those with text too; comments and blank lines are not. Undefined values are empty
    cells. Raises DataError when the file has a column ``name`` already.
    """
    file = CsvFile(table.source)
    header = list(file.header or [f"x{k}" for k in range(file.n_columns)])
    if name in header:
        raise DataError(f'{table.source}: there is a column "{name}" already; rename or remove it')
    lines = file.read(range(file.n_columns), header, skip_text=True)
    numeric = [k for k in range(file.n_columns) if k not in lines.text]
    rows = iter(zip(lines.lines, values, strict=True))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*header, name])
    wanted, value = next(rows)
    for at, line in enumerate(file._open(), start=1):
        if at != wanted:
            continue
        cells = file._split(line.rstrip("\n"), at)
        for k in numeric if file.separator != "," else ():
            cells[k] = cells[k].replace(",", ".")
        writer.writerow([*cells, repr(float(value)) if math.isfinite(value) else ""])
        wanted, value = next(rows, (0, math.nan))
    return stream.getvalue()
