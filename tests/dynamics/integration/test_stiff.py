"""Stiff systems: published values, and what SciPy gives by another method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.dynamics.integration.follow import Accuracy, follow, follow_with_sensitivities
from tests.dynamics.integration.systems import make

ROBERTSON = make(["-0.04*a + 1e4*b*c", "0.04*a - 1e4*b*c - 3e7*b**2", "3e7*b**2"], ["a", "b", "c"])
VAN_DER_POL = make(["y", "1000.0*(1.0 - x**2)*y - x"], ["x", "y"])
OREGONATOR = make(["77.27*(b + a*(1.0 - 8.375e-6*a - b))", "(c - (1.0 + a)*b)/77.27", "0.161*(a - c)"], ["a", "b", "c"])


def by_lsoda(system, start, time):
    def rate(t, x):
        return system.rates(np.array(x)[:, None], system.parameters[:, None])[:, 0]

    return solve_ivp(rate, (time[0], time[-1]), start, "LSODA", time, rtol=1e-10, atol=1e-14).y.T


def test_robertson_is_as_published():
    """At t = 40: E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, and the manual of CVODE."""
    found = follow(ROBERTSON, [1.0, 0.0, 0.0], None, [0.0, 0.4, 40.0])
    assert found.is_whole.all()
    assert found.states[2, :, 0] == pytest.approx([0.7158270687, 9.185534765e-6, 0.2841637458], rel=1e-6)


@pytest.mark.parametrize(
    ("system", "start", "until"),
    [(VAN_DER_POL, [2.0, 0.0], 1000.0), (OREGONATOR, [1.0, 2.0, 3.0], 50.0)],
    ids=["Van der Pol", "Oregonator"],
)
def test_oscillators(system, start, until):
    time = np.linspace(0.0, until, 11)
    found = follow(system, start, None, time, accuracy=Accuracy(1e-8))
    expected = by_lsoda(system, start, time)
    assert found.is_whole.all()
    assert np.allclose(found.states[:, :, 0], expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max(0))


def test_sensitivities_of_a_stiff_system():
    time, h = np.array([0.0, 1.0, 40.0]), 1e-4
    found = follow_with_sensitivities(ROBERTSON, [1.0, 0.0, 0.0], None, time)
    theta = ROBERTSON.parameters
    for j in range(3):
        ends = [
            follow(ROBERTSON, [1.0, 0.0, 0.0], theta * (1 + s * h * np.eye(len(theta))[j]), time).states
            for s in (1, -1)
        ]
        expected = (ends[0] - ends[1])[:, :, 0] / (2 * h * theta[j])
        assert np.allclose(found.by_parameter[:, :, j, 0], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_stiff_columns_can_be_left_unfinished():
    hard = Accuracy(most_steps=2000, can_be_stiff=False)
    found = follow(VAN_DER_POL, [2.0, 0.0], None, [0.0, 1000.0], accuracy=hard)
    assert 0.0 < found.unfinished[0] < 1000.0


def test_an_implicit_method_that_takes_too_long_is_given_up():
    """cos(9t) in steps that a fast decay keeps small: neither method comes to the end."""
    system = make(["-1e6*(x - y)", "z", "-81*y"], ["x", "y", "z"])
    time = np.array([0.0, 1e-4, 1e5])
    found = follow(system, [1.0, 1.0, 0.0], None, time, accuracy=Accuracy(most_steps=5000))
    assert 1e-4 < found.unfinished[0] < 1e5
    assert np.isfinite(found.states[:2]).all() and np.isnan(found.states[2]).all()


def test_inputs_of_stiff_systems():
    """x' = -1000 (x - u): x follows the input."""
    system = make(["-1e5*(x - u)"], ["x"], actions=("u",))
    time = np.linspace(0.0, 10.0, 6)
    u = np.sin(time)[:, None]
    found = follow(system, [0.0], None, time, u)
    slope = np.diff(u[:, 0]) / 2.0
    assert found.states[1:, 0, 0] == pytest.approx(u[1:, 0] - slope / 1e5, abs=1e-7)
