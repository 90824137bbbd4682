"""Settling claims: what is proved holds everywhere, what is refuted fails at its witness."""

from __future__ import annotations

import math
import random
import time

import mpmath
import numpy as np
import pytest

from hypo.expression import Expression
from hypo.expression.analysis.derivative import derivative
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED, Claim, violation
from hypo.knowledge.claims.combinations import And, Implies, Not, Or
from hypo.knowledge.claims.comparison import SLACK, Comparison
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.proof import check_claim
from tests.oracles.precise import exact, long
from tests.oracles.reference import random_tree

INF = math.inf

ZERO = Expression.constant(0)


def claim(text: str) -> Comparison:
    relation = next(r for r in (">=", "<=", "==", "!=", ">", "<") if r in text)
    left, right = text.split(relation)
    return Comparison(parse(left), relation, parse(right))


# --- verdicts ---------------------------------------------------------------------------------------------------------

UNIT, SIDE, LINE = {"x": (0.0, 1.0)}, {"x": (-1.0, 2.0)}, {"x": (-INF, INF)}


@pytest.mark.parametrize(
    ("text", "ranges", "level"),
    [
        # contact inside, at corners, where both sides vanish
        ("x**2 >= 0", SIDE, PROVED),
        ("x*(1 - x) >= 0", UNIT, PROVED),
        ("x**2 - 2*x + 1 >= 0", SIDE, PROVED),
        ("sqrt(1 - x**2) >= 0", {"x": (-1.0, 1.0)}, PROVED),
        ("x**3 - x**2 >= -4/27", UNIT, PROVED),
        ("log(x) <= x - 1", {"x": (0.01, 100.0)}, PROVED),
        ("sin(x) <= x", {"x": (0.0, 10.0)}, PROVED),
        # unbounded domains
        ("exp(x) > 0", {"x": (-10.0, INF)}, PROVED),
        ("x**2 - 2*x + 1 >= 0", LINE, PROVED),
        ("1/(1 + x**2) <= 1", LINE, PROVED),
        ("x**3 >= 0", LINE, REFUTED),
        ("atan(x) < 1.5", {"x": (0.0, INF)}, REFUTED),
        ("exp(x) >= x", {"x": (0.0, INF)}, PROVED),
        # strictness
        ("x**2 > 0", {"x": (1e-3, 1.0)}, PROVED),
        ("x**2 > 0", SIDE, REFUTED),
        ("x < 1", UNIT, REFUTED),
        ("x <= 1", UNIT, PROVED),
        # equality
        ("x*y == y*x", {**UNIT, "y": (0.0, 3.0)}, PROVED),
        ("(x + 1)**2 == x**2 + 2*x + 1", SIDE, PROVED),
        ("sin(x)**2 + cos(x)**2 == 1", SIDE, PROVED),
        ("sqrt((3*x)**2 + (3*y)**2) == 3*sqrt(x**2 + y**2)", {**UNIT, "y": (0.0, 3.0)}, PROVED),
        ("exp(-((x - y)/2)**2) == exp(-((y - x)/2)**2)", {**SIDE, "y": (-3.0, 3.0)}, PROVED),
        ("x == 1.0000001*x", UNIT, PROVED),
        ("x == 1.001*x", UNIT, REFUTED),
        ("x != 3", SIDE, PROVED),
        ("x != 0", SIDE, REFUTED),
        # undefined sides
        ("x/x == 1", UNIT, REFUTED),
        ("x/x == 1", SIDE, REFUTED),
        ("x/x == 1", {"x": (1.0, 2.0)}, PROVED),
        ("log(x) >= -100", UNIT, REFUTED),
        ("sqrt(x) >= 0", SIDE, REFUTED),
        ("0*sqrt(x) == 0", SIDE, REFUTED),
        # overflow and underflow are neither breach nor proof
        ("exp(x) > 0", {"x": (0.0, 2000.0)}, PROVED),
        ("exp(x)/(1 + exp(x)) <= 1", {"x": (0.0, 2000.0)}, UNREFUTED),
        ("exp(-x) > 0", {"x": (0.0, 2000.0)}, UNREFUTED),
        ("1/exp(-x) > 0", {"x": (0.0, 2000.0)}, UNREFUTED),
        # rounding is no breach
        ("0.1*x + 0.2*x >= 0.3*x", UNIT, PROVED),
        # no variables
        ("2 >= 1", {}, PROVED),
        ("1 >= 2", {}, REFUTED),
        ("log(-1) >= 2", {}, REFUTED),
        ("1 >= 1", UNIT, PROVED),
    ],
)
def test_verdicts(text: str, ranges: dict, level: str) -> None:
    v = check_claim(claim(text), Domain({"other": (0, 1), **ranges}), deadline=5.0)
    assert v.level == level
    assert v.points == (1024 if claim(text).names else 1)
    assert (v.amount > 0) == (level == REFUTED) == (v.witness is not None)
    if v.witness is not None:
        assert v.witness.at.keys() == claim(text).names
    quick = check_claim(claim(text), Domain(ranges), points=256, proof=False)
    assert quick.level == (REFUTED if level == REFUTED else UNREFUTED)


