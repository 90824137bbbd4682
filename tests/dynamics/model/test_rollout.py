"""Rollouts: against SciPy, bands by source, inputs in every form, divergence, and starts that are not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hypo.dynamics.model.rollouts.sampling import resample, share_out
from hypo.dynamics.model.world_model import WorldModel
from hypo.errors import FormulaError, InputError
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model, simulate

DRIVEN = Case({"x": "v", "v": "-k*x - b*v + u"}, {"k": 2.0, "b": 0.3}, [1.0, 0.0], inputs={"u": (-1.0, 1.0)})


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return make_model(cases.LOTKA_VOLTERRA, relative_error=0.02, noise=0.05)


def test_the_path_of_fitted_constants_is_that_of_scipy(model: WorldModel) -> None:
    times = np.linspace(0.0, 20.0, 41)
    path = model.predict({"x": 10.0, "y": 5.0}, times=times)
    assert path == pytest.approx(simulate(cases.LOTKA_VOLTERRA, times), rel=1e-4)


def test_constants_move_trajectories_as_slopes_say() -> None:
    model = make_model(cases.DECAY, relative_error=0.01)
    r = model.rollout({"x": 3.0}, times=[0.0, 1.0, 2.0], n_samples=4000)
    t, k = np.array([0.0, 1.0, 2.0]), 0.7
    expected = 3.0 * np.exp(-k * t) * t * 0.007
    assert r.states.std(0)[:, 0] == pytest.approx(expected, rel=0.05)
    low, high = r.band(0.95, "constants")
    # Student's tails with 58 degrees of freedom.
    assert (high - low)[1:, 0] == pytest.approx(2 * 2.0 * expected[1:], rel=0.08)


def test_bands_by_source(model: WorldModel) -> None:
    exact = model.rollout({"x": 10.0, "y": 5.0}, until=10.0)
    vague = model.rollout({"x": 10.0, "y": (5.0, 0.3)}, until=10.0)
    width = {of: np.subtract(*vague.band(0.9, of)[::-1]) for of in ("all", "structure", "constants", "start", "noise")}
    assert np.all(width["structure"] == 0)
    assert np.all(width["constants"][0] == 0) and width["constants"][-1].min() > 0
    assert width["start"][0, 1] == pytest.approx(2 * 1.645 * 0.3, rel=0.25) and width["start"][0, 0] == 0
    assert np.ptp(np.subtract(*exact.band(0.9, "start")[::-1])) == 0
    sd = np.array([model.noise["x"], model.noise["y"]])
    assert np.mean(width["noise"], axis=0) == pytest.approx(2 * 1.645 * sd, rel=0.1)
    assert np.all(width["all"].mean(0) > np.maximum(width["constants"], width["noise"]).mean(0))


def test_rivals_make_the_band_of_structure() -> None:
    rival = Case({"x": "-q*x**2"}, {"q": 0.5}, [3.0], 4.0)
    model = make_model(cases.DECAY, rivals=[(rival, 0.25)])
    r = model.rollout({"x": 3.0}, until=4.0, n_samples=200)
    assert np.bincount(r.system).tolist() == [150, 50]
    low, high = r.band(0.9, "structure")
    ends = sorted([3 * np.exp(-0.7 * 4), 3 / (1 + 0.5 * 3 * 4)])
    assert [low[-1, 0], high[-1, 0]] == pytest.approx(ends, rel=1e-4)
    assert np.ptp(r.band(0.9, "constants")[0] - r.band(0.9, "constants")[1]) < 1e-9
    # Half of the weight lies on the first.
    assert r.band(0.4, "structure")[0][-1, 0] == pytest.approx(3 * np.exp(-0.7 * 4), rel=1e-4)


def test_inputs_in_every_form() -> None:
    model = make_model(DRIVEN)
    t = np.linspace(0.0, 3.0, 31)
    u = np.sin(t)
    start = {"x": 1.0, "v": 0.0}
    forms = [u, u[:, None], {"u": u}, {"u": np.sin}, np.sin, lambda t: {"u": np.sin(t)}, lambda t: [np.sin(t)]]
    forms += [pd.DataFrame({"u": u}), pd.DataFrame({"t": t, "u": u})]
    paths = [model.predict(start, form, times=t) for form in forms]
    for path in paths[1:]:
        assert np.array_equal(path, paths[0])
    assert np.array_equal(model.predict(start, {"u": 0.5}, times=t), model.predict(start, 0.5, times=t))
    assert np.array_equal(model.predict(start, u, until=3.0), paths[0])
    # As recorded, from the recorded start.
    recorded = model.rollout(n_samples=2)
    assert recorded.states[0] == pytest.approx(simulate(DRIVEN, recorded.time), abs=2e-2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"start": {"x": 1.0}}, 'start has no value of "v"'),
        ({"start": {"x": 1.0, "v": 0.0, "q": 1.0}}, '"q" is no state'),
        ({"start": {"x": "one", "v": 0.0}}, 'the start of "x" must be a number'),
        ({"start": {"x": 1.0, "v": (0.0, -1.0)}}, 'the start of "v" must be a number'),
        ({"start": [1.0, 0.0]}, "start must give each state by name"),
        (
            {"start": {"x": 1.0, "v": 0.0}, "until": 99.0},
            r"were recorded up to 10; give actions up to 99 \(--actions U.csv\)",
        ),
        ({"actions": {"w": 1.0}}, '"w" is no input; the inputs of the laws are u'),
        ({"actions": {"u": 1.0, "w": 1.0}}, '"w" is no input'),
        ({"actions": {}}, 'there is no "u" among actions'),
        ({"actions": {"u": [1.0, 2.0]}, "times": [0.0, 1.0, 2.0]}, 'the input "u" has 2 values; expected 3'),
        ({"actions": np.ones((4, 2))}, "expected .*, a row for each moment"),
        ({"actions": {"u": np.nan}}, 'the input "u" is no number at t = 0'),
        ({"until": 99.0}, "were recorded up to 10"),
        ({"until": -1.0}, "until must be a time after 0"),
        ({"until": 1.0, "times": [0.0, 1.0]}, "until and times are both given"),
        ({"times": [0.0]}, "two or more moments"),
        ({"times": [0.0, 2.0, 1.0]}, "do not go back"),
        ({"n_samples": 0}, "n_samples must be a whole number"),
    ],
)
def test_bad_input(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_model(DRIVEN).rollout(**kwargs)  # type: ignore[arg-type]


def with_units(model: WorldModel, units: dict[str, str]) -> WorldModel:
    smoothed = replace(model.discovered.smoothed, data=replace(model.data, units=units))
    return WorldModel(replace(model.discovered, smoothed=smoothed), model.settings)


def test_a_table_of_inputs_keeps_its_own_times() -> None:
    """x' = u - k x with u = 1 from 1 on, and 3 from 2 on, each held: exact from one jump to the next."""
    model = make_model(Case({"x": "u - k*x"}, {"k": 0.5}, [1.0], inputs={"u": (0.0, 2.0)}))
    held = replace(model.system, hold="zero")
    model.systems[0].fitted.__dict__["system"] = held
    table = pd.DataFrame({"t": [0.0, 1.0, 2.0], "u": [0.0, 1.0, 3.0]})

    def step(x: float, u: float, h: float) -> float:
        return u / 0.5 + (x - u / 0.5) * np.exp(-0.5 * h)

    true = step(step(step(4.0, 0.0, 1.0), 1.0, 1.0), 3.0, 1.5)
    for times in ([0.0, 3.5], [0.0, 0.7, 3.5]):
        # The jumps count, although no moment that is shown lies there.
        assert model.predict({"x": 4.0}, table, times=times)[-1] == pytest.approx([true], rel=1e-5)
    assert model.predict({"x": 4.0}, table, until=3.5)[-1] == pytest.approx([true], rel=1e-5)
    assert model.rollout({"x": 4.0}, table, until=3.5).time[[0, -1]].tolist() == [0.0, 3.5]
    assert model.rollout({"x": 4.0}, table).time.tolist() == [0.0, 1.0, 2.0]


