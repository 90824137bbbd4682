"""Frames and arrays as data: what is taken, and what is refused in which words."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from hypo.data import from_arrays, from_frame
from hypo.errors import DataError
from tests.data.reading import DROP

# --------------------------------------------------------------------------- frames


def test_frames() -> None:
    frame = pd.DataFrame({"L [m]": [1, 2, 3], "on": [True, False, True], "T [s]": [2.0, 2.8, 3.5], "who": list("abc")})
    data = from_frame(frame, "T", features=["L", "on"], sigma=np.array([1, 2, 3]), weights=[1, 1, 2])
    assert_array_equal(data.X, [[1, 1], [2, 0], [3, 1]])
    assert data.names == ("L", "on") and data.units == {"L": "m", "T": "s"}
    assert data.sigma is not None and data.weights is not None
    assert_array_equal(data.sigma, [1, 2, 3])
    nullable = pd.DataFrame({"a": pd.array([1, None, 3, 4], dtype="Int64"), "y": [1.0, 2.0, None, 4.0]})
    assert_array_equal(from_frame(nullable, "y", drop_missing=True).X, [[1], [4]])
    numbered = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]])
    assert from_frame(numbered, 1).labels == ("0",)


FRAMES = {
    "text": (
        pd.DataFrame({"a": [1, 2], "b": ["1", "two"], "y": [3, 4]}),
        {},
        'the data frame, row 1 (from 0), column "b": "two" is not a number; convert the column to '
        "numbers, or choose "
        "other columns with features=[...] or exclude=[...]",
    ),
    "dates": (
        pd.DataFrame({"a": pd.to_datetime(["2020-01-01", "2020-01-02"]), "y": [3, 4]}),
        {},
        'the data frame: no column is left as a feature: column "a" was left out: "2020-01-01T00:00:00" is not a number '
        "but a date (row 0 from 0); to use it, write the time since a start as a number",
    ),
    "missing": (
        pd.DataFrame({"a": [1, None], "y": [3, 4]}),
        {},
        f'the data frame, row 1 (from 0), column "a": the value is missing; fill it in, or {DROP}',
    ),
    "two columns of one name": (
        pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]),
        {},
        'the data frame: two columns are named "a" (columns 1 and 2); rename one of them',
    ),
    "wrong target": (
        pd.DataFrame({"a": [1, 2], "z": [3, 4]}),
        {},
        'the data frame: there is no column "y" as target; the columns are "a", "z"',
    ),
    "no row": (
        pd.DataFrame({"a": [], "y": []}),
        {},
        "the data frame: there is no row of data; a law needs at least two",
    ),
    "one row": (
        pd.DataFrame({"a": [1], "y": [1]}),
        {},
        "the data frame: there is only one row (1 sample) of data; a law needs at least two",
    ),
}


@pytest.mark.parametrize(("frame", "options", "expected"), FRAMES.values(), ids=FRAMES.keys())
def test_bad_frames_are_explained(frame: pd.DataFrame, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        from_frame(frame, "y", **options)
    assert str(caught.value).replace("00:00:00.000000", "00:00:00") == expected


# --------------------------------------------------------------------------- arrays


def test_arrays() -> None:
    data = from_arrays([[1, 2], [3, 5]], [3, 4], units={"x0": "m", "y": "s"}, weights=[1, 0])
    assert (data.names, data.labels, data.target) == (("x0", "x1"), ("x0", "x1"), "y")
    assert data.units == {"x0": "m", "y": "s"}
    assert_array_equal(data.X, [[1, 2], [3, 5]])
    named = from_arrays(
        np.array([[1, 2], [3, 5]]),
        np.array([[3], [4]]),
        names=["L [cm]", "drop height"],
        target="T",
        units={"drop height": "m", "L": "m"},
        sigma=0.1,
    )
    assert named.names == ("L", "drop_height")
    assert named.units == {"L": "m", "drop_height": "m"}
    assert named.sigma is not None
    assert_array_equal(from_arrays([1, 2, 3], [3, 4, 6]).X, [[1], [2], [3]])
    assert from_arrays(pd.DataFrame({"u": [1, 2], "v": [2, 7]}), [1, 2]).names == ("u", "v")
    with_none = from_arrays([[1, None], [2, 3], [4, 4]], [1, 2, 3], drop_missing=True)
    assert_array_equal(with_none.X, [[2, 3], [4, 4]])
    assert_array_equal(from_arrays([["1", "2"], ["3", "4"]], [1, 2]).X, [[1, 2], [3, 4]])


ARRAYS: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "lengths": ([[1, 2], [3, 4], [5, 6]], [1, 2, 3, 4], {}, "X has 3 rows but y has 4 values; expected as many"),
    "transposed": (
        [[1, 2, 3], [3, 4, 5]],
        [1, 2, 3],
        {},
        "X has 2 rows but y has 3 values; expected as many; X seems to be transposed, so give X.T",
    ),
    "three dimensions": (
        np.ones((2, 2, 2)),
        [1, 2],
        {},
        "X must have two dimensions, rows and columns, got shape (2, 2, 2)",
    ),
    "y of two columns": (
        [[1], [2]],
        [[1, 2], [3, 4]],
        {},
        "y must have one dimension, with one value per row, got shape (2, 2)",
    ),
    "ragged": ([[1, 2], [3]], [1, 2], {}, "X must be a rectangular array, but its rows differ in length"),
    "text": ([[1, "b"], [3, 4]], [1, 2], {}, 'X[0, 1]: "b" is not a number; correct it'),
    "complex": ([[1j], [2]], [1, 2], {}, "X holds complex numbers; convert them to real numbers"),
    "dates": ([1, 2], np.array(["2020", "2021"], dtype="M8[Y]"), {}, "y holds dates; convert them to real numbers"),
    "names": ([[1, 2], [3, 4]], [1, 2], {"names": ["a"]}, "names has 1 entries but X has 2 columns; expected as many"),
    "equal names": (
        [[1, 2], [3, 4]],
        [1, 2],
        {"names": ["a", "a"]},
        'the names of the columns: two columns are named "a" (columns 1 and 2); rename one of them',
    ),
    "target among names": (
        [[1, 2], [3, 4]],
        [1, 2],
        {"names": ["a", "y"]},
        'the target and a column of X are both named "y"; give another target name',
    ),
    "nan": (
        [[1, 2], [np.nan, 4]],
        [1, 2],
        {},
        f'the arrays, row 1 (from 0), column "x0": the value is missing; fill it in, or {DROP}',
    ),
    "inf in y": (
        [[1, 2], [3, 4]],
        [1, np.inf],
        {},
        f'the arrays, row 1 (from 0), column "y": the value is infinite; correct it, or {DROP}',
    ),
    "sigma": (
        [[1], [2]],
        [1, 2],
        {"sigma": [1, -1]},
        "the arrays, row 1 (from 0): sigma must be a positive number, got -1",
    ),
    "nan in sigma": (
        [[1], [2]],
        [1, 2],
        {"sigma": [1, np.nan]},
        f"the arrays, row 1 (from 0): sigma or the weight is missing or infinite; correct it, or {DROP}",
    ),
    "weights": (
        [[1], [2]],
        [1, 2],
        {"weights": [1, 1, 1]},
        "weights has 3 values but there are 2 rows; expected as many",
    ),
    "unit": (
        [[1], [2]],
        [1, 2],
        {"units": {"x0": "metr"}},
        'the unit of "x0": unknown unit "metr"; did you mean "metre"?',
    ),
    "unit of nothing": (
        [[1], [2]],
        [1, 2],
        {"units": {"z": "m"}},
        'the names of the columns: there is no column "z" as key of units; the columns are "x0", "y"',
    ),
    "no columns": (
        np.ones((2, 0)),
        [1, 2],
        {},
        'the names of the columns: no column is left as a feature beside "y" (target); a law needs at least one',
    ),
    "no rows": (np.ones((0, 2)), [], {}, "the arrays: there is no row of data; a law needs at least two"),
    "constant": (
        [[1], [2]],
        [5, 5],
        {},
        'the arrays, column "y": the target is 5 in every row, so there is no law to find; choose another target',
    ),
}


@pytest.mark.parametrize(("X", "y", "options", "expected"), ARRAYS.values(), ids=ARRAYS.keys())
def test_bad_arrays_are_explained(X: Any, y: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        from_arrays(X, y, **options)
    assert str(caught.value) == expected
