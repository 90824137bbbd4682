"""Interval arithmetic: sound enclosures of formulas over boxes.

Each function is named as in the ``interval`` column of the operator table, which for operators of users holds the function
itself, and takes bounds ``(lo, hi)`` for each argument,
floats or arrays of equal shape. It returns an :class:`Enclosure`: every real value that the operator takes at points of the
box where it is defined lies in ``[lo, hi]``, and ``defined`` is True only if it is defined at all of them. Bounds are rounded
outward. Where the box lies outside the domain altogether, both bounds are NaN. Bounds may be infinite.

Values are real numbers: the float of a constant counts as exact, ``pi`` is the number π (its float lies within the bounds as
well), and what overflows in floating point is large, not undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hypo.expression import operators as ops
from hypo.expression.analysis.rounding import (
    EPSILON,
    FAR,
    LIBRARY_ERROR,
    ONE_ROUNDING,
    Bounds,
    corners,
    everywhere,
    extremes,
    is_short,
    keep_exact,
    outward,
    pairs_of_ends,
    restricted,
)
from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc


class Enclosure(NamedTuple):
    """Bounds on all values taken, and whether there is a value everywhere."""

    lo: Any
    hi: Any
    defined: Any


def enclose(e: Expression, boxes: Mapping[str, Bounds]) -> Enclosure:
    """Bounds on ``e`` where each variable runs over its interval; KeyError when one is not in ``boxes``.

    Each occurrence of a variable is treated on its own, so bounds can be wide (``x - x`` over [0, 1] gives [-1, 1]), but they
    always hold. ``boxes`` maps names to ``(lo, hi)``, floats or arrays of equal shape for many boxes at once.
    """
    stack: list[Enclosure] = []
    with np.errstate(all="ignore"):
        for op, arg in e.code:
            if op == oc.VAR:
                lo, hi = (np.asarray(b, dtype=np.float64) for b in boxes[e.variables[arg]])
                stack.append(Enclosure(lo, hi, lo <= hi))
            elif op == oc.CONST:
                constant = e.constants[arg]
                value = np.float64(constant.value)
                # The float lies below π.
                above = np.nextafter(value, np.inf) if constant == PI else value
                stack.append(Enclosure(value, above, np.isfinite(value)))
            else:
                n = oc.arity(op)
                args = stack[-n:]
                del stack[-n:]
                stack.append(_applied(op, args))
    return stack[0]


def _applied(op: int, args: list[Enclosure]) -> Enclosure:
    interval = ops.BY_OPCODE[op].interval
    enclosure = _BY_NAME.get(interval) if isinstance(interval, str) else _stated(interval)
    if enclosure is None:
        raise ops.unknown(op, "interval arithmetic (intervals.py)")
    out = enclosure(*((a.lo, a.hi) for a in args))
    empty = np.zeros((), dtype=bool)
    defined = out.defined
    for a in args:
        empty = empty | np.isnan(a.lo) | np.isnan(a.hi)
        defined = defined & a.defined
    lo, hi = np.where(empty, np.nan, out.lo), np.where(empty, np.nan, out.hi)
    return Enclosure(lo, hi, defined & ~empty & ~np.isnan(lo))


# --- one argument -------------------------------------------------------------------------------------------------


def _rising(
    f: Callable[..., Any], ulps: float, least: float = -np.inf, most: float = np.inf
) -> Callable[..., Enclosure]:
    """The enclosure function of a rising function that is defined everywhere, and exact at 0."""

    def enclosure(u: Bounds) -> Enclosure:
        bounds = outward(f(u[0]), f(u[1]), ulps, least, most)
        return Enclosure(*keep_exact(bounds, u, 0.0, float(f(0.0))), everywhere(u))

    return enclosure


def neg(u: Bounds) -> Enclosure:
    """−u: ``[-u_hi, -u_lo]``, exactly."""
    return Enclosure(-u[1], -u[0], everywhere(u))


def inv(u: Bounds) -> Enclosure:
    """1/u, as a quotient (:func:`div`)."""
    return div((np.ones_like(u[0]), np.ones_like(u[0])), u)


def square(u: Bounds) -> Enclosure:
    """u²: the squares of the least and greatest |u|."""
    a, b = np.abs(u[0]), np.abs(u[1])
    inside = (u[0] <= 0) & (u[1] >= 0)
    least = np.where(inside, 0.0, np.minimum(a, b))
    most = np.maximum(a, b)
    lo, hi = least * least, most * most
    down, up = outward(lo, hi, ONE_ROUNDING, 0.0)
    return Enclosure(np.where(is_short(least), lo, down), np.where(is_short(most), hi, up), everywhere(u))


def cube(u: Bounds) -> Enclosure:
    """u³, which rises: the cubes of the ends."""
    squares = [x * x for x in u]
    lo, hi = u[0] * squares[0], u[1] * squares[1]
    down, up = outward(lo, hi, LIBRARY_ERROR)
    exact = [is_short(x) & is_short(s) for x, s in zip(u, squares, strict=True)]
    return Enclosure(np.where(exact[0], lo, down), np.where(exact[1], hi, up), everywhere(u))


def sqrt(u: Bounds) -> Enclosure:
    """√u of the part of u that is at least 0; defined where u_lo ≥ 0."""
    least, most, inside = restricted(u, 0.0, np.inf)
    lo, hi = np.sqrt(least), np.sqrt(most)
    down, up = outward(lo, hi, ONE_ROUNDING, 0.0)
    down = np.where(is_short(lo) & (lo * lo == least), lo, down)
    up = np.where(is_short(hi) & (hi * hi == most), hi, up)
    return Enclosure(down, up, inside)


cbrt = _rising(np.cbrt, LIBRARY_ERROR)
exp = _rising(np.exp, LIBRARY_ERROR, 0.0)
tanh = _rising(np.tanh, LIBRARY_ERROR, -1.0, 1.0)
sinh = _rising(np.sinh, LIBRARY_ERROR)
atan = _rising(np.arctan, LIBRARY_ERROR, -np.nextafter(np.pi / 2, 2), np.nextafter(np.pi / 2, 2))


def log(u: Bounds) -> Enclosure:
    """ln u of the part of u above 0; defined where u_lo > 0. The lower bound is −∞ where u reaches 0."""
    lo, hi, _ = restricted(u, 0.0, np.inf)
    lo, hi = np.where(hi == 0, np.nan, lo), np.where(hi == 0, np.nan, hi)
    return Enclosure(*keep_exact(outward(np.log(lo), np.log(hi), LIBRARY_ERROR), u, 1.0, 0.0), u[0] > 0)


def _contains(u: Bounds, offset: float, period: float) -> Any:
    """True if a point ``offset + n·period`` lies in ``u``, or too near to its ends to tell."""
    lo, hi = (u[0] - offset) / period, (u[1] - offset) / period
    slack = 8 * EPSILON * (1 + np.maximum(np.abs(lo), np.abs(hi)))
    unknown = ~(np.maximum(np.abs(u[0]), np.abs(u[1])) < FAR)
    return (np.ceil(lo - slack) <= hi + slack) | unknown


def _wave(f: Callable[..., Any], u: Bounds, top: float) -> Enclosure:
    ends = [keep_exact(outward(f(x), f(x), LIBRARY_ERROR, -1.0, 1.0), (x, x), 0.0, float(f(0.0))) for x in u]
    lo, hi = np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])
    hi = np.where(_contains(u, top, 2 * np.pi), 1.0, hi)
    lo = np.where(_contains(u, top + np.pi, 2 * np.pi), -1.0, lo)
    return Enclosure(lo, hi, everywhere(u))


def sin(u: Bounds) -> Enclosure:
    """sin u: of the ends, but 1 where u contains a point π/2 + 2πn, −1 where it contains a point −π/2 + 2πn."""
    return _wave(np.sin, u, np.pi / 2)


def cos(u: Bounds) -> Enclosure:
    """cos u: of the ends, but 1 where u contains a point 2πn, −1 where it contains a point π + 2πn."""
    return _wave(np.cos, u, 0.0)


def tan(u: Bounds) -> Enclosure:
    """tan u, which rises between its poles π/2 + πn; unbounded and not defined where u contains one."""
    pole = _contains(u, np.pi / 2, np.pi)
    lo, hi = keep_exact(outward(np.tan(u[0]), np.tan(u[1]), LIBRARY_ERROR), u, 0.0, 0.0)
    return Enclosure(np.where(pole, -np.inf, lo), np.where(pole, np.inf, hi), ~pole)


def cosh(u: Bounds) -> Enclosure:
    """cosh u: of the least and greatest |u|."""
    size = abs_(u)
    return Enclosure(*outward(np.cosh(size.lo), np.cosh(size.hi), LIBRARY_ERROR, 1.0), size.defined)


def asin(u: Bounds) -> Enclosure:
    """arcsin u, which rises, of the part of u in [−1, 1]; defined where u lies in it."""
    lo, hi, inside = restricted(u, -1.0, 1.0)
    return Enclosure(*keep_exact(outward(np.arcsin(lo), np.arcsin(hi), LIBRARY_ERROR), u, 0.0, 0.0), inside)


def acos(u: Bounds) -> Enclosure:
    """arccos u, which falls, of the part of u in [−1, 1]; defined where u lies in it."""
    lo, hi, inside = restricted(u, -1.0, 1.0)
    return Enclosure(*outward(np.arccos(hi), np.arccos(lo), LIBRARY_ERROR, 0.0), inside)


def abs_(u: Bounds) -> Enclosure:
    """|u|, exactly: the least is 0 where u contains 0."""
    a, b = np.abs(u[0]), np.abs(u[1])
    inside = (u[0] <= 0) & (u[1] >= 0)
    return Enclosure(np.where(inside, 0.0, np.minimum(a, b)), np.maximum(a, b), everywhere(u))


# --- two arguments ------------------------------------------------------------------------------------------------


def add(u: Bounds, v: Bounds) -> Enclosure:
    """u + v: ``[u_lo + v_lo, u_hi + v_hi]``."""
    lo, hi = u[0] + v[0], u[1] + v[1]
    down, up = outward(lo, hi, ONE_ROUNDING)
    down = np.where(_is_exact_sum(u[0], v[0], lo), lo, down)
    up = np.where(_is_exact_sum(u[1], v[1], hi), hi, up)
    return Enclosure(down, up, everywhere((lo, hi)))


def _is_exact_sum(a: Any, b: Any, total: Any) -> Any:
    """True if a + b was not rounded: Knuth's two-sum has no remainder."""
    part = total - a
    return (a - (total - part)) + (b - part) == 0