def test_combined_claims() -> None:
    domain = Domain({"x": (0, 1), "y": (0, 1)})
    increasing = Implies(claim("x > y"), claim("x**3 + x >= y**3 + y"))
    assert check_claim(increasing, domain, deadline=5.0).level in (PROVED, UNREFUTED)
    wrong = check_claim(Implies(claim("x > y"), claim("sin(3*x) >= sin(3*y)")), domain)
    assert wrong.level == REFUTED
    at = wrong.witness.at
    assert at["x"] > at["y"]
    assert math.sin(3 * at["x"]) < math.sin(3 * at["y"])
    assert wrong.witness.sides.relation == ">="
    assert check_claim(Or((claim("x >= 0.3"), claim("x <= 0.6"))), domain).level == PROVED
    assert check_claim(And((claim("x >= 0"), claim("y <= 1"))), domain).level == PROVED
    assert check_claim(Not(claim("x > 1")), domain).level == PROVED
    assert check_claim(Implies(claim("x > 2"), claim("log(-x) > 0")), domain).level == PROVED


def test_rounding_in_the_evaluation_is_no_breach_to_a_proof() -> None:
    c, domain = claim("(x + 1e16) - 1e16 > x - 1e-3"), Domain(UNIT)
    assert check_claim(c, domain).level == PROVED
    assert check_claim(c, domain, proof=False).level == REFUTED  # numbers are all that is looked at


def test_a_narrow_breach_is_found_by_the_proof() -> None:
    v = check_claim(claim("(x - 0.123456789)**2 + 1e-7 > 2e-7"), Domain({"x": (0, 1)}), points=8)
    assert v.level == REFUTED
    assert v.witness.at["x"] == pytest.approx(0.123456789, abs=4e-4)
    assert 0 < v.amount < 1e-3


def test_the_witness_is_searched_for() -> None:
    v = check_claim(claim("(x - 1/3)**2 + (y - 0.7)**2 >= 0.5"), Domain({"x": (0, 1), "y": (0, 1)}))
    assert v.witness.at == pytest.approx({"x": 1 / 3, "y": 0.7}, abs=1e-2)
    assert v.witness.sides.left == pytest.approx(0, abs=1e-4)
    assert v.witness.sides.right == 0.5


def test_the_amount_is_that_of_the_points_and_the_worst_found() -> None:
    c, domain = claim("x >= 0.25"), Domain({"x": (0, 1)})
    quick, full = (check_claim(c, domain, proof=p) for p in (False, True))
    margins = c.margin(domain.sample(1024))
    assert quick.amount == violation(margins)
    assert full.amount == pytest.approx(quick.amount)  # the worst is at the end, which is among the points


def test_what_the_points_miss_is_refuted_by_the_proof_alone() -> None:
    c = claim("abs(x - 0.3141) + abs(y - 0.2718) >= 1e-4")
    v = check_claim(c, Domain({"x": (0, 1), "y": (0, 1)}), points=64, deadline=5.0)
    assert v.level == REFUTED
    assert (c.margin({k: np.array([a]) for k, a in v.witness.at.items()}) < 0).all()


def test_limits_are_kept() -> None:
    hopeless = claim("x + y >= 2*sqrt(x*y)")
    domain = Domain({"x": (0.1, 3), "y": (0.1, 3)})
    check_claim(hopeless, domain, deadline=0.0)
    start = time.perf_counter()
    assert check_claim(hopeless, domain, budget=10**9, deadline=0.05).level == UNREFUTED
    assert time.perf_counter() - start < 1.0
    assert check_claim(hopeless, domain, budget=1, deadline=None).level == UNREFUTED


def test_names_without_a_range() -> None:
    with pytest.raises(ValueError, match=r"^no range is known for y; ranges are known for: x$"):
        check_claim(claim("x > y"), Domain(UNIT))


class Vague(Comparison):
    """A claim of which interval arithmetic knows nothing."""

    def enclose(self, boxes: object):  # type: ignore[no-untyped-def]
        from hypo.expression.analysis.intervals import Enclosure

        return Enclosure(np.array([-INF]), np.array([INF]), np.array([False]))

    def fix_scale(self, points: object) -> Vague:
        return self


def test_claims_without_enclosures_are_refuted_by_numbers() -> None:
    c = Vague(parse("x"), ">=", parse("0.5"), scale=1.0)
    assert check_claim(c, Domain(UNIT)).level == REFUTED
    assert check_claim(Vague(parse("x"), ">=", parse("0"), scale=1.0), Domain(UNIT)).level == UNREFUTED


