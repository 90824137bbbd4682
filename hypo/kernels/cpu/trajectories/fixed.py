"""Columns whose laws give the next value of each state."""

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evaluate import SHARE
from hypo.kernels.cpu.rows import assign
from hypo.kernels.cpu.trajectories.batch import DIVERGED, DONE, NO_VALUE, clock_of, give_up, input_at
from hypo.kernels.cpu.trajectories.delays import lag_of
from hypo.kernels.cpu.trajectories.laws import count_variables, evaluate_one, make_desk

# Lanes of a block.
_LANES = 128


@inner(error_model="numpy")
def _begin(first, n, laws, batch, samples, X):
    """Load ``n`` columns from ``first`` on into the table X, and write their starts."""
    d = laws.n_state
    parameters = count_variables(laws) - laws.n_parameter
    for lane in range(n):
        for i in range(d):
            X[i, lane] = batch.starts[i, first + lane]
            samples.states[0, i, first + lane] = X[i, lane]
        for j in range(laws.n_parameter):
            X[parameters + j, lane] = batch.parameters[j, first + lane]
        samples.status[first + lane] = DONE
        samples.ended[first + lane] = np.inf


@inner(error_model="numpy")
def _read_inputs(first, n, laws, batch, X, piece):
    """Inputs and time at the beginning of a piece."""
    at = laws.n_state + laws.n_delay
    if laws.n_action + laws.n_time == 0:
        return
    for lane in range(n):
        now = batch.time[clock_of(batch, first + lane), piece]
        for a in range(laws.n_action):
            X[at + a, lane] = input_at(batch, first + lane, piece, now, a)
        if laws.n_time:
            X[at + laws.n_action, lane] = now


@inner(error_model="numpy")
def _write(first, n, k, batch, far, samples, X):
    """Write sample k of the columns; one that is no number or beyond all bounds ends its column."""
    for lane in range(n):
        column = first + lane
        if samples.status[column] != DONE:
            continue
        is_lost, has_value = False, True
        for i in range(samples.states.shape[1]):
            samples.states[k, i, column] = X[i, lane]
            is_lost = is_lost or not abs(X[i, lane]) <= far[i]
            has_value = has_value and not np.isnan(X[i, lane])
        if is_lost:
            why = DIVERGED if has_value else NO_VALUE
            give_up(samples, column, k, batch.time[clock_of(batch, column), k], why)
            for i in range(samples.states.shape[1]):
                X[i, lane] = np.nan


@inner(error_model="numpy")
def _read_former(first, n, k, laws, batch, delays, samples, X):
    """Delayed states at sample k: those of the sample that lies the lag back, or, before the first, of the past."""
    for q in range(laws.n_delay):
        i = delays.state[q]
        for lane in range(n):
            clock = batch.time[clock_of(batch, first + lane)]
            back = int(np.round(lag_of(delays, q, first + lane) / (clock[1] - clock[0])))
            at = k - back
            value = batch.starts[i, first + lane] if at < 0 else samples.states[at, i, first + lane]
            if at < 0 and delays.past.shape[1] > 0:
                row = max(delays.past.shape[1] + at, 0)
                value = delays.past[first + lane if delays.past.shape[0] > 1 else 0, row, q, 0]
            X[laws.n_state + q, lane] = value


@inner(error_model="numpy")
def _apply_events(events, desk, X, value, before, n):
    """Assign to states where a condition has come true since the step before, or, for clips, is true."""
    n_event = events.clipped.shape[0]
    for e in range(n_event + events.target.shape[0]):
        evaluate_one(events.rules, desk, e, X, 0, value[e, :n])
    for q in range(events.target.shape[0]):
        e = events.of[q]
        for lane in range(n):
            if value[e, lane] > 0.0 and (events.clipped[e] >= 0 or not before[e, lane] > 0.0):
                X[events.target[q], lane] = value[n_event + q, lane]
    for e in range(n_event):
        evaluate_one(events.rules, desk, e, X, 0, before[e, :n])


@kernel(error_model="numpy", nogil=True)
def follow_discrete(laws, batch, far, samples, delays, events):
    """Follow all columns whose laws give the next value of each state, one step for each moment."""
    d, n_event = laws.n_state, events.clipped.shape[0]
    width = min(_LANES, batch.starts.shape[1])
    desk, rule_desk = make_desk(laws, width, SHARE), make_desk(events.rules, width, SHARE)
    X, y = np.zeros((count_variables(laws), width)), np.zeros((d, width))
    value, before = np.zeros((n_event + events.target.shape[0], width)), np.zeros((n_event, width))
    for first in range(0, batch.starts.shape[1], width):
        n = min(width, batch.starts.shape[1] - first)
        _begin(first, n, laws, batch, samples, X)
        for e in range(n_event):
            evaluate_one(events.rules, rule_desk, e, X, 0, before[e, :n])
        for k in range(batch.time.shape[1] - 1):
            _read_inputs(first, n, laws, batch, X, k)
            _read_former(first, n, k, laws, batch, delays, samples, X)
            for i in range(d):
                evaluate_one(laws, desk, i, X, 0, y[i, :n])
            for i in range(d):
                assign(X[i, :n], y[i])
            if n_event > 0:
                _apply_events(events, rule_desk, X, value, before, n)
            _write(first, n, k + 1, batch, far, samples, X)
