"""The ways to a Dataset: CSV files, data frames and arrays; and tables to predict for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data.cells import CellKind
from hypo.data.columns import Column, TableColumns
from hypo.data.csv_reader import CsvFile
from hypo.data.dataset import Dataset, Table
from hypo.data.frames import FrameReader, FrameText
from hypo.data.make_dataset import Origin, make_dataset
from hypo.data.roles import FOLDS, ColumnRoles, as_numbers, as_vector
from hypo.errors import DataError, UnitError
from hypo.keywords import check_keywords
from hypo.units import parse_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hypo.data.roles import Noise


@check_keywords(name="hypo.read_csv")
def read_csv(
    path: str | os.PathLike[str],
    target: str | int,
    *,
    features: Sequence[str] | None = None,
    sigma: Noise = None,
    weights: str | None = None,
    drop_missing: bool = False,
    trials: Noise = None,
    censored: Noise = None,
    lower: Noise = None,
    upper: Noise = None,
    x_sigma: Mapping[str, Noise] | None = None,
    folds: str | int | None = None,
    exclude: Sequence[str] | str | None = None,
    thousands: str | None = None,
) -> Dataset:
    """Read a CSV file: separated by comma, semicolon, tab or blanks, header optional, units as ``L [m]``, ``L (m)`` or in a
    line below the header; ``-`` is standard input. Spreadsheets and Parquet files, by their ending, are read through pandas.

    ``target``, ``features`` and ``weights`` are column names; ``sigma`` is a number or a column name.
    Without ``features`` every other column is one, but for those in ``exclude``, and those of texts or dates, which are left
    out with a note. ``thousands`` is the mark between thousands; if that is a point, commas are decimal. Without a header
    line the columns are named x0, x1, … and also go by number, counted from 0. ``drop_missing`` leaves out rows in which a
    needed cell is missing or infinite, or says that there is no value.

    ``trials`` are those of binomial counts. ``censored`` is 0 where the target was measured, 1 where the true value is above
    it, -1 where it is below; or ``lower`` and ``upper`` hold limits of the true value, empty or infinite where there is none:
    a row with neither was measured, and one with a limit needs no target. ``x_sigma`` is the noise of features by name, numbers
    or columns. ``folds`` is the column with the number of each row's fold.

    Raises:
        DataError: one sentence with file, line and column, and what to do.
    """
    file = CsvFile(path, thousands)
    columns = columns_of(file)
    more = {"trials": trials, "censored": censored, "lower": lower, "upper": upper, "x_sigma": x_sigma}
    chosen = ColumnRoles.make(columns, target, features, sigma, weights, more, folds, exclude)
    for column in chosen.needed:
        columns.check_unit(column)
    table = file.read(
        [c.position for c in chosen.needed],
        columns.labels,
        advice=_leave_out_advice(chosen),
        optional=[c.position for c in chosen.optional],
        target=chosen.target.position,
        drop=drop_missing,
    )
    texts = {chosen.needed[k]: text for k, text in sorted(table.text.items())}
    reasons = {c: _left_out_note(c, f"{text.description} (line {text.line})", text.kind) for c, text in texts.items()}
    kept = [k for k in range(len(chosen.needed)) if k not in table.text]
    chosen = chosen.without(reasons, columns.place)

    def place(row: int, column: Column) -> str:
        return f'{file.source}, line {table.lines[row]}, column "{column.label}"'

    notes = [*file.notes, *columns.notes(chosen.features, chosen.target, file.has_units_below), *table.notes]
    dataset = make_dataset(
        Origin(file.source, place, table.lines, notes),
        chosen,
        table.values[:, kept],
        drop_missing=drop_missing,
        leave_out_empty=features is None,
    )
    return replace(dataset, thousands=thousands)


def read_table(path: str | os.PathLike[str], thousands: str | None = None) -> Table:
    """Read a CSV file to predict for: like :func:`read_csv`, without a target; missing cells are NaN.

    Raises DataError as :func:`read_csv` does, except for text cells: their columns are left out.
    """
    file = CsvFile(path, thousands)
    columns = columns_of(file, lenient=True)
    table = file.read(range(len(columns)), columns.labels, skip_text=True)
    kept = [c for c in columns if c.position not in table.text]
    for column in kept:
        columns.check_unit(column)
    notes = tuple(
        f'column "{columns[k].label}" was left out: "{text.cell}" in line {text.line} is not a number'
        for k, text in sorted(table.text.items())
    )
    return Table(
        names=tuple(c.name for c in kept),
        labels=tuple(c.label for c in kept),
        units=_stated_units(kept),
        columns={c.name: np.ascontiguousarray(table.values[:, c.position]) for c in kept},
        source=file.source,
        notes=notes,
        said=(*file.notes, *columns.notes(kept, None), *table.notes),
        file=file,
        aliases={c.whole_name: c.name for c in kept},
    )


def from_frame(
    frame: Any,
    target: str | int,
    *,
    features: Sequence[str] | None = None,
    sigma: Noise = None,
    weights: str | ArrayLike | None = None,
    drop_missing: bool = False,
    trials: Noise = None,
    censored: Noise = None,
    lower: Noise = None,
    upper: Noise = None,
    x_sigma: Mapping[str, Noise] | None = None,
    folds: str | int | None = None,
    exclude: Sequence[str] | str | None = None,
    thousands: str | None = None,
) -> Dataset:
    """A data frame: pandas, or anything with ``columns`` and ``frame[column]``; rules as in :func:`read_csv`.

    What is not the target or a feature may also be an array (n_row,). Rows in messages are counted from 0.

    Raises DataError.
    """
    source = "the data frame"
    keys = list(frame.columns)
    columns = TableColumns([str(key) for key in keys], source=source, place=source)
    more = {"trials": trials, "censored": censored, "lower": lower, "upper": upper, "x_sigma": x_sigma}
    chosen = ColumnRoles.make(columns, target, features, sigma, weights, more, folds, exclude)

    def place(row: int, column: Column) -> str:
        return f'{source}, row {row} (from 0), column "{column.label}"'

    for column in chosen.needed:
        columns.check_unit(column)
    reader = FrameReader(place, drop_missing, thousands)
    values = {c: reader.read(frame[keys[c.position]], c, c in chosen.optional) for c in chosen.needed}
    reasons = {c: _left_out_note(c, text.said, text.kind) for c, text in values.items() if isinstance(text, FrameText)}
    chosen = chosen.without(reasons, columns.place)
    numbers_of = [values[c] for c in chosen.needed]
    n_row = len(numbers_of[0])  # type: ignore[arg-type]
    matrix = np.column_stack(numbers_of) if n_row else np.empty((0, len(numbers_of)))  # type: ignore[arg-type]
    notes = [*columns.notes(chosen.features, chosen.target), *reader.notes()]
    dataset = make_dataset(
        Origin(source, place, notes=notes), chosen, matrix, drop_missing=drop_missing, leave_out_empty=features is None
    )
    if folds is None or dataset.folds is None:
        return dataset
    # A mask says which rows are held out, while numbers 0 and 1 are two folds.
    mask = np.asarray(frame[keys[columns.find(folds, FOLDS).position]]).dtype == bool
    return replace(dataset, folds=dataset.folds.astype(bool)) if mask else dataset


def from_arrays(
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    target: str = "y",
    sigma: float | ArrayLike | None = None,
    weights: ArrayLike | None = None,
    units: Mapping[str, str] | None = None,
    drop_missing: bool = False,
    trials: float | ArrayLike | None = None,
    censored: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    x_sigma: Mapping[str, Noise] | None = None,
    exclude: Sequence[str] | str | None = None,
) -> Dataset:
    """Arrays: ``X`` (n_row, n_col) or, for one column, (n_row,); ``y`` (n_row,).

    ``names`` (n_col) may hold units, ``L [m]``, like the headers of a file; default x0, x1, …. ``units`` by
    name or label, target included, win over them. ``sigma`` is a number or an array (n_row,), ``weights`` an
    array (n_row,); so are the others, as in :func:`read_csv`.

    Raises DataError: shapes that do not fit are named with what was expected and what came.
    """
    source = "the arrays"
    if names is None and hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
    matrix, observed = as_numbers("X", X), as_vector("y", y)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise DataError(f"X must have two dimensions, rows and columns, got shape {matrix.shape}")
    if len(matrix) != len(observed):
        hint = "; X seems to be transposed, so give X.T" if matrix.shape[1] == len(observed) else ""
        raise DataError(f"X has {len(matrix)} rows but y has {len(observed)} values; expected as many{hint}")
    if names is not None and len(names) != matrix.shape[1]:
        raise DataError(f"names has {len(names)} entries but X has {matrix.shape[1]} columns; expected as many")
    headers = list(names) if names is not None else [f"x{k}" for k in range(matrix.shape[1])]
    if target in headers:
        raise DataError(f'the target and a column of X are both named "{target}"; give another target name')
    columns = TableColumns([*headers, target], source=source, place="the names of the columns")
    more = {"trials": trials, "censored": censored, "lower": lower, "upper": upper, "x_sigma": x_sigma}
    chosen = ColumnRoles.make(columns, columns[len(headers)].label, None, sigma, weights, more, None, exclude)
    for column in chosen.needed:
        columns.check_unit(column)

    def place(row: int, column: Column) -> str:
        return f'{source}, row {row} (from 0), column "{column.label}"'

    stated = {}
    for key, text in (units or {}).items():
        try:
            parse_unit(text)
        except UnitError as error:
            raise DataError(f'the unit of "{key}": {error}') from None
        stated[columns.find(key, "key of units").name] = text
    used = [c.position for c in chosen.features]
    origin = Origin(source, place, notes=columns.notes(chosen.features, chosen.target))
    return make_dataset(
        origin, chosen, np.column_stack([matrix[:, used], observed]), drop_missing=drop_missing, units=stated
    )


def _left_out_note(column: Column, why: str, kind: CellKind | None) -> str:
    """A sentence on a column that nobody asked for and that holds no numbers."""
    advice = f"; to use it, {kind.advice}" if kind is not None and kind.is_text else ""
    return f'column "{column.label}" was left out: {why}{advice}'


def _leave_out_advice(chosen: ColumnRoles) -> dict[int, str]:
    """Advice on a text cell in a column that a fit can do without, per column."""
    if len(chosen.features) < 2:
        return {}
    return {c.position: f"leave the column out with --exclude {c.name} (exclude=[{c.name!r}])" for c in chosen.optional}


def columns_of(file: CsvFile, lenient: bool = False) -> TableColumns:
    """The named columns of a file; ``lenient`` as in :class:`~hypo.data.columns.TableColumns`."""
    return TableColumns(
        file.header,
        source=file.source,
        place=f"{file.source}, line {file.first_line}",
        count=file.n_columns,
        comment_before=file.comment_before,
        lenient=lenient,
        hint=" (columns are separated by tab, semicolon, comma or blanks)",
    )


def _stated_units(columns: Sequence[Column]) -> dict[str, str]:
    return {c.name: c.unit for c in columns if c.unit is not None}
