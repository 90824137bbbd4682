"""What users of scikit-learn and PySR expect of the estimator, and of the command line beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo import SymbolicRegressor
from hypo.cli.main import main
from hypo.errors import ShortSearchWarning

pytestmark = pytest.mark.usefixtures("short_chains")

X = np.linspace(1.0, 3.0, 40).reshape(20, 2)
Y = 2.537 * X[:, 0] * X[:, 1] + 0.01 * np.sin(37.0 * X[:, 0])
FAST: dict[str, Any] = {"operators": ["+", "*"], "max_complexity": 5, "turns": 4, "workers": 1}


@pytest.fixture(scope="module")
def fitted() -> SymbolicRegressor:
    return SymbolicRegressor(**FAST).fit(X, Y)


@pytest.mark.parametrize("given", [{"maxsize": 3}, {"max_complexity": 3}, {"maxsize": 3, "max_complexity": 3}])
def test_two_names_of_the_largest_size(given: dict[str, int]) -> None:
    model = SymbolicRegressor(**{**FAST, "max_complexity": None, **given}).fit(X, Y)
    assert model.result_.settings["max_complexity"] == 3


def test_two_sizes_are_refused() -> None:
    with pytest.raises(hypo.InputError, match="two names of one setting, but they are 3 and 4; give one"):
        SymbolicRegressor(max_complexity=3, maxsize=4).fit(X, Y)


def test_units_of_the_estimator_and_of_its_fit() -> None:
    frame, force = pd.DataFrame(X, columns=["m", "a"]), pd.Series(Y, name="F")
    units = {"m": "kg", "a": "m/s^2", "F": "N"}
    expected = {"m": "kg", "a": "m/s^2", "y": "N"}
    assert SymbolicRegressor(**FAST, units=units).fit(frame, force).result_.settings["units"] == expected
    assert SymbolicRegressor(**FAST).fit(frame, force, units=units).result_.settings["units"] == expected
    both = SymbolicRegressor(**FAST, units={"m": "kg"}).fit(
        frame, Y, X_units={"a": "m/s^2"}, units={"y": "N"}, y_units="N"
    )
    assert both.result_.settings["units"] == expected


@pytest.mark.parametrize(
    ("units", "at_fit", "message"),
    [
        ({"x0": "kg"}, {"X_units": ["m", "m"]}, "x0 is given two units, kg and m; give one"),
        (["kg", "m"], {}, r'units must name columns, such as \{"x0": "m", "y": "s"\}, got'),
        ({"z": "kg"}, {}, "units: z is not a column; the columns are x0, x1 and the target is y"),
        (None, {"X_units": "kg"}, "X_units has 1 units, but X has 2 columns"),
    ],
)
def test_wrong_units(units: Any, at_fit: dict[str, Any], message: str) -> None:
    with pytest.raises(hypo.InputError, match=message):
        SymbolicRegressor(**FAST, units=units).fit(X, Y, **at_fit)


def test_settings_reach_the_search() -> None:
    model = SymbolicRegressor(**FAST, posterior=False, intervals="profile", shard="1/2", guesses=["k*x0*x1"]).fit(X, Y)
    settings = model.result_.settings
    assert (settings["posterior"], settings["intervals"], settings["shard"]) == (False, "profile", [1, 2])
    assert settings["guesses"] == ["k*x0*x1"] and model.result_.posterior is None
    with pytest.raises(hypo.InputError, match="this result has no posterior"):
        model.predict(X, return_std=True)


def test_operators_by_arity_as_in_pysr() -> None:
    assert SymbolicRegressor(operators={2: ["+", "*"], 1: ["sin"]})._operators() == ("+", "*", "sin")


def test_standard_deviations_as_in_scikit_learn(fitted: SymbolicRegressor) -> None:
    mean, std = fitted.predict(X, return_std=True)
    assert mean.shape == std.shape == (20,) and np.all(std > 0)
    np.testing.assert_allclose(mean, fitted.predict(X), atol=0.05)
    whole = fitted.predict(X, interval=0.5)
    assert np.all((whole.lower < whole.mean) & (whole.mean < whole.upper))  # type: ignore[union-attr]
    np.testing.assert_array_equal(whole.std, std)  # type: ignore[union-attr]


def test_one_formula_of_the_front(fitted: SymbolicRegressor) -> None:
    np.testing.assert_array_equal(fitted.predict(X, index=0), fitted.result_.predict(X, 0))
    with pytest.raises(hypo.InputError, match="there is no number 99"):
        fitted.predict(X, index=99)
    with pytest.raises(hypo.InputError, match="intervals average over all structures"):
        fitted.predict(X, index=0, return_std=True)


# --- too short a search ---------------------------------------------------------------------------------------------


NOISE = np.random.default_rng(5).normal(size=(60, 3))


def test_a_search_that_found_a_constant_only_warns_where_it_was_too_short() -> None:
    with pytest.warns(
        ShortSearchWarning, match=r"^Nothing better than a constant .* of 0.001 s: allow more time"
    ) as caught:
        result = hypo.fit(NOISE[:, :2], NOISE[:, 2], time_limit=0.001, workers=1)
    assert caught[0].filename == __file__
    assert str(caught[0].message) in result.remarks()
    with pytest.warns(ShortSearchWarning) as caught:
        SymbolicRegressor(time_limit=0.001, workers=1).fit(NOISE[:, :2], NOISE[:, 2])
    assert caught[0].filename == __file__


def test_noise_does_not_warn_where_everything_small_was_looked_through() -> None:
    result = hypo.fit(NOISE[:, :2], NOISE[:, 2], time_limit=4.0, workers=1, operators="+,*", max_complexity=3)
    assert result.best is not None and not result.best.expression.variables
    assert "Nothing was found that does better than a constant." in result.remarks()


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(fitted: SymbolicRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.result_.save(tmp_path_factory.mktemp("result"))


def test_predict_by_a_formula_of_the_front(
    folder: Path, fitted: SymbolicRegressor, capsys: pytest.CaptureFixture[str]
) -> None:
    new = folder / "new.csv"
    new.write_text("x0,x1\n1,2\n3,4\n")
    assert main(["predict", str(folder), str(new), "--formula", "0"]) == 0
    expected = fitted.result_.predict([[1.0, 2.0], [3.0, 4.0]], 0)
    found = [float(line.rsplit(",", 1)[1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert found == list(expected) != list(fitted.predict([[1.0, 2.0], [3.0, 4.0]]))
    assert main(["predict", str(folder), str(new), "--formula", "9"]) == 2
    assert "there is no number 9" in capsys.readouterr().err
    assert main(["predict", str(folder), str(new), "--formula", "0", "--interval", "0.9"]) == 2
    assert "leave out the index (--formula)" in capsys.readouterr().err


def test_the_command_line_says_that_the_search_was_too_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "noise.csv"
    np.savetxt(table, NOISE, delimiter=",", header="a,b,y", comments="")
    fit = [
        "fit",
        str(table),
        "--target",
        "y",
        "--time-limit",
        "0.001",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    sentence = "Nothing better than a constant was found within the time limit of 0.001 s: allow more time"
    assert main([*fit, "--quiet"]) == 0
    assert capsys.readouterr().err.startswith(f"note: {sentence}")
    assert main([*fit, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["status"]["code"] == "time_limit" and sentence in shown.err
    assert main(fit) == 0
    assert sentence in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--niterations", "no such option --niterations: give --time-limit, in seconds"),
        ("--maxsize", "no such option --maxsize: give --max-complexity, the largest number of nodes"),
        ("--populations", "no such option --populations: hypo chooses how it searches by itself"),
        ("--random-state", "no such option --random-state: give --seed"),
        ("--time-limt", "--time-limit"),
    ],
)
def test_options_of_other_tools(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "a.csv", "--target", "y", option, "4"]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.out == ""
