"""Every operator a second time, for tests: values by three libraries, domains, and the points where functions turn.

Nothing of hypo is imported, so that an opcode or a domain that changes there is noticed. Arguments are called u and v.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True)
class Domain:
    """Where an operator has a value: as the table of operators words it, and as a predicate of numbers or arrays."""

    text: str
    has: Function


ALL = Domain("all", lambda *arguments: True)
NOT_ZERO = Domain("u != 0", lambda u: u != 0)
NOT_NEGATIVE = Domain("u >= 0", lambda u: u >= 0)
POSITIVE = Domain("u > 0", lambda u: u > 0)
# No float is an odd multiple of pi/2.
BETWEEN_POLES = Domain("cos(u) != 0", lambda u: True)
UP_TO_ONE = Domain("-1 <= u <= 1", lambda u: (u >= -1) & (u <= 1))
DIVISOR_NOT_ZERO = Domain("v != 0", lambda u, v: v != 0)
POWERS = Domain("u > 0, or u = 0 and v > 0, or v a whole number",
                lambda u, v: (u > 0) | ((u == 0) & (v >= 0)) | ((u < 0) & (v % 1 == 0)))  # fmt: skip

# Beyond it 60 digits do not tell the value of a function that grows or turns so fast.
FAR = 1e12


def is_near(*arguments: Any) -> bool:
    return True


def _is_within_reach(u: Any) -> bool:
    return abs(u) <= FAR


def _has_power_within_reach(u: Any, v: Any) -> bool:
    return abs(v) <= 1e30 and (u == 0 or abs(v * mpmath.log(abs(u))) <= FAR)


@dataclass(frozen=True)
class Row:
    """One operator.

    ``plain`` takes floats and may raise outside the domain, ``exact`` takes numbers of mpmath, ``array`` arrays of NumPy in
    any precision. ``can_tell`` says of which arguments ``exact`` knows the value. ``power`` is p where doubling u multiplies
    the value by 2**p.
    """

    name: str
    opcode: int
    plain: Function
    exact: Function
    array: Function
    domain: Domain = ALL
    can_tell: Function = is_near
    power: Fraction | None = None

    @property
    def arity(self) -> int:
        return 1 if self.opcode < FIRST_BINARY else 2


FIRST_BINARY = 52


def _cbrt(u: Any) -> Any:
    return mpmath.sign(u) * mpmath.cbrt(abs(u))


def _sinh(u: Any) -> Any:
    """As mpmath has it, which cancels digits near zero."""
    return mpmath.expm1(2 * u) / (2 * mpmath.exp(u)) if 0 < abs(u) < 1 else mpmath.sinh(u)


def _power(u: Any, v: Any) -> Any:
    if u < 0 and v % 1 == 0:
        return abs(u) ** v * (-1 if mpmath.fmod(v, 2) != 0 else 1)
    return u**v


def _function(name: str, opcode: int, numpy: str | None = None, **rest: Any) -> Row:
    """A function that all three libraries have."""
    exact = rest.pop("exact", None) or getattr(mpmath, name)
    return Row(name, opcode, getattr(math, name), exact, getattr(np, numpy or name), **rest)


def _arithmetic(name: str, opcode: int, plain: Function, **rest: Any) -> Row:
    """Sums and products, which are written the same of all numbers."""
    return Row(name, opcode, plain, plain, plain, **rest)


ROWS = (
    _arithmetic("neg", 2, lambda u: -u),
    _arithmetic("inv", 3, lambda u: 1 / u, domain=NOT_ZERO, power=Fraction(-1)),
    _arithmetic("square", 4, lambda u: u * u, power=Fraction(2)),
    _arithmetic("cube", 5, lambda u: u * u * u, power=Fraction(3)),
    _function("sqrt", 6, domain=NOT_NEGATIVE, power=Fraction(1, 2)),
    _function("cbrt", 7, exact=_cbrt, power=Fraction(1, 3)),
    _function("exp", 8, can_tell=_is_within_reach),
    _function("log", 9, domain=POSITIVE),
    _function("sin", 10, can_tell=_is_within_reach),
    _function("cos", 11, can_tell=_is_within_reach),
    _function("tan", 12, domain=BETWEEN_POLES, can_tell=_is_within_reach),
    _function("tanh", 13, can_tell=_is_within_reach),
    _function("sinh", 14, exact=_sinh, can_tell=_is_within_reach),
    _function("cosh", 15, can_tell=_is_within_reach),
    _function("asin", 16, "arcsin", domain=UP_TO_ONE),
    _function("acos", 17, "arccos", domain=UP_TO_ONE),
    _function("atan", 18, "arctan"),
    _arithmetic("abs", 19, abs),
    _arithmetic("+", 52, lambda u, v: u + v),
    _arithmetic("-", 53, lambda u, v: u - v),
    _arithmetic("*", 54, lambda u, v: u * v),
    _arithmetic("/", 55, lambda u, v: u / v, domain=DIVISOR_NOT_ZERO),
    Row("**", 56, math.pow, _power, np.power, domain=POWERS, can_tell=_has_power_within_reach),
    Row("min", 57, min, min, np.minimum),
    Row("max", 58, max, max, np.maximum),
)


class Table(dict[Any, Row]):
    """Rows by name or by opcode; one that is missing is named, with the place where it belongs."""

    def __missing__(self, key: Any) -> Row:
        raise LookupError(f"tests/oracles/operators.py has no row for the operator {key!r}: add it there")


BY_NAME = Table((row.name, row) for row in ROWS)
BY_OPCODE = Table((row.opcode, row) for row in ROWS)
UNARY = tuple(row.name for row in ROWS if row.arity == 1)
BINARY = tuple(row.name for row in ROWS if row.arity == 2)

# Where functions turn: limits of domains and their neighbours, signed zeros, the smallest and the largest numbers, and the
# largest arguments of exp.
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 5e-324, 1e-300, -1e-300, 1e-8, 1 + 2**-52, 1 - 2**-53,
         -1 - 2**-52, -1 + 2**-53, math.pi / 2, -math.pi / 2, math.pi, -math.pi, 30.0, 700.0, -700.0, 710.0, -745.0,
         1e8, 1e15, -1e15, 1e300, -1e300)  # fmt: skip
