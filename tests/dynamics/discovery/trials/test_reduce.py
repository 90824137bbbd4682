"""Formulas with a little less in them."""

from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.reduce import smaller
from tests.dynamics.calibration.systems import law

NUMBERS = {"a": 1.7, "b": 0.6, "c": 1.1, "k": 2.1}


def forms(text):
    return {as_sum(e).form for e in smaller(law(text, NUMBERS))}


def test_each_term_may_go():
    assert {"x", "x^2"} <= forms("a*x - b*x**2")


def test_a_fitted_exponent_becomes_a_simple_one():
    assert "x^2" in forms("a*x**k")
    assert "x^3" not in forms("a*x**k")


def test_a_number_within_a_function_may_be_one():
    e = next(e for e in smaller(law("a*sin(c*x)", NUMBERS)) if len(e.free) == 1 and "sin" in str(e))
    assert as_sum(e).form == "sin(x)"


def test_a_divisor_loses_its_constant_or_its_variable():
    assert "x^-1*y" in forms("a*y/(b + x)")


def test_a_product_loses_a_factor():
    assert {"x", "y"} <= forms("a*x*y")


def test_constants_begin_where_they_were():
    e = next(e for e in smaller(law("a*x - b*x**2", NUMBERS)) if as_sum(e).form == "x")
    assert [c.value for c in e.constants if c.free] == [1.7]


def test_brackets_with_fewer_numbers_are_kept():
    found = [e for e in smaller(law("a*(x**3 - 3*(x + y)) + b", NUMBERS)) if as_sum(e).form == "x + x^3 + y"]
    # With one number, and multiplied out with three.
    assert {len(e.free) for e in found} == {1, 3}
