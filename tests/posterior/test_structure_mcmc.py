"""The chain over structures: moves with exact ratios, visits as often as the posterior says, what chains say of each other."""

import math
from collections import Counter

import numpy as np
import pytest

import hypo
from hypo.expression import operators as ops
from hypo.expression.edits.tree_moves import (
    MOVES,
    Tree,
    TreeGrammar,
    TreeLibrary,
    admissible,
    every,
    formula,
    key,
    shuffled,
    tree,
)
from hypo.expression.expr import Constant
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc
from hypo.posterior.posterior import structure_key
from hypo.posterior.structure_mcmc import budget, distance, report, split_rhat, walk

NAMES = ("x", "z")


def as_tree(text: str) -> Tree:
    return tree(parse(text, variables=NAMES))


def grammar(unary: str, binary: str, most: int, *texts: str) -> TreeGrammar:
    def codes(names: str) -> tuple[int, ...]:
        return tuple(ops.BY_NAME[name].opcode for name in names.split())

    leaves = ((oc.VAR, "x"), (oc.VAR, "z"), (oc.CONST, Constant(1.0, free=True)))
    members = {key(t)[0]: t for t in map(as_tree, texts)}
    parts = TreeLibrary({k: t for k, t in members.items() if len(t) > 1})
    return TreeGrammar(codes(unary), codes(binary), leaves, most, parts, TreeLibrary(members))


def spelled(g: TreeGrammar) -> list[Tree]:
    """All ordered trees of up to ``g.most`` nodes."""
    by_size: list[list[Tree]] = [[(leaf,) for leaf in g.leaves]]
    for n in range(2, g.most + 1):
        new = [(*t, (op, None)) for op in g.unary for t in by_size[n - 2]]
        for k in range(1, n - 1):
            new += [(*a, *b, (op, None)) for op in g.binary for a in by_size[k - 1] for b in by_size[n - 2 - k]]
        by_size.append(new)
    return [t for trees in by_size for t in trees]


@pytest.mark.parametrize("text", ["x", "sin(x + 2.5)*z", "x/(z - 1) + sqrt(x)", "exp(-x**2) + x**1.5"])
def test_trees_are_formulas(text: str) -> None:
    e = parse(text, variables=NAMES)
    assert formula(tree(e)) == e


def test_a_key_and_how_many_trees_have_it() -> None:
    """Against counting: of all ordered trees, those with one key are 2^k."""
    g = grammar("sin", "+ *", 6)
    count = Counter(key(t)[0] for t in spelled(g))
    for t in spelled(g):
        k, doublings = key(t)
        assert count[k] == 2**doublings
    rng = np.random.default_rng(0)
    t = as_tree("x*z + sin(z + x)")
    assert {key(shuffled(t, rng)) for _ in range(50)} == {key(t)}
    assert len({shuffled(t, rng) for _ in range(200)}) == 2 ** key(t)[1] == 8


def test_what_the_simplifier_writes_otherwise_does_not_count() -> None:
    rng = np.random.default_rng(0)
    for text in ("x + z", "x*sin(z)", "z/(x - 1)"):
        assert admissible(shuffled(as_tree(text), rng))
    for text in ("x + x", "x - x", "(x*z)/z"):
        assert not admissible(as_tree(text))


def test_every_small_tree_is_there() -> None:
    """Against all ordered trees, simplified."""
    g = grammar("sin", "+ /", 5)
    found = [t for trees in every(g, 10**6) for t in trees]
    keys = [key(t)[0] for t in found]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {key(t)[0] for t in spelled(g) if admissible(t)}
    # 3 leaves, 2 of sin(…) (that of a fitted number is another), then 2 + 2·9 spellings of 3 nodes.
    assert [len(trees[0]) for trees in every(g, 20)] == [1, 2, 3]
    assert [len(trees[0]) for trees in every(g, 19)] == [1, 2]


@pytest.mark.parametrize("move", dict.fromkeys(MOVES))
def test_moves_balance(move) -> None:
    """The share of moves from T to T' and that of the way back, by simulation: the mean of exp(log ratio) over the first is the
    second, since q(T→T')·(q(T'→T)/q(T→T')) = q(T'→T)."""
    g = grammar("sin exp", "+ /", 3, "x + z", "sin(x)")
    rng = np.random.default_rng(1)
    begin = as_tree({"leaf": "sin(x)", "unary": "exp(x)"}.get(move.__name__, "x + z"))
    n = 4000
    there: dict[Tree, list[float]] = {}
    for _ in range(n):
        moved = move(begin, g, rng)
        if moved is not None and len(moved[0]) <= g.most:
            there.setdefault(moved[0], []).append(math.exp(moved[1]))
    for t in sorted(there, key=lambda t: -len(there[t]))[:3]:
        back = sum(moved is not None and moved[0] == begin for moved in (move(t, g, rng) for _ in range(n)))
        expected = sum(there[t])
        error = math.sqrt(back + sum(r**2 for r in there[t]))
        assert back > 0 and abs(back - expected) < 4.0 * error


