"""Headers of columns: ``L [m]``, ``Length (m)``, and a line of units below the names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypo.data.cells import MISSING, parse_number
from hypo.errors import DataError, UnitError
from hypo.units import OffsetError, parse_unit

_SQUARE = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*", re.DOTALL)
_ROUND = re.compile(r"(.*\S)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*", re.DOTALL)
_BRACKETS = re.compile(r"\[(.*)\]|\((.*)\)", re.DOTALL)
# Names of units that in round brackets are more likely those of something else.
_NO_UNITS = frozenset({"c", "e", "R"})
# What other units of such names stand for where they were taken for those of the table of units.
AMBIGUOUS_UNITS = {
    "AU": "AU as astronomical units, and not as absorbance, a pure number: write [1] for that",
    "G": "G as gauss, and not as giga or gravity: write [-] for none, or the unit",
    "M": "M as mol/L, and not as millions: write [-] for none",
}
# Where C and F mean degrees.
_TEMPERATURE = re.compile(r"(?:.*[^a-z])?(?:t|temp|temperatur\w*)(?:[^a-z].*)?|.*temp.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Header:
    """One header as ``written``: its ``label`` without the unit, the unit, and whether that ``is_in_round_brackets``,
    where it could be something else."""

    written: str
    label: str
    unit: str | None
    is_in_round_brackets: bool = False


def read_headers(headers: Sequence[str], lenient: bool = False) -> tuple[list[Header], str]:
    """The headers with their units, and a sentence on units that were left unread, if any.

    ``L [m]`` states a unit. ``L (m)`` does where the text is a unit, is not the name of another column (``f (x)``), and leaves
    a label that no other column has without its brackets (``T (min)`` beside ``T (max)``). Where one of these has an offset
    (°C) none is read, unless ``lenient``: a column without a unit beside others would count as a pure number.
    """
    plain = [_square(text) for text in headers]
    round_ = [None if h.unit is not None else _ROUND.fullmatch(h.label) for h in plain]
    bare = [h.label if m is None else m[1].strip() for h, m in zip(plain, round_, strict=True)]
    found = list(plain)
    for k, match in enumerate(round_):
        if match is None:
            continue
        text = match[2].strip()
        if text in bare or bare.count(bare[k]) > 1:
            continue
        try:
            if not _is_named_unit(text, bare[k]):
                continue
        except OffsetError:
            if lenient:
                continue
            return plain, (
                f'the unit in the header "{headers[k].strip()}" has an offset, so no units were read from round '
                "brackets; convert the numbers to kelvin (K), and they are"
            )
        found[k] = Header(headers[k].strip(), bare[k], text, is_in_round_brackets=True)
    return found, ""


def read_units_below(
    headers: Sequence[str], line: Sequence[str], after: Sequence[str], place: str
) -> tuple[list[str], str] | None:
    """The headers with the units of the ``line`` below them, and what was read in words; None where it is no line of units.

    It is one where it holds no number but 1, the line ``after`` it holds numbers, and at least one text above those is a unit;
    blanks and ``-`` stand for pure numbers. Raises DataError for a text among them that is none.
    """
    if not len(headers) == len(line) == len(after):
        return None
    texts = [_unbracket(cell) for cell in line]
    if any(parse_number(text) is not None and text != "1" for text in texts if text.lower() not in MISSING):
        return None
    above = [k for k, cell in enumerate(after) if cell.lower() not in MISSING and _starts_a_number(cell)]
    own = read_headers(headers, lenient=True)[0]
    named, offset = [], ""
    wrong: list[tuple[int, str]] = []
    for k in above:
        text = texts[k]
        if text.lower() in MISSING or text == "1":
            continue
        try:
            if not _is_named_unit(text, own[k].label):
                wrong.append((k, f'the line holds units, but "{text}" is none'))
                continue
            named.append(k)
            if own[k].unit not in (None, text):
                wrong.append((k, f'the unit here is "{text}", and in the header "{own[k].unit}"'))
        except OffsetError:
            offset = text
    if not named:
        return None
    if wrong:
        k, why = wrong[0]
        raise DataError(f'{place}, column "{own[k].label}": {why}; correct it, or delete the line')
    if offset:
        return list(
            headers
        ), f'holds units, of which none was read, because "{offset}" has an offset; convert to kelvin (K)'
    pure = [k for k in above if own[k].unit is None and (texts[k] == "1" or texts[k].lower() in MISSING - {""})]
    units = {k: texts[k] for k in named if own[k].unit is None} | dict.fromkeys(pure, "-")
    out = [f"{header} [{units[k]}]" if k in units else header for k, header in enumerate(headers)]
    rest = f", {join_words([own[k].label for k in pure])} without" if pure else ""
    return out, f"was read as units: {join_words([f'{texts[k]} of {own[k].label}' for k in named])}{rest}"


def _square(text: str) -> Header:
    text = text.strip()
    match = _SQUARE.fullmatch(text)
    return Header(text, match[1].strip(), match[2].strip()) if match else Header(text, text, None)


def _unbracket(cell: str) -> str:
    match = _BRACKETS.fullmatch(cell.strip())
    return (match[1] or match[2] or "").strip() if match else cell.strip()


def _is_named_unit(text: str, label: str) -> bool:
    """True where a text is a unit, or ``-``; raises OffsetError for one with an offset."""
    if text in ("-", "–", "—"):
        return True
    if text in _NO_UNITS or not re.search(r"[^\W\d]|[%‰°]", text):
        return False
    if text in ("C", "F") and _TEMPERATURE.fullmatch(label):
        raise OffsetError(f"the unit {text} of a temperature has an offset; use kelvin (K) and convert the numbers")
    try:
        parse_unit(text)
    except OffsetError:
        raise
    except UnitError:
        return False
    return True


def _starts_a_number(cell: str) -> bool:
    return re.match(r"[+-]?[.,]?[0-9]", cell.strip().replace("\u2212", "-")) is not None


def join_words(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
