"""Delays and events of a system as the arrays of compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.integration.compiled import find_pieces, pack
from hypo.dynamics.integration.events import Clip, Event, is_number
from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.kernels.cpu.trajectories.crossings import Events
from hypo.kernels.cpu.trajectories.delays import Delays

Values = NDArray[np.float64]

History = tuple[ArrayLike, ArrayLike]
"""Values before the start: moments (n_past,) or (n_past, n), and states (n_past, n_state) or (n_past, n_state, n)."""


def make_delays(system: System, history: History | None, P: Values | None = None) -> Delays:
    """The delays of a system with parameters P (n_parameter, n), its own where None; without a history a state has always had
    the value of its start.

    Raises ValueError for a lag that is not above 0.
    """
    state = np.array([system.states.index(d.state) for d in system.delays], np.int64)
    lag = np.array(system.lags(system.parameters[:, None] if P is None else P), order="C")
    if not np.all(lag > 0):
        raise ValueError(f"a lag is {lag.min():g}; expected one above 0")
    if history is None or not len(lag):
        return Delays(state, lag, np.zeros((1, 0)), np.zeros((1, 0, len(lag), 4)))
    moments, values = (np.asarray(a, float) for a in history)
    clocks = np.array(moments.T if moments.ndim > 1 else moments[None], order="C")
    hold = "zero" if system.is_discrete else "spline"
    return Delays(state, lag, clocks, find_pieces(clocks, values[:, state], hold))


def make_events(system: System, events: Sequence[Event]) -> Events:
    """The events of a system. Raises ValueError where one assigns what is no state, or looks at a delayed state."""
    late = {d.column for d in system.delays}
    for event in events:
        wrong = [name for name, _ in event.assignments if name not in system.states]
        if wrong:
            raise ValueError(
                f"the event {event.text!r} assigns {wrong[0]}; expected one of the states {', '.join(system.states)}"
            )
        used = {name for e in (event.margin, *(value for _, value in event.assignments)) for name in e.variables}
        if used & late:
            raise ValueError(
                f"the event {event.text!r} uses the delayed {min(used & late)}; expected present values only"
            )
    rows, rests = _list_rows(system, events)
    pairs = [(k, name, value) for k, row in enumerate(rows) for name, value in row.assignments]
    clips = [row.clip for row in rows]
    return Events(
        pack(system, [row.margin for row in rows] + [value for _, _, value in pairs]),
        np.array([system.states.index(name) for _, name, _ in pairs], np.int64),
        np.array([k for k, _, _ in pairs], np.int64),
        np.array([-1 if clip is None else system.states.index(clip.state) for clip in clips], np.int64),
        np.array([0.0 if clip is None else clip.bound for clip in clips], float),
        np.array([1.0 if clip is None or clip.is_above else -1.0 for clip in clips], float),
        np.array([rests.get(k, (-1, -1)) for k in range(len(rows))], np.int64).reshape(-1, 2),
    )


def _list_rows(system: System, events: Sequence[Event]) -> tuple[list[Event], dict[int, tuple[int, int]]]:
    """The events, and those that follow from them: at walls that take all speed, clips of state and speed; at others the same
    without a condition, which hold once the state is at rest. Of the latter the places, by those of their walls."""
    rows, rests = list(events), {}
    for k, event in enumerate(events):
        speed = None if event.wall is None else _find_speed(system, event.wall.state)
        value = dict(event.assignments).get(speed) if speed is not None else None
        if event.wall is None or speed is None or value is None:
            continue
        clips = (event.wall, Clip(speed, 0.0, event.wall.is_above))
        if is_number(value, 0.0):
            own = [(clip, ((clip.state, Expression.constant(clip.bound)),)) for clip in clips]
            rows += [Event(event.text, event.margin, assigned, clip) for clip, assigned in own]
        else:
            rests[k] = len(rows), len(rows) + 1
            rows += [Event(event.text, Expression.constant(-1.0), (), clip) for clip in clips]
    return rows, rests


def _find_speed(system: System, state: str) -> str | None:
    """The state that is the rate of another; None where there is none."""
    law = system.equations[system.states.index(state)] if state in system.states else None
    is_rate = law is not None and not system.is_discrete and len(law) == 1 and law.variables
    return law.variables[0] if law is not None and is_rate and law.variables[0] in system.states else None
