"""Columns to follow and where their samples go, as kernels take them.

Layouts (C order), for n columns:
    starts (n_state, n), parameters (n_parameter, n)
    time (n_clock, n_time)     clock c of column c, or one clock for all; never going back
    inputs (n_course, n_time - 1, n_action, 4)   between two moments u(t) = Σ_k inputs[k] (t - t_left)ᵏ; one course for all or
                               one for each column
    states (n_time, n_state, n), slopes (n_time, n_state, m, n): samples, and their sensitivities to the m starts and
                               parameters where m > 0
    ended (n,), status (n,)    the moment at which a column was given up, and why
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels.compiled import inner

# Why a column ended: all samples were reached,
DONE = 0
# it ran beyond all bounds,
DIVERGED = 1
# it needed more steps than allowed,
TOO_MANY = 2
# its events came ever more quickly, one after the other,
CHATTERS = 3
# or its law has no value beyond.
NO_VALUE = 4


class Batch(NamedTuple):
    """Columns to follow; with ``has_jumps`` inputs may jump from one piece to the next."""

    starts: NDArray
    parameters: NDArray
    time: NDArray
    inputs: NDArray
    has_jumps: bool


class Control(NamedTuple):
    """Local error of a step over |x|, bounds ``far`` (n_state,) of |x|, the most steps of a column; with ``seek_stiff`` one
    that is seen to be stiff ends as if it had taken them."""

    relative: float
    far: NDArray
    most_steps: int
    seek_stiff: bool


class Samples(NamedTuple):
    """Results."""

    states: NDArray
    slopes: NDArray
    ended: NDArray
    status: NDArray


@inner()
def clock_of(batch, column):
    """The row of ``time`` of a column."""
    return column if batch.time.shape[0] > 1 else 0


@inner(error_model="numpy")
def input_at(batch, column, piece, moment, action):
    """An input's value at a moment within a piece."""
    c = batch.inputs[column if batch.inputs.shape[0] > 1 else 0, piece, action]
    s = moment - batch.time[clock_of(batch, column), piece]
    return c[0] + s * (c[1] + s * (c[2] + s * c[3]))


@inner(error_model="numpy")
def give_up(samples, column, k, moment, why):
    """End a column before its sample k: the rest is NaN."""
    samples.ended[column] = moment
    samples.status[column] = why
    for r in range(k, samples.states.shape[0]):
        for i in range(samples.states.shape[1]):
            samples.states[r, i, column] = np.nan
            for j in range(samples.slopes.shape[2]):
                samples.slopes[r, i, j, column] = np.nan
