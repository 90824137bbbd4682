"""Rules that no law keeps together, and pairs of which nothing of the kind may be said."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import PROVED
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.contradictions import constraints, contradictions, possible_contradictions
from tests.knowledge.rules.cases import CASES, RANGES, law, rule
from tests.oracles.reference import evaluate, random_tree

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
