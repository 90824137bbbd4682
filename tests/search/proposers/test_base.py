"""Proposers of other packages, and whose turn it is."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

import hypo
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.errors import InputError
from hypo.expression.parser import parse
from hypo.fitting.archive import Archive
from hypo.problem.problem import Settings, make_problem
from hypo.search.proposers import base as module
from hypo.search.proposers.base import ENTRY_POINTS, MEMORY, Proposer, Schedule, Workspace, load_installed
from hypo.search.proposers.library_scan import plan_turns
from hypo.search.scan.strategies import STRATEGIES

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 3.0, (60, 2))
# Beyond what a short search reaches without help.
LAW = "tanh(sin(2.71*u*v + 0.37)*exp(v/3.3)) + u**2.9/(v + 0.123*u)"
Y = 3.0 * np.tanh(np.sin(2.71 * X[:, 0] * X[:, 1] + 0.37) * np.exp(X[:, 1] / 3.3)) + X[:, 0] ** 2.9 / (
    X[:, 1] + 0.123 * X[:, 0]
)


class Oracle:
    """A proposer that knows."""

    name = "oracle"

    def __init__(self, texts, cost=0.01):
        self.texts = texts
        self.cost = cost
        self.turns = []

    def propose(self, turn):
        self.turns.append(turn)
        self.cost = math.inf
        for text in self.texts:
            yield parse(text, variables=turn.problem.columns)


class Endless:
    """A proposer with nothing to say, always ready to say it."""

    def __init__(self, name, cost):
        self.name, self.cost = name, cost

    def propose(self, turn):
        return iter(())


class Point:
    """What importlib.metadata gives for an entry point."""

    def __init__(self, name, made, value="elsewhere:make"):
        self.name, self.made, self.value = name, made, value

    def load(self):
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


@pytest.fixture
def plug_in(monkeypatch):
    """Installs fake entry points."""

    def install(*points):
        def find_offers(group):
            return {point.name: (point,) for point in points} if group == ENTRY_POINTS else {}

        monkeypatch.setattr(module, "find_offers", find_offers)

    return install


def problem():
    return make_problem(from_arrays(X, Y, names=["u", "v"], target="y"), None, Settings())


def opened(schedule, proposer):
    p = problem()
    return schedule.turn(proposer, p, Archive(p.X, p.columns), Clock(time.monotonic() + 60))


# --- plug-ins --------------------------------------------------------------------------------------------------


def test_the_formula_of_a_plug_in_can_win(plug_in):
    made = []

    def make(problem, settings):
        made.append((problem, settings))
        return Oracle([LAW.replace("tanh", "3.0*tanh", 1)])

    plug_in(Point("oracle", make))
    result = hypo.fit((X, Y), features=["u", "v"], time_limit=20, seed=5, workers=1, max_complexity=40)
    assert result.best.r2 > 1 - 1e-12
    assert made[0][0].columns == ("u", "v")
    assert made[0][1].seed == 5
    assert result.timing["oracle"] > 0


def test_a_plug_in_sees_problem_archive_clock_and_its_own_random_numbers(plug_in):
    oracle = Oracle(["u"])
    plug_in(Point("oracle", lambda p, s: oracle))
    hypo.fit((X, X[:, 0] * 2), features=["u", "v"], time_limit=20, workers=1)
    turn = oracle.turns[0]
    assert turn.problem.target == "y"
    assert turn.archive.best is not None
    assert turn.clock.deadline > 0
    assert turn.number == 0
    assert turn.budget > 0


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (ImportError("No module named 'juggler'"), "No module named 'juggler'"),
        (lambda p, s: 1 / 0, "division by zero"),
        (lambda p: None, "takes 1 positional argument but 2 were given"),
    ],
)
def test_a_broken_plug_in_gives_one_clear_sentence(plug_in, made, reason):
    plug_in(Point("juggler", made))
    with pytest.raises(InputError) as error:
        hypo.fit((X, Y), time_limit=5, workers=1)
    message = str(error.value)
    assert message.startswith("the proposer 'juggler' (elsewhere:make) could not be started: ")
    assert reason in message
    assert "\n" not in message


def test_what_is_no_proposer_is_refused(plug_in):
    plug_in(Point("juggler", lambda p, s: "three balls"))
    with pytest.raises(InputError, match="'three balls' is no proposer: it needs name, cost and propose"):
        hypo.fit((X, Y), time_limit=5, workers=1)


def test_plug_ins_come_by_name(plug_in):
    plug_in(*(Point(name, lambda p, s, name=name: Endless(name, 1.0)) for name in ("b", "c", "a")))
    assert [p.name for p in load_installed(Workspace(problem(), Settings()))] == ["a", "b", "c"]
    assert all(isinstance(p, Proposer) for p in load_installed(Workspace(problem(), Settings())))


def test_a_plug_in_that_asks_for_it_is_given_the_workspace_of_all_others(plug_in):
    class Placed(Oracle):
        def __init__(self, workspace):
            super().__init__(["u"])
            self.workspace = workspace

    own = Workspace(problem(), Settings(seed=3))
    plug_in(Point("placed", Placed), Point("plain", lambda problem, settings: Oracle([settings.seed])))
    placed, plain = load_installed(own)
    assert placed.workspace is own
    assert plain.texts == [3]
    # Racing rows and a library are there for whoever asks, and made once.
    assert own.context.X.shape[0] == 2
    assert own.library is own.library
    own.library.grow(30)
    assert own.scanned_library.count >= 30


def test_the_workspace_of_a_smaller_problem_has_rows_and_library_of_its_own():
    own = Workspace(problem(), Settings())
    smaller = replace(own.problem, columns=("u",), X=own.problem.X[:1])
    ctx = replace(own.context, problem=smaller, X=own.context.X[:1])
    inner = own.on(ctx)
    assert inner.context is ctx
    assert inner.clock is own.clock
    assert inner.failures is own.failures
    assert inner.library is not own.library
    assert {n for s in inner.library.seeds for n in s.expression.variables} == {"u"}


def test_every_scan_of_the_turns_has_its_strategy():
    turns = plan_turns((150, 600, 20_000, 200_000))
    assert {name for turn in turns for name in turn.strategies} == set(STRATEGIES)
    assert [turn.cost for turn in turns] == sorted(turn.cost for turn in turns)
    assert [turn.size for turn in turns if turn.is_stream] == [20_000, 200_000]
    assert all(turn.strategies for turn in turns if not turn.is_stream)


# --- the schedule ----------------------------------------------------------------------------------------------


def order(costs, gains, turns=12):
    """Names in the order of their turns; a proposer's turns bring the given gain each."""
    schedule = Schedule(0)
    for name, cost in costs.items():
        schedule.add(Endless(name, cost))
    out = []
    for _ in range(turns):
        proposer = schedule.next()
        opened(schedule, proposer)
        schedule.close(proposer, gains.get(proposer.name, 0.0))
        out.append(proposer.name)
    return out


