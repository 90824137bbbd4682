"""A likelihood of every family with rows for it."""

import math

import numpy as np
from scipy import stats

from hypo.expression.expr import Expression
from hypo.likelihood.binomial import Binomial
from hypo.likelihood.censored import Limits
from hypo.likelihood.custom import Custom
from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.likelihood.student_t import StudentT

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


def values_of(e: Expression) -> list[float]:
    return [c.value for c in e.constants]
