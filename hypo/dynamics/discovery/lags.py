"""Lags of laws that look back: first along the smoothed paths, for each candidate its own, then by the samples themselves.

The misfit of a whole run falls only near the right lag: off it by a hundredth, a cycle has lost its step. In weak rows it falls
from afar, once the terms are the right ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.prior.lengths import code_length
from hypo.dynamics.discovery.proposals.polish import polish
from hypo.dynamics.discovery.proposals.views import View
from hypo.dynamics.kinds import Kind, without_idle_delays
from hypo.dynamics.rows.lags import lagged
from hypo.dynamics.system import Delay, System
from hypo.expression.expr import Expression

# A lag is sought within this share of itself to either side, along the paths and by the samples.
WIDE = 0.3
WIDTH = 0.04
# Lags of a grid along the paths, and steps from the best of them.
GRID = 13
STEPS = 10
# Candidates of an equation whose lags are sought.
TRIED = 40
# Fits for each lag.
FITS = 9
# Rounds where laws have several lags.
ROUNDS = 2

Values = NDArray[np.float64]
Fit = Callable[[System], Calibrated | None]


def fit_lags(fitted: Calibrated, fit: Fit, bounds: Callable[[Delay], tuple[float, float]]) -> Calibrated:
    """The system with the lags of least misfit, without former values that it does not use.

    Args:
        fitted: the system as it is.
        fit: of a system to the samples; None where it cannot be followed, or where it is too late.
        bounds: the least and the largest lag of a delay.
    """
    best = replace(fitted, system=without_idle_delays(fitted.system))
    delays = best.system.delays
    for _ in range(ROUNDS if len(delays) > 1 else 1):
        for i, delay in enumerate(best.system.delays):
            least, most = bounds(delay)
            ends = max(least, delay.lag * (1 - WIDTH)), min(most, delay.lag * (1 + WIDTH))
            tried = [best]

            def misfit(lag: float, i: int = i, tried: list[Calibrated] = tried) -> float:
                best = min(tried, key=lambda c: c.misfit)
                delays = best.system.delays
                moved = (*delays[:i], replace(delays[i], lag=float(lag)), *delays[i + 1 :])
                found = fit(replace(best.system, delays=moved))
                if found is None:
                    return np.inf
                tried.append(found)
                return found.misfit

            if ends[0] < ends[1]:
                minimize_scalar(misfit, bounds=ends, method="bounded", options={"maxiter": FITS})
            best = min(tried, key=lambda c: c.misfit)
    return best


def lags_along_paths(kind: Kind, k: int, candidates: Sequence[Expression]) -> tuple[float, tuple[Delay, ...]]:
    """The delays of the likeliest candidate for the equation of measured state ``k``, with their likeliest lags, and its nats;
    infinite where no candidate looks back."""
    longest = tuple(replace(d, lag=kind.lag_bounds(d)[1]) for d in kind.delays)
    rows = replace(kind, delays=longest).weak_rows(k)
    names = rows.columns
    best: tuple[float, tuple[Delay, ...]] = math.inf, ()
    if not len(rows.target):
        return best
    late = [e for e in candidates if any(d.column in e.variables for d in kind.delays)]
    for e in late[:TRIED]:
        cost = code_length(e, kind.pattern.states[kind.first + k], len(names), len(rows.target))

        def nats(delays: Sequence[Delay], e: Expression = e) -> float:
            X = rows.X.copy()
            for d in delays:
                X[:, names.index(d.column)] = lagged(kind.columns, d, rows)
            view = View("weak", np.ascontiguousarray(X.T), rows.W, rows.target, rows.rate)
            square = polish(e, names, view)[1]
            return 0.5 * len(rows.target) * math.log(square + 1e-300) if math.isfinite(square) else math.inf

        delays = tuple(d for d in kind.delays if d.column in e.variables)
        for i, d in enumerate(delays):
            least, most = kind.lag_bounds(d)

            def at(lag: float, i: int = i, delays: tuple[Delay, ...] = delays) -> float:
                return nats((*delays[:i], replace(delays[i], lag=float(lag)), *delays[i + 1 :]))

            grid = np.linspace(max(least, d.lag * (1 - WIDE)), min(most, d.lag * (1 + WIDE)), GRID)
            values = [at(lag) for lag in grid]
            n = int(np.argmin(values))
            ends = grid[max(n - 1, 0)], grid[min(n + 1, GRID - 1)]
            found = minimize_scalar(at, bounds=ends, method="bounded", options={"maxiter": STEPS})
            lag = float(found.x) if found.fun < values[n] else float(grid[n])
            delays = (*delays[:i], replace(d, lag=lag), *delays[i + 1 :])
        score = nats(delays) + cost
        if score < best[0]:
            best = score, delays
    return best
