"""Columns followed with steps of their own, chosen by the local error."""

from typing import NamedTuple

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evaluate import KEEP, SHARE
from hypo.kernels.cpu.rows import assign, fill
from hypo.kernels.cpu.trajectories.batch import CHATTERS, DIVERGED, NO_VALUE, TOO_MANY, clock_of, give_up, input_at
from hypo.kernels.cpu.trajectories.crossings import (
    Events,
    Watch,
    apply_events,
    begin_watch,
    find_crossing,
    hold_clips,
    release_clips,
)
from hypo.kernels.cpu.trajectories.delays import Delays, Memory, former_value, has_room, lag_of, longest_step, remember
from hypo.kernels.cpu.trajectories.dormand_prince import MOMENTS, STAGES, add_error, advance
from hypo.kernels.cpu.trajectories.lanes import (
    COLUMN,
    END,
    ERROR,
    MOMENT,
    SAMPLE,
    STEP,
    STIFF,
    TAKEN,
    WISH,
    load,
    make_lanes,
    move,
    write_samples,
)
from hypo.kernels.cpu.trajectories.laws import carry_slopes, count_variables, evaluate_one, find_slopes, make_desk

# Lanes of a block: enough to share the interpreter's work, few enough that stages stay in the first cache level.
LANES = 64
# The same with sensitivities or delays, which need much more room.
FEW_LANES = 16
# Steps of a lane that are kept for delays.
_KEPT = 20_000

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

# Product of step and largest eigenvalue at the edge of stability; so many such steps are a sign, if so many more are to come.
_EDGE = 3.25
_STIFF = 15
_MANY = 1000.0

# What became of a lane's step: the column goes on, goes on from a state that its last stage does not belong to, or is done.
_GOES_ON = 0
_JUMPED = 1
_ENDED = 2


class Extras(NamedTuple):
    """Delays and events, in kernels for systems that have any; the plain ones get None instead."""

    delays: Delays
    memory: Memory
    events: Events
    watch: Watch


@inner(error_model="numpy")
def _find_rates(s, laws, desk, batch, lanes, slopes, extras, n):
    """Slopes of stage s of the first n lanes, whose arguments stand in ``y``."""
    d, at = laws.n_state, laws.n_state + laws.n_delay
    if laws.n_delay + laws.n_action + laws.n_time > 0:
        for lane in range(n):
            now = lanes.numbers[MOMENT, lane] + (MOMENTS[s] * lanes.numbers[STEP, lane] if s > 0 else 0.0)
            if extras is not None:
                for q in range(laws.n_delay):
                    moment = now - lag_of(extras.delays, q, lanes.counts[COLUMN, lane])
                    lanes.y[d + q, lane] = former_value(extras.delays, extras.memory, batch, lanes, lane, q, moment)
            for a in range(laws.n_action):
                piece = max(lanes.counts[SAMPLE, lane] - 1, 0)
                lanes.y[at + a, lane] = input_at(batch, lanes.counts[COLUMN, lane], piece, now, a)
            if laws.n_time:
                lanes.y[at + laws.n_action, lane] = now
    for e in range(d):
        evaluate_one(laws, desk, e, lanes.y, 0, lanes.k[e, s, :n])
    if extras is not None:
        hold_clips(extras.events, extras.watch, lanes.k[:, s], n)
    if lanes.x.shape[0] > d:
        find_slopes(laws, desk, lanes.y, lanes.k[:d, s, :n], slopes)
        carry_slopes(laws, desk, slopes, lanes.y[count_variables(laws) :], lanes.k[d:, s], n)


@inner(error_model="numpy")
def _first_wish(laws, lanes, lane, span):
    """A first step for a column whose rates are known."""
    size, speed = 0.0, 0.0
    for i in range(laws.n_state):
        scale = max(lanes.most[i, lane], _TINY)
        size += (lanes.x[i, lane] / scale) ** 2
        speed += (lanes.k[i, 0, lane] / scale) ** 2
    h = _FIRST * np.sqrt(size / speed) if size > 0.0 and speed > 0.0 else 1e-4 * span
    return min(max(h, 1e-8 * span), span)


