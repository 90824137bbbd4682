"""Lanes: the columns at work, how they begin, where their samples go, and how they change places."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.trajectories.batch import DONE, clock_of
from hypo.kernels.cpu.trajectories.dormand_prince import STAGES, dense_weights
from hypo.kernels.cpu.trajectories.laws import count_variables

# Rows of a lane's numbers: where the step begins, the length that the next one should have, the length and the end of this one,
# and its local error over what is allowed.
MOMENT = 0
WISH = 1
STEP = 2
END = 3
ERROR = 4

# Rows of its counts: the next sample to be written, the column, steps so far, and how many were as long as stability allows.
SAMPLE = 0
COLUMN = 1
TAKEN = 2
STIFF = 3


class Lanes(NamedTuple):
    """The columns at work, one in each lane.

    Rows of ``y`` are the table of variables and then the sensitivities; those of ``x`` (at the beginning of the step) and of
    ``k`` (slopes by stage) the states and then the sensitivities. ``most`` (n_state, width): the largest |x| so far. ``late``
    (n_state, width): argument of the last stage but one, which also lies at the end of the step. ``numbers`` (5, width),
    ``counts`` (4, width): see above.
    """

    y: NDArray
    x: NDArray
    k: NDArray
    most: NDArray
    late: NDArray
    numbers: NDArray
    counts: NDArray


@kernel(error_model="numpy")
def make_lanes(laws, m, width):
    """Empty lanes with sensitivities to ``m`` starts and parameters."""
    d = laws.n_state
    rows = d * (1 + m)
    return Lanes(
        np.zeros((count_variables(laws) + d * m, width)),
        np.zeros((rows, width)),
        np.zeros((rows, STAGES, width)),
        np.zeros((d, width)),
        np.zeros((d, width)),
        np.zeros((5, width)),
        np.zeros((4, width), np.int64),
    )


@inner(error_model="numpy")
def load(lanes, lane, column, laws, batch, samples):
    """Let a lane begin with a column."""
    d = laws.n_state
    rows = lanes.x.shape[0]
    m = rows // d - 1
    for r in range(rows):
        if r < d:
            lanes.x[r, lane] = batch.starts[r, column]
            lanes.most[r, lane] = abs(batch.starts[r, column])
        else:
            lanes.x[r, lane] = 1.0 if (r - d) // m == (r - d) % m else 0.0
    first = count_variables(laws) - laws.n_parameter
    for r in range(laws.n_parameter):
        lanes.y[first + r, lane] = batch.parameters[r, column]
    lanes.numbers[MOMENT, lane] = batch.time[clock_of(batch, column), 0]
    lanes.numbers[END, lane] = lanes.numbers[MOMENT, lane]
    lanes.numbers[STEP, lane] = 0.0
    lanes.numbers[WISH, lane] = 0.0
    lanes.counts[COLUMN, lane] = column
    lanes.counts[SAMPLE, lane] = 0
    lanes.counts[TAKEN, lane] = 0
    lanes.counts[STIFF, lane] = 0
    samples.status[column] = DONE
    samples.ended[column] = np.inf


@inner(error_model="numpy")
def move(lanes, source, lane):
    """Let a lane go on with the column of lane ``source``."""
    for r in range(lanes.y.shape[0]):
        lanes.y[r, lane] = lanes.y[r, source]
    for r in range(lanes.x.shape[0]):
        lanes.x[r, lane] = lanes.x[r, source]
        lanes.k[r, 0, lane] = lanes.k[r, 0, source]
    for i in range(lanes.most.shape[0]):
        lanes.most[i, lane] = lanes.most[i, source]
    for r in range(lanes.numbers.shape[0]):
        lanes.numbers[r, lane] = lanes.numbers[r, source]
    for r in range(lanes.counts.shape[0]):
        lanes.counts[r, lane] = lanes.counts[r, source]


@inner(error_model="numpy")
def write_samples(lanes, lane, laws, batch, samples, weights):
    """Write the samples up to the end of an accepted step, or, before the first step, those at the start."""
    d, column = laws.n_state, lanes.counts[COLUMN, lane]
    offset = count_variables(laws) - d
    clock = batch.time[clock_of(batch, column)]
    m = samples.slopes.shape[2]
    h = lanes.numbers[STEP, lane]
    while lanes.counts[SAMPLE, lane] < clock.shape[0] and clock[lanes.counts[SAMPLE, lane]] <= lanes.numbers[END, lane]:
        q = lanes.counts[SAMPLE, lane]
        is_start, is_end = clock[q] <= lanes.numbers[MOMENT, lane], clock[q] == lanes.numbers[END, lane]
        if not is_start and not is_end:
            dense_weights((clock[q] - lanes.numbers[MOMENT, lane]) / h, weights)
        for r in range(lanes.x.shape[0]):
            value = lanes.x[r, lane]
            if is_end and not is_start:
                value = lanes.y[r if r < d else r + offset, lane]
            elif not is_start:
                rise = 0.0
                for s in range(STAGES):
                    rise += weights[s] * lanes.k[r, s, lane]
                value += h * rise
            if r < d:
                samples.states[q, r, column] = value
            else:
                samples.slopes[q, (r - d) // m, (r - d) % m, column] = value
        lanes.counts[SAMPLE, lane] += 1
