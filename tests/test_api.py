"""The Python interface: every way to give data, what comes back, and what is refused."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.api.inputs import as_settings, operator_names
from hypo.report import tables
from hypo.report.console import as_text
from hypo.report.constants import ConstantRow, list_constants
from hypo.report.coverage import describe_coverage
from hypo.report.display.progress import PlainProgress, format_rate, make_panel, write_plain_line
from hypo.report.formatting import format_nats, format_number, format_r2
from hypo.result.file import jsonable
from hypo.result.folders import check_folder
from hypo.search.outcome import Progress

T = np.linspace(1.0, 4.0, 12)
S = 2.5 * T**2
FAST: dict[str, Any] = {"operators": "+,-,*,/", "time_limit": 20.0, "workers": 1}


@pytest.fixture(scope="module")
def law() -> hypo.Result:
    """s = 2.5*t**2 with units."""
    return hypo.fit({"t [s]": T, "s [m]": S}, "s", **FAST)


# --- ways to give data --------------------------------------------------------------------------------------------


def test_all_ways_to_give_data_find_the_same_law(tmp_path: Path, law: hypo.Result) -> None:
    frame = pd.DataFrame({"t": T, "s": S})
    frame.to_csv(tmp_path / "fall.csv", index=False)
    results = [
        hypo.fit(str(tmp_path / "fall.csv"), "s", **FAST),
        hypo.fit(tmp_path / "fall.csv", target="s", **FAST),
        hypo.fit(frame, "s", **FAST),
        hypo.fit(frame, "s", features=["t"], **FAST),
        hypo.fit((T, S), "s", features=["t"], **FAST),
        hypo.fit(T[:, None], S, features="t", **FAST),
        hypo.fit(frame[["t"]], frame["s"], **FAST),
        hypo.fit(hypo.read_csv(tmp_path / "fall.csv", "s"), **FAST),
    ]
    assert len({str(r.expression).replace("x0", "t") for r in results}) == 1
    assert [r.target for r in results] == ["s"] * 5 + ["y", "s", "s"]
    assert all(r.status == "exact" for r in results)
    np.testing.assert_allclose(results[0].predict([5.0]), [62.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("data", "target", "message"),
    [
        (pd.DataFrame({"t": T, "s": S}), None, "no target is given; choose one of the columns t, s"),
        (T[:, None], None, r"with an array X give the target's values, fit\(X, y\), or a pair"),
        (T[:, None], "s", "with an array X give the target's values"),
        ((T[:, None], S[:-1]), "s", "X has 12 rows but y has 11 values"),
        ("data.csv", S, "the target must be the name of a column, got ndarray"),
    ],
)
def test_data_that_cannot_be_used(data: Any, target: Any, message: str) -> None:
    with pytest.raises(hypo.DataError, match=message):
        hypo.fit(data, target, **FAST)


def test_sigma_and_weights_of_arrays_are_arrays() -> None:
    with pytest.raises(hypo.DataError, match="with arrays sigma and weights must be arrays too"):
        hypo.fit((T, S), sigma="error", **FAST)
    weighted = hypo.fit((T, S), weights=np.r_[np.ones(11), 0.0], sigma=0.1, **FAST)
    assert weighted.settings["sigma"] is True
    assert weighted.settings["weights"] is True


def test_drop_missing() -> None:
    holed = S.copy()
    holed[3] = np.nan
    with pytest.raises(hypo.DataError, match="drop_missing=True"):
        hypo.fit((T, holed), **FAST)
    result = hypo.fit((T, holed), drop_missing=True, **FAST)
    assert (result.settings["n_row"], result.settings["n_dropped"]) == (11, 1)
    assert "1 row with a missing or infinite value was left out." in str(result).splitlines()[-1].lower()


# --- settings -----------------------------------------------------------------------------------------------------


def test_operator_names() -> None:
    assert operator_names("+, ^, ln, arcsin") == ("+", "**", "log", "asin")
    assert operator_names(["+", "+", "add"]) == ("+",)
    with pytest.raises(hypo.InputError, match="unknown operator sqr; did you mean"):
        operator_names("sqr")


def test_workers_default_to_the_cores() -> None:
    assert as_settings().workers >= 1
    assert as_settings(workers=3).workers == 3


def test_the_largest_complexity_holds() -> None:
    result = hypo.fit((T, S + np.sin(7 * T)), max_complexity=3, **FAST)
    assert result.front
    assert max(h.complexity for h in result.front) <= 3


def test_units_must_agree(tmp_path: Path) -> None:
    (tmp_path / "k.toml").write_text('[units]\nt = "kg"\n')
    frame = pd.DataFrame({"t [s]": T, "s [m]": S})
    with pytest.raises(hypo.KnowledgeError, match="contradicts"):
        hypo.fit(frame, "s", knowledge=tmp_path / "k.toml", **FAST)
    with pytest.raises(hypo.KnowledgeError, match="contradicts"):
        hypo.fit(frame, "s", units={"t": "ms"}, **FAST)
    with pytest.raises(hypo.KnowledgeError, match="units: q is not a column; the columns are t and the target is s"):
        hypo.fit(frame, "s", units={"q": "m"}, **FAST)
    with pytest.raises(hypo.KnowledgeError, match="knowledge must be a Knowledge, a dictionary or a path, got int"):
        hypo.fit(frame, "s", knowledge=3, **FAST)  # type: ignore[arg-type]
    same = hypo.fit(frame, "s", knowledge={"units": {"t": "s"}}, **FAST)
    assert same.settings["units"] == {"t": "s", "s": "m"}


def test_formulas_are_in_the_units_of_the_columns() -> None:
    kepler = {"a": np.array([0.387, 0.723, 1.0, 1.524, 5.203]), "T": np.array([0.2408, 0.6148, 1.0, 1.8814, 11.868])}
    scored = hypo.score("c*a**1.5", kepler, "T", units={"a": "AU", "T": "yr"})
    assert scored.constants[0].unit == "yr/AU^1.5"
    assert scored.constants[0].value == pytest.approx(1.0, rel=1e-3)
    assert scored.unit_note == ""
    mixed = hypo.score(
        "2*pi*sqrt(a**3/GM)",
        kepler,
        "T",
        units={"a": "AU", "T": "yr"},
        knowledge={"constants": {"GM": {"value": 1.32712440018e20, "unit": "m^3/s^2"}}},
    )
    assert "in the units of the columns" in mixed.unit_note
    # the rmse is in years, the target's own unit, although the search is in seconds
    assert mixed.hypothesis.rmse < 0.01
    assert [(c.name, c.unit) for c in mixed.constants] == [("GM", "m^3/s^2")]


# --- results ------------------------------------------------------------------------------------------------------


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


# --- progress -----------------------------------------------------------------------------------------------------


def test_progress_calls_a_function_and_an_interrupt_keeps_the_best() -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if progress.best is not None:
            raise KeyboardInterrupt

    result = hypo.fit((T, S + np.sin(9 * T)), progress=report, **FAST)
    assert seen[-1].best is not None
    assert result.status == "interrupted"
    assert result.best is not None


def report_of(best: Any, elapsed: float) -> Progress:
    return Progress(elapsed, 60 - elapsed, best, 1_234_567, 2.5e6, 7, "library of 250")


def test_plain_lines(law: hypo.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("hypo.report.display.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with PlainProgress(stream, "s") as progress:
        for now[0], best in ((0.5, None), (1.5, None), (2.0, law.best), (2.5, law.best), (8.0, law.best)):
            progress(report_of(best, now[0]))
    score = format_nats(law.best.score)  # type: ignore[union-attr]
    rest = "2.5 million hypotheses/s, all formulas of up to 7 nodes without fitted constants seen"
    assert stream.getvalue().splitlines() == [
        f"2.0 s, best {tables.write_equation(law.best, 's')} (score {score}), {rest}, 58 s left",  # type: ignore[arg-type]
        f"8.0 s, best {tables.write_equation(law.best, 's')} (score {score}), {rest}, 52 s left",  # type: ignore[arg-type]
    ]
    assert write_plain_line(report_of(None, 1.5), "s") == f"1.5 s, no formula yet (library of 250), {rest}, 58 s left"
    # What there is nothing to say of yet reads like a failure.
    nothing = Progress(0.0, 60.0, None, 0, 0.0, 0, "compiling")
    assert write_plain_line(nothing, "s") == "0.0 s, no formula yet (compiling), 60 s left"


def test_live_panel(law: hypo.Result) -> None:
    text = as_text(make_panel(report_of(law.best, 3.0), "s"))
    assert [line.split()[0] for line in text.splitlines()] == ["best", "score", "scored", "covered", "time"]
    assert "3.0 s, 57.0 s left (library of 250)" in text


def test_rate_text() -> None:
    assert [format_rate(r) for r in (7.4, 12_345, 3.21e6, 5e9)] == [
        "7 hypotheses/s",
        "12.3 thousand hypotheses/s",
        "3.21 million hypotheses/s",
        "5 billion hypotheses/s",
    ]


# --- numbers and units --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r2", "text"),
    [(1.0, "1"), (1 - 3e-13, "1 - 3e-13"), (0.99999871, "0.9999987"), (0.97251, "0.9725"), (-1e-16, "0.0000"),
     (-3.2, "-3.2000"), (math.nan, "-")],
)  # fmt: skip
def test_determination(r2: float, text: str) -> None:
    assert format_r2(r2) == text


def test_numbers() -> None:
    assert [format_number(v) for v in (3.0, 0.012345, 1e20, math.inf)] == ["3", "0.01235", "1e+20", "-"]
    none = "All formulas of up to 7 nodes without fitted constants were looked through: none"
    for coverage, dimensional, words in (
        ((7, 5200, 1300), False, "All 1 300 distinct formulas of up to 7 nodes without fitted constants were scored. "
         "In all, 5 200 {}."),
        ((7, 52, 0), True, none + " has the target's unit, so it takes a fitted constant with a unit. In all, 52 {}."),
        ((7, 52, 0), False, none + " can be the target. In all, 52 {}."),
        ((1, 1, 1), False, "The only formula of up to 1 node without fitted constants was scored. "
         "In all, 1 hypothesis was scored."),
        ((5, 9, 3), True, "All 3 distinct formulas of up to 5 nodes without fitted constants that have the target's unit were "
         "scored. In all, 9 {}."),
        ((0, 375, 0), False, "375 {}; formulas were not looked through size by size."),
        ((0, 0, 0), False, "The search ended before it scored a formula of its own."),
    ):  # fmt: skip
        given = dict(zip(("complete_to", "scored", "distinct"), coverage, strict=True))
        assert describe_coverage(given, dimensional) == words.format("hypotheses were scored")


def test_shown_constants() -> None:
    e = hypo.parse("g*x + pi*2 + c1*k", variables=["x", "c1"], constants={"g": 9.81})
    (name, value), (other, start) = [(c.name, c.value) for c in list_constants(e)]
    assert (name, value, other, start) == ("g", 9.81, "k", 1.0)
    fitted = hypo.Expression.constant(2.5, free=True) * hypo.Expression.variable("c1")
    assert [c.name for c in list_constants(fitted)] == ["c2"]


# --- scoring a given formula --------------------------------------------------------------------------------------


def test_score() -> None:
    scored = hypo.score("k*t**2", {"t": T, "s": S}, "s")
    assert [(c.name, c.unit) for c in scored.constants] == [("k", None)]
    assert scored.constants[0].value == pytest.approx(2.5)
    assert scored.violations == ()
    assert "k" in str(scored)
    fixed = hypo.score(hypo.parse("3*t**2"), {"t": T, "s": S}, "s")
    assert fixed.hypothesis.rmse == pytest.approx(float(np.sqrt(np.mean((0.5 * T**2) ** 2))))
    for formula in ("k*s", hypo.parse("3*s")):
        with pytest.raises(hypo.DataError, match=r'uses the target "s"; a formula for it can use the columns t$'):
            hypo.score(formula, {"t": T, "s": S}, "s")
    with pytest.raises(hypo.DataError, match="the formula uses z, but the columns are t"):
        hypo.score(hypo.parse("3*z"), {"t": T, "s": S}, "s")


# --- settings of a wrong type -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"time_limit": "5 apples"},
            "time_limit must be a number of seconds above 0, or a duration such as 90s, 2min or 1h, got '5 apples'",
        ),
        (
            {"time_limit": None},
            "time_limit must be a number of seconds above 0, or a duration such as 90s, 2min or 1h, got None",
        ),
        ({"seed": 1.5}, "seed must be a whole number, 0 or more, got 1.5"),
        ({"max_complexity": "9"}, "max_complexity must be a whole number, 1 or more, got '9'"),
        ({"workers": True}, "workers must be a whole number, 1 or more, got True"),
        ({"lam": "1"}, "lam must be a number, 0 or more, got '1'"),
    ],
)
def test_settings_of_a_wrong_type(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(hypo.InputError) as caught:
        hypo.fit((T, S), **setting)
    assert str(caught.value) == message


def test_settings_may_be_numpy_numbers() -> None:
    settings = as_settings(time_limit=np.float32(2.0), seed=np.int64(3), workers=np.int32(1))  # type: ignore[arg-type]
    assert (settings.time_limit, settings.seed, settings.workers) == (2.0, 3, 1)


def test_text_names_the_units_of_fitted_constants(law: hypo.Result) -> None:
    assert str(law).splitlines()[1] == "  with 2.5 [m/s^2]"
    rows = [ConstantRow("c1", 1234567.0, "m"), ConstantRow("g", 9.81, "m/s^2"), ConstantRow("c2", 2.0, None)]
    assert tables.write_constant_lines(rows, {"g": 9.81}) == [
        f"  with {hypo.Expression.constant(1234567.0).pretty()} [m]"
    ]


def test_score_takes_an_equation_and_names_what_looks_like_a_misspelt_column() -> None:
    X = np.random.default_rng(0).uniform(1, 2, (30, 2))
    data = {"width": X[:, 0], "depth": X[:, 1], "y": X[:, 0] * X[:, 1]}
    assert hypo.score("y = width*depth", data, "y").hypothesis.rmse < 1e-15
    scored = hypo.score("widht*depth", data, "y")
    assert "widht is not a column (did you mean width?) and was fitted as a constant." in str(scored)


def test_progress_must_be_a_switch_or_a_function() -> None:
    with pytest.raises(hypo.InputError, match="progress must be True, False or a function"):
        hypo.fit(np.arange(5.0)[:, None], np.arange(5.0), progress=3)


def test_few_rows_are_named_beside_an_exact_formula() -> None:
    x = np.array([1.0, 2.0, 4.0])
    result = hypo.fit(x[:, None], 2.2 * x / (1.3 + x), time_limit=10, workers=1)
    assert result.status == "exact" and "with 3 rows so may others of its size" in result.message
