"""Constants shared between equations, and laws that are one with states exchanged."""

import numpy as np
import pytest

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.sharing import exchanged, share_constants, signed, with_free_coefficients
from hypo.expression.program import evaluate
from tests.dynamics.calibration.systems import law, make_system

EPIDEMIC = {"x": "-a*x*y", "y": "b*x*y - c*y"}


def fitted(equations, numbers, sd):
    system = make_system(equations, numbers)
    n = len(system.states)
    one = np.ones(n)
    return Calibrated(system, (one,), one, 40 * one, one, np.diag(np.full(len(system.parameters), sd**2)), 0.0)


def test_equal_terms_of_two_equations_share_a_constant_within_errors():
    shared = share_constants(fitted(EPIDEMIC, {"a": 0.4, "b": 0.405, "c": 0.3}, 0.003))
    assert shared is not None
    assert shared.shared == (0, 0, 1) and len(shared.parameters) == 2


def test_numbers_that_differ_are_left_alone():
    assert share_constants(fitted(EPIDEMIC, {"a": 0.4, "b": 0.5, "c": 0.3}, 0.003)) is None


def test_terms_that_differ_are_left_alone():
    assert share_constants(fitted({"x": "-a*x", "y": "b*y"}, {"a": 0.4, "b": 0.4}, 0.01)) is None


def test_signs_are_written_out_and_values_stay():
    system = fitted({"x": "-a*x - b*y", "y": "c*x*(y - a)"}, {"a": 0.4, "b": 0.7, "c": 2.0}, 0.01).system
    new = signed(system)
    assert np.all(new.parameters > 0)
    X = np.random.default_rng(0).uniform(0.5, 2, (2, 9))
    rates = [s.rates(X, np.repeat(s.parameters[:, None], 9, axis=1)) for s in (system, new)]
    np.testing.assert_allclose(rates[0], rates[1])


def test_coefficients_can_all_be_fitted():
    e = with_free_coefficients(law("-a*(x - 1/3) + y*x**2", {"a": 3.5}))
    assert as_sum(e).form == "1 + x + x^2*y" and len(e.free) == 3
    x, y = np.array([0.7, 1.3]), np.array([2.0, 0.4])
    assert evaluate(e, np.column_stack([x, y]), ("x", "y")) == pytest.approx(-3.5 * (x - 1 / 3) + y * x**2)


def test_one_equation_is_offered_as_the_other_with_states_exchanged():
    system = fitted({"x": "a*tanh(y) - x", "y": "b*x**2"}, {"a": 0.4, "b": 0.7}, 0.01).system
    own, same, *_ = exchanged(system, (0, 1))
    assert len(own.parameters) == 2 and len(same.parameters) == 1
    x, y = X = np.random.default_rng(0).uniform(0.5, 2, (2, 9))
    for new in (own, same):
        rates = new.rates(X, np.repeat(new.parameters[:, None], 9, axis=1))
        np.testing.assert_allclose(rates, [0.4 * np.tanh(y) - x, 0.4 * np.tanh(x) - y])


def test_a_law_that_is_the_other_already_is_not_offered_again():
    assert not list(exchanged(fitted({"x": "a*y - x", "y": "b*x - y"}, {"a": 0.4, "b": 0.7}, 0.01).system, (0, 1)))