def test_units_in_headers_of_inputs_are_converted(tmp_path: Path) -> None:
    model = with_units(make_model(DRIVEN), {"t": "min", "u": "m^3/min", "x": "m"})
    start = {"x": 1.0, "v": 0.0}
    plain = pd.DataFrame({"t": [0.0, 6.0, 9.0], "u": [0.5, 1.5, 0.3]})
    other = pd.DataFrame({"t [h]": [0.0, 0.1, 0.15], "u [L/min]": [500.0, 1500.0, 300.0]})
    path = model.predict(start, plain, until=9.0)
    assert model.predict(start, other, until=9.0) == pytest.approx(path, rel=1e-6)
    file = tmp_path / "U.csv"
    other.assign(remark=1.0).to_csv(file, index=False)
    assert model.predict(start, str(file), until=9.0) == pytest.approx(path, rel=1e-6)
    with pytest.raises(InputError, match=r'"u" is in kg, which cannot be converted to m\^3/min'):
        model.predict(start, plain.rename(columns={"u": "u [kg]"}))
    with pytest.raises(InputError, match='"u" is in kg, but u of the model has no unit'):
        make_model(DRIVEN).predict(start, plain.rename(columns={"u": "u [kg]"}))
    with pytest.raises(InputError, match="no number in row 1"):
        model.predict(start, plain.assign(u=[0.5, np.nan, 0.3]))


