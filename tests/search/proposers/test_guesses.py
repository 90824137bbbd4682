"""Guesses of the user: read, fitted, varied, refused with a clear sentence."""

import json
import math
import time

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.errors import InputError
from hypo.expression.algebra.simplify import simplify
from hypo.expression.parser import parse
from hypo.fitting.archive import Archive
from hypo.fitting.refiner import Refiner
from hypo.knowledge import Knowledge
from hypo.problem.exact import is_exact
from hypo.problem.problem import Settings, make_problem
from hypo.search import run
from hypo.search.proposers.base import Proposer, Turn, Workspace
from hypo.search.proposers.guesses import TURNS, Guesses, read_guesses, replace_everywhere, replace_subtree, vary

RNG = np.random.default_rng(0)
X = RNG.uniform(0.2, 5.0, (120, 2))
S, T = X.T
DAMPED = 2.3 * np.exp(-0.37 * S) * np.cos(4.1 * S + 0.8)


def setting(y, guesses, knowledge=None, **options):
    settings = Settings(guesses=tuple(guesses), **options)
    problem = make_problem(from_arrays(X, y, names=["S", "T"], target="y"), knowledge, settings)
    return problem, settings


def turns(y, guesses, seed=0, **options):
    """Proposals of each turn, and the refined archive."""
    problem, settings = setting(y, guesses, **options)
    proposer = Guesses(Workspace(problem, settings))
    clock = Clock(time.monotonic() + 60)
    archive = Archive(problem.X, problem.columns)
    refiner = Refiner(problem, settings, archive, clock)
    out = []
    with np.errstate(all="ignore"):
        while proposer.cost < math.inf:
            turn = Turn(problem, archive, clock, np.random.default_rng([seed, len(out)]), len(out))
            out.append([str(e) for e in proposer.propose(turn)])
            for text in out[-1]:
                refiner.consider(freed(text))
    return out, archive, problem


def freed(text):
    """The formula with its numbers free, as a proposer yields it."""
    from dataclasses import replace

    e = parse(text)
    return replace(e, constants=tuple(replace(c, free=True) for c in e.constants))


# --- the proposer ----------------------------------------------------------------------------------------------


def test_it_is_a_proposer_and_says_what_it_costs():
    problem, settings = setting(S, ["a*S"])
    assert isinstance(Guesses(Workspace(problem, settings)), Proposer)
    assert Guesses(Workspace(*setting(S, []))).cost == math.inf
    one, two = (Guesses(Workspace(*setting(S, ["a*S"] * n))).cost for n in (1, 2))
    assert 0 < one < two < math.inf


def test_a_guess_with_distant_constants_is_fitted_in_the_first_turn():
    proposals, archive, problem = turns(DAMPED, ["A*exp(-k*S)*cos(w*S + p)"])
    assert len(proposals[0]) == 1
    assert is_exact(archive.best, problem)


def test_equal_names_are_one_constant_first():
    y = 1.7 * S / (1.7 + T)
    proposals, _, _ = turns(y, ["a*S/(a + T)"])
    numbers = [c.value for c in parse(proposals[0][0]).constants]
    assert numbers == pytest.approx([1.7, 1.7])


@pytest.mark.parametrize(
    ("guess", "law"),
    [
        ("V*S/(K + S)", 7.3 * S**1.7 / (2.2 + S**1.7)),
        ("a*S**2", 3.1 * S**2.37),
        ("a*S + b", 1.2 * S + 0.4 + 0.31 * np.exp(-0.6 * T)),
        ("a*exp(-b*S)", 1.9 * T * np.exp(-0.83 * S)),
        ("sin(T) + a*S", 0.7 * S + np.sin(S)),
    ],
)
def test_a_law_near_the_guess_is_found_by_variation(guess, law):
    _, archive, _ = turns(law, [guess])
    assert archive.best.rmse < 1e-6 * np.std(law), str(archive.best.expression)


def test_the_turns_end_and_depend_on_the_seed_only():
    y = S + 0.1 * RNG.standard_normal(len(S))
    first, _, _ = turns(y, ["a*S + b*T"])
    second, _, _ = turns(y, ["a*S + b*T"])
    assert first == second
    assert 2 <= len(first) <= TURNS


