"""What first-order rules say: true and false sentences about known laws, against a slow evaluator that tries a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, REFUTED, UNREFUTED, Verdict
from hypo.knowledge.claims.law import Law
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.sentence import Sentence, parse_logic
from tests.oracles.reference import evaluate


def law_of(text: str, target: str = "T", **ranges: tuple[float, float]) -> Law:
    constants = {"c": 3.0}
    return Law(parse(text, variables=list(ranges), constants=constants), target, tuple(ranges), ranges, constants)


PARABOLA = law_of("x**2 + y", x=(0.0, 2.0), y=(-1.0, 1.0))
PENDULUM = law_of("2*pi*sqrt(L/g)", L=(0.5, 8.0), g=(1.0, 20.0))
WAVE = law_of("sin(x)", "u", x=(-4.0, 4.0))
ROOT = law_of("sqrt(x) + c", "u", x=(-1.0, 4.0))
DIFFERENCE = law_of("(a - b)*(a + b)", "E", a=(0.0, 2.0), b=(0.0, 2.0))
NAMED_F = law_of("f*e", "T", f=(1.0, 2.0), e=(1.0, 2.0))
PRODUCT = law_of("x**2*y**3", x=(0.5, 2.0), y=(0.5, 2.0))

# (law, a true sentence, a false one); each on the points of a grid as well.
PAIRS = [
    # comparisons
    (PARABOLA, "f >= -1", "f >= -0.5"),
    (PARABOLA, "f <= 5", "f < 5"),
    (PARABOLA, "T > -1.25", "T > -1"),
    (PARABOLA, "f - y = x**2", "f = x**2"),
    (PARABOLA, "f == y + x*x", "f == y + x"),
    (PARABOLA, "f != 6", "f != 5"),
    (PARABOLA, "-1 <= f <= 5", "-1 <= f < 5"),
    (PARABOLA, "-2 < y - 0.5 < f + 1 <= 6", "-2 < y < f <= 6"),
    (PARABOLA, "1 < 2", "2 < 1"),
    (PARABOLA, "c = 3 and pi > c", "c > pi"),
    # the law at other arguments
    (PARABOLA, "f(0, y) = y", "f(y, 0) = y"),
    (PARABOLA, "f(x=2*x) - y = 4*x**2", "f(x=2*x) = 4*x**2"),
    (PARABOLA, "f(y=0, x=x) = x**2", "f(y=1) = x**2"),
    (PARABOLA, "T(T(x, 0), 1) = x**4 + 1", "T(T(x, 0), 1) = x**4"),
    (
        PENDULUM,
        "forall L in [0.1, 10], g in [1, 20]: T(4*L, g) > T(L, g)",
        "forall L in [0.1, 10], g in [1, 20]: T(L, 4*g) > T(L, g)",
    ),
    (PENDULUM, "T(4*L, g) = 2*T", "T(2*L, g) = 2*T"),
    (PENDULUM, "T(2*L, 2*g) = T(L, g)", "T(2*L, g) = T(L, g)"),
    (DIFFERENCE, "E(a, b) = -E(b, a)", "E(a, b) = E(b, a)"),
    (WAVE, "u(-x) = -u", "u(-x) = u"),
    (WAVE, "u(x + 2*pi) = u", "u(x + pi) = u"),
    # derivatives
    (PARABOLA, "df/dx = 2*x", "df/dx = x"),
    (PARABOLA, "dT/dx >= 0", "dT/dx > 0"),
    (PARABOLA, "d2f/dx2 = 2", "d2f/dx2 = 1"),
    (PARABOLA, "d2f/dxdy = 0", "d2f/dxdy = 1"),
    (PARABOLA, "df/dx(2*x, y) = 4*x", "df/dx(x=2*x) = 2*x"),
    (PRODUCT, "d2f/dxdy = 6*x*y**2", "d2f/dydx = 6*x*y"),
    (PRODUCT, "x*df/dx = 2*f", "x*df/dx = f"),
    (PRODUCT, "1/df/dy**2 > 0", "-df/dy/df/dx > 0"),
    (WAVE, "d2u/dx2 + u = 0", "d2u/dx2 - u = 0"),
    # integrals
    (PARABOLA, "int(x, x, 0, 2) = 2", "int(x, x, 0, 2) = 1"),
    (PARABOLA, "int(f(s, 0), s, 0, 3) = 9", "int(f(s, 0), s, 0, 3) = 8"),
    (PARABOLA, "int(f, x, 0, 1) - y = 1/3", "int(f, x, 0, 1) = 1/3"),
    (PARABOLA, "int(int(s*z, s, 0, z), z, 0, 2) = 2", "int(int(s*z, s, 0, z), z, 0, 2) = 1"),
    (WAVE, "int(du/dx(s), s, 0, x) = u", "int(du/dx(s), s, 1, x) = u"),
    (WAVE, "int(u, x, -1, 1) >= -0.001", "int(u, x, -1, 2) < 0.1"),
    # connectives
    (PARABOLA, "x >= 1 implies f >= 0", "x >= 0.5 implies f >= 0"),
    (PARABOLA, "not f < -1", "not f < 0"),
    (PARABOLA, "f > y or x = 0", "f > y or x > 0.5"),
    (PARABOLA, "x <= 1 and y <= 0 implies f <= 1", "x <= 1 or y <= 0 implies f <= 1"),
    (PARABOLA, "f > y iff x > 0", "f > y iff x > 1"),
    (PARABOLA, "not (x > 1 and f < 0)", "not (x > 0.5 or f < 0)"),
    (PARABOLA, "x > 1 implies y > 0 implies f > 1", "(x > 1 implies y > 0) implies f > 1"),
    (ROOT, "x > 0.01 implies u > c", "u >= c"),
    (ROOT, "x < 0 or u >= 3", "x < -0.6 or u >= 3"),
    (
        DIFFERENCE,
        "forall a in [0, 1], b in [0, 1]: a > b implies E(a, b) > E(b, a)",
        "forall a in [0, 1], b in [0, 1]: a > b implies E(a, b) < E(b, a)",
    ),
    # quantifiers
    (PARABOLA, "exists x in [0, 2]: f(x, 0) = 2.25", "exists x in [0, 2]: f(x, 0) = 5"),
    (PARABOLA, "exists x in [0, 2], y in [0, 1]: f(x, y) = 5", "exists x in [0, 2], y in [0, 1]: f(x, y) > 5.1"),
    (PARABOLA, "exists s in [0, 2]: f(s, 1) > 4 and s < 1.8", "exists s in [0, 2]: f(s, 1) > 4 and s < 1.7"),
    (PARABOLA, "not exists x in [0, 2]: f(x, 0) > 4.5", "not exists x in [0, 2]: f(x, 0) > 3"),
    (PARABOLA, "not forall x in [0, 2]: f(x, 0) > 3", "not forall x in [0, 2]: f(x, 0) > -3"),
    (
        PARABOLA,
        "forall x in domain: exists y in [-1, 1]: f = x**2",
        "forall x in domain: exists y in [-1, 1]: f = x**2 + 1.5",
    ),
    (
        PARABOLA,
        "forall s in [0, 1]: exists t in [0, 2]: f(t, 0) > f(s, 0)",
        "forall s in [0, 2]: exists t in [0, 1]: f(t, 0) > f(s, 0)",
    ),
    (
        PARABOLA,
        "exists s in [0, 2]: forall t in [0, 1]: f(s, 0) > f(t, 0)",
        "exists s in [0, 1]: forall t in [0, 2]: f(s, 0) > f(t, 0)",
    ),
    (
        PARABOLA,
        "forall s in [0, 1]: exists t in [0, 2]: forall r in [0, 1]: f(t, 0) > f(s, 0) + r",
        "forall s in [0, 1]: exists t in [0, 1]: forall r in [0, 1]: f(t, 0) > f(s, 0) + r",
    ),
    (PARABOLA, "x > 0.1 implies (exists s in [0, 2]: f(s, y) < f)", "exists s in [1, 2]: f(s, y) < f"),
    (
        PARABOLA,
        "(exists s in [0, 2]: f(s, 0) = 1) and (forall s in [0, 1]: f(s, 0) <= 1)",
        "(exists s in [0, 2]: f(s, 0) = 1) and (forall s in [0, 2]: f(s, 0) <= 1)",
    ),
    (
        PARABOLA,
        "(exists s in [0, 2]: f(s, 0) = 1) iff (forall s in [0, 1]: f(s, 0) <= 1)",
        "(exists s in [0, 2]: f(s, 0) = 1) iff (forall s in [0, 2]: f(s, 0) <= 1)",
    ),
    (PARABOLA, "(forall x in [0, 1]: f(x, 0) <= 1) and f >= y", "(forall x in [0, 1]: f(x, 0) <= 1) and f >= y + x"),
    (PARABOLA, "forall s in (0, 2]: f(s, 0) > 0", "forall s in [0, 2): f(s, 0) > 0"),
    (ROOT, "forall s in (0, 4]: 1/s > 0", "forall s in [0, 4]: 1/s > 0"),
    (PARABOLA, "exists s in (0, 2]: f(s, 0) >= 4", "exists s in [0, 2): f(s, 0) > 4"),
    (WAVE, "exists s in [1, 4]: u(s) = 0", "exists s in [1, 3]: u(s) = 0"),
    # names: a column's name wins, the target's name always works
    (NAMED_F, "T = f*e", "T = f"),
    (NAMED_F, "dT/df = e", "dT/de = e"),
]
# Neither proved nor refuted: bounds on integrals are too wide for equations between variables; premise and conclusion change
# over at the same points; the law ends where the interval does.
UNDECIDED = {
    "int(f, x, 0, 1) - y = 1/3",
    "int(int(s*z, s, 0, z), z, 0, 2) = 2",
    "int(du/dx(s), s, 0, x) = u",
    "x < 0 or u >= 3",
    "forall a in [0, 1], b in [0, 1]: a > b implies E(a, b) > E(b, a)",
    "forall s in (0, 2]: f(s, 0) > 0",
    "forall s in (0, 4]: 1/s > 0",
}


def sentence_of(law: Law, text: str) -> Sentence:
    return parse_logic(text, variables=law.variables, target=law.target, constants=law.constants)


# --- the slow evaluator -----------------------------------------------------------------------------------------------

GRID, TOLERANCE, H = 9, 2e-4, 1e-3
Point = Mapping[str, float]


def number(t: syntax.LogicTerm, law: Law, at: Point) -> float:
    values = dict(at)
    for k, part in enumerate(t.parts):
        values[f"#{k}"] = part_value(part, law, at)
    return evaluate(t.expression, values)


def part_value(part: syntax.Part, law: Law, at: Point) -> float:
    if isinstance(part, syntax.Integral):
        a, b, n = number(part.low, law, at), number(part.high, law, at), 40
        middles = [a + (k + 0.5) * (b - a) / n for k in range(n)]
        return (b - a) / n * sum(number(part.integrand, law, {**at, part.variable: s}) for s in middles)
    inner = {c: at[c] for c in law.variables if c in at}
    for k, argument in enumerate(part.arguments):
        inner[argument.name or law.variables[k]] = number(argument.value, law, at)
    return differentiated(law, inner, part.by if isinstance(part, syntax.Derivative) else ())


def differentiated(law: Law, at: Point, by: tuple[str, ...]) -> float:
    if not by:
        return evaluate(law.expression, at)
    up, down = ({**at, by[0]: at[by[0]] + sign * H} for sign in (1, -1))
    return (differentiated(law, up, by[1:]) - differentiated(law, down, by[1:])) / (2 * H)


def compared(a: float, relation: str, b: float) -> bool | None:
    if math.isnan(a) or math.isnan(b):
        return None
    near = abs(a - b) <= TOLERANCE * (1 + abs(a) + abs(b))
    return {
        "=": near,
        "!=": not near,
        "<": a < b and not near,
        ">": a > b and not near,
        "<=": a < b or near,
        ">=": a > b or near,
    }[relation]


def every(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def holds(s: syntax.Statement, law: Law, at: Point) -> bool | None:
    """Kleene's value of ``s`` on the grid."""
    if isinstance(s, syntax.Chain):
        terms = [number(t, law, at) for t in (s.first, *(t for _, t in s.links))]
        return every([compared(a, r, b) for a, (r, _), b in zip(terms, s.links, terms[1:], strict=False)])
    if isinstance(s, syntax.Negation):
        return opposite(holds(s.body, law, at))
    if isinstance(s, syntax.Conjunction):
        return every([holds(p, law, at) for p in s.parts])
    if isinstance(s, syntax.Disjunction):
        return opposite(every([opposite(holds(p, law, at)) for p in s.parts]))
    if isinstance(s, syntax.Implication):
        return opposite(every([holds(s.premise, law, at), opposite(holds(s.conclusion, law, at))]))
    if isinstance(s, syntax.Equivalence):
        left, right = holds(s.left, law, at), holds(s.right, law, at)
        return None if left is None or right is None else left == right
    values = []
    for point in itertools.product(*(grid(name, interval, law) for name, interval in s.over)):
        value = holds(s.body, law, {**at, **dict(zip((name for name, _ in s.over), point, strict=True))})
        values.append(value if s.universal else opposite(value))
    return every(values) if s.universal else opposite(every(values))


