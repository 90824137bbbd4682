"""A smooth stand-in for the target: a polynomial fit, for denoised values and for derivatives.

Coordinates are log x where a variable is positive and its logarithms are spread about as well as its values, else x, mapped to
[−1, 1]; the basis is products of Legendre polynomials up to a total degree, which a part of the rows held out of the fit
decides; so does whether y or log|y| is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

# Most terms,
MOST_TERMS = 350
# and as a share of the rows.
TERMS_SHARE = 0.15
# Share of the rows held out while choosing.
HELD_OUT = 0.25
# Highest degree.
MOST_DEGREE = 14
# Highest degree in one variable, where an invariant ranges as widely as the variables in it together and must be followed as
# closely.
MOST_ALONE = 28
# A higher degree has to lower the held-out error by this factor.
BETTER = 0.99
# So many degrees without success end the trials.
TRIES = 3
# An error that the last degree lowered by less than this is saturated.
SATURATED = 0.9
# A logarithm is tried when this share of the targets, or of their squares, has one sign.
ONE_SIGN = 0.8
# A positive variable whose logarithms have a standard deviation of less than this share of that of its values, both in their
# ranges, is taken as it is: a few rows near 0 would leave the others a small part of the box.
SQUEEZED = 0.5
# Rows whose basis functions are worked out together: those of some hundred terms stay in the cache.
BLOCK = 2048


@dataclass(frozen=True)
class Coordinates:
    """Maps X (n_var, n_row) to [−1, 1]: ``log[k]`` takes logarithms first."""

    log: tuple[bool, ...]
    centre: NDArray[np.float64]
    half: NDArray[np.float64]

    @staticmethod
    def of(X: NDArray[np.float64]) -> Coordinates:
        """Coordinates whose box just holds ``X``."""
        log = tuple(bool(np.all(line > 0)) and _spread(np.log(line)) > SQUEEZED * _spread(line) for line in X)
        raw = np.array([np.log(line) if use else line for line, use in zip(X, log, strict=True)])
        lo, hi = raw.min(axis=1), raw.max(axis=1)
        return Coordinates(log, (lo + hi) / 2, np.where(hi > lo, (hi - lo) / 2, 1.0))

    def map(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (n_var, n_row)."""
        raw = np.array([np.log(line) if use else line for line, use in zip(X, self.log, strict=True)])
        return (raw - self.centre[:, None]) / self.half[:, None]


