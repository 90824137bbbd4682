"""Whatever is called a contradiction is one: no law of a list keeps both rules of such a pair."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hypo.expression.parser import parse
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.contradictions import contradictions
from hypo.knowledge.rules.registry import read_rule

FORMULAS = (
    "x",
    "x**2",
    "-x",
    "1/x",
    "x*y",
    "x - y",
    "sin(x)",
    "exp(-x)",
    "(1 - x)/(1 + x)",
    "x**2 + y**2",
    "2",
    "sqrt(x)",
    "x**2 - 1",
    "x/y",
)
VALUES = (-1, 0, 0.5, 1, 2)
KINDS: dict[str, dict[str, Any]] = {
    "bounds": {"max": VALUES, "strict": (True, False)},
    "sign": {"sign": ("positive", "negative", "nonzero", "nonnegative")},
    "monotone": {"variable": "x", "direction": ("increasing", "decreasing"), "strict": (True, False)},
    "even": {"variable": "x"},
    "odd": {"variable": "x"},
    "periodic": {"variable": "x", "period": (1.0, 6.283185307179586)},
    "symmetric": {"swap": (["x", "y"],)},
    "antisymmetric": {"swap": (["x", "y"],)},
    "homogeneous": {"variables": (["x"], ["x", "y"]), "degree": (-1, 0, 1, 2)},
    "value": {"at": ({"x": 0}, {"x": 1}, {"x": 1, "y": 0.5}, {"y": 2}), "equals": VALUES},
    "zeros": {"variable": "x", "at": (0, 1)},
    "limit": {"variable": "x", "to": (0, 1, "inf"), "equals": (0, 1, -1, "inf")},
    "growth": {"variable": "x", "to": (0, "inf"), "exponent": (-1, 0, 1, 2)},
    "not_depends": {"variable": "x"},
}
WHERE = ({}, {}, {"x": [0, 1]}, {"x": [-1, 2]}, {"y": [0.5, 1]})


def some_rules(n: int) -> list[Rule]:
    rng = random.Random(3)
    rules: list[Rule] = []
    while len(rules) < n:
        kind = rng.choice(list(KINDS))
        keys = {name: rng.choice(some) if isinstance(some, tuple) else some for name, some in KINDS[kind].items()}
        rule = read_rule({"kind": kind, **keys, "where": rng.choice(WHERE)}, lambda path, message: None)
        if rule is not None:
            rules.append(rule)
    return rules


RULES = some_rules(90)


@pytest.mark.parametrize("ranges", [{"x": (0.13, 5.0), "y": (0.5, 3.0)}, {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}])
def test_no_law_keeps_both_rules_of_a_contradiction(ranges: dict[str, tuple[float, float]]) -> None:
    kept = []
    for text in FORMULAS:
        law = Law(parse(text), "f", ("x", "y"), ranges)
        kept.append([rule.check(law, points=64).amount == 0 for rule in RULES])
    certain = list(contradictions(RULES))
    found = list(contradictions(RULES, ranges))
    assert len(certain) > 50
    assert len(found) > len(certain)
    assert [
        (why, text)
        for i, j, why in (*certain, *found)
        for text, keeps in zip(FORMULAS, kept, strict=True)
        if keeps[i] and keeps[j]
    ] == []
