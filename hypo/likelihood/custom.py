"""A user's own likelihood: a vectorised function of targets and predictions; its derivatives are differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hypo.data import Dataset
from hypo.errors import InputError
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import Family
from hypo.likelihood.row_likelihood import Derivatives, RowLikelihood

# Width of differences in units of the noise: wide enough to smooth over corners, as the one of Laplace's density, and too
# narrow to matter where there are none.
WIDTH = 0.1
# Least information, in units of one over the noise squared.
LEAST = 1e-6

NOTHING_NEW = "a user's own likelihood says nothing of new targets, so there are no intervals or chances of them"

LogLikelihood = Callable[[Values, Values], Values]


@dataclass(frozen=True)
class Custom(RowLikelihood):
    """``log_likelihood(y, f)`` gives log p(y_i | f_i) in nats, shape (n_row,), for targets and predictions (n_row,); NaN or
    -inf where a prediction is impossible. ``unit`` is a standard deviation of the noise on the scale of f, roughly."""

    log_likelihood: LogLikelihood
    unit: float = field(default=1.0, kw_only=True)

    def row_misfits(self, p: Values, scale: float) -> Values:
        """Minus what the function says."""
        try:
            return -np.asarray(self.log_likelihood(self.y, p[0]), np.float64)
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise InputError(
                f"log_likelihood(y, f) raises {type(error).__name__} during the search: {first}"
            ) from error

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Central differences, and differences of these; where such a one is not positive, the square of the first."""
        h = WIDTH * self.unit
        lowest, low, middle, high, highest = (self.row_misfits(p + k * h, scale) for k in (-2, -1, 0, 1, 2))
        score = (low - high) / (2.0 * h)
        information = (lowest - 2.0 * middle + highest) / (4.0 * h**2)
        # Near the edge of what is possible only one side is there.
        score = np.where(np.isfinite(score), score, np.where(np.isfinite(low), (low - middle) / h, (middle - high) / h))
        least = LEAST / self.unit**2
        information = np.where(information > least, information, np.maximum(score**2, least))
        return Derivatives(score[None], information[None])

    @cached_property
    def _spread(self) -> float:
        return float(np.std(self.y)) or 1.0

    def refine(self, p: Values) -> Custom:
        """With one over the root mean square of the score for unit: that is the mean information."""
        narrow = replace(self, unit=1e-3 * self.unit)
        score = narrow.derivatives(p, math.nan).score
        usual = float(np.sqrt(np.mean(score[np.isfinite(score)] ** 2))) if np.isfinite(score).any() else 0.0
        return replace(self, unit=1.0 / usual) if usual > 0 else self

    def first_response(self) -> tuple[Values, Values]:
        """y itself: the likelihood should be large near f = y."""
        return self.y, np.full(len(self.y), self._spread)


@dataclass(frozen=True)
class CustomFamily(Family):
    """The distribution that ``log_likelihood`` says; of new targets it says nothing, and a result file does not keep it."""

    kind: ClassVar[str] = "custom"
    formula_is: ClassVar[str] = "the formula is what log_likelihood(y, f) takes for f"
    is_users_own: ClassVar[bool] = True
    has_distribution: ClassVar[bool] = False

    log_likelihood: LogLikelihood | None = field(default=None, compare=False)

    def require_targets(self, dataset: Dataset) -> None:
        """A function that can be used with the table's targets."""
        assert self.log_likelihood is not None
        require_usable(self.log_likelihood, dataset.y)

    def make_rows(self, dataset: Dataset, y: Values, weights: Values | None, scales: Mapping[str, float]) -> Likelihood:
        """:class:`Custom`; the function is given numbers in the unit of the table."""
        assert self.log_likelihood is not None
        function, factor = self.log_likelihood, scales.get(dataset.target, 1.0)

        def in_own_unit(values: Values, f: Values) -> Values:
            return function(values / factor, f / factor)

        return Custom(y, function if factor == 1.0 else in_own_unit, weights=weights, unit=float(np.std(y)) or 1.0)

    def variance(self, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """Raises InputError."""
        raise InputError(NOTHING_NEW)

    def cdf(self, t: ArrayLike, f: ArrayLike, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """Raises InputError."""
        raise InputError(NOTHING_NEW)

    def draw_possible(self, rng: np.random.Generator, f: Values, scale: Values, trials: ArrayLike) -> Values:
        """Raises InputError."""
        raise InputError(NOTHING_NEW)

    def near_quantile(self, p: float, f: Values, scale: ArrayLike = 1.0, trials: ArrayLike = 1.0) -> Values:
        """Raises InputError."""
        raise InputError(NOTHING_NEW)


def require_usable(log_likelihood: LogLikelihood, y: Values) -> None:
    """Raises InputError unless the function can be used: it takes two arrays, gives one of the same shape, numbers or -inf,
    finite where f is y or the mean of y, and says of each row what it says of that row alone."""
    what = "log_likelihood(y, f)"
    mean = np.full(len(y), float(np.mean(y)))
    found = {}
    for name, f in (("f = y", y.copy()), ("f = the mean of y", mean)):
        found[name] = _called(log_likelihood, y, f, f"{what} with {name}")
    if not any(np.all(np.isfinite(v)) for v in found.values()):
        raise InputError(
            f"{what} must be finite on every row for some prediction, but is not for f = y nor for f = the mean of y; "
            "row 0 gives " + " and ".join(f"{v[0]:g}" for v in found.values())
        )
    half = np.arange(0, len(y), 2)[::-1]
    part = _called(log_likelihood, y[half].copy(), mean[half].copy(), f"{what} on every second row")
    if not np.allclose(part, found["f = the mean of y"][half], rtol=1e-9, atol=1e-12, equal_nan=True):
        raise InputError(
            f"{what} must judge each row by itself, but gives other values for the same rows without their neighbours"
        )


def _called(log_likelihood: LogLikelihood, y: Values, f: Values, where: str) -> Values:
    # Copies: what a function changes is not the user's table.
    given = y.copy(), f.copy()
    try:
        with np.errstate(all="ignore"):
            out = log_likelihood(*given)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise InputError(f"{where} raises {type(error).__name__}: {first}") from error
    if np.iscomplexobj(out):
        raise InputError(f"{where} must give real numbers, got complex ones")
    try:
        values = np.asarray(out, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{where} must give numbers, got {type(out).__name__}") from None
    if values.shape != y.shape:
        raise InputError(f"{where} must give one number for each row, shape ({len(y)},), got shape {values.shape}")
    if not (np.array_equal(y, given[0]) and np.array_equal(f, given[1])):
        raise InputError(f"{where} must not change its arguments")
    if np.any(values == math.inf):
        raise InputError(
            f"{where} gives +inf for row {int(np.argmax(values == math.inf))}; a log likelihood is finite or -inf"
        )
    return values
