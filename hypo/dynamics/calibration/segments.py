"""Runs cut into segments, each to be followed from a start of its own: arrays with one column for each segment.

Segments meet at a moment that belongs to both: its samples count half in each. Segments of unlike numbers of rows are padded by
repeating the last moment, without samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.course import Clocks, History
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]
Rows = NDArray[np.int64]

# Share of a lag by which rounding of times may miss it.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Guess:
    """First knowledge of the paths.

    Attributes:
        states: all states at the rows of all runs, one below the other (n_row, n_state), hidden ones included.
        noise: standard deviation of the samples at these rows (n_row, n_measured).
        is_undersampled: True where paths between samples are not known.
        lag: the longest lag of a law that looks back; segments begin so long after their run, for what was before is known.
    """

    states: Values
    noise: Values
    is_undersampled: bool
    lag: float = 0.0


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
        at: (n_time, n), rows among those of all runs, one below the other.
        inside: (n_time, n), False where padded.
        history: before the start of each, moments (n_past, n) and states (n_past, n_state, n); None for laws that do not look
            back.
    """

    run: Rows
    rows: Rows
    time: Values
    samples: Values
    share: Values
    actions: Values
    guess: Values
    noise: Values
    at: Rows
    inside: NDArray[np.bool_]
    history: History | None = None

    @property
    def clocks(self) -> Clocks:
        """Where paths are wanted, and what goes into them."""
        return Clocks(self.time, self.actions, self.history)

    @property
    def n(self) -> int:
        """Number of segments."""
        return len(self.run)


def guess_paths(system: System, data: Trajectories, smoothed: Smoothed) -> Guess:
    """Paths of all states as the smoother has them: of a hidden state that is the rate of a measured one, that rate; else 0."""
    values, rates, noise = _at_rows(smoothed)
    of = [_is_rate_of(system, name) for name in system.states[system.n_measured :]]
    hidden = [np.zeros(len(values)) if k is None else rates[:, k] for k in of]
    rough = system.is_discrete or any(p.is_undersampled for paths in smoothed.paths for p in paths)
    return Guess(np.column_stack([values, *hidden]), noise, rough, longest_lag(system))


# The last paths that were asked for at their rows: a discovery fits many systems to one set of paths.
_last: tuple[Smoothed, tuple[Values, Values, Values]] | None = None


def _at_rows(smoothed: Smoothed) -> tuple[Values, Values, Values]:
    """Smoothed states, their rates and the noise at the rows of all runs, (n_row, n_measured) each."""
    global _last
    if _last is None or _last[0] is not smoothed:
        runs = range(len(smoothed.data.runs))
        states = [smoothed.states(r) for r in runs]
        rates = [smoothed.rates(r) for r in runs]
        noise = [smoothed.noise(r) for r in runs]
        _last = smoothed, (np.concatenate(states), np.concatenate(rates), np.concatenate(noise))
    return _last[1]


def longest_lag(system: System) -> float:
    """How far laws look back, 0 where they do not."""
    return max((d.lag for d in system.delays), default=0.0)


def no_guess(data: Trajectories, system: System) -> Guess:
    """A guess that knows the samples only, for segments whose starts and noise are known otherwise."""
    m = system.n_measured
    states = np.zeros((data.n_row, len(system.states)))
    below = np.cumsum([0, *(run.n_row for run in data.runs)])
    for run, a, b in zip(data.runs, below[:-1], below[1:], strict=True):
        for k in range(m):
            known = np.isfinite(run.states[:, k])
            if known.any():
                states[a:b, k] = np.interp(run.time, run.time[known], run.states[known, k])
    return Guess(states, np.ones((data.n_row, m)), False, longest_lag(system))


def _is_rate_of(system: System, name: str) -> int | None:
    """The measured state whose rate is the hidden state ``name``, if one is."""
    wanted = Expression.variable(name)
    return next((k for k in range(system.n_measured) if system.equations[k] == wanted), None)


def cut(data: Trajectories, guess: Guess, length: int, n_measured: int) -> Segments:
    """Segments of at most ``length`` steps from moment to moment, of nearly equal length within a run."""
    run, rows = [], []
    for r, each in enumerate(data.runs):
        moments, first = np.unique(each.time, return_index=True)
        # A run that ends before the law can look back is followed from its first row, as if it had stood there before.
        begin = int(np.searchsorted(moments, moments[0] + guess.lag * (1 - ROUNDING)))
        begin = begin if begin < len(moments) - 1 else 0
        steps = len(moments) - 1 - begin
        n = max(1, math.ceil(steps / length))
        edges = begin + np.round(np.linspace(0, steps, n + 1)).astype(np.int64)
        ends = np.append(first[1:], each.n_row) - 1  # the last row of each moment
        rows.append(np.column_stack([first[edges[:-1]], ends[edges[1:]]]))
        run.append(np.full(n, r))
    return gather(data, guess, np.concatenate(run), np.concatenate(rows), n_measured)


def gather(data: Trajectories, guess: Guess, which: Rows, span: Rows, n_measured: int) -> Segments:
    """Segments of the runs ``which`` (n,) with first and last rows ``span`` (n, 2)."""
    below = np.cumsum([0, *(each.n_row for each in data.runs)])
    at = span[:, 0] + np.arange(int(np.max(span[:, 1] - span[:, 0])) + 1)[:, None]
    inside = at <= span[:, 1]
    at = np.minimum(at, span[:, 1]) + below[which]

    def spread(table: Values) -> Values:
        return np.moveaxis(table[at], 2, 1)

    samples = spread(np.concatenate([r.states[:, :n_measured] for r in data.runs]))
    known = np.isfinite(samples) & inside[:, None, :]
    time = np.concatenate([r.time for r in data.runs])[at]
    begun = np.array([r.time[0] for r in data.runs])[which]
    ended = np.array([r.time[-1] for r in data.runs])[which]
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
        at,
        inside,
        _history(data, guess, which, span[:, 0]) if guess.lag > 0 else None,
    )


def _history(data: Trajectories, guess: Guess, which: Rows, first: Rows) -> History:
    """Moments (n_past, n) up to the rows ``first`` (n,) of the runs ``which``, as far back as laws look, and states then."""
    below = np.cumsum([0, *(each.n_row for each in data.runs)])
    past = []
    for r, row in zip(which, first, strict=True):
        time = data.runs[r].time[: row + 1]
        moments, rows = np.unique(time, return_index=True)
        kept = max(int(np.searchsorted(moments, moments[-1] - guess.lag * (1 + ROUNDING), side="right")) - 2, 0)
        past.append((moments[kept:], guess.states[below[r] + rows[kept:]]))
    n = max(2, *(len(moments) for moments, _ in past)) if past else 2
    clocks, states = np.empty((n, len(past))), np.empty((n, guess.states.shape[1], len(past)))
    for s, (moments, values) in enumerate(past):
        # Before a run begins its states have always been as at its first row.
        missing = n - len(moments)
        step = guess.lag / max(n - 1, 1)
        clocks[:, s] = np.concatenate([moments[0] - step * np.arange(missing, 0, -1), moments])
        states[:, :, s] = np.vstack([np.repeat(values[:1], missing, axis=0), values])
    return clocks, states
