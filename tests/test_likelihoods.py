"""Likelihoods of rows against scipy's densities and finite differences; scales, evidence, distributions, fits."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from hypo.errors import InputError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import TIGHT, fit
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.binomial import Binomial
from hypo.likelihood.censored import Limits
from hypo.likelihood.custom import Custom, CustomFamily, require_usable
from hypo.likelihood.errors_in_x import ErrorsInX
from hypo.likelihood.gaussian import GaussianFamily
from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.registry import BUILT_IN, make_family, read_family
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.likelihood.student_t import StudentT, StudentTFamily
from hypo.posterior.laplace import laplace, sampled_sums
from hypo.problem.working_response import with_working_response
from hypo.scoring.row_sums import BLOCK_ROWS, RowSums

RNG = np.random.default_rng(5)
N = 40
X = RNG.uniform(0.5, 3.0, (1, N))
WEIGHTS = RNG.uniform(0.5, 2.0, N)
SIGMA = RNG.uniform(0.2, 0.6, N)


def censored(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some rows measured, the others known to be above, below or between."""
    kind = np.arange(len(y)) % 5
    lower = np.where(kind == 1, y - 0.3, np.where(kind == 2, -np.inf, np.where(kind == 3, y - 0.5, y)))
    upper = np.where(kind == 1, np.inf, np.where(kind == 2, y + 0.2, np.where(kind == 3, y + 0.4, y)))
    middle = np.where(kind == 1, lower, np.where(kind == 2, upper, np.where(kind == 3, 0.5 * (lower + upper), y)))
    return middle, lower, upper


F = 2.0 * X[0] + 1.0
Y = F + 0.4 * RNG.standard_normal(N)
COUNTS = RNG.poisson(F).astype(float)
TRIALS = RNG.integers(1, 12, N).astype(float)
SUCCESSES = RNG.binomial(TRIALS.astype(int), 1 / (1 + np.exp(2.0 - X[0]))).astype(float)
POSITIVE = F * np.exp(0.3 * RNG.standard_normal(N))
LIMITED, POSITIVE_LIMITED = censored(Y), censored(POSITIVE)
CASES: dict[str, tuple[RowLikelihood, float]] = {
    "student_t": (StudentT(Y, dof=3.0), 0.4),
    "student_t, known": (StudentT(Y, SIGMA, 3.0, weights=WEIGHTS), math.nan),
    "poisson": (Poisson(COUNTS, weights=WEIGHTS), math.nan),
    "bernoulli": (Binomial((SUCCESSES > 0).astype(float)), math.nan),
    "binomial": (Binomial(SUCCESSES, TRIALS), math.nan),
    "lognormal": (LogNormal(POSITIVE, POSITIVE, POSITIVE, weights=WEIGHTS), 0.3),
    "lognormal, known": (LogNormal(POSITIVE, POSITIVE, POSITIVE, SIGMA), math.nan),
    "censored": (Limits(*LIMITED, weights=WEIGHTS), 0.4),
    "censored, known": (Limits(*LIMITED, SIGMA), math.nan),
    "censored lognormal": (LogNormal(*POSITIVE_LIMITED), 0.3),
    "custom": (Custom(Y, lambda y, f: stats.laplace.logpdf(y, f, 0.3) - 0.1 * (y - f) ** 2), math.nan),
}


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


# --- sums, fits ---------------------------------------------------------------------------------------------------


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
    e = fit(parse("a*x + b", variables=["x"]), X, ["x"], likelihood, tolerance=TIGHT)

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


# --- evidence -----------------------------------------------------------------------------------------------------


