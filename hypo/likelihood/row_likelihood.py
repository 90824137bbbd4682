"""The base of likelihoods of rows that are not Gaussian.

For row i and what a formula predicts for it, f_i, each knows minus the log likelihood, the score ∂ℓ_i/∂f_i and the information
-∂²ℓ_i/∂f_i², observed or expected but never negative. Where the scale σ of the noise is unknown it is profiled out (its most
likely value for each formula); with τ = log σ what is left of the information on f is I_ff - I_fτ I_τf / I_ττ.
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
from hypo.likelihood.base import Gaussian, Likelihood, Values

# Most steps to the most likely scale: each halves the bracket at least, once there is one.
SCALE_STEPS = 60
# Size of the last step, in log σ, that is small enough.
SCALE_CLOSE = 1e-7
# Longest step, in log σ.
SCALE_STRIDE = 3.0
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

    # Predictions are made of slopes by the columns too (:meth:`predict_smooth`).
    needs_slopes: ClassVar[bool] = False
    # Some rows may lie far from the law, and say next to nothing of it.
    has_outliers: ClassVar[bool] = False

    y: Values
    weights: Values | None = field(default=None, kw_only=True)
    working_response: Gaussian | None = field(default=None, kw_only=True)
    # The loss at that estimate beyond the sum of squares of the working response there.
    working_loss: float = field(default=math.nan, kw_only=True)

    # --- what each kind knows --------------------------------------------------------------------------------

    @abstractmethod
    def row_misfits(self, p: Values, scale: float) -> Values:
        """Minus log likelihood (n_row,) without weights; infinite or NaN where a prediction is impossible."""

    @abstractmethod
    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Of :meth:`row_misfits`, without weights."""

    @abstractmethod
    def first_response(self) -> tuple[Values, Values]:
        """A target for least squares and its standard deviation (n_row,), from y alone."""

    def find_scale(self, p: Values) -> float:
        """The most likely scale; the root mean square of known ones, and NaN where there is none."""
        return math.nan

    def mean_square(self, sigma: Values) -> float:
        """The root mean square of known scales (n_row,)."""
        return math.sqrt(float(np.average(sigma**2, weights=self.weights)))

    def scale_information(self, p: Values, scale: float) -> float:
        """∂²/∂τ² of minus the log likelihood, weights included."""
        return 0.0

    def clip_to_possible(self, f: Values) -> Values:
        """Values (n_row,) of a first estimate, moved to where they are possible."""
        return f

    def predict_smooth(self, f: Values, slopes: Mapping[str, Values]) -> Values:
        """Predictions (n_part, n_row) for values f and slopes (n_row,) by column, of which there are none unless
        ``needs_slopes``."""
        return f[None]

    def refine(self, p: Values) -> RowLikelihood:
        """The likelihood with what it can learn from a first estimate."""
        return self

    @property
    def size(self) -> Values:
        """The size of a formula's value for each row (n_row,), for the prior of constants."""
        return self.y

    # --- the interface ---------------------------------------------------------------------------------------

    @property
    def is_noise_known(self) -> bool:
        """Always: the loss is a likelihood."""
        return True

    @property
    def can_be_exact(self) -> bool:
        """True if residuals can be of rounding size."""
        return False

    @property
    def gaussian(self) -> Gaussian:
        """The working response."""
        return self.working_response or self._first_working_response

    @cached_property
    def _first_working_response(self) -> Gaussian:
        return Gaussian(*self.first_response(), self.weights)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The likelihood of some rows."""
        return replace(self, **{f.name: _taken(getattr(self, f.name), rows) for f in fields(self)})

    def predict(self, e: Expression, X: Values, columns: Sequence[str]) -> Values:
        """The formula's values (1, n_row)."""
        return Program.of(e, columns).value(X)[None]

    def predict_with_gradient(self, e: Expression, X: Values, columns: Sequence[str]) -> tuple[Values, Values]:
        """Predictions (n_part, n_row) and their derivatives (n_part, n_constant, n_row) by the constants' leaves."""
        program = Program.of(e, columns)
        f, g = program.value_and_gradient(X, program.values)
        return f[None], g[None]

    def weigh(self, values: Values) -> Values:
        """``values`` (…, n_row) times the weights of the rows."""
        return values if self.weights is None else values * self.weights

    def losses(self, predicted: Values) -> Values:
        """Twice minus the log likelihood of each row."""
        return 2.0 * self.weigh(self.row_misfits(predicted, self.find_scale(predicted)))

    def loss(self, predicted: Values) -> float:
        """Twice minus the log likelihood at the most likely scale."""
        return self.loss_and_scale(predicted)[0]

    def loss_and_scale(self, predicted: Values) -> tuple[float, float]:
        """:meth:`loss`, and the scale."""
        if not np.all(np.isfinite(predicted)):
            return math.inf, math.nan
        with np.errstate(all="ignore"):
            scale = self.find_scale(predicted)
            value = 2.0 * float(np.sum(self.weigh(self.row_misfits(predicted, scale))))
        return (value if math.isfinite(value) else math.inf), scale

    def residual(self, predicted: Values) -> Values:
        """y minus what is expected of it."""
        out: Values = self.y - predicted[0]
        return out

    def standardised_residual(self, predicted: Values) -> Values:
        """Score over the root of the information: Pearson's residual in the exponential family."""
        with np.errstate(all="ignore"):
            d = self.derivatives(predicted, self.find_scale(predicted))
            return np.asarray(d.score[0] / np.sqrt(d.information[0]))

    def spread(self, predicted: Values) -> float:
        """One over the root of the mean information."""
        with np.errstate(all="ignore"):
            information = float(np.mean(self.derivatives(predicted, self.find_scale(predicted)).information[0]))
        return 1.0 / math.sqrt(information) if information > 0 else 0.0

    def expand(self, p: Values) -> tuple[Values, Values]:
        """Target and standard deviation (n_row,) of the Gaussian problem that agrees to second order with this one at ``p``."""
        d = self.derivatives(p, self.find_scale(p))
        return p[0] + d.score[0] / d.information[0], 1.0 / np.sqrt(d.information[0])

    def noise_variance(self, rss: float) -> float:
        """1: Gauss–Newton matrices are information."""
        return 1.0

    def misfit(self, rss: float) -> float:
        """Half the loss."""
        return 0.5 * rss

    def find_loss(self, misfit: float) -> float:
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


def solve_scale(start: float, slope: Callable[[float], tuple[float, float]], least: float) -> float:
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
        new = tau + min(max(step, -SCALE_STRIDE), SCALE_STRIDE)
        if not low <= new <= high:
            new = 0.5 * (low + high)
        # The error left is the square of a step of Newton's.
        if abs(new - tau) <= SCALE_CLOSE:
            return math.exp(new)
        tau = new
    return math.exp(tau)
