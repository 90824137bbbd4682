"""Posterior over structures: weights, merging, inclusion, agreement with exact odds, the way through files."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.expression.edits.summands import summands
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import laplace
from hypo.posterior.posterior import (
    ODDS,
    WITHIN,
    ExploredSpace,
    Posterior,
    Structure,
    join,
    make_posterior,
    structure_key,
    weigh,
    weighted,
)
from hypo.scoring.score import Hypothesis, Scorer

RNG = np.random.default_rng(5)
N = 40
X = RNG.uniform(0.5, 3.0, (2, N))
Y = 2.0 * X[0] + 0.5 * RNG.standard_normal(N)
COLUMNS = ("x", "z")
LIKELIHOOD = Gaussian(Y)
SCORER = Scorer(X, COLUMNS, LIKELIHOOD, symbols=3)


def hypothesis(text: str, scorer: Scorer = SCORER) -> Hypothesis:
    e = fit(parse(text, variables=COLUMNS), X, COLUMNS, scorer.likelihood, starts=5, rng=np.random.default_rng(0))
    found = scorer.score(e)
    assert found is not None
    return found


def posterior(*texts: str) -> Posterior:
    found = make_posterior([hypothesis(t) for t in texts], X, COLUMNS, LIKELIHOOD, complete_to=3)
    assert found is not None
    return found


def test_weights_are_shares_and_odds_their_ratios() -> None:
    p = posterior("a*x", "a*x + b", "a*x + b*z", "a*x**2 + b", "a*sqrt(x)*x")
    weights = [s.weight for s in p.structures]
    assert sum(weights) == pytest.approx(1.0, rel=1e-12)
    assert weights == sorted(weights, reverse=True)
    for s in p.structures:
        assert s.odds == pytest.approx(weights[0] / s.weight)
        assert s.odds == pytest.approx(math.exp(s.nats - p.structures[0].nats))
    assert p.within == sum(s.odds <= ODDS for s in p.structures)


def test_nats_are_evidence_and_prior() -> None:
    """Two formulas of one size, without units: the prior is one, so the odds are those of the evidence."""
    p = posterior("a*x", "a*z", "a*x + b", "a*x + z*b", "exp(a*x)", "sin(a*x)")
    by_key = {structure_key(s.expression): s for s in p.structures}
    pair = [hypothesis("a*x").expression, hypothesis("exp(a*x)").expression]
    pair = [e for e in pair if structure_key(e) in by_key]
    for e in pair:
        shape = laplace(e, X, COLUMNS, LIKELIHOOD)
        assert shape is not None
        prior = len(e) * math.log(SCORER.symbols)
        assert by_key[structure_key(e)].nats == pytest.approx(prior - shape.log_evidence, abs=1e-9)
    assert pair


def test_what_is_far_behind_is_left_out() -> None:
    p = posterior("a*x", "a", "z")
    assert [s.expression.variables for s in p.structures] == [("x",)]
    assert all(s.nats <= p.structures[0].nats + WITHIN for s in p.structures)


def test_exact_and_fitted_numbers_are_one_structure() -> None:
    both, fitted, exact = posterior("a*x", "2*x"), posterior("a*x"), posterior("2*x")
    assert len(both.structures) == 1
    nats = [fitted.structures[0].nats, exact.structures[0].nats]
    assert both.structures[0].nats == pytest.approx(-np.logaddexp(-nats[0], -nats[1]), abs=1e-9)
    better = (fitted, exact)[int(np.argmin(nats))]
    assert str(both.structures[0].expression) == str(better.structures[0].expression)


def test_other_spellings_and_other_values_count_once() -> None:
    # The same family twice: a*x/(b + x) with other constants is x/(c + d*x).
    one, two = posterior("a*x/(b + x)"), posterior("a*x/(b + x)", "x/(c + d*x)")
    assert len(two.structures) == 1
    assert two.structures[0].nats == pytest.approx(
        min(one.structures[0].nats, posterior("x/(c + d*x)").structures[0].nats)
    )
    h = hypothesis("a*x")
    off = SCORER.score(h.expression.with_values([h.expression.values[0] * 1.001]))
    assert off is not None
    p = make_posterior([h, off], X, COLUMNS, LIKELIHOOD)
    assert p is not None and p.structures[0].nats == pytest.approx(posterior("a*x").structures[0].nats)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("2*x + 1", "a*x + b", True),
        ("x - 2*z", "x + a*z", True),
        ("x/2", "a*x", True),
        ("x**1.5", "x**a", True),
        ("x**2", "x**3", False),
        ("x", "a*x", False),
        ("pi*x", "3*x", False),
        ("a*x + b", "a*z + b", False),
    ],
)
def test_structure_key(one: str, two: str, same: bool) -> None:
    keys = [structure_key(parse(t, variables=COLUMNS)) for t in (one, two)]
    assert (keys[0] == keys[1]) == same


def test_inclusion_probabilities() -> None:
    p = posterior("a*x", "a*x + b*z", "a*x + b", "a*sin(x) + b")
    for name in COLUMNS:
        want = sum(s.weight for s in p.structures if name in s.expression.variables)
        assert p.variables[name] == pytest.approx(want, abs=1e-12)
    assert p.variables["x"] == pytest.approx(1.0)
    assert 0 < p.variables["z"] < 0.5
    assert p.operators["*"] == pytest.approx(1.0)
    assert p.operators["+"] == pytest.approx(sum(s.weight for s in p.structures if "+" in str(s.expression)))
    assert "of up to 3 nodes were looked at" in p.covers


def test_searches_of_the_same_data_join() -> None:
    p, q = posterior("a*x", "a*x + b"), posterior("a*x", "a*x + b*z")
    both = join([p, q], COLUMNS, 3)
    assert both is not None
    whole = posterior("a*x", "a*x + b", "a*x + b*z")
    assert [str(s.expression) for s in both.structures] == [str(s.expression) for s in whole.structures]
    assert [s.weight for s in both.structures] == pytest.approx([s.weight for s in whole.structures])
    assert join([], COLUMNS) is None


def test_too_few_rows_give_no_posterior() -> None:
    likelihood = Gaussian(Y[:2])
    e = parse("a*x + b", variables=COLUMNS).with_values([1.0, 1.0])
    h = Scorer(X[:, :2], COLUMNS, likelihood, symbols=12).score(e)
    assert h is not None
    assert make_posterior([h], X[:, :2], COLUMNS, likelihood) is None
    assert make_posterior([], X, COLUMNS, LIKELIHOOD) is None


def test_one_constant_without_a_variance_does_not_take_the_others_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variances may be beyond the range of numbers where slopes are near its other end."""
    own = weigh

    def beyond(h: Hypothesis, *rows: Any) -> Structure | None:
        s = own(h, *rows)
        wide = tuple(tuple(math.inf for _ in line) for line in s.covariance) if s is not None else ()
        return replace(s, covariance=wide) if s is not None and len(s.constants) == 2 else s

    monkeypatch.setattr("hypo.posterior.posterior.weigh", beyond)
    hypotheses = [hypothesis("a*x"), hypothesis("a*x + b")]
    found = make_posterior(hypotheses, X, COLUMNS, LIKELIHOOD)
    assert found is not None and [len(s.constants) for s in found.structures] == [1]
    assert make_posterior(hypotheses[1:], X, COLUMNS, LIKELIHOOD) is None


