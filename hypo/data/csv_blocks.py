"""Turns blocks of lines of a text table into numbers, and says what the cells are that are none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.cells import DECIMAL_COMMA, MISSING, CellKind, classify_cell, describe_text, parse_number
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data.csv_reader import CsvFile

# A comma that does not stand before three digits is a decimal comma.
_SURELY_DECIMAL = re.compile(r"[0-9]{4},|[0-9],(?![0-9]{3}(?![0-9]))|(?<![0-9]),[0-9]|(?<![0-9])0,")
_GROUPED = re.compile(r"[0-9],[0-9]{3}(?![0-9])")
# Characters of a cell that a message shows at most.
_LONGEST = 40


@dataclass(frozen=True)
class TextCell:
    """A text cell: its line, what it holds, and what that is, if it says anything to us."""

    line: int
    cell: str
    kind: CellKind | None

    @property
    def description(self) -> str:
        """The words of a message for it."""
        return describe_text(self.cell, self.kind)


@dataclass(frozen=True)
class ParsedBlock:
    """The cells read: ``values`` (n_row, n_wanted), NaN where missing; ``lines`` (n_row,), counted from 1.

    ``text`` holds, per position in ``wanted``, the first text cell of a column left unread; ``notes`` say what was taken for
    what.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    text: Mapping[int, TextCell]
    notes: tuple[str, ...] = ()


