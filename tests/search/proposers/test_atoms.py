"""Functions with a constant inside, peeled targets and their weights, quotients of sums."""

from collections.abc import Callable
from itertools import islice, product

import numpy as np
import pytest

import hypo
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.fitting.archive import Archive
from hypo.kernels import opcodes as oc
from hypo.problem.problem import DEFAULT_OPERATORS, Settings, make_problem
from hypo.search.library.context import Context, LibraryView, first_order
from hypo.search.library.seeds import plain_library
from hypo.search.proposers import atoms as module
from hypo.search.proposers.atoms import BUILT, Atoms, _make_atoms
from hypo.search.proposers.base import Schedule, Workspace
from hypo.search.scan.quotients import quotients
from hypo.search.scan.targets import Step, Target, links, peels

pytestmark = pytest.mark.usefixtures("one_thread")


Law = Callable[..., np.ndarray]
RNG = np.random.default_rng(30)


def context(X: np.ndarray, y: np.ndarray, names: tuple[str, ...]) -> tuple[Context, Settings]:
    """The context of a search; X is (n_row, n_var)."""
    settings = Settings(posterior=False)
    problem = make_problem(from_arrays(X, y, names=list(names)), None, settings)
    return Context.of(problem, settings, Clock(), None), settings


# --- atoms ------------------------------------------------------------------------------------------------------

ARGUMENTS = {
    "positive": RNG.uniform(0.3, 4.0, 80),
    "negative": RNG.uniform(-4.0, -0.3, 80),
    "either sign": RNG.uniform(-2.0, 5.0, 80),
    "far and narrow": RNG.uniform(1000.0, 1001.0, 80),
    "small": RNG.uniform(0.0, 1e-6, 80),
}
PER_FUNCTION = {"exp": 37, "sin": 160, "tanh": 15, "/": 10, "log": 5}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_atoms_have_the_values_of_their_formulas(name: str) -> None:
    x = ARGUMENTS[name]
    # Values may overflow, as in the engine, where such atoms are left out.
    with np.errstate(over="ignore"):
        atoms = list(_make_atoms(Expression.variable("x"), x, frozenset(DEFAULT_OPERATORS)))
    assert len(atoms) == sum(PER_FUNCTION.values()) + (14 if np.all(x > 0) else 0)
    assert len({str(e) for e, _, _ in atoms}) == len(atoms)
    # Rounding of u·c is as large as its size: relative to that the values agree.
    size = float(np.abs(x).max() / np.ptp(x))
    for e, values, _ in atoms:
        assert e.free
        if not np.all(np.isfinite(values)):
            continue
        np.testing.assert_allclose(evaluate(e, x[:, None], ("x",)), values, rtol=1e-12 * size, atol=1e-13 * size)


