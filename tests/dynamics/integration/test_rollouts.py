"""Rollouts in equal steps, by the interpreter and by code of the system's own."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.integration import rollouts
from hypo.dynamics.integration.compiled import make_batch
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.integration.rollouts import follow_in_steps, run_steps
from hypo.dynamics.integration.steps import step
from tests.dynamics.integration.systems import LORENZ, LOTKA_VOLTERRA, PENDULUM, make

MANY = make(
    [
        "inv(y + 3.0) + sqrt(x**2 + 1.0) - exp(-x) + log(y**2 + 2.0) - x**3/9.0",
        "sin(x)*cos(y) - tanh(x)/(1.5 + y**2) + abs(x)**1.5 - max(x, y) + min(x, 0.3) - 0.1*atan(t)*u",
    ],
    ["x", "y"],
    actions=("u",),
    time="t",
)


@pytest.mark.parametrize("is_generated", [False, True])
def test_steps_are_those_of_numpy(is_generated):
    time = np.linspace(0.0, 0.6, 7)
    u = np.sin(time)[:, None]
    starts = np.random.default_rng(0).normal(size=(2, 5))
    x, P = starts, np.repeat(PENDULUM.parameters[:, None], 5, axis=1)
    expected = [x]
    for k in range(6):
        ends = [np.repeat(u[k + j][:, None], 5, axis=1) for j in (0, 1)]
        x = step(PENDULUM, x, P, np.full(5, 0.1), *ends)
        expected.append(x)
    found = run_steps(PENDULUM, make_batch(PENDULUM, starts, None, time, u), 1, None, is_generated)
    assert np.allclose(found.states, expected, rtol=1e-12)


def test_generated_code_has_all_operators():
    time, u = np.linspace(0.0, 1.0, 11), np.linspace(-1.0, 1.0, 11)[:, None]
    batch = make_batch(MANY, np.random.default_rng(1).uniform(0.2, 0.6, (2, 9)), None, time, u)
    by_code, by_interpreter = (run_steps(MANY, batch, 3, None, is_generated) for is_generated in (True, False))
    assert np.isfinite(by_code.states).all()
    assert np.allclose(by_code.states, by_interpreter.states, rtol=1e-9)


@pytest.mark.parametrize("is_generated", [False, True])
def test_a_column_that_runs_away_does_not_touch_others(is_generated):
    system = make(["x**2"], ["x"])
    batch = make_batch(system, [[2.0, 0.1]], None, np.linspace(0.0, 1.0, 11), None)
    found = run_steps(system, batch, 8, np.array([1e6]), is_generated)
    assert 0.5 <= found.diverged[0] <= 0.7 and np.isinf(found.diverged[1])
    assert np.isnan(found.states[-1, 0, 0])
    assert found.states[-1, 0, 1] == pytest.approx(1 / 9.0, rel=1e-6)


@pytest.mark.parametrize("system", [LOTKA_VOLTERRA, LORENZ], ids=["Lotka-Volterra", "Lorenz"])
def test_the_number_of_steps_is_chosen_by_the_tolerance(system):
    starts = np.random.default_rng(2).uniform(0.5, 2.0, (len(system.states), 200))
    time = np.linspace(0.0, 2.0, 11)
    right = follow(system, starts, None, time, accuracy=Accuracy(1e-11)).states
    for tolerance in (1e-3, 1e-6):
        found = follow_in_steps(system, starts, None, time, tolerance=tolerance)
        assert np.abs(found.states - right).max() < 5 * tolerance * np.abs(right).max()


def test_long_rollouts_of_few_columns_have_code_of_their_own(monkeypatch):
    used = []
    monkeypatch.setattr(rollouts, "WORTH", 1e3)
    plain = rollouts.run_steps
    monkeypatch.setattr(rollouts, "run_steps", lambda *a, **k: used.append(k["is_generated"]) or plain(*a, **k))
    follow_in_steps(LOTKA_VOLTERRA, [1.0, 2.0], None, np.linspace(0.0, 2.0, 11))
    assert used[-1] is True
