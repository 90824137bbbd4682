"""Every sample counts once, however runs are cut."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.calibration.segments import Guess, cut, guess_by_samples, guess_paths
from hypo.dynamics.smoothing.smoothed import smooth_all
from tests.dynamics.calibration.systems import PENDULUM, make_data

RNG = np.random.default_rng(0)


def ragged():
    """Two runs: one with repeated moments and missing samples, one short."""
    time = [np.array([0, 0, 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8.0]), np.array([3.0, 3.5, 5.0])]
    states = [RNG.standard_normal((len(t), 2)) for t in time]
    states[0][3, 1] = np.nan
    states[0][6] = np.nan
    return make_data(PENDULUM.system, time, states)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 100])
def test_samples_count_once(length):
    data = ragged()
    seg = cut(data, guess_by_samples(data, PENDULUM.system), length, PENDULUM.system)
    whole = np.concatenate([r.states for r in data.runs])
    total = np.zeros_like(whole)
    for s in range(seg.n):
        for t in range(len(seg.time)):
            total[seg.at[t, s]] += seg.share[t, :, s]
    np.testing.assert_allclose(total, np.isfinite(whole).astype(float))
    assert np.all(np.diff(seg.time, axis=0) >= 0)


@pytest.mark.parametrize("length", [1, 3, 100])
def test_segments_follow_each_other_and_hold_the_samples(length):
    data = ragged()
    whole = np.concatenate([r.states for r in data.runs])
    guess = Guess(np.nan_to_num(whole), np.ones_like(whole), False)
    seg = cut(data, guess, length, PENDULUM.system)
    for s in range(seg.n):
        rows = slice(seg.rows[s, 0], seg.rows[s, 1] + 1)
        run = data.runs[seg.run[s]]
        n = rows.stop - rows.start
        np.testing.assert_array_equal(seg.time[:n, s], run.time[rows])
        np.testing.assert_array_equal(seg.time[n:, s], run.time[rows][-1])
        np.testing.assert_array_equal(seg.samples[:n, :, s], np.nan_to_num(run.states[rows]))
        np.testing.assert_array_equal(seg.guess[:n, :, s], np.nan_to_num(run.states[rows]))
        assert len(np.unique(run.time[rows])) - 1 <= length
    for r, run in enumerate(data.runs):
        own = seg.rows[seg.run == r]
        assert own[0, 0] == 0
        assert own[-1, 1] == run.n_row - 1
        np.testing.assert_array_equal(run.time[own[1:, 0]], run.time[own[:-1, 1]])


def test_the_speed_of_a_position_begins_as_its_smoothed_rate():
    from dataclasses import replace

    system = replace(PENDULUM.system, measured=1)
    states = PENDULUM.states()
    data = make_data(system, [PENDULUM.time], [states[:, :1]])
    guess = guess_paths(system, data, smooth_all(data))
    assert np.max(np.abs(guess.states - states)) < 0.02 * np.std(states)
