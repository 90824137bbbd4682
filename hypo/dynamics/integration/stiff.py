"""Stiff systems: columns on which the compiled integrator gives up go to SciPy's Radau method, one by one.

The Jacobian comes from the programs. With sensitivities the variational equations are followed along, with one block ∂f/∂x of
the Jacobian for the state and each sensitivity: what this leaves out lies below the blocks, and costs Newton's method a step.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hypo.kernels.cpu.trajectories.batch import DIVERGED, DONE, TOO_MANY, Batch, Control, Samples
from hypo.kernels.cpu.trajectories.laws import Laws, count_variables, rates_and_slopes

Values = NDArray[np.float64]

# Absolute error of a state as a share of the largest size that it had at any sample of the column, or of its start.
OF_SIZE = 1e-4
# Size of a state that was zero so far, as a share of the largest one's.
LEAST_SIZE = 1e-6
# How often the rates of a column are asked for, at most: a second of it before it gets on, a minute where it gets on to its
# end, and more for each piece of a course of inputs.
FIRST_RATES = 20_000
MOST_RATES = 1_000_000
RATES_EACH = 100
# The relative error cannot be less than this in SciPy.
LEAST = 3e-14


def follow_stiff(laws: Laws, batch: Batch, control: Control, samples: Samples) -> None:
    """Follow those columns again of which ``samples`` says that they took too many steps; the others stay."""
    for column in np.flatnonzero(samples.status == TOO_MANY):
        _Column(laws, batch, control, samples, int(column)).follow()


class _TooManyError(Exception):
    """A column has asked for its rates too often."""


class _Column:
    """One column, as SciPy wants it."""

    def __init__(self, laws: Laws, batch: Batch, control: Control, samples: Samples, column: int) -> None:
        self.laws, self.batch, self.control, self.samples, self.column = laws, batch, control, samples, column
        self.d, self.m = laws.n_state, samples.slopes.shape[2]
        self.clock: Values = batch.time[column % len(batch.time)]
        self.course: Values = batch.inputs[column % len(batch.inputs)]
        self.X = np.zeros((count_variables(laws), 1))
        self.X[count_variables(laws) - laws.n_parameter :, 0] = batch.parameters[:, column]
        self.out = np.empty((self.d, 1))
        self.J = np.empty((self.d, len(self.X), 1))
        self.piece = 0
        self.asked = 0

    def evaluate(self, t: float, z: Values) -> None:
        """Rates and their slopes at a moment."""
        self.asked += 1
        if self.asked > FIRST_RATES:
            way = (t - self.clock[0]) / (self.clock[-1] - self.clock[0])
            if self.asked > FIRST_RATES + MOST_RATES * way + RATES_EACH * self.piece:
                raise _TooManyError
        at = self.d + self.laws.n_delay
        self.X[: self.d, 0] = z[: self.d]
        if self.laws.n_action:
            s = t - self.clock[self.piece]
            self.X[at : at + self.laws.n_action, 0] = self.course[self.piece] @ s ** np.arange(4.0)
        if self.laws.n_time:
            self.X[at + self.laws.n_action, 0] = t
        rates_and_slopes(self.laws, self.X, self.out, self.J)

    def rate(self, t: float, z: Values) -> Values:
        """Rates of states, and of sensitivities by the variational equations."""
        self.evaluate(t, z)
        S = z[self.d :].reshape(self.d, self.m)
        carried = self.J[:, : self.d, 0] @ S
        if self.m:
            carried[:, self.d :] += self.J[:, len(self.X) - self.laws.n_parameter :, 0]
        return np.concatenate([self.out[:, 0], carried.ravel()])

    def jacobian(self, t: float, z: Values) -> Values:
        """∂f/∂x for states, and again for each sensitivity."""
        self.evaluate(t, z)
        own = self.J[:, : self.d, 0]
        whole = np.zeros((len(z), len(z)))
        whole[: self.d, : self.d] = own
        whole[self.d :, self.d :] = np.kron(own, np.eye(self.m))
        return whole

    def follow(self) -> None:
        """Fill the samples of the column; where that takes too long, they stay as they are."""
        samples, c = self.samples, self.column
        before = samples.states[:, :, c].copy(), samples.slopes[:, :, :, c].copy()
        with suppress(_TooManyError):
            if self._fill(before[0]):
                samples.status[c], samples.ended[c] = DONE, np.inf
                return
            samples.status[c] = DIVERGED
        # The explicit method may have come farther, to a blow-up.
        samples.states[:, :, c], samples.slopes[:, :, :, c] = before

    def _fill(self, before: Values) -> bool:
        """Follow the column, which was followed to the states ``before`` by another method; False where it runs away."""
        c, d = self.column, self.d
        z = np.concatenate([self.batch.starts[:, c], np.eye(d, self.m).ravel()])
        size = np.abs(self.batch.starts[:, c])
        size = np.fmax(size, np.nanmax(np.where(np.isfinite(before), np.abs(before), 0.0), axis=0))
        size = np.where(size > 0, size, LEAST_SIZE * float(size.max()) if size.any() else 1.0)
        error = OF_SIZE * self.control.relative * np.concatenate([size, np.repeat(size, self.m)])
        # With inputs each piece is a problem of its own, for they may bend or jump between two.
        n = len(self.clock)
        ends = list(range(n)) if self.laws.n_action else [0, n - 1]
        self._write(np.array([0]), z[:, None])
        for first, last in pairwise(ends):
            self.piece = first
            rows = np.arange(first + 1, last + 1)
            if self.clock[last] > self.clock[first]:
                with np.errstate(all="ignore"):
                    solved = solve_ivp(
                        self.rate,
                        (self.clock[first], self.clock[last]),
                        z,
                        method="Radau",
                        t_eval=np.unique(self.clock[rows]),
                        jac=self.jacobian,
                        rtol=max(self.control.relative, LEAST),
                        atol=error,
                    )
                reached = np.searchsorted(np.unique(self.clock[rows]), self.clock[rows])
                if not solved.success or not np.all(np.isfinite(solved.y)):
                    return False
                values = solved.y[:, reached]
            else:
                values = np.repeat(z[:, None], len(rows), axis=1)
            self._write(rows, values)
            z = values[:, -1]
        return True

    def _write(self, rows: NDArray[np.int64], values: Values) -> None:
        self.samples.states[rows, :, self.column] = values[: self.d].T
        if self.m:
            self.samples.slopes[rows, :, :, self.column] = values[self.d :].T.reshape(len(rows), self.d, self.m)
