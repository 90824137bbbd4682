"""Trajectories: a table of states over time as runs, checked.

A *run* is one recording: times that do not go back, states at these times (NaN where one was not measured), and the inputs
that were recorded beside them. Rows of one moment are repeated measurements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data.dataset import Table
from hypo.errors import DataError
from hypo.expression.edits.conversion import times
from hypo.knowledge.text.wording import nearest
from hypo.problem.from_table import LARGEST, SMALLEST
from hypo.report.units import write_powers
from hypo.units import Unit, parse_unit, split_unit

Values = NDArray[np.float64]

# Moments at which a state must have been measured, over all runs: fewer leave a rate and its error undetermined.
LEAST_MOMENTS = 8
# Moments of one run: two make one step.
LEAST_OF_RUN = 2
# Most states and inputs together: laws of more are no longer searched for in minutes.
MOST_COLUMNS = 200
# Longest name of a column that reports and pictures can hold.
LONGEST_NAME = 100
# Least usual step of times, as a share of the largest: sixteen of its last binary digits.
LEAST_STEP = 16 * float(np.finfo(float).eps)
SECONDS = parse_unit("s").dimension


@dataclass(frozen=True)
class Run:
    """One recording of ``n`` rows.

    Attributes:
        name: what its group is called, ``""`` for the only run of a table.
        time: (n,), never going back.
        states: (n, n_state), NaN where a state was not measured.
        actions: (n, n_action), the inputs as recorded.
        rows: (n,), numbers of the rows in the table, from 0.
        past: moments (n_past,) up to the first row and states then (n_past, n_state), for laws that look back; None: states
            have always been as they are there.
    """

    name: str
    time: Values
    states: Values
    actions: Values
    rows: NDArray[np.int64]
    past: tuple[Values, Values] | None = None

    def __post_init__(self) -> None:
        # One layout in memory, here and with workers: sums over others come out differently.
        for name in ("time", "states", "actions", "rows"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name)))

    @property
    def n_row(self) -> int:
        """Rows of the run."""
        return len(self.time)

    def take(self, rows: NDArray[np.int64] | slice, name: str | None = None) -> Run:
        """Some of the rows, with no past; under another name where one is given."""
        own = self.name if name is None else name
        return Run(own, self.time[rows], self.states[rows], self.actions[rows], self.rows[rows])

    @property
    def duration(self) -> float:
        """Time from the first row to the last."""
        return float(self.time[-1] - self.time[0])


@dataclass(frozen=True)
class Trajectories:
    """Runs of one system, with the names of time, states and inputs, and their units as far as stated.

    ``source`` is where they were read, ``notes`` are sentences for the user on how, without full stops.
    """

    runs: tuple[Run, ...]
    time: str
    states: tuple[str, ...]
    actions: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = "the table"
    notes: tuple[str, ...] = ()

    @property
    def n_row(self) -> int:
        """Rows of all runs."""
        return sum(run.n_row for run in self.runs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names that laws may use, time apart: states, then inputs."""
        return (*self.states, *self.actions)

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of all names and numbers."""
        out = hashlib.sha256(repr((self.time, self.states, self.actions, [run.name for run in self.runs])).encode())
        for run in self.runs:
            for array in (run.time, run.states, run.actions):
                out.update(np.ascontiguousarray(array, np.float64).tobytes())
        return out.hexdigest()

    def rate_unit(self, state: str, order: int = 1) -> Unit | None:
        """The unit of a state's rate of change, of its acceleration for ``order`` 2 and of the state for 0; None where that of
        the state or of time is not stated."""
        if state not in self.units or (order and self.time not in self.units):
            return None
        time = split_unit(self.units[self.time]) if order else {}
        return parse_unit(write_powers(times(split_unit(self.units[state]), time, -order)))


def make_trajectories(
    table: Table,
    time: str,
    state: Sequence[str],
    action: Sequence[str] = (),
    group: Sequence[Any] | None = None,
    *,
    lines: NDArray[np.int64] | None = None,
    discrete: bool = False,
) -> Trajectories:
    """The runs of a table.

    Args:
        table: numbers, NaN where a cell is empty.
        time: name or label of the column of times.
        state: those of the states.
        action: those of the recorded inputs.
        group: (n_row,), what run each row belongs to; rows of a run stand together. None: there is one run.
        lines: (n_row,), the line of each row in its file; None: rows are counted from 0.
        discrete: True where a row's successor is its next value: then the column of times may count steps, and no time repeats.

    Raises:
        DataError: a column is missing or named twice; time is missing, does not increase or is no time by its unit; an input
            is missing or jumps at one moment; a number is infinite, or out of the range whose products are numbers; times
            differ in their last digits only; a state never changes, or was measured at fewer than eight moments; a run has
            one moment, or goes on after another one.
    """
    checks = _Checks(table, lines)
    chosen = {
        role: [_find(table, name, role) for name in names]
        for role, names in (("time", [time]), ("state", state), ("action", action))
    }
    (clock,), named_states, inputs = chosen["time"], chosen["state"], chosen["action"]
    _require_once(table, chosen)
    if not state:
        raise DataError(f"{table.source}: no state is given; name the columns that change by the law")
    _require_few(table, (*named_states, *inputs))
    t = table.columns[clock]
    if not discrete:
        _require_unit_of_time(table, clock)
    checks.require_numbers(clock, "a row without a time cannot be placed; leave the row out")
    for name in inputs:
        checks.require_numbers(name, "inputs must be known at every row; fill it in, or leave the row out")
    for name in named_states:
        checks.require_finite(name)
    for name in (clock, *named_states, *inputs):
        checks.require_size(name)
    states = np.column_stack([table.columns[name] for name in named_states])
    actions = np.column_stack([table.columns[name] for name in inputs]) if action else np.empty((len(t), 0))
    runs = tuple(Run(name, t[rows], states[rows], actions[rows], rows) for name, rows in _split(checks, group, len(t)))
    for run in runs:
        checks.require_order(run, clock, is_grouped=group is not None, may_repeat=not discrete)
        checks.require_single_inputs(run, inputs)
    _require_moments(table, runs, named_states)
    _require_measured(table, runs, named_states)
    _require_change(table, runs, named_states)
    for run in () if discrete else runs:
        checks.require_resolved(run, clock)
    names = [clock, *named_states, *inputs]
    units = {name: table.units[name] for name in names if name in table.units}
    notes = (*table.said, *table.notes, *_note_units(units, clock, named_states, discrete))
    return Trajectories(runs, clock, tuple(named_states), tuple(inputs), units, table.source, notes)


def _find(table: Table, wanted: str, role: str) -> str:
    """The name of a column by name or header."""
    if wanted in table.columns:
        return wanted
    for name, label in zip(table.names, table.labels, strict=True):
        if wanted == label or table.aliases.get(wanted) == name:
            return name
    near = nearest(wanted, (*table.names, *table.labels))
    guess = f' (did you mean "{near}"?)' if near else ""
    raise DataError(
        f'{table.source} has no column "{wanted}" for {role}{guess}; its columns are {", ".join(table.labels)}'
    )


def _require_few(table: Table, names: Sequence[str]) -> None:
    """Raises DataError for more columns than laws can be searched for, or a name that no report could hold."""
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{table.source} has {len(names)} states and inputs, and hypo seeks laws of motion among {MOST_COLUMNS} at most; "
            "choose some of them as states"
        )
    long = next((name for name in names if len(name) > LONGEST_NAME), None)
    if long is not None:
        which = f'{table.source}: the name of the column "{long[:20]}…" has {len(long)} letters'
        raise DataError(f"{which}; give it one of at most {LONGEST_NAME}")


def _require_once(table: Table, chosen: Mapping[str, Sequence[str]]) -> None:
    """Raises DataError for a column in two places."""
    seen: dict[str, str] = {}
    for role, names in chosen.items():
        for name in names:
            if name in seen:
                both = f"twice as {role}" if seen[name] == role else f"as {seen[name]} and as {role}"
                raise DataError(f'{table.source}: column "{name}" is given {both}; give each column once')
            seen[name] = role


def _require_unit_of_time(table: Table, clock: str) -> None:
    unit = table.units.get(clock)
    if unit is not None and parse_unit(unit).dimension != SECONDS:
        raise DataError(
            f'{table.source}, column "{clock}": its unit {unit} is no time, so there are no rates per {unit}; name the '
            "column of times, correct the header, or, where it counts steps, say --discrete (discrete=True)"
        )


class _Checks:
    """Checks of the numbers of a table; messages say where in the source a number stands."""

    def __init__(self, table: Table, lines: NDArray[np.int64] | None) -> None:
        self.table, self.lines = table, lines

    def place(self, row: int) -> str:
        """Where a row (from 0) is."""
        where = f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"
        return f"{self.table.source}, {where}"

    def require_numbers(self, name: str, advice: str) -> None:
        """Raises DataError where a number of a column is missing or infinite."""
        self.require_finite(name)
        bad = np.flatnonzero(np.isnan(self.table.columns[name]))
        if len(bad):
            raise DataError(f'{self.place(bad[0])}, column "{name}": there is no number; {advice}')

    def require_finite(self, name: str) -> None:
        """Raises DataError where a number of a column is infinite; missing ones pass."""
        bad = np.flatnonzero(np.isinf(self.table.columns[name]))
        if len(bad):
            raise DataError(f'{self.place(bad[0])}, column "{name}": the number is infinite; correct or empty the cell')

    def require_order(self, run: Run, clock: str, is_grouped: bool, may_repeat: bool) -> None:
        """Raises DataError where the times of a run go back, or do not get on at all."""
        of = f' of run "{run.name}"' if is_grouped else ""
        steps = np.diff(run.time)
        bad = np.flatnonzero((steps < 0) if may_repeat else (steps <= 0))
        if len(bad):
            k = int(bad[0])
            place = f'{self.place(run.rows[k + 1])}, column "{clock}"'
            if steps[k] == 0:
                raise DataError(
                    f"{place}: time is {run.time[k]:g} twice{of}, so a law of the next value does not know which comes next; "
                    "leave one of the rows out"
                )
            advice = "sort the rows by time" + (
                ""
                if is_grouped
                else ", or, where several runs stand one below the other, name the column that tells them apart with --group "
                '(group="…")'
            )
            raise DataError(f"{place}: time goes back from {run.time[k]:g} to {run.time[k + 1]:g}{of}; {advice}")
        if len(np.unique(run.time)) < LEAST_OF_RUN:
            what = f'run "{run.name}" has' if is_grouped else "there is"
            raise DataError(
                f"{self.place(run.rows[0])}: {what} one moment only, which says nothing of what happens next; "
                "leave it out, or give more rows"
            )

    def require_single_inputs(self, run: Run, inputs: Sequence[str]) -> None:
        """Raises DataError where an input has two values at one moment."""
        same = np.diff(run.time) == 0
        for k, name in enumerate(inputs):
            bad = np.flatnonzero(same & (np.diff(run.actions[:, k]) != 0))
            if len(bad):
                row = int(bad[0]) + 1
                raise DataError(
                    f'{self.place(run.rows[row])}, column "{name}": the input is {run.actions[row - 1, k]:g} and '
                    f"{run.actions[row, k]:g} at the same time {run.time[row]:g}; give it one value there, or other times"
                )

    def require_size(self, name: str) -> None:
        """Raises DataError where the largest number of a column is so large or small that products of it are no numbers."""
        values = self.table.columns[name]
        sizes = np.abs(np.where(np.isfinite(values), values, 0.0))
        row = int(np.argmax(sizes))
        if sizes[row] > 0 and not SMALLEST <= sizes[row] <= LARGEST:
            raise DataError(
                f'{self.place(row)}, column "{name}": the largest number is {values[row]:g}, but hypo takes sizes from '
                f"{SMALLEST:g} to {LARGEST:g}, so that products stay in the range of numbers; give it in another unit"
            )

    def require_resolved(self, run: Run, clock: str) -> None:
        """Raises DataError where the times of a run differ in their last digits only, which rounding has cut."""
        step = run.duration / (len(np.unique(run.time)) - 1)
        if step < LEAST_STEP * float(np.max(np.abs(run.time))):
            raise DataError(
                f'{self.place(run.rows[0])}, column "{clock}": times around {run.time[0]:g} in steps of {step:.1g} differ in '
                "their last digits only, which are rounded; write the time since the first row"
            )


def _split(checks: _Checks, group: Sequence[Any] | None, n: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Names of runs and their rows, in the order of the table."""
    if group is None:
        yield "", np.arange(n)
        return
    labels = [_name_run(label) for label in group]
    if len(labels) != n:
        raise DataError(
            f"group has {len(labels)} entries, but {checks.table.source} has {n} rows; give one for each row"
        )
    begin, seen = 0, set[str]()
    for k in range(1, n + 1):
        if k < n and labels[k] == labels[begin]:
            continue
        if labels[begin] == "":
            raise DataError(f"{checks.place(begin)}: the row belongs to no run, its group is empty; name its run")
        if labels[begin] in seen:
            raise DataError(
                f'{checks.place(begin)}: run "{labels[begin]}" goes on after rows of another run; '
                "put the rows of each run together"
            )
        seen.add(labels[begin])
        yield labels[begin], np.arange(begin, k)
        begin = k