def log_evidence(
    likelihood: RowLikelihood, predict: object, scale: float, prior: float, start: float, std: float
) -> float:
    """log of the integral of the likelihood times Cauchy prior over one constant, and 1/σ over an unknown scale."""

    def minus(theta: float, tau: float) -> float:
        with np.errstate(all="ignore"):
            p = predict(theta)  # type: ignore[operator]
            value = float(np.sum(likelihood.weigh(likelihood.row_misfits(p, math.exp(tau)))))
        return value if math.isfinite(value) else math.inf

    lo, hi = start - 12 * std, start + 12 * std
    tau = math.log(scale) if math.isfinite(scale) else 0.0
    least = minus(start, tau)

    def inner(theta: float) -> float:
        cauchy = 1 / (math.pi * prior * (1 + (theta / prior) ** 2))
        if not math.isfinite(scale):
            return cauchy * math.exp(least - minus(theta, tau))
        taus = np.linspace(tau - 1.2, tau + 1.2, 81)
        return cauchy * float(integrate.simpson([math.exp(least - minus(theta, t)) for t in taus], x=taus))

    thetas = np.linspace(lo, hi, 401 if not math.isfinite(scale) else 81)
    return math.log(integrate.simpson([inner(t) for t in thetas], x=thetas)) - least


@pytest.mark.parametrize("name", ["poisson", "binomial", "student_t", "student_t, known", "lognormal", "censored"])
def test_evidence_against_quadrature(name: str) -> None:
    likelihood, _ = CASES[name]
    e = fit(parse("a*x", variables=["x"]), X, ["x"], likelihood)
    found = laplace(e, X, ["x"], likelihood)
    assert found is not None
    scale = likelihood.find_scale(likelihood.predict(e, X, ["x"])) if found.dof < math.inf else math.nan

    def predict(theta: float) -> np.ndarray:
        return theta * X

    true = log_evidence(
        likelihood, predict, scale, float(found.prior_scale[0]), float(found.theta[0]), float(found.std[0])
    )
    # The information of Student's t is the expected one; so far from its law (there is no constant term) that differs.
    assert found.log_evidence == pytest.approx(true, abs=0.25 if name.startswith("student") else 0.06)


def test_evidence_of_lognormal_targets_is_that_of_their_logarithms() -> None:
    """log y = log a + log x + noise, linear in log a, but for the change of variable in constant and prior."""
    likelihood = LogNormal(POSITIVE, POSITIVE, POSITIVE)
    found = laplace(fit(parse("a*x", variables=["x"]), X, ["x"], likelihood), X, ["x"], likelihood)
    logs = Gaussian(np.log(POSITIVE / X[0]))
    mean = laplace(fit(parse("a", variables=["x"]), X, ["x"], logs), X, ["x"], logs)
    assert found is not None and mean is not None
    assert found.dof == pytest.approx(N - 1)
    assert found.sigma == pytest.approx(mean.sigma, rel=1e-6)
    assert found.std[0] / found.theta[0] == pytest.approx(mean.std[0], rel=0.02)


def test_constants_are_as_certain_as_their_scatter_over_data() -> None:
    """Standard errors against the scatter of estimates over 60 data sets, within 4 of its own standard errors (9 % each)."""
    rng = np.random.default_rng(9)
    x = rng.uniform(0.5, 3, (1, 120))
    e = parse("a*x + b", variables=["x"])
    makers = {
        "poisson": lambda: Poisson(rng.poisson(3 * x[0] + 1).astype(float)),
        "student_t": lambda: StudentT(3 * x[0] + 1 + 0.5 * rng.standard_t(4, 120)),
        "censored": lambda: _cut(3 * x[0] + 1 + 0.5 * rng.standard_normal(120), 8.0),
    }
    for name, make in makers.items():
        found = [laplace(fit(e, x, ["x"], lk), x, ["x"], lk) for lk in (make() for _ in range(60))]
        theta, std = (np.array([getattr(f, key) for f in found]) for key in ("theta", "std"))
        ratio = theta.std(axis=0, ddof=1) / np.sqrt(np.mean(std**2, axis=0))
        assert np.all(np.abs(ratio - 1) < 4 / math.sqrt(2 * 59)), name
        assert np.all(np.abs(theta.mean(axis=0) - [3, 1]) < 4 * std.mean(axis=0) / math.sqrt(60)), name


def _cut(y: np.ndarray, top: float) -> Limits:
    seen = np.minimum(y, top)
    return Limits(seen, seen, np.where(y > top, np.inf, seen))


