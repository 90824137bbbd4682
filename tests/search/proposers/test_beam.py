"""Chains of peels: the kernel against slow fits, the compact library, and laws behind several peels."""

import time
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hypo.checks import NO_LIMIT
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.edits import spellings as rewrite
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.archive import Archive
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.many_targets import best_pair, judge
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.compact import compact_library
from hypo.search.library.context import Context, LibraryView
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.proposers.beam import Beam, TurnPlan
from hypo.search.proposers.library_scan import Scanner
from hypo.search.scan.peels import LINK, SUM, Peeling
from hypo.search.scan.targets import LINKS, Target, links

SETTINGS = Settings(time_limit=NO_LIMIT, posterior=False)


def data(law, columns, n=400, seed=0):
    X = np.random.default_rng(seed).uniform(1.0, 3.0, (n, len(columns)))
    return X, Program.of(parse(law, variables=columns), columns).value(X.T)


def context(law, columns, settings=SETTINGS, knowledge=None, clock=None):
    X, y = data(law, columns)
    problem = make_problem(from_arrays(X, y, names=columns, target="target"), knowledge, settings)
    return Context.of(problem, settings, clock or Clock())


def proposer(ctx, settings=SETTINGS):
    workspace = Workspace(ctx.problem, settings, own_context=ctx)
    return Beam(workspace.beside(Scanner(workspace).state))


def turn(ctx, number=0):
    p = ctx.problem
    return Turn(p, Archive(p.X, p.columns), ctx.clock, np.random.default_rng(0), number)


def unit(rng, n, rank, n_row):
    rows = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n_row)) + 0.3 * rng.standard_normal((n, n_row))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def left(F, t, chosen, w):
    A = F[list(chosen)].T
    return float(np.sum((w * (t - A @ np.linalg.lstsq(A, t, rcond=None)[0])) ** 2))


# --- the kernel -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_judge_against_slow_fits(seed):
    rng = np.random.default_rng(seed)
    F, T = unit(rng, 25, 4, 40), unit(rng, 6, 5, 40)
    W = rng.uniform(0.1, 2.0, T.shape)
    gram = F @ F.T
    terms, rss = np.empty((6, 4, 4), np.int64), np.empty((6, 4))
    judge(F, gram, gram.astype(np.float32), T @ F.T, T, W, terms, rss)
    one = np.ones(40)
    for t in range(6):
        single = min(range(25), key=lambda i: left(F, T[t], [i], one))
        pair = min(((i, j) for i in range(25) for j in range(i)), key=lambda p: left(F, T[t], p, one))
        assert terms[t, 0, 0] == single
        assert set(terms[t, 1, :2]) == set(pair)
        chosen = list(pair)
        for k in (2, 3):
            chosen.append(
                min((f for f in range(25) if f not in chosen), key=lambda f: left(F, T[t], [*chosen, f], one))
            )
            assert set(terms[t, k, : k + 1]) == set(chosen)
        for k in range(4):
            assert np.all(terms[t, k, k + 1 :] == -1)
            assert_allclose(rss[t, k], left(F, T[t], terms[t, k, : k + 1], W[t]), rtol=1e-9)


def test_an_exact_sum_ends_the_growth():
    rng = np.random.default_rng(0)
    F = unit(rng, 20, 6, 50)
    t = 2.0 * F[3] - F[11]
    t /= np.linalg.norm(t)
    gram = F @ F.T
    terms, rss = np.empty((1, 5, 5), np.int64), np.empty((1, 5))
    judge(F, gram, gram.astype(np.float32), (F @ t)[None], t[None], np.ones((1, 50)), terms, rss)
    assert set(terms[0, 1, :2]) == {3, 11}
    assert rss[0, 1] < 1e-24
    assert np.all(terms[0, 2:] == -1) and np.all(np.isinf(rss[0, 2:]))


def test_collinear_rows_are_no_pair():
    row = np.ones(10) / np.sqrt(10.0)
    gram = np.ones((3, 3))
    assert best_pair(gram, gram.astype(np.float32), np.array([row @ row] * 3)) == (-1, -1)


