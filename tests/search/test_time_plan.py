"""When the stages of a search end, and the words for why it did."""

import pytest

from hypo.clock import Clock, now
from hypo.posterior.structure_mcmc import budget
from hypo.search.outcome import StopReason
from hypo.search.time_plan import FINISHING, LEFT, MADE_BY, UNCOUNTED, WEIGHED_BY, TimePlan

# Seconds that a line of this file takes at most on a busy machine.
BUSY = 1.0


def test_the_turns_leave_time_for_finishing_and_for_chains():
    plain, weighed = TimePlan(60.0, has_chains=False), TimePlan(60.0, has_chains=True)
    assert plain.limit == plain.begin + 60.0
    assert plain.clock.deadline == pytest.approx(plain.limit - FINISHING / 2)
    assert weighed.clock.deadline == pytest.approx(weighed.limit - FINISHING / 2 - budget(60.0))
    assert plain.made_by == plain.limit + MADE_BY


def test_what_came_before_counts_but_leaves_a_search():
    begun = now()
    assert TimePlan(60.0, False, since=begun - 10.0).limit == pytest.approx(begun + UNCOUNTED + 50.0)
    # Loading that took longer than the limit leaves half a second.
    late = TimePlan(60.0, False, since=begun - 100.0)
    assert late.limit == pytest.approx(late.begin + LEFT)


def test_stages_put_the_clock_off_and_never_bring_it_forward():
    plan = TimePlan(60.0, has_chains=True)
    deadlines = [plan.clock.deadline]
    for stage in (plan.for_neighbours, plan.for_finishing, plan.for_chains, plan.for_last_of_pysr, plan.for_guesses):
        stage()
        deadlines.append(plan.clock.deadline)
    assert deadlines == sorted(deadlines)
    # Chains may use all that is left of the time limit.
    assert plan.limit <= plan.clock.deadline <= plan.limit + WEIGHED_BY


def test_a_stage_ends_soon_after_the_time_limit_however_long_it_wants():
    plan = TimePlan(0.01, has_chains=True)
    plan.clock.put_off(now() + 100.0)
    plan.for_chains()
    assert plan.clock.deadline == plan.limit + WEIGHED_BY
    before = now()
    plan.for_last_of_pysr()
    assert plan.clock.deadline >= before + 2.0 - BUSY


def test_a_clock_is_only_put_off():
    clock = Clock(deadline=5.0)
    clock.put_off(3.0)
    assert clock.deadline == 5.0
    clock.put_off(8.0)
    assert clock.deadline == 8.0


def test_stop_reasons_are_the_codes_of_result_files():
    assert [str(r) for r in StopReason] == ["exact", "complete", "time_limit", "interrupted", "nothing_found"]
