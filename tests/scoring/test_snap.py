"""Exact numbers in the place of fitted ones, and how many digits an error leaves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.scoring.snap import exact_numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "1.0/2"),
        (2.0, "2"),
        (-3.0, "-3"),
        (-0.75, "-(3/4)"),
        (math.pi, "pi"),
        (2 * math.pi, "pi*2"),
        (math.sqrt(2), "sqrt(2)"),
        (4 * math.pi / 3, "pi*4/3"),
        (1 / (4 * math.pi), "1.0/(4*pi)"),
        (math.sqrt(math.pi), "sqrt(pi)"),
        (1000.0, "1000"),
        (math.pi**2, "pi**2"),
        (-math.sqrt(0.5), "-sqrt(1.0/2)"),
    ],
)
def test_exact_numbers_are_tried(value: float, text: str) -> None:
    found = list(exact_numbers(value * (1 + 1e-10), 1e-6 * abs(value)))
    assert text in [str(e) for e in found]
    for e in found:
        number = math.nan if e.variables else float(_number(e))
        assert number == pytest.approx(value, rel=2e-6)


@given(st.floats(-1e4, 1e4).filter(lambda v: abs(v) > 1e-3), st.floats(-9, -1))
@settings(max_examples=100)
def test_exact_numbers_lie_within_the_error(value: float, log_error: float) -> None:
    error = 10**log_error * abs(value)
    for e in exact_numbers(value, error):
        assert abs(_number(e) - value) <= error * (1 + 1e-9) + 1e-12 * abs(value)


def _number(e: Expression) -> float:
    return float(evaluate(e, np.zeros((1, 1)), ("x",))[0])


def test_digits_that_an_error_leaves_open_are_not_shown() -> None:
    from hypo.report.formatting import format_value

    assert format_value(216476.0, 10184.0) == "(2.16 ± 0.10)e5"
    assert format_value(7512.3, 123.0) == "(7.51 ± 0.12)e3"
    assert format_value(7512.3, 23.0) == "7512 ± 23"
