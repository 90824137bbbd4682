"""Simulated runs of every kind of law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

Values = NDArray[np.float64]


def free(text: str) -> Expression:
    """A formula whose numbers are free."""
    e = parse(text)
    return Expression(e.code, tuple(replace(c, free=True) for c in e.constants), e.variables)


def runs(
    times: Sequence[Values],
    states: Sequence[Values],
    actions: Sequence[Values] | None = None,
    names: Sequence[str] = ("x",),
    inputs: Sequence[str] = (),
) -> Trajectories:
    """Runs of states (n, n_state) or (n,) and inputs (n, n_action) or (n,)."""
    out, below = [], 0
    for r, (t, x) in enumerate(zip(times, states, strict=True)):
        u = np.empty((len(t), 0)) if actions is None else np.reshape(actions[r], (len(t), -1))
        out.append(Run(str(r), t, np.reshape(x, (len(t), -1)), u, np.arange(below, below + len(t))))
        below += len(t)
    return Trajectories(tuple(out), "t", tuple(names), tuple(inputs))


def solved(law, start, time):
    """States (n_time, n_state), nearly exact."""
    found = solve_ivp(law, (time[0], time[-1]), start, t_eval=time, rtol=1e-10, atol=1e-11)
    return found.y.T


def pendulum(n=150, noise=0.0, seed=0):
    """Positions of x'' = -9 sin(x) - 0.2 x'."""
    time = np.linspace(0, 8, n)
    x = solved(lambda t, s: [s[1], -9 * np.sin(s[0]) - 0.2 * s[1]], [2.0, 0.0], time)
    return runs([time], [x[:, 0] + noise * np.random.default_rng(seed).standard_normal(n)]), x


def logistic_map(n=100, noise=0.0, seed=0):
    """x[n+1] = 3.7 x (1 - x)."""
    x = [0.3]
    for _ in range(n - 1):
        x.append(3.7 * x[-1] * (1 - x[-1]))
    y = np.array(x) + noise * np.random.default_rng(seed).standard_normal(n)
    return runs([np.arange(float(n))], [y])


def delayed_logistic(n=120, noise=0.0, seed=0, h=1e-3, until=20.0):
    """x' = 1.2 x (1 - x(t - 1.5)/2), 0.5 until the start; Heun's method in steps of ``h``."""
    back, steps = round(1.5 / h), round(until / h)
    x = np.full(back + steps + 1, 0.5)
    for i in range(back, back + steps):
        a = 1.2 * x[i] * (1 - x[i - back] / 2)
        b = 1.2 * (x[i] + h * a) * (1 - x[i - back + 1] / 2)
        x[i + 1] = x[i] + h / 2 * (a + b)
    time = np.linspace(0, until, n)
    y = np.interp(time, np.arange(steps + 1) * h, x[back:])
    return runs([time], [y + noise * np.random.default_rng(seed).standard_normal(n)])
