"""Rollouts of all kinds of laws: steps, events, delays, time, hidden states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.errors import FormulaError, InputError
from tests.dynamics.model.cases import Case, make_model, read, simulate


def with_law(base: WorldModel, text: str, **changes: object) -> WorldModel:
    """The model with one other law."""
    equations = (read(text), *base.system.equations[1:])
    system = replace(base.system, equations=equations, shared=(), **changes)  # type: ignore[arg-type]
    fitted = replace(base.best, system=system, covariance=np.zeros((0, 0)))
    return WorldModel(Discovered((WeightedSystem(fitted, 0.0, 1.0),), Smoothed(base.data, ()), (10,)))


def test_steps_of_a_map() -> None:
    case = Case({"x": "r*x*(1 - x)"}, {"r": 3.2}, [0.3], discrete=True)
    model = make_model(case, noise=0.01)
    r = model.rollout({"x": 0.3}, until=20.0)
    assert r.time.tolist() == list(range(21))
    assert r.median == pytest.approx(simulate(case, r.time), abs=1e-9)
    skipped = model.rollout({"x": 0.5}, times=[0.0, 2.0, 5.0], n_samples=2).states[0, :, 0]
    assert skipped == pytest.approx(model.rollout({"x": 0.5}, until=5.0, n_samples=2).states[0, [0, 2, 5], 0])
    with pytest.raises(InputError, match=r"the laws give the state 1 later, so there is none at t = 0\.5; give times"):
        model.rollout({"x": 0.5}, times=[0.0, 0.5, 1.0])
    assert model.step({"x": 0.5}).median["x"] == pytest.approx(0.8)
    assert model.suggest(n=1)[0].tells_systems == 0.0


def test_a_bouncing_ball() -> None:
    model = make_model(Case({"h": "v", "v": "-g"}, {"g": 9.81}, [1.0, 0.0], 0.4))
    r = model.rollout({"h": 1.0, "v": 0.0}, until=1.0, n_samples=4, events=["h < 0: v = -0.8*v"])
    hit = np.sqrt(2 / 9.81)
    t = 1.0 - hit
    assert r.median[-1] == pytest.approx(
        [0.8 * 9.81 * hit * t - 9.81 * t**2 / 2, 0.8 * 9.81 * hit - 9.81 * t], abs=1e-5
    )
    with pytest.raises(FormulaError, match="cannot be read"):
        model.rollout({"h": 1.0, "v": 0.0}, until=1.0, events="h < 0")


def test_delays_begin_with_a_state_that_has_long_been() -> None:
    base = make_model(Case({"x": "-k*x"}, {"k": 0.5}, [1.0], 4.0))
    model = with_law(base, "-x_late", delays=(Delay("x_late", "x", 1.0),))
    r = model.rollout({"x": 2.0}, times=[0.0, 0.5, 1.0, 1.5], n_samples=2)
    # Until t = 1 the rate is -2, then -(2 - 2(t - 1)).
    assert r.median[:, 0] == pytest.approx([2.0, 1.0, 0.0, -0.75], abs=1e-5)
    assert model.graph().probability("x", "x") == 1.0
    assert "without delays" in model.fixed_points().remarks[0]
    with pytest.raises(InputError, match="laws with delays"):
        model.suggest()


def test_laws_of_time() -> None:
    base = make_model(Case({"x": "-k*x"}, {"k": 0.5}, [1.0], 4.0))
    model = with_law(base, "2*t", time="t")
    r = model.rollout({"x": 1.0}, times=[1.0, 2.0, 3.0], n_samples=2)
    assert r.median[:, 0] == pytest.approx([1.0, 4.0, 9.0], abs=1e-5)
    with pytest.raises(InputError, match="has no fixed points"):
        model.fixed_points()
    assert model.graph().probability("t", "x") == 1.0


def test_inputs_that_are_held() -> None:
    base = make_model(Case({"x": "-k*x + u"}, {"k": 0.5}, [1.0], 4.0, inputs={"u": (0.0, 1.0)}))
    times, u = [0.0, 1.0, 2.0], [1.0, 3.0, 0.0]
    held = with_law(base, "u", hold="zero").predict({"x": 0.0}, u, times=times)
    assert held[:, 0] == pytest.approx([0.0, 1.0, 4.0], abs=1e-6)
    joined = with_law(base, "u", hold="linear").predict({"x": 0.0}, u, times=times)
    assert joined[:, 0] == pytest.approx([0.0, 2.0, 3.5], abs=1e-6)
    # A recorded input between its rows.
    table = {"t": [0.0, 1.0, 2.0], "u": u}
    fine = with_law(base, "u", hold="zero").predict({"x": 0.0}, table, times=np.linspace(0.0, 2.0, 9))
    assert fine[-1, 0] == pytest.approx(4.0, abs=1e-6)
