"""Intervals of parameters hold as often as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from hypo.dynamics.calibration.fit_system import fit_from
from hypo.dynamics.calibration.segments import guess_paths
from hypo.dynamics.smoothing.smoothed import smooth_all
from tests.dynamics.calibration.systems import LOTKA_VOLTERRA, SIR, make_data, noisy

FITS = 200


@pytest.mark.parametrize(("case", "relative", "constant"), [(LOTKA_VOLTERRA, 0.05, 0.0), (SIR, 0.0, 0.03)])
def test_intervals_hold(case, relative, constant):
    rng = np.random.default_rng(12)
    time = case.time[:: 2 if case is LOTKA_VOLTERRA else 1]
    exact = case.states(time=time)
    # One guess for all fits: smoothing takes longer than they do.
    made = make_data(case.system, [time], [exact])
    guess = guess_paths(case.system, made, smooth_all(made))
    away = []
    for _ in range(FITS):
        data = make_data(case.system, [time], [noisy(exact, rng, relative, constant)])
        fitted = fit_from(case.system, data, replace(guess, noise=0.05 * np.abs(exact)))
        away.append((fitted.system.parameters - case.system.parameters) / np.sqrt(np.diag(fitted.covariance)))
    inside = np.abs(np.array(away))
    for level in (0.5, 0.8, 0.95):
        hold = np.mean(inside < norm.ppf(0.5 + level / 2), axis=0)
        error = np.sqrt(level * (1 - level) / FITS)
        assert np.all(np.abs(hold - level) < 3 * error), (level, hold)