def sub(u: Bounds, v: Bounds) -> Enclosure:
    """u − v, as the sum u + (−v)."""
    return add(u, (-v[1], -v[0]))


def mul(u: Bounds, v: Bounds) -> Enclosure:
    """u·v: the least and greatest of the four products of ends, with 0·∞ = 0."""
    a, b = pairs_of_ends(u, v)
    # For bounds 0·∞ is 0.
    values = np.where((a == 0) | (b == 0), 0.0, a * b)
    bounds = extremes(values, (a == 0) | (b == 0) | (is_short(a) & is_short(b)))
    return Enclosure(*bounds, everywhere(bounds))


def div(u: Bounds, v: Bounds) -> Enclosure:
    """u/v: the least and greatest of the four quotients of ends, where v excludes 0; else it is not defined everywhere.

    Unbounded where v has 0 inside, NaN where v is 0.
    """
    low, high = v
    # 0 as an end of v counts as approached from within. An infinite end makes the quotient approach 0.
    a, b = pairs_of_ends(u, (np.where(low == 0, 0.0, low), np.where(high == 0, -0.0, high)))
    none = (a == 0) | np.isinf(b)
    values = np.where(none, 0.0, a / b)
    exact = none | (is_short(values) & is_short(b) & (values * b == a))
    lo, hi = extremes(values, exact)
    straddles = (low < 0) & (high > 0)
    zero = (low == 0) & (high == 0)
    lo = np.where(zero, np.nan, np.where(straddles, -np.inf, lo))
    hi = np.where(zero, np.nan, np.where(straddles, np.inf, hi))
    return Enclosure(lo, hi, (low > 0) | (high < 0))


