"""Every rule kind: what keeps it, what breaks it and how badly, what is proved, and how it is read and written."""

from __future__ import annotations

import importlib
import math
import pickle
import random
import textwrap
import tomllib
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.errors import KnowledgeError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule, built_in_kinds
from hypo.knowledge.rules.contradictions import constraints, contradictions, possible_contradictions
from hypo.knowledge.rules.parameters import (
    EXTENDED,
    FLAG,
    FORMULA,
    INTERVALS,
    NUMBER,
    NUMBERS,
    PAIR,
    POINT,
    POSITIVE,
    TEXT,
    VARIABLE,
    VARIABLES,
    WEIGHT,
    OneOf,
    parameter,
)
from hypo.knowledge.rules.registry import read_rule
from hypo.knowledge.rules.shape import _SLOPE
from tests.oracles.reference import evaluate, random_tree

RANGES = {"x": (0.5, 2.0), "y": (0.5, 3.0), "z": (-1.0, 1.0)}


def law(text, **ranges):
    return Law(parse(text), "f", ("x", "y", "z"), {**RANGES, **ranges})


def rule(text):
    """The rule in a line of TOML such as ``kind = "even", variable = "x"``."""
    problems = []
    found = read_rule(
        tomllib.loads(f"rule = {{ {text} }}")["rule"], lambda path, message: problems.append((path, message))
    )
    assert found is not None, problems
    return found


