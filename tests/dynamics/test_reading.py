"""Trajectories from files, data frames and arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hypo.data import read_table
from hypo.dynamics.reading import Roles, read_trajectories
from hypo.errors import DataError, InputError

T = np.linspace(0.0, 3.0, 10)
X = np.sin(T)


def write(path: Path, header: str, *columns: Any) -> str:
    file = path / "runs.csv"
    rows = [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    file.write_text("\n".join([header, *rows, ""]))
    return str(file)


def test_a_file_with_units_runs_and_a_gap(tmp_path: Path) -> None:
    x = ["" if k == 3 else v for k, v in enumerate(X)]
    path = write(
        tmp_path, "run,t [s],θ [rad],note,k", ["first"] * 5 + ["second"] * 5, [*T[:5], *T[:5]], x, ["hm"] * 10, [7] * 10
    )
    data = read_trajectories(path, Roles(group="run"))
    assert (data.states, data.time, data.units) == (("theta",), "t", {"t": "s", "theta": "rad"})
    assert [(run.name, run.n_row) for run in data.runs] == [("first", 5), ("second", 5)]
    assert np.isnan(data.runs[0].states[3, 0])
    assert np.array_equal(data.runs[1].states[:, 0], X[5:])
    assert data.source == path
    assert data.notes == (
        'in formulas the column "θ" is called theta',
        'column "note" was left out: "hm" is not a number (line 2)',
        'column "k" is constant (7) and was left out',
    )


def test_numbers_as_groups(tmp_path: Path) -> None:
    path = write(tmp_path, "t,x,run", [*T[:5], *T[:5]], X, [1] * 5 + [2] * 5)
    assert [run.name for run in read_trajectories(path, Roles(group="run")).runs] == ["1", "2"]
    frame = pd.DataFrame({"t": [*T[:5], *T[:5]], "x": X, "run": [1.0] * 5 + [2.5] * 5})
    assert [run.name for run in read_trajectories(frame, Roles(group="run")).runs] == ["1", "2.5"]


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    file = tmp_path / "comma.csv"
    file.write_text("Zeit;x\n" + "".join(f"{t};{x}\n".replace(".", ",") for t, x in zip(T, X, strict=True)))
    data = read_trajectories(file, Roles("Zeit"))
    assert np.array_equal(data.runs[0].time, T)
    assert np.array_equal(data.runs[0].states[:, 0], X)


def test_words_for_nothing_count_as_missing(tmp_path: Path) -> None:
    data = read_trajectories(write(tmp_path, "t,x", T, ["n.d.", *X[1:]]))
    assert np.isnan(data.runs[0].states[0, 0])
    assert any("count" in note and '"n.d."' in note for note in data.notes)


def test_all_forms_are_one() -> None:
    v, u = np.cos(T), T**2
    roles = Roles("time [s]", ["x [m]", "v [m/s]"], "u")
    frame = pd.DataFrame({"time [s]": T, "x [m]": X, "v [m/s]": v, "u": u})
    for data in (
        frame,
        dict(frame),
        (T, np.column_stack([X, v]), u),
        (T.tolist(), [*zip(X, v, strict=True)], u[:, None]),
    ):
        found = read_trajectories(data, roles)
        assert found.sha256 == read_trajectories(frame, roles).sha256
        assert (found.time, found.states, found.actions) == ("time", ("x", "v"), ("u",))
        assert found.units == {"time": "s", "x": "m", "v": "m/s"}
    assert read_trajectories(found) is found


def test_lists_of_runs() -> None:
    frames = [pd.DataFrame({"t": T, "x": X}), pd.DataFrame({"t": T[:4], "x": X[:4]})]
    arrays = [(T, X), (T[:4], X[:4])]
    for data, state in ((frames, ("x",)), (arrays, ("x0",))):
        found = read_trajectories(data)
        assert (found.states, [(r.name, r.n_row) for r in found.runs]) == (state, [("1", 10), ("2", 4)])


def test_names_with_commas_and_without() -> None:
    frame = pd.DataFrame({"t": T, "x": X, "v": T, "w": T**2})
    assert read_trajectories(frame, Roles(state="x, w")).states == ("x", "w")
    assert read_trajectories(frame, Roles(state=("w",), action="v")).columns == ("w", "v")
    assert read_trajectories(frame, Roles(action=["v"])).states == ("x", "w")


def test_which_column_is_time() -> None:
    assert read_trajectories({"Time": T, "x": X}).time == "Time"
    assert read_trajectories({"T": X, "t": T}).time == "t"
    assert read_trajectories({"hours": T, "x": X}, Roles("hours")).states == ("x",)


def test_constant_inputs_are_said() -> None:
    notes = read_trajectories({"t": T, "x": X, "u": T * 0 + 2}, Roles(action="u")).notes
    assert notes == ('the input "u" is 2 in every row, so laws cannot tell it from a constant',)


FRAMES = [
    ({"tim": T, "x": X}, Roles(), "no column of times is given, and none is called t or time; name it with --time"),
    ({"TIME": T, "T": X}, Roles(), "no column of times is given, and several are called so"),
    ({"t": T, "x": X}, Roles("tt"), 'there is no column "tt" as time (did you mean "t"?)'),
    ({"t": T, "x": X}, Roles(state="y"), 'there is no column "y" as state'),
    ({"t": T, "x": X}, Roles(action="force"), 'there is no column "force" as action'),
    ({"t": T, "x": X}, Roles(group="runs"), 'there is no column "runs" as group'),
    ({"t": T, "x": X}, Roles(state="x,x"), 'column "x" is given twice as state; give each column once'),
    ({"t": T, "x": X}, Roles(action="t"), 'column "t" is given as time and as action'),
    ({"t": T, "x": X}, Roles(group="x", state="x"), 'column "x" is given as state and as group'),
    ({"t": T}, Roles(), "there is no column of states beside t"),
    (
        {"t": T, "x": X * 0},
        Roles(),
        'no column is left that could be a state (column "x" is constant (0) and was left out)',
    ),
    (
        {"t": T, "x": ["high"] * 10},
        Roles(state="x"),
        'row 0 (from 0), column "x": "high" is not a number; convert the column',
    ),
    ({"t [s]": T, "x [degC]": X}, Roles(), "offset"),
    ({"t [s]": T, "x [rabits]": X}, Roles(), "rabits"),
    (
        {"t": pd.date_range("2020", periods=10), "x": X},
        Roles(),
        "is not a number but a date; write the time since a start",
    ),
]


@pytest.mark.parametrize(("columns", "roles", "message"), FRAMES, ids=[m[:60] for *_, m in FRAMES])
def test_refused_frames(columns: dict[str, Any], roles: Roles, message: str) -> None:
    with pytest.raises(DataError) as error:
        read_trajectories(pd.DataFrame(columns), roles)
    assert message in str(error.value)
    assert str(error.value).startswith("the data frame")


def test_refused_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: there is no such file"):
        read_trajectories(str(tmp_path / "gone.csv"))
    path = write(tmp_path, "t,x,y", T, X, ["1.0", "high", *X[2:]])
    with pytest.raises(
        DataError, match=r'runs\.csv, line 3, column "y": "high" is not a number; correct the cell, or choose other'
    ):
        read_trajectories(path, Roles(state="x,y"))
    path = write(tmp_path, "t,x", [*T[:5], *T[:5]], X)
    with pytest.raises(DataError, match=r'runs\.csv, line 7, column "t": time goes back .* --group'):
        read_trajectories(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "the data must be the path of a table, a data frame, a mapping from names to columns, or arrays"),
        ([], "the data must be the path of a table"),
        (np.ones((10, 2)), r"or arrays \(time, states\), got ndarray"),
        ([T, X], "a list of runs must hold data frames alone, or tuples"),
        ((T,), r"the arrays must be \(time, states\) or \(time, states, inputs\), got 1 of them"),
        ((T, X[:4]), "the arrays have 10, 4 rows; give as many of each"),
        ((np.ones((10, 2)), X), r"the times must be of shape \(n,\), got \(10, 2\)"),
        ((T, ["a"] * 10), "states must be an array of numbers"),
        ((T, np.ones((10, 1, 1))), r"states must have one dimension or two, got shape \(10, 1, 1\)"),
        ([(T, X), (T, np.ones((10, 2)))], "the arrays of the runs have different numbers of columns"),
        ([pd.DataFrame({"t": T, "x": X}), pd.DataFrame({"t": T})], "run 2 has the columns t, but run 1 has t, x"),
        ({"t": T, "x": X[:3]}, "the columns do not make a table"),
    ],
    ids=str,
)
def test_refused_data(data: Any, message: str) -> None:
    with pytest.raises((DataError, InputError), match=message):
        read_trajectories(data)


def test_refused_roles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"state must be names of columns, such as \[.x., .v.\], got 3"):
        read_trajectories((T, X), Roles(state=3))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="action must be names of columns"):
        read_trajectories((T, X), Roles(action="u,"))
    with pytest.raises(DataError, match=r"2 columns with time, but 3 names were given \(t, a, b\)"):
        read_trajectories((T, X), Roles(state="a,b"))
    with pytest.raises(InputError, match="they have their groups already; leave group out"):
        read_trajectories([(T, X)], Roles(group="run"))
    with pytest.raises(InputError, match="thousands is for files of texts"):
        read_trajectories((T, X), thousands=",")
    with pytest.raises(InputError, match="give the file itself"):
        read_trajectories(read_table(write(tmp_path, "t,x", T, X)))
