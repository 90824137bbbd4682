"""Lags of a system that looks back, fitted by the samples: one after the other, each by a search between its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.kinds import without_idle_delays
from hypo.dynamics.system import Delay, System

# A lag is sought within this share of itself to either side.
WIDTH = 0.15
# Fits for each lag.
FITS = 9
# Rounds where laws have several lags.
ROUNDS = 2

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
