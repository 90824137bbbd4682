"""Tables as users give them, files, data frames and arrays, made into a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data.columns import Columns
from hypo.data.dataset import Dataset
from hypo.data.sources import from_arrays, from_frame, read_csv, read_table
from hypo.errors import DataError, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    XSigma = Mapping[str, Any] | str | Sequence[str] | None


def as_dataset(
    data: Any,
    target: Any,
    *,
    features: Sequence[str] | str | None = None,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    drop_missing: bool = False,
    trials: float | str | ArrayLike | None = None,
    censored: str | ArrayLike | None = None,
    lower: str | ArrayLike | None = None,
    upper: str | ArrayLike | None = None,
    x_sigma: XSigma = None,
    folds: str | ArrayLike | None = None,
    exclude: Sequence[str] | str | None = None,
    thousands: str | None = None,
) -> tuple[Dataset, tuple[str, ...]]:
    """The data set, and the names of all columns given, as prediction expects them of arrays. Of ``folds`` it holds those that
    are a column of the table."""
    more: dict[str, Any] = {
        "trials": trials, "censored": censored, "lower": lower, "upper": upper, "x_sigma": as_x_sigma(x_sigma)
    }
    fold_column = folds if isinstance(folds, str) else None
    features, exclude = _names("features", features), _names("exclude", exclude)
    if isinstance(features, str):
        features = [name.strip() for name in features.split(",")]
    if isinstance(data, Dataset):
        more |= {"folds": fold_column, "exclude": exclude, "thousands": thousands}
        given = [name for name, value in more.items() if value is not None]
        if given:
            raise InputError(f"with a Dataset {given[0]} belongs into it: give it where the data are read")
        return data, data.names
    if isinstance(data, str | os.PathLike):
        _need_target(target, data, thousands)
        dataset = read_csv(
            data,
            target,
            features=features,
            sigma=sigma,
            weights=weights,  # type: ignore[arg-type]
            drop_missing=drop_missing,
            folds=fold_column,
            exclude=exclude,
            thousands=thousands,
            **more,
        )
        return dataset, dataset.names
    if isinstance(data, Mapping):
        import pandas

        try:
            data = pandas.DataFrame(dict(data))
        except ValueError as error:
            # Columns of different lengths, of two dimensions, or numbers alone.
            raise DataError(f"the columns do not make a table: {str(error).rstrip('.')}") from None
    named = isinstance(target, str | int) or target is None
    if hasattr(data, "columns") and named:
        _need_target(target, data)
        dataset = from_frame(
            data, target, features=features, sigma=sigma, weights=weights, drop_missing=drop_missing, folds=fold_column,
            exclude=exclude, thousands=thousands, **more,
        )
        return dataset, dataset.names
    if isinstance(data, tuple) and len(data) == 2 and named:
        X, y = data
        name = "y" if target is None else str(target)
    elif not named:
        X, y, name = data, target, str(getattr(target, "name", None) or "y")
    else:
        raise DataError(
            "with an array X give the target's values, fit(X, y), or a pair, fit((X, y), target='y')"
        )
    if isinstance(sigma, str) or isinstance(weights, str):
        raise DataError(
            "with arrays sigma and weights must be arrays too, with one number per row, not names of columns"
        )
    _names("features", features, str)
    if thousands is not None:
        raise InputError("thousands is for tables of text; arrays must hold numbers")
    for role, value in (*more.items(), *(more["x_sigma"] or {}).items(), ("folds", fold_column)):
        if isinstance(value, str):
            raise DataError(f"with arrays {role} must be an array too, with one number per row, not the name of a column")
    dataset = from_arrays(
        X, y, names=features, target=name, sigma=sigma, weights=weights, drop_missing=drop_missing, exclude=exclude, **more
    )
    return dataset, _given_names(X, features, dataset)


def _names(role: str, given: Any, kind: Any = str | int) -> Any:
    """What names columns, as it is, or as a list; raises InputError for what names none."""
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
            raise InputError(f'x_sigma must be written COLUMN=NUMBER or COLUMN=COLUMN, such as x=0.1, got "{part.strip()}"')
        if name in out:
            raise InputError(f"x_sigma gives two values to {name}; give one")
        out[name] = value
    return out


def _given_names(X: Any, features: Sequence[str] | None, dataset: Dataset) -> tuple[str, ...]:
    """Names of all columns of ``X``, those left out as constant included."""
    shape = np.shape(X)
    headers = features or [str(c) for c in getattr(X, "columns", ())]
    headers = headers or [f"x{k}" for k in range(1 if len(shape) == 1 else shape[1])]
    return tuple(column.name for column in Columns(headers, source=dataset.source, place=dataset.source))


def _need_target(target: Any, data: Any, thousands: str | None = None) -> None:
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
