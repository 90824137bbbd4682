"""Known systems, their simulated trajectories, and models that are right but for the errors that such data leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Laws by state, constants by name, a start, a duration, and inputs that swing between two ends."""

    laws: Mapping[str, str]
    constants: Mapping[str, float]
    start: Sequence[float]
    until: float = 10.0
    discrete: bool = False
    # By input the ends between which it swings.
    inputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)


PENDULUM = Case({"th": "w", "w": "-a*sin(th)"}, {"a": 2.5}, [1.2, 0.3])
DAMPED = Case({"th": "w", "w": "-a*sin(th) - b*w"}, {"a": 2.5, "b": 0.2}, [1.8, 0.0])
LOTKA_VOLTERRA = Case(
    {"x": "a*x - b*x*y", "y": "d*x*y - g*y"}, {"a": 1.1, "b": 0.4, "d": 0.1, "g": 0.4}, [10.0, 5.0], 30.0
)
LORENZ = Case(
    {"x": "s*(y - x)", "y": "x*(r - z) - y", "z": "x*y - b*z"},
    {"s": 10.0, "r": 28.0, "b": 8 / 3},
    [1.0, 2.0, 20.0],
    3.0,
)
SIR = Case({"S": "-k*S*I", "I": "k*S*I - g*I", "R": "g*I"}, {"k": 1.5, "g": 0.4}, [0.95, 0.05, 0.0])
KEPLER = Case(
    {"x": "u", "y": "v", "u": "-m*x/(x**2 + y**2)**1.5", "v": "-m*y/(x**2 + y**2)**1.5"},
    {"m": 1.7},
    [1.0, 0.2, -0.3, 1.1],
)
DECAY = Case({"x": "-k*x"}, {"k": 0.7}, [3.0], 4.0)
VAN_DER_POL = Case({"x": "v", "v": "m*(1 - x**2)*v - x"}, {"m": 1.0}, [0.5, 0.0], 30.0)


def make_system(case: Case) -> System:
    """The system of a case with the true constants; a constant that occurs twice is one parameter."""
    states, names = tuple(case.laws), list(case.constants)
    equations, shared = [], []
    for text in case.laws.values():
        e = parse(text, variables=(*states, *case.inputs))
        values = [case.constants[c.name] if c.free else c.value for c in e.constants]
        shared += [names.index(str(e.constants[k].name)) for k in e.free]
        equations.append(e.with_values(values))
    return System(tuple(equations), states, actions=tuple(case.inputs), is_discrete=case.discrete, shared=tuple(shared))


def inputs_at(case: Case, time: Values) -> Values:
    """Inputs (n_time, n_action): waves of different length between their ends."""
    each = [
        0.5 * (a + b) + 0.5 * (b - a) * np.sin((1.3 + 0.7 * k) * time) for k, (a, b) in enumerate(case.inputs.values())
    ]
    return np.column_stack(each) if each else np.empty((len(time), 0))


def simulate(case: Case, time: Values, start: Sequence[float] | None = None) -> Values:
    """True states (n_time, n_state), by SciPy."""
    system = make_system(case)
    P = system.parameters[:, None]

    def rate(t: float, x: Values) -> Values:
        u = inputs_at(case, np.array([t]))[0]
        return system.rates(np.concatenate([x, u])[:, None], P)[:, 0]

    x0 = np.asarray(case.start if start is None else start, float)
    if case.discrete:
        out = [x0]
        for t in time[:-1]:
            out.append(rate(t, out[-1]))
        return np.array(out)
    found = solve_ivp(rate, (time[0], time[-1]), x0, t_eval=time, rtol=1e-10, atol=1e-12, method="LSODA")
    return np.asarray(found.y.T)


def make_data(case: Case, noise: float = 0.01, n: int = 60, seed: int = 0) -> Trajectories:
    """One run with noise of ``noise`` times each state's standard deviation."""
    time = np.arange(n, dtype=float) if case.discrete else np.linspace(0.0, case.until, n)
    true = simulate(case, time)
    rng = np.random.default_rng(seed)
    y = true + noise * true.std(0) * rng.standard_normal(true.shape)
    run = Run("", time, y, inputs_at(case, time), np.arange(n))
    return Trajectories((run,), "t", tuple(case.laws), tuple(case.inputs))


def calibrate(case: Case, noise: float = 0.01, relative_error: float = 0.0) -> Calibrated:
    """The true constants with independent errors of the size that is said."""
    system = make_system(case)
    spread = relative_error * np.abs(system.parameters)
    d = len(case.laws)
    sd = noise * simulate(case, np.linspace(0.0, case.until, 60)).std(0)
    count = np.full(d, 60.0)
    return Calibrated(system, (np.asarray(case.start, float),), count.copy(), count, sd, np.diag(spread**2), 0.0)


def make_model(
    case: Case, noise: float = 0.01, relative_error: float = 0.0, rivals: Sequence[tuple[Case, float]] = ()
) -> WorldModel:
    """A model of the true system, and of rivals with weights."""
    left = 1.0 - sum(weight for _, weight in rivals)
    systems = [WeightedSystem(calibrate(case, noise, relative_error), 0.0, left)]
    systems += [WeightedSystem(calibrate(c, noise, relative_error), 1.0, weight) for c, weight in rivals]
    data = make_data(case, noise)
    return WorldModel(Discovered(tuple(systems), Smoothed(data, ()), (10,) * len(case.laws)))


def read(text: str) -> Expression:
    """A formula."""
    return parse(text)
