"""Systems with known laws, simulated by SciPy, for tests of fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

Values = NDArray[np.float64]


def law(text: str, numbers: Mapping[str, float]) -> Expression:
    """A formula whose names in ``numbers`` are free constants with these values."""

    def leaf_at(node: int, leaf: Expression) -> Expression:
        name = leaf.variables[0] if leaf.variables else ""
        return Expression.constant(numbers[name], free=True) if name in numbers else leaf

    return parse(text).rebuilt(leaf_at)


def make_system(equations: Mapping[str, str], numbers: Mapping[str, float], **settings) -> System:
    return System(tuple(law(text, numbers) for text in equations.values()), tuple(equations), **settings)


@dataclass(frozen=True, eq=False)
class Case:
    """A system, a start, and the moments at which it is sampled."""

    system: System
    start: tuple[float, ...]
    time: Values

    def states(self, start: Sequence[float] | None = None, time: Values | None = None) -> Values:
        """Exact states (n_row, n_state)."""
        theta = self.system.parameters[:, None]
        t = self.time if time is None else time
        s = solve_ivp(
            lambda t, x: self.system.rates(x[:, None], theta)[:, 0],
            (t[0], t[-1]),
            self.start if start is None else start,
            t_eval=t,
            rtol=1e-10,
            atol=1e-11,
            method="LSODA",
        )
        return s.y.T


PENDULUM = Case(
    make_system({"x": "v", "v": "-k*sin(x) - c*v"}, {"k": 3.0, "c": 0.2}), (1.5, 0.0), np.linspace(0, 10, 120)
)
LOTKA_VOLTERRA = Case(
    make_system({"x": "a*x - b*x*y", "y": "c*x*y - d*y"}, {"a": 1.1, "b": 0.4, "c": 0.1, "d": 0.4}),
    (10.0, 10.0),
    np.linspace(0, 20, 120),
)
SIR = Case(
    make_system({"s": "-b*s*i", "i": "b*s*i - g*i"}, {"b": 0.5, "g": 0.1}, shared=(0, 0, 1)),
    (0.99, 0.01),
    np.linspace(0, 60, 60),
)
LORENZ = Case(
    make_system({"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"}, {"s": 10.0, "r": 28.0, "b": 8 / 3}),
    (1.0, 1.0, 20.0),
    np.linspace(0, 10, 250),
)


def make_data(
    system: System, time: Sequence[Values], states: Sequence[Values], actions: Sequence[Values] = ()
) -> Trajectories:
    """Runs from times and measured states."""
    runs, at = [], 0
    for k, (t, x) in enumerate(zip(time, states, strict=True)):
        u = actions[k] if len(actions) else np.empty((len(t), 0))
        runs.append(Run(str(k), t, x, u, np.arange(at, at + len(t))))
        at += len(t)
    return Trajectories(tuple(runs), "t", system.states[: system.n_measured], system.actions)


def noisy(states: Values, rng: np.random.Generator, relative: float = 0.0, constant: float = 0.0) -> Values:
    """Samples with noise in proportion, and constant noise as a share of each state's spread."""
    constant_part = constant * np.std(states, axis=0) * rng.standard_normal(states.shape)
    return states * (1 + relative * rng.standard_normal(states.shape)) + constant_part


def put_off(system: System, factors: Sequence[float]) -> System:
    """The system with wrong parameters."""
    return system.with_parameters(system.parameters * np.array(factors))
