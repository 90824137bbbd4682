"""Delays by the method of steps, against an independent solution in small steps."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.integration.follow import follow, follow_with_sensitivities
from hypo.dynamics.system import Delay
from tests.dynamics.integration.systems import make

LOGISTIC = make(["1.4*x*(1.0 - x_late)"], ["x"], delays=(Delay("x_late", "x", 1.0),))


def small_steps(past, until, n=4000):
    """x' = 1.4·x(t)·(1 - x(t - 1)) by the classical method on a grid of 1/n; the past at half steps by cubic interpolation."""
    h = 1.0 / n
    grid = np.arange(-n, int(until * n) + 1) * h
    x = np.empty(len(grid))
    x[: n + 1] = past(grid[: n + 1])
    for k in range(n, len(grid) - 1):
        a, b = x[k - n], x[k - n + 1]
        first = float(past((grid[0] + grid[1]) / 2))
        middle = (-x[k - n - 1] + 9 * a + 9 * b - x[k - n + 2]) / 16 if k > n else first
        k1 = 1.4 * x[k] * (1 - a)
        k2 = 1.4 * (x[k] + h / 2 * k1) * (1 - middle)
        k3 = 1.4 * (x[k] + h / 2 * k2) * (1 - middle)
        k4 = 1.4 * (x[k] + h * k3) * (1 - b)
        x[k + 1] = x[k] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return grid[n:], x[n:]


def test_the_delay_logistic_is_that_of_small_steps():
    grid, x = small_steps(lambda t: np.full(np.shape(t), 0.3), 12.0)
    time = grid[::1000]
    found = follow(LOGISTIC, [0.3], None, time)
    assert found.is_whole.all()
    assert np.abs(found.states[:, 0, 0] - x[::1000]).max() < 1e-6


def test_a_given_past_is_used():
    def past(t):
        return 0.4 + 0.1 * np.sin(2 * np.asarray(t))

    grid, x = small_steps(past, 5.0)
    moments = np.linspace(-1.0, 0.0, 81)
    found = follow(LOGISTIC, [0.4], None, grid[::1000], history=(moments, past(moments)[:, None]))
    assert np.abs(found.states[:, 0, 0] - x[::1000]).max() < 1e-6
    constant = follow(LOGISTIC, [0.4], None, grid[::1000])
    assert np.abs(constant.states[:, 0, 0] - x[::1000]).max() > 1e-3


def test_columns_keep_their_own_past():
    """Thirty columns in fewer lanes: the memory of a lane goes with its column."""
    starts = np.linspace(0.1, 1.6, 30)[None]
    time = np.concatenate([np.linspace(0.0, 6.0, 40)[:, None] * np.linspace(0.3, 1.0, 30)])
    found = follow(LOGISTIC, starts, None, time)
    for c in (0, 13, 29):
        alone = follow(LOGISTIC, starts[:, c], None, time[:, c])
        assert np.allclose(found.states[:, :, c], alone.states[:, :, 0], rtol=1e-12)


def test_sensitivities_of_delays_are_differences():
    time = np.linspace(0.0, 4.0, 9)
    found = follow_with_sensitivities(LOGISTIC, [0.3], None, time)
    h = 1e-4
    for j in range(2):
        ends = [
            follow(LOGISTIC, [0.3], LOGISTIC.parameters + sign * h * np.eye(2)[j], time).states[:, 0, 0]
            for sign in (1, -1)
        ]
        assert np.allclose(found.by_parameter[:, 0, j, 0], (ends[0] - ends[1]) / (2 * h), atol=2e-4)
    assert found.by_start[0, 0, 0, 0] == pytest.approx(1.0)


def test_a_lag_is_above_zero():
    with pytest.raises(ValueError, match="a lag is 0; expected one above 0"):
        follow(make(["x_late"], ["x"], delays=(Delay("x_late", "x", 0.0),)), [1.0], None, [0.0, 1.0])