# rule, laws that keep it and are proved to, laws that keep it, laws that break it
CASES = {
    "bounds": (
        'kind = "bounds", min = 0.0, max = 4.0',
        ["x*y/2", "exp(-x)", "x + 2*z**2", "sqrt(x)"],
        ["4 - z**2"],
        ["x - 1", "x*y", "log(x)", "5 + z", "1/z"],
    ),
    "bounds, strict": (
        'kind = "bounds", min = 0.0, strict = true',
        ["x", "exp(z)", "1 + z/2"],
        ["x*y"],
        ["z", "z**2", "x - 1", "log(x)"],
    ),
    "sign": (
        'kind = "sign", sign = "positive"',
        ["x*y", "exp(z)", "x + 1/y", "2 + z"],
        [],
        ["z", "-x", "log(x)", "x - y"],
    ),
    "nonpositive": (
        'kind = "sign", sign = "nonpositive"',
        ["-x*y", "-z**2", "z - 1", "-exp(z)"],
        [],
        ["x", "z", "log(x)", "x*z"],
    ),
    "nonzero": (
        'kind = "sign", sign = "nonzero"',
        ["x*y", "-exp(z)", "x**2 + z**2", "-1/x"],
        ["1/(x - 1.2345)"],
        ["z", "x - 1.2345", "sin(3*y)", "x*y - 1", "log(x)"],
    ),
    "monotone": (
        'kind = "monotone", variable = "x", direction = "increasing"',
        ["x*y", "x**2 + sin(z)", "-1/x", "y*log(x)", "exp(x + z)"],
        ["max(x, y)", "7"],
        ["-x", "sin(2*x)", "z*x", "-1/(x - 1.2)", "x*(2 - x)", "sqrt(1 - x)", "-abs(x - 1)"],
    ),
    "decreasing": (
        'kind = "monotone", variable = "x", direction = "decreasing", strict = true',
        ["-x*y", "1/x", "exp(-x)", "y - x**3"],
        ["-(x - 1)**3"],
        ["x", "y", "cos(4*x)", "1/(x - 1.2)"],
    ),
    "convex": (
        'kind = "convex", variable = "x"',
        ["x**2*y", "exp(x)", "1/x", "x*log(x)", "3*x + y"],
        ["abs(x - 1)", "max(x, y)"],
        ["-x**2", "log(x)", "sin(3*x)", "-abs(x - 1.1)", "min(x, y)", "1/(x - 1)"],
    ),
    "convex in two": (
        'kind = "convex", variables = ["x", "y"]',
        ["x**2 + y**2", "exp(x + y)", "x**2/y", "(x - 2*y)**2 + x**2"],
        ["abs(x - y)", "max(x, y)"],
        ["x*y", "-x**2 + y", "x**2 - y**2", "sqrt(x*y)"],
    ),
    "convex in three": (
        'kind = "convex", variables = ["x", "y", "z"]',
        ["x**2 + y**2 + z**2", "x**2 + y**2 + z**2 + x*y/2 - y*z/2", "(x - y + z)**2 + x**2 + y**2 + z**2"],
        ["exp(x + y + z)", "abs(x - z)*1 + y"],
        ["x**2 + y**2 - z**2", "x*y*z", "x**2 + y**2 + z**2 - 1.2*(x*y + y*z + x*z)"],
    ),
    "concave in three": (
        'kind = "concave", variables = ["x", "y", "z"]',
        ["-(x**2) - y**2 - z**2 + x*y/2", "log(x) - y**2 - z**2"],
        ["-exp(x + y + z)"],
        ["log(x) - y**2 + z**2", "1.2*(x*y + y*z + x*z) - x**2 - y**2 - z**2"],
    ),
    "concave": (
        'kind = "concave", variables = ["x"]',
        ["log(x)", "-x**2", "sqrt(x)*y", "x"],
        ["min(x, y)"],
        ["x**2", "exp(x)", "cos(4*x)", "1/x"],
    ),
    "lipschitz": (
        'kind = "lipschitz", variable = "x", constant = 2.0',
        ["2*x", "sin(x)", "y - x**2/2", "log(x)"],
        ["abs(x - 1)"],
        ["3*x", "x**2", "x*y", "1/(x - 1.3)", "exp(x)"],
    ),
    "even": (
        'kind = "even", variable = "z"',
        ["z**2*x", "cos(z)", "abs(z)", "x", "(z**2 + 1)*y"],
        ["z*sin(z)", "z*tanh(z)"],
        ["z", "z**2 + 0.1*z", "exp(z)", "sqrt(z + 1)", "x*z"],
    ),
    "odd": (
        'kind = "odd", variable = "z"',
        ["z*x", "z**3", "z*y + z**3"],
        ["sin(z)", "tanh(x*z)", "z*abs(z)"],
        ["z**2", "z + 0.1", "exp(z)", "sqrt(z + 1)"],
    ),
    "periodic": (
        'kind = "periodic", variable = "x", period = 1.5',
        ["y", "z**2"],
        ["sin(x*4.1887902047863905)", "cos(x*8.377580409572781)**2*y"],
        ["x", "sin(4*x)", "x*sin(x*4.1887902047863905)", "sin(x)"],
    ),
    "symmetric": (
        'kind = "symmetric", swap = ["x", "y"]',
        ["x*y", "x + y", "(x + y)*z", "sqrt(x**2 + y**2)"],
        ["max(x, y)*z"],
        ["x", "x + 1.1*y", "x/y", "x**y"],
    ),
    "antisymmetric": (
        'kind = "antisymmetric", swap = ["x", "y"]',
        ["x - y", "x**2 - y**2"],
        ["log(x/y)", "z*(sin(x) - sin(y))"],
        ["x + y", "x - 1.1*y", "x*y", "x - y + 0.1"],
    ),
    "homogeneous": (
        'kind = "homogeneous", variables = ["x", "y"], degree = 2.0',
        ["x*y", "x**2"],
        ["x**2*z + y**2", "x*sqrt(x**2 + y**2)", "x**3/y", "x**2*sin(x/y)"],
        ["x", "x*y + 0.1", "x**2*y", "x**2.1", "x*z"],
    ),
    "scale_invariant": (
        'kind = "scale_invariant", variables = ["x", "y"]',
        ["z", "x/y"],
        ["z*sin(x/y)", "x*y/(x**2 + y**2)"],
        ["x", "x/(y + 0.1)", "x*y", "log(x)"],
    ),
    "translation_invariant": (
        'kind = "translation_invariant", variables = ["x", "y"]',
        ["x - y", "z"],
        ["exp(x - y)*z", "(x - y)**2"],
        ["x", "x - 1.1*y", "x + y", "x/y"],
    ),
    "conserved": (
        'kind = "conserved", quantity = "x + 2*y"',
        ["x + 2*y", "z", "(2*x + 4*y)*z"],
        ["exp(-(x + 2*y)/9)*z", "sin(x + 2*y)", "x**2 + 4*x*y + 4*y**2"],
        ["x", "x + y", "x + 2.001*y", "(x + 2*y)*x", "log(x - 1.2) + y"],
    ),
    "conserved product": (
        'kind = "conserved", quantity = "x*y/(1 + z**2)"',
        ["x*y/(1 + z**2)"],
        ["sqrt(x*y/(1 + z**2))"],
        ["x*y", "x*y/(1 + z)", "x/y"],
    ),
    "value": (
        'kind = "value", at = { x = 1.0 }, equals = 2.0',
        ["2*x", "x + 1", "2"],
        ["2*x**y", "x**y + x**z"],
        ["x", "2*x*y", "2.001*x", "log(x - 1)", "2 + z*x"],
    ),
    "value, to within": (
        'kind = "value", at = { x = 1.0, z = 0.0 }, equals = 2.0, tolerance = 0.1',
        ["2*x", "2.05*x + z", "1.95"],
        [],
        ["x", "2.2*x", "2*y", "1.8 + z"],
    ),
    "zeros": (
        'kind = "zeros", variable = "z", at = 0.0',
        ["z", "z*x*y", "z**2"],
        ["x*sin(z)", "1 - cos(z)"],
        ["x", "z + 0.01", "cos(z)", "1/z"],
    ),
    "zeros, only": (
        'kind = "zeros", variable = "z", at = [0.0, 0.5], only = true',
        ["z*(z - 0.5)", "z*(z - 0.5)*x*y"],
        ["exp(x)*z*(z - 0.5)"],
        ["z", "z*(z - 0.5)*(z + 0.6)", "z*(z - 0.5)*(x - 1.1)", "cos(z)"],
    ),
    "limit": (
        'kind = "limit", variable = "x", to = "inf", equals = 1.0',
        ["1 + exp(-x)*y", "tanh(x)", "1 + z/x"],
        ["x/(x + y)", "sqrt(x**2 + 2*x) - x", "1 + 1/log(1 + x)", "x*sin(1/x)", "1", "1 + sin(x)/x"],
        ["x", "2 - exp(-x)", "1.001 + 1/x", "sin(x)", "log(x)", "1 + 0.000000001*x", "sqrt(5 - x)"],
    ),
    "limit at 0": (
        'kind = "limit", variable = "x", to = 0.0, equals = 0.5',
        ["0.5 + x", "1/(2 + x*y)", "0.5*cos(x)"],
        ["(1 - cos(x))/x**2", "(exp(x) - 1 - x)/x**2", "sin(x)/(2*x)", "0.5*x**x"],
        ["x", "1/x", "log(x)", "0.51 + x", "0.5/x**0.01"],
    ),
    "limit, infinite": (
        'kind = "limit", variable = "x", to = 0.0, equals = "inf"',
        [],
        ["1/x", "-log(x)", "y/x**2", "x**(-0.1)"],
        ["-1/x", "x", "log(x)", "1/(x + 0.01)", "7"],
    ),
    "limit, far": (
        'kind = "limit", variable = "x", to = "inf", equals = "-inf"',
        [],
        ["-x", "-log(x)", "y - x**2", "-exp(x)", "x - x**2", "x - (x + sqrt(x))"],
        ["x", "-1/x", "atan(x)", "exp(x) - x", "-3"],
    ),
    "growth": (
        'kind = "growth", variable = "x", to = "inf", exponent = 2.0',
        ["x**2*y", "-x**2", "3*x**2"],
        ["x**2 + 100*x", "x**2*log(x)", "sqrt(1 + x**4)", "x**2*(2 + sin(x))"],
        ["x", "x**2.1", "exp(x)", "x**2 + 0.000001*x**3", "7"],
    ),
    "growth, bounded": (
        'kind = "growth", variable = "x", to = "inf", at_most = 1.0, at_least = 0.5',
        ["x", "sqrt(x)*y"],
        ["x**0.75 + 1", "x/log(x)", "x + 3"],
        ["x**2", "7", "x**0.4", "exp(x)", "log(x)"],
    ),
    "growth at 0": (
        'kind = "growth", variable = "x", to = 0.0, exponent = -1.0',
        ["1/x", "y/x"],
        ["1/(x + x**2)", "1/sin(x)", "y/x + 10"],
        ["x", "1/x**2", "1", "exp(1/x)"],
    ),
    "growth of small": (
        'kind = "growth", variable = "x", to = 0.0, exponent = 2.0',
        ["y*x**2"],
        ["1 - cos(x)", "exp(x) - 1 - x", "sin(x)**2"],
        ["x", "x**3", "1 - x", "x + x**2"],
    ),
    "depends": (
        'kind = "depends", variable = "x"',
        ["x", "x*y", "y + 0.1*x", "exp(x*z)"],
        [],
        ["y", "3", "y*z", "y + 0.00000001*x"],
    ),
    "not_depends": (
        'kind = "not_depends", variable = "x"',
        ["y", "3", "y*z", "sin(z)"],
        ["exp(log(y) + x - x)"],
        ["x", "y + 0.01*x", "x*z", "x**y"],
    ),
    "logic": (
        'kind = "logic", formula = "forall x in [0.5, 2]: f(x, y, z) > 0"',
        ["x", "x*y", "exp(z)", "x + y"],
        [],
        ["z", "-x", "log(x)", "x - y"],
    ),
}


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


