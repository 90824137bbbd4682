"""Digits of constants: those that the samples tell."""

import numpy as np
import pytest

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.model.names import find_conditional_errors, round_equations, round_within
from tests.dynamics.calibration.systems import make_system


def fitted(text, numbers, covariance):
    one = np.ones(1)
    return Calibrated(make_system({"x": text}, numbers), (one,), one, one, one, np.asarray(covariance, float), 0.0)


@pytest.mark.parametrize(
    "value, room, expected",
    [
        (0.7499999999999999, 1e-11, 0.75),
        (-1.23456, 1e-3, -1.235),
        (6.022e23, 1e22, 6e23),
        (0.0, 1.0, 0.0),
        (0.1, 0.0, 0.1),
    ],
)
def test_the_fewest_digits_within_an_error(value, room, expected):
    assert round_within(value, room) == expected


def test_the_error_of_a_number_with_the_others_kept_is_that_of_the_inverse():
    C = np.array([[4.0, 1.9], [1.9, 1.0]])
    assert find_conditional_errors(C) == pytest.approx(1 / np.sqrt(np.diag(np.linalg.inv(C))))
    assert list(find_conditional_errors(np.diag([np.inf, 4.0]))) == [0.0, 2.0]


def test_numbers_that_are_known_together_keep_the_digits_that_their_sum_has():
    """a and b are known to 0.1 each and their sum to 1e-6: rounding keeps the sum."""
    a, b = 1.2345678912, 2.3456789123
    C = 0.01 * np.array([[1.0, -1.0], [-1.0, 1.0]]) + 1e-12 * np.eye(2)
    (law,) = round_equations(fitted("a*x + b*x", {"a": a, "b": b}, C))
    assert abs(sum(law.values) - a - b) < 1e-8
    (alone,) = round_equations(fitted("a*x + b*x", {"a": a, "b": b}, np.diag([0.01, 0.01])))
    assert list(alone.values) == [1.2346, 2.3457]
