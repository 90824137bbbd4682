"""The grammar beyond operators: names, places, numbers, depth and priors, against a slow reading of the tree."""

from __future__ import annotations

import math
import random

import pytest

from hypo.expression import Expression
from hypo.expression.operators import OPERATORS
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge, NumberLimits
from hypo.knowledge.grammar import numbers_of


def broken(text: str, named: dict[str, float] | None = None, **grammar: object) -> dict[str, tuple[float, str]]:
    k = Knowledge.from_dict({"grammar": grammar})
    e = parse(text, constants=named)
    found = k.violations(e, "t")
    assert all(v.hard and v.amount > 0 for v in found)
    assert k.is_hard_violated(e, "t") == bool(found)
    return {v.rule: (v.amount, v.message) for v in found}


def test_names_that_must_and_must_not_occur() -> None:
    names = {"must_use": ["x", "y", "c"], "must_not_use": ["u", "v"]}
    assert broken("x*y + c", {"c": 3.0}, **names) == {}
    assert broken("u*x", **names) == {
        "must_use": (2.0, "y and c must be used, but do not occur"),
        "must_not_use": (1.0, "u must not be used"),
    }
    assert broken("x + y", **names)["must_use"] == (1.0, "c must be used, but does not occur")


def test_names_that_never_stand_together() -> None:
    groups = {"never_together": [["x", "y", "z"], ["u", "x"]]}
    assert broken("x*x + sin(x) + v", **groups) == {}
    assert broken("x + y*z + u", **groups) == {
        "never_together": (3.0, "x, y and z must not stand in one formula; u and x must not stand in one formula")
    }


def test_places_of_a_name() -> None:
    only = {"only": {"x": ["sin", "**"]}}
    assert broken("sin(2*exp(x) + y)*x**2.5 + x**2 + y*x**3", **only) == {}
    assert broken("x + cos(x) + sin(x)", **only) == {"only": (2.0, "x stands outside sin or ** (2 times)")}
    barred = {"never_inside": {"x": ["exp", "/"]}}
    assert broken("exp(y) + x + y/2", **barred) == {}
    assert broken("exp(exp(x) + x) + y/x", **barred) == {
        "never_inside": (4.0, "x stands inside exp (3 times); x stands inside /")
    }
    assert broken("1/(x + y)", **barred) == {"never_inside": (1.0, "x stands inside inv")}
    assert broken("exp(c)", {"c": 1.0}, never_inside={"c": ["exp"]}) == {"never_inside": (1.0, "c stands inside exp")}


def test_depth_is_graded() -> None:
    assert broken("sin(x + y)", max_depth=3) == {}
    assert broken("sin(sin(x + y))", max_depth=3) == {"max_depth": (1 / 3, "the depth 4 is above the maximum of 3")}
    assert broken("sin(sin(sin(sin(sin(x)))))", max_depth=3)["max_depth"][0] == 1.0


def test_limits_of_constants_leave_exponents_and_named_constants_out() -> None:
    limits = {"constants": {"min": -2, "max": 5, "integer": True}}
    assert broken("pi*x**2.5 + 3*y - 2 + c + -2*x", {"c": 77.0}, **limits) == {}
    assert broken("2.5*x", **limits) == {
        "constants": (0.5, "a constant is 2.5, but must be a whole number from -2 to 5")
    }
    amount, message = broken("12*x + 100*y", **limits)["constants"]
    assert amount == pytest.approx(1 / (1 + 1) + (95 / 7) / (1 + 95 / 7))
    assert message == "a constant is 12, but must be a whole number from -2 to 5; 2 such places in all"
    e = Expression.apply("neg", Expression.constant(3.0, free=True)) * Expression.variable("x")
    assert Knowledge(constant_limits=NumberLimits(min=-2)).is_hard_violated(e, "t")
    assert not Knowledge(constant_limits=NumberLimits(max=2)).is_hard_violated(e, "t")
    fitted = Expression.constant(2.5, name="a", free=True) * Expression.variable("x")
    assert Knowledge(constant_limits=NumberLimits(max=2)).is_hard_violated(fitted, "t")


def test_limits_of_exponents() -> None:
    assert broken("x**2 + x**3 + x**4 + x**(-1) + sqrt(x) + 1/x", exponents="integer") == {}
    assert broken("x**2.5", exponents="integer") == {
        "exponents": (0.5, "an exponent is 2.5, but must be a whole number")
    }
    assert broken("x**(1/3) + x**(-7/12)", exponents="rational") == {}
    assert list(broken("x**0.123", exponents="rational")) == ["exponents"]
    assert broken("x**y", exponents="rational") == {
        "exponents": (1.0, "an exponent is no number, but must be a fraction p/q with q <= 12")
    }
    # Powers in the disguise of exponentials of logarithms.
    assert broken("exp(2*log(x) - 3*log(y) + x) + exp(-log(x)) + exp(x)*log(y)", exponents="integer") == {}
    assert broken("exp(1.25*log(x) - log(y)/2)", exponents="integer") == broken(
        "x**1.25*y**(-0.5)", exponents="integer"
    )
    assert broken("exp(-(log(x)/2))", exponents=[1, 2]).keys() == {"exponents"}
    assert broken("exp(x*log(y))", exponents="rational")["exponents"][0] == 1.0
    assert broken("exp(log(y)/x)", exponents="rational")["exponents"][0] == 1.0
    assert broken("exp(x/log(y))", exponents="integer") == {}
    assert broken("x**2 + y**0.5", exponents=[2, 0.5]) == {}
    assert broken("x**3", exponents=[2, 0.5])["exponents"][1] == "an exponent is 3, but must be one of 2, 0.5"
    assert broken("x**3 + x**(-3)", exponents={"min": -3, "max": 2})["exponents"] == (
        pytest.approx(0.2 / 1.2),
        "an exponent is 3, but must be a number from -3 to 2",
    )
    assert broken("x**2*y**(2*z)", exponents={"max": 3}) == {
        "exponents": (1.0, "an exponent is no number, but must be a number of at most 3")
    }


