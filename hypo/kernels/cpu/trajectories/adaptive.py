"""Columns followed with steps of their own, chosen by the local error."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evaluate import KEEP, SHARE
from hypo.kernels.cpu.rows import fill
from hypo.kernels.cpu.trajectories.batch import DIVERGED, DONE, TOO_MANY, clock_of, give_up, input_at
from hypo.kernels.cpu.trajectories.dormand_prince import MOMENTS, STAGES, add_error, advance, dense_weights
from hypo.kernels.cpu.trajectories.laws import carry_slopes, count_variables, evaluate_one, find_slopes, make_desk

# Lanes of a block: enough to share the interpreter's work, few enough that stages stay in the first cache level.
LANES = 64
# The same with sensitivities, which need many more rows.
LANES_WITH_SLOPES = 16

# Bounds on the change of a step, and the share of the step that the local error would allow.
_GROW = 6.0
_SHRINK = 0.2
_SAFETY = 0.9
# Least step as a share of the moment and of the duration: below, the column cannot be followed on.
_LEAST = 1e-15
# Scale of a state that was zero so far.
_TINY = 1e-300
# First step, as a share of the time in which a state would change by its own size.
_FIRST = 0.01


class Lanes(NamedTuple):
    """The columns at work. Rows of ``y`` are the table of variables and then the sensitivities; those of ``x`` (state at the
    beginning of the step) and ``k`` (slopes by stage) the states and then the sensitivities. ``end``: where the step ends. ``most`` (n_state, width): the
    largest |x| so far, the scale of a state."""

    y: NDArray
    x: NDArray
    k: NDArray
    moment: NDArray
    wish: NDArray
    step: NDArray
    end: NDArray
    most: NDArray
    sample: NDArray
    column: NDArray
    taken: NDArray
    error: NDArray


@inner(error_model="numpy")
def _load(lanes, lane, column, laws, batch, samples):
    """Let a lane begin with a column; samples at the first moment are its start."""
    d = laws.n_state
    rows = lanes.x.shape[0]
    m = rows // d - 1
    for r in range(rows):
        if r < d:
            lanes.x[r, lane] = batch.starts[r, column]
            lanes.most[r, lane] = abs(batch.starts[r, column])
        else:
            i, j = (r - d) // m, (r - d) % m
            lanes.x[r, lane] = 1.0 if i == j else 0.0
    first = count_variables(laws) - laws.n_parameter
    for r in range(laws.n_parameter):
        lanes.y[first + r, lane] = batch.parameters[r, column]
    lanes.moment[lane] = batch.time[clock_of(batch, column), 0]
    lanes.end[lane] = lanes.moment[lane]
    lanes.step[lane] = 0.0
    lanes.wish[lane] = 0.0
    lanes.column[lane] = column
    lanes.sample[lane] = 0
    lanes.taken[lane] = 0
    samples.status[column] = DONE
    samples.ended[column] = np.inf


@inner(error_model="numpy")
def _move(lanes, source, lane):
    """Let lane lane go on with what lane ``source`` does."""
    if source == lane:
        return
    for r in range(lanes.y.shape[0]):
        lanes.y[r, lane] = lanes.y[r, source]
    for r in range(lanes.x.shape[0]):
        lanes.x[r, lane] = lanes.x[r, source]
        lanes.k[r, 0, lane] = lanes.k[r, 0, source]
    for i in range(lanes.most.shape[0]):
        lanes.most[i, lane] = lanes.most[i, source]
    lanes.moment[lane] = lanes.moment[source]
    lanes.wish[lane] = lanes.wish[source]
    lanes.column[lane] = lanes.column[source]
    lanes.sample[lane] = lanes.sample[source]
    lanes.taken[lane] = lanes.taken[source]


@inner(error_model="numpy")
def _find_rates(s, laws, desk, batch, lanes, J, n):
    """Slopes of stage s of the first n lanes, whose arguments stand in ``y``."""
    d = laws.n_state
    at = d + laws.n_delay
    for lane in range(n):
        now = lanes.moment[lane] + (MOMENTS[s] * lanes.step[lane] if s > 0 else 0.0)
        for a in range(laws.n_action):
            lanes.y[at + a, lane] = input_at(batch, lanes.column[lane], max(lanes.sample[lane] - 1, 0), now, a)
        if laws.n_time:
            lanes.y[at + laws.n_action, lane] = now
    for e in range(d):
        evaluate_one(laws, desk, e, lanes.y, 0, lanes.k[e, s, :n])
    if lanes.x.shape[0] > d:
        find_slopes(laws, desk, lanes.y, lanes.k[:d, s, :n], J)
        carry_slopes(laws, desk, J, lanes.y[count_variables(laws) :], lanes.k[d:, s], n)


@inner(error_model="numpy")
def _begin_step(laws, batch, control, lanes, n):
    """Choose each lane's step: what it wishes, but not beyond the end, nor, with inputs, beyond the next sample."""
    d = laws.n_state
    n_time = batch.time.shape[1]
    for lane in range(n):
        clock = batch.time[clock_of(batch, lanes.column[lane])]
        if lanes.wish[lane] <= 0.0:
            size, speed = 0.0, 0.0
            for i in range(d):
                scale = max(lanes.most[i, lane], _TINY)
                size += (lanes.x[i, lane] / scale) ** 2
                speed += (lanes.k[i, 0, lane] / scale) ** 2
            span = clock[n_time - 1] - clock[0]
            h = _FIRST * np.sqrt(size / speed) if size > 0.0 and speed > 0.0 else 1e-4 * span
            lanes.wish[lane] = min(max(h, 1e-8 * span), span)
        stop = clock[lanes.sample[lane]] if laws.n_action > 0 else clock[n_time - 1]
        left = stop - lanes.moment[lane]
        # A rest that would be tiny is taken along.
        reaches = lanes.wish[lane] * 1.01 >= left
        lanes.step[lane] = left if reaches else lanes.wish[lane]
        lanes.end[lane] = stop if reaches else lanes.moment[lane] + lanes.wish[lane]