def test_an_expired_clock_ends_a_turn():
    problem, settings = setting(DAMPED, ["A*exp(-k*S)*cos(w*S + p)"])
    proposer = Guesses(Workspace(problem, settings))
    late = Clock(time.monotonic() - 1)
    archive = Archive(problem.X, problem.columns)
    for number in range(2):
        assert len(list(proposer.propose(Turn(problem, archive, late, np.random.default_rng(0), number)))) <= 1


def test_variations_use_allowed_operators_only():
    problem, _ = setting(S, [], operators=("+", "*"))
    e = parse("a*S + T", variables=("S", "T"))
    found = list(vary(e, problem))
    assert len(found) > 20
    assert not [str(v) for v in found if problem.knowledge.violations(v, "y")]


def test_replacing_subtrees_and_variables():
    e = parse("sin(S*T) + S")
    product = next(k for k in range(len(e)) if str(e.subtree(k)) == "S*T")
    assert str(replace_subtree(e, product, parse("T"))) == "sin(T) + S"
    assert str(replace_everywhere(e, "S", parse("T**2"))) == "sin(T**2*T) + T**2"


# --- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guess", "message"),
    [
        ("a*S/(b+", 'the guess "a*S/(b+" cannot be used: cannot read the formula at column 8'),
        ("sinn(S)", "did you mean 'sin'?"),
        ("a*y", 'the guess "a*y" uses the target y; it can use the columns S, T'),
        (parse("a*S + Q", variables=["S", "Q"]), 'the guess "a*S + Q" uses Q, but the columns are S, T'),
    ],
)
def test_unusable_guesses_are_named(guess, message):
    with pytest.raises(InputError) as error:
        hypo.fit((X, S), features=["S", "T"], guesses=[guess], time_limit=5)
    assert message in str(error.value)


def test_a_guess_that_breaks_a_hard_rule_is_refused():
    rules = {"grammar": {"forbid": ["exp"]}}
    with pytest.raises(InputError, match=r'the guess "exp\(a\*S\)" breaks the rule forbid: exp is forbidden'):
        hypo.fit((X, S), features=["S", "T"], guesses="exp(a*S)", knowledge=rules, time_limit=5)
    with pytest.raises(InputError, match=r'the guess "a\*S \+ b\*T" has complexity 7, above the maximum of 5'):
        hypo.fit((X, S), features=["S", "T"], guesses=["a*S + b*T"], max_complexity=5, time_limit=5)


@pytest.mark.parametrize(
    ("guess", "only"), [("a*abs(S)**2", "abs"), ("a*square(square(S))", "square"), ("a*exp(log(S))*exp(log(S))", "log")]
)
def test_a_guess_whose_simpler_form_breaks_the_knowledge_stays_as_it_is(guess, only):
    """abs(S)**2 is S**2, where S stands in no abs any more."""
    knowledge = Knowledge.from_dict({"grammar": {"only": {"S": [only]}}})
    e = parse(guess, variables=["S", "T"])
    e = e.with_values([2.5 if c.free else c.value for c in e.constants])
    problem = make_problem(from_arrays(X, 2.5 * S**2 + T, names=["S", "T"]), knowledge, Settings())
    assert problem.breaks(simplify(e)) and not problem.breaks(problem.simplify(e))
    refiner = Refiner(problem, Settings(), Archive(problem.X, problem.columns), Clock())
    kept = refiner.consider(e)
    assert kept is not None and not problem.breaks(kept.expression)


def test_a_guess_that_breaks_a_hard_statement_is_refused():
    positive = {
        "rule": [
            {"kind": "monotone", "variable": "T", "direction": "decreasing"},
            {"kind": "sign", "sign": "positive", "hard": True, "where": {"S": [1, 2]}},
        ]
    }
    with pytest.raises(InputError) as error:
        hypo.fit((X, S), "y", features=["S", "T"], guesses=["-S"], knowledge=positive, time_limit=5)
    assert str(error.value) == (
        'the guess "-S" breaks the hard rule 2 (y > 0 on 1 <= S <= 2); at S = 2: -2 > 0 is false; change the guess or the rule'
    )
    knowledge = hypo.Knowledge.from_dict(positive)
    # A soft rule only costs, and constants may be fitted so that a hard one is kept.
    problem, settings = setting(S, ["S*T", "a*S"], knowledge)
    assert len(read_guesses(problem, settings)) == 2


