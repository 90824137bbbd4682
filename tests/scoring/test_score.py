"""The score: likelihood against scipy, code lengths by hand, Kraft's inequality, violations."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from hypo.expression.expr import PI, Constant, Expression
from hypo.expression.parser import parse
from hypo.likelihood.base import ROUNDING, Gaussian
from hypo.scoring.code_length import (
    code_length,
    fitted_cost,
    integer_cost,
    literal_cost,
    named_unit_costs,
    spelled_unit_cost,
)
from hypo.scoring.score import Scorer
from hypo.units import Dimension

RNG = np.random.default_rng(3)
Y = RNG.standard_normal(40) * 3 + 1
RESIDUAL = RNG.standard_normal(40) * 0.7
SIGMA, WEIGHTS = RNG.uniform(0.2, 2, 40), RNG.uniform(0, 3, 40)
LOG2 = math.log(2)


# --- likelihood -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["no weights", "weights"])
def test_known_noise_against_scipy(weights: np.ndarray | None) -> None:
    g = Gaussian(Y, SIGMA, weights)
    w = np.ones(40) if weights is None else weights
    want = -np.sum(w * norm.logpdf(RESIDUAL, scale=SIGMA))
    assert g.misfit(g.rss(RESIDUAL)) == pytest.approx(want, rel=1e-12)
    assert g.rss(RESIDUAL) == pytest.approx(np.sum(w * (RESIDUAL / SIGMA) ** 2), rel=1e-12)
    assert g.noise_variance(123.0) == 1.0


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["no weights", "weights"])
def test_unknown_noise_against_scipy(weights: np.ndarray | None) -> None:
    g = Gaussian(Y, None, weights)
    w = np.ones(40) if weights is None else weights
    at = g.misfit(g.rss(RESIDUAL))
    deviation = math.sqrt(np.sum(w * RESIDUAL**2) / np.sum(w))
    assert at == pytest.approx(-np.sum(w * norm.logpdf(RESIDUAL, scale=deviation)), rel=1e-12)
    # The profiled noise is the likeliest.
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert at < -np.sum(w * norm.logpdf(RESIDUAL, scale=factor * deviation))


def test_whole_weights_are_repeated_rows() -> None:
    counts = np.array([1, 2, 0, 3] * 10)
    rows = np.repeat(np.arange(40), counts)
    for sigma in (None, SIGMA):
        weighted = Gaussian(Y, sigma, counts.astype(float))
        repeated = Gaussian(Y[rows], None if sigma is None else sigma[rows])
        assert weighted.misfit(weighted.rss(RESIDUAL)) == pytest.approx(
            repeated.misfit(repeated.rss(RESIDUAL[rows])), rel=1e-12
        )
        assert weighted.total_weight == repeated.total_weight == counts.sum()


def test_rounding_errors_win_no_likelihood() -> None:
    g = Gaussian(Y)
    scale = math.sqrt(np.mean(Y**2))
    assert g.floor == pytest.approx(ROUNDING * scale)
    tiny, none = g.misfit(40 * (1e-14 * scale) ** 2), g.misfit(0.0)
    assert none == pytest.approx(-np.sum(norm.logpdf(np.zeros(40), scale=g.floor)))
    assert 0 < tiny - none < 1e-2
    below, above = g.misfit(40 * g.floor**2 * (1 - 1e-9)), g.misfit(40 * g.floor**2 * (1 + 1e-9))
    assert below == pytest.approx(above, abs=1e-6)
    assert math.isfinite(Gaussian(np.zeros(5)).misfit(0.0))


def test_invalid_residuals_have_infinite_rss() -> None:
    for bad in (np.nan, np.inf, 1e200):
        r = RESIDUAL.copy()
        r[3] = bad
        with np.errstate(over="ignore"):
            assert Gaussian(Y).rss(r) == Gaussian(Y, SIGMA, WEIGHTS + 1).rss(r) == math.inf


# --- code lengths -----------------------------------------------------------------------------------------------


def log_star(n: int) -> float:
    """log₂ n + log₂ log₂ n + … over the positive terms."""
    return 0.0 if n <= 1 else math.log2(n) + (log_star_real(math.log2(n)))


def log_star_real(x: float) -> float:
    return 0.0 if x <= 1 else math.log2(x) + log_star_real(math.log2(x))


def test_whole_numbers_keep_krafts_inequality() -> None:
    limit = 2**16
    seen = sum(math.exp(-integer_cost(k)) for k in range(1 - limit, limit))
    # From 2**16 on, blocks between towers of 2 hold (log 2)^5, (log 2)^6, …: 1/(x log₂x log₂log₂x …) has that integral.
    rest = 1.5 * LOG2**5 / (1 - LOG2) * math.exp(-integer_cost(1))
    assert 0.8 < seen < 1
    assert seen + rest == pytest.approx(1, abs=1e-4)
    assert seen + rest < 1


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 10, 16, 17, 1000, 65536, 10**12])
def test_whole_numbers_by_hand(k: int) -> None:
    assert integer_cost(k) == pytest.approx(math.log(1.5 * 2.86512 + 1) + LOG2 * log_star(k), rel=1e-12)
    if k:
        assert integer_cost(-k) == pytest.approx(integer_cost(k) + LOG2)


def test_some_whole_numbers_in_digits() -> None:
    base = math.log(5.29768)
    assert [integer_cost(k) - base for k in (1, 2, 4, 16)] == pytest.approx([0, LOG2, 3 * LOG2, 7 * LOG2])
    costs = [integer_cost(k) for k in range(2000)]
    assert costs[0] == costs[1] and all(a < b for a, b in pairwise(costs[1:]))


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (3.0, integer_cost(3)),
        (-3.0, integer_cost(-3)),
        (0.0, integer_cost(0)),
        (-0.0, integer_cost(0)),
        (0.5, integer_cost(1) + integer_cost(2)),
        (-0.75, integer_cost(-3) + integer_cost(4)),
        (1 / 3, integer_cost(1) + integer_cost(3)),
        (-2 / 3, integer_cost(-2) + integer_cost(3)),
        (0.17, 2 * math.log(10) + LOG2),
        (1.2345, 5 * math.log(10) + LOG2),
        (-6.674e-11, 4 * math.log(10) + LOG2),
    ],
)
def test_exact_numbers(value: float, want: float) -> None:
    assert literal_cost(Constant(value)) == pytest.approx(want)


def test_named_numbers_cost_their_node_only() -> None:
    assert literal_cost(PI) == 0.0
    assert code_length(parse("pi*x"), np.zeros(1), 10) == pytest.approx(3 * math.log(10))


@given(st.floats(-1e6, 1e6), st.floats(0, 1e12))
def test_fitted_numbers_pay_for_size_and_precision(value: float, information: float) -> None:
    cost = fitted_cost(value, information)
    assert cost == pytest.approx(math.log(1 + abs(value) * math.sqrt(information / 12)) + LOG2, rel=1e-12)
    assert cost == fitted_cost(-value, information) >= LOG2
    assert fitted_cost(value, 4 * information + 1) >= cost


def test_code_length_by_hand() -> None:
    x = Expression.variable("x")
    a = Expression.constant(2.5, free=True)
    k = Expression.constant(0.3, name="k", free=True)
    bare = np.zeros(0)
    assert code_length(x, bare, 12) == pytest.approx(math.log(12))
    assert code_length(x * x + x, bare, 12) == pytest.approx(5 * math.log(12))
    assert code_length(x * x + x, bare, 12, {"*": 3.0, "+": 0.5}) == pytest.approx(6.5 * math.log(12))
    assert code_length(a * x, np.array([48.0]), 12) == pytest.approx(3 * math.log(12) + math.log(1 + 2.5 * 2) + LOG2)
    # One name, one parameter: charged once.
    twice = code_length(k * x + k, np.array([12.0, 12.0]), 12)
    assert twice == pytest.approx(5 * math.log(12) + math.log(1.3) + LOG2)
    assert code_length(x / 7, np.zeros(1), 12) == pytest.approx(3 * math.log(12) + integer_cost(7))


def test_units_of_constants_are_spelled_out() -> None:
    assert spelled_unit_cost([Fraction(0)] * 8) == 0
    assert spelled_unit_cost([Fraction(1), Fraction(0), Fraction(-2)]) == pytest.approx(
        integer_cost(1) + integer_cost(1) + integer_cost(-2) + integer_cost(1)
    )
    assert spelled_unit_cost([Fraction(1, 2)]) == pytest.approx(integer_cost(1) + integer_cost(2))


def test_units_of_known_quantities_are_named() -> None:
    metre, second = Dimension([1]), Dimension([0, 0, 1])
    costs = named_unit_costs([metre, second, metre, Dimension()])
    assert costs[metre] == costs[second**-1] == pytest.approx(np.log(4))
    assert costs[metre / second] == pytest.approx(2 * np.log(4))
    assert costs[second / metre ** Fraction(3, 2)] == pytest.approx(2 * np.log(4) + np.log(4))
    assert Dimension() not in costs
    assert Dimension([0, 1]) not in costs


def test_equal_weights_say_nothing() -> None:
    from hypo.data import from_arrays
    from hypo.problem.problem import Settings, make_problem

    columns = np.ascontiguousarray(X.T)
    plain = make_problem(from_arrays(columns, TARGET, names=["x", "z"]), None, Settings())
    weighted = make_problem(
        from_arrays(columns, TARGET, names=["x", "z"], weights=np.full(40, 100.0)), None, Settings()
    )
    assert weighted.likelihood.misfit(weighted.likelihood.rss(TARGET)) == pytest.approx(
        plain.likelihood.misfit(plain.likelihood.rss(TARGET))
    )


# --- the score --------------------------------------------------------------------------------------------------

X = np.ascontiguousarray(RNG.uniform(0.5, 2.0, (2, 40)))
TARGET = 2 * X[0] - X[1] + 0.1 * RNG.standard_normal(40)


def scorer(**kwargs: object) -> Scorer:
    options: dict = {"X": X, "columns": ("x", "z"), "likelihood": Gaussian(TARGET), "symbols": 9, **kwargs}
    return Scorer(**options)


def test_the_terms_and_their_sum() -> None:
    e = parse("2*x - z")
    h = scorer().score(e)
    assert h is not None and h.expression == e
    residual = TARGET - (2 * X[0] - X[1])
    g = Gaussian(TARGET)
    assert h.misfit == pytest.approx(g.misfit(float(residual @ residual)))
    assert h.complexity == 5 and h.complexity_cost == pytest.approx(5 * math.log(9) + integer_cost(2))
    assert h.violation == 0 and h.score == pytest.approx(h.misfit + h.complexity_cost)
    assert h.rmse == pytest.approx(math.sqrt(np.mean(residual**2)))
    assert h.r2 == pytest.approx(1 - np.sum(residual**2) / np.sum((TARGET - TARGET.mean()) ** 2))


@pytest.mark.parametrize("kind", ["unknown", "known", "weights", "both"])
def test_fisher_information_of_fitted_constants(kind: str) -> None:
    sigma = SIGMA if kind in ("known", "both") else None
    weights = WEIGHTS if kind in ("weights", "both") else None
    g = Gaussian(TARGET, sigma, weights)
    a = Expression.constant(1.9, free=True)
    e = a * Expression.variable("x") - Expression.variable("z")
    h = scorer(likelihood=g).score(e)
    assert h is not None
    residual = TARGET - (1.9 * X[0] - X[1])
    w = np.ones(40) if weights is None else weights
    variance = np.sum(w * residual**2) / np.sum(w) if sigma is None else sigma**2
    information = float(np.sum(w * X[0] ** 2 / variance))
    assert h.complexity_cost == pytest.approx(5 * math.log(9) + math.log1p(1.9 * math.sqrt(information / 12)) + LOG2)


def test_information_of_a_shared_constant_is_that_of_the_parameter() -> None:
    k = Expression.constant(1.5, name="k", free=True)
    e = k * Expression.variable("x") + Expression.apply("exp", k)
    h = scorer(likelihood=Gaussian(TARGET, np.full(40, 0.5))).score(e)
    assert h is not None
    information = float(np.sum((X[0] + math.exp(1.5)) ** 2)) / 0.25
    assert h.complexity_cost == pytest.approx(6 * math.log(9) + math.log1p(1.5 * math.sqrt(information / 12)) + LOG2)


def test_more_data_make_a_constant_dearer_and_a_wrong_one_dearer_still() -> None:
    """An exact number is worth taking when it agrees with the data, and not when it does not."""
    x = np.linspace(1, 2, 400)
    g = Gaussian(2 * x + 0.01 * np.random.default_rng(0).standard_normal(400))
    s = scorer(X=np.vstack([x, x]), likelihood=g)
    free = s.score(Expression.constant(2.0003, free=True) * Expression.variable("x"))
    right, wrong = s.score(parse("2*x")), s.score(parse("2.1*x"))
    assert free is not None and right is not None and wrong is not None
    assert right.score < free.score < wrong.score


def test_invalid_formulas_have_no_score() -> None:
    assert scorer().score(parse("log(x - 1)")) is None
    assert scorer().score(parse("1/(x - x)")) is None
    assert scorer().score(parse("exp(exp(exp(10*x)))")) is None
    assert scorer().score(Expression.constant(math.nan, free=True)) is None


def test_size_limit_counts_weights() -> None:
    e = parse("x*z + x")
    assert scorer(max_complexity=5).score(e) is not None
    assert scorer(max_complexity=4).score(e) is None
    assert scorer(max_complexity=5, weights={"*": 2.0}).score(e) is None
    h = scorer(weights={"*": 2.0}).score(e)
    assert h is not None and h.complexity == 6 and h.complexity_cost == pytest.approx(6 * math.log(9))


def test_violations() -> None:
    e = parse("x - z")
    plain = scorer().score(e)
    assert plain is not None
    for lam in (0.0, 1.0, 7.5):
        h = scorer(lam=lam, violation=lambda _: (2.0, False)).score(e)
        assert h is not None and h.violation == 2.0
        assert h.score == pytest.approx(plain.score + 2 * lam)
        assert (h.misfit, h.complexity_cost) == (plain.misfit, plain.complexity_cost)
    assert scorer(violation=lambda _: (0.001, True)).score(e) is None
    assert scorer(lam=math.inf, violation=lambda _: (0.001, False)).score(e) is None
    for hard in (False, True):
        assert scorer(lam=math.inf, violation=lambda _, hard=hard: (0.0, hard)).score(e) == plain


def test_constant_target_has_no_r2() -> None:
    h = scorer(likelihood=Gaussian(np.full(40, 3.0))).score(parse("3 + 0*x"))
    assert h is not None and math.isnan(h.r2) and h.rmse == 0 and math.isfinite(h.score)
