"""The checked table a search works on: complete, finite, without constant columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.choice import Choice
from hypo.data.columns import Column
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DROP = "use --drop-missing (drop_missing=True) to leave such rows out"

Place = Callable[[int, Column], str]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Observations ready for a search; all numbers are finite, in the units of the user.

    ``X`` (n_row, n_col) and ``y`` (n_row,) are float64; ``names`` (n_col) are Python identifiers, ``labels``
    the header texts without units. ``units`` holds the units stated in headers or by the caller, by name,
    target included. ``sigma`` is the noise of y in the unit of y, ``weights`` are ≥ 0; both (n_row,) or
    None. ``sha256`` is of names, target and the bytes of all numbers. ``n_dropped`` rows with missing values
    were left out; ``notes`` are sentences for the user. ``row_numbers`` (n_row,) are what the source calls the
    rows, as ``row_word`` says: lines of a file, or rows counted from 0.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    names: tuple[str, ...]
    target: str
    labels: tuple[str, ...]
    units: dict[str, str]
    sigma: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    source: str
    sha256: str
    n_dropped: int = 0
    notes: tuple[str, ...] = ()
    target_label: str = ""
    row_numbers: NDArray[np.int64] | None = None
    row_word: str = "row"

    @property
    def n_row(self) -> int:
        """Number of observations."""
        return len(self.y)

    def rows(self, chosen: NDArray[np.bool_]) -> Dataset:
        """The data set with the rows of the mask (n_row,) alone; ``sha256`` stays that of all."""
        return replace(
            self,
            X=self.X[chosen],
            y=self.y[chosen],
            sigma=None if self.sigma is None else self.sigma[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            row_numbers=None if self.row_numbers is None else self.row_numbers[chosen],
        )

    def rows_in_words(self, rows: Sequence[int], most: int = 5) -> str:
        """How the user finds the rows (numbers from 0): ``lines 12, 40 and 41``, ``rows 3 and 5 (from 0)``."""
        numbers = self.row_numbers if self.row_numbers is not None else np.arange(self.n_row)
        shown = [str(numbers[r]) for r in rows[:most]]
        if len(rows) > most:
            shown.append(f"{len(rows) - most} more")
        listed = shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
        word = self.row_word if len(rows) == 1 else f"{self.row_word}s"
        return f"{word} {listed}" + (" (from 0)" if self.row_word == "row" else "")


@dataclass(frozen=True, eq=False)
class Table:
    """A table to predict for: ``columns[name]`` (n_row,) float64, NaN where a cell is missing.

    ``names`` and ``labels`` are as in :class:`Dataset`; ``units`` are those of the headers, by name. Columns
    with text are left out and named in ``notes``.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    units: dict[str, str]
    columns: dict[str, NDArray[np.float64]]
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))


