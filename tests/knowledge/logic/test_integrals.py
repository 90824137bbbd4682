"""Integrals of first-order rules: bounds, those that cannot be found, many waves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.knowledge.claims.claim import REFUTED, UNREFUTED
from hypo.knowledge.claims.law import Law
from hypo.knowledge.logic.integrals import Quadrature, Quantity
from hypo.knowledge.logic.sentence import parse_logic
from tests.oracles.reference import evaluate

# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("integrand", "antiderivative"),
    [
        ("sin(3*x)", "-cos(3*x)/3"),
        ("x**4 - x", "x**5/5 - x**2/2"),
        ("1/(1 + x**2)", "atan(x)"),
        ("abs(x - 0.3)", None),
        ("exp(-x)*p", "-exp(-x)*p"),
        ("max(x, p)", None),
        ("sqrt(x + 3)", "2/3*(x + 3)**1.5"),
        ("cbrt(x)", "0.75*x*cbrt(x)"),
        ("abs(x)", "x*abs(x)/2"),
        ("sqrt(x**2)", "x*abs(x)/2"),
        ("(x**2)**0.5", "x*abs(x)/2"),
    ],
)
def test_integrals_lie_within_their_bounds(integrand: str, antiderivative: str | None) -> None:
    rng = np.random.default_rng(0)
    n = 40
    integral = Quadrature("q", Quantity(parse(integrand)), "x", Quantity(parse("a")), Quantity(parse("b + p")))
    low = {name: rng.uniform(-1, 1, n) for name in "abp"}
    boxes = {name: (v, v + rng.choice([0.0, 0.01, 0.5], n)) for name, v in low.items()}
    found = integral.enclose(boxes, n)
    assert found.defined.all()
    for _ in range(20):
        at = {name: lo + rng.random(n) * (hi - lo) for name, (lo, hi) in boxes.items()}
        value = integral.at(at, n)
        if antiderivative is not None:
            exact = [
                evaluate(parse(antiderivative), {"p": at["p"][i], "x": at["b"][i] + at["p"][i]})
                - evaluate(parse(antiderivative), {"p": at["p"][i], "x": at["a"][i]})
                for i in range(n)
            ]
            np.testing.assert_allclose(value, exact, rtol=1e-6, atol=1e-6)
            value = np.array(exact)
        slack = 1e-12 if antiderivative else 1e-6  # rounding; quadrature
        assert ((found.lo - slack <= value) & (value <= found.hi + slack)).all()


def test_smooth_integrals_have_tight_bounds() -> None:
    integral = Quadrature(
        "q", Quantity(parse("exp(x)*sin(x)")), "x", Quantity(parse("0*a")), Quantity(parse("2 + 0*a"))
    )
    found = integral.enclose({"a": (np.ones(1), np.ones(1))}, 1)
    assert 0 < found.hi[0] - found.lo[0] < 1e-6


# --- integrals that cannot be found -----------------------------------------------------------------------------------

PLANE = {"x": (0.1, 2.0), "y": (0.1, 2.0)}


def checked(text, formula, **how):
    law = Law(parse(formula), "f", ("x", "y"), PLANE)
    return parse_logic(text, variables=law.variables, target="f").check(law, **{"points": 128, "proof": False, **how})


@pytest.mark.parametrize("proof", [False, True])
@pytest.mark.parametrize(
    ("formula", "level"),
    [
        ("sqrt(-x)", REFUTED),
        ("log(x - y)", REFUTED),
        ("1/(x - x)", UNREFUTED),
        ("1/(x - 1)", UNREFUTED),
        ("1/(x - y)", UNREFUTED),
        ("1/(x - 1)**2", UNREFUTED),
        ("1/(x - 0.7123)**3", UNREFUTED),
        ("tan(x)", UNREFUTED),
        ("1/abs(x - 1)", UNREFUTED),
    ],
)
def test_an_integral_that_is_not_found_is_violated(formula, level, proof):
    for text in ("int(f(x, 1), x, 0.2, 2) = 77", "int(f(x, 1), x, 0.2, 2) > -77", "int(f(x, 1), x, 0.2, 2) < 1e30"):
        found = checked(text, formula, proof=proof)
        assert (found.level, found.amount) == (level, 1.0)
        assert "no value" in found.witness.sides.note


@pytest.mark.parametrize("proof", [False, True])
def test_an_infinite_integral_is_violated(proof):
    assert checked("int(f(x, 1), x, 0, 1) > 0.01", "exp(1/x)", proof=proof).amount == 1.0
    assert checked("int(int(f(x, z), x, 0, 1), z, 0, 1) > 0.01", "1/(x - 0.4)", proof=proof).amount == 1.0


@pytest.mark.parametrize("proof", [False, True])
def test_many_waves_are_integrated(proof):
    found = checked("int(sin(1000*x), x, 0, 1) > 0.01", "x", proof=proof)
    assert found.level == REFUTED
    assert found.witness.sides.left == pytest.approx((1 - math.cos(1000)) / 1000, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("int(f(x, 1), x, 0, 1) = 2", "1/sqrt(x)"),
        ("int(f(x, 1), x, 0, 1) = -1", "log(x)"),
        ("int(f(x, 1), x, 0, 1) = 0.29", "abs(x - 0.3)"),
        ("int(f(x, 1), x, 0, 1) = 2/3", "sqrt(x)"),
    ],
)
def test_singular_and_cornered_integrals_are_found(text, formula):
    found = checked(text, formula)
    assert found.amount < 1e-4


def test_integrals_within_each_other_are_found():
    both = "int(int(f(u, v), u, 0, 1), v, 0, 1)"
    for formula, value in (("x*y", 0.25), ("exp(x)*y", (math.e - 1) / 2), ("x*y/(x + y)", (2 - 2 * math.log(2)) / 3)):
        assert checked(f"abs({both} - {value}) < 1e-3", formula).amount == 0
        assert checked(f"{both} > {value + 0.01}", formula).level == REFUTED


@pytest.mark.parametrize(
    "text",
    [
        "int(int(f(u, v), u, 0, 1), v, 0, 1) < 5",
        "int(int(f(u*x, v*y), u, 0, 1), v, 0, 1) < 5",
        "exists a in [0, 1]: f(a, x) > 100",
        "exists a in [0, 1], b in [0, 1]: f(a, b) > 100",
        "exists a in [0, 1]: int(f(w, a*x), w, 0, 1) > 100",
        "exists a in [0, 1]: int(int(f(u*a, v), u, 0, 1), v, 0, 1) > 100",
    ],
)
def test_quick_checks_try_few_points(text, monkeypatch):
    """The work is counted, as time depends on the machine."""
    counted = []
    value = Program.value
    monkeypatch.setattr(Program, "value", lambda self, X, *rest: counted.append(X.shape[1]) or value(self, X, *rest))
    checked(text, "sin(x*y) + x**2")
    assert sum(counted) < 500_000
