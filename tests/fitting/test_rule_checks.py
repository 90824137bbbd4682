"""Rules in the search: charges, hard rules, constants fitted under rules, the tally and the report."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import hypo
from hypo.api.inputs import make_knowledge
from hypo.cli.main import cli
from hypo.data import as_dataset
from hypo.expression.expr import Expression
from hypo.fitting.rule_checks import Rulebook
from hypo.knowledge import Knowledge
from hypo.problem.problem import Problem, Settings, make_problem

pytestmark = pytest.mark.usefixtures("short_searches")


def table(n: int = 200, noise: float = 0.02, **columns: tuple[float, float]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    spans = columns or {"x": (0.5, 3.0), "z": (0.5, 3.0)}
    data = pd.DataFrame({name: rng.uniform(*span, n) for name, span in spans.items()})
    x, z = data.iloc[:, 0], data.iloc[:, 1]
    return data.assign(y=x * np.exp(-z) + 1 + noise * rng.standard_normal(n))


def problem(known: dict, data: pd.DataFrame | None = None) -> Problem:
    dataset, _ = as_dataset(table() if data is None else data, "y")
    return make_problem(dataset, make_knowledge(known, dataset), Settings())


def free(text: str) -> Expression:
    e = hypo.parse(text)
    return Expression(e.code, tuple(replace(c, free=not c.value.is_integer()) for c in e.constants), e.variables)


RISING = {"kind": "monotone", "variable": "x", "direction": "increasing", "hard": True}
FALLING = {**RISING, "direction": "decreasing"}


def test_claims_made_once_for_a_form_are_those_of_each_formula() -> None:
    p = problem(
        {
            "rule": [
                RISING,
                {"kind": "bounds", "min": 1.0},
                {"kind": "convex", "variable": "z"},
                {"kind": "value", "at": {"x": 1.0, "z": 1.0}, "equals": 1.5, "tolerance": 0.01},
                {"kind": "limit", "variable": "z", "to": "inf", "equals": 1.0},
            ]
        }
    )
    book = Rulebook(p, 10.0)
    e = free("1.3*x*exp(-0.7*z) + 0.2*x**2 - 0.4")
    for scale in (1.0, 0.3, -2.0):
        again = e.with_values([v if not c.free else scale * v for v, c in zip(e.values, e.constants, strict=True)])
        expected = [rule.check(book.law(again), points=128, proof=False).amount for rule in book.rules]
        assert book.amounts(again) == pytest.approx(expected, abs=1e-12)


def test_a_soft_rule_is_charged_by_weight_and_a_hard_one_excludes() -> None:
    p = problem({"rule": [{**FALLING, "hard": False, "weight": 3.0}]})
    e = hypo.parse("x*exp(-z) + 1")
    bare = p.scorer(Settings()).score(e)
    assert bare is not None
    book = Rulebook(p, 10.0)
    charged = book.applied(bare)
    amount = book.amounts(e)[0]
    assert charged is not None
    assert charged.violation == pytest.approx(3.0 * amount)
    assert charged.score - bare.score == pytest.approx(30.0 * amount)
    assert Rulebook(problem({"rule": [FALLING]}), 10.0).applied(bare) is None


def test_constants_are_fitted_under_hard_rules() -> None:
    # The best line falls; the best one that does not is flat.
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 60)
    data = pd.DataFrame({"x": x, "z": rng.uniform(0, 1, 60), "y": 2.0 - 0.5 * x + 0.1 * rng.standard_normal(60)})
    p = problem({"rule": [RISING]}, data)
    scorer, book = p.scorer(Settings()), Rulebook(p, 10.0)
    h = scorer.score(free("2.01*1 - 0.51*x"))
    assert h is not None
    found = book.fitted(h, scorer.score)
    assert found is not None
    level, slope = found.expression.values[0], found.expression.values[-1]
    assert book.amounts(found.expression)[0] == 0.0
    assert level == pytest.approx(data.y.mean(), abs=0.01)
    assert slope == pytest.approx(0.0, abs=0.01)


def test_rules_are_in_the_users_units() -> None:
    data = table().rename(columns={"x": "x [km]", "z": "z [1]", "y": "y [m]"})
    p = problem({"rule": [{"kind": "bounds", "max": 1e4}]}, data)
    assert p.scales["x"] == 1000.0
    assert Rulebook(p, 1.0).amounts(hypo.parse("x"))[0] == 0.0
    assert Rulebook(p, 1.0).amounts(hypo.parse("10*x"))[0] > 0.0


def test_true_rules_keep_the_law_and_are_proved() -> None:
    known = {
        "ranges": {"x": [0, 5], "z": [0, 5]},
        "rule": [
            RISING,
            {"kind": "monotone", "variable": "z", "direction": "decreasing", "hard": True},
            {"kind": "bounds", "min": 1.0, "hard": True},
        ],
    }
    result = hypo.fit(table(), "y", knowledge=known)
    assert {r.level for r in result.rules} == {"proved"}
    assert all(r.without is None and r.tried >= r.broken > 0 for r in result.rules)
    assert result.best is not None
    assert result.best.violation == 0.0
    assert result.best.r2 > 0.99


def test_a_false_rule_is_seen_in_the_report() -> None:
    result = hypo.fit(table(), "y", knowledge={"rule": [FALLING]})
    row = result.rules[0]
    assert row.level in ("proved", "unrefuted")
    assert row.without is not None
    assert row.gain > 10
    assert f'Without the rule "y is decreasing in x" the answer would be y = {row.without}' in str(result)


def test_rules_are_saved_and_shown_again(tmp_path) -> None:
    (tmp_path / "k.toml").write_text('[[rule]]\nkind = "bounds"\nmax = 0.0\n', encoding="utf-8")
    table(60).to_csv(tmp_path / "d.csv", index=False)
    run = CliRunner().invoke(
        cli,
        [
            "fit",
            str(tmp_path / "d.csv"),
            "--target",
            "y",
            "--knowledge",
            str(tmp_path / "k.toml"),
            "--out",
            str(tmp_path / "out"),
        ],
    )
    assert run.exit_code == 0, run.output
    rows = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["rules"]
    assert rows[0]["level"] == "refuted"
    assert rows[0]["left"] > rows[0]["right"] == 0.0
    shown = CliRunner().invoke(cli, ["show", str(tmp_path / "out")])
    assert "y <= 0 (weight 1)" in shown.output
    assert "is false" in shown.output


def test_score_names_the_rules_a_formula_breaks() -> None:
    scored = hypo.score("x*exp(-z) + 1", table(), "y", knowledge={"rule": [{**FALLING, "hard": False}, RISING]})
    assert [r.level for r in scored.rules] == ["refuted", "proved"]
    assert scored.hypothesis.violation > 0
    assert math.isfinite(scored.to_dict()["rules"][0]["left"])


def test_operator_priors_change_the_score() -> None:
    plain = hypo.score("x*exp(-z) + 1", table(), "y").hypothesis
    rare = hypo.score("x*exp(-z) + 1", table(), "y", knowledge={"priors": {"exp": 0.1}}).hypothesis
    assert rare.complexity_cost - plain.complexity_cost == pytest.approx(math.log(10))


def test_names_that_the_table_lacks_are_refused() -> None:
    with pytest.raises(hypo.KnowledgeError, match="q"):
        hypo.fit(table(), "y", knowledge={"rule": [{**RISING, "variable": "q"}]})


def test_guesses_of_a_file_take_part() -> None:
    k = Knowledge.from_dict({"guesses": {"forms": ["a*x*exp(-b*z) + c"]}})
    result = hypo.fit(table(), "y", knowledge=k)
    assert result.best is not None
    assert result.best.r2 > 0.99
    assert result.settings["guesses"] == ["a*x*exp(-b*z) + c"]


def test_nothing_found_is_saved_and_read_again(tmp_path) -> None:
    known = {
        "rule": [{"kind": "bounds", "min": 5.0, "hard": True}, {"kind": "bounds", "max": 6.0, "where": {"x": [0, 1]}}],
        "grammar": {"must_use": ["x"], "max_complexity": 1},
    }
    result = hypo.fit(table(60), "y", knowledge=known)
    assert result.best is None
    result.save(tmp_path / "out")
    again = hypo.Result.load(tmp_path / "out")
    assert again.rules == result.rules
    assert "Without the rule" not in str(again) or "lower by" not in str(again)


def test_the_constant_is_fitted_under_a_hard_bound() -> None:
    result = hypo.fit(table(60), "y", knowledge={"rule": [{"kind": "bounds", "max": -5.0, "hard": True}]})
    assert result.best is not None
    assert len(result.best.expression) == 1
    assert result.best.expression.values[0] == pytest.approx(-5.0, abs=1e-4)


def test_a_rule_that_the_answer_breaks_does_not_claim_another_answer() -> None:
    known = {"rule": [{**FALLING, "hard": False, "weight": 0.1}]}
    result = hypo.fit(table(), "y", knowledge=known)
    row = result.rules[0]
    assert row.level == "refuted"
    assert row.without is None
