"""Kinds of laws: their systems, fitted to simulated runs from constants that are off, give back the constants of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.kinds import delay_names, make_kind, without_idle_delays
from hypo.dynamics.options import DelayRange, Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay
from tests.dynamics.cases import delayed_logistic, free, logistic_map, pendulum, runs, solved


def fitted(data, options, *laws):
    """Parameters of the system of these laws."""
    smoothed = smooth_all(data)
    kind = make_kind(data, smoothed, options)
    found = fit_system(kind.system([free(law) for law in laws]), data, smoothed, effort="full")
    assert found is not None
    return found.system.parameters


def test_second_order_has_a_hidden_speed():
    data, _ = pendulum(noise=0.01)
    options = Options(order=2)
    kind = make_kind(data, smooth_all(data), options)
    assert kind.states == ("x", "x_dot")
    assert kind.sought == (1,)
    assert kind.pattern.n_measured == 1
    assert str(kind.pattern.equations[0]) == "x_dot"
    assert fitted(data, options, "-7.0*sin(x) - 0.3*x_dot") == pytest.approx([-9, 0.2], abs=0.02)


def test_the_next_value():
    assert fitted(logistic_map(60, 0.001), Options(discrete=True), "3.0*x - 3.0*x**2")[:2] == pytest.approx(
        [3.7, 3.7], abs=0.02
    )


def test_a_driven_oscillator_with_held_inputs():
    rng = np.random.default_rng(1)
    time, u = np.linspace(0, 15, 151), np.repeat(rng.uniform(-1, 1, 31), 5)[:151]
    x = [np.zeros(2)]
    for k in range(150):
        x.append(solved(lambda t, s, k=k: [s[1], -2 * s[0] - 0.3 * s[1] + 1.5 * u[k]], x[-1], time[k : k + 2])[-1])
    y = np.array(x)[:, 0] + 0.005 * rng.standard_normal(151)
    data = runs([time], [y], [u], inputs=("u",))
    found = fitted(data, Options(order=2, hold="zero"), "1.0*u - 1.5*x - 0.5*x_dot")
    assert found == pytest.approx([1.5, 2.0, 0.3], abs=0.03)


def test_a_law_that_uses_time():
    rng = np.random.default_rng(2)
    time = np.linspace(0, 12, 120)
    x = solved(lambda t, s: [-0.5 * s[0] + 2 * np.sin(1.3 * t)], [3.0], time)[:, 0]
    data = runs([time], [x + 0.01 * rng.standard_normal(120)])
    assert fitted(data, Options(use_time=True), "1.5*sin(1.25*t) - 0.4*x") == pytest.approx([2, 1.3, 0.5], abs=0.02)


def test_michaelis_menten_elimination():
    rng = np.random.default_rng(3)
    time = np.linspace(0, 12, 60)
    x = solved(lambda t, s: [-1.4 * s[0] / (1.5 + s[0])], [8.0], time)[:, 0]
    data = runs([time], [x + 0.02 * rng.standard_normal(60)])
    assert fitted(data, Options(), "-1.0*x/(1.0 + x)") == pytest.approx([-1.4, 1.5], abs=0.1)


def test_each_range_of_lags_is_a_column():
    data = delayed_logistic()
    kind = make_kind(data, smooth_all(data), Options(delays=(DelayRange("x", 0.5, 4.0),)))
    assert kind.columns.names == ("x", "x_before")
    assert kind.delays == (Delay("x_before", "x", 4.0, (0.5, 4.0)),)


def test_a_law_that_looks_back_is_fitted_with_what_was_before():
    data = delayed_logistic(noise=0.01)
    smoothed = smooth_all(data)
    kind = make_kind(data, smoothed, Options(delays=(DelayRange("x", 0.5, 4.0),)))
    kind = replace(kind, delays=(Delay("x_before", "x", 1.5),))
    found = fit_system(kind.system([free("1.1*x - 0.5*x*x_before")]), data, smoothed)
    assert found is not None
    assert found.system.parameters == pytest.approx([1.2, 0.6], abs=0.02)


@pytest.mark.parametrize("begun", [1.4, 1.6])
def test_the_lag_is_fitted_along_with_the_constants(begun):
    data = delayed_logistic(noise=0.01)
    smoothed = smooth_all(data)
    kind = make_kind(data, smoothed, Options(delays=(DelayRange("x", 0.5, 4.0),)))
    kind = replace(kind, delays=(replace(kind.delays[0], lag=begun),))
    found = fit_system(kind.system([free("1.1*x - 0.5*x*x_before")]), data, smoothed)
    assert found is not None
    sd = np.sqrt(np.diag(found.covariance))
    assert np.all(np.abs(found.system.parameters - [1.2, 0.6, 1.5]) < 4 * sd)
    assert sd[2] < 0.01
    assert found.system.delays[0].lag == found.system.parameters[2]


def test_names_of_former_values():
    assert delay_names(["x", "x", "y"], ["y_before"]) == ("x_before", "x_before2", "y_before2")


def test_delays_that_no_equation_uses_are_left_out():
    data = delayed_logistic()
    kind = make_kind(data, smooth_all(data), Options(delays=(DelayRange("x", 0.5, 4.0),)))
    assert without_idle_delays(kind.system([free("2.0*x")])).delays == ()


def test_a_measured_column_called_like_a_hidden_speed_is_refused():
    time = np.linspace(0, 5, 30)
    data = runs([time], [np.column_stack([np.sin(time), np.cos(time)])], names=("x", "x_dot"))
    with pytest.raises(ValueError, match="x_dot"):
        make_kind(data, smooth_all(data), Options(order=2))
