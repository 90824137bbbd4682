"""Reading of unit texts such as ``"kg*m/s^2"``: the grammar is read here, exactly."""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import NoReturn

from hypo.errors import UnitError
from hypo.units.dimension import DIMENSIONLESS, Dimension, Unit
from hypo.units.names import ADVICE, BASE_UNITS, is_known, look_up, shorten

_DIMENSIONLESS_TEXTS = frozenset({"", "1", "-", "–", "—"})
# Characters of a unit: longer texts are no units.
_MAX_LENGTH = 200
# The largest exponent of a unit, above and below 0.
_MAX_EXPONENT = 100
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*|°[A-Za-z]?|[%‰℃℉])"
    r"|(?P<power>\*\*|\^)"
    r"|(?P<times>[*·⋅×.])"
    r"|(?P<over>/)"
    r"|(?P<sign>[+−-])"
    r"|(?P<open>\()"
    r"|(?P<close>\))"
)

Powers = list[Fraction]


@lru_cache(maxsize=4096)
def parse_unit(text: str, strict_angles: bool = False) -> Unit:
    """Read a unit text: names with powers, joined by ``*``, ``/`` or a blank, and plain numbers as factors.

    Powers are written ``m^2``, ``m**2``, ``m²``, ``m^0.5``, ``m^(1/2)``, ``s^-2`` or ``s-2``. Names are those
    of pint with prefixes (``km``, ``Mpc``, ``yr``, ``eV``), but ``AU`` is the astronomical unit and ``G`` is
    1e-4 T. ``""``, ``"1"`` and ``"-"`` mean dimensionless. Angles are dimensionless (deg = π/180) unless
    ``strict_angles``, which keeps rad as a dimension of its own.

    Raises:
        UnitError: unknown name (with the nearest known one), units with an offset (OffsetError) or on a logarithmic scale
            (``degC``, ``dB``), a text that does not follow the grammar.
    """
    stripped = text.strip()
    if stripped in _DIMENSIONLESS_TEXTS:
        return Unit(DIMENSIONLESS, 1.0, stripped)
    exponents, factor = _Reader(stripped).read()
    if not strict_angles:
        exponents[-1] = Fraction(0)
    return Unit(Dimension(exponents), factor, stripped)


def split_unit(text: str, strict_angles: bool = False) -> dict[str, Fraction]:
    """The names in a unit text with their powers, ``{"J": 1, "mol": -1}``; empty for pure numbers that are not scaled.

    A text with a number in it is one name by itself. Raises UnitError as :func:`parse_unit` does.
    """
    unit = parse_unit(text, strict_angles)
    if unit.dimension == DIMENSIONLESS and unit.factor == 1.0:
        return {}
    reader = _Names(unit.text)
    powers, factor = reader.read()
    if factor != 1.0:
        return {unit.text: Fraction(1)}
    out: dict[str, Fraction] = {}
    for name, power in zip(reader.names, powers, strict=True):
        out[name] = out.get(name, Fraction(0)) + power
    return {name: p for name, p in out.items() if p}


