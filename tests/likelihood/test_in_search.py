"""Other likelihoods in searches: laws found, intervals that cover."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from hypo.api.inputs import make_settings
from hypo.checks import NO_LIMIT
from hypo.data import TableOptions, as_dataset
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.fitting.constants.fit import fit
from hypo.likelihood.binomial import Binomial
from hypo.likelihood.censored import Limits
from hypo.likelihood.family import Family
from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.registry import make_family
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.likelihood.student_t import StudentT
from hypo.posterior.laplace import student_quantile
from hypo.posterior.posterior import make_posterior
from hypo.posterior.predictive import predictive
from hypo.problem.exact import is_exact
from hypo.problem.from_table import require_table
from hypo.problem.problem import make_problem
from hypo.scoring.score import Scorer
from hypo.search.engine import search
from hypo.search.outcome import Outcome
from tests.likelihood.rows import RNG, N, X, Z


def searched(y: np.ndarray, x: np.ndarray = X, turns: int = 1, **given: Any) -> Outcome:
    """A short search of fixed effort."""
    kind = {k: given.pop(k) for k in ("likelihood", "dof", "log_likelihood") if k in given}
    dataset, _ = as_dataset((np.column_stack([x, Z]), y), "y", TableOptions(features=["x", "z"], **given))
    settings = make_settings(time_limit=NO_LIMIT, operators="+,-,*,/,square,sqrt", **kind)
    settings = replace(settings, turns=turns, library_sizes=(250,))
    require_table(dataset, settings.likelihood)
    return search(make_problem(dataset, None, settings), settings)


def _censored() -> dict[str, Any]:
    y = 2 * X + Z**2 + 0.5 * RNG.standard_normal(N)
    return {"y": np.minimum(y, 11.0), "censored": np.where(y > 11.0, 1.0, 0.0)}


LAWS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[], np.ndarray]]] = {
    "poisson": (lambda: {"y": RNG.poisson(3 * X * Z) * 1.0, "likelihood": "poisson"}, lambda: 3 * X * Z),
    "binomial": (
        lambda: {"y": RNG.binomial(20, expit(1.5 * X - 2 * Z)) * 1.0, "likelihood": "binomial", "trials": 20},
        lambda: 1.5 * X - 2 * Z,
    ),
    "bernoulli": (
        lambda: {"y": RNG.binomial(1, expit(3 * X - 2 * Z**2)) * 1.0, "likelihood": "bernoulli"},
        lambda: 3 * X - 2 * Z**2,
    ),
    "lognormal": (
        lambda: {"y": 2 * X**2 / Z * np.exp(0.5 * RNG.standard_normal(N)), "likelihood": "lognormal"},
        lambda: 2 * X**2 / Z,
    ),
    "student_t": (
        lambda: {"y": 2 * X**2 / Z + 0.3 * RNG.standard_t(1.5, N), "likelihood": "student_t", "dof": 1.5},
        lambda: 2 * X**2 / Z,
    ),
    "censored": (_censored, lambda: 2 * X + Z**2),
    "errors in x": (
        lambda: {"y": X**2 / Z + 0.1 * RNG.standard_normal(N), "x": X + 0.1 * RNG.standard_normal(N),
                 "sigma": 0.1, "x_sigma": {"x": 0.1}},
        lambda: X**2 / Z,
    ),
    "custom": (
        lambda: {"y": 3 * X / Z + 0.4 * RNG.laplace(size=N), "log_likelihood": lambda y, f: -np.abs(y - f) / 0.4},
        lambda: 3 * X / Z,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_known_laws_are_found(name: str) -> None:
    """The formula found is off by no more than constants can be, as a share of the target's spread; 0 and 1, and noise of half
    the value, say less."""
    given, law = LAWS[name]
    outcome = searched(**given())
    assert outcome.best is not None
    found = evaluate(outcome.best.expression, np.column_stack([X, Z]), ["x", "z"])
    true = law()
    loose = {"bernoulli": 0.6, "lognormal": 0.25}.get(name, 0.15)
    assert np.sqrt(np.mean((found - true) ** 2)) < loose * np.std(true), outcome.best.expression.pretty()
    assert outcome.status == "complete"


def test_counts_that_a_formula_meets_are_not_exact() -> None:
    """Small counts can be equal to a formula in every row by chance or design; the search goes on all the same."""
    x = np.arange(1.0, 9.0)
    settings = make_settings(likelihood="poisson")
    dataset, _ = as_dataset((x[:, None], x), "y")
    problem = make_problem(dataset, None, settings)
    h = problem.scorer(settings).score(parse("x0", variables=["x0"]))
    assert h is not None and h.rmse == 0.0
    assert not is_exact(h, problem)
    plain = make_problem(dataset, None, make_settings())
    assert is_exact(plain.scorer(settings).score(parse("x0", variables=["x0"])), plain)


TRIALS = 15.0
MAKERS: dict[str, tuple[Callable[[np.ndarray, np.random.Generator], RowLikelihood], Family, float]] = {
    "poisson": (lambda f, rng: Poisson(rng.poisson(f) * 1.0), make_family("poisson"), 1.0),
    "binomial": (
        lambda f, rng: Binomial(rng.binomial(15, expit(f)) * 1.0, np.full(len(f), TRIALS)), make_family("binomial"), 1.0,
    ),
    "lognormal": (
        lambda f, rng: LogNormal(*(3 * (f * np.exp(0.4 * rng.standard_normal(len(f))),))), make_family("lognormal"), 0.4,
    ),
    "student_t": (lambda f, rng: StudentT(f + 0.5 * rng.standard_t(4, len(f))), make_family("student_t"), 0.5),
    "censored": (lambda f, rng: _limited(f + 0.5 * rng.standard_normal(len(f))), make_family(), 0.5),
}  # fmt: skip


def _limited(y: np.ndarray) -> Limits:
    seen = np.maximum(y, 1.5)
    return Limits(seen, np.where(y < 1.5, -np.inf, seen), seen)


@pytest.mark.parametrize("name", MAKERS)
def test_intervals_cover(name: str) -> None:
    """Over 25 data sets of 60 rows: the chance that 90 % intervals hold a new target and that 95 % intervals hold constants."""
    make, family, scale = MAKERS[name]
    rng = np.random.default_rng(4)
    e = parse("a*x + b", variables=["x"])
    new = np.linspace(0.6, 2.9, 12)[None]
    a, b = (1.2, -1.0) if name == "binomial" else (2.0, 0.5)
    trials = np.full(12, TRIALS) if name == "binomial" else np.ones(12)
    covered, held = [], []
    for _ in range(25):
        x = rng.uniform(0.5, 3, (1, 60))
        likelihood = make(a * x[0] + b, rng)
        found = fit(e, x, ["x"], likelihood)
        h = Scorer(x, ["x"], likelihood, symbols=10).score(found)
        assert h is not None
        posterior = make_posterior([h], x, ["x"], likelihood)
        assert posterior is not None
        s = posterior.structures[0]
        p = predictive([replace(s, weight=1.0)], new, ["x"], 0.9, family=family, trials=trials)
        f = a * new[0] + b
        # Where targets are whole numbers the lower end belongs to the interval.
        below = p.lower - 1 if family.is_discrete else p.lower
        covered.append(family.cdf(p.upper, f, scale, trials) - family.cdf(below, f, scale, trials))
        std = np.sqrt(np.diag(s.covariance))
        held += list(np.abs(np.array(s.constants) - [a, b]) < student_quantile(0.975, s.dof) * std)
    chance = np.mean(covered, axis=1)
    error = chance.std(ddof=1) / 5
    if family.is_discrete:
        assert 0.9 - 4 * error < chance.mean() < 0.975
    else:
        assert abs(chance.mean() - 0.9) < 4 * error + 0.005
    # Of 50 constants, in pairs that go together.
    assert np.mean(held) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 25)


def test_means_and_deviations_of_counts() -> None:
    """A Poisson mean has the variance mean + variance of the rate."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 3, (1, 400))
    likelihood = Poisson(rng.poisson(4 * x[0]) * 1.0)
    h = Scorer(x, ["x"], likelihood, symbols=10).score(fit(parse("a*x", variables=["x"]), x, ["x"], likelihood))
    assert h is not None
    posterior = make_posterior([h], x, ["x"], likelihood)
    assert posterior is not None
    p = predictive(posterior.structures, np.array([[1.0, 3.0]]), ["x"], 0.9, family=make_family("poisson"))
    a = posterior.structures[0].constants[0]
    assert p.mean == pytest.approx([a, 3 * a], rel=1e-6)
    assert p.parts.noise == pytest.approx(np.sqrt([a, 3 * a]), rel=1e-6)
    error = math.sqrt(posterior.structures[0].covariance[0][0])
    assert p.parts.constants == pytest.approx([error, 3 * error], rel=0.01)
