"""Trajectories: a table of states over time as runs, checked.

A *run* is one recording: times that do not go back, states at these times (NaN where one was not measured), and the inputs
that were recorded beside them. Rows of one moment are repeated measurements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data.dataset import Table
from hypo.errors import DataError
from hypo.units import Unit, parse_unit

Values = NDArray[np.float64]

# Moments at which a state must have been measured, over all runs: fewer leave a rate and its error undetermined.
LEAST_MOMENTS = 8
# Moments of one run: two make one step.
LEAST_OF_RUN = 2
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
    """

    name: str
    time: Values
    states: Values
    actions: Values
    rows: NDArray[np.int64]

    @property
    def n_row(self) -> int:
        """Rows of the run."""
        return len(self.time)

    @property
    def duration(self) -> float:
        """Time from the first row to the last."""
        return float(self.time[-1] - self.time[0])


@dataclass(frozen=True)
class Trajectories:
    """Runs of one system, with the names of time, states and inputs, and their units as far as stated."""

    runs: tuple[Run, ...]
    time: str
    states: tuple[str, ...]
    actions: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = "the table"

    @property
    def n_row(self) -> int:
        """Rows of all runs."""
        return sum(run.n_row for run in self.runs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names that laws may use, time apart: states, then inputs."""
        return (*self.states, *self.actions)

    def rate_unit(self, state: str) -> Unit | None:
        """The unit of a state's rate of change, None where that of the state or of time is not stated."""
        if state not in self.units or self.time not in self.units:
            return None
        return parse_unit(self.units[state]) / parse_unit(self.units[self.time])


def make_trajectories(
    table: Table, time: str, state: Sequence[str], action: Sequence[str] = (), group: Sequence[Any] | None = None
) -> Trajectories:
    """The runs of a table.

    Args:
        table: numbers, NaN where a cell is empty.
        time: name or label of the column of times.
        state: those of the states.
        action: those of the recorded inputs.
        group: (n_row,), what run each row belongs to; rows of a run stand together. None: there is one run.

    Raises:
        DataError: a column is missing or named twice; time is missing, does not increase or is no time by its unit; an input
            is missing; a run has one row, or goes on after another one; a state was measured at fewer than eight moments.
    """
    chosen = {
        role: [_find(table, name, role) for name in names]
        for role, names in (("time", [time]), ("state", state), ("action", action))
    }
    names = [name for each in chosen.values() for name in each]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f'{table.source}: "{twice[0]}" is given twice among time, states and actions; give each column once'
        )
    if not state:
        raise DataError(f"{table.source}: no state is given; name the columns that change by the law")
    t = table.columns[chosen["time"][0]]
    unit = table.units.get(chosen["time"][0])
    if unit is not None and parse_unit(unit).dimension != SECONDS:
        raise DataError(
            f'{table.source}, column "{time}": its unit {unit} is no time, so there are no rates per {unit}; '
            "name the column of times"
        )
    states = np.column_stack([table.columns[name] for name in chosen["state"]])
    actions = np.column_stack([table.columns[name] for name in chosen["action"]]) if action else np.empty((len(t), 0))
    _require_present(table, chosen["time"][0], t, "a row without a time cannot be placed; leave it out")
    for name in chosen["action"]:
        _require_present(
            table, name, table.columns[name], "inputs must be known at every row; fill it in or leave the row out"
        )
    runs = tuple(Run(name, t[rows], states[rows], actions[rows], rows) for name, rows in _split(table, group, len(t)))
    for run in runs:
        _check_run(table, run, chosen["time"][0], group is not None)
    _require_moments(table, runs, chosen["state"])
    units = {name: table.units[name] for name in names if name in table.units}
    return Trajectories(runs, chosen["time"][0], tuple(chosen["state"]), tuple(chosen["action"]), units, table.source)


def _find(table: Table, wanted: str, role: str) -> str:
    """The name of a column by name or header."""
    if wanted in table.columns:
        return wanted
    for name, label in zip(table.names, table.labels, strict=True):
        if wanted == label or table.aliases.get(wanted) == name:
            return name
    raise DataError(f'{table.source} has no column "{wanted}" for {role}; its columns are {", ".join(table.labels)}')


def _require_present(table: Table, name: str, values: Values, advice: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f'{table.source}, row {bad[0] + 1} of the data, column "{name}": no number; {advice}')


def _split(table: Table, group: Sequence[Any] | None, n: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Names of runs and their rows, in the order of the table."""
    if group is None:
        yield "", np.arange(n)
        return
    labels = [str(label) for label in group]
    if len(labels) != n:
        raise DataError(f"group has {len(labels)} entries but {table.source} has {n} rows; expected as many")
    begin, seen = 0, set[str]()
    for k in range(1, n + 1):
        if k < n and labels[k] == labels[begin]:
            continue
        if labels[begin] in seen:
            raise DataError(
                f'{table.source}, row {begin + 1} of the data: run "{labels[begin]}" goes on after rows of another run; '
                "put the rows of each run together"
            )
        seen.add(labels[begin])
        yield labels[begin], np.arange(begin, k)
        begin = k


def _check_run(table: Table, run: Run, time: str, grouped: bool) -> None:
    of = f' of run "{run.name}"' if grouped else ""
    back = np.flatnonzero(np.diff(run.time) < 0)
    if len(back):
        k = int(back[0])
        advice = (
            "sort the rows by time"
            if grouped
            else "sort the rows by time, or, if several runs stand one below the other, name the column that tells them apart as group"
        )
        raise DataError(
            f"{table.source}, row {run.rows[k + 1] + 1} of the data: time goes back from {run.time[k]:g} to {run.time[k + 1]:g} "
            f'in column "{time}"{of}; {advice}'
        )
    moments = len(np.unique(run.time))
    if moments < LEAST_OF_RUN:
        raise DataError(
            f"{table.source}: there is one moment only{of}, which says nothing of what happens next; leave it out or give more rows"
        )


def _require_moments(table: Table, runs: Sequence[Run], states: Sequence[str]) -> None:
    for k, name in enumerate(states):
        moments = sum(len(np.unique(run.time[np.isfinite(run.states[:, k])])) for run in runs)
        if moments < LEAST_MOMENTS:
            raise DataError(
                f'{table.source}, column "{name}": measured at {moments} moments; a law of motion needs at least {LEAST_MOMENTS}'
            )
