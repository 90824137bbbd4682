"""Likelihoods other than Gaussian: their base, Student-t, Poisson and binomial.

Beside them are normal noise on y or log y with limits in place of values (:mod:`hypo.likelihood.censored`), errors in x
(:mod:`hypo.likelihood.errors_in_x`) and a user's own (:mod:`hypo.likelihood.custom`).

For row i and what a formula predicts for it, f_i, each knows minus the log likelihood, the score ∂ℓ_i/∂f_i and the information
-∂²ℓ_i/∂f_i², observed or expected but never negative. Where the scale σ of the noise is unknown it is profiled out (its most
likely value for each formula); with τ = log σ what is left of the information on f is I_ff - I_fτ I_τf / I_ττ.

=============  =======================  ==========================================================================
kind           f is                     minus log likelihood of a row
=============  =======================  ==========================================================================
student_t      the location             log σ + (ν+1)/2·log(1 + (y-f)²/νσ²) - log Γ((ν+1)/2) + log Γ(ν/2) + ½ log νπ
poisson        the rate, > 0            f - y log f + log y!
binomial       the log-odds             n log(1 + eᶠ) - y f - log C(n, y)
lognormal      the median, > 0          log y + log σ + (log y - log f)²/2σ² + ½ log 2π
=============  =======================  ==========================================================================
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian, Likelihood

Values = NDArray[np.float64]

# Log-odds as large as a target can be expected to have; those of a first estimate stay within the second.
LOGIT_SIZE, LOGIT_MOST = 2.5, 4.0
# Steps to the most likely scale, and the last one's size in log σ that is small enough.
SCALE_STEPS, SCALE_CLOSE = 60, 1e-7
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Derivatives(NamedTuple):
    """Of minus the log likelihood by the predictions, (n_part, n_row) each: ``score`` -∂, ``information`` ∂², and ``cross``
    ∂²/∂f∂τ; None where there is no scale to find, or it is independent of f."""

    score: Values
    information: Values
    cross: Values | None = None


@dataclass(frozen=True)
class RowLikelihood(Likelihood):
    """Base of all that are not Gaussian. Predictions are (n_part, n_row), most often the formula's values alone.

    ``working_response`` is a Gaussian problem near this one: its likelihood expanded to second order around a first
    estimate of what the formula will predict. Least squares solves that fast; what is found there is fitted to the likelihood
    itself.
    """

    y: Values
    weights: Values | None = field(default=None, kw_only=True)
    working_response: Gaussian | None = field(default=None, kw_only=True)
    # The loss at that estimate beyond the sum of squares of the working response there.
    working_loss: float = field(default=math.nan, kw_only=True)

    # --- what each kind knows --------------------------------------------------------------------------------

    @abstractmethod
    def rows(self, p: Values, scale: float) -> Values:
        """Minus log likelihood (n_row,) without weights; infinite or NaN where a prediction is impossible."""

    @abstractmethod
    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Of :meth:`rows`, without weights."""

    @abstractmethod
    def first(self) -> tuple[Values, Values]:
        """A target for least squares and its standard deviation (n_row,), from y alone."""

    def scale_of(self, p: Values) -> float:
        """The most likely scale; the root mean square of known ones, and NaN where there is none."""
        return math.nan

    def mean_square(self, sigma: Values) -> float:
        """The root mean square of known scales (n_row,)."""
        return math.sqrt(float(np.average(sigma**2, weights=self.weights)))

    def scale_information(self, p: Values, scale: float) -> float:
        """∂²/∂τ² of minus the log likelihood, weights included."""
        return 0.0

    def inside(self, f: Values) -> Values:
        """Values (n_row,) of a first estimate, moved to where they are possible."""
        return f

    def refined(self, p: Values) -> RowLikelihood:
        """The likelihood with what it can learn from a first estimate."""
        return self

    @property
    def size(self) -> Values:
        """The size of a formula's value for each row (n_row,), for the prior of constants."""
        return self.y

    # --- the interface ---------------------------------------------------------------------------------------

    @property
    def known(self) -> bool:
        """Always: the loss is a likelihood."""
        return True

    @property
    def exact(self) -> bool:
        """True if residuals can be of rounding size."""
        return False

    @property
    def gaussian(self) -> Gaussian:
        """The working response."""
        return self.working_response or self._first_working_response

    @cached_property
    def _first_working_response(self) -> Gaussian:
        return Gaussian(*self.first(), self.weights)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The likelihood of some rows."""
        return replace(self, **{f.name: _taken(getattr(self, f.name), rows) for f in fields(self)})

    def predicted(self, e: Expression, X: Values, columns: Sequence[str]) -> Values:
        """The formula's values (1, n_row)."""
        return Program.of(e, columns).value(X)[None]

    def predicted_with_gradient(self, e: Expression, X: Values, columns: Sequence[str]) -> tuple[Values, Values]:
        """Predictions (n_part, n_row) and their derivatives (n_part, n_constant, n_row) by the constants' leaves."""
        program = Program.of(e, columns)
        f, g = program.value_and_gradient(X, program.values)
        return f[None], g[None]

    def weighted(self, values: Values) -> Values:
        """``values`` (…, n_row) times the weights of the rows."""
        return values if self.weights is None else values * self.weights

    def losses(self, predicted: Values) -> Values:
        """Twice minus the log likelihood of each row."""
        return 2.0 * self.weighted(self.rows(predicted, self.scale_of(predicted)))

    def loss(self, predicted: Values) -> float:
        """Twice minus the log likelihood at the most likely scale."""
        return self.loss_and_scale(predicted)[0]

    def loss_and_scale(self, predicted: Values) -> tuple[float, float]:
        """:meth:`loss`, and the scale."""
        if not np.all(np.isfinite(predicted)):
            return math.inf, math.nan
        with np.errstate(all="ignore"):
            scale = self.scale_of(predicted)
            value = 2.0 * float(np.sum(self.weighted(self.rows(predicted, scale))))
        return (value if math.isfinite(value) else math.inf), scale

    def residual(self, predicted: Values) -> Values:
        """y minus what is expected of it."""
        return self.y - predicted[0]

    def standardised(self, predicted: Values) -> Values:
        """Score over the root of the information: Pearson's residual in the exponential family."""
        with np.errstate(all="ignore"):
            d = self.derivatives(predicted, self.scale_of(predicted))
            return np.asarray(d.score[0] / np.sqrt(d.information[0]))

    def spread(self, predicted: Values) -> float:
        """One over the root of the mean information."""
        with np.errstate(all="ignore"):
            information = float(np.mean(self.derivatives(predicted, self.scale_of(predicted)).information[0]))
        return 1.0 / math.sqrt(information) if information > 0 else 0.0

    def working(self, p: Values) -> tuple[Values, Values]:
        """Target and standard deviation (n_row,) of the Gaussian problem that agrees to second order with this one at ``p``."""
        d = self.derivatives(p, self.scale_of(p))
        return p[0] + d.score[0] / d.information[0], 1.0 / np.sqrt(d.information[0])

    def noise_variance(self, rss: float) -> float:
        """1: Gauss–Newton matrices are information."""
        return 1.0

    def misfit(self, rss: float) -> float:
        """Half the loss."""
        return 0.5 * rss

    def rss_of(self, misfit: float) -> float:
        """Twice the misfit."""
        return 2.0 * misfit

    def extra_misfit(self, rss: float) -> float:
        """Half of it."""
        return 0.5 * rss


