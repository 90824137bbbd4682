"""Pairs of rules that no law keeps both, or only laws such as f = 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from hypo.knowledge.asymptotics import Growth, Limit
from hypo.knowledge.invariances import (
    Antisymmetric,
    Even,
    Homogeneous,
    NotDepends,
    Odd,
    Periodic,
    ScaleInvariant,
    Symmetric,
)
from hypo.knowledge.parameters import Interval
from hypo.knowledge.rules import Rule
from hypo.knowledge.shapes import Bounds, Concave, Convex, Monotone, Sign
from hypo.knowledge.values import Depends, Value, Zeros
from hypo.knowledge.words import join

_EVERYTHING = (-math.inf, math.inf)


def contradictions(rules: Sequence[Rule], ranges: Mapping[str, Interval] | None = None) -> Iterator[tuple[int, int, str]]:
    """(i, j, why rules i < j do not go together) for each such pair.

    ``ranges`` are the domains of variables where a rule's ``where`` is silent; a variable without one has all numbers. Not
    every contradiction is found, but each one found is one.
    """
    known = dict(ranges or {})
    for (i, a), (j, b) in combinations(enumerate(rules), 2):
        for check in _CHECKS:
            why = check(a, b, known) or check(b, a, known)
            if why:
                yield i, j, f"\"{a}\" and \"{b}\" do not go together: {why}"
                break


# --- which numbers f may have, and where ------------------------------------------------------------------------------


class _Allowed(NamedTuple):
    """The numbers that f may have over a box; ``open`` excludes the ends, ``off_zero`` excludes 0."""

    low: float
    high: float
    open: bool
    off_zero: bool
    box: Mapping[str, Interval]


def _allowed(rule: Rule, known: Mapping[str, Interval]) -> Iterator[_Allowed]:
    box = {**known, **rule.where}
    if isinstance(rule, Bounds):
        low, high = -math.inf if rule.min is None else rule.min, math.inf if rule.max is None else rule.max
        yield _Allowed(low, high, rule.strict, False, box)
    elif isinstance(rule, Sign):
        ends = {"positive": (0.0, math.inf), "nonnegative": (0.0, math.inf), "nonzero": _EVERYTHING}.get(
            rule.sign, (-math.inf, 0.0))
        yield _Allowed(*ends, rule.sign in ("positive", "negative"), rule.sign == "nonzero", box)
    elif isinstance(rule, Value):
        slack = _slack(rule, rule.equals)
        yield _Allowed(rule.equals - slack, rule.equals + slack, False, False, {**box, **_points(rule.at)})
    elif isinstance(rule, Zeros):
        for value in rule.at:
            yield _Allowed(0.0, 0.0, False, False, {**box, rule.variable: (value, value)})
    elif isinstance(rule, Limit):
        slack = _slack(rule, rule.equals)
        yield _Allowed(rule.equals - slack, rule.equals + slack, False, False, {**box, rule.variable: (rule.to, rule.to)})


def _points(at: Mapping[str, float]) -> Mapping[str, Interval]:
    return {name: (value, value) for name, value in at.items()}


def _slack(rule: Rule, value: float) -> float:
    return rule.tolerance or (1e-6 * abs(value) if math.isfinite(value) else 0.0)


def _no_number(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    for first in _allowed(a, known):
        for second in _allowed(b, known):
            if not _overlap(first.box, second.box) or _apart(a, b):
                continue
            low, high = max(first.low, second.low), min(first.high, second.high)
            # A limit may be the end of an open range, or 0 for a law without zeros.
            limit = isinstance(a, Limit) or isinstance(b, Limit)
            excluded = (first.open or second.open or ((first.off_zero or second.off_zero) and low == 0)) and not limit
            if low > high or (low == high and excluded) or (low == high and math.isinf(low) and not limit):
                at = [f"{x} = {lo:g}" for x, (lo, hi) in _shared(first.box, second.box).items() if lo == hi]
                where = f" at {join(at)}" if at else ""
                return f"no number is both {_words(first)} and {_words(second)}{where}"
    return None


def _apart(a: Rule, b: Rule) -> bool:
    """Whether they speak of different sides of a point: 1/x goes to infinity at one side of 0, to -infinity at the other."""
    return isinstance(a, Limit | Growth) and isinstance(b, Limit | Growth) and a.side != b.side


def _words(a: _Allowed) -> str:
    if a.off_zero:
        return "other than 0"
    if math.isinf(a.low) and a.low == a.high:
        return "infinite"
    if a.low == a.high or (math.isfinite(a.high - a.low) and a.high - a.low <= 4e-6 * abs(a.high)):
        return f"{(a.low + a.high) / 2:g}"
    if math.isinf(a.high):
        return f"{'>' if a.open else '>='} {a.low:g}"
    if math.isinf(a.low):
        return f"{'<' if a.open else '<='} {a.high:g}"
    return f"between {a.low:g} and {a.high:g}"


def _shared(a: Mapping[str, Interval], b: Mapping[str, Interval]) -> dict[str, Interval]:
    whole = {}
    for name in (*a, *(n for n in b if n not in a)):
        (a_low, a_high), (b_low, b_high) = a.get(name, _EVERYTHING), b.get(name, _EVERYTHING)
        whole[name] = max(a_low, b_low), min(a_high, b_high)
    return whole


def _overlap(a: Mapping[str, Interval], b: Mapping[str, Interval]) -> bool:
    return all(low <= high for low, high in _shared(a, b).values())


def _common(a: Rule, b: Rule, known: Mapping[str, Interval]) -> bool:
    return _overlap({**known, **a.where}, {**known, **b.where})


# --- pairs of kinds ---------------------------------------------------------------------------------------------------


def _parities(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    if isinstance(a, Even) and isinstance(b, Odd) and a.variable == b.variable and _common(a, b, known):
        return f"only f = 0 is both even and odd in {a.variable}"
    if isinstance(a, Symmetric) and isinstance(b, Antisymmetric) and {*a.swap} == {*b.swap} and _common(a, b, known):
        return f"only f = 0 is both symmetric and antisymmetric in {join(a.swap)}"
    for one in _allowed(b, known) if isinstance(b, Bounds | Sign) else ():
        nonzero = one.off_zero or one.low > 0 or one.high < 0 or (one.open and 0 in (one.low, one.high))
        box = _shared(one.box, {**known, **a.where})
        if not nonzero or not _overlap(box, box):
            continue
        if isinstance(a, Odd):
            low, high = box.get(a.variable, _EVERYTHING)
            if low <= 0 <= high:
                return f"a law that is odd in {a.variable} is 0 at {a.variable} = 0"
        if isinstance(a, Antisymmetric):
            (low, high), (other_low, other_high) = (box.get(x, _EVERYTHING) for x in a.swap)
            if max(low, other_low) <= min(high, other_high):
                return f"an antisymmetric law is 0 where {a.swap[0]} = {a.swap[1]}"
    return None


def _slopes(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    if not isinstance(a, Monotone):
        return None
    x = a.variable
    box = _shared({**known, **a.where}, {**known, **b.where})
    low, high = box.get(x, _EVERYTHING)
    if not low < high or not _overlap(box, box):
        return None
    constant = f"a law cannot rise or fall with {x} too" if a.strict else f"only a law that does not change with {x} does both"
    if isinstance(b, Monotone) and b.variable == x and a.direction != b.direction:
        return constant if not b.strict or a.strict else None
    if isinstance(b, Periodic) and b.variable == x and high - low > b.period:
        return constant
    if isinstance(b, Even) and b.variable == x and low < 0 < high:
        return constant
    if isinstance(b, NotDepends) and b.variable == x and a.strict:
        return constant
    return None


def _curves(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    if isinstance(a, Convex) and isinstance(b, Concave) and _common(a, b, known):
        both = [x for x in a.several if x in b.several]
        return f"only a law that is linear in {join(both)} is both" if both else None
    return None


def _scales(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    if not isinstance(a, Homogeneous) or not isinstance(b, Homogeneous | ScaleInvariant) or not _common(a, b, known):
        return None
    degree = b.degree if isinstance(b, Homogeneous) else 0.0
    if {*a.variables} == {*b.variables} and a.degree != degree:
        return f"only f = 0 has the degrees {a.degree:g} and {degree:g} at once"
    return None


def _influence(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    if isinstance(a, Depends) and isinstance(b, NotDepends) and a.variable == b.variable:
        return f"{a.variable} either matters or not" if {**known, **a.where} == {**known, **b.where} else None
    return None


def _ends(a: Rule, b: Rule, known: Mapping[str, Interval]) -> str | None:
    """Limits and rates at the same end."""
    if not isinstance(a, Growth) or not isinstance(b, Growth | Limit) or not _common(a, b, known):
        return None
    if a.variable != b.variable or a.to != b.to or _apart(a, b):
        return None
    low, high = a.between
    if isinstance(b, Growth):
        other_low, other_high = b.between
        return "the exponents exclude each other" if max(low, other_low) > min(high, other_high) else None
    if math.isfinite(a.to):
        low, high = -high, -low  # powers of the distance, which vanishes
    grows, vanishes = low > 0, high < 0
    if grows and math.isfinite(b.equals):
        return f"by its rate |f| goes to infinity, not to {b.equals:g}"
    if vanishes and b.equals != 0:
        return f"by its rate f goes to 0, not to {b.equals:g}"
    return None


_CHECKS: tuple[Callable[[Rule, Rule, Mapping[str, Interval]], str | None], ...] = (
    _no_number, _parities, _slopes, _curves, _scales, _influence, _ends)
