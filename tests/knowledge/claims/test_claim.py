"""Claims: margins and amounts against plain loops, Kleene's logic, enclosures that hold."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hypo.expression import Expression
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import Claim, Sides, violation
from hypo.knowledge.claims.combinations import And, Implies, Not, Or
from hypo.knowledge.claims.comparison import Comparison
from tests.oracles.reference import evaluate, random_tree

NAN, INF = math.nan, math.inf
RELATIONS = (">=", ">", "<=", "<", "==", "!=")


def claim(text: str, **options: float) -> Comparison:
    """``left relation right`` as a comparison."""
    relation = next(r for r in (">=", "<=", "==", "!=", ">", "<") if r in text)
    left, right = text.split(relation)
    return Comparison(parse(left), relation, parse(right), **options)


def fixed(*margins: float) -> Claim:
    """A claim with these margins at x = 0, 1, …, by a polynomial of its own scale; NaN as log of a negative number."""
    x = Expression.variable("x")
    total: Expression = Expression.constant(0)
    for i, m in enumerate(margins):
        here = Expression.apply("max", 1 - Expression.apply("abs", x - i), Expression.constant(0))
        worth = here * m if m == m else Expression.apply("log", 0.5 - here) * 0
        total = total + worth
    return Comparison(total, ">", Expression.constant(0), scale=1.0)


# --- margins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relation", "left", "margin"),
    [
        (">=", 3.0, 0.5),
        (">=", 2.0, 0.0),
        (">=", 1.0, -0.5),
        (">=", 2 - 1e-9, 0.0),
        (">=", 2 - 1e-8, -5e-9),
        (">", 3.0, 0.5),
        (">", 2.0, -1e-9),
        (">", 1.0, -0.5 - 1e-9),
        ("<=", 1.0, 0.5),
        ("<=", 3.0, -0.5),
        ("<", 1.0, 0.5),
        ("<", 2.0, -1e-9),
        ("==", 2.0, 1e-6),
        ("==", 3.0, 1e-6 - 0.5),
        ("!=", 3.0, 0.5 - 1e-6),
        ("!=", 2.0, -1e-6),
        (">=", NAN, NAN),
        ("==", NAN, NAN),
        ("!=", NAN, NAN),
    ],
)
def test_margins(relation: str, left: float, margin: float) -> None:
    c = Comparison(Expression.variable("x"), relation, parse("2"), scale=2.0)
    found = c.margin({"x": np.array([left, left])})
    np.testing.assert_allclose(found, [margin, margin], rtol=1e-6, atol=1e-18)


def test_the_scale_comes_from_the_sides_where_both_are_finite() -> None:
    c = claim("sqrt(x) >= 3")
    points = {"x": np.array([-1.0, 0.0, 16.0])}
    scale = math.sqrt((0 + 16) / 2 + 9)
    np.testing.assert_allclose(c.margin(points), [NAN, -3 / scale, 1 / scale])
    assert c.fix_scale(points).scale == pytest.approx(scale)
    assert claim("x >= 0").fix_scale({"x": np.zeros(3)}).scale == 1
    assert claim("x >= 0").fix_scale({"x": np.full(3, NAN)}).scale == 1
    assert claim("x >= 0").fix_scale({"x": np.full(3, 1e200)}).scale == pytest.approx(1e200)


@pytest.mark.parametrize("factor", [1e-150, 1e-9, 1e9, 1e150])
def test_margins_do_not_depend_on_units(factor: float) -> None:
    x = np.linspace(-2, 3, 50)
    for relation in RELATIONS:
        plain = Comparison(parse("x**2"), relation, parse("x + 1")).margin({"x": x})
        grown = Comparison(parse("x**2") * factor, relation, parse("x + 1") * factor).margin({"x": x})
        np.testing.assert_allclose(grown, plain, rtol=1e-6, atol=1e-12)


def test_names_missing_from_a_side_and_claims_without_names() -> None:
    c = claim("x >= y")
    assert c.names == {"x", "y"}
    assert c.margin({"y": np.array([1.0, 2.0]), "z": np.zeros(2), "x": np.array([1.0, 3.0])}).shape == (2,)
    assert claim("2 >= 1").margin({}).shape == (1,)
    assert claim("2 >= 1").margin({"x": np.zeros(4)}).shape == (4,)
    assert claim("x >= 1").margin({"x": 2.0}).shape == (1,)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relation": "=>"}, "unknown relation '=>': expected one of >= > <= < == !="),
        ({"tolerance": -1.0}, "the tolerance must be >= 0, got -1.0"),
        ({"scale": 0.0}, "the scale must be a positive number, got 0.0"),
        ({"scale": NAN}, "the scale must be a positive number, got nan"),
    ],
)
def test_bad_comparisons(options: dict, message: str) -> None:
    with pytest.raises(ValueError) as e:
        Comparison(**{"left": parse("x"), "relation": ">=", "right": parse("1"), **options})
    assert str(e.value) == message


def test_empty_combinations() -> None:
    with pytest.raises(ValueError, match=r"^And needs at least one claim$"):
        And(())


# --- amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margins", "amount"),
    [
        ([0.0, 1.0], 0.0),
        ([-1.0], 0.5),
        ([-1.0, 0.0, 2.0, 0.0], (0.125 + 0.5) / 2),
        ([NAN, 1.0], 0.75),
        ([NAN], 1.0),
        ([-INF, 0.0], 0.75),
        ([], 0.0),
        ([-1e300], 1.0),
    ],
)
def test_amounts(margins: list[float], amount: float) -> None:
    assert violation(np.array(margins)) == pytest.approx(amount)


def test_amounts_grow_with_the_breach() -> None:
    x = np.linspace(0, 1, 101)
    amounts = [
        violation(Comparison(parse("x"), ">=", parse(str(a)), scale=1.0).margin({"x": x})) for a in (0, 0.1, 0.5, 1, 9)
    ]
    assert amounts[0] == 0
    assert amounts == sorted(amounts)
    assert amounts[-1] < 1


# --- combinations -----------------------------------------------------------------------------------------------------

TRUE, FALSE, NONE = 1.0, -1.0, NAN
VALUES = (TRUE, FALSE, NONE)


def truth(margin: float) -> float:
    return NONE if margin != margin else TRUE if margin >= 0 else FALSE


def kleene_and(a: float, b: float) -> float:
    if FALSE in (a, b):
        return FALSE
    return NONE if a != a or b != b else TRUE


def kleene_not(a: float) -> float:
    return -a


@pytest.mark.parametrize("a", VALUES)
@pytest.mark.parametrize("b", VALUES)
def test_kleene(a: float, b: float) -> None:
    p, q = fixed(a), fixed(b)
    either = kleene_not(kleene_and(kleene_not(a), kleene_not(b)))
    implied = kleene_not(kleene_and(a, kleene_not(b)))
    point = {"x": np.zeros(1)}
    box = {"x": (np.zeros(1), np.zeros(1))}
    for combination, expected in [
        (And((p, q)), kleene_and(a, b)),
        (Or((p, q)), either),
        (Implies(p, q), implied),
        (Not(p), kleene_not(a)),
        (Not(And((p, q))), kleene_not(kleene_and(a, b))),
        (Not(Or((p, q))), kleene_not(either)),
        (Not(Implies(p, q)), kleene_not(implied)),
        (Not(Not(p)), a),
    ]:
        np.testing.assert_array_equal(truth(float(combination.margin(point)[0])), expected)
        e = combination.enclose(box)
        known = [float(np.asarray(part).reshape(-1)[0]) for part in e]
        if expected != expected:
            assert not known[2]
        else:
            assert known[2]
            assert known[0] >= 0 if expected == TRUE else known[1] < 0


def test_combined_margins_and_sides() -> None:
    p, q = claim("x >= 1", scale=1.0), claim("y < 3", scale=1.0)
    points = {"x": np.array([0.0, 2.0, 4.0]), "y": np.array([0.0, 4.0, 2.0])}
    np.testing.assert_allclose(And((p, q)).margin(points), [-1, -1, 1], atol=1e-8)
    np.testing.assert_allclose(Or((p, q)).margin(points), [3, 1, 3], atol=1e-8)
    np.testing.assert_allclose(Implies(p, q).margin(points), [3, -1, 1], atol=1e-8)
    np.testing.assert_allclose(Not(p).margin(points), [1, -1, -3], atol=1e-8)
    assert And((p, q)).sides(points, 0) == Sides(0.0, ">=", 1.0)
    assert And((p, q)).sides(points, 1) == Sides(4.0, "<", 3.0)
    assert Implies(p, q).sides(points, 1) == Sides(4.0, "<", 3.0)
    assert Not(p).sides(points, 1) == Sides(2.0, "<", 1.0)
    assert And([p, q]).names == {"x", "y"}  # type: ignore[arg-type]
    undefined = claim("sqrt(x - 1) >= 0")
    half = {"x": np.array([0.5])}
    assert And((p, undefined)).sides(half, 0) == Sides(0.5, ">=", 1.0)
    assert math.isnan(And((claim("x >= 0"), undefined)).sides(half, 0).left)
    assert math.isnan(Or((p, undefined)).sides(half, 0).left)


def test_a_comparison_and_its_negation_exclude_each_other() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (2, 500))
    y[:100] = x[:100]
    y[100:200] += 1e-12
    for relation in RELATIONS:
        c = Comparison(parse("x"), relation, parse("y"), scale=1.0)
        holds, fails = (k.margin({"x": x, "y": y}) >= 0 for k in (c, Not(c)))
        near = np.abs(x - y) < 1e-8  # the slack of >= and <= makes both hold
        assert not (holds & fails)[~near].any()
        assert (holds | fails)[~near].all()


# --- enclosures -------------------------------------------------------------------------------------------------------

LEAVES = [*map(Expression.variable, "xyxy"), *map(Expression.constant, (2, 0.7, -1.3, 3))]


def random_claim(rng: random.Random, depth: int = 2) -> Claim:
    kind = rng.choice(["and", "or", "not", "implies"]) if depth and rng.random() < 0.6 else ""
    if not kind:
        sides = [random_tree(rng, rng.randint(1, 6), LEAVES, Expression.apply) for _ in "lr"]
        return Comparison(sides[0], rng.choice(RELATIONS), sides[1], tolerance=rng.choice([1e-6, 0.3]))
    parts = [random_claim(rng, depth - 1) for _ in "pq"]
    if kind == "not":
        return Not(parts[0])
    return Implies(*parts) if kind == "implies" else (And if kind == "and" else Or)(tuple(parts))


def slow_truth(c: Claim, point: dict[str, float]) -> float:
    """Kleene's value at a point, by recursion; inequalities without slack."""
    if isinstance(c, Comparison):
        a, b = evaluate(c.left, point), evaluate(c.right, point)
        if a != a or b != b:
            return NONE
        short = abs(a - b) / (c.scale or 1.0)
        return {
            ">=": a >= b,
            ">": a > b,
            "<=": a <= b,
            "<": a < b,
            "==": short <= c.tolerance,
            "!=": short > c.tolerance,
        }[c.relation] * 2.0 - 1.0
    if isinstance(c, Not):
        return -slow_truth(c.claim, point)
    if isinstance(c, Implies):
        return slow_truth(Or((Not(c.premise), c.conclusion)), point)
    parts = [slow_truth(p, point) for p in c.claims]  # type: ignore[attr-defined]
    sign = 1.0 if isinstance(c, And) else -1.0
    value = sign * parts[0]
    for p in parts[1:]:
        value = kleene_and(value, sign * p)
    return sign * value


