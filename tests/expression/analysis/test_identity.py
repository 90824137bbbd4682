"""Identities shown by expansion: those of shape rules are, and none is shown that does not hold."""

from __future__ import annotations

import random

import mpmath
import pytest

from hypo.expression import Expression
from hypo.expression.analysis.identity import is_identity
from hypo.expression.parser import parse
from tests.oracles.precise import exact
from tests.oracles.reference import random_tree

HOLD = [
    "(x + y)**2 == x**2 + 2*x*y + y**2",
    "(x + y)*z == x*z + y*z",
    "1/x + 1/y == (x + y)/(x*y)",
    "x/(x + y) + y/(x + y) == 1",
    "1/(1/(k*x) + 1/(k*y)) == k/(1/x + 1/y)",
    "1/(x - y) == -1/(y - x)",
    "(x**2 - y**2)/(x - y) == x + y",
    "exp(-((x - y)/z)**2) == exp(-((y - x)/z)**2)",
    "cos(x - y) == cos(y - x)",
    "sin(x - y) == -sin(y - x)",
    "abs(x - y) == abs(y - x)",
    "sqrt(x + y)**2 == x + y",
    "1/sqrt(x + y) == sqrt(x + y)/(x + y)",
    "cbrt(-x*k**3) == -k*cbrt(x)",
    "max(x, y) == max(y, x)",
    "x**0.5*x**1.5 == x**2",
    "0.3*x + 0.7*x == (0.3 + 0.7)*x",
    "c*(x + 1) == c*x + c",
    "sqrt(4*x/y) == 2*sqrt(x/y)",
    "1/(1 - (2*x/(2*y))**2) == 1/(1 - x**2/y**2)",
    "cbrt(x - y) == -cbrt(y - x)",
    "(-x)**-3 == -1/x**3",
]
FOR_POSITIVE = [
    "sqrt((k*x)**2 + (k*y)**2) == k*sqrt(x**2 + y**2)",
    "sqrt(x**2) == x",
    "abs(k*x - k*y) == k*abs(x - y)",
    "(k*x + k*y)**1.5 == k**1.5*(x + y)**1.5",
    "abs(x) == x",
]
FAIL = [
    "x == y",
    "sqrt((x - y)**2) == x - y",
    "sin(x) == sin(-x)",
    "cos(x) == -cos(-x)",
    "1/(x - y) == 1/(y - x)",
    "x + 1 == x",
    "abs(-x) == -abs(x)",
    "0.1 + 0.2 == 0.3",
    "x**3 == x**2",
    "min(x, y) == max(x, y)",
    "log(0*x) == log(0*y) + 1",
    "c*x == d*x",
    "sqrt(x**2 + y**2) == x + y",
    "1/(x*y) == 1/x + 1/y",
    "(-x)**-2 == -1/x**2",
]


def sides(text: str) -> tuple[Expression, Expression]:
    left, right = text.split("==")
    named = {"c": 3.0, "d": 3.0}
    return parse(left, constants=named), parse(right, constants=named)


@pytest.mark.parametrize("text", HOLD)
def test_identities(text: str) -> None:
    assert is_identity(*sides(text))


@pytest.mark.parametrize("text", FOR_POSITIVE)
def test_identities_of_positive_variables(text: str) -> None:
    assert not is_identity(*sides(text))
    assert is_identity(*sides(text), frozenset("kxy"))


@pytest.mark.parametrize("text", FAIL)
def test_others_are_not_shown(text: str) -> None:
    assert not is_identity(*sides(text), frozenset("xyk") if "sqrt((x - y)**2)" in text else frozenset())


def test_large_expansions_are_given_up() -> None:
    assert not is_identity(parse("(x + y + z + 1)**8*(x - y - z)**8"), parse("0"))
    assert not is_identity(parse("1e300**8*x**8 + x"), parse("x"))
    assert not is_identity(parse("0**0*x"), parse("0"))


def test_what_is_shown_holds() -> None:
    """Random formulas with many equal pairs: small, of few leaves, compared two by two at points in 60 digits."""
    rng = random.Random(3)
    leaves = [*map(Expression.variable, "xxy"), Expression.constant(2), Expression.constant(-1)]
    unary = ["neg", "inv", "square", "sqrt", "cbrt", "cube", "abs", "sin", "cos"]
    shown = different = 0
    for positive in (False, True):
        formulas = [
            random_tree(rng, rng.randint(2, 5), leaves, Expression.apply, unary, ["+", "-", "*", "/", "**"])
            for _ in range(120)
        ]
        points = [{n: rng.uniform(0 if positive else -3, 3) for n in "xy"} for _ in range(4)]
        values = [[exact(e, p) for p in points] for e in formulas]
        for i, e in enumerate(formulas):
            for j in range(i):
                known = [
                    (a, b)
                    for a, b in zip(values[i], values[j], strict=True)
                    if a is not None and b is not None and not mpmath.isnan(a) and not mpmath.isnan(b)
                ]
                equal = all(abs(a - b) <= 1e-40 * (1 + abs(a)) for a, b in known)
                if equal and rng.random() > 0.2:
                    continue
                if is_identity(e, formulas[j], frozenset("xy") if positive else frozenset()):
                    shown += 1
                    assert equal, (str(e), str(formulas[j]))
                different += not equal
    assert shown > 10
    assert different > 3000