def grid(name: str, interval: syntax.QuantifierInterval | None, law: Law) -> list[float]:
    low, high = law.ranges[name] if interval is None else (interval.low.value, interval.high.value)
    points = [low + k * (high - low) / (GRID - 1) for k in range(GRID)]
    closed = (True, True) if interval is None else interval.closed
    return points[not closed[0] : GRID - (not closed[1])]


def slowly(law: Law, text: str) -> bool:
    statement = sentence_of(law, text).statement
    columns = itertools.product(*(grid(name, None, law) for name in law.variables))
    return all(holds(statement, law, dict(zip(law.variables, point, strict=True))) for point in columns)


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("law", "true", "false"), PAIRS, ids=[true for _, true, _ in PAIRS])
def test_true_and_false_sentences(law: Law, true: str, false: str) -> None:
    good = sentence_of(law, true).check(law, points=512, proof=True, deadline=2.0)
    bad = sentence_of(law, false).check(law, points=512, proof=True, deadline=2.0)
    assert (good.amount, good.witness) == (0, None), (true, good)
    assert good.level == (UNREFUTED if true in UNDECIDED else PROVED)
    assert 0 < bad.amount <= 1, false
    assert bad.level == REFUTED
    assert bad.witness is not None


@pytest.mark.parametrize(("law", "true", "false"), PAIRS, ids=[true for _, true, _ in PAIRS])
def test_the_slow_evaluator_agrees(law: Law, true: str, false: str) -> None:
    if true != "exists s in [1, 4]: u(s) = 0":  # pi is not on the grid
        assert slowly(law, true)
    assert not slowly(law, false)


