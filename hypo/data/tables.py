"""Tables as users give them, files, data frames and arrays, made into a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data.columns import TableColumns
from hypo.data.dataset import Dataset
from hypo.data.readers import from_arrays, from_frame, read_csv, read_table
from hypo.errors import DataError, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    XSigma = Mapping[str, Any] | str | Sequence[str] | None


# The options that belong to a table: a data set has its own.
_OF_A_TABLE = ("trials", "censored", "lower", "upper", "x_sigma", "folds", "exclude", "thousands")


@dataclass(frozen=True)
class TableOptions:
    """All that is said of a table beside its target, named as the parameters of :func:`hypo.fit`: columns, or arrays of shape
    ``(n_row,)``, by their roles, and how its text is read. None where nothing is said."""

    features: Sequence[str] | str | None = None
    sigma: float | str | ArrayLike | None = None
    weights: str | ArrayLike | None = None
    drop_missing: bool = False
    trials: float | str | ArrayLike | None = None
    censored: str | ArrayLike | None = None
    lower: str | ArrayLike | None = None
    upper: str | ArrayLike | None = None
    x_sigma: XSigma = None
    folds: str | ArrayLike | None = None
    exclude: Sequence[str] | str | None = None
    thousands: str | None = None

    def check(self) -> dict[str, Any]:
        """The options by name, as readers of tables take them; raises InputError for lists that name no columns.

        Of ``folds`` a table holds those that are one of its columns.
        """
        x_sigma = as_x_sigma(self.x_sigma)
        features, exclude = _check_names("features", self.features), _check_names("exclude", self.exclude)
        if isinstance(features, str):
            features = [name.strip() for name in features.split(",")]
        folds = self.folds if isinstance(self.folds, str) else None
        return {**vars(self), "x_sigma": x_sigma, "features": features, "exclude": exclude, "folds": folds}


def as_dataset(data: Any, target: Any, options: TableOptions = TableOptions()) -> tuple[Dataset, tuple[str, ...]]:
    """The data set, and the names of all columns given, as prediction expects them of arrays. Of ``folds`` it holds those that
    are a column of the table."""
    table = options.check()
    thousands = options.thousands
    if isinstance(data, Dataset):
        if given := [name for name in _OF_A_TABLE if table[name] is not None]:
            raise InputError(f"with a Dataset {given[0]} belongs into it: give it where the data are read")
        return data, data.names
    if isinstance(data, str | os.PathLike):
        _require_target(target, data, thousands)
        dataset = read_csv(data, target, **table)
        return dataset, dataset.names
    if isinstance(data, Mapping):
        data = make_frame(data)
    is_name = isinstance(target, str | int) or target is None
    if hasattr(data, "columns") and is_name:
        _require_target(target, data)
        dataset = from_frame(data, target, **table)
        return dataset, dataset.names
    if isinstance(data, tuple) and len(data) == 2 and is_name:
        X, y = data
        return _read_arrays(X, y, "y" if target is None else str(target), table)
    if not is_name:
        return _read_arrays(data, target, str(getattr(target, "name", None) or "y"), table)
    raise DataError("with an array X give the target's values, fit(X, y), or a pair, fit((X, y), target='y')")


def make_frame(data: Mapping[Any, Any]) -> Any:
    """The data frame of a mapping from names to columns; raises DataError where there is none."""
    import pandas

    try:
        return pandas.DataFrame(dict(data))
    except ValueError as error:
        # Columns of different lengths, of two dimensions, or numbers alone.
        raise DataError(f"the columns do not make a table: {str(error).rstrip('.')}") from None


def _read_arrays(X: Any, y: Any, target: str, table: Mapping[str, Any]) -> tuple[Dataset, tuple[str, ...]]:
    """The data set of arrays, and the names of all columns of ``X``; ``table`` has what else :func:`as_dataset` was given."""
    if isinstance(table["sigma"], str) or isinstance(table["weights"], str):
        raise DataError(
            "with arrays sigma and weights must be arrays too, with one number per row, not names of columns"
        )
    features = _check_names("features", table["features"], str)
    if table["thousands"] is not None:
        raise InputError("thousands is for tables of text; arrays must hold numbers")
    roles = [(role, table[role]) for role in ("trials", "censored", "lower", "upper")]
    for role, value in (*roles, *(table["x_sigma"] or {}).items(), ("folds", table["folds"])):
        if isinstance(value, str):
            raise DataError(
                f"with arrays {role} must be an array too, with one number per row, not the name of a column"
            )
    beside = {name: value for name, value in table.items() if name not in ("features", "folds", "thousands")}
    dataset = from_arrays(X, y, names=features, target=target, **beside)
    return dataset, _all_names(X, features, dataset)


def _check_names(role: str, given: Any, kind: Any = str | int) -> Any:
    """Names of columns, as they were given, or as a list; raises InputError for what names none."""
    if given is None or isinstance(given, str):
        return given
    wrong = InputError(f'{role} must be names of columns, such as ["x", "v"], got {given!r:.40}')
    try:
        listed = list(given)
    except TypeError:
        raise wrong from None
    if any(isinstance(name, bool) or not isinstance(name, kind) for name in listed):
        raise wrong
    return listed


def as_x_sigma(x_sigma: XSigma) -> dict[str, Any] | None:
    """The noise of columns by name, from a mapping or a text such as ``"x=0.1, v=v_error"``; raises InputError."""
    if x_sigma is None:
        return None
    if isinstance(x_sigma, Mapping):
        return dict(x_sigma) or None
    if not isinstance(x_sigma, str | list | tuple) or not all(isinstance(text, str) for text in x_sigma):
        raise InputError(f'x_sigma must name columns, such as {{"x": 0.1}}, got {x_sigma!r:.40}')
    if not x_sigma:
        return None
    parts = [part for text in ([x_sigma] if isinstance(x_sigma, str) else x_sigma) for part in text.split(",")]
    out: dict[str, Any] = {}
    for part in parts:
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not name or not sign or not value:
            raise InputError(
                f'x_sigma must be written COLUMN=NUMBER or COLUMN=COLUMN, such as x=0.1, got "{part.strip()}"'
            )
        if name in out:
            raise InputError(f"x_sigma gives two values to {name}; give one")
        out[name] = value
    return out


def _all_names(X: Any, features: Sequence[str] | None, dataset: Dataset) -> tuple[str, ...]:
    """Names of all columns of ``X``, those left out as constant included."""
    shape = np.shape(X)
    headers = features or [str(c) for c in getattr(X, "columns", ())]
    headers = headers or [f"x{k}" for k in range(1 if len(shape) == 1 else shape[1])]
    return tuple(column.name for column in TableColumns(headers, source=dataset.source, place=dataset.source))


def _require_target(target: Any, data: Any, thousands: str | None = None) -> None:
    """Raises DataError with the columns to choose from when no target is given."""
    if target is not None and not isinstance(target, str | int):
        raise DataError(f"the target must be the name of a column, got {type(target).__name__}")
    if target is None:
        if isinstance(data, str | os.PathLike):
            table = read_table(data, thousands)
            place, names = f"{table.source}: ", table.labels
        else:
            place, names = "", tuple(str(name) for name in data.columns)
        raise DataError(f"{place}no target is given; choose one of the columns {', '.join(names)}")
