"""Constants fitted in a view, held to scipy."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from hypo.dynamics.discovery.proposals.polish import misfit_in, polish
from hypo.dynamics.discovery.proposals.views import View
from hypo.expression.parser import parse
from hypo.expression.program import Program


@pytest.fixture(scope="module")
def view():
    rng = np.random.default_rng(4)
    x = np.linspace(0.1, 5, 60)[None]
    W = rng.standard_normal((40, 60)) / 5
    y = 2.0 * x[0] / (0.7 + x[0]) - 0.3 * x[0]
    return View("random", x, W, W @ y + 0.01 * rng.standard_normal(40), y)


def _free(text):
    e = parse(text, variables=["x"])
    return e.with_values(np.where([c.free for c in e.constants], 1.0, e.values))


def test_polished_constants_are_those_of_scipy(view):
    start = _free("a*x/(b + x) + c*x")
    e, squares = polish(start, ("x",), view)
    program = Program.of(start, ("x",))
    reference = least_squares(lambda c: view.of(program.value(view.X, c)) - view.target, start.values, xtol=1e-12)
    assert squares == pytest.approx(2 * reference.cost, rel=1e-6)
    assert e.values == pytest.approx(reference.x, rel=1e-3)
    assert squares == pytest.approx(misfit_in(e, ("x",), view))


def test_a_linear_law_takes_one_step_to_the_best(view):
    _, squares = polish(_free("a + b*x"), ("x",), view, steps=2)
    A = view.of(np.vstack([np.ones(60), view.X[0]])).T
    left = view.target - A @ np.linalg.lstsq(A, view.target, rcond=None)[0]
    assert squares == pytest.approx(left @ left, rel=1e-9)


def test_what_has_no_value_stays_and_costs_everything(view):
    start = _free("a*log(x - b)")
    assert polish(start, ("x",), view) == (start, np.inf)
    assert misfit_in(_free("log(x - 1)"), ("x",), view) == np.inf
