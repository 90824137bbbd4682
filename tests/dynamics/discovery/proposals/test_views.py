"""Linear views of an equation: what the true law leaves in them is noise of size 1."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.dynamics.discovery.proposals.views import _choose_runs, integration_matrix, make_equation
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.parser import parse


def simulate(law, start, sigma, seed, until=10.0, n=120, states=("x", "y"), relative=True):
    """One run of a system with noise."""
    t = np.linspace(0, until, n)
    y = solve_ivp(lambda _, s: law(s), (0, until), start, t_eval=t, rtol=1e-9, atol=1e-9).y.T
    noise = sigma * np.random.default_rng(seed).standard_normal(y.shape)
    y = y * (1 + noise) if relative else y + noise
    return Trajectories((Run("", t, y, np.empty((n, 0)), np.arange(n)),), "t", states)


def predator_and_prey(s):
    """Lotka and Volterra's rates."""
    return [1.1 * s[0] - 0.4 * s[0] * s[1], 0.2 * s[0] * s[1] - 0.5 * s[1]]


@pytest.mark.parametrize("order", [1, 2])
def test_integration_matrix_integrates_smooth_functions(order):
    grid, t = np.linspace(1, 4, 120), np.array([1.0, 1.7, 3.3, 4.0])
    exact = np.sin(t) - np.sin(1) if order == 1 else np.cos(1) - np.cos(t) - (t - 1) * np.sin(1)
    assert integration_matrix(grid, t, order) @ np.cos(grid) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize(("sigma", "k"), [(0.02, 0), (0.05, 1)])
def test_the_true_law_leaves_noise_of_size_one_in_the_integral_view(sigma, k):
    """Mean over 4 data sets of 119 rows each: 3 standard errors are 0.2; errors of paths are taken a little too large."""
    left = []
    for seed in range(4):
        data = simulate(predator_and_prey, [3.0, 1.5], sigma, seed)
        view = make_equation(data, smooth_all(data), Options(), k).views[0]
        assert view.name == "integral"
        r = view.of(np.array(predator_and_prey(view.X))[k]) - view.target
        left.append(r @ r / (len(r) - 1))
    assert 0.4 < np.mean(left) < 1.25


def test_slopes_of_the_law_take_the_place_of_a_quadratics():
    data = simulate(predator_and_prey, [3.0, 1.5], 0.03, 0)
    equation = make_equation(data, smooth_all(data), Options(), 0)
    law = parse("1.1*x - 0.4*x*y")
    knowing = equation.knowing(law)
    assert knowing.views[1:] == equation.views[1:]
    view = knowing.views[0]
    r = view.of(view.X[0] * (1.1 - 0.4 * view.X[1])) - view.target
    assert 0.4 < r @ r / len(r) < 1.4


def test_discrete_laws_have_rows_of_steps_only():
    x = [0.3]
    for _ in range(60):
        x.append(3.7 * x[-1] * (1 - x[-1]))
    values = np.array(x)[:, None]
    data = Trajectories((Run("", np.arange(61.0), values, np.empty((61, 0)), np.arange(61)),), "n", ("x",))
    equation = make_equation(data, smooth_all(data), Options(discrete=True), 0)
    (view,) = equation.views
    r = view.of(3.7 * view.X[0] * (1 - view.X[0])) - view.target
    assert np.max(np.abs(r)) < 1e-6


def test_second_order_integrates_twice():
    data = simulate(lambda s: [s[1], -2.0 * s[0] - 0.1 * s[1]], [1.0, 0.0], 0.01, 3, states=("x", "v"), relative=False)
    run = data.runs[0]
    data = Trajectories((Run("", run.time, run.states[:, :1], run.actions, run.rows),), "t", ("x",))
    equation = make_equation(data, smooth_all(data), Options(order=2), 0)
    view = equation.views[0]
    assert (view.name, equation.names) == ("integral", ("x", "x_dot"))
    r = view.of(-2.0 * view.X[0] - 0.1 * view.X[1]) - view.target
    assert r @ r / len(r) < 1.5


def test_of_many_runs_some_are_taken_whole():
    time = np.linspace(0, 8, 150)
    runs = tuple(Run(str(r), time, np.sin(time)[:, None], np.empty((150, 0)), np.arange(150)) for r in range(10))
    assert len(_choose_runs(Trajectories(runs, "t", ("x",)))) == 4
    short = tuple(Run(r.name, r.time[:20], r.states[:20], r.actions[:20], r.rows[:20]) for r in runs)
    assert len(_choose_runs(Trajectories(short, "t", ("x",)))) == 10
