"""Weak rows: averages of a law over smooth bumps along the paths, at three widths.

With φ(t) ∝ (1 - ((t - c)/b)²)³ for |t - c| < b, of unit area,

    ∫φ ẋ dt = ∫φ f(x) dt

holds for the law f. The left side errs by V = Φ C Φᵀ, C the joint posterior covariance of the rate along the path and Φ the
bumps times the weights of the trapezoidal rule. Errors in the columns count by the slopes of a first model. V has a floor, a
share of the size of the rows: where smoothing errs by its own assumptions its covariance does not know. With V + floor = L Lᵀ
rows are L⁻¹Φ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, cholesky, solve_triangular

from hypo.dynamics.rows.columns import Columns, slopes
from hypo.dynamics.rows.rows import WeakRows
from hypo.dynamics.smoothing.path import Path, correlations, effective_rows

Values = NDArray[np.float64]

# Half widths of bumps, in distances of independent rows, and at least in samples.
WIDTHS = (1.5, 3.0, 6.0)
LEAST_SAMPLES = 3.0
# The widest bump as a share of the run.
WIDEST = 0.35
# Distance of neighbouring bumps in half widths.
APART = 0.5
# Power of the bump, smooth enough for the trapezoidal rule.
POWER = 3
# Grid points in the half width of the narrowest bump, and most of them in a run and in all runs.
PER_WIDTH = 6
MOST_POINTS = 400
MOST_POINTS_OF_ALL = 3000
# Least error of a row as a share of the size of rows.
FLOOR = 0.02
# The same where samples have no noise.
FLOOR_EXACT = 1e-4


def weaken(columns: Columns, k: int) -> WeakRows:
    """Weak rows of the rate of state ``k``, or of its acceleration at order 2; runs too short for a bump have none."""
    smoothed = columns.smoothed
    most = int(np.clip(MOST_POINTS_OF_ALL // len(smoothed.paths), 40, MOST_POINTS))
    blocks: list[WeakRows] = []
    for r, paths in enumerate(smoothed.paths):
        block = _of_run(columns, k, r, paths, most)
        if block is None:
            continue
        blocks.append(block)
        if sum(len(b.X) for b in blocks) >= MOST_POINTS_OF_ALL:
            break
    if not blocks:
        n = len(columns.names)
        return WeakRows(
            columns.names,
            np.empty((0, n)),
            np.empty((0, 0)),
            np.empty(0),
            np.empty(0),
            np.empty(0, np.int64),
            np.empty(0),
        )
    return WeakRows(
        columns.names,
        np.vstack([b.X for b in blocks]),
        block_diag(*(b.W for b in blocks)),
        np.concatenate([b.target for b in blocks]),
        np.concatenate([b.rate for b in blocks]),
        np.concatenate([b.run for b in blocks]),
        np.concatenate([b.time for b in blocks]),
    )


def _of_run(columns: Columns, k: int, run: int, paths: tuple[Path, ...], most: int) -> WeakRows | None:
    path, order = paths[k], columns.options.order
    if len(path.time) < LEAST_SAMPLES:
        return None
    begin, end = float(path.time[0]), float(path.time[-1])
    begin += max((d.lag for d in columns.delays), default=0.0)
    widths = _widths(path, order, end - begin)
    if not widths:
        return None
    n = int(np.clip(np.ceil((end - begin) / widths[0] * PER_WIDTH), 20, most)) + 1
    grid = np.linspace(begin, end, n)
    values, errors = columns.at(run, grid)
    if not np.isfinite(values).all():
        return None
    rate = path.at(grid)[order]
    phi, of_width = _bumps(grid, widths)
    held = np.unique(np.concatenate([p.time[p.clipped] for p in paths]))
    if len(held):
        free = _touch(grid, held)
        keep = ~((phi > 0) & free[None, :]).any(1)
        phi, of_width = phi[keep], of_width[keep]
    if not len(phi):
        return None
    C = path.joint_errors(grid, order)
    sd = np.sqrt(np.maximum(np.diag(C), 0.0))
    V = phi @ C @ phi.T
    if n > 2 * values.shape[1]:
        J = slopes(values, rate, sd)
        for j in range(values.shape[1]):
            if np.any(errors[:, j] > 0):
                own = phi * (J[:, j] * errors[:, j])
                V += own @ _correlation(columns, paths, j, grid) @ own.T
    target = phi @ rate
    size = np.array([np.sqrt(np.mean(target[of_width == w] ** 2)) for w in of_width])
    floor = FLOOR_EXACT if path.is_exact else FLOOR
    V[np.diag_indices_from(V)] += (floor * size) ** 2 + 1e-24 * float(np.max(size)) ** 2 + 1e-300
    L = cholesky(V, lower=True)
    white = solve_triangular(L, phi, lower=True)
    return WeakRows(columns.names, values, white, white @ rate, rate, np.full(n, run), grid)


def _widths(path: Path, order: int, duration: float) -> list[float]:
    """Half widths of bumps, narrowest first; none where the run is too short."""
    rows = effective_rows(path, order)
    apart = duration / max(len(rows) - 1, 1)
    step = duration / max(len(path.time) - 1, 1)
    widths = sorted(
        {
            min(max(share * apart, s * step), WIDEST * duration)
            for share, s in zip(WIDTHS, LEAST_SAMPLES * np.array([1.0, 2.0, 4.0]), strict=True)
        }
    )
    return [w for w in widths if w > 0]


def _bumps(grid: Values, widths: list[float]) -> tuple[Values, Values]:
    """Bumps (m, n_grid) times the weights of the trapezoidal rule, each of unit area, and their half widths (m,)."""
    step = grid[1] - grid[0]
    rows, of = [], []
    for width in widths:
        first, last = grid[0] + width, grid[-1] - width
        centres = np.linspace(first, last, max(1, int(np.floor((last - first) / (APART * width) + 1e-9)) + 1))
        s = (grid[None, :] - centres[:, None]) / width
        phi = np.where(np.abs(s) < 1, (1 - s * s), 0.0) ** POWER
        rows.append(phi / (phi.sum(1, keepdims=True) * step) * step)
        of.append(np.full(len(centres), width))
    return np.vstack(rows), np.concatenate(of)


def _touch(grid: Values, held: Values) -> NDArray[np.bool_]:
    """True at grid points next to a moment at which a state was held."""
    step = grid[1] - grid[0]
    near = np.searchsorted(held, grid)
    before = held[np.clip(near - 1, 0, len(held) - 1)]
    after = held[np.clip(near, 0, len(held) - 1)]
    return np.asarray(np.minimum(np.abs(grid - before), np.abs(after - grid)) <= step)


def _correlation(columns: Columns, paths: tuple[Path, ...], j: int, grid: Values) -> Values:
    """Correlation of the errors of column ``j`` along the grid: that of its path's value or rate."""

    d = len(paths)
    if j < d:
        return correlations(paths[j].joint_errors(grid, 0))
    if columns.options.order == 2 and j < 2 * d:
        return correlations(paths[j - d].joint_errors(grid, 1))
    lagged = columns.delays[j - d * columns.options.order]
    path = paths[columns.data.states.index(lagged.state)]
    return correlations(path.joint_errors(grid - lagged.lag, 0))
