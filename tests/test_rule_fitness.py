"""Rules in evolution's fitness: the best individuals are charged for what they break, and nobody else is."""

from dataclasses import replace

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge import Knowledge
from hypo.search.problem import Problem, Settings, make_problem
from hypo.search.rule_fitness import EVERY, HARD, KNOWN, RuleFitness

FORMULAS = [parse(t) for t in ("a*b", "a - b", "b - a", "a + b", "-a")]


def problem(hard: bool) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (50, 2))
    rule = {"kind": "bounds", "min": 0.0, "hard": hard, **({} if hard else {"weight": 2.0})}
    return make_problem(from_arrays(X, X[:, 0], names=["a", "b"]), Knowledge.from_dict({"rule": [rule]}), Settings())


def key(k: int) -> bytes:
    return bytes([k])


@pytest.mark.parametrize("hard", [False, True])
def test_what_is_charged_is_the_violation(hard: bool) -> None:
    p = problem(hard)
    fitness = RuleFitness(p, 10.0)
    score = np.arange(5.0)
    for _ in range(5 * EVERY + 1):
        charged = fitness.charged(score, key, FORMULAS.__getitem__)
    for k, e in enumerate(FORMULAS):
        amount = p.knowledge.rules[0].check(RuleFitness(p, 1.0)._book.law(e), points=128).amount  # type: ignore[union-attr]
        assert (amount > 0) == (k in (1, 2, 4))
        assert charged[k] == pytest.approx(score[k] + 10.0 * (HARD if hard else 2.0) * amount)


def test_few_are_looked_at_each_time_and_only_the_best() -> None:
    fitness = RuleFitness(problem(True), 10.0)
    asked: list[int] = []

    def formula(k: int) -> Expression:
        asked.append(k)
        return parse("-a")

    score = np.arange(40.0)
    charged = fitness.charged(score, key, formula)
    assert asked == [0]
    np.testing.assert_array_equal(charged[1:], score[1:])
    for _ in range(20 * EVERY):
        fitness.charged(score, key, formula)
    assert asked == list(range(KNOWN))


def test_other_columns_are_not_charged() -> None:
    p = problem(True)
    smaller = replace(p, columns=("a",), X=p.X[:1])
    score = np.zeros(1)
    assert RuleFitness(smaller, 10.0).charged(score, key, lambda k: parse("-a")) is score
    with pytest.raises(IndexError):
        RuleFitness(p, 10.0).charged(score, key, lambda k: FORMULAS[9])


def test_infinite_scores_stay() -> None:
    score = np.array([np.inf, np.inf])
    np.testing.assert_array_equal(RuleFitness(problem(True), 10.0).charged(score, key, lambda k: parse("-a")), score)