@inner(error_model="numpy")
def _begin_step(laws, batch, lanes, extras, n):
    """Choose each lane's step: what it wishes, but not beyond the end, nor, with inputs, beyond the next sample."""
    last = batch.time.shape[1] - 1
    for lane in range(n):
        clock = batch.time[clock_of(batch, lanes.counts[COLUMN, lane])]
        if not lanes.numbers[WISH, lane] > 0.0:
            lanes.numbers[WISH, lane] = _first_wish(laws, lanes, lane, clock[last] - clock[0])
        stop = clock[lanes.counts[SAMPLE, lane]] if laws.n_action > 0 else clock[last]
        if extras is not None:
            column = lanes.counts[COLUMN, lane]
            stop = longest_step(extras.delays, column, lanes.numbers[MOMENT, lane], clock[0], stop)
        left = stop - lanes.numbers[MOMENT, lane]
        # A rest that would be tiny is taken along.
        reaches = lanes.numbers[WISH, lane] * 1.01 >= left
        lanes.numbers[STEP, lane] = left if reaches else lanes.numbers[WISH, lane]
        lanes.numbers[END, lane] = stop if reaches else lanes.numbers[MOMENT, lane] + lanes.numbers[WISH, lane]


@inner(error_model="numpy")
def _take_stages(laws, desk, batch, lanes, slopes, extras, n):
    """All stages of a step of the first n lanes; ``y`` then holds its end."""
    d, offset = laws.n_state, count_variables(laws) - laws.n_state
    for s in range(1, STAGES):
        for r in range(lanes.x.shape[0]):
            advance(s, lanes.k[r], lanes.x[r], lanes.numbers[STEP], lanes.y[r if r < d else r + offset], n)
        if s == STAGES - 2:
            for i in range(d):
                assign(lanes.late[i, :n], lanes.y[i])
        _find_rates(s, laws, desk, batch, lanes, slopes, extras, n)


@inner(error_model="numpy")
def _find_errors(relative, lanes, n):
    """Local errors of the step of the first n lanes over what is allowed."""
    d = lanes.most.shape[0]
    total = lanes.numbers[ERROR, :n]
    fill(total, 0.0)
    for i in range(d):
        add_error(lanes.k[i], lanes.numbers[STEP], lanes.x[i], lanes.y[i], lanes.most[i], relative, total)
    for lane in range(n):
        total[lane] = np.sqrt(total[lane] / d)


@inner(error_model="numpy")
def _is_lost(lanes, lane, far):
    """True where the end of a step is no number, or far beyond all bounds."""
    d, rows = lanes.most.shape[0], lanes.x.shape[0]
    offset = lanes.y.shape[0] - rows
    for i in range(d):
        if not abs(lanes.y[i, lane]) <= far[i]:
            return True
    for r in range(rows):
        if (
            not abs(lanes.k[r, STAGES - 1, lane]) < np.inf
            or not abs(lanes.y[r if r < d else r + offset, lane]) < np.inf
        ):
            return True
    return False


@inner(error_model="numpy")
def _is_stiff(lanes, lane, left):
    """True where step after step is as long as stability allows, and many are left.

    Both last stages lie at the end of the step, so |Δk|/|Δy| estimates the largest eigenvalue (E. Hairer, G. Wanner, *Solving
    Ordinary Differential Equations II*, section IV.2).
    """
    rates, values = 0.0, 0.0
    for i in range(lanes.most.shape[0]):
        rates += (lanes.k[i, STAGES - 1, lane] - lanes.k[i, STAGES - 2, lane]) ** 2
        values += (lanes.y[i, lane] - lanes.late[i, lane]) ** 2
    h = lanes.numbers[STEP, lane]
    if values > 0.0 and h * np.sqrt(rates / values) > _EDGE:
        lanes.counts[STIFF, lane] += 1
    elif lanes.counts[STIFF, lane] > 0:
        lanes.counts[STIFF, lane] -= 1
    return lanes.counts[STIFF, lane] >= _STIFF and left > _MANY * h