class BlockParser:
    """Turns blocks of lines into numbers; remembers decimal sign and text columns from block to block."""

    def __init__(
        self,
        file: CsvFile,
        wanted: Sequence[int],
        labels: Sequence[str],
        *,
        skip_text: bool,
        advice: Mapping[int, str],
        optional: Collection[int],
        target: int | None,
        drop: bool,
    ) -> None:
        self.file = file
        self.wanted = list(wanted)
        self.labels = labels
        self.skip_text = skip_text
        self.advice = advice
        self.target = target
        self.drop = drop or skip_text
        self.optional = [position in optional for position in wanted]
        self.text: dict[int, TextCell] = {}
        self.decimal = file.decimal
        self.all_columns = len(set(wanted)) == file.n_columns
        self.seen = 0
        # How many cells said that there is no value, and the first of them; whether a comma was met that could stand between
        # thousands, and one that could not.
        self._lacking: tuple[int, TextCell] | None = None
        self._could_group, self._decides = "", False

    def parse(self, block: list[str], numbers: list[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Values (n_row, n_wanted) and line numbers (n_row,) of the rows of a block."""
        values = self._fast(block)
        if values is None:
            return self._slow(block, numbers)
        self.seen += len(block)
        return values, np.asarray(numbers, dtype=np.int64)

    def notes(self) -> Iterator[str]:
        """Sentences on what was taken for what, once all blocks are read."""
        if self._lacking is not None and not self.skip_text:
            count, first = self._lacking
            assert first.kind is not None
            yield (
                f'{count} cell{"s" * (count > 1)} such as "{first.cell}" in line {first.line} ({first.kind.words}) '
                f"count{'s' * (count == 1)} as missing"
            )
        if self.decimal == "," and self.file.thousands is None and self._could_group and not self._decides:
            value = self._could_group.replace(",", ".")
            yield (
                f"commas were read as decimal signs ({self._could_group} as {value}); if they stand between thousands, say "
                '--thousands , (thousands=",")'
            )

    def _fast(self, block: list[str]) -> NDArray[np.float64] | None:
        """All numbers of the block by NumPy's parser, or None when a cell needs a closer look."""
        positions = [k for k in range(len(self.wanted)) if k not in self.text]
        if not positions:
            return np.full((len(block), len(self.wanted)), np.nan)
        if self.file.thousands is not None:
            return None
        comma = point = False
        if self.file.separator != ",":
            comma, point = any("," in line for line in block), any("." in line for line in block)
            if (comma and point) or (point and self.decimal == ","):
                return None
            if comma and self.decimal != ".":
                self._look_at_commas(block)
                block = [line.replace(",", ".") for line in block]
        quote = '"' if any('"' in line for line in block) else None
        try:
            numbers = np.loadtxt(
                block,
                dtype=np.float64,
                comments=None,
                delimiter=self.file.separator,
                quotechar=quote,
                ndmin=2,
                usecols=[self.wanted[k] for k in positions],
            )
        except ValueError:
            return None
        if self.file.separator != "," and self.all_columns and not self.text and (comma or point):
            self.decimal = "," if comma else "."
        if len(positions) == len(self.wanted):
            return numbers
        values = np.full((len(block), len(self.wanted)), np.nan)
        values[:, positions] = numbers
        return values

    def _look_at_commas(self, lines: list[str]) -> None:
        for line in () if self._decides else lines:
            if not self._could_group and (found := _GROUPED.search(line)):
                whole = re.search(r"[0-9]*$", line[: found.start() + 1])
                self._could_group = (whole.group() if whole else "") + found.group()[1:]
            if _SURELY_DECIMAL.search(line):
                self._decides = True
                return

    def _slow(self, block: list[str], numbers: list[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        rows: list[list[float]] = []
        lines: list[int] = []
        first: dict[int, TextCell] = {}
        texts = [0] * len(self.wanted)
        for line, number in zip(block, numbers, strict=True):
            cells = self.file.split(line, number)
            if not any(cells):  # a line of separators alone is as good as blank
                continue
            row = []
            for k, j in enumerate(self.wanted):
                value = np.nan if k in self.text else self._cell(cells[j], k, number)
                if isinstance(value, TextCell):
                    first.setdefault(k, value)
                    texts[k] += value.kind is None or value.kind.is_text
                    value = np.nan
                row.append(value)
            rows.append(row)
            lines.append(number)
        values = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(self.wanted))
        for k, text in first.items():
            if not self.skip_text and texts[k] <= self.seen + np.count_nonzero(~np.isnan(values[:, k])):
                self._refuse(text, k)
            self.text[k] = text
            values[:, k] = np.nan
        self.seen += len(rows)
        return values, np.asarray(lines, dtype=np.int64)

    def _cell(self, cell: str, position: int, line: int) -> float | TextCell:
        """The number in a cell, NaN for a missing one, and the text of a column that can do without. Raises DataError."""
        grouping = self.file.thousands
        bare = cell if grouping is None else grouping.without(cell)
        if grouping is not None and bare is None and (wrong := grouping.misplaced(cell)):
            raise DataError(f'{self._place(line, position)}: in "{_short(cell)}" {wrong}; correct the cell')
        bare = cell if bare is None else bare
        commas = self.file.separator != "," or self.decimal == ","
        value = parse_number(bare)
        sign = "." if value is not None and "." in bare else None
        if value is None:
            if bare.lower() in MISSING:
                return np.nan
            if commas and DECIMAL_COMMA.fullmatch(bare):
                value, sign = parse_number(bare.replace(",", ".")), ","
                self._look_at_commas([bare])
        if value is None:
            return self._no_number(cell, position, line)
        if sign is not None and commas:
            if self.decimal is not None and self.decimal != sign:
                names = {".": "point", ",": "comma"}
                why = (
                    f"the mark between thousands is {grouping.mark}"
                    if grouping is not None and grouping.decimal
                    else f"earlier numbers have a decimal {names[self.decimal]}"
                )
                raise DataError(
                    f'{self._place(line, position)}: "{cell}" has a decimal {names[sign]} but {why}; write all '
                    "numbers in one way"
                )
            self.decimal = sign
        return value

    def _no_number(self, cell: str, position: int, line: int) -> float | TextCell:
        """NaN for a cell that says that there is no value, where that is no error; else its text, where that is none."""
        text = TextCell(line, _short(cell), classify_cell(cell))
        if text.kind is not None and text.kind.is_missing and self.drop:
            self._lacking = (1, text) if self._lacking is None else (self._lacking[0] + 1, self._lacking[1])
            return np.nan
        if not (self.skip_text or self.optional[position]):
            self._refuse(text, position)
        return text

    def _refuse(self, text: TextCell, position: int) -> None:
        kind, j = text.kind, self.wanted[position]
        own = "correct the cell" if kind is None else kind.advice
        if text.line == self.file.line_of_texts:
            own = "delete this line of texts, or begin it with #"
        limit = kind.of_target if kind is not None and j == self.target else ""
        advice = ", or ".join(filter(None, [limit, own, self.advice.get(j, "")]))
        raise DataError(f"{self._place(text.line, position)}: {text.description}; {advice}")

    def _place(self, line: int, position: int) -> str:
        return f'{self.file.source}, line {line}, column "{self.labels[self.wanted[position]]}"'


def _short(cell: str) -> str:
    return decode(cell if len(cell) <= _LONGEST else cell[: _LONGEST - 1] + "…")


def decode(text: str) -> str:
    """Text with its bytes that are not UTF-8 read as Windows-1252."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return text
