"""A law: the formula under test, over the columns and ranges of the table that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression


@dataclass(frozen=True)
class Law:
    """A formula under test, in the units of the table.

    ``variables`` are all columns, in order (``f(a, b)`` in a first-order rule fills them in this order); ``ranges`` gives each
    its domain: that of [ranges], else that of the data. ``constants`` are the named ones. ``simplified`` asks for simplified
    derivatives: slower to make, but their intervals are narrower. ``deadline`` is the time in seconds after which the proof of
    a claim is given up (None: no limit but that of its boxes).
    """

    expression: Expression
    target: str
    variables: Sequence[str]
    ranges: Mapping[str, tuple[float, float]]
    constants: Mapping[str, float] = field(default_factory=dict)
    simplified: bool = False
    deadline: float | None = 0.2

    def derivative(self, *by: str) -> Expression:
        """∂f/∂x, or ∂²f/∂x∂y for two names, and so on."""
        e = self.expression
        for name in by:
            e = _derivative(e, name, self.simplified)
        return e


_derivative = lru_cache(maxsize=1024)(derivative)
