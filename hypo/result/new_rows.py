"""New rows under a result: the columns that its formulas need, in the units of the fit, and numbers of trials."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.data import Table, read_table
from hypo.data.columns import TableColumns
from hypo.data.roles import as_numbers, as_vector
from hypo.errors import DataError, InputError, UnitError
from hypo.likelihood.family import TRIALS
from hypo.likelihood.registry import list_users
from hypo.units import parse_unit

if TYPE_CHECKING:
    from hypo.result.fields import ResultFields

# The most trials of a row.
MOST_TRIALS = 1e12
_KELVIN = parse_unit("K").dimension


def choose_thousands(result: ResultFields, given: str | None = None) -> str | None:
    """The mark between thousands in new tables: as ``given``, else as the fit was told."""
    return result.record.table.thousands if given is None else given


def read_columns(result: ResultFields, data: Any, needed: Sequence[str]) -> NDArray[np.float64]:
    """The columns ``needed`` of ``data``, shape (n_row, len(needed))."""
    if isinstance(data, str | os.PathLike | Mapping | Table) or hasattr(data, "columns"):
        return new_columns(data, needed, result.record.units.texts, choose_thousands(result))
    X = as_numbers("X", data)
    order = result.record.table.order
    if X.ndim == 1 and len(order) == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] != len(order):
        raise DataError(
            f"expected an array of shape (n_row, {len(order)}) with the columns {', '.join(order)}, got shape {X.shape}"
        )
    return X[:, [order.index(name) for name in needed]]


def read_trials(result: ResultFields, data: Any, trials: Any, n_row: int) -> NDArray[np.float64]:
    """Numbers of trials (n_row,)."""
    if trials is None:
        return np.ones(n_row)
    if TRIALS not in result.family.uses:
        raise InputError(
            f"trials are for the likelihood {' or '.join(list_users(TRIALS))} only, and this result is of {result.family.kind}"
        )
    if isinstance(trials, str):
        try:
            trials = float(trials)
        except ValueError:
            trials = new_columns(data, [trials], {}, choose_thousands(result))[:, 0]
    n = (
        np.broadcast_to(as_numbers("trials", trials), (n_row,))
        if np.ndim(trials) == 0
        else as_numbers("trials", trials)
    )
    if n.shape != (n_row,):
        raise DataError(f"trials has shape {n.shape}, but there are {n_row} rows; expected one number for each")
    if not np.all((n >= 1) & (n == np.round(n)) & np.isfinite(n)):
        raise DataError("trials must be whole numbers, 1 or more")
    if np.any(n > MOST_TRIALS):
        raise DataError(f"trials must be at most {MOST_TRIALS:g}, got {np.max(n):g}")
    return np.asarray(n, np.float64)


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
        found = [(as_vector(f'column "{c.label}"', data[keys[c.position]]), c.unit) for c in chosen]
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