def at(verdict, f):
    point = verdict.witness.at
    return float(evaluate(parse(f), {name: value for name, value in point.items() if "'" not in name}))


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


# --- reading and writing ----------------------------------------------------------------------------------------------

names = st.sampled_from(["x", "y", "z", "mass_1", "T"])
finite = st.floats(-1e6, 1e6)
ends = (
    st.tuples(st.floats(-1e6, 0), st.floats(1e-6, 1e6))
    | st.tuples(st.just(-math.inf), finite)
    | st.just((0.0, math.inf))
)
SORTS = {
    id(NUMBER): finite,
    id(EXTENDED): finite | st.sampled_from([math.inf, -math.inf]),
    id(POSITIVE): st.floats(1e-6, 1e6),
    id(WEIGHT): st.floats(0, 1e6),
    id(_SLOPE): st.floats(0, 1e150),
    id(FLAG): st.booleans(),
    id(VARIABLE): names,
    id(VARIABLES): st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
    id(PAIR): st.lists(names, min_size=2, max_size=2, unique=True).map(tuple),
    id(FORMULA): st.sampled_from(["x + y", "x*y/z", "2*x - 3.5*y**2"]).map(parse),
    id(NUMBERS): st.lists(finite, min_size=1, max_size=3).map(tuple),
    id(POINT): st.dictionaries(names, finite, min_size=1, max_size=2),
    id(INTERVALS): st.dictionaries(names, ends, max_size=2),
    id(TEXT): st.sampled_from(["f > 0", "forall x in [0, 1]: f >= 0"]),
}


@st.composite
def rules(draw):
    cls = draw(st.sampled_from(sorted(built_in_kinds().values(), key=lambda c: c.kind)))
    values = {}
    for field in fields(cls):
        name, sort = field.name, field.metadata["sort"]
        values[name] = draw(st.sampled_from(sort.options) if isinstance(sort, OneOf) else SORTS[id(sort)])
        if (field.default is None and draw(st.booleans())) or (name == "tolerance" and not cls.tolerant):
            values[name] = None
    try:
        return cls(**values)
    except KnowledgeError:
        # Keys that do not go together.
        return cls(
            **{
                "bounds": {"min": 0.0},
                "convex": {"variable": "x"},
                "concave": {"variable": "x"},
                "growth": {"variable": "x", "to": 0.0, "exponent": 1.0},
                "limit": {"variable": "x", "to": 0.0, "equals": 1.0},
                "value": {"at": {"x": 0.0}, "equals": 0.0},
            }[cls.kind]
        )


