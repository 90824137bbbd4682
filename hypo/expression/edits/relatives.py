"""Simpler relatives of one formula: a part left out, coefficients tied, factors moved. The score says which is better.

Scans leave traces in what they find: a rational form (a + b·f)/(1 + c·g) where b·f/g would do, coefficients 3.9997 and 2.0003
where one constant times (2·f + g) is meant. These relatives are not equal to the formula; their constants are fitted anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations

from hypo.expression.algebra.normal_form import Split, addends, split, total
from hypo.expression.algebra.simplify import simplify
from hypo.expression.algebra.term import Term, from_expression, literal, node, parameter, to_expression
from hypo.expression.edits.extremes import HOLDERS, moved
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc

# Coefficients are tied where their ratio is within this share of a simple fraction.
CLOSE = 0.03
# The largest numerator and denominator of one.
SIMPLE = 4
# Longer formulas have too many relatives to fit them all.
MOST = 60
# Largest k of powers u^(k/2) that are written with a root.
MOST_POWER = 12

_Change = Callable[[Term], Iterator[Term]]


def relatives(e: Expression) -> Iterator[Expression]:
    """Relatives of ``e``, ties first, constants near where they should be."""
    yield from _changed(e, _tied)
    if any(op in HOLDERS for op, _ in e.code):
        yield from _changed(e, moved)
    yield from _changed(e, _without)


def halved(e: Expression) -> Iterator[Expression]:
    """``e`` with one cosine or sine at a time written for half the angle; equal to ``e``, and seldom shorter as it stands."""
    yield from _changed(e, _halved)


def phased(e: Expression) -> Iterator[Expression]:
    """``e`` with the fitted phase of one sine or cosine at a time as small as it can be: a turn less is the same, and half or a
    quarter of one says so in the sign or the function."""
    yield from _changed(e, _phased)


def rooted(e: Expression) -> Iterator[Expression]:
    """``e`` with one power u^(k/2) at a time written as the root of u^k, or one c^u with a fitted c as exp(log(c)·u), where the
    number may turn out to be -1."""
    yield from _changed(e, _rooted)
    yield from _changed(e, _exponential)


def _changed(e: Expression, change: _Change) -> Iterator[Expression]:
    if len(e) > MOST:
        return
    seen: set[str] = set()
    for t in _everywhere(from_expression(simplify(e)), change):
        relative = to_expression(t)
        key = str(relative)
        if key not in seen and len(relative) > 1:
            seen.add(key)
            yield relative


def _everywhere(t: Term, change: _Change, inside_sum: bool = False) -> Iterator[Term]:
    """``t`` with ``change`` made at each of its nodes in turn; a sum is changed as a whole, not at each + of it."""
    is_sum = t.op in (oc.ADD, oc.SUB)
    if not (is_sum and inside_sum and change is _tied):
        yield from change(t)
    for k, argument in enumerate(t.args):
        for new in _everywhere(argument, change, is_sum):
            yield node(t.op, (*t.args[:k], new, *t.args[k + 1 :]))


def _without(t: Term) -> Iterator[Term]:
    """A node's arguments in its place."""
    if t.value is not None:
        return
    if t.op == oc.SUB:
        yield t.args[0]
        yield node(oc.NEG, (t.args[1],))
    elif t.op == oc.DIV:
        yield t.args[0]
        yield node(oc.INV, (t.args[1],))
    elif t.op == oc.POW:
        yield t.args[0]
    else:
        yield from t.args


def _tied(t: Term) -> Iterator[Term]:
    """A sum with the ratio of two or more fitted coefficients made a simple fraction: c·(r·f + g) + rest."""
    if t.op not in (oc.ADD, oc.SUB):
        return
    parts = [(sign, split(u)) for sign, u in addends(t)]
    fitted = [k for k, (_, s) in enumerate(parts) if s.number is not None]
    close = {}
    for j, k in combinations(fitted, 2):
        r = _ratio(_value(parts[k]), _value(parts[j]))
        if r is not None:
            close[j, k] = r
    groups = [(j, tuple((k, close[j, k]) for k in fitted if (j, k) in close)) for j in fitted]
    chosen = [g for g in groups if len(g[1]) > 1] + [(j, ((k, r),)) for (j, k), r in close.items()]
    for j, others in chosen:
        inner = total([Split(1, None, parts[j][1].rest), *(Split(r, None, parts[k][1].rest) for k, r in others)])
        taken = {j, *(k for k, _ in others)}
        outer = [Split(sign * s.coefficient, s.number, s.rest) for k, (sign, s) in enumerate(parts) if k not in taken]
        # Where one of them stands alone, 1 takes its place in the brackets.
        if inner is None or sum(parts[k][1].rest is None for k in taken) > 1:
            continue
        bound = node(oc.MUL, (parameter(_value(parts[j])), inner))
        rest = total(outer) if outer else None
        yield bound if rest is None else node(oc.ADD, (bound, rest))


