"""Times and inputs of a rollout, from what users give: numbers, arrays, frames, or functions of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from hypo.dynamics.contacts.pieces import joined
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.inputs import find_columns, has_names, is_table, read_input_table
from hypo.dynamics.trajectories import Run
from hypo.errors import InputError
from hypo.problem.from_table import LARGEST

Values = NDArray[np.float64]

# Moments of a rollout where only its end is given.
MOMENTS = 201
# Numbers of all trajectories of a rollout, at most: some gigabytes with what is worked out on the way.
MOST_NUMBERS = 50_000_000
# Share of a step by which a moment may miss a whole number of steps, as sums of decimal fractions do.
OFF = 1e-6


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


@dataclass(frozen=True)
class Moments:
    """Moments of a rollout.

    Attributes:
        shown: (n_time,), those that are asked for.
        followed: (n_followed,), these and what lies on the way: bends and jumps of inputs, steps of laws of the next value, and
            the recorded start. Never going back.
        keep: (n_time,), places of the former among the latter.
    """

    shown: Values
    followed: Values
    keep: NDArray[np.int64]


def choose_moments(
    model: ModelFields, actions: Any, until: float | None, times: ArrayLike | None, run: Run | None
) -> tuple[Moments, Values | None]:
    """Moments of a rollout, and inputs (n_followed, n_action) at those that are followed, None where the laws have none.

    Args:
        model: the world model.
        actions: as :func:`read_actions` takes them.
        until: the end; the beginning is that of the run, or of the data.
        times: the moments themselves.
        run: the recorded run whose start is followed, None where a start is given; then recorded inputs are those of the
            first run.

    Raises:
        InputError: times do not rise, or there are fewer than two, or one lies between steps; the end is before the beginning;
            inputs are wrong.
    """
    recorded = joined(model.data, 0) if run is None else run
    table = read_input_table(model, actions) if model.actions and is_table(model, actions) else None
    own = table.time if table is not None else None
    shown = _choose_shown(model, until, times, recorded, own, None if table is not None else _count_rows(actions))
    if run is not None and shown[0] < run.time[0]:
        wait = " for laws that look back" if run.past is not None else ""
        raise InputError(
            f"times begin at {shown[0]:g}, before the recorded run does{wait} at {run.time[0]:g}; give a start"
        )
    begin = shown[0] if run is None else run.time[0]
    if model.actions and begin < shown[0] and actions is not None and table is None:
        raise InputError(
            f"times must begin at {begin:g}, with the run, where inputs are given; give a start, or a table"
        )
    if model.system.is_discrete:
        followed = _list_steps(model, shown, begin, run)
    else:
        bends = own if own is not None else recorded.time if model.actions and actions is None else np.empty(0)
        followed = _with_bends(shown, begin, bends)
    keep = np.searchsorted(followed, shown) if len(followed) > len(shown) else np.arange(len(shown))
    moments = Moments(shown, followed, keep)
    if table is not None:
        return moments, hold_at(table.time, table.values, followed, model.system.hold)
    given = read_actions(model, actions, shown if _count_rows(actions) else followed, recorded)
    if given is not None and len(given) != len(followed):
        given = hold_at(shown, given, followed, model.system.hold)
    return moments, given


def _choose_shown(
    model: ModelFields, until: float | None, times: ArrayLike | None, run: Run, own: Values | None, rows: int | None
) -> Values:
    """The moments that are asked for; ``own`` are those of a table of inputs, ``rows`` the length of arrays of inputs."""
    if times is not None:
        out = np.asarray(times, float).ravel()
        if until is not None:
            raise InputError("until and times are both given; give one of them")
        if len(out) < 2 or not np.all(np.isfinite(out)) or np.any(np.diff(out) < 0):
            raise InputError("times must be two or more moments that do not go back")
        return out
    begin = float(run.time[0])
    if until is None and own is not None:
        if not own[-1] > begin:
            raise InputError(
                f"the table of inputs ends at {own[-1]:g}; give it rows after {begin:g}, where the data begin"
            )
        return np.unique([begin, *own[own > begin]])
    if until is None and rows is None:
        return np.asarray(np.unique(run.time), float)
    end = float(run.time[-1]) if until is None else float(until)
    check_until(end, begin)
    if model.system.is_discrete:
        step = _step_of(run)
        check_size((end - begin) / step)
        return np.asarray(begin + step * np.arange(np.floor((end - begin) / step + OFF) + 1))
    return np.asarray(np.linspace(begin, end, MOMENTS if rows is None else rows))


def _step_of(run: Run) -> float:
    return float(np.median(np.diff(run.time)))


def _list_steps(model: ModelFields, shown: Values, begin: float, run: Run | None) -> Values:
    """All steps of a law of the next value from ``begin`` to the last moment shown."""
    if run is not None and np.all(np.isin(shown, run.time)):
        # Rows of a run are its steps, whatever its clock says.
        return np.asarray(run.time[run.time <= shown[-1]])
    step = _step_of(model.data.runs[0])
    counts = (shown - begin) / step
    whole = np.round(counts)
    wrong = np.flatnonzero(np.abs(counts - whole) > OFF)
    if len(wrong):
        raise InputError(
            f"the laws give the state {step:g} later, so there is none at {model.data.time} = {shown[wrong[0]]:g}; give "
            f"times that are whole numbers of steps of {step:g} after {begin:g}"
        )
    out = begin + step * np.arange(whole[-1] + 1)
    out[whole.astype(int)] = shown
    return np.asarray(out)


def _with_bends(shown: Values, begin: float, bends: Values) -> Values:
    """The moments shown, the beginning before them, and the bends of inputs between."""
    inside = bends[(bends > begin) & (bends < shown[-1])]
    more = np.setdiff1d([*([begin] if begin < shown[0] else []), *inside], shown)
    return np.sort(np.concatenate([shown, more])) if len(more) else shown


def _count_rows(actions: Any) -> int | None:
    """Rows of inputs given as arrays, None where they have no length."""
    if actions is None or callable(actions) or isinstance(actions, str):
        return None
    if has_names(actions):
        lengths = [len(v) for v in (actions[k] for k in actions) if np.ndim(v) == 1]
        return lengths[0] if lengths else None
    return len(actions) if np.ndim(actions) else None


def read_actions(model: ModelFields, actions: Any, times: Values, run: Run) -> Values | None:
    """Inputs (n_time, n_action) at the moments; None where the laws have none.

    Args:
        model: the world model.
        actions: (n_time, n_action), or (n_time,) for one input; by name numbers, arrays (n_time,) or functions of time; a
            table with moments of its own, as :func:`read_input_table` reads it; or a function of time that gives one number,
            a sequence, or numbers by name. None: those that were recorded with ``run``.
        times: the moments.
        run: a recorded run.

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
        if times[-1] > run.time[-1] * (1 + 1e-12) + 1e-12:
            raise InputError(
                f"the inputs {wanted} were recorded up to {run.time[-1]:g}; give actions up to {times[-1]:g} (--actions U.csv)"
            )
        out = hold_at(run.time, run.actions, times, model.system.hold)
    elif is_table(model, actions):
        table = read_input_table(model, actions)
        out = hold_at(table.time, table.values, times, model.system.hold)
    elif has_names(actions):
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
    keys = find_columns(model, actions)
    columns = []
    for name in model.actions:
        value = actions[keys[name]]
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