@settings(max_examples=300, deadline=None)
@given(rules())
def test_a_rule_reads_back_as_itself(found):
    problems = []
    table = found.as_dict()
    again = read_rule(table, lambda path, message: problems.append((path, message)))
    assert problems == []
    assert again == found
    assert hash(again) == hash(found)
    assert again.as_dict() == table
    assert str(again) == str(found)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301
    assert found.names() <= {"x", "y", "z", "mass_1", "T"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["x", "inf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
KEYS = [
    "kind",
    "min",
    "max",
    "variable",
    "variables",
    "direction",
    "where",
    "weight",
    "hard",
    "at",
    "equals",
    "to",
    "swap",
    "degree",
    "formula",
    "period",
    "exponent",
    "label",
    "tolerance",
    "side",
    "only",
    "strict",
    "constant",
    "sign",
    "nonsense",
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(built_in_kinds())), st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
def test_nothing_but_problems_comes_of_a_wrong_table(kind, table):
    problems = []
    found = read_rule({"kind": kind, **table}, lambda path, message: problems.append((path, message)))
    assert (found is None) == bool(problems)
    for path, message in problems:
        assert isinstance(path, tuple)
        assert message


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {"kind": "monotone", "variabel": "x", "direction": "up", "weight": -1, "where": {"x": [1, 0], "y": 3}},
            [
                (("variabel",), 'unknown key "variabel" of the kind monotone; did you mean variable?'),
                ((), 'the kind monotone needs the variable; write variable = "x"'),
                (("direction",), 'got "up"; expected increasing or decreasing'),
                (("weight",), "expected a number from 0 to 1e+06, got -1"),
                (("where", "x"), "the range ends at 0, below its start 1; swap them"),
                (("where", "y"), "expected a range such as [0.0, 1.0], got 3"),
            ],
        ),
        ({"kind": "bounds"}, [((), "the kind bounds needs min or max; write min = 0.0")]),
        ({"kind": "bounds", "min": 2, "max": 1}, [(("max",), "1 is below min = 2; swap them")]),
        ({"kind": "bounds", "min": math.nan}, [(("min",), "expected a finite number, got nan")]),
        ({"kind": "bounds", "min": 10**400}, [(("min",), "expected a finite number, got a huge number")]),
        (
            {"kind": "bounds", "min": 0, "tolerance": 0.1},
            [(("tolerance",), "the kind bounds has no use for a tolerance; remove it")],
        ),
        ({"kind": "convex"}, [((), 'the kind convex needs the variable or the variables; write variable = "x"')]),
        ({"kind": "symmetric", "swap": ["x", "x"]}, [(("swap",), "x stands here twice; name different variables")]),
        ({"kind": "symmetric", "swap": ["x"]}, [(("swap",), "expected two variables, got 1")]),
        ({"kind": "conserved"}, [((), 'the kind conserved needs the quantity; write quantity = "x + y"')]),
        (
            {"kind": "conserved", "quantity": "2*x"},
            [(("quantity",), 'expected a formula of two variables or more such as "x + y", got "2*x"')],
        ),
        (
            {"kind": "conserved", "quantity": "x +"},
            [
                (
                    ("quantity",),
                    "cannot read the formula at column 4: expected a number, a name or '(' but the formula ends",
                )
            ],
        ),
        ({"kind": "even", "variable": "sin"}, [(("variable",), '"sin" is an operator, not a free name')]),
        ({"kind": "periodic", "variable": "x", "period": 0}, [(("period",), "expected a number above 0, got 0")]),
        (
            {"kind": "limit", "variable": "x", "to": "infinity", "equals": 0},
            [(("to",), 'expected a number, "inf" or "-inf", got "infinity"')],
        ),
        (
            {"kind": "limit", "variable": "x", "to": "inf", "side": "above", "equals": 0},
            [(("side",), "infinity has one side only; remove it")],
        ),
        (
            {"kind": "growth", "variable": "x", "to": 0, "at_least": 2, "at_most": 1},
            [(("at_least",), "2 is above at_most = 1; swap them")],
        ),
        (
            {"kind": "value", "at": {"x": "0"}, "equals": True},
            [(("at", "x"), 'expected a number, got "0"'), (("equals",), "expected a number, got true")],
        ),
        (
            {"kind": "value", "at": {"x": 0.0}, "equals": 1.0, "where": {"x": [0, 1]}},
            [(("where",), "x stands in at too, where it has one value; remove it here")],
        ),
        ({"kind": "monotne"}, [(("kind",), 'unknown kind "monotne"; did you mean monotone?')]),
        ({"variable": "x"}, [((), 'the rule has no kind; write kind = "bounds", for instance')]),
        ({"kind": 3}, [(("kind",), "expected the kind of the rule in quotes, got 3")]),
        ("bounds", [((), 'expected a table with the kind of the rule, got "bounds"; write kind = "bounds"')]),
    ],
)
def test_messages(table, expected):
    problems = []
    assert read_rule(table, lambda path, message: problems.append((path, message))) is None
    assert problems == expected