def test_atoms_of_formulas_have_the_values_of_the_whole() -> None:
    X = RNG.uniform(0.5, 2.0, (40, 2))
    u = Expression.variable("a") * Expression.variable("b") ** 2
    values = X[:, 0] * X[:, 1] ** 2
    for e, got, _ in _make_atoms(u, values, frozenset(DEFAULT_OPERATORS)):
        np.testing.assert_allclose(evaluate(e, X, ("a", "b")), got, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("function", PER_FUNCTION)
def test_functions_not_allowed_make_no_atoms(function: str) -> None:
    x = ARGUMENTS["either sign"]
    atoms = list(_make_atoms(Expression.variable("x"), x, frozenset(DEFAULT_OPERATORS) - {function}))
    assert len(atoms) == sum(PER_FUNCTION.values()) - PER_FUNCTION[function]


@pytest.mark.parametrize("k", range(8))
def test_grids_are_close_enough_for_a_fit(k: int) -> None:
    """Some atom explains most of a function whose constants lie anywhere between those of the grid."""
    rng = np.random.default_rng(100 + k)
    x = rng.uniform(0.0, 1.0, 300)
    values = np.array([v for _, v, _ in _make_atoms(Expression.variable("x"), x, frozenset(DEFAULT_OPERATORS))])
    values = values[np.all(np.isfinite(values), axis=1)]
    unit = values - values.mean(axis=1, keepdims=True)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    c, d = rng.uniform(1.0, 10.0), rng.uniform(0.2, 0.8)
    for y in (
        np.exp(-c * x),
        np.sin(4 * c * x + 6 * d),
        np.tanh(c * (x - d)),
        np.exp(-4 * c * (x - d) ** 2),
        1 / (x + d),
    ):
        v = (y - y.mean()) / np.linalg.norm(y - y.mean())
        assert np.max(np.abs(unit @ v)) ** 2 > 0.6


LAWS: dict[str, tuple[Law, float, float]] = {
    "damped sine": (lambda t: 2.3 * np.exp(-0.37 * t) * np.sin(1.9 * t + 0.4), 0.0, 6.0),
    "logistic": (lambda t: 4.2 / (1 + np.exp(-1.7 * (t - 3.3))), 0.0, 8.0),
    "shifted pole": (lambda t: 2.9 + 3.1 / (5.27 - t), 0.0, 5.0),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_with_constants_inside_are_found(name: str) -> None:
    law, low, high = LAWS[name]
    t = np.random.default_rng(31).uniform(low, high, 500)
    found = hypo.fit((t[:, None], law(t)), features=["t"], time_limit=60, workers=1)
    assert found.status == "exact" and found.best is not None
    fresh = np.linspace(low, high, 101)
    got = evaluate(found.best.expression, fresh[:, None], ("t",))
    np.testing.assert_allclose(got, law(fresh), rtol=1e-8, atol=1e-9)


def test_the_proposer_finds_a_bell_among_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIED", 60)
    rng = np.random.default_rng(32)
    X = rng.uniform(0.0, 10.0, (300, 1))
    truth = 0.8 + 2.0 * np.exp(-0.9 * (X[:, 0] - 6.3) ** 2)
    noise = 0.03 * rng.standard_normal(300)
    ctx, settings = context(X, truth + noise, ("x",))
    atoms = Atoms(Workspace(ctx.problem, settings, own_context=ctx, own_library=plain_library(ctx, settings, [0])))
    schedule = Schedule(0)
    schedule.add(atoms)
    turn = schedule.turn(atoms, ctx.problem, Archive(ctx.problem.X, ctx.problem.columns), ctx.clock)
    with np.errstate(all="ignore"):
        # What comes of the first scan, that of sums.
        proposed = list(islice(atoms.propose(turn), BUILT))
        left = [np.std(evaluate(e, X, ("x",)) - truth - noise) for e in proposed]
    # Three to five parameters on 300 rows: about 1 % above the noise itself.
    assert min(left) < 1.05 * np.std(noise)


def test_a_sum_of_atoms_behind_a_peel_is_found() -> None:
    """x/(exp(c·x) − 1): x over it is a sum of an atom and a constant, far from any atom as long as c is off."""
    x = np.random.default_rng(33).uniform(0.05, 20.0, (400, 1))
    law = x[:, 0] / np.expm1(0.173 * x[:, 0])
    ctx, settings = context(x, law, ("x",))
    atoms = Atoms(Workspace(ctx.problem, settings, own_context=ctx, own_library=plain_library(ctx, settings, [0])))
    schedule = Schedule(0)
    schedule.add(atoms)
    left = []
    for _ in range(3):
        turn = schedule.turn(atoms, ctx.problem, Archive(ctx.problem.X, ctx.problem.columns), ctx.clock)
        with np.errstate(all="ignore"):
            left += [np.max(np.abs(evaluate(e, x, ("x",)) / law - 1)) for e in atoms.propose(turn)]
    assert min(left) < 1e-9


# --- targets ----------------------------------------------------------------------------------------------------


def forward(t: Target, values: np.ndarray) -> np.ndarray:
    """y from values of the peeled target, by its formula."""
    return np.asarray(evaluate(t.wrap(Expression.variable("t")), np.column_stack([values, X3]), ("t", "a", "b", "c")))


X3 = RNG.uniform(0.2, 0.9, (60, 3))
MEMBERS = [
    (Expression.variable("a"), X3[:, 0], 0),
    (Expression.variable("b") * Expression.variable("c"), X3[:, 1] * X3[:, 2], 0),
]
EVERY = frozenset({*DEFAULT_OPERATORS, "tan", "atan", "sinh", "cosh"})


def chains(start: Target) -> list[Target]:
    """The target behind links, peels, and links after peels."""
    peeled = list(peels(start, MEMBERS, EVERY, True))
    return [*links(start, EVERY), *peeled, *(u for p in peeled for u in links(p, EVERY))]


Y = X3[:, 0] * 0.5 + 0.4 * X3[:, 1] ** 2
WEIGHTED = chains(Target(Y, None, weighted=True))


def test_there_are_many_chains() -> None:
    assert len(WEIGHTED) > 40
    assert {s.op for t in WEIGHTED for s in t.steps} >= {
        oc.INV,
        oc.SQRT,
        oc.EXP,
        oc.LOG,
        oc.SIN,
        oc.ADD,
        oc.SUB,
        oc.MUL,
    }


def test_steps_lead_back_to_the_target() -> None:
    for t in WEIGHTED:
        np.testing.assert_allclose(forward(t, t.values), Y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("log", [False, True])
def test_weights_are_the_slope_of_the_way_back(log: bool) -> None:
    root = RNG.uniform(0.5, 2.0, len(Y))
    for t in WEIGHTED:
        # Four points, other steps than the module's: errors of fourth order.
        h = 1e-3 * np.minimum(np.abs(t.values), 0.01)
        f = {k: forward(t, t.values + k * h) for k in (-2, -1, 1, 2)}
        slope = np.abs(f[-2] - 8 * f[-1] + 8 * f[1] - f[2]) / (12 * h) * (np.abs(t.values) if log else 1.0)
        linear = not log and all(s.op in (oc.ADD, oc.SUB) and s.operand is not None for s in t.steps)
        want = root if linear else root * np.maximum(slope / slope.max(), 1e-4)
        np.testing.assert_allclose(
            t.fit_root(root, log), want, rtol=1e-5, err_msg=str(t.wrap(Expression.variable("t")))
        )


def test_without_weights_and_without_steps_roots_stay() -> None:
    root = RNG.uniform(0.5, 2.0, len(Y))
    for t in chains(Target(Y, None)):
        assert t.fit_root(root, False) is root
    assert Target(Y, None, weighted=True).fit_root(root, False) is root


def test_first_order_keeps_every_row() -> None:
    np.testing.assert_allclose(first_order(np.array([4.0, 1.0, 0.0, np.nan, np.inf])), [1.0, 0.25, 1e-4, 1e-4, 1e-4])
    np.testing.assert_array_equal(first_order(np.zeros(3)), np.ones(3))


def test_first_order_weights_make_an_efficient_fit() -> None:
    """y = exp(α·x) + noise, fitted as log y: with weights the spread of α comes down to what Fisher's information allows."""
    x = np.linspace(0.0, 3.0, 400)
    rng = np.random.default_rng(33)
    sigma, alpha = 0.1, 1.0
    plain, weighted = [], []
    for _ in range(200):
        y = np.exp(alpha * x) + sigma * rng.standard_normal(400)
        t = Target(np.log(y), 0, (Step(oc.EXP),), weighted=True)
        for w, out in ((np.ones(400), plain), (t.fit_root(np.ones(400), False), weighted)):
            out.append(float((w * x) @ (w * t.values) / ((w * x) @ (w * x))))
    bound = sigma / np.sqrt(np.sum((x * np.exp(alpha * x)) ** 2))
    # 200 repetitions tell a spread to 5 %.
    assert np.std(weighted) == pytest.approx(bound, rel=0.2)
    assert np.std(plain) > 1.6 * bound
    assert abs(np.mean(weighted) - alpha) < 4 * bound


def test_noisy_values_go_along_through_linear_steps_only() -> None:
    noisy = Y + 0.01 * RNG.standard_normal(len(Y))
    start = Target(Y, None, noisy=noisy)
    for t in peels(start, MEMBERS, EVERY, True):
        assert t.noisy is not None and t.fitted is t.noisy
        np.testing.assert_allclose(forward(t, t.noisy), noisy, rtol=1e-12, atol=1e-14)
        for again in peels(t, MEMBERS, EVERY, True):
            assert again.noisy is not None
            np.testing.assert_allclose(forward(again, again.noisy), noisy, rtol=1e-11, atol=1e-13)
        assert all(u.noisy is None and u.fitted is u.values for u in links(t, EVERY))


# --- quotients --------------------------------------------------------------------------------------------------

QUOTIENTS: dict[str, Law] = {
    "(a + bx + cz)/(1 + dw²)": lambda x, z, w: (1.3 + 2.1 * x - 0.7 * z) / (1 + 0.37 * w**2),
    "(a + bx + cz)/(1 + dx²)": lambda x, z, w: (1.3 + 2.1 * x - 0.7 * z) / (1 + 0.37 * x**2),
    "(a + bxz)/(1 + cx + dw)": lambda x, z, w: (0.4 + 1.1 * x * z) / (1 + 0.6 * x + 2.3 * w),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_quotient_of_sums_is_among_those_proposed(name: str) -> None:
    X = np.random.default_rng(34).uniform(0.5, 4.0, (400, 3))
    law = QUOTIENTS[name]
    y = law(*X.T)
    ctx, settings = context(X, y, ("x", "z", "w"))
    library = plain_library(ctx, settings, range(3))
    library.grow(250)
    with np.errstate(all="ignore"):
        proposed = list(quotients(ctx, LibraryView(library, ctx.X, 250, 40), Target(ctx.y, None)))
    fresh = np.random.default_rng(35).uniform(0.5, 4.0, (100, 3))
    errors = [np.max(np.abs(evaluate(e, fresh, ("x", "z", "w")) - law(*fresh.T))) for e in proposed]
    assert min(errors) < 1e-9


def test_quotients_need_division() -> None:
    X = np.random.default_rng(34).uniform(0.5, 4.0, (60, 1))
    settings = Settings(operators=("+", "*"))
    problem = make_problem(from_arrays(X, 1 / (1 + X[:, 0]), names=["x"]), None, settings)
    ctx = Context.of(problem, settings, Clock(), None)
    library = plain_library(ctx, settings, [0])
    library.grow(20)
    assert list(quotients(ctx, LibraryView(library, ctx.X, 20, 40), Target(ctx.y, None))) == []


def test_a_quotient_of_sums_is_found_exactly() -> None:
    X = np.random.default_rng(36).uniform(0.5, 4.0, (500, 3))
    law = QUOTIENTS["(a + bx + cz)/(1 + dw²)"]
    found = hypo.fit((X, law(*X.T)), features=["x", "z", "w"], time_limit=20, workers=1)
    assert found.status == "exact" and found.best is not None
    corners = np.array(list(product([0.1, 9.0], repeat=3)))
    np.testing.assert_allclose(evaluate(found.best.expression, corners, ("x", "z", "w")), law(*corners.T), rtol=1e-9)
