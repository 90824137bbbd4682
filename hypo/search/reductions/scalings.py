"""Exponents of scalings x_j → λ^{a_j} x_j, y → λ^b y: estimated from the data, rounded in view of their errors, and judged by
how well a surrogate in the invariants alone predicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.problem.surrogate import Surrogate, fit_surrogate, held_out, off

# Exponents are multiples of 1/2 and not larger than this.
LARGEST_EXPONENT = 8
# How far an estimate may be from such a multiple.
EXPONENT_MISS = 0.2
# Steps of least squares for exponents that are in doubt.
DOUBT_STEPS = 3
# Errors this many times the surrogate's end them.
FAR_ERROR = 1.5
# What exponents are off by beside their standard errors.
SURE_ERROR = 0.03
# A standard error of this size tells nothing.
UNSURE_ERROR = 0.5
# Nats that a half costs.
HALF_NATS = 1.5


@dataclass(frozen=True)
class Scalings:
    """Scalings in reduced form: ``A`` (rank, n_var + 1) holds the exponents of the variables and of the target, and is the
    identity at the ``pivots``, which are positive variables."""

    A: NDArray[np.float64]
    pivots: tuple[int, ...]

    @property
    def rest(self) -> list[int]:
        """The variables that are no pivots."""
        return [j for j in range(self.A.shape[1] - 1) if j not in self.pivots]

    @property
    def halves(self) -> int:
        """How many exponents are no whole numbers."""
        return int(np.sum(self.A % 1 != 0))

    def whole(self) -> Iterator[Scalings]:
        """The same with whole numbers in place of the halves of one variable, each way of rounding them."""
        for j in range(self.A.shape[1]):
            halves = np.flatnonzero(self.A[:, j] % 1 != 0)
            for ways in product((-0.5, 0.5), repeat=len(halves)) if len(halves) else ():
                A = self.A.copy()
                A[halves, j] += ways
                yield Scalings(A, self.pivots)

    @property
    def key(self) -> bytes:
        """Equal for equal scalings."""
        return self.A.tobytes()


def with_pivots(space: NDArray[np.float64], positive: NDArray[np.bool_]) -> Scalings | None:
    """The space in reduced form, with pivots on positive variables."""
    A = space.copy()
    n_var = A.shape[1] - 1
    pivots: list[int] = []
    for r in range(len(A)):
        # Full pivoting: dividing by the largest entry keeps the others small and their errors too.
        usable = [j for j in range(n_var) if positive[j] and j not in pivots]
        if not usable:
            return None
        block = np.abs(A[r:, usable])
        i, k = divmod(int(np.argmax(block)), block.shape[1])
        if block[i, k] < 1e-9:
            return None
        A[[r, r + i]] = A[[r + i, r]]
        pivots.append(usable[k])
        A[r] /= A[r, pivots[r]]
        for other in range(len(A)):
            if other != r:
                A[other] -= A[other, pivots[r]] * A[r]
    return Scalings(A, tuple(pivots))


def round_exponents(s: Scalings) -> Scalings | None:
    """The nearest multiples of 1/2; None where one is too far, or too large."""
    A = np.round(2 * s.A) / 2
    return (
        None
        if np.any(np.abs(A - s.A) > EXPONENT_MISS) or np.any(np.abs(A) > LARGEST_EXPONENT)
        else Scalings(A, s.pivots)
    )


@dataclass(frozen=True)
class Reduced:
    """y = scale·F(invariants) with a surrogate for F; ``error`` is in y."""

    logs: NDArray[np.float64]
    scale: NDArray[np.float64]
    invariants: NDArray[np.float64]
    surrogate: Surrogate | None
    lead: float
    error: float

    @staticmethod
    def of(
        s: Scalings,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64],
        log: bool | None = None,
    ) -> Reduced | None:
        """The surrogate in the invariants of ``s``; None where there is none."""
        logs = np.log(X[list(s.pivots)])
        invariants = X[s.rest] * np.exp(-s.A[:, s.rest].T @ logs)
        scale = np.exp(s.A[:, -1] @ logs)
        if not (np.all(np.isfinite(invariants)) and np.all(np.isfinite(scale)) and np.all(scale > 0)):
            return None
        # Errors on the same rows as those of others: from other rows even the noise would differ by more than WORSE.
        held = held_out(len(y))
        if not s.rest:
            lead = float(np.average((y / scale)[~held], weights=(weight * scale**2)[~held]))
            error = float(np.sqrt(np.average((y - lead * scale)[held] ** 2, weights=weight[held])))
            return Reduced(logs, scale, invariants, None, lead, error)
        found = fit_surrogate(invariants, y / scale, weight * scale**2, log)
        if found is None:
            return None
        # The error of the surrogate is weighted by scale², so it is one in y.
        error = found.error * float(np.sqrt(np.average(scale[held] ** 2, weights=weight[held])))
        return Reduced(logs, scale, invariants, found, 1.0, error)

    def slopes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Values (n_row,), derivatives by the exponents, those of each invariant and then of the target, under each scaling
        (n_exponent, n_row), and by the coefficients of the surrogate (n_term, n_row)."""
        if self.surrogate is None:
            value = self.lead * self.scale
            return value, value * self.logs, self.scale[None, :]
        value = self.surrogate.value(self.invariants) * self.scale
        basis = self.surrogate.by_coefficients(self.invariants) * self.scale
        along = self.surrogate.gradient(self.invariants) * self.invariants * self.scale
        parts = [-line * self.logs for line in along]
        return value, np.vstack([*parts, value * self.logs]), basis


