"""Distributions of rows against scipy's, mixtures, and likelihoods of the user's own."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hypo.errors import InputError
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import TIGHT, DescentOptions, fit
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.custom import Custom, CustomFamily, require_usable
from hypo.likelihood.gaussian import GaussianFamily
from hypo.likelihood.registry import BUILT_IN, make_family, read_family
from hypo.likelihood.student_t import StudentTFamily
from hypo.posterior.laplace import laplace
from tests.likelihood.cases import N, X, Y, values_of

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
    mine, its = (fit(e, X, ["x"], lk, options=DescentOptions(tolerance=TIGHT)) for lk in (own, known))
    assert values_of(mine) == pytest.approx(values_of(its), rel=1e-4)
    one, two = laplace(mine, X, ["x"], own), laplace(its, X, ["x"], known)
    assert one is not None and two is not None
    assert one.log_evidence == pytest.approx(two.log_evidence, abs=1e-3)
    assert one.covariance == pytest.approx(two.covariance, rel=1e-3)