def test_a_wrong_formula_says_where():
    problems = []
    read_rule(
        {"kind": "logic", "formula": "forall x in [0, 1: f > 0"}, lambda path, message: problems.append((path, message))
    )
    assert [path for path, _ in problems] == [("formula",)]
    assert "column" in problems[0][1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'kind = "monotone", variable = "L", direction = "increasing", where = { L = [0.1, 10] }',
            "f is increasing in L on 0.1 <= L <= 10",
        ),
        ('kind = "monotone", variable = "L", direction = "decreasing", strict = true', "f is strictly decreasing in L"),
        ('kind = "bounds", min = 0', "0 <= f"),
        ('kind = "bounds", min = 0.5, max = 1e7, strict = true, where = { x = [0, inf] }', "0.5 < f < 1e+07 on x >= 0"),
        ('kind = "sign", sign = "nonnegative"', "f >= 0"),
        ('kind = "convex", variables = ["x", "y"]', "f is convex in x and y"),
        ('kind = "lipschitz", variable = "x", constant = 2', "f changes by at most 2 per unit of x"),
        ('kind = "even", variable = "x"', "f is even in x"),
        ('kind = "periodic", variable = "x", period = 360', "f repeats every 360 of x"),
        ('kind = "symmetric", swap = ["m1", "m2"]', "f is symmetric under the swap of m1 and m2"),
        ('kind = "homogeneous", variables = ["x"], degree = 0.5', "f is homogeneous of degree 0.5 in x"),
        ('kind = "conserved", quantity = "x + y"', "f depends on x and y only through x + y"),
        ('kind = "scale_invariant", variables = ["x", "y"]', "f does not change when x and y are scaled alike"),
        (
            'kind = "value", at = { theta = 0, L = 1 }, equals = 2.006, tolerance = 0.01',
            "f = 2.006 ± 0.01 at theta = 0 and L = 1",
        ),
        ('kind = "zeros", variable = "x", at = [0, 1], only = true', "f is zero at x = 0 and 1 only"),
        ('kind = "limit", variable = "x", to = "inf", equals = "-inf"', "f goes to -infinity as x goes to infinity"),
        ('kind = "limit", variable = "x", to = 0, side = "above", equals = 1', "f goes to 1 as x goes to 0 from above"),
        (
            'kind = "growth", variable = "x", to = "inf", exponent = 2',
            "f grows like x^(2 ± 0.01) as x goes to infinity",
        ),
        (
            'kind = "growth", variable = "x", to = 1, at_least = -1',
            "f grows at least like (x - 1)^(-1 - 0.01) as x goes to 1",
        ),
        ('kind = "depends", variable = "x"', "f depends on x"),
    ],
)
def test_words(text, expected):
    assert str(rule(text)) == expected
    assert rule(text).describe("T").startswith(expected.replace("f", "T", 1)[:5])


def test_names_are_checked_against_the_table():
    found = rule('kind = "value", at = { Lenght = 1, T = 2, c = 3 }, equals = 0, where = { g = [0, 1] }')
    assert found.names() == {"Lenght", "T", "c", "g"}
    assert list(found.misfits(["Length", "g"], "T", {"c": 3e8})) == [
        'unknown variable "Lenght"; did you mean Length?',
        "T is the target; a rule is about the variables",
        "c is a constant; a rule is about the variables",
    ]
    assert any(
        "Lenght" in m for m in rule('kind = "logic", formula = "Lenght > 0 implies f > 0"').misfits(["Length"], "f", {})
    )


# --- rounding ---------------------------------------------------------------------------------------------------------


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


# --- kinds of one's own -----------------------------------------------------------------------------------------------


class Saturates(Rule):
    """``|∂f/∂x| <= slope`` at the end of the range."""

    kind = "saturates"
    variable: str = parameter(VARIABLE, words="the variable")
    slope: float = parameter(POSITIVE, default=1e-3)

    def claims(self, law):
        end = self.domain(law).ranges[self.variable][1]
        claim = Comparison(law.derivative(self.variable), "<=", Expression.constant(self.slope))
        return [(claim, self.domain(law, {self.variable: (end, end)}))]


def test_a_kind_of_ones_own():
    own = Saturates(variable="x", slope=0.1)
    assert own.check(law("tanh(3*x)"), proof=True).level == PROVED
    assert own.check(law("x")).level == REFUTED
    assert str(own) == "f saturates with variable = x and slope = 0.1"
    assert own.as_dict() == {"kind": "saturates", "variable": "x", "slope": 0.1}
    assert Saturates.read(own.as_dict(), pytest.fail) == own
    with pytest.raises(KnowledgeError, match=r"rule saturates slope: expected a number above 0, got -1") as caught:
        Saturates(variable=3, slope=-1)
    assert len(caught.value.problems) == 2
    with pytest.raises(AttributeError):
        own.weight = 3.0


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    text = Rule.__doc__.split("::\n", 1)[1].split("    It may define", 1)[0]
    (tmp_path / "example_of_a_kind.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("example_of_a_kind").Saturates(variable="x", slope=0.5)
    assert str(own) == "f saturates with variable = x and slope = 0.5"
    assert own.check(law("sqrt(x + 1)"), proof=True).level == PROVED
    assert own.check(law("x")).level == REFUTED


def _raises(self, law):
    raise ZeroDivisionError("no\nslope")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"claims": _raises}, "failed in claims: ZeroDivisionError: no slope"),
        ({"check": lambda self, law, **how: 1 / 0}, "failed in check: ZeroDivisionError: division by zero"),
        ({"check": lambda self, law, **how: None}, "must return a Verdict, got a NoneType, from check"),
        ({"claims": lambda self, law: 5}, "must return a list of pairs (claim, domain), got 5, from claims"),
        ({"claims": lambda self, law: [5]}, "must return a list of pairs (claim, domain), got one with 5, from claims"),
        (
            {"claims": lambda self, law: []},
            "must return at least one pair (claim, domain), got an empty list, from claims",
        ),
    ],
)
def test_a_kind_that_fails(body, message):
    for f in body.values():
        f.__name__ = next(iter(body))
    own = type("Faulty", (Rule,), {"kind": "faulty", "__annotations__": {}, "__module__": "mine", **body})()
    with pytest.raises(KnowledgeError) as caught:
        own.check(law("x"))
    assert str(caught.value) == f"the rule kind faulty (mine.Faulty) {message}"