def test_visits_are_as_the_exact_posterior() -> None:
    """A grammar small enough to enumerate, data that several formulas explain: visit frequencies against the shares of
    exp(-nats), within standard errors that allow for the chain's memory."""
    from hypo.fitting.constants.fit import DescentOptions, fit
    from hypo.likelihood.base import Gaussian
    from hypo.posterior.posterior import weigh
    from hypo.scoring.score import Scorer

    rng = np.random.default_rng(3)
    X = rng.uniform(0.5, 2.0, (2, 12))
    likelihood = Gaussian(X[0] + 0.5 * X[1] + 0.6 * rng.standard_normal(12))
    scorer = Scorer(X, NAMES, likelihood, symbols=6)
    g = grammar("sin", "+ *", 5, "x + z", "x*z", "sin(x)")
    levels: dict[str, float] = {}

    def nats(t: Tree) -> float:
        k = key(t)[0]
        if k not in levels:
            levels[k] = math.inf
            if admissible(t):
                h = scorer.score(fit(formula(t), X, NAMES, likelihood, options=DescentOptions(steps=30, descents=2)))
                s = None if h is None else weigh(h, X, NAMES, likelihood)
                levels[k] = math.inf if s is None else s.nats
        return levels[k]

    known = {key(t)[0]: nats(t) for trees in every(g, 10**6) for t in trees}
    least = min(known.values())
    exact = {k: math.exp(least - v) for k, v in known.items()}
    total = sum(exact.values())
    assert len(known) > 40
    w = walk([as_tree(t) for t in ("x", "x + z", "sin(z)*x", "z*x")], g, nats, 8000, np.random.default_rng(4))
    late = [s[500:] for s in w.states]
    likely = sorted(known, key=known.__getitem__)[:12]
    assert max(exact[k] / total for k in known) < 0.5
    deviations = []
    for k in likely:
        # Means of 100 batches of 300 steps are nearly independent.
        batches = np.array([np.mean(part) for s in late for part in np.array_split(np.array([v == k for v in s]), 25)])
        error = max(batches.std(ddof=1) / math.sqrt(len(batches)), 1e-4)
        deviations.append((batches.mean() - exact[k] / total) / error)
    assert max(map(abs, deviations)) < 4.0
    assert math.sqrt(np.mean(np.square(deviations))) < 1.7
    found = report(w, {k: v for k, v in levels.items() if v < math.inf}, {"nats": levels})
    assert found is not None and found.mixed and found.rhat["nats"] < 1.05 and found.to_weights < 0.1


def test_what_chains_say_of_each_other() -> None:
    assert distance(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == 0.5
    rng = np.random.default_rng(0)
    same = rng.standard_normal((4, 1000))
    assert split_rhat(same) == pytest.approx(1.0, abs=0.01)
    # Means one standard deviation apart: variance between of 1.25 about its mean beside 1 within.
    assert split_rhat(same + np.arange(4)[:, None]) == pytest.approx(math.sqrt(1 + 8 / 7 * 1.25), abs=0.1)
    assert split_rhat(np.ones((4, 10))) == 1.0
    assert split_rhat(np.repeat(np.arange(4.0)[:, None], 10, axis=1)) == math.inf
    assert budget(10.0) == 1.5 and budget(1e4) == 3.0


@pytest.fixture(scope="module")
def noisy() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    x = rng.uniform(0.5, 2.0, 25)
    return {"x": x, "y": 1.5 * x + 0.2 + 0.3 * rng.standard_normal(25)}


@pytest.mark.slow
def test_a_result_holds_what_the_chains_met(noisy) -> None:
    one, two = (hypo.fit(noisy, "y", operators="+,*,exp", time_limit=100, workers=k) for k in (1, 2))
    p = one.posterior
    assert p is not None and p.chain is not None and two.posterior == p
    assert p.chain["chains"] == 4 and 0 < p.chain["acceptance"] < 1
    assert p.chain["visited"] <= p.chain["weighed"]
    assert "chains of" in p.covers and "every number fitted" in p.covers
    keys = {structure_key(s.expression) for s in p.structures}
    assert {structure_key(parse(t, variables=["x"])) for t in ("a*x", "a*x + b", "a*exp(x) + b")} <= keys


def test_exact_answers_wait_for_no_chain(noisy) -> None:
    exact = hypo.fit({"x": noisy["x"], "y": 2 * noisy["x"]}, "y", time_limit=30, workers=1)
    assert exact.status == "exact" and "chain" not in exact.timing


@pytest.mark.slow
def test_structures_of_the_posterior_keep_hard_rules(noisy) -> None:
    from hypo.api.inputs import make_knowledge
    from hypo.data import as_dataset
    from hypo.fitting.rule_checks import Rulebook
    from hypo.problem.problem import Settings, make_problem

    known = {"rule": [{"kind": "monotone", "variable": "x", "direction": "decreasing", "hard": True}]}
    result = hypo.fit(noisy, "y", operators="+,*,exp", knowledge=known, turns=4, workers=1)
    free = hypo.fit(noisy, "y", operators="+,*,exp", turns=4, workers=1)
    dataset, _ = as_dataset(noisy, "y")
    book = Rulebook(make_problem(dataset, make_knowledge(known, dataset), Settings()), 10.0)
    assert result.posterior is not None and free.posterior is not None
    assert all(book.keeps_hard(s.expression) for s in result.posterior.structures)
    assert not any(book.keeps_hard(s.expression) for s in free.posterior.structures[:1])
