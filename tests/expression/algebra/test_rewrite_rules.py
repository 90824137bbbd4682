"""Every rewrite rule against the independent evaluator."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from hypo.expression import Expression
from hypo.expression.algebra.rewrite_rules import CONDITIONS, RULES, RewriteRule
from hypo.expression.algebra.simplify import simplify
from hypo.expression.algebra.term import literal, parameter, variable
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc
from tests.expression.algebra.comparing import E, same, shape
from tests.oracles.reference import evaluate

NUMBERS = [-3.0, -2.0, -1.0, -0.5, 0.5, 1 / 3, 0.25, 1.5, 2.0, 3.0, 4.0, 8.0, 9.0, 27.0]


def sample(rule: RewriteRule, rng: random.Random) -> dict[str, float] | None:
    """Values for all names of a rule under which its condition holds, or None."""
    point = {n: rng.uniform(*rng.choice([(-3, 3), (0.1, 3), (-1, 1)])) for n in "uv"}
    point |= {n: rng.choice([rng.uniform(-3, 3), rng.choice(NUMBERS)]) for n in "cd"}
    point |= {n: rng.choice(NUMBERS) for n in "km"}
    terms = {
        "u": variable("b"),
        "v": variable("a"),
        **{n: parameter(point[n]) for n in "cd"},
        **{n: literal(point[n]) for n in "km"},
    }
    return point if not rule.when or CONDITIONS[rule.when](terms) else None


@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.pattern} -> {r.replacement}")
def test_each_rule_keeps_the_value_wherever_its_pattern_is_defined(rule: RewriteRule) -> None:
    rng = random.Random(rule.pattern)
    pattern, replacement = parse(rule.pattern), parse(rule.replacement)
    compared = 0
    for _ in range(600):
        point = sample(rule, rng)
        if point is None:
            continue
        before, after = evaluate(pattern, point), evaluate(replacement, point)
        if math.isnan(before):
            continue
        compared += 1
        assert same(before, after), point
    assert compared >= 30


@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.pattern} -> {r.replacement}")
def test_each_rule_is_applied_and_makes_nothing_larger(rule: RewriteRule) -> None:
    rng = random.Random(rule.pattern)
    applied = 0
    for point in filter(None, (sample(rule, rng) for _ in range(60))):
        e = with_numbers(rule.pattern, point)
        done = simplify(e)
        assert len(done) <= len(e)
        applied += shape(done) == shape(simplify(with_numbers(rule.replacement, point)))
        for values in ({"a": 0.7, "b": -0.3}, {"a": 0.3, "b": 0.8}):
            assert math.isnan(evaluate(e, values)) or same(evaluate(e, values), evaluate(done, values))
    assert applied >= 3


def with_numbers(text: str, point: dict[str, float]) -> Expression:
    """A side of a rule with b and a for u and v, fitted numbers for c d, exact ones for k m."""
    e = parse(text)
    parts: dict[str, Any] = {"u": E.variable("b"), "v": E.variable("a")}
    parts |= {n: E.constant(point[n], free=True) for n in "cd"} | {n: E.constant(point[n]) for n in "km"}
    stack: list[Expression] = []
    for op, arg in e.code:
        n = oc.arity(op)
        if op == oc.VAR:
            stack.append(parts[e.variables[arg]])
        elif op == oc.CONST:
            stack.append(E.constant(e.constants[arg].value))
        else:
            args = stack[-n:]
            del stack[-n:]
            stack.append(E.join(op, args))
    return stack[0]


def test_conditions_are_all_used() -> None:
    assert {r.when for r in RULES if r.when} == set(CONDITIONS)
    assert len({(r.pattern, r.when) for r in RULES}) == len(RULES)
