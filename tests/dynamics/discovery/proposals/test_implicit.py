"""Rational right-hand sides by implicit rates, against the law that made the trajectories."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.clock import Clock, now
from hypo.dynamics.discovery.proposals.implicit import rational_laws
from hypo.dynamics.discovery.proposals.polish import polish
from hypo.dynamics.discovery.proposals.terms import make_terms
from hypo.dynamics.discovery.proposals.views import make_equation
from hypo.dynamics.discovery.propose import _costs_beyond_one
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.program import Program


def laws_of(rates, start, until, names, k, noise=0.0):
    time = np.linspace(0, until, 100)
    y = solve_ivp(lambda t, x: rates(*x), (0, until), start, t_eval=time, rtol=1e-10, atol=1e-12).y.T
    y = y * (1 + noise * np.random.default_rng(0).standard_normal(y.shape))
    data = Trajectories((Run("", time, y, np.empty((100, 0)), np.arange(100)),), "t", names)
    equation = make_equation(data, smooth_all(data), Options(), k)
    view = equation.views[0]
    terms = make_terms(names, view.X)
    costs = _costs_beyond_one(terms, names[k], len(names), len(view.target))
    found = rational_laws(terms, names, costs, view, Clock(now() + 600))
    fitted = [polish(e, names, view)[0] for e, _ in found]
    return fitted, view.X


def nearest(fitted, X, names, truth):
    """The largest error of the law that comes nearest to the truth, as a share of the truth's size, and its free numbers."""
    want = np.array(truth(*X))
    errors = [np.max(np.abs(Program.of(e, names).value(X) - want)) / np.max(np.abs(want)) for e in fitted]
    best = int(np.nanargmin(errors))
    return errors[best], len(fitted[best].free)


def test_a_quotient_of_two_sums_of_two_states():
    def law(x, y):
        return (x**2 - y) / (1 + x + 2 * y**2)

    names = ("x", "y")
    fitted, at = laws_of(lambda x, y: [law(x, y), 0.5 * x - 0.3 * x * y], [1.0, 0.4], 12, names, 0)
    error, _ = nearest(fitted, at, names, law)
    assert error < 1e-6


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 1e-6), (0.01, 0.02)])
def test_inhibition_by_the_substrate(noise, tolerance):
    """Haldane's law of enzymes: the rate falls where there is too much."""

    def law(s):
        return -1.2 * s / (0.8 + s + s**2 / 2.5)

    fitted, at = laws_of(lambda s: [law(s)], [8.0], 28, ("s",), 0, noise)
    error, _ = nearest(fitted, at, ("s",), law)
    assert error < tolerance
