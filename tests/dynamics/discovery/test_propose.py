"""Candidates of whole equations, from simulated data to the true form near the top of the list."""

from itertools import islice

import numpy as np
import pytest

from hypo.clock import Clock, now
from hypo.dynamics.discovery.proposals.candidate import Candidate
from hypo.dynamics.discovery.proposals.searched import Budget
from hypo.dynamics.discovery.proposals.sparse import sparse_sums
from hypo.dynamics.discovery.proposals.terms import make_terms
from hypo.dynamics.discovery.proposals.views import make_equation
from hypo.dynamics.discovery.propose import LEAST_FITTED, MOST, OF_EACH, _Ranking, propose, select
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.parser import parse
from hypo.expression.program import Program
from tests.dynamics.discovery.proposals.test_views import predator_and_prey, simulate


def _place(candidates, names, X, law, n_constant):
    """The place of the first candidate with as many constants as the law whose values are the law's within 10 %."""
    for place, c in enumerate(candidates):
        f = Program.of(c.expression, names).value(X)
        if len(c.expression.free) <= n_constant and np.sqrt(np.mean((f - law) ** 2)) < 0.1 * np.std(law):
            return place
    return None


@pytest.mark.slow
@pytest.mark.parametrize("k", [0, 1])
def test_the_law_of_predator_and_prey_is_among_the_first(k):
    data = simulate(predator_and_prey, [3.0, 1.5], 0.03, 1)
    found = propose(smooth_all(data), k, Options(), 60.0, Budget(2.0, 0))
    X = np.random.default_rng(0).uniform(1.0, 4.0, (2, 200))
    place = _place(found, ("x", "y"), X, np.array(predator_and_prey(X))[k], 2)
    assert place is not None
    assert place < 5
    assert len(found) <= MOST
    assert [c.score for c in found] == sorted(c.score for c in found)


@pytest.mark.slow
def test_a_saturation_is_among_the_first():
    """Michaelis and Menten's elimination at 1 %: v·x/(K + x)."""
    data = simulate(lambda s: [-1.5 * s[0] / (0.8 + s[0])], [6.0], 0.01, 2, states=("x",))
    found = propose(smooth_all(data), 0, Options(), 60.0, Budget(2.0, 0))
    X = np.linspace(0.05, 6, 100)[None]
    place = _place(found, ("x",), X, -1.5 * X[0] / (0.8 + X[0]), 2)
    assert place is not None
    assert place < 3


def test_eight_rows_without_time_for_a_search_still_have_candidates():
    t = np.linspace(0, 4, 8)
    data = Trajectories((Run("", t, np.exp(-t)[:, None], np.empty((8, 0)), np.arange(8)),), "t", ("x",))
    found = propose(smooth_all(data), 0, Options(), 1.0, Budget(2.0, 0))
    assert any(c.expression.variables == ("x",) for c in found)


def test_the_best_of_each_number_of_constants_stay_in_the_list():
    x = np.linspace(0.1, 2, 50)[None]
    text = " + ".join(f"c{i}*x**{i}" for i in range(9))
    many = [Candidate(parse(f"a + {1 + i / 7}*x", variables=["x"]), 0.0, float(i)) for i in range(2 * MOST)]
    long = [Candidate(parse(f"{text} + {i}*sin(x)", variables=["x"]), 0.0, 1e3 + i) for i in range(4)]
    chosen = select([*many, *long], ("x",), x)
    assert len(chosen) == MOST
    assert [c for c in chosen if c.score >= 1e3] == long[:OF_EACH]


def _five_columns():
    """x + 0.02 v is the next x; other columns are noise."""
    rng = np.random.default_rng(0)
    X, u = rng.normal(size=(4, 60)), rng.normal(size=(60, 1))
    X[0] = np.cumsum(np.concatenate([[0.0], 0.02 * X[1, :-1]]))
    run = Run("", np.arange(60.0), X.T, u, np.arange(60))
    data = Trajectories((run,), "t", ("x", "v", "y", "w"), actions=("u",))
    return make_equation(data, smooth_all(data), Options(discrete=True), 0)


def test_the_most_promising_laws_are_fitted_though_time_is_up():
    equation = _five_columns()
    ranking = _Ranking(equation, "x", Clock(now() - 1.0))
    right = parse("a*x + b*v", variables=equation.names).with_values([1.01, 0.02])
    wrong = [parse(f"a*{n}**{p}", variables=equation.names) for n in equation.names for p in range(2, 9)]
    ranking.add([*((e, "") for e in wrong), (right, "")])
    assert len(ranking.ranked) == LEAST_FITTED
    best = min(ranking.ranked, key=lambda c: c.score).expression
    assert list(best.values) == pytest.approx([1.0, 0.02])


def test_plain_sums_come_before_forms_with_constants_inside():
    equation = _five_columns()
    terms = make_terms(equation.names, equation.views[0].X)
    found = sparse_sums(terms, equation.names, dict.fromkeys(terms.forms, 3.0), equation.views, Clock())
    first = [source for _, source in islice(found, 150)]
    assert first[0] == "thinned 0" and "thinned form" in first
    assert first.index("thinned form") == first.count("thinned 0")
