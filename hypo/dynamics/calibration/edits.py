"""Simpler systems near a fitted one: a fitted number made simple.

Each comes with the loss that the covariance of the parameters predicts, so that only promising ones are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.system import System
from hypo.expression.expr import Expression

# Numbers that textbooks write: what a fitted one may be meant to be, with either sign.
SIMPLE = (1.0, 2.0, 0.5, 3.0, 4.0, 1 / 3, 0.25, 1.5, 2 / 3, 0.75, 5.0, 10.0, 0.1, 0.2)


@dataclass(frozen=True)
class Edit:
    """A simpler system, and the nats that it is predicted to lose."""

    system: System
    loss: float


def snapped_numbers(calibrated: Calibrated) -> Iterator[Edit]:
    """The system with one parameter fixed at a simple number, or at the nearest whole one."""
    system = calibrated.system
    theta = system.parameters
    for k, value in enumerate(theta[: system.n_constant]):
        variance = float(calibrated.covariance[k, k])
        wanted = {float(np.copysign(s, value)) for s in SIMPLE} | ({float(np.round(value))} - {0.0})
        for number in sorted(wanted, key=lambda s: abs(s - value)):
            if abs(number - value) > 0.5 * abs(value):
                continue
            # Where the misfit is quadratic.
            loss = 0.5 * (value - number) ** 2 / variance if variance > 0 else float("inf")
            yield Edit(_untagged(system, _with_number(system, k, number)), loss)


def _tagged(system: System) -> tuple[Expression, ...]:
    """Equations in which each free constant has its place among all as its value, so that edits can be followed."""
    out = []
    for e, place in zip(system.equations, system.places, strict=True):
        values = e.values
        values[list(e.free)] = np.array(place)
        out.append(e.with_values(values))
    return tuple(out)


def _with_number(system: System, parameter: int, number: float) -> tuple[Expression, ...]:
    """Tagged equations with a number in the place of a parameter."""

    def leaf_at(node: int, leaf: Expression) -> Expression:
        if leaf.constants and leaf.constants[0].free and system.of_constants[int(leaf.constants[0].value)] == parameter:
            return Expression.constant(number)
        return leaf

    return tuple(e.rebuilt(leaf_at) for e in _tagged(system))


def _untagged(system: System, tagged: tuple[Expression, ...]) -> System:
    """The system of tagged equations, values and sharing as they were."""
    left = [int(e.constants[k].value) for e in tagged for k in e.free]
    of = [system.of_constants[t] for t in left]
    number = {k: i for i, k in enumerate(dict.fromkeys(of))}
    theta = system.parameters
    equations = []
    for e in tagged:
        own = [replace(c, value=theta[system.of_constants[int(c.value)]]) if c.free else c for c in e.constants]
        equations.append(Expression(e.code, tuple(own), e.variables))
    shared = None if system.shared is None else tuple(number[k] for k in of)
    return system.with_equations(tuple(equations), shared)
