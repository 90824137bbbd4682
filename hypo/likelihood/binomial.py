"""Binomial: successes in a number of trials.

f is the log-odds of success, P = 1/(1 + exp(-f)), and minus the log likelihood of a row is n log(1 + eᶠ) - y f - log C(n, y).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hypo.data import Dataset
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import TRIALS, Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood

# Log-odds as large as a target can be expected to have: Gelman et al., Ann. Appl. Stat. 2, 1360 (2008).
LOGIT_SIZE = 2.5
# Largest log-odds of a first estimate.
LOGIT_MOST = 4.0


@dataclass(frozen=True)
class Binomial(RowLikelihood):
    """y successes in ``trials`` with log-odds f, P = 1/(1 + exp(-f)); with one trial (the default) Bernoulli."""

    trials: Values | None = None

    @cached_property
    def n(self) -> Values:
        """Trials (n_row,)."""
        return np.ones(len(self.y)) if self.trials is None else self.trials

    @cached_property
    def _constant(self) -> Values:
        from scipy.special import betaln

        return np.asarray(betaln(self.y + 1.0, self.n - self.y + 1.0) + np.log1p(self.n))

    def row_misfits(self, p: Values, scale: float) -> Values:
        """n log(1 + eᶠ) - y f - log C(n, y)."""
        out: Values = self.n * np.logaddexp(0.0, p[0]) - self.y * p[0] + self._constant
        return out

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """y - nP and nP(1-P)."""
        from scipy.special import expit

        chance = expit(p)
        return Derivatives(self.y - self.n * chance, self.n * chance * expit(-p))

    def residual(self, predicted: Values) -> Values:
        """y - nP."""
        from scipy.special import expit

        return np.asarray(self.y - self.n * expit(predicted[0]))

    def first_response(self) -> tuple[Values, Values]:
        """Expanded at the log-odds of (y + ½)/(n + 1)."""
        return self.expand(np.log((self.y + 0.5) / (self.n - self.y + 0.5))[None])

    def clip_to_possible(self, f: Values) -> Values:
        """Log-odds within ``LOGIT_MOST``."""
        return np.clip(f, -LOGIT_MOST, LOGIT_MOST)

    @property
    def size(self) -> Values:
        """2.5 for all rows (Gelman et al. 2008, Ann. Appl. Stat. 2, 1360)."""
        return np.full(len(self.y), LOGIT_SIZE)


@dataclass(frozen=True)
class BinomialFamily(Family):
    """Successes in ``trials`` with the chance P each."""

    kind: ClassVar[str] = "binomial"
    other_names: ClassVar[tuple[str, ...]] = ("bernoulli",)
    formula_is: ClassVar[str] = "the formula is the log-odds of success, log(P/(1 - P))"
    uses: ClassVar[frozenset[str]] = frozenset({TRIALS})
    is_discrete: ClassVar[bool] = True

    def require_targets(self, dataset: Dataset) -> None:
        """0 or 1, or whole numbers up to the trials."""
        y = dataset.y
        if dataset.trials is None:
            self.require_rows(dataset, (y == 0) | (y == 1), "without trials the target must be 0 or 1")
            return
        good = (y >= 0) & (y == np.round(y)) & (y <= dataset.trials)
        self.require_rows(dataset, good, "the target must be a whole number from 0 to the number of trials")

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`Binomial`."""
        return Binomial(y, dataset.trials, weights=weights)

    def mean(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """n P."""
        from scipy.special import expit

        return np.asarray(trials * expit(f))

    def centre(self, f: Values, trials: ArrayLike = 1.0) -> Values:
        """The expected successes; the chance of success for one trial."""
        return self.mean(f, 0.0, trials)

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """n P (1-P)."""
        from scipy.special import expit

        return np.asarray(trials * expit(f) * expit(-f))

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f)."""
        from scipy.special import betainc, expit

        t, f = np.asarray(t, np.float64), np.asarray(f, np.float64)
        with np.errstate(all="ignore"):
            n, k = np.asarray(trials, np.float64), np.floor(t)
            # The regularised incomplete beta function takes what bdtr refuses: trials as floats, and both tails.
            below = betainc(np.maximum(n - k, 0.5), np.maximum(k + 1.0, 0.5), expit(-f))
            below = np.where(k >= n, 1.0, np.where(k < 0, 0.0, below))
            return np.where(np.isnan(f), math.nan, below)

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """Successes."""
        from scipy.special import expit

        n = np.broadcast_to(np.asarray(trials), f.shape).astype(np.int64)
        return np.asarray(rng.binomial(n, expit(f)).astype(np.float64))

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The quantile."""
        from scipy.special import expit
        from scipy.stats import binom

        return np.asarray(binom.ppf(p, trials, expit(f)), np.float64)
