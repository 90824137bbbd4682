"""Guesses that cannot be the answer: the true reason, what to write, and the score that they would have."""

from typing import Any

import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.api.refusals import explain_passing_over
from hypo.data import as_dataset
from hypo.expression.parser import parse
from hypo.problem.problem import make_problem

pytestmark = pytest.mark.usefixtures("short_searches")

C = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
CURRENT = [3.108e4, 6.018e4, 1.239e5, 1.878e5, 3.325e5, 6.795e5, 1.292e6, 2.139e6, 4.748e6, 6.717e6]


def power_law(guess: str, **more: Any) -> hypo.Result:
    table = {"c": C, "I": CURRENT}
    units = {"c": "nM", "I": "mV"}
    kw: dict[str, Any] = {"units": units, "likelihood": "lognormal", "posterior": False, "progress": False}
    return hypo.fit(table, "I", guesses=[guess], **(kw | more))


def said(result: hypo.Result, of: str = "guess") -> list[str]:
    return [d for d in result.manifest["doubts"] if of in d]


def test_units_are_the_reason_and_what_to_write_is_said() -> None:
    doubts = said(power_law("a*c**b"))
    assert doubts[0].startswith(
        "the guess a*c**b with its constants fitted breaks units: in c**b, its base has the dimension"
    )
    assert doubts[0].endswith("divide it by a constant of its unit first, as in (c/c0)**b")
    assert doubts[1].startswith("without that the guess would score ") and doubts[1].endswith("below the answer")


def test_what_is_to_be_written_is_an_answer() -> None:
    result = power_law("a*(c/c0)**b")
    assert result.best is not None and result.best.r2 > 0.98
    assert result.manifest["guess"] == 1


def test_a_guess_without_a_value() -> None:
    x = np.linspace(-1.0, 2.0, 12)
    result = hypo.fit({"x": x, "y": 2 * x + 1}, "y", guesses=["log(x) + a"], posterior=False, progress=False)
    assert said(result) == ["the guess log(x) + a has no value on 4 of 12 rows, with all constants that were tried"]


def test_a_hard_rule() -> None:
    x = np.linspace(1.0, 2.0, 12)
    rule = {"rule": [{"kind": "sign", "sign": "positive", "hard": True, "where": {"x": [0, 1]}}]}
    result = hypo.fit({"x": x, "y": 2 * x - 1}, "y", knowledge=rule, guesses=["a*x + b"],
                      posterior=False, progress=False)  # fmt: skip
    assert any("with its constants fitted breaks the hard rule 1 (y > 0 on 0 <= x <= 1)" in d for d in said(result))


def test_a_better_guess_that_was_passed_over() -> None:
    x = np.arange(30.0)
    dataset, _ = as_dataset({"x": x, "y": np.sin(5.5 * x)}, "y")
    settings = make_settings()
    problem = make_problem(dataset, None, settings)
    for text, why in (("sin(5.5*x)", "slower waves"), ("0.001/(x - 3.5)**3", "between the rows"), ("sin(0.7*x)", "")):
        h = problem.scorer(settings).score(parse(text, variables=["x"]))
        assert h is not None
        said = explain_passing_over(h, problem)
        assert (why in said) if why else not said


def test_a_fine_is_named() -> None:
    x = np.linspace(1.0, 9.0, 12)
    y = 3 * x**0.8 + 0.01 * np.sin(40 * x)
    result = hypo.fit({"x": x, "y": y}, "y", knowledge={"units": {"x": "m", "y": "s", "hard": False}},
                      guesses=["a*x**b + c*x**d"], posterior=False, progress=False)  # fmt: skip
    assert any("nats of that are for what it breaks (units: in x**" in d for d in said(result))