def test_without_proof_nothing_is_proved() -> None:
    for law, true, false in PAIRS:
        good, bad = (sentence_of(law, text).check(law, points=256, proof=False) for text in (true, false))
        assert (good.level, good.amount) == (UNREFUTED, 0), true
        assert bad.level in (REFUTED, UNREFUTED) and bad.amount > 0, false


def test_an_unproved_violation_of_exists_counts() -> None:
    """Where no partner is found, but none is excluded either, the amount is > 0 and the level is UNREFUTED."""
    verdict = sentence_of(WAVE, "exists s in [-4, 4]: u(s)**2 + u(s + pi/2)**2 < 0.999").check(
        WAVE, points=256, proof=True, deadline=0.0
    )
    assert verdict.level == UNREFUTED and verdict.amount > 0 and verdict.witness is not None


def test_margins_grow_with_the_shortfall_and_do_not_depend_on_units() -> None:
    amounts = [
        sentence_of(PARABOLA, f"exists x in [0, 2]: f(x, 0) = {v}").check(PARABOLA, points=64, proof=False).amount
        for v in (4.1, 4.5, 5, 8)
    ]
    assert amounts == sorted(amounts) and amounts[0] > 0
    scaled = law_of("1000*x**2", x=(0.0, 2.0))
    plain = law_of("x**2", x=(0.0, 2.0))
    for text in ("f <= {}*3", "exists s in [0, 2]: f(s) > {}*4.5", "df/dx <= {}*3"):
        one, thousand = (
            sentence_of(law, text.format(unit)).check(law, points=128, proof=False).amount
            for law, unit in ((plain, 1), (scaled, 1000))
        )
        assert one == pytest.approx(thousand, rel=1e-12)


