"""The simplifier's step: one operator on simplified arguments, with sums and products collected as a whole.

Sums become ``Σ coefficient·term`` and products ``coefficient·Π base**(n/2)``: like terms and like powers are collected,
coefficients are calculated exactly, a number to be fitted absorbs all numbers beside it, operands are put in order.
All else is done by the rules of :mod:`hypo.expression.algebra.rewrite_rules`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypo.expression.algebra import normal_form as forms
from hypo.expression.algebra import term as terms
from hypo.expression.algebra.matching import join, may_join, rewrite
from hypo.expression.algebra.normal_form import Split
from hypo.expression.algebra.term import Rational, Term, literal, node, parameter
from hypo.kernels import opcodes as oc

_MAX_POWER = 64
_SUMS = (oc.ADD, oc.SUB)
_PRODUCTS = (oc.NEG, oc.MUL, oc.DIV, oc.INV, oc.SQUARE, oc.CUBE)
# Nodes that fall apart when raised to a whole power inside a product.
_COMPOSITE = frozenset((*_PRODUCTS, oc.SQRT, oc.POW, oc.CONST))

_Factor = tuple[Term, int]
"""A base and twice its exponent, so that square roots are counted in whole numbers too."""


def make(op: int, args: tuple[Term, ...]) -> Term:
    """The simplest term for an operator on simplified arguments."""
    raw = node(op, args)
    if raw.value is not None:
        if raw.free:
            return parameter(raw.value)
        result = terms.exact_result(op, args)
        if result is not None and terms.is_writable(result):
            new = terms.rational(result)
            return new if new.size <= raw.size else raw
    try:
        new = _collected(raw)
    except OverflowError:
        new = raw
    try:
        return rewrite(new, make) or new
    except OverflowError:
        return new


def _collected(raw: Term) -> Term:
    op, args = raw.op, raw.args
    new: Term | None = None
    if op in _SUMS:
        new = _add([(1, args[0]), (1 if op == oc.ADD else -1, args[1])])
    elif op == oc.NEG and args[0].op in _SUMS:
        new = _add([(-1, args[0])])
    elif op in _PRODUCTS:
        new = _multiply([(raw, 2)])
    elif op == oc.POW:
        n = terms.exact_value(args[1])
        if n == 0:
            return literal(1)
        if isinstance(n, int) and abs(n) <= _MAX_POWER:
            new = _multiply([(raw, 2)])
    elif op in (oc.MIN, oc.MAX) and args[1].rank < args[0].rank:
        new = node(op, (args[1], args[0]))
    return raw if new is None or new.size > raw.size else new


# --- products -----------------------------------------------------------------------------------------------------


def _multiply(parts: Sequence[_Factor], coefficient: Rational = 1) -> Term | None:
    """coefficient·Π base**(e/2), collected; None where undefined or an exact number cannot be written."""
    fitted: list[tuple[Term, int]] = []
    factors: dict[str, _Factor] = {}
    todo = list(parts)
    while todo:
        t, e = todo.pop()
        if not e & 1:  # (u*v)**n = u**n * v**n holds for whole powers only
            if terms.is_literal(t):
                x, n = terms.exact(t.value), e >> 1  # type: ignore[arg-type]
                if abs(n) > _MAX_POWER or (x == 0 and n < 0):
                    return None
                coefficient = coefficient * x**n if n > 0 else terms.ratio(coefficient, x**-n)
                continue
            if t.free and t.op == oc.CONST:
                fitted.append((t, e >> 1))
                continue
            apart = _apart(t, e)
            if apart:
                if t.op == oc.NEG and e & 2:
                    coefficient = -coefficient
                todo += apart
                continue
        old = factors.pop(t.key, None)
        if old is not None:
            e += old[1]
            if not e:
                continue
            if not e & 1 and t.op in _COMPOSITE:
                todo.append((t, e))
                continue
        factors[t.key] = (t, e)
    if coefficient == 0:
        return literal(0)
    listed = list(factors.values())
    if len(listed) > 1:
        joined = _joined_factors(listed)
        if joined is not None:
            return _multiply(joined + [(t, 2 * n) for t, n in fitted], coefficient)
    if not fitted:
        return _powers(coefficient, None, listed)
    number, listed = _absorbed(coefficient, fitted, listed)
    scaled = _scaled_sum(number, listed)
    return _multiply(scaled) if scaled else _powers(1, number, listed)


def _apart(t: Term, e: int) -> list[_Factor]:
    """The factors of ``t**(e/2)`` for even ``e``, last first, but for a sign; empty when ``t`` is no product."""
    op, args = t.op, t.args
    if op == oc.MUL:
        return [(args[1], e), (args[0], e)]
    if op == oc.DIV:
        return [(args[1], -e), (args[0], e)]
    if op == oc.NEG:
        return [(args[0], e)]
    if op == oc.INV:
        return [(args[0], -e)]
    if op == oc.SQUARE:
        return [(args[0], 2 * e)]
    if op == oc.CUBE:
        return [(args[0], 3 * e)]
    if op == oc.SQRT:
        return [(args[0], e >> 1)]
    if op == oc.POW:
        n = terms.exact_value(args[1])
        if isinstance(n, int) and n and abs(n * e) <= 2 * _MAX_POWER:
            return [(args[0], n * e)]
    return []


def _absorbed(
    coefficient: Rational, fitted: list[tuple[Term, int]], factors: list[_Factor]
) -> tuple[Term, list[_Factor]]:
    """The one number to be fitted that stands for all the numbers of a product, and the other factors."""
    numbers = [f for f in factors if f[0].value is not None]
    if len(fitted) == 1 and fitted[0][1] == 1 and coefficient == 1 and not numbers:
        return fitted[0][0], factors
    value = float(coefficient)
    for t, e in [(t, 2 * n) for t, n in fitted] + numbers:
        power = terms.evaluate(oc.POW, t.value, e / 2)  # type: ignore[arg-type]
        value *= math.inf if power is None else power
    return parameter(value), [f for f in factors if f[0].value is None]


def _scaled_sum(number: Term, factors: list[_Factor]) -> list[_Factor] | None:
    """``c*(d*u + e)``, with numbers to be fitted on all terms, needs no ``c``: the factors without it, or None."""
    for i, (t, e) in enumerate(factors):
        if t.op not in _SUMS or abs(e) != 2 or not number.value:
            continue
        listed = forms.addends(t)
        if all(forms.split(a).number is not None for _, a in listed):
            scale = number if e > 0 else parameter(1 / number.value)
            total = _add([(sign, make(oc.MUL, (scale, a))) for sign, a in listed])
            if total is not None:
                return [*factors[:i], *factors[i + 1 :], (total, e)]
    return None


def _joined_factors(factors: list[_Factor]) -> list[_Factor] | None:
    """The factors with two of them joined by a rule such as ``exp(u)*exp(v) → exp(u + v)``, or None."""
    for i, (s, e) in enumerate(factors):
        if e & 1 or not may_join(s):
            continue
        for j, (t, f) in enumerate(factors):
            if i != j and abs(e) == abs(f):
                new = join(oc.MUL if e == f else oc.DIV, s, t, make)
                if new is not None and new.size <= s.size + t.size + 1:
                    return [*(x for n, x in enumerate(factors) if n not in (i, j)), (new, e)]
    return None


def _powers(coefficient: Rational, number: Term | None, factors: list[_Factor]) -> Term | None:
    """Writes collected factors, roots and equal powers drawn together: ``sqrt(x*y)``, ``(x/y)**2``."""
    groups: dict[int, tuple[list[Term], list[Term]]] = {}  # by exponent, 0 for the square root: (above, below)
    for t, e in factors:
        half = (e > 0) - (e < 0) if e & 1 else 0
        whole = (e - half) >> 1
        if half:
            groups.setdefault(0, ([], []))[half < 0].append(t)
        if whole:
            groups.setdefault(abs(whole), ([], []))[whole < 0].append(t)
    top, bottom = groups.pop(1, ([], []))
    while groups:
        n, (above, below) = groups.popitem()
        side, sign = (top, 2) if above else (bottom, -2)
        inner: Term | None = (above or below)[0]
        if len(above) + len(below) > 1:
            inner = _multiply([(t, 2) for t in above] + [(t, -sign) for t in below])
        if inner is None:
            return None
        power = _power(inner, n)
        new = rewrite(power, make)
        if new is None:
            side.append(power)
            continue
        # What a rule made of the power may hold factors to be collected.
        rest = [(new, sign), *((t, 2) for t in top), *((t, -2) for t in bottom)]
        for m, (more, less) in groups.items():
            rest += [(t, 2 * m or 1) for t in more] + [(t, -2 * m or -1) for t in less]
        return _multiply(rest + ([(number, 2)] if number else []), coefficient)
    return forms.fraction(coefficient, number, top, bottom)


def _power(base: Term, n: int) -> Term:
    """base**n; for n = 0, which marks it, the square root."""
    op = {0: oc.SQRT, 2: oc.SQUARE, 3: oc.CUBE}.get(n)
    return node(oc.POW, (base, literal(n))) if op is None else node(op, (base,))


# --- sums ---------------------------------------------------------------------------------------------------------


class _Like:
    """Like terms: the exact and the fitted part of their common coefficient."""

    __slots__ = ("exact", "fitted", "rest", "value")

    def __init__(self, rest: Term | None) -> None:
        self.rest = rest
        self.exact: Rational = 0
        self.value = 0.0
        self.fitted: Term | None = None

    def add(self, coefficient: Rational, number: Term | None) -> None:
        if number is None:
            self.exact += coefficient
            return
        value = float(coefficient) * number.value  # type: ignore[operator]
        self.fitted = number if self.fitted is None and coefficient == 1 else parameter(self.value + value)
        self.value += value

    def absorb(self, value: float) -> None:
        self.value += value
        self.fitted = parameter(self.value)

    def split(self) -> Split:
        if self.fitted is None:
            return Split(self.exact, None, self.rest)
        if self.exact:
            self.absorb(float(self.exact))
        return Split(1, self.fitted, self.rest)


def _add(parts: Sequence[tuple[Rational, Term]]) -> Term | None:
    """Σ coefficient·term, collected; None where an exact number cannot be written."""
    likes: dict[str, _Like] = {}
    for x, t in parts:
        for sign, addend in forms.addends(t):
            coefficient, number, rest = forms.split(addend)
            key = "" if rest is None else rest.key
            if key not in likes:
                likes[key] = _Like(rest)
            likes[key].add(x * sign * coefficient, number)
    constant = likes.get("")
    if constant is not None and constant.fitted is not None:
        for key, like in list(likes.items()):
            if like.rest is not None and like.rest.value is not None:
                constant.absorb((like.value + float(like.exact)) * like.rest.value)
                del likes[key]
    collected = [s for s in (like.split() for like in likes.values()) if s.coefficient]
    if len(collected) > 1:
        joined = _joined_addends(collected)
        if joined is not None:
            return _add(joined)
    return forms.total(collected) if collected else literal(0)


def _joined_addends(collected: list[Split]) -> list[tuple[Rational, Term]] | None:
    """The sum with two terms joined by a rule such as ``sin(u)**2 + cos(u)**2 → 1``, or None."""
    for i, s in enumerate(collected):
        if s.rest is None or s.number is not None or not may_join(s.rest):
            continue
        for j, t in enumerate(collected):
            if i == j or t.rest is None or t.number is not None or abs(s.coefficient) != abs(t.coefficient):
                continue
            new = join(oc.ADD if s.coefficient == t.coefficient else oc.SUB, s.rest, t.rest, make)
            if new is not None and new.size <= s.rest.size + t.rest.size + 1:
                others = [
                    (x, forms.scale(1, x.number, x.rest)) if x.number else (x, x.rest or literal(1))
                    for n, x in enumerate(collected)
                    if n not in (i, j)
                ]
                out = [(x.coefficient, term) for x, term in others if term is not None]
                return [*out, (s.coefficient, new)] if len(out) == len(others) else None
    return None
