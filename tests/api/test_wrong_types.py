"""What is of a wrong type, or called by a wrong name, is refused in one sentence that says what to give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.errors import HypoError

X = np.linspace(1.0, 3.0, 20).reshape(10, 2)
Y = X[:, 0] * X[:, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"features": [1, 2]}, "features must be names of columns"),
        ({"features": [None, "x"]}, "features must be names of columns"),
        ({"features": 3}, "features must be names of columns"),
        ({"exclude": 3}, "exclude must be names of columns"),
        ({"guesses": 3}, "guesses must be formulas"),
        ({"units": 3}, "units must name columns"),
        ({"units": "m"}, "units must name columns"),
        ({"operators": 3}, "operators must be names of operators"),
        ({"out": 3}, "a folder must be a path"),
        ({"sigma": {}}, "sigma must be a number, a column or one number for each row"),
        ({"sigma": True}, "sigma must be a number, a column or one number for each row"),
    ],
)
def test_wrong_types_of_a_fit(given: dict[str, Any], said: str) -> None:
    with pytest.raises(HypoError) as caught:
        hypo.fit(X, Y, time_limit=1.0, **given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_types_elsewhere() -> None:
    for call, said in (
        (lambda: hypo.parse("x", variables=3), "variables must be names"),  # type: ignore[arg-type]
        (lambda: hypo.score(None, X, Y), "the formula must be text"),  # type: ignore[arg-type]
        (lambda: hypo.fit(X, Y, {"a": 1}), "hypo.fit takes data and target by place"),  # type: ignore[misc]
    ):
        with pytest.raises(Exception, match=said) as caught:
            call()  # type: ignore[no-untyped-call]
        assert isinstance(caught.value, HypoError)


METHODS: list[Callable[..., Any]] = [
    hypo.Result.save,
    hypo.Result.load,
    hypo.Result.in_units,
    hypo.Result.to_json,
    hypo.Result.to_dict,
    hypo.Result.front_csv,
    hypo.Result.remarks,
    hypo.Result.found,
    hypo.Result.constant_lines,
    hypo.Result.predict,
    hypo.Result,
]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_a_result_names_its_keywords(method: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"has no keyword wrnog") as caught:
        method(wrnog=1)
    assert isinstance(caught.value, HypoError)


def test_a_name_that_is_a_number_and_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("pi,e,y\n" + "".join(f"{k},{k * k},{k + 1}\n" for k in range(1, 9)))
    calls = (
        lambda: hypo.score("2*pi + e", str(path), "y"),
        lambda: hypo.fit(str(path), "y", guesses="pi*e", time_limit=1.0),
    )
    for call in calls:
        with pytest.raises(HypoError, match=r"pi is both a number and a column; write pi_ for the column, or 3\.14159"):
            call()
    assert hypo.score("pi_ + 1", str(path), "y").hypothesis.rmse == pytest.approx(0.0, abs=1e-12)


def test_a_link_to_nowhere_and_a_header_with_a_remark(tmp_path: Path) -> None:
    from hypo.data import read_csv
    from hypo.result.folders import check_folder

    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(HypoError, match=r"is a link to .* which is not there"):
        check_folder(tmp_path / "link")
    (tmp_path / "d.csv").write_text("z [see note],y\n1,2\n2,3\n")
    with pytest.raises(HypoError, match="where the brackets hold no unit, rename the column"):
        read_csv(str(tmp_path / "d.csv"), "y")
