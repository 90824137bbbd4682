"""Experiments that tell rivals apart, or determine constants, within limits."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.model.world_model import WorldModel
from hypo.errors import InputError
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model

LINEAR = Case({"th": "w", "w": "-q*th"}, {"q": 2.5}, [0.1, 0.0])
SMALL = Case(cases.PENDULUM.laws, {"a": 2.5}, [0.1, 0.0])


@pytest.fixture(scope="module")
def rivals() -> WorldModel:
    return make_model(SMALL, noise=0.05, relative_error=0.01, rivals=[(LINEAR, 0.5)])


def test_a_large_swing_tells_a_sine_from_a_line(rivals: WorldModel) -> None:
    found = rivals.suggest({"th": (-2.0, 2.0), "w": (0.0, 0.0)}, n=2)
    first, second = found
    assert abs(first.start["th"]) > 0.3 and first.start["w"] == 0.0
    assert first.tells_systems == pytest.approx(np.log(2), rel=0.01)
    assert second.tells_systems < 0.01
    # Small swings, as in the data, tell nothing.
    small = rivals.suggest({"th": (-0.1, 0.1), "w": (0.0, 0.0)}, n=1)[0]
    assert small.tells_systems < 0.1
    a, b = first.predictions
    assert np.abs(a - b)[:, 0].max() > 10 * rivals.noise["th"]
    assert "nats of which laws hold" in str(first)


def test_one_system_gets_its_constant_determined() -> None:
    model = make_model(cases.DECAY, noise=0.05, relative_error=0.05)
    found = model.suggest({"x": (0.0, 3.0)}, until=4.0, n=3)
    # The slope of 3·exp(-k·t) by k grows with the start.
    assert found[0].start["x"] == pytest.approx(3.0)
    t, sd, s = found[0].times[1:], model.noise["x"], 0.7 * 0.05
    information = np.sum((3.0 * t * np.exp(-0.7 * t) / sd) ** 2)
    expected = [
        0.5 * np.log1p(s**2 * information),
        0.5 * np.log((1 + 2 * s**2 * information) / (1 + s**2 * information)),
    ]
    assert [e.tells_constants for e in found[:2]] == pytest.approx(expected, rel=1e-3)
    assert found[0].tells_systems == 0.0


def test_inputs_within_their_limits() -> None:
    laws = {"x": "v", "v": "-k*x - b*v + u"}
    case = Case(laws, {"k": 2.0, "b": 0.3}, [0.1, 0.0], inputs={"u": (-1.0, 1.0)})
    rival = Case(
        {**laws, "v": "-k*x - b*v + u - c*x**3"}, {"k": 2.0, "b": 0.3, "c": 0.3}, [0.1, 0.0], inputs=case.inputs
    )
    model = make_model(case, noise=0.05, relative_error=0.01, rivals=[(rival, 0.4)])
    still = {"x": (0.0, 0.0), "v": (0.0, 0.0)}
    free = model.suggest(still, {"u": (-2.0, 2.0)}, n=1)[0]
    assert np.abs(free.actions).max() <= 2.0 and len(np.unique(free.actions)) > 1
    assert free.tells_systems > 0.3
    weak = model.suggest(still, {"u": (-0.1, 0.1)}, n=1)[0]
    assert weak.tells_systems < free.tells_systems
    kept = model.suggest(still, {"u": (-2.0, 2.0)}, n=1, limits={"x": (-0.5, 0.5)})[0]
    assert np.abs(kept.predictions[:, :, 0]).max() <= 0.5
    assert "u: " in str(free)
    # What is suggested can be rolled out.
    path = model.predict(free.start, free.actions, times=free.times)
    assert path == pytest.approx(free.predictions[0], abs=1e-3)


def test_equal_seeds_give_equal_experiments(rivals: WorldModel) -> None:
    one, other = (rivals.suggest({"th": (-1.0, 1.0)}, n=1)[0] for _ in range(2))
    assert one.start == other.start and one.tells_systems == other.tells_systems


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"start_range": {"z": (0, 1)}}, 'start_range has "z"; expected th, w'),
        ({"start_range": {"th": (1, 0)}}, 'start_range of "th" must be a pair of numbers'),
        ({"start_range": {"th": 3}}, 'start_range of "th" must be a pair of numbers'),
        ({"action_range": {"u": (0, 1)}}, 'action_range has "u"; expected nothing'),
        ({"until": -1.0}, "until must be a time after 0"),
        ({"n": 0}, "n must be a whole number"),
        ({"limits": {"th": (5.0, 6.0)}}, "inside the limits"),
    ],
)
def test_bad_input(rivals: WorldModel, kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rivals.suggest(**kwargs)  # type: ignore[arg-type]
