"""Tables as runs: what is kept, and what is refused and how."""

from typing import Any

import numpy as np
import pytest

from hypo.data import Table
from hypo.dynamics.trajectories import Trajectories, make_trajectories
from hypo.errors import DataError

T = np.arange(10.0)


def table(units: dict[str, str] | None = None, **columns: Any) -> Table:
    arrays = {name: np.asarray(values, float) for name, values in columns.items()}
    return Table(tuple(arrays), tuple(arrays), units or {}, arrays, source="the table")


def make(units: dict[str, str] | None = None, group: Any = None, action: Any = (), **columns: Any) -> Trajectories:
    columns = {"t": T, "x": T**2} | columns
    return make_trajectories(
        table(units, **columns), "t", [c for c in columns if c not in ("t", *action)], action, group
    )


def test_one_run() -> None:
    data = make(v=2 * T, u=np.cos(T), action=["u"])
    assert (data.states, data.actions, data.columns, data.n_row) == (("x", "v"), ("u",), ("x", "v", "u"), 10)
    (run,) = data.runs
    assert (run.name, run.n_row, run.duration) == ("", 10, 9.0)
    assert np.array_equal(run.states, np.column_stack([T**2, 2 * T]))
    assert np.array_equal(run.actions[:, 0], np.cos(T))
    assert np.array_equal(run.rows, np.arange(10))


def test_runs_of_different_length() -> None:
    data = make(t=[*range(7), 0, 1.5, 4], group=["a"] * 7 + [2.0] * 3)
    assert [(run.name, run.n_row, run.duration) for run in data.runs] == [("a", 7, 6.0), ("2", 3, 4.0)]
    assert data.runs[1].rows.tolist() == [7, 8, 9]


def test_what_was_not_measured_is_kept_as_such() -> None:
    x = np.where(T == 3, np.nan, T**2)
    assert np.isnan(make(x=x).runs[0].states[3, 0])


def test_repeated_measurements_are_kept() -> None:
    t = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert make(t=t).runs[0].time.tolist() == t


def test_units() -> None:
    data = make({"t": "min", "x": "m/s", "v": "rad"}, v=2 * T)
    rate = data.rate_unit("x")
    assert rate is not None
    assert (rate.text, rate.factor) == ("m/s/min", pytest.approx(1 / 60))
    assert make({"t": "s", "x": "m/s"}).rate_unit("x").text == "m/s^2"  # type: ignore[union-attr]
    assert make({"x": "m"}).rate_unit("x") is None
    assert make({"t": "s"}).rate_unit("x") is None


def test_notes_on_units() -> None:
    assert make({"t": "s", "x": "m"}).notes == ()
    assert make({"x": "m"}).notes == (
        "without a unit of t rates have none, so the units of states are not used; a header such as t [s] has it",
    )
    assert make({"t": "s", "x": "m"}, v=T, w=T).notes == ("without a unit v, w count as pure numbers",)


def test_the_fingerprint_is_of_all_numbers() -> None:
    one = make().sha256
    assert make().sha256 == one
    assert make(x=np.where(T == 3, 9.1, T**2)).sha256 != one
    assert make(group=["a"] * 10).sha256 != one


