"""The checked table a search works on: complete, finite, without constant columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hypo.expression.printing import shortened
from hypo.units import Unit, parse_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data.csv_reader import CsvFile


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
        return f"<Dataset {_describe(self.source, self.names)}; {count}, target {self.target}>"

    @property
    def aliases(self) -> dict[str, str]:
        """The headers that formulas have other names for, and these names."""
        pairs = zip((*self.labels, self.target_label), (*self.names, self.target), strict=True)
        return {label: name for label, name in pairs if label not in ("", name)}

    def units_beside(self, stated: Mapping[str, Unit]) -> dict[str, str]:
        """``units`` but for those read from round brackets where another dimension is ``stated``: they were something else."""
        return {
            name: text
            for name, text in self.units.items()
            if name not in self.read_units or name not in stated or parse_unit(text).dimension == stated[name].dimension
        }

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
        return f"<Table {_describe(self.source, self.names)}; {self.n_row} row{'s' * (self.n_row != 1)}>"

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))


def _describe(source: str, names: Sequence[str]) -> str:
    """Where a table is from, and its columns."""
    return f"{shortened(source, 60)}: columns {shortened(', '.join(names))}"
