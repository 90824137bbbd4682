"""A slow, plain evaluator and a random generator of expressions, for comparison with hypo's own.

The evaluator reads nothing but the public fields of an expression, ``code``, ``constants`` and ``variables``, and has its
own list of opcodes; NaN wherever the real-valued formula is undefined or too large for a float.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

UNARY = {2: "neg", 3: "inv", 4: "square", 5: "cube", 6: "sqrt", 7: "cbrt", 8: "exp", 9: "log", 10: "sin", 11: "cos",
         12: "tan", 13: "tanh", 14: "sinh", 15: "cosh", 16: "asin", 17: "acos", 18: "atan", 19: "abs"}
BINARY = {20: "+", 21: "-", 22: "*", 23: "/", 24: "**", 25: "min", 26: "max"}
NAN = math.nan


class ExpressionLike(Protocol):
    """What the evaluator looks at."""

    @property
    def code(self) -> Sequence[tuple[int, int]]: ...
    @property
    def constants(self) -> Sequence[Any]: ...
    @property
    def variables(self) -> Sequence[str]: ...


def evaluate(e: ExpressionLike, point: Mapping[str, float]) -> float:
    """The value of ``e`` at ``point``; NaN where undefined."""
    stack: list[float] = []
    for op, arg in e.code:
        if op == 0:
            stack.append(point[e.variables[arg]])
        elif op == 1:
            stack.append(e.constants[arg].value)
        elif op in UNARY:
            stack.append(apply(UNARY[op], stack.pop()))
        else:
            v = stack.pop()
            stack.append(apply(BINARY[op], stack.pop(), v))
    (result,) = stack
    return result


def apply(name: str, u: float, v: float = 0.0) -> float:
    """One operator on numbers; NaN where undefined, and for an argument that is NaN."""
    if math.isnan(u) or math.isnan(v):
        return NAN
    try:
        value = _apply(name, u, v)
    except (ValueError, ZeroDivisionError, OverflowError):
        return NAN
    return value if math.isfinite(value) else NAN


_PLAIN: dict[str, Callable[[float, float], float]] = {
    "neg": lambda u, _: -u,
    "inv": lambda u, _: 1.0 / u,
    "square": lambda u, _: u * u,
    "cube": lambda u, _: u * u * u,
    "abs": lambda u, _: abs(u),
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / v,
    "**": math.pow,
    "min": lambda u, v: u if u < v else v,
    "max": lambda u, v: u if u > v else v,
}


def _apply(name: str, u: float, v: float) -> float:
    return _PLAIN[name](u, v) if name in _PLAIN else getattr(math, name)(u)


def random_tree(rng: random.Random, size: int, leaves: Sequence[Any], combine: Any, unary: Sequence[str] = tuple(
        UNARY.values()), binary: Sequence[str] = tuple(BINARY.values())) -> Any:
    """A random tree of ``size`` nodes; ``combine(name, *arguments)`` builds an operator's node."""
    if size <= 1:
        return rng.choice(leaves)
    if size == 2 or (unary and rng.random() < 0.35):
        return combine(rng.choice(unary), random_tree(rng, size - 1, leaves, combine, unary, binary))
    left = rng.randint(1, size - 2)
    return combine(rng.choice(binary), random_tree(rng, left, leaves, combine, unary, binary),
                   random_tree(rng, size - 1 - left, leaves, combine, unary, binary))