@dataclass(frozen=True)
class Surrogate:
    """y ≈ Σ c_k Π_j P_{d_kj}(z_j), or its exponential times ``sign`` where ``log`` is set.

    ``error`` is the RMS of the held-out residuals in y's units. ``saturated`` says that more terms did not lower it: what is
    left is noise rather than a function the polynomial is too stiff for.
    """

    coordinates: Coordinates
    degrees: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    log: bool
    sign: float
    error: float
    saturated: bool

    def value(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Smooth values (n_row,) of y."""
        f = self.coefficients @ design(self.coordinates.map(X), self.degrees)
        return self.sign * np.exp(f) if self.log else f

    def gradient(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """∂y/∂x_j, an array (n_var, n_row)."""
        z = self.coordinates.map(X)
        f = self.coefficients @ design(z, self.degrees)
        out = np.empty_like(X)
        for j in range(len(X)):
            slope = self.coefficients @ design(z, self.degrees, j) / self.coordinates.half[j]
            out[j] = slope / X[j] if self.coordinates.log[j] else slope
        return out * (self.sign * np.exp(f)) if self.log else out

    def by_coefficients(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives (n_term, n_row) of the values by the coefficients."""
        basis = design(self.coordinates.map(X), self.degrees)
        return basis * (self.sign * np.exp(self.coefficients @ basis)) if self.log else basis


def _spread(line: NDArray[np.float64]) -> float:
    """Standard deviation as a share of the range; 0 where that is nothing."""
    return float(np.std(line)) / (float(np.ptp(line)) or 1.0)


def multi_indices(n_var: int, degree: int) -> NDArray[np.int64]:
    """Exponent vectors (n_term, n_var) of total degree up to ``degree``."""
    # Stars and bars: n_var bars among degree + n_var places.
    out = []
    for bars in combinations(range(degree + n_var), n_var):
        places = (-1, *bars)
        out.append([places[k + 1] - places[k] - 1 for k in range(n_var)])
    return np.array(out, np.int64)


def design(z: NDArray[np.float64], degrees: NDArray[np.int64], along: int | None = None) -> NDArray[np.float64]:
    """Basis functions (n_term, n_row) at ``z`` (n_var, n_row), or their derivatives by z_along, for all ``degrees``
    (n_term, n_var) up to some total one."""
    out = np.ones((len(degrees), z.shape[1]))
    top = degrees.max(axis=0, initial=0)
    order = [j for j in range(len(z)) if j != along]
    products = list(_products(degrees, order))
    for first in range(0, z.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        if along is not None:
            alone = np.flatnonzero(np.all(degrees[:, order] == 0, axis=1))
            out[alone, block] = _slopes(z[along, block], top[along])[degrees[alone, along]]
        for j, new, less in products:
            out[new, block] = out[less, block] * _legendre(z[j, block], top[j])[degrees[new, j]]
    return out


def _products(
    degrees: NDArray[np.int64], order: list[int]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """(Variable, terms, the same terms without it), variable by variable: terms are products with those that came before."""
    base = (1 + int(degrees.max(initial=0))) ** np.arange(degrees.shape[1])
    key = degrees @ base
    sorter = np.argsort(key)
    for k, j in enumerate(order):
        new = np.flatnonzero((degrees[:, j] > 0) & np.all(degrees[:, order[k + 1 :]] == 0, axis=1))
        if len(new):
            yield j, new, sorter[np.searchsorted(key, key[new] - degrees[new, j] * base[j], sorter=sorter)]


def _legendre(line: NDArray[np.float64], top: int) -> NDArray[np.float64]:
    """Legendre polynomials (top + 1, n_row) up to degree ``top``."""
    P = np.ones((top + 1, len(line)))
    if top:
        P[1] = line
    for k in range(1, top):
        P[k + 1] = ((2 * k + 1) * line * P[k] - k * P[k - 1]) / (k + 1)
    return P


def _slopes(line: NDArray[np.float64], top: int) -> NDArray[np.float64]:
    """Their derivatives (top + 1, n_row)."""
    P, D = _legendre(line, top), np.zeros((top + 1, len(line)))
    if top:
        D[1] = 1.0
    for k in range(1, top):
        D[k + 1] = D[k - 1] + (2 * k + 1) * P[k]
    return D


def solve(A: NDArray[np.float64], t: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted least squares for rows ``A`` (n_term, n_row) by normal equations with a trace of ridge."""
    root = np.sqrt(w)
    W = A * root
    # The same array twice: half the work (syrk).
    normal = W @ W.T
    normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal) / len(normal)
    return np.asarray(np.linalg.solve(normal, W @ (t.T * root).T), np.float64)


def off(basis: NDArray[np.float64], rows: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of ``rows`` (…, n_row) off the span of ``basis`` (n_term, n_row): the projection of variable projection."""
    return rows - solve(basis, rows.T, w).T @ basis


def _solve_log(
    A: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64], steps: int = 6
) -> NDArray[np.float64]:
    """Least squares of y ≈ exp(c·A) by iterated weights (a Gaussian model with a logarithmic link); y may scatter below 0."""
    floor = 0.1 * float(np.median(np.abs(y)))
    f = np.log(np.maximum(y, floor) if np.any(y <= 0) else y)
    c = solve(A, f, w * np.exp(2 * f))
    if np.all(y > 0):
        steps = 1
    top = float(f.max()) + 1.0
    for _ in range(steps):
        f = np.minimum(c @ A, top)
        mu = np.exp(f)
        c = solve(A, f + np.clip((y - mu) / mu, -1.0, 1.0), w * mu**2)
    return c


def _predict(c: NDArray[np.float64], A: NDArray[np.float64], log: bool, sign: float) -> NDArray[np.float64]:
    return sign * np.exp(c @ A) if log else c @ A


def held_out(n: int) -> NDArray[np.bool_]:
    """The rows (n,) that errors are measured on; they depend on ``n`` only."""
    held = np.zeros(n, np.bool_)
    held[np.random.default_rng(0).permutation(n)[: int(HELD_OUT * n)]] = True
    return held


def fit_surrogate(
    X: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], log: bool | None = None
) -> Surrogate | None:
    """The polynomial stand-in of least held-out error; None with too few rows or a target it tells nothing of.

    ``log`` settles whether y or its logarithm is fitted. The rows held out depend on their number only, so that the errors of
    two stand-ins for one target compare row by row.
    """
    n_var, n = X.shape
    if n < 40 or n_var > 20 or np.any(np.ptp(X, axis=1) == 0):
        return None
    coordinates = Coordinates.of(X)
    z = coordinates.map(X)
    held = held_out(n)
    spread = float(np.std(y))
    sign = -1.0 if np.sum(y * np.abs(y)) < 0 else 1.0
    if log is not None:
        logs: tuple[bool, ...] = (log,)
    else:
        logs = (False, True) if max(float(np.mean(sign * y > 0)), _mass(y, sign)) > ONE_SIGN else (False,)
    best: tuple[float, bool, int, bool] | None = None
    for log in logs:
        failed, least, last = 0, np.inf, False
        for degree in range(1, (MOST_ALONE if n_var == 1 else MOST_DEGREE) + 1):
            if comb(n_var + degree, degree) > min(MOST_TERMS, TERMS_SHARE * n):
                break
            A = design(z, multi_indices(n_var, degree))
            c = _fit(A[:, ~held], y[~held], weight[~held], log, sign)
            with np.errstate(over="ignore"):
                r = _predict(c, A[:, held], log, sign) - y[held]
                error = float(np.sqrt(np.average(r**2, weights=weight[held])))
            last = error < SATURATED * least
            if not error < BETTER * least:
                failed += 1
                if failed == TRIES:
                    break
                continue
            failed, least = 0, error
            if best is None or error < best[0]:
                best = (error, log, degree, False)
        if best is not None and best[1] == log:
            best = (*best[:3], not last)
    if best is None or not best[0] < 0.9 * spread:
        return None
    error, log, degree, saturated = best
    degrees = multi_indices(n_var, degree)
    c = _fit(design(z, degrees), y, weight, log, sign)
    return Surrogate(coordinates, degrees, c, log, sign, error, saturated)


def _mass(y: NDArray[np.float64], sign: float) -> float:
    """Share of the squares that the targets of one sign have: noise as large as most targets changes their signs only."""
    return float(np.sum(y[sign * y > 0] ** 2)) / (float(np.sum(y**2)) or 1.0)


def _fit(
    A: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64], log: bool, sign: float
) -> NDArray[np.float64]:
    return _solve_log(A, sign * y, w) if log else solve(A, y, w)
