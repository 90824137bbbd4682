"""Long recordings made short enough for a search: every so many-th row where states change slowly, else the first rows.

A search follows each of some hundred systems through all rows, and ten thousand of them say as much about the form of a law as
a million. Errors of its constants are those of the rows that were searched.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.trajectories import Run, Trajectories

Rows = NDArray[np.int64]

# Rows that are searched at most, and numbers in them: slopes by starts and constants take memory by states squared.
MOST_ROWS = 10_000
MOST_NUMBERS = 40_000
# The usual step from row to row, as a share of the state's range, up to which rows between two are not missed.
SLOW = 0.1
# Fewest rows of a run that is cut; with more runs than have room some runs are left out.
LEAST = 50


def most_rows(data: Trajectories) -> int:
    """Rows of the data that a search follows."""
    return min(MOST_ROWS, MOST_NUMBERS // len(data.states))


def shorten(data: Trajectories, discrete: bool = False) -> Trajectories:
    """At most so many rows as a search can follow, with a note on what was left out; the same data where they are not more.

    Neighbouring rows stay together where laws give the next value, and where inputs were recorded, whose course counts.
    """
    most, total = most_rows(data), data.n_row
    if total <= most:
        return data
    stride, said = 1, []
    if not discrete and not data.actions:
        stride = _stride(data, math.ceil(total / most))
        said += [f"every {stride}th row"] if stride > 1 else []
    runs = [_every(run, stride) for run in data.runs]
    left = sum(run.n_row for run in runs)
    if left > most:
        each = max(most // len(runs), LEAST)
        keep = max(most // each, 1)
        if keep < len(runs):
            runs = [runs[k] for k in np.unique(np.linspace(0, len(runs) - 1, keep).astype(np.int64))]
            said.append(f"{len(runs)} of {len(data.runs)} runs")
        if any(run.n_row > each for run in runs):
            runs = [run.take(np.arange(min(run.n_row, each))) for run in runs]
            said.append("the first rows" if len(runs) == 1 else "the first rows of each run")
    n = sum(run.n_row for run in runs)
    note = f"of {total} rows the laws were sought in {n}: {', '.join(said)}"
    return replace(data, runs=tuple(runs), notes=(*data.notes, note))


def _stride(data: Trajectories, most: int) -> int:
    """The largest number of rows, at most ``most``, in which no state usually changes much."""
    values = np.concatenate([run.states for run in data.runs])
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    for stride in range(most, 1, -1):
        steps = np.concatenate([np.abs(run.states[stride:] - run.states[:-stride]) for run in data.runs])
        if len(steps) and np.all(np.nanmedian(steps, axis=0) <= SLOW * spread):
            return stride
    return 1


def _every(run: Run, stride: int) -> Run:
    """The rows of every so many-th moment."""
    _, moment = np.unique(run.time, return_inverse=True)
    return run if stride == 1 else run.take(np.flatnonzero(moment % stride == 0))
