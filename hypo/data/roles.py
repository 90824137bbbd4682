"""Which column is what: target, features, sigma, weights, and what other likelihoods need; and arrays in place of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.cells import classify_value, describe_text, parse_cell
from hypo.data.columns import Column, TableColumns
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Noise = float | str | ArrayLike | None


# What begins the role of a column's noise.
X_SIGMA = "x_sigma of "
FOLDS = "folds"


@dataclass
class ColumnRoles:
    """Which columns are what. ``sigma`` and ``weights`` are a column, an array, a number or None; ``more`` has the others by
    role: ``trials``, ``censored``, ``lower``, ``upper``, ``folds``, and ``x_sigma of NAME`` for features."""

    target: Column
    features: list[Column]
    sigma: Column | NDArray[np.float64] | float | None
    weights: Column | NDArray[np.float64] | None
    needed: list[Column] = field(default_factory=list)
    more: dict[str, Column | NDArray[np.float64] | float] = field(default_factory=dict)
    # Features that nobody asked for by name, and those of them that were left out, each with what is said of it.
    optional: list[Column] = field(default_factory=list)
    left_out: dict[Column, str] = field(default_factory=dict)

    def without(self, left_out: Mapping[Column, str], place: str) -> ColumnRoles:
        """The choice without features that are left out. Raises DataError where none is left."""
        if not left_out:
            return self
        kept = [c for c in self.features if c not in left_out]
        if not kept:
            raise DataError(f"{place}: no column is left as a feature: {'; '.join(left_out.values())}")
        return replace(
            self, features=kept, needed=[c for c in self.needed if c not in left_out], left_out=dict(left_out)
        )

    @staticmethod
    def make(
        columns: TableColumns,
        target: str | int,
        features: Sequence[str] | None,
        sigma: Noise,
        weights: str | ArrayLike | None,
        more: Mapping[str, Noise | Mapping[str, Noise]] | None = None,
        folds: str | int | None = None,
        exclude: Sequence[str] | str | None = None,
    ) -> ColumnRoles:
        """The roles in a table of ``columns``: each is named by a column, or has an array or a number in its place.

        Without ``features`` all columns without another role are, but for those in ``exclude``. Raises DataError for a name
        that no column has, and for a column with two roles.
        """
        aim = columns.find(target, "target")
        noise = _find_given(columns, "sigma", sigma)
        weighing: Column | NDArray[np.float64] | None = None
        if weights is not None:
            weighing = columns.find(weights, "weights") if isinstance(weights, str) else as_vector("weights", weights)
        others: dict[str, Column | NDArray[np.float64] | float] = {}
        for role, given in _spread_roles(columns, more or {}):
            found = _find_given(columns, role, given)
            if found is not None:
                others[role] = found
        if folds is not None:
            others[FOLDS] = columns.find(folds, FOLDS)
        by_role = {"target": aim, "sigma": noise, "weights": weighing, **others}
        taken = _list_taken(columns, by_role)
        banned = _find_excluded(columns, exclude, taken)
        chosen = _find_features(columns, features, taken, banned)
        _require_features(columns, chosen, taken, banned)
        for role in others:
            name = role.removeprefix(X_SIGMA)
            if name != role and name not in [c.name for c in chosen]:
                raise DataError(
                    f'{columns.place}: x_sigma gives an error to "{name}", which is no feature; the features '
                    f"are {', '.join(c.name for c in chosen)}"
                )
        extra = [c for role, c in by_role.items() if role != "target" and isinstance(c, Column)]
        unasked = [c for c in chosen if features is None and X_SIGMA + c.name not in others]
        return ColumnRoles(aim, chosen, noise, weighing, [*chosen, aim, *extra], others, unasked)


def _list_taken(columns: TableColumns, by_role: Mapping[str, object]) -> dict[int, str]:
    """The roles by the position of the column that has them; raises DataError for a column with two."""
    taken: dict[int, str] = {}
    for role, column in by_role.items():
        if not isinstance(column, Column):
            continue
        if column.position in taken:
            raise DataError(
                f'{columns.place}: the column "{column.label}" cannot be both {taken[column.position]} and {role}; choose '
                "another for one of them"
            )
        taken[column.position] = role
    return taken


def _find_features(
    columns: TableColumns, features: Sequence[str] | str | None, taken: Mapping[int, str], banned: Sequence[Column]
) -> list[Column]:
    """The columns called ``features``, or all that are neither ``taken`` nor ``banned``; raises DataError where none are."""
    if features is not None:
        listed = [f.strip() for f in features.split(",")] if isinstance(features, str) else list(features)
        if not listed:
            raise DataError(f"{columns.place}: the list of features is empty; the columns are {columns.listed()}")
        return [columns.find(f, "feature") for f in listed]
    chosen = [c for c in columns if c.position not in taken and c not in banned]
    if not chosen:
        roles = {**taken, **{c.position: "excluded" for c in banned}}
        shown = ", ".join(f'"{columns[k].label}" ({role})' for k, role in roles.items())
        raise DataError(
            f"{columns.place}: no column is left as a feature beside {shown}; a law needs at least "
            f"one{columns.hint if len(columns) == 1 else ''}"
        )
    return chosen


def _require_features(
    columns: TableColumns, chosen: Sequence[Column], taken: Mapping[int, str], banned: Sequence[Column]
) -> None:
    """Raises DataError for a feature that is excluded, has another role, or is there twice."""
    seen: set[int] = set()
    for column in chosen:
        if column in banned:
            raise DataError(
                f'{columns.place}: the column "{column.label}" is listed as a feature and to be excluded too; '
                "leave it out of one of the lists"
            )
        if column.position in taken:
            raise DataError(
                f'{columns.place}: the column "{column.label}" is the {taken[column.position]} and cannot be a '
                "feature too; take it out of the features"
            )
        if column.position in seen:
            raise DataError(f'{columns.place}: the feature "{column.label}" is listed twice; list it once')
        seen.add(column.position)


def _find_excluded(
    columns: TableColumns, exclude: Sequence[str] | str | None, taken: Mapping[int, str]
) -> list[Column]:
    """The columns to exclude; raises DataError for one that has a role."""
    listed = exclude.split(",") if isinstance(exclude, str) else list(exclude or ())
    banned = [columns.find(name, "column to exclude") for name in listed]
    for column in banned:
        if column.position in taken:
            raise DataError(
                f'{columns.place}: the column "{column.label}" is the {taken[column.position]} and cannot be '
                "excluded; take it out of one of the two"
            )
    return banned


def _spread_roles(
    columns: TableColumns, more: Mapping[str, Noise | Mapping[str, Noise]]
) -> Iterator[tuple[str, Noise]]:
    """Roles and what is given for them, one for each column of ``x_sigma``."""
    for role, given in more.items():
        if role != "x_sigma":
            yield role, given  # type: ignore[misc]
        elif given is not None:
            if not isinstance(given, Mapping):
                raise DataError('x_sigma must name columns, such as {"x": 0.1}, got ' + repr(given)[:40])
            for name, value in given.items():
                yield X_SIGMA + columns.find(name, "x_sigma").name, value


def _find_given(columns: TableColumns, role: str, given: Noise) -> Column | NDArray[np.float64] | float | None:
    """A number, a column or an array."""
    if isinstance(given, str):
        number = parse_cell(given)
        known = any(given in (c.label, c.name) for c in columns)
        return columns.find(given, role) if known or number is None or number != number else number
    if given is None:
        return None
    if isinstance(given, Mapping | bool) or (np.ndim(given) == 0 and not isinstance(given, Real | np.ndarray)):
        raise DataError(f"{role} must be a number, a column or one number for each row, got {given!r:.40}")
    if np.ndim(given) == 0:
        return float(given)  # type: ignore[arg-type]
    return as_vector(role, given)


def as_vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as float64 (n_row,); a single column (n_row, 1) is accepted. Raises DataError."""
    array = as_numbers(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{name} must have one dimension, with one value per row, got shape {array.shape}")
    return array


def as_numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as float64 of any shape; None and pandas' NA become NaN. Raises DataError."""
    try:
        array = np.asarray(values)
    except TypeError:
        # Dates beside numbers, and whatever else NumPy has no common type for: cell by cell, to name the first.
        array = np.array(values, dtype=object)
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
        number = parse_cell(cell)
        if number is None:
            where = ", ".join(str(i) for i in index)
            what = classify_value(cell)
            advice = "correct it" if what is None else what.advice
            raise DataError(f"{name}[{where}]: {describe_text(str(cell)[:40], what)}; {advice}")
        result[index] = number
    return result
