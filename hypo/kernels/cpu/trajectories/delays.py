"""Former values of states: the steps that a lane has taken, kept with their dense output, and the past before its start."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels.compiled import inner
from hypo.kernels.cpu.trajectories.batch import clock_of
from hypo.kernels.cpu.trajectories.dormand_prince import DENSE, STAGES
from hypo.kernels.cpu.trajectories.lanes import COLUMN, MOMENT, STEP

# Moments start + k·lag, k up to here, end a step: there some derivative of the solution jumps, of order k.
_KINKS = 6


class Delays(NamedTuple):
    """Columns of laws that hold a state's value ``lag`` (n_delay, 1 or n) ago, of ``state`` (n_delay,).

    ``clock`` (1 or n, n_past), ``past`` (1 or n, n_past - 1, n_delay, 4): values before the start, pieces as of inputs; with
    n_past = 0 a state has always had the value of its start.
    """

    state: NDArray
    lag: NDArray
    clock: NDArray
    past: NDArray


class Memory(NamedTuple):
    """Steps by lane: where each begins, its length, and x and four coefficients of its dense output for each delay.

    ``slot`` (width,): where the steps of a lane lie; ``filled`` (width,): how many, by slot.
    """

    begin: NDArray
    length: NDArray
    piece: NDArray
    slot: NDArray
    filled: NDArray


@inner()
def lag_of(delays, q, column):
    """The lag of delay q in a column."""
    return delays.lag[q, column if delays.lag.shape[1] > 1 else 0]


@inner()
def has_room(memory, lane):
    """True where another step of a lane can be kept."""
    return memory.filled[memory.slot[lane]] < memory.begin.shape[1]


@inner(error_model="numpy")
def longest_step(delays, column, moment, origin, stop):
    """The moment up to which a step of a column may go: within its shortest lag, and not across a kink."""
    for q in range(delays.lag.shape[0]):
        lag = lag_of(delays, q, column)
        stop = min(stop, moment + lag)
        k = np.floor((moment - origin) / lag + 1e-9) + 1.0
        if k <= _KINKS:
            stop = min(stop, origin + k * lag)
    return stop


@inner(error_model="numpy")
def remember(delays, memory, lanes, lane):
    """Keep an accepted step of a lane, where there are delays."""
    if delays.lag.shape[0] == 0:
        return
    slot = memory.slot[lane]
    at = memory.filled[slot]
    memory.filled[slot] = at + 1
    memory.begin[slot, at] = lanes.numbers[MOMENT, lane]
    memory.length[slot, at] = lanes.numbers[STEP, lane]
    for q in range(delays.lag.shape[0]):
        i = delays.state[q]
        piece = memory.piece[slot, at, q]
        piece[0] = lanes.x[i, lane]
        for p in range(4):
            total = 0.0
            for s in range(STAGES):
                total += DENSE[s, p] * lanes.k[i, s, lane]
            piece[1 + p] = total


@inner(error_model="numpy")
def former_value(delays, memory, batch, lanes, lane, q, moment):
    """The value at a moment of the state of delay q."""
    column = lanes.counts[COLUMN, lane]
    origin = batch.time[clock_of(batch, column), 0]
    slot = memory.slot[lane]
    if moment < origin or memory.filled[slot] == 0:
        return _past_value(delays, batch, column, q, min(moment, origin))
    low, high = 0, memory.filled[slot]
    while high - low > 1:
        middle = (low + high) // 2
        if memory.begin[slot, middle] <= moment:
            low = middle
        else:
            high = middle
    h, c = memory.length[slot, low], memory.piece[slot, low, q]
    share = (moment - memory.begin[slot, low]) / h
    return c[0] + h * share * (c[1] + share * (c[2] + share * (c[3] + share * c[4])))


@inner(error_model="numpy")
def _past_value(delays, batch, column, q, moment):
    if delays.past.shape[1] == 0:
        return batch.starts[delays.state[q], column]
    clock = delays.clock[column if delays.clock.shape[0] > 1 else 0]
    low, high = 0, delays.past.shape[1]
    while high - low > 1:
        middle = (low + high) // 2
        if clock[middle] <= moment:
            low = middle
        else:
            high = middle
    c = delays.past[column if delays.past.shape[0] > 1 else 0, low, q]
    s = min(max(moment - clock[low], 0.0), clock[low + 1] - clock[low])
    return c[0] + s * (c[1] + s * (c[2] + s * c[3]))
