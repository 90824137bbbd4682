"""Simpler relatives of a formula: a part left out, coefficients tied, angles halved."""

from dataclasses import replace

import numpy as np
import pytest

import hypo
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.relatives import halved, relatives, rooted
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate


def fitted(text: str) -> Expression:
    """The formula of ``text``, its decimal numbers free."""
    e = hypo.parse(text)
    return Expression(e.code, tuple(replace(c, free=not c.value.is_integer()) for c in e.constants), e.variables)


def shapes(e: Expression) -> set[str]:
    """The relatives, one text for all values of their free constants."""
    found = (simplify(r) for r in relatives(e))
    return {str(r.with_values([9.5 if c.free else c.value for c in r.constants])) for r in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.01*y + 3.3346*x - 3.3346*x**3", "9.5*(x + 3*y - x**3)"),
        ("sqrt(157.91*a**2 + 157.93*b**2 - 315.84*a*b*cos(c))", "9.5*sqrt(a**2 + b**2 - 2*a*b*cos(c))"),
        ("2.01*x + 0.99", "9.5*(x + 0.5)"),
        ("exp(1.5*x - 1.52*y)", "exp(9.5*(x - y))"),
    ],
)
def test_coefficients_in_a_simple_ratio_are_tied(text: str, expected: str) -> None:
    assert expected in shapes(fitted(text))


def test_coefficients_far_from_a_simple_ratio_are_not_tied() -> None:
    assert not any("(" in s for s in shapes(fitted("1.1*x + 1.57*y")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1.5*x + 3.5*y)/(x + 351.1)", "(9.5*x + 9.5*y)/x"),
        ("(1.5*x + 3.5*y)/(x + 351.1)", "9.5*y/(x + 9.5)"),
        ("x - exp(1.5*y)", "-exp(9.5*y)"),
        ("sin(sqrt(x))", "sin(x)"),
        ("x/exp(y)", "exp(-y)"),
    ],
)
def test_each_part_is_left_out(text: str, expected: str) -> None:
    assert expected in shapes(fitted(text))


def test_half_angles_are_equal() -> None:
    e = fitted("0.5 - cos(12.6*t)/2 + sin(3.3*t)")
    t = np.linspace(-3, 3, 40)[:, None]
    found = list(halved(e))
    assert len(found) == 2
    for other in found:
        np.testing.assert_allclose(evaluate(other, t, ["t"]), evaluate(e, t, ["t"]), atol=1e-13)


@pytest.mark.parametrize(
    ("text", "roots"), [("2*x**1.5/y", ["sqrt(x**3)"]), ("x**-1.5", ["sqrt(x**(-3))"]), ("x**1.3 + x**2 + sqrt(x)", [])]
)
def test_half_powers_are_written_as_roots_too(text: str, roots: list[str]) -> None:
    e = hypo.parse(text)
    found = list(rooted(e))
    assert len(found) == len(roots) and all(r in str(f).replace(".0", "") for r, f in zip(roots, found, strict=True))
    x = np.linspace(0.5, 3, 20)[:, None] * np.ones(2)
    for other in found:
        np.testing.assert_allclose(evaluate(other, x, ["x", "y"]), evaluate(e, x, ["x", "y"]), rtol=1e-13)


@pytest.mark.slow
def test_the_answer_has_no_part_too_many() -> None:
    X = np.random.default_rng(0).uniform(0.5, 3, (400, 2))
    y = 10 * (X[:, 1] - (X[:, 0] ** 3 - X[:, 0]) / 3)
    noisy = y + 0.01 * np.std(y) * np.random.default_rng(1).standard_normal(len(y))
    # With few operators the search ends by itself, however busy the machine.
    operators = ["+", "-", "*", "cube"]
    found = hypo.fit(X, noisy, time_limit=60, operators=operators, guesses=["a*x1 + b*x0 + c*x0**3"]).expression
    assert len(found.free) <= 1
    assert len(found) <= 11
