"""Multiple shooting: constants and starts of segments fitted to the samples, all segments and perturbations in one batch.

A run is cut into segments of a few samples; each has a start of its own, from the smoothed path. With residuals
r = (x(t; start, θ) - y)/σ the normal equations are

    [A_s  B_s ] [start_s]            A_s: own start, block by segment,
    [B_sᵀ  D  ] [θ      ]            D:   constants, shared,

and starts are eliminated segment by segment. Segments grow (15, 40, all samples) as the constants become better, which keeps
chaotic and unstable systems from running away before they are nearly right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.integration.steps import step
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Samples of a segment, in turn; the last is the whole run.
LENGTHS = (8, 25, 10**9)
# Steps of the integrator between two samples, at least.
SUBSTEPS = 3
# Levenberg steps for each length.
STEPS = 12
# Relative perturbation of the derivative by differences.
NUDGE = 1e-6
# Relative gain of the sum of squares that ends the steps.
SETTLED = 1e-4


class Segments:
    """Runs cut into segments of at most ``length`` samples: arrays (n_segment, length + 1), padded by zero steps."""

    def __init__(self, data: Trajectories, paths: Sequence[Values], sigma: Sequence[Values], length: int) -> None:
        cuts = []
        for r, run in enumerate(data.runs):
            n = run.n_row
            size = min(length, n - 1)
            edges = list(range(0, n - 1, size))
            cuts += [(r, a, min(a + size, n - 1)) for a in edges]
        width = max(b - a for _, a, b in cuts)
        S, d = len(cuts), len(data.states)
        self.h = np.zeros((width, S))
        self.y = np.full((width + 1, d, S), np.nan)
        self.sigma = np.ones((width + 1, d, S))
        self.u = np.zeros((width + 1, len(data.actions), S))
        self.start = np.zeros((d, S))
        self.run = np.array([r for r, _, _ in cuts])
        for s, (r, a, b) in enumerate(cuts):
            run = data.runs[r]
            m = b - a
            self.h[:m, s] = np.diff(run.time[a : b + 1])
            first = 0 if a == 0 else 1  # a sample on an edge belongs to the segment before
            self.y[first : m + 1, :, s] = run.states[a + first : b + 1]
            self.sigma[: m + 1, :, s] = sigma[r][a : b + 1]
            self.u[: m + 1, :, s] = run.actions[a : b + 1]
            self.u[m + 1 :, :, s] = run.actions[b][:, None].T
            self.start[:, s] = paths[r][a]
        # Where segments meet, the end of one and the start of the next are one state: held together softly by path errors.
        self.known = np.isfinite(self.y)

    def residuals(self, system: System, starts: Values, C: Values) -> Values:
        """Residuals (width + 1, n_state, n) of all columns of ``starts`` (n_state, n) with constants C (n_constant, n); columns
        are blocks of segments."""
        copies = starts.shape[1] // self.h.shape[1]

        def tile(a: Values) -> Values:
            return np.tile(a, (1,) * (a.ndim - 1) + (copies,))

        h, u, y, sigma = tile(self.h), tile(self.u), tile(self.y), tile(self.sigma)
        X = starts
        out = np.empty((len(h) + 1, *X.shape))
        out[0] = X
        for k in range(len(h)):
            for j in range(SUBSTEPS):
                a, b = (u[k] + (u[k + 1] - u[k]) * (q / SUBSTEPS) for q in (j, j + 1))
                X = step(system, X, C, h[k] / SUBSTEPS, a, b)
            out[k + 1] = X
        with np.errstate(all="ignore"):
            r = (out - y) / sigma
        return np.where(np.tile(self.known, (1, 1, copies)), r, 0.0)


def shoot(
    system: System,
    data: Trajectories,
    paths: Sequence[Values],
    sigma: Sequence[Values],
    lengths: Sequence[int] = LENGTHS,
) -> Calibrated | None:
    """Fit the free constants; None where no start of the shortest segments can be followed.

    Args:
        system: with first values of its constants.
        paths: smoothed states of each run (n_row, n_state).
        sigma: noise of the samples of each run (n_row, n_state).
        lengths: samples of a segment, in turn.
    """
    theta = system.parameters.copy()
    out: Calibrated | None = None
    for length in lengths:
        segments = Segments(data, paths, sigma, length)
        with np.errstate(all="ignore"):
            fitted = _levenberg(system, segments, theta)
        if fitted is None:
            break
        out = fitted
        theta = fitted.system.parameters
        if segments.h.shape[1] == len(data.runs):
            break
    return out


def _levenberg(system: System, seg: Segments, theta: Values) -> Calibrated | None:
    d, S = seg.start.shape
    p = len(theta)
    starts = seg.start.copy()
    scale = np.maximum(np.abs(np.nanmax(seg.y, axis=(0, 2))), 1e-12)[:, None]

    def evaluate(starts: Values, theta: Values) -> Values:
        return seg.residuals(system, starts, np.repeat(theta[:, None], S, axis=1))

    r = evaluate(starts, theta)
    cost = float(np.sum(r * r))
    if not np.isfinite(cost):
        return None
    damping = 1e-3
    information = np.zeros((p, p))
    for _ in range(STEPS):
        # All perturbations in one batch: starts by component, then constants.
        blocks = [starts.copy() for _ in range(d + p)]
        C = np.repeat(np.repeat(theta[:, None], S, axis=1)[:, None, :], d + p, axis=1)
        dx = NUDGE * scale[:, 0]
        dt = NUDGE * np.maximum(np.abs(theta), 1e-3)
        for i in range(d):
            blocks[i][i] += dx[i]
        for j in range(p):
            C[j, d + j] += dt[j]
        R = seg.residuals(system, np.hstack(blocks), C.reshape(p, (d + p) * S)).reshape(*r.shape[:2], d + p, S)
        J = (R - r[:, :, None, :]) / np.concatenate([dx, dt])[None, None, :, None]
        J = J.reshape(-1, d + p, S)
        flat = r.reshape(-1, S)
        J[~np.isfinite(J)] = 0.0
        H = np.einsum("nas,nbs->sab", J, J)
        g = np.einsum("nas,ns->sa", J, flat)
        improved = False
        for _ in range(8):
            A = H[:, :d, :d] + damping * np.einsum("sii->si", H[:, :d, :d])[:, :, None] * np.eye(d) + 1e-12 * np.eye(d)
            B, D = H[:, :d, d:], H[:, d:, d:].sum(0)
            AB, Ag = np.linalg.solve(A, B), np.linalg.solve(A, g[:, :d, None])[..., 0]
            M = D - np.einsum("sab,sac->bc", B, AB)
            information = D - np.einsum("sab,sac->bc", B, np.linalg.solve(H[:, :d, :d] + 1e-9 * np.eye(d), B))
            rhs = g[:, d:].sum(0) - np.einsum("sab,sa->b", B, Ag)
            move = (
                np.linalg.lstsq(M + damping * np.diag(np.diag(D)) + 1e-300 * np.eye(p), rhs, rcond=1e-12)[0]
                if p
                else np.empty(0)
            )
            new_theta = theta - move
            new_starts = starts - (Ag - np.einsum("sab,b->sa", AB, move)).T
            new_r = evaluate(new_starts, new_theta)
            new_cost = float(np.sum(new_r * new_r))
            if np.isfinite(new_cost) and new_cost <= cost:
                improved = True
                break
            damping *= 8
        if not improved:
            break
        gain = cost - new_cost
        theta, starts, r, cost = new_theta, new_starts, new_r, new_cost
        damping = max(damping / 10, 1e-9)
        if gain <= SETTLED * cost:
            break
    chi2 = np.sum(r * r, axis=(0, 2))
    count = seg.known.sum((0, 2)).astype(float)
    misfit = 0.5 * float(np.sum(count * np.log(np.maximum(chi2, 1e-12) / count)))
    usual = np.array([np.median(seg.sigma[:, k][seg.known[:, k]]) for k in range(d)])
    starts_of_runs = tuple(starts[:, int(np.flatnonzero(seg.run == k)[0])] for k in range(int(seg.run.max()) + 1))
    covariance = (
        np.linalg.pinv(information) * float(chi2.sum() / max(count.sum() - p - d, 1.0)) if p else np.zeros((0, 0))
    )
    noise = usual * np.sqrt(chi2 / count)
    return Calibrated(system.with_parameters(theta), starts_of_runs, chi2, count, noise, covariance, misfit)
