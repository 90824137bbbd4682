"""Events: conditions g > 0 that come true within a step, where they do, and what happens then.

Of an accepted step its dense output is looked at, at a few shares of the step, and the first crossing from g <= 0 to g > 0 is
located by bisection. The step then ends just beyond it, and assignments, all from the values there, give the state with which
the column goes on. A *clip* (``x > 2: x = 2``) besides holds its state at the bound for as long as its rate points outward.
A *wall* (``x > 2: v = -0.5*v``, where v is the rate of x) does so with both, once its events come too quickly to be followed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels.compiled import inner
from hypo.kernels.cpu.trajectories.batch import input_at
from hypo.kernels.cpu.trajectories.dormand_prince import STAGES, dense_weights
from hypo.kernels.cpu.trajectories.lanes import COLUMN, MOMENT, SAMPLE, STEP, WISH
from hypo.kernels.cpu.trajectories.laws import Desk, Laws, evaluate_one

# Shares of a step at which conditions are looked at; the first is for what jumps back at once.
_LOOKS = np.array([0.02, 0.25, 0.5, 0.75, 1.0])
# Share of a step to which a crossing is located.
_EXACT = 1e-14
# Events of a column nearer to each other than this share of its duration come quickly; so many of these in turn are chatter.
_QUICK = 1e-6
_CHATTER = 4
# After an event the next step is at most this share of the time since the event before, so that ever shorter flights are seen.
_FLIGHT = 0.25


class Events(NamedTuple):
    """``rules``: programs of conditions g (n_event of them) and then of assignments, each for the state ``target`` (n_assign,)
    at the event ``of`` (n_assign,). ``clipped`` (n_event,): the state that an event clips, or -1, at ``bound``, beyond which is
    ``outward`` (1.0: above, -1.0: below). ``rest`` (n_event, 2): for walls the events whose clips hold at rest, else -1."""

    rules: Laws
    target: NDArray
    of: NDArray
    clipped: NDArray
    bound: NDArray
    outward: NDArray
    rest: NDArray


class Watch(NamedTuple):
    """State of the events of lanes: a desk and a table for one lane; conditions where the step begins (n_event, width)
    and now; clips that hold (n_event, width); the last event's moment and the number of quick ones (width,)."""

    desk: Desk
    table: NDArray
    before: NDArray
    now: NDArray
    holds: NDArray
    last: NDArray
    quick: NDArray
    value: NDArray


@inner(error_model="numpy")
def hold_clips(events, watch, rates, n):
    """No rate of a state that a clip holds points outward; ``rates`` (n_state, stage, width) of one stage."""
    for e in range(events.clipped.shape[0]):
        if events.clipped[e] < 0:
            continue
        line = rates[events.clipped[e]]
        for lane in range(n):
            if watch.holds[e, lane] and events.outward[e] * line[lane] > 0.0:
                line[lane] = 0.0


@inner(error_model="numpy")
def _fill_table(share, laws, batch, lanes, lane, watch, weights):
    """The variables at a share of a step, into the table for one lane."""
    d, at = laws.n_state, laws.n_state + laws.n_delay
    now = lanes.numbers[MOMENT, lane] + share * lanes.numbers[STEP, lane]
    dense_weights(share, weights)
    for r in range(watch.table.shape[0]):
        watch.table[r, 0] = lanes.y[r, lane]
    for i in range(d):
        rise = 0.0
        for s in range(STAGES):
            rise += weights[s] * lanes.k[i, s, lane]
        watch.table[i, 0] = lanes.x[i, lane] + lanes.numbers[STEP, lane] * rise
    for a in range(laws.n_action):
        watch.table[at + a, 0] = input_at(
            batch, lanes.counts[COLUMN, lane], max(lanes.counts[SAMPLE, lane] - 1, 0), now, a
        )
    if laws.n_time:
        watch.table[at + laws.n_action, 0] = now


@inner(error_model="numpy")
def _look(events, watch, lane):
    """Conditions at the table; True where one comes true."""
    comes = False
    for e in range(watch.now.shape[0]):
        evaluate_one(events.rules, watch.desk, e, watch.table, 0, watch.now[e : e + 1])
        if watch.now[e] > 0.0 and not watch.before[e, lane] > 0.0:
            comes = True
    return comes


