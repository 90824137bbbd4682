"""Dimensional analysis of formulas: what fits, what does not, and the dimensions of constants."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from fractions import Fraction

import pytest

from hypo.expression import Expression
from hypo.expression.analysis.dimension import DimensionReport, infer
from hypo.expression.parser import parse
from hypo.units import DIMENSIONLESS, Dimension
from tests.oracles.reference import evaluate, random_tree

M, KG, S = Dimension([1]), Dimension([0, 1]), Dimension([0, 0, 1])
DIMS = {"L": M, "g": M / S**2, "T": S, "m": KG, "x": DIMENSIONLESS, "v": M / S}
KNOWN = {"c": M / S}


def report(text: str, target: Dimension | None = None) -> DimensionReport:
    """The report on ``text``, where names without a dimension are constants to be fitted."""
    e = parse(text, variables=list(DIMS), constants={"c": 3e8})
    return infer(e, DIMS, KNOWN, target)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("2*pi*sqrt(L/g)", S),
        ("L/T - c", M / S),
        ("m*v**2/2 + m*g*L", KG * M**2 / S**2),
        ("sin(L/(c*T))", DIMENSIONLESS),
        ("cbrt(L**3) + abs(-L) + min(L, 2*L)", M),
        ("L**(1/3)", M ** Fraction(1, 3)),
        ("L**1.5/L", M ** Fraction(1, 2)),
        ("L**-2", M**-2),
        ("x**x", DIMENSIONLESS),
        ("2**(L/(c*T))", DIMENSIONLESS),
        ("L + 0", M),
        ("max(0, T)", S),
        ("(T/T)**0.123", DIMENSIONLESS),
    ],
)
def test_consistent_formulas(text: str, dimension: Dimension) -> None:
    found = report(text)
    assert found.messages == ()
    assert found.inconsistent == 0
    assert found.dimension == dimension


@pytest.mark.parametrize(
    ("text", "count", "words"),
    [
        ("L + g", 1, "in L + g, its parts have the dimensions m and m/s^2"),
        ("sin(L)", 1, "in sin(L), its argument has the dimension m, but must be a pure number"),
        ("sin(L) + exp(T)", 2, "in exp(T)"),
        ("L**x", 1, "its base has the dimension m"),
        ("x**L", 1, "its exponent has the dimension m"),
        ("L**T", 2, "its exponent has the dimension s"),
        ("L**0.12345", 1, "its base has the dimension m"),
        ("L**pi", 1, "its base has the dimension m"),
        ("L + 1", 1, "dimensions m and 1"),
        ("min(L, T) + L + T", 2, "in min(L, T)"),
        ("sqrt(L/g) + sin(L)*T", 1, "in sin(L)"),
        ("c + L", 1, "m/s and m"),
    ],
)
def test_inconsistent_nodes_are_counted(text: str, count: int, words: str) -> None:
    found = report(text)
    assert found.inconsistent == len(found.messages) == count
    assert words in found.message


def test_the_target_counts_once() -> None:
    assert report("2*pi*sqrt(L/g)", S).inconsistent == 0
    found = report("L/g", S)
    assert found.inconsistent == 1
    assert found.message == "the formula has the dimension s^2, but the target has s"
    assert report("L + g", M).inconsistent == 1
    assert report("L + g", S).inconsistent == 2


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("a*L + T", None, {"a": S / M}),
        ("a*L + b", S, {"a": S / M, "b": S}),
        ("a*exp(-b*T)", M, {"a": M, "b": DIMENSIONLESS / S}),
        ("a*sin(b*T + d) + f", M, {"a": M, "b": DIMENSIONLESS / S, "d": DIMENSIONLESS, "f": M}),
        ("sqrt(a*L)", S, {"a": S**2 / M}),
        ("a*L**2*T", KG, {"a": KG / (M**2 * S)}),
        ("a*b*L", S, {"a": None, "b": None}),
        ("a*L + a*L", S, {"a": S / M}),
        ("a*b*L + a*T", S, {"a": DIMENSIONLESS, "b": S / M}),
        ("a*b*L + T/b", None, {"a": None, "b": None}),
        ("x**a", None, {"a": DIMENSIONLESS}),
        ("a**3*L", S, {"a": (S / M) ** Fraction(1, 3)}),
        ("a/(b + T)", M, {"a": M * S, "b": S}),
        ("min(a, L) + b", None, {"a": M, "b": M}),
        ("a", M, {"a": M}),
        ("a", None, {"a": None}),
    ],
)
def test_dimensions_of_fitted_constants(
    text: str, target: Dimension | None, expected: dict[str, Dimension | None]
) -> None:
    found = report(text, target)
    assert found.inconsistent == 0, found.message
    names = [c.name for c in found.expression.constants]
    got = dict(zip(names, found.constant_dimensions, strict=True))
    assert {k: v for k, v in got.items() if k in expected} == expected


def test_one_name_is_one_constant() -> None:
    found = report("a*T + a*L")
    assert found.inconsistent == 1
    apart = infer(unnamed(parse("a*T + b*L", variables=list(DIMS))), DIMS)
    assert apart.inconsistent == 0


def unnamed(e: Expression) -> Expression:
    return replace(e, constants=tuple(replace(c, name=None) for c in e.constants))


def test_constants_go_with_the_slots() -> None:
    e = unnamed(parse("2*a*L + 3*b", variables=list(DIMS)))
    found = infer(e, DIMS, target=S)
    assert found.constant_dimensions == (DIMENSIONLESS, S / M, DIMENSIONLESS, S)
    e = parse("2*pi*c*T")
    assert infer(e, DIMS | KNOWN).dimension == M
    e = parse("2*pi*c*T", variables=["T"], constants={"c": 3.0})
    assert infer(e, DIMS, KNOWN).constant_dimensions == (DIMENSIONLESS, DIMENSIONLESS, M / S)
    assert infer(e, DIMS | KNOWN).constant_dimensions == (DIMENSIONLESS, DIMENSIONLESS, M / S)


def test_fitted_exponents() -> None:
    def power(value: float) -> Expression:
        return Expression.variable("L") ** Expression.constant(value, free=True)

    assert infer(power(0.5), DIMS).dimension == M ** Fraction(1, 2)
    assert infer(power(1 / 3), DIMS).dimension == M ** Fraction(1, 3)
    assert infer(power(0.51), DIMS).inconsistent == 1
    assert infer(Expression.variable("x") ** Expression.constant(0.51, free=True), DIMS).inconsistent == 0


def test_names_without_dimension_may_have_any() -> None:
    found = infer(parse("q*L + T"), {"L": M, "T": S})
    assert (found.dimension, found.inconsistent) == (S, 0)
    assert infer(parse("q + r"), {}).dimension is None
    assert infer(parse("sin(q) + q"), {"q": M}).inconsistent == 2


def test_strict_angles_are_no_pure_numbers() -> None:
    radian = Dimension([0] * 7 + [1])
    assert infer(parse("sin(theta)"), {"theta": radian}).inconsistent == 1
    assert infer(parse("r*theta"), {"theta": radian, "r": M}).dimension == M * radian


def test_result_does_not_depend_on_the_units_chosen() -> None:
    """A formula is consistent exactly if its value scales with the base units as its dimension says."""
    rng = random.Random(9)
    leaves = [*map(Expression.variable, ("L", "T", "v", "x")), Expression.constant(2), Expression.constant(0.5)]
    operators = (["neg", "inv", "square", "sqrt", "exp", "sin", "abs"], ["+", "-", "*", "/", "min"])
    consistent = 0
    for _ in range(3000):
        e = random_tree(rng, rng.randint(2, 9), leaves, Expression.apply, *operators)
        found = infer(e, DIMS)
        if found.inconsistent:
            continue
        consistent += 1
        assert found.dimension is not None
        sizes = (3.0, 1.0, 0.7)

        def factor(d: Dimension, sizes: tuple[float, ...] = sizes) -> float:
            out = 1.0
            for size, exponent in zip(sizes, d.exponents, strict=False):
                out *= size ** float(exponent)
            return out

        point = {n: rng.uniform(0.2, 1.2) for n in ("L", "T", "v", "x")}
        before = evaluate(e, point)
        after = evaluate(e, {n: v * factor(DIMS[n]) for n, v in point.items()})
        assert before != before or after == pytest.approx(before * factor(found.dimension), rel=1e-6, abs=1e-9), str(e)
    assert consistent > 500


def test_inferring_takes_less_than_a_millisecond() -> None:
    e = unnamed(parse("2*pi*sqrt(L/g)*(a + b*x**2/16)", variables=list(DIMS)))
    assert len(e) >= 15
    times = []
    for _ in range(200):
        start = time.perf_counter()
        infer(e, DIMS, KNOWN, S)
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3
