"""Simpler systems near a fitted one: a term of a sum left out, a number made simple, two parameters made one.

Each edit comes with the loss that the covariance of the parameters predicts, so that only promising ones are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.system import System
from hypo.expression.expr import Constant, Expression
from hypo.expression.operators import BY_NAME

Values = NDArray[np.float64]

# Numbers that textbooks write: what a fitted one may be meant to be, with either sign.
SIMPLE = (1.0, 2.0, 0.5, 3.0, 4.0, 1 / 3, 0.25, 1.5, 2 / 3, 0.75, 5.0, 10.0, 0.1, 0.2)


@dataclass(frozen=True)
class Edit:
    """A simpler system, and the nats that it is predicted to lose."""

    system: System
    loss: float


def edits_of(calibrated: Calibrated, furthest: float = 20.0) -> tuple[Edit, ...]:
    """All edits predicted to lose at most ``furthest`` nats, and sums less a term whose loss is not predicted, by loss."""
    found = [*dropped_terms(calibrated), *snapped_numbers(calibrated), *shared_parameters(calibrated)]
    return tuple(sorted((e for e in found if e.loss <= furthest), key=lambda e: e.loss))


def dropped_terms(calibrated: Calibrated) -> Iterator[Edit]:
    """The system less one term of a sum, wherever one stands.

    Predicted is the loss for a term that is a product with a parameter of its own; 0 for others, which only a fit can tell.
    """
    system = calibrated.system
    tagged = _tagged(system)
    plus, minus, negative = (BY_NAME[name].opcode for name in ("+", "-", "neg"))
    for j, e in enumerate(tagged):
        for node, (op, _) in enumerate(e.code):
            if op not in (plus, minus):
                continue
            left, right = e.subtree(e.starts[node - 1] - 1), e.subtree(node - 1)
            kept_right = right if op == plus else Expression.join(negative, (right,))
            for kept, gone in ((left, right), (kept_right, left)):
                new = e.replace_node(node, kept)
                yield Edit(_untagged(system, (*tagged[:j], new, *tagged[j + 1 :])), _loss_without(calibrated, gone))


def _loss_without(calibrated: Calibrated, term: Expression) -> float:
    """½ (θ/sd)² for a term in proportion to a parameter that stands nowhere else."""
    times = BY_NAME["*"].opcode
    factors, whole = [term], 0
    while whole < len(factors):
        if factors[whole].root == times:
            factors[whole : whole + 1] = list(factors[whole].children)
        else:
            whole += 1
    of = calibrated.system.of_constants
    for factor in factors:
        if len(factor) == 1 and factor.constants and factor.constants[0].free:
            k = of[int(factor.constants[0].value)]
            if of.count(k) == 1:
                return _quadratic(calibrated, np.eye(len(calibrated.covariance))[k], 0.0)
    return 0.0


def snapped_numbers(calibrated: Calibrated) -> Iterator[Edit]:
    """The system with one parameter fixed at a simple number, or at the nearest whole one."""
    system = calibrated.system
    theta = system.parameters
    for k, value in enumerate(theta[: system.n_constant]):
        row = np.eye(len(theta))[k]
        wanted = {float(np.copysign(s, value)) for s in SIMPLE} | ({float(np.round(value))} - {0.0})
        for number in sorted(wanted, key=lambda s: abs(s - value)):
            if abs(number - value) > 0.5 * abs(value):
                continue
            fixed = _with_tags(system, k, Constant(number))
            yield Edit(_untagged(system, fixed), _quadratic(calibrated, row, number))


def shared_parameters(calibrated: Calibrated) -> Iterator[Edit]:
    """The system with two parameters that are one."""
    system = calibrated.system
    theta = system.parameters
    for a in range(system.n_constant):
        for b in range(a + 1, system.n_constant):
            if theta[a] * theta[b] <= 0 or not 0.5 <= theta[a] / theta[b] <= 2:
                continue
            row = np.zeros(len(theta))
            row[a], row[b] = 1.0, -1.0
            loss = _quadratic(calibrated, row, 0.0)
            merged = tuple(a if k == b else k - (k > b) for k in system.of_constants)
            yield Edit(system.with_equations(system.equations, merged), loss)


def _quadratic(calibrated: Calibrated, row: Values, number: float) -> float:
    """Nats lost by row·θ = number where the misfit is quadratic."""
    variance = float(row @ calibrated.covariance @ row)
    away = float(row @ calibrated.system.parameters) - number
    return 0.5 * away * away / variance if variance > 0 else float("inf")


def _tagged(system: System) -> tuple[Expression, ...]:
    """Equations in which each free constant has its place among all as its value, so that edits can be followed."""
    out = []
    for e, place in zip(system.equations, system.places, strict=True):
        values = e.values
        values[list(e.free)] = np.array(place)
        out.append(e.with_values(values))
    return tuple(out)


def _with_tags(system: System, parameter: int, number: Constant) -> tuple[Expression, ...]:
    """Tagged equations with a number in the place of a parameter."""

    def leaf_at(node: int, leaf: Expression) -> Expression:
        if leaf.constants and leaf.constants[0].free and system.of_constants[int(leaf.constants[0].value)] == parameter:
            return Expression.constant(number.value)
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
