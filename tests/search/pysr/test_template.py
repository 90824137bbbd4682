"""Templates for PySR: what it is asked, how its parts become whole formulas, and the whole way with a stand-in for it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hypo
from hypo.data import from_arrays
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.knowledge.template import Template
from hypo.problem.problem import Settings, make_problem
from hypo.search.outcome import Progress
from hypo.search.pysr.template import PySRTemplate
from hypo.search.pysr.translate import LEAST_SIZE, Task, translate
from tests.oracles.places import STANDINS
from tests.oracles.pysr_case import HEADER, left_behind, needs_pysr, write

COLUMNS = ("x", "u", "v")
RNG = np.random.default_rng(0)
X = RNG.uniform(1.0, 2.0, (60, 3))
FORM = "y = a*g(x) + log(a + h(v, u))/c^2"
LAW = "3*(x**2 + 1) + log(3 + v*exp(u))/4"
CONSTANTS = {"c": {"value": 2.0, "unit": "1"}}
Y = evaluate(parse(LAW), X, list(COLUMNS))
# f1 is g(x); f2 is h(v, u), so that #1 is v.
FOUND = "f1 = (#1 * #1) + 1.1; f2 = #1 * exp(#2); p = [2.9]"


def form_of(text: str = FORM, constants: dict[str, float] | None = None) -> PySRTemplate:
    return PySRTemplate(Template(text).bind(COLUMNS, {"c": 2.0} if constants is None else constants), COLUMNS)


def task_of(settings: Settings | None = None, guesses=(), **knowledge) -> Task:
    k = Knowledge.from_dict({"template": {"form": FORM}, "constants": CONSTANTS, **knowledge})
    s = settings or Settings()
    return translate(make_problem(from_arrays(X, Y, names=list(COLUMNS), target="y"), k, s), s, 1, guesses)


# --- what PySR is asked ----------------------------------------------------------------------------------------


def test_the_form_in_the_syntax_of_julia() -> None:
    a = "(p[1] + 0.0 * x1)"
    assert form_of().spec == {
        "combine": f"(({a} * f1(x1)) + (log(({a} + f2(x3, x2))) / (2.0 ^ 2.0)))",
        "expressions": ["f1", "f2"],
        "variable_names": ["x1", "x2", "x3"],
        "parameters": {"p": 1},
    }
    plain = form_of("max(-g(x), 1/h(u))").spec
    assert (plain["combine"], plain["parameters"]) == ("max((-f1(x1)), (1.0 / f2(x2)))", None)


def test_sizes_are_those_of_the_parts_and_units_are_not_given() -> None:
    # Besides the parts a, *, +, log, a, +, /, square, c.
    assert form_of().own_size == 9
    task = task_of(Settings(max_complexity=30), units={"x": "m", "u": "1", "v": "1", "y": "m^2"})
    assert task.model["maxsize"] == 21
    assert (task.fit["X_units"], task.fit["y_units"], task.model["dimensional_constraint_penalty"]) == (
        None,
        None,
        None,
    )
    assert task.fit["variable_names"] == ["x1", "x2", "x3"]
    assert task.X.shape == (60, 3)  # a named constant is a number of the form
    assert task_of(Settings(max_complexity=12)).model["maxsize"] == LEAST_SIZE


def test_guesses_of_the_form_become_guesses_of_its_parts() -> None:
    own = Template(FORM).bind(COLUMNS, {"c": 2.0})
    guess = own.fill({"g": parse("x + 0.5"), "h": parse("u*v")})
    task = task_of(Settings(operators=("+", "*", "exp")), [guess, parse("x + u")])
    assert task.model["guesses"] == [{"f1": "(#1 + 0.5)", "f2": "(#2 * #1)", "p": [1.0]}]


# --- how its answers come back ---------------------------------------------------------------------------------


def test_parts_become_one_formula_with_free_numbers() -> None:
    e = task_of().read(FOUND)
    assert e is not None
    assert [(c.value, c.name) for c in e.constants if c.free] == [(2.9, "a"), (1.1, None), (2.9, "a")]
    at = evaluate(parse("2.9*(x**2 + 1.1) + log(2.9 + v*exp(u))/4"), X, list(COLUMNS))
    assert evaluate(e, X, list(COLUMNS)) == pytest.approx(at, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x1",
        "f1 = #1",
        "f1 = #1; f2 = #1 * exp(#2); p = [2.9",
        "f1 = #1; f2 = #1 * exp(#2); p = []",
        "f1 = #1; f2 = #1 * exp(#2); p = [NaN]",
        "f1 = #1; f2 = #1 * exp(#2); p = [1.0, 2.0]",
        "f1 = #2; f2 = #1; p = [1.0]",
        "f1 = #0; f2 = #1; p = [1.0]",
        "f1 = x2; f2 = #1; p = [1.0]",
        "f1 = #1; f2 = #1 * ; p = [1.0]",
        "f1 = #1; f2 = ; p = [1.0]",
    ],
)
def test_what_cannot_be_read_is_passed_over(text: str) -> None:
    assert task_of().read(text) is None


@given(st.text("f12=#[]p;., xe+*()0", max_size=60))
def test_no_text_makes_reading_fail(text: str) -> None:
    assert form_of().read(text, lambda part: None) is None


# --- the backend, with a stand-in for PySR ---------------------------------------------------------------------


def knowledge() -> dict:
    operators = ["+", "*", "/", "exp", "log", "square"]
    return {"template": {"form": FORM}, "constants": CONSTANTS, "grammar": {"operators": operators}}


def rows(*formulas: str) -> str:
    return "".join(f'{k},{1.0 / k!r},"{text}"\n' for k, text in enumerate(formulas, start=2))


def test_the_parts_found_are_put_together_fitted_and_scored(stages: Path) -> None:
    write(stages, rows("f1 = #1; f2 = #1; p = [1.0]", FOUND))
    result = hypo.fit(
        X,
        Y,
        features=list(COLUMNS),
        backend="pysr",
        knowledge=knowledge(),
        time_limit=20,
        workers=1,
        max_memory="3 GB",
        guesses=["k*x + log(k + u*v)/c**2"],
    )
    assert result.best is not None and result.best.origin == "pysr"
    assert result.best.rmse < 1e-9
    assert {h.origin for h in result.front} == {"pysr"}
    record = json.loads((stages / "record.json").read_text())
    assert record["model"]["expression_spec"]["expressions"] == ["f1", "f2"]
    assert record["model"]["guesses"] is None or len(record["model"]["guesses"]) <= 1
    assert not left_behind(stages)


def test_both_backends_search_for_a_template(stages: Path) -> None:
    # PySR finds the law only after the other search had its turn, for an exact law ends both.
    write(stages, rows("f1 = exp(0.4 * #1); f2 = #1 + sin(#1); p = []"), go=False)
    (stages / "stay").touch()

    def let_pysr_go(p: Progress) -> None:
        if p.stage == "template":
            (stages / "go1").touch()

    y = np.exp(0.4 * X[:, 0]) * (X[:, 1] + np.sin(X[:, 1]))
    k = {"template": {"form": "g(x)*h(u)"}}
    options = {"features": list(COLUMNS), "backend": "all", "time_limit": 20, "workers": 2}
    result = hypo.fit(X, y, knowledge=k, progress=let_pysr_go, **options)
    assert result.best is not None and result.best.rmse < 1e-6
    assert "template" in result.timing


@pytest.mark.slow
@needs_pysr
def test_the_installed_pysr_takes_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STANDINS / "julia")
    monkeypatch.setenv("HYPO_TEST_HALL", str(tmp_path / "hall.csv"))
    monkeypatch.setenv("HYPO_TEST_RECORD", str(tmp_path / "record.json"))
    (tmp_path / "hall.csv").write_text(HEADER + rows(FOUND))
    result = hypo.fit(X, Y, features=list(COLUMNS), backend="pysr", knowledge=knowledge(), time_limit=20, workers=1)
    assert result.best is not None and result.best.rmse < 1e-9
    record = json.loads((tmp_path / "record.json").read_text())
    spec = record["options"]["expression_spec"]
    assert "@template_spec(expressions=(f1, f2,), parameters=(p=1,),) do x1, x2, x3" in spec
    assert form_of().spec["combine"] in spec