def pow_(u: Bounds, v: Bounds) -> Enclosure:
    """u^v: for whole exponents of either sign of u, for others of the part of u that is at least 0."""
    whole = (v[0] == v[1]) & (np.floor(v[0]) == v[0])
    integer, real = _whole_power(u, np.where(whole, v[0], 1.0)), _real_power(u, v)
    lo, hi, defined = (np.where(whole, a, b) for a, b in zip(integer, real, strict=True))
    return Enclosure(lo, hi, defined)


def _whole_power(u: Bounds, n: Any) -> Enclosure:
    """``u**n`` for whole ``n``, via |u|**|n|."""
    size = abs_(u)
    even = np.fmod(n, 2) == 0
    m = np.abs(n)
    least, most = outward(size.lo**m, size.hi**m, LIBRARY_ERROR, 0.0)
    low, high = keep_exact(
        outward(np.sign(u[0]) * np.abs(u[0]) ** m, np.sign(u[1]) * np.abs(u[1]) ** m, LIBRARY_ERROR), u, 0.0, 0.0
    )
    lo: Any = np.where(even, least, low)
    hi: Any = np.where(even, most, high)
    inverse = div((np.ones_like(lo), np.ones_like(lo)), (lo, hi))
    below = n < 0
    lo = np.where(below, inverse.lo, lo)
    hi = np.where(below, inverse.hi, hi)
    zero = (u[0] <= 0) & (u[1] >= 0)
    return Enclosure(lo, hi, ~(below & zero))