def test_margins_and_enclosures_agree_with_a_slow_reference() -> None:
    rng = random.Random(2)
    decided = 0
    for _ in range(400):
        c = random_claim(rng)
        boxes = {n: tuple(sorted((rng.uniform(-2, 3), rng.uniform(-2, 3)))) for n in "xy"}
        if rng.random() < 0.5:
            boxes = {n: (lo, lo + 0.05 * (hi - lo)) for n, (lo, hi) in boxes.items()}
        points = [{n: rng.uniform(*b) for n, b in boxes.items()} for _ in range(12)]
        arrays = {n: np.array([p[n] for p in points]) for n in "xy"}
        c = c.fix_scale(arrays)
        margins = c.margin(arrays)
        e = c.enclose({n: (np.array([lo]), np.array([hi])) for n, (lo, hi) in boxes.items()})
        lo, hi, defined = (np.broadcast_to(b, (1,))[0] for b in e)
        for point, margin in zip(points, margins, strict=True):
            truly = slow_truth(c, point)
            if abs(margin) > 1e-8 or margin != margin:
                np.testing.assert_array_equal(truth(float(margin)), truly, err_msg=f"{c} {point}")
            if defined and lo >= 0:
                decided += 1
                assert truly == TRUE or abs(margin) < 1e-8, (c, boxes, point)
            if hi < 0 or lo != lo:
                decided += 1
                assert truly != TRUE, (c, boxes, point)
            if defined:
                assert truly == truly, (c, boxes, point)
    assert decided > 1500


def test_many_boxes_at_once() -> None:
    c = And((claim("x*y - x >= y**2 - 3"), Or((claim("x/y > 1"), claim("x - x + y == y")))))
    rng = np.random.default_rng(3)
    lo = rng.uniform(-1, 2, (2, 20))
    hi = lo + rng.uniform(0, 1, (2, 20))
    together = c.enclose({"x": (lo[0], hi[0]), "y": (lo[1], hi[1])})
    for i in range(20):
        alone = c.enclose({"x": (lo[0, i], hi[0, i]), "y": (lo[1, i], hi[1, i])})
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a, b[i])


def test_simplification_does_not_hide_where_a_side_is_undefined() -> None:
    box = {"x": (np.array([-1.0]), np.array([1.0]))}
    for text in ("x/x == 1", "sqrt(x)**2 == x", "0*log(x) == 0"):
        assert not claim(text).enclose(box).defined[0]
    e = claim("(x + 2)/(x + 2) == 1").enclose(box)
    assert e.defined[0]
    assert e.lo[0] >= 0
