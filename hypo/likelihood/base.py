"""The interface of likelihoods, and the Gaussian one: minus log likelihood at the fitted constants.

The *loss* of predictions is what a fit makes small. It is the residual sum of squares where the noise is Gaussian, and twice
minus the log likelihood for all others (:mod:`hypo.likelihood.row_likelihood`), so that a loss has one meaning wherever the
noise is known.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

# Residuals below this share of the target's RMS count as rounding: they win no further likelihood.
ROUNDING = 1e-12


class Likelihood(ABC):
    """How likely the targets ``y`` (n_row,) are, given a formula; ``weights`` (n_row,) multiply what a row says.

    *Predictions* are what :meth:`predict` gives and the other methods take; their last axis is that of the rows.
    """

    y: Values
    weights: Values | None

    @property
    @abstractmethod
    def is_noise_known(self) -> bool:
        """True if the misfit is half the loss but for a constant: there is no scale of the noise to find, or the loss is a
        likelihood in which that is found already."""

    @property
    @abstractmethod
    def can_be_exact(self) -> bool:
        """True if residuals of rounding size can be an answer: the scale of the noise is unknown, and may be 0."""

    @property
    @abstractmethod
    def gaussian(self) -> Gaussian:
        """The least-squares problem that stands for this one where only those can be solved."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Self:
        """The likelihood of some rows."""

    def reweight(self, weights: Values) -> Self:
        """The likelihood with other weights (n_row,), taken as they are."""
        return replace(self, weights=weights)  # type: ignore[type-var]  # Every one is a dataclass.

    @abstractmethod
    def predict(self, e: Expression, X: Values, columns: Sequence[str]) -> Values:
        """The prediction of the formula for the rows ``X`` (n_var, n_row): its values (n_row,), and more where they do not
        suffice."""

    @abstractmethod
    def losses(self, predicted: Values) -> Values:
        """The share of each row (n_row,) in the loss."""

    @abstractmethod
    def loss(self, predicted: Values) -> float:
        """The loss of all rows; infinite where a prediction is impossible."""

    @abstractmethod
    def residual(self, predicted: Values) -> Values:
        """Targets minus expected targets (n_row,), for R² and RMSE."""

    @abstractmethod
    def standardised_residual(self, predicted: Values) -> Values:
        """Residuals (n_row,) for a look at what structure is left in them."""

    @abstractmethod
    def spread(self, predicted: Values) -> float:
        """By how much a prediction for one row can be off and go unnoticed: a standard deviation of the noise in its unit."""

    @abstractmethod
    def noise_variance(self, rss: float) -> float:
        """The factor that takes Gauss–Newton matrices to information."""

    @abstractmethod
    def misfit(self, rss: float) -> float:
        """Minus log likelihood in nats for a loss."""

    @abstractmethod
    def find_loss(self, misfit: float) -> float:
        """The loss whose :meth:`misfit` it is."""

    @abstractmethod
    def extra_misfit(self, rss: float) -> float:
        """By how much the misfit grows when the loss grows by ``rss`` noise variances."""

    @cached_property
    def total_weight(self) -> float:
        """Σ w, the effective number of rows."""
        return float(len(self.y)) if self.weights is None else float(np.sum(self.weights))

    @cached_property
    def floor(self) -> float:
        """Smallest noise level taken seriously: ``ROUNDING`` times the target's RMS."""
        return ROUNDING * (float(np.sqrt(np.mean(self.y**2))) or 1.0)


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Independent Gaussian noise on the target.

    With row weights w_i (default 1) and known noise σ_i the misfit is
        Σ w_i [ r_i²/(2σ_i²) + log σ_i + ½ log 2π ];
    with unknown noise σ² is profiled out, σ̂² = Σ w r² / Σ w, and it is
        (W/2)·(log 2π σ̂² + RSS/(W σ̂²)),   W = Σ w,   σ̂ not below ``floor`` (rounding).
    """

    y: Values
    sigma: Values | None = None
    weights: Values | None = None

    @property
    def is_noise_known(self) -> bool:
        """True if σ is known."""
        return self.sigma is not None

    @property
    def can_be_exact(self) -> bool:
        """True if σ is unknown."""
        return self.sigma is None

    @property
    def gaussian(self) -> Gaussian:
        """Itself."""
        return self

    def take(self, rows: NDArray[np.int64]) -> Gaussian:
        """The likelihood of some rows."""
        return Gaussian(
            self.y[rows],
            None if self.sigma is None else self.sigma[rows],
            None if self.weights is None else self.weights[rows],
        )

    def predict(self, e: Expression, X: Values, columns: Sequence[str]) -> Values:
        """Values (n_row,) of the formula."""
        return Program.of(e, columns).value(X)

    def losses(self, predicted: Values) -> Values:
        """Squared whitened residuals (n_row,)."""
        r, root = self.y - predicted, self.root_weights
        return (r if root is None else r * root) ** 2

    def loss(self, predicted: Values) -> float:
        """The weighted residual sum of squares."""
        return self.rss(self.y - predicted)

    def residual(self, predicted: Values) -> Values:
        """y - f."""
        return self.y - predicted

    standardised_residual = residual

    def spread(self, predicted: Values) -> float:
        """The root mean square of σ, known or estimated."""
        if self.sigma is None:
            return math.sqrt(self.noise_variance(self.loss(predicted)))
        return float(np.sqrt(np.average(self.sigma**2, weights=self.weights)))

    @cached_property
    def root_weights(self) -> Values | None:
        """Factors on residuals that make them identically distributed (up to an unknown scale), or None for ones."""
        if self.sigma is None:
            return None if self.weights is None else np.sqrt(self.weights)
        return (1.0 if self.weights is None else np.sqrt(self.weights)) / self.sigma

    def rss(self, residual: Values) -> float:
        """Weighted residual sum of squares (in units of σ² where σ is known); infinite when a residual is not finite."""
        w = self.root_weights
        value = float(residual @ residual) if w is None else float(np.sum((w * residual) ** 2))
        return value if math.isfinite(value) else math.inf

    def noise_variance(self, rss: float) -> float:
        """Variance of whitened residuals: 1 where σ is known, else the profiled estimate, not below rounding."""
        if self.sigma is not None:
            return 1.0
        return max(rss / self.total_weight, self.floor**2)

    def misfit(self, rss: float) -> float:
        """Minus log likelihood in nats for a weighted residual sum of squares."""
        w = self.total_weight
        if self.sigma is not None:
            return 0.5 * rss + self._sum_log_sigma + 0.5 * w * math.log(2 * math.pi)
        variance = self.noise_variance(rss)
        return 0.5 * w * (math.log(2 * math.pi * variance) + rss / (w * variance))

    def find_loss(self, misfit: float) -> float:
        """The weighted residual sum of squares whose :meth:`misfit` it is (above rounding)."""
        w = self.total_weight
        if self.sigma is not None:
            return 2.0 * (misfit - self._sum_log_sigma - 0.5 * w * math.log(2 * math.pi))
        return w * math.exp(2.0 * misfit / w - 1.0) / (2 * math.pi)

    def extra_misfit(self, rss: float) -> float:
        """By how much the misfit grows when the sum of squares grows by ``rss`` noise variances."""
        w = self.total_weight
        return 0.5 * rss if self.sigma is not None else 0.5 * w * math.log1p(rss / w)

    @cached_property
    def _sum_log_sigma(self) -> float:
        """Σ w log σ for known σ."""
        assert self.sigma is not None
        return float(np.sum(np.log(self.sigma) if self.weights is None else self.weights * np.log(self.sigma)))
