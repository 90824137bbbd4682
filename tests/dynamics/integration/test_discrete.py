"""Laws of the next value."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.integration.events import Event
from hypo.dynamics.integration.follow import Accuracy, follow, follow_with_sensitivities
from hypo.dynamics.system import Delay
from tests.dynamics.integration.systems import make

MAP = make(["3.7*x*(1.0 - x)"], ["x"], is_discrete=True)


def test_the_logistic_map_is_that_of_a_loop():
    starts = np.linspace(0.05, 0.95, 300)
    expected = [starts]
    for _ in range(20):
        expected.append(3.7 * expected[-1] * (1.0 - expected[-1]))
    found = follow(MAP, starts[None], None, np.arange(21.0)).states[:, 0]
    assert np.allclose(found, expected, rtol=1e-8)


def test_inputs_and_time_are_those_of_the_row():
    system = make(["0.5*x + u + t"], ["x"], actions=("u",), time="t", is_discrete=True)
    u, time, x = np.array([1.0, -2.0, 0.5, 7.0]), np.array([0.0, 1.0, 2.0, 3.0]), [2.0]
    for k in range(3):
        x.append(0.5 * x[-1] + u[k] + time[k])
    assert np.allclose(follow(system, [2.0], None, time, u[:, None]).states[:, 0, 0], x)


@pytest.mark.parametrize("has_past", [False, True])
def test_delays_look_back_by_rows(has_past):
    system = make(["x + 0.1*late"], ["x"], delays=(Delay("late", "x", 2.0),), is_discrete=True)
    past = [5.0, 7.0] if has_past else [1.0, 1.0]
    x = [*past, 1.0]
    for _ in range(6):
        x.append(x[-1] + 0.1 * x[-3])
    history = ([-2.0, -1.0, 0.0], [[5.0], [7.0], [1.0]]) if has_past else None
    assert np.allclose(follow(system, [1.0], None, np.arange(7.0), history=history).states[:, 0, 0], x[2:])


def test_a_map_that_runs_away_is_told():
    found = follow(MAP, [1.5], None, np.arange(9.0), accuracy=Accuracy(far=np.array([10.0])))
    x, k = 1.5, 0
    while abs(x) <= 10:
        x, k = 3.7 * x * (1 - x), k + 1
    assert found.diverged[0] == k
    assert np.isnan(found.states[k:]).all() and np.isfinite(found.states[:k]).all()


def test_sensitivities_of_a_map():
    found = follow_with_sensitivities(MAP, [0.3], None, np.arange(3.0))
    x1 = 3.7 * 0.3 * 0.7
    slope = 3.7 * (1 - 2 * 0.3)
    assert found.by_start[:2, 0, 0, 0] == pytest.approx([1.0, slope])
    assert found.by_start[2, 0, 0, 0] == pytest.approx(slope * 3.7 * (1 - 2 * x1))
    assert found.by_parameter[1, 0, 0, 0] == pytest.approx(0.3 * 0.7)


@pytest.mark.parametrize("block", [1_000_000, 40])
def test_sensitivities_are_difference_quotients(block, monkeypatch):
    """Two states, inputs and clocks of their own by column, time in the law; also in blocks."""
    monkeypatch.setattr("hypo.dynamics.integration.follow.BLOCK", block)
    system = make(
        ["x + 0.1*y*u", "0.9*y - 0.3*sin(x) + 0.2*t + 0.1*x*y"], ["x", "y"], actions=("u",), time="t", is_discrete=True
    )
    rng = np.random.default_rng(0)
    X0, u = rng.normal(size=(2, 3)), rng.normal(size=(8, 1, 3))
    time = np.arange(8.0)[:, None] * [1.0, 0.5, 2.0]
    found = follow_with_sensitivities(system, X0, None, time, u)
    P = np.repeat(system.parameters[:, None], 3, axis=1)
    for slopes, base in ((found.by_start, X0), (found.by_parameter, P)):
        for j in range(len(base)):
            step = np.zeros_like(base)
            step[j] = 1e-5
            up, down = (
                follow(system, X0 + sign * step, P, time, u).states
                if base is X0
                else follow(system, X0, P + sign * step, time, u).states
                for sign in (1, -1)
            )
            assert slopes[:, :, j] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-7)


def test_events_between_rows():
    system = make(["x + v", "v"], ["x", "v"], is_discrete=True)
    wall = Event.parse("x > 3.5: v = -v, x = 3.5", system.columns)
    found = follow(system, [0.0, 1.0], None, np.arange(8.0), events=[wall])
    assert list(found.states[:, 0, 0]) == [0.0, 1.0, 2.0, 3.0, 3.5, 2.5, 1.5, 0.5]


@pytest.mark.parametrize("tiny", [9.9e-16, -1e-22, 1e-300])
def test_sensitivity_by_a_number_that_rounding_hides(tiny):
    """x[n] = 0.5**n x0 + c (2 - 2**(1 - n)): the slope by c does not depend on c."""
    system = make([f"0.5*x + {tiny}"], ["x"], is_discrete=True)
    found = follow_with_sensitivities(system, [3.0], None, np.arange(6.0))
    assert found.by_parameter[:, 0, 1, 0] == pytest.approx(2 - 2.0 ** (1 - np.arange(6)), rel=1e-3)
    assert found.by_start[:, 0, 0, 0] == pytest.approx(0.5 ** np.arange(6))


def test_an_input_that_never_acts_has_no_slope():
    system = make(["0.5*x + 3.0*u"], ["x"], actions=("u",), is_discrete=True)
    found = follow_with_sensitivities(system, [3.0], None, np.arange(6.0), np.zeros((6, 1)))
    assert not np.any(found.by_parameter[:, 0, 1])