def test_a_kind_needs_a_name_of_its_own():
    body = {"__annotations__": {}, "__module__": "mine", "claims": lambda self, law: []}
    with pytest.raises(KnowledgeError, match=r'^the rule class mine.Nameless has no kind; write kind = "its_name"'):
        type("Nameless", (Rule,), body)()
    with pytest.raises(
        KnowledgeError, match=r"^the rule class mine.Bounds has the kind bounds, which is built in; choose"
    ):
        type("Bounds", (Rule,), {"kind": "bounds", **body})()


def test_numbers_have_limits():
    with pytest.raises(KnowledgeError, match=r"rule bounds weight: expected a number from 0 to 1e\+06, got 1e\+300"):
        rule_class("bounds")(min=0.0, weight=1e300)
    with pytest.raises(
        KnowledgeError, match=r"rule lipschitz constant: expected a number from 0 to 1e\+150, got 1e\+308"
    ):
        rule_class("lipschitz")(variable="x", constant=1e308)


def rule_class(kind):
    return built_in_kinds()[kind]


def test_a_kind_must_say_something():
    with pytest.raises(TypeError, match="must define claims or check"):

        class Silent(Rule):
            kind = "silent"


# --- contradictions ---------------------------------------------------------------------------------------------------


# Where the domain of x is unknown, a rule without ``where`` may say nothing of a point.
CONTRADICTIONS = [
    ('kind = "bounds", min = 2', 'kind = "bounds", max = 1', {}, "no number is both >= 2 and <= 1"),
    (
        'kind = "bounds", min = 0',
        'kind = "value", at = { x = 1 }, equals = -1',
        RANGES,
        "no number is both >= 0 and -1 at x = 1",
    ),
    ('kind = "even", variable = "x"', 'kind = "odd", variable = "x"', {}, "only f = 0 is both even and odd in x"),
    (
        'kind = "monotone", variable = "x", direction = "increasing"',
        'kind = "monotone", variable = "x", direction = "decreasing", strict = true',
        {},
        "a law cannot fall strictly with x too",
    ),
    (
        'kind = "symmetric", swap = ["x", "y"]',
        'kind = "antisymmetric", swap = ["y", "x"]',
        {},
        "only f = 0 is both symmetric and antisymmetric in x and y",
    ),
    (
        'kind = "limit", variable = "x", to = "inf", equals = 3',
        'kind = "bounds", max = 1, where = { x = [0, inf] }',
        {},
        "no number is both 3 and <= 1 at x = inf",
    ),
    (
        'kind = "limit", variable = "x", to = 0, equals = 3',
        'kind = "value", at = { x = 0 }, equals = 2',
        {},
        "no number is both 3 and 2 at x = 0",
    ),
    (
        'kind = "limit", variable = "x", to = 1, equals = 3',
        'kind = "bounds", max = 1, where = { x = [0, 2] }',
        {},
        "no number is both 3 and <= 1 at x = 1",
    ),
    (
        'kind = "limit", variable = "x", to = 0, equals = 3',
        'kind = "bounds", max = 1',
        {"x": (0, 1)},
        "no number is both 3 and <= 1 at x = 0",
    ),
    (
        'kind = "limit", variable = "x", to = "inf", equals = 3',
        'kind = "growth", variable = "x", to = "inf", exponent = 1',
        {},
        "by its rate |f| goes to infinity, not to 3",
    ),
    (
        'kind = "limit", variable = "x", to = 0, equals = 3',
        'kind = "growth", variable = "x", to = 0, exponent = 1',
        {},
        "by its rate f goes to 0, not to 3",
    ),
    (
        'kind = "growth", variable = "x", to = "inf", exponent = 2',
        'kind = "growth", variable = "x", to = "inf", at_most = 1',
        {},
        "the exponents exclude each other",
    ),
    (
        'kind = "value", at = { x = 1 }, equals = 2',
        'kind = "value", at = { x = 1 }, equals = 3',
        {},
        "no number is both 2 and 3 at x = 1",
    ),
    (
        'kind = "value", at = { x = 1 }, equals = 2',
        'kind = "value", at = { y = 1 }, equals = 3',
        RANGES,
        "no number is both 2 and 3 at x = 1 and y = 1",
    ),
    (
        'kind = "homogeneous", variables = ["x", "y"], degree = 1',
        'kind = "homogeneous", variables = ["y", "x"], degree = 2',
        {},
        "only f = 0 has the degrees 1 and 2 at once",
    ),
    (
        'kind = "homogeneous", variables = ["x"], degree = 1',
        'kind = "scale_invariant", variables = ["x"]',
        {},
        "only f = 0 has the degrees 1 and 0 at once",
    ),
    ('kind = "sign", sign = "positive"', 'kind = "sign", sign = "nonpositive"', {}, "no number is both > 0 and <= 0"),
    (
        'kind = "sign", sign = "positive"',
        'kind = "zeros", variable = "x", at = 1',
        RANGES,
        "no number is both > 0 and 0 at x = 1",
    ),
    (
        'kind = "periodic", variable = "x", period = 1',
        'kind = "monotone", variable = "x", direction = "increasing", strict = true',
        RANGES,
        "a law cannot rise strictly with x too",
    ),
    (
        'kind = "even", variable = "x"',
        'kind = "monotone", variable = "x", direction = "increasing", strict = true',
        {"x": (-1, 5)},
        "a law cannot rise strictly with x too",
    ),
    (
        'kind = "not_depends", variable = "x"',
        'kind = "monotone", variable = "x", direction = "increasing", strict = true',
        {},
        "a law cannot rise strictly with x too",
    ),
    ('kind = "depends", variable = "x"', 'kind = "not_depends", variable = "x"', {}, "x either matters or not"),
    (
        'kind = "odd", variable = "x"',
        'kind = "sign", sign = "positive", where = { x = [-1, 1] }',
        {"x": (0, 1)},
        "is 0 at x = 0",
    ),
    (
        'kind = "antisymmetric", swap = ["x", "y"]',
        'kind = "bounds", min = 1',
        RANGES,
        "an antisymmetric law is 0 where x = y",
    ),
]
DATA = {"x": (0.13, 5.0), "y": (0.5, 3.0)}
COMPATIBLE = [
    ('kind = "bounds", min = 0, where = { x = [0, 1] }', 'kind = "value", at = { x = 2 }, equals = -1', {}),
    ('kind = "bounds", min = 0', 'kind = "value", at = { x = 20 }, equals = -1', RANGES),
    ('kind = "bounds", min = 0, where = { x = [0, 1] }', 'kind = "bounds", max = -1, where = { x = [2, 3] }', {}),
    ('kind = "even", variable = "x"', 'kind = "odd", variable = "y"', {}),
    (
        'kind = "monotone", variable = "x", direction = "increasing", where = { x = [0, 1] }',
        'kind = "monotone", variable = "x", direction = "decreasing", where = { x = [1, 2] }',
        {},
    ),
    ('kind = "sign", sign = "positive"', 'kind = "limit", variable = "x", to = "inf", equals = 0', {}),
    ('kind = "bounds", max = 1', 'kind = "limit", variable = "x", to = "inf", equals = 3', RANGES),
    (
        'kind = "limit", variable = "x", to = "inf", equals = 0',
        'kind = "growth", variable = "x", to = "inf", exponent = -2',
        {},
    ),
    (
        'kind = "limit", variable = "x", to = 0, equals = "inf"',
        'kind = "growth", variable = "x", to = 0, exponent = -1',
        {},
    ),
    (
        'kind = "periodic", variable = "x", period = 10',
        'kind = "monotone", variable = "x", direction = "increasing"',
        RANGES,
    ),
    ('kind = "homogeneous", variables = ["x"], degree = 1', 'kind = "homogeneous", variables = ["y"], degree = 2', {}),
    ('kind = "odd", variable = "x"', 'kind = "sign", sign = "positive"', RANGES),
    (
        'kind = "limit", variable = "x", to = 0, side = "above", equals = "inf"',
        'kind = "limit", variable = "x", to = 0, side = "below", equals = "-inf"',
        {},
    ),
    # Kept by x, x², (1 - x)/(1 + x), …, on the data.
    ('kind = "sign", sign = "positive"', 'kind = "value", at = { x = 0 }, equals = 0', DATA),
    (
        'kind = "monotone", variable = "x", direction = "increasing", strict = true',
        'kind = "even", variable = "x"',
        DATA,
    ),
    ('kind = "sign", sign = "positive"', 'kind = "limit", variable = "x", to = "inf", equals = -1', {"x": (0.1, 0.9)}),
    ('kind = "value", at = { x = 1 }, equals = 2', 'kind = "value", at = { y = 10 }, equals = 3', DATA),
    ('kind = "odd", variable = "x"', 'kind = "sign", sign = "nonzero"', {"x": (-1, 1)}),
    ('kind = "zeros", variable = "x", at = 1', 'kind = "bounds", max = 1, strict = true', RANGES),
    ('kind = "antisymmetric", swap = ["x", "y"]', 'kind = "bounds", min = 1', {"x": (2, 3), "y": (0, 1)}),
    (
        'kind = "limit", variable = "x", to = 1, equals = 3, where = { x = [1, 2] }',
        'kind = "bounds", max = 1, where = { x = [0, 1] }',
        {},
    ),
    (
        'kind = "limit", variable = "x", to = "inf", equals = 3',
        'kind = "limit", variable = "y", to = "inf", equals = 2',
        {},
    ),
    (
        'kind = "homogeneous", variables = ["x"], degree = 1',
        'kind = "homogeneous", variables = ["x"], degree = 1.000001',
        {},
    ),
    (
        'kind = "monotone", variable = "x", direction = "increasing"',
        'kind = "monotone", variable = "x", direction = "decreasing"',
        {},
    ),
    ('kind = "convex", variable = "x"', 'kind = "concave", variables = ["x", "y"]', {}),
]
# Pairs that some laws keep, of which more may be known than is said.
NARROW = [
    (
        'kind = "monotone", variable = "x", direction = "increasing"',
        'kind = "monotone", variable = "x", direction = "decreasing"',
        {},
        "only a law that does not change with x keeps both",
    ),
    (
        'kind = "even", variable = "x"',
        'kind = "monotone", variable = "x", direction = "increasing"',
        {"x": (-1, 5)},
        "only a law that does not change with x keeps both",
    ),
    (
        'kind = "convex", variable = "x"',
        'kind = "concave", variables = ["x", "y"]',
        {},
        "only a law that is linear in x keeps both",
    ),
]


