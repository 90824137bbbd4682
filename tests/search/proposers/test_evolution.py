"""Evolution: batched fits against SciPy and loops, children that keep the grammar, recovery, determinism."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import least_squares

from hypo import Knowledge
from hypo.clock import Clock, Deadline
from hypo.data import from_arrays
from hypo.expression.parser import parse
from hypo.fitting.archive import Archive
from hypo.fitting.refiner import Refiner
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.evolution.variation import breed
from hypo.kernels.cpu.fit_batch import MAX_TERMS, fit_batch
from hypo.parallel.executor import Serial, Share, Threads, whole
from hypo.parallel.processes import Processes
from hypo.problem.exact import is_exact
from hypo.problem.problem import Settings, make_problem
from hypo.search.evolution.island import ISLAND, STANDSTILL, Island, live
from hypo.search.evolution.programs import ProgramBatch
from hypo.search.library.context import Context, Workers
from hypo.search.library.seeds import plain_library
from hypo.search.proposers import evolution as evolve
from hypo.search.proposers.base import Proposer, Turn, Workspace
from hypo.search.proposers.evolution import Evolution

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 3.0, (200, 2))


def packed(texts, columns=("x", "y")):
    """Programs of formulas; names that are no columns are free, exact numbers fixed."""
    batch = ProgramBatch.empty(len(texts))
    for k, text in enumerate(texts):
        e = parse(text, variables=columns)
        op, arg = e.arrays(columns)
        batch.op[k, : len(op)], batch.length[k] = op, len(op)
        for i, (o, a) in enumerate(zip(op, arg, strict=True)):
            if o == oc.CONST:
                batch.value[k, i], batch.arg[k, i] = e.constants[a].value, -1 if e.constants[a].free else 0
            else:
                batch.arg[k, i] = a
    return batch


def fitted(batch, rows, linear, evaluations, limit=np.inf):
    """The batch, fitted in place."""
    fit_batch(batch.programs, rows, linear, evaluations, np.full(len(batch), limit), batch.rss, batch.coef)


def setting(y, X=X, knowledge=None, executor=None, seconds=60.0, size=150, names=("x", "y"), **options):
    """An evolution over a small library, its archive and its clock."""
    settings = Settings(**options)
    dataset = from_arrays(X, y, names=list(names[: X.shape[1]]), target="t")
    problem = make_problem(dataset, knowledge, settings)
    clock = Clock(time.monotonic() + seconds)
    ctx = Context.of(problem, settings, clock, Workers.of(executor))
    library = plain_library(ctx, settings, range(len(problem.columns)))
    library.grow(size)
    workspace = Workspace(problem, settings, own_context=ctx, own_library=library)
    return Evolution(workspace), Archive(problem.X, problem.columns), clock


def turn(evolution, archive, clock, number=0, seed=0):
    return Turn(evolution.ctx.problem, archive, clock, np.random.default_rng([seed, number]), number)


def kinds(batch):
    """The formulas of a batch, as text."""
    return [
        (batch.op[k, :n].tolist(), batch.arg[k, :n].tolist(), batch.value[k, :n].tolist())
        for k, n in enumerate(batch.length)
    ]


# --- the fit ---------------------------------------------------------------------------------------------------


MODELS = [
    ("sin(a*x)", lambda p, x, y: np.sin(p[0] * x), [1.0], [1.3]),
    ("exp(a*x) + y**b", lambda p, x, y: (np.exp(p[0] * x), y ** p[1]), [1.0, 1.0], [-0.7, 1.8]),
    ("x/(a + y)", lambda p, x, y: x / (p[0] + y), [1.0], [0.4]),
    ("sin(a*x + b)*exp(c*x)", lambda p, x, y: np.sin(p[0] * x + p[1]) * np.exp(p[2] * x), [1, 1, 1], [1.4, 0.3, -0.4]),
]


@pytest.mark.parametrize(("text", "model", "start", "truth"), MODELS, ids=[m[0] for m in MODELS])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_minimum_is_that_of_scipy(text, model, start, truth, noise):
    x, y = X.T

    def terms(p):
        out = model(p, x, y)
        return [np.ones(len(x)), *(out if isinstance(out, tuple) else (out,))]

    rng = np.random.default_rng(1)
    target = sum((k + 1.5) * u for k, u in enumerate(terms(truth))) + noise * rng.standard_normal(len(x))
    root = rng.uniform(0.5, 1.5, len(x))

    def residual(p):
        lines = np.array(terms(p)).T * root[:, None]
        return target * root - lines @ np.linalg.lstsq(lines, target * root, rcond=None)[0]

    expected = least_squares(residual, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    batch = packed([text])
    fitted(batch, (np.ascontiguousarray(X.T), target, root), True, 60)
    free = batch.value[0, : batch.length[0]][(batch.op[0] == oc.CONST)[: batch.length[0]]]
    scale = np.sum((target * root) ** 2)
    assert_allclose(batch.rss[0], 2 * expected.cost, rtol=1e-3, atol=1e-16 * scale)
    if noise == 0.0:
        assert_allclose(free, truth, rtol=1e-5)
        assert_allclose(batch.coef[0, : 1 + len(terms(truth)[1:])][0], 1.5, rtol=1e-4)


def test_coefficients_go_with_the_terms_from_the_last():
    x, y = X.T
    batch = packed(["x + y*y + sin(x)"])
    fitted(batch, (np.ascontiguousarray(X.T), 4 + 1.5 * x + 2 * y**2 - 3 * np.sin(x), np.ones(len(x))), True, 1)
    assert_allclose(batch.coef[0, :4], [4, -3, 2, 1.5], rtol=1e-9)


def test_without_coefficients_a_program_is_fitted_as_it_stands():
    x, _ = X.T
    batch = packed(["a*x + b", "x*x"])
    fitted(batch, (np.ascontiguousarray(X.T), 3 * x - 1, np.ones(len(x))), False, 20)
    assert_allclose(batch.rss, [0.0, np.sum((3 * x - 1 - x**2) ** 2)], atol=1e-12)


@pytest.mark.slow
def test_invalid_empty_and_overlong_programs_have_infinite_sums():
    long_sum = " + ".join(f"x**{k}.5" for k in range(MAX_TERMS + 1))
    batch = packed(["log(x - 10)", "1/(x - x)", long_sum, "x"])
    batch.length[3] = 0
    fitted(batch, (np.ascontiguousarray(X.T), X[:, 0], np.ones(len(X))), True, 5)
    assert np.all(np.isinf(batch.rss))


def test_a_batch_is_its_programs_one_by_one():
    texts = [m[0] for m in MODELS]
    rows = (np.ascontiguousarray(X.T), np.sin(X[:, 0]) + X[:, 1], np.ones(len(X)))
    together = packed(texts)
    fitted(together, rows, True, 8)
    for k, text in enumerate(texts):
        alone = packed([text])
        fitted(alone, rows, True, 8)
        assert_array_equal(alone.value[0], together.value[k])
        assert alone.rss[0] == together.rss[k]


def test_a_program_above_its_limit_is_given_up():
    rows = (np.ascontiguousarray(X.T), np.sin(3.3 * X[:, 0]) + X[:, 1], np.ones(len(X)))
    sums = []
    for limit in (np.inf, 0.0):
        batch = packed(["sin(a*x)*b**y"])
        fitted(batch, rows, True, 30, limit)
        sums.append(batch.rss[0])
    assert sums[0] < sums[1] < np.inf


# --- variation -------------------------------------------------------------------------------------------------


def children(evolution, rounds=4):
    """Formulas bred over a few rounds."""
    evolution._settle([])
    state = np.array([7], np.uint64)
    parents, score = ProgramBatch.empty(300), np.zeros(300)
    for k in range(rounds):
        batch = ProgramBatch.empty(300)
        breed(evolution.world.grammar, state, parents.programs, score, 0, 0 if k == 0 else len(parents), batch.programs)
        parents = batch.take(np.flatnonzero(batch.length > 0))
        score = np.zeros(len(parents))
    parents.coef[:] = 1.5
    return [evolution._formula(parents, k) for k in range(len(parents))]


def test_children_keep_operators_nesting_and_size():
    knowledge = Knowledge.from_dict(
        {
            "grammar": {
                "operators": ["+", "*", "sin", "exp", "sqrt"],
                "max_complexity": 15,
                "nesting": {"sin": ["sin", "exp"]},
            }
        }
    )
    evolution, *_ = setting(X[:, 0], knowledge=knowledge)
    formulas = children(evolution)
    assert len(set(map(str, formulas))) > 150
    for e in formulas:
        rules = {v.rule for v in knowledge.violations(e, "t")}
        assert rules <= {"max_complexity"}, str(e)
        assert len(e) <= 17


def test_children_have_consistent_dimensions():
    knowledge = Knowledge.from_dict({"units": {"x": "m", "y": "s", "t": "m/s"}})
    evolution, *_ = setting(X[:, 0] / X[:, 1], knowledge=knowledge)
    formulas = children(evolution)
    assert len(set(map(str, formulas))) > 150
    assert [str(e) for e in formulas if knowledge.violations(e, "t")] == []


def test_without_fitted_constants_there_are_none():
    evolution, *_ = setting(X[:, 0], fit_constants=False)
    formulas = children(evolution)
    assert len(set(map(str, formulas))) > 100
    assert not any(e.free for e in formulas)


# --- the proposer ----------------------------------------------------------------------------------------------


LAWS = {
    "product of sines": lambda x, y: 2 - 2.1 * np.cos(3.8 * x) * np.sin(1.3 * y),
    "polynomial and sine": lambda x, y: x**3 - 2.1 * x**2 + 0.4 * x + np.sin(1.3 * x * y),
    "ratio": lambda x, y: (x + 1.3) / (y**2 + 2.1 * x + 0.7),
}


@pytest.mark.parametrize("law", LAWS)
def test_laws_beyond_the_scans_are_found(law):
    y = LAWS[law](*X.T)
    evolution, archive, clock = setting(y)
    refiner = Refiner(evolution.ctx.problem, Settings(), archive, clock)
    with np.errstate(all="ignore"):
        for number in range(10):
            for e in evolution.propose(turn(evolution, archive, clock, number)):
                refiner.consider(e)
                if is_exact(archive.best, evolution.ctx.problem):
                    return
    raise AssertionError(str(archive.best.expression))


def small(monkeypatch):
    monkeypatch.setattr(evolve, "GENERATIONS", 6)


def test_equal_seeds_give_equal_proposals_with_any_number_of_threads(monkeypatch):
    small(monkeypatch)
    y = LAWS["ratio"](*X.T)

    def proposals(executor, seed=0):
        evolution, archive, clock = setting(y, executor=executor)
        found = [str(e) for n in range(2) for e in evolution.propose(turn(evolution, archive, clock, n, seed))]
        return found, clock.scored

    with Threads(3) as executor:
        threaded = proposals(executor)
    assert proposals(None) == threaded
    assert proposals(None, seed=1) != threaded
    assert threaded[1] == 12 * ISLAND * len(evolve.SIZES)


def test_an_island_lives_by_itself_wherever_it_does():
    """State in, state out: the island given stays as it is, and processes, threads and this one make the same of it."""
    evolution, *_ = setting(LAWS["ratio"](*X.T))
    evolution._settle([])
    stays = [(Island(size), 3 + size, 2) for size in (12, 26)]
    late = Deadline(time.monotonic() + 100)
    with Threads(2) as threads, Processes(1) as processes:
        found = [list(executor.map(live, stays, evolution.world, late)) for executor in (Serial(), threads, processes)]
    assert all(island.alive == 0 for island, *_ in stays)
    for (island, fitted), *others in zip(*found, strict=True):
        assert island.alive > 10 and fitted == 2 * ISLAND
        assert np.all(np.diff(island.score[: island.alive]) >= 0)
        for other, _ in others:
            assert_array_equal(other.score, island.score)
            for a, b in zip(
                other.individuals.arrays + other.elite.arrays,
                island.individuals.arrays + island.elite.arrays,
                strict=True,
            ):
                assert_array_equal(a, b)


def test_an_island_without_progress_begins_anew():
    evolution, *_ = setting(LAWS["ratio"](*X.T))
    evolution._settle([parse("x*y"), parse("x + y")])
    island = evolution.islands[0]
    assert island.alive == 2
    for _ in range(STANDSTILL + 1):
        island.settle(ProgramBatch.empty(1), evolution.world)
    assert island.alive == 0
    assert np.isfinite(island.elite.rss).any()


def test_all_shares_of_a_search_keep_all_islands():
    assert isinstance(whole(Share(Serial(), 1, 2)), Serial)
    assert isinstance(whole(Serial()), Serial)


def test_no_formula_is_proposed_twice_and_few_in_a_turn(monkeypatch):
    small(monkeypatch)
    evolution, archive, clock = setting(LAWS["ratio"](*X.T))
    for number in range(2):
        found = [str(e) for e in evolution.propose(turn(evolution, archive, clock, number))]
        assert 0 < len(found) <= evolve.YIELDED
        assert len(set(found)) == len(found)


def test_hypotheses_of_the_archive_are_parents(monkeypatch):
    monkeypatch.setattr(evolve, "GENERATIONS", 1)
    x, y = X.T
    target = 3 * np.sin(2.7 * x * y + 0.3) / (x + 0.9) + 0.01 * x
    evolution, archive, clock = setting(target)
    seed = parse("3.0*sin(2.69*x*y + 0.31)/(x + 0.9)")
    archive.add(evolution.scorer.score(seed), 0)
    best = next(evolution.propose(turn(evolution, archive, clock)))
    values = evolution.scorer.score(best)
    assert values.rmse < 0.02


def test_guesses_are_parents(monkeypatch):
    monkeypatch.setattr(evolve, "GENERATIONS", 1)
    x, y = X.T
    guess = "a*sin(2.69*x*y + b)/(x + c)"
    evolution, archive, clock = setting(3 * np.sin(2.7 * x * y + 0.3) / (x + 0.9) + 0.01 * x, guesses=(guess,))
    best = next(evolution.propose(turn(evolution, archive, clock)))
    assert evolution.scorer.score(best).rmse < 0.02


def test_formulas_do_not_interpolate():
    rows = np.linspace(1, 2, 8)[:, None]
    evolution, archive, clock = setting(RNG.standard_normal(8), X=rows)
    for e in evolution.propose(turn(evolution, archive, clock)):
        assert len(e.free) <= 4


def test_an_expired_clock_ends_the_turn():
    evolution, archive, clock = setting(X[:, 0], seconds=-1.0)
    begin = time.monotonic()
    list(evolution.propose(turn(evolution, archive, clock)))
    assert time.monotonic() - begin < 2.0


def test_it_is_a_proposer_of_constant_cost():
    evolution, *_ = setting(X[:, 0])
    assert isinstance(evolution, Proposer)
    assert 0.5 < evolution.cost == evolve.GENERATIONS * len(evolve.SIZES) * ISLAND * evolve.SECONDS_EACH < 3.0
    lame, *_ = setting(X[:, 0], operators=("sin",))
    assert lame.cost == np.inf


@pytest.mark.parametrize(
    "options",
    [
        {"operators": ("*", "/", "sin")},
        {"operators": ("+", "-")},
        {"fit_constants": False},
        {"max_complexity": 5},
        {"knowledge": {"units": {"x": "m", "y": "s", "t": "m"}, "constants": {"c": {"value": 3.0, "unit": "m/s"}}}},
    ],
    ids=["no sums", "sums only", "no constants", "short", "units"],
)
def test_any_grammar_gives_formulas_within_it(monkeypatch, options):
    small(monkeypatch)
    knowledge = options.get("knowledge")
    knowledge = None if knowledge is None else Knowledge.from_dict(knowledge)
    options = {k: v for k, v in options.items() if k != "knowledge"}
    evolution, archive, clock = setting(X[:, 0] + 0.2 * X[:, 1], knowledge=knowledge, **options)
    found = list(evolution.propose(turn(evolution, archive, clock)))
    assert found
    for e in found:
        assert not evolution.ctx.problem.knowledge.violations(e, "t"), str(e)
        assert len(e) <= options.get("max_complexity", 60) + 2
