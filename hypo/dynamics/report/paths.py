"""Recorded runs beside what the laws make of them, for pictures: paths from fitted starts, bands, and residuals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.integration.extras import History
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.courses import hold_at
from hypo.dynamics.model.rollouts.rollout import plan, roll
from hypo.dynamics.model.rollouts.sampling import POOL, far_of
from hypo.dynamics.trajectories import Run

Values = NDArray[np.float64]

# Runs that are drawn.
MOST_RUNS = 8
# Moments of a smooth curve, and the most of one.
MOMENTS = 500
MOST_MOMENTS = 3000
# The share of a run's time that a curve may cross in one straight line.
LONGEST_LINE = 0.01
# The probability of the bands.
LEVEL = 0.9
# Trajectories behind a band, and the fewest that make one.
DRAWS = 100
FEWEST_DRAWS = 20
# States that may be followed for the bands of a picture: a second or two.
MOST_STATES = 5_000_000
# Steps of a path, above which a hundred of them take too long.
MOST_STEPS = 2000


@dataclass(frozen=True)
class Band:
    """Both ends of the band of new measurements, (n, n_state) each, at the moments ``time``."""

    time: Values
    low: Values
    high: Values


@dataclass(frozen=True)
class RunPath:
    """A recorded run, and the likeliest system along it.

    Attributes:
        run: the recording.
        pieces: times (n,) and states (n, n_state), one piece for each fitted start.
        band: None where it was left out.
        residuals: (n_row, n_measured), measured minus fitted.
    """

    run: Run
    pieces: tuple[tuple[Values, Values], ...]
    band: Band | None
    residuals: Values


def follow_runs(model: ModelFields) -> tuple[RunPath, ...]:
    """The first runs of the data with fitted paths, bands and residuals."""
    runs = model.data.runs[:MOST_RUNS]
    # Of laws that look back the rows before them are past.
    grids = [_refine(model, begin_run(model.best, run, k)) for k, run in enumerate(runs)]
    coarse = [_thin(model, grid) for grid in grids]
    draws = _count_draws(model, coarse)
    out = []
    for k, (run, grid) in enumerate(zip(runs, grids, strict=True)):
        pieces, residuals = _follow_run(model, k, grid)
        out.append(RunPath(run, pieces, _find_band(model, k, coarse[k], draws) if draws else None, residuals))
    return tuple(out)


def _refine(model: ModelFields, run: Run) -> Values:
    """The moments of a run, and as many between each two of them as make a smooth curve."""
    moments = np.unique(run.time)
    gaps = len(moments) - 1
    if model.system.is_discrete or gaps < 1:
        return moments
    widest = float(np.diff(moments).max()) / float(moments[-1] - moments[0])
    parts = max(math.ceil(MOMENTS / gaps), math.ceil(widest / LONGEST_LINE))
    parts = max(min(parts, MOST_MOMENTS // gaps), 1)
    return np.asarray(np.interp(np.arange(gaps * parts + 1) / parts, np.arange(gaps + 1), moments))


def _thin(model: ModelFields, grid: Values) -> Values:
    """Fewer moments for a band, which is smooth; inputs, and laws of the next value, need all of them."""
    if model.system.is_discrete or model.actions or len(grid) <= MOMENTS:
        return grid
    return np.asarray(grid[np.unique(np.linspace(0, len(grid) - 1, MOMENTS).round().astype(int))])


def _list_starts(fitted: Calibrated, number: int, run: Run) -> Iterator[tuple[int, int, Values, History | None]]:
    """First row, last row, start and past of each stretch of a run that was followed by itself."""
    own = [s for s in fitted.segments if s.run == number]
    if not own:
        yield 0, run.n_row - 1, np.asarray(fitted.starts[number], float), None
    for s in own:
        yield s.first, s.last, np.asarray(s.start, float), s.past


def _follow_run(model: ModelFields, number: int, grid: Values) -> tuple[tuple[tuple[Values, Values], ...], Values]:
    """Pieces of the fitted path at moments of ``grid``, and residuals at the rows."""
    system, run = model.system, model.data.runs[number]
    accuracy = Accuracy(far=far_of(system, model.data))
    fitted = np.full((run.n_row, len(system.states)), np.nan)
    pieces = []
    for first, last, start, past in _list_starts(model.best, number, run):
        begin = int(np.searchsorted(grid, run.time[first]))
        end = int(np.searchsorted(grid, run.time[last], side="right"))
        time = grid[begin:end]
        inputs = hold_at(run.time, run.actions, time, system.hold) if system.actions else None
        path = follow(system, start[:, None], None, time, inputs, accuracy, past).states[:, :, 0]
        pieces.append((time, path))
        rows = np.arange(first, last + 1)
        fitted[rows] = path[np.searchsorted(time, run.time[rows])]
    return tuple(pieces), run.states - fitted[:, : system.n_measured]


def _count_draws(model: ModelFields, grids: list[Values]) -> int:
    """Trajectories that a band is made of; 0 where paths begin anew on the way, or following so many takes long."""
    best, data, n_state = model.best, model.data, len(model.states)
    if best.segments and not best.is_whole:
        return 0
    # Draws of constants are weighed along all of the data.
    weighed = POOL * data.n_row * n_state * sum(len(s.fitted.segments) > 0 for s in model.systems)
    left = MOST_STATES - weighed
    draws = min(DRAWS, left // max(2 * n_state * sum(map(len, grids)), 1))
    if draws < FEWEST_DRAWS or (not model.system.is_discrete and _takes_many_steps(model, grids[0])):
        return 0
    return int(draws)


def _takes_many_steps(model: ModelFields, grid: Values) -> bool:
    """True where an explicit integrator needs many steps, as for stiff laws."""
    system, run = model.system, model.data.runs[0]
    inputs = hold_at(run.time, run.actions, grid, system.hold) if system.actions else None
    accuracy = Accuracy(relative=1e-6, far=far_of(system, model.data), most_steps=MOST_STEPS, can_be_stiff=False)
    start = np.asarray(model.best.starts[0], float)[:, None]
    return bool(np.isfinite(follow(system, start, None, grid, inputs, accuracy).unfinished[0]))


def _find_band(model: ModelFields, number: int, grid: Values, draws: int) -> Band:
    course = plan(model, None, None, grid, begin_run(model.best, model.data.runs[number], number), ())
    found = roll(model, None, course, draws, 0, number)[0]
    return Band(grid, *found.band(LEVEL))