@inner(error_model="numpy")
def _take_stages(laws, desk, batch, control, lanes, J, n):
    """All stages of a step of the first n lanes; ``y`` holds its end, ``error`` its local error over what is allowed."""
    d, offset = laws.n_state, count_variables(laws) - laws.n_state
    for s in range(1, STAGES):
        for r in range(lanes.x.shape[0]):
            advance(s, lanes.k[r], lanes.x[r], lanes.step, lanes.y[r if r < d else r + offset], n)
        _find_rates(s, laws, desk, batch, lanes, J, n)
    total = lanes.error[:n]
    fill(total, 0.0)
    for i in range(d):
        add_error(lanes.k[i], lanes.step, lanes.x[i], lanes.y[i], lanes.most[i], control.relative, total)
    for lane in range(n):
        total[lane] = np.sqrt(total[lane] / d)


@inner(error_model="numpy")
def _write_samples(lanes, lane, laws, batch, samples, weights):
    """Write the samples up to the end of an accepted step, or, before the first step, those at the start."""
    d, column = laws.n_state, lanes.column[lane]
    offset = count_variables(laws) - d
    clock = batch.time[clock_of(batch, column)]
    m = samples.slopes.shape[2]
    h = lanes.step[lane]
    while lanes.sample[lane] < clock.shape[0] and clock[lanes.sample[lane]] <= lanes.end[lane]:
        q = lanes.sample[lane]
        is_start, is_end = clock[q] <= lanes.moment[lane], clock[q] == lanes.end[lane]
        if not is_start and not is_end:
            dense_weights((clock[q] - lanes.moment[lane]) / h, weights)
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
        lanes.sample[lane] += 1


@inner(error_model="numpy")
def _is_lost(lanes, lane, control, d, offset):
    """True where the end of a step is no number, or far beyond all bounds."""
    for i in range(d):
        if not abs(lanes.y[i, lane]) <= control.far[i] or not abs(lanes.k[i, STAGES - 1, lane]) < np.inf:
            return True
    for r in range(d, lanes.x.shape[0]):
        if not abs(lanes.y[r + offset, lane]) < np.inf:
            return True
    return False


