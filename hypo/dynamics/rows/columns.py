"""Columns of laws at any time of a run: states, speeds, former values, inputs, time; with errors of their paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.options import Options
from hypo.dynamics.rows.inputs import inputs_at
from hypo.dynamics.smoothing.path import Path
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# What the hidden speed of a measured position is called, after the position's name.
SPEED = "_dot"


def speed_name(state: str) -> str:
    """The name of the hidden speed of a position."""
    return state + SPEED


@dataclass(frozen=True)
class Columns:
    """The columns of laws, by the settings of a discovery.

    Attributes:
        data, smoothed: the runs and their paths.
        options: order, hold of inputs, use of time.
        delays: former values, with their lags.
    """

    data: Trajectories
    smoothed: Smoothed
    options: Options
    delays: tuple[Delay, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Columns in the order of :attr:`hypo.dynamics.system.System.columns`."""
        states = self.data.states
        speeds = tuple(speed_name(s) for s in states) if self.options.order == 2 else ()
        time = (self.data.time,) if self.options.use_time else ()
        return (*states, *speeds, *(d.column for d in self.delays), *self.data.actions, *time)

    @cached_property
    def at_rows(self) -> tuple[Values, ...]:
        """By run, the columns at its rows (n_row, n_column); NaN where a former value lies before the run."""
        return tuple(self._values(r, run.time) for r, run in enumerate(self.data.runs))

    def at(self, run: int, time: Values) -> tuple[Values, Values]:
        """Columns (m, n_column) at times (m,) of a run, and standard deviations of their errors; both NaN where a former value
        lies before the run."""
        time = np.asarray(time, float)
        out = self._values(run, time)
        errors = self.smoothed.errors(run, time)
        sds = [errors[0], *([errors[1]] if self.options.order == 2 else ())]
        for path, before, known in self._former(run, time):
            sds.append(np.where(known, path.errors(before)[0], np.nan)[:, None])
        sd = np.zeros_like(out)
        known_errors = np.hstack(sds)
        sd[:, : known_errors.shape[1]] = known_errors
        return out, sd

    def _values(self, run: int, time: Values) -> Values:
        states, rates, _ = self.smoothed.at(run, time)
        values = [states, *([rates] if self.options.order == 2 else ())]
        for path, before, known in self._former(run, time):
            values.append(np.where(known, path.at(before)[0], np.nan)[:, None])
        values.append(inputs_at(self.data.runs[run], self.options.hold, time))
        if self.options.use_time:
            values.append(time[:, None])
        return np.hstack(values)

    def _former(self, run: int, time: Values) -> Iterator[tuple[Path, Values, NDArray[np.bool_]]]:
        """For each delay the path of its state, the moments before, and whether the run had begun then."""
        for d in self.delays:
            path = self.smoothed.paths[run][self.data.states.index(d.state)]
            before = time - d.lag
            yield path, before, before >= path.time[0]


def slopes(X: Values, y: Values, sd: Values) -> Values:
    """Slopes (n, n_column) of a first, smooth model of y on columns X (n, n_column): how errors in columns count.

    A quadratic, or where it has more terms than a third of the rows a plane, by ridge regression on standardised columns.
    """
    n, p = X.shape
    middle, spread = X.mean(0), X.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    Z = (X - middle) / spread
    i, j = np.triu_indices(p)
    is_quadratic = 3 * (1 + p + len(i)) <= n
    A = np.hstack([np.ones((n, 1)), Z, Z[:, i] * Z[:, j]]) if is_quadratic else np.hstack([np.ones((n, 1)), Z])
    weight = 1.0 / np.maximum(sd, RIDGE * float(np.std(y)) + 1e-300)
    B = A * weight[:, None]
    penalty = RIDGE * float(np.mean(B * B)) * n
    c = np.linalg.solve(B.T @ B + penalty * np.eye(B.shape[1]) + 1e-300 * np.eye(B.shape[1]), B.T @ (weight * y))
    out = np.tile(c[1 : 1 + p], (n, 1))
    if is_quadratic:
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            out[:, a] += c[1 + p + k] * Z[:, b]
            out[:, b] += c[1 + p + k] * Z[:, a]
    return np.asarray(out / spread)


# Share of the mean square of columns that is added to it: slopes of a first model need no accuracy.
RIDGE = 1e-3


def require_names(names: Sequence[str]) -> None:
    """ValueError where two columns have one name, e.g. a measured ``x_dot`` beside the speed of ``x``."""
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f'two columns of laws are called "{twice[0]}"; rename the one of the table')
