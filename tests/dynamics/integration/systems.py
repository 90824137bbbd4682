"""Systems for tests of the integrators, and SciPy's solution of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

Values = NDArray[np.float64]


def fitted(text: str) -> Expression:
    """A formula whose plain numbers are free."""
    e = parse(text)
    return Expression(e.code, tuple(replace(c, free=c.name is None) for c in e.constants), e.variables)


def make(equations: Sequence[str], states: Sequence[str], **more: Any) -> System:
    """A system whose plain numbers are its parameters."""
    return System(tuple(map(fitted, equations)), tuple(states), **more)


LOTKA_VOLTERRA = make(["1.5*x - 1.1*x*y", "-3.0*y + 0.9*x*y"], ["x", "y"])
LORENZ = make(["10.0*(y - x)", "x*(28.0 - z) - y", "x*y - 2.7*z"], ["x", "y", "z"])
PENDULUM = make(["w", "-9.8*sin(q) - 0.3*w + 1.7*u"], ["q", "w"], actions=("u",))


def reference(
    system: System, start: Sequence[float], time: Values, inputs: Callable[[float], Sequence[float]] = lambda t: ()
) -> Values:
    """SciPy's solution (n_time, n_state), nearly exact."""

    def rate(t: float, x: Values) -> Values:
        extra = [*inputs(t), *([t] if system.time else [])]
        return system.rates(np.array([*x, *extra])[:, None], system.parameters[:, None])[:, 0]

    out = solve_ivp(
        rate, (time[0], time[-1]), start, t_eval=time, method="DOP853", rtol=1e-11, atol=1e-12, max_step=0.1
    )
    values: Values = out.y.T
    return values