@inner(error_model="numpy")
def _choose_wish(lanes, lane):
    """The next step's length by the error of this one; True where this one is accepted."""
    h, error = lanes.numbers[STEP, lane], lanes.numbers[ERROR, lane]
    factor = _SHRINK
    if abs(error) < np.inf:
        factor = min(max(_SAFETY * error**-0.2, _SHRINK), _GROW) if error > 0.0 else _GROW
    if not error <= 1.0:
        lanes.numbers[WISH, lane] = h * min(factor, _SAFETY)
        return False
    # A step that was cut short says nothing against what was wished.
    was_cut = h < lanes.numbers[WISH, lane]
    lanes.numbers[WISH, lane] = max(lanes.numbers[WISH, lane], h * factor) if was_cut else h * factor
    return True


@inner(error_model="numpy")
def _end_step(laws, batch, control, lanes, lane, samples, weights, extras):
    """Accept or refuse a lane's step; returns what became of it."""
    column = lanes.counts[COLUMN, lane]
    clock = batch.time[clock_of(batch, column)]
    last = clock[clock.shape[0] - 1]
    span = last - clock[0]
    lanes.counts[TAKEN, lane] += 1
    became = _GOES_ON
    if not _choose_wish(lanes, lane):
        if lanes.numbers[WISH, lane] <= _LEAST * max(abs(lanes.numbers[MOMENT, lane]), span):
            why = DIVERGED if abs(lanes.numbers[ERROR, lane]) < np.inf else NO_VALUE
            give_up(samples, column, lanes.counts[SAMPLE, lane], lanes.numbers[MOMENT, lane], why)
            return _ENDED
    elif _is_lost(lanes, lane, control.far):
        give_up(samples, column, lanes.counts[SAMPLE, lane], lanes.numbers[END, lane], DIVERGED)
        return _ENDED
    else:
        if control.seek_stiff and _is_stiff(lanes, lane, last - lanes.numbers[END, lane]):
            lanes.counts[TAKEN, lane] = control.most_steps
        became = _accept(laws, batch, lanes, lane, samples, weights, extras)
        if lanes.counts[SAMPLE, lane] == clock.shape[0]:
            return _ENDED
        if became == _ENDED:
            give_up(samples, column, lanes.counts[SAMPLE, lane], lanes.numbers[MOMENT, lane], CHATTERS)
            return _ENDED
    is_full = False
    if extras is not None:
        is_full = laws.n_delay > 0 and not has_room(extras.memory, lane)
    if is_full or lanes.counts[TAKEN, lane] >= control.most_steps:
        give_up(samples, column, lanes.counts[SAMPLE, lane], lanes.numbers[MOMENT, lane], TOO_MANY)
        return _ENDED
    return became


@inner(error_model="numpy")
def _accept(laws, batch, lanes, lane, samples, weights, extras):
    """Go on from the end of a step, or from the first event within it; ``_ENDED`` where events come too quickly."""
    d, offset = laws.n_state, count_variables(laws) - laws.n_state
    has_event = False
    if extras is not None:
        watch = extras.watch
        share = find_crossing(laws, batch, lanes, lane, extras.events, watch, weights)
        has_event = share <= 1.0
        if has_event:
            lanes.numbers[END, lane] = lanes.numbers[MOMENT, lane] + share * lanes.numbers[STEP, lane]
            for i in range(d):
                lanes.y[i, lane] = watch.table[i, 0]
    write_samples(lanes, lane, laws, batch, samples, weights)
    if extras is not None:
        remember(extras.delays, extras.memory, lanes, lane)
    lanes.numbers[MOMENT, lane] = lanes.numbers[END, lane]
    for i in range(d):
        lanes.most[i, lane] = max(lanes.most[i, lane], abs(lanes.y[i, lane]))
    for r in range(lanes.x.shape[0]):
        lanes.x[r, lane] = lanes.y[r if r < d else r + offset, lane]
        lanes.k[r, 0, lane] = lanes.k[r, STAGES - 1, lane]
    if extras is not None:
        release_clips(lanes, lane, extras.events, extras.watch)
        if has_event:
            clock = batch.time[clock_of(batch, lanes.counts[COLUMN, lane])]
            span = clock[clock.shape[0] - 1] - clock[0]
            return _ENDED if apply_events(lanes, lane, extras.events, extras.watch, span, False) else _JUMPED
    return _GOES_ON