@inner(error_model="numpy")
def _end_step(laws, batch, control, lanes, lane, samples, weights):
    """Accept or refuse a lane's step; returns 1 where its column is done."""
    d, offset = laws.n_state, count_variables(laws) - laws.n_state
    clock = batch.time[clock_of(batch, lanes.column[lane])]
    last = clock[clock.shape[0] - 1]
    h, error = lanes.step[lane], lanes.error[lane]
    lanes.taken[lane] += 1
    is_number = abs(error) < np.inf
    factor = _SAFETY * error**-0.2 if is_number and error > 0.0 else (_GROW if is_number else _SHRINK)
    factor = min(max(factor, _SHRINK), _GROW)
    if not is_number or error > 1.0:
        lanes.wish[lane] = h * min(factor, 1.0)
        if lanes.wish[lane] <= _LEAST * max(abs(lanes.moment[lane]), last - clock[0]):
            give_up(samples, lanes.column[lane], lanes.sample[lane], lanes.moment[lane], DIVERGED)
            return 1
    elif _is_lost(lanes, lane, control, d, offset):
        give_up(samples, lanes.column[lane], lanes.sample[lane], lanes.end[lane], DIVERGED)
        return 1
    else:
        _write_samples(lanes, lane, laws, batch, samples, weights)
        cut_short = h < lanes.wish[lane]
        lanes.wish[lane] = max(lanes.wish[lane], h * factor) if cut_short else h * factor
        lanes.moment[lane] = lanes.end[lane]
        for i in range(d):
            lanes.most[i, lane] = max(lanes.most[i, lane], abs(lanes.y[i, lane]))
        for r in range(lanes.x.shape[0]):
            lanes.x[r, lane] = lanes.y[r if r < d else r + offset, lane]
            lanes.k[r, 0, lane] = lanes.k[r, STAGES - 1, lane]
        if lanes.sample[lane] == clock.shape[0]:
            return 1
    if lanes.taken[lane] >= control.most_steps:
        give_up(samples, lanes.column[lane], lanes.sample[lane], lanes.moment[lane], TOO_MANY)
        return 1
    return 0


@kernel(error_model="numpy", nogil=True)
def follow_adaptive(laws, batch, control, samples):
    """Follow all columns to all moments."""
    d, m = laws.n_state, samples.slopes.shape[2]
    n_column, n_variable = batch.starts.shape[1], count_variables(laws)
    width = min(LANES_WITH_SLOPES if m > 0 else LANES, n_column)
    desk = make_desk(laws, width, KEEP if m > 0 else SHARE)
    rows = d * (1 + m)
    J = np.zeros((d, n_variable if m > 0 else 0, width))
    numbers = np.zeros((5, width))
    counts = np.zeros((3, width), np.int64)
    lanes = Lanes(
        np.zeros((n_variable + d * m, width)),
        np.zeros((rows, width)),
        np.zeros((rows, STAGES, width)),
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        np.zeros((d, width)),
        counts[0],
        counts[1],
        counts[2],
        numbers[4],
    )
    weights = np.empty(STAGES)
    n, queued, stale = 0, 0, False
    while True:
        while n < width and queued < n_column:
            _load(lanes, n, queued, laws, batch, samples)
            _write_samples(lanes, n, laws, batch, samples, weights)
            queued += 1
            stale = True
            n += 1 if lanes.sample[n] < batch.time.shape[1] else 0
        if n == 0:
            break
        if stale or batch.has_jumps:
            for r in range(rows):
                line = lanes.y[r if r < d else r + n_variable - d]
                for lane in range(n):
                    line[lane] = lanes.x[r, lane]
            _find_rates(0, laws, desk, batch, lanes, J, n)
            stale = False
        _begin_step(laws, batch, control, lanes, n)
        _take_stages(laws, desk, batch, control, lanes, J, n)
        for lane in range(n - 1, -1, -1):
            if _end_step(laws, batch, control, lanes, lane, samples, weights):
                n -= 1
                _move(lanes, n, lane)
