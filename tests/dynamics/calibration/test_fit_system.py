"""Fits begin with wrong constants, and end within the noise's own limits of the true ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from hypo.clock import Deadline, now
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.course import Clocks, follow_course
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.calibration.quality import r_squared, segments_of, sizes
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories
from tests.dynamics.calibration.systems import (
    LORENZ,
    LOTKA_VOLTERRA,
    PENDULUM,
    SIR,
    Case,
    make_data,
    make_system,
    noisy,
    put_off,
)


def r2_fitted(fitted: Calibrated, data: Trajectories) -> NDArray[np.float64]:
    """Along the segments of the fit, each from its own start."""
    return r2_from(fitted, data, np.column_stack([s.start for s in fitted.segments]))


def r2_from(fitted: Calibrated, data: Trajectories, starts: NDArray[np.float64]) -> NDArray[np.float64]:
    seg = segments_of(fitted, data)
    system = fitted.system
    clocks = Clocks(seg.time, seg.actions, seg.past)
    path = follow_course(system, clocks, starts, system.parameters, sizes(fitted)).states[:, : system.n_measured]
    samples = np.where(seg.share > 0, seg.samples, np.nan)
    each = (np.moveaxis(a, 1, 2).reshape(-1, system.n_measured) for a in (path, samples))
    return r_squared(*each)[0]


def fit(system, data, **settings):
    return fit_system(system, data, smooth_all(data), **settings)


def require_truth(fitted: Calibrated | None, case: Case, below: float = 0.999) -> None:
    """The true parameters are as near as their covariance says: a chance of 1 in 1000 to fail."""
    assert fitted is not None
    away = fitted.system.parameters - case.system.parameters
    square = away @ np.linalg.solve(fitted.covariance, away)
    assert square < chi2.ppf(below, len(away)), (fitted.system.parameters, np.sqrt(np.diag(fitted.covariance)))


@cache
def samples_of(case: Case):
    """Samples with noise of 1 %, and the smoothed paths."""
    data = make_data(case.system, [case.time], [noisy(case.states(), np.random.default_rng(1), relative=0.01)])
    return data, smooth_all(data)


@pytest.mark.parametrize("effort", ["quick", "full"])
@pytest.mark.parametrize(
    ("case", "factors"),
    [(PENDULUM, (1.5, 0.5)), (LOTKA_VOLTERRA, (1.4, 0.6, 1.4, 0.7)), (SIR, (0.6, 1.5)), (LORENZ, (1.4, 0.7, 1.3))],
)
def test_wrong_constants_become_right(case, factors, effort):
    data, smoothed = samples_of(case)
    fitted = fit_system(put_off(case.system, factors), data, smoothed, effort=effort)
    require_truth(fitted, case)
    assert fitted.is_whole
    assert np.all(r2_fitted(fitted, data) > 0.99)
    np.testing.assert_allclose(fitted.noise, 0.01 * np.sqrt(np.mean(case.states() ** 2, axis=0)), rtol=0.5)
    assert np.all(fitted.measurement.mix < 0.5)


OSCILLATOR = Case(
    make_system({"x": "v", "v": "-k*x - c*v"}, {"k": 2.1, "c": 0.05}), (1.0, 0.5), np.linspace(0, 12, 100)
)


def test_an_oscillator_from_positions_alone():
    system = replace(OSCILLATOR.system, measured=1)
    x = OSCILLATOR.states()[:, :1]
    data = make_data(system, [OSCILLATOR.time], [noisy(x, np.random.default_rng(3), constant=0.02)])
    fitted = fit(put_off(system, (1.4, 3.0)), data, effort="full")
    require_truth(fitted, OSCILLATOR)
    away = (fitted.starts[0] - OSCILLATOR.start) / np.sqrt(np.diag(fitted.segments[0].covariance))
    assert np.all(np.abs(away) < 4)
    assert fitted.measurement.mix[0] > 0.5


def test_missing_samples_repeated_ones_and_two_clocks():
    rng = np.random.default_rng(5)
    case = LOTKA_VOLTERRA
    first = np.sort(np.repeat(rng.uniform(0, 20, 40), 2))
    second = np.sort(rng.uniform(5, 15, 30))
    runs = [np.repeat(case.states((10, 10), np.unique(first)), 2, axis=0), case.states((5, 2), second)]
    samples = [noisy(x, rng, relative=0.03) for x in runs]
    samples[0][rng.random(samples[0].shape) < 0.3] = np.nan
    data = make_data(case.system, [first, second], samples)
    fitted = fit(put_off(case.system, (1.3, 0.7, 0.7, 1.3)), data, effort="full")
    require_truth(fitted, case)
    np.testing.assert_array_equal(fitted.count, sum(np.isfinite(s).sum(0) for s in samples))
    assert len(fitted.starts) == 2


def test_recorded_inputs():
    rng = np.random.default_rng(6)
    system = make_system({"x": "v", "v": "-k*x - c*v + b*u"}, {"k": 2.0, "c": 0.3, "b": 1.5}, actions=("u",))
    t = np.linspace(0, 12, 150)
    u = np.sin(1.3 * t) + (t > 6)
    from scipy.integrate import solve_ivp

    def rate(at, x):
        return [x[1], -2.0 * x[0] - 0.3 * x[1] + 1.5 * np.interp(at, t, u)]

    x = solve_ivp(rate, (0, 12), [1.0, 0.0], t_eval=t, rtol=1e-9, atol=1e-9, max_step=0.05).y.T
    data = make_data(system, [t], [noisy(x, rng, constant=0.02)], [u[:, None]])
    fitted = fit(put_off(system, (1.4, 0.6, 0.6)), data, effort="full")
    require_truth(fitted, Case(system, (1.0, 0.0), t))


def test_exact_data_end_at_the_floor_and_not_at_infinity():
    data = make_data(PENDULUM.system, [PENDULUM.time], [PENDULUM.states()])
    fitted = fit(put_off(PENDULUM.system, (1.3, 0.7)), data, effort="full")
    np.testing.assert_allclose(fitted.system.parameters, PENDULUM.system.parameters, rtol=1e-6)
    again = fit(fitted.system, data, effort="full")
    assert again.misfit == pytest.approx(fitted.misfit, abs=0.5)


def test_misfits_of_exact_data_tell_a_law_from_its_approximation():
    near = make_system({"x": "v", "v": "-k*x + q*x**3 - p*x**5 - c*v"}, {"k": 3.0, "q": 0.5, "p": 0.02, "c": 0.2})
    data = make_data(PENDULUM.system, [PENDULUM.time], [PENDULUM.states()])
    assert fit(PENDULUM.system, data).misfit < fit(near, data).misfit - 100


def test_a_hopeless_candidate_ends_early():
    data = make_data(
        PENDULUM.system, [PENDULUM.time], [noisy(PENDULUM.states(), np.random.default_rng(0), relative=0.01)]
    )
    best = fit(PENDULUM.system, data)
    wrong = make_system({"x": "k*v", "v": "-c*v"}, {"k": 1.0, "c": 0.2})
    assert fit(wrong, data) is not None
    assert fit(wrong, data, beat=best.misfit) is None


@pytest.mark.parametrize("case", [LOTKA_VOLTERRA, PENDULUM])
def test_of_exact_data_no_law_is_given_up_for_what_the_integrator_leaves(case):
    data = make_data(case.system, [case.time], [case.states()])
    best = fit(case.system, data)
    assert best is not None
    assert fit(case.system, data, beat=best.misfit) is not None


def test_a_system_that_runs_away_at_once_is_none():
    data = make_data(PENDULUM.system, [PENDULUM.time], [PENDULUM.states()])
    assert fit(make_system({"x": "v", "v": "exp(k*v**2 + 900)"}, {"k": 1.0}), data) is None


def test_past_its_deadline_a_fit_returns_where_it_stands():
    data = make_data(
        PENDULUM.system, [PENDULUM.time], [noisy(PENDULUM.states(), np.random.default_rng(0), relative=0.01)]
    )
    fitted = fit(put_off(PENDULUM.system, (1.5, 0.5)), data, deadline=Deadline(now() - 1))
    np.testing.assert_allclose(fitted.system.parameters, [4.5, 0.1])


def test_the_same_fit_twice_is_the_same():
    data = make_data(SIR.system, [SIR.time], [noisy(SIR.states(), np.random.default_rng(0), relative=0.05)])
    one, two = (fit(put_off(SIR.system, (1.5, 0.7)), data) for _ in range(2))
    assert one.misfit == two.misfit
    np.testing.assert_array_equal(one.system.parameters, two.system.parameters)


def test_a_chaotic_map_is_kept_in_segments():
    system = make_system({"x": "r*x*(1 - x)"}, {"r": 3.9}, is_discrete=True)
    x = [0.3]
    for _ in range(99):
        x.append(3.9 * x[-1] * (1 - x[-1]))
    t = np.arange(100.0)
    rng = np.random.default_rng(8)
    data = make_data(system, [t], [noisy(np.array(x)[:, None], rng, constant=0.02)])
    fitted = fit(put_off(system, (0.9,)), data, effort="full")
    assert fitted.system.parameters[0] == pytest.approx(3.9, abs=0.01)
    assert fitted.noise[0] == pytest.approx(0.02 * np.std(x), rel=0.4)


def test_an_exact_chaotic_map_is_no_worse_for_what_rounding_grows_to():
    """The true law follows 60 rows to 1e-4 at best, and pieces of them to rounding: the pieces count."""
    system = make_system({"x": "a*x - b*x**2"}, {"a": 3.88, "b": 3.88}, is_discrete=True)
    x = [0.31]
    for _ in range(59):
        x.append(3.88 * x[-1] * (1.0 - x[-1]))
    data = make_data(system, [np.arange(60.0)], [np.array(x)[:, None]])
    fitted = fit(system, data)
    assert fitted.noise[0] < 1e-9 and 1 < len(fitted.segments) < 20


def test_a_law_that_looks_back():
    lag, n = 1.0, 160
    system = make_system({"x": "r*x*(1 - z/k)"}, {"r": 1.4, "k": 2.0}, delays=(Delay("z", "x", lag),))
    t = np.linspace(0, 16, n)
    past = (np.array([-lag, 0.0]), np.array([[0.5], [0.5]]))
    x = follow(system, [0.5], None, t, history=past, accuracy=Accuracy(1e-10)).states[:, :, 0]
    data = make_data(system, [t], [noisy(x, np.random.default_rng(2), relative=0.01)])
    smoothed = smooth_all(data)
    fitted = fit_system(put_off(system, (1.2, 0.85)), data, smoothed)
    np.testing.assert_allclose(fitted.system.parameters, [1.4, 2.0], rtol=0.03)
    assert np.all(r2_fitted(fitted, data) > 0.99)


def test_a_stiff_law():
    system = make_system({"x": "-k*(x - cos(t))"}, {"k": 3000.0}, time="t")
    t = np.linspace(0, 10, 60)
    x = follow(system, [1.0], None, t, accuracy=Accuracy(1e-9)).states[:, :, 0]
    data = make_data(system, [t], [noisy(x, np.random.default_rng(2), constant=0.01)])
    fitted = fit_system(put_off(system, (0.5,)), data, smooth_all(data), effort="full")
    assert fitted.is_whole
    assert np.all(r2_fitted(fitted, data) > 0.99)


def test_a_sample_that_is_far_off_does_not_change_the_kind_of_noise_to_its_liking():
    rng = np.random.default_rng(9)
    x = noisy(LOTKA_VOLTERRA.states(), rng, constant=0.02)
    x[40, 0] += 10 * 0.02 * np.std(x[:, 0])
    data = make_data(LOTKA_VOLTERRA.system, [LOTKA_VOLTERRA.time], [x])
    fitted = fit(LOTKA_VOLTERRA.system, data, effort="full")
    np.testing.assert_allclose(fitted.system.parameters, LOTKA_VOLTERRA.system.parameters, rtol=0.03)


def test_a_number_that_is_fixed_stays_though_the_formulas_read_alike():
    data = make_data(
        PENDULUM.system, [PENDULUM.time], [noisy(PENDULUM.states(), np.random.default_rng(0), relative=0.01)]
    )
    free = make_system({"x": "v", "v": "-k*sin(x) - c*v"}, {"k": 3.0, "c": 0.2})
    fixed = make_system({"x": "v", "v": "-3*sin(x) - 0.2*v"}, {})
    assert len(fit(free, data).system.parameters) == 2
    fitted = fit(fixed, data)
    assert len(fitted.system.parameters) == 0
    assert fitted.covariance.shape == (0, 0)


def test_both_kinds_of_r2():
    rng = np.random.default_rng(9)
    x = noisy(PENDULUM.states(), rng, relative=0.02)
    data = make_data(PENDULUM.system, [PENDULUM.time], [x])
    smoothed = smooth_all(data)
    fitted = fit_system(PENDULUM.system, data, smoothed)
    given, own = r2_from(fitted, data, x[:1].T), r2_fitted(fitted, data)
    assert np.all(own > 0.998)
    assert np.all(given < own)
    away = make_system({"x": "v", "v": "10*x + k"}, {"k": 1.0})
    assert np.all(np.isnan(r2_from(replace(fitted, system=away), data, x[:1].T)))