def test_excess_grows_with_the_distance_and_is_below_one() -> None:
    limits = NumberLimits(min=-1, max=3)
    distances = [limits.excess(v) for v in (3.0, 3.0 + 1e-10, 3.1, 4, 10, 1e6, math.inf)]
    assert distances[:2] == [0.0, 0.0]
    assert distances[1:] == sorted(distances[1:])
    assert distances[-2] < 1.0 == distances[-1] == limits.excess(math.nan)
    assert limits.excess(-1.0) == limits.excess(0.3) == 0.0
    assert NumberLimits(kind="rational").excess(7 / 12) == 0.0 < NumberLimits(kind="rational").excess(1 / 13)


def test_priors_cost_nats_for_each_use() -> None:
    k = Knowledge(priors={"sin": 0.1, "**": 0.5, "*": 0.5, "/": 2.0, "+": 1.0})
    assert k.prior_cost(parse("x + y - z")) == 0.0
    assert k.prior_cost(parse("sin(x) + sin(y)")) == pytest.approx(2 * math.log(10))
    for power in ("x**2", "x**7", "x*x"):
        assert k.prior_cost(parse(power)) == pytest.approx(math.log(2))
    assert k.prior_cost(parse("1/x")) == k.prior_cost(parse("y/x")) == pytest.approx(-math.log(2))
    assert Knowledge(priors={"*": 0.5}).prior_cost(parse("x**2 + x**3")) == 0.0  # ** writes them for nothing
    assert Knowledge(priors={"*": 0.5, "**": 0.5, "square": 1.0}).prior_cost(parse("x**2")) == 0.0
    assert Knowledge(priors={"ln": 0.5}).prior_costs == {"log": pytest.approx(math.log(2))}
    assert Knowledge().prior_cost(parse("sin(x)")) == 0.0


# --- against a slow reading of the tree ---------------------------------------------------------------------------------


def test_places_and_numbers_against_recursion() -> None:
    rng = random.Random(3)
    k = Knowledge(only={"x": ("sin", "+")}, never_inside={"y": ("exp", "*")})
    for _ in range(400):
        e = _random_expression(rng, rng.randint(1, 6))
        found = {v.rule: v.amount for v in k.violations(e, "t")}
        outside, inside = _places(e, ())
        assert found.get("only", 0) == outside
        assert found.get("never_inside", 0) == inside
        exponents, numbers = _numbers(e)
        got = numbers_of(e)
        assert sorted(map(repr, got[0])) == sorted(map(repr, exponents))
        assert sorted(got[1]) == sorted(numbers)


def _name(e: Expression) -> str:
    return next((o.name for o in OPERATORS if o.opcode == e.root), "leaf")


def _places(e: Expression, above: tuple[str, ...]) -> tuple[int, int]:
    """(how often x stands outside sin and +, pairs of y and an exp or product above it)."""
    if not e.children:
        x, y = e.variables == ("x",), e.variables == ("y",)
        return int(x and not {"sin", "+"} & {*above}), sum(o in ("exp", "*") for o in above) if y else 0
    parts = [_places(c, (*above, _name(e))) for c in e.children]
    return sum(a for a, _ in parts), sum(b for _, b in parts)


def _numbers(e: Expression, sign: float = 1.0) -> tuple[list, list]:
    if not e.children:
        return [], [sign * c.value for c in e.constants]
    name = _name(e)
    if name == "**":
        base, exponent = e.children
        exponents, numbers = _numbers(base)
        if exponent.constants and len(exponent) == 1:
            return [*exponents, exponent.constants[0].value], numbers
        more, inner = _numbers(exponent)
        if exponent.variables:
            return [*exponents, None, *more], [*numbers, *inner]
        return [*exponents, numbers_of(e)[0][-1], *more], numbers  # its value: tested above
    short = {"square": [2.0], "cube": [3.0]}.get(name, [])
    parts = [_numbers(c, -1.0 if name == "neg" else 1.0) for c in e.children]
    return [*short, *(x for a, _ in parts for x in a)], [x for _, b in parts for x in b]


def _random_expression(rng: random.Random, depth: int) -> Expression:
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([Expression.variable("x"), Expression.variable("y"), Expression.constant(2.5)])
    row = rng.choice(OPERATORS)
    return Expression.apply(row.name, *[_random_expression(rng, depth - 1) for _ in range(row.arity)])
