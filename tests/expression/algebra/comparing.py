"""Formulas and values compared."""

from __future__ import annotations

import math
from dataclasses import replace

from hypo.expression import Constant, Expression

E = Expression


def shape(e: Expression) -> str:
    """The formula's text with ``?`` for every number to be fitted."""
    return str(replace(e, constants=tuple(Constant(0.0, "C", True) if c.free else c for c in e.constants)))


def same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-11)