def test_recorded_inputs_serve_other_starts() -> None:
    model = make_model(DRIVEN)
    given = pd.DataFrame({"t": model.data.runs[0].time, "u": model.data.runs[0].actions[:, 0]})
    start = {"x": 0.3, "v": 0.5}
    assert np.array_equal(model.predict(start, until=7.0), model.predict(start, given, until=7.0))
    late = model.rollout(times=[4.0, 10.0], n_samples=2)
    whole = model.rollout(n_samples=2, until=10.0)
    assert late.states[:, -1] == pytest.approx(whole.states[:, -1], rel=1e-4)


@pytest.mark.parametrize("n_samples", [3, 4, 100])
def test_the_median_lies_in_every_band(model: WorldModel, n_samples: int) -> None:
    r = model.rollout({"x": 10.0, "y": 5.0}, until=5.0, n_samples=n_samples)
    for level in (0.05, 0.5, 0.9):
        low, high = r.band(level)
        assert np.all((low <= r.median) & (r.median <= high))
    if n_samples % 2 == 0:
        # Draws in pairs of opposite errors: where states are exact, the median is, too.
        assert r.median[0] == pytest.approx([10.0, 5.0], abs=1e-12)


def test_what_is_left_of_a_few_draws_has_no_median() -> None:
    model = make_model(Case({"x": "x**2"}, {}, [1.0], 0.9))
    r = model.rollout({"x": (1.0, 0.3)}, until=1.5, n_samples=200)
    left = np.mean(np.isfinite(r.states[:, :, 0]), axis=0)
    assert 0 < left[-1] < 0.5
    for found in (r.median, r.mean, *r.band(0.9), *r.band(0.9, "noise")):
        assert np.array_equal(np.isfinite(found[:, 0]), left >= 0.5)


def test_actions_without_inputs_are_refused(model: WorldModel) -> None:
    with pytest.raises(InputError, match="have no inputs; leave actions out"):
        model.rollout(actions={"u": 1.0})


def test_what_runs_away_is_a_mask_with_its_time() -> None:
    model = make_model(Case({"x": "x**2"}, {}, [1.0], 0.9))
    r = model.rollout({"x": (1.0, 0.1)}, until=1.2, n_samples=50)
    x0 = r.states[:, 0, 0]
    away = np.isfinite(r.diverged)
    assert r.diverged[away] == pytest.approx(1 / x0[away], abs=1e-3)
    assert np.all(x0[~away] < 1 / 1.19)
    late = r.time[None, :] >= r.diverged[:, None]
    assert np.all(np.isnan(r.states[late])) and np.all(np.isfinite(r.states[~late]))
    assert r.share_diverged[-1] == pytest.approx(away.mean())
    assert f"{away.sum()} of 50 trajectories run away, the first at t = " in str(r)


