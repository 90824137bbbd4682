"""Rounding breaks no rule: small curvature, cancellation and identities of floating-point numbers."""

from __future__ import annotations

import math

import pytest

from hypo.knowledge.claims.claim import REFUTED, UNREFUTED
from tests.knowledge.rules.cases import law, rule, rule_class


@pytest.mark.parametrize("ends", [(0.1, 10.0), (1e-9, 1e-6), (1e6, 1e9)])
@pytest.mark.parametrize(
    "text", ["x*(2.5 + 3.7/x)", "x*(1.1 + 0.3/x)", "(x**2 + x)/x", "sqrt(x**2)", "exp(log(x))", "1/(1/x)"]
)
def test_rounding_is_no_curvature(text, ends):
    for kind in ("convex", "concave"):
        for hard in (False, True):
            verdict = rule_class(kind)(variable="x", hard=hard).check(law(text, x=ends), points=128)
            assert (verdict.level, verdict.amount) == (UNREFUTED, 0.0)


def test_rounding_breaks_no_identity():
    nothing = law("(x + y)**2 - (x - y)**2 - 4*x*y")
    for text in (
        'kind = "zeros", variable = "x", at = 1',
        'kind = "even", variable = "x"',
        'kind = "monotone", variable = "x", direction = "decreasing"',
    ):
        assert rule(text).check(nothing).amount == 0.0


@pytest.mark.parametrize("text", ["1e9 - 1e-3*x**2", "1 - 1e-9*x**2", "sin(1e6*x)"])
def test_small_curvature_is_no_rounding(text):
    assert rule_class("convex")(variable="x").check(law(text)).level == REFUTED


@pytest.mark.parametrize(
    ("text", "to", "false", "true"),
    [
        ("(exp(x) - 1)/x", 0, 0, 1),
        ("(1 - cos(x))/x**2", 0, 0, 0.5),
        ("(x - sin(x))/x**3", 0, 0, 1 / 6),
        ("x*log(1 + 1/x)", math.inf, 0, 1),
        ("sqrt(x**2 + x) - x", math.inf, 0, 0.5),
        ("sin(3*x)*y", math.inf, math.inf, None),
        ("-x*y", math.inf, math.inf, -math.inf),
        ("log(x)*y", math.inf, 3, math.inf),
    ],
)
def test_cancellation_is_no_limit(text, to, false, true):
    limit = rule_class("limit")
    found = limit(variable="x", to=to, equals=false).check(law(text))
    assert found.level == REFUTED
    assert found.amount > 0.01
    assert "expected" in found.witness.sides.note or "not growing towards infinity" in found.witness.sides.note
    assert true is None or limit(variable="x", to=to, equals=true).check(law(text)).amount == 0


def test_witnesses_say_what_is_wrong():
    found = rule('kind = "growth", variable = "x", to = "inf", exponent = 2').check(law("x**3"))
    assert found.witness.sides.note == "exponent 3, expected 2"
    found = rule('kind = "growth", variable = "x", to = "inf", exponent = 2, tolerance = 0.001').check(law("x**2.0099"))
    assert found.witness.sides.note == "exponent 2.0099, expected 2"
    found = rule('kind = "bounds", min = 0').check(law("sqrt(x - 5)"))
    assert found.witness.sides.note == "the left side has no value here"
