"""Rollouts and what-ifs of a saved model as the command line asks for them, and as tables or JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.api.score import read_start
from hypo.dynamics.model.rollouts.bands import quantiles
from hypo.dynamics.model.rollouts.courses import check_size, check_until
from hypo.dynamics.model.rollouts.inputs import read_input_table
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import InputError
from hypo.result.file import jsonable

if TYPE_CHECKING:
    from hypo.dynamics.model.counterfactual import Counterfactual
    from hypo.dynamics.model.rollouts.bands import Rollout
    from hypo.dynamics.model.world_model import WorldModel

SCHEMA = "hypo-rollout/1"
WHAT_IF = "hypo-what-if/1"

Values = NDArray[np.float64]


def make_times(data: Trajectories, until: float | None, step: float | None) -> Values | None:
    """Times from the first of the data to ``until``, by default to the end of the first run, ``step`` apart; None without a
    step. Raises InputError for a step that is not above 0 or longer than all."""
    if step is None:
        return None
    begin = float(data.runs[0].time[0])
    if until is not None:
        check_until(until, begin)
    length = (float(data.runs[0].time[-1]) if until is None else until) - begin
    if not 0 < step <= length:
        raise InputError(f"step must lie above 0 and not above {length:g}, the time to follow, got {step:g}")
    check_size(length / step)
    return np.asarray(begin + step * np.arange(math.floor(length / step * (1 + 1e-12)) + 1.0))


def roll_out(
    model: WorldModel,
    *,
    start: str | None = None,
    until: float | None = None,
    step: float | None = None,
    actions: str | None = None,
    n_samples: int = 100,
    seed: int = 0,
    events: Sequence[str] | None = None,
) -> Rollout:
    """A rollout of ``model`` from texts and files, as :meth:`WorldModel.rollout` gives it.

    Args:
        model: the world model.
        start: ``"x=1, v=0"``.
        until: the last time; None: that of the data, or of the table of inputs.
        step: time between rows.
        actions: path of a table with a column of times and one for each input, or numbers, ``"u=0.5"``.
        n_samples, seed, events: as they are.

    Raises:
        InputError, DataError: as :meth:`WorldModel.rollout` and what is read here.
    """
    inputs = _read_inputs(actions, seed)
    if step is not None and isinstance(inputs, str) and until is None and model.actions:
        until = float(read_input_table(model, inputs).time[-1])
    times = make_times(model.data, until, step)
    return model.rollout(
        None if start is None else dict(read_start(start)),
        inputs,
        until=None if times is not None else until,
        times=times,
        n_samples=n_samples,
        seed=seed,
        events=tuple(events) if events else None,
    )


def _read_inputs(actions: str | None, seed: int) -> Any:
    if seed < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}")
    if actions is not None and "=" in actions and not os.path.exists(actions):
        return dict(read_start(actions, "actions"))
    return actions


def what_if(
    model: WorldModel,
    *,
    do: Sequence[str] = (),
    run: str | None = None,
    actions: str | None = None,
    n_samples: int = 100,
    seed: int = 0,
    **others: Any,
) -> Counterfactual:
    """A recorded run as it would have been, from texts and files, as :meth:`WorldModel.counterfactual` gives it.

    Args:
        model: the world model.
        do: what is set, ``"k=0"``.
        run: name of the run, or its number; None: the first one.
        actions: as :func:`roll_out` takes them.
        n_samples, seed: as they are.
        others: what a recorded run has itself.

    Raises:
        InputError: something is set twice, or not as ``NAME=VALUE``, and as :meth:`WorldModel.counterfactual`.
    """
    if others:
        name = next(iter(others)).rstrip("s")
        raise InputError(f"--do and --run are of a recorded run, which has its own start and times; leave out --{name}")
    inputs = _read_inputs(actions, seed)
    which: str | int = 0 if run is None else run
    if run is not None and run.isdigit() and run not in [r.name for r in model.data.runs]:
        which = int(run)
    return model.counterfactual(which, inputs, do=_read_settings(do), n_samples=n_samples, seed=seed)


def _read_settings(texts: Sequence[str]) -> dict[str, Any] | None:
    """Settings such as ``"k=0"`` and ``"x=-0.1*x"`` by name; None for none."""
    out: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals or not value:
            raise InputError(f'--do must be written NAME=VALUE, such as k=0, got "{text}"')
        if name in out:
            raise InputError(f"--do sets {name} twice; give it once")
        try:
            out[name] = float(value)
        except ValueError:
            out[name] = value
    return out or None


def write_what_if(found: Counterfactual, level: float) -> str:
    """CSV: time; of each state as it would have been ``x_median``, ``x_lower``, ``x_upper``, of what the change makes of it
    ``x_effect``, ``x_effect_lower``, ``x_effect_upper``; empty where states run away."""
    return _as_table(found.changed.clock, found.time, dict(_columns_of_both(found, level)))


def write_what_if_json(found: Counterfactual, level: float) -> str:
    """The same as JSON."""
    content = {
        "schema": WHAT_IF,
        "level": level,
        "samples": len(found.changed.states),
        "time": found.time.tolist(),
        "columns": {name: values.tolist() for name, values in _columns_of_both(found, level)},
        "remarks": [*found.changed.describe_ends(), *found.remarks],
    }
    return json.dumps(jsonable(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _columns_of_both(found: Counterfactual, level: float) -> Iterator[tuple[str, Values]]:
    ends = found.effect_band(level)
    middle = quantiles(found.effect, (0.5,))[0]
    for k, (state, parts) in enumerate(_columns(found.changed, level)):
        yield from ((f"{state}_{name}", values) for name, values in parts.items())
        yield f"{state}_effect", middle[:, k]
        yield from ((f"{state}_effect_{name}", end[:, k]) for name, end in zip(("lower", "upper"), ends, strict=True))


def _columns(rollout: Rollout, level: float) -> Iterator[tuple[str, Mapping[str, Values]]]:
    """By state the median and the band, (n_time,) each."""
    lower, upper = rollout.band(level)
    median = rollout.median
    for k, state in enumerate(rollout.names):
        yield state, {"median": median[:, k], "lower": lower[:, k], "upper": upper[:, k]}


def write_rollout(rollout: Rollout, level: float) -> str:
    """CSV: time, and of each state ``x_median``, ``x_lower``, ``x_upper``; empty where states run away."""
    columns = {f"{state}_{name}": values for state, parts in _columns(rollout, level) for name, values in parts.items()}
    return _as_table(rollout.clock, rollout.time, columns)


def _as_table(clock: str, time: Values, columns: Mapping[str, Values]) -> str:
    rows = zip(time, *columns.values(), strict=True)
    lines = [",".join(f"{v:.6g}" if math.isfinite(v) else "" for v in row) for row in rows]
    return "\n".join([",".join((clock, *columns)), *lines]) + "\n"


def write_rollout_json(rollout: Rollout, level: float) -> str:
    """The same as JSON, null where states run away."""
    content = {
        "schema": SCHEMA,
        "level": level,
        "samples": len(rollout.states),
        "time": rollout.time.tolist(),
        "states": {
            state: {name: values.tolist() for name, values in parts.items()}
            for state, parts in _columns(rollout, level)
        },
        "remarks": list(rollout.describe_ends()),
    }
    return json.dumps(jsonable(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def draw(rollout: Rollout, folder: str) -> Path:
    """Write the plot of a rollout to the folder of its model."""
    path = Path(folder) / "rollout.png"
    rollout.plot(path)
    return path
