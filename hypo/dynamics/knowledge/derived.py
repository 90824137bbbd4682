"""Equations that follow from others by what is known: constants are theirs, and cost nothing.

Σ c_i s_i conserved       f_j = -Σ_{i≠j} (c_i/c_j)·f_i
x and y change places     f_y(x, y, …) = f_x(y, x, …)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from hypo.dynamics.rows.columns import speed_name
from hypo.dynamics.system import System
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.motion import MotionKnowledge


@dataclass(frozen=True)
class Derivation:
    """How the law of ``state`` follows: Σ factor·(the law of another state), names swapped where ``swap`` says so."""

    state: str
    parts: tuple[tuple[float, str], ...]
    swap: Mapping[str, str]


def find_derivations(
    motion: MotionKnowledge, states: tuple[str, ...], constants: Mapping[str, float]
) -> list[Derivation]:
    """Every way in which one state's law follows from those of others; quantities that are not linear in the states say nothing
    of one law alone."""
    out = []
    for text in motion.conserved:
        factors = _linear_factors(text, states, constants)
        for state, own in (factors or {}).items():
            parts = tuple((-c / own, other) for other, c in (factors or {}).items() if other != state)
            out.append(Derivation(state, parts, {}))
    for a, b in motion.exchange:
        swap = swapped(a, b, states)
        out += [Derivation(x, ((1.0, y),), swap) for x, y in swap.items()]
    return out


def swapped(a: str, b: str, states: Collection[str]) -> dict[str, str]:
    """New names of two states that change places, their hidden speeds with them."""
    pairs = [(a, b), (speed_name(a), speed_name(b))]
    return {x: y for pair in pairs for x, y in (pair, pair[::-1]) if x in states}


def derive(system: System, derivation: Derivation) -> System:
    """The system with one law replaced by what follows from the others; its constants are shared with theirs."""
    numbers = [[system.of_constants[n] for n in place] for place in system.places]
    shared = dict(zip(system.states, numbers, strict=True))
    laws = dict(zip(system.states, system.equations, strict=True))
    swap = {a: Expression.variable(b) for a, b in derivation.swap.items()}
    terms, own = [], []
    for factor, other in derivation.parts:
        law = laws[other].substitute(swap) if swap else laws[other]
        terms.append(law if factor == 1 else -law if factor == -1 else Expression.constant(factor) * law)
        own += shared[other]
    new = reduce(add, terms) if terms else Expression.constant(0.0)
    if len(new.free) != len(own):  # equal constants have been merged
        return system
    laws[derivation.state], shared[derivation.state] = new, own
    of = [n for state in system.states for n in shared[state]]
    kept = {n: k for k, n in enumerate(dict.fromkeys(of))}
    return system.with_equations(tuple(laws[s] for s in system.states), tuple(kept[n] for n in of))


def _linear_factors(text: str, states: tuple[str, ...], constants: Mapping[str, float]) -> dict[str, float] | None:
    """Factors of the states in a linear quantity; None where it is not linear."""
    q = parse(text, variables=states, constants=dict(constants))
    out = {}
    for state in q.variables:
        slope = simplify(derivative(q, state))
        if slope.variables:
            return None
        value = float(np.asarray(slope.values)[0]) if len(slope) == 1 else float("nan")
        if not np.isfinite(value) or value == 0:
            return None
        out[state] = value
    return out
