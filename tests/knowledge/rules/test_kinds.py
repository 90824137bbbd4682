"""Every rule kind: what keeps it, what breaks it and how badly, and what is proved."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import built_in_kinds
from tests.knowledge.rules.cases import CASES, RANGES, at, law, rule


def test_each_kind_is_tried():
    assert {rule(text).kind for text, *_ in CASES.values()} == set(built_in_kinds())


def each(place):
    return pytest.mark.parametrize(
        ("text", "formula"), [(case[0], formula) for case in CASES.values() for formula in case[place]]
    )


@each(1)
def test_kept_and_proved(text, formula):
    verdict = rule(text).check(replace(law(formula), deadline=None), proof=True)
    assert (verdict.level, verdict.amount, verdict.witness) == (PROVED, 0.0, None)


@each(2)
def test_kept(text, formula):
    verdict = rule(text).check(law(formula))
    assert (verdict.level, verdict.amount, verdict.witness) == (UNREFUTED, 0.0, None)
    assert rule(text).check(law(formula), proof=True).level in (PROVED, UNREFUTED)


@each(3)
@pytest.mark.parametrize("proof", [False, True])
def test_broken(text, formula, proof):
    verdict = rule(text).check(law(formula), proof=proof)
    assert verdict.level == REFUTED
    assert 0 < verdict.amount <= 1
    assert verdict.witness is not None
    low_high = {**RANGES, **rule(text).where}
    for name, value in verdict.witness.at.items():
        if name in RANGES and rule(text).kind not in ("limit", "growth", "value", "zeros"):
            assert low_high[name][0] <= value <= low_high[name][1]


HOLDS = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: abs(a - b) > 1e-6,
    "->": lambda a, b: a == b,
}


@each(3)
def test_the_two_sides_of_a_witness_do_not_fit(text, formula):
    sides = rule(text).check(law(formula)).witness.sides
    assert not (HOLDS[sides.relation](sides.left, sides.right))


def test_witnesses_against_an_independent_evaluator():
    verdict = rule('kind = "bounds", max = 4.0').check(law("x*y"))
    assert at(verdict, "x*y") == pytest.approx(verdict.witness.sides.left)
    verdict = rule('kind = "even", variable = "z"').check(law("exp(z)*x"))
    assert verdict.witness.sides.right == pytest.approx(at(verdict, "exp(z)*x"))
    assert verdict.witness.sides.left == pytest.approx(at(verdict, "exp(-z)*x"))
    verdict = rule('kind = "homogeneous", variables = ["x"], degree = 1.0').check(law("x**2"))
    factor, x = verdict.witness.at["λ"], verdict.witness.at["x"]
    assert verdict.witness.sides.left == pytest.approx((factor * x) ** 2)
    assert verdict.witness.sides.right == pytest.approx(factor * x**2)
    verdict = rule('kind = "monotone", variable = "x", direction = "increasing"').check(law("-1/(x - 1.23)"))
    low, high = sorted((verdict.witness.at["x"], verdict.witness.at["x'"]))
    assert low < 1.23 < high
    verdict = rule('kind = "limit", variable = "x", to = "inf", equals = 1.0').check(law("2 - y/x"))
    assert verdict.witness.sides.left == pytest.approx(at(verdict, "2 - y/x"))


# rule, laws from the nearest miss to the grossest
GRADED = [
    ('kind = "bounds", min = 0.0', ["x - 0.51", "x - 0.6", "x - 1", "x - 2", "-x"]),
    ('kind = "sign", sign = "positive"', ["2*x - 1.1", "x - 1", "x - 1.8", "-x"]),
    ('kind = "sign", sign = "nonzero"', ["x - 0.6", "x - 0.8", "x - 1.2"]),
    (
        'kind = "monotone", variable = "x", direction = "increasing"',
        ["(x - 0.6)**2", "(x - 0.9)**2", "(x - 1.3)**2", "(x - 2)**2"],
    ),
    ('kind = "convex", variable = "x"', ["x**3 - 1.6*x**2", "x**3 - 3*x**2", "x**3 - 5*x**2"]),
    ('kind = "convex", variables = ["x", "y"]', ["x**2 + y**2 - 2.1*x*y", "x**2 + y**2 - 3*x*y", "-x**2 - y**2"]),
    ('kind = "lipschitz", variable = "x", constant = 1.0', ["1.01*x", "1.1*x", "2*x", "10*x"]),
    ('kind = "even", variable = "z"', ["z**2 + 0.001*z", "z**2 + 0.01*z", "z**2 + 0.1*z", "z**2 + z", "z"]),
    ('kind = "odd", variable = "z"', ["z + 0.001", "z + 0.01", "z + 0.1", "z + 1"]),
    ('kind = "periodic", variable = "x", period = 1.5', ["y + 0.001*x", "y + 0.01*x", "y + 0.1*x", "y + x"]),
    ('kind = "symmetric", swap = ["x", "y"]', ["x + 1.001*y", "x + 1.01*y", "x + 1.1*y", "x + 2*y"]),
    ('kind = "antisymmetric", swap = ["x", "y"]', ["x - 1.001*y", "x - 1.01*y", "x - 1.1*y", "x + y"]),
    (
        'kind = "homogeneous", variables = ["x", "y"], degree = 2.0',
        ["x*y + 0.001", "x*y + 0.01", "x*y + 0.1", "x*y + 1"],
    ),
    ('kind = "scale_invariant", variables = ["x", "y"]', ["x/y + 0.001*x", "x/y + 0.01*x", "x/y + 0.1*x"]),
    ('kind = "translation_invariant", variables = ["x", "y"]', ["x - 1.001*y", "x - 1.01*y", "x - 1.1*y", "x - 2*y"]),
    ('kind = "value", at = { x = 1.0 }, equals = 0.0', ["x - 0.999", "x - 0.99", "x - 0.9", "x"]),
    ('kind = "value", at = { x = 1.0 }, equals = 2.0, tolerance = 0.1', ["2.11*x", "2.2*x", "3*x", "9*x"]),
    ('kind = "zeros", variable = "z", at = 0.0', ["z + 0.001", "z + 0.01", "z + 0.1"]),
    ('kind = "limit", variable = "x", to = "inf", equals = 1.0', ["1.001 + 1/x", "1.01 + 1/x", "1.1 + 1/x", "3 + 1/x"]),
    ('kind = "limit", variable = "x", to = "inf", equals = "inf"', ["7", "1/x", "-x"]),
    ('kind = "growth", variable = "x", to = "inf", exponent = 2.0', ["x**2.02", "x**2.1", "x**2.5", "x**4"]),
    ('kind = "growth", variable = "x", to = 0.0, at_most = 1.0', ["x**1.1", "x**1.5", "x**3"]),
    ('kind = "not_depends", variable = "x"', ["y + 0.001*x", "y + 0.01*x", "y + 0.1*x", "y + x"]),
    ('kind = "depends", variable = "x"', ["y + 0.0000001*x", "y + 0.00000001*x", "y"]),
]


@pytest.mark.parametrize(("text", "formulas"), GRADED)
def test_a_nearer_miss_has_a_smaller_amount(text, formulas):
    amounts = [rule(text).check(law(f)).amount for f in formulas]
    assert amounts[0] > 0
    assert all(a < b for a, b in pairwise(amounts)), amounts


@pytest.mark.parametrize(
    ("text", "other", "formula"),
    [
        ('kind = "bounds", min = 1.0', 'kind = "bounds", min = 1e6', "x - y"),
        ('kind = "sign", sign = "positive"', None, "x - y"),
        ('kind = "monotone", variable = "x", direction = "increasing"', None, "sin(3*x) + y"),
        ('kind = "convex", variable = "x"', None, "sin(3*x) + y"),
        ('kind = "convex", variables = ["x", "y"]', None, "sin(3*x)*y"),
        (
            'kind = "lipschitz", variable = "x", constant = 2.0',
            'kind = "lipschitz", variable = "x", constant = 2e9',
            "x**2*y",
        ),
        ('kind = "even", variable = "x"', None, "exp(x)"),
        (
            'kind = "periodic", variable = "x", period = 2.0',
            'kind = "periodic", variable = "x", period = 2e-3',
            "exp(x)",
        ),
        ('kind = "homogeneous", variables = ["x"], degree = 2.0', None, "x**2 + x"),
        ('kind = "translation_invariant", variables = ["x"]', None, "x**2 + y"),
        (
            'kind = "value", at = { x = 1.0 }, equals = 3.0, tolerance = 0.1',
            'kind = "value", at = { x = 1e-3 }, equals = 3e6, tolerance = 1e5',
            "x + y",
        ),
        (
            'kind = "value", at = { x = 1.0 }, equals = 0.0',
            'kind = "value", at = { x = 1e-3 }, equals = 0.0',
            "x - 0.9 + y",
        ),
        ('kind = "zeros", variable = "x", at = 1.0', 'kind = "zeros", variable = "x", at = 1e-3', "x - 0.9"),
        (
            'kind = "limit", variable = "x", to = "inf", equals = 1.0',
            'kind = "limit", variable = "x", to = "inf", equals = 1e6',
            "2 - 1/x",
        ),
        (
            'kind = "limit", variable = "x", to = 0.0, equals = 1.0',
            'kind = "limit", variable = "x", to = 0.0, equals = 1e6',
            "2 - x",
        ),
        ('kind = "growth", variable = "x", to = "inf", exponent = 1.0', None, "x**2 + x"),
        ('kind = "not_depends", variable = "x"', None, "x + 3*y"),
    ],
)
def test_amounts_do_not_depend_on_units(text, other, formula):
    here = rule(text).check(law(formula)).amount
    milli = {"x": parse("1000*x")}
    there = Law(parse(formula).substitute(milli) * 1e6, "f", ("x", "y", "z"), {**RANGES, "x": (0.5e-3, 2e-3)})
    assert here > 0
    assert rule(other or text).check(there).amount == pytest.approx(here, rel=1e-6)


def test_the_domain_can_be_narrowed_and_widened():
    increasing = 'kind = "monotone", variable = "x", direction = "increasing"'
    assert rule(increasing).check(law("(x - 1)**2")).level == REFUTED
    assert rule(f"{increasing}, where = {{ x = [1.0, 2.0] }}").check(law("(x - 1)**2"), proof=True).level == PROVED
    assert rule(increasing).check(law("sin(x/2)"), proof=True).level == PROVED
    assert rule(f'{increasing}, where = {{ x = [0.0, "inf"] }}').check(law("sin(x/2)")).level == REFUTED
    assert rule(f'{increasing}, where = {{ x = ["-inf", inf] }}').check(law("x**3 + y*x"), proof=True).level == PROVED


def test_a_side_says_from_where():
    assert (
        rule('kind = "limit", variable = "x", to = 1.0, equals = "inf", side = "above"').check(law("1/(x - 1)")).amount
        == 0
    )
    assert rule('kind = "limit", variable = "x", to = 1.0, equals = "inf"').check(law("1/(x - 1)")).level == REFUTED
    assert (
        rule('kind = "limit", variable = "x", to = 1.0, equals = "-inf", side = "below"').check(law("1/(x - 1)")).amount
        == 0
    )
