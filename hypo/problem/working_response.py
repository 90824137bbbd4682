"""The Gaussian problem that stands for another likelihood where formulas are looked for.

Scans, races and evolution score by least squares, which is what makes them fast. They are given the likelihood expanded to
second order around a smooth first estimate of what the law predicts, found by iterated weighted fits of a polynomial: a target
and a standard deviation for each row. What they put forward is fitted, scored and archived by the likelihood itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.problem.surrogate import Coordinates, Surrogate, design, fit_surrogate, multi_indices, solve

# Rounds of estimate and expansion.
ROUNDS = 4
# Rows of an estimate.
ROWS = 5000
# Rows that a coefficient of a straight line needs.
LINE_ROWS = 4
# Neighbours of a row whose median shows whether it is an outlier.
NEIGHBOURS = 7
# By how many standard deviations of such differences it is one,
OUTLIER = 6.0
# beyond this share of the standard deviation of all rows.
SLACK = 0.3
# By what factor its own standard deviation is then larger.
OUTLIER_SIGMA = 1e4
# Standard deviations of the working target are within this factor of their median.
WIDEST = 1e3


def with_working_response(likelihood: Likelihood, X: NDArray[np.float64], columns: tuple[str, ...]) -> Likelihood:
    """``likelihood`` with the Gaussian problem around a smooth estimate from the rows ``X`` (n_var, n_row); a Gaussian one as
    it is."""
    if not isinstance(likelihood, RowLikelihood):
        return likelihood
    z, spread = likelihood.first_response()
    chosen = np.sort(np.random.default_rng(0).permutation(len(z))[:ROWS])
    with np.errstate(all="ignore"):
        others = () if likelihood.needs_slopes else tuple(_powers(X, z, z / spread))
        for _ in range(ROUNDS):
            weight = 1.0 / spread[chosen] ** 2
            if likelihood.weights is not None:
                weight = weight * likelihood.weights[chosen]
            rows = np.ascontiguousarray(X[:, chosen]), z[chosen], weight / weight.mean()
            found = fit_surrogate(*rows)
            estimate = _plane(*rows) if found is None else found
            f = estimate.value(X)
            f = likelihood.clip_to_possible(np.where(np.isfinite(f), f, np.median(z)))
            if found is None and others:
                f = min((f, *map(likelihood.clip_to_possible, others)), key=lambda f: _loss(likelihood, f))
            p = likelihood.predict_smooth(f, _slopes(estimate, X, columns) if likelihood.needs_slopes else {})
            likelihood = likelihood.refine(p)
            new, wide = likelihood.expand(p)
            usable = np.isfinite(new) & np.isfinite(wide) & (wide > 0)
            if not usable.any():
                break
            middle = float(np.median(wide[usable]))
            z = np.where(usable, new, f)
            spread = np.where(usable, np.clip(wide, middle / WIDEST, middle * WIDEST), middle * WIDEST)
        working = Gaussian(z, spread, likelihood.weights)
        return replace(likelihood, working_response=working, working_loss=likelihood.loss(p) - working.loss(f))


def _slopes(estimate: Surrogate, X: NDArray[np.float64], columns: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Slopes (n_row,) of an estimate by column, 0 where they are not finite."""
    slopes = estimate.gradient(X)
    return dict(zip(columns, np.where(np.isfinite(slopes), slopes, 0.0), strict=True))


def working_responses(likelihood: Likelihood, X: NDArray[np.float64]) -> tuple[Gaussian, ...]:
    """Gaussian problems whose minima are starts for ``likelihood`` on the rows ``X`` (n_var, n_row): the one around a smooth
    estimate, the one from the targets alone, and for targets with outliers the one without rows far from their neighbours."""
    out = [likelihood.gaussian]
    if isinstance(likelihood, RowLikelihood):
        first = Gaussian(*likelihood.first_response(), likelihood.weights)
        if likelihood.working_response is not None:
            out.append(first)
        if likelihood.has_outliers:
            out.append(replace(first, sigma=_without_outliers(likelihood.y, X, first.sigma)))
    return tuple(out)


def _without_outliers(
    y: NDArray[np.float64], X: NDArray[np.float64], sigma: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Standard deviations (n_row,), those of rows far from the median of their neighbours too large to count."""
    from scipy.spatial import cKDTree

    spread = np.std(X, axis=1)
    Z = (X / np.where(spread > 0, spread, 1.0)[:, None]).T
    _, near = cKDTree(Z).query(Z, k=min(NEIGHBOURS, len(y)))
    off = np.abs(y - np.median(y[near.reshape(len(y), -1)], axis=1))
    out = np.ones(len(y)) if sigma is None else sigma.copy()
    usual = 1.4826 * float(np.median(np.abs(y - np.median(y))))
    out[off > OUTLIER * 1.4826 * np.median(off) + SLACK * usual] *= OUTLIER_SIGMA
    return out


def _plane(X: NDArray[np.float64], z: NDArray[np.float64], weight: NDArray[np.float64]) -> Surrogate:
    """A plane through ``z``, or with few rows the mean: for where a polynomial says no more than noise would."""
    coordinates = Coordinates.of(X)
    degrees = multi_indices(len(X), 1 if len(z) >= LINE_ROWS * (len(X) + 1) else 0)
    A = design(coordinates.map(X), degrees)
    return Surrogate(coordinates, degrees, solve(A, z, weight), False, 1.0, float(np.std(z)), False)


def _powers(X: NDArray[np.float64], z: NDArray[np.float64], root: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Exponentials and products of powers of the columns through positive targets ``z`` (n_row,), whose logarithms have the
    roots of weights ``root``: a plane through targets of several decades would be far from all of them."""
    if not (np.all(z > 0.0) and np.all(np.isfinite(root))) or len(z) < LINE_ROWS * (len(X) + 1):
        return
    for lines in (X, np.log(X)) if np.all(X > 0.0) else (X,):
        size = np.std(lines, axis=1, keepdims=True)
        A = np.vstack(
            [np.ones(len(z)), (lines - lines.mean(axis=1, keepdims=True)) / np.where(size > 0.0, size, 1.0)]
        ).T
        if np.all(np.isfinite(A)):
            yield np.exp(A @ np.linalg.lstsq(A * root[:, None], np.log(z) * root, rcond=1e-10)[0])


def _loss(likelihood: Likelihood, f: NDArray[np.float64]) -> float:
    loss = likelihood.loss(f[None])
    return loss if np.isfinite(loss) else np.inf
