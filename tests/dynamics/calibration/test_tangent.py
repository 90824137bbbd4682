"""Columns of extra terms are what differences of paths give, and a term that is missing is found by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.calibration.tangent import Linearised, Tangent, integral_columns, rank_extra_terms
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import System
from hypo.expression.parser import parse
from tests.dynamics.calibration.systems import LOTKA_VOLTERRA, PENDULUM, make_data, make_system, noisy

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
    order = np.lexsort((np.arange(len(tangent.state)), tangent.state))
    found = np.array([tangent.columns[tangent.state == k] for k in range(2)])
    assert len(order) == 240
    away = found - np.moveaxis(expected.reshape(-1, 2, len(TERMS)), 1, 0)
    assert np.max(np.abs(away) / size) < 1e-5


def test_a_missing_term_is_found_with_its_coefficient():
    undamped = make_system({"x": "v", "v": "-k*sin(x)"}, {"k": 3.0})
    fitted, data = fitted_pendulum(undamped)
    best = rank_extra_terms(fitted, data, LIBRARY, equations=[1])[0]
    full, _ = fitted_pendulum(PENDULUM.system)
    assert TERMS[2] in {TERMS[k] for k in best.terms}
    singles = [e for e in rank_extra_terms(fitted, data, LIBRARY) if len(e.terms) == 1 and e.equation == 1]
    assert TERMS[singles[0].terms[0]] in ("v", "v**3")
    v = next(e for e in singles if e.terms == (2,))
    assert v.coefficients[0] == pytest.approx(-0.2, abs=0.1)
    assert v.gain > 30
    assert full.misfit < fitted.misfit


def test_a_right_system_gains_little():
    fitted, data = fitted_pendulum(PENDULUM.system)
    assert all(e.gain < 15 for e in rank_extra_terms(fitted, data, LIBRARY))


def test_terms_that_stand_in_the_system_gain_nothing():
    fitted, data = fitted_pendulum(PENDULUM.system)
    tangent = Linearised(fitted, data).tangent(1, LIBRARY)
    gains, c = tangent.gains()
    for term in ("v", "sin(x)"):
        assert gains[TERMS.index(term)] == pytest.approx(0, abs=1e-6)
        assert c[TERMS.index(term)] == 0


def test_a_gain_is_the_drop_of_the_misfit():
    r, state = RNG.standard_normal(60), np.repeat([0, 1], 30)
    C = RNG.standard_normal((60, 3))
    gains, c = Tangent(r, C, state).gains()
    for k in range(3):
        after = r + c[k] * C[:, k]
        expected = sum(15 * np.log(np.sum(r[state == s] ** 2) / np.sum(after[state == s] ** 2)) for s in (0, 1))
        assert gains[k] == pytest.approx(expected)
        assert after @ C[:, k] == pytest.approx(0, abs=1e-9)


def test_with_inputs_several_runs_and_missing_samples_the_terms_of_the_system_gain_nothing():
    system = make_system({"x": "v", "v": "-k*x - c*v + b*u"}, {"k": 2.0, "c": 0.3, "b": 1.5}, actions=("u",))
    t = [np.linspace(0, 8, 70), np.sort(RNG.uniform(1, 7, 40))]
    u = [np.sin(a)[:, None] for a in t]
    x = [follow(system, [1.0, 0.0], None, a, b).states[:, :, 0] for a, b in zip(t, u, strict=True)]
    samples = [noisy(each, RNG, constant=0.02) for each in x]
    samples[0][3:9, 0] = np.nan
    data = make_data(system, t, samples, u)
    fitted = fit_system(system, data, smooth_all(data))
    tangent = Linearised(fitted, data).tangent(1, [parse(e) for e in ("x", "v", "u", "x**3")])
    assert len(tangent.state) == np.isfinite(np.concatenate(samples)).sum()
    np.testing.assert_array_equal(tangent.columns[:, :3], 0.0)
    assert np.linalg.norm(tangent.columns[:, 3]) > 0.1


def test_integrals_find_rates_by_least_squares():
    case = LOTKA_VOLTERRA
    data = make_data(case.system, [case.time], [noisy(case.states(), RNG, relative=0.01)])
    library = [parse(t) for t in ("x", "x*y")]
    tangent = integral_columns(data, smooth_all(data), library, 0)
    c = np.linalg.lstsq(tangent.columns, -tangent.residuals, rcond=None)[0]
    np.testing.assert_allclose(c, [1.1, -0.4], rtol=0.03)


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
    best = rank_extra_terms(fitted, data, LIBRARY, equations=[1])[0]
    assert best.gain > 30
