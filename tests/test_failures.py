"""An unexpected error in one part of the work: it is told of once, the rest goes on, and the answer is there."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.data import from_arrays
from hypo.errors import InputError
from hypo.failures import MOST, Failures, format_report
from hypo.fitting.refiner import Refiner
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.proposers.base import Schedule
from hypo.search.proposers.evolution import Evolution
from hypo.search.proposers.library_scan import Scanner
from hypo.search.stopping import Stopping
from tests.oracles.no_limit import NO_LIMIT

RNG = np.random.default_rng(0)
X = np.random.default_rng(1).uniform(1.0, 3.0, (60, 2))
Y = 2.5 * X[:, 0] * X[:, 1] + 0.3 * np.random.default_rng(2).standard_normal(60)
NAMES = ("u", "v")


def fail(*_, **__):
    raise RecursionError("maximum recursion depth exceeded")


def settings(**more):
    return Settings(
        **{
            "time_limit": NO_LIMIT,
            "turns": 3,
            "library_sizes": (60,),
            "proposers": ("library", "evolution"),
            "posterior": False,
            **more,
        }
    )


def found(own=None, X=X, y=Y):
    own = own or settings()
    return search(
        make_problem(from_arrays(X, y, names=[*NAMES, *(f"w{k}" for k in range(X.shape[1] - 2))]), None, own), own
    )


def is_law(e):
    return e is not None and set(e.variables) == {"u", "v"}


# --- the collection ---------------------------------------------------------------------------------------------


def test_a_failure_is_kept_once_for_each_place():
    failures = Failures()
    for _ in range(3):
        with failures.guarded("the part") as guard:
            fail()
        assert guard.failed
    with failures.guarded("another part") as guard:
        pass
    assert not guard.failed
    (only,) = failures.found
    assert only.part == "the part"
    assert only.error == "RecursionError: maximum recursion depth exceeded"
    assert re.fullmatch(r"test_failures\.py, line \d+", only.where)
    assert only.as_dict().keys() == {"part", "error", "where"}
    text = format_report(failures.found, "1.2")
    assert text.startswith("hypo 1.2, Python ")
    assert "raise RecursionError" in text


def test_not_all_failures_of_many_are_kept():
    failures = Failures()
    for k in range(2 * MOST):
        with failures.guarded(f"part {k}"):
            fail()
    assert len(failures.found) == MOST


@pytest.mark.parametrize("error", [InputError("wrong"), KeyboardInterrupt(), BrokenPipeError()])
def test_what_is_meant_passes(error):
    failures = Failures()
    with pytest.raises(type(error)), failures.guarded("the part"):
        raise error
    assert not failures.found


def test_memory_errors_and_deep_recursions_are_failures():
    def deep(n):
        return deep(n + 1) + 1

    failures = Failures()
    with failures.guarded("memory"):
        raise MemoryError
    with failures.guarded("depth"):
        deep(0)
    assert [f.error.split(":")[0] for f in failures.found] == ["MemoryError", "RecursionError"]
    assert all(len(f.trace.splitlines()) < 200 for f in failures.found)


def test_the_traceback_is_shown_at_once_where_it_is_wanted(monkeypatch, capsys):
    monkeypatch.setenv("HYPO_DEBUG", "1")
    with Failures().guarded("the part"):
        fail()
    assert "the part:\nTraceback" in capsys.readouterr().err


# --- the search -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name", "part"),
    [
        (Scanner, "__init__", "the start of the search"),
        (Scanner, "without_pure_powers", "the start of the proposer library"),
        (Evolution, "__init__", "the start of the proposer evolution"),
        (Evolution, "propose", "the proposer evolution"),
        (Evolution, "cost", "the start of a proposer"),
        (Refiner, "baselines", "the first formulas"),
        (Refiner, "snap_pending", "the fit of formulas"),
        (Refiner, "finish", "finishing"),
        (Stopping, "after_turn", "the decision when to end"),
    ],
)
def test_a_search_goes_on_without_what_fails(monkeypatch, owner, name, part):
    monkeypatch.setattr(owner, name, property(fail) if name == "cost" else fail)
    out = found(settings(time_limit=1.0) if owner is Stopping else settings())
    assert part in [f.part for f in out.failures]
    assert out.best is not None
    if name != "__init__" or owner is Evolution:
        assert is_law(out.best.expression)
    assert len(out.failures) <= 3


def test_a_formula_that_fails_is_left_out_and_its_proposer_goes_on(monkeypatch):
    consider = Refiner.consider

    def sometimes(self, e, fitted=False):
        if len(e) == 3:
            fail()
        return consider(self, e, fitted)

    monkeypatch.setattr(Refiner, "consider", sometimes)
    out = found()
    assert {f.part for f in out.failures} <= {"the fit of formulas", "finishing"}
    assert out.failures
    assert is_law(out.best.expression)


def test_the_posterior_may_fail(monkeypatch):
    monkeypatch.setattr("hypo.search.run.run_structure_mcmc", fail)
    out = found(settings(posterior=True))
    assert [f.part for f in out.failures] == ["the posterior"]
    assert is_law(out.best.expression)


def test_a_proposer_within_another_fails_alone(monkeypatch):
    wide = np.column_stack([X, np.random.default_rng(3).uniform(1.0, 3.0, (60, 14))])
    monkeypatch.setattr("hypo.search.proposers.screened.Evolution.propose", fail)
    monkeypatch.setattr("hypo.search.proposers.screened.Evolution.cost", 1e-3)
    out = found(settings(turns=4, proposers=("library",)), wide)
    assert [f.part for f in out.failures] == ["the proposer evolution"]
    assert is_law(out.best.expression)


class Foreign:
    """A proposer of another package that fails in the middle of its second turn."""

    name, cost = "foreign", 0.01

    def __init__(self):
        self.turns = 0

    def propose(self, turn):
        self.turns += 1
        yield hypo.parse("u", variables=turn.problem.columns)
        if self.turns == 2:
            raise KeyError("lost")


def test_a_foreign_proposer_that_fails_gets_no_more_turns(monkeypatch):
    foreign = Foreign()
    monkeypatch.setattr("hypo.search.run.load_installed", lambda workspace: [foreign])
    out = found(settings(turns=30, proposers=("foreign",)))
    assert foreign.turns == 2
    assert [f.part for f in out.failures] == ["the proposer foreign"]
    assert out.failures[0].error == "KeyError: 'lost'"
    assert (out.status, out.message) == ("complete", "what was left of the search came to its end")


def test_a_schedule_leaves_out_who_was_dropped():
    class Endless:
        def __init__(self, name, cost):
            self.name, self.cost = name, cost

    first, second = Endless("first", 1.0), Endless("second", 2.0)
    first.propose = second.propose = lambda turn: iter(())
    schedule = Schedule(0)
    schedule.add(first)
    schedule.add(second)
    assert schedule.next() is first
    schedule.drop(first)
    assert schedule.next() is second
    assert schedule.has_failed
    schedule.drop(second)
    assert schedule.next() is None


def test_a_check_of_rules_that_fails_says_so(monkeypatch):
    monkeypatch.setattr(Refiner, "final_rule_check", fail)
    own = settings()
    knowledge = hypo.Knowledge.from_dict({"rule": [{"kind": "bounds", "min": 0.0, "hard": True}]})
    out = search(make_problem(from_arrays(X, Y, names=NAMES), knowledge, own), own)
    assert [f.part for f in out.failures] == ["the check of rules"]
    assert out.message.endswith("; there was no time to check the rules with care")
    assert len(out.rules) == 1
    assert out.rules[0].verdict is None
    assert is_law(out.best.expression)


def test_scores_of_guesses_may_fail(monkeypatch):
    monkeypatch.setattr(Refiner, "scored", fail)
    out = found(settings(guesses=("a*u*v",)))
    assert [f.part for f in out.failures] == ["the score of guesses"]
    assert out.guessed == ()


# --- the result -------------------------------------------------------------------------------------------------


def fit(**more):
    return hypo.fit(X, Y, features=NAMES, operators="+,-,*", time_limit=1.0, **more)


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("hypo.posterior.posterior.make_posterior", "the posterior"),
        ("hypo.api.make_result.model_diagnostics", "the doubts about the answer"),
        ("hypo.api.make_result.make_prior", "the prior"),
        ("hypo.api.make_result.make_constant_rows", "the intervals of constants"),
        ("hypo.search.model_selection.apply_selection", "the choice of the answer"),
    ],
)
def test_a_result_is_made_without_what_fails(monkeypatch, tmp_path, target, part):
    monkeypatch.setattr(target, fail)
    result = fit(out=tmp_path / "r")
    assert is_law(result.expression)
    assert part in [f["part"] for f in result.manifest["failures"]]
    text = (tmp_path / "r" / "failures.txt").read_text()
    assert "RecursionError" in text
    again = hypo.Result.load(tmp_path / "r")
    assert again.remarks()[-2:] == result.remarks()[-2:]
    assert f"An unexpected error ended {part} (RecursionError: maximum recursion depth exceeded" in result.remarks()[-2]
    assert "please report it, with the file failures.txt" in result.remarks()[-1]


def test_a_display_that_fails_is_not_called_again():
    calls = []

    def show(progress):
        calls.append(progress)
        raise ValueError("no colour")

    result = fit(progress=show)
    assert len(calls) == 1
    assert [f["part"] for f in result.manifest["failures"]] == ["the display of progress"]


def test_without_failures_nothing_is_said_of_them(tmp_path):
    result = fit(out=tmp_path / "r")
    assert "failures" not in result.manifest
    assert not (tmp_path / "r" / "failures.txt").exists()
    assert not any("bug" in line for line in result.remarks())


# --- the command line -------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{a!r},{b!r},{c!r}" for (a, b), c in zip(X.tolist(), Y.tolist(), strict=True)]
    Path("d.csv").write_text("\n".join(["u,v,y", *lines, ""]))
    return "d.csv"


FAST = ("--target", "y", "--operators", "+,-,*", "--time-limit", "1")


def test_a_plot_that_fails_leaves_the_result(table, monkeypatch, capsys):
    monkeypatch.setattr("hypo.report.display.plot.draw_figure", fail)
    assert main(["fit", table, "--plot", "--out", "r", *FAST]) == 0
    out, err = capsys.readouterr()
    assert "Written to r: result.json, front.csv\n" in out
    assert "note: the plot failed (RecursionError: maximum recursion depth exceeded, in" in err
    assert "please report it" in err


@pytest.mark.parametrize("name", ["write_law", "make_front_table"])
def test_a_table_that_fails_leaves_the_law_on_the_screen(table, monkeypatch, capsys, name):
    monkeypatch.setattr(f"hypo.report.tables.{name}", fail)
    assert main(["fit", table, "--out", "r", *FAST]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^ *y = .*u", out, re.MULTILINE)
    assert "Written to r" in out
    assert "that is a bug in hypo" in err


def test_a_failure_of_the_search_is_printed_once(table, monkeypatch, capsys):
    monkeypatch.setattr(Scanner, "propose", fail)
    assert main(["fit", table, "--out", "r", *FAST]) == 0
    out, _ = capsys.readouterr()
    assert out.count("RecursionError") == 1
    assert "Written to r: result.json, front.csv, failures.txt" in out
    assert main(["show", "r"]) == 0
    assert "RecursionError" in capsys.readouterr().out
    assert math.isfinite(hypo.Result.load("r").best.score)
