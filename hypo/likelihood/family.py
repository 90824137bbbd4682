"""Families of distributions: how targets scatter around what a formula predicts, and what likelihood a table has of them.

A likelihood is one module with two classes. The *family*, a :class:`Family`, knows names, possible targets, moments, draws and
quantiles. Its *rows*, a :class:`~hypo.likelihood.row_likelihood.RowLikelihood`, know the loss of a table's rows and its
derivatives. :mod:`hypo.likelihood.registry` finds families by name, also those of installed packages.

=============  ===========================  ============================  ===============================
kind           mean                         variance                      scale
=============  ===========================  ============================  ===============================
gaussian       f                            σ²                            σ
student_t      f (ν > 1)                    σ² ν/(ν-2) (ν > 2)            σ
poisson        f                            f                             none
binomial       n P, P = 1/(1 + exp(-f))     n P (1-P)                     none; n trials
lognormal      f exp(σ²/2)                  f² exp(σ²) (exp(σ²) - 1)      σ of log y
custom         f, as far as is known        unknown                       unknown
=============  ===========================  ============================  ===============================
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.data import Dataset
from hypo.errors import DataError, InputError
from hypo.likelihood.base import Likelihood, Values

# What a table may have beside targets, by the words of messages.
SIGMA = "sigma"
TRIALS = "trials"
LIMITS = "limits (censored, lower or upper)"
X_SIGMA = "x_sigma"

# Most steps to a quantile of a mixture: each halves the bracket at least.
QUANTILE_STEPS = 60
# The last step's share of the bracket that is small enough.
QUANTILE_CLOSE = 1e-7
# Rounding of a sum of chances: so far below p a whole number counts as reaching it.
CHANCE_ROUNDING = 1e-12


@dataclass(frozen=True)
class ColumnNoise:
    """Errors of columns ``x_sigma``, by name, that targets have beside their own noise ``sigma``: root mean squares over the
    rows of the fit, in the units of the formulas."""

    sigma: float
    x_sigma: Mapping[str, float]


@dataclass(frozen=True)
class Family(ABC):
    """One kind of distribution of a target y given a prediction f.

    ``f``, ``scale`` and ``trials`` broadcast in all methods; ``scale`` is that of the noise where the family has one,
    ``trials`` the number of which y counts the successes. Fields of a subclass are its own numbers; those named in
    ``parameters`` are kept in result files, and ``dof`` can be given by the user.
    """

    kind: ClassVar[str]
    # Other names that users may give.
    other_names: ClassVar[tuple[str, ...]] = ()
    # Sentence on the formula, where it is not the expected target.
    formula_is: ClassVar[str] = ""
    # Names of fields that a result file keeps, numbers all.
    parameters: ClassVar[tuple[str, ...]] = ()
    # Which of SIGMA, TRIALS, LIMITS and X_SIGMA a table may have.
    uses: ClassVar[frozenset[str]] = frozenset()
    # Targets are whole numbers, and counts, which no unit may rescale.
    is_discrete: ClassVar[bool] = False
    # The scale is in the unit of the target.
    is_scale_in_target_unit: ClassVar[bool] = False
    # A formula may be defined on all rows and its loss infinite.
    can_be_impossible: ClassVar[bool] = True
    # A function that the user gives with each fit, and that no file keeps.
    is_users_own: ClassVar[bool] = False
    # New targets can be drawn, and have intervals and chances.
    has_distribution: ClassVar[bool] = True

    # --- names and words -------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in self.parameters}}

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """The family whose :meth:`as_dict` is ``row``; raises TypeError or ValueError where that has no numbers."""
        return cls(**{name: float(row[name]) for name in cls.parameters if name in row})

    @property
    def name_in_words(self) -> str:
        """The name with what belongs to it."""
        return self.kind

    @property
    def words(self) -> str:
        """A sentence on what is not Gaussian; empty if nothing."""
        return f"likelihood {self.name_in_words}: {self.formula_is}"

    @property
    def has_variance(self) -> bool:
        """True if targets have a finite variance."""
        return True

    @property
    def heavy_tails(self) -> str:
        """Words for this family where its variance is infinite."""
        return f"the likelihood {self.name_in_words}"

    @property
    def without_variance(self) -> str:
        """Words for all families of its kind whose variance is infinite."""
        return f"the likelihood {self.kind}"

    @property
    def column_noise(self) -> ColumnNoise | None:
        """Errors of columns, where targets have them beside their own noise."""
        return None

    def with_column_noise(self, errors: ColumnNoise) -> Self:
        """The family of targets with errors of columns, where it can have them."""
        return self

    # --- a table's rows --------------------------------------------------------------------------------------

    def require_targets(self, dataset: Dataset) -> None:
        """Raises DataError naming the first row whose target the family cannot give; InputError where it cannot be used."""
        return

    def require_rows(self, dataset: Dataset, good: NDArray[np.bool_], rule: str) -> None:
        """Raises DataError with ``rule`` for the first row that is not ``good`` (n_row,)."""
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise DataError(
                f'{dataset.source}, {dataset.rows_in_words([row])}, column "{dataset.target_label or dataset.target}": '
                f"{rule} for the likelihood {self.kind}, got {dataset.y[row]:g}"
            )

    def likelihood(
        self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]
    ) -> Likelihood:
        """The likelihood of ``dataset``, whose target is ``y`` in the units of the search; ``scales`` lead there, by name.

        Raises InputError where counts would have to be converted.
        """
        factor = scales.get(dataset.target, 1.0)
        if factor != 1.0 and self.is_discrete:
            raise InputError(
                f"the target of the likelihood {self.kind} is a count, but its unit would have it multiplied by {factor:g}; "
                "leave out that unit"
            )
        return self.make_rows(dataset, y, weights, scales)

    @abstractmethod
    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:meth:`likelihood`, where the unit of the target is one that it may have."""

    def noise_of(self, dataset: Dataset, scales: Mapping[str, float]) -> Values | None:
        """The table's known scales of the noise (n_row,), in the units of the search; None where it has none."""
        if dataset.sigma is None:
            return None
        return dataset.sigma * (scales.get(dataset.target, 1.0) if self.is_scale_in_target_unit else 1.0)

    # --- new targets -----------------------------------------------------------------------------------------

    def is_possible(self, f: Values) -> NDArray[np.bool_]:
        """True where predictions can be."""
        return np.isfinite(f)

    def mean(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """E(y | f)."""
        return np.asarray(f)

    def centre(self, f: Values, trials: ArrayLike = 1.0) -> Values:
        """The shown prediction of a formula: f itself unless that is on another scale than the target."""
        return f

    @abstractmethod
    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """Var(y | f)."""

    @abstractmethod
    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """P(y ≤ t | f), elementwise; NaN where f is impossible."""

    def draw(self, rng: np.random.Generator, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """A target y | f for each f; NaN where f is impossible."""
        known = self.is_possible(f)
        f = np.where(known, f, 1.0)
        y = self.draw_possible(rng, f, np.broadcast_to(np.asarray(scale, np.float64), f.shape), trials)
        return np.where(known, y, math.nan)

    @abstractmethod
    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """:meth:`draw` where every f is possible; ``scale`` has the shape of f."""

    @abstractmethod
    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """The ``p`` quantile of y | f, or for whole numbers a number near it that no rounding puts more than one off."""

    def mixture_quantile(self, p: float, f: Values, scale: Values, trials: ArrayLike, weight: Values) -> Values:
        """The ``p`` quantile (n_row,) of Σ_d weight·P(y | f_d, scale_d), with f and weight (n_draw, n_row): by the Illinois
        method, or by bisection over whole numbers, where it is the smallest that has the probability."""

        def excess(t: Values) -> Values:
            return np.asarray(np.sum(weight * self.cdf(t, f, scale, trials), axis=0) - p)

        # At the least of the components' own quantiles none of them has reached p, at the largest all have.
        ends, counts = self.near_quantile(p, f, scale, trials), weight > 0
        low = np.min(np.where(counts, ends, math.inf), axis=0)
        high = np.max(np.where(counts, ends, -math.inf), axis=0)
        if self.is_discrete:
            # The quantile is above ``low`` and at most ``high``.
            low, high = low - 2.0, high + 1.0
            while np.any(high - low > 1.0):
                middle = np.floor(0.5 * (low + high))
                # Beyond 2^53 whole numbers are further apart than 1.
                if not np.any((middle > low) & (middle < high)):
                    break
                reached = excess(middle) >= -CHANCE_ROUNDING
                high, low = np.where(reached, middle, high), np.where(reached, low, middle)
            return np.asarray(high)
        close = QUANTILE_CLOSE * (high - low)
        below, above = excess(low), excess(high)
        x = 0.5 * (low + high)
        for _ in range(QUANTILE_STEPS):
            with np.errstate(all="ignore"):
                new = (low * above - high * below) / (above - below)
            new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
            moved, x = np.abs(new - x), new
            value = excess(x)
            left = value < 0
            # An end that stays twice loses half its weight.
            below, above = np.where(left, value, 0.5 * below), np.where(left, 0.5 * above, value)
            low, high = np.where(left, x, low), np.where(left, high, x)
            if np.all((moved <= close) | (high - low <= close)):
                break
        return np.asarray(x)
