"""The code of fitted numbers is what Laplace's integral leaves; knowledge counts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.score import Scorer
from tests.dynamics.calibration.systems import make_system

X = np.linspace(0.5, 2.0, 40)[None, :]


def fitted(text, numbers, covariance, misfit=0.0, **settings):
    system = make_system({"x": text}, numbers, **settings)
    one = np.ones(1)
    return Calibrated(system, (one,), one, 40 * one, one, np.atleast_2d(covariance), misfit)


def scorer(**settings):
    return Scorer(X, (0,), 40.0, **settings)


@pytest.mark.parametrize("theta, sd", [(0.7, 0.01), (0.7, 0.05), (3.0, 0.2)])
def test_a_linear_number_costs_what_the_integral_over_its_prior_leaves(theta, sd):
    """f = θ·x + 1: s is where θ·x is as large as f. Against quadrature, up to the terms that Laplace's method leaves out."""
    code = scorer().numbers(fitted("a*x + 1", {"a": theta}, sd**2))
    size = np.sqrt(np.mean((theta * X + 1) ** 2)) / np.sqrt(np.mean(X**2))

    def integrand(t):
        return math.exp(-0.5 * ((t - theta) / sd) ** 2) / (math.pi * size * (1 + (t / size) ** 2))

    evidence, _ = quad(integrand, theta - 12 * sd, theta + 12 * sd, points=[theta])
    assert code == pytest.approx(-math.log(evidence), abs=0.05)


def test_two_numbers_that_act_alike_cost_less_than_two_of_their_own():
    alone = fitted("a*x + b*x**2", {"a": 1.0, "b": 1.0}, np.diag([1e-4, 1e-4]))
    alike = replace(alone, covariance=np.array([[1e-4, 0.99e-4], [0.99e-4, 1e-4]]) * 50)
    assert scorer().numbers(alike) < scorer().numbers(alone)


def test_terms_that_nearly_cancel_cost_more():
    plain = fitted("a*x + b", {"a": 1.0, "b": 1.0}, np.diag([1e-4, 1e-4]))
    cancels = fitted("a*x - b*x**1.01", {"a": 50.0, "b": 50.0}, np.diag([0.25, 0.25]))
    assert scorer().numbers(cancels) > scorer().numbers(plain) + 4


def test_a_number_that_hardly_acts_is_not_free():
    """A term of a thousandth of the rate, known to that: it costs as much as stating so precisely does."""
    code = scorer().numbers(fitted("x + a*x**2", {"a": 1e-3}, 1e-6))
    assert code > math.log(100)


def test_a_system_without_numbers_costs_its_structure():
    found = fitted("x", {}, np.zeros((0, 0)), misfit=3.0)
    assert scorer().numbers(found) == 0.0
    assert scorer().score(found) == pytest.approx(3.0 + scorer().structure(found.system))


def test_shared_constants_cost_once():
    numbers = {"a": 0.5, "b": 0.5}
    free = make_system({"x": "-a*x*y", "y": "b*x*y"}, numbers)
    shared = free.with_equations(free.equations, (0, 0))
    of_two = Scorer(np.vstack([X, X[:, ::-1]]), (0, 1), 40.0)
    one = np.ones(2)
    before = Calibrated(free, (one,), one, 40 * one, one, np.diag([1e-4, 1e-4]), 0.0)
    after = Calibrated(shared, (one,), one, 40 * one, one, np.array([[5e-5]]), 0.0)
    assert of_two.score(after) < of_two.score(before) - 2


def test_violations_are_added():
    found = fitted("a*x", {"a": 0.5}, 1e-4)
    assert scorer(violation=lambda system: 7.0).score(found) == pytest.approx(scorer().score(found) + 7.0)


def test_a_fit_without_covariance_is_dear_but_has_a_score():
    found = fitted("a*x", {"a": 0.5}, np.nan)
    assert math.isfinite(scorer().score(found))


def test_a_number_of_which_nothing_is_known_hides_no_other():
    """Beside one whose error is 10⁸ times its size, others that are known to twelve digits cost as much as they do alone."""
    known = np.array([[4e-24, 1e-24], [1e-24, 9e-24]])
    alone = scorer().numbers(fitted("a*x + b*x**2", {"a": 1.0, "b": 2.0}, known))
    joined = np.zeros((3, 3))
    joined[:2, :2], joined[2, 2], joined[0, 2], joined[2, 0] = known, 1e-16, 1e-20, 1e-20
    both = scorer().numbers(fitted("a*x + b*x**2 + c", {"a": 1.0, "b": 2.0, "c": 1e-16}, joined))
    assert both == pytest.approx(alone + math.log(1e6) + 0.5 * math.log(math.pi / 2), abs=0.1)
