"""Smooth paths through noisy samples: a Gaussian process for each state, chosen by its marginal likelihood.

y_i = x(t_i) + ε_i with x ~ GP(0, s²·k((t - t')/ℓ)), ε ~ N(0, r·s²·v_i). With K = Q diag(λ) Qᵀ made once for each ℓ (and each
warp of time), every noise ratio r costs O(n):

    log p(y) = -½ n log s² - ½ Σ log(λ_i + r) - ½ n (1 + log 2π),   s² = (1/n) Σ (Qᵀy)_i²/(λ_i + r).

Besides plain values the choice is between logarithms (positive states whose noise grows with them) with the Jacobian Σ log y,
and between time as it is and log(1 + t/t₀) (transients). The rate and its joint covariance follow from the same Q. Errors of a
smoothed rate are correlated over about ℓ: rows nearer than that are no new witnesses (:func:`effective_rows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Length scales as shares of the duration, from a few samples to more than all of it.
LENGTHS = np.geomspace(0.02, 2.0, 16)
# Ratios of noise variance to signal variance; the least stands for data without noise.
RATIOS = np.concatenate([[1e-12, 1e-10, 1e-8], np.geomspace(1e-7, 1.0, 22)])
# Origins of warped time log(1 + t/t0), as shares of the duration; none first.
WARPS = (math.inf, 0.3, 0.05)
# Correlation between errors of two rates from which on they count as one witness.
ALIKE = 0.5
# More rows than this are smoothed in windows that overlap by half.
WINDOW = 400


@dataclass(frozen=True)
class Path:
    """A state along one run.

    Attributes:
        time: (n,), distinct moments.
        value, rate: (n,), means of the state and of its rate of change.
        value_sd, rate_sd: (n,), their posterior standard deviations.
        rate_correlation: (n, n), between the errors of rates.
        noise: standard deviation of one measurement, by row (n,).
        log_likelihood: of the samples, for comparisons.
        length: correlation length, in units of time.
        is_log: True where the logarithm was smoothed.
    """

    time: Values
    value: Values
    rate: Values
    value_sd: Values
    rate_sd: Values
    rate_correlation: Values
    noise: Values
    log_likelihood: float
    length: float
    is_log: bool

    @property
    def is_undersampled(self) -> bool:
        """True where a step often crosses more than a third of the range: no smoother can fill such gaps."""
        return bool(np.quantile(np.abs(np.diff(self.value)), 0.8) > np.ptp(self.value) / 3)


def smooth(time: Values, values: Values) -> Path:
    """The likeliest smooth path through samples (n,) at times (n,), which do not go back; NaN samples are left out.

    Raises ValueError for fewer than four samples.
    """
    kept = np.isfinite(values)
    moments, first, counts = np.unique(time[kept], return_index=True, return_counts=True)
    if len(moments) < 4:
        raise ValueError(f"a path needs four samples at least, got {len(moments)}")
    means = np.add.reduceat(values[kept], first) / counts
    fits = list(_candidates(moments, means, counts.astype(float)))
    return max(fits, key=lambda fit: fit.log_likelihood).path()


@dataclass(frozen=True)
class _Fit:
    """One choice of transformation, warp, length and noise."""

    time: Values
    warped: Values
    slope: Values  # d warped/d time
    z: Values
    mean: float
    length: float
    ratio: float
    scale: float
    weights: Values
    log_likelihood: float
    is_log: bool

    def path(self) -> Path:
        d = (self.warped[:, None] - self.warped[None, :]) / self.length
        K, K1, K2 = _kernel(d, self.length)
        A = K + self.ratio * np.diag(self.weights)
        solve = np.linalg.solve(A, np.column_stack([self.z - self.mean, K, K1.T]))
        n = len(self.z)
        alpha, to_value, to_rate = solve[:, 0], solve[:, 1 : 1 + n], solve[:, 1 + n :]
        value, rate = K @ alpha + self.mean, K1 @ alpha
        value_var = self.scale * np.maximum(np.diag(K) - np.einsum("ij,ij->j", K, to_value), 0.0)
        rate_cov = self.scale * (K2 - K1 @ to_rate)
        noise = np.sqrt(self.scale * self.ratio * self.weights)
        rate, rate_cov = rate * self.slope, rate_cov * np.outer(self.slope, self.slope)
        if self.is_log:
            x = np.exp(value)
            rate, rate_cov = rate * x, rate_cov * np.outer(x, x)
            value, value_var, noise = x, value_var * x**2, noise * x
        sd = np.sqrt(np.maximum(np.diag(rate_cov), 0.0))
        with np.errstate(all="ignore"):
            correlation = np.nan_to_num(rate_cov / np.outer(sd, sd), nan=0.0)
        return Path(
            self.time,
            value,
            rate,
            np.sqrt(value_var),
            sd,
            correlation,
            noise,
            self.log_likelihood,
            self._length(),
            self.is_log,
        )

    def _length(self) -> float:
        return float(self.length / np.median(self.slope))


def _kernel(d: Values, length: float) -> tuple[Values, Values, Values]:
    """Squared exponential of scaled distances d: covariances value-value, rate-value, rate-rate."""
    K = np.exp(-0.5 * d * d)
    return K, -d / length * K, (1 - d * d) / length**2 * K


def _candidates(time: Values, y: Values, counts: Values) -> Iterator[_Fit]:
    """The likeliest fit of each transformation and warp."""
    span = float(time[-1] - time[0])
    forms = [(y, False)]
    if np.all(y > 0) and np.max(y) > 3 * np.min(y):
        forms.append((np.log(y), True))
    for origin in WARPS:
        shifted = time - time[0]
        warped = shifted if math.isinf(origin) else origin * span * np.log1p(shifted / (origin * span))
        slope = np.ones_like(time) if math.isinf(origin) else 1.0 / (1.0 + shifted / (origin * span))
        for share in LENGTHS:
            length = share * float(warped[-1])
            if length < 0.7 * float(np.median(np.diff(warped))):
                continue
            d = (warped[:, None] - warped[None, :]) / length
            # Rows of repeated measurements have less noise; scaled to unit noise before the decomposition.
            root = np.sqrt(counts)
            lam, Q = np.linalg.eigh(np.exp(-0.5 * d * d) * np.outer(root, root))
            lam = np.maximum(lam, 0.0)
            for z, is_log in forms:
                mean = float(np.mean(z))
                c = (Q.T @ (root * (z - mean))) ** 2
                n = len(z)
                denominators = lam[None, :] + RATIOS[:, None]
                scale = np.maximum((c[None, :] / denominators).sum(1) / n, 1e-300)
                ll = -0.5 * (n * np.log(scale) + np.log(denominators).sum(1) + n * (1 + math.log(2 * math.pi)))
                ll += 0.5 * np.log(counts).sum() - (z.sum() if is_log else 0.0)
                best = int(np.argmax(ll))
                yield _Fit(
                    time,
                    warped,
                    slope,
                    z,
                    mean,
                    length,
                    float(RATIOS[best]),
                    float(scale[best]),
                    1.0 / counts,
                    float(ll[best]),
                    is_log,
                )


def effective_rows(path: Path) -> NDArray[np.int64]:
    """Rows whose errors of the rate are nearly independent, from the first on: each is the next whose correlation with the one
    before is below ``ALIKE``."""
    rows, n = [0], len(path.time)
    while True:
        beyond = np.flatnonzero(path.rate_correlation[rows[-1], rows[-1] + 1 :] < ALIKE)
        if not len(beyond):
            return np.array(rows, np.int64)
        rows.append(rows[-1] + 1 + int(beyond[0]))
        if rows[-1] >= n - 1:
            return np.array(rows, np.int64)