def _value(part: tuple[int, Split]) -> float:
    sign, s = part
    number = s.number.value if s.number is not None else None
    return sign * float(s.coefficient) * (1.0 if number is None else number)


def _ratio(a: float, b: float) -> Fraction | None:
    """a/b as a simple fraction, if it is close to one."""
    if not b or not a:
        return None
    r = a / b
    found = min(
        (Fraction(p, q) for p in range(1, SIMPLE + 1) for q in range(1, SIMPLE + 1)),
        key=lambda f: (abs(float(f) - abs(r)), f),
    )
    if abs(float(found) - abs(r)) > CLOSE * abs(r):
        return None
    return found if r > 0 else -found


def _halved(t: Term) -> Iterator[Term]:
    """cos(u) = 1 − 2·sin²(u/2) and sin(u) = 2·sin(u/2)·cos(u/2)."""
    if t.op not in (oc.COS, oc.SIN) or t.value is not None:
        return
    half = node(oc.DIV, (t.args[0], literal(2)))
    sine = node(oc.SIN, (half,))
    if t.op == oc.COS:
        yield node(oc.SUB, (literal(1), node(oc.MUL, (literal(2), node(oc.SQUARE, (sine,))))))
    else:
        yield node(oc.MUL, (literal(2), node(oc.MUL, (sine, node(oc.COS, (half,))))))


def _phased(t: Term) -> Iterator[Term]:
    """sin(u + φ) = -sin(u + φ - π) = cos(u + φ - π/2), and so on."""
    if t.op not in (oc.COS, oc.SIN) or t.value is not None:
        return
    summands = _spread(t.args[0])
    fitted = [k for k, (_, u) in enumerate(summands) if u.free]
    if len(summands) < 2 or len(fitted) != 1:
        return
    sign, number = summands.pop(fitted[0])
    phase = sign * float(number.value or 0.0)
    rates = [_scaled(split(u), sign) for sign, u in summands]
    # The first frequency is written above 0: sin(-u) = -sin(u).
    turned = float(rates[0].coefficient) * (1.0 if rates[0].number is None else rates[0].number.value or 1.0) < 0
    if turned:
        phase, rates = -phase, [_scaled(s, -1) for s in rates]
    rest = total(rates)
    if rest is None:
        return
    for step in (math.pi / 2, math.pi):
        quarters = round(phase / step) * round(2 * step / math.pi)
        argument = node(oc.ADD, (rest, parameter(phase - quarters * math.pi / 2)))
        # Of sin, cos, -sin and -cos each is the one before, a quarter of a turn on.
        place = (quarters + (t.op == oc.COS) + 2 * (turned and t.op == oc.SIN)) % 4
        wave = node((oc.SIN, oc.COS)[place % 2], (argument,))
        yield wave if place < 2 else node(oc.NEG, (wave,))


def _scaled(s: Split, sign: int) -> Split:
    """``s`` with a sign, which goes into its fitted number if there is one."""
    if s.number is None or s.number.value is None or sign > 0:
        return Split(sign * s.coefficient, s.number, s.rest)
    return Split(s.coefficient, parameter(-s.number.value), s.rest)


def _spread(t: Term) -> list[tuple[int, Term]]:
    """The summands of ``t``, and of a product of a number and a sum."""
    if t.op == oc.MUL and t.args[0].free and t.args[0].value is not None:
        factor = t.args[0].value
        return [
            (sign, parameter(factor * u.value) if u.free and u.value is not None else node(oc.MUL, (t.args[0], u)))
            for sign, u in addends(t.args[1])
        ]
    return addends(t)


def _rooted(t: Term) -> Iterator[Term]:
    """u^(k/2) = √(u^k) for odd k."""
    if t.op != oc.POW or t.value is not None or t.args[1].value is None or t.args[1].free:
        return
    base, k = t.args[0], 2.0 * t.args[1].value
    if k % 2 == 1 and 1 < abs(k) <= MOST_POWER:
        yield node(oc.SQRT, (node(oc.POW, (base, literal(k))),))


def _exponential(t: Term) -> Iterator[Term]:
    """c^u = exp(log(c)·u) for a fitted c > 0."""
    if (
        t.op == oc.POW
        and t.args[0].free
        and t.args[0].value is not None
        and t.args[0].value > 0
        and t.args[1].value is None
    ):
        yield node(oc.EXP, (node(oc.MUL, (parameter(math.log(t.args[0].value)), t.args[1])),))