@pytest.mark.parametrize(("first", "second", "ranges", "why"), CONTRADICTIONS)
def test_contradictions(first, second, ranges, why):
    for pair in ([rule(first), rule(second)], [rule(second), rule(first)]):
        ((i, j, found),) = contradictions(pair, ranges)
        assert (i, j) == (0, 1)
    assert why in next(contradictions([rule(first), rule(second)], ranges))[2] or why in found


@pytest.mark.parametrize(("first", "second", "ranges"), COMPATIBLE)
def test_no_contradiction(first, second, ranges):
    for known in (ranges, {}):
        assert list(contradictions([rule(first), rule(second)], known)) == []


@pytest.mark.parametrize(("first", "second", "ranges", "why"), NARROW)
def test_pairs_that_leave_little(first, second, ranges, why):
    assert list(contradictions([rule(first), rule(second)], ranges)) == []
    for pair in ([rule(first), rule(second)], [rule(second), rule(first)]):
        ((_, _, found),) = constraints(pair, ranges)
        assert found.endswith(why)


def test_what_depends_on_the_data_is_possible():
    pair = [rule('kind = "sign", sign = "positive"'), rule('kind = "value", at = { x = 0 }, equals = 0')]
    assert list(contradictions(pair)) == []
    ((_, _, why),) = possible_contradictions(pair, target="v")
    assert why == '"v > 0" and "v = 0 at x = 0" do not go together: no number is both > 0 and 0 at x = 0'
    assert list(possible_contradictions(pair, {"x": (1.0, 2.0)})) == []
    certain = [rule('kind = "bounds", min = 2'), rule('kind = "bounds", max = 1')]
    assert list(possible_contradictions(certain)) == []