class _Reader:
    """Recursive descent over one unit text; every rule returns the eight exponents and the factor to SI."""

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_LENGTH:
            raise UnitError(f"a unit of {len(text)} characters is too long; expected at most {_MAX_LENGTH}")
        self.text = text
        plain = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda m: "^" + m.group().translate(_SUPERSCRIPTS), text)
        plain = unicodedata.normalize("NFC", plain)
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(plain):
            match = _TOKEN.match(plain, position)
            if match is None:
                self.fail(f'the character "{plain[position]}" is not expected')
            self.tokens.append((str(match.lastgroup), match.group()))
            position = match.end()
        self.position = 0

    def width(self) -> int:
        """How many exponents a factor has."""
        return len(BASE_UNITS)

    def fail(self, what: str) -> NoReturn:
        raise UnitError(f'cannot read the unit "{self.text}": {what}; {ADVICE}')

    def peek(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else "end"

    def take(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1][1]

    def skip_space(self) -> bool:
        if self.peek() != "space":
            return False
        self.position += 1
        return True

    def after_number(self) -> bool:
        return self.tokens[self.position - 1][0] == "number"

    def read(self) -> tuple[Powers, float]:
        exponents, factor = self.product()
        if self.peek() != "end":
            self.fail(f'"{self.take()}" is not expected there')
        if not (math.isfinite(factor) and factor > 0):
            self.fail("its factor to SI is not a positive number")
        return exponents, shorten(factor)

    def product(self) -> tuple[Powers, float]:
        exponents, factor = self.power()
        divided = False
        while True:
            blank = self.skip_space()
            kind = self.peek()
            if kind in ("end", "close"):
                return exponents, factor
            sign = 1
            if kind in ("times", "over"):
                self.take()
                self.skip_space()
                sign = -1 if kind == "over" else 1
                divided = divided or kind == "over"
            elif divided:
                self.fail("after a division it is unclear what a blank means, so use brackets or *")
            elif kind not in ("name", "open") or not (blank or kind == "open" or self.after_number()):
                self.fail(f'"{self.take()}" is not expected there')
            more, other = self.power()
            exponents = [a + sign * b for a, b in zip(exponents, more, strict=True)]
            factor = factor * other if sign > 0 else factor / other

    def power(self) -> tuple[Powers, float]:
        kind = self.peek()
        if kind == "open":
            self.take()
            self.skip_space()
            exponents, factor = self.product()
            if self.peek() != "close":
                self.fail("a closing bracket is missing")
            self.take()
        elif kind == "number":
            exponents, factor = [Fraction(0)] * self.width(), float(self.take())
            if not (factor > 0 and math.isfinite(factor)):
                self.fail("a factor must be a positive number")
        elif kind == "name":
            exponents, factor = self.name(self.take())
        else:
            self.fail("it ends too early" if kind == "end" else f'"{self.take()}" is not expected there')
        exponent = self.exponent(after_name=kind == "name")
        try:
            return [e * exponent for e in exponents], factor ** float(exponent)
        except OverflowError:
            self.fail("its factor to SI is too large")

    def exponent(self, after_name: bool) -> Fraction:
        start = self.position
        self.skip_space()
        if self.peek() == "power":
            self.take()
            self.skip_space()
            if self.peek() == "open":
                self.take()
                value = self.signed_number()
                self.skip_space()
                if self.peek() == "over":
                    self.take()
                    below = self.signed_number()
                    if not below:
                        self.fail("an exponent divides by zero")
                    value /= below
                    self.skip_space()
                if self.peek() != "close":
                    self.fail("an exponent in brackets must be a number or a fraction")
                self.take()
            else:
                value = self.signed_number()
        else:
            self.position = start
            if not (after_name and self.peek() == "sign"):
                return Fraction(1)
            value = self.signed_number()  # the compact form "m s-2"
        if abs(value) > _MAX_EXPONENT:
            self.fail(f"an exponent is outside ±{_MAX_EXPONENT}")
        return value

    def signed_number(self) -> Fraction:
        self.skip_space()
        negative = self.peek() == "sign" and self.take() != "+"
        if self.peek() != "number":
            self.fail("an exponent must be a number")
        text = self.take()
        if not 1e-9 < abs(float(text)) < 1e9:  # also keeps 1e999999999 from becoming a giant Fraction
            if float(text):
                self.fail(f"an exponent is outside ±{_MAX_EXPONENT}")
            return Fraction(0)
        return -Fraction(text) if negative else Fraction(text)

    def name(self, name: str) -> tuple[Powers, float]:
        compact = re.fullmatch(r"(\D+)(\d)", name)
        if compact and not is_known(name) and is_known(compact[1]):  # "m2"
            exponents, factor = look_up(compact[1], self.text)
            return [e * int(compact[2]) for e in exponents], factor ** int(compact[2])
        exponents, factor = look_up(name, self.text)
        return list(exponents), factor


class _Names(_Reader):
    """The same over the names in the text instead of the base units: an exponent for each of them, and the plain number."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.names: list[str] = []

    def width(self) -> int:
        return sum(kind == "name" for kind, _ in self.tokens)

    def read(self) -> tuple[Powers, float]:
        powers, factor = super().read()
        return powers[: len(self.names)], factor

    def name(self, name: str) -> tuple[Powers, float]:
        compact = None if is_known(name) else re.fullmatch(r"(\D+)(\d)", name)
        self.names.append(compact[1] if compact else name)
        powers = [Fraction(0)] * self.width()
        powers[len(self.names) - 1] = Fraction(compact[2] if compact else 1)
        return powers, 1.0
