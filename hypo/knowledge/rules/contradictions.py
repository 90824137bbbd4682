"""Pairs of rules that no law keeps both, or only laws such as f = 0.

Each rule speaks of its own domain, and two rules contradict each other only at points that lie in both. Where neither ``where``
nor [ranges] says which values a variable has, they are those of the data: unknown until there is a table, but the same for all
rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from hypo.knowledge.rules.asymptotics import Growth, Limit
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.dependence import Depends, NotDepends
from hypo.knowledge.rules.invariance import Antisymmetric, Even, Homogeneous, Odd, Periodic, ScaleInvariant, Symmetric
from hypo.knowledge.rules.parameters import Range
from hypo.knowledge.rules.point_values import Value, Zeros
from hypo.knowledge.rules.shape import Bounds, Concave, Convex, Monotone, Sign
from hypo.knowledge.text.wording import join

_EVERYTHING = (-math.inf, math.inf)
Box = Mapping[str, Range]
"""The values of variables; those of a variable that is not named are unknown, but not none."""

Conflict = tuple[int, int, str]


def contradictions(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """(i, j, why rules i < j do not go together) for each such pair; rules that only f = 0 keeps count as one.

    ``ranges`` are the domains of variables where a rule's ``where`` is silent. What is found holds whatever the domains of the
    others are; not every contradiction is found. ``target`` is what the law is called.
    """
    yield from _pairs(rules, ranges or {}, target, _CHECKS, "do not go together")


def possible_contradictions(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """The pairs that would contradict each other if variables without a domain had all numbers, but do not for any domain."""
    known = dict(ranges or {})
    everywhere = {name: _EVERYTHING for rule in rules for name in rule.names()} | known
    certain = {(i, j) for i, j, _ in contradictions(rules, known)}
    yield from (found for found in contradictions(rules, everywhere, target) if found[:2] not in certain)


def constraints(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """The pairs that only laws of a narrow kind keep: constant or linear in a variable."""
    yield from _pairs(rules, ranges or {}, target, (_flat, _straight), "together leave little")


Check = Callable[[Rule, Rule, Box, str], str | None]


def _pairs(rules: Sequence[Rule], known: Box, target: str, checks: Sequence[Check], verb: str) -> Iterator[Conflict]:
    for (i, a), (j, b) in combinations(enumerate(rules), 2):
        for check in checks:
            why = check(a, b, known, target) or check(b, a, known, target)
            if why:
                yield i, j, f'"{a.describe(target)}" and "{b.describe(target)}" {verb}: {why}'
                break


# --- domains ----------------------------------------------------------------------------------------------------------


def _domain(rule: Rule, known: Box) -> Box:
    return {**known, **rule.where}


def _meet(a: Box, b: Box) -> Box | None:
    """The box that surely lies in both; None where that may be nothing."""
    whole = {}
    for name in dict.fromkeys((*a, *b)):
        if name not in a or name not in b:
            # The unknown values are among all numbers, but may lie outside an interval.
            if (a.get(name) or b[name]) != _EVERYTHING:
                return None
            continue
        low, high = max(a[name][0], b[name][0]), min(a[name][1], b[name][1])
        if low > high:
            return None
        whole[name] = low, high
    return whole


def _common(a: Rule, b: Rule, known: Box) -> Box | None:
    return _meet(_domain(a, known), _domain(b, known))


def _without(box: Box, name: str) -> Box:
    return {x: ends for x, ends in box.items() if x != name}


def _mirror(ends: Range) -> Range:
    return -ends[1], -ends[0]


# --- which numbers f may have, and where ------------------------------------------------------------------------------


class _Allowed(NamedTuple):
    """The numbers that f may have over a box; ``open`` excludes the ends, ``off_zero`` excludes 0."""

    low: float
    high: float
    open: bool
    off_zero: bool
    box: Box

    def excludes(self, end: float) -> bool:
        """True if ``end``, a number between the ends or one of them, is none of those that f may have."""
        return (self.open and end in (self.low, self.high)) or (self.off_zero and end == 0)


def _allowed(rule: Rule, known: Box) -> Iterator[_Allowed]:
    box = _domain(rule, known)
    if isinstance(rule, Bounds):
        low, high = -math.inf if rule.min is None else rule.min, math.inf if rule.max is None else rule.max
        yield _Allowed(low, high, rule.strict, False, box)
    elif isinstance(rule, Sign):
        ends = {"positive": (0.0, math.inf), "nonnegative": (0.0, math.inf), "nonzero": _EVERYTHING}.get(
            rule.sign, (-math.inf, 0.0)
        )
        yield _Allowed(*ends, rule.sign in ("positive", "negative"), rule.sign == "nonzero", box)
    elif isinstance(rule, Value):
        yield _Allowed(*_near(rule, rule.equals), False, False, {**box, **_points(rule.at)})
    elif isinstance(rule, Zeros):
        for value in rule.at:
            yield _Allowed(*_near(rule, 0.0), False, False, {**box, rule.variable: (value, value)})
    elif isinstance(rule, Limit):
        yield _Allowed(*_near(rule, rule.equals), False, False, box)


def _points(at: Mapping[str, float]) -> Box:
    return {name: (value, value) for name, value in at.items()}


def _near(rule: Rule, value: float) -> Range:
    relative = 1e-4 if isinstance(rule, Limit) else 1e-6
    slack = rule.tolerance or (relative * abs(value) if math.isfinite(value) else 0.0)
    return value - slack, value + slack


def _no_number(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    # A limit may be the end of an open range, or 0 for a law without zeros.
    limit = isinstance(a, Limit) or isinstance(b, Limit)
    for first in _allowed(a, known):
        for second in _allowed(b, known):
            low, high = max(first.low, second.low), min(first.high, second.high)
            excluded = (first.excludes(low) or second.excludes(low)) and not limit
            if not (low > high or (low == high and excluded) or (low == high and math.isinf(low) and not limit)):
                continue
            if isinstance(a, Limit):
                box = _on_the_way(a, first.box, b, second.box)
            else:
                box = None if isinstance(b, Limit) else _meet(first.box, second.box)
            if box is not None:
                at = [f"{x} = {lo:g}" for x, (lo, hi) in box.items() if lo == hi]
                return f"no number is both {_words(first)} and {_words(second)}{f' at {join(at)}' if at else ''}"
    return None


def _on_the_way(a: Limit | Growth, own: Box, b: Rule, box: Box) -> Box | None:
    """Where the rule ``b`` surely speaks of what f does as ``a`` goes to its end; None where it may not."""
    x, to = a.variable, a.to
    if isinstance(b, Limit | Growth):
        same = b.variable == x and b.to == to and _same_sides(a, own.get(x), b, box.get(x))
    else:
        same = x in box and _covers(box[x], a, own.get(x))
    others = _meet(_without(own, x), _without(box, x)) if same else None
    return None if others is None else {**others, x: (to, to)}


def _sides(a: Limit | Growth, ends: Range | None) -> set[str] | None:
    """The sides from which ``a`` goes to a number; None if that is unknown."""
    if a.side is not None:
        return {a.side}
    if ends is None:
        return None
    return {side for side, there in (("above", a.to < ends[1]), ("below", a.to > ends[0])) if there} or {
        "above",
        "below",
    }


def _same_sides(a: Limit | Growth, a_ends: Range | None, b: Limit | Growth, b_ends: Range | None) -> bool:
    """True if there is a way that both go: 1/x goes to infinity at one side of 0, to -infinity at the other."""
    if math.isinf(a.to) or (a.side is None and b.side is None and a_ends is None and b_ends is None):
        return True
    first, second = _sides(a, a_ends), _sides(b, b_ends)
    return first is not None and second is not None and not first.isdisjoint(second)


def _covers(ends: Range, a: Limit | Growth, own: Range | None) -> bool:
    """True if an interval reaches to the end of a way that ``a`` goes."""
    low, high = ends
    if math.isinf(a.to):
        return low < high and a.to in ends
    if low == high:
        return low == a.to  # f may jump there, but who states both means that it does not
    covered = {side for side, there in (("above", low <= a.to < high), ("below", low < a.to <= high)) if there}
    sides = _sides(a, own)
    return len(covered) == 2 if sides is None else not covered.isdisjoint(sides)


def _words(a: _Allowed) -> str:
    if a.off_zero:
        return "other than 0"
    if math.isinf(a.low) and a.low == a.high:
        return "infinite"
    if a.low == a.high or (math.isfinite(a.high - a.low) and a.high - a.low <= 4e-4 * abs(a.high)):
        return f"{(a.low + a.high) / 2:g}"
    if math.isinf(a.high):
        return f"{'>' if a.open else '>='} {a.low:g}"
    if math.isinf(a.low):
        return f"{'<' if a.open else '<='} {a.high:g}"
    return f"between {a.low:g} and {a.high:g}"


# --- pairs of kinds ---------------------------------------------------------------------------------------------------


def _parities(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    if isinstance(a, Even) and isinstance(b, Odd) and a.variable == b.variable and _common(a, b, known) is not None:
        return f"only {f} = 0 is both even and odd in {a.variable}"
    if (
        isinstance(a, Symmetric)
        and isinstance(b, Antisymmetric)
        and {*a.swap} == {*b.swap}
        and (_common(a, b, known) is not None)
    ):
        return f"only {f} = 0 is both symmetric and antisymmetric in {join(a.swap)}"
    for one in _allowed(b, known) if isinstance(b, Bounds | Sign) else ():
        one_sign = one.low > 0 or one.high < 0 or (one.open and 0 in (one.low, one.high))
        box = _meet(one.box, _domain(a, known)) if one_sign else None
        if box is None:
            continue
        # The rule of the sign must speak of both points that a stated identity joins.
        if isinstance(a, Odd) and a.variable in box:
            both = _meet({a.variable: box[a.variable]}, {a.variable: _mirror(one.box[a.variable])})
            if both is not None:
                low, high = both[a.variable]
                return (
                    f"a law that is odd in {a.variable} is 0 at {a.variable} = 0"
                    if low <= 0 <= high
                    else (f"a law that is odd in {a.variable} has both signs")
                )
        if isinstance(a, Antisymmetric) and all(x in box for x in a.swap):
            x, y = a.swap
            (low, high), (other_low, other_high) = box[x], box[y]
            if max(low, other_low) <= min(high, other_high):
                return f"an antisymmetric law is 0 where {x} = {y}"
    return None


def _slopes(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    """A law that rises strictly does nothing that makes it constant along a stretch."""
    if not isinstance(a, Monotone) or not a.strict:
        return None
    constant = f"a law cannot {'rise' if a.rises else 'fall'} strictly with {a.variable} too"
    return (
        constant
        if _stretch(a, b, known)
        or (isinstance(b, NotDepends) and b.variable == a.variable and _wide(_common(a, b, known), a.variable))
        else None
    )


def _flat(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    if (
        isinstance(a, Monotone)
        and not a.strict
        and not (isinstance(b, Monotone) and b.strict)
        and _stretch(a, b, known)
    ):
        return f"only a law that does not change with {a.variable} keeps both"
    return None


def _stretch(a: Monotone, b: Rule, known: Box) -> bool:
    """True if ``b`` makes f the same, or opposite in direction, at both ends of a stretch on which ``a`` holds."""
    x = a.variable
    box = _common(a, b, known)
    if box is None or getattr(b, "variable", None) != x:
        return False
    if isinstance(b, Monotone):
        return a.direction != b.direction and _wide(box, x)
    if x not in box:
        return False
    within = _domain(a, known)
    if isinstance(b, Periodic):
        return box[x][0] + b.period < within[x][1]
    if isinstance(b, Even):
        low, high = _mirror(within[x])
        low, high = max(low, box[x][0]), min(high, box[x][1])
        return low < high
    return False


def _wide(box: Box | None, x: str) -> bool:
    """True if ``x`` has more than one value; unknown values are several."""
    return box is not None and (x not in box or box[x][0] < box[x][1])


def _straight(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    if isinstance(a, Convex) and isinstance(b, Concave):
        box = _common(a, b, known)
        both = [x for x in a.several if x in b.several and _wide(box, x)]
        return f"only a law that is linear in {join(both)} keeps both" if both else None
    return None


def _scales(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    if (
        not isinstance(a, Homogeneous)
        or not isinstance(b, Homogeneous | ScaleInvariant)
        or _common(a, b, known) is None
    ):
        return None
    degree = b.degree if isinstance(b, Homogeneous) else 0.0
    apart = abs(a.degree - degree) > 10 * ((a.tolerance or 1e-6) + (b.tolerance or 1e-6))
    if {*a.variables} == {*b.variables} and apart:
        return f"only {f} = 0 has the degrees {a.degree:g} and {degree:g} at once"
    return None


def _influence(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    if isinstance(a, Depends) and isinstance(b, NotDepends) and a.variable == b.variable:
        return f"{a.variable} either matters or not" if _domain(a, known) == _domain(b, known) else None
    return None


def _ends(a: Rule, b: Rule, known: Box, f: str) -> str | None:
    """Limits and rates at the same end."""
    if not isinstance(a, Growth) or not isinstance(b, Growth | Limit):
        return None
    if _on_the_way(a, _domain(a, known), b, _domain(b, known)) is None:
        return None
    low, high = a.between
    slack = a.tolerance or 0.01
    if isinstance(b, Growth):
        other_low, other_high = b.between
        apart = max(low, other_low) > min(high, other_high) + slack + (b.tolerance or 0.01)
        return "the exponents exclude each other" if apart else None
    if math.isfinite(a.to):
        low, high = -high, -low  # powers of the distance, which vanishes
    if low > slack and math.isfinite(b.equals):
        return f"by its rate |{f}| goes to infinity, not to {b.equals:g}"
    if high < -slack and abs(b.equals) > (b.tolerance or 0.0):
        return f"by its rate {f} goes to 0, not to {b.equals:g}"
    return None


_CHECKS: tuple[Check, ...] = (_no_number, _parities, _slopes, _scales, _influence, _ends)
