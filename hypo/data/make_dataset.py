"""The numbers of a table, checked and made into a Dataset: complete rows, columns that vary, noise that is above 0."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.columns import Column
from hypo.data.dataset import Dataset
from hypo.data.roles import FOLDS, X_SIGMA, ColumnRoles
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A column that varies by less than this share of its size is better shifted.
FAR = 1e-3
# Columns that a note names.
_SHOWN = 6
# Roles that bound the target from below or above.
_LIMITS = ("censored", "lower", "upper")
# A law needs this many rows at least.
_FEWEST_ROWS = 2

_DROP = "use --drop-missing (drop_missing=True) to leave such rows out"

Place = Callable[[int, Column], str]


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a table are from.

    ``source`` names the table; ``place(row, column)`` says where a value stands; ``lines`` (n_row,) are the rows' line numbers
    in a file; ``notes`` are what is to be said of how it was read.
    """

    source: str
    place: Place
    lines: NDArray[np.int64] | None = None
    notes: Sequence[str] = ()

    def where(self, row: int, given: object) -> str:
        """Where the value of a role stands in ``row``: in its column, or in an array beside the table."""
        return self.place(row, given) if isinstance(given, Column) else f"{self.source}, row {row} (from 0)"


@dataclass
class _Rows:
    """All that there is for each row: ``values`` (n_row, n_needed), and arrays (n_row,) by role. ``limits`` are the lower and
    the upper limit of a censored target, and the value that stands for it."""

    values: NDArray[np.float64]
    sigma: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    more: dict[str, NDArray[np.float64]]
    limits: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Leave out all but these rows."""
        self.values = self.values[rows]
        self.sigma, self.weights = (None if a is None else a[rows] for a in (self.sigma, self.weights))
        self.more = {role: array[rows] for role, array in self.more.items()}
        if self.limits is not None:
            lower, upper, middle = self.limits
            self.limits = lower[rows], upper[rows], middle[rows]


def make_dataset(
    origin: Origin,
    roles: ColumnRoles,
    values: NDArray[np.float64],
    *,
    drop_missing: bool = False,
    leave_out_empty: bool = False,
    units: Mapping[str, str] | None = None,
) -> Dataset:
    """Check the numbers of the chosen columns and make the Dataset.

    ``values`` (n_row, n_needed) has the columns of ``roles.needed``. ``leave_out_empty`` leaves out features without any
    value; ``units`` win over those in the headers.

    Raises DataError.
    """
    notes = [*origin.notes, *roles.left_out.values()]
    rows = _gather(origin, roles, values)
    kept = list(range(len(roles.features)))
    if leave_out_empty and len(values):
        is_empty = np.all(np.isnan(values), axis=0).tolist()
        notes += [f'column "{roles.features[k].label}" is empty and was left out' for k in kept if is_empty[k]]
        kept = [k for k in kept if not is_empty[k]]
    numbers = _drop_incomplete(origin, roles, rows, kept, drop_missing)
    if n_dropped := len(values) - len(numbers):
        notes.append(
            f"{n_dropped} rows with a missing or infinite value were left out"
            if n_dropped > 1
            else "1 row with a missing or infinite value was left out"
        )
    if len(numbers) < _FEWEST_ROWS:
        left = f" left after {notes[-1]}" if n_dropped else ""
        count = "is only one row (1 sample)" if len(numbers) else "is no row"
        raise DataError(f"{origin.source}: there {count} of data{left}; a law needs at least two")
    _check_noise(origin, roles, rows, numbers)
    _check_more(origin, roles, rows.more, numbers)
    folds = rows.more.pop(FOLDS, None)
    y = np.ascontiguousarray(rows.values[:, len(roles.features)])
    constant = _find_constant(origin, roles, rows, kept)
    notes += [f'column "{c.label}" is constant ({value:g}) and was left out' for c, value in constant.items()]
    kept = [k for k in kept if roles.features[k] not in constant]
    X = np.ascontiguousarray(rows.values[:, kept])
    features = [roles.features[k] for k in kept]
    notes += _note_renamed([c for c in (*features, roles.target) if c.label != c.name])
    notes += [note for column, x in zip(features, X.T, strict=True) if (note := _note_far_from_zero(column, x))]
    names = tuple(column.name for column in features)
    lower, upper = (None, None) if rows.limits is None else rows.limits[:2]
    arrays = [X, y, rows.sigma, rows.weights, *rows.more.values()]
    return Dataset(
        X=X,
        y=y,
        names=names,
        target=roles.target.name,
        labels=tuple(column.label for column in features),
        units=_units(features, roles.target, units),
        sigma=rows.sigma,
        weights=rows.weights,
        source=origin.source,
        sha256=_fingerprint([*names, roles.target.name], arrays),
        n_dropped=n_dropped,
        trials=rows.more.get("trials"),
        lower=lower,
        upper=upper,
        x_sigma=_x_sigma(rows.more, names),
        folds=folds,
        notes=tuple(notes),
        target_label=roles.target.label,
        constant={c.name: value for c, value in constant.items()},
        left_out={c.name: why for c, why in roles.left_out.items()},
        read_units=frozenset(c.name for c in (*features, roles.target) if c.is_in_round_brackets),
        written={c.written: c.name for c in (*features, roles.target) if c.written not in ("", c.name)},
        row_numbers=numbers if origin.lines is None else origin.lines[numbers],
        row_word="row" if origin.lines is None else "line",
    )


def _gather(origin: Origin, roles: ColumnRoles, values: NDArray[np.float64]) -> _Rows:
    """All that there is for each row, wherever it comes from; a censored target has the value that stands for it."""
    sigma, weights = (
        _align(role, given, roles, values) for role, given in (("sigma", roles.sigma), ("weights", roles.weights))
    )
    more = {
        role: array for role, given in roles.more.items() if (array := _align(role, given, roles, values)) is not None
    }
    limits = _limits(origin, roles, more, values)
    if limits is not None:
        values[:, len(roles.features)] = limits[2]
    return _Rows(values, sigma, weights, more, limits)


def _drop_incomplete(
    origin: Origin, roles: ColumnRoles, rows: _Rows, kept: Sequence[int], drop_missing: bool
) -> NDArray[np.intp]:
    """Leave out rows with a missing or infinite value among the features ``kept`` and all else that is needed. Gives the
    numbers of the rows that stay; raises DataError where none may be left out."""
    used = [*kept, *range(len(roles.features), len(roles.needed))]
    if rows.limits is not None:
        # Where there is no limit the cell is empty.
        open_ended = [roles.needed.index(c) for r, c in roles.more.items() if r in _LIMITS and isinstance(c, Column)]
        used = [k for k in used if k not in open_ended]
    complete: NDArray[np.bool_] = np.all(np.isfinite(rows.values[:, used]), axis=1)
    for array in (rows.sigma, rows.weights, *(a for role, a in rows.more.items() if role not in _LIMITS)):
        if array is not None:
            complete &= np.isfinite(array)
    numbers = np.flatnonzero(complete)
    if len(numbers) < len(rows.values):
        if not drop_missing:
            _refuse_missing(origin, roles, rows.values, used, complete)
        rows.keep(numbers)
    return numbers


def _find_constant(origin: Origin, roles: ColumnRoles, rows: _Rows, kept: Sequence[int]) -> dict[Column, float]:
    """The features among ``kept`` that never change, with their values; raises DataError where the target does not either, or
    no feature does."""
    is_constant = rows.values.min(axis=0) == rows.values.max(axis=0)
    if is_constant[len(roles.features)] and rows.limits is None and "trials" not in rows.more:
        raise DataError(
            f'{origin.source}, column "{roles.target.label}": the target is {rows.values[0, len(roles.features)]:g} in every '
            "row, so there is no law to find; choose another target"
        )
    if all(is_constant[k] for k in kept):
        raise DataError(f"{origin.source}: every feature is constant or empty; a law needs at least one that varies")
    return {roles.features[k]: float(rows.values[0, k]) for k in kept if is_constant[k]}


def _units(features: Sequence[Column], target: Column, units: Mapping[str, str] | None) -> dict[str, str]:
    """Unit texts by name: those of the headers, and before them those that were given."""
    known = {c.name for c in (*features, target)}
    stated = {c.name: c.unit for c in (*features, target) if c.unit is not None}
    return stated | {name: text for name, text in (units or {}).items() if name in known}


def _x_sigma(more: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """The noise (n_row,) of the columns ``names``, by name."""
    noise = {role.removeprefix(X_SIGMA): array for role, array in more.items() if role.startswith(X_SIGMA)}
    return {name: array for name, array in noise.items() if name in names}


def _note_renamed(columns: Sequence[Column]) -> list[str]:
    """A sentence on the columns that formulas have other names for, if any."""
    if not columns:
        return []
    shown = [f'"{c.label}" is called {c.name}' for c in columns[:_SHOWN]]
    more = [f"so are {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
    *first, last = (*shown, *more)
    return ["in formulas the column " + (f"{', '.join(first)} and {last}" if first else last)]


def _note_far_from_zero(column: Column, x: NDArray[np.float64]) -> str:
    """A sentence on a column whose numbers (n_row,) differ by a small share of their size, or nothing."""
    low, high = float(x.min()), float(x.max())
    if high - low >= FAR * max(abs(low), abs(high)):
        return ""
    unit = 10.0 ** math.ceil(math.log10(high - low))
    share = (high - low) / max(abs(low), abs(high))
    return (
        f'column "{column.label}" varies by only {share:.1g} of its size: laws are hard to find and constants come out '
        f"falsely sure; take away {math.floor(low / unit) * unit:.15g}, say, from it"
    )


def _limits(
    origin: Origin, roles: ColumnRoles, more: Mapping[str, NDArray[np.float64]], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Lower and upper limits of the target and a value that stands for it, (n_row,) each; None where it is not censored."""
    given = [role for role in _LIMITS if role in more]
    if not given:
        return None
    y = values[:, len(roles.features)].copy()

    def refuse(bad: NDArray[np.bool_], role: str, what: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(f"{origin.where(row, roles.more.get(role))}: {what.format(more[role][row])}")

    if "censored" in given:
        if len(given) > 1:
            raise DataError(f"{origin.source}: give either censored, or lower and upper; not both")
        code = more["censored"]
        refuse(
            ~np.isin(code, (-1.0, 0.0, 1.0)),
            "censored",
            "censored must be 0 (measured), 1 (the true value is above the target) or -1 (it is below), got {:g}",
        )
        return np.where(code < 0, -np.inf, y), np.where(code > 0, np.inf, y), y
    lower = np.nan_to_num(more.get("lower", np.full(len(y), np.nan)), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    upper = np.nan_to_num(more.get("upper", np.full(len(y), np.nan)), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    refuse(lower > upper, given[0], given[0] + " is {:g}, but the upper limit must not be below the lower one")
    refuse(
        (lower == np.inf) | (upper == -np.inf), given[0], given[0] + " is {:g}, which leaves no value for the target"
    )
    measured = np.isinf(lower) & np.isinf(upper)
    lower, upper = np.where(measured, y, lower), np.where(measured, y, upper)
    with np.errstate(invalid="ignore"):
        middle = np.where(np.isinf(lower), upper, np.where(np.isinf(upper), lower, 0.5 * (lower + upper)))
    return lower, upper, np.where(measured, y, middle)


def _check_more(
    origin: Origin, roles: ColumnRoles, more: Mapping[str, NDArray[np.float64]], rows: NDArray[np.intp]
) -> None:
    """Raises DataError for errors of columns below 0 and numbers of trials that are none; ``rows`` (n_kept,) as in
    :func:`_check_noise`."""
    for role, array in more.items():
        if role.startswith(X_SIGMA):
            bad, rule = array < 0, "must be 0 or more"
        elif role == "trials":
            bad, rule = (array < 1) | (array != np.round(array)), "must be a whole number, 1 or more"
        else:
            continue
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise DataError(f"{origin.where(int(rows[first]), roles.more[role])}: {role} {rule}, got {array[first]:g}")


def _align(
    role: str, given: Column | NDArray[np.float64] | float | None, roles: ColumnRoles, values: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """sigma, weights or another role as an array (n_row,), wherever they come from."""
    if given is None:
        return None
    if isinstance(given, Column):
        return np.ascontiguousarray(values[:, roles.needed.index(given)])
    if isinstance(given, float):
        if not (given > 0 and np.isfinite(given)):
            raise DataError(f"{role} must be a positive number, got {given:g}")
        if role in _LIMITS:
            raise DataError(f"{role} must be a column, or an array with one value per row, got {given:g}")
        return np.full(len(values), given)
    if len(given) != len(values):
        raise DataError(f"{role} has {len(given)} values but there are {len(values)} rows; expected as many")
    return given


def _refuse_missing(
    origin: Origin, roles: ColumnRoles, values: NDArray[np.float64], used: Sequence[int], complete: NDArray[np.bool_]
) -> None:
    """Raises DataError for the first row that is not ``complete`` (n_row,), with the first column that is missing there."""
    row = int(np.flatnonzero(~complete)[0])
    faulty = [roles.needed[k] for k in used if not np.isfinite(values[row, k])]
    count = int((~complete).sum()) - 1
    also = "" if not count else f" (also in {count} more row{'s' if count > 1 else ''})"
    if not faulty:
        raise DataError(
            f"{origin.source}, row {row} (from 0): sigma or the weight is missing or infinite{also}; "
            f"correct it, or {_DROP}"
        )
    column = min(faulty, key=lambda c: c.position)
    infinite = np.isinf(values[row, roles.needed.index(column)])
    what = f"is infinite{also}; correct it" if infinite else f"is missing{also}; fill it in"
    raise DataError(f"{origin.place(row, column)}: the value {what}, or {_DROP}")


def _check_noise(origin: Origin, roles: ColumnRoles, kept: _Rows, rows: NDArray[np.intp]) -> None:
    """Raises DataError for noise that is not above 0 and weights below 0; ``rows`` (n_kept,) are the numbers that the rows kept
    had before."""
    sigma, weights = kept.sigma, kept.weights
    for role, array, given, bad, rule in (
        ("sigma", sigma, roles.sigma, None if sigma is None else sigma <= 0, "must be a positive number"),
        ("a weight", weights, roles.weights, None if weights is None else weights < 0, "must be 0 or more"),
    ):
        if array is not None and bad is not None and bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise DataError(f"{origin.where(int(rows[first]), given)}: {role} {rule}, got {array[first]:g}")
    if weights is not None and not weights.any():
        raise DataError(f"{origin.source}: every weight is 0; at least one row must count")


def _fingerprint(names: list[str], arrays: list[NDArray[np.float64] | None]) -> str:
    digest = hashlib.sha256("\n".join(names).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array, dtype="<f8").data)
    return digest.hexdigest()
