"""Random forces on states: the filter against the joint normal distribution, and levels against simulated ones."""

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration import forcing as subject
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.calibration.forcing import estimate_forcing, forced
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories
from tests.dynamics.calibration.systems import make_system

RATE = 0.8
RELAXING = make_system({"x": "-a*x"}, {"a": RATE})
PENDULUM = make_system({"th": "w", "w": "-a*sin(th) - b*w"}, {"a": 2.0, "b": 0.1})
SWINGING = make_system({"x": "x_dot", "x_dot": "-a*x"}, {"a": 2.0}, measured=1)


def as_data(time, samples, names):
    run = Run("", time, samples, np.empty((len(time), 0)), np.arange(len(time)))
    return Trajectories((run,), "t", names)


def relaxing(rng, level, noise, n=150, until=15.0):
    """Ornstein and Uhlenbeck's process, by its exact steps."""
    h = until / (n - 1)
    e = np.exp(-RATE * h)
    x = np.empty(n)
    x[0] = 2.0
    for i in range(1, n):
        x[i] = x[i - 1] * e + level * np.sqrt((1 - e * e) / (2 * RATE)) * rng.standard_normal()
    return as_data(np.linspace(0, until, n), (x + noise * rng.standard_normal(n))[:, None], ("x",))


def swinging(rng, level, noise, n=150, until=15.0, sub=20):
    """A damped pendulum whose speed is pushed, by Heun's steps."""
    time = np.linspace(0, until, n)
    h = time[1] / sub
    th, w = 1.5, 0.0
    out = []
    for _ in range(n):
        out.append((th, w))
        for _ in range(sub):
            push = level * np.sqrt(h) * rng.standard_normal()
            first = -2.0 * np.sin(th) - 0.1 * w
            th2, w2 = th + h * w, w + h * first + push
            th, w = th + h * (w + w2) / 2, w + h * (first - 2.0 * np.sin(th2) - 0.1 * w2) / 2 + push
    return as_data(time, np.array(out) + noise * rng.standard_normal((n, 2)), ("th", "w"))


def level_of(system, data):
    smoothed = smooth_all(data)
    found = estimate_forcing(fit_system(system, data, smoothed), data, smoothed)
    assert found is not None
    return found


def test_the_filter_gives_the_joint_normal_density():
    """Of a process with unknown start: the covariance of its samples, written out."""
    rng = np.random.default_rng(5)
    data = relaxing(rng, 0.3, 0.05, n=30, until=6.0)
    smoothed = smooth_all(data)
    fitted = fit_system(RELAXING, data, smoothed)
    fitted = replace(fitted, system=RELAXING)
    linear = subject._linearise(fitted, data, smoothed.states(0))
    time, y = data.runs[0].time, data.runs[0].states[:, 0]

    def density(q, r):
        decay = np.exp(-RATE * time)
        least = np.minimum(time[:, None], time)
        late = np.exp(-RATE * np.abs(time[:, None] - time))
        C = linear.start[0] ** 2 * np.outer(decay, decay) + q * q / (2 * RATE) * (
            late * (1 - np.exp(-2 * RATE * least))
        )
        C += np.diag((r * linear.sd[:, 0]) ** 2)
        away = y - linear.at[0, 0] * decay
        return -0.5 * np.linalg.slogdet(C)[1] - 0.5 * away @ np.linalg.solve(C, away)

    levels, factors = np.array([[0.1], [0.3], [0.6]]), np.array([[1.0], [0.4], [0.2]])
    found, _ = subject._filter(linear, levels, factors)
    expected = [density(q, r) for (q,), (r,) in zip(levels, factors, strict=True)]
    assert np.diff(found) == pytest.approx(np.diff(expected), abs=1e-3)


def test_forces_act_on_speeds_alone():
    assert forced(SWINGING) == (1,)
    assert forced(PENDULUM) == (0, 1)


def test_the_level_of_a_relaxing_state():
    """The mean of twelve levels within three standard errors, and each error of the size of their scatter."""
    each = [level_of(RELAXING, relaxing(np.random.default_rng(s), 0.3, 0.05)) for s in range(12)]
    levels, errors = (np.array([getattr(f, name)[0] for f in each]) for name in ("level", "error"))
    assert levels.mean() == pytest.approx(0.3, abs=3 * levels.std() / np.sqrt(12) + 0.01)
    assert 0.5 < levels.std() / errors.mean() < 2.0


def test_there_is_none_where_samples_scatter_alone():
    for s in range(6):
        assert not level_of(RELAXING, relaxing(np.random.default_rng(s), 0.0, 0.05)).level.any()


def test_a_pendulum_that_is_pushed():
    found = level_of(PENDULUM, swinging(np.random.default_rng(1), 0.3, 0.05))
    assert found.level[0] == 0
    assert found.level[1] == pytest.approx(0.3, abs=3 * found.error[1])
    assert not level_of(PENDULUM, swinging(np.random.default_rng(1), 0.0, 0.05)).level.any()


@pytest.mark.parametrize(("noise", "n"), [(0.05, 12), (0.0, 60)])
def test_few_and_exact_samples_tell_nothing(noise, n):
    data = relaxing(np.random.default_rng(0), 0.0, noise, n)
    smoothed = smooth_all(data)
    assert estimate_forcing(fit_system(RELAXING, data, smoothed), data, smoothed) is None