def test_the_witness_names_the_point_and_the_sides() -> None:
    verdict = sentence_of(PARABOLA, "forall s in [0, 2]: exists x in [0, 1]: f(x, 0) = f(s, 0)").check(
        PARABOLA, points=64, proof=True
    )
    assert verdict.level == REFUTED and verdict.witness is not None
    assert verdict.witness.at == pytest.approx({"s": 2.0, "x": 1.0})
    assert (verdict.witness.sides.left, verdict.witness.sides.relation, verdict.witness.sides.right) == (1.0, "==", 4.0)


def test_the_slack_of_inequalities_proves_no_contradiction() -> None:
    text = "exists x in [0, 1], y in [0, 1]: f(x, y) > f(y, x) and f(x, y) <= f(y, x)"
    assert sentence_of(PARABOLA, text).check(PARABOLA, points=64, proof=True).level != PROVED


def test_the_same_seed_gives_the_same_verdict() -> None:
    for law, _, false in PAIRS[-10:]:
        if "1/s" in false:
            continue  # NaN is not equal to itself
        first, second = (sentence_of(law, false).check(law, points=64, proof=False, seed=3) for _ in range(2))
        assert first == second


ATOMS = st.sampled_from(
    ["f(x, y) > f(y, x)", "x > y", "f >= x", "df/dx <= 3", "f(x, 0) = y", "f != 2", "x**2 < 2*y", "f > 4 - x"]
)
BODIES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", "implies", "iff"]), inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)
INTERVALS = st.sampled_from(
    ["[0, 1]", "[0, 2]", "[-1, 0.5]", "[0.25, 1]"]
)  # closed: at open ends a limit can count as reached
PREFIXES = st.lists(st.tuples(st.sampled_from(["forall", "exists"]), INTERVALS), min_size=2, max_size=2)


