"""The scikit-learn estimator: scikit-learn's own checks, PySR's names, and what a fitted one offers."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import hypo
from hypo import SymbolicRegressor

pytestmark = pytest.mark.usefixtures("short_chains")

RNG = np.random.default_rng(3)
X = RNG.uniform(1.0, 3.0, (30, 2))
Y = 2.0 * X[:, 0] * X[:, 1]
FAST: dict[str, Any] = {"operators": ["+", "-", "*", "/"], "time_limit": 20.0, "workers": 1}

# Small enough for the answer to come long before the time limit, so that equal data give equal formulas.
CHECKED = SymbolicRegressor(operators=["+", "-", "*"], maxsize=3, turns=4, workers=1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([CHECKED])
def test_scikit_learn_checks(estimator: SymbolicRegressor, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def fitted() -> SymbolicRegressor:
    return SymbolicRegressor(**FAST).fit(X, Y)


def test_fit_and_predict(fitted: SymbolicRegressor) -> None:
    np.testing.assert_allclose(fitted.predict([[2.0, 5.0], [1.0, 1.0]]), [20.0, 2.0])
    assert fitted.score(X, Y) == pytest.approx(1.0)
    assert isinstance(fitted.result_, hypo.Result)


def test_equations(fitted: SymbolicRegressor) -> None:
    table = fitted.equations_
    assert list(table) == ["complexity", "loss", "score", "equation", "sympy_format", "lambda_format"]
    assert table["complexity"].is_monotonic_increasing
    assert table["score"].is_monotonic_decreasing
    best = fitted.get_best()
    assert best["equation"] == str(fitted.result_.expression)
    assert best["loss"] == pytest.approx(0.0, abs=1e-20)
    np.testing.assert_allclose(best["lambda_format"](X), Y)
    np.testing.assert_allclose(table["lambda_format"].iloc[0](X), fitted.predict(X, index=0))
    assert fitted.sympy() == best["sympy_format"]
    assert fitted.latex() == fitted.result_.latex()
    assert fitted.latex(0) == fitted.result_.latex(0)


def test_names_of_pysr() -> None:
    model = SymbolicRegressor(
        binary_operators=["+", "*"], unary_operators=["square"], maxsize=9, timeout_in_seconds=20, random_state=1
    )
    model.fit(X, X[:, 0] ** 2, variable_names=["mass", "speed"])
    assert model.result_.expression is not None
    assert model.result_.expression.variables == ("mass",)
    settings = model.result_.settings
    assert settings["time_limit"] == 20.0
    assert settings["max_complexity"] == 9
    assert settings["operators"] == ["+", "*", "square"]
    assert model.result_.manifest["seed"] == 1


def test_one_list_of_operators_keeps_the_default_of_the_other() -> None:
    model = SymbolicRegressor(binary_operators=["+", "*"])
    assert model._operators()[:2] == ("+", "*")  # type: ignore[index]
    assert "sqrt" in model._operators()  # type: ignore[operator]


def test_units() -> None:
    model = SymbolicRegressor(**FAST).fit(X, 9.81 * X[:, 0], X_units=["kg", "m"], y_units="N")
    (constant,) = model.result_.constants[-1]
    assert constant.unit == "m/s^2"
    assert constant.value == pytest.approx(9.81)
    named = SymbolicRegressor(**FAST).fit(X, 9.81 * X[:, 0], X_units={"x0": "kg"}, y_units="N")
    assert named.result_.settings["units"] == {"x0": "kg", "y": "N"}


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"operators": ["+"], "unary_operators": ["sin"]}, {}, "give either operators or binary_operators"),
        ({"operators": "+,plus"}, {}, "unknown operator plus"),
        (
            {"model_selection": "best"},
            {},
            "model_selection must be score, posterior, accuracy or validation, got 'best'",
        ),
        ({"time_limit": -1}, {}, "the time limit must be a positive number of seconds"),
        ({}, {"variable_names": ["a"]}, "variable_names has 1 names, but X has 2 columns"),
        ({}, {"X_units": ["m"]}, "X_units has 1 units, but X has 2 columns"),
        ({}, {"X_units": ["m", "furlongs per week"]}, "furlongs"),
        ({}, {"sample_weight": -np.ones(30)}, "[Nn]egative"),
    ],
)
def test_wrong_use(parameters: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SymbolicRegressor(**{"time_limit": 5.0, **parameters}).fit(X, Y, **arguments)


def test_data_frames() -> None:
    frame = pd.DataFrame(X, columns=["m", "a"])
    model = SymbolicRegressor(**FAST).fit(frame, pd.Series(Y, name="F"))
    assert list(model.feature_names_in_) == ["m", "a"]
    assert set(model.result_.expression.variables) == {"m", "a"}  # type: ignore[union-attr]
    np.testing.assert_allclose(model.predict(frame), Y)


def test_a_column_named_y() -> None:
    model = SymbolicRegressor(**FAST).fit(pd.DataFrame(X, columns=["x", "y"]), Y)
    assert model.result_.target == "target"


def test_rows_of_weight_zero_do_not_count() -> None:
    wrong = Y.copy()
    wrong[:3] = 1e6
    weights = np.r_[np.zeros(3), np.ones(27)]
    model = SymbolicRegressor(**FAST).fit(X, wrong, sample_weight=weights)
    np.testing.assert_allclose(model.predict(X), Y)


def test_model_selection(fitted: SymbolicRegressor) -> None:
    noisy = Y + 0.3 * RNG.normal(size=30)
    model = SymbolicRegressor(**{**FAST, "time_limit": 60.0, "turns": 4}, model_selection="accuracy").fit(X, noisy)
    losses = [h.misfit for h in model.result_.front]
    assert model._index(None) == losses.index(min(losses))


def test_pickle_and_clone(fitted: SymbolicRegressor) -> None:
    copy = pickle.loads(pickle.dumps(fitted))  # noqa: S301  (our own bytes)
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "result_")


def test_in_a_pipeline_and_cross_validation() -> None:
    model = make_pipeline(FunctionTransformer(np.sqrt), SymbolicRegressor(**FAST))
    assert cross_val_score(model, X**2, Y, cv=3).min() == pytest.approx(1.0)


def test_random_state_object_is_a_seed() -> None:
    state = np.random.RandomState(4)
    assert SymbolicRegressor(random_state=state)._seed() != SymbolicRegressor(random_state=state)._seed()
    assert SymbolicRegressor(random_state=np.int64(7))._seed() == 7


def test_unfitted() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        SymbolicRegressor().predict(X)


def test_an_interrupt_ends_one_fit_and_two_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(1.0, 4.0, 30)[:, None]
    y = 2.5 * x[:, 0] ** 2 + np.sin(40 * x[:, 0])

    def pressed(progress: Any) -> None:
        if progress.best is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr("hypo.api.estimator._last_warning", -1e9)
    model = SymbolicRegressor(time_limit=20, random_state=0, progress=pressed)
    with pytest.warns(RuntimeWarning, match="interrupt again within 2 seconds to stop"):
        model.fit(x, y)
    assert model.result_.status == "interrupted" and np.all(np.isfinite(model.predict(x)))
    monkeypatch.setattr("hypo.api.estimator.SECOND_INTERRUPT", 60.0)
    with pytest.raises(KeyboardInterrupt):
        # Every fit is interrupted here: the first soon after the warning.
        cross_val_score(SymbolicRegressor(time_limit=20, random_state=0, progress=pressed), x, y, cv=3)
