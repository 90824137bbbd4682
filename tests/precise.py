"""Evaluators of higher precision than hypo's, for bounds that must hold to the last bit; like reference.py, they read nothing
but the public fields of an expression.

Points where an intermediate result is too large even for them are "unknown" to ``exact`` (None).
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
import numpy as np
from reference import BINARY, UNARY, ExpressionLike

DIGITS = 60
NAN = mpmath.mpf("nan")


def long(e: ExpressionLike, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Values (n,) in extended precision; NaN where undefined, though an infinity may come of overflow."""
    stack: list[np.ndarray] = []
    n = max(np.size(v) for v in points.values())
    with np.errstate(all="ignore"):
        for op, arg in e.code:
            if op == 0:
                stack.append(np.asarray(points[e.variables[arg]], dtype=np.longdouble))
            elif op == 1:
                stack.append(np.full(n, e.constants[arg].value, dtype=np.longdouble))
            elif op in UNARY:
                stack.append(_long_unary(UNARY[op], stack.pop()))
            else:
                v = stack.pop()
                u = stack.pop()
                stack.append(np.where(np.isnan(u) | np.isnan(v), np.nan, _long_binary(BINARY[op], u, v)))
    return stack[0]


def _long_unary(name: str, u: np.ndarray) -> np.ndarray:
    if name == "inv":
        return np.where(u == 0, np.nan, 1 / u)
    if name == "log":
        return np.where(u > 0, np.log(u), np.nan)
    plain = {"neg": np.negative, "square": np.square, "cube": lambda x: x * x * x, "asin": np.arcsin, "acos": np.arccos,
             "atan": np.arctan}
    return plain.get(name, getattr(np, name, None))(u)


def _long_binary(name: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    if name == "/":
        return np.where(v == 0, np.nan, u / v)
    if name == "**":
        undefined = ((u < 0) & (v != np.floor(v))) | ((u == 0) & (v < 0))
        return np.where(undefined, np.nan, u**v)
    return {"+": np.add, "-": np.subtract, "*": np.multiply, "min": np.minimum, "max": np.maximum}[name](u, v)


def exact(e: ExpressionLike, point: Mapping[str, float], digits: int = DIGITS) -> mpmath.mpf | None:
    """The value at a point to 60 digits, with the number π for pi; NaN where undefined, None where too large to tell."""
    stack: list[mpmath.mpf] = []
    with mpmath.workdps(digits):
        for op, arg in e.code:
            if op == 0:
                stack.append(mpmath.mpf(point[e.variables[arg]]))
            elif op == 1:
                constant = e.constants[arg]
                stack.append(+mpmath.pi if constant.name == "pi" else mpmath.mpf(constant.value))
            else:
                args = [stack.pop()] if op in UNARY else [stack.pop(), stack.pop()][::-1]
                if any(mpmath.isnan(a) for a in args):
                    return NAN
                value = _exact(UNARY[op], *args) if op in UNARY else _exact(BINARY[op], *args)
                if value is None:
                    return None
                stack.append(value)
    return stack[0]


def lies_within(e: ExpressionLike, point: Mapping[str, float], lo: float, hi: float) -> bool:
    """Whether lo <= value <= hi, but for what the 60 digits have rounded; True where too large to tell."""
    value, finer = exact(e, point), exact(e, point, 2 * DIGITS)
    if value is None or finer is None:
        return True
    with mpmath.workdps(2 * DIGITS):
        # Plain floats: NumPy's would round the value before they compare.
        error = 10 * abs(value - finer)
        return bool(float(lo) - error <= finer <= float(hi) + error)


def _exact(name: str, u: mpmath.mpf, v: mpmath.mpf | None = None) -> mpmath.mpf | None:
    if name in ("exp", "sinh", "cosh", "tanh", "sin", "cos", "tan") and abs(u) > 1e12:
        return None
    if name in ("inv", "/"):
        top, bottom = (1, u) if v is None else (u, v)
        return top / bottom if bottom != 0 else NAN
    if name == "**":
        if abs(v) > 1e30:
            return None
        whole = v == mpmath.floor(v)
        if (u < 0 and not whole) or (u == 0 and v < 0):
            return NAN
        if u != 0 and abs(v * mpmath.log(abs(u))) > 1e12:
            return None
        if u < 0:
            return abs(u) ** v * (-1 if mpmath.fmod(v, 2) != 0 else 1)
        return u**v
    if (name == "sqrt" and u < 0) or (name == "log" and u <= 0) or (name in ("asin", "acos") and abs(u) > 1):
        return NAN
    if name == "cbrt":
        return mpmath.sign(u) * mpmath.cbrt(abs(u))
    if name == "sinh" and abs(u) < 1:  # mpmath cancels digits here
        return u if u == 0 else mpmath.expm1(2 * u) / (2 * mpmath.exp(u))
    plain = {"neg": lambda: -u, "square": lambda: u * u, "cube": lambda: u**3, "abs": lambda: abs(u), "+": lambda: u + v,
             "-": lambda: u - v, "*": lambda: u * v, "min": lambda: min(u, v), "max": lambda: max(u, v)}
    return plain[name]() if name in plain else getattr(mpmath, name)(u)
