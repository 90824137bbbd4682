"""Columns of extra terms are what differences of paths give, and a term that is missing is found by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.calibration.tangent import Linearised
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import System
from hypo.expression.parser import parse
from tests.dynamics.calibration.systems import PENDULUM, make_data, make_system, noisy

RNG = np.random.default_rng(3)
TERMS = ("1", "x", "v", "x**2", "x*v", "v**2", "x**3", "sin(x)", "v**3")
LIBRARY = tuple(parse(t) for t in TERMS)


def fitted_pendulum(system: System, relative: float = 0.01):
    data = make_data(PENDULUM.system, [PENDULUM.time], [noisy(PENDULUM.states(), RNG, relative=relative)])
    return fit_system(system, data, smooth_all(data), effort="full"), data


def projected(matrix, away):
    """``matrix`` less what the columns of ``away`` explain."""
    q = np.linalg.svd(away / np.linalg.norm(away, axis=0), full_matrices=False)[0]
    return matrix - q @ (q.T @ matrix)


@pytest.mark.parametrize("equation", [0, 1])
def test_columns_are_differences_of_paths(equation):
    fitted, data = fitted_pendulum(PENDULUM.system)
    tangent = Linearised(fitted, data).tangent(equation, LIBRARY)
    fine, step = Accuracy(1e-11), 1e-5
    system, start, time = fitted.system, fitted.starts[0], PENDULUM.time

    def path(system: System, start=start):
        return follow(system, start, None, time, accuracy=fine).states[:, :, 0]

    def changed(e, term, by):
        equations = list(system.equations)
        equations[e] = equations[e] + parse(term) * by
        return path(system.with_equations(tuple(equations)))

    sd = fitted.measurement.sd(path(system))
    slopes = [(changed(equation, t, step) - changed(equation, t, -step)) / (2 * step) / sd for t in TERMS]
    known = []
    for k in range(2):
        h = step * np.eye(2)[k]
        known.append((path(system, start + h) - path(system, start - h)) / (2 * step) / sd)
        theta = system.parameters
        known.append(
            (path(system.with_parameters(theta + h)) - path(system.with_parameters(theta - h))) / (2 * step) / sd
        )
    expected = projected(np.array(slopes).reshape(len(TERMS), -1).T, np.array(known).reshape(4, -1).T)
    size = np.linalg.norm(np.array(slopes).reshape(len(TERMS), -1), axis=1)
    assert tangent.columns.shape == (240, len(TERMS))
    assert np.max(np.abs(tangent.columns - expected) / size) < 1e-5


def test_a_missing_term_is_found_with_its_coefficient():
    undamped = make_system({"x": "v", "v": "-k*sin(x)"}, {"k": 3.0})
    fitted, data = fitted_pendulum(undamped)
    tangent = Linearised(fitted, data).tangent(1, LIBRARY)
    size = np.linalg.norm(tangent.columns, axis=0)
    explained = np.abs(tangent.residuals @ tangent.columns) / np.where(size > 0, size, np.inf)
    assert TERMS[int(np.argmax(explained))] in ("v", "v**3")
    v = tangent.columns[:, TERMS.index("v")]
    c = -(tangent.residuals @ v) / (v @ v)
    assert c == pytest.approx(-0.2, abs=0.1)
    after = tangent.residuals + c * v
    full, _ = fitted_pendulum(PENDULUM.system)
    # Up to what is not linear, the sum of squares is that of the law with the term in it.
    assert after @ after < 0.3 * (tangent.residuals @ tangent.residuals)
    assert full.misfit < fitted.misfit


def test_terms_that_stand_in_the_system_add_nothing():
    fitted, data = fitted_pendulum(PENDULUM.system)
    tangent = Linearised(fitted, data).tangent(1, LIBRARY)
    for term in ("v", "sin(x)"):
        assert not tangent.columns[:, TERMS.index(term)].any()
    assert tangent.columns[:, TERMS.index("x**2")].any()


def test_with_inputs_several_runs_and_missing_samples_the_terms_of_the_system_add_nothing():
    system = make_system({"x": "v", "v": "-k*x - c*v + b*u"}, {"k": 2.0, "c": 0.3, "b": 1.5}, actions=("u",))
    t = [np.linspace(0, 8, 70), np.sort(RNG.uniform(1, 7, 40))]
    u = [np.sin(a)[:, None] for a in t]
    x = [follow(system, [1.0, 0.0], None, a, b).states[:, :, 0] for a, b in zip(t, u, strict=True)]
    samples = [noisy(each, RNG, constant=0.02) for each in x]
    samples[0][3:9, 0] = np.nan
    data = make_data(system, t, samples, u)
    fitted = fit_system(system, data, smooth_all(data))
    tangent = Linearised(fitted, data).tangent(1, [parse(e) for e in ("x", "v", "u", "x**3")])
    assert len(tangent.residuals) == np.isfinite(np.concatenate(samples)).sum()
    np.testing.assert_array_equal(tangent.columns[:, :3], 0.0)
    assert np.linalg.norm(tangent.columns[:, 3]) > 0.1


def test_a_function_may_be_the_library():
    fitted, data = fitted_pendulum(PENDULUM.system)
    along = Linearised(fitted, data)
    by_name = along.tangent(1, [parse("x**3"), parse("1/(x - x)")])
    by_function = along.tangent(1, lambda X: np.array([X[0] ** 3, np.full(X.shape[1], np.nan)]))
    np.testing.assert_allclose(by_name.columns, by_function.columns)
    np.testing.assert_array_equal(by_name.columns[:, 1], 0)


def test_a_hidden_speed_has_tangents_too():
    system = replace(PENDULUM.system, measured=1)
    x = noisy(PENDULUM.states()[:, :1], RNG, constant=0.01)
    data = make_data(system, [PENDULUM.time], [x])
    lacking = replace(make_system({"x": "v", "v": "-k*sin(x)"}, {"k": 3.0}), measured=1)
    fitted = fit_system(lacking, data, smooth_all(data))
    tangent = Linearised(fitted, data).tangent(1, [parse("v")])
    v = tangent.columns[:, 0]
    assert -(tangent.residuals @ v) / (v @ v) == pytest.approx(-0.2, abs=0.1)