# --- the compact library ----------------------------------------------------------------------------------------


def test_products_of_many_variables_come_early():
    ctx = context("a*b + c*d", ("a", "b", "c", "d"))
    library, rank, monomial = compact_library(ctx, range(4), 2400)
    formulas = [str(library.expression(k)) for k in range(library.count)]
    assert len(set(formulas)) == len(formulas) == len(rank) == len(monomial) <= 2400
    assert {"a*b/c**2", "a**2 - b**2", "1 - cos(a)", "sqrt(a**2 + b**2)", "a*cos(b)"} <= set(formulas)
    assert monomial[formulas.index("a*b/c**2")] and not monomial[formulas.index("1 - cos(a)")]
    values = library.evaluate(np.arange(library.count), np.ascontiguousarray(ctx.X[:, ctx.probe]))
    assert_allclose(values, library.values[: library.count], rtol=1e-6)


def test_only_allowed_operators():
    ctx = context("a*b", ("a", "b"), Settings(operators=("+", "*")))
    library, _, _ = compact_library(ctx, range(2), 200)
    assert all(set(str(library.expression(k))) <= set("ab+*() 12") for k in range(library.count))
    assert all(
        op in (oc.VAR, oc.CONST, oc.ADD, oc.MUL) for k in range(library.count) for op, _ in library.expression(k).code
    )


# --- chains -----------------------------------------------------------------------------------------------------


def two_steps(ctx, start, free=True):
    library, rank, _ = compact_library(ctx, range(len(ctx.problem.columns)), 60)
    view = LibraryView(library, ctx.X, library.count, 50)
    order = np.argsort(rank[view.members], kind="stable")
    factors = order[np.all(view.values[order] != 0, axis=1)]
    peeling = Peeling(view, order[:10], factors[:12], ctx.problem.allowed, free)
    found = []
    level = peeling.start(start, ctx.probe)
    for peels in peeling.expand(level):
        found += [(peeling, peels, k) for k in range(len(peels))]
        for deeper in peeling.expand(peels.take(np.arange(0, len(peels), 5))):
            found += [(peeling, deeper, k) for k in range(0, len(deeper), 17)]
    return found


def test_chains_on_probe_and_racing_rows_agree_and_lead_back():
    ctx = context("0.2 + 0.1*a*b", ("a", "b"))
    start = Target(ctx.y, None)
    checked, kinds = 0, set()
    for peeling, peels, k in two_steps(ctx, start):
        t = peeling.target(peels, k, start)
        if t is None:
            continue
        assert_allclose(peels.values[k], t.values[ctx.probe], rtol=1e-9, atol=1e-9 * np.max(np.abs(t.values)))
        assert peels.size[k] == sum(1 + (0 if s.operand is None else len(s.operand)) for s in t.steps)
        e = t.wrap(parse("t", variables=("t",)))
        X = np.vstack([ctx.X, t.values])
        assert_allclose(Program.of(e, ("a", "b", "t")).value(X), ctx.y, rtol=1e-6)
        # |dy/dt| by differences.
        h = 1e-6 * np.abs(t.values)
        up, down = (Program.of(e, ("a", "b", "t")).value(np.vstack([ctx.X, t.values + s * h])) for s in (1, -1))
        with np.errstate(all="ignore"):
            rate = np.abs(up - down) / (2 * h)
        good = np.isfinite(rate) & (h * rate > 1e-9)
        probe = ctx.probe[good[ctx.probe]]
        assert_allclose(peels.slope[k][good[ctx.probe]], rate[probe], rtol=1e-3)
        checked += 1
        kinds.add(int(peels.kind[k]))
    assert checked > 60 and len(kinds) == 3


