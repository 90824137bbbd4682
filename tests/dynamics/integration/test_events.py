"""Events: how they are written, and when and how they act, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.integration.events import Clip, Event
from hypo.dynamics.integration.follow import follow
from hypo.errors import FormulaError
from tests.dynamics.integration.systems import make

BALL = make(["v", "-9.81 + 0*x"], ["x", "v"])


def bounces(height, e, n):
    """Moments at which a ball dropped from a height meets the floor."""
    first = np.sqrt(2 * height / 9.81)
    flights = 2 * first * e ** np.arange(1, n)
    return first + np.concatenate([[0.0], np.cumsum(flights)])


def ball(t, height, e):
    """Height of a bouncing ball at a moment."""
    meets = bounces(height, e, 60)
    k = int(np.searchsorted(meets, t))
    if k == 0:
        return height - 9.81 / 2 * t**2
    s, v = t - meets[k - 1], 9.81 * meets[0] * e**k
    return v * s - 9.81 / 2 * s**2


def test_a_bouncing_ball_is_that_of_the_closed_form():
    floor = Event.parse("x < 0: v = -0.8*v", BALL.columns)
    time = np.linspace(0.0, 3.0, 61)
    found = follow(BALL, [1.0, 0.0], None, time, events=[floor])
    assert found.is_whole.all()
    assert np.allclose(found.states[:, 0, 0], [ball(t, 1.0, 0.8) for t in time], atol=1e-7)


@pytest.mark.parametrize("text", ["x < 0: v = -0.5*v", "x < 0: x = 0, v = -0.5*v", "0 > x: v = -v/2"])
def test_ever_shorter_flights_end_at_rest(text):
    """All bounces are over at t₁ (1 + e)/(1 - e); from then on the ball lies on the floor."""
    floor = Event.parse(text, BALL.columns)
    time = np.linspace(0.0, 3.0, 31)
    found = follow(BALL, [1.0, 0.0], None, time, events=[floor])
    over = time > np.sqrt(2 / 9.81) * 3.0 + 1e-3
    assert found.is_whole.all()
    assert np.all(found.states[over] == 0.0)
    assert found.states[~over, 0, 0] == pytest.approx([ball(t, 1.0, 0.5) for t in time[~over]], abs=1e-4)


@pytest.mark.parametrize("text", ["x < 0: v = 0", "x < 0: x = 0, v = 0", "x < 0: v = -0.5*v"])
def test_what_rests_leaves_the_wall_when_the_forces_point_inward(text):
    """x'' = -2 until t = 1 at least, then upward: a body that fell from 0.1 lies still, and leaves when -2 cos(t) > 0."""
    system = make(["v", "-2*cos(t) + 0*x"], ["x", "v"], time="t")
    time = np.linspace(0.0, 4.0, 41)
    found = follow(system, [0.1, 0.0], None, time, events=[Event.parse(text, system.columns)])
    left = time - np.pi / 2
    expected = np.where(left > 0, 2 * np.cos(time) + 2 * left, 0.0)
    late = time > 1.2
    assert found.is_whole.all()
    assert found.states[late, 0, 0] == pytest.approx(expected[late], abs=1e-5)


def test_a_wall_that_sends_back_at_once_chatters():
    system = make(["1 + 0*x"], ["x"])
    found = follow(system, [0.0], None, [0.0, 1.0, 2.0], events=[Event.parse("x > 1: x = x - 1e-12", system.columns)])
    assert found.chattered[0] == pytest.approx(1.0, abs=1e-5)


def test_several_walls():
    """A free particle between two walls."""
    system = make(["v", "0*v"], ["x", "v"])
    walls = [Event.parse("x > 1: v = -v", system.columns), Event.parse("x < -1: v = -v", system.columns)]
    time = np.linspace(0.0, 9.0, 40)
    found = follow(system, [0.0, 1.3], None, time, events=walls)
    way = np.mod(1.3 * time + 1.0, 4.0)
    assert np.allclose(found.states[:, 0, 0], np.where(way < 2.0, way - 1.0, 3.0 - way), atol=1e-8)


def test_a_clip_holds_until_the_rate_points_inward():
    """x' = cos(t) from 0, clipped at 0.5: it stays from π/6 to π/2, then falls by 1 - sin(t)."""
    system = make(["cos(t) + 0*x"], ["x"], time="t")
    clip = Event.parse("x > 0.5: x = 0.5", system.columns)
    assert clip.clip == Clip("x", 0.5, True)
    time = np.linspace(0.0, 4.0, 81)
    found = follow(system, [0.0], None, time, events=[clip])
    expected = np.select([time < np.pi / 6, time < np.pi / 2], [np.sin(time), 0.5], 0.5 - 1.0 + np.sin(time))
    assert np.allclose(found.states[:, 0, 0], expected, atol=1e-6)


def test_a_start_beyond_a_clip_is_clipped():
    system = make(["-0.5*x"], ["x"])
    found = follow(system, [3.0], None, [0.0, 1.0], events=[Event.parse("2 < x: x = 2", system.columns)])
    assert found.states[:, 0, 0] == pytest.approx([2.0, 2.0 * np.exp(-0.5)])


def test_an_event_counts_each_crossing_once():
    system = make(["cos(t) + 0*n", "0*n"], ["x", "n"], time="t")
    up = Event.parse("x > 0.5: n = n + 1", system.columns)
    found = follow(system, [0.0, 0.0], None, [0.0, 2 * np.pi, 20 * np.pi], events=[up])
    assert list(found.states[:, 1, 0]) == [0.0, 1.0, 10.0]


def test_assignments_see_the_values_before():
    system = make(["1 + 0*x", "0*y"], ["x", "y"])
    swap = Event.parse("x >= 2: x = y, y = max(x, y)", system.columns)
    found = follow(system, [0.0, -3.0], None, [0.0, 3.0], events=[swap])
    assert found.states[1, :, 0] == pytest.approx([-2.0, 2.0])


def test_columns_have_events_of_their_own():
    floor = Event.parse("x < 0: v = -e*v", BALL.columns, {"e": 0.9})
    heights = np.linspace(0.5, 2.0, 40)
    found = follow(BALL, np.vstack([heights, 0 * heights]), None, [0.0, 0.7, 1.9], events=[floor])
    assert np.allclose(found.states[2, 0], [ball(1.9, h, 0.9) for h in heights], atol=1e-7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x > 2", "an event is a condition, a colon, and assignments"),
        ("x > 2: ", "an event is a condition"),
        ("1 < x < 2: x = 0", "an event is a condition"),
        ("x > 2: v", "cannot be read at 'v'"),
        ("x > 2: w = 1", "of the states x, v"),
        ("x > 2: u = 1", "assigns u, which is no state; events can set the states x, v"),
        ("x > 2: v = -e*v", "the unknown name e; known are x, v, u"),
        ("x > 2: v = 1, v = 2", "assigns a state twice"),
    ],
)
def test_what_is_wrong_is_told(text, says):
    with pytest.raises(FormulaError, match=says):
        Event.parse(text, ["x", "v", "u"], states=["x", "v"])


def test_only_states_can_be_assigned():
    system = make(["u*x"], ["x"], actions=("u",))
    with pytest.raises(ValueError, match="assigns u; expected one of the states x"):
        follow(system, [1.0], None, [0.0, 1.0], [[1.0], [1.0]], events=[Event.parse("x > 1: u = 0", system.columns)])
