"""Rules in evolution's fitness: the best individuals are charged for what they break, and nobody else is."""

from dataclasses import replace

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.evolution.nodes import BreedingGrammar
from hypo.knowledge import Knowledge
from hypo.problem.problem import Problem, Settings, make_problem
from hypo.search.evolution.island import Island, World
from hypo.search.evolution.programs import ProgramBatch
from hypo.search.evolution.rule_fitness import HARD, LOOKS, RuleFitness

FORMULAS = [parse(t) for t in ("a*b", "a - b", "b - a", "a + b", "-a")]


def problem(hard: bool) -> Problem:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (50, 2))
    rule = {"kind": "bounds", "min": 0.0, "hard": hard, **({} if hard else {"weight": 2.0})}
    return make_problem(from_arrays(X, X[:, 0], names=["a", "b"]), Knowledge.from_dict({"rule": [rule]}), Settings())


NAMES = [bytes([k]) for k in range(40)]


@pytest.mark.parametrize("hard", [False, True])
def test_what_is_charged_is_the_violation(hard: bool) -> None:
    p = problem(hard)
    fitness = RuleFitness(p, 10.0)
    for _ in range(5):
        costs = fitness.costs(NAMES[:5], FORMULAS.__getitem__)
    for k, e in enumerate(FORMULAS):
        amount = p.knowledge.rules[0].check(RuleFitness(p, 1.0)._book.law(e), points=128).amount  # type: ignore[union-attr]
        assert (amount > 0) == (k in (1, 2, 4))
        assert costs.get(NAMES[k], 0.0) == pytest.approx(10.0 * (HARD if hard else 2.0) * amount)


def test_few_are_looked_at_each_time() -> None:
    fitness = RuleFitness(problem(True), 10.0)
    asked: list[int] = []

    def formula(k: int) -> Expression:
        asked.append(k)
        return parse("-a")

    assert set(fitness.costs(NAMES, formula)) == set(NAMES[:LOOKS]) and asked == list(range(LOOKS))
    for _ in range(60):
        fitness.costs(NAMES, formula)
    assert asked == list(range(40))


def test_other_columns_are_not_charged() -> None:
    p = problem(True)
    smaller = replace(p, columns=("a",), X=p.X[:1])
    assert RuleFitness(smaller, 10.0).costs(NAMES[:1], lambda k: parse("-a")) == {}


def programs(rss: list[float]) -> ProgramBatch:
    """Programs a, b, c …, one variable each."""
    out = ProgramBatch.empty(len(rss))
    out.op[:, 0], out.arg[:, 0], out.length[:], out.rss[:] = oc.VAR, np.arange(len(rss)), 1, rss
    return out


def test_an_island_prefers_those_that_pay_nothing() -> None:
    nothing = BreedingGrammar(*(None for _ in BreedingGrammar._fields))
    world = World(nothing, (np.ones((3, 4)), np.ones(4), np.ones(4)), 4.0, False, 1.0)
    island, batch = Island(12), programs([0.1, 0.2, 0.4])
    island.settle(batch, world)
    assert island.individuals.arg[:3, 0].tolist() == [0, 1, 2]
    island.charge({batch.name(0): 100.0}, world)
    assert island.individuals.arg[:3, 0].tolist() == [1, 2, 0] and island.alive == 3
    assert island.score[2] == pytest.approx(island.price(batch, world)[0] + 100.0)
    assert island.record == island.score[0]
    island.settle(programs([]), world)
    assert island.individuals.arg[:3, 0].tolist() == [1, 2, 0] and island.since == 1
    island.charge({}, world)
    assert island.individuals.arg[:3, 0].tolist() == [0, 1, 2]
