"""World models with known laws, as a discovery would have left them."""

from collections.abc import Sequence

import numpy as np
from scipy.integrate import solve_ivp

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

T = np.linspace(0.0, 4.0, 41)
UNITS = {"t": "s", "x": "m", "v": "m/s"}


def law(text: str, columns: Sequence[str], **values: float) -> Expression:
    """A formula over columns whose other names are fitted constants with these values, without names."""
    e = parse(text, variables=columns)
    free = {k: c.name for k, c in enumerate(e.constants) if c.free and c.name}
    return e.with_values([values[free[k]] if k in free else c.value for k, c in enumerate(e.constants)]).without_names()


def fitted(system: System, start: Sequence[float], variances: Sequence[float]) -> Calibrated:
    d = system.n_measured
    return Calibrated(
        system, (np.array(start),), np.full(d, 41.0), np.full(d, 41.0), np.full(d, 0.01), np.diag(variances), 1.0
    )


def follow(system: System, start: Sequence[float]) -> np.ndarray:
    """Measured states (n_time, n_measured) at ``T``."""
    P = system.parameters[:, None]
    out = solve_ivp(
        lambda t, x: system.rates(x[:, None], P)[:, 0], (0, 4), start, t_eval=T, rtol=1e-10, atol=1e-10, method="LSODA"
    )
    return np.asarray(out.y.T[:, : system.n_measured])


def model_of(
    *systems: tuple[Calibrated, float], states: np.ndarray, units: dict[str, str] = UNITS, notes: tuple[str, ...] = ()
) -> WorldModel:
    """A model of these systems with their weights and one run of ``states``."""
    first = systems[0][0].system
    run = Run("", T, states, np.empty((len(T), 0)), np.arange(len(T)))
    data = Trajectories((run,), "t", first.states[: first.n_measured], units=units, notes=notes)
    weighted = tuple(WeightedSystem(f, 10.0 * k, w) for k, (f, w) in enumerate(systems))
    return WorldModel(Discovered(weighted, Smoothed(data, ()), (12,) * first.n_measured, ("a remark",)), {"seed": 7})


def spring() -> WorldModel:
    """x' = v, v' = -4 x - 0.5 v, with a rival."""
    columns = ("x", "v")
    system = System((parse("v", variables=columns), law("-k*x - c*v", columns, k=4.0, c=0.5)), columns)
    rival = system.with_equations((system.equations[0], law("-k*x", columns, k=3.0)))
    return model_of(
        (fitted(system, [1.0, 0.0], [1e-4, 4e-4]), 0.8),
        (fitted(rival, [1.0, 0.0], [1e-4]), 0.2),
        states=follow(system, [1.0, 0.0]),
        notes=("a note",),
    )


def pendulum() -> WorldModel:
    """x'' = -9.81 sin(x) - 0.2 x', of which x was measured."""
    states = ("x", "x_dot")
    system = System((parse("x_dot", variables=states), law("-a*sin(x) - b*x_dot", states, a=9.81, b=0.2)), states, 1)
    return model_of(
        (fitted(system, [0.4, 0.0], [1e-2, 1e-4]), 1.0), states=follow(system, [0.4, 0.0]), units={"t": "s", "x": "rad"}
    )
