"""Normal noise on y or on log y, for targets that are values or only limits (censored: left, right, or to an interval).

With u = f, or u = log f for log-normal targets, a = (lower - u)/σ, b = (upper - u)/σ, a row that is known to lie between its
limits has the likelihood P = Φ(b) - Φ(a), one that was measured the density φ((y - u)/σ)/σ (over y for log-normal targets);
J. Tobin, Econometrica 26, 24 (1958). With h = (φ(a) - φ(b))/P and q = (a φ(a) - b φ(b))/P

    ∂ℓ/∂u = h/σ,   -∂²ℓ/∂u² = (h² - q)/σ²,   ∂ℓ/∂τ = q,   τ = log σ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hypo.likelihood.base import ROUNDING, Values
from hypo.likelihood.row_likelihood import HALF_LOG_2PI, Derivatives, RowLikelihood, solve_scale

# Share of its size to which the noise of a log-normal target is set at first.
FIRST_SHARE = 0.3
# Least median of a first estimate, as a share of the smallest target.
LEAST_MEDIAN = 0.1


@dataclass(frozen=True)
class Limits(RowLikelihood):
    """``lower`` and ``upper`` (n_row,) are equal to y where it was measured; infinite where there is no such limit. ``y`` is a
    value to stand for the row. ``sigma`` (n_row,) is known or None; for ``log`` it is the one of log y. Information is that of
    the second derivative by u."""

    log: ClassVar[bool] = False

    lower: Values
    upper: Values
    sigma: Values | None = None

    @property
    def can_be_exact(self) -> bool:
        """True if σ is unknown and every row measured."""
        return self.sigma is None and bool(np.all(self.measured))

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Rows (n_row,) with a value."""
        return np.asarray(self.lower == self.upper)

    @cached_property
    def _open(self) -> NDArray[np.int64]:
        """Indices of the rows without."""
        return np.flatnonzero(~self.measured)

    @cached_property
    def _ends(self) -> tuple[Values, Values]:
        """Limits of u."""
        if not self.log:
            return self.lower, self.upper
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(self.lower, 0.0)), np.log(self.upper)

    def _u(self, p: Values) -> Values:
        f: Values = p[0]
        if not self.log:
            return f
        with np.errstate(all="ignore"):
            return np.where(f > 0, np.log(f), math.nan)

    def _standard(self, p: Values, scale: float) -> tuple[Values, Values, Values]:
        """σ, a and b, (n_row,) each."""
        s = np.full(len(self.y), scale) if self.sigma is None else self.sigma
        u, (low, high) = self._u(p), self._ends
        return s, (low - u) / s, (high - u) / s

    def row_misfits(self, p: Values, scale: float) -> Values:
        """-log P, or minus the log density."""
        s, a, b = self._standard(p, scale)
        out = 0.5 * a**2 + np.log(s) + HALF_LOG_2PI
        if self.log:
            out = out + np.where(self.measured, self._ends[0], 0.0)
        c = self._open
        if len(c):
            out[c] = -_log_between(a[c], b[c])
        return out

    def _moments(self, a: Values, b: Values, most: int) -> list[Values]:
        """(aᵏ φ(a) - bᵏ φ(b))/P for k = 0 … ``most``, (n_row,) each: h, q, and those of second derivatives. For a measured row
        the first two are as if it were between limits very close, h = a and q = a² - 1, and the others 0."""
        out = [a.copy(), a**2 - 1.0, *(np.zeros_like(a) for _ in range(most - 1))]
        c = self._open
        if len(c):
            low, high = a[c], b[c]
            log_p = _log_between(low, high)
            at_low, at_high = (np.exp(-0.5 * v**2 - HALF_LOG_2PI - log_p) for v in (low, high))
            # An end at infinity has no density, however often it is multiplied.
            low, high = (np.where(np.isfinite(v), v, 0.0) for v in (low, high))
            for values in out:
                values[c] = at_low - at_high
                at_low, at_high = at_low * low, at_high * high
        return out

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """Those by u, and by the chain rule with ∂u/∂f = 1/f for log-normal targets."""
        s, a, b = self._standard(p, scale)
        h, q, second = self._moments(a, b, 2)
        m = self.measured
        information = np.where(m, 1.0, np.clip(h**2 - q, 0.0, 1.0)) / s**2
        cross = np.where(m, 2.0 * a, h - second + h * q) / s
        rate = 1.0 / p[0] if self.log else 1.0
        known = self.sigma is not None
        return Derivatives((h / s * rate)[None], (information * rate**2)[None], None if known else (cross * rate)[None])

    def find_scale(self, p: Values) -> float:
        """The root of Σ w q."""
        if self.sigma is not None:
            return self.mean_square(self.sigma)
        u, m = self._u(p), self.measured
        if not np.all(np.isfinite(u)):
            return math.nan
        square = self.weigh((np.where(m, self._ends[0], u) - u) ** 2)
        rows = float(np.sum(m if self.weights is None else self.weights[m]))
        floor = ROUNDING if self.log else self.floor
        start = math.sqrt(float(np.sum(square)) / rows) if rows else 1.0
        if not len(self._open):
            return max(start, floor)
        # σ is sought with the rows that have limits only; the others add a multiple of 1/σ² and their number.
        some = self.take(self._open)
        shifted = some._ends[0] - u[self._open], some._ends[1] - u[self._open]
        total = float(np.sum(square))

        def slope(s: float) -> tuple[float, float]:
            a, b = shifted[0] / s, shifted[1] / s
            _, q, _, third = some._moments(a, b, 3)
            value = total / s**2 - rows + float(np.sum(some.weigh(q)))
            return value, -2.0 * total / s**2 - float(np.sum(some.weigh(q - third + q**2)))

        return solve_scale(start or floor, slope, floor)

    def scale_information(self, p: Values, scale: float) -> float:
        """-∂²ℓ/∂τ²."""
        if self.sigma is not None:
            return 0.0
        _, a, b = self._standard(p, scale)
        _, q, _, third = self._moments(a, b, 3)
        return float(np.sum(self.weigh(np.where(self.measured, 2.0 * a**2, q - third + q**2))))

    def residual(self, predicted: Values) -> Values:
        """The difference of the nearest possible target from f."""
        f: Values = predicted[0]
        return np.clip(f, self.lower, self.upper) - f

    def first_response(self) -> tuple[Values, Values]:
        """The values that stand for the rows."""
        if self.log:
            return self.y, FIRST_SHARE * self.y
        return self.y, np.full(len(self.y), float(np.std(self.y)) or 1.0) if self.sigma is None else self.sigma

    def clip_to_possible(self, f: Values) -> Values:
        """Medians no smaller than a share of the smallest target."""
        return np.maximum(f, LEAST_MEDIAN * float(np.min(self.y))) if self.log else f


def _log_between(a: Values, b: Values) -> Values:
    """log(Φ(b) - Φ(a)) without loss of digits in either tail."""
    from scipy.special import log_ndtr

    # Where both are above 0 the two ends change places, so that the small tail is what is computed.
    flip = a > 0
    low, high = np.where(flip, -b, a), np.where(flip, -a, b)
    top, gone = log_ndtr(high), log_ndtr(low)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(top + np.log1p(-np.exp(gone - top)))