def _name_run(label: Any) -> str:
    """The name of a run: whole numbers without a point, nothing for a missing one. Unequal numbers have unequal names."""
    if isinstance(label, float | np.floating):
        return "" if np.isnan(label) else str(label).removesuffix(".0")
    return "" if label is None or str(label) in ("<NA>", "NaT") else str(label).strip()


def _require_moments(table: Table, runs: Sequence[Run], states: Sequence[str]) -> None:
    for k, name in enumerate(states):
        moments = sum(len(np.unique(run.time[np.isfinite(run.states[:, k])])) for run in runs)
        if moments < LEAST_MOMENTS:
            raise DataError(
                f'{table.source}, column "{name}": measured at {moments} moment{"s" * (moments != 1)}; '
                f"a law of motion needs {LEAST_MOMENTS} or more"
            )


def _require_measured(table: Table, runs: Sequence[Run], states: Sequence[str]) -> None:
    """Raises DataError for a state that was not measured once in a run."""
    for run in runs:
        for k, name in enumerate(states):
            if not np.isfinite(run.states[:, k]).any():
                raise DataError(
                    f'{table.source}, column "{name}": there is no measurement in run "{run.name}"; '
                    "leave out the run, or the state"
                )


def _require_change(table: Table, runs: Sequence[Run], states: Sequence[str]) -> None:
    """Raises DataError for a state that does not change within any run."""
    for k, name in enumerate(states):
        measured = [run.states[np.isfinite(run.states[:, k]), k] for run in runs]
        if all(len(x) == 0 or np.ptp(x) == 0 for x in measured):
            first = next(x[0] for x in measured if len(x))
            always = all(len(x) == 0 or x[0] == first for x in measured)
            what = f"is {first:g} in every row" if always else "does not change within any run"
            raise DataError(
                f'{table.source}, column "{name}": the state {what}, so there is no law of its change to find; '
                "leave it out, or give it as an action, which laws may use"
            )


def _note_units(units: Mapping[str, str], clock: str, states: Sequence[str], discrete: bool) -> Iterator[str]:
    """A sentence where states have units and time has none, or only some of the states have."""
    known = [name for name in states if name in units]
    if known and clock not in units and not discrete:
        yield (
            f"without a unit of {clock} rates have none, so the units of states are not used; "
            f"a header such as {clock} [s] has it"
        )
    elif known and len(known) < len(states):
        open_ = [name for name in states if name not in units]
        count = "counts as a pure number" if len(open_) == 1 else "count as pure numbers"
        yield f"without a unit {', '.join(open_)} {count}"