def test_laws_without_the_variable():
    """A rule about x, a law without it: nothing fails, constants included."""
    for text, *_ in CASES.values():
        for formula in ("3", "y", "z*y"):
            for proof in (False, True):
                assert 0 <= rule(text).check(law(formula), points=64, proof=proof).amount <= 1


def test_rounding_does_not_refute():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.uniform(-3, 3, 2)
        f = f"({a:.3f})*(x + y)**2 + ({b:.3f})*sin(x*y)/(x + y)"
        assert rule('kind = "symmetric", swap = ["x", "y"]').check(law(f)).amount == 0
        g = f"z*cos(({a:.3f})*z) + ({b:.3f})*z**3"
        assert rule('kind = "odd", variable = "z"').check(law(g)).amount == 0


def grid_of(n):
    axes = np.meshgrid(*(np.linspace(*RANGES[name], n) for name in "xyz"), indexing="ij")
    return [dict(zip("xyz", map(float, point), strict=True)) for point in np.stack(axes, axis=-1).reshape(-1, 3)]


# For each rule whether numbers at a point show that it is broken, by plain evaluation; NaN breaks every rule.
def plainly_broken(f):
    h = 0.01

    def at(p, **change):
        try:
            found = evaluate(f, {**p, **change})
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan
        return found if isinstance(found, float) else math.nan

    return {
        'kind = "bounds", min = 0.0': lambda p: not at(p) >= -1e-9,
        'kind = "sign", sign = "negative"': lambda p: not at(p) < 1e-9,
        'kind = "sign", sign = "nonzero"': lambda p: math.isnan(at(p)) or at(p) == 0,
        'kind = "monotone", variable = "x", direction = "increasing"': lambda p: (
            p["x"] > 0.5 + h and not at(p) >= at(p, x=p["x"] - h) - 1e-9 * (1 + abs(at(p)))
        ),
        'kind = "convex", variable = "z"': lambda p: (
            abs(p["z"]) < 1 - h and not 2 * at(p) <= at(p, z=p["z"] - h) + at(p, z=p["z"] + h) + 1e-9 * (1 + abs(at(p)))
        ),
        'kind = "lipschitz", variable = "x", constant = 1.5': lambda p: (
            p["x"] > 0.5 + h and not abs(at(p) - at(p, x=p["x"] - h)) <= 1.5 * h + 1e-9 * (1 + abs(at(p)))
        ),
        'kind = "even", variable = "z"': lambda p: (
            not math.isclose(at(p), at(p, z=-p["z"]), rel_tol=1e-3, abs_tol=1e-3)
        ),
        'kind = "symmetric", swap = ["x", "y"]': lambda p: (
            not math.isclose(at(p), at(p, x=p["y"], y=p["x"]), rel_tol=1e-3, abs_tol=1e-3)
        ),
        'kind = "not_depends", variable = "x"': lambda p: (
            not math.isclose(at(p), at(p, x=1.7), rel_tol=1e-3, abs_tol=1e-3)
        ),
    }


def test_what_is_proved_holds_on_a_grid():
    """Random laws: no proof against plain evaluation on a grid."""
    rng = random.Random(5)
    leaves = [*map(Expression.variable, "xyzx"), *map(Expression.constant, (1.0, 2.0, 0.5, -3.7))]
    grid = grid_of(6)
    proved = 0
    for _ in range(60):
        f = random_tree(rng, rng.randint(2, 7), leaves, Expression.apply)
        for text, broken in plainly_broken(f).items():
            verdict = rule(text).check(Law(f, "f", tuple("xyz"), RANGES), points=128, proof=True)
            if verdict.level == PROVED:
                proved += 1
                assert not any(broken(p) for p in grid), (str(f), text)
    assert proved > 100


@pytest.mark.parametrize(
    "ranges",
    [
        {"x": (1.0, 1.0), "y": (2.0, 2.0), "z": (0.0, 0.0)},
        {"x": (-math.inf, math.inf), "y": (0.0, math.inf), "z": (-math.inf, 0.0)},
        {"x": (1e-300, 1e300), "y": (1e200, 1e308), "z": (-1e308, 1e308)},
        {"x": (0.0, 0.0), "y": (1e-320, 1e-310), "z": (-5e-324, 5e-324)},
        {"x": (1e10, 1e10 + 1e-3), "y": (-3.0, -2.0), "z": (0.0, 1e-12)},
    ],
)
def test_ranges_of_any_size(ranges):
    for text, *_ in CASES.values():
        for formula in ("x*y + z", "log(z)", "1/(x - x)", "x**y"):
            assert 0 <= rule(text).check(law(formula, **ranges), points=32).amount <= 1
