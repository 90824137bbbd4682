"""Systems, fits and trajectories as entries of a model's file, and back. Numbers are exact: what is read equals what was
written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated, Segment
from hypo.dynamics.calibration.forcing import Forcing
from hypo.dynamics.calibration.noise import Noise
from hypo.dynamics.contacts.found import PLACE, SHARE, FoundEvent
from hypo.dynamics.discovery.discovered import WeightedSystem
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import FormulaError
from hypo.expression.expr import Constant, Expression
from hypo.expression.parser import parse
from hypo.result import entries
from hypo.result.entries import Damaged

Values = NDArray[np.float64]

# Columns of the table of data beside time, states and inputs.
RUN = "run"
ROW = "row of the table"
# Numbers that JSON has no word for.
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


# --- numbers --------------------------------------------------------------------------------------------------------


def write_array(values: Any) -> Any:
    """Nested lists of an array, with ``"nan"``, ``"inf"`` and ``"-inf"`` for what is no number."""
    return _worded(np.asarray(values, float).tolist())


def _worded(value: Any) -> Any:
    if isinstance(value, list):
        return [_worded(v) for v in value]
    return value if math.isfinite(value) else repr(value)


def read_array(table: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> Values:
    """The array ``table[key]``; raises Damaged where it is none of ``shape``, in which -1 stands for any length."""
    found: Any = table.get(key)
    try:
        array = np.array(_numbers(found), float) if np.size(found) else np.zeros([max(n, 0) for n in shape])
    except (TypeError, ValueError, KeyError) as error:
        raise Damaged(f'the entry "{key}" is no array of numbers') from error
    if array.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, array.shape, strict=True)):
        raise Damaged(f'the entry "{key}" has the shape {array.shape}, and not {shape}')
    return array


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    if isinstance(value, bool) or value is None:
        raise TypeError
    return _WORDS[value] if isinstance(value, str) else value


def _read_number(table: Mapping[str, Any], key: str) -> float:
    return float(read_array(table, key, ()))


# --- formulas and systems -------------------------------------------------------------------------------------------


def write_expression(e: Expression) -> dict[str, Any]:
    """A formula: its text, and its numbers in order with their names, ``free`` those that were fitted."""
    numbers = [{"value": write_array(c.value), "name": c.name, "free": c.free} for c in e.constants]
    return {"expression": str(e), "pretty": e.pretty(), "numbers": numbers}


def read_expression(row: Mapping[str, Any], columns: Sequence[str]) -> Expression:
    """The formula of :func:`write_expression`; raises Damaged where there is none."""
    text = entries.read_text(row, "expression")
    numbers = tuple(
        Constant(_read_number(n, "value"), entries.read_optional_text(n, "name"), entries.read_flag(n, "free"))
        for n in entries.read_tables(row, "numbers")
    )
    named = {n.name: n.value for n in numbers if n.name}
    try:
        e = parse(text, variables=columns, constants=named)
    except FormulaError as error:
        raise Damaged(f'the formula "{text}" cannot be read') from error
    if len(e.constants) != len(numbers) or any(
        c.name != n.name or (c.value != n.value and not math.isnan(n.value))
        for c, n in zip(e.constants, numbers, strict=True)
    ):
        raise Damaged(f'the numbers of the formula "{text}" are not those of its entry "numbers"')
    return Expression(e.code, numbers, e.variables)


def write_system(system: System) -> dict[str, Any]:
    """The entry of a system."""
    return {
        "equations": {s: write_expression(e) for s, e in zip(system.states, system.equations, strict=True)},
        "states": list(system.states),
        "measured": system.measured,
        "actions": list(system.actions),
        "time": system.time,
        "delays": [
            {"column": d.column, "state": d.state, "lag": write_array(d.lag), "bounds": d.bounds and list(d.bounds)}
            for d in system.delays
        ],
        "discrete": system.is_discrete,
        "hold": system.hold,
        "shared": None if system.shared is None else list(system.shared),
    }


def _read_bounds(row: Mapping[str, Any]) -> tuple[float, float] | None:
    if row.get("bounds") is None:
        return None
    least, most = read_array(row, "bounds", (2,))
    if not 0 < least <= most:
        raise Damaged('the entry "bounds" of a delay is no range of lags above 0')
    return float(least), float(most)


def _read_past(row: Mapping[str, Any], n_state: int) -> tuple[Values, Values] | None:
    if row.get("past") is None:
        return None
    past = entries.read_table(row, "past")
    time = read_array(past, "time", (-1,))
    return time, read_array(past, "states", (len(time), n_state))


def read_system(row: Mapping[str, Any]) -> System:
    """The system of :func:`write_system`; raises Damaged where there is none."""
    states = entries.read_texts(row, "states")
    delays = tuple(
        Delay(entries.read_text(d, "column"), entries.read_text(d, "state"), _read_number(d, "lag"), _read_bounds(d))
        for d in entries.read_tables(row, "delays")
    )
    shared = row.get("shared")
    if shared is not None and not (isinstance(shared, list) and all(type(k) is int and k >= 0 for k in shared)):
        raise Damaged('the entry "shared" is no list of whole numbers')
    empty = System(
        (),
        states,
        entries.read_optional_whole_number(row, "measured"),
        entries.read_texts(row, "actions"),
        entries.read_optional_text(row, "time"),
        delays,
        entries.read_flag(row, "discrete"),
        entries.read_text(row, "hold"),
    )
    table = entries.read_table(row, "equations")
    missing = [s for s in states if not isinstance(table.get(s), Mapping)]
    if missing:
        raise Damaged(f'the entry "equations" has no law of "{missing[0]}"')
    equations = tuple(read_expression(table[s], empty.columns) for s in states)
    free = sum(len(e.free) for e in equations)
    if shared is not None and (len(shared) != free or sorted(set(shared)) != list(range(len(set(shared))))):
        raise Damaged('the entry "shared" does not number the fitted constants')
    return empty.with_equations(equations, None if shared is None else tuple(shared))


def write_weighted(weighted: WeightedSystem) -> dict[str, Any]:
    """The entry of a system with its fit, score and weight."""
    f = weighted.fitted
    return {
        "weight": weighted.weight,
        "score": write_array(weighted.score),
        "system": write_system(f.system),
        "starts": [write_array(s) for s in f.starts],
        "chi2": write_array(f.chi2),
        "count": write_array(f.count),
        "noise": write_array(f.noise),
        "covariance": write_array(f.covariance),
        "misfit": write_array(f.misfit),
        "segments": [
            {
                "run": int(s.run),
                "rows": [int(s.first), int(s.last)],
                "start": write_array(s.start),
                "covariance": write_array(s.covariance),
                "with_parameters": write_array(s.with_parameters),
                "past": None if s.past is None else {"time": write_array(s.past[0]), "states": write_array(s.past[1])},
            }
            for s in f.segments
        ],
        "measurement": {k: write_array(getattr(f.measurement, k)) for k in ("level", "mix", "square")},
    }


def read_weighted(row: Mapping[str, Any], data: Trajectories) -> WeightedSystem:
    """The system of :func:`write_weighted`, fitted to ``data``; raises Damaged where there is none."""
    system = read_system(entries.read_table(row, "system"))
    d, m, p = len(system.states), system.n_measured, len(system.parameters)
    if system.states[: max(m, 0)] != tuple(data.states) or system.actions != tuple(data.actions):
        raise Damaged("the states or inputs of a system are not those of the data")
    starts = row.get("starts")
    if not isinstance(starts, list) or len(starts) != len(data.runs):
        raise Damaged(f'the entry "starts" has not one start for each of the {len(data.runs)} runs')
    segments = []
    for s in entries.read_tables(row, "segments"):
        run, rows = entries.read_whole_number(s, "run"), read_array(s, "rows", (2,)).astype(int)
        if not (0 <= run < len(data.runs) and 0 <= rows[0] < rows[1] < data.runs[run].n_row):
            raise Damaged("a segment is not within the data")
        shapes = {"start": (d,), "covariance": (d, d), "with_parameters": (d, p)}
        parts = {key: read_array(s, key, shape) for key, shape in shapes.items()}
        segments.append(Segment(run, int(rows[0]), int(rows[1]), **parts, past=_read_past(s, d)))
    noise = entries.read_table(row, "measurement")
    fitted = Calibrated(
        system=system,
        starts=tuple(read_array({"starts": s}, "starts", (d,)) for s in starts),
        **{key: read_array(row, key, (m,)) for key in ("chi2", "count", "noise")},
        covariance=read_array(row, "covariance", (p, p)),
        misfit=_read_number(row, "misfit"),
        segments=tuple(segments),
        measurement=Noise(**{key: read_array(noise, key, (-1,)) for key in ("level", "mix", "square")}),
    )
    weight = entries.read_number(row, "weight")
    if not 0 <= weight <= 1:
        raise Damaged(f"a weight is {weight:g}, which is not between 0 and 1")
    return WeightedSystem(fitted, _read_number(row, "score"), weight)


def write_event(event: FoundEvent) -> dict[str, Any]:
    """The entry of a wall or bound."""
    return {
        "event": event.text,
        "state": event.state,
        "above": event.is_above,
        "speed": event.speed,
        "constants": {name: write_array(pair) for name, pair in event.constants.items()},
        "count": event.count,
    }


def read_event(row: Mapping[str, Any]) -> FoundEvent:
    """The wall or bound of :func:`write_event`; raises Damaged where there is none."""
    constants = entries.read_table(row, "constants")
    pairs = {name: read_array(constants, name, (2,)) for name in constants}
    speed = entries.read_optional_text(row, "speed")
    missing = [name for name in ((PLACE,) if speed is None else (PLACE, SHARE)) if name not in pairs]
    if missing:
        raise Damaged(f'the entry "events" has no "{missing[0]}"')
    return FoundEvent(
        entries.read_text(row, "state"),
        entries.read_flag(row, "above"),
        speed,
        {name: (float(pair[0]), float(pair[1])) for name, pair in pairs.items()},
        entries.read_whole_number(row, "count"),
    )


def write_forcing(forcing: Forcing | None) -> dict[str, Any] | None:
    """The entry of random forces."""
    if forcing is None:
        return None
    return {key: write_array(getattr(forcing, key)) for key in ("level", "error", "factor")}


def read_forcing(row: Any, system: System) -> Forcing | None:
    """The forces of :func:`write_forcing` on the states of a system; raises Damaged where the entry is something else."""
    if row is None:
        return None
    if not isinstance(row, Mapping):
        raise Damaged('the entry "forcing" is no table')
    d, m = len(system.states), system.n_measured
    shapes = {"level": d, "error": d, "factor": m}
    return Forcing(**{key: read_array(row, key, (n,)) for key, n in shapes.items()})


# --- data -----------------------------------------------------------------------------------------------------------


def write_table(data: Trajectories) -> str:
    """The trajectories as CSV: run, row, time, states, inputs; cells of states that were not measured are empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((RUN, ROW, data.time, *data.states, *data.actions))
    for run in data.runs:
        for k in range(run.n_row):
            numbers = (run.time[k], *run.states[k], *run.actions[k])
            writer.writerow((run.name, int(run.rows[k]), *("" if math.isnan(v) else repr(float(v)) for v in numbers)))
    return stream.getvalue()