def test_where_the_law_has_no_value_is_told() -> None:
    """x' = -2 sqrt(x) - 1/2: x reaches 0, below which there is no root."""
    model = make_model(Case({"x": "-2*sqrt(x) - 0.5"}, {}, [1.0], 0.4))
    r = model.rollout({"x": 1.0}, until=2.0, n_samples=5)
    told = list(r.describe_ends())
    assert told[0].startswith("the law has no value on 5 of 5 trajectories, the first at t = 0.5976")
    assert told[1].startswith("from t = 0.6") and "fewer than half of the trajectories are left" in told[1]
    assert len(told) == 2
    with pytest.raises(FormulaError, match="assigns u, which is no state; events can set the states x, v"):
        make_model(DRIVEN).rollout(events=["u > 0: u = 0"])


def test_equal_seeds_and_several_starts(model: WorldModel) -> None:
    one = model.rollout({"x": 10.0, "y": 5.0}, until=5.0, n_samples=20)
    many = model.rollouts([{"x": 10.0, "y": 5.0}, {"x": 4.0, "y": 2.0}], until=5.0, n_samples=20)
    assert np.array_equal(one.states, many[0].states) and np.array_equal(one.noise, many[0].noise)
    assert many[1].median[0].tolist() == [4.0, 2.0]
    other = model.rollout({"x": 10.0, "y": 5.0}, until=5.0, n_samples=20, seed=1)
    assert not np.array_equal(one.states, other.states)


def test_frame_and_plot(model: WorldModel, tmp_path: Path) -> None:
    r = model.rollout({"x": 10.0, "y": 5.0}, until=5.0, n_samples=10)
    frame = r.to_frame(0.8)
    assert list(frame) == ["t", "x", "x_lower", "x_upper", "y", "y_lower", "y_upper"]
    assert np.all(frame.x_lower <= frame.x_upper)
    figure = r.plot(tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 1000 and len(figure.axes) == 2
    with pytest.raises(InputError, match="a band is of all, structure"):
        r.band(0.9, "luck")
    with pytest.raises(InputError, match="between 0 and 1"):
        r.band(1.5)


def test_one_step_and_its_error(model: WorldModel) -> None:
    found = model.step({"x": 10.0, "y": (5.0, 0.1)}, duration=0.1)
    true = simulate(cases.LOTKA_VOLTERRA, np.array([0.0, 0.1]))[-1]
    assert [found.median["x"], found.median["y"]] == pytest.approx(true, rel=0.02)
    assert found.sd["y"] == pytest.approx(0.1, rel=0.2) and found.share_diverged == 0
    with pytest.raises(InputError, match="duration must be a time above 0"):
        model.step({"x": 1.0, "y": 1.0}, duration=0.0)


def test_shares_sum_up_and_are_right_on_average() -> None:
    weights = np.array([0.613, 0.3, 0.08, 0.007])
    rng = np.random.default_rng(0)
    counts = np.array([share_out(weights, 10, rng) for _ in range(4000)])
    assert np.all(counts.sum(1) == 10)
    assert np.all(np.abs(counts - 10 * weights) < 1.0 + 1e-9)
    errors = 0.5 / np.sqrt(len(counts))
    assert np.all(np.abs(counts.mean(0) - 10 * weights) < 4 * errors)


def test_draws_by_weight() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000)
    even = resample(np.zeros(4000), rng)
    assert sorted(even) == list(range(4000))
    # Draws of N(0, 1) weighed to N(1, 1).
    moved = x[resample(x - 0.5, rng)]
    assert moved.mean() == pytest.approx(1.0, abs=0.1) and moved.std() == pytest.approx(1.0, abs=0.1)
    lost = np.where(x > 0, 0.0, -np.inf)
    assert np.all(x[resample(lost, rng)] > 0)
