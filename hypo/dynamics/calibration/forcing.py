"""Random forcing of the states themselves (process noise), told apart from errors of measurement by a filter.

With white forces of level q_k the states follow dx = f dt + q dW, and samples are y = x + ε. About a path x̂ near the true one,

    x_{i+1} = F_i + Φ_i (x_i - x̂_i) + w_i,     w_i ~ N(0, Σ_k q_k² ∫ Φ(t_{i+1}, s) e_k e_kᵀ Φ(t_{i+1}, s)ᵀ ds),

where F_i is where the law leads from x̂_i and Φ its slope (the integral by Simpson's rule). The Kalman filter gives the
likelihood of all samples for any levels q and any noise r·σ, r a factor on the noise that the fit left (R. E. Kalman 1960;
A. Jazwinski 1970). Its maximum is found by Newton's steps on log q and log r; all quotients of differences are filtered in one
batch. Laws are those of the fit. The path is at first the smoothed one, then that of the filter run back (H. Rauch, F. Tung &
C. Striebel 1965). A level whose absence costs less than ``CLEAR`` nats is 0.

The unit of a level is that of its state over the root of time; in discrete time it is that of the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.segments import guess_paths
from hypo.dynamics.integration.follow import Accuracy, follow_with_sensitivities
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]

# Nats that a level must gain to count: a likelihood ratio that chance reaches once in ten thousand times.
CLEAR = 8.0
# Samples from which forcing is asked for, and the most rows that are filtered: the first ones.
LEAST_SAMPLES = 20
MOST_ROWS = 600
# States up to which levels are sought: quotients of differences grow with their square.
MOST_STATES = 5
# Paths about which the law is linear, in turn.
PATHS = 2
# Newton's steps, their largest change of a logarithm, and the gain in nats that ends them.
STEPS = 12
LARGEST = 1.5
SETTLED = 1e-3
# Step of difference quotients in logarithms.
NUDGE = 0.03
# Shares of a Newton step that are tried.
SHARES = (1.0, 0.5, 0.2, 0.05, 0.01)
# Grid of first values: levels in units of the scatter of one step, factors of the noise.
LEVELS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0)
FACTORS = (0.1, 0.3, 0.6, 0.85, 1.0)
# Bounds of both, in the same units.
LEAST = 1e-4
MOST = 30.0
# Standard deviation of a start, in units of the spread of the state: next to nothing is known of it.
VAGUE = 10.0
# Noise below this share of the spread is that of rounding and integrators.
ROUNDING = 1e-5
# How steps between rows are followed.
ACCURACY = Accuracy(relative=1e-7, most_steps=5000, can_be_stiff=False)


@dataclass(frozen=True)
class Forcing:
    """Random forcing.

    Attributes:
        level: (n_state,), q, 0 where there is none.
        error: (n_state,), its standard error, 0 where there is none.
        factor: (n_measured,), noise of measurement over the noise that the fit left.
    """

    level: Values
    error: Values
    factor: Values


@dataclass(frozen=True)
class _Linear:
    """Runs as linear systems: maps (n, …) from row to row, and what forces of level 1 add.

    Attributes:
        at: (n_row, d), the path; ``to`` (n_row, d): where the law leads from there by the next row; ``slope`` (n_row, d, d).
        spread: (n_row, n_forced, d, d), covariances that unit levels add by the next row.
        begins: (n_row,), True at first rows of runs.
        y: (n_row, m), samples, NaN where there is none; ``sd`` (n_row, m): their noise.
        start: (d,), standard deviations of starts.
    """

    at: Values
    to: Values
    slope: Values
    spread: Values
    begins: NDArray[np.bool_]
    y: Values
    sd: Values
    start: Values


def estimate_forcing(
    fitted: Calibrated, data: Trajectories, smoothed: Smoothed, deadline: Expiring | None = None
) -> Forcing | None:
    """Levels of random forces on the states of a fitted system; None where samples are too few, the law looks back or is not
    followed from row to row, or the ``deadline`` comes first."""
    system, m = fitted.system, fitted.system.n_measured
    samples = np.vstack([r.states for r in data.runs])
    d = len(system.states)
    known = [samples[np.isfinite(samples[:, k]), k] for k in range(m)]
    if system.delays or d > MOST_STATES or min(map(len, known)) < LEAST_SAMPLES:
        return None
    spread = np.array([np.std(x) for x in known])
    if np.any(fitted.measurement.level < ROUNDING * spread):
        return None
    path = guess_paths(system, data, smoothed).states
    best: _Search | None = None
    with np.errstate(all="ignore"):
        for _ in range(PATHS):
            linear = _linearise(fitted, data, path)
            if linear is None:
                break
            best = _Search(linear, forced(system), deadline)
            if not best.run():
                return None
            path = best.path()
            if not np.isfinite(path).all():
                break
            if len(path) < data.n_row:
                path = np.vstack([path, guess_paths(system, data, smoothed).states[len(path) :]])
    return None if best is None else best.result(d)


def forced(system: System) -> tuple[int, ...]:
    """Numbers of the states on which forces act: all but positions, which change by their speeds alone."""
    hidden = set(system.states[system.n_measured :])
    return tuple(k for k, e in enumerate(system.equations) if not (len(e) == 1 and set(e.variables) & hidden))


def _linearise(fitted: Calibrated, data: Trajectories, path: Values) -> _Linear | None:
    """The runs about a path (n_row, d); None where the law cannot be followed from a row to the next."""
    system, m = fitted.system, fitted.system.n_measured
    runs: Sequence[Run] = data.runs
    time = np.concatenate([r.time for r in runs])[:MOST_ROWS]
    begins = np.concatenate([np.arange(r.n_row) == 0 for r in runs])[:MOST_ROWS]
    actions = np.vstack([r.actions for r in runs])[:MOST_ROWS]
    x, n = path[: len(time)], len(time)
    later = np.where(np.append(begins[1:], True), time, np.append(time[1:], time[-1]))
    clock = np.array([time, later]) if system.is_discrete else np.array([time, 0.5 * (time + later), later])
    ahead = np.vstack([actions[1:], actions[-1:]])
    u = np.array([actions + s * (ahead - actions) for s in np.linspace(0, 1, len(clock))]) if system.actions else None
    if u is not None and system.hold == "zero":
        u = np.array([actions, *[actions] * (len(clock) - 2), ahead])
    inputs = None if u is None else np.moveaxis(u, 1, 2)
    P = np.repeat(system.parameters[:, None], n, axis=1)
    found = follow_with_sensitivities(system, np.ascontiguousarray(x.T), P, clock, inputs, ACCURACY)
    moves = np.moveaxis(found.by_start, 3, 1)  # (n_time, n, d, d)
    if not (np.isfinite(found.states).all() and np.isfinite(moves).all()):
        return None
    own = forced(system)
    here = np.eye(len(system.states))[list(own)]
    unit = np.einsum("ki,kj->kij", here, here)[None]
    slope = moves[-1]
    if system.is_discrete:
        spread = np.repeat(unit, n, axis=0)
    else:
        try:
            half = slope @ np.linalg.inv(moves[1])
        except np.linalg.LinAlgError:
            return None
        ends = np.einsum("nij,kjl,nml->nkim", slope, unit[0], slope)
        middle = np.einsum("nij,kjl,nml->nkim", half, unit[0], half)
        spread = (later - time)[:, None, None, None] / 6 * (unit + 4 * middle + ends)
    y = np.vstack([r.states for r in runs])[:MOST_ROWS]
    size = np.maximum(np.std(x, axis=0), 1e-3 * np.max(np.abs(x), axis=0) + 1e-300)
    return _Linear(x, found.states[-1].T, slope, spread, begins, y, fitted.measurement.sd(x[:, :m]), VAGUE * size)


class _Search:
    """The likeliest levels and noise of a linear system: logarithms of levels in ``unit`` first, then of factors."""

    def __init__(self, linear: _Linear, own: tuple[int, ...], deadline: Expiring | None) -> None:
        self.linear, self.own, self.m, self.deadline = linear, own, linear.y.shape[1], deadline
        self.unit = self._units()
        self.active = np.ones(len(own), bool)
        self.p = np.zeros(len(own) + self.m)
        self.value = -np.inf

    def _units(self) -> Values:
        """By force the level that alone would scatter one step as much as the noise of all measured states does."""
        steps = ~np.append(self.linear.begins[1:], True)
        own = np.einsum("nkii->nki", self.linear.spread)[steps][:, :, : self.m]
        noise = np.median(self.linear.sd, axis=0) ** 2
        share = np.max(np.median(own, axis=0) / noise, axis=1)
        return np.asarray(1.0 / np.sqrt(np.maximum(share, 1e-300)))

    @property
    def _is_late(self) -> bool:
        return self.deadline is not None and self.deadline.expired

    def run(self) -> bool:
        """Find the maximum, then leave out levels that gain too little, the least first; False where time was up before."""
        k = len(self.own)
        grid = np.array([[np.log(q)] * k + [np.log(r)] * self.m for q in LEVELS for r in FACTORS])
        values = self._values(grid)
        self.p, self.value = grid[int(np.argmax(values))], float(np.max(values))
        self._climb()
        while self.active.any():
            trials = []
            for j in np.flatnonzero(self.active):
                if self._is_late:
                    return False
                other = _copy(self, int(j))
                other._climb()
                trials.append(other)
            least = max(trials, key=lambda t: t.value)
            if self.value - least.value >= CLEAR:
                return True
            self.p, self.value, self.active = least.p, least.value, least.active
        return True

    def _values(self, points: Values) -> Values:
        out = np.array(_filter(self.linear, *self._levels(points))[0])
        return np.where(np.isfinite(out), out, -np.inf)

    def _levels(self, points: Values) -> tuple[Values, Values]:
        k = len(self.own)
        return np.where(self.active, np.exp(points[:, :k]) * self.unit, 0.0), np.exp(points[:, k:])

    def _free(self) -> NDArray[np.int64]:
        return np.flatnonzero(np.concatenate([self.active, np.ones(self.m, bool)]))

    def _climb(self) -> None:
        self.value = float(self._values(self.p[None])[0])
        for _ in range(STEPS):
            if self._is_late:
                return
            slope, bend = self._quadratic()
            values, vectors = np.linalg.eigh(-bend)
            step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), 0.1))
            step = np.clip(step, -LARGEST, LARGEST)
            tried = np.repeat(self.p[None], len(SHARES), axis=0)
            tried[:, self._free()] += np.array(SHARES)[:, None] * step
            tried = np.clip(tried, np.log(LEAST), np.log(MOST))
            found = self._values(tried)
            best = int(np.argmax(found))
            gain = float(found[best]) - self.value
            if not gain > 0:
                return
            self.p, self.value = tried[best], float(found[best])
            if gain < SETTLED:
                return

    def _quadratic(self) -> tuple[Values, Values]:
        """Slope (n,) and second derivatives (n, n) of the log likelihood, by differences in one batch."""
        free = self._free()
        n = len(free)
        points = [self.p]
        pairs = [(i, j) for i in range(n) for j in range(i)]
        for i in range(n):
            for s in (1, -1):
                points.append(self._moved([(free[i], s)]))
        for i, j in pairs:
            for s in (1, -1):
                points.append(self._moved([(free[i], s), (free[j], s)]))
        f = self._values(np.array(points))
        up, down = f[1 : 1 + 2 * n : 2], f[2 : 2 + 2 * n : 2]
        bend = np.diag(up - 2 * f[0] + down)
        for c, (i, j) in enumerate(pairs):
            both = f[1 + 2 * n + 2 * c] + f[2 + 2 * n + 2 * c]
            bend[i, j] = bend[j, i] = 0.5 * (both - up[i] - down[i] - up[j] - down[j] + 2 * f[0])
        slope, bend = (up - down) / (2 * NUDGE), bend / NUDGE**2
        return np.nan_to_num(slope, posinf=0, neginf=0), np.nan_to_num(bend, posinf=0, neginf=0)

    def _moved(self, moves: Sequence[tuple[int, int]]) -> Values:
        out = self.p.copy()
        for k, sign in moves:
            out[k] += sign * NUDGE
        return out

    def path(self) -> Values:
        """The smoothed states (n_row, d) under the likeliest levels."""
        return _smooth(self.linear, *self._levels(self.p[None]))

    def result(self, d: int) -> Forcing:
        """Levels by state, errors from the second derivatives of the log likelihood."""
        level, error = np.zeros(d), np.zeros(d)
        q, r = self._levels(self.p[None])
        level[list(self.own)] = q[0]
        if self.active.any():
            variances = np.diag(np.linalg.pinv(-self._quadratic()[1]))[: self.active.sum()]
            which = np.array(self.own)[self.active]
            error[which] = level[which] * np.sqrt(np.maximum(variances, 0.0))
        return Forcing(level, error, np.asarray(r[0]))


def _copy(search: _Search, without: int) -> _Search:
    out = copy(search)
    out.active = search.active.copy()
    out.active[without] = False
    out.p, out.value = search.p.copy(), -np.inf
    # All scatter of one step may be noise then.
    out.p[len(search.own) :] = np.maximum(out.p[len(search.own) :], np.log(FACTORS[-1]))
    return out


def _filter(
    linear: _Linear, levels: Values, factors: Values
) -> tuple[Values, list[tuple[Values, Values, Values, Values]]]:
    """Log likelihoods (K,) for levels (K, n_forced) and factors (K, m); and by row the means and covariances, predicted and
    filtered, of the last ones."""
    K, d = len(levels), linear.at.shape[1]
    total = np.zeros(K)
    mean, P = np.zeros((K, d)), np.zeros((K, d, d))
    states = []
    first = np.diag(linear.start**2)
    squares = levels**2
    for i in range(len(linear.at)):
        if linear.begins[i]:
            mean, P = np.repeat(linear.at[i][None], K, axis=0), np.repeat(first[None], K, axis=0)
        else:
            slope = linear.slope[i - 1]
            mean = linear.to[i - 1] + (mean - linear.at[i - 1]) @ slope.T
            P = slope @ P @ slope.T + np.einsum("ck,kij->cij", squares, linear.spread[i - 1])
        predicted = mean, P
        for j in range(linear.y.shape[1]):
            if not np.isfinite(linear.y[i, j]):
                continue
            S = P[:, j, j] + (factors[:, j] * linear.sd[i, j]) ** 2
            gain = P[:, :, j] / S[:, None]
            away = linear.y[i, j] - mean[:, j]
            total -= 0.5 * (np.log(S) + away * away / S)
            mean = mean + gain * away[:, None]
            P = P - gain[:, :, None] * P[:, None, j, :]
        states.append((*predicted, mean, P))
    return total, states


def _smooth(linear: _Linear, levels: Values, factors: Values) -> Values:
    """Means of the states (n_row, d) given all samples, for one set of levels."""
    _, states = _filter(linear, levels, factors)
    out = np.array([mean[0] for _, _, mean, _ in states])
    for i in range(len(out) - 2, -1, -1):
        if linear.begins[i + 1]:
            continue
        predicted, P_next, _, _ = states[i + 1]
        back = states[i][3][0] @ linear.slope[i].T @ np.linalg.pinv(P_next[0])
        out[i] += back @ (out[i + 1] - predicted[0])
    return out
