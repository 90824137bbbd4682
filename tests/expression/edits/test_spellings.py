"""Other spellings of one formula."""

import numpy as np
import pytest

import hypo
from hypo.expression.edits.spellings import spellings
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate


@pytest.mark.parametrize("text", ["-6/(1 - 17*(1/S + 1)/7)", "e*(a*b*f*exp(-S)/e + 1)/f", "a*(b*S**2/(2*a) + 1)"])
def test_spellings_are_equal_and_one_is_shorter(text: str) -> None:
    e = hypo.parse(text, variables=["S", "a", "b", "e", "f"])
    X = np.random.default_rng(0).uniform(1, 5, (50, 5))
    found = list(spellings(e))
    for other in found:
        np.testing.assert_allclose(evaluate(other, X, list("Sabef")), evaluate(e, X, list("Sabef")), rtol=1e-10)
    assert min(len(other) for other in found) < len(e)


def test_fitted_constants_stay_free_with_their_values() -> None:
    x = Expression.variable("x")
    e = Expression.constant(2.5, free=True) / (1 + Expression.constant(0.3, free=True) / x)
    X = np.array([[2.0], [3.0]])
    for other in spellings(e):
        assert other.free
        np.testing.assert_allclose(evaluate(other, X, ["x"]), evaluate(e, X, ["x"]))


def test_named_constants_keep_their_names() -> None:
    e = hypo.parse("a*(g*S**2/(2*a) + 1)", variables=["S", "a"], constants={"g": 9.81})
    found = list(spellings(e))
    assert found
    for other in found:
        assert set(other.variables) <= {"S", "a"}
        assert [c.value for c in other.constants if c.name == "g"] == [9.81]


def test_short_formulas_are_left_alone() -> None:
    assert not list(spellings(hypo.parse("a*x", variables=["x", "a"])))