def _real_power(u: Bounds, v: Bounds) -> Enclosure:
    """``u**v`` for an exponent that is not one whole number; extreme at the corners, where ``v·log(u)`` is."""
    lo, hi, inside = restricted(u, 0.0, np.inf)
    least, most = outward(*corners([a**b for a in (lo, hi) for b in v]), LIBRARY_ERROR, 0.0)
    # Negative bases have powers at the whole exponents within v, of either sign.
    signed = (u[0] < 0) & (np.ceil(v[0]) <= v[1])
    size = abs_(u)
    _, bound = outward(*corners([a**b for a in (size.lo, size.hi) for b in v]), LIBRARY_ERROR, 0.0)
    defined = inside & ((u[0] > 0) | (v[0] > 0))
    return Enclosure(np.where(signed, -bound, least), np.where(signed, bound, most), defined)


def min_(u: Bounds, v: Bounds) -> Enclosure:
    """min(u, v), exactly: the lesser of the lower bounds and of the upper ones."""
    lo, hi = np.minimum(u[0], v[0]), np.minimum(u[1], v[1])
    return Enclosure(lo, hi, everywhere((lo, hi)))


def max_(u: Bounds, v: Bounds) -> Enclosure:
    """max(u, v), exactly: the greater of the lower bounds and of the upper ones."""
    lo, hi = np.maximum(u[0], v[0]), np.maximum(u[1], v[1])
    return Enclosure(lo, hi, everywhere((lo, hi)))


def _stated(interval: Callable[[Any, Any], Bounds]) -> Callable[[Bounds], Enclosure]:
    """The enclosure function of a user's operator, from its bounds, which are NaN where nothing is known."""

    def enclosure(u: Bounds) -> Enclosure:
        low, high = (np.broadcast_to(np.asarray(b, dtype=np.float64), np.shape(u[0])) for b in interval(*u))
        lo, hi = outward(low, high, LIBRARY_ERROR)
        known = (lo <= hi) & np.isfinite(lo) & np.isfinite(hi)
        return Enclosure(np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi), known)

    return enclosure


def _on_any_numbers(f: Callable[..., Enclosure]) -> Callable[..., Enclosure]:
    """``f`` on floats as well as arrays, without NumPy's warnings."""

    def enclosure(*args: Bounds) -> Enclosure:
        with np.errstate(all="ignore"):
            return f(*((np.asarray(lo, dtype=np.float64), np.asarray(hi, dtype=np.float64)) for lo, hi in args))

    return enclosure


_BY_NAME: Mapping[str, Callable[..., Enclosure]] = {
    "neg": neg,
    "inv": inv,
    "square": square,
    "cube": cube,
    "sqrt": sqrt,
    "cbrt": cbrt,
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "abs": abs_,
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "pow": pow_,
    "min": min_,
    "max": max_,
}
FUNCTIONS: Mapping[str, Callable[..., Enclosure]] = {name: _on_any_numbers(f) for name, f in _BY_NAME.items()}
"""The enclosure functions by their names in the operator table."""
