"""Columns of a data frame as numbers; what they hold that is none is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data.cells import COMPLEX, DATE, SPAN, CellKind, Thousands, classify_value, describe_text, parse_cell
from hypo.data.columns import Column
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data.make_dataset import Place

_KINDS = {"M": DATE, "m": SPAN, "c": COMPLEX}
_CHOOSE = "choose other columns with features=[...] or exclude=[...]"


@dataclass(frozen=True)
class FrameText:
    """A column that holds no numbers: what is ``said`` of it, and what its first such cell is."""

    said: str
    kind: CellKind | None


class FrameReader:
    """Reads columns; ``drop`` takes cells that say that there is no value for missing ones."""

    def __init__(self, place: Place, drop: bool, thousands: str | None, otherwise: str = _CHOOSE) -> None:
        self._place, self._drop, self._otherwise = place, drop, otherwise
        self._thousands = Thousands.of(thousands)
        self._lacking: list[tuple[str, int, Column, CellKind]] = []

    def read(self, series: Any, column: Column, optional: bool) -> NDArray[np.float64] | FrameText:
        """The numbers (n_row,) of a column, NaN where missing; of an ``optional`` one with more texts than numbers what it is.
        Raises DataError for a text."""
        array = np.asarray(series)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64)
        if array.ndim != 1:
            raise DataError(f'the column "{column.label}" must have one dimension, got shape {array.shape}')
        own = _KINDS.get(array.dtype.kind)
        result = np.full(array.shape, np.nan)
        first: tuple[int, str, CellKind | None] | None = None
        texts = 0
        for row, cell in enumerate(array):
            number = self._number(cell) if own is None else None
            if number is not None:
                result[row] = number
                continue
            shown = str(cell)[:40]
            if own is not None and shown == "NaT":
                continue
            kind = own or classify_value(cell)
            if kind is not None and kind.is_missing and self._drop:
                self._lacking.append((shown, row, column, kind))
                continue
            first = first or (row, shown, kind)
            texts += kind is None or kind.is_text
        if first is None:
            return result
        row, shown, kind = first
        said = describe_text(shown, kind)
        if optional and texts > np.count_nonzero(~np.isnan(result)):
            return FrameText(f"{said} (row {row} from 0)", kind)
        advice = kind.advice if kind else "convert the column to numbers"
        raise DataError(f"{self._place(row, column)}: {said}; {advice}, or {self._otherwise}")

    def notes(self) -> Iterator[str]:
        """Sentences on what was taken for missing."""
        if self._lacking:
            shown, row, column, kind = self._lacking[0]
            count = len(self._lacking)
            yield (
                f'{count} cell{"s" * (count > 1)} such as "{shown}" in row {row} of "{column.label}" ({kind.words}) '
                f"count{'s' * (count == 1)} as missing"
            )

    def _number(self, cell: Any) -> float | None:
        if self._thousands is not None and isinstance(cell, str):
            cell = self._thousands.without(cell.strip()) or cell
            cell = cell.replace(",", ".") if self._thousands.decimal == "," else cell
        return parse_cell(cell)


def require_numbers(frame: Any, what: str) -> None:
    """Raises DataError where a column of a data frame holds no numbers; ``what`` the frame is called."""

    def place(row: int, column: Column) -> str:
        return f'{what}, row {row} (from 0), column "{column.label}"'

    reader = FrameReader(place, drop=False, thousands=None, otherwise="leave the column out")
    for k, key in enumerate(frame.columns):
        reader.read(
            frame.iloc[:, k] if hasattr(frame, "iloc") else frame[key], Column(k, str(key), str(key), None), False
        )
