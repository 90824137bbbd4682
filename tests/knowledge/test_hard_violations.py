"""What a formula violates of the grammar and the units."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from hypo.expression import Expression
from hypo.expression.operators import OPERATORS
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge

# --- the grammar --------------------------------------------------------------------------------------------

DEFAULT = ("+", "-", "*", "/", "neg", "inv", "square", "sqrt", "exp", "sin", "tan", "**")
ALLOWED = [
    ({}, DEFAULT),
    ({"operators": ["+", "*", "sin"]}, ("+", "*", "sin", "square")),
    ({"operators": ["/", "-"]}, ("/", "-", "neg", "inv")),
    ({"operators": ["**", "cosh"]}, ("**", "cosh", "square")),
    ({"operators": ["+", "*", "square", "sin"], "forbid": ["square"]}, ("+", "*", "sin")),
    ({"operators": ["+", "*", "/"], "forbid": ["*"]}, ("+", "/", "inv")),
    ({"operators": ["*", "square"], "forbid": ["*"]}, ("square",)),
    ({"forbid": ["tan", "/"]}, ("+", "-", "*", "neg", "square", "sqrt", "exp", "sin", "**")),
    ({"forbid": ["*"]}, ("+", "-", "/", "neg", "inv", "square", "sqrt", "exp", "sin", "tan", "**")),
    ({"forbid": ["*", "**"]}, ("+", "-", "/", "neg", "inv", "sqrt", "exp", "sin", "tan")),
]


@pytest.mark.parametrize(("grammar", "expected"), ALLOWED)
def test_allowed_operators(grammar: dict, expected: tuple[str, ...]) -> None:
    k = Knowledge.from_dict({"grammar": grammar})
    assert k.allowed_operators(DEFAULT) == expected
    for name in DEFAULT:  # what may be searched with is what is no violation
        arity = next(o.arity for o in OPERATORS if o.name == name)
        e = Expression.apply(name, *[Expression.variable(v) for v in "xy"[:arity]])
        assert k.is_hard_violated(e, "t") == (name not in expected)


def amounts(k: Knowledge, text: str, target: str = "t", constants: dict[str, float] | None = None) -> dict[str, float]:
    e = parse(text, constants=constants)
    found = k.violations(e, target)
    assert all(v.amount > 0 and v.message for v in found)
    assert k.violation(e, target) == pytest.approx(sum(v.amount for v in found))
    assert k.is_hard_violated(e, target) == any(v.hard for v in found)
    assert len({v.rule for v in found}) == len(found)
    return {v.rule: v.amount for v in found}


def test_operators_not_listed_are_counted() -> None:
    k = Knowledge(operators=("+", "*", "sin"), forbid=("tan",))
    assert amounts(k, "x*sin(x) + x**2") == {}
    assert amounts(k, "exp(x) + exp(y) - tan(x)") == {"operators": 3.0, "forbid": 1.0}
    messages = [v.message for v in k.violations(parse("exp(x) + exp(y) - tan(x)"), "t")]
    assert messages == ["tan is forbidden", "exp (2 times), - are not among the allowed operators"]
    assert all(v.hard for v in k.violations(parse("exp(x)"), "t"))


def test_other_ways_to_write_what_is_allowed() -> None:
    product = Knowledge(operators=("+", "*"))
    assert amounts(product, "x**2 + x**3 + x**4 + -2*x") == {}
    assert amounts(product, "x**(-2)") == {"operators": 1.0}
    assert amounts(product, "x**2.5") == {"operators": 1.0}
    assert amounts(product, "x**y") == {"operators": 1.0}
    assert amounts(product, "1/x") == {"operators": 1.0}
    assert amounts(product, "-x") == {"operators": 1.0}
    assert amounts(Knowledge(operators=("*", "/")), "x**(-2) + 1/x") == {"operators": 1.0}
    assert amounts(Knowledge(operators=("sqrt",)), "x**0.5") == {}
    assert amounts(Knowledge(operators=("*",)), "x**0.5") == {"operators": 1.0}
    assert amounts(Knowledge(operators=("*",), forbid=("**",)), "x**4") == {"forbid": 1.0}
    assert amounts(Knowledge(operators=("**",)), "cbrt(x)") == {}
    assert amounts(Knowledge(operators=("sqrt",)), "cbrt(x)") == {"operators": 1.0}
    assert amounts(Knowledge(forbid=("**",)), "cbrt(x)") == {}
    minus_constant = Expression.apply("neg", Expression.constant(2.0, free=True))
    assert product.violations(minus_constant, "t") == ()
    free_power = Expression.variable("x") ** Expression.constant(2.0, free=True)
    assert product.is_hard_violated(free_power, "t")


def test_complexity_is_a_relative_excess() -> None:
    k = Knowledge(max_complexity=4)
    assert amounts(k, "x*sin(x)") == {}
    assert amounts(k, "x*sin(x) + y") == {"max_complexity": 0.5}
    (v,) = k.violations(parse("x*sin(x) + y"), "t")
    assert (v.message, v.hard) == ("the complexity 6 is above the maximum of 4", True)
    assert k.violations(parse("x*sin(x)"), "t", weights={"sin": 3})[0].amount == 0.5


def test_nesting_counts_pairs_at_any_depth() -> None:
    k = Knowledge(nesting={"sin": ("sin", "exp"), "**": ("exp",)})
    assert amounts(k, "sin(x)*exp(sin(y)) + sin(2*x)") == {}
    assert amounts(k, "sin(1 + 2*sin(x))") == {"nesting": 1.0}
    assert amounts(k, "sin(sin(sin(x)))") == {"nesting": 3.0}
    assert amounts(k, "sin(exp(x) + x*exp(y))") == {"nesting": 2.0}
    assert amounts(k, "x**exp(y)") == {"nesting": 1.0}
    assert amounts(k, "exp(y)**x") == {"nesting": 1.0}
    assert k.violations(parse("sin(cos(exp(x)))"), "t")[0].message == "exp stands inside sin"
    assert k.violations(parse("sin(exp(x)*exp(y))"), "t")[0].message == "exp stands inside sin; 2 such pairs in all"


def test_short_forms_do_not_get_round_nesting() -> None:
    assert amounts(Knowledge(nesting={"/": ("/",)}), "1/(1 + 1/x)") == {"nesting": 1.0}
    assert amounts(Knowledge(nesting={"sin": ("*", "**")}), "sin(x**2)") == {"nesting": 1.0}
    assert amounts(Knowledge(nesting={"sin": ("*",)}), "sin(x**2)") == {}


def test_violations_agree_with_a_tree_walker() -> None:
    rng = random.Random(3)
    names = [o.name for o in OPERATORS]
    sources = {"-", "*", "/", "**"}
    for _ in range(300):
        ban = {rng.choice(names): tuple(rng.sample(names, 3)) for _ in range(2)}
        # The sources of short forms have their own test above.
        ban = {o: tuple(i for i in inner if i not in sources) for o, inner in ban.items() if o not in sources}
        k = Knowledge(nesting=ban, max_complexity=rng.randint(1, 20))
        e = _random_expression(rng, 5)
        expected = sum(
            1 for outer in e.walk() for inner in list(outer.walk())[:-1] if _name(inner) in ban.get(_name(outer), ())
        )
        found = {v.rule: v.amount for v in k.violations(e, "t")}
        assert found.get("nesting", 0) == expected
        assert found.get("max_complexity", 0) == pytest.approx(max(0, len(e) / k.max_complexity - 1))


def _name(e: Expression) -> str:
    return next((o.name for o in OPERATORS if o.opcode == e.root), "leaf")


def _random_expression(rng: random.Random, depth: int) -> Expression:
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([Expression.variable("x"), Expression.variable("y"), Expression.constant(2.0)])
    row = rng.choice(OPERATORS)
    return Expression.apply(row.name, *[_random_expression(rng, depth - 1) for _ in range(row.arity)])


def test_without_units_violations_are_fast(tmp_path: Path) -> None:
    k = Knowledge(
        operators=("+", "-", "*", "/", "sin", "cos", "exp"),
        forbid=("tan",),
        max_complexity=60,
        nesting={"sin": ("sin", "exp"), "cos": ("cos",)},
    )
    e = parse("sin(x*y + 2*cos(x)/y)*exp(-x**2) + sin(3*x)*cos(y - 1)/(1 + x*y) - x*y*exp(x/y)")
    k.violations(e, "t")
    best = min(_seconds(k, e) for _ in range(20))
    assert best < 200e-6


def _seconds(k: Knowledge, e: Expression) -> float:
    start = time.process_time()
    for _ in range(100):
        k.violations(e, "t")
        k.is_hard_violated(e, "t")
    return (time.process_time() - start) / 200


# --- units --------------------------------------------------------------------------------------------------


@pytest.fixture
def units() -> Knowledge:
    return Knowledge(
        units={"T": "s", "L": "m", "g": "m/s^2", "theta": "rad"}, constants={"c": {"value": 299792458.0, "unit": "m/s"}}
    )


def test_units_that_fit_are_no_violation(units: Knowledge) -> None:
    assert amounts(units, "2*pi*sqrt(L/g)*cos(theta)", "T") == {}
    assert amounts(units, "c/g + L/c", "T", {"c": 299792458.0}) == {}


def test_units_count_inconsistent_nodes(units: Knowledge) -> None:
    assert amounts(units, "sqrt(L/g) + sin(L)*T", "T") == {"units": 1.0}
    assert amounts(units, "sqrt(L/g)*exp(L)*log(g)", "T") == {"units": 2.0}
    (v,) = units.violations(parse("L + g"), "L")
    assert v.hard
    assert "m/s^2" in v.message


def test_units_of_the_whole_must_be_those_of_the_target(units: Knowledge) -> None:
    assert amounts(units, "L/g", "T") == {"units": 1.0}
    assert amounts(units, "L/g", "free") == {}


def test_soft_units_cost_but_do_not_exclude() -> None:
    k = Knowledge.from_dict({"units": {"T": "s", "L": "m", "hard": False}, "grammar": {"max_complexity": 2}})
    e = parse("exp(L)*T")
    (size, unit) = k.violations(e, "T")
    assert (size.rule, size.hard, unit.rule, unit.hard) == ("max_complexity", True, "units", False)
    assert not Knowledge.from_dict({"units": {"T": "s", "L": "m", "hard": False}}).is_hard_violated(e, "T")
