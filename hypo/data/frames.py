"""Columns of a data frame as numbers; what they hold that is none is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo.data.cells import DATE, TRUTH, Kind, Thousands, cell_number, kind_of
from hypo.data.columns import Column
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data.dataset import Place

_KINDS = {"M": DATE, "m": Kind("a span of time", "write it as a number of seconds, say", text=True),
          "c": Kind("complex", "choose its real part or its size", text=True)}


@dataclass(frozen=True)
class FrameText:
    """A column that holds no numbers: what is ``said`` of it, and what its first such cell is."""

    said: str
    kind: Kind | None


class FrameReader:
    """Reads columns; ``drop`` takes cells that say that there is no value for missing ones."""

    def __init__(self, place: Place, drop: bool, thousands: str | None) -> None:
        self._place, self._drop = place, drop
        self._thousands = Thousands.of(thousands)
        self._lacking: list[tuple[str, int, Column, Kind]] = []

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
        first: tuple[int, str, Kind | None] | None = None
        texts = 0
        for row, cell in enumerate(array):
            number = self._number(cell) if own is None else None
            if number is not None:
                result[row] = number
                continue
            shown = str(cell)[:40]
            if own is not None and shown == "NaT":
                continue
            kind = own or _kind(cell)
            if kind is not None and kind.lacking and self._drop:
                self._lacking.append((shown, row, column, kind))
                continue
            first = first or (row, shown, kind)
            texts += kind is None or kind.text
        if first is None:
            return result
        row, shown, kind = first
        said = f'"{shown}" is not a number' + (f" but {kind.words}" if kind else "")
        if optional and texts > np.count_nonzero(~np.isnan(result)):
            return FrameText(f"{said} (row {row} from 0)", kind)
        advice = f"{kind.advice}, or" if kind else "convert the column to numbers or"
        raise DataError(f"{self._place(row, column)}: {said}; {advice} choose other columns with features=[...] or "
                        "exclude=[...]")

    def notes(self) -> Iterator[str]:
        """What was taken for missing."""
        if self._lacking:
            shown, row, column, kind = self._lacking[0]
            count = len(self._lacking)
            yield (f'{count} cell{"s" * (count > 1)} such as "{shown}" in row {row} of "{column.label}" ({kind.words}) '
                   f"count{'s' * (count == 1)} as missing")

    def _number(self, cell: Any) -> float | None:
        if isinstance(cell, bool | np.bool_):
            return float(cell)
        if self._thousands is not None and isinstance(cell, str):
            cell = self._thousands.without(cell.strip()) or cell
            cell = cell.replace(",", ".") if self._thousands.decimal == "," else cell
        return cell_number(cell)


def _kind(cell: Any) -> Kind | None:
    """What a cell is that is no number."""
    if isinstance(cell, str):
        return kind_of(cell)
    return DATE if hasattr(cell, "isoformat") else TRUTH if isinstance(cell, bool) else None
