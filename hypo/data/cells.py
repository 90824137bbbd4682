"""The content of one cell: a number, nothing, or something else that can be named, with what helps."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from hypo.errors import InputError, UnitError
from hypo.units import OffsetError, parse_unit

MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none"})
"""Cells that mean "no value", in lower case."""

DECIMAL_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
# What stands between thousands in one country or another; blanks come in several widths.
THOUSANDS = (",", ".", " ", "'", "_")
_SPELLED = {"comma": ",", "point": ".", "dot": ".", "blank": " ", "space": " ", "apostrophe": "'", "underscore": "_"}
# Blanks that do not break, thin ones among them.
_BLANKS = "\u00a0\u2009\u202f"
# Typographic apostrophes.
_APOSTROPHES = "\u2019\u02bc"
# The minus sign of typesetting.
_MINUS = "\u2212"
_SAME = str.maketrans({**dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_APOSTROPHES, "'"), _MINUS: "-"})

DROP = "leave such rows out with --drop-missing (drop_missing=True)"


@dataclass(frozen=True)
class CellKind:
    """The kind of a cell that is no number: ``words`` complete "is not a number but …", ``advice`` says what helps.
    ``is_missing``: it says that there is no value; ``is_text``: nobody would take it for a measured number."""

    words: str
    advice: str
    is_missing: bool = False
    is_text: bool = False
    # What else helps where the target says so.
    of_target: str = ""


SPREADSHEET = CellKind("an error of a spreadsheet", f"mend it in the spreadsheet, or {DROP}", is_missing=True)
_LIMIT = 'empty the cell and write the limit into a column of its own, named with --{0} COLUMN ({0}="COLUMN")'
BELOW = CellKind("a value below a limit of detection", DROP, is_missing=True, of_target=_LIMIT.format("upper"))
ABOVE = CellKind("a value above a limit", DROP, is_missing=True, of_target=_LIMIT.format("lower"))
UNIT = CellKind(
    "one with its unit", "leave the number alone in the cell, and write the unit in the header, as in x [m]"
)
ERROR = CellKind(
    "one with its error", "write the error in a column of its own, and name that with --sigma or --x-sigma"
)
POWER = CellKind("a power of ten written out", "write it like 1.5e-3")
COMMA = CellKind(
    "one with a decimal comma", 'write points, or say --thousands . (thousands="."), which makes commas decimal'
)
TRUTH = CellKind("a truth value", "write 1 and 0", is_text=True)
DATE = CellKind("a date", "write the time since a start as a number", is_text=True)
CLOCK = CellKind("a time of day", "write the time since a start as a number, in one unit", is_text=True)
SPAN = CellKind("a span of time", "write it as a number, of seconds say", is_text=True)
COMPLEX = CellKind("a complex one", "write its real part, or its size", is_text=True)


_NUMBER = r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?"
_SPREADSHEET = r"#(?:div/0!|value!|ref!|name\?|num!|null!|getting_data|spill!|calc!|field!|blocked!|unknown!|error!?)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mai|okt|dez)[a-z]*"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?"
_KINDS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (rf"{_SPREADSHEET}|##+|err:\s*\d+", SPREADSHEET),
        (rf"(?:<|≤|<=)\s*(?:{_NUMBER}.*|l\.?o[dq]\.?|m\.?d\.?l\.?|d\.?l\.?)", BELOW),
        (r"n\.?\s?d\.?|b\.?d\.?l\.?|bl[oq]d?|[<≤]?\s*lo[dq]", BELOW),
        (r"(?:below|under|not)\s+(?:the\s+)?(?:detect|limit|lod|loq|quantif).*", BELOW),
        (rf"(?:>|≥|>=)\s*(?:{_NUMBER}.*|u\.?l\.?o?[dq]\.?)|over(?:flow|load|range)|saturated|sat\.", ABOVE),
        (r"true|false|yes|no|wahr|falsch|ja|nein", TRUTH),
        (rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}})(?:[T ]\s*{_CLOCK}.*)?", DATE),
        (rf"\d{{1,2}}[-. ]?\s*{_MONTH}[-. ,]*\d{{0,4}}|{_MONTH}[-. ]+\d{{1,2}},?[-. ]*\d{{0,4}}", DATE),
        (_CLOCK, CLOCK),
        (rf"{_NUMBER}\s*(?:±|\+/-|\+-)\s*{_NUMBER}.*|{_NUMBER}\(\d+\).*", ERROR),
        (rf"{_NUMBER}\s*[x×*·⋅]\s*10\s*(?:\^|\*\*)?\s*[+-]?[\d⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", POWER),
        (r"[$€£¥]\s*[+-]?\d[\d.,]*|[+-]?\d[\d.,]*\s*[$€£¥]", UNIT),
        (rf"{_NUMBER}\s*(?:[%‰°]|[^\W\d][\w/^*·²³⁻¹° -]*)", UNIT),
    )
)


_COMMENT = re.compile(rf"\s*(?!#n/a|{_SPREADSHEET}(?:[\s,;]|$)|##+[,;\t])#", re.IGNORECASE)


def is_comment(line: str) -> bool:
    """True where a line begins with ``#``, and not with a cell such as ``#N/A`` or ``#DIV/0!``."""
    return _COMMENT.match(line) is not None


