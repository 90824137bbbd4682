"""The compiled integrator against SciPy, closed forms, and difference quotients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.dynamics.integration.follow import Accuracy, follow, follow_with_sensitivities
from tests.dynamics.integration.runge_kutta import step
from tests.dynamics.integration.systems import LORENZ, LOTKA_VOLTERRA, PENDULUM, make, reference


@pytest.mark.parametrize(
    ("system", "start", "until"),
    [(LOTKA_VOLTERRA, [1.0, 2.0], 10.0), (LORENZ, [1.0, 2.0, 20.0], 2.0)],
    ids=["Lotka-Volterra", "Lorenz"],
)
def test_samples_are_those_of_scipy(system, start, until):
    time = np.linspace(0.0, until, 61)
    expected = reference(system, start, time)
    for relative, allowed in ((1e-6, 1e-3), (1e-10, 1e-6)):
        found = follow(system, start, None, time, accuracy=Accuracy(relative))
        assert found.is_whole.all()
        assert np.abs(found.states[:, :, 0] - expected).max() < allowed * np.abs(expected).max()


def test_time_itself_may_be_a_variable():
    system = make(["-0.7*x + 2.0*sin(1.3*t)"], ["x"], time="t")
    time = np.linspace(1.0, 6.0, 40)
    found = follow(system, [0.4], None, time).states[:, :, 0]
    assert np.abs(found - reference(system, [0.4], time)).max() < 1e-7


@pytest.mark.parametrize("hold", ["zero", "linear", "spline"])
def test_inputs_are_held_as_told(hold):
    """Against SciPy piece by piece, so that no step crosses a kink."""
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(3)
    time = np.cumsum(rng.uniform(0.05, 0.3, 25))
    u = rng.normal(size=25)
    system = make(["w", "-9.8*sin(q) - 0.3*w + 1.7*u"], ["q", "w"], actions=("u",), hold=hold)
    spline = CubicSpline(time, u)
    x, expected = np.array([0.3, -0.2]), [np.array([0.3, -0.2])]
    for k in range(24):

        def course(t, k=k):
            if hold == "spline":
                return [spline(t)]
            return [u[k] + (0.0 if hold == "zero" else (u[k + 1] - u[k]) * (t - time[k]) / (time[k + 1] - time[k]))]

        x = reference(system, x, time[k : k + 2], course)[-1]
        expected.append(x)
    found = follow(system, [0.3, -0.2], None, time, u[:, None])
    assert np.abs(found.states[:, :, 0] - expected).max() < 1e-7


def test_small_steps_of_the_classical_method_come_to_the_same():
    time = np.linspace(0.0, 1.0, 2001)
    u = np.sin(3 * time)[:, None]
    x, P = np.array([[0.5], [0.0]]), PENDULUM.parameters[:, None]
    for k in range(2000):
        x = step(PENDULUM, x, P, np.diff(time)[k : k + 1], u[k][:, None], u[k + 1][:, None])
    found = follow(PENDULUM, [0.5, 0.0], None, time, u).states[-1]
    assert np.abs(found - x).max() < 1e-9


@pytest.mark.parametrize("with_input", [False, True])
def test_sensitivities_are_central_differences(with_input):
    system = PENDULUM if with_input else LOTKA_VOLTERRA
    time = np.linspace(0.0, 4.0, 30)
    u = np.cos(time)[:, None] if with_input else None
    start, theta, fine = np.array([1.0, 2.0]), system.parameters, Accuracy(1e-11)
    found = follow_with_sensitivities(system, start, theta, time, u, fine)
    h = 1e-5
    for given_, base, slopes in (("start", start, found.by_start), ("theta", theta, found.by_parameter)):
        for j in range(len(base)):
            ends = []
            for sign in (1, -1):
                moved = base.copy()
                moved[j] += sign * h
                pair = (moved, theta) if given_ == "start" else (start, moved)
                ends.append(follow(system, *pair, time, u, fine).states[:, :, 0])
            expected = (ends[0] - ends[1]) / (2 * h)
            assert np.abs(slopes[:, :, j, 0] - expected).max() < 1e-6 * max(np.abs(expected).max(), 1.0)


def test_sensitivities_run_along_the_same_steps():
    time = np.linspace(0.0, 5.0, 20)
    plain = follow(LOTKA_VOLTERRA, [1.0, 2.0], None, time)
    with_slopes = follow_with_sensitivities(LOTKA_VOLTERRA, [1.0, 2.0], None, time)
    assert np.allclose(plain.states, with_slopes.states, rtol=1e-12, atol=0)
    assert np.array_equal(with_slopes.by_start[0, :, :, 0], np.eye(2))
    assert not with_slopes.by_parameter[0].any()


@pytest.mark.parametrize("x0", [0.2, 1.0, 37.0])
def test_a_blow_up_is_told_with_its_moment(x0):
    """x' = x² reaches infinity at 1/x₀."""
    system = make(["x**2"], ["x"])
    time = np.linspace(0.0, 10.03, 101)
    found = follow(system, [x0], None, time)
    assert found.diverged[0] == pytest.approx(1 / x0, rel=1e-6)
    before = time < 1 / x0
    assert np.allclose(found.states[before, 0, 0], 1 / (1 / x0 - time[before]), rtol=1e-4)
    assert np.isnan(found.states[~before]).all()
    assert not found.is_whole[0]


