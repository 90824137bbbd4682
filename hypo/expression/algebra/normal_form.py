"""The final forms of sums and products in the simplifier: how they are written, and taken apart again.

A product is ``number·Π top / Π bottom`` and a sum ``positive terms - negative terms + number``, operands in order.
Nothing here simplifies; see :mod:`hypo.expression.algebra.collect`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

from hypo.expression.algebra import term as terms
from hypo.expression.algebra.term import Rational, Term, literal, node
from hypo.kernels import opcodes as oc


class Split(NamedTuple):
    """``coefficient·number·rest``: exact part, number to be fitted (or None) and what is left (None for nothing)."""

    coefficient: Rational
    number: Term | None
    rest: Term | None


def fraction(coefficient: Rational, number: Term | None, top: Iterable[Term], bottom: Iterable[Term]) -> Term | None:
    """The shortest writing of coefficient·number·Π top / Π bottom; None when the coefficient cannot be written.

    With a ``number`` the coefficient must be 1.
    """
    above = sorted(top, key=_rank)
    below = sorted(bottom, key=_rank)
    if not above and not below:
        if number is not None:
            return number
        return terms.rational(coefficient) if terms.is_writable(coefficient) else None
    if number is not None:
        above.insert(0, number)
    elif abs(coefficient) != 1:
        if not terms.is_writable(coefficient):
            return None
        p, q = coefficient.numerator, coefficient.denominator
        value = terms.as_float(coefficient)
        if (value is None and abs(p) == 1) or (p == 1 and above and q <= terms.MAX_DENOMINATOR):  # x/2, 1/(3*x), x/(-3)
            below.insert(0, literal(p * q))
        elif value is not None:
            above.insert(0, literal(value))
        else:
            above.insert(0, literal(p))
            below.insert(0, literal(q))
    new = _quotient(above, below)
    return node(oc.NEG, (new,)) if coefficient == -1 else new


def _rank(t: Term) -> tuple[int, int, str]:
    return t.rank


def _chain(op: int, parts: list[Term]) -> Term:
    return reduce(lambda a, b: node(op, (a, b)), parts)


def _quotient(above: list[Term], below: list[Term]) -> Term:
    if not below:
        return _chain(oc.MUL, above)
    if above:
        return node(oc.DIV, (_chain(oc.MUL, above), _chain(oc.MUL, below)))
    if len(below) == 1 and below[0].op == oc.POW and terms.is_literal(below[0].args[1]):
        base, n = below[0].args
        return node(oc.POW, (base, literal(-n.value)))  # type: ignore[operator]
    return node(oc.INV, (_chain(oc.MUL, below),))


def parts(t: Term) -> tuple[list[Term], list[Term]]:
    """(top, bottom) of a product in final form without a sign."""
    if t.op == oc.DIV:
        return _flat(t.args[0]), _flat(t.args[1])
    if t.op == oc.INV:
        return [], _flat(t.args[0])
    if t.op == oc.POW and terms.is_literal(t.args[1]) and t.args[1].value < 0:  # type: ignore[operator]
        base, n = t.args
        return [], [node(oc.POW, (base, literal(-n.value)))]  # type: ignore[operator]
    return _flat(t), []


def _flat(t: Term) -> list[Term]:
    found: list[Term] = []
    while t.op == oc.MUL:
        found.append(t.args[1])
        t = t.args[0]
    found.append(t)
    return found[::-1]


def split(t: Term) -> Split:
    """The number that leads a product in final form, and the rest of it."""
    sign = 1
    if t.op == oc.NEG:
        sign, t = -1, t.args[0]
    if t.op == oc.CONST:
        if t.free:
            return Split(sign, t, None)
        exact = terms.exact_value(t)
        return Split(sign, None, t) if exact is None else Split(sign * exact, None, None)
    if t.op not in (oc.MUL, oc.DIV, oc.INV):
        return Split(sign, None, t)
    top, bottom = parts(t)
    number: Term | None = None
    coefficient: Rational = sign
    if top and top[0].op == oc.CONST and top[0].free:
        number = top.pop(0)
    elif top and terms.is_literal(top[0]):
        coefficient *= terms.exact(top.pop(0).value)  # type: ignore[arg-type]
    if bottom and terms.is_literal(bottom[0]) and bottom[0].value:
        coefficient = terms.ratio(coefficient, terms.exact(bottom.pop(0).value))  # type: ignore[arg-type]
    if number is None and coefficient == sign:
        return Split(sign, None, t)
    return Split(coefficient, number, fraction(1, None, top, bottom) if top or bottom else None)


def scale(coefficient: Rational, number: Term | None, rest: Term | None) -> Term | None:
    """The product that :func:`split` takes apart."""
    if rest is None:
        return fraction(coefficient, number, (), ())
    if number is None and coefficient == 1:
        return rest
    return fraction(coefficient, number, *parts(rest))


def addends(t: Term) -> list[tuple[int, Term]]:
    """(sign, term) for each term of a sum, left to right."""
    found: list[tuple[int, Term]] = []
    todo = [(1, t)]
    while todo:
        sign, t = todo.pop()
        if t.op == oc.ADD:
            todo += [(sign, t.args[1]), (sign, t.args[0])]
        elif t.op == oc.SUB:
            todo += [(-sign, t.args[1]), (sign, t.args[0])]
        elif t.op == oc.NEG:
            todo.append((-sign, t.args[0]))
        else:
            found.append((sign, t))
    return found


def total(collected: Iterable[Split]) -> Term | None:
    """The sum of products with distinct ``rest``; at most one is a mere number. None if some number cannot be written."""
    ordered = sorted(collected, key=lambda s: (0, (0, 0, "")) if s.rest is None else (-1, s.rest.rank))
    positive: list[Term] = []
    negative: list[Split] = []
    last: Split | None = None
    for s in ordered:
        if s.rest is None:
            last = s
        elif s.coefficient < 0:
            negative.append(s)
        else:
            t = scale(*s)
            if t is None:
                return None
            positive.append(t)
    if not positive and last is not None:  # 2 - x - y
        t = scale(*last)
        if t is None:
            return None
        positive, last = [t], None
    flip = False
    if not positive:
        # The sign goes into a coefficient if there is one, else before the whole sum.
        leader = next((s for s in negative if s.coefficient != -1), None)
        if leader is None:
            flip = True
            positive = [s.rest for s in negative if s.rest is not None]
            negative = []
        else:
            t = scale(*leader)
            if t is None:
                return None
            positive = [t]
            negative.remove(leader)
    new = _chain(oc.ADD, positive)
    for s in (*negative, *([last] if last else [])):
        t = scale(s.coefficient if s.coefficient > 0 else -s.coefficient, s.number, s.rest)
        if t is None:
            return None
        new = node(oc.ADD if s.coefficient > 0 else oc.SUB, (new, t))
    return node(oc.NEG, (new,)) if flip else new