def parse_number(cell: str) -> float | None:
    """The number with a decimal point that is written in ``cell``; None for anything else."""
    if not cell.isascii():
        if _MINUS not in cell:  # float() reads the digits of every script
            return None
        cell = cell.replace(_MINUS, "-")
        if not cell.isascii():
            return None
    if "_" in cell:  # and 1_000
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def parse_cell(cell: object) -> float | None:
    """The number in a cell of any type, NaN for a missing one, None for text."""
    if isinstance(cell, bool | np.bool_):
        return float(cell)
    text = str(cell).strip()
    return np.nan if text.lower() in MISSING else parse_number(text)


def classify_value(value: object) -> CellKind | None:
    """The kind of a value of any type that is no number; None for what says nothing to us."""
    if isinstance(value, str):
        return classify_cell(value)
    if isinstance(value, complex | np.complexfloating):
        return COMPLEX
    # pandas' spans of time know their components, its periods when they start.
    if hasattr(value, "total_seconds") or isinstance(value, np.timedelta64):
        return SPAN
    return (
        DATE
        if hasattr(value, "isoformat") or hasattr(value, "start_time") or isinstance(value, np.datetime64)
        else None
    )


def describe_text(shown: str, kind: CellKind | None) -> str:
    """The words of a message for a cell that is no number."""
    return f'"{shown}" is not a number' + (f" but {kind.words}" if kind else "")


def classify_cell(cell: str) -> CellKind | None:
    """The kind of a cell that is no number; None for a text that says nothing to us."""
    text = cell.strip().translate(_SAME)
    for mark in THOUSANDS:
        if make_grouped_pattern(mark).fullmatch(text):
            say = f'"{mark}"' if mark in " '" else mark
            return CellKind("one with marks between thousands", f'say --thousands {say} (thousands="{mark}")')
    if DECIMAL_COMMA.fullmatch(text):
        return COMMA
    kind = next((kind for pattern, kind in _KINDS if pattern.fullmatch(text)), None)
    return None if kind is UNIT and not _ends_in_a_unit(text) else kind


def _ends_in_a_unit(text: str) -> bool:
    """True where what follows the number is a unit, as it is not in the labels ``1b`` or ``2nd``."""
    found = re.fullmatch(rf"{_NUMBER}\s*([^\W\d].*)", text)
    if found is None:
        return True
    if re.fullmatch(r"[0-9]+[a-e]", text, re.IGNORECASE):
        return False
    try:
        parse_unit(found[1])
    except OffsetError:
        return True
    except UnitError:
        return False
    return True


def make_grouped_pattern(mark: str) -> re.Pattern[str]:
    """Numbers with ``mark`` between their thousands, at least once."""
    decimal = "," if mark == "." else "[.]" if mark == "," else "[.,]"
    m = re.escape(mark)
    return re.compile(rf"[+-]?\d{{1,3}}(?:{m}\d{{3}})+(?:{decimal}\d*)?(?:[eE][+-]?\d+)?")


class Thousands:
    """Numbers with a mark between thousands; a decimal comma where the mark is a point."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.decimal = {".": ",", ",": "."}.get(mark)
        self._pattern = make_grouped_pattern(mark)

    @staticmethod
    def of(given: str | None) -> Thousands | None:
        """For what a user gave; raises InputError."""
        if given is None:
            return None
        mark = _SPELLED.get(given.lower(), given.translate(_SAME)) if isinstance(given, str) else given
        if mark not in THOUSANDS:
            names = ", ".join(repr(m) for m in THOUSANDS)
            raise InputError(f"thousands must be the mark that stands between thousands, one of {names}, got {given!r}")
        return Thousands(mark)

    def without(self, cell: str) -> str | None:
        """The cell without the marks; None where they stand elsewhere than between thousands."""
        text = cell.translate(_SAME)
        if self.mark not in text:
            return cell
        return text.replace(self.mark, "") if self._pattern.fullmatch(text) else None

    def misplaced(self, cell: str) -> str:
        """The fault of a cell that holds the mark where no thousands end, and what helps; empty for other cells."""
        bare = cell.translate(_SAME).replace(self.mark, "")
        if self.without(cell) is not None or parse_number(bare.replace(",", ".")) is None:
            return ""
        return f'"{self.mark}" is said to stand between thousands, but does not stand before three digits here'
