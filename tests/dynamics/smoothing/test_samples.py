"""Samples by moment, and rows that were clipped."""

from __future__ import annotations

import numpy as np

from hypo.dynamics.smoothing.samples import by_moment, find_clipped


def test_repeated_samples_become_means_and_scatter():
    m = by_moment(np.array([0.0, 0.0, 1.0, 2.0, 2.0, 2.0]), np.array([1.0, 3.0, 5.0, np.nan, 2.0, 2.0]))
    assert m.time.tolist() == [0.0, 1.0, 2.0]
    assert m.mean.tolist() == [2.0, 5.0, 2.0]
    assert m.count.tolist() == [2.0, 1.0, 2.0]
    assert m.scatter.tolist() == [2.0, 0.0, 0.0]
    assert m.freedom.tolist() == [1.0, 0.0, 1.0]


def test_groups_have_the_scatter_of_repeated_samples_only():
    m = by_moment(np.array([0.0, 0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0, 9.0])).grouped(2)
    assert m.time.tolist() == [1 / 3, 2.5]
    assert m.mean.tolist() == [3.0, 8.0]
    assert m.scatter.tolist() == [2.0, 0.0]
    assert m.freedom.tolist() == [1.0, 0.0]


def test_long_stretches_at_an_extreme_are_clipped():
    x = np.minimum(np.sin(np.linspace(0, 12, 200)), 0.7)
    assert (find_clipped(x) == (x == 0.7)).all()
    x = np.maximum(np.cos(np.linspace(0, 12, 200)), -0.2)
    assert (find_clipped(x) == (x == -0.2)).all()


def test_what_comes_to_rest_is_not_clipped():
    t = np.linspace(0, 100, 400)
    saturating = 1 / (1 + np.exp(-t + 3))
    assert saturating[-1] == saturating[-20] == 1.0
    assert not find_clipped(saturating).any()
    assert not find_clipped(np.round(saturating, 2)).any()
    assert not find_clipped(np.full(50, 2.0)).any()


def test_the_extreme_may_be_that_of_another_run():
    x = np.minimum(np.sin(np.linspace(0, 12, 200)), 0.7)
    assert not find_clipped(x, -1.0, 0.9).any()