def write_data(data: Trajectories) -> dict[str, Any]:
    """The names, units and source of the data, of which their table says nothing."""
    return {
        "time": data.time,
        "states": list(data.states),
        "actions": list(data.actions),
        "units": dict(data.units),
        "source": data.source,
        "notes": list(data.notes),
        "rows": data.n_row,
    }


def read_data(row: Mapping[str, Any], text: str) -> Trajectories:
    """The trajectories of :func:`write_table` and :func:`write_data`; raises Damaged where they do not go together."""
    time, states, actions = (
        entries.read_text(row, "time"),
        entries.read_texts(row, "states"),
        entries.read_texts(row, "actions"),
    )
    lines = list(csv.reader(io.StringIO(text)))
    header = [RUN, ROW, time, *states, *actions]
    if not lines or lines[0] != header:
        raise Damaged(f"the header of the data is not {','.join(header)}")
    rows = lines[1:]
    if len(rows) != entries.read_whole_number(row, "rows") or not rows:
        raise Damaged(f"the data have {len(rows)} rows, and not {row['rows']}")
    try:
        numbers = np.array([[float(cell) if cell else math.nan for cell in line[2:]] for line in rows])
        places = np.array([int(line[1]) for line in rows])
    except (ValueError, IndexError) as error:
        raise Damaged(f"a cell of the data is no number ({error})") from error
    names = [line[0] for line in rows]
    edges = [k for k in range(len(rows)) if k == 0 or names[k] != names[k - 1]] + [len(rows)]
    d = 1 + len(states)
    runs = tuple(
        Run(names[a], numbers[a:b, 0], numbers[a:b, 1:d], numbers[a:b, d:], places[a:b]) for a, b in pairwise(edges)
    )
    if not all(np.all(np.isfinite(r.time)) and np.all(np.diff(r.time) >= 0) for r in runs):
        raise Damaged("a time of the data is missing, or goes back")
    units, source = entries.read_text_table(row, "units"), entries.read_text(row, "source")
    return Trajectories(runs, time, states, actions, units, source, entries.read_texts(row, "notes"))
