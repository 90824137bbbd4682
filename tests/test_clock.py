"""A whole call ends soon after its time limit: what it counts, what is cut at its end, and what no table may blow up."""

import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import hypo
from hypo.clock import now, on_the_wall
from hypo.posterior.information import spread
from hypo.search.reductions.screening import ranks
from hypo.starting import count_from_call, mark_start, take_start

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
Y = X[:, 0] * np.sin(X[:, 1]) + 0.1 * np.random.default_rng(1).standard_normal(60)


def test_constants_that_are_determined_together_take_no_square_of_the_rows():
    rows = np.random.default_rng(0).standard_normal((3, 20_000))
    rows[2] = rows[1] + 1e-6 * rows[2]
    information = rows @ rows.T
    tracemalloc.start()
    found = spread(information, np.eye(3), lambda: rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * rows.nbytes
    assert found.open == ()
    exact = np.linalg.pinv(rows.T)
    assert np.allclose(found.covariance, exact @ exact.T, rtol=1e-6)


def test_fewer_rows_than_constants_leave_combinations_open():
    rows = np.array([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    assert spread(rows @ rows.T, np.eye(3), lambda: rows).open == ((0, 1, 2),)


def test_alarms_leave_profilers_alone():
    code = (
        "import cProfile, time\nfrom hypo.search.alarm import Alarm\n"
        "with Alarm(time.monotonic() + 60): pass\n"
        "with Alarm(time.monotonic() + 0.02):\n    while True: pass\n"
        "cProfile.runctx('f()', {'f': lambda: None}, {})\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, check=False).returncode == 0


def test_a_call_within_another_began_with_it_and_one_search_takes_the_moment():
    assert take_start() is None
    first = time.monotonic()
    with mark_start(kept=5.0):
        assert count_from_call(lambda: take_start())() == pytest.approx(first - 5.0, abs=0.5)
        assert take_start() is None
        assert count_from_call(lambda: take_start())() >= first
    assert take_start() is None


def test_other_threads_begin_for_themselves():
    seen = []
    with mark_start():
        thread = threading.Thread(target=lambda: seen.append(take_start()))
        thread.start()
        thread.join()
        assert take_start() is not None
    assert seen == [None]


def test_what_came_before_the_search_counts():
    with mark_start(kept=20.0):
        result = hypo.fit(X, Y, time_limit=20.0)
    assert result.best is not None
    assert result.timing["total"] < 5.0


@pytest.mark.filterwarnings("ignore::hypo.errors.ShortSearchWarning")
def test_a_limit_that_is_over_when_the_search_begins_still_gives_an_answer():
    with mark_start(kept=20.0):
        assert hypo.fit(X, Y, time_limit=0.001).best is not None


def test_a_moment_on_the_wall_is_as_far_away():
    assert on_the_wall(now() + 5.0) - time.monotonic() == pytest.approx(5.0, abs=0.5)


def test_intervals_that_take_too_long_are_cut_and_the_numbers_stay(monkeypatch):
    def endless(*args, **kwargs):
        while True:
            pass

    monkeypatch.setattr("hypo.posterior.laplace.laplace", endless)
    with mark_start(kept=20.0):
        result = hypo.fit(X, Y, time_limit=0.5, posterior=False)
    assert result.best is not None
    assert not result.failures
    rows = [row for each in result.constants for row in each]
    assert rows
    assert all(row.std is None for row in rows)


def test_folds_make_up_for_each_other():
    with mark_start(kept=5.0):
        result = hypo.fit(X, Y, time_limit=6.0, model_selection="validation", folds=np.arange(60) % 3)
    assert result.best is not None
    assert result.timing["total"] < 3.6


def test_ranks_are_those_of_scipy():
    from scipy.stats import rankdata

    lines = np.random.default_rng(0).integers(0, 9, (5, 40)).astype(float)
    lines[0] = np.arange(40)[::-1]
    lines[1] = 3.0
    assert np.array_equal(ranks(lines), rankdata(lines, axis=1))
    assert ranks(np.ones((2, 1))).tolist() == [[1.0], [1.0]]


def test_a_search_does_not_load_scipys_statistics():
    code = (
        "import sys, numpy as np, hypo\n"
        "X = np.random.default_rng(0).uniform(1, 3, (40, 120))\n"
        "hypo.fit(X, np.round(9 * X[:, 0] * X[:, 5]), time_limit=0.5, operators='+,*')\n"
        "print('scipy.stats' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=120, capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
