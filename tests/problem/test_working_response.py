"""The Gaussian problem that stands for another likelihood: near the targets where these are positive and of several decades."""

import numpy as np
import pytest

from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.problem.working_response import with_working_response

T = np.linspace(290.0, 360.0, 8)
C = np.geomspace(1.0, 1000.0, 10)
RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("x", "law"),
    [(T, 3.8e11 * np.exp(-9810.0 / T)), (C, 3.2e4 * C**0.785), (T - 290.0, 7.0 * np.exp(-0.1 * (T - 290.0)))],
)
def test_few_rows_of_several_decades(x: np.ndarray, law: np.ndarray) -> None:
    y = law * np.exp(0.03 * RNG.standard_normal(len(x)))
    working = with_working_response(LogNormal(y, y, y), x[None], ("x",)).gaussian
    assert np.all(working.y > 0.0)
    assert working.y == pytest.approx(y, rel=0.2)


def test_scattered_targets_are_no_law() -> None:
    """Where nothing depends on the column, the estimate is about the median."""
    y = np.exp(RNG.standard_normal(12))
    working = with_working_response(LogNormal(y, y, y), np.linspace(1.0, 2.0, 12)[None], ("x",)).gaussian
    assert np.all(np.isfinite(working.y)) and np.all(np.asarray(working.sigma) > 0.0)


def test_counts_that_decay() -> None:
    x = np.linspace(0.0, 5.0, 10)
    y = np.maximum(RNG.poisson(500.0 * np.exp(-x)), 1) * 1.0
    working = with_working_response(Poisson(y), x[None], ("x",)).gaussian
    assert np.all(np.abs(working.y - 500.0 * np.exp(-x)) < 6.0 * np.sqrt(500.0 * np.exp(-x)) + 3.0)