def test_links_of_the_table_are_the_links_of_a_target():
    y = np.linspace(0.05, 0.95, 30)
    found = [t.steps for t in links(Target(y, 0), frozenset(parse_all()))]
    defined = [k for k in LINKS if k.defined(y)]
    assert [tuple(s.op for s in steps) for steps in found] == [tuple(s.op for s in k.steps(30)) for k in defined]


def parse_all():
    from hypo.expression.operators import OPERATORS

    return [row.name for row in OPERATORS]


def test_units_are_kept():
    knowledge = Knowledge.from_dict({"units": {"target": "m", "a": "m", "b": "m", "c": "s"}})
    ctx = context("sqrt(a**2 + b**2) + 0.1*a", ("a", "b", "c"), knowledge=knowledge)
    p = ctx.problem
    start = Target(ctx.y, p.pack(p.target_dimension))
    seen = 0
    for peeling, peels, k in two_steps(ctx, start, free=False):
        t = peeling.target(peels, k, start)
        assert t is None or t.dimension == peels.dimension[k]
        if peels.before is None or peels.before.before is not None:
            continue
        seen += 1
        step = int(peels.step[k])
        if peels.kind[k] == SUM and step // 2 < len(peeling.view.members):
            assert peeling.view.dims[step // 2] == start.dimension
        if peels.kind[k] == LINK:
            assert LINKS[step].power is not None
    assert seen
    for e in proposer(ctx).propose(turn(ctx)):
        assert not any(v.hard for v in p.knowledge.violations(e, p.target))


# --- the proposer -----------------------------------------------------------------------------------------------

# A product of powers is divided out and c taken away before a product is left.
DEEP = "a/b**2*(c - 0.3*a*b**3/(a**2 + b**2)**1.5)"


@pytest.mark.slow
def test_reaches_a_law_behind_two_peels_that_scans_do_not():
    X, y = data(DEEP, ("a", "b", "c"), n=1000)
    problem = make_problem(from_arrays(X, y, names=("a", "b", "c"), target="target"), None, SETTINGS)
    few = replace(SETTINGS, library_sizes=(250, 1000))
    scans = search(problem, replace(few, proposers=("library",), turns=2))
    assert scans.best.rmse > 1e-6 * np.std(y)
    found = search(problem, replace(few, proposers=("beam",)))
    assert found.best.rmse < 1e-10 * np.std(y)


@pytest.mark.slow
def test_equal_searches_give_equal_formulas(monkeypatch):
    # As the turns of a search, with fewer targets.
    rounds = (TurnPlan(0.5, 20, 100, (), 200, 20), TurnPlan(1.0, 20, 100, (4000, 2000), 200, 40))
    monkeypatch.setattr("hypo.search.proposers.beam.ROUNDS", rounds)
    texts = []
    for _ in range(2):
        ctx = context(DEEP, ("a", "b", "c"))
        beam = proposer(ctx)
        texts.append([str(e) for number in range(2) for e in beam.propose(turn(ctx, number))])
    assert texts[0] and texts[0] == texts[1]


def test_later_turns_cost_more_and_end():
    ctx = context("a*b", ("a", "b"))
    beam = proposer(ctx)
    costs = []
    while beam.cost < np.inf:
        costs.append(beam.cost)
        beam._turn += 1
    assert costs == sorted(costs) and 0 < costs[0] <= 1.0


def test_stops_at_the_deadline():
    clock = Clock()
    ctx = context("a*sin(b)/c + exp(a/d) + log(b + d)", ("a", "b", "c", "d"), clock=clock)
    beam = proposer(ctx)
    list(beam.propose(turn(ctx)))
    beam._turn = 3
    clock.deadline = time.monotonic() + 0.3
    begin = time.monotonic()
    list(beam.propose(turn(ctx, 1)))
    assert time.monotonic() - begin < 3.0


def test_high_powers_are_not_factored(monkeypatch):
    import sympy

    monkeypatch.setattr(sympy, "factor", lambda *_: pytest.fail("factored"))
    e = parse("(a + b)**32.25/a**21 - 1/b", variables=("a", "b"))
    assert list(rewrite.spellings(e)) == []