def test_without_gains_equal_costs_take_equal_shares():
    names = order({"a": 1.0, "b": 1.0}, {})
    assert names.count("a") == names.count("b") == 6


def test_the_cheap_come_first_and_more_often():
    names = order({"dear": 4.0, "cheap": 1.0}, {}, turns=20)
    assert names[0] == "cheap"
    assert names.count("cheap") == pytest.approx(4 * names.count("dear"), abs=2)


def test_gains_earn_turns():
    names = order({"a": 1.0, "b": 1.0}, {"b": 50.0}, turns=20)
    assert names.count("b") > 2 * names.count("a") > 0


def test_the_order_is_always_the_same():
    costs, gains = {"a": 1.0, "b": 1.7, "c": 0.4}, {"b": 3.0}
    assert order(costs, gains) == order(costs, gains)


def test_credit_fades():
    schedule = Schedule(0)
    a = Endless("a", 1.0)
    schedule.add(a)
    schedule.close(a, math.e - 1)
    for _ in range(3):
        schedule.close(a, 0.0)
    assert schedule._account(a).credit == pytest.approx(MEMORY**3)


def test_those_with_nothing_left_are_passed_over():
    schedule = Schedule(0)
    assert schedule.next() is None
    schedule.add(Endless("done", math.inf))
    assert schedule.next() is None
    schedule.add(Endless("live", 1e9))
    assert schedule.next().name == "live"


def test_an_infinite_gain_does_not_end_all_turns_of_others():
    names = order({"a": 1.0, "b": 1.0}, {"a": math.inf}, turns=60)
    assert "b" in names


def test_random_numbers_depend_on_seed_name_and_number_only():
    def numbers(seed, name, turns, before=()):
        schedule = Schedule(seed)
        others = [Endless(n, 1.0) for n in before]
        one = Endless(name, 2.5)
        for p in (*others, one):
            schedule.add(p)
        for p in others:
            opened(schedule, p)
        return [opened(schedule, one).rng.integers(0, 2**62) for _ in range(turns)]

    first = numbers(0, "a", 3)
    assert first == numbers(0, "a", 3, before=("x", "y"))
    assert len(set(first)) == 3
    assert not set(first) & set(numbers(1, "a", 3))
    assert not set(first) & set(numbers(0, "b", 3))
