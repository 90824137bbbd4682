"""Reads text tables: separator, header, units, and the numbers of some columns block by block.

Blocks of lines go through NumPy's C parser; only a block that it refuses is read again cell by cell
(:mod:`hypo.data.csv_blocks`).
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hypo.data.cells import DECIMAL_COMMA, MISSING, Thousands, is_comment, parse_number
from hypo.data.csv_blocks import BlockParser, ParsedBlock, decode
from hypo.data.headers import read_units_below
from hypo.data.opening import open_table
from hypo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Lines that are parsed at a time.
_BLOCK_LINES = 20_000
# Characters that are parsed at a time, where lines are long.
_BLOCK_CHARACTERS = 8_000_000
_SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", None: "blanks"}
_BLANK_SEPARATED = re.compile(r'"(?:[^"]|"")*"(?:\s*\[[^\]]*\])?|[^\s"\[]+(?:\s*\[[^\]]*\])?|\[[^\]]*\]|\S+')
_IN_BRACKETS = re.compile(r"\S+\s*\([^()]*\)|\S+")


class CsvFile:
    """A text table whose separator and header are known; :meth:`read` gets the numbers of some columns.

    Columns are separated by tabs, semicolons, commas or blanks, whichever comes first in this list and
    occurs in the first line. Lines that begin with ``#`` are comments. The first line is a header if it
    holds no number, or a text above a number; a line of units below it belongs to it. Numbers may have a
    decimal comma where the comma does not separate columns, and the mark ``thousands`` between thousands.
    ``notes`` say what was read as what.

    Raises DataError for a file that cannot be opened, is binary, or holds no table.
    """

    def __init__(self, path: str | os.PathLike[str], thousands: str | None = None) -> None:
        self.opened = open_table(path)
        self.thousands = Thousands.of(thousands)
        self.source = self.opened.name
        self.separator: str | None = None
        self.header: tuple[str, ...] | None = None
        self.first_line = 0
        self.comment_before = False
        self.notes: list[str] = list(self.opened.notes)
        self.decimal: str | None = None
        # Whether units were read from the line below the header, and the number of that line where it holds other texts.
        self.has_units_below = False
        self.line_of_texts = 0
        self._skip_to = 0
        self._find_header()

    @property
    def n_columns(self) -> int:
        """How many cells each line must have."""
        return self._n_columns

    def lines(self) -> Iterator[str]:
        """All lines, those that are no rows too."""
        return self.opened.lines()

    def _find_header(self, after: int = 0) -> None:
        """Reads the separator and what stands before the rows, from the line ``after`` on."""
        first: list[tuple[int, str]] = []
        for number, line in enumerate(self.lines(), start=1):
            if line.isspace() or number <= after:
                continue
            if is_comment(line):
                self.comment_before = self.comment_before or not first
                continue
            declared = re.fullmatch(r'"?sep=([;,\t|])"?\s*', line) if not first else None
            if declared:  # Excel's own first line
                self.separator, self._skip_to = declared[1], number
                continue
            first.append((number, line))
            if len(first) == 3:
                break
        if not first:
            raise DataError(f"{self.source}: the file holds only comments or blank lines; expected columns of numbers")
        self.first_line, line = first[0]
        if self.opened.separator is not None:
            self.separator = self.opened.separator
        elif not self._skip_to:
            unquoted = re.sub(r'"[^"]*"', "", line)
            self.separator = next((s for s in _SEPARATORS if s is not None and s in unquoted), None)
        self._choose_decimal()
        cells = self.split(line, self.first_line)
        below = [self.split(text, number) for number, text in first[1:]]
        if self.separator is None and below and len(below[-1]) != len(cells):
            cells = self._joined(line, len(below[-1])) or cells
        if not after and below and self._is_title(cells, below[0]):
            self.notes.append(f'line {self.first_line}, "{next(filter(None, cells))[:60]}", was taken for a title')
            self._find_header(after=self.first_line)
            return
        self._n_columns = len(cells)
        is_number = [self.is_number(cell) for cell in cells]
        second = below[0] if below else []
        if (
            self.opened.header
            or not any(is_number)
            or any(not number and self.is_number(cell) for number, cell in zip(is_number, second, strict=False))
        ):
            self.header = tuple(decode(cell) for cell in cells)
            self._skip_to = self.first_line
            if len(below) == 2 and not any(is_number):
                self._find_units(first[1][0], below)

    def _is_title(self, cells: list[str], below: list[str]) -> bool:
        """True where a line is one text in a table of several columns, above a line of names."""
        texts = [cell for cell in cells if cell]
        return (
            len(texts) == 1
            and len(cells) > 1
            and not self.is_number(texts[0])
            and sum(cell != "" for cell in below) > 1
            and all(not cell or parse_number(cell) is None for cell in below)
        )

    def _choose_decimal(self) -> None:
        self.decimal = "." if self.separator == "," else None
        if self.thousands is None:
            return
        if self.thousands.mark == self.separator == " " or (self.separator is None and self.thousands.mark == " "):
            raise DataError(
                f"{self.source}: blanks separate the columns, so they cannot stand between thousands too; separate "
                "the columns by semicolons or tabs"
            )
        self.decimal = self.thousands.decimal or self.decimal

    def _joined(self, line: str, count: int) -> list[str] | None:
        """The names of ``count`` columns separated by blanks where a unit in round brackets follows a name, ``L (m)``."""
        cells = list(_IN_BRACKETS.findall(line)) if '"' not in line else []
        return cells if len(cells) == count else None

    def _find_units(self, line: int, below: list[list[str]]) -> None:
        """Reads the line below the header as units, if it is one."""
        assert self.header is not None
        found = read_units_below(self.header, below[0], below[1], f"{self.source}, line {line}")
        if found is None:
            if not any(self.is_number(cell) for cell in below[0]) and any(self.is_number(cell) for cell in below[1]):
                self.line_of_texts = line
            return
        headers, note = found
        self.has_units_below = tuple(headers) != self.header
        self.header, self._skip_to = tuple(headers), line
        self.notes.append(f"line {line} {note}")

    def split(self, line: str, number: int) -> list[str]:
        """The cells of ``line``, which is the line of this ``number``; raises DataError for an open quotation mark."""
        if self.separator is None:
            plain = "[" not in line and '"' not in line
            cells: list[str] = line.split() if plain else [_unquote(c) for c in _BLANK_SEPARATED.findall(line)]
        elif '"' in line:
            if line.count('"') % 2:
                raise DataError(f"{self.source}, line {number}: a quotation mark is not closed on this line; close it")
            try:
                cells = next(csv.reader([line.strip("\n")], delimiter=self.separator, skipinitialspace=True))
            except csv.Error as error:
                raise DataError(f"{self.source}, line {number}: {error}; correct the line") from None
        else:
            cells = line.split(self.separator)
        return [cell.strip() for cell in cells]

    def is_number(self, cell: str) -> bool:
        """True where a cell holds a number, or says that there is none."""
        if self.thousands is not None:
            cell = self.thousands.without(cell) or cell
        comma = self.decimal == "," or self.separator != ","
        decimal = cell.replace(",", ".") if comma and DECIMAL_COMMA.fullmatch(cell) else cell
        return cell.lower() in MISSING or parse_number(decimal) is not None

    def plain(self, cell: str) -> str:
        """A cell that holds a number, written with a decimal point and without marks between thousands."""
        bare = cell if self.thousands is None else self.thousands.without(cell) or cell
        return bare.replace(",", ".") if self.decimal == "," or self.separator != "," else bare

    def read(
        self,
        wanted: Sequence[int],
        labels: Sequence[str],
        *,
        skip_text: bool = False,
        advice: Mapping[int, str] | None = None,
        optional: Collection[int] = (),
        target: int | None = None,
        drop: bool = False,
    ) -> ParsedBlock:
        """The numbers of the columns ``wanted`` (positions), in that order.

        ``labels`` names all columns in messages. A text cell in column j is an error ending in ``advice[j]``, or, with
        ``skip_text``, makes the column NaN; so does one in an ``optional`` column (positions) with more texts than numbers.
        ``target`` is the position of the target. Missing cells are NaN, and with ``drop`` or ``skip_text`` those that say that
        there is no value.

        Raises DataError with line and column for a text cell, mixed decimal signs and a row of another
        length.
        """
        parser = BlockParser(
            self, wanted, labels, skip_text=skip_text, advice=advice or {}, optional=optional, target=target, drop=drop
        )
        values: list[NDArray[np.float64]] = []
        lines: list[NDArray[np.int64]] = []
        for block, numbers in self._blocks():
            part, kept = parser.parse(block, numbers)
            values.append(part)
            lines.append(kept)
        if not values:
            raise DataError(f"{self.source}: there is a header but no row of data; add the measurements")
        return ParsedBlock(np.concatenate(values), np.concatenate(lines), parser.text, tuple(parser.notes()))

    def _blocks(self) -> Iterator[tuple[list[str], list[int]]]:
        separator, expected = self.separator, self._n_columns
        block: list[str] = []
        numbers: list[int] = []
        room = _BLOCK_CHARACTERS
        for number, line in enumerate(self.lines(), start=1):
            if number <= self._skip_to or line.isspace() or ("#" in line and is_comment(line)):
                continue
            simple = separator is not None and '"' not in line
            count = line.count(separator) + 1 if simple and separator else len(self.split(line, number))
            if count != expected:
                cells = "cell" if expected == 1 else "cells"
                name = _SEPARATORS.get(separator, separator)
                raise DataError(
                    f"{self.source}, line {number}: expected {expected} {cells} as in line "
                    f"{self.first_line}, got {count}; correct the line (separator: {name})"
                )
            block.append(line)
            numbers.append(number)
            room -= len(line)
            if room <= 0 or len(block) == _BLOCK_LINES:
                yield block, numbers
                block, numbers, room = [], [], _BLOCK_CHARACTERS
        if block:
            yield block, numbers


def _unquote(cell: str) -> str:
    """``"a b" [m]`` without its quotation marks, for tables separated by blanks."""
    match = re.fullmatch(r'"((?:[^"]|"")*)"(.*)', cell, re.DOTALL)
    return match[1].replace('""', '"') + match[2] if match else cell
