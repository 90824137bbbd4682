"""Results of the Python interface: predictions, saving and loading, text, pictures, JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.result.file import jsonable
from hypo.result.folders import check_folder
from tests.oracles.falling import FAST, S, T


def test_predict_takes_arrays_frames_mappings_and_files(law: hypo.Result, tmp_path: Path) -> None:
    expected = 2.5 * np.array([1.0, 9.0])
    (tmp_path / "new.csv").write_text("z,t\n0,1\n0,3\n")
    for data in (
        [[1.0], [3.0]],
        [1.0, 3.0],
        np.array([1, 3]),
        pd.DataFrame({"z": [0, 0], "t": [1.0, 3.0]}),
        pd.DataFrame({"t [ms]": [1000.0, 3000.0]}),
        {"t": [1, 3]},
        tmp_path / "new.csv",
    ):
        np.testing.assert_allclose(law.predict(data), expected, rtol=1e-14)
    assert np.isnan(law.predict([np.nan])[0])
    np.testing.assert_allclose(law.predict([1.0], index=-1), law.predict([1.0]))


def test_predict_refuses(law: hypo.Result) -> None:
    with pytest.raises(hypo.DataError, match=r"expected an array of shape \(n_row, 1\) with the columns t, got shape"):
        law.predict(np.zeros((3, 2)))
    with pytest.raises(hypo.DataError, match='there is no column "t" as variable'):
        law.predict({"x": [1.0]})
    with pytest.raises(hypo.DataError, match="the column t is in kg, but the law was found with s"):
        law.predict({"t [kg]": [1.0]})
    with pytest.raises(hypo.InputError, match="so there is no number 99"):
        law.predict([1.0], index=99)


def test_constant_columns_are_left_out_but_still_predicted_with() -> None:
    result = hypo.fit((np.column_stack([np.ones(12), T]), S), **FAST)
    assert result.features == ("x1",)
    np.testing.assert_allclose(result.predict([[7.0, 2.0]]), [10.0])


def test_saved_and_loaded_results_are_equal(law: hypo.Result, tmp_path: Path) -> None:
    folder = law.save(tmp_path / "deep" / "r")
    loaded = hypo.Result.load(folder)
    assert loaded == law
    assert loaded.to_json() == law.to_json() == (folder / "result.json").read_text()
    assert str(loaded) == str(law)
    assert [c.free for c in loaded.front[0].expression.constants] == [c.free for c in law.front[0].expression.constants]
    with pytest.raises(hypo.InputError, match="is a file"):
        check_folder(folder / "result.json")


def test_fit_saves_where_told(tmp_path: Path) -> None:
    hypo.fit((T, S), out=tmp_path / "r", **FAST)
    assert hypo.Result.load(tmp_path / "r").status == "exact"


@pytest.mark.parametrize("folder", [None, 3])
def test_what_is_no_path_is_no_result(folder: object) -> None:
    with pytest.raises(hypo.InputError, match="must be a path, got"):
        hypo.Result.load(folder)  # type: ignore[arg-type]


def test_sympy_and_latex(law: hypo.Result) -> None:
    import sympy

    (t,) = law.sympy().free_symbols
    assert t.name == "t"
    assert float(sympy.simplify(law.sympy() / t**2)) == 2.5
    assert law._repr_latex_() == f"$s = {law.latex()}$"


def test_text_and_html(law: hypo.Result) -> None:
    lines = str(law).splitlines()
    assert lines[0] == f"s = {law.expression.pretty()}"  # type: ignore[union-attr]
    assert not any(line.endswith(" ") for line in lines)
    page = law._repr_html_()
    assert page.count("<tr>") == len(law.front) + 1
    assert page.count("<td>*</td>") == 1


def test_plot_leaves_the_backend_alone(law: hypo.Result, tmp_path: Path) -> None:
    import matplotlib

    before = matplotlib.rcParams._get_backend_or_none()  # type: ignore[attr-defined]
    figure = law.plot(tmp_path / "law.png")
    assert len(figure.axes) == 2
    assert [axis.get_ylabel() for axis in figure.axes] == ["s [m]", "score [nats]"]
    assert (tmp_path / "law.png").stat().st_size > 10_000
    assert matplotlib.rcParams._get_backend_or_none() == before  # type: ignore[attr-defined]
    law.save(tmp_path / "r")
    assert len(hypo.Result.load(tmp_path / "r").plot().axes) == 1


def test_plot_of_two_variables() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.uniform(1, 2, (2, 20))
    figure = hypo.fit({"a": a, "b": b, "y": a * b}, "y", **FAST).plot()
    assert figure.axes[0].get_xlabel() == "observed y"


def test_json_has_no_nan(law: hypo.Result) -> None:
    assert jsonable({"a": math.nan, "b": (1, np.float64(2), np.int64(3), math.inf, None, np.True_)}) == {
        "a": None,
        "b": [1, 2.0, 3, None, None, True],
    }
    assert json.loads(law.to_json()) == law.to_dict()
