"""Smooth paths against the curves that samples were made from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hypo.clock import Deadline
from hypo.dynamics.smoothing.path import correlations, effective_rows
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.smoothing.smoother import smooth_runs
from hypo.dynamics.trajectories import Run, Trajectories


def smooth(time, values):
    return smooth_runs([(time, values)])[0]


def z_square(found, truth, sd):
    return float(np.mean(((found - truth) / sd) ** 2))


def test_errors_are_as_large_as_they_are_said_to_be():
    """Over 100 curves of three frequencies, the mean square of errors over their deviations is near 1."""
    rng = np.random.default_rng(7)
    t = np.linspace(0, 10, 50)
    z = []
    for _ in range(100):
        w, p, a = rng.uniform(0.5, 2.5, 3), rng.uniform(0, 6, 3), rng.normal(size=3)
        x, v, acc = ((a * w**k * np.sin(w * t[:, None] + p + k * np.pi / 2)).sum(1) for k in range(3))
        path = smooth(t, x + 0.05 * np.std(x) * rng.standard_normal(50))
        z.append(
            [
                z_square(path.value, x, path.value_sd),
                z_square(path.rate, v, path.rate_sd),
                z_square(path.second, acc, path.second_sd),
            ]
        )
    value, rate, second = np.mean(z, axis=0)
    assert 0.5 < value < 2
    assert 0.5 < rate < 2
    assert 0.3 < second < 2


@pytest.mark.parametrize("n", [30, 150])
def test_exact_samples_give_exact_rates(n):
    t = np.linspace(0, 10, n)
    path = smooth(t, np.exp(-0.2 * t) * np.sin(t))
    truth = np.exp(-0.2 * t) * (np.cos(t) - 0.2 * np.sin(t))
    error = np.sqrt(np.mean((path.rate - truth) ** 2)) / np.std(truth)
    assert path.is_exact
    assert error < (1e-3 if n == 30 else 1e-6)
    assert np.all(np.abs(path.rate - truth) < 10 * path.rate_sd)


def test_a_transient_is_smoothed_in_stretched_time_or_logarithms():
    rng = np.random.default_rng(2)
    t = np.linspace(0, 10, 120)
    x = 1 / (0.02 + t)
    path = smooth(t, x * (1 + 0.02 * rng.standard_normal(120)))
    error = np.abs(path.rate + x**2) / x**2
    assert np.median(error) < 0.05
    assert path.noise == pytest.approx(0.02 * x, rel=0.4)


def test_noise_in_proportion_is_found_where_a_state_crosses_zero():
    rng = np.random.default_rng(3)
    t = np.linspace(0, 20, 300)
    x = np.sin(t)
    path = smooth(t, x * (1 + 0.1 * rng.standard_normal(300)))
    assert path.noise[np.abs(x) > 0.9].mean() > 4 * path.noise[np.abs(x) < 0.1].mean()


def test_repeated_measurements_tell_the_noise():
    rng = np.random.default_rng(4)
    t = np.repeat(np.linspace(0, 10, 20), 6)
    path = smooth(t, np.sin(t) + 0.1 * rng.standard_normal(120))
    assert len(path.time) == 20
    assert np.median(path.noise) == pytest.approx(0.1, rel=0.2)


def test_missing_and_irregular_samples_cost_little():
    rng = np.random.default_rng(5)
    t = np.sort(rng.uniform(0, 20, 150))
    y = np.sin(t) + 0.05 * rng.standard_normal(150)
    y[rng.uniform(size=150) < 0.3] = np.nan
    path = smooth(t, y)
    assert np.sqrt(np.mean((path.rate - np.cos(path.time)) ** 2)) < 0.1
    assert path.at(t)[0] == pytest.approx(np.sin(t), abs=0.15)


def test_eight_samples_of_a_decay():
    t = np.linspace(0, 3, 8)
    path = smooth(t, 2 * np.exp(-t) * (1 + 0.01 * np.array([1, -1, 0.5, -0.3, 1, 0.2, -1, 0.4])))
    assert path.rate == pytest.approx(-2 * np.exp(-t), abs=0.1)
    assert not path.is_undersampled


@pytest.mark.parametrize("step", [0.002, 0.07])
def test_many_samples(step):
    """Close together, or of many periods."""
    rng = np.random.default_rng(6)
    t = np.arange(5_000) * step
    x, v = np.sin(2 * t) + 0.3 * np.sin(3.3 * t), 2 * np.cos(2 * t) + 0.99 * np.cos(3.3 * t)
    path = smooth(t, x + 0.05 * rng.standard_normal(len(t)))
    assert np.sqrt(np.mean((path.rate - v) ** 2)) < 0.06 * np.std(v)
    assert 0.3 < z_square(path.rate, v, path.rate_sd) < 2
    rows = effective_rows(path)
    assert np.all(np.diff(rows) > 0)
    assert 1 < len(rows) * path.length / (len(t) * step) < 20


def test_neighbouring_rows_of_the_chosen_ones_err_independently():
    rng = np.random.default_rng(8)
    t = np.linspace(0, 10, 100)
    path = smooth(t, np.sin(t) + 0.05 * rng.standard_normal(100))
    rows = effective_rows(path)
    c = correlations(path.curve.joint_errors(path.time, 1))
    assert np.all(c[rows[:-1], rows[1:]] < 0.5)
    assert all(c[a, a + 1 : b].min(initial=1.0) >= 0.5 for a, b in itertools.pairwise(rows))


def test_runs_share_their_noise():
    rng = np.random.default_rng(9)
    t = np.linspace(0, 5, 25)
    paths = smooth_runs([(t, np.sin(t + k) + 0.05 * rng.standard_normal(25)) for k in range(8)])
    assert len({float(p.noise[0]) for p in paths}) == 1
    assert paths[0].noise[0] == pytest.approx(0.05, rel=0.2)


def test_clipped_samples_are_left_out():
    rng = np.random.default_rng(10)
    t = np.linspace(0, 12, 300)
    y = np.minimum(np.sin(t) + 0.01 * rng.standard_normal(300), 0.7)
    path = smooth(t, y)
    assert path.clipped.sum() == (y == 0.7).sum() > 40
    free = np.sin(t) < 0.6
    assert np.sqrt(np.mean((path.rate - np.cos(t))[free] ** 2)) < 0.05
    assert not np.isin(effective_rows(path), np.flatnonzero(path.clipped)).any()


def test_gaps_that_no_smoother_can_fill_are_told():
    x = [0.3]
    for _ in range(99):
        x.append(3.9 * x[-1] * (1 - x[-1]))
    assert smooth(np.arange(100.0), np.array(x)).is_undersampled
    t = np.linspace(0, 10, 100)
    assert not smooth(t, np.sin(t)).is_undersampled
    assert not smooth(t, 2 + 0.1 * np.random.default_rng(1).standard_normal(100)).is_undersampled


def test_constant_samples():
    path = smooth(np.arange(20.0), np.full(20, 3.0))
    assert path.value == pytest.approx(np.full(20, 3.0))
    assert np.abs(path.rate).max() < 1e-6


def test_fewer_than_four_samples_are_refused():
    with pytest.raises(ValueError, match="four samples"):
        smooth(np.arange(3.0), np.arange(3.0))


def test_a_short_run_beside_others_has_a_path_too():
    rng = np.random.default_rng(11)
    t = np.linspace(0, 10, 50)
    paths = smooth_runs(
        [(t, np.sin(t) + 0.01 * rng.standard_normal(50)), (t[:2], np.sin(t[:2])), (t[:3], np.full(3, np.nan))]
    )
    assert [len(p.time) for p in paths] == [50, 2, 0]
    assert paths[1].value == pytest.approx(np.sin(t[:2]), abs=0.05)


def test_states_measured_together_share_work_and_not_answers():
    rng = np.random.default_rng(3)
    t = np.linspace(0, 6, 40)
    states = np.column_stack([np.sin(t), 2 + np.cos(2 * t), np.exp(-t)]) * (1 + 0.02 * rng.standard_normal((40, 3)))
    data = Trajectories((Run("", t, states, np.empty((40, 0)), np.arange(40)),), "t", ("a", "b", "c"))
    for k, path in enumerate(smooth_all(data).paths[0]):
        alone = smooth_runs([(t, states[:, k])])[0]
        assert np.array_equal(path.value, alone.value) and np.array_equal(path.rate, alone.rate)


def test_without_time_the_choice_is_a_quick_one():
    rng = np.random.default_rng(3)
    t = np.linspace(0, 6, 60)
    y = np.sin(t) + 0.05 * rng.standard_normal(60)
    path, slow = smooth_runs([(t, y)], clock=Deadline(-np.inf))[0], smooth_runs([(t, y)])[0]
    assert path.log_likelihood <= slow.log_likelihood
    assert np.sqrt(np.mean((path.value - np.sin(t)) ** 2)) < 0.05