def _taken(value: Any, rows: NDArray[np.int64]) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows]
    if isinstance(value, Likelihood):
        return value.take(rows)
    if isinstance(value, Mapping):
        return {key: _taken(v, rows) for key, v in value.items()}
    return value


def _newton(start: float, slope: Callable[[float], tuple[float, float]], least: float) -> float:
    """exp(τ) at the root of a falling function of τ that ``slope`` gives with its derivative; ``least`` or more."""
    low, high = math.log(least), math.inf
    tau = max(math.log(start), low) if start > 0 else low
    for _ in range(SCALE_STEPS):
        value, rate = slope(math.exp(tau))
        if value > 0:
            low = tau
        else:
            high = tau
        step = -value / rate if rate < 0 else math.copysign(1.0, value)
        new = tau + min(max(step, -3.0), 3.0)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        # The error left is the square of a step of Newton's.
        if abs(new - tau) <= SCALE_CLOSE:
            return math.exp(new)
        tau = new
    return math.exp(tau)


@dataclass(frozen=True)
class StudentT(RowLikelihood):
    """Student's t with ``dof`` degrees of freedom around f: for targets with outliers. ``sigma`` is the scale, None where it is
    unknown. The information is the expected one, (ν+1)/(ν+3)/σ² on f and 2ν/(ν+3) on log σ (Lange, Little & Taylor 1989)."""

    kind: ClassVar[str] = "student_t"

    sigma: Values | None = None
    dof: float = 4.0

    @property
    def exact(self) -> bool:
        """True if the scale is unknown."""
        return self.sigma is None

    @cached_property
    def _constant(self) -> float:
        v = self.dof
        return math.lgamma(0.5 * v) - math.lgamma(0.5 * (v + 1.0)) + 0.5 * math.log(v * math.pi)

    def _scale(self, scale: float) -> Values | float:
        return scale if self.sigma is None else self.sigma

    def rows(self, p: Values, scale: float) -> Values:
        """See the module."""
        s = self._scale(scale)
        return np.log(s) + 0.5 * (self.dof + 1.0) * np.log1p(((self.y - p[0]) / s) ** 2 / self.dof) + self._constant

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Score (ν+1) r/(νσ² + r²), expected information."""
        s, v, r = self._scale(scale), self.dof, self.y - p[0]
        information = np.broadcast_to((v + 1.0) / (v + 3.0) / np.asarray(s) ** 2, r.shape)
        return Derivatives(((v + 1.0) * r / (v * s**2 + r**2))[None], information[None])

    def scale_of(self, p: Values) -> float:
        """The root of Σ w [(ν+1) r²/(νσ² + r²) - 1]."""
        if self.sigma is not None:
            return self.mean_square(self.sigma)
        v, square = self.dof, (self.y - p[0]) ** 2
        if not np.all(np.isfinite(square)):
            return math.nan

        def slope(s: float) -> tuple[float, float]:
            u = square / s**2
            value = float(np.sum(self.weighted((v + 1.0) * u / (v + u) - 1.0)))
            return value, -float(np.sum(self.weighted(2.0 * (v + 1.0) * v * u / (v + u) ** 2)))

        return _newton(math.sqrt(float(np.median(square))), slope, self.floor)

    def scale_information(self, p: Values, scale: float) -> float:
        """2ν/(ν+3) for each row."""
        return 0.0 if self.sigma is not None else 2.0 * self.dof / (self.dof + 3.0) * self.total_weight

    def first(self) -> tuple[Values, Values]:
        """y itself."""
        return self.y, np.full(len(self.y), float(np.std(self.y)) or 1.0) if self.sigma is None else self.sigma


@dataclass(frozen=True)
class Poisson(RowLikelihood):
    """Counts with the rate f > 0, which is also their mean and variance. The information is the expected one, 1/f."""

    kind: ClassVar[str] = "poisson"

    @cached_property
    def _constant(self) -> Values:
        from scipy.special import gammaln

        return np.asarray(gammaln(self.y + 1.0))

    def rows(self, p: Values, scale: float) -> Values:
        """f - y log f + log y!."""
        f = p[0]
        return np.where(f > 0, f - self.y * np.log(f) + self._constant, math.inf)

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """y/f - 1 and 1/f."""
        return Derivatives((self.y / p[0] - 1.0)[None], 1.0 / p)

    def first(self) -> tuple[Values, Values]:
        """y, with its own root for standard deviation."""
        return self.y, np.sqrt(self.y + 0.5)

    def inside(self, f: Values) -> Values:
        """Rates no smaller than a share of the mean."""
        return np.maximum(f, 0.02 * float(np.mean(self.y)))


@dataclass(frozen=True)
class Binomial(RowLikelihood):
    """y successes in ``trials`` with log-odds f, P = 1/(1 + exp(-f)); with one trial (the default) Bernoulli."""

    kind: ClassVar[str] = "binomial"

    trials: Values | None = None

    @cached_property
    def n(self) -> Values:
        """Trials (n_row,)."""
        return np.ones(len(self.y)) if self.trials is None else self.trials

    @cached_property
    def _constant(self) -> Values:
        from scipy.special import betaln

        return np.asarray(betaln(self.y + 1.0, self.n - self.y + 1.0) + np.log1p(self.n))

    def rows(self, p: Values, scale: float) -> Values:
        """n log(1 + eᶠ) - y f - log C(n, y)."""
        return self.n * np.logaddexp(0.0, p[0]) - self.y * p[0] + self._constant

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """y - nP and nP(1-P)."""
        from scipy.special import expit

        chance = expit(p)
        return Derivatives(self.y - self.n * chance, self.n * chance * expit(-p))

    def residual(self, predicted: Values) -> Values:
        """y - nP."""
        from scipy.special import expit

        return self.y - self.n * expit(predicted[0])

    def first(self) -> tuple[Values, Values]:
        """Expanded at the log-odds of (y + ½)/(n + 1)."""
        return self.working(np.log((self.y + 0.5) / (self.n - self.y + 0.5))[None])

    def inside(self, f: Values) -> Values:
        """Log-odds within ``LOGIT_MOST``."""
        return np.clip(f, -LOGIT_MOST, LOGIT_MOST)

    @property
    def size(self) -> Values:
        """2.5 for all rows (Gelman et al. 2008, Ann. Appl. Stat. 2, 1360)."""
        return np.full(len(self.y), LOGIT_SIZE)
