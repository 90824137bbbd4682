"""Times and inputs of a rollout, from what users give: numbers, arrays, frames, or functions of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.trajectories import Run
from hypo.errors import InputError
from hypo.problem.from_table import LARGEST

Values = NDArray[np.float64]

# Moments of a rollout where only its end is given.
MOMENTS = 201
# Numbers of all trajectories of a rollout, at most: some gigabytes with what is worked out on the way.
MOST_NUMBERS = 50_000_000


def check_until(until: float, begin: float) -> None:
    """Raises InputError for an end that is not a time after the beginning."""
    if not begin < until < np.inf:
        raise InputError(f"until must be a time after {begin:g}, where the data begin, got {until:g}")


def check_size(moments: float, n_sample: int = 1, n_state: int = 1) -> None:
    """Raises InputError for a rollout that no memory holds."""
    if moments * n_sample * n_state > MOST_NUMBERS:
        states = f" of {n_state} states" if n_state > 1 else ""
        times = f", {n_sample} times," if n_sample > 1 else ""
        raise InputError(
            f"{moments:.6g} moments{states}{times} are too many for one rollout, which holds {MOST_NUMBERS:,} numbers; "
            "give fewer samples, a longer step or an earlier end"
        )


def choose_times(
    model: ModelFields, until: float | None, times: ArrayLike | None, run: Run | None, rows: int | None
) -> Values:
    """Moments (n_time,) of a rollout.

    Args:
        model: the world model.
        until: the end; the beginning is that of the run, or of the data.
        times: the moments themselves.
        run: the recorded run whose start is followed, None where a start is given.
        rows: of the inputs, where they are an array.

    Raises:
        InputError: times do not rise, or there are fewer than two; the end is before the beginning.
    """
    if times is not None:
        out = np.asarray(times, float).ravel()
        if until is not None:
            raise InputError("until and times are both given; give one of them")
        if len(out) < 2 or not np.all(np.isfinite(out)) or np.any(np.diff(out) < 0):
            raise InputError("times must be two or more moments that do not go back")
        return out
    first = model.data.runs[0] if run is None else run
    begin = float(first.time[0])
    if until is None and rows is None:
        return np.asarray(np.unique(first.time), float)
    end = float(first.time[-1]) if until is None else float(until)
    check_until(end, begin)
    if model.system.is_discrete:
        step = float(np.median(np.diff(first.time)))
        check_size((end - begin) / step)
        return np.asarray(begin + step * np.arange(round((end - begin) / step) + 1))
    return np.asarray(np.linspace(begin, end, MOMENTS if rows is None else rows))


def count_rows(actions: Any) -> int | None:
    """Rows of inputs given as arrays, None where they have no length."""
    if actions is None or callable(actions):
        return None
    if isinstance(actions, Mapping) or hasattr(actions, "columns"):
        lengths = [len(v) for v in (actions[k] for k in actions) if np.ndim(v) == 1]
        return lengths[0] if lengths else None
    return len(actions) if np.ndim(actions) else None


def read_actions(model: ModelFields, actions: Any, times: Values, run: Run | None) -> Values | None:
    """Inputs (n_time, n_action) at the moments; None where the laws have none.

    Args:
        model: the world model.
        actions: (n_time, n_action), or (n_time,) for one input; by name numbers, arrays (n_time,) or functions of time; a
            frame, whose column of times, if it has one, need not be ``times``; or a function of time that gives one number,
            a sequence, or numbers by name. None: those that were recorded with ``run``.
        times: the moments.
        run: the recorded run that is followed.

    Raises:
        InputError: inputs are missing, unknown, not finite, or not as many as moments.
    """
    names = model.actions
    if not names:
        if actions is not None and not (isinstance(actions, Mapping) and not actions):
            raise InputError("the laws have no inputs; leave actions out")
        return None
    wanted = ", ".join(names)
    if actions is None:
        if run is None:
            raise InputError(
                f"the laws have the inputs {wanted}; give actions, as numbers, arrays or functions of time by name"
            )
        if times[-1] > run.time[-1] * (1 + 1e-12) + 1e-12:
            raise InputError(
                f"the inputs {wanted} were recorded up to {run.time[-1]:g}; give actions up to {times[-1]:g}"
            )
        out = hold_at(run.time, run.actions, times, model.system.hold)
    elif hasattr(actions, "columns") or isinstance(actions, Mapping):
        out = _by_name(model, actions, times)
    elif callable(actions):
        out = _of_time(names, actions, times)
    else:
        out = np.asarray(actions, float)
        if out.ndim < 2:
            out = np.broadcast_to(out.reshape(-1, 1) if out.ndim else out, (len(out) if out.ndim else len(times), 1))
    if out.shape != (len(times), len(names)):
        raise InputError(
            f"actions have the shape {out.shape}; expected {(len(times), len(names))}, a row for each moment and a column for "
            f"each of {wanted}"
        )
    bad = np.argwhere(~np.isfinite(out))
    if len(bad):
        raise InputError(
            f'the input "{names[bad[0][1]]}" is no number at {model.data.time} = {times[bad[0][0]]:g}; give one'
        )
    far = np.argwhere(np.abs(out) > LARGEST)
    if len(far):
        raise InputError(
            f'the input "{names[far[0][1]]}" is {out[tuple(far[0])]:g} at {model.data.time} = {times[far[0][0]]:g}, but hypo '
            f"takes sizes up to {LARGEST:g}; give a smaller one"
        )
    return np.asarray(out, float)


def hold_at(time: Values, values: Values, at: Values, hold: str) -> Values:
    """Recorded inputs (n, n_action) at other moments, as they run between rows; before and after they stay as they are."""
    moments, first = np.unique(time, return_index=True)
    inside = np.clip(at, moments[0], moments[-1])
    if hold == "zero":
        return np.asarray(values[np.searchsorted(time, inside, side="right") - 1])
    if hold == "spline" and len(moments) > 3:
        return np.asarray(CubicSpline(moments, values[first])(inside))
    return np.column_stack([np.interp(inside, moments, u) for u in values[first].T])


def _by_name(model: ModelFields, actions: Any, times: Values) -> Values:
    names, clock = model.actions, model.data.time
    given = list(actions.columns) if hasattr(actions, "columns") else list(actions)
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in (*names, clock)]
    if missing or unknown:
        wrong = f'there is no "{missing[0]}" among actions' if missing else f'"{unknown[0]}" is no input'
        raise InputError(f"{wrong}; the inputs of the laws are {', '.join(names)}")
    if clock in given:
        moments = np.asarray(actions[clock], float)
        table = np.column_stack([np.asarray(actions[name], float) for name in names])
        if np.any(np.diff(moments) < 0):
            raise InputError(f'times go back in the column "{clock}" of actions; sort its rows')
        return hold_at(moments, table, times, model.system.hold)
    columns = []
    for name in names:
        value = actions[name]
        column = np.array([float(value(t)) for t in times]) if callable(value) else np.asarray(value, float)
        if column.ndim and len(column) != len(times):
            raise InputError(f'the input "{name}" has {len(column)} values; expected {len(times)}, one for each moment')
        columns.append(np.broadcast_to(column, len(times)))
    return np.column_stack(columns)


def _of_time(names: Sequence[str], actions: Callable[[float], Any], times: Values) -> Values:
    rows = []
    for t in times:
        value = actions(float(t))
        rows.append([float(value[name]) for name in names] if isinstance(value, Mapping) else np.ravel(value))
    return np.array(rows, float)