@inner(error_model="numpy")
def _move(lanes, source, lane, extras):
    """Let a lane go on with what lane ``source`` does."""
    if source == lane:
        return
    move(lanes, source, lane)
    if extras is not None:
        slot, watch = extras.memory.slot, extras.watch
        slot[lane], slot[source] = slot[source], slot[lane]
        watch.last[lane] = watch.last[source]
        watch.quick[lane] = watch.quick[source]
        for e in range(watch.now.shape[0]):
            watch.before[e, lane] = watch.before[e, source]
            watch.holds[e, lane] = watch.holds[e, source]


@inner(error_model="numpy")
def _load(laws, batch, lanes, lane, column, samples, weights, extras):
    """Let a lane begin with a column, and write its samples at the start."""
    load(lanes, lane, column, laws, batch, samples)
    if extras is not None:
        extras.memory.filled[extras.memory.slot[lane]] = 0
        begin_watch(laws, batch, lanes, lane, extras.events, extras.watch)
    write_samples(lanes, lane, laws, batch, samples, weights)


@kernel(error_model="numpy")
def _make_extras(laws, width, most_steps, delays, events):
    """Room for delays and events."""
    n_event = events.clipped.shape[0]
    kept = min(most_steps, _KEPT) if laws.n_delay > 0 else 0
    memory = Memory(
        np.empty((width, kept)),
        np.empty((width, kept)),
        np.empty((width, kept, laws.n_delay, 5)),
        np.arange(width),
        np.zeros(width, np.int64),
    )
    watch = Watch(
        make_desk(events.rules, 1, SHARE),
        np.zeros((count_variables(laws), 1)),
        np.zeros((n_event, width)),
        np.zeros(n_event),
        np.zeros((n_event, width), np.bool_),
        np.zeros(width),
        np.zeros(width, np.int64),
        np.zeros(events.target.shape[0]),
    )
    return Extras(delays, memory, events, watch)


@kernel(error_model="numpy", nogil=True)
def follow_adaptive(laws, batch, control, samples):
    """Follow all columns of a system without delays and events to all moments."""
    _follow(laws, batch, control, samples, LANES, None)


@kernel(error_model="numpy", nogil=True)
def follow_with_extras(laws, batch, control, samples, delays, events):
    """Follow all columns of a system with delays or events to all moments."""
    width = min(FEW_LANES, batch.starts.shape[1])
    extras = _make_extras(laws, width, control.most_steps, delays, events)
    _follow(laws, batch, control, samples, FEW_LANES, extras)


@kernel(error_model="numpy", nogil=True)
def _follow(laws, batch, control, samples, most_lanes, extras):
    m = samples.slopes.shape[2]
    n_column, n_time = batch.starts.shape[1], batch.time.shape[1]
    width = min(FEW_LANES if m > 0 else most_lanes, n_column)
    desk = make_desk(laws, width, KEEP if m > 0 else SHARE)
    lanes = make_lanes(laws, m, width)
    slopes = np.zeros((laws.n_state, count_variables(laws) if m > 0 else 0, width))
    weights = np.empty(STAGES)
    d, offset = laws.n_state, count_variables(laws) - laws.n_state
    n, queued, is_stale = 0, 0, False
    while True:
        while n < width and queued < n_column:
            _load(laws, batch, lanes, n, queued, samples, weights, extras)
            queued += 1
            is_stale = True
            n += 1 if lanes.counts[SAMPLE, n] < n_time else 0
        if n == 0:
            break
        if is_stale or batch.has_jumps:
            for r in range(lanes.x.shape[0]):
                assign(lanes.y[r if r < d else r + offset, :n], lanes.x[r])
            _find_rates(np.int64(0), laws, desk, batch, lanes, slopes, extras, n)
            is_stale = False
        _begin_step(laws, batch, lanes, extras, n)
        _take_stages(laws, desk, batch, lanes, slopes, extras, n)
        _find_errors(control.relative, lanes, n)
        for lane in range(n - 1, -1, -1):
            became = _end_step(laws, batch, control, lanes, lane, samples, weights, extras)
            is_stale = is_stale or became == _JUMPED
            if became == _ENDED:
                n -= 1
                _move(lanes, n, lane, extras)
