"""Proofs that two formulas are the same function, made by expanding both, exactly.

Formulas become sums of products of powers (Laurent polynomials with rational exponents and coefficients) of atoms: variables,
named constants, functions of expanded arguments, and sums that stand in a denominator or under a root. Even and odd functions
have the sign of their argument drawn out. At the end denominators are cleared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc

_Product = tuple[tuple[str, Fraction], ...]  # atoms with their exponents, in order
_Sum = dict[_Product, Fraction]

# Terms of a sum: products of longer ones take seconds.
_MAX_TERMS = 200
# The largest power that is multiplied out.
_MAX_POWER = 8
# Bits of the numerator and denominator of a coefficient.
_MAX_BITS = 4000
_HALF = Fraction(1, 2)
_THIRD = Fraction(1, 3)


class _TooLarge(Exception):
    """The expansion has too many terms, or a number that is not finite."""


def is_identity(left: Expression, right: Expression, positive: frozenset[str] = frozenset()) -> bool:
    """True only if left = right at all points where both are defined and the variables ``positive`` are >= 0.

    False means that it was not shown. Constants count at their present values, as exact rational numbers; named ones as
    unknown.
    """
    expansion = _Expansion(positive)
    try:
        difference = _plus(expansion.of(left), expansion.of(right), -1)
        return not expansion.cleared(difference)
    except (_TooLarge, ZeroDivisionError):
        return False


class _Expansion:
    def __init__(self, positive: frozenset[str]) -> None:
        self.positive = positive
        self.sums: dict[str, _Sum] = {}

    def of(self, e: Expression) -> _Sum:
        stack: list[_Sum] = []
        for op, arg in e.code:
            if op == oc.VAR:
                stack.append(_atom(e.variables[arg]))
            elif op == oc.CONST:
                c = e.constants[arg]
                if not math.isfinite(c.value):
                    raise _TooLarge
                stack.append(_atom(f"{c.name}={c.value!r}") if c.name else _number(Fraction(c.value)))
            elif op < oc.FIRST_BINARY:
                stack.append(self._unary(op, stack.pop()))
            else:
                v = stack.pop()
                stack.append(self._binary(op, stack.pop(), v))
        return stack[0]

    def _unary(self, op: int, u: _Sum) -> _Sum:
        simple: dict[int, Callable[[], _Sum]] = {
            oc.NEG: lambda: _plus({}, u, -1),
            oc.INV: lambda: self._power(u, Fraction(-1)),
            oc.SQUARE: lambda: _times(u, u),
            oc.CUBE: lambda: _times(_times(u, u), u),
            oc.SQRT: lambda: self._power(u, _HALF),
            oc.CBRT: lambda: self._power(u, _THIRD),
        }
        if op in simple:
            return simple[op]()
        row, sign = ops.BY_OPCODE[op], 1
        if row.parity:
            sign = -1 if u and u[min(u)] < 0 else 1
            u = _plus({}, u, sign)
            sign = sign if row.parity == ops.ODD else 1
        if op == oc.ABS:
            factor, product, rest = _content(u)
            outside = tuple((a, k) for a, k in product if a in self.positive)
            inside = _times(rest, {tuple((a, k) for a, k in product if a not in self.positive): Fraction(1)})
            size = {outside: abs(factor)}
            return size if inside == {(): 1} else _times(size, _atom(f"abs({_text(inside)})"))
        return _plus({}, _atom(f"{row.name}({_text(u)})"), sign)

    def _binary(self, op: int, u: _Sum, v: _Sum) -> _Sum:
        if op in (oc.ADD, oc.SUB):
            return _plus(u, v, 1 if op == oc.ADD else -1)
        if op == oc.MUL:
            return _times(u, v)
        if op == oc.DIV:
            return _times(u, self._power(v, Fraction(-1)))
        if op == oc.POW:
            if v.keys() == {()} and abs(v[()]) <= _MAX_POWER:
                return self._power(u, v[()])
            return _atom(f"({_text(u)})**({_text(v)})")
        row, texts = ops.BY_OPCODE[op], (_text(u), _text(v))
        first, second = sorted(texts) if row.commutative else texts
        return _atom(f"{row.name}({first}, {second})")

    def _power(self, u: _Sum, exponent: Fraction) -> _Sum:
        if exponent == 0 or not u:
            # 0**0 and 1/0 are for the domain to judge, not for algebra.
            raise _TooLarge
        if exponent.denominator == 1 and (exponent > 0):
            result = _number(Fraction(1))
            for _ in range(int(exponent)):
                result = _times(result, u)
            return result
        factor, product, rest = _content(u)
        whole, odd_root = exponent.denominator == 1, exponent == _THIRD
        # Roots can be drawn of factors that are not negative (odd ones of any); what cannot stays in the sum below the root.
        out = {a: k for a, k in product if whole or odd_root or a in self.positive}
        number = _exact_power(factor, exponent)
        sign = 1
        if (whole or odd_root) and rest[min(rest)] < 0:
            rest = _plus({}, rest, -1)
            sign = -1 if odd_root or exponent % 2 else 1
        if number is None:
            rest = _times(rest, _number(factor))
            number = Fraction(1)
        rest = _times(rest, {tuple((a, k) for a, k in product if a not in out): Fraction(1)})
        outside: _Sum = {tuple((a, k * exponent) for a, k in out.items()): sign * number}
        if rest == {(): 1}:
            return outside
        if len(rest) == 1:
            ((single, one),) = rest.items()
            if one == 1 and len(single) == 1 and single[0][1] == 1:  # x**r, defined only where x is not negative
                return _times(outside, {((single[0][0], exponent),): Fraction(1)})
        key = f"[{_text(rest)}]"
        self.sums[key] = rest
        return _times(outside, {((key, exponent),): Fraction(1)})

    def cleared(self, total: _Sum) -> _Sum:
        """``total`` times its denominators, with all whole powers of sums multiplied out; zero just where ``total`` is."""
        for _ in range(20):
            key = next((a for product in total for a, k in product if a in self.sums and (k < 0 or k >= 1)), None)
            if key is None:
                break
            whole = {product: math.floor(dict(product).get(key, 0)) for product in total}
            least = min(0, *whole.values())
            cleared: _Sum = {}
            for product, c in total.items():
                n = whole[product] - least
                if n > _MAX_POWER:
                    raise _TooLarge
                powers = dict(product)
                powers[key] = powers.get(key, Fraction(0)) - whole[product]
                term: _Sum = {tuple((a, k) for a, k in sorted(powers.items()) if k): c}
                for _ in range(n):
                    term = _times(term, self.sums[key])
                cleared = _plus(cleared, term, 1)
            total = cleared
        return total


def _number(value: Fraction) -> _Sum:
    return {(): value} if value else {}


def _atom(key: str) -> _Sum:
    return {((key, Fraction(1)),): Fraction(1)}


def _plus(u: _Sum, v: _Sum, sign: int) -> _Sum:
    total = dict(u)
    for product, c in v.items():
        value = total.get(product, Fraction(0)) + sign * c
        if value:
            total[product] = value
        else:
            del total[product]
    if len(total) > _MAX_TERMS:
        raise _TooLarge
    return total


def _times(u: _Sum, v: _Sum) -> _Sum:
    if len(u) * len(v) > _MAX_TERMS:
        raise _TooLarge
    total: _Sum = {}
    for p, a in u.items():
        for q, b in v.items():
            powers = dict(p)
            for atom, k in q:
                powers[atom] = powers.get(atom, Fraction(0)) + k
            c = a * b
            if c.numerator.bit_length() + c.denominator.bit_length() > _MAX_BITS:
                raise _TooLarge
            total = _plus(total, {tuple((atom, k) for atom, k in sorted(powers.items()) if k): c}, 1)
    return total


def _content(u: _Sum) -> tuple[Fraction, _Product, _Sum]:
    """(c, m, s) with u = c·m·s: a positive number, the product of the atoms common to all terms, and what is left."""
    if not u:
        raise _TooLarge
    factor = abs(u[min(u)])
    atoms = set.intersection(*({a for a, _ in product} for product in u))
    least = {a: min(dict(product)[a] for product in u) for a in sorted(atoms)}
    # Negative exponents are denominators of single terms: draw them out of all.
    for product in u:
        for a, k in product:
            if k < 0:
                least[a] = min(least.get(a, Fraction(0)), k)
    common = tuple((a, k) for a, k in sorted(least.items()) if k)
    inverse: _Sum = {tuple((a, -k) for a, k in common): 1 / factor}
    return factor, common, _times(u, inverse)


def _exact_power(c: Fraction, exponent: Fraction) -> Fraction | None:
    """c**exponent for c > 0 if it is rational and simple, else None."""
    n = exponent.denominator
    if n > 3 or max(c.numerator, c.denominator) >= 2**53 or abs(exponent) > _MAX_POWER:
        return None
    p, q = (round(part ** (1 / n)) for part in (c.numerator, c.denominator))
    return Fraction(p, q) ** exponent.numerator if p**n == c.numerator and q**n == c.denominator else None


def _text(u: _Sum) -> str:
    return " + ".join(f"{c}" + "".join(f"*{a}^{k}" for a, k in product) for product, c in sorted(u.items()))
