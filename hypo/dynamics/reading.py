"""Tables as users give them, files, data frames and arrays, made into trajectories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.data.columns import Column, TableColumns
from hypo.data.csv_blocks import decode
from hypo.data.csv_reader import CsvFile
from hypo.data.dataset import Table
from hypo.data.frames import FrameReader, FrameText
from hypo.data.readers import columns_of
from hypo.data.tables import make_frame
from hypo.dynamics.trajectories import Trajectories, make_trajectories
from hypo.errors import DataError, InputError

Values = NDArray[np.float64]
Names = str | Sequence[str] | None

# What a column of times is called where nobody says which it is.
CALLED_TIME = ("t", "time")
# Advice for a text in a state.
_CHOOSE = "choose other states with --state (state=[…])"


@dataclass(frozen=True)
class Roles:
    """The roles of columns, as a user says them.

    Attributes:
        time: the column of times; None: the one that is called t or time.
        state: the columns whose law is sought; None: all numbers that change and are nothing else.
        action: recorded inputs.
        group: the column that tells runs apart, or an entry for each row; None: there is one run.
    """

    time: str | None = None
    state: Names = None
    action: Names = None
    group: Any = None


def read_trajectories(
    data: Any, roles: Roles | None = None, *, thousands: str | None = None, discrete: bool = False
) -> Trajectories:
    """The trajectories of ``data``.

    Args:
        data: the path of a CSV file, a spreadsheet or a Parquet file, ``-`` for standard input; a data frame, or a mapping
            from names to columns; arrays ``(time, states)`` or ``(time, states, inputs)``, of shapes (n,), (n, n_state) and
            (n, n_action); a list of data frames, or of such tuples, one for each run; or trajectories, as they are.
        roles: what columns are for; None: as :class:`Roles` has it.
        thousands: the mark between thousands in a file of texts.
        discrete: True where laws give the next value; then time may count steps.

    Raises:
        DataError: one sentence with file, line and column, and what to do, as :func:`make_trajectories` has them.
        InputError: ``data`` or ``roles`` are of no use.
    """
    roles = roles or Roles()
    state, action = as_names("state", roles.state), as_names("action", roles.action)
    chosen = Roles(roles.time, state, action or [], roles.group)
    if isinstance(data, Trajectories):
        return data
    if isinstance(data, str | os.PathLike):
        return _read_file(data, chosen, thousands, discrete)
    if isinstance(data, Table):
        raise InputError("a table to predict for holds no group of its rows; give the file itself, or a data frame")
    if thousands is not None:
        raise InputError("thousands is for files of texts; data frames and arrays must hold numbers")
    if isinstance(data, Mapping):
        data = make_frame(data)
    if hasattr(data, "columns"):
        return _read_frame(data, chosen, discrete)
    if isinstance(data, tuple) and not any(hasattr(part, "columns") for part in data):
        return _read_frame(_frame_of([data], chosen), _named(chosen, data), discrete, source="the arrays")
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data):
        return _read_runs(data, chosen, discrete)
    raise InputError(
        "the data must be the path of a table, a data frame, a mapping from names to columns, or arrays (time, states), "
        f"got {type(data).__name__}"
    )


def as_names(role: str, given: Any) -> list[str] | None:
    """Names of columns from a list, or from a text with commas; None for none given. Raises InputError for anything else."""
    if given is None:
        return None
    wrong = InputError(f'{role} must be names of columns, such as ["x", "v"], got {given!r:.40}')
    if isinstance(given, str):
        names = [part.strip() for part in given.split(",")]
        if not all(names):
            raise wrong
        return names
    try:
        listed = list(given)
    except TypeError:
        raise wrong from None
    if not all(isinstance(name, str) for name in listed):
        raise wrong
    return listed


# --- which columns ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chosen:
    """Columns by role; ``asked`` says that the user named the states."""

    time: Column
    state: tuple[Column, ...]
    action: tuple[Column, ...]
    group: Column | None
    asked: bool

    @property
    def numbers(self) -> tuple[Column, ...]:
        """All that must hold numbers."""
        return (self.time, *self.state, *self.action)


def _choose(columns: TableColumns, roles: Roles) -> _Chosen:
    """The columns of the roles; raises DataError with near names for those that are not there, and for one in two roles."""
    time = _choose_time(columns, roles.time)
    action = [columns.find(name, "action") for name in roles.action or ()]
    group = columns.find(roles.group, "group") if isinstance(roles.group, str) else None
    taken = {time, *action, *([] if group is None else [group])}
    if roles.state is None:
        state = [c for c in columns if c not in taken]
        if not state:
            raise DataError(
                f"{columns.source}: there is no column of states beside {', '.join(c.label for c in taken)}"
            )
    else:
        state = [columns.find(name, "state") for name in roles.state]
    seen: dict[Column, str] = {}
    for column, role in [
        (time, "time"),
        *((c, "state") for c in state),
        *((c, "action") for c in action),
        *([] if group is None else [(group, "group")]),
    ]:
        if column in seen:
            both = f"twice as {role}" if seen[column] == role else f"as {seen[column]} and as {role}"
            raise DataError(f'{columns.source}: column "{column.label}" is given {both}; give each column once')
        seen[column] = role
    for column in seen:
        columns.check_unit(column)
    return _Chosen(time, tuple(state), tuple(action), group, roles.state is not None)


def _choose_time(columns: TableColumns, wanted: str | None) -> Column:
    if wanted is not None:
        return columns.find(wanted, "time")
    found = [c for c in columns if c.label in CALLED_TIME]
    found = found or [c for c in columns if c.label.casefold() in CALLED_TIME]
    if len(found) == 1:
        return found[0]
    why = "several are called so" if found else f"none is called {' or '.join(CALLED_TIME)}"
    raise DataError(
        f'{columns.source}: no column of times is given, and {why}; name it with --time (time="…"): the columns are '
        f"{columns.listed()}"
    )


def _keep(
    chosen: _Chosen, values: Mapping[Column, Values], texts: Mapping[Column, str]
) -> tuple[list[Column], list[str]]:
    """The states, and sentences on the columns that were not asked for and are no states: texts, empty and constant ones."""
    kept, notes = [], []
    for column in chosen.state:
        if column in texts:
            notes.append(f'column "{column.label}" was left out: {texts[column]}')
            continue
        found = values[column][np.isfinite(values[column])]
        if not chosen.asked and len(found) == 0:
            notes.append(f'column "{column.label}" is empty and was left out')
        elif not chosen.asked and found.min() == found.max():
            notes.append(f'column "{column.label}" is constant ({found[0]:g}) and was left out')
        else:
            kept.append(column)
    return kept, notes


def _note_names(columns: Iterable[Column]) -> Iterator[str]:
    renamed = [f'"{c.label}" is called {c.name}' for c in columns if c.label != c.name]
    if renamed:
        yield "in formulas the column " + ", ".join(renamed)


def _assemble(
    columns: TableColumns,
    chosen: _Chosen,
    values: Mapping[Column, Values],
    texts: Mapping[Column, str],
    notes: Sequence[str],
    **more: Any,
) -> Trajectories:
    """The trajectories of the columns read."""
    state, said = _keep(chosen, values, texts)
    if not state:
        raise DataError(
            f"{columns.source}: no column is left that could be a state ({'; '.join(said)}); name the states"
        )
    used = [chosen.time, *state, *chosen.action]
    constant = [c for c in chosen.action if values[c].min() == values[c].max()]
    said += [
        f'the input "{c.label}" is {values[c][0]:g} in every row, so laws cannot tell it from a constant'
        for c in constant
    ]
    table = Table(
        names=tuple(c.name for c in used),
        labels=tuple(c.label for c in used),
        units={c.name: c.unit for c in used if c.unit is not None},
        columns={c.name: values[c] for c in used},
        source=columns.source,
        notes=(*notes, *columns.notes(used, None), *_note_names(used), *said),
    )
    names = ([c.name for c in each] for each in (state, chosen.action))
    return make_trajectories(table, chosen.time.name, *names, **more)


# --- from where ---------------------------------------------------------------------------------------------------


def _read_file(path: str | os.PathLike[str], roles: Roles, thousands: str | None, discrete: bool) -> Trajectories:
    file = CsvFile(path, thousands)
    columns = columns_of(file)
    chosen = _choose(columns, roles)
    wanted = chosen.numbers
    parsed = file.read(
        [c.position for c in wanted],
        columns.labels,
        optional=() if chosen.asked else [c.position for c in chosen.state],
        advice={c.position: _CHOOSE for c in chosen.state},
        drop=True,
    )
    texts = {wanted[k]: f"{text.description} (line {text.line})" for k, text in parsed.text.items()}
    values = {c: np.ascontiguousarray(parsed.values[:, k]) for k, c in enumerate(wanted)}
    group = roles.group if chosen.group is None else list(_cells(file, chosen.group.position, parsed.lines))
    return _assemble(
        columns, chosen, values, texts, (*file.notes, *parsed.notes), group=group, lines=parsed.lines, discrete=discrete
    )


def _cells(file: CsvFile, position: int, lines: NDArray[np.int64]) -> Iterator[str]:
    """The texts of a column in the lines of these numbers, which rise."""
    at = 0
    for number, line in enumerate(file.lines(), start=1):
        if at < len(lines) and number == lines[at]:
            yield decode(file.split(line, number)[position])
            at += 1


def _read_frame(frame: Any, roles: Roles, discrete: bool, source: str = "the data frame") -> Trajectories:
    keys = list(frame.columns)
    columns = TableColumns([str(key) for key in keys], source=source, place=source)
    chosen = _choose(columns, roles)

    def place(row: int, column: Column) -> str:
        return f'{source}, row {row} (from 0), column "{column.label}"'

    reader = FrameReader(place, True, None, otherwise=_CHOOSE)
    values: dict[Column, Values] = {}
    texts: dict[Column, str] = {}
    for column in chosen.numbers:
        found = reader.read(frame[keys[column.position]], column, not chosen.asked and column in chosen.state)
        if isinstance(found, FrameText):
            texts[column] = found.said
        else:
            values[column] = found
    group = roles.group if chosen.group is None else list(frame[keys[chosen.group.position]])
    return _assemble(columns, chosen, values, texts, tuple(reader.notes()), group=group, discrete=discrete)


def _read_runs(data: Sequence[Any], roles: Roles, discrete: bool) -> Trajectories:
    """Several runs, each a data frame or a tuple of arrays."""
    import pandas

    if roles.group is not None:
        raise InputError("several runs were given one by one, so they have their groups already; leave group out")
    if all(hasattr(run, "columns") for run in data):
        first = list(data[0].columns)
        for k, run in enumerate(data):
            if list(run.columns) != first:
                raise DataError(
                    f"run {k + 1} has the columns {', '.join(map(str, run.columns))}, but run 1 has "
                    f"{', '.join(map(str, first))}; give all runs the same columns"
                )
        frame, source, chosen = pandas.concat(list(data), ignore_index=True), "the data frames", roles
        lengths = [len(run) for run in data]
    elif all(isinstance(run, tuple) for run in data):
        frame, source, chosen = _frame_of(data, roles), "the arrays", _named(roles, data[0])
        lengths = [len(np.atleast_1d(run[0])) for run in data]
    else:
        raise InputError("a list of runs must hold data frames alone, or tuples (time, states) alone")
    group = [str(k + 1) for k, n in enumerate(lengths) for _ in range(n)]
    return _read_frame(frame, Roles(chosen.time, chosen.state, chosen.action, group), discrete, source)


def _frame_of(runs: Sequence[tuple[Any, ...]], roles: Roles) -> Any:
    """Arrays (time, states[, inputs]) of one or more runs as one data frame."""
    import pandas

    blocks = []
    for k, run in enumerate(runs):
        of = f" of run {k + 1}" if len(runs) > 1 else ""
        if len(run) not in (2, 3):
            raise InputError(f"the arrays{of} must be (time, states) or (time, states, inputs), got {len(run)} of them")
        arrays = [_as_matrix(name + of, array) for name, array in zip(("time", "states", "inputs"), run, strict=False)]
        if arrays[0].shape[1] != 1:
            raise DataError(f"the times{of} must be of shape (n,), got {np.shape(run[0])}")
        if len({len(a) for a in arrays}) > 1:
            sizes = ", ".join(str(len(a)) for a in arrays)
            raise DataError(f"the arrays{of} have {sizes} rows; give as many of each")
        blocks.append(np.hstack(arrays))
    widths = {block.shape[1] for block in blocks}
    if len(widths) > 1:
        raise DataError("the arrays of the runs have different numbers of columns; give all the same")
    named = _named(roles, runs[0])
    names = [named.time, *named.state, *named.action]  # type: ignore[misc]
    if len(names) != blocks[0].shape[1]:
        raise DataError(
            f"the arrays have {blocks[0].shape[1]} columns with time, but {len(names)} names were given "
            f"({', '.join(map(str, names))}); name each column once"
        )
    return pandas.DataFrame(np.vstack(blocks), columns=names)


def _named(roles: Roles, run: tuple[Any, ...]) -> Roles:
    """The roles of arrays: t, x0, x1, … and u0, u1, … where no names are given."""
    shapes = [1 if np.ndim(array) < 2 else np.shape(array)[1] for array in run]
    state = list(roles.state) if roles.state else [f"x{k}" for k in range(shapes[1] if len(shapes) > 1 else 1)]
    action = list(roles.action) if roles.action else [f"u{k}" for k in range(shapes[2] if len(shapes) > 2 else 0)]
    return Roles(roles.time or "t", state, action, roles.group)


def _as_matrix(name: str, array: Any) -> Values:
    try:
        out = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be an array of numbers, got {array!r:.40}") from None
    if out.ndim == 1:
        out = out[:, None]
    if out.ndim != 2:
        raise DataError(f"{name} must have one dimension or two, got shape {np.shape(array)}")
    return out
