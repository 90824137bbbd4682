"""Text that fits the width of its reader: tables, sentences and formulas, broken at blanks and operators and never in names."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import IO

# Columns of text where neither the terminal nor COLUMNS says how many.
USUAL = 80
# Fewer columns of text than these are taken for these.
FEWEST = 20
# Blanks between columns; the second is tried where the table is too wide with the first.
GAPS = (3, 2)
# Blanks before what goes on in the next line.
INDENT = 2
# Least widths of columns that wrap, with the most lines of a cell for each.
LEAST = ((24, 1000), (14, 5))
# A blank in a cell where no line ends; it is shown as any other.
BOUND = "\u00a0"
# A name or a number, or one other sign.
_PIECE = re.compile(r"[^\W\d]\w*|\d+\.?\d*(?:[eE][+-]?\d+)?|\*\*-?|.", re.DOTALL)
# A line may end before these signs.
_BEFORE = "*/+-="
# A line may end after these signs.
_AFTER = "(,"


def find_width(stream: IO[str] | None = None) -> int:
    """Columns of text on ``stream``: those of ``COLUMNS``, else of the terminal, else 80."""
    return _known_width(stream) or USUAL


def _known_width(stream: IO[str] | None) -> int | None:
    stated = os.environ.get("COLUMNS", "")
    if stated.isdecimal() and int(stated) > 0:
        return max(FEWEST, int(stated))
    if stream is not None and stream.isatty():
        return max(FEWEST, shutil.get_terminal_size((USUAL, 24)).columns)
    return None


def wrap_sentences(lines: Iterable[str], stream: IO[str] | None = None) -> str:
    """Sentences in the width of the reader; each in one line where that is not known, so that files can be searched."""
    width = _known_width(stream)
    return "\n".join(line if width is None else fill(line, width, INDENT) for line in lines)


def wrap(text: str, width: int, indent: int = INDENT, first: int = 0) -> list[str]:
    """The lines of ``text`` in at most ``width`` columns, the first after ``first`` of them, others after ``indent`` blanks.

    Lines break at blanks, or before operators and after brackets and commas where a formula without blanks is too long. What
    has none of them, such as a name, stays whole even if it is longer.
    """
    lines: list[str] = []
    line, used = "", first
    for word in _words(text):
        gap = " " if line.strip() else ""
        if used + len(gap) + len(word) <= width:
            line, used = line + gap + word, used + len(gap) + len(word)
            continue
        if line.strip() and indent + len(word) <= width:
            lines.append(line)
            line, used = " " * indent + word, indent + len(word)
            continue
        for k, part in enumerate(_parts(word, width - indent)):
            gap = " " if k == 0 and line.strip() else ""
            if used + len(gap) + len(part) > width and line.strip():
                lines.append(line)
                line, used, gap = " " * indent, indent, ""
            line, used = line + gap + part, used + len(gap) + len(part)
    return [*lines, line] if line.strip() or not lines else lines


def fill(text: str, width: int, indent: int = 0) -> str:
    """``text`` in lines of at most ``width`` columns."""
    begin = len(text) - len(text.lstrip(" "))
    return "\n".join(" " * begin * (k == 0) + line for k, line in enumerate(wrap(text, width, indent + begin, begin)))


def _words(text: str) -> Iterator[str]:
    """The words of a text, a sign between blanks with the one after it."""
    sign = ""
    for word in re.split(r"[ \t\n]+", text.strip()):
        if word in ("+", "-", "=", "±") and not sign:
            sign = word + " "
            continue
        yield sign + word
        sign = ""
    if sign:
        yield sign.strip()


def _parts(word: str, room: int = 0, before: str = _BEFORE) -> list[str]:
    """A word in pieces that lines may begin with; those longer than ``room`` may break before powers too."""
    parts: list[str] = []
    held = ""
    for piece in _PIECE.findall(word):
        if piece[0] in before and (piece != "**" or before != _BEFORE) and held and held[-1] not in _BEFORE + _AFTER:
            parts.append(held)
            held = ""
        held += piece
        if piece in _AFTER:
            parts.append(held)
            held = ""
    found = [p for p in (*parts, held) if p]
    if room and before == _BEFORE:
        return [q for p in found for q in (_parts(p, room, "*") if len(p) > room else [p])]
    return found


def _unbind(lines: Iterable[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [(line.replace(BOUND, " "), bold) for line, bold in lines]


class TextTable:
    """A table that fits the width it is shown in. Columns that wrap make room; where that is not enough each row becomes a few
    lines of its own, with the names of the columns before the figures."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._right: list[bool] = []
        self._wraps: list[bool] = []
        self._rows: list[tuple[tuple[str, ...], bool]] = []

    def add_column(self, name: str, *, right: bool = False, wraps: bool = False) -> None:
        """One more column: its cells to the right, or such as wrap."""
        self._names.append(name)
        self._right.append(right)
        self._wraps.append(wraps)

    def add_row(self, *cells: str, bold: bool = False) -> None:
        """One more row, with a cell for each column."""
        self._rows.append((cells, bold))

    @property
    def columns(self) -> list[tuple[str, bool, list[str]]]:
        """Of each column its name, whether its cells stand to the right, and the cells."""
        cells = [[cells[k] for cells, _ in self._rows] for k in range(len(self._names))]
        return list(zip(self._names, self._right, cells, strict=True))

    def lines(self, width: int) -> list[tuple[str, bool]]:
        """The lines in at most ``width`` columns of text, each with whether it is bold."""
        natural = [
            max(map(len, column)) for column in zip(self._names, *(cells for cells, _ in self._rows), strict=True)
        ]
        for gap in GAPS:
            if sum(natural) + gap * (len(natural) - 1) <= width:
                return _unbind(self._grid(natural, gap))
        for (least, most), gap in product(LEAST, GAPS):
            widths = self._fitting(natural, width - gap * (len(natural) - 1), least)
            if widths is not None and self._tallest(widths) <= most:
                return _unbind(self._grid(widths, gap))
        return _unbind(self._stacked(natural, width) or self._records(width))

    def text(self, width: int) -> str:
        """The lines as plain text."""
        return "\n".join(line for line, _ in self.lines(width))

    def _fitting(self, natural: Sequence[int], room: int, least: int) -> list[int] | None:
        """Widths of the columns that add up to ``room`` at most, ``least`` or more of those that wrap; None if none do."""
        leasts = [self._least(k, least) for k in range(len(natural))]
        widths = list(natural)
        flexible = [k for k, wraps in enumerate(self._wraps) if wraps]
        while sum(widths) > room:
            widest = max((k for k in flexible if widths[k] > leasts[k]), key=lambda k: widths[k], default=None)
            if widest is None:
                return None
            others = [widths[k] for k in flexible if k != widest and widths[k] < widths[widest]]
            down = max([leasts[widest], *others, widths[widest] - (sum(widths) - room)])
            widths[widest] = down if down < widths[widest] else widths[widest] - 1
        return widths

    def _tallest(self, widths: Sequence[int]) -> int:
        """The most lines that a cell takes."""
        wraps = [k for k, wraps in enumerate(self._wraps) if wraps]
        return max((len(wrap(cells[k], widths[k])) for cells, _ in self._rows for k in wraps), default=1)

    def _least(self, k: int, least: int) -> int:
        cells = [self._names[k], *(cells[k] for cells, _ in self._rows)]
        longest = max(
            (len(part) + INDENT for cell in cells for word in _words(cell) for part in _parts(word)), default=0
        )
        return max(least, longest)

    def _grid(self, widths: Sequence[int], gap: int) -> list[tuple[str, bool]]:
        out = [*self._row(self._names, widths, gap, True), ("─" * (sum(widths) + gap * (len(widths) - 1)), False)]
        for cells, bold in self._rows:
            out += self._row(cells, widths, gap, bold)
        return out

    def _row(self, cells: Sequence[str], widths: Sequence[int], gap: int, bold: bool) -> list[tuple[str, bool]]:
        each = [
            wrap(cell, w) if wraps and len(cell) > w else [cell]
            for cell, w, wraps in zip(cells, widths, self._wraps, strict=True)
        ]
        out = []
        for k in range(max(map(len, each))):
            texts = [lines[k] if k < len(lines) else "" for lines in each]
            fitted = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(texts, widths, self._right, strict=True)]
            out.append(((" " * gap).join(fitted).rstrip(), bold))
        return out

    def _stacked(self, natural: Sequence[int], width: int) -> list[tuple[str, bool]] | None:
        """Figures in columns, and below each row what wraps; None where the figures are too wide."""
        kept = [k for k, wraps in enumerate(self._wraps) if not wraps]
        widths = [natural[k] for k in kept]
        gap = next((g for g in GAPS if sum(widths) + g * (len(kept) - 1) <= width), None)
        if gap is None or sum(map(bool, (self._names[k] for k in kept))) < 2:
            return None
        figures = TextTable()
        for k in kept:
            figures.add_column(self._names[k], right=self._right[k])
        out = figures._grid(widths, gap)
        for cells, bold in self._rows:
            out += figures._row([cells[k] for k in kept], widths, gap, bold)
            for k, wraps in enumerate(self._wraps):
                if wraps and cells[k]:
                    text = fill(" " * 2 * INDENT + f"{self._names[k]} {cells[k]}", width, INDENT)
                    out += [(line, bold) for line in text.split("\n")]
        return out

    def _records(self, width: int) -> list[tuple[str, bool]]:
        out: list[tuple[str, bool]] = []
        for cells, bold in self._rows:
            pairs = list(zip(self._names, cells, self._wraps, strict=True))
            mark = "".join(cell for name, cell, _ in pairs if not name)
            lines = [mark] if mark else []
            apart = False  # whether the next figure begins a line
            for text, wraps in [(f"{name} {cell}", wraps) for name, cell, wraps in pairs if name and cell]:
                if wraps:
                    begin = " " * INDENT if lines else ""
                    lines += fill(begin + text, width, INDENT).split("\n")
                elif lines and not apart and len(lines[-1]) + 2 + len(text) <= width:
                    lines[-1] += ("  " if lines[-1] != mark else " ") + text
                else:
                    lines += wrap(text, width, INDENT)
                apart = wraps
            out += [(line, bold) for line in lines]
        return out
