"""Systems with named constants, such as textbooks have them: a constant that stands in several equations is one parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import hypo
from hypo.dynamics.system import System
from hypo.expression.expr import Expression


def make_system(
    states: Sequence[str], rates: Sequence[str], constants: Mapping[str, float], measured: int | None = None
) -> System:
    """A system by its texts; parameters are in the order of ``constants``.

    Args:
        states: all of them; where ``measured`` are fewer, the others are the speeds of these, in the same order.
        rates: a text for each state, or for each speed alone.
        constants: values by name.
        measured: number of measured states.
    """
    laws = [hypo.parse(text, variables=states) for text in rates]
    numbers = list(constants)
    shared = tuple(numbers.index(str(e.constants[k].name)) for e in laws for k in e.free)
    laws = [e.with_values([constants[c.name] if c.free and c.name else c.value for c in e.constants]) for e in laws]
    moving = [Expression.variable(speed) for speed in states[len(rates) :]]
    return System((*moving, *laws), tuple(states), measured=measured, shared=shared)
