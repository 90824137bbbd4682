"""Linear views of an equation: rows in which a rate's sum Σ c·g is a linear regression with independent errors of size 1.

With the smoothed path x(t) on a grid, its rate and the covariance C of the rate's errors, a view is a linear map W from values
on the grid to rows, and a target:

    *whitened*   W = (C + floor²)^(-1/2), target W·rate          (every independent direction of the rate's errors once)
    *weak*       W = L⁻¹ ∫φ_j · dt for bumps φ_j of three widths,  L Lᵀ = Φ C Φᵀ + floor²
    *integral*   W = σ⁻¹ ∫_{t_0}^{t_i} · dt, target σ⁻¹ (y_i), the start of each run projected out     (raw samples)

A library of terms is evaluated on the grid once; W·values are its columns in each view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Floors of the rate's error, as shares of its root mean square: errors of the path, which no posterior of the rate holds.
FLOORS = (0.02,)
# Widths of bumps as shares of a run.
WIDTHS = (0.08, 0.16, 0.32)
# Least floor where samples are exact.
EXACT = 1e-5


@dataclass(frozen=True)
class Grid:
    """Columns of laws on the moments of all runs, one run after the other: ``X`` (n_column, n), ``rate`` of the sought
    equation (n,), and the runs as slices."""

    names: tuple[str, ...]
    X: Values
    rate: Values
    runs: tuple[slice, ...]


@dataclass(frozen=True)
class View:
    """A linear map ``W`` (n_row, n) from the grid, and the ``target`` (n_row,) that W·law should give, errors of size 1."""

    name: str
    W: Values
    target: Values

    def of(self, values: Values) -> Values:
        """Columns of the regression (…, n_row) for values on the grid (…, n)."""
        out: Values = values @ self.W.T
        return out


def make_grid(data: Trajectories, smoothed: Smoothed, k: int) -> Grid:
    """The columns and the rate of state k along the smoothed paths."""
    X, rate, runs, at = [], [], [], 0
    for r, run in enumerate(data.runs):
        path = smoothed.paths[r]
        moments = path[k].time
        rows = [np.interp(moments, p.time, p.value) for p in path]
        rows += [np.interp(moments, run.time, u) for u in run.actions.T]
        X.append(np.array(rows))
        rate.append(path[k].rate)
        runs.append(slice(at, at + len(moments)))
        at += len(moments)
    return Grid(data.columns, np.ascontiguousarray(np.hstack(X)), np.concatenate(rate), tuple(runs))


def whitened(grid: Grid, smoothed: Smoothed, k: int, floor: float) -> View:
    """The rate in directions of independent errors."""
    blocks = []
    level = _level(grid, smoothed, k, floor)
    for r, rows in enumerate(grid.runs):
        C = _covariance(smoothed, r, k)
        lam, U = np.linalg.eigh(C + np.diag(level[rows] ** 2))
        blocks.append(U.T / np.sqrt(np.maximum(lam, 1e-300))[:, None])
    W = _diagonal(blocks)
    return View(f"whitened {floor:g}", W, W @ grid.rate)


def weak(grid: Grid, smoothed: Smoothed, k: int, floor: float) -> View:
    """Integrals of the rate against bumps."""
    blocks = []
    level = _level(grid, smoothed, k, floor)
    for r, rows in enumerate(grid.runs):
        t = smoothed.paths[r][k].time
        Phi = _bumps(t)
        C = _covariance(smoothed, r, k)
        S = Phi @ (C + np.diag(level[rows] ** 2)) @ Phi.T
        S += np.diag(np.diag(S)) * 0.01
        lam, U = np.linalg.eigh(S)
        fine = lam > 1e-8 * lam[-1]
        blocks.append((U[:, fine] / np.sqrt(lam[fine])).T @ Phi)
    W = _diagonal(blocks)
    return View("weak", W, W @ grid.rate)


def integral(grid: Grid, data: Trajectories, smoothed: Smoothed, k: int) -> View:
    """Samples as a start plus the integral of the rate."""
    blocks, target = [], []
    for r, run in enumerate(data.runs):
        t = smoothed.paths[r][k].time
        I = integration_matrix(t)
        at = np.searchsorted(t, run.time)
        known = np.isfinite(run.states[:, k])
        at, y = at[known], run.states[known, k]
        noise = np.maximum(smoothed.noise(r)[known, k], EXACT * np.std(y))
        one = 1.0 / noise
        one /= np.linalg.norm(one)
        B = I[at] / noise[:, None]
        z = y / noise
        blocks.append(B - np.outer(one, one @ B))
        target.append(z - one * (one @ z))
    return View("integral", _diagonal(blocks), np.concatenate(target))


def integration_matrix(t: Values) -> Values:
    """I (n, n) with (I f)_i = ∫_{t_0}^{t_i} f dt of the cubic spline through f."""
    spline = CubicSpline(t, np.eye(len(t)), axis=0)
    out: Values = spline.antiderivative()(t)
    return out - out[0]


def _bumps(t: Values) -> Values:
    """Weights (n_bump, n) of ∫φ f dt for bumps (1 - s²)³ of all widths, half overlapping twice."""
    h = np.gradient(t)
    h[[0, -1]] *= 0.5
    span = float(t[-1] - t[0])
    out = []
    for width in WIDTHS:
        half = 0.5 * width * span
        for centre in np.arange(t[0] + half, t[-1] - half + 1e-9, half / 2):
            s = (t - centre) / half
            out.append(np.where(np.abs(s) < 1, (1 - np.minimum(s * s, 1)) ** 3, 0.0) * h / half)
    return np.array([b for b in out if np.count_nonzero(b) >= 3])


def _covariance(smoothed: Smoothed, r: int, k: int) -> Values:
    path = smoothed.paths[r][k]
    return path.rate_correlation * np.outer(path.rate_sd, path.rate_sd)


def _level(grid: Grid, smoothed: Smoothed, k: int, floor: float) -> Values:
    """Floor of the rate's error by row: a share of its size, and errors of states times how much rates change with them."""
    rms = float(np.sqrt(np.mean(grid.rate**2)))
    relative = np.zeros(len(grid.rate))
    for r, rows in enumerate(grid.runs):
        for j, p in enumerate(smoothed.paths[r]):
            sd = np.interp(smoothed.paths[r][k].time, p.time, p.value_sd)
            relative[rows] += (sd / max(float(np.std(grid.X[j])), 1e-300)) ** 2
    # Exact samples need no floor but rounding's and the spline's.
    share = np.minimum(np.sqrt(relative), floor) + EXACT
    return share * rms


def _diagonal(blocks: Sequence[Values]) -> Values:
    """A block-diagonal matrix."""
    out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    i = j = 0
    for b in blocks:
        out[i : i + b.shape[0], j : j + b.shape[1]] = b
        i, j = i + b.shape[0], j + b.shape[1]
    return out
