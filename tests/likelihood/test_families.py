"""Likelihoods of rows against scipy's densities and finite differences; scales, sums by blocks, fits."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from hypo.expression.parser import parse
from hypo.fitting.constants.fit import TIGHT, DescentOptions, fit
from hypo.likelihood.binomial import Binomial
from hypo.likelihood.censored import Limits
from hypo.likelihood.custom import Custom
from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.likelihood.student_t import StudentT
from hypo.posterior.laplace import laplace, sampled_sums
from hypo.problem.working_response import with_working_response
from hypo.scoring.row_sums import BLOCK_ROWS, RowSums
from tests.likelihood.cases import CASES, F, X


def density(name: str, likelihood: RowLikelihood, f: np.ndarray, scale: float) -> np.ndarray:
    """Log density or probability of each row, by scipy."""
    y = likelihood.y
    sigma = getattr(likelihood, "sigma", None)
    s = scale if sigma is None else sigma
    if isinstance(likelihood, StudentT):
        return stats.t.logpdf(y, likelihood.dof, f, s)
    if isinstance(likelihood, Poisson):
        return stats.poisson.logpmf(y, f)
    if isinstance(likelihood, Binomial):
        return stats.binom.logpmf(y, likelihood.n, 1 / (1 + np.exp(-f)))
    if isinstance(likelihood, Limits):
        s = np.broadcast_to(s, f.shape)
        measured = likelihood.lower == likelihood.upper
        if likelihood.log:
            with np.errstate(divide="ignore"):
                known = stats.lognorm.logpdf(np.where(measured, y, 1.0), s, scale=f)
                between = stats.lognorm.cdf(likelihood.upper, s, scale=f) - stats.lognorm.cdf(
                    likelihood.lower, s, scale=f
                )
        else:
            known = stats.norm.logpdf(y, f, s)
            between = stats.norm.cdf(likelihood.upper, f, s) - stats.norm.cdf(likelihood.lower, f, s)
        with np.errstate(divide="ignore"):
            return np.where(measured, known, np.log(between))
    assert isinstance(likelihood, Custom)
    return likelihood.log_likelihood(y, f)


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_of_scipy(name: str) -> None:
    likelihood, scale = CASES[name]
    f = F - 2.0 if "binomial" in name or "bernoulli" in name else F
    assert likelihood.row_misfits(f[None], scale) == pytest.approx(
        -density(name, likelihood, f, scale), rel=1e-9, abs=1e-11
    )


# The score of a user's own likelihood is a difference already.
@pytest.mark.parametrize("name", [name for name in CASES if name != "custom"])
def test_scores_are_derivatives(name: str) -> None:
    likelihood, scale = CASES[name]
    f, h = F - 2.0 if "binomial" in name or "bernoulli" in name else F + 0.05, 1e-5
    low, high = (likelihood.row_misfits((f + d)[None], scale) for d in (-h, h))
    found = likelihood.derivatives(f[None], scale)
    assert found.score[0] == pytest.approx((low - high) / (2 * h), rel=1e-5, abs=1e-5)
    assert np.all(found.information >= 0)
    if found.cross is not None:

        def at(scale: float) -> np.ndarray:
            return likelihood.derivatives(f[None], scale).score[0]

        cross = -(at(scale * math.exp(h)) - at(scale * math.exp(-h))) / (2 * h)
        assert found.cross[0] == pytest.approx(cross, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", ["poisson", "binomial", "student_t", "lognormal"])
def test_information_is_the_mean_square_of_the_score(name: str) -> None:
    """Over targets drawn from the model: within 4 standard errors."""
    n, rng = 40_000, np.random.default_rng(1)
    f, one = np.full(n, 1.7), np.ones(n)
    likelihood: RowLikelihood = {
        "poisson": lambda: Poisson(rng.poisson(f).astype(float)),
        "binomial": lambda: Binomial(rng.binomial(7, 1 / (1 + np.exp(-f))).astype(float), 7 * one),
        "student_t": lambda: StudentT(f + 0.5 * rng.standard_t(4, n), 0.5 * one, 4.0),
        "lognormal": lambda: LogNormal(*(3 * (f * np.exp(0.3 * rng.standard_normal(n)),)), 0.3 * one),
    }[name]()
    found = likelihood.derivatives(f[None], math.nan)
    square = found.score[0] ** 2
    assert abs(square.mean() - found.information[0].mean()) < 4 * square.std() / math.sqrt(n)
    assert abs(found.score[0].mean()) < 4 * found.score[0].std() / math.sqrt(n)


@pytest.mark.parametrize("name", [n for n, (_, s) in CASES.items() if math.isfinite(s)])
def test_the_scale_is_the_most_likely_one(name: str) -> None:
    likelihood, _ = CASES[name]
    p = F[None]

    def total(tau: float) -> float:
        return float(np.sum(likelihood.weigh(likelihood.row_misfits(p, math.exp(tau)))))

    best = optimize.minimize_scalar(total, bounds=(-4.0, 2.0), method="bounded", options={"xatol": 1e-9})
    scale = likelihood.find_scale(p)
    assert math.log(scale) == pytest.approx(best.x, abs=1e-6)
    assert likelihood.loss(p) == pytest.approx(2 * best.fun, rel=1e-10)
    h = 1e-4
    curvature = (total(best.x + h) - 2 * total(best.x) + total(best.x - h)) / h**2
    # Student's t has the expected one.
    assert likelihood.scale_information(p, scale) == pytest.approx(curvature, rel=0.3 if name == "student_t" else 1e-4)


@pytest.mark.parametrize("name", ["poisson", "lognormal", "censored lognormal"])
def test_impossible_predictions_have_no_finite_loss(name: str) -> None:
    likelihood, _ = CASES[name]
    assert math.isinf(likelihood.loss((F - F.min())[None]))
    assert math.isinf(likelihood.loss(-F[None]))
    assert math.isfinite(likelihood.loss(F[None]))
    assert RowSums.of(parse("0 - x", variables=["x"]), X, ["x"], likelihood) is None


def test_limits_far_in_the_tails() -> None:
    """-log P of a limit z standard deviations off is z²/2 + log z + ½ log 2π, as z grows."""
    one = np.ones(4)
    z = np.array([10.0, 40.0, 200.0, 1e4])
    above = Limits(z, z, np.full(4, np.inf), one)
    below = Limits(-z, np.full(4, -np.inf), -z, one)
    between = Limits(z, z, z + 1.0, one)
    expected = z**2 / 2 + np.log(z) + 0.5 * math.log(2 * math.pi)
    for likelihood in (above, below, between):
        assert likelihood.row_misfits(np.zeros((1, 4)), math.nan) == pytest.approx(expected, rel=2e-4)
        found = likelihood.derivatives(np.zeros((1, 4)), math.nan)
        assert np.abs(found.score[0]) == pytest.approx(z, rel=0.02)
        # All of it, for the truncated normal distribution is as narrow as 1/z there.
        assert found.information[0, :3] == pytest.approx(np.ones(3), abs=0.03)


def test_many_rows_by_blocks_as_few_at_once() -> None:
    n = BLOCK_ROWS + 100
    x = np.random.default_rng(2).uniform(1, 3, (1, n))
    y = np.random.default_rng(3).poisson(2 * x[0]).astype(float)
    e = parse("1.9*x + 0.1", variables=["x"])
    e = replace(e, constants=tuple(replace(c, free=True) for c in e.constants))
    whole, likelihood = RowSums.of(e, x, ["x"], Poisson(y)), Poisson(y)
    f, g = 1.9 * x[0] + 0.1, np.stack([x[0], np.ones(n)])
    assert whole is not None
    assert whole.slope == pytest.approx(g @ (y / f - 1), rel=1e-9)
    assert whole.normal == pytest.approx((g / f) @ g.T, rel=1e-9)
    assert whole.rss == pytest.approx(-2 * stats.poisson.logpmf(y, f).sum())
    some = sampled_sums(e, x, ["x"], likelihood)
    assert some is not None and some.normal == pytest.approx(whole.normal, rel=0.02)


@pytest.mark.parametrize("name", CASES)
def test_fits_are_minima(name: str) -> None:
    likelihood = with_working_response(CASES[name][0], X, ("x",))
    e = fit(parse("a*x + b", variables=["x"]), X, ["x"], likelihood, options=DescentOptions(tolerance=TIGHT))

    def loss(theta: np.ndarray) -> float:
        return likelihood.loss((theta[0] * X[0] + theta[1])[None])

    start = np.array([c.value for c in e.constants])
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-10})
    # Where the density has a corner it is that of one smoothed over a tenth of the noise.
    assert loss(start) <= best.fun + (0.1 if name == "custom" else 1e-5)


def test_many_starts_find_a_law_that_is_not_linear() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 4, (1, 300))
    y = rng.poisson(20 * np.exp(-1.3 * x[0]) + 2).astype(float)
    likelihood = with_working_response(Poisson(y), x, ("x",))
    e = fit(parse("a*exp(b*x) + c", variables=["x"]), x, ["x"], likelihood, starts=20, rng=rng)
    found = laplace(e, x, ["x"], likelihood)
    assert found is not None
    assert np.all(np.abs(found.theta - [20, -1.3, 2]) < 4 * found.std)


def test_the_pilot_is_the_second_order_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 4, (1, 500))
    likelihood = with_working_response(Poisson(rng.poisson(5 * x[0]).astype(float)), x, ("x",))
    assert isinstance(likelihood, Poisson)

    def gaps(slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        true = [likelihood.loss(a * x) for a in slopes]
        stand_in = [likelihood.gaussian.loss(a * x[0]) + likelihood.working_loss for a in slopes]
        return np.array(true), np.array(stand_in)

    true, stand_in = gaps(np.array([4.8, 5.0, 5.2]))
    assert stand_in == pytest.approx(true, abs=2.0)
