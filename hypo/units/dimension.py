"""Dimension vectors with rational exponents, units, and the coherent system of a problem."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from hypo.units.names import BASE_UNITS

# Kilograms come first.
_PRINT_ORDER = (1, 0, 2, 3, 4, 5, 6, 7)


class Dimension:
    """A product of powers of the base units, m^a·kg^b·s^c·A^d·K^e·mol^f·cd^g·rad^h, with rational exponents.

    ``exponents`` holds up to eight integers or Fractions in the order of :data:`BASE_UNITS`; the rest is 0.
    The last, rad, is 0 unless angles are kept apart (``strict_angles`` of :func:`parse_unit`).
    """

    # Whole numbers over one common denominator hash and compare far faster than eight Fractions.
    __slots__ = ("_denominator", "_hash", "_numerators")
    _denominator: int
    _hash: int
    _numerators: tuple[int, ...]

    def __new__(cls, exponents: Iterable[Fraction | int] = ()) -> Dimension:
        values = [Fraction(e) for e in exponents]
        if len(values) > len(BASE_UNITS):
            raise ValueError(f"expected at most {len(BASE_UNITS)} exponents, got {len(values)}")
        values += [Fraction(0)] * (len(BASE_UNITS) - len(values))
        denominator = math.lcm(*(v.denominator for v in values))
        return cls._make(tuple(int(v * denominator) for v in values), denominator)

    @classmethod
    def _make(cls, numerators: tuple[int, ...], denominator: int) -> Dimension:
        if denominator != 1:
            divisor = math.gcd(denominator, *numerators)
            numerators, denominator = tuple(n // divisor for n in numerators), denominator // divisor
        self = object.__new__(cls)
        object.__setattr__(self, "_numerators", numerators)
        object.__setattr__(self, "_denominator", denominator)
        object.__setattr__(self, "_hash", hash((numerators, denominator)))
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Dimension cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Dimension cannot be changed")

    def __reduce__(self) -> tuple[type[Dimension], tuple[tuple[Fraction, ...]]]:
        return Dimension, (self.exponents,)

    @property
    def exponents(self) -> tuple[Fraction, ...]:
        """The eight exponents, in the order of :data:`BASE_UNITS`."""
        return tuple(Fraction(n, self._denominator) for n in self._numerators)

    @property
    def is_dimensionless(self) -> bool:
        """True when every exponent is 0."""
        return not any(self._numerators)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dimension):
            return NotImplemented
        return self is other or (self._numerators == other._numerators and self._denominator == other._denominator)

    def __mul__(self, other: Dimension) -> Dimension:
        return self._combined(other, 1) if isinstance(other, Dimension) else NotImplemented

    def __truediv__(self, other: Dimension) -> Dimension:
        return self._combined(other, -1) if isinstance(other, Dimension) else NotImplemented

    def _combined(self, other: Dimension, sign: int) -> Dimension:
        p, q = self._denominator, other._denominator
        if p == q:
            sums = [a + sign * b for a, b in zip(self._numerators, other._numerators, strict=True)]
            return Dimension._make(tuple(sums), p)
        sums = [a * q + sign * b * p for a, b in zip(self._numerators, other._numerators, strict=True)]
        return Dimension._make(tuple(sums), p * q)

    def __pow__(self, exponent: Fraction | int) -> Dimension:
        if not isinstance(exponent, int | Fraction):
            return NotImplemented
        scaled = tuple([n * exponent.numerator for n in self._numerators])
        return Dimension._make(scaled, self._denominator * exponent.denominator)

    def __str__(self) -> str:
        exponents = self.exponents
        above = [_power(BASE_UNITS[k], exponents[k]) for k in _PRINT_ORDER if exponents[k] > 0]
        below = [_power(BASE_UNITS[k], -exponents[k]) for k in _PRINT_ORDER if exponents[k] < 0]
        return "/".join(["*".join(above) or "1", *below])

    def __repr__(self) -> str:
        return f"Dimension({self})"


DIMENSIONLESS = Dimension()


@dataclass(frozen=True)
class Unit:
    """A unit as the user wrote it: value in SI = ``factor`` · value in ``text``."""

    dimension: Dimension
    factor: float
    text: str


def _power(name: str, exponent: Fraction) -> str:
    if exponent == 1:
        return name
    return f"{name}^{exponent}" if exponent.denominator == 1 else f"{name}^({exponent})"


def coherent_scales(units: Sequence[Unit]) -> tuple[float, ...]:
    """The factors by which a problem's numbers are multiplied before the search, one per unit.

    All 1.0 when the numbers are already in one coherent system, that is when base-unit sizes b_k > 0 exist
    with factor_i = Π_k b_k^dim_ik for all i (SI itself, or only AU and yr); otherwise the factors to SI.
    """
    # log(factor) = D·log(b) is solvable if every row combination that cancels D also cancels log(factor).
    rows = [(list(u.dimension.exponents), math.log(u.factor), 1.0 + abs(math.log(u.factor))) for u in units]
    for column in range(len(BASE_UNITS)):
        pivot = next((row for row in rows if row[0][column]), None)
        if pivot is None:
            continue
        remaining = []
        for row in rows:
            if row is pivot:
                continue
            ratio = row[0][column] / pivot[0][column]
            if ratio:
                remaining.append(
                    (
                        [a - ratio * b for a, b in zip(row[0], pivot[0], strict=True)],
                        row[1] - float(ratio) * pivot[1],
                        row[2] + abs(float(ratio)) * pivot[2],
                    )
                )
            else:
                remaining.append(row)
        rows = remaining
    if all(abs(rest) <= 1e-12 * size for _, rest, size in rows):
        return (1.0,) * len(units)
    return tuple(u.factor for u in units)
