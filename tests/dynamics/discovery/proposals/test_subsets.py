"""Beam over sums of terms, held to brute force."""

from itertools import combinations

import numpy as np

from hypo.clock import Clock
from hypo.dynamics.discovery.proposals.subsets import EXACT, best_subsets


def _by_brute_force(A, y, cost, size):
    """The best score of all subsets of a size, and the subset."""
    best = []
    for subset in combinations(range(len(A)), size):
        c = np.linalg.lstsq(A[list(subset)].T, y, rcond=None)[0]
        left = np.sum((y - c @ A[list(subset)]) ** 2) / np.sum(y**2)
        best.append((0.5 * len(y) * np.log(left + EXACT) + cost[list(subset)].sum(), subset))
    return min(best)


def test_best_subset_of_each_size_is_that_of_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(5):
        A = rng.standard_normal((14, 30))
        A[7] = A[2] + 0.3 * rng.standard_normal(30)
        y = A[2] - 2 * A[5] + 0.5 * A[11] + 0.4 * rng.standard_normal(30)
        cost = rng.uniform(0, 6, 14)
        found = best_subsets(A, y, cost, np.arange(14), 4, Clock())
        for size, subsets in enumerate(found, start=1):
            assert tuple(subsets[0]) == _by_brute_force(A, y, cost, size)[1]


def test_cost_decides_between_terms_equally_near():
    rng = np.random.default_rng(2)
    x = rng.standard_normal(40)
    A = np.vstack([x + 1e-3 * rng.standard_normal(40), x + 1e-3 * rng.standard_normal(40)])
    y = x + 0.1 * rng.standard_normal(40)
    for cheap in (0, 1):
        cost = np.array([5.0, 5.0])
        cost[cheap] = 0.0
        assert best_subsets(A, y, cost, np.arange(2), 1, Clock())[0][0, 0] == cheap


def test_of_one_form_the_best_member_stands_for_all():
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 4, 60)
    A = np.array([x / (c + x) for c in (0.1, 0.5, 1.0, 3.0)] + [x])
    form = np.array([0, 0, 0, 0, 1])
    subsets = best_subsets(A, A[2], np.zeros(5), form, 2, Clock())
    assert [tuple(s) for s in subsets[0]] == [(2,), (4,)]
    # Two members of one form may stand side by side, as two saturations do; each set of forms once.
    forms = [tuple(sorted(form[s])) for s in subsets[1]]
    assert len(forms) == len(set(forms))


def test_columns_of_nothing_and_an_expired_clock_leave_what_there_is():
    A = np.vstack([np.zeros(9), np.arange(9.0), np.ones(9)])
    found = best_subsets(A, np.arange(9.0) + 1, np.zeros(3), np.arange(3), 5, Clock())
    assert [f.shape[1] for f in found] == [1, 2]
    assert set(found[1][0]) == {1, 2}
    assert len(best_subsets(A, np.arange(9.0), np.zeros(3), np.arange(3), 5, Clock(deadline=0.0))) == 1
    assert best_subsets(A[:1], np.arange(9.0), np.zeros(1), np.arange(1), 5, Clock()) == []