@pytest.mark.parametrize(
    ("formula", "by", "relation"),
    [
        ("m_0/sqrt(1 - v**2/c**2)", "v", ">="),
        ("exp(-((theta - theta1)/sigma)**2/2)/(sqrt(2*pi)*sigma)", "theta1", None),
        ("q1*q2*r/(4*pi*epsilon*r**3)", "r", "<="),
        ("G*m1*m2/((x2 - x1)**2 + (y2 - y1)**2 + (z2 - z1)**2)", "G", ">="),
        ("n_0*exp(-m*g*x/(kb*T))", "T", ">="),
        ("2*pi*sqrt(L/g)", "L", ">="),
        ("omega_0/(1 - v/c)", "v", ">="),
    ],
)
def test_monotone_laws_are_proved(formula: str, by: str, relation: str | None) -> None:
    e = parse(formula)
    special = {"v": (1, 2), "c": (3, 10), "x1": (1, 2), "x2": (3, 4)}
    domain = Domain({n: special.get(n, (1, 3)) for n in e.variables})
    slope = derivative(e, by)
    if relation is None:
        v = check_claim(Comparison(slope, ">=", ZERO), domain)
        assert v.level == REFUTED
        assert v.witness.sides.left < 0
        return
    assert check_claim(Comparison(slope, relation, ZERO), domain, deadline=5.0).level == PROVED


# --- at scale ---------------------------------------------------------------------------------------------------------

LEAVES = [*map(Expression.variable, "xyxyxy"), *map(Expression.constant, (2, 0.7, -1.3, 3, 0.5))]


def truly_fails(c: Comparison, at: dict[str, float], scale: float) -> bool:
    """Whether the comparison is false or undefined at a point, in 60 digits; a shortfall within the slack is not."""
    left, right = exact(c.left, at), exact(c.right, at)
    if left is None or right is None:
        return True
    if mpmath.isnan(left) or mpmath.isnan(right):
        return True
    short = right - left if c.relation in (">=", ">") else left - right
    if c.relation in (">=", "<="):
        return bool(short > 0.99 * SLACK * scale)
    if c.relation in (">", "<"):
        return bool(short >= -1e-40)
    apart = abs(left - right) / scale
    return bool(apart > 0.99 * c.tolerance if c.relation == "==" else apart < 1.01 * c.tolerance)


def holds(c: Claim, points: dict[str, np.ndarray]) -> np.ndarray:
    """Whether a claim holds at points, in extended precision and within its slack."""
    assert isinstance(c, Comparison)
    left, right = long(c.left, points), long(c.right, points)
    scale = c.scale
    with np.errstate(all="ignore"):
        short = (right - left if c.relation in (">=", ">") else left - right) / scale
        if c.relation in (">=", "<="):
            return short <= 1.001 * SLACK
        if c.relation in (">", "<"):
            return short < 0
        apart = np.abs(short)
        return apart <= 1.001 * c.tolerance if c.relation == "==" else apart >= 0.999 * c.tolerance


def test_random_claims_are_settled_truly() -> None:
    trees, rng = random.Random(9), np.random.default_rng(9)
    counts = {PROVED: 0, REFUTED: 0, UNREFUTED: 0}
    for _ in range(250):
        sides = [random_tree(trees, trees.randint(1, 7), LEAVES, Expression.apply) for _ in "lr"]
        if trees.random() < 0.5:
            sides[1] = Expression.constant(trees.choice([0, -1, 1, 5, -10]))
        c = Comparison(
            sides[0],
            trees.choice([">=", ">", "<=", "<", ">=", "<=", "==", "!="]),
            sides[1],
            tolerance=trees.choice([1e-6, 0.5]),
        )
        ends = [
            trees.choice([0.0, 1.0, -1.0, trees.uniform(-3, 3), trees.uniform(-3, 3), 10.0, 1e-3]) for _ in range(4)
        ]
        domain = Domain({"x": tuple(sorted(ends[:2])), "y": tuple(sorted(ends[2:]))})
        v = check_claim(c, domain, points=256, budget=2000, deadline=0.1)
        counts[v.level] += 1
        sample = domain.of(c.names).sample(256)
        scaled = c.fix_scale(sample)
        if v.level == REFUTED:
            assert 0 < v.amount <= 1
            assert truly_fails(c, dict(v.witness.at), scaled.scale), (c, v)
            for name, value in v.witness.at.items():
                assert domain.ranges[name][0] <= value <= domain.ranges[name][1]
        if v.level == PROVED:
            points = {n: rng.uniform(*domain.ranges[n], 2000) if n in domain.ranges else np.zeros(2000) for n in "xy"}
            for i in np.flatnonzero(~holds(scaled, points))[:3]:
                assert not truly_fails(c, {n: float(p[i]) for n, p in points.items()}, scaled.scale), (c, domain)
    assert counts[PROVED] > 50
    assert counts[REFUTED] > 80


def test_settling_at_points_is_quick() -> None:
    """The claim of one hypothesis among thousands: the best of many runs, so that a busy machine does not matter."""
    e = derivative(parse("m_0*v/sqrt(1 - v**2/c**2)"), "v")
    domain = Domain({"m_0": (1, 5), "v": (1, 2), "c": (3, 10)})
    spent = []
    for _ in range(50):
        c = Comparison(e, ">=", ZERO)
        start = time.perf_counter()
        check_claim(c, domain, points=256, proof=False)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 1e-3
