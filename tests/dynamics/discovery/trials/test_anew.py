"""Equations sought anew along the path of a fitted system."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.clock import Clock
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.prior.lengths import costs_of_terms
from hypo.dynamics.discovery.proposals.terms import LINEAR, POLYNOMIAL, QUADRATIC, Terms
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.anew import linear_problem, rank_further_terms, seek_anew, seek_together
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.parser import parse
from tests.dynamics.calibration.systems import make_system

TEXTS = ("1", "x", "y", "x**2", "x*y", "y**2", "x**3", "x**2*y", "x*y**2", "y**3")
FAMILIES = (LINEAR, *(LINEAR,) * 2, *(QUADRATIC,) * 3, *(POLYNOMIAL,) * 4)


@pytest.fixture(scope="module")
def data():
    """A substance that makes more of itself out of another one, with an inflow: x²·y leaves y and enters x."""
    time = np.linspace(0, 10, 100)

    def rates(t, s):
        return [0.3 * s[0] ** 2 * s[1] - 0.5 * s[0], 0.8 - 0.3 * s[0] ** 2 * s[1]]

    states = solve_ivp(rates, (0, 10), [1.2, 2.1], t_eval=time, rtol=1e-9, atol=1e-9).y.T
    states = states * (1 + 0.01 * np.random.default_rng(4).standard_normal(states.shape))
    return Trajectories((Run("", time, states, np.empty((100, 0)), np.arange(100)),), "t", ("x", "y"))


@pytest.fixture(scope="module")
def terms():
    return Terms(tuple(parse(t, variables=("x", "y")) for t in TEXTS), np.array(FAMILIES), TEXTS)


def costs(terms, own="y"):
    by_form = costs_of_terms(terms.forms, terms.expressions, own, 2)
    return np.array([by_form[f] for f in terms.forms])


def fitted(data, equations, numbers):
    return fit_system(make_system(equations, numbers), data, smooth_all(data))


def test_all_equations_are_found_in_one_regression(data, terms):
    rich = {"x": "a*x**2*y - b*x + f*x*y", "y": "c - d*x**2*y - g*x*y"}
    near = fitted(data, rich, {"a": 0.3, "b": 0.5, "c": 0.8, "d": 0.3, "f": 0.01, "g": 0.01})
    found = seek_together(near, (0, 1), terms, {0: costs(terms, "x"), 1: costs(terms)}, data, Clock())
    forms = [tuple(as_sum(laws[k]).form for k in (0, 1)) for laws in found]
    assert ("x + x^2*y", "1 + x^2*y") in forms
    numbers = [c.value for k in (0, 1) for c in found[forms.index(("x + x^2*y", "1 + x^2*y"))][k].constants if c.free]
    assert sorted(np.abs(numbers)) == pytest.approx([0.3, 0.3, 0.5, 0.8], rel=0.1)


def test_terms_of_other_equations_are_likelier(data, terms):
    right = fitted(data, {"x": "a*x**2*y - b*x", "y": "c - d*x**2*y"}, {"a": 0.3, "b": 0.5, "c": 0.8, "d": 0.3})
    problem = linear_problem(right, 1, terms, data)
    alone = seek_anew(problem, terms, costs(terms), Clock(), {})
    beside = seek_anew(problem, terms, costs(terms), Clock(), {"x": right.system.equations[0]})
    law = "1 + x^2*y"
    first, later = ([as_sum(a.expression).form for a in each].index(law) for each in (beside, alone))
    assert first <= later <= 2 and problem.library.shape == (len(TEXTS), len(problem.target))
    # The scores of both hold the code of all that is given.
    assert beside[first].score > alone[later].score


def test_a_further_term_is_found_with_its_coefficient(data, terms):
    short = fitted(data, {"x": "a*x**2*y", "y": "c - d*x**2*y"}, {"a": 0.2, "c": 0.8, "d": 0.3})
    first, number = rank_further_terms(short, 0, terms, costs(terms, "x"), data)[0]
    assert TEXTS[first] in ("x", "x**2", "x*y", "y") and np.isfinite(number)
    right = fitted(data, {"x": "a*x**2*y - b*x", "y": "c - d*x**2*y"}, {"a": 0.3, "b": 0.5, "c": 0.8, "d": 0.3})
    assert right.misfit < short.misfit
    gains = rank_further_terms(right, 0, terms, np.full(len(TEXTS), 12.0), data)
    assert not gains