def test_structures_survive_json() -> None:
    p = posterior("a*x", "a*x - b", "2*x/a + 1.5", "x**a", "exp(-a*x)", "-x + a*x**2")
    for s in p.structures:
        again = Structure.read(json.loads(json.dumps(s.as_dict())), COLUMNS, {})
        assert again == s
        assert [c.free for c in again.expression.constants] == [c.free for c in s.expression.constants]
    known = Gaussian(Y, np.full(N, 0.5))
    one = make_posterior([hypothesis("a*x", Scorer(X, COLUMNS, known, 3))], X, COLUMNS, known)
    assert one is not None and one.structures[0].as_dict()["dof"] is None
    assert Structure.read(one.structures[0].as_dict(), COLUMNS, {}).dof == math.inf


def test_order_does_not_depend_on_the_order_of_discovery() -> None:
    p = posterior("a*x", "a*x + b", "a*x + b*z")
    assert weighted(reversed(p.structures), COLUMNS, 3) == p


@pytest.mark.slow
def test_result_keeps_its_posterior(tmp_path: Path) -> None:
    data = {"x": X[0], "z": X[1], "y": Y}
    result = hypo.fit(data, "y", operators="+,*,/", max_complexity=7, time_limit=30, workers=1, out=tmp_path / "r")
    p = result.posterior
    assert p is not None
    assert sum(s.weight for s in p.structures) == pytest.approx(1.0)
    assert len({structure_key(s.expression) for s in p.structures}) == len(p.structures)
    assert p.variables["x"] > 0.9
    assert hypo.Result.load(tmp_path / "r").posterior == p
    content = json.loads((tmp_path / "r" / "result.json").read_text())
    assert list(content["posterior"][0])[:3] == ["expression", "weight", "odds"]
    keys = ["variables", "operators", "terms", "within_odds", "covers", "chain", "earned", "unearned"]
    assert list(content["inclusion"]) == keys and content["inclusion"]["earned"] is True
    assert "of the posterior weight" in str(result)
    # Results of older versions have neither, nor intervals of constants.
    del content["posterior"], content["inclusion"]
    for row in (content["best"], *content["front"]):
        for c in row["constants"]:
            del c["std"], c["lower"], c["upper"]
    (tmp_path / "r" / "result.json").write_text(json.dumps(content))
    old = hypo.Result.load(tmp_path / "r")
    assert old.posterior is None
    assert all(c.std is None for row in old.constants for c in row)
    with pytest.raises(hypo.InputError, match="this result has no posterior"):
        old.predict(data, interval=0.9)


