"""Constants of walls and bounds, once the laws between them are fitted.

At an impact the path of the piece before it, followed on, and that of the piece after it, followed back, meet: the moment at
which they do, the position there, and the speeds of both are functions of constants and starts, which are drawn from their
joint normal distribution. Of n impacts the place and the share are

    place = Σ w_j y_j/Σ w_j,  w_j = 1/var y_j,        share = -Σ u_j v_j⁻ v_j⁺/Σ u_j (v_j⁻)²,  u_j = 1/var(v_j⁺ + share·v_j⁻),

and their errors are those over the draws, times √(χ²/(n - 1)) where impacts differ by more than that.

A stretch of equal extreme samples is a state that is held, or an instrument that reads no further. Both are followed on from
the piece before to the end of the one after: the one that comes nearer to the samples there is it. A wall, too, must come
nearer than the law alone, which may hold a repulsion that turns the state back by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated, Segment, root_of, starts_given
from hypo.dynamics.contacts.cut import Contact, Suspect
from hypo.dynamics.contacts.found import PLACE, SHARE, FoundEvent
from hypo.dynamics.integration.events import Event
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]

# Draws from which errors are taken; the first one is the fit itself.
DRAWS = 200
# Steps in which paths are followed through the gap of an impact, and shares of it beyond either end.
STEPS = 48
BEYOND = 0.5
# How paths are followed: draws that are stiff or need many steps tell nothing.
QUICKLY = Accuracy(relative=1e-7, most_steps=5000, can_be_stiff=False)
# Draws that must be left.
LEAST_DRAWS = 20
# Share that is sent back, at most: more is no wall.
MOST = 1.5


def settle(
    fitted: Calibrated, data: Trajectories, suspects: Sequence[Suspect]
) -> tuple[tuple[FoundEvent, ...], tuple[str, ...]]:
    """Events with their constants, and sentences on stretches that are no events.

    Args:
        fitted: the likeliest system.
        data: the pieces that it was fitted to.
        suspects: what these were cut for.
    """
    found, remarks = [], []
    with np.errstate(all="ignore"):
        for s in suspects:
            event = _bound(fitted, data, s) if s.speed is None else _wall(fitted, data, s)
            if event is not None:
                found.append(event)
            elif s.speed is None:
                name = data.states[s.state]
                remarks.append(
                    f"{name} reads {s.place:.6g} in long stretches and goes on as if nothing had held it: an instrument that "
                    "reads no further; these rows were left out"
                )
    return tuple(found), tuple(remarks)


def _wall(fitted: Calibrated, data: Trajectories, s: Suspect) -> FoundEvent | None:
    system = fitted.system
    j = system.states.index(s.speed or "")
    rng = np.random.default_rng(0)
    P = _draw(system.parameters, fitted.covariance, rng)
    impacts = [_impact(fitted, data, c, s.state, j, P, rng) for c in s.contacts]
    known = [i for i in impacts if i is not None]
    if not known:
        return None
    drawn = np.array(known)  # (n_impact, 3, DRAWS)
    whole = np.isfinite(drawn).all(axis=(0, 1))
    if not whole[0] or whole.sum() < LEAST_DRAWS:
        return None
    y, before, after = np.moveaxis(drawn[:, :, whole], 1, 0)
    w = 1.0 / np.maximum(np.var(y, axis=1), 1e-300)
    place = w @ y / w.sum()
    first = -np.sum(before[:, 0] * after[:, 0]) / np.sum(before[:, 0] ** 2)
    u = 1.0 / np.maximum(np.var(after + first * before, axis=1), 1e-300)
    share = -(u @ (before * after)) / (u @ before**2)
    if not (np.isfinite(place).all() and 0 < share[0] <= MOST):
        return None
    rest = after[:, 0] + share[0] * before[:, 0]
    constants = {
        PLACE: (float(place[0]), float(np.std(place)) * _inflation(w, y[:, 0] - place[0])),
        SHARE: (float(share[0]), float(np.std(share)) * _inflation(u, rest)),
    }
    found = FoundEvent(data.states[s.state], s.is_above, s.speed, constants, len(s.contacts))
    return found if _helps(found, fitted, data, s.contacts) else None


def _inflation(weights: Values, residuals: Values) -> float:
    """√(χ²/(n - 1)), where above 1."""
    n = len(residuals)
    return float(np.sqrt(max(1.0, float(weights @ residuals**2) / (n - 1)))) if n > 1 else 1.0


def _draw(centre: Values, covariance: Values, rng: np.random.Generator) -> Values:
    """Draws (n, DRAWS) of a normal distribution, the centre itself first."""
    z = rng.standard_normal((len(centre), DRAWS))
    z[:, :1] = 0.0
    return np.asarray(centre[:, None] + root_of(covariance) @ z)


def _impact(
    fitted: Calibrated, data: Trajectories, contact: Contact, k: int, j: int, P: Values, rng: np.random.Generator
) -> tuple[Values, Values, Values] | None:
    """Position, speed before and speed after (DRAWS,) of one impact; None where paths do not meet."""
    left, right = (
        [s for s in fitted.segments if s.run == contact.before],
        [s for s in fitted.segments if s.run == contact.after],
    )
    if not left or not right:
        return None
    a, b = max(left, key=lambda s: s.last), min(right, key=lambda s: s.first)
    before, after = data.runs[a.run], data.runs[b.run]
    begin, end = float(before.time[a.last]), float(after.time[b.first])
    reach = BEYOND * (end - begin)
    time = np.linspace(begin - reach, end + reach, STEPS + 1)
    actions = _between(before, a.last, after, b.first, time)
    x, y = _starts(fitted, a, P, rng), _starts(fitted, b, P, rng)
    rows = slice(a.first, a.last + 1)
    inputs = before.actions[rows] if fitted.system.actions else None
    x = follow(fitted.system, x, P, before.time[rows], inputs, QUICKLY).states[-1]
    forth = _stepped(fitted.system, x, P, begin, time, actions)
    back = _stepped(fitted.system, y, P, end, time, actions)
    distance = forth[:, k] - back[:, k]  # (STEPS + 1, DRAWS)
    turns = distance[:-1] * distance[1:] <= 0
    if not turns[:, 0].any():
        return None
    # The crossing nearest to the middle of the gap.
    middle = np.abs(np.arange(STEPS) - STEPS / 2)
    at = np.argmin(np.where(turns, middle[:, None], np.inf), axis=0)
    n = np.arange(distance.shape[1])
    share = distance[at, n] / (distance[at, n] - distance[at + 1, n])

    def there(path: Values, i: int) -> Values:
        met = path[at, i, n] + share * (path[at + 1, i, n] - path[at, i, n])
        return np.where(turns.any(axis=0), met, np.nan)

    return there(forth, k), there(forth, j), there(back, j)


def _starts(fitted: Calibrated, segment: Segment, P: Values, rng: np.random.Generator) -> Values:
    means, covariance = starts_given(segment, fitted, P)
    return means + _draw(np.zeros(len(means)), covariance, rng)


def _between(before: Run, last: int, after: Run, first: int, time: Values) -> Values:
    """Inputs (n_action, n_time) in a gap, on straight lines."""
    ends = np.array([before.time[last], after.time[first]])
    values = np.array([before.actions[last], after.actions[first]])
    return np.array([np.interp(time, ends, u) for u in values.T]).reshape(values.shape[1], len(time))


def _stepped(system: System, x: Values, P: Values, begin: float, time: Values, actions: Values) -> Values:
    """Paths (n_time, n_state, n) through states x (n_state, n) at ``begin``, forward and back, by steps of Runge and Kutta."""
    out = np.empty((len(time), *x.shape))
    start = int(np.argmin(np.abs(time - begin)))

    def rate(t: float, state: Values) -> Values:
        u = np.array([np.interp(t, time, a) for a in actions]).reshape(len(actions), 1)
        clock = [np.full((1, x.shape[1]), t)] if system.time else []
        return system.rates(np.vstack([state, np.repeat(u, x.shape[1], axis=1), *clock]), P)

    def step(t: float, h: float, state: Values) -> Values:
        k1 = rate(t, state)
        k2 = rate(t + h / 2, state + h / 2 * k1)
        k3 = rate(t + h / 2, state + h / 2 * k2)
        k4 = rate(t + h, state + h * k3)
        return np.asarray(state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))

    out[start] = step(begin, time[start] - begin, x)
    for i in range(start, len(time) - 1):
        out[i + 1] = step(time[i], time[i + 1] - time[i], out[i])
    for i in range(start, 0, -1):
        out[i - 1] = step(time[i], time[i - 1] - time[i], out[i])
    return out


def _bound(fitted: Calibrated, data: Trajectories, s: Suspect) -> FoundEvent | None:
    """The event of a state that is held; None where the samples say that it goes on unseen."""
    name = data.states[s.state]
    found = FoundEvent(name, s.is_above, None, {PLACE: (s.place, 0.0)}, len(s.contacts))
    return found if _helps(found, fitted, data, s.contacts) else None


def _helps(found: FoundEvent, fitted: Calibrated, data: Trajectories, contacts: Sequence[Contact]) -> bool:
    """True where the samples after contacts are nearer to the law with the event than to the law alone."""
    event = [Event.parse(found.text, fitted.system.columns)]
    squares = np.array([[_squares(fitted, data, c, events) for events in (event, [])] for c in contacts])
    # A path that ends on the way explains nothing, however the others do.
    better = np.where(np.isfinite(squares), squares, np.finfo(float).max / len(squares))
    return bool(np.sum(better[:, 0]) < np.sum(better[:, 1]))


def _squares(fitted: Calibrated, data: Trajectories, contact: Contact, events: Sequence[Event]) -> float:
    """Squares over the noise of the piece after a stretch, followed from the start of the one before it; infinite where that
    ends on the way."""
    system, m = fitted.system, fitted.system.n_measured
    own = [s for s in fitted.segments if s.run == contact.before]
    if not own:
        return np.inf
    segment = max(own, key=lambda s: s.last)
    before, after = data.runs[contact.before], data.runs[contact.after]
    time = np.concatenate([before.time[segment.first :], after.time])
    actions = np.vstack([before.actions[segment.first :], after.actions]) if system.actions else None
    path = follow(system, segment.start, None, time, actions, QUICKLY, events=events).states[-after.n_row :, :m, 0]
    r = (path - after.states) / fitted.measurement.sd(np.nan_to_num(after.states))
    known = np.isfinite(after.states)
    total = float(np.sum(np.where(known, r, 0.0) ** 2))
    return total if np.isfinite(total) else np.inf
