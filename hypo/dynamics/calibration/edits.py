"""Simpler systems near a fitted one: fitted numbers made simple; and quotients that are none.

Each comes with the loss that the covariance of the parameters predicts, so that only promising ones are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.noise import FLOOR
from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# Numbers that textbooks write: what a fitted one may be meant to be, with either sign.
SIMPLE = (1.0, 2.0, 0.5, 3.0, 4.0, 1 / 3, 0.25, 1.5, 2 / 3, 0.75, 5.0, 10.0, 0.1, 0.2)

# A divisor that varies by less than so many standard errors of that is constant.
FLAT = 2.0


@dataclass(frozen=True)
class Edit:
    """A simpler system, and the nats that it is predicted to lose."""

    system: System
    loss: float


def snapped_numbers(calibrated: Calibrated) -> Iterator[Edit]:
    """The system with one parameter fixed at a simple number, or at the nearest whole one."""
    system = calibrated.system
    theta = system.parameters
    named = _named(system)
    for k, value in enumerate(theta[: system.n_constant]):
        if k in named:
            continue
        variance = float(calibrated.covariance[k, k])
        wanted = {float(np.copysign(s, value)) for s in SIMPLE} | ({float(np.round(value))} - {0.0})
        for number in sorted(wanted, key=lambda s: abs(s - value)):
            if abs(number - value) > 0.5 * abs(value):
                continue
            # Where the misfit is quadratic.
            loss = 0.5 * (value - number) ** 2 / variance if variance > 0 else float("inf")
            yield Edit(_untagged(system, _with_numbers(system, {k: number})), loss)


def snapped_together(calibrated: Calibrated, furthest: float, numbers: Sequence[float] = (1.0, -1.0)) -> Edit | None:
    """The system with as many parameters as can be at one of ``numbers``, each losing ``furthest`` nats at most; None for none.

    The one that loses least is fixed first. With θ_k fixed at v the others move by -C_jk (θ_k - v)/C_kk, and their covariance
    loses C_jk C_kl/C_kk.
    """
    theta, C = calibrated.system.parameters.copy(), calibrated.covariance.copy()
    fixed: dict[int, float] = {}
    named = _named(calibrated.system)
    total = 0.0
    while len(fixed) < len(theta):
        away = theta[:, None] - np.array(numbers)
        nearest = np.argmin(np.abs(away), axis=1)
        away = away[np.arange(len(theta)), nearest]
        variance = np.diag(C)
        known = variance > 0
        loss = np.where(known, 0.5 * away**2 / np.where(known, variance, 1.0), np.inf)
        loss[[*fixed, *named]] = np.inf
        k = int(np.argmin(loss))
        if not loss[k] <= furthest:
            break
        total += float(loss[k])
        fixed[k] = float(numbers[nearest[k]])
        theta, C = theta - C[:, k] * away[k] / C[k, k], C - np.outer(C[:, k], C[k]) / C[k, k]
    if not fixed:
        return None
    return Edit(_untagged(calibrated.system, _with_numbers(calibrated.system, fixed)), total)


def has_flat_divisor(calibrated: Calibrated, X: Values) -> bool:
    """True for a quotient that the samples do not tell from what stands above its line: a divisor Q of several terms is as good
    as constant, as in ``a*x/(x + 1e9)``.

    It is where q = Q/mean(Q), along columns X (n_column, n), differs from 1 by no more than its error, or than what misfits
    tell apart, each as a root mean square.
    """
    system, C = calibrated.system, calibrated.covariance
    theta = system.parameters
    for tagged in _tagged(system):
        # The parameter of each constant of the equation, -1 for a known one.
        of = [system.of_constants[int(c.value)] if c.free else -1 for c in tagged.constants]
        values = np.array([theta[k] if k >= 0 else c.value for k, c in zip(of, tagged.constants, strict=True)])
        for divisor, places in _divisors(tagged, values):
            with np.errstate(all="ignore"):
                Q, slopes = Program.of(divisor, system.columns).value_and_gradient(X, values[places])
                mean = float(np.mean(Q))
                # Slopes of q by the parameters (n_parameter, n).
                by = np.zeros((len(theta), X.shape[1]))
                for place, slope in zip(places, slopes, strict=True):
                    if of[place] >= 0:
                        by[of[place]] += (slope - Q * (np.mean(slope) / mean)) / mean
                error = np.mean(np.einsum("kn,kl,ln->n", by, C, by))
                varies = np.sqrt(np.mean((Q / mean - 1.0) ** 2))
            if varies <= max(FLAT * np.sqrt(max(error, 0.0)), FLOOR):
                return True
    return False


def _divisors(e: Expression, values: Values) -> Iterator[tuple[Expression, list[int]]]:
    """Divisors of several terms that vary, and the places of their constants among those of ``e``."""

    def places(node: int) -> list[int]:
        return [at for op, at in e.code[e.starts[node] : node + 1] if op == oc.CONST]

    def is_negative(node: int) -> bool:
        power = e.subtree(node)
        return not power.variables and Program.of(power, ()).value(np.empty((0, 1)), values[places(node)])[0] < 0.0

    for node, (op, _) in enumerate(e.code):
        if op in (oc.DIV, oc.INV):
            last = node - 1
        elif op == oc.POW and is_negative(node - 1):
            last = e.starts[node - 1] - 1
        else:
            continue
        divisor = e.subtree(last)
        if divisor.variables and {oc.ADD, oc.SUB} & {op for op, _ in divisor.code}:
            yield divisor, places(last)


def _named(system: System) -> set[int]:
    """Parameters that the user named, and wants to be told."""
    free = [e.constants[k] for e in system.equations for k in e.free]
    return {of for of, c in zip(system.of_constants, free, strict=True) if c.name is not None}


def _tagged(system: System) -> tuple[Expression, ...]:
    """Equations in which each free constant has its place among all as its value, so that edits can be followed."""
    out = []
    for e, place in zip(system.equations, system.places, strict=True):
        values = e.values
        values[list(e.free)] = np.array(place)
        out.append(e.with_values(values))
    return tuple(out)


def _with_numbers(system: System, numbers: Mapping[int, float]) -> tuple[Expression, ...]:
    """Tagged equations with numbers in the place of some parameters."""

    def leaf_at(node: int, leaf: Expression) -> Expression:
        if leaf.constants and leaf.constants[0].free:
            number = numbers.get(system.of_constants[int(leaf.constants[0].value)])
            return leaf if number is None else Expression.constant(number)
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
