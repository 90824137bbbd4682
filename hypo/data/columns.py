"""Columns of a table: names for formulas, made from the headers; units in headers; finding a column."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypo.data.headers import AMBIGUOUS_UNITS, Header, join_words, read_headers
from hypo.errors import DataError, UnitError
from hypo.expression import operators as ops
from hypo.units import parse_unit

# Columns that a message names at most.
_SHOWN = 20
_RESERVED = frozenset({*keyword.kwlist, "pi"})


@dataclass(frozen=True)
class Column:
    """One column: ``label`` is the header text without its unit, ``name`` an identifier made from it, ``written`` the whole
    header. ``is_in_round_brackets``: the unit stood there, and could be something else."""

    position: int
    name: str
    label: str
    unit: str | None
    written: str = ""
    is_in_round_brackets: bool = False

    @property
    def header(self) -> str:
        """The header as it would be written, ``L [m]``."""
        return self.label if self.unit is None else f"{self.label} [{self.unit}]"

    @property
    def whole_name(self) -> str:
        """The name with the unit in it, which a column whose brackets were not read would have."""
        return make_identifier(self.written, self.position)


class TableColumns:
    """All columns of one table, named and found by name.

    ``source`` begins every message, ``place`` is where the names stand (``data.csv, line 1``). Without
    ``headers`` the columns are named x0, x1, … and are also found by number, counted from 0.
    ``hint`` ends the messages about a table of one column. ``lenient`` as in :func:`~hypo.data.headers.read_headers`.

    Raises DataError for two columns of one name.
    """

    def __init__(
        self,
        headers: Sequence[str] | None,
        *,
        source: str,
        place: str,
        count: int = 0,
        comment_before: bool = False,
        hint: str = "",
        lenient: bool = False,
    ) -> None:
        self.source = source
        self.place = place
        self.has_header = headers is not None
        self.comment_before = comment_before
        self.hint = hint
        found, self._unread = read_headers(headers or [f"x{k}" for k in range(count)], lenient)
        self._all = [_column(k, h) for k, h in enumerate(found)]
        # By what they may be called: labels win over headers, these over names, and earlier columns over later ones.
        self._called: dict[str, Column] = {}
        for kind in ("label", "header", "name", "written", "whole_name"):
            for column in self._all:
                self._called.setdefault(getattr(column, kind), column)
        seen: dict[str, Column] = {}
        for column in self._all:
            other = seen.setdefault(column.name, column)
            if other is not column:
                where = f"(columns {other.position + 1} and {column.position + 1})"
                what = (
                    f'two columns are named "{column.label}" {where}'
                    if other.label == column.label
                    else f'the columns "{other.label}" and "{column.label}" {where} would both be named "{column.name}"'
                )
                raise DataError(f"{place}: {what}; rename one of them")

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, position: int) -> Column:
        return self._all[position]

    def __iter__(self) -> Iterator[Column]:
        return iter(self._all)

    @property
    def labels(self) -> list[str]:
        """The labels of all columns, in order."""
        return [column.label for column in self._all]

    def find(self, wanted: str | int, role: str) -> Column:
        """The column of this label, header or name; messages call it ``role`` (target, feature, …).

        Raises DataError with the nearest name and the list of columns.
        """
        text = str(wanted).strip()
        if text in self._called:
            return self._called[text]
        if not self.has_header:
            if text.isascii() and text.isdigit() and int(text) < len(self):
                return self._all[int(text)]
            comment = " (a line that begins with # is a comment)" if self.comment_before else ""
            last = len(self) - 1
            raise DataError(
                f'{self.source}: there is no column "{text}" as {role}, because the file has no header line'
                f"{comment}; give a number from 0 to {last}, or a name from x0 to x{last}, or add "
                "a header line"
            )
        import difflib

        options = [*self.labels, *(c.name for c in self._all)]
        near = [option for option in options if option.casefold() == text.casefold()]
        near = near or difflib.get_close_matches(text, options, n=1)
        guess = f' (did you mean "{near[0]}"?)' if near else ""
        raise DataError(
            f'{self.place}: there is no column "{text}" as {role}{guess}; '
            f"the column{'s are' if len(self) > 1 else ' is'} {self.listed()}"
            f"{'' if len(self) > 1 else self.hint}"
        )

    def listed(self) -> str:
        """The labels for a message, at most 20 of them."""
        shown = ", ".join(f'"{label}"' for label in self.labels[:_SHOWN])
        return shown if len(self) <= _SHOWN else f"{shown} and {len(self) - _SHOWN} more"

    def notes(self, features: Sequence[Column], target: Column | None, has_units_elsewhere: bool = False) -> list[str]:
        """Sentences on what was read from the headers of columns in use; ``has_units_elsewhere``: units stood in a line of
        their own. Without a target nothing is said of columns without a unit."""
        used = [*features, *([target] if target else [])]
        guessed = [(c.name, c.unit) for c in used if c.is_in_round_brackets]
        out = []
        if guessed:
            doubtful = [AMBIGUOUS_UNITS[u] for u in dict.fromkeys(unit for _, unit in guessed) if u in AMBIGUOUS_UNITS]
            found = join_words([f"{unit} of {name}" for name, unit in guessed])
            out.append("; ".join([f"round brackets in headers were read as units: {found}", *doubtful]))
        pure = [c.name for c in features if c.unit is None]
        if pure and target and (guessed or has_units_elsewhere):
            counts = "counts as a pure number" if len(pure) == 1 else "count as pure numbers"
            out.append(f"without a unit {join_words(pure)} {counts}")
        return [*out, *([self._unread] if self._unread else [])]

    def check_unit(self, column: Column) -> None:
        """Raises DataError when the unit in the header of ``column`` cannot be read."""
        if column.unit is None:
            return
        try:
            parse_unit(column.unit)
        except UnitError as error:
            other = "; where the brackets hold no unit, rename the column" if " " in column.unit else ""
            raise DataError(f'{self.place}, column "{column.label}": {error}{other}') from None


def make_identifier(label: str, position: int) -> str:
    """A name for formulas: ASCII letters, digits and ``_``, neither a keyword nor a function of hypo.

    Greek letters are spelled out and accents dropped (``λ₀`` → ``lambda0``), other characters become ``_``;
    nothing left gives ``x`` and the position; ``exp``, ``pi``, ``lambda`` and the like get a trailing ``_``.
    """
    name = label
    if not (label.isascii() and label.isidentifier()):
        plain = "".join(_spell(c) for c in unicodedata.normalize("NFKD", label))
        name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
        if not name:
            return f"x{position}"
        if name[0].isdigit():
            name = f"x{name}"
    return f"{name}_" if name in _RESERVED or ops.is_known(name) else name


def _spell(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        spelled = words[words.index("LETTER") + 1].replace("LAMDA", "LAMBDA")
        return spelled.lower() if "SMALL" in words else spelled.capitalize()
    return "_"


def _column(position: int, header: Header) -> Column:
    name = make_identifier(header.label, position)
    return Column(position, name, header.label or name, header.unit, header.written, header.is_in_round_brackets)
