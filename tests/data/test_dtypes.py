"""Columns of dates and other types that NumPy cannot turn into numbers: hypo's sentence in every call, not NumPy's."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.errors import DataError

pytestmark = pytest.mark.usefixtures("short_chains")

N = 6
A, Y = np.linspace(1.0, 2.0, N), np.linspace(3.0, 5.0, N) ** 2
KINDS: dict[str, tuple[Any, str]] = {
    "datetime": (pd.date_range("2020-01-01", periods=N), "a date"),
    "datetime with a zone": (pd.date_range("2020-01-01", periods=N, tz="UTC"), "a date"),
    "datetime64": (np.arange(N).astype("M8[D]"), "a date"),
    "date": ([datetime.date(2020, 1, k + 1) for k in range(N)], "a date"),
    "period": (pd.period_range("2020-01", periods=N, freq="M"), "a date"),
    "timedelta": (pd.to_timedelta(range(N), unit="s"), "a span of time"),
    "timedelta object": ([datetime.timedelta(seconds=k) for k in range(N)], "a span of time"),
    "complex": (np.ones(N) * 1j, "a complex one"),
    "category": (pd.Categorical(list("abcabc")), ""),
    "interval": (pd.interval_range(0, N), ""),
    "string": (pd.array(list("abcdef"), dtype="string"), ""),
    "lists": ([[1, 2]] * N, ""),
}
FAST: dict[str, Any] = {"turns": 4, "operators": "+,*", "posterior": False}


def said(what: str) -> str:
    return f'" is not a number{" but " + what if what else ""}'


@pytest.mark.parametrize(("values", "what"), KINDS.values(), ids=KINDS.keys())
def test_a_column_that_nobody_asked_for_is_left_out(values: Any, what: str) -> None:
    for table in (pd.DataFrame({"a": A, "when": values, "y": Y}), {"a": A, "when": values, "y": Y}):
        result = hypo.fit(table, "y", **FAST)
        assert result.features == ("a",)
        assert any('column "when" was left out: "' in n and said(what) in n for n in result.settings["notes"])


@pytest.mark.parametrize(("values", "what"), KINDS.values(), ids=KINDS.keys())
def test_one_that_is_asked_for_is_an_error_of_ours(values: Any, what: str) -> None:
    table = pd.DataFrame({"a": A, "when": values, "y": Y})
    X, model = table[["a", "when"]], hypo.SymbolicRegressor(turns=4, operators="+,*")
    calls = {
        "feature": lambda: hypo.fit(table, "y", features=["a", "when"]),
        "target": lambda: hypo.fit(table, "when"),
        "sigma": lambda: hypo.fit(table, "y", sigma="when"),
        "estimator": lambda: model.fit(X, Y),
    }
    for name, call in calls.items():
        with pytest.raises(DataError) as caught:
            call()
        assert said(what) in str(caught.value) and 'column "when"' in str(caught.value), name
    for call in (lambda: hypo.fit(X, Y), lambda: model.fit(table[["a"]], table["when"])):
        with pytest.raises(DataError, match=r"is not a number|holds (dates|time spans|complex numbers)"):
            call()


def test_prediction_by_the_estimator() -> None:
    model = hypo.SymbolicRegressor(turns=4, operators="+,*").fit(pd.DataFrame({"a": A, "b": Y}), A + Y)
    with pytest.raises(
        DataError, match=r'X, row 0 .from 0., column "b": "2020-01-01T.*a date; .*or leave the column out'
    ):
        model.predict(pd.DataFrame({"a": A, "b": pd.date_range("2020-01-01", periods=N)}))


def test_arrays_that_mix_dates_and_numbers() -> None:
    with pytest.raises(
        DataError, match=r'^X\[0, 1\]: "2020-01-01" is not a number but a date; write the time since a start'
    ):
        hypo.fit([[1.0, np.datetime64("2020-01-01")], [2.0, np.datetime64("2020-01-02")]], [1.0, 2.0])


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "category", "int64[pyarrow]", "object"])
def test_other_ways_to_hold_numbers_are_fine(dtype: str) -> None:
    values = pd.Series([1, 0, 1, 1, 0, 1]).astype(dtype)
    assert "when" in hypo.fit(pd.DataFrame({"a": A, "when": values, "y": Y}), "y", **FAST).features
    assert hypo.fit(pd.DataFrame({"a": A, "when": values}), Y, **FAST).features == ("a", "when")
