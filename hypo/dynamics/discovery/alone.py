"""One equation on trial alone: its state is followed, the others are inputs given by their smoothed paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]


class Alone:
    """The trial of equation ``k`` of systems like ``pattern``: a system of one state, with data to fit it to."""

    def __init__(self, pattern: System, data: Trajectories, smoothed: Smoothed, k: int) -> None:
        self.pattern, self.k = pattern, k
        self.state = pattern.states[k]
        others = [name for name in pattern.states if name != self.state]
        self.inputs = (*others, *pattern.actions)
        places = [pattern.states.index(name) for name in others]
        runs = []
        for r, run in enumerate(data.runs):
            beside = full_states(pattern, smoothed, r)[:, places]
            runs.append(Run(run.name, run.time, run.states[:, [k]], np.hstack([beside, run.actions]), run.rows))
        self.data = Trajectories(tuple(runs), data.time, (self.state,), self.inputs, {}, data.source)
        self.smoothed = Smoothed(self.data, tuple((paths[k],) for paths in smoothed.paths))

    def system(self, equation: Expression) -> System:
        """The system of this one equation."""
        p = self.pattern
        return System((equation,), (self.state,), actions=self.inputs, time=p.time, is_discrete=p.is_discrete, hold=p.hold)


def can_be_tried_alone(pattern: System) -> bool:
    """True where each state is measured and laws look at present values only."""
    return pattern.n_measured == len(pattern.states) and not pattern.delays


def full_states(pattern: System, smoothed: Smoothed, run: int) -> Values:
    """Measured states, and speeds for the hidden ones, at the rows of a run (n_row, n_state)."""
    states = smoothed.states(run)
    hidden = len(pattern.states) - pattern.n_measured
    return np.hstack([states, smoothed.rates(run)[:, :hidden]]) if hidden else states


def columns_along(pattern: System, smoothed: Smoothed) -> Values:
    """The columns of laws at all rows of all runs (n_column, n)."""
    out = []
    for r, run in enumerate(smoothed.data.runs):
        states = full_states(pattern, smoothed, r)
        parts = [states]
        for delay in pattern.delays:
            k = pattern.states.index(delay.state)
            moments = np.maximum(run.time - delay.lag, run.time[0])
            parts.append(np.interp(moments, run.time, states[:, k])[:, None])
        parts.append(run.actions)
        if pattern.time:
            parts.append(run.time[:, None])
        out.append(np.hstack(parts))
    return np.ascontiguousarray(np.vstack(out).T)
