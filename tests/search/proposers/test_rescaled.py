"""Equal data in other units: the same formula up to its constants, at the same score up to a constant."""

import math
from dataclasses import replace

import numpy as np
import pytest

import hypo
from hypo.checks import NO_LIMIT
from hypo.data import from_arrays
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.relatives import phased
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.proposers.rescaled import Sizes

RNG = np.random.default_rng(21)
X = RNG.uniform(1.0, 5.0, (40, 2))
SETTINGS = Settings(
    turns=4,
    time_limit=NO_LIMIT,
    posterior=False,
    library_sizes=(120,),
    workers=1,
    proposers=("library", "atoms"),
    max_complexity=12,
)
DECAY_X = np.linspace(1e-6, 5e-5, 40)[:, None]
DECAY = 3e-5 * np.exp(-1e5 * DECAY_X[:, 0]) - 4e-6 + 2e-7 * np.random.default_rng(1).normal(size=40)


def found(X: np.ndarray, y: np.ndarray, **noise: np.ndarray) -> tuple[str, float]:
    """The formula with one value for all fitted constants, and its score."""
    data = from_arrays(X, y, **noise)
    best = search(make_problem(data, None, SETTINGS), SETTINGS).best
    assert best is not None
    return best.expression.masked(), best.score


@pytest.mark.parametrize("noise", ["unknown", "sigma", "weights"])
def test_a_decay_is_the_same_in_random_units(noise: str) -> None:
    rng = np.random.default_rng(len(noise))
    weights = {"weights": rng.uniform(0.5, 2.0, 40)} if noise == "weights" else {}
    texts, scores = [], []
    for k in range(2):
        column, target = (0, 0) if k == 0 else rng.integers(-35, 36, 2)
        if k and abs(column - 5) < 8:
            column -= 20
        y = DECAY * 10.0**target
        own = {"sigma": np.full(40, 2e-7 * 10.0**target)} if noise == "sigma" else weights
        text, score = found(DECAY_X * 10.0**column, y, **own)
        texts.append(text)
        scores.append(score - 40 * math.log(10.0) * target)
    assert len(set(texts)) == 1 and "exp" in texts[0]
    np.testing.assert_allclose(scores, scores[0], atol=1e-3)


@pytest.mark.parametrize("law", [
    lambda X: 3.3 * X[:, 0] / (2.2 + X[:, 1]), lambda X: 2.3 * np.sin(1.7 * X[:, 0] + 0.4),
], ids=["saturation", "wave"])  # fmt: skip
def test_laws_are_the_same_in_extreme_units(law) -> None:
    y = law(X) + 0.02 * RNG.normal(size=40)
    texts, scores = zip(*(found(X * 10.0**a, y * 10.0**b) for a, b in ((-21, 17), (14, -30))), strict=True)
    assert texts[0] == texts[1]
    assert scores[0] - 40 * math.log(10.0) * 17 == pytest.approx(scores[1] + 40 * math.log(10.0) * 30, abs=1e-3)


def test_a_product_of_extreme_columns_needs_no_constant() -> None:
    A = X * [1e12, 1e-9]
    text, _ = found(A, A[:, 0] * A[:, 1] ** 2)
    assert text == "x0*x1**2"


def test_sizes_bring_extremes_near_one_and_leave_the_others() -> None:
    problem = make_problem(from_arrays(np.column_stack([X[:, 0], 1e-20 * X[:, 1]]), 1e9 * X[:, 0]), None, Settings())
    sizes = Sizes.of(problem)
    assert sizes == Sizes({"x0": 0, "x1": 20}, -9)
    np.testing.assert_allclose(sizes.problem(problem).X, X.T)
    assert Sizes.of(make_problem(from_arrays(X, X[:, 0]), None, Settings())) is None


@pytest.mark.parametrize("text", [
    "3*x0/(2 + x1)", "2.5*exp(-1.5*x0) - 4", "x0*x1**2", "log(x0) + x1", "sqrt(x0 + 3*x1)", "sin(2*x0 + 1)/x1", "1/(x0 - 7)**2",
    "max(x0, 2)*x1", "-x0", "abs(x0 - 3)*tanh(x1)", "(x0*x1)**1.5", "2.5", "x0 + x1", "x0**x1",
])  # fmt: skip
def test_formulas_come_back_to_the_users_numbers(text: str) -> None:
    sizes = Sizes({"x0": 20, "x1": -8}, 11)
    e = hypo.parse(text)
    own = sizes.undo(e)
    rows = X * [1e-20, 1e8]
    np.testing.assert_allclose(evaluate(own, rows, ("x0", "x1")) * 1e11, evaluate(e, X, ("x0", "x1")), rtol=1e-9)


@pytest.mark.parametrize(("text", "length"), [("3*x0/(2 + x1)", 7), ("2.5*exp(-1.5*x0) - 4", 8), ("3*x0*x1**2", 6)])
def test_constants_take_the_powers_of_ten_up(text: str, length: int) -> None:
    assert len(simplify(Sizes({"x0": 20, "x1": -8}, 11).undo(hypo.parse(text)))) == length


@pytest.mark.parametrize("text", [
    "2.5*sin(1.5*x - 85.23)", "0.5 - 2.3*cos(1.7*(x + 2.53))", "cos(x + 3.3)", "sin(1.5*x)*cos(2.5 - 1.2*x)",
    "-2.3*sin(-1.7*x - 0.407)", "0.4*cos(0.3 - 2.2*x)",
])  # fmt: skip
def test_phases_are_as_small_as_they_can_be(text: str) -> None:
    e = hypo.parse(text)
    e = Expression(e.code, tuple(replace(c, free=not c.value.is_integer()) for c in e.constants), e.variables)
    x = np.linspace(0.0, 3.0, 7)[:, None]
    others = list(phased(e))
    assert others
    for other in others:
        np.testing.assert_allclose(evaluate(other, x, ("x",)), evaluate(e, x, ("x",)), atol=1e-12)
    assert "85" not in str(others[0]) and "3.3" not in str(others[0])
