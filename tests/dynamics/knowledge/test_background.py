"""A discovery with a knowledge file: what it finds, proves and refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hypo
from hypo.errors import KnowledgeError

TIME = np.linspace(0, 10, 80)


def simulate(rates, start, noise=0.01, seed=0):
    path = solve_ivp(lambda _, s: rates(s), (0, TIME[-1]), start, t_eval=TIME, rtol=1e-9, atol=1e-9).y
    rng = np.random.default_rng(seed)
    return path + noise * path.std(axis=1, keepdims=True) * rng.standard_normal(path.shape)


def pendulum():
    x, v = simulate(lambda s: [s[1], -12.34 * np.sin(s[0]) - 0.3 * s[1]], [1.2, 0.0])
    return {"t": TIME, "x": x, "v": v}


@pytest.mark.slow
def test_a_template_finds_its_unknown_function() -> None:
    known = {"dynamics": {"x": "v", "v": "-k*sin(x) + h(v)"}}
    model = hypo.fit_dynamics(pendulum(), time="t", state=["x", "v"], knowledge=known, time_limit=30)
    law = model.best.system.equations
    assert str(law[0]) == "v"
    assert set(law[1].variables) == {"x", "v"}
    rate = model.best.system.rates(np.array([[0.7], [1.0]]), model.best.system.parameters[:, None])[1, 0]
    assert rate == pytest.approx(-12.34 * np.sin(0.7) - 0.3, rel=0.01)


def test_laws_known_wholly_are_fitted_and_rules_told() -> None:
    known = {"dynamics": {"x": "v", "v": "-k*sin(x) - c*v", "decreasing": ["v**2"]}}
    model = hypo.fit_dynamics(pendulum(), time="t", state=["x", "v"], knowledge=known, time_limit=20)
    k, c = model.best.system.parameters
    sd = np.sqrt(np.diag(model.best.covariance))
    assert abs(k - 12.34) < 4 * sd[0]
    assert abs(c - 0.3) < 4 * sd[1]
    (rule,) = model.settings["rules"]
    assert (rule["rule"], rule["level"]) == ("v**2 never grows", "refuted")


@pytest.mark.slow
def test_a_coupling_that_is_forbidden_is_in_no_law() -> None:
    x, y = simulate(lambda s: [-0.5 * s[0] + 0.2 * s[1], 0.5 * s[0] - 0.2 * s[1]], [2.0, 0.1])
    known = {"dynamics": {"conserved": ["x + y"], "must_not_use": {"x": ["y"]}}}
    model = hypo.fit_dynamics({"t": TIME, "x": x, "y": y}, time="t", state=["x", "y"], knowledge=known, time_limit=15)
    assert all("y" not in s.fitted.system.equations[0].variables for s in model.systems)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"dynamics": {"w": "x"}}, "w is no state; the states are x, v"),
        ({"rule": [{"kind": "bounds", "min": 0}]}, "[rule] is about one law, and a system has several"),
        ({"units": {"x": "m"}}, "x"),
    ],
)
def test_what_does_not_fit_is_refused(known, message) -> None:
    data = {"t [s]": TIME, "x [rad]": pendulum()["x"], "v [rad/s]": pendulum()["v"]}
    with pytest.raises(KnowledgeError) as caught:
        hypo.fit_dynamics(data, time="t", state=["x", "v"], knowledge=known, time_limit=5)
    assert message in str(caught.value)
