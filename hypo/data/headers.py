"""Headers of columns: ``L [m]``, ``Length (m)``, and a line of units below the names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypo.data.cells import MISSING, plain_number
from hypo.errors import DataError, UnitError
from hypo.units import OffsetError, parse_unit

_SQUARE = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*", re.DOTALL)
_ROUND = re.compile(r"(.*\S)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*", re.DOTALL)
_BRACKETS = re.compile(r"\[(.*)\]|\((.*)\)", re.DOTALL)
# Names of units that in round brackets are more likely those of something else.
_NO_UNITS = frozenset({"c", "e", "R"})
# Where C and F mean degrees.
_TEMPERATURE = re.compile(r"(?:.*[^a-z])?(?:t|temp|temperatur\w*)(?:[^a-z].*)?|.*temp.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Header:
    """One header as ``written``: its ``label`` without the unit, the unit, and whether that was ``read`` from round brackets,
    where it could be something else."""

    written: str
    label: str
    unit: str | None
    read: bool = False


def read_headers(headers: Sequence[str]) -> tuple[list[Header], str]:
    """The headers with their units, and a sentence on units that were left unread, if any.

    ``L [m]`` states a unit. ``L (m)`` does where the text is a unit, is not the name of another column (``f (x)``), and leaves
    a label that no other column has without its brackets (``T (min)`` beside ``T (max)``). Where one of these has an offset
    (°C) none is read: a column without a unit beside others would count as a pure number.
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
        except OffsetError as error:
            return plain, (f'in the header "{headers[k].strip()}" {error}; so no unit was read from round brackets, and none '
                           "prunes formulas")
        found[k] = Header(headers[k].strip(), bare[k], text, read=True)
    return found, ""


def in_words(headers: Sequence[Header], names: Sequence[str]) -> str:
    """A sentence on what was read from round brackets, if anything; ``names`` are those of formulas."""
    read = [f"{h.unit} of {name}" for h, name in zip(headers, names, strict=True) if h.read]
    if not read:
        return ""
    without = [name for h, name in zip(headers, names, strict=True) if h.unit is None]
    pure = f"; {_listed(without)} without a unit count{'s' * (len(without) == 1)} as pure number" if without else ""
    return f"round brackets in headers were read as units: {_listed(read)}{pure}{'s' * (len(without) > 1)}"


def units_below(headers: Sequence[str], line: Sequence[str], after: Sequence[str], place: str) -> tuple[list[str], str] | None:
    """The headers with the units of the ``line`` below them, and what was read in words; None where it is no line of units.

    It is one where it holds no number but 1, the line ``after`` it holds numbers, and at least one text above those is a unit;
    blanks and ``-`` stand for pure numbers. Raises DataError for a text among them that is none.
    """
    if not len(headers) == len(line) == len(after):
        return None
    texts = [_unbracketed(cell) for cell in line]
    if any(plain_number(text) is not None and text != "1" for text in texts if text.lower() not in MISSING):
        return None
    above = [k for k, cell in enumerate(after) if cell.lower() not in MISSING and _starts_a_number(cell)]
    named, wrong, offset = [], "", ""
    for k in above:
        if texts[k].lower() in MISSING or texts[k] == "1":
            continue
        try:
            named += [k] if _is_named_unit(texts[k], headers[k]) else []
            wrong = wrong or ("" if k in named else f'column "{headers[k]}": the line holds units, but "{texts[k]}" is none')
        except OffsetError as error:
            offset = offset or f"{error}"
    if not named:
        return None
    if wrong:
        raise DataError(f"{place}, {wrong}; correct it, or delete the line")
    if offset:
        return list(headers), f"the line of units below the header was left out, and no unit was read: {offset}"
    out, said = [], []
    for k, header in enumerate(headers):
        own = _square(header)
        pure = k in above and (texts[k] == "1" or (texts[k] != "" and texts[k].lower() in MISSING))
        unit = texts[k] if k in named else "-" if pure else None
        out.append(header if own.unit is not None or unit is None else f"{header} [{unit}]")
        said += [f"{texts[k]} of {own.label}"] if k in named else []
    pure_ones = [_square(headers[k]).label for k in above if k not in named]
    rest = f"; {_listed(pure_ones)} without one count{'s' * (len(pure_ones) == 1)} as pure number" if pure_ones else ""
    return out, f"{_listed(said)}{rest}{'s' * (len(pure_ones) > 1)}"


def _square(text: str) -> Header:
    text = text.strip()
    match = _SQUARE.fullmatch(text)
    return Header(text, match[1].strip(), match[2].strip()) if match else Header(text, text, None)


def _unbracketed(cell: str) -> str:
    match = _BRACKETS.fullmatch(cell.strip())
    return (match[1] or match[2] or "").strip() if match else cell.strip()


def _is_named_unit(text: str, label: str) -> bool:
    """Whether a text is a unit, or ``-``; raises OffsetError for one with an offset."""
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


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
