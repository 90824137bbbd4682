"""A slow, plain evaluator and a random generator of expressions, for comparison with hypo's own.

The evaluator reads nothing but the public fields of an expression, ``code``, ``constants`` and ``variables``; NaN wherever
the real-valued formula is undefined or too large for a float.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tests.oracles.operators import BINARY, BY_NAME, BY_OPCODE, UNARY

NAN = math.nan


class ExpressionLike(Protocol):
    """What the evaluator looks at."""

    @property
    def code(self) -> Sequence[tuple[int, int]]: ...
    @property
    def constants(self) -> Sequence[Any]: ...
    @property
    def variables(self) -> Sequence[str]: ...


def evaluate(e: ExpressionLike, point: Mapping[str, float], steps: list[float] | None = None) -> float:
    """The value of ``e`` at ``point``; NaN where undefined. The values of its operators are added to ``steps``."""
    stack: list[float] = []
    for op, arg in e.code:
        if op == 0:
            stack.append(point[e.variables[arg]])
        elif op == 1:
            stack.append(e.constants[arg].value)
        else:
            row = BY_OPCODE[op]
            arguments = [stack.pop() for _ in range(row.arity)][::-1]
            stack.append(apply(row.name, *arguments, steps=steps))
    (result,) = stack
    return result


def apply(name: str, *arguments: float, steps: list[float] | None = None) -> float:
    """One operator on numbers; NaN where undefined, and for an argument that is NaN. ``steps`` as in ``evaluate``."""
    if any(map(math.isnan, arguments)):
        return NAN
    try:
        value = float(BY_NAME[name].plain(*arguments))
    except (ValueError, ZeroDivisionError):
        return NAN
    except OverflowError:
        value = math.inf
    if steps is not None:
        steps.append(value)
    return value if math.isfinite(value) else NAN


def random_tree(rng: random.Random, size: int, leaves: Sequence[Any], combine: Any, unary: Sequence[str] = UNARY,
                binary: Sequence[str] = BINARY) -> Any:  # fmt: skip
    """A random tree of ``size`` nodes; ``combine(name, *arguments)`` builds an operator's node."""
    if size <= 1:
        return rng.choice(leaves)
    if size == 2 or (unary and rng.random() < 0.35):
        return combine(rng.choice(unary), random_tree(rng, size - 1, leaves, combine, unary, binary))
    left = rng.randint(1, size - 2)
    return combine(
        rng.choice(binary),
        random_tree(rng, left, leaves, combine, unary, binary),
        random_tree(rng, size - 1 - left, leaves, combine, unary, binary),
    )
