"""Fixed points, their kinds and periods, of textbook systems."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ellipk

from hypo.dynamics.model.fixed_points import find_fixed_points
from hypo.errors import InputError
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model


def test_a_centre_and_the_period_of_a_large_swing() -> None:
    found = find_fixed_points(make_model(Case(cases.PENDULUM.laws, {"a": 2.5}, [1.2, 0.0])))
    (point,) = found.points
    assert point.state == pytest.approx({"th": 0.0, "w": 0.0}, abs=1e-9)
    assert point.kind == "centre" and not point.is_stable
    assert point.period == pytest.approx(2 * np.pi / np.sqrt(2.5))
    assert found.cycle is not None
    assert found.cycle.period == pytest.approx(4 / np.sqrt(2.5) * ellipk(np.sin(0.6) ** 2), rel=2e-3)


def test_predator_and_prey() -> None:
    none, point = find_fixed_points(make_model(cases.LOTKA_VOLTERRA)).points
    assert none.state == {"x": 0.0, "y": 0.0} and none.kind == "saddle"
    assert point.state == pytest.approx({"x": 4.0, "y": 2.75})
    assert point.kind == "centre"
    assert point.period == pytest.approx(2 * np.pi / np.sqrt(1.1 * 0.4))


def test_friction_makes_a_stable_spiral() -> None:
    found = find_fixed_points(make_model(cases.DAMPED))
    assert [p.kind for p in found.points if p.is_stable] == ["stable spiral"]
    assert found.cycle is None


def test_two_wings_of_lorenz() -> None:
    found = find_fixed_points(make_model(cases.LORENZ))
    wings = [p for p in found.points if p.state["z"] > 1]
    assert [p.state["x"] for p in wings] == pytest.approx([-np.sqrt(72), np.sqrt(72)])
    assert {p.kind for p in wings} == {"saddle"}


def test_an_unstable_spiral_in_a_cycle() -> None:
    found = find_fixed_points(make_model(cases.VAN_DER_POL))
    assert [p.kind for p in found.points] == ["unstable spiral"]
    assert found.cycle is not None
    # Published for m = 1: period 6.6633, amplitude 2.0086.
    assert found.cycle.period == pytest.approx(6.6633, rel=1e-3)
    assert found.cycle.ranges["x"][1] == pytest.approx(2.0086, rel=2e-3)
    assert "cycle of period 6.66" in str(found)


def test_a_line_of_fixed_points_is_said() -> None:
    found = find_fixed_points(make_model(cases.SIR))
    assert "curve" in found.remarks[0] and 1 < len(found.points) <= 5
    assert all(abs(p.state["I"]) < 1e-6 for p in found.points)


def test_a_map_and_its_fixed_point() -> None:
    case = Case({"x": "r*x*(1 - x)"}, {"r": 3.2}, [0.3], discrete=True)
    points = find_fixed_points(make_model(case)).points
    (inner,) = [p for p in points if p.state["x"] > 0.1]
    assert inner.state["x"] == pytest.approx(1 - 1 / 3.2)
    assert inner.eigenvalues[0] == pytest.approx(2 - 3.2)
    assert inner.kind == "unstable node"


def test_inputs_move_the_fixed_point() -> None:
    case = Case({"x": "-k*x + u"}, {"k": 2.0}, [0.2], inputs={"u": (-1.0, 1.0)})
    model = make_model(case)
    (point,) = find_fixed_points(model, {"u": 0.5}).points
    assert point.state["x"] == pytest.approx(0.25) and point.kind == "stable node"
    with pytest.raises(InputError, match='"q" is no input'):
        find_fixed_points(model, {"q": 1.0})