def estimate_exponents(
    s: Scalings,
    surrogate: Surrogate,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    clock: Clock | None = None,
) -> Scalings | None:
    """The exponents of least squares, rounded in view of their errors: the surest first, the others then as they follow from
    it. None where the rows do not tell them, or the ``clock`` expires."""
    found = fit_exponents(s, surrogate, X, y, weight, clock)
    if found is None:
        return None
    s, covariance = found
    mean = s.A[:, [*s.rest, -1]].T.ravel()
    covariance = covariance + SURE_ERROR**2 * np.eye(len(mean))
    left = list(range(len(mean)))
    while left:
        k = left[int(np.argmin(covariance[left, left]))]
        error = float(np.sqrt(covariance[k, k]))
        near = np.round(2 * mean[k]) / 2 + np.array([0.0, 0.5, -0.5])
        exact = float(
            near[np.argmin((near - mean[k]) ** 2 / (2 * error**2) + HALF_NATS * (near % 1 != 0) + np.abs(near) / 4)]
        )
        if (
            error > UNSURE_ERROR
            or abs(exact - mean[k]) > max(EXPONENT_MISS, 3 * error)
            or abs(exact) > LARGEST_EXPONENT
        ):
            return None
        follow = covariance[:, k] / covariance[k, k]
        mean = mean + follow * (exact - mean[k])
        covariance = covariance - np.outer(follow, covariance[k])
        covariance[np.diag_indices_from(covariance)] = np.maximum(np.diag(covariance), SURE_ERROR**2)
        mean[k] = exact
        left.remove(k)
    A = s.A.copy()
    A[:, [*s.rest, -1]] = mean.reshape(len(s.rest) + 1, len(s.A)).T
    return Scalings(A, s.pivots)


def fit_exponents(
    s: Scalings,
    surrogate: Surrogate,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    clock: Clock | None = None,
) -> tuple[Scalings, NDArray[np.float64]] | None:
    """The exponents of least squares, by steps of Gauss–Newton with the surrogate's coefficients projected out, and their
    covariance: exponents of each variable that is no pivot, then of the target, under each scaling. None where surrogates in
    the invariants predict much worse than ``surrogate``."""
    columns = [*s.rest, -1]
    for step in range(DOUBT_STEPS):
        if clock is not None and clock.expired:
            return None
        reduced = Reduced.of(s, X, y, weight, surrogate.log)
        if reduced is None or (step and reduced.error > FAR_ERROR * surrogate.error):
            return None
        value, slopes, basis = reduced.slopes()
        if not (np.all(np.isfinite(slopes)) and np.all(np.isfinite(basis))):
            return None
        both = off(basis, np.vstack([y - value, slopes]), weight)
        normal = (both[1:] * weight) @ both[1:].T
        normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal)
        covariance = np.linalg.inv(normal)
        moved = covariance @ ((both[1:] * weight) @ both[0])
        A = s.A.copy()
        A[:, columns] += np.clip(moved, -1.0, 1.0).reshape(len(columns), len(A)).T
        s = Scalings(A, s.pivots)
    return s, np.asarray(covariance * float(np.average(both[0] ** 2, weights=weight)), np.float64)
