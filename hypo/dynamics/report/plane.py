"""The plane of the first two states: where the laws lead from each place, and where they stand still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.fixed_points import Continuum, FixedPoint, Portrait, find_points
from hypo.dynamics.model.names import find_speeds
from hypo.dynamics.model.states import box_of
from hypo.dynamics.report.paths import RunPath
from hypo.report.formatting import format_number

Values = NDArray[np.float64]

# Arrows along each side.
ARROWS = 21
# Fixed points are sought among so many states at most: the work grows with the cube of their number.
MOST_STATES = 8
# Names in the sentence on what was held.
MOST_NAMES = 3


@dataclass(frozen=True)
class Plane:
    """A plane of two states.

    Attributes:
        axes: the numbers of the two states.
        x, y: places of arrows, (n,) each.
        u, v: their directions by state, shares of the plane's width and height for each unit of time, (n, n).
        points: fixed points.
        held: what everything else is held at, as ``"z = 24.1"``; empty where there is nothing else.
    """

    axes: tuple[int, int]
    x: Values
    y: Values
    u: Values
    v: Values
    points: tuple[FixedPoint, ...]
    held: str
    continua: tuple[Continuum, ...] = ()


def find_plane(model: ModelFields, paths: tuple[RunPath, ...]) -> Plane | None:
    """The plane of the first two states, or of the first and its speed; None for a single state.

    Other states and inputs are held at their medians. With delays a place has no one direction, so there are no arrows.
    """
    system = model.system
    n = len(system.states)
    if n < 2:
        return None
    axes = (0, find_speeds(system).get(0, 1))
    low, high = _find_ranges(model, paths, axes)
    x, y = (np.linspace(a, b, ARROWS) for a, b in zip(low, high, strict=True))
    if system.delays:
        none = np.full((ARROWS, ARROWS), np.nan)
        return Plane(axes, x, y, none, none, (), "")
    medians = _find_medians(model, paths)
    X = np.repeat(np.array(list(medians.values()))[:, None], ARROWS**2, axis=1)
    X[list(axes)] = [grid.ravel() for grid in np.meshgrid(x, y)]
    P = np.repeat(system.parameters[:, None], X.shape[1], axis=1)
    with np.errstate(all="ignore"):
        rates = np.asarray(system.rates(X, P), float)
        if system.is_discrete:
            rates = rates - X[:n]
        u, v = (rates[list(axes)] / (high - low)[:, None]).reshape(2, ARROWS, ARROWS)
    shown = [system.states[k] for k in axes]
    used = {name for k in axes for name in system.equations[k].variables} - set(shown)
    told = [f"{name} = {format_number(value, 3)}" for name, value in medians.items() if name in used]
    held = ", ".join(told[:MOST_NAMES]) + (", …" if len(told) > MOST_NAMES else "")
    found = _find_points(model, medians)
    return Plane(axes, x, y, u, v, found.points, held, found.continua)


def _find_ranges(model: ModelFields, paths: tuple[RunPath, ...], axes: tuple[int, int]) -> tuple[Values, Values]:
    """Lower and upper ends (2,) of both states; fitted paths of a state that was not measured lie within."""
    box = box_of(model)
    low, high = box.low[list(axes)], box.high[list(axes)]
    for place, k in enumerate(axes):
        if k >= model.system.n_measured:
            values = _find_finite(paths, k)
            low[place], high[place] = min([low[place], *values]), max([high[place], *values])
    return low, np.where(high > low, high, low + np.maximum(np.abs(low), 1.0))


def _find_finite(paths: tuple[RunPath, ...], k: int) -> Values:
    values = np.concatenate([path[:, k] for p in paths for _, path in p.pieces])
    return np.asarray(values[np.isfinite(values)])


def _find_medians(model: ModelFields, paths: tuple[RunPath, ...]) -> dict[str, float]:
    """All columns by name with medians along the runs; time in its middle."""
    system, data = model.system, model.data
    actions = np.vstack([run.actions for run in data.runs])
    out = {}
    for k, name in enumerate(system.states):
        values = _find_finite(paths, k)
        out[name] = float(np.median(values)) if len(values) else 0.0
    out |= {name: float(np.median(actions[:, k])) for k, name in enumerate(system.actions)}
    if system.time:
        out[system.time] = 0.5 * float(data.runs[0].time[0] + data.runs[0].time[-1])
    return out


def _find_points(model: ModelFields, medians: dict[str, float]) -> Portrait:
    system = model.system
    moves = system.time is not None and any(system.time in e.variables for e in system.equations)
    if moves or len(system.states) > MOST_STATES:
        return Portrait((), None)
    return find_points(model, {name: medians[name] for name in system.actions})
