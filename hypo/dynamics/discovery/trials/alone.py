"""One equation on trial alone: its state is followed, the others are inputs given by their smoothed paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]


class Alone:
    """The trial of one sought equation of systems like ``pattern``: a system of its state alone, with data to fit it to.

    Attributes:
        data, smoothed: the state's samples and path, all other columns of laws being inputs.
        columns: of laws in this system, along the data (n_column, n).
    """

    def __init__(self, pattern: System, columns: Columns, k: int) -> None:
        """``k`` is the number of the measured state whose equation is sought, or that of its speed."""
        data, smoothed = columns.data, columns.smoothed
        self.pattern = pattern
        d = pattern.n_measured
        # Of second order a position and its speed are followed together; what changes the position is known.
        self.own = (data.states[k],) if len(pattern.states) == d else (data.states[k], pattern.states[d + k])
        self.delays = tuple(x for x in pattern.delays if x.state == data.states[k])
        mine = {*self.own, *(x.column for x in self.delays), *([pattern.time] if pattern.time else [])}
        self.inputs = tuple(name for name in columns.names if name not in mine)
        places = [columns.names.index(name) for name in self.inputs]
        runs = []
        for run, values in zip(data.runs, columns.at_rows, strict=True):
            beside = values.copy()
            if pattern.is_discrete:
                beside[:, :d] = np.where(np.isfinite(run.states), run.states, beside[:, :d])
            beside = _filled(beside[:, places])
            runs.append(Run(run.name, run.time, run.states[:, [k]], beside, run.rows))
        self.data = Trajectories(tuple(runs), data.time, (data.states[k],), self.inputs, {}, data.source)
        self.smoothed = Smoothed(self.data, tuple((paths[k],) for paths in smoothed.paths))
        along = columns_along(columns)
        names = (*self.own, *(x.column for x in self.delays), *self.inputs, *([pattern.time] if pattern.time else []))
        self.columns = along[[columns.names.index(name) for name in names]]

    def system(self, equation: Expression) -> System:
        """The system of this one equation."""
        p = self.pattern
        known = tuple(Expression.variable(name) for name in self.own[1:])
        return System(
            (*known, equation),
            self.own,
            1,
            self.inputs,
            p.time,
            self.delays,
            p.is_discrete,
            "zero" if p.is_discrete else p.hold,
        )


def columns_along(columns: Columns) -> Values:
    """The columns of laws at all rows of all runs at which they are known (n_column, n)."""
    each = np.vstack(columns.at_rows)
    return np.ascontiguousarray(each[np.all(np.isfinite(each), axis=1)].T)


def _filled(values: Values) -> Values:
    """Columns (n, n_column) whose unknown first values are the first known ones: former values before a run began."""
    out = values.copy()
    for column in out.T:
        known = np.flatnonzero(np.isfinite(column))
        if len(known):
            column[: known[0]] = column[known[0]]
    return out
