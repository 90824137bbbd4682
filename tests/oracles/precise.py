"""Evaluators of higher precision than hypo's, for bounds that must hold to the last bit; like reference.py, they read nothing
but the public fields of an expression.

Points where an intermediate result is too large even for them are "unknown" to ``exact`` (None).
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
import numpy as np

from tests.oracles.operators import BY_OPCODE
from tests.oracles.reference import ExpressionLike

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
            else:
                row = BY_OPCODE[op]
                arguments = [stack.pop() for _ in range(row.arity)][::-1]
                known = row.domain.has(*arguments) & ~np.any(np.isnan(arguments), axis=0)
                stack.append(np.where(known, row.array(*arguments), np.nan))
    return stack[0]


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
                row = BY_OPCODE[op]
                arguments = [stack.pop() for _ in range(row.arity)][::-1]
                if any(map(mpmath.isnan, arguments)) or not row.domain.has(*arguments):
                    return NAN
                if not row.can_tell(*arguments):
                    return None
                stack.append(row.exact(*arguments))
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
