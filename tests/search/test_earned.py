"""Weights that were earned, and claims that were not: cut searches, few rows, residuals that are no noise, shards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.api.make_result import make_result
from hypo.checks import NO_LIMIT
from hypo.data import TableOptions, as_dataset
from hypo.posterior.posterior import Posterior, Structure
from hypo.problem.problem import Problem, Settings, make_problem
from hypo.problem.repeated_rows import repeated_rows
from hypo.problem.residual_structure import lack_of_fit
from hypo.report.formatting import format_share
from hypo.report.rivals import choose_runners_up, describe_rivals
from hypo.result.uncertainty import cautions
from hypo.search.engine import search
from hypo.search.outcome import Outcome

RNG = np.random.default_rng(17)
X = np.linspace(1.0, 5.0, 30)
NOISE = RNG.standard_normal(30)
QUICK: dict[str, Any] = {"operators": ("+", "-", "*"), "workers": 1, "library_sizes": (100,), "time_limit": NO_LIMIT}
CLAIM = "of the posterior weight"


def outcome_of(y: np.ndarray, x: np.ndarray = X, **settings: Any) -> tuple[Outcome, Problem, Settings, Any]:
    chosen = Settings(**(QUICK | {"turns": 2, "proposers": ("library",)} | settings))
    dataset, columns = as_dataset({"x": x, "y": y}, "y")
    problem = make_problem(dataset, None, chosen)
    return search(problem, chosen), problem, chosen, (dataset, columns)


def result_of(y: np.ndarray, x: np.ndarray = X, **changes: Any) -> hypo.Result:
    """The result of a short search, its outcome changed."""
    outcome, problem, settings, table = outcome_of(y, x, **changes.pop("settings", {}))
    return make_result(replace(outcome, **changes), problem, settings, *table)


@pytest.fixture(scope="module")
def line() -> tuple[Outcome, Problem, Settings, Any]:
    return outcome_of(2.3 * X + 0.3 * NOISE)


def told(found: tuple[Outcome, Problem, Settings, Any], **changes: Any) -> hypo.Result:
    outcome, problem, settings, table = found
    return make_result(replace(outcome, **changes), problem, settings, *table)


def test_a_search_that_earned_its_weights_says_them(line: tuple[Outcome, Problem, Settings, Any]) -> None:
    result = told(line)
    assert result.posterior is not None and not result.posterior.unearned
    assert CLAIM in str(result)


@pytest.mark.parametrize(
    ("changes", "reason", "helps"),
    [
        ({"status": "interrupted"}, "it was interrupted", "let it run to its end"),
        ({"complete_to": 0, "covered_to": 0}, "no size of formulas completely", "give it more time"),
        (
            {"covered_to": 2, "explored": None},
            "of those with more than 2 not all were looked at",
            "more time would help",
        ),
    ],
)
def test_a_search_that_was_too_short_says_so_instead(
    line: tuple[Outcome, Problem, Settings, Any], changes: dict[str, Any], reason: str, helps: str
) -> None:
    outcome = line[0]
    given = {**changes, **({"explored": replace(outcome.explored, chain=None)} if "explored" in changes else {})}
    result = told(line, **given)
    said = [sentence for sentence in result.remarks() if "too short to weigh rivals" in sentence]
    assert len(said) == 1 and reason in said[0] and helps in said[0]
    assert CLAIM not in str(result)
    assert any(reason in caution for caution in cautions(result))
    assert any(reason in remark for remark in result.suggest(n=1).remarks)


def test_few_rows_take_chains() -> None:
    """Where nobody sees whether residuals are noise, all small formulas are not enough."""
    x = X[::3]
    found = outcome_of(2.3 * x + 0.3 * NOISE[::3], x)
    assert CLAIM in str(told(found))
    result = told(found, explored=replace(found[0].explored, chain=None))
    assert CLAIM not in str(result) and any(
        "no time left to look around the formula" in line for line in result.remarks()
    )


def test_chains_that_do_not_agree_earn_nothing(line: tuple[Outcome, Problem, Settings, Any]) -> None:
    outcome = line[0]
    chain = {**dict(outcome.explored.chain or {}), "mixed": False, "verdict": "4 chains do not agree yet"}
    result = told(line, explored=replace(outcome.explored, chain=chain))
    assert CLAIM not in str(result) and any("4 chains do not agree yet" in line for line in result.remarks())


def test_what_residuals_say_counts() -> None:
    """A wave that the operators cannot follow, and noise that was given and is far less than what is left."""
    x = np.linspace(1.0, 5.0, 80)
    wave = result_of(2.3 * x + np.sin(4.0 * x), x, settings={"max_complexity": 5})
    assert CLAIM not in str(wave) and any("residuals still follow the columns" in line for line in wave.remarks())
    noise = {"x": X, "y": 2.3 * X + NOISE, "s": np.full(30, 0.05)}
    dataset, columns = as_dataset(noise, "y", TableOptions(sigma="s"))
    settings = Settings(**(QUICK | {"turns": 2, "proposers": ("library",), "max_complexity": 5}))
    problem = make_problem(dataset, None, settings)
    result = make_result(search(problem, settings), problem, settings, dataset, columns)
    assert CLAIM not in str(result) and any(
        "times the noise that was given, so the law" in line for line in result.remarks()
    )


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_few_rows_weigh_nothing(n: int) -> None:
    x = np.linspace(1.0, 9.0, n)
    result = result_of(1.1 * x + 0.2 * NOISE[:n], x)
    assert CLAIM not in str(result)
    if result.posterior is not None:
        assert any("too few to weigh rivals" in line and "more rows would help" in line for line in result.remarks())


def test_rows_that_are_the_same_count_once() -> None:
    x = np.repeat([1.0, 2.0, 3.0], 10)
    result = result_of(2.3 * x + 0.3 * NOISE, x)
    assert CLAIM not in str(result) and any("3 different rows are too few" in line for line in result.remarks())


def test_a_result_keeps_why_its_weights_are_not_earned(
    line: tuple[Outcome, Problem, Settings, Any], tmp_path: Path
) -> None:
    result = told(line, status="interrupted")
    loaded = hypo.Result.load(result.save(tmp_path / "r"))
    assert loaded.posterior == result.posterior and loaded.remarks() == result.remarks()
    inclusion = result.to_dict()["inclusion"]
    assert inclusion["earned"] is False and "interrupted" in inclusion["unearned"]
    assert told(line).to_dict()["inclusion"]["unearned"] is None


def test_merged_weights_are_earned_by_all_shards(tmp_path: Path) -> None:
    data = {"x": X, "y": 2.3 * X + 0.3 * NOISE}
    given: dict[str, Any] = {"operators": "+,-,*", "time_limit": 3.0, "workers": 1, "max_complexity": 5}
    shards = [hypo.fit(data, "y", shard=(k, 2), **given) for k in (1, 2)]
    alone = hypo.merge(shards[:1])
    assert alone.posterior is not None and "shard 2 is missing; merge all of them" in alone.posterior.unearned
    reason = "the search was too short to weigh rivals: it was interrupted"
    assert shards[1].posterior is not None
    cut = replace(shards[1], posterior=replace(shards[1].posterior, unearned=reason))
    merged = hypo.merge(shards[0], cut)
    assert merged.posterior is not None and merged.posterior.unearned.startswith("the search was too short")


# --- tests on rows ------------------------------------------------------------------------------------------------


def test_lack_of_fit_has_the_level_it_says() -> None:
    """Noise is taken for structure as often as it should; a curve is seen."""
    rng = np.random.default_rng(2)
    x = np.repeat(np.linspace(0.0, 3.0, 8), 4)[None]
    chances = []
    for _ in range(600):
        y = rng.standard_normal(32)
        chances.append(lack_of_fit(y - np.polyval(np.polyfit(x[0], y, 1), x[0]), x, 2))
    share = np.mean(np.array(chances, float) < 0.1)
    assert abs(share - 0.1) < 3.0 * np.sqrt(0.09 / 600)
    curved = 3.0 * (x[0] - 1.5) ** 2 + rng.standard_normal(32)
    chance = lack_of_fit(curved - np.polyval(np.polyfit(x[0], curved, 1), x[0]), x, 2)
    assert chance is not None and chance < 1e-6
    # A row that was copied was not measured again.
    assert lack_of_fit(np.tile(rng.standard_normal(8), 4), np.tile(np.linspace(0.0, 3.0, 8), 4)[None], 2) is None


def test_repeated_rows() -> None:
    group, count = repeated_rows(np.array([[1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 1.0]]))
    assert count == 3 and group[0] == group[2] and len(set(group)) == 3
    assert repeated_rows(np.empty((0, 4)))[1] == 1


# --- words --------------------------------------------------------------------------------------------------------


def posterior(*weights: float, unearned: str = "") -> Posterior:
    structures = tuple(
        Structure(hypo.parse(f"x + {k}", variables=["x"]), w, weights[0] / w, 0.0, (-1,), (), (), 5.0, 1.0, 0.5)
        for k, w in enumerate(weights, 2)
    )
    within = sum(weights[0] / w <= 20 for w in weights)
    return Posterior(structures, {}, {}, within, "", unearned=unearned)


def test_runners_up_where_rows_do_not_settle_it() -> None:
    open_, settled = posterior(0.5, 0.3, 0.2), posterior(0.97, 0.025, 0.005)
    assert len(choose_runners_up(open_, 500)) == len(choose_runners_up(open_, 8)) == 3
    assert not choose_runners_up(settled, 500) and len(choose_runners_up(settled, 12)) == 2
    assert not choose_runners_up(posterior(1.0), 8) and not choose_runners_up(None, 8)
    # Few rows show candidates, whatever the search earned; many do not.
    assert choose_runners_up(posterior(0.5, 0.5, unearned="no"), 8) and not choose_runners_up(
        posterior(0.5, 0.5, unearned="no"), 50
    )
    assert describe_rivals(open_, 8).startswith("8 rows do not settle the law: of")
    short = replace(open_, unearned="the search was too short to weigh rivals")
    assert describe_rivals(short, 8) == "8 rows do not settle the law, and the search was too short to weigh rivals."
    assert describe_rivals(short, 100) == "The search was too short to weigh rivals."
    assert describe_rivals(open_, 100).startswith("Of the structures")
    assert [format_share(s) for s in (0.546, 0.0596, 0.0996, 0.0004)] == ["55 %", "6.0 %", "10 %", "< 0.1 %"]
