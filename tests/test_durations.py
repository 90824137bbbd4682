"""Durations: texts such as 2min for time limits, in Python and on the command line."""

from typing import Any

import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.checks import read_seconds
from hypo.cli.main import main
from hypo.errors import InputError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, 2.0),
        (0.5, 0.5),
        (np.float32(2.0), 2.0),
        ("90", 90.0),
        ("90s", 90.0),
        ("2min", 120.0),
        ("2 min", 120.0),
        ("1.5m", 90.0),
        ("1h", 3600.0),
        ("1h30min", 5400.0),
        ("1h 30m 5s", 5405.0),
        ("2 Minutes", 120.0),
        ("1d", 86400.0),
        ("250ms", 0.25),
        ("1e3", 1e3),
        (".5h", 1800.0),
    ],
)
def test_durations(value: Any, expected: float) -> None:
    assert read_seconds("time_limit", value) == pytest.approx(expected)
    assert make_settings(time_limit=value).time_limit == pytest.approx(expected)


WRONG = ("", "soon", "2 apples", "min", "2min min", "30s 1h", "1min 1min", "1:30", "2min 30", "--", True, None, [1])


@pytest.mark.parametrize("value", WRONG)
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(
        InputError, match=r"^time_limit must be a number of seconds above 0, or a duration such as 90s, "
    ):
        read_seconds("time_limit", value)


@pytest.mark.parametrize("value", [0, -1, "0s", "-2", "inf", "nan", float("nan")])
def test_durations_that_last_no_time_or_for_ever(value: Any) -> None:
    with pytest.raises(InputError, match=r"^the time limit must be a positive number of seconds, got"):
        read_seconds("time_limit", value)


def test_they_are_taken_everywhere(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    table = {"a": np.arange(1.0, 9.0), "y": 2.0 * np.arange(1.0, 9.0)}
    assert hypo.fit(table, "y", time_limit="0.1min", operators="+").settings["time_limit"] == pytest.approx(6.0)
    audit = hypo.audit(
        table, "y", seeds=1, bootstrap=0, time_limit="2s", total_time="1min", operators="+", scheduler="threads"
    )
    assert audit.time_limit == 2.0
    model = hypo.SymbolicRegressor(timeout_in_seconds="3s", operators="+").fit(table["a"][:, None], table["y"])
    assert model.result_.settings["time_limit"] == 3.0
    (tmp_path / "d.csv").write_text("a,y\n1,2\n2,4\n3,6\n")
    data = str(tmp_path / "d.csv")
    assert main(["fit", data, "--target", "y", "--time-limit", "5 apples", "--out", str(tmp_path / "r")]) == 2
    assert "or a duration such as 90s, 2min or 1h, got '5 apples'" in capsys.readouterr().err
    assert main(["audit", data, "--target", "y", "--total-time", "0s"]) == 2
    assert "the total time must be a positive number of seconds" in capsys.readouterr().err
