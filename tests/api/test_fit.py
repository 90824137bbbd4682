"""The Python interface: every way to give data, settings, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.api.parameters.convert import read_operators
from hypo.report import tables
from hypo.report.constants import ConstantRow
from tests.oracles.falling import FAST, S, T

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
    assert read_operators("operators", "+, ^, ln, arcsin") == ("+", "**", "log", "asin")
    assert read_operators("operators", ["+", "+", "add"]) == ("+",)
    with pytest.raises(hypo.InputError, match="unknown operator sqr; did you mean"):
        read_operators("operators", "sqr")


def test_workers_default_to_the_cores() -> None:
    assert make_settings().workers >= 1
    assert make_settings(workers=3).workers == 3


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
    settings = make_settings(time_limit=np.float32(2.0), seed=np.int64(3), workers=np.int32(1))  # type: ignore[arg-type]
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
