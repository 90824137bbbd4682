"""Reads text tables block by block: separator, header, numbers, and the line and column of whatever is wrong.

Blocks of lines go through NumPy's C parser; only a block that it refuses is read again cell by cell.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none"})
"""Cells that mean "no value", in lower case."""

_BLOCK_LINES = 20_000
_BLOCK_CHARACTERS = 8_000_000
_SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", None: "blanks"}
_DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BLANK_SEPARATED = re.compile(r'"(?:[^"]|"")*"(?:\s*\[[^\]]*\])?|[^\s"\[]+(?:\s*\[[^\]]*\])?|\[[^\]]*\]|\S+')


@dataclass(frozen=True)
class Numbers:
    """The cells read: ``values`` (n_row, n_wanted), NaN where missing; ``lines`` (n_row,), counted from 1.

    ``text`` holds, per position in ``wanted``, line and content of the first text cell of a column left
    unread.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    text: Mapping[int, tuple[int, str]]


class CsvFile:
    """A text table whose separator and header are known; :meth:`read` gets the numbers of some columns.

    Columns are separated by tabs, semicolons, commas or blanks, whichever comes first in this list and
    occurs in the first line. Lines that begin with ``#`` are comments. The first line is a header if it
    holds no number, or a text above a number. Numbers may have a decimal comma where the comma does not
    separate columns.

    Raises DataError for a file that cannot be opened, is binary, or holds no table.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.source = os.fspath(path)
        self.encoding = self._encoding()
        self.separator: str | None = None
        self.header: tuple[str, ...] | None = None
        self.first_line = 0
        self.comment_before = False
        self._skip_to = 0
        self._decimal: str | None = None
        self._find_header()

    @property
    def n_columns(self) -> int:
        """How many cells each line must have."""
        return self._n_columns

    def starts_with_text(self, position: int) -> bool:
        """Whether the first row of data has a text in this column."""
        return position < len(self._sample) and not self._is_number(self._sample[position])

    def _open(self) -> Iterator[str]:
        # Bytes that are not UTF-8 matter only where text is shown, see _readable.
        errors = "surrogateescape" if self.encoding.startswith("utf-8") else "replace"
        with open(self.source, encoding=self.encoding, errors=errors) as file:
            yield from file

    def _encoding(self) -> str:
        try:
            with open(self.source, "rb") as file:
                head = file.read(65536)
        except FileNotFoundError:
            raise DataError(f"{self.source}: there is no such file; check the path") from None
        except IsADirectoryError:
            raise DataError(f"{self.source}: this is a directory; give the path of a file in it") from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise DataError(f"{self.source}: the file cannot be opened ({reason}); check the path") from None
        if not head:
            raise DataError(f"{self.source}: the file is empty; expected a table with columns of numbers")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        if b"\0" in head or head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"%PDF")):
            raise DataError(f"{self.source}: this is a binary file; expected text, so save the table as CSV")
        return "utf-8-sig"

    def _find_header(self) -> None:
        first: list[tuple[int, str]] = []
        for number, line in enumerate(self._open(), start=1):
            if line.isspace():
                continue
            if _is_comment(line):
                self.comment_before = self.comment_before or not first
                continue
            declared = re.fullmatch(r'"?sep=([;,\t|])"?\s*', line) if not first else None
            if declared:  # Excel's own first line
                self.separator, self._skip_to = declared[1], number
                continue
            first.append((number, line))
            if len(first) == 2:
                break
        if not first:
            raise DataError(
                f"{self.source}: the file holds only comments or blank lines; expected columns of numbers")
        self.first_line, line = first[0]
        if not self._skip_to:
            unquoted = re.sub(r'"[^"]*"', "", line)
            self.separator = next((s for s in _SEPARATORS if s is not None and s in unquoted), None)
        self._decimal = "." if self.separator == "," else None
        cells = self._split(line, self.first_line)
        below = self._split(first[1][1], first[1][0]) if len(first) == 2 else []
        is_number = [self._is_number(cell) for cell in cells]
        if not any(is_number) or any(
                not number and self._is_number(cell) for number, cell in zip(is_number, below, strict=False)):
            self.header = tuple(_readable(cell) for cell in cells)
            self._skip_to = self.first_line
        self._sample = below if self.header is not None else cells
        self._n_columns = len(cells)

    def _split(self, line: str, number: int) -> list[str]:
        if self.separator is None:
            plain = "[" not in line and '"' not in line
            cells = line.split() if plain else [_unquoted(c) for c in _BLANK_SEPARATED.findall(line)]
        elif '"' in line:
            if line.count('"') % 2:
                raise DataError(
                    f"{self.source}, line {number}: a quotation mark is not closed on this line; close it")
            try:
                cells = next(csv.reader([line.strip("\n")], delimiter=self.separator, skipinitialspace=True))
            except csv.Error as error:
                raise DataError(f"{self.source}, line {number}: {error}; correct the line") from None
        else:
            cells = line.split(self.separator)
        return [cell.strip() for cell in cells]

    def _is_number(self, cell: str) -> bool:
        decimal = cell.replace(",", ".") if self.separator != "," and _DECIMAL_COMMA.fullmatch(cell) else cell
        return cell.lower() in MISSING or _number(decimal) is not None

    def read(self, wanted: Sequence[int], labels: Sequence[str], *, skip_text: bool = False,
             advice: Mapping[int, str] | None = None) -> Numbers:
        """The numbers of the columns ``wanted`` (positions), in that order.

        ``labels`` names all columns in messages. A text cell in column j is an error ending in
        ``advice[j]``, or, with ``skip_text``, makes the column NaN. Missing cells are NaN.

        Raises DataError with line and column for a text cell, mixed decimal signs and a row of another
        length.
        """
        parser = _BlockParser(self, wanted, labels, skip_text, advice or {})
        values: list[NDArray[np.float64]] = []
        lines: list[NDArray[np.int64]] = []
        for block, numbers in self._blocks():
            part, kept = parser.parse(block, numbers)
            values.append(part)
            lines.append(kept)
        if not values:
            raise DataError(f"{self.source}: there is a header but no row of data; add the measurements")
        return Numbers(np.concatenate(values), np.concatenate(lines), parser.text)

    def _blocks(self) -> Iterator[tuple[list[str], list[int]]]:
        separator, expected = self.separator, self._n_columns
        block: list[str] = []
        numbers: list[int] = []
        room = _BLOCK_CHARACTERS
        for number, line in enumerate(self._open(), start=1):
            if number <= self._skip_to or line.isspace() or ("#" in line and _is_comment(line)):
                continue
            simple = separator is not None and '"' not in line
            count = line.count(separator) + 1 if simple and separator else len(self._split(line, number))
            if count != expected:
                cells = "cell" if expected == 1 else "cells"
                name = _SEPARATORS.get(separator, separator)
                raise DataError(
                    f"{self.source}, line {number}: expected {expected} {cells} as in line "
                    f"{self.first_line}, got {count}; correct the line (separator: {name})")
            block.append(line)
            numbers.append(number)
            room -= len(line)
            if room <= 0 or len(block) == _BLOCK_LINES:
                yield block, numbers
                block, numbers, room = [], [], _BLOCK_CHARACTERS
        if block:
            yield block, numbers


class _BlockParser:
    """Turns blocks of lines into numbers; remembers decimal sign and text columns from block to block."""

    def __init__(self, file: CsvFile, wanted: Sequence[int], labels: Sequence[str], skip_text: bool,
                 advice: Mapping[int, str]) -> None:
        self.file = file
        self.wanted = list(wanted)
        self.labels = labels
        self.skip_text = skip_text
        self.advice = advice
        self.text: dict[int, tuple[int, str]] = {}
        self.decimal = file._decimal
        self.all_columns = len(set(wanted)) == file.n_columns

    def parse(self, block: list[str], numbers: list[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        values = self._fast(block)
        if values is not None:
            return values, np.asarray(numbers, dtype=np.int64)
        return self._slow(block, numbers)

    def _fast(self, block: list[str]) -> NDArray[np.float64] | None:
        """All numbers of the block by NumPy's parser, or None when a cell needs a closer look."""
        positions = [k for k in range(len(self.wanted)) if k not in self.text]
        if not positions:
            return np.full((len(block), len(self.wanted)), np.nan)
        if self.file.separator != ",":
            comma, point = any("," in line for line in block), any("." in line for line in block)
            if (comma and point) or (point and self.decimal == ","):
                return None
            if comma and self.decimal != ".":
                block = [line.replace(",", ".") for line in block]
        quote = '"' if any('"' in line for line in block) else None
        try:
            numbers = np.loadtxt(
                block, dtype=np.float64, comments=None, delimiter=self.file.separator, quotechar=quote,
                ndmin=2, usecols=[self.wanted[k] for k in positions])
        except ValueError:
            return None
        if self.file.separator != "," and self.all_columns and not self.text and (comma or point):
            self.decimal = "," if comma else "."
        if len(positions) == len(self.wanted):
            return numbers
        values = np.full((len(block), len(self.wanted)), np.nan)
        values[:, positions] = numbers
        return values

    def _slow(self, block: list[str], numbers: list[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        rows: list[list[float]] = []
        lines: list[int] = []
        for line, number in zip(block, numbers, strict=True):
            cells = self.file._split(line, number)
            if any(cells):  # a line of separators alone is as good as blank
                rows.append([self._cell(cells[j], k, number) for k, j in enumerate(self.wanted)])
                lines.append(number)
        values = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(self.wanted))
        return values, np.asarray(lines, dtype=np.int64)

    def _cell(self, cell: str, position: int, line: int) -> float:
        value = _number(cell)
        sign = "." if value is not None and "." in cell else None
        if value is None:
            if position in self.text or cell.lower() in MISSING:
                return np.nan
            if self.file.separator != "," and _DECIMAL_COMMA.fullmatch(cell):
                value, sign = _number(cell.replace(",", ".")), ","
        if value is None:
            if not self.skip_text:
                shown = _readable(cell if len(cell) <= 40 else cell[:39] + "…")
                advice = self.advice.get(self.wanted[position], "correct the cell")
                raise DataError(f'{self._place(line, position)}: "{shown}" is not a number; {advice}')
            self.text[position] = (line, _readable(cell))
            return np.nan
        if sign is not None and self.file.separator != ",":
            if self.decimal is not None and self.decimal != sign:
                names = {".": "point", ",": "comma"}
                raise DataError(
                    f'{self._place(line, position)}: "{cell}" has a decimal {names[sign]} but earlier '
                    f"numbers have a decimal {names[self.decimal]}; write all numbers in one way")
            self.decimal = sign
        return value

    def _place(self, line: int, position: int) -> str:
        return f'{self.file.source}, line {line}, column "{self.labels[self.wanted[position]]}"'


def _is_comment(line: str) -> bool:
    start = line.lstrip()[:4].upper()
    return start.startswith("#") and start != "#N/A"


def _unquoted(cell: str) -> str:
    """``"a b" [m]`` without its quotation marks, for tables separated by blanks."""
    match = re.fullmatch(r'"((?:[^"]|"")*)"(.*)', cell, re.DOTALL)
    return match[1].replace('""', '"') + match[2] if match else cell


def _number(cell: str) -> float | None:
    if "_" in cell or not cell.isascii():  # float() reads 1_000 and the digits of every script
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def cell_number(cell: object) -> float | None:
    """The number in a cell of any type, NaN for a missing one, None for text."""
    text = str(cell).strip()
    return np.nan if text.lower() in MISSING else _number(text)


def _readable(text: str) -> str:
    """Text with its bytes that are not UTF-8 read as Windows-1252."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return text
