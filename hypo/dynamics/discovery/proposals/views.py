"""Linear views of an equation: rows in which a sum Σ c·g of terms is a linear regression with independent errors of size 1.

A view has columns ``X`` on a grid along the smoothed paths, and a linear map W from values on the grid to rows:

    *thinned*    W = 1/sd on rows one error correlation apart                    (:mod:`hypo.dynamics.rows.thinned`)
    *weak*       W = L⁻¹Φ, averages over bumps of three widths                    (:mod:`hypo.dynamics.rows.weak`)
    *integral*   W = L⁻¹∫_{t_0}^{t_i} · dt, target L⁻¹(y_i), starts projected out

The last one has the samples themselves as its target, whose noise is known: no error of a smoothed rate is in it. With J the
slopes of a first model and C_x the covariance of errors of a column x, L Lᵀ = σ² + I J C_x J Iᵀ. Of a positive state whose
noise grows with it the logarithms are followed instead: log y_i = log x_0 + ∫ f/x dt, so that neither peaks nor their errors
rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

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
from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

# Grid points between two samples of the integral view, and most of them in all.
PER_SAMPLE = 2
MOST_POINTS = 1200
LEAST_POINTS = 40
# Runs of it at least, where there are more than have room with all of their samples.
LEAST_RUNS = 3
# Least noise as a share of the spread of samples: what quadrature and the smoother's assumptions leave.
LEAST_NOISE = 1e-5
# Samples of a run that make rows.
LEAST_SAMPLES = 5
# The variance of errors of paths is taken so many times: smoothers are too sure where a state changes its pace.
INFLATED = 2.0
# Steps of difference quotients as shares of a column's spread.
NUDGE = 1e-4


@dataclass(frozen=True)
class View:
    """A linear map ``W`` (n_row, n) from values at columns ``X`` (n_column, n), and the ``target`` (n_row,) that W·law should
    give, errors of size 1. ``rate`` (n,) is what the law should be on the grid, ``run`` and ``time`` (n,) where that lies."""

    name: str
    X: Values
    W: Values
    target: Values
    rate: Values
    run: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    time: Values = field(default_factory=lambda: np.empty(0))

    def of(self, values: Values) -> Values:
        """Columns of the regression (…, n_row) for values on the grid (…, n)."""
        out: Values = values @ self.W.T
        return out


@dataclass(frozen=True)
class Equation:
    """The views of state ``k``'s equation over ``columns``, the most trustworthy first, and its thinned ``rows``."""

    columns: Columns
    k: int
    views: tuple[View, ...]
    rows: Rows

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that laws may use."""
        return self.columns.names

    @property
    def own(self) -> str:
        """The state whose rate the law gives: with order 2 the speed."""
        return self.names[self.k + len(self.columns.data.states) * (self.columns.options.order - 1)]

    def knowing(self, law: Expression) -> Equation:
        """The same with the slopes of a law that is nearly right in the place of a quadratic's."""
        program = Program.of(law, self.names)
        whole = integrate(self.columns, self.k, program.value)
        if whole is None or self.views[0].name != whole.name:
            return self
        return replace(self, views=(whole, *self.views[1:]))


def make_equation(
    data: Trajectories, smoothed: Smoothed, options: Options, k: int, delays: Sequence[Delay] = ()
) -> Equation:
    """All views of the equation of state k."""
    columns = Columns(data, smoothed, options, tuple(delays))
    rows = make_rows(data, smoothed, options, k, delays)
    thinned = View(
        "thinned", _lines(rows.X), np.diag(1.0 / rows.sd), rows.target / rows.sd, rows.target, rows.run, rows.time
    )
    views = [thinned]
    if not options.discrete:
        weak = make_weak_rows(data, smoothed, options, k, delays)
        if len(weak.target) > 3:
            views.insert(0, View("weak", _lines(weak.X), weak.W, weak.target, weak.rate, weak.run, weak.time))
        whole = integrate(columns, k)
        if whole is not None:
            views.insert(0, whole)
    return Equation(columns, k, tuple(views), rows)