def test_a_law_without_value_ends_a_column():
    """x' = -1/(2·sqrt(x)): x = (x₀^1.5 - 0.75·t)^(2/3) ends at t = x₀^1.5/0.75."""
    found = follow(make(["-0.5/sqrt(x)"], ["x"]), [[1.0, 9.0]], None, np.linspace(0.0, 2.0, 21))
    assert found.diverged[0] == pytest.approx(1 / 0.75, rel=1e-3)
    assert np.isinf(found.diverged[1])
    assert found.has_value.tolist() == [False, True]


def test_a_bound_ends_a_column():
    found = follow(make(["x"], ["x"]), [1.0], None, np.linspace(0.0, 9.0, 10), accuracy=Accuracy(far=np.array([100.0])))
    assert np.log(100.0) <= found.diverged[0] < np.log(100.0) + 1.0


def test_too_many_steps_are_told():
    found = follow(
        LORENZ,
        [1.0, 2.0, 20.0],
        None,
        np.linspace(0.0, 50.0, 11),
        accuracy=Accuracy(most_steps=100, can_be_stiff=False),
    )
    assert 0.0 < found.unfinished[0] < 50.0
    assert np.isinf(found.diverged[0])
    assert np.isnan(found.states[-1]).all()


def test_equal_moments_have_equal_samples():
    time = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0])
    found = follow(LOTKA_VOLTERRA, [1.0, 2.0], None, time).states[:, :, 0]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[2], found[4])
    assert np.allclose(found[[0, 2, 5]], follow(LOTKA_VOLTERRA, [1.0, 2.0], None, [0.0, 1.0, 2.0]).states[:, :, 0])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 150), st.integers(0, 10**6), st.booleans())
def test_a_batch_is_its_columns_one_by_one(n, seed, own_clocks):
    rng = np.random.default_rng(seed)
    starts = rng.uniform(-1.0, 1.0, (2, n))
    parameters = PENDULUM.parameters[:, None] * rng.uniform(0.5, 1.5, (3, n))
    time = np.cumsum(rng.uniform(0.0, 0.4, (12, n)), axis=0) if own_clocks else np.linspace(0.0, 2.0, 12)
    u = rng.normal(size=(12, 1, n)) if own_clocks else rng.normal(size=(12, 1))
    found = follow(PENDULUM, starts, parameters, time, u)
    for c in {0, n // 2, n - 1}:
        own = (time[:, c], u[:, :, c]) if own_clocks else (time, u)
        alone = follow(PENDULUM, starts[:, c], parameters[:, c], *own)
        assert np.allclose(found.states[:, :, c], alone.states[:, :, 0], rtol=1e-12, atol=1e-14)


def test_shapes_that_do_not_go_together_are_told():
    with pytest.raises(ValueError, match="columns"):
        follow(LOTKA_VOLTERRA, np.ones((2, 3)), np.ones((4, 2)), [0.0, 1.0])
    with pytest.raises(ValueError, match="3 states at the start were given; expected 2"):
        follow(LOTKA_VOLTERRA, np.ones(3), None, [0.0, 1.0])
    with pytest.raises(ValueError, match="1 inputs were given; expected 0"):
        follow(LOTKA_VOLTERRA, np.ones(2), None, [0.0, 1.0], [[0.0], [1.0]])
    with pytest.raises(ValueError, match="time goes back"):
        follow(LOTKA_VOLTERRA, np.ones(2), None, [0.0, 1.0, 0.5])
