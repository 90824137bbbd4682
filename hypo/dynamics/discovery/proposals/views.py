"""Linear views of an equation: rows in which a sum Σ c·g of terms is a linear regression with independent errors of size 1.

A view has columns ``X`` on a grid along the smoothed paths, and a linear map W from values on the grid to rows:

    *thinned*    W = 1/sd on rows one error correlation apart                    (:mod:`hypo.dynamics.rows.thinned`)
    *weak*       W = L⁻¹Φ, averages over bumps of three widths                    (:mod:`hypo.dynamics.rows.weak`)
    *integral*   W = L⁻¹∫_{t_0}^{t_i} · dt, target L⁻¹(y_i), starts projected out

The last one has the samples themselves as its target, whose noise is known: no error of a smoothed rate is in it. With J the
slopes of a first model and C_x the covariance of errors of a column x, L Lᵀ = σ² + I J C_x J Iᵀ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.linalg import cholesky, solve_triangular

from hypo.dynamics.options import Options
from hypo.dynamics.rows.columns import Columns, slopes
from hypo.dynamics.rows.make import make_rows, make_weak_rows
from hypo.dynamics.rows.rows import Rows
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Grid points between two samples of the integral view, and most of them in all.
PER_SAMPLE = 2
MOST_POINTS = 1200
LEAST_POINTS = 40
# Least noise as a share of the spread of samples: what quadrature and the smoother's assumptions leave.
LEAST_NOISE = 1e-5


@dataclass(frozen=True)
class View:
    """A linear map ``W`` (n_row, n) from values at columns ``X`` (n_column, n), and the ``target`` (n_row,) that W·law should
    give, errors of size 1. ``rate`` (n,) is what the law should be on the grid."""

    name: str
    X: Values
    W: Values
    target: Values
    rate: Values

    def of(self, values: Values) -> Values:
        """Columns of the regression (…, n_row) for values on the grid (…, n)."""
        out: Values = values @ self.W.T
        return out


@dataclass(frozen=True)
class Equation:
    """The views of one equation over columns of these ``names``, the most trustworthy first, and its thinned ``rows``."""

    names: tuple[str, ...]
    views: tuple[View, ...]
    rows: Rows


def make_equation(
    data: Trajectories, smoothed: Smoothed, options: Options, k: int, delays: Sequence[Delay] = ()
) -> Equation:
    """All views of the equation of state k."""
    columns = Columns(data, smoothed, options, tuple(delays))
    rows = make_rows(data, smoothed, options, k, delays)
    thinned = View("thinned", _lines(rows.X), np.diag(1.0 / rows.sd), rows.target / rows.sd, rows.target)
    views = [thinned]
    if not options.discrete:
        weak = make_weak_rows(data, smoothed, options, k, delays)
        if len(weak.target) > 3:
            views.insert(0, View("weak", _lines(weak.X), weak.W, weak.target, weak.rate))
        whole = integrate(columns, k)
        if whole is not None:
            views.insert(0, whole)
    return Equation(columns.names, tuple(views), rows)


def integrate(columns: Columns, k: int) -> View | None:
    """Samples of state k as a start (of second order: and a speed) plus the integral of its law; None without samples."""
    blocks = []
    data = columns.data
    n_run = len(data.runs)
    for r, run in enumerate(data.runs):
        block = _of_run(columns, k, r, max(MOST_POINTS // n_run, LEAST_POINTS)) if run.n_row > 4 else None
        if block is not None:
            blocks.append(block)
    if not blocks:
        return None
    W = np.zeros((sum(len(b.target) for b in blocks), sum(b.X.shape[1] for b in blocks)))
    i = j = 0
    for b in blocks:
        W[i : i + b.W.shape[0], j : j + b.W.shape[1]] = b.W
        i, j = i + b.W.shape[0], j + b.W.shape[1]
    X = np.ascontiguousarray(np.hstack([b.X for b in blocks]))
    return View("integral", X, W, np.concatenate([b.target for b in blocks]), np.concatenate([b.rate for b in blocks]))


def _of_run(columns: Columns, k: int, r: int, most: int) -> View | None:
    run, path, order = columns.data.runs[r], columns.smoothed.paths[r][k], columns.options.order
    lag = max((d.lag for d in columns.delays), default=0.0)
    known = np.isfinite(run.states[:, k]) & (run.time >= run.time[0] + lag)
    t, y = run.time[known], run.states[known, k]
    if len(t) < 4 or t[-1] <= t[0]:
        return None
    if len(t) > most // PER_SAMPLE:
        chosen = np.unique(np.linspace(0, len(t) - 1, most // PER_SAMPLE).astype(np.int64))
        t, y = t[chosen], y[chosen]
    grid = np.linspace(t[0], t[-1], int(np.clip(PER_SAMPLE * len(t), LEAST_POINTS, most)))
    values, errors = columns.at(r, grid)
    if not np.isfinite(values).all():
        return None
    rate = path.at(grid)[order]
    A = integration_matrix(grid, t, order)
    noise = np.maximum(path.noise_at(t), LEAST_NOISE * float(np.std(y)) + 1e-300)
    S = np.diag(noise**2)
    J = slopes(values, rate, np.maximum(path.errors(grid)[order], 1e-300))
    d = len(columns.data.states)
    for j in range(min(d, values.shape[1])):
        own = A * J[:, j]
        S += own @ columns.smoothed.paths[r][j].curve.joint_errors(grid, 0) @ own.T
    try:
        L = cholesky(S + 1e-12 * np.diag(np.diag(S)), lower=True)
    except np.linalg.LinAlgError:
        L = np.diag(noise)
    starts = np.array([(t - t[0]) ** p for p in range(order)]).T
    Q = np.linalg.qr(solve_triangular(L, starts, lower=True))[0]
    W, z = solve_triangular(L, A, lower=True), solve_triangular(L, y, lower=True)
    return View("integral", _lines(values), W - Q @ (Q.T @ W), z - Q @ (Q.T @ z), rate)


def integration_matrix(grid: Values, t: Values, order: int = 1) -> Values:
    """A (m, n) with (A f)_i the ``order``-fold integral from grid[0] to t_i of the cubic spline through f (n,)."""
    spline = CubicSpline(grid, np.eye(len(grid)), axis=0).antiderivative(order)
    out: Values = spline(t)
    return out


def _lines(X: Values) -> Values:
    """Columns as lines (n_column, n), as programs take them."""
    return np.ascontiguousarray(X.T)