def integrate(columns: Columns, k: int, model: Callable[[Values], Values] | None = None) -> View | None:
    """Samples of state k as a start (of second order: and a speed) plus the integral of its law; None without samples.

    ``model`` gives the law (n,) at columns (n_column, n) as far as it is known, for the slopes; None: a quadratic stands in.
    """
    data = columns.data
    chosen = _choose_runs(data)
    most = max(MOST_POINTS // max(len(chosen), 1), LEAST_POINTS)
    each = [_of_run(columns, k, r, most, model) for r in chosen]
    blocks = [b for b in each if b is not None]
    if not blocks:
        return None
    W = np.zeros((sum(len(b.target) for b in blocks), sum(b.X.shape[1] for b in blocks)))
    i = j = 0
    for b in blocks:
        W[i : i + b.W.shape[0], j : j + b.W.shape[1]] = b.W
        i, j = i + b.W.shape[0], j + b.W.shape[1]
    X = np.ascontiguousarray(np.hstack([b.X for b in blocks]))
    target, rate, of, time = (
        np.concatenate([getattr(b, part) for b in blocks]) for part in ("target", "rate", "run", "time")
    )
    return View("integral", X, W, target, rate, of, time)


def _choose_runs(data: Trajectories) -> NDArray[np.int64]:
    """Numbers of runs, evenly among all: a few with all of their samples tell more than all with gaps between samples."""
    long = np.array([r for r, run in enumerate(data.runs) if run.n_row >= LEAST_SAMPLES], np.int64)
    if not len(long):
        return long
    points = PER_SAMPLE * float(np.median([data.runs[r].n_row for r in long]))
    room = max(int(MOST_POINTS // points), LEAST_RUNS)
    return np.asarray(long[np.unique(np.linspace(0, len(long) - 1, min(room, len(long))).astype(np.int64))])


def _of_run(columns: Columns, k: int, r: int, most: int, model: Callable[[Values], Values] | None) -> View | None:
    run, path, order = columns.data.runs[r], columns.smoothed.paths[r][k], columns.options.order
    lag = max((d.lag for d in columns.delays), default=0.0)
    known = np.isfinite(run.states[:, k]) & (run.time >= run.time[0] + lag)
    t, y = run.time[known], run.states[known, k]
    if len(t) < LEAST_SAMPLES or t[-1] <= t[0]:
        return None
    if len(t) > most // PER_SAMPLE:
        chosen = np.unique(np.linspace(0, len(t) - 1, most // PER_SAMPLE).astype(np.int64))
        t, y = t[chosen], y[chosen]
    grid = np.linspace(t[0], t[-1], int(np.clip(PER_SAMPLE * len(t), LEAST_POINTS, most)))
    values, _ = columns.at(r, grid)
    if not np.isfinite(values).all():
        return None
    rate = path.at(grid)[order]
    noise = np.maximum(path.noise_at(t), LEAST_NOISE * float(np.std(y)) + 1e-300)
    # Of second order a logarithm has a law with the square of the speed in it: not a linear view of the law.
    is_log = path.is_log and order == 1 and bool(np.all(y > 0) and np.all(values[:, k] > 0))
    per = 1.0 / values[:, k] if is_log else np.ones(len(grid))
    if is_log:
        noise, y = noise / path.at(t)[0], np.log(y)
    A = integration_matrix(grid, t, order)
    S = np.diag(noise**2)
    J = _slopes(values, rate, per, np.maximum(path.errors(grid)[order], 1e-300), model)
    for j in range(len(columns.data.states)):
        own = A * J[:, j]
        S += INFLATED * own @ columns.smoothed.paths[r][j].joint_errors(grid, 0) @ own.T
    try:
        L = cholesky(S + 1e-12 * np.diag(np.diag(S)), lower=True)
    except np.linalg.LinAlgError:
        L = np.diag(noise)
    starts = np.array([(t - t[0]) ** p for p in range(order)]).T
    Q = np.linalg.qr(solve_triangular(L, starts, lower=True))[0]
    W, z = solve_triangular(L, A * per, lower=True), solve_triangular(L, y, lower=True)
    return View("integral", _lines(values), W - Q @ (Q.T @ W), z - Q @ (Q.T @ z), rate, np.full(len(grid), r), grid)


def _slopes(X: Values, rate: Values, per: Values, sd: Values, model: Callable[[Values], Values] | None) -> Values:
    """Slopes (n, n_column) of the law times ``per`` (1, or one over its own state) on columns X (n, n_column)."""
    own = np.ptp(per) > 0
    if model is None:
        out, law = slopes(X, rate, sd), rate
    else:
        out, law = np.zeros(X.shape), model(_lines(X))
        for j in range(X.shape[1]):
            h = NUDGE * max(float(np.std(X[:, j])), 1e-300)
            up, down = X.copy(), X.copy()
            up[:, j] += h
            down[:, j] -= h
            with np.errstate(all="ignore"):
                out[:, j] = (model(_lines(up)) - model(_lines(down))) / (2 * h)
    out *= per[:, None]
    if own:
        # d(f/x)/dx = f'/x - f/x²; which column x is, its values say.
        k = int(np.argmin([np.max(np.abs(X[:, j] * per - 1.0)) for j in range(X.shape[1])]))
        out[:, k] -= law * per**2
    return np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0)


def integration_matrix(grid: Values, t: Values, order: int = 1) -> Values:
    """A (m, n) with (A f)_i the ``order``-fold integral from grid[0] to t_i of the cubic spline through f (n,)."""
    spline = CubicSpline(grid, np.eye(len(grid)), axis=0).antiderivative(order)
    out: Values = spline(t)
    return out


def _lines(X: Values) -> Values:
    """Columns as lines (n_column, n), as programs take them."""
    return np.ascontiguousarray(X.T)
