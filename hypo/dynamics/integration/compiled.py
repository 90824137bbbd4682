"""A system, its columns and its inputs as the arrays of compiled kernels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from hypo.dynamics.system import System, open_constants
from hypo.expression.expr import Expression
from hypo.kernels.cpu.trajectories.batch import Batch
from hypo.kernels.cpu.trajectories.laws import Laws

Values = NDArray[np.float64]


def parameter_name(k: int) -> str:
    """The variable that stands for parameter k; no name in a formula has a space."""
    return f" {k}"


def laws_of(system: System) -> Laws:
    """The right-hand sides of a system, its parameters as the last variables."""
    return _laws(system, tuple(e.free for e in system.equations))


# Equal expressions may differ in which of their constants are free, so that these belong to the key.
@lru_cache(maxsize=256)
def _laws(system: System, free: tuple[tuple[int, ...], ...]) -> Laws:
    opened = [
        open_constants(e, [parameter_name(system.of_constants[n]) for n in place])
        for e, place in zip(system.equations, system.places, strict=True)
    ]
    return pack(system, opened)


def pack(system: System, programs: list[Expression]) -> Laws:
    """Expressions over the columns of a system and its parameters, end to end."""
    n_parameter = len(system.parameters)
    columns = (*system.columns, *map(parameter_name, range(n_parameter)))
    arrays = [e.arrays(columns) for e in programs]
    lengths = [len(op) for op, _ in arrays]
    values = [e.values for e in programs]
    return Laws(
        np.concatenate([np.empty(0, np.int32), *(op for op, _ in arrays)]),
        np.concatenate([np.empty(0, np.int32), *(arg for _, arg in arrays)]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([*values, [0.0]]),
        np.concatenate([[0], np.cumsum([len(v) for v in values])])[:-1].astype(np.int64),
        len(system.states),
        len(system.delays),
        len(system.actions),
        1 if system.time else 0,
        n_parameter,
    )


def make_batch(system: System, X0: ArrayLike, P: ArrayLike | None, time: ArrayLike, actions: ArrayLike | None) -> Batch:
    """Columns to follow.

    Args:
        X0: starts (n_state, n), or (n_state,) for one column or for all.
        P: parameters (n_parameter, n), or (n_parameter,) for all columns; None: those of the system.
        time: (n_time,) for all columns or (n_time, n), never going back.
        actions: (n_time, n_action) for all columns, or (n_time, n_action, n); None where the system has no inputs.

    Raises:
        ValueError: shapes do not go together, or time goes back.
    """
    starts, parameters = _columns(X0), _columns(system.parameters if P is None else P)
    clock = np.asarray(time, float)
    inputs = np.zeros((len(clock), 0)) if actions is None else np.asarray(actions, float)
    sizes = {starts.shape[1], parameters.shape[1], *clock.shape[1:], *inputs.shape[2:]} - {1}
    if len(sizes) > 1:
        raise ValueError(
            f"starts, parameters, time and inputs are of {sorted(sizes)} columns; expected equal numbers, or one"
        )
    n = sizes.pop() if sizes else 1
    for name, given, expected in (
        ("states at the start", starts.shape[0], len(system.states)),
        ("parameters", parameters.shape[0], len(system.parameters)),
        ("inputs", inputs.shape[1] if inputs.ndim > 1 else -1, len(system.actions)),
        ("rows of inputs", len(inputs), len(clock)),
    ):
        if given != expected:
            raise ValueError(f"{given} {name} were given; expected {expected}")
    if not np.all(np.diff(clock, axis=0) >= 0):
        raise ValueError("time goes back, or is no number; give moments that do not decrease")
    clocks = np.array(clock.T if clock.ndim > 1 else clock[None], order="C")
    return Batch(
        np.array(np.broadcast_to(starts, (starts.shape[0], n)), order="C"),
        np.array(np.broadcast_to(parameters, (parameters.shape[0], n)), order="C"),
        clocks,
        find_pieces(clocks, inputs, system.hold),
        bool(system.actions) and system.hold == "zero",
    )


def find_pieces(clocks: Values, inputs: Values, hold: str) -> Values:
    """Coefficients (n_course, n_time - 1, n_action, 4) of inputs between moments, by powers of the time since the left one.

    Args:
        clocks: (n_clock, n_time).
        inputs: (n_time, n_action) or (n_time, n_action, n).
        hold: ``"zero"``, ``"linear"`` or ``"spline"``; a spline runs through the distinct moments.
    """
    if not inputs.shape[1]:
        return np.zeros((1, clocks.shape[1] - 1, 0, 4))
    courses = np.moveaxis(inputs, 2, 0) if inputs.ndim > 2 else inputs[None]
    n_course = max(len(courses), len(clocks))
    out = np.zeros((n_course, clocks.shape[1] - 1, inputs.shape[1], 4))
    out[..., 0] = courses[:, :-1]
    if hold == "linear":
        h = np.diff(clocks, axis=1)[:, :, None]
        out[..., 1] = np.divide(np.diff(courses, axis=1), h, out=np.zeros(out.shape[:3]), where=h > 0)
    elif hold == "spline":
        for c, piece in enumerate(out):
            clock = clocks[c % len(clocks)]
            moments, first = np.unique(clock, return_index=True)
            if len(moments) > 1:
                spline = CubicSpline(moments, courses[c % len(courses)][first])
                left = np.minimum(np.searchsorted(moments, clock[:-1]), len(moments) - 2)
                piece[:] = np.moveaxis(spline.c[::-1], 0, -1)[left]
    return out


def _columns(values: ArrayLike) -> Values:
    array = np.asarray(values, float)
    return array[:, None] if array.ndim == 1 else array
