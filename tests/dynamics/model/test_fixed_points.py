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


def test_a_plane_of_fixed_points_is_one() -> None:
    """Without infected nothing happens; few susceptibles, and an outbreak dies out: S < g/k."""
    found = find_fixed_points(make_model(cases.SIR))
    (plane,) = found.continua
    assert not found.points and (plane.dimension, plane.is_straight) == (2, True)
    assert plane.ranges["I"] == (pytest.approx(0.0, abs=1e-9),) * 2
    assert plane.ranges["S"][0] < 0.1 and plane.ranges["S"][1] > 0.9
    assert str(found).endswith(": a plane of fixed points, stable across a part of it")


def test_lines_that_cross_and_points_beside_them() -> None:
    """x' = x y (1 - x), y' = x y (1/2 - y): both axes, and the node at (1, 1/2)."""
    laws = {"x": "x*y*(1 - x)", "y": "x*y*(0.5 - y)"}
    found = find_fixed_points(make_model(Case(laws, {}, [0.05, 0.05], 60.0)))
    assert [(c.dimension, c.is_straight) for c in found.continua] == [(1, True)] * 2
    assert {min(c.ranges, key=lambda n: abs(c.ranges[n][1])) for c in found.continua} == {"x", "y"}
    (point,) = found.points
    assert point.state == {"x": pytest.approx(1.0), "y": pytest.approx(0.5)} and point.kind == "stable node"


def test_a_circle_of_fixed_points() -> None:
    laws = {"x": "y*(1 - x**2 - y**2)", "y": "-x*(1 - x**2 - y**2)"}
    found = find_fixed_points(make_model(Case(laws, {}, [0.9, 0.0], 40.0)))
    (circle,) = found.continua
    assert (circle.dimension, circle.is_straight) == (1, False)
    assert np.hypot(*circle.samples) == pytest.approx(1.0)
    assert "a curve of fixed points, stable across a part of it" in str(found)
    assert [p.kind for p in found.points] == ["centre"]


def test_a_flat_root_is_one_point() -> None:
    found = find_fixed_points(make_model(Case({"x": "-x**3"}, {}, [0.9], 40.0)))
    (point,) = found.points
    assert not found.continua and abs(point.state["x"]) < 0.05


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
