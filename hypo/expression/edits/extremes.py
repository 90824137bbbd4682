"""Relatives of formulas with min, max or abs: factors and summands moved into them, or out of them.

Scans meet these operators in ratios as often as not: they find x·z·min(1, y/x), which is min(x, y)·z only where x > 0. On data
with x > 0 the two are the same, so the shorter one is the law, and it may be the one that holds elsewhere. Whether a relative
predicts the same is for the data to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from hypo.expression.algebra.normal_form import addends, fraction, parts
from hypo.expression.algebra.term import Term, literal, node, parameter
from hypo.kernels import opcodes as oc

# A factor that is negative on all rows turns one into the other.
EXTREMES = (oc.MIN, oc.MAX)
ONE = literal(1).key
HOLDERS = frozenset((*EXTREMES, oc.ABS))


def moved(t: Term) -> Iterator[Term]:
    """Forms of ``t`` with factors or summands at other places: around min, max or abs as arguments of ``t``, or ``t``
    itself."""
    if t.value is not None:
        return
    if t.op in (oc.MUL, oc.DIV, oc.INV):
        yield from _with_factors_inside(t)
    elif t.op in (oc.ADD, oc.SUB):
        yield from _with_summands_inside(t)
        yield from _with_one_corner_less(t)
    elif t.op in HOLDERS:
        yield from _with_factors_outside(t)


def _with_factors_inside(t: Term) -> Iterator[Term]:
    """f·min(p, q)·rest as min(f·p, f·q)·rest for each other factor and for all of them, where they stand above or below the
    line; with all of them, common ones outside again too."""
    top, bottom = parts(t)
    factors = [(u, 1) for u in top] + [(u, -1) for u in bottom]
    for k, (holder, power) in enumerate(factors):
        if holder.op not in HOLDERS:
            continue
        others = factors[:k] + factors[k + 1 :]
        choices = [[f] for f in others] if len(others) > 1 else []
        for inside in (*choices, others):
            # Below the line the reciprocals are compared: 1/max(p, q) = min(1/p, 1/q).
            held = [_times([(p, power), *inside]) for p in holder.args]
            rest = [f for f in others if not any(f is g for g in inside)]
            for op in _kinds(holder):
                yield _times([(node(op, tuple(held)), 1), *rest])
            if not rest:
                yield from _with_factors_outside(node(holder.op, tuple(held)))


def _with_factors_outside(t: Term) -> Iterator[Term]:
    """min(f·p, f·q) as f·min(p, q): for all common factors together, and for each factor of either argument."""
    factors = [[(u, 1) for u in top] + [(u, -1) for u in bottom] for top, bottom in map(parts, t.args)]
    known = [{(u.key, power) for u, power in each} for each in factors]
    common = [(u, power) for u, power in factors[0] if all((u.key, power) in each for each in known)]
    single = {(u.key, power): (u, power) for each in factors for u, power in each if u.value is None}
    for outside in (*([common] if len(common) > 1 else []), *([f] for f in single.values())):
        inverse = [(u, -power) for u, power in outside]
        held = tuple(_times([(p, 1), *inverse]) for p in t.args)
        for op in _kinds(t):
            yield _times([(node(op, held), 1), *outside])


def _with_summands_inside(t: Term) -> Iterator[Term]:
    """h + min(p, q) + rest as min(h + p, h + q) + rest for each other summand and for all of them."""
    summands = addends(t)
    for k, (sign, holder) in enumerate(summands):
        if holder.op not in EXTREMES:
            continue
        others = summands[:k] + summands[k + 1 :]
        choices = [[s] for s in others] if len(others) > 1 else []
        for inside in (*choices, others):
            held = tuple(_sum([(sign, p), *inside]) for p in holder.args)
            rest = [s for s in others if not any(s is other for other in inside)]
            op = holder.op if sign > 0 else oc.MIN + oc.MAX - holder.op
            yield _sum([(1, node(op, held)), *rest])


def _with_one_corner_less(t: Term) -> Iterator[Term]:
    """A sum of several such terms without one of them, the corners of the others to be fitted: between two rows several
    corners are worth no more than one."""
    summands = addends(t)
    cornered = [k for k, (_, u) in enumerate(summands) if _has_corner(u)]
    for k in cornered if len(cornered) > 1 else ():
        yield _sum([(sign, _freed(u)) for i, (sign, u) in enumerate(summands) if i != k])


def _has_corner(t: Term) -> bool:
    return t.value is None and (t.op in HOLDERS or any(map(_has_corner, t.args)))


def _freed(t: Term) -> Term:
    """``t`` with numbers that stand in sums, products and corners to be fitted, one more before each corner."""
    if t.value is not None:
        return parameter(t.value)
    if t.op not in (oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.NEG, *HOLDERS):
        return t
    new = node(t.op, tuple(map(_freed, t.args)))
    return node(oc.MUL, (parameter(1.0), new)) if t.op in HOLDERS else new


def _kinds(holder: Term) -> tuple[int, ...]:
    return EXTREMES if holder.op in EXTREMES else (holder.op,)


def _times(factors: list[tuple[Term, int]]) -> Term:
    """The product of (term, power) with powers 1 and -1, cancelled where the same term stands above and below."""
    flat: list[tuple[Term, int]] = []
    for u, power in factors:
        top, bottom = parts(u)
        flat += [(v, power) for v in top] + [(v, -power) for v in bottom]
    kept: list[tuple[Term, int]] = []
    for v, power in flat:
        if v.key == ONE:
            continue
        opposite = next((i for i, (w, p) in enumerate(kept) if w.key == v.key and p == -power), None)
        if opposite is None:
            kept.append((v, power))
        else:
            del kept[opposite]
    found = fraction(1, None, [v for v, power in kept if power > 0], [v for v, power in kept if power < 0])
    return literal(1) if found is None else found


def _sum(summands: list[tuple[int, Term]]) -> Term:
    """The sum of (sign, term), cancelled where a term stands with both signs."""
    flat = [(sign * s, u) for sign, t in summands for s, u in addends(t)]
    kept: list[tuple[int, Term]] = []
    for sign, u in flat:
        opposite = next((i for i, (s, w) in enumerate(kept) if w.key == u.key and s == -sign), None)
        if opposite is None:
            kept.append((sign, u))
        else:
            del kept[opposite]
    positive = [u for sign, u in kept if sign > 0]
    negative = [u for sign, u in kept if sign < 0]
    total = reduce(lambda a, b: node(oc.ADD, (a, b)), positive) if positive else literal(0)
    return reduce(lambda a, b: node(oc.SUB, (a, b)), negative, total)
