"""Which column is what: target, features, sigma, weights; and arrays in place of the last two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.columns import Column, Columns
from hypo.data.csv_reader import cell_number
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Noise = float | str | ArrayLike | None


@dataclass
class Choice:
    """Which columns are what. ``sigma`` and ``weights`` are a column, an array, a number or None."""

    target: Column
    features: list[Column]
    sigma: Column | NDArray[np.float64] | float | None
    weights: Column | NDArray[np.float64] | None
    needed: list[Column] = field(default_factory=list)

    @staticmethod
    def make(columns: Columns, target: str | int, features: Sequence[str] | None, sigma: Noise,
             weights: str | ArrayLike | None) -> Choice:
        aim = columns.find(target, "target")
        noise: Column | NDArray[np.float64] | float | None
        if isinstance(sigma, str):
            number = cell_number(sigma)
            known = any(sigma in (c.label, c.name) for c in columns)
            noise = columns.find(sigma, "sigma") if known or number is None or number != number else number
        elif sigma is None or np.ndim(sigma) == 0:
            noise = None if sigma is None else float(sigma)  # type: ignore[arg-type]
        else:
            noise = vector("sigma", sigma)
        weighing = weights if weights is None else (
            columns.find(weights, "weights") if isinstance(weights, str) else vector("weights", weights))
        special = {aim.position: "target"}
        for column, role in ((noise, "sigma"), (weighing, "weights")):
            if isinstance(column, Column):
                if column.position in special:
                    raise DataError(f'{columns.place}: the column "{column.label}" cannot be both '
                                    f"{special[column.position]} and {role}; choose another for one of them")
                special[column.position] = role
        if features is None:
            chosen = [c for c in columns if c.position not in special]
            if not chosen:
                others = ", ".join(f'"{columns[k].label}" ({role})' for k, role in special.items())
                raise DataError(
                    f"{columns.place}: no column is left as a feature beside {others}; a law needs at least "
                    f"one{columns.hint if len(columns) == 1 else ''}")
        else:
            listed = [f.strip() for f in features.split(",")] if isinstance(features, str) else list(features)
            if not listed:
                raise DataError(
                    f"{columns.place}: the list of features is empty; the columns are {columns.listed()}")
            chosen = [columns.find(f, "feature") for f in listed]
        for k, column in enumerate(chosen):
            if column.position in special:
                role = special[column.position]
                raise DataError(f'{columns.place}: the column "{column.label}" is the {role} and cannot be a '
                                "feature too; take it out of the features")
            if column in chosen[:k]:
                raise DataError(
                    f'{columns.place}: the feature "{column.label}" is listed twice; list it once')
        extra = [c for c in (noise, weighing) if isinstance(c, Column)]
        return Choice(aim, chosen, noise, weighing, [*chosen, aim, *extra])


def vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as float64 (n_row,); a single column (n_row, 1) is accepted. Raises DataError."""
    array = numbers(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{name} must have one dimension, with one value per row, got shape {array.shape}")
    return array


def numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as float64 of any shape; None and pandas' NA become NaN. Raises DataError."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise DataError(f"{name} must be a rectangular array, but its rows differ in length") from None
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind not in "OUST":
        kinds = {"c": "complex numbers", "M": "dates", "m": "time spans"}
        kind = kinds.get(array.dtype.kind, str(array.dtype))
        raise DataError(f"{name} holds {kind}; convert them to real numbers")
    result = np.empty(array.shape)
    for index, cell in np.ndenumerate(array):
        number = cell_number(cell)
        if number is None:
            where = ", ".join(str(i) for i in index)
            raise DataError(f'{name}[{where}]: "{str(cell)[:40]}" is not a number; correct it')
        result[index] = number
    return result