def make_dataset(source: str, choice: Choice, values: NDArray[np.float64], place: Place, *,
                 drop_missing: bool = False, leave_out_empty: bool = False,
                 units: Mapping[str, str] | None = None, lines: NDArray[np.int64] | None = None) -> Dataset:
    """Check the numbers of the chosen columns and make the Dataset.

    ``values`` (n_row, n_needed) has the columns of ``choice.needed``; ``place(row, column)`` says where a
    value stands. ``leave_out_empty`` leaves out features without any value; ``units`` win over those in the
    headers. ``lines`` (n_row,) are the rows' line numbers in a file.

    Raises DataError.
    """
    notes: list[str] = []
    sigma, weights = _aligned("sigma", choice, values), _aligned("weights", choice, values)
    kept = list(range(len(choice.features)))
    if leave_out_empty and len(values):
        empty = [k for k in kept if np.isnan(values[:, k]).all()]
        kept = [k for k in kept if k not in empty]
        notes += [f'column "{choice.features[k].label}" is empty and was left out' for k in empty]
    used = [*kept, *range(len(choice.features), len(choice.needed))]
    complete: NDArray[np.bool_] = np.all(np.isfinite(values[:, used]), axis=1)
    for array in (sigma, weights):
        if array is not None:
            complete &= np.isfinite(array)
    rows = np.flatnonzero(complete)
    n_dropped = len(values) - len(rows)
    if n_dropped:
        if not drop_missing:
            _refuse_missing(source, choice, values, used, complete, place)
        values = values[rows]
        sigma, weights = (None if a is None else a[rows] for a in (sigma, weights))
        notes.append(f"{n_dropped} rows with a missing or infinite value were left out" if n_dropped > 1 else
                     "1 row with a missing or infinite value was left out")
    if len(values) < 2:
        left = f" left after {notes[-1]}" if n_dropped else ""
        count = "is only one row (1 sample)" if len(values) else "is no row"
        raise DataError(f"{source}: there {count} of data{left}; a law needs at least two")
    _check_noise(source, choice, sigma, weights, rows, place)
    y = np.ascontiguousarray(values[:, len(choice.features)])
    if y.min() == y.max():
        raise DataError(f'{source}, column "{choice.target.label}": the target is {y[0]:g} in every row, '
                        "so there is no law to find; choose another target")
    constant = [k for k in kept if values[:, k].min() == values[:, k].max()]
    notes += [f'column "{choice.features[k].label}" is constant ({values[0, k]:g}) and was left out'
              for k in constant]
    kept = [k for k in kept if k not in constant]
    if not kept:
        raise DataError(f"{source}: every feature is constant or empty; a law needs at least one that varies")
    X = np.ascontiguousarray(values[:, kept])
    features = [choice.features[k] for k in kept]
    names = tuple(column.name for column in features)
    stated = {c.name: c.unit for c in (*features, choice.target) if c.unit is not None}
    stated |= {n: text for n, text in (units or {}).items() if n in names or n == choice.target.name}
    return Dataset(
        X=X, y=y, names=names, target=choice.target.name, labels=tuple(column.label for column in features),
        units=stated, sigma=sigma, weights=weights, source=source,
        sha256=_fingerprint([*names, choice.target.name], [X, y, sigma, weights]), n_dropped=n_dropped,
        notes=tuple(notes), target_label=choice.target.label,
        row_numbers=rows if lines is None else lines[rows], row_word="row" if lines is None else "line")


def _aligned(role: str, choice: Choice, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """sigma or weights as an array (n_row,), wherever they come from."""
    given = choice.sigma if role == "sigma" else choice.weights
    if given is None:
        return None
    if isinstance(given, Column):
        return np.ascontiguousarray(values[:, choice.needed.index(given)])
    if isinstance(given, float):
        if not (given > 0 and np.isfinite(given)):
            raise DataError(f"{role} must be a positive number, got {given:g}")
        return np.full(len(values), given)
    if len(given) != len(values):
        raise DataError(f"{role} has {len(given)} values but there are {len(values)} rows; expected as many")
    return given


def _refuse_missing(source: str, choice: Choice, values: NDArray[np.float64], used: list[int],
                    complete: NDArray[np.bool_], place: Place) -> None:
    row = int(np.flatnonzero(~complete)[0])
    faulty = [choice.needed[k] for k in used if not np.isfinite(values[row, k])]
    count = int((~complete).sum()) - 1
    also = "" if not count else f" (also in {count} more row{'s' if count > 1 else ''})"
    if not faulty:
        raise DataError(f"{source}, row {row} (from 0): sigma or the weight is missing or infinite{also}; "
                        f"correct it, or {_DROP}")
    column = min(faulty, key=lambda c: c.position)
    infinite = np.isinf(values[row, choice.needed.index(column)])
    what = f"is infinite{also}; correct it" if infinite else f"is missing{also}; fill it in"
    raise DataError(f"{place(row, column)}: the value {what}, or {_DROP}")


def _check_noise(source: str, choice: Choice, sigma: NDArray[np.float64] | None,
                 weights: NDArray[np.float64] | None, rows: NDArray[np.intp], place: Place) -> None:
    """``rows`` (n_kept,) are the numbers that the rows kept had before."""
    for role, array, given, bad, rule in (
        ("sigma", sigma, choice.sigma, None if sigma is None else sigma <= 0, "must be a positive number"),
        ("a weight", weights, choice.weights, None if weights is None else weights < 0, "must be 0 or more"),
    ):
        if array is not None and bad is not None and bad.any():
            first = int(np.flatnonzero(bad)[0])
            row = int(rows[first])
            where = place(row, given) if isinstance(given, Column) else f"{source}, row {row} (from 0)"
            raise DataError(f"{where}: {role} {rule}, got {array[first]:g}")
    if weights is not None and not weights.any():
        raise DataError(f"{source}: every weight is 0; at least one row must count")


def _fingerprint(names: list[str], arrays: list[NDArray[np.float64] | None]) -> str:
    digest = hashlib.sha256("\n".join(names).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array, dtype="<f8").data)
    return digest.hexdigest()