def test_formula_of_a_structure_is_an_expression() -> None:
    assert isinstance(posterior("a*x").structures[0].expression, Expression)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("2*x + 3*sin(0.5*z) - 1", {"x", "sin(c*z)", "1"}),
        ("2*(x + z)", {"x", "z"}),
        ("3/(x + z)", {"1/(x + z)"}),
        ("x*z", {"x*z"}),
        ("-x**1.5 + pi*z", {"x**c", "pi*z"}),
        ("5", {"1"}),
    ],
)
def test_terms_of_a_law(text: str, terms: set[str]) -> None:
    assert set(summands(parse(text, variables=COLUMNS))) == terms


def test_inclusion_of_terms() -> None:
    p = posterior("a*x", "a*x + b*z", "a*x + b", "a*sin(x) + b")
    assert p.terms["x"] == pytest.approx(sum(s.weight for s in p.structures if "sin" not in str(s.expression)))
    assert p.terms["1"] == pytest.approx(sum(s.weight for s in p.structures if "1" in set(summands(s.expression))))
    assert 0 < p.terms["z"] < 0.5


def test_what_breaks_a_hard_rule_has_no_weight() -> None:
    found = [hypothesis(t) for t in ("a*x", "a*x + b", "a*x + b*z")]
    p = make_posterior(found, X, COLUMNS, LIKELIHOOD, keeps=lambda e: "z" in e.variables)
    assert p is not None and [s.expression.variables for s in p.structures] == [("x", "z")]
    assert p.structures[0].weight == 1.0
    assert make_posterior(found, X, COLUMNS, LIKELIHOOD, keeps=lambda e: False) is None


def test_covers_says_what_was_weighed() -> None:
    found = [hypothesis(t) for t in ("a*x", "a*x + b")]
    explored = ExploredSpace(complete_to=4, every_to=3, weighed=17, chain={"verdict": "four chains agree"})
    p = make_posterior(found, X, COLUMNS, LIKELIHOOD, explored=explored)
    assert p is not None
    assert "all 17 structures of up to 3 nodes" in p.covers and "four chains agree" in p.covers
    assert p.chain == {"verdict": "four chains agree"}
