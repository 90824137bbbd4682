"""Constants of noisy rows are snapped together, and where no fit can begin."""

import numpy as np

from hypo.clock import Clock
from hypo.expression.expr import Expression
from hypo.fitting.archive import Archive
from hypo.fitting.refiner import Refiner
from hypo.problem.problem import Problem, Settings
from hypo.scoring.snap import expected_snap_score, snap
from tests.oracles.searches import problem_of


def refiner_of(problem: Problem) -> Refiner:
    return Refiner(problem, Settings(), Archive(problem.X, problem.columns), Clock())


def test_constants_that_move_together_are_snapped_together() -> None:
    """Their errors are correlated: either exact number alone costs many nats, both together next to nothing."""
    x = np.random.default_rng(3).uniform(9.0, 11.0, (2000, 1))
    y = np.sqrt(2 * x[:, 0] ** 2 - 3 * x[:, 0]) + 0.05 * np.random.default_rng(4).standard_normal(len(x))
    refiner = refiner_of(problem_of(y, X=x, names=("x",)))
    u, a, b = Expression.variable("x"), *(Expression.constant(v, free=True) for v in (2.0, 3.0))
    h = refiner._fit(Expression.apply("sqrt", a * u**2 - b * u))
    assert h is not None and len(h.expression.free) == 2
    out = snap(h, refiner.covariance, refiner._refit, refiner.scorer)
    assert out.score < h.score - 3.0 and not out.expression.free
    assert expected_snap_score(h, refiner.covariance(h.expression), refiner.scorer) < h.score - 3.0


def test_exact_numbers_replace_fitted_ones_outside_a_domain() -> None:
    x = np.linspace(1.0, 4.0, 300)
    y = np.sqrt(x - 1.0) + 0.02 * np.random.default_rng(0).standard_normal(len(x))
    refiner = refiner_of(problem_of(y, X=x[:, None], names=("x",)))
    # Undefined at x = 1, and no fit can begin there.
    found = refiner.consider(Expression.apply("sqrt", Expression.variable("x") - Expression.constant(1.02, free=True)))
    assert found is not None and str(found.expression) == "sqrt(x - 1)"
