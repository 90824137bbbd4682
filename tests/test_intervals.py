"""Enclosures of formulas: sound always, tight where they can be, honest about the domain."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from reference import evaluate, random_tree

from hypo.expression import Expression
from hypo.expression.intervals import FUNCTIONS, Enclosure, enclose
from hypo.expression.parser import parse

INF = math.inf


@pytest.mark.parametrize(("text", "lo", "hi", "defined"), [
    ("x + y", 1, 6, True),
    ("x - y", -4, 1, True),
    ("x*y", 0, 8, True),
    ("x/y", 0, 2, True),
    ("y/x", 0.5, INF, False),
    ("1/x", 0.5, INF, False),
    ("1/(x - 1)", -INF, INF, False),
    ("x**2", 0, 4, True),
    ("(x - 1)**2", 0, 1, True),
    ("(x - 1)**3", -1, 1, True),
    ("(x - 1)**4", 0, 1, True),
    ("(x - 1)**-2", 1, INF, False),
    ("sqrt(x - 1)", 0, 1, False),
    ("sqrt(x)", 0, math.sqrt(2), True),
    ("log(x)", -INF, math.log(2), False),
    ("log(y)", 0, math.log(4), True),
    ("exp(x)", 1, math.exp(2), True),
    ("sin(x)", 0, 1, True),
    ("cos(x)", math.cos(2), 1, True),
    ("sin(10*x)", -1, 1, True),
    ("tan(x/2)", 0, math.tan(1), True),
    ("tan(x)", -INF, INF, False),
    ("asin(x)", 0, math.pi / 2, False),
    ("abs(x - 1)", 0, 1, True),
    ("min(x, y)", 0, 2, True),
    ("max(x, y)", 1, 4, True),
    ("y**x", 1, 16, True),
    ("x**y", 0, 16, True),
    ("y**0.5", 1, 2, True),
    ("y**(-1)", 0.25, 1, True),
    ("cosh(x - 1)", 1, math.cosh(1), True),
    ("2*pi*sqrt(y)", 2 * math.pi, 4 * math.pi, True),
])
def test_known_enclosures(text: str, lo: float, hi: float, defined: bool) -> None:
    found = enclose(parse(text), {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    assert found.lo <= lo
    assert found.hi >= hi
    assert math.isclose(found.lo, lo, rel_tol=1e-13, abs_tol=1e-13)
    assert math.isclose(found.hi, hi, rel_tol=1e-13, abs_tol=1e-13)
    assert bool(found.defined) == defined


@pytest.mark.parametrize("text", ["sqrt(-y)", "log(-y)", "1/(0*x)", "asin(y + 1)", "acos(-2 - x)", "(-y)**0.5", "log(0)"])
def test_outside_the_domain_there_is_nothing(text: str) -> None:
    found = enclose(parse(text), {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    assert math.isnan(found.lo)
    assert math.isnan(found.hi)
    assert not found.defined
    whole = enclose(parse(f"exp({text}) + x"), {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    assert math.isnan(whole.lo)
    assert not whole.defined


def test_unbounded_boxes() -> None:
    found = enclose(parse("exp(-x) + 1/(1 + x)"), {"x": (0.0, INF)})
    assert found.lo == 0
    assert 2 <= found.hi < 2 + 1e-14
    assert found.defined
    assert enclose(parse("x*y"), {"x": (0.0, 0.0), "y": (-INF, INF)})[:2] == (0, 0)
    assert enclose(parse("sin(x)"), {"x": (-INF, INF)})[:2] == (-1, 1)


@pytest.mark.parametrize(("text", "lo"), [
    ("x*y + x**2", 0), ("x/y", 0), ("sqrt(x)*sin(x)", 0), ("exp(x) - 1", 0), ("y - 1", 0), ("x**3 + cbrt(x) + tanh(x)", 0),
    ("log(y)*x", 0), ("cosh(x) - 1", 0), ("abs(x - 1)", 0), ("exp(-x)", 0), ("1 + x", 1),
])
def test_exact_lower_bounds_are_not_lost_to_rounding(text: str, lo: float) -> None:
    assert enclose(parse(text), {"x": (0.0, 2.0), "y": (1.0, 4.0)}).lo >= lo


def test_many_boxes_at_once() -> None:
    lo = np.array([0.0, 1.0, -2.0, 3.0])
    hi = lo + 1
    e = parse("sqrt(x)*exp(-x) + x**3 - 1/x")
    together = enclose(e, {"x": (lo, hi)})
    assert together.lo.shape == together.defined.shape == (4,)
    for i in range(4):
        alone = enclose(e, {"x": (lo[i], hi[i])})
        np.testing.assert_array_equal([together.lo[i], together.hi[i], together.defined[i]], list(alone))


def test_plain_numbers_will_do() -> None:
    found = FUNCTIONS["div"]((1, 2), (0, 4))
    assert isinstance(found, Enclosure)
    assert (found.lo <= 0.25, found.hi, bool(found.defined)) == (True, INF, False)


def test_missing_box() -> None:
    with pytest.raises(KeyError, match="y"):
        enclose(parse("x + y"), {"x": (0, 1)})


def test_no_value_lies_outside() -> None:
    rng = random.Random(4)
    leaves = [*map(Expression.variable, "xyxy"), *map(Expression.constant, (2, 0.7, -1.3, 3, 0))]
    inside = 0
    for _ in range(4000):
        e = random_tree(rng, rng.randint(2, 10), leaves, Expression.apply)
        boxes = {}
        for name in "xy":
            a, b = (rng.choice([rng.uniform(-3, 3), rng.uniform(-10, 10), float(rng.randint(-2, 3))]) for _ in "ab")
            boxes[name] = (min(a, b), max(a, b))
        found = enclose(e, boxes)
        for _ in range(8):
            point = {n: rng.choice([min(max(rng.uniform(*b), b[0]), b[1]), *b]) for n, b in boxes.items()}
            value = evaluate(e, point)
            if math.isnan(value):
                continue
            inside += 1
            assert found.lo <= value <= found.hi, (str(e), boxes, point)
    assert inside > 8000


def test_defined_means_defined() -> None:
    rng = random.Random(5)
    leaves = [*map(Expression.variable, "xyxy"), *map(Expression.constant, (2, 0.7, -1.3, 3))]
    tame = ["neg", "inv", "square", "sqrt", "cbrt", "log", "sin", "cos", "tan", "tanh", "asin", "acos", "atan", "abs"]
    defined = 0
    for _ in range(3000):
        e = random_tree(rng, rng.randint(2, 8), leaves, Expression.apply, tame, ["+", "-", "*", "/", "min", "max"])
        boxes = {n: tuple(sorted((rng.uniform(-2, 3), rng.uniform(-2, 3)))) for n in "xy"}
        if not enclose(e, boxes).defined:
            continue
        defined += 1
        for _ in range(8):
            point = {n: rng.uniform(*b) for n, b in boxes.items()}
            assert not math.isnan(evaluate(e, point)), (str(e), boxes, point)
    assert defined > 800
