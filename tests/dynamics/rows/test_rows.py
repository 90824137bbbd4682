"""Rows for searches: the law that made the data holds in them, within the errors that they claim."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.options import Options
from hypo.dynamics.rows.inputs import inputs_at
from hypo.dynamics.rows.make import make_rows, make_weak_rows
from hypo.dynamics.rows.steps import noise_of_steps
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay
from tests.dynamics.cases import delayed_logistic, logistic_map, pendulum, runs, solved


def oscillator(noise, seed=0, n=120):
    """x' = v, v' = -2 x - 0.3 v + u in two runs, u a sine that is recorded."""
    rng = np.random.default_rng(seed)
    times = [np.linspace(0, 12, n), np.linspace(1, 9, n // 2)]
    states = [
        solved(lambda t, s: [s[1], -2 * s[0] - 0.3 * s[1] + np.sin(t)], start, t)
        for t, start in zip(times, ([1.0, 0.0], [0.0, 2.0]), strict=True)
    ]
    noisy = [x + noise * rng.standard_normal(x.shape) for x in states]
    return runs(times, noisy, [np.sin(t) for t in times], ("x", "v"), ("u",))


def law(X):
    return -2 * X[:, 0] - 0.3 * X[:, 1] + X[:, 2]


def test_the_law_holds_in_thinned_rows_within_their_errors():
    z = []
    for seed in range(8):
        data = oscillator(0.03, seed)
        rows = make_rows(data, smooth_all(data), Options(hold="spline"), 1)
        assert rows.columns == ("x", "v", "u")
        assert set(rows.run) == {0, 1}
        z.append(np.mean(((rows.target - law(rows.X)) / rows.sd) ** 2))
    assert 0.4 < np.mean(z) < 2.0


def test_the_law_holds_in_weak_rows_within_their_errors():
    z = []
    for seed in range(8):
        data = oscillator(0.03, seed)
        weak = make_weak_rows(data, smooth_all(data), Options(hold="spline"), 1)
        residual = weak.target - weak.W @ law(weak.X)
        z.append(np.mean(residual**2))
        assert np.linalg.norm(weak.target) > 10 * np.linalg.norm(residual)
    # A floor keeps them from claiming more than smoothing can know, so they are rather too careful.
    assert 0.05 < np.mean(z) < 2.0


def test_weak_columns_of_the_rate_are_the_target():
    data = oscillator(0.03)
    weak = make_weak_rows(data, smooth_all(data), Options(hold="spline"), 0)
    assert weak.W @ weak.rate == pytest.approx(weak.target)
    # Implicit rates: x'(1 + x²) = v (1 + x²).
    q = 1 + weak.X[:, 0] ** 2
    residual = weak.W @ (weak.rate * q) - weak.W @ (weak.X[:, 1] * q)
    assert np.linalg.norm(residual) < 0.1 * np.linalg.norm(weak.W @ (weak.rate * q))


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_accelerations_from_positions_alone(noise):
    data, _ = pendulum(noise=noise)
    smoothed = smooth_all(data)
    rows = make_rows(data, smoothed, Options(order=2), 0)
    assert rows.columns == ("x", "x_dot")
    A = np.column_stack([np.sin(rows.X[:, 0]), rows.X[:, 1]]) / rows.sd[:, None]
    found = np.linalg.lstsq(A, rows.target / rows.sd, rcond=None)[0]
    assert found == pytest.approx([-9, -0.2], abs=0.3 if noise else 0.01)
    weak = make_weak_rows(data, smoothed, Options(order=2), 0)
    found = np.linalg.lstsq(weak.W @ np.column_stack([np.sin(weak.X[:, 0]), weak.X[:, 1]]), weak.target, rcond=None)[0]
    assert found == pytest.approx([-9, -0.2], abs=0.3 if noise else 0.01)


def test_next_values_and_their_noise():
    data = logistic_map(200, 0.003)
    rows = make_rows(data, smooth_all(data), Options(discrete=True), 0)
    assert len(rows.target) == 199
    truth = 3.7 * rows.X[:, 0] * (1 - rows.X[:, 0])
    assert rows.sd[0] == pytest.approx(np.std(rows.target - truth), rel=0.5)
    exact = logistic_map(200)
    assert make_rows(exact, smooth_all(exact), Options(discrete=True), 0).sd[0] < 0.05 * rows.sd[0] + 0.002


def test_steps_with_a_missing_sample_are_left_out():
    data = logistic_map(30)
    data.runs[0].states[10] = np.nan
    assert len(make_rows(data, smooth_all(data), Options(discrete=True), 0).target) == 27


def test_former_values_in_discrete_time():
    data = logistic_map(30)
    delays = (Delay("x_before", "x", 2.0),)
    rows = make_rows(data, smooth_all(data), Options(discrete=True), 0, delays)
    x = data.runs[0].states[:, 0]
    assert rows.X[:, 1] == pytest.approx(x[:-3])
    assert rows.target == pytest.approx(x[3:])


def test_former_values_along_paths():
    data = delayed_logistic()
    delays = (Delay("x_before", "x", 1.5),)
    smoothed = smooth_all(data)
    rows = make_rows(data, smoothed, Options(), 0, delays)
    assert rows.time.min() >= 1.5
    late = rows.time > 3.5  # before, the kink of the start is on the way
    x, before = rows.X[late].T
    assert rows.target[late] == pytest.approx(1.2 * x * (1 - before / 2), abs=0.02)
    assert make_weak_rows(data, smoothed, Options(), 0, delays).time.min() == pytest.approx(1.5)


def test_time_is_a_column_where_wanted():
    data, _ = pendulum()
    rows = make_rows(data, smooth_all(data), Options(use_time=True), 0)
    assert rows.columns == ("x", "t")
    assert rows.X[:, 1].tolist() == rows.time.tolist()


def test_rows_at_a_wall_are_left_out():
    time = np.linspace(0, 12, 200)
    data = runs([time], [np.minimum(np.sin(time), 0.7)])
    smoothed = smooth_all(data)
    rows = make_rows(data, smoothed, Options(), 0)
    assert np.all(rows.X[:, 0] < 0.7)
    weak = make_weak_rows(data, smoothed, Options(), 0)
    held = weak.X[:, 0] >= 0.72
    assert np.abs(weak.W[:, held]).max(initial=0.0) < 1e-8 * np.abs(weak.W).max()


@pytest.mark.parametrize(("hold", "at"), [("zero", 1.0), ("linear", 2.0), ("spline", 1.75)])
def test_inputs_between_rows(hold, at):
    time = np.array([0.0, 1.0, 2.0, 2.0, 4.0])
    data = runs([time], [time], [np.array([0.0, 1.0, 9.0, 3.0, 5.0])], inputs=("u",))
    found = inputs_at(data.runs[0], hold, np.array([-1.0, 1.5, 2.0, 9.0]))[:, 0]
    assert found[[0, 2, 3]].tolist() == [0.0, 3.0, 5.0]
    assert found[1] == pytest.approx(at, abs=0.4 if hold == "spline" else 1e-12)


def test_noise_of_steps_of_two_columns():
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (500, 2))
    y = np.sin(2 * X[:, 0]) * X[:, 1] + 0.1 * rng.standard_normal(500)
    assert noise_of_steps(X, y) == pytest.approx(0.1, rel=0.25)