def settled(text: str) -> Verdict:
    return sentence_of(PARABOLA, text).check(PARABOLA, points=64, proof=True, deadline=0.2)


@settings(max_examples=60, deadline=None)
@given(PREFIXES, BODIES)
def test_a_sentence_and_its_negation_are_never_both_proved(prefix: list[tuple[str, str]], body: str) -> None:
    """And what is proved or refuted is so for the slow evaluator, where its grid can tell."""
    text = "".join(f"{sort} {name} in {interval}: " for name, (sort, interval) in zip("xy", prefix, strict=True)) + body
    verdict, opposite_verdict = settled(text), settled(f"not ({text})")
    assert PROVED not in (verdict.level, opposite_verdict.level) or verdict.level != opposite_verdict.level, text
    assert (verdict.level == REFUTED) <= (opposite_verdict.level != REFUTED), text
    assert (verdict.level == REFUTED) <= (verdict.amount > 0 and verdict.witness is not None), text
    assert (verdict.level == PROVED) <= (verdict.amount == 0 and verdict.witness is None), text
    sorts = {sort for sort, _ in prefix}
    if sorts == {"forall"} and verdict.level == PROVED:
        assert slowly(PARABOLA, text), text
    if sorts == {"exists"} and verdict.level == REFUTED:
        assert not slowly(PARABOLA, text), text