@inner(error_model="numpy")
def find_crossing(laws, batch, lanes, lane, events, watch, weights):
    """The share of a step just beyond the first crossing, 2 where there is none; the table then has the values there."""
    if watch.now.shape[0] == 0:
        return 2.0
    low = 0.0
    for s in range(_LOOKS.shape[0]):
        high = _LOOKS[s]
        _fill_table(high, laws, batch, lanes, lane, watch, weights)
        if not _look(events, watch, lane):
            for e in range(watch.now.shape[0]):
                watch.before[e, lane] = watch.now[e]
            low = high
            continue
        while high - low > _EXACT:
            middle = 0.5 * (low + high)
            _fill_table(middle, laws, batch, lanes, lane, watch, weights)
            if _look(events, watch, lane):
                high = middle
            else:
                low = middle
        _fill_table(high, laws, batch, lanes, lane, watch, weights)
        _look(events, watch, lane)
        return high
    return 2.0


@inner(error_model="numpy")
def apply_events(lanes, lane, events, watch, span, at_start):
    """Assign what happens at the table's values to ``x``, for events that come true there, or at the start for clips beyond
    their bound; returns 1 where events come too quickly one after the other."""
    n_event, d = watch.now.shape[0], lanes.most.shape[0]
    wall = -1
    for e in range(n_event):
        if events.rest[e, 0] >= 0 and watch.now[e] > 0.0 and not watch.before[e, lane] > 0.0:
            wall = e
    passed = lanes.numbers[MOMENT, lane] - watch.last[lane]
    if not at_start:
        watch.last[lane] = lanes.numbers[MOMENT, lane]
        watch.quick[lane] = watch.quick[lane] + 1 if passed < _QUICK * span else 0
    for q in range(events.target.shape[0]):
        evaluate_one(events.rules, watch.desk, n_event + q, watch.table, 0, watch.value[q : q + 1])
    for q in range(events.target.shape[0]):
        e = events.of[q]
        if watch.now[e] > 0.0 and (events.clipped[e] >= 0 if at_start else not watch.before[e, lane] > 0.0):
            lanes.x[events.target[q], lane] = watch.value[q]
            if events.clipped[e] == events.target[q]:
                watch.holds[e, lane] = True
    if wall >= 0 and watch.quick[lane] >= _CHATTER:
        watch.quick[lane] = 0
        for r in events.rest[wall]:
            lanes.x[events.clipped[r], lane] = events.bound[r]
            watch.holds[r, lane] = True
    for i in range(d):
        watch.table[i, 0] = lanes.x[i, lane]
    for e in range(n_event):
        evaluate_one(events.rules, watch.desk, e, watch.table, 0, watch.before[e, lane : lane + 1])
    if at_start:
        return 0
    lanes.numbers[WISH, lane] = min(lanes.numbers[WISH, lane], _FLIGHT * max(passed, 0.1 * _QUICK * span))
    return 1 if watch.quick[lane] >= _CHATTER else 0


@inner(error_model="numpy")
def begin_watch(laws, batch, lanes, lane, events, watch):
    """Conditions at a lane's start, and clips that hold there."""
    for e in range(watch.now.shape[0]):
        watch.holds[e, lane] = False
    watch.last[lane] = -np.inf
    watch.quick[lane] = 0
    for r in range(watch.table.shape[0]):
        watch.table[r, 0] = lanes.y[r, lane]
    at = laws.n_state + laws.n_delay
    for i in range(laws.n_state):
        watch.table[i, 0] = lanes.x[i, lane]
    for a in range(laws.n_action):
        watch.table[at + a, 0] = input_at(batch, lanes.counts[COLUMN, lane], 0, lanes.numbers[MOMENT, lane], a)
    if laws.n_time:
        watch.table[at + laws.n_action, 0] = lanes.numbers[MOMENT, lane]
    for e in range(watch.now.shape[0]):
        evaluate_one(events.rules, watch.desk, e, watch.table, 0, watch.now[e : e + 1])
    apply_events(lanes, lane, events, watch, 0.0, True)


@inner(error_model="numpy")
def release_clips(lanes, lane, events, watch):
    """Clips whose state has moved inward hold no more."""
    for e in range(events.clipped.shape[0]):
        i = events.clipped[e]
        if i >= 0 and watch.holds[e, lane] and events.outward[e] * (lanes.x[i, lane] - events.bound[e]) < 0.0:
            watch.holds[e, lane] = False
