"""Runs cut into segments, each to be followed from a start of its own: arrays with one column for each segment.

Segments meet at a moment that belongs to both: its samples count half in each. Segments of unlike numbers of rows are padded by
repeating the last moment, without samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Guess:
    """First knowledge of the paths.

    Attributes:
        states: all states at the rows of all runs, one below the other (n_row, n_state), hidden ones included.
        noise: standard deviation of the samples at these rows (n_row, n_measured).
        is_undersampled: True where paths between samples are not known.
    """

    states: Values
    noise: Values
    is_undersampled: bool


@dataclass(frozen=True)
class Segments:
    """Segments as columns.

    Attributes:
        run: (n,), the run of each.
        rows: (n, 2), its first and its last row in that run.
        time: (n_time, n), moments, the last one repeated as padding.
        samples: (n_time, n_measured, n), 0 where there is none.
        share: of that shape: 1 for a sample, ½ where two segments share it, 0 where there is none.
        actions: (n_time, n_action, n), recorded inputs.
        guess: (n_time, n_state, n), first knowledge of the path.
        noise: (n_time, n_measured, n), first knowledge of the samples' standard deviation.
        past: (n_past, n) moments up to the first one, and (n_past, n_state, n) the guess then; no row without delays.
        at: (n_time, n), rows among those of all runs, one below the other.
        inside: (n_time, n), False where padded.
    """

    run: Rows
    rows: Rows
    time: Values
    samples: Values
    share: Values
    actions: Values
    guess: Values
    noise: Values
    past: tuple[Values, Values]
    at: Rows
    inside: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of segments."""
        return len(self.run)


@dataclass(frozen=True)
class AtRows:
    """The part of smoothed paths that fits take, light enough to be sent: states, their rates and the noise at the rows of
    all runs, (n_row, n_measured) each, and whether paths between samples are not known."""

    states: Values
    rates: Values
    noise: Values
    is_undersampled: bool

    @staticmethod
    def of(smoothed: Smoothed) -> AtRows:
        """Paths at the rows of their runs."""
        runs = range(len(smoothed.data.runs))

        def together(at_rows: Callable[[int], Values]) -> Values:
            # One layout in memory, here and with workers: sums over others come out differently.
            return np.ascontiguousarray(np.concatenate([at_rows(r) for r in runs]))

        rough = any(p.is_undersampled for paths in smoothed.paths for p in paths)
        return AtRows(together(smoothed.states), together(smoothed.rates), together(smoothed.noise), rough)


def guess_paths(system: System, data: Trajectories, smoothed: Smoothed) -> Guess:
    """Paths of all states as the smoother has them; see :func:`guess_at_rows`."""
    return guess_at_rows(system, AtRows.of(smoothed))


def guess_at_rows(system: System, rows: AtRows) -> Guess:
    """Paths of all states: of a hidden state that is the rate of a measured one, that rate; of others 0."""
    of = [_is_rate_of(system, name) for name in system.states[system.n_measured :]]
    hidden = [np.zeros(len(rows.states)) if k is None else rows.rates[:, k] for k in of]
    return Guess(np.column_stack([rows.states, *hidden]), rows.noise, system.is_discrete or rows.is_undersampled)


def guess_by_samples(data: Trajectories, system: System) -> Guess:
    """The samples as paths, gaps filled by straight lines, hidden states by 0: for segments whose starts are known."""
    states = np.zeros((data.n_row, len(system.states)))
    at = 0
    for run in data.runs:
        for k in range(system.n_measured):
            known = np.isfinite(run.states[:, k])
            if known.any():
                states[at : at + run.n_row, k] = np.interp(run.time, run.time[known], run.states[known, k])
        at += run.n_row
    return Guess(states, np.ones((data.n_row, system.n_measured)), False)


def _is_rate_of(system: System, name: str) -> int | None:
    """The measured state whose rate is the hidden state ``name``, if one is."""
    wanted = Expression.variable(name)
    return next((k for k in range(system.n_measured) if system.equations[k] == wanted), None)


def cut(data: Trajectories, guess: Guess, length: int, system: System) -> Segments:
    """Segments of at most ``length`` steps from moment to moment, of nearly equal length within a run.

    Where laws look back, the first segment begins when what they look at has been recorded, if the run goes on from there.
    """
    run, rows = [], []
    lag = longest_lag(system)
    for r, each in enumerate(data.runs):
        moments, first = np.unique(each.time, return_index=True)
        begin = int(np.searchsorted(moments, moments[0] + lag))
        if begin < len(moments) - 1:
            moments, first = moments[begin:], first[begin:]
        steps = len(moments) - 1
        n = max(1, math.ceil(steps / length))
        edges = np.round(np.linspace(0, steps, n + 1)).astype(np.int64)
        ends = np.append(first[1:], each.n_row) - 1  # the last row of each moment
        rows.append(np.column_stack([first[edges[:-1]], ends[edges[1:]]]))
        run.append(np.full(n, r))
    return gather(data, guess, np.concatenate(run), np.concatenate(rows), system)


def longest_lag(system: System) -> float:
    """Time that laws may look back, 0 where they do not: the same for all lags that a fit may try, so that these compare."""
    return max((d.longest for d in system.delays), default=0.0)


def gather(data: Trajectories, guess: Guess, which: Rows, span: Rows, system: System) -> Segments:
    """Segments of the runs ``which`` (n,) with first and last rows ``span`` (n, 2)."""
    n_measured = system.n_measured
    below = np.cumsum([0, *(each.n_row for each in data.runs)])
    at = span[:, 0] + np.arange(int(np.max(span[:, 1] - span[:, 0])) + 1)[:, None]
    inside = at <= span[:, 1]
    at = np.minimum(at, span[:, 1]) + below[which]

    def spread_at(table: Values, rows: Rows) -> Values:
        return np.moveaxis(table[rows], 2, 1)

    def spread(table: Values) -> Values:
        return spread_at(table, at)

    samples = spread(np.concatenate([r.states[:, :n_measured] for r in data.runs]))
    known = np.isfinite(samples) & inside[:, None, :]
    time = np.concatenate([r.time for r in data.runs])[at]
    begun = np.array([r.time[0] for r in data.runs])[which]
    ended = np.array([r.time[-1] for r in data.runs])[which]
    back = _past(data, system, time[0], at[0] - below[which], below[which])
    on_edge = ((time == time[0]) & (time > begun)) | ((time == time[-1]) & (time < ended))
    return Segments(
        which,
        span,
        time,
        np.where(known, samples, 0.0),
        np.where(on_edge, 0.5, 1.0)[:, None, :] * known,
        spread(np.concatenate([r.actions for r in data.runs])),
        spread(guess.states),
        spread(guess.noise),
        (np.concatenate([r.time for r in data.runs])[back], spread_at(guess.states, back)),
        at,
        inside,
    )


def _past(data: Trajectories, system: System, time: Values, first: Rows, below: Rows) -> Rows:
    """Rows (n_past, n) of all runs, as far back from the segments' first rows as laws look, and one more."""
    if not system.delays:
        return np.empty((0, len(time)), np.int64)
    clocks = np.concatenate([r.time for r in data.runs])
    lag = longest_lag(system)
    looked = [
        int(np.searchsorted(clocks[b : b + f + 1], t - lag, "left")) for t, f, b in zip(time, first, below, strict=True)
    ]
    width = int(np.max(first - np.array(looked))) + 2
    return np.asarray(np.maximum(first - np.arange(width - 1, -1, -1)[:, None], 0) + below)
