"""Budgets of turns, and candidates of single equations."""

import pytest

from hypo.clock import Deadline, now
from hypo.dynamics.discovery.single import APART, WORK, WORK_OF_ALL, Turn, find_candidates
from hypo.dynamics.kinds import make_kind
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from tests.dynamics.discovery.test_discover import epidemic


def test_budgets_depend_on_settings_alone():
    first = Turn().budget(Options(seed=3), 1, 2)
    assert (first.work, first.seed) == (WORK, 4)
    assert Turn().budget(Options(time_limit=1.0), 0, 2) == Turn().budget(Options(time_limit=1e6), 0, 2)
    assert Turn().budget(Options(), 0, 20).work == pytest.approx(WORK_OF_ALL / 20)


def test_turns_draw_their_own_numbers_and_work_more_each_time():
    seeds = {Turn(n).budget(Options(), k, 5).seed for n in range(4) for k in range(5)}
    assert len(seeds) == 20 and APART > 20
    works = [Turn(n, n).budget(Options(), 0, 1).work for n in range(7)]
    assert works[:5] == [WORK * 2**n for n in range(5)] and works[6] == works[4]


def test_workers_change_threads_alone():
    alone, beside = (Turn().budget(Options(workers=w), 0, 2) for w in (1, 4))
    assert (alone.work, alone.seed) == (beside.work, beside.seed) and (alone.threads, beside.threads) == (None, 1)


def test_without_time_there_is_a_line_and_it_says_that_it_was_cut():
    data = epidemic(n=20)
    found = find_candidates(0, make_kind(data, smooth_all(data), Options()), Turn(), Deadline(now() - 1.0))
    assert len(found.candidates) == 1 and found.is_cut