# --- errors in x --------------------------------------------------------------------------------------------------


def test_errors_in_x_of_a_straight_line() -> None:
    """For y = a x + b the effective variance is σ² + a² σ_x²; minus log likelihood, slopes and the fit by hand."""
    noise = 0.3 * np.ones(N)
    likelihood = ErrorsInX(Y, SIGMA, {"x": noise})
    e = parse("a*x + b", variables=["x"]).with_values([2.1, 0.9])

    def minus(theta: np.ndarray) -> float:
        return -float(
            np.sum(stats.norm.logpdf(Y, theta[0] * X[0] + theta[1], np.sqrt(SIGMA**2 + (theta[0] * noise) ** 2)))
        )

    p = likelihood.predict(e, X, ["x"])
    assert 0.5 * likelihood.loss(p) == pytest.approx(minus(np.array([2.1, 0.9])))
    sums = RowSums.of(e, X, ["x"], likelihood)
    assert sums is not None
    assert -sums.slope == pytest.approx(optimize.approx_fprime([2.1, 0.9], minus, 1e-7), rel=1e-4, abs=1e-4)
    best = optimize.minimize(minus, [2.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    found = fit(e, X, ["x"], likelihood, tolerance=TIGHT)
    assert _values(found) == pytest.approx(best, rel=1e-4)


def test_errors_in_x_count_by_the_slope() -> None:
    e = parse("x**2 + u*x", variables=["x", "u"])
    both = np.stack([X[0], Y])
    likelihood = ErrorsInX(Y, SIGMA, {"x": np.full(N, 0.2), "u": np.full(N, 0.1)})
    slope_x, slope_u = 2 * X[0] + Y, X[0]
    v = likelihood.predict(e, both, ["x", "u"])[1]
    assert v == pytest.approx(SIGMA**2 + (0.2 * slope_x) ** 2 + (0.1 * slope_u) ** 2)


# --- distributions ------------------------------------------------------------------------------------------------


def scipy_distribution(kind: str, f: float, scale: float, n: float) -> Any:
    return {
        "gaussian": stats.norm(f, scale),
        "student_t": stats.t(5.0, f, scale),
        "poisson": stats.poisson(f),
        "binomial": stats.binom(n, 1 / (1 + math.exp(-f))),
        "lognormal": stats.lognorm(scale, scale=f),
    }[kind]


@pytest.mark.parametrize("kind", BUILT_IN)
@given(f=st.floats(0.05, 30.0), scale=st.floats(0.05, 1.5), n=st.integers(1, 50), p=st.floats(0.01, 0.99))
def test_distributions_are_those_of_scipy(kind: str, f: float, scale: float, n: int, p: float) -> None:
    family, true = make_family(kind, 5.0 if kind == "student_t" else None), scipy_distribution(kind, f, scale, n)
    assert float(family.mean(np.array(f), scale, n)) == pytest.approx(true.mean(), rel=1e-6)
    assert float(family.variance(np.array(f), scale, n)) == pytest.approx(true.var(), rel=1e-6, abs=1e-12)
    at = np.array([true.ppf(p), true.mean(), -1.0, 0.0, 1e4])
    assert family.cdf(at, f, scale, n) == pytest.approx(true.cdf(at), rel=1e-7, abs=1e-9)
    one = np.ones((1, 1))
    found = family.mixture_quantile(p, f * one, scale * one, np.array([float(n)]), one)
    if family.is_discrete:
        assert true.cdf(found[0]) >= p - 1e-9 and true.cdf(found[0] - 1) < p + 1e-9
    else:
        assert found[0] == pytest.approx(true.ppf(p), rel=1e-6)


@pytest.mark.parametrize("kind", ["poisson", "binomial", "lognormal", "student_t"])
def test_quantiles_of_mixtures(kind: str) -> None:
    rng, family = np.random.default_rng(1), make_family(kind, 5.0 if kind == "student_t" else None)
    f, scale = rng.uniform(0.5, 4.0, (30, 6)), rng.uniform(0.2, 0.5, (30, 1))
    weight = np.broadcast_to(rng.dirichlet(np.ones(30))[:, None], f.shape)
    trials = np.full(6, 9.0)
    for p in (0.05, 0.5, 0.95):
        t = family.mixture_quantile(p, f, scale, trials, weight)
        reached = np.sum(weight * family.cdf(t, f, scale, trials), axis=0)
        if family.is_discrete:
            before = np.sum(weight * family.cdf(t - 1, f, scale, trials), axis=0)
            assert np.all((reached >= p - 1e-9) & (before < p))
        else:
            assert reached == pytest.approx(np.full(6, p), abs=1e-6)


def test_of_a_users_own_likelihood_there_is_no_distribution() -> None:
    with pytest.raises(InputError, match="nothing of new targets"):
        CustomFamily().cdf(1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("poison",),
            "unknown likelihood 'poison'; did you mean poisson? The likelihoods are gaussian, student_t, poisson",
        ),
        (("poisson", 4), "dof is for the likelihood student_t only"),
        (("student_t", 0), "dof must be a number above 0, got 0"),
        (("poisson", None, len), "give either a likelihood or log_likelihood, not both; got 'poisson' too"),
        ((None, None, 3), "log_likelihood must be a function of y and f, got 3"),
    ],
)
def test_families_by_name(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_family(*arguments)
    assert message in str(caught.value)
    assert make_family("Bernoulli").kind == "binomial"
    assert make_family("student-t", 3).as_dict() == {"kind": "student_t", "dof": 3.0}
    assert read_family(make_family("student-t", 3).as_dict()) == StudentTFamily(3.0)
    assert read_family(None) == GaussianFamily()


# --- a user's own -------------------------------------------------------------------------------------------------

BAD = {
    "raises": (lambda y, f: y / "a", "log_likelihood(y, f) with f = y raises UFuncTypeError|TypeError"),
    "one number": (lambda y, f: float(np.sum(y - f)), "must give one number for each row, shape (40,), got shape ()"),
    "never finite": (lambda y, f: np.full(len(y), np.nan), "must be finite on every row for some prediction"),
    "+inf": (lambda y, f: np.full(len(y), np.inf), "gives +inf for row 0; a log likelihood is finite or -inf"),
    "not by rows": (lambda y, f: -((y - f) ** 2) / np.sum((y - f) ** 2 + 1), "must judge each row by itself"),
    "fixed length": (lambda y, f: -((y - f) ** 2) / np.arange(1.0, 41.0), "on every second row raises ValueError"),
    "changes": (lambda y, f: np.negative(y, out=y), "must not change its arguments"),
    "text": (lambda y, f: np.full(len(y), "a"), "must give numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_functions_that_cannot_be_used(name: str) -> None:
    function, message = BAD[name]
    before = Y.copy()
    with pytest.raises(InputError) as caught:
        require_usable(function, Y)
    assert np.array_equal(Y, before)
    assert any(part in str(caught.value) for part in message.split("|")), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_users_own_gaussian_is_the_gaussian() -> None:
    def log_likelihood(y: np.ndarray, f: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(y, f, 0.4)

    require_usable(log_likelihood, Y)
    own: Likelihood = Custom(Y, log_likelihood, unit=float(np.std(Y)))
    known = Gaussian(Y, np.full(N, 0.4))
    e = parse("a*x + b", variables=["x"])
    mine, its = (fit(e, X, ["x"], lk, tolerance=TIGHT) for lk in (own, known))
    assert _values(mine) == pytest.approx(_values(its), rel=1e-4)
    one, two = laplace(mine, X, ["x"], own), laplace(its, X, ["x"], known)
    assert one is not None and two is not None
    assert one.log_evidence == pytest.approx(two.log_evidence, abs=1e-3)
    assert one.covariance == pytest.approx(two.covariance, rel=1e-3)


def _values(e: Expression) -> list[float]:
    return [c.value for c in e.constants]
