"""Answers where a search had no time: the likeliest right-hand sides so far, few terms of a line, or a standstill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from hypo.data.headers import join_words
from hypo.dynamics.system import System
from hypo.expression.expr import Expression


def fallback_systems(
    pattern: System,
    sought: Sequence[int],
    known: Mapping[int, Sequence[Expression]],
    linear: Callable[[int], Expression],
) -> Iterator[System]:
    """Systems to fall back on, the likeliest first.

    Args:
        pattern: the system, 0 for every equation that is sought.
        sought: numbers of the equations that are sought.
        known: by number of the equation, candidates so far, the likeliest first.
        linear: a few terms of a line for an equation.
    """
    equations = list(pattern.equations)
    if any(known.get(k) for k in sought):
        for k in sought:
            equations[k] = known[k][0] if known.get(k) else linear(k)
        yield pattern.with_equations(tuple(equations))
    for k in sought:
        equations[k] = linear(k)
    yield pattern.with_equations(tuple(equations))
    for k in sought:
        equations[k] = _standstill(pattern, k)
    yield pattern.with_equations(tuple(equations))


def _standstill(pattern: System, k: int) -> Expression:
    """Nothing changes, or the next value is the last one."""
    return Expression.variable(pattern.states[k]) if pattern.is_discrete else Expression.constant(0.0)


def describe_haste(seconds: float, states: Sequence[str]) -> str:
    """A sentence on states whose laws were not searched for."""
    which = f"the law of {states[0]} was" if len(states) == 1 else f"the laws of {join_words(states)} were"
    return (
        f"the time limit of {seconds:g} s was too short: {which} not searched for, and may be no more than a rough line; "
        "give a longer one"
    )
