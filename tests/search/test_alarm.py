"""Alarms end what does not look at the clock, whatever it is doing, and nothing else."""

import math
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hypo.search.alarm import Alarm, TimeIsUp


def spin():
    while True:
        pass


def test_an_alarm_ends_an_endless_loop():
    begin = time.monotonic()
    with Alarm(begin + 0.05) as alarm:
        spin()
    assert alarm.rang
    assert time.monotonic() - begin >= 0.05


def test_what_ends_in_time_is_not_disturbed():
    with Alarm(time.monotonic() + 60.0) as alarm:
        done = sum(range(1000))
    assert (done, alarm.rang) == (499500, False)
    with Alarm(math.inf) as alarm:
        pass
    assert not alarm.rang


def test_an_alarm_that_is_late_already_rings_at_once():
    with Alarm(time.monotonic() - 1.0) as alarm:
        spin()
    assert alarm.rang


@pytest.mark.parametrize("inner_first", [True, False])
def test_each_alarm_ends_its_own_part(inner_first):
    now = time.monotonic()
    went_on = False
    with Alarm(now + (60.0 if inner_first else 0.05)) as outer:
        with Alarm(now + (0.05 if inner_first else 60.0)) as inner:
            spin()
        went_on = True
    assert (inner.rang, outer.rang, went_on) == (inner_first, not inner_first, inner_first)


def test_errors_pass_and_nothing_rings_after_the_end():
    with pytest.raises(ZeroDivisionError), Alarm(time.monotonic() + 0.02):
        raise ZeroDivisionError
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        pass


def test_no_ring_is_lost_or_comes_late_at_the_edge():
    for k in range(60):
        with Alarm(time.monotonic() + 0.0005 * (k % 4)) as alarm:
            end = time.monotonic() + 0.001
            while time.monotonic() < end:
                pass
        assert isinstance(alarm.rang, bool)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass


def test_an_except_clause_for_errors_does_not_stop_it():
    def stubborn():
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    with Alarm(time.monotonic() + 0.05) as alarm:
        stubborn()
    assert alarm.rang
    assert not issubclass(TimeIsUp, Exception)


def test_a_ring_that_a_destructor_swallows_comes_again():
    class Slow:
        def __del__(self):
            end = time.monotonic() + 0.005
            while time.monotonic() < end:
                pass

    hook = sys.unraisablehook
    with Alarm(time.monotonic() + 0.05) as alarm:
        while True:
            Slow()
            end = time.monotonic() + 0.005
            while time.monotonic() < end:
                pass
    assert alarm.rang
    assert sys.unraisablehook is hook


def test_threads_may_be_started_while_it_rings():
    # CPython takes a thread that is being started for the one that starts it: rings that went there left this one waiting.
    started = []
    for _ in range(20):
        with Alarm(time.monotonic() + 0.002) as alarm:
            while True:
                thread = threading.Thread(target=started.append, args=(1,))
                thread.start()
                thread.join()
                end = time.monotonic() + 0.02
                while time.monotonic() < end:
                    pass
        assert alarm.rang
    assert started


def test_pools_may_work_while_it_rings():
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            with Alarm(time.monotonic() + 0.002) as alarm:
                while True:
                    assert sum(pool.map(abs, range(20))) == 190
            assert alarm.rang
        assert list(pool.map(abs, [-1, -2])) == [1, 2]


def test_an_alarm_rings_in_the_thread_that_set_it():
    rang = []

    def work():
        with Alarm(time.monotonic() + 0.05) as alarm:
            spin()
        rang.append(alarm.rang)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20.0)
    assert rang == [True]
