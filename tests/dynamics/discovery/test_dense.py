"""A first system of all plain terms, and what is left of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.clock import Clock, Deadline, now
from hypo.dynamics.calibration.segments import AtRows
from hypo.dynamics.discovery.dense import begin, dense_system
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.fits import Fitter
from hypo.dynamics.discovery.trials.judge import Judge
from hypo.dynamics.kinds import make_kind
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories


def lorenz(t, s):
    return [10 * (s[1] - s[0]), 60 * s[0] - s[1] - s[0] * s[2], s[0] * s[1] - 8 / 3 * s[2]]


def record(rates, start, time, noise=0.01):
    states = solve_ivp(rates, (time[0], time[-1]), start, t_eval=time, rtol=1e-9, atol=1e-9).y.T
    states = states * (1 + noise * np.random.default_rng(1).standard_normal(states.shape))
    names = tuple("xyzwvu"[: states.shape[1]])
    return Trajectories((Run("", time, states, np.empty((len(time), 0)), np.arange(len(time))),), "t", names)


def start(data, options=None, seconds=60.0):
    """The kind of law, a judge without fits, a way to fit, and its deadline."""
    smoothed = smooth_all(data)
    kind = make_kind(data, smoothed, options or Options(), None)
    late = Deadline(now() + seconds)
    fit = Fitter(data, AtRows.of(smoothed), late)
    return kind, Judge(fit, Scorer(columns_along(kind.columns), kind.sought, 100.0), Clock(), 100), fit, late


def test_chaos_sampled_too_coarsely_to_be_smoothed_is_found_at_once():
    # A loop of this one takes half a unit of time: seven samples.
    kind, judge, fit, late = start(record(lorenz, [1.0, 2.0, 30.0], np.linspace(0, 5, 75)))
    assert not begin(kind, judge, fit, late)
    best = judge.ranked()[0].fitted.system
    assert [as_sum(e).form for e in best.equations] == ["x + y", "x + x*z + y", "x*y + z"]
    numbers = sorted(abs(c.value) for e in best.equations for c in e.constants if c.free)
    assert numbers == pytest.approx([1, 1, 1, 8 / 3, 10, 10, 60], rel=0.03)


@pytest.mark.parametrize(("n_state", "degree"), [(2, 3), (3, 2), (4, 2), (5, 1)])
def test_more_states_have_lower_degrees(n_state, degree):
    time = np.linspace(0, 5, 60)
    data = record(lambda t, s: -np.arange(1, n_state + 1) * s, np.ones(n_state), time)
    kind = start(data)[0]
    system = dense_system(kind, kind.sought)
    powers = [sum(f.power.value for f in t.factors) for e in system.equations for t in as_sum(e).terms]
    assert max(powers) == degree
    assert all(c.free or c.value == round(c.value) for e in system.equations for c in e.constants)


def test_many_states_have_none():
    data = record(lambda t, s: -s, np.ones(4), np.linspace(0, 5, 60))
    wide = Run("", data.runs[0].time, np.tile(data.runs[0].states, (1, 5)), np.empty((60, 0)), np.arange(60))
    kind = start(Trajectories((wide,), "t", tuple(f"x{k}" for k in range(20))))[0]
    assert dense_system(kind, kind.sought) is None


def test_it_ends_in_time_and_says_so():
    kind, judge, fit, late = start(record(lorenz, [1.0, 2.0, 30.0], np.linspace(0, 5, 75)), seconds=0.0)
    assert begin(kind, judge, fit, late)


def test_discrete_laws_and_single_ones_begin_without():
    data = record(lambda t, s: -s, [1.0, 2.0], np.arange(30.0))
    kind, judge, fit, late = start(data, Options(discrete=True))
    assert not begin(kind, judge, fit, late)
    assert not judge.judged
