"""The checked table a search works on: complete, finite, without constant columns."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.choice import FOLDS, X_SIGMA, Choice
from hypo.data.columns import Column
from hypo.errors import DataError
from hypo.expression.printing import shortened
from hypo.units import Unit, parse_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data.csv_reader import CsvFile

# A column that varies by less than this share of its size is better shifted.
FAR = 1e-3
# Columns that a note names.
_SHOWN = 6

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

    ``trials`` (n_row,) are those of binomial counts. Where targets are censored, ``lower`` and ``upper`` (n_row,) hold their
    limits: equal to y where it was measured, infinite where there is none; y is then a value between them. ``x_sigma`` is the
    noise (n_row,) of columns, by name, in their units. ``folds`` (n_row,) are the numbers of the rows' folds, for validation.
    ``constant`` has the value of each column that was left out because it never changes, by its name; ``left_out`` says of
    others, by name, why they were. ``read_units`` are the names whose units were read from round brackets, and give way to
    others. ``written`` are the names of columns by their whole headers; ``thousands`` is the mark that the user named.
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
    trials: NDArray[np.float64] | None = None
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    x_sigma: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    folds: NDArray[np.float64] | NDArray[np.bool_] | None = None
    constant: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    read_units: frozenset[str] = frozenset()
    written: dict[str, str] = field(default_factory=dict)
    thousands: str | None = None

    def __repr__(self) -> str:
        count = f"{self.n_row} row{'s' * (self.n_row != 1)}"
        return f"<Dataset {_shown(self.source, self.names)}; {count}, target {self.target}>"

    @property
    def aliases(self) -> dict[str, str]:
        """The headers that formulas have other names for, and these names."""
        pairs = zip((*self.labels, self.target_label), (*self.names, self.target), strict=True)
        return {label: name for label, name in pairs if label not in ("", name)}

    def units_beside(self, stated: Mapping[str, Unit]) -> dict[str, str]:
        """``units`` but for those read from round brackets where another dimension is ``stated``: they were something else."""
        return {name: text for name, text in self.units.items() if name not in self.read_units or name not in stated
                or parse_unit(text).dimension == stated[name].dimension}

    @property
    def n_row(self) -> int:
        """Number of observations."""
        return len(self.y)

    def rows(self, chosen: NDArray[np.bool_]) -> Dataset:
        """The data set with the rows of the mask (n_row,) alone; ``sha256`` stays that of all."""
        by_row = ("sigma", "weights", "trials", "lower", "upper", "row_numbers", "folds")
        given = {name: values for name in by_row if (values := getattr(self, name)) is not None}
        return replace(
            self,
            X=self.X[chosen],
            y=self.y[chosen],
            x_sigma={name: s[chosen] for name, s in self.x_sigma.items()},
            **{name: values[chosen] for name, values in given.items()},
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
    with text are left out and named in ``notes``; ``said`` is what was read as what. ``file`` is where it was read. ``aliases``
    are other names that formulas may have for columns, by them.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    units: dict[str, str]
    columns: dict[str, NDArray[np.float64]]
    source: str = ""
    notes: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    file: CsvFile | None = None
    aliases: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Table {_shown(self.source, self.names)}; {self.n_row} row{'s' * (self.n_row != 1)}>"

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))


def _shown(source: str, names: Sequence[str]) -> str:
    """Where a table is from, and its columns."""
    return f"{shortened(source, 60)}: columns {shortened(', '.join(names))}"


def make_dataset(source: str, choice: Choice, values: NDArray[np.float64], place: Place, *,
                 drop_missing: bool = False, leave_out_empty: bool = False,
                 units: Mapping[str, str] | None = None, lines: NDArray[np.int64] | None = None,
                 notes: Sequence[str] = ()) -> Dataset:
    """Check the numbers of the chosen columns and make the Dataset.

    ``values`` (n_row, n_needed) has the columns of ``choice.needed``; ``place(row, column)`` says where a
    value stands. ``leave_out_empty`` leaves out features without any value; ``units`` win over those in the
    headers. ``lines`` (n_row,) are the rows' line numbers in a file; ``notes`` are what is to be said of how it was read.

    Raises DataError.
    """
    notes = [*notes, *choice.left_out.values()]
    sigma, weights = (_aligned(role, given, choice, values)
                      for role, given in (("sigma", choice.sigma), ("weights", choice.weights)))
    more = {role: array for role, given in choice.more.items()
            if (array := _aligned(role, given, choice, values)) is not None}
    limits = _limits(source, choice, more, values, place)
    kept = list(range(len(choice.features)))
    if leave_out_empty and len(values):
        missing = np.all(np.isnan(values), axis=0).tolist()
        empty = [k for k in kept if missing[k]]
        kept = [k for k in kept if not missing[k]]
        notes += [f'column "{choice.features[k].label}" is empty and was left out' for k in empty]
    used = [*kept, *range(len(choice.features), len(choice.needed))]
    if limits is not None:
        values[:, len(choice.features)] = limits[2]
        open_ended = [choice.needed.index(c) for r, c in choice.more.items() if r in _LIMITS and isinstance(c, Column)]
        used = [k for k in used if k not in open_ended]
    complete: NDArray[np.bool_] = np.all(np.isfinite(values[:, used]), axis=1)
    for array in (sigma, weights, *(a for role, a in more.items() if role not in _LIMITS)):
        if array is not None:
            complete &= np.isfinite(array)
    rows = np.flatnonzero(complete)
    n_dropped = len(values) - len(rows)
    if n_dropped:
        if not drop_missing:
            _refuse_missing(source, choice, values, used, complete, place)
        values = values[rows]
        sigma, weights = (None if a is None else a[rows] for a in (sigma, weights))
        more = {role: array[rows] for role, array in more.items()}
        limits = None if limits is None else (limits[0][rows], limits[1][rows], limits[2][rows])
        notes.append(f"{n_dropped} rows with a missing or infinite value were left out" if n_dropped > 1 else
                     "1 row with a missing or infinite value was left out")
    if len(values) < 2:
        left = f" left after {notes[-1]}" if n_dropped else ""
        count = "is only one row (1 sample)" if len(values) else "is no row"
        raise DataError(f"{source}: there {count} of data{left}; a law needs at least two")
    _check_noise(source, choice, sigma, weights, rows, place)
    _check_more(source, choice, more, rows, place)
    folds = more.pop(FOLDS, None)
    y = np.ascontiguousarray(values[:, len(choice.features)])
    if y.min() == y.max() and limits is None and "trials" not in more:
        raise DataError(f'{source}, column "{choice.target.label}": the target is {y[0]:g} in every row, '
                        "so there is no law to find; choose another target")
    same = values.min(axis=0) == values.max(axis=0)
    constant = [k for k in kept if same[k]]
    notes += [f'column "{choice.features[k].label}" is constant ({values[0, k]:g}) and was left out'
              for k in constant]
    kept = [k for k in kept if not same[k]]
    if not kept:
        raise DataError(f"{source}: every feature is constant or empty; a law needs at least one that varies")
    X = np.ascontiguousarray(values[:, kept])
    features = [choice.features[k] for k in kept]
    notes += _renamed([c for c in (*features, choice.target) if c.label != c.name])
    notes += [note for column, x in zip(features, X.T, strict=True) if (note := _far_from_zero(column, x))]
    names = tuple(column.name for column in features)
    stated = {c.name: c.unit for c in (*features, choice.target) if c.unit is not None}
    known = {*names, choice.target.name}
    stated |= {n: text for n, text in (units or {}).items() if n in known}
    return Dataset(
        X=X, y=y, names=names, target=choice.target.name, labels=tuple(column.label for column in features),
        units=stated, sigma=sigma, weights=weights, source=source,
        sha256=_fingerprint([*names, choice.target.name], [X, y, sigma, weights, *more.values()]), n_dropped=n_dropped,
        trials=more.get("trials"), lower=None if limits is None else limits[0],
        upper=None if limits is None else limits[1],
        x_sigma={role.removeprefix(X_SIGMA): a for role, a in more.items()
                 if role.startswith(X_SIGMA) and role.removeprefix(X_SIGMA) in names},
        folds=folds, notes=tuple(notes), target_label=choice.target.label,
        constant={choice.features[k].name: float(values[0, k]) for k in constant},
        left_out={c.name: why for c, why in choice.left_out.items()},
        read_units=frozenset(c.name for c in (*features, choice.target) if c.read),
        written={c.written: c.name for c in (*features, choice.target) if c.written not in ("", c.name)},
        row_numbers=rows if lines is None else lines[rows], row_word="row" if lines is None else "line")


def _renamed(columns: Sequence[Column]) -> list[str]:
    """A sentence on the columns that formulas have other names for, if any."""
    if not columns:
        return []
    shown = [f'"{c.label}" is called {c.name}' for c in columns[:_SHOWN]]
    more = [f"so are {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
    *first, last = (*shown, *more)
    return ["in formulas the column " + (f"{', '.join(first)} and {last}" if first else last)]


def _far_from_zero(column: Column, x: NDArray[np.float64]) -> str:
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


_LIMITS = ("censored", "lower", "upper")


def _limits(source: str, choice: Choice, more: Mapping[str, NDArray[np.float64]], values: NDArray[np.float64],
            place: Place) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Lower and upper limits of the target and a value that stands for it, (n_row,) each; None where it is not censored."""
    given = [role for role in _LIMITS if role in more]
    if not given:
        return None
    y = values[:, len(choice.features)].copy()

    def refuse(bad: NDArray[np.bool_], role: str, what: str) -> None:
        if bad.any():
            row, column = int(np.flatnonzero(bad)[0]), choice.more.get(role)
            where = place(row, column) if isinstance(column, Column) else f"{source}, row {row} (from 0)"
            raise DataError(f"{where}: {what.format(more[role][row])}")

    if "censored" in given:
        if len(given) > 1:
            raise DataError(f"{source}: give either censored, or lower and upper; not both")
        code = more["censored"]
        refuse(~np.isin(code, (-1.0, 0.0, 1.0)), "censored", "censored must be 0 (measured), 1 (the true value is above "
               "the target) or -1 (it is below), got {:g}")
        return np.where(code < 0, -np.inf, y), np.where(code > 0, np.inf, y), y
    lower = np.nan_to_num(more.get("lower", np.full(len(y), np.nan)), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    upper = np.nan_to_num(more.get("upper", np.full(len(y), np.nan)), nan=np.inf, posinf=np.inf, neginf=-np.inf)
    refuse(lower > upper, given[0], given[0] + " is {:g}, but the upper limit must not be below the lower one")
    refuse((lower == np.inf) | (upper == -np.inf), given[0], given[0] + " is {:g}, which leaves no value for the target")
    measured = np.isinf(lower) & np.isinf(upper)
    lower, upper = np.where(measured, y, lower), np.where(measured, y, upper)
    with np.errstate(invalid="ignore"):
        middle = np.where(np.isinf(lower), upper, np.where(np.isinf(upper), lower, 0.5 * (lower + upper)))
    return lower, upper, np.where(measured, y, middle)


def _check_more(source: str, choice: Choice, more: Mapping[str, NDArray[np.float64]], rows: NDArray[np.intp],
                place: Place) -> None:
    for role, array in more.items():
        if role.startswith(X_SIGMA):
            bad, rule = array < 0, "must be 0 or more"
        elif role == "trials":
            bad, rule = (array < 1) | (array != np.round(array)), "must be a whole number, 1 or more"
        else:
            continue
        if bad.any():
            first, column = int(np.flatnonzero(bad)[0]), choice.more[role]
            row = int(rows[first])
            where = place(row, column) if isinstance(column, Column) else f"{source}, row {row} (from 0)"
            raise DataError(f"{where}: {role} {rule}, got {array[first]:g}")


def _aligned(role: str, given: Column | NDArray[np.float64] | float | None, choice: Choice,
             values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """sigma, weights or another role as an array (n_row,), wherever they come from."""
    if given is None:
        return None
    if isinstance(given, Column):
        return np.ascontiguousarray(values[:, choice.needed.index(given)])
    if isinstance(given, float):
        if not (given > 0 and np.isfinite(given)):
            raise DataError(f"{role} must be a positive number, got {given:g}")
        if role in _LIMITS:
            raise DataError(f"{role} must be a column, or an array with one value per row, got {given:g}")
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
