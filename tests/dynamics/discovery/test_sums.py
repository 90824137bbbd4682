"""Right-hand sides as sums: values stay, forms are one for all spellings, numbers are counted by degrees of freedom."""

import numpy as np
import pytest

from hypo.dynamics.discovery.sums import as_sum
from hypo.expression.program import evaluate
from tests.dynamics.calibration.systems import law

NUMBERS = {"a": 1.7, "b": 0.6, "c": 2.3, "k": 0.75}
# Formula, form, fitted numbers.
CASES = [
    ("a*x*(1 - x/b)", "x + x^2", 2),
    ("a*sin(b*x)", "sin(#*x)", 2),
    ("a/(b + c*x)", "(# + x)^-1", 2),
    ("(x - a*y)**2", "x*y + x^2 + y^2", 2),
    ("exp(a - b*x)", "exp(#*x)", 2),
    ("log(a*x)*x", "log(x)*x + x", 1),
    ("sqrt(a*x)", "x^0.5", 1),
    ("x - tanh(x)", "tanh(x) + x", 0),
    ("x*(1 - x/a)*(x/b - 1)", "x + x^2 + x^3", 2),
    ("a*x**k", "x^#", 2),
    ("abs(x)*x", "abs(x)*x", 0),
    ("-x*(a - x)", "x + x^2", 1),
    ("x*y**2/(1 + a*x*y)", "(# + x*y)^-1*x*y^2", 2),
    ("x - x + a", "1", 1),
    ("(a*x + b)/(k + x)", "(# + x)^-1 + (# + x)^-1*x", 4),
]


@pytest.mark.parametrize("text, form, count", CASES)
def test_a_sum_has_the_form_and_the_numbers_it_should(text, form, count):
    s = as_sum(law(text, NUMBERS))
    assert (s.form, s.n_free) == (form, count)


@pytest.mark.parametrize("text", [text for text, _, _ in CASES])
@pytest.mark.parametrize("distribute", [True, False])
def test_values_stay(text, distribute):
    e = law(text, NUMBERS)
    s = as_sum(e, distribute)
    X = np.random.default_rng(0).uniform(0.5, 2.0, (50, 2))
    expected = evaluate(e, X, ["x", "y"])
    for written in (s.expression(), s.positive_expression()):
        np.testing.assert_allclose(evaluate(written, X, ["x", "y"]), expected, rtol=1e-9, atol=1e-9)


def test_within_a_function_signs_tell_forms_apart():
    assert as_sum(law("sin(x - y)", {})).form != as_sum(law("sin(x + y)", {})).form
    assert as_sum(law("a*x - b*y", NUMBERS)).form == as_sum(law("a*x + b*y", NUMBERS)).form


def test_coefficients_of_a_positive_expression_are_positive():
    s = as_sum(law("-a*x - b*y", NUMBERS))
    e = s.positive_expression()
    assert [c.value for c in e.constants if c.free] == [1.7, 0.6]


def test_a_large_product_of_sums_is_left_alone():
    text = "*".join(f"(x + {k}*y + {k}*x*y + a)" for k in range(2, 7))
    e = law(text, NUMBERS)
    s = as_sum(e)
    assert len(s.terms) <= 40
    X = np.array([[0.7, 1.1]])
    np.testing.assert_allclose(evaluate(s.expression(), X, ["x", "y"]), evaluate(e, X, ["x", "y"]))


@pytest.mark.parametrize(
    "text", ["(-2*x)**0.5", "(-a*x)**1.5", "((x + a)*(b + y)*(-2))**0.5", "(-a*x*y)**k", "(a*x)**-1"]
)
def test_a_negative_term_to_a_power_has_a_form(text):
    e = law(text, NUMBERS)
    s = as_sum(e)
    assert s.form
    X = np.random.default_rng(0).uniform(-2.0, 2.0, (50, 2))
    np.testing.assert_allclose(evaluate(s.expression(), X, ["x", "y"]), evaluate(e, X, ["x", "y"]), rtol=1e-9)
