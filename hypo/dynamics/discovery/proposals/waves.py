"""Waves in time, for laws that may use time itself: sin(ω·t + φ) on a grid; whoever uses one fits its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Frequencies of the grid, from half a wave over all times on, half a wave apart.
FREQUENCIES = 24
# Phases, as shares of half a wave; a coefficient's sign has the other half.
PHASES = (0.25, 0.5, 0.75)


def waves_in_time(name: str, time: Values) -> Iterator[Expression]:
    """Waves of the column ``name`` with values ``time`` (n,)."""
    u = Expression.variable(name)
    span = float(np.ptp(time))
    if span <= 0:
        return
    for j in range(1, FREQUENCIES + 1):
        omega = Expression.constant(np.pi * j / span, free=True)
        yield Expression.apply("sin", omega * u)
        yield Expression.apply("cos", omega * u)
        for share in PHASES:
            yield Expression.apply("sin", omega * u + Expression.constant(np.pi * share, free=True))