REFUSED = [
    ({"t": np.where(T == 4, np.nan, T)}, 'row 4 (from 0), column "t": there is no number; a row without a time'),
    ({"t": np.where(T == 4, np.inf, T)}, 'row 4 (from 0), column "t": the number is infinite'),
    (
        {"t": T[::-1]},
        'row 1 (from 0), column "t": time goes back from 9 to 8; sort the rows by time, or, where several runs',
    ),
    ({"t": T[::-1], "group": ["a"] * 10}, 'time goes back from 9 to 8 of run "a"; sort the rows by time'),
    ({"t": T * 0}, "row 0 (from 0): there is one moment only, which says nothing of what happens next"),
    ({"group": ["a"] * 9 + ["b"]}, 'row 9 (from 0): run "b" has one moment only'),
    (
        {"group": ["a"] * 4 + ["b"] * 3 + ["a"] * 3},
        'row 7 (from 0): run "a" goes on after rows of another run; put the rows',
    ),
    ({"group": ["a"] * 3}, "group has 3 entries, but the table has 10 rows; give one for each row"),
    ({"group": ["a"] * 8 + [None] * 2}, "row 8 (from 0): the row belongs to no run, its group is empty"),
    ({"group": ["a"] * 8 + [np.nan] * 2}, "row 8 (from 0): the row belongs to no run, its group is empty"),
    ({"x": np.where(T < 8, np.nan, T)}, 'column "x": measured at 2 moments; a law of motion needs 8 or more'),
    (
        {"x": np.where(T == 2, -np.inf, T)},
        'row 2 (from 0), column "x": the number is infinite; correct or empty the cell',
    ),
    ({"x": T * 0 + 3}, 'column "x": the state is 3 in every row, so there is no law of its change to find'),
    ({"x": [1.0] * 5 + [2] * 5, "group": list("aaaaabbbbb")}, "the state does not change within any run"),
    (
        {"u": np.where(T == 5, np.nan, T), "action": ["u"]},
        'row 5 (from 0), column "u": there is no number; inputs must be',
    ),
    (
        {"t": [*range(9), 0, 1], "x": [*range(9), np.nan, np.nan], "v": np.arange(11), "group": ["a"] * 9 + ["b"] * 2},
        'column "x": there is no measurement in run "b"; leave out the run, or the state',
    ),
    (
        {"t": [0, 0, 1, 2, 3, 4, 5, 6, 7, 8], "u": T, "action": ["u"]},
        'row 1 (from 0), column "u": the input is 0 and 1 at the same time 0; give it one value there',
    ),
    ({"t": 1.0 + 3e-16 * T}, "in steps of 3e-16 differ in their last digits only, which are rounded"),
    ({"t": 1e300 * T}, 'column "t": the largest number is 9e+300, but hypo takes sizes from 1e-50 to 1e+50'),
    ({"x": 1e-300 * T}, 'row 9 (from 0), column "x": the largest number is 9e-300'),
    ({"x": [1e308, *-1e307 * T[1:]]}, 'column "x": the largest number is'),
    ({"units": {"t": "m"}}, 'column "t": its unit m is no time, so there are no rates per m'),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[m[:60] for _, m in REFUSED])
def test_refusals(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        make(**given)
    assert message in str(error.value)
    assert str(error.value).startswith(("the table", "group"))


@pytest.mark.parametrize(
    ("state", "action", "message"),
    [
        (["x", "x"], [], 'column "x" is given twice as state; give each column once'),
        (["x"], ["x"], 'column "x" is given as state and as action; give each column once'),
        (["t"], [], 'column "t" is given as time and as state'),
        (["X"], [], 'the table has no column "X" for state (did you mean "x"?); its columns are t, x'),
        ([], [], "no state is given"),
    ],
)
def test_names(state: list[str], action: list[str], message: str) -> None:
    with pytest.raises(DataError) as error:
        make_trajectories(table(t=T, x=T), "t", state, action)
    assert message in str(error.value)


def test_runs_whose_numbers_differ_late_are_apart() -> None:
    group = np.repeat([1000001.0, 1000002.0], 5)
    found = make_trajectories(table(t=T, x=T), "t", ["x"], group=list(group))
    assert [run.name for run in found.runs] == ["1000001", "1000002"]


def test_lines_of_a_file() -> None:
    with pytest.raises(DataError, match=r'the table, line 6, column "t": time goes back'):
        make_trajectories(table(t=np.where(T == 4, 0, T), x=T), "t", ["x"], lines=np.arange(2, 12))


def test_steps_of_discrete_laws() -> None:
    counted = table({"t": "1"}, t=T, x=T**2)
    assert make_trajectories(counted, "t", ["x"], discrete=True).time == "t"
    with pytest.raises(DataError, match="time is 0 twice, so a law of the next value does not know which comes next"):
        make_trajectories(table(t=[0, *T[:9]], x=T**2), "t", ["x"], discrete=True)


def test_more_columns_than_laws_can_be_sought_for_are_refused() -> None:
    with pytest.raises(DataError, match="has 201 states and inputs, and hypo seeks laws of motion among 200 at most"):
        make(**{f"x{k}": np.sin(T + k) for k in range(200)})


def test_a_name_that_no_report_can_hold_is_refused() -> None:
    with pytest.raises(DataError, match="has 300000 letters; give it one of at most 100"):
        make(**{"x" * 300_000: np.sin(T)})