def test_guesses_are_held_against_rules_in_the_units_of_the_table():
    knowledge = hypo.Knowledge.from_dict({"rule": [{"kind": "bounds", "max": 600.0, "hard": True}]})
    data = from_arrays(X, S, names=["S", "T"], target="y", units={"S": "cm", "T": "m", "y": "cm"})
    for guess, kept in (("S", True), ("200*S", False)):
        settings = Settings(guesses=(guess,))
        problem = make_problem(data, knowledge.with_units(data.units), settings)
        assert problem.scales["S"] == pytest.approx(0.01)
        if kept:
            read_guesses(problem, settings)
        else:
            with pytest.raises(InputError, match="breaks the hard rule 1"):
                read_guesses(problem, settings)


def test_units_are_a_hard_rule():
    units = {"S": "m", "T": "s", "y": "m/s"}
    with pytest.raises(InputError, match="breaks the rule units"):
        hypo.fit((X, S / T), "y", features=["S", "T"], guesses=["S + T"], units=units, time_limit=5)


def test_guesses_must_be_formulas():
    with pytest.raises(InputError, match=r'guesses must be formulas, such as \["a\*x/\(b \+ x\)"\], got 3'):
        hypo.fit((X, S), features=["S", "T"], guesses=[3], time_limit=5)


def test_expressions_and_named_constants_are_read():
    knowledge = hypo.Knowledge.from_dict({"constants": {"g": {"value": 9.81, "unit": "1"}}})
    problem, settings = setting(S, ["a*g*S", parse("b*T", variables=["T"]), "y = b*T"], knowledge)
    first, second, third = read_guesses(problem, settings)
    assert [c.name for c in first.constants if c.free] == ["a"]
    assert str(second) == str(third) == "b*T"


# --- from the outside ------------------------------------------------------------------------------------------


@pytest.fixture
def with_guesses(monkeypatch):
    """The engine with guesses among its proposers, whether it has them or not."""
    before = run.load_installed
    if not hasattr(run, "Guesses"):
        monkeypatch.setattr(run, "load_installed", lambda workspace: [*before(workspace), Guesses(workspace)])


def test_a_guess_wins_and_the_manifest_shows_it(with_guesses):
    guess = "A*exp(-k*S)*cos(w*S + p)"
    result = hypo.fit((X, DAMPED), features=["S", "T"], guesses=[guess], time_limit=20, workers=1)
    assert result.best.r2 > 1 - 1e-12
    assert result.settings["guesses"] == [guess]
    assert json.loads(result.to_json())["manifest"]["settings"]["guesses"] == [guess]


def test_the_regressor_takes_guesses(with_guesses):
    model = hypo.SymbolicRegressor(guesses=["A*exp(-k*x0)*cos(w*x0 + p)"], time_limit=20, workers=1)
    assert model.fit(X, DAMPED).score(X, DAMPED) > 1 - 1e-12


def test_the_command_line_takes_guesses(with_guesses, tmp_path, capsys):
    table = tmp_path / "damped.csv"
    np.savetxt(table, np.column_stack([S, DAMPED]), delimiter=",", header="S,y", comments="")
    arguments = ["fit", str(table), "--target", "y", "--out", str(tmp_path / "out"), "--workers", "1", "--quiet"]
    assert main([*arguments, "--guess", "a*S", "--guess", "A*exp(-k*S)*cos(w*S + p)", "--time-limit", "20"]) == 0
    assert "cos" in capsys.readouterr().out or "sin" in capsys.readouterr().out
    assert main([*arguments, "--guess", "a*S/("]) == 2
    assert 'error: the guess "a*S/(" cannot be used' in capsys.readouterr().err
