"""Rollouts of a saved model as the command line asks for them, and as a table or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.api.score import read_start
from hypo.data import read_table
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError, InputError
from hypo.result.file import jsonable

SCHEMA = "hypo-rollout/1"
# Steps of a rollout where nobody says how long they are.
STEPS = 100

Values = NDArray[np.float64]


def choose_times(data: Trajectories, until: float | None, step: float | None) -> Values:
    """Times from the first of the data to ``until``, by default to the end of the first run, ``step`` apart.

    Raises InputError for a step that is not above 0 or longer than all, and an end before the beginning.
    """
    begin = float(data.runs[0].time[0])
    end = float(data.runs[0].time[-1]) if until is None else until
    if not (math.isfinite(end) and end > begin):
        raise InputError(f"until must be a time after {begin:g}, where the data begin, got {end:g}")
    if step is None:
        return np.linspace(begin, end, STEPS + 1)
    if not 0 < step <= end - begin:
        raise InputError(f"step must lie above 0 and not above {end - begin:g}, the time to follow, got {step:g}")
    return np.asarray(begin + step * np.arange(math.floor((end - begin) / step * (1 + 1e-12)) + 1.0))


def read_actions(path: str, data: Trajectories) -> tuple[Values, dict[str, Values]]:
    """Times (n,) and inputs (n,) by name from a table; raises DataError for a column that is not there, and an empty cell."""
    table = read_table(path)
    found = []
    for name in (data.time, *data.actions):
        own = table.aliases.get(name, name)
        if own not in table.columns:
            raise DataError(f"{table.source}: there is no column {name}; the columns are {', '.join(table.labels)}")
        column = table.columns[own]
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise DataError(f'{table.source}, row {bad[0]} (from 0), column "{name}": there is no number; fill it in')
        found.append(column)
    if len(found[0]) < 2 or np.any(np.diff(found[0]) <= 0):
        raise DataError(f'{table.source}, column "{data.time}": times must rise from row to row, and be two or more')
    return found[0], dict(zip(data.actions, found[1:], strict=True))


def read_start_of(model: ModelFields, text: str | None) -> dict[str, float] | None:
    """The start of states from ``x=1, v=0``; raises InputError for a name that is no state."""
    if text is None:
        return None
    out = dict(read_start(text))
    for name in out:
        if name not in model.states:
            raise InputError(f"start gives a value to {name}; the states are {', '.join(model.states)}")
    return out


def roll_out(
    model: Any,
    *,
    start: str | None = None,
    until: float | None = None,
    step: float | None = None,
    actions: str | None = None,
    n_samples: int = 100,
    seed: int = 0,
) -> Any:
    """A rollout of ``model`` from texts and files, as :meth:`WorldModel.rollout` gives it.

    Raises InputError and DataError as what it reads does, and where inputs are missing or not wanted.
    """
    begin = read_start_of(model, start)
    if n_samples < 1:
        raise InputError(f"samples must be 1 or more, got {n_samples}")
    if seed < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}")
    if actions is None:
        return model.rollout(begin, times=choose_times(model.data, until, step), n_samples=n_samples, seed=seed)
    if not model.actions:
        raise InputError("the laws have no inputs; leave actions out")
    if until is not None or step is not None:
        raise InputError("the table of actions has the times to follow; leave until and step out")
    times, inputs = read_actions(actions, model.data)
    return model.rollout(begin, inputs, times=times, n_samples=n_samples, seed=seed)


def _columns(model: ModelFields, rollout: Any, level: float) -> Iterator[tuple[str, Mapping[str, Values]]]:
    """By state the median and the band, (n_time,) each."""
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level:g}")
    lower, upper = rollout.band(level)
    median = np.asarray(rollout.median)
    for k, state in enumerate(model.states):
        yield state, {"median": median[:, k], "lower": lower[:, k], "upper": upper[:, k]}


def write_rollout(model: ModelFields, rollout: Any, level: float) -> str:
    """CSV: time, and of each state ``x_median``, ``x_lower``, ``x_upper``; empty where states run away."""
    columns = {model.data.time: np.asarray(rollout.time)}
    for state, parts in _columns(model, rollout, level):
        columns |= {f"{state}_{name}": values for name, values in parts.items()}
    unit = model.data.units.get(model.data.time)
    header = [name if k or not unit else f"{name} [{unit}]" for k, name in enumerate(columns)]
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(f"{v:.10g}" if math.isfinite(v) else "" for v in row) for row in rows]
    return "\n".join([",".join(header), *lines]) + "\n"


def write_rollout_json(model: ModelFields, rollout: Any, level: float) -> str:
    """The same as JSON, null where states run away."""
    content = {
        "schema": SCHEMA,
        "level": level,
        "samples": len(rollout.states),
        "time": np.asarray(rollout.time).tolist(),
        "states": {
            state: {name: values.tolist() for name, values in parts.items()}
            for state, parts in _columns(model, rollout, level)
        },
        "remarks": list(describe_runaways(model, rollout)),
    }
    return json.dumps(jsonable(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def describe_runaways(model: ModelFields, rollout: Any) -> Iterator[str]:
    """A sentence on trajectories that run away, if any."""
    moments = np.asarray(rollout.diverged, float)
    away = np.isfinite(moments)
    if away.any():
        yield (
            f"{int(away.sum())} of {len(moments)} trajectories run away, the first at {model.data.time} = "
            f"{moments[away].min():.4g}; they are left out from there on"
        )


def draw(rollout: Any, folder: str) -> Path:
    """Write the plot of a rollout to the folder of its model."""
    path = Path(folder) / "rollout.png"
    rollout.plot(path)
    return path
