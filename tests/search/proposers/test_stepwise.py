"""Long sums: elimination and selection against plain least squares, and laws of many terms end to end."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hypo
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.operators import BY_OPCODE
from hypo.expression.program import evaluate
from hypo.fitting.archive import Archive
from hypo.kernels.opcodes import FIRST_UNARY, POW
from hypo.problem.problem import Settings, make_problem
from hypo.search.library.context import Context
from hypo.search.library.seeds import plain_library
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.proposers.stepwise import MOST_TERMS, Stepwise, eliminate_backward, select_forward, write_sum

pytestmark = pytest.mark.usefixtures("one_thread", "no_numpy_noise")


def squares(A: np.ndarray, t: np.ndarray, kept: list[int]) -> tuple[float, np.ndarray]:
    """What plain least squares leave, and the coefficients."""
    c = np.linalg.lstsq(A[kept].T, t, rcond=None)[0]
    return float(np.sum((t - c @ A[kept]) ** 2)), c


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.floats(0.0, 0.95))
@settings(deadline=None, max_examples=60)
def test_elimination_takes_the_term_that_costs_least(seed: int, n_term: int, alike: float) -> None:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(40)
    A = (alike * common + (1 - alike) * rng.standard_normal((n_term, 40))) * 10.0 ** rng.uniform(-3, 3, (n_term, 1))
    t = rng.standard_normal(40)
    left = list(range(n_term))
    for kept, coefficients in eliminate_backward(A, t):
        assert list(kept) == left
        _, c = squares(A, t, left)
        np.testing.assert_allclose(
            coefficients * np.linalg.norm(A[kept], axis=1), c * np.linalg.norm(A[kept], axis=1), rtol=1e-6, atol=1e-8
        )
        if len(left) > 1:
            without = [squares(A, t, [k for k in left if k != j])[0] for j in left]
            left = [k for k in left if k != left[int(np.argmin(without))]]
        else:
            left = []
    assert not left


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
@settings(deadline=None, max_examples=60)
def test_selection_takes_the_term_that_gains_most(seed: int, n_term: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_term, 30)) + rng.standard_normal(30)
    t = rng.standard_normal(30)
    chosen: list[int] = []
    for k in select_forward(A, t, 5):
        left = [squares(A, t, [*chosen, j])[0] if j not in chosen else math.inf for j in range(n_term)]
        assert left[k] == pytest.approx(min(left), rel=1e-9)
        chosen.append(int(k))
    assert len(chosen) == min(5, n_term)


def test_terms_that_say_the_same_and_terms_without_value() -> None:
    x = np.linspace(1, 2, 30)
    A = np.array([x, 2 * x, np.zeros(30), np.full(30, np.nan), x**2])
    t = 3 * x - x**2
    first, coefficients = next(eliminate_backward(A, t))
    assert set(first) == {0, 4}
    np.testing.assert_allclose(coefficients, [3.0, -1.0], rtol=1e-10)
    assert set(select_forward(A, t, 9)) in ({0, 4}, {1, 4})


def proposer(X: np.ndarray, y: np.ndarray, names: tuple[str, ...], options: Settings | None = None) -> Stepwise:
    options = options or Settings()
    ctx = Context.of(make_problem(from_arrays(X, y, names=list(names), target="t"), None, options), options, Clock())
    library = plain_library(ctx, options, range(len(names)))
    return Stepwise(Workspace(ctx.problem, options, own_context=ctx, own_library=library))


def proposed(by: Stepwise, deadline: float = math.inf) -> Iterator[Expression]:
    """What it proposes until it has nothing left."""
    problem = by._ctx.problem
    number = 0
    while by.cost < math.inf:
        turn = Turn(problem, Archive(problem.X, problem.columns), Clock(deadline), np.random.default_rng(0), number)
        yield from by.propose(turn)
        number += 1


LAWS = {
    "eight terms": ("0.65 + 0.95*z - z**3/3 - x**2 - y**2 - 0.25*z*x**2 - 0.25*z*y**2 + 0.1*z*x**3", ("x", "y", "z")),
    "six terms of degree six": ("1.3*x**6 - 2.1*x**4 + 0.7*x**3*y - 4*x*y + 0.9*y**5 + 3.1", ("x", "y")),
    "behind a square root": ("sqrt(2.5 + x**2 + 0.3*x*y + 0.8*y**2 + 0.45*x**2*y**2 + 0.2*y**4)", ("x", "y")),
    "functions": ("0.8*x + 1.7*sin(x) - 0.4*cos(y) + 0.3*x*y - 1.2*exp(y) + 2.2", ("x", "y")),
}


@pytest.mark.parametrize("share", [0.0, 0.01])
@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_proposed(name: str, share: float) -> None:
    formula, names = LAWS[name]
    law = hypo.parse(formula, variables=names)
    rng = np.random.default_rng(3)
    X = rng.uniform(-1.5, 1.5, (600, len(names)))
    y = evaluate(law, X, names)
    y = y + share * np.std(y) * rng.standard_normal(len(y))
    best = min(float(np.std(evaluate(e, X, names) - evaluate(law, X, names))) for e in proposed(proposer(X, y, names)))
    # The coefficients are those of least squares: k of them miss the law by sqrt(k/n) of the noise.
    assert best < (1e-9 if share == 0 else share * 3 * math.sqrt(9 / 600)) * np.std(y)


def test_a_heat_capacity_polynomial_in_its_units() -> None:
    T = np.linspace(300.0, 1500.0, 120)
    y = 28.11 + 0.1967e-2 * T + 0.4802e-5 * T**2 - 1.966e-9 * T**3
    result = hypo.fit({"T": T, "cp": y}, "cp", units={"T": "K", "cp": "J/(mol*K)"}, time_limit=6)
    assert result.best.r2 > 1 - 1e-10
    fresh = np.linspace(280.0, 1700.0, 50)
    want = 28.11 + 0.1967e-2 * fresh + 0.4802e-5 * fresh**2 - 1.966e-9 * fresh**3
    np.testing.assert_allclose(result.predict({"T": fresh}), want, rtol=1e-8)


@pytest.mark.parametrize("n_var", [1, 2, 5, 9, 30])
def test_dictionaries_stay_small(n_var: int) -> None:
    X = np.random.default_rng(0).uniform(1, 2, (400, n_var))
    names = tuple(f"x{k}" for k in range(n_var))
    by = proposer(X, X.sum(axis=1), names)
    for dictionary in by._monomials():
        assert len(dictionary.terms) <= min(MOST_TERMS, 100)
        assert dictionary.terms[0] == Expression.constant(1.0)
        for e, line in zip(dictionary.terms[1:], dictionary.values[1:], strict=True):
            np.testing.assert_allclose(evaluate(e, by._ctx.X.T, names), line, rtol=1e-12)


@pytest.mark.parametrize("n", [3, 5, 12, 40])
def test_few_rows_are_given_few_terms(n: int) -> None:
    X = np.random.default_rng(0).uniform(1, 2, (n, 2))
    for e in proposed(proposer(X, np.random.default_rng(1).standard_normal(n), ("a", "b"))):
        assert len(e.free) <= max(1, n // 4)


def test_an_expired_clock_ends_it() -> None:
    X = np.random.default_rng(0).uniform(1, 2, (100, 2))
    assert list(proposed(proposer(X, X[:, 0] ** 2 + X[:, 1], ("a", "b")), deadline=0.0)) == []


@pytest.mark.parametrize("operators", ["+-*/", "+*", "-*", "+/", "-/", "+-/", "+-*"])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_sums_are_written_in_the_operators_there_are(operators: str, signs: tuple[int, ...]) -> None:
    c = np.array([1.3, 0.7, 2.9]) * signs
    terms = [Expression.constant(1.0), Expression.variable("x"), Expression.variable("y") - Expression.variable("x")]
    e = write_sum(c, terms, frozenset(operators))
    X = np.random.default_rng(1).uniform(1, 2, (20, 2))
    want = c[0] + c[1] * X[:, 0] + c[2] * (X[:, 1] - X[:, 0])
    np.testing.assert_allclose(evaluate(e, X, ("x", "y")), want, rtol=1e-12)
    used = {BY_OPCODE[op].name for op, _ in e.code if op >= FIRST_UNARY}
    # One of the terms holds a minus of its own.
    assert used <= {*operators, "-"} and len(e.free) == 3
    if {"+", "-"} <= set(operators) and max(signs) > 0:
        assert all(constant.value > 0 for constant in e.constants)


@pytest.mark.parametrize("grammar", [{"constants": {"min": 0.0}}, {"forbid": ["+"]}, {"forbid": ["*"]}], ids=str)
def test_a_sum_is_found_under_a_grammar_that_wants_it_written_otherwise(grammar: dict) -> None:
    rng = np.random.default_rng(3)
    x, z, w = rng.uniform([[-2], [1], [0.5]], [[2], [3], [1.5]], (3, 200))
    y = 1.37 * x**2 - 0.83 * z + 2.61 * z**2 - 4.4 * x + 0.57 * w - 3.3
    result = hypo.fit({"x": x, "z": z, "w": w, "y": y}, "y", knowledge={"grammar": grammar}, time_limit=15)
    assert result.best.r2 > 1 - 1e-12
    used = {BY_OPCODE[op].name for op, _ in result.expression.code if op >= FIRST_UNARY}
    assert not used & set(grammar.get("forbid", ()))
    if "constants" in grammar:
        powers = [k for k, (op, _) in enumerate(result.expression.code) if op == POW]
        exponents = {result.expression.code[k - 1][1] for k in powers}
        assert all(c.value >= 0 for k, c in enumerate(result.expression.constants) if k not in exponents)


@pytest.mark.parametrize("lacking", ["+-", "*/"])
def test_it_takes_no_part_without_its_operators(lacking: str) -> None:
    options = Settings(operators=tuple(o for o in ("+", "-", "*", "/", "sqrt") if o not in lacking))
    X = np.random.default_rng(0).uniform(1, 2, (100, 2))
    assert proposer(X, X[:, 0], ("a", "b"), options).cost == math.inf
