"""hypo.fit_dynamics: its arguments, and what it hands on; and one search from end to end."""

from typing import Any

import numpy as np
import pytest

import hypo
from hypo.dynamics.arguments import read_delays
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery import discover as discovery
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.options import DelayRange, Options
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import ArgumentError, DataError, InputError, KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import PROVED, Verdict

T = np.linspace(0.0, 5.0, 30)
DATA = {"t": T, "x": np.exp(-T), "v": np.cos(T)}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the discovery was called with; it answers at once."""
    calls: list[Any] = []

    def answer(
        data: Trajectories, options: Options, knowledge: hypo.Knowledge | None, before: Discovered | None
    ) -> Discovered:
        calls.append((data, options, knowledge))
        d = len(data.states)
        system = System(tuple(parse(f"-{x}") for x in data.states), data.states, actions=data.actions)
        fitted = Calibrated(
            system, (np.ones(d),) * len(data.runs), np.ones(d), np.full(d, 30.0), np.full(d, 0.1), np.empty((0, 0)), 1.0
        )
        rules = () if knowledge is None else (("x never becomes negative", Verdict(PROVED, 0.0, 256)),)
        systems = (WeightedSystem(fitted, 2.0, 1.0),)
        return Discovered(systems, Smoothed(data, ()), (5,) * d, ("a remark",), rules=rules)

    monkeypatch.setattr(discovery, "discover", answer)
    return calls


def test_what_is_handed_on(given: list[Any]) -> None:
    model = hypo.fit_dynamics(DATA, "t", ["v"], action="x", time_limit="2min", seed=np.int64(3))
    ((data, options, knowledge),) = given
    assert knowledge is None
    assert (data.time, data.states, data.actions) == ("t", ("v",), ("x",))
    assert options == Options(time_limit=120.0, seed=3)
    assert isinstance(model, hypo.WorldModel)
    assert model.data is data
    assert model.settings["seed"] == 3
    assert model.remarks == ("a remark",)


def test_the_method_is_the_function(given: list[Any]) -> None:
    model = hypo.WorldModel.fit(DATA, time="t", state=["x"], action=["v"], seed=1)
    assert isinstance(model, hypo.WorldModel)
    assert given[0][1] == Options(seed=1)
    assert (model.states, model.actions) == (("x",), ("v",))


REFUSED = [
    ({"order": 3}, "order must be 1, where rates are sought, or 2, where positions give accelerations; got 3"),
    ({"order": True}, "order must be 1, .* got True"),
    ({"order": 2, "discrete": True}, "a law of the next value has no order"),
    ({"discrete": 1}, "discrete must be True or False, got 1"),
    ({"use_time": "yes"}, "use_time must be True or False, got 'yes'"),
    ({"hold": "lineal"}, "hold must be zero, linear or spline, got 'lineal'; did you mean linear"),
    ({"time_limit": 0}, "the time limit must be a positive number of seconds, got 0"),
    ({"time_limit": "soon"}, "time_limit must be a number of seconds above 0, or a duration"),
    ({"seed": -1}, "the seed must be a whole number, 0 or more, got -1"),
    ({"seed": 1.5}, "the seed must be a whole number, 0 or more, got 1.5"),
    ({"delays": {"y": (1, 2)}}, "a delay is given for y, which is no state; the states are x, v"),
    ({"delays": {"xx": (1, 2)}}, r"a delay is given for xx, which is no state \(did you mean x\?\)"),
    ({"delays": {"x": (1, 5)}}, "the delay of x reaches 5, but the longest run lasts 5; former values must have been"),
    ({"delays": "x:1"}, r"delays must be given like .* got 'x:1'"),
    ({"delays": 3}, "delays must be given like"),
    ({"delays": {"x": (1, 2, 3)}}, "delays must be given like"),
    ({"delays": {"x": "12"}}, "delays must be given like"),
    ({"delays": {"x": (2, 1)}}, "the lag of x must lie above 0 and its least value not above its largest, got 2 to 1"),
    ({"delays": "x=0:1"}, "the lag of x must lie above 0 .* got 0 to 1"),
    ({"delays": "x=a:1"}, "the lag of x must be a finite number in the unit of time, got 'a'"),
    ({"delays": ["x=1:2", "x=3"]}, "x has two ranges of delays; give one"),
    ({"state": 4}, "state must be names of columns"),
    ({"knowledge": "k.toml"}, "k.toml: cannot read the knowledge file"),
    ({"knowledge": 3}, "knowledge must be a Knowledge, a dictionary or a path, got int"),
    ({"knowledge": {"dynamik": {}}}, "dynamik"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED, ids=[str(s) for s, _ in REFUSED])
def test_refusals(given: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        hypo.fit_dynamics(DATA, **settings)
    assert given == []


def test_names_of_speeds(given: Any) -> None:
    with pytest.raises(InputError, match="with order 2 the speed of x is called x_dot, and so is a column"):
        hypo.fit_dynamics(DATA | {"x_dot": np.sin(T)}, state="x", action="x_dot", order=2)


def test_knowledge_is_handed_on(given: list[Any]) -> None:
    known = {"units": {"x": "m", "t": "s"}, "dynamics": {"positive": ["x"]}}
    model = hypo.fit_dynamics(DATA, knowledge=known)
    data, _, knowledge = given[0]
    assert data.units == {"t": "s", "x": "m"}
    assert knowledge.dynamics.positive == ("x",)
    (rule,) = model.settings["rules"]
    assert rule == {"rule": "x never becomes negative", "level": "proved", "violation": 0.0, "points": 256}
    assert hypo.Knowledge.from_dict(model.settings["knowledge"]).dynamics == knowledge.dynamics
    with pytest.raises(KnowledgeError, match="x"):
        hypo.fit_dynamics({"t [s]": T, "x [kg]": np.exp(-T)}, knowledge=known)


def test_keywords_of_others() -> None:
    for name, advice in (
        ("actions", "give action"),
        ("dt", "give time, the column of times"),
        ("stat", "did you mean state"),
    ):
        with pytest.raises(ArgumentError, match=f"hypo.fit_dynamics has no keyword {name}.*{advice}"):
            hypo.fit_dynamics(DATA, **{name: 1})


def test_faults_of_tables_come_first(given: Any) -> None:
    with pytest.raises(DataError, match="measured at 5 moments; a law of motion needs 8 or more"):
        hypo.fit_dynamics({"t": T[:5], "x": T[:5]})
    assert given == []


def test_delays() -> None:
    expected = (DelayRange("x", 0.5, 5.0), DelayRange("v", 2.0, 2.0))
    for text in ("x=0.5:5, v=2", ["x=0.5:5", " v = 2 "], {"x": (0.5, 5), "v": 2}, {"x": [0.5, 5.0], "v": (2, 2)}):
        assert read_delays(text) == expected
    assert read_delays(None) == ()


@pytest.mark.slow
def test_a_decay_from_end_to_end() -> None:
    rng = np.random.default_rng(1)
    t = np.linspace(0.0, 6.0, 40)
    model = hypo.fit_dynamics(
        {"t [s]": t, "x [m]": 3 * np.exp(-0.7 * t) + 0.01 * rng.standard_normal(40)}, time_limit=4
    )
    (constant,) = model.constants.values()
    assert model.equations["x"].variables == ("x",)
    assert abs(abs(constant[0]) - 0.7) < 4 * max(constant[1], 0.002)
