"""Enclosures of formulas: sound always, tight where they can be, honest about the domain."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hypo.expression import Expression
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.intervals import FUNCTIONS, Enclosure, enclose
from hypo.expression.analysis.mean_value import enclose_centred
from hypo.expression.operators import OPERATORS
from hypo.expression.parser import parse
from tests.oracles.operators import EDGES
from tests.oracles.precise import exact, lies_within, long
from tests.oracles.reference import evaluate, random_tree

INF = math.inf


@pytest.mark.parametrize(
    ("text", "lo", "hi", "defined"),
    [
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
    ],
)
def test_known_enclosures(text: str, lo: float, hi: float, defined: bool) -> None:
    found = enclose(parse(text), {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    assert found.lo <= lo
    assert found.hi >= hi
    assert math.isclose(found.lo, lo, rel_tol=1e-13, abs_tol=1e-13)
    assert math.isclose(found.hi, hi, rel_tol=1e-13, abs_tol=1e-13)
    assert bool(found.defined) == defined


@pytest.mark.parametrize(
    "text", ["sqrt(-y)", "log(-y)", "1/(0*x)", "asin(y + 1)", "acos(-2 - x)", "(-y)**0.5", "log(0)"]
)
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


@pytest.mark.parametrize(
    ("text", "lo"),
    [
        ("x*y + x**2", 0),
        ("x/y", 0),
        ("sqrt(x)*sin(x)", 0),
        ("exp(x) - 1", 0),
        ("y - 1", 0),
        ("x**3 + cbrt(x) + tanh(x)", 0),
        ("log(y)*x", 0),
        ("cosh(x) - 1", 0),
        ("abs(x - 1)", 0),
        ("exp(-x)", 0),
        ("1 + x", 1),
    ],
)
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


# --- at scale ---------------------------------------------------------------------------------------------------------


def random_box(rng: np.random.Generator) -> tuple[float, float]:
    """Ordinary, tiny, degenerate, huge and unbounded intervals; many end at the ends of domains."""

    def end() -> float:
        kind = rng.integers(4)
        return float(
            [
                rng.uniform(-3, 3),
                rng.uniform(-10, 10),
                rng.choice(EDGES),
                rng.choice([-1, 1]) * 10.0 ** rng.uniform(-12, 12),
            ][kind]
        )

    a, kind = end(), rng.integers(8)
    if kind == 0:
        return a, a
    if kind == 1:
        return a, float(np.nextafter(a, INF) + rng.integers(3) * np.spacing(abs(a)))
    if kind == 2:
        return (a, INF) if rng.random() < 0.5 else (-INF, a)
    b = end()
    return min(a, b), max(a, b)


def random_points(rng: np.random.Generator, box: tuple[float, float], n: int) -> np.ndarray:
    """Points of an interval, its ends among them, even or by orders of magnitude from either end."""
    lo, hi = max(box[0], -1e300), min(box[1], 1e300)
    t = rng.uniform(size=n)
    size = 10.0 ** rng.uniform(-20, 20, n)
    kinds = [lo + (hi / 2 - lo / 2) * 2 * t, lo + size, hi - size, np.where(t < 0.5, lo, hi)]
    return np.clip(np.choose(rng.integers(4, size=n), kinds), lo, hi)


def random_formula(rng: random.Random) -> Expression:
    leaves = [*map(Expression.variable, "xyxyxy"), *map(Expression.constant, (2, 0.7, -1.3, 3, 0, 0.5, -1, 1 / 3)), _PI]
    return random_tree(rng, rng.randint(2, 10), leaves, Expression.apply)


_PI = Expression.constant(math.pi, name="pi")


def test_a_million_points_lie_inside() -> None:
    """Bounds against extended precision; where that finds a point outside, or no value, 60 digits decide."""
    rng, trees = np.random.default_rng(6), random.Random(6)
    trials = 0
    while trials < 1_000_000:
        e = random_formula(trees)
        boxes = {n: random_box(rng) for n in "xy"}
        points = {n: random_points(rng, b, 800) for n, b in boxes.items()}
        found = enclose(e, boxes)
        values = long(e, points)
        known = np.isfinite(values)
        trials += int(known.sum())
        outside = known & ~((found.lo <= values) & (values <= found.hi))
        nowhere = np.isnan(values) & found.defined
        # By hand a few of those that are fine, all that are not.
        for i in [*np.flatnonzero(outside | nowhere)[:3], *range(2)]:
            point = {n: float(p[i]) for n, p in points.items()}
            value = exact(e, point)
            if value is not None and value != value:
                assert not found.defined, (str(e), boxes, point)
            else:
                assert lies_within(e, point, found.lo, found.hi), (str(e), boxes, point, str(value), found)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_operator_on_every_kind_of_interval(name: str) -> None:
    """Each operator alone on many boxes at once, in 60 digits."""
    rng = np.random.default_rng(7)
    row = next(o for o in OPERATORS if o.interval == name)
    e = Expression.apply(row.name, *map(Expression.variable, "xy"[: row.arity]))
    boxes = [{n: random_box(rng) for n in e.variables} for _ in range(400)]
    together = enclose(
        e, {n: (np.array([b[n][0] for b in boxes]), np.array([b[n][1] for b in boxes])) for n in e.variables}
    )
    for i, box in enumerate(boxes):
        points = {n: random_points(rng, b, 5) for n, b in box.items()}
        for k in range(5):
            point = {n: float(p[k]) for n, p in points.items()}
            value = exact(e, point)
            if value is not None and value != value:
                assert not together.defined[i], (box, point)
            else:
                assert lies_within(e, point, together.lo[i], together.hi[i]), (box, point, str(value))


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [
        ("x*y", 0, 8),
        ("x**2*y", 0, 16),
        ("(x - 1)**3", -1, 1),
        ("sqrt(y)", 1, 2),
        ("y/2 - x/y", -1.5, 2),
        ("1 - x**2", -3, 1),
    ],
)
def test_short_numbers_are_not_rounded(text: str, lo: float, hi: float) -> None:
    assert enclose(parse(text), {"x": (0.0, 2.0), "y": (1.0, 4.0)})[:2] == (lo, hi)


def test_numbers_and_arrays_mix() -> None:
    e = parse("2*x + y*x + 3/x + x/4 + y**x")
    many = enclose(e, {"x": (np.array([1.0, 2.0]), np.array([2.0, 3.0])), "y": (1.0, 2.0)})
    for i, x in enumerate([(1.0, 2.0), (2.0, 3.0)]):
        one = enclose(e, {"x": x, "y": (1.0, 2.0)})
        assert (one.lo, one.hi) == (many.lo[i], many.hi[i])


def test_overflow_is_large_not_infinite() -> None:
    found = enclose(parse("exp(x)"), {"x": (800.0, 900.0)})
    assert found.lo == np.finfo(float).max
    assert found.hi == INF
    assert found.defined
    assert enclose(parse("1/exp(x)"), {"x": (800.0, 900.0)}).lo == 0
    assert enclose(parse("1/exp(x)"), {"x": (800.0, 900.0)}).hi > 0


def test_pi_is_both_the_number_and_its_float() -> None:
    found = enclose(parse("sin(pi)"), {})
    assert found.lo <= 0 < math.sin(math.pi) <= found.hi


# --- the centred form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lo", "hi"),
    [("x**2 - 2*x", 0.0, -1.0), ("x*(4 - x)", 0.0, 4.0), ("y/(x + y)", 1 / 3, 1.0), ("x - x*y", -6.0, 0.0)],
)
def test_monotone_formulas_are_enclosed_by_their_faces(text: str, lo: float, hi: float) -> None:
    e = parse(text)
    found = enclose_centred(e, {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    plain = enclose(e, {"x": (0.0, 2.0), "y": (1.0, 4.0)})
    low, high = max(found[0][0], plain.lo), min(found[1][0], plain.hi)
    assert low <= min(lo, hi)
    assert high >= max(lo, hi)
    assert high - low <= plain.hi - plain.lo


def test_the_excess_shrinks_with_the_square_of_the_width() -> None:
    e = parse("x*exp(-x) - x**2/(1 + x)")
    excess = []
    for width in (1e-2, 1e-3):
        box = {"x": (0.35 - width / 2, 0.35 + width / 2)}
        lo, hi = enclose_centred(e, box)
        values = long(e, {"x": np.linspace(*box["x"], 1001)})
        excess.append(float(hi[0] - lo[0] - (values.max() - values.min())))
    assert 0 <= excess[1] <= excess[0] / 50


def test_centred_forms_hold_where_the_formula_is_defined() -> None:
    rng, trees = np.random.default_rng(8), random.Random(8)
    trials = tight = 0
    while trials < 200_000:
        e = random_formula(trees)
        if not e.variables:
            continue
        boxes = {n: random_box(rng) for n in "xy"}
        plain = enclose(e, boxes)
        if not plain.defined:
            continue
        lo, hi = (b[0] for b in enclose_centred(simplify(e), boxes))
        tight += lo > plain.lo or hi < plain.hi
        points = {n: random_points(rng, b, 400) for n, b in boxes.items()}
        values = long(e, points)
        known = np.isfinite(values)
        trials += int(known.sum())
        for i in np.flatnonzero(known & ~((lo <= values) & (values <= hi)))[:3]:
            point = {n: float(p[i]) for n, p in points.items()}
            assert lies_within(e, point, lo, hi), (str(e), boxes, point, lo, hi)
    assert tight > 50
