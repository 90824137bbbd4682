"""What-ifs of recorded runs against simulations of the changed law from the true start; other runs scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.discovery.discovered import WeightedSystem
from hypo.dynamics.model.score import score_runs
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import DataError, InputError
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, inputs_at, make_data, make_model, simulate

DRIVEN = Case({"x": "v", "v": "-k*x - b*v + u"}, {"k": 2.0, "b": 0.3}, [1.0, 0.0], inputs={"u": (-1.0, 1.0)})


def assert_within(band: tuple[np.ndarray, np.ndarray], true: np.ndarray, least: float = 0.8) -> None:
    low, high = band
    wide = 1e-6 + 0.02 * np.ptp(true, axis=0)
    assert np.mean((true >= low - wide) & (true <= high + wide)) >= least
    assert np.max(high - low) < np.ptp(true)


def test_without_friction() -> None:
    model = make_model(cases.DAMPED, noise=0.03, relative_error=0.005)
    found = model.counterfactual(0, do={"b": 0.0})
    free = Case(cases.DAMPED.laws, {"a": 2.5, "b": 0.0}, cases.DAMPED.start)
    assert_within(found.band(0.95), simulate(free, found.time))
    as_it_was = simulate(cases.DAMPED, found.time)
    assert_within(found.effect_band(0.95), simulate(free, found.time) - as_it_was)
    assert found.remarks == ()


def test_a_run_keeps_its_errors() -> None:
    model = make_model(cases.DAMPED, noise=0.05)
    found = model.counterfactual(do={"b": 0.2}, n_samples=5)
    # Nothing is changed: the samples would have been what they were.
    assert found.measured() == pytest.approx(np.repeat(found.observed[None], 5, axis=0), abs=1e-9)
    assert np.all(found.effect == 0)
    changed = model.counterfactual(do={"b": 0.0}, n_samples=5)
    assert changed.measured() - changed.observed == pytest.approx(changed.effect, abs=1e-9)


def test_medians_and_bands_are_of_states() -> None:
    found = make_model(cases.DAMPED, noise=0.05, relative_error=0.01).counterfactual(do={"b": 0.0})
    for part in (found.factual, found.changed):
        low, high = part.band(0.9)
        assert np.all((low <= part.median) & (part.median <= high)) and np.all((high - low)[1:] > 0)
    assert np.array_equal(found.band(0.9), found.changed.band(0.9))
    assert "th: " in str(found) and " as it would have been; effect " in str(found)


def test_another_input_and_another_law() -> None:
    model = make_model(DRIVEN, noise=0.02)
    still = Case({"x": "v", "v": "-k*x - b*v"}, DRIVEN.constants, DRIVEN.start)
    for found in (model.counterfactual(0, {"u": 0.0}), model.counterfactual(0, do={"u": 0})):
        assert np.median(found.changed.states, axis=0) == pytest.approx(simulate(still, found.time), abs=0.02)
    law = model.counterfactual(0, do={"v": "-2*k*x - b*v"})
    stiff = Case({"x": "v", "v": "-2*k*x - b*v"}, DRIVEN.constants, DRIVEN.start)
    assert np.median(law.changed.states, axis=0) == pytest.approx(simulate(stiff, law.time), abs=0.02)
    held = model.counterfactual(0, do={"v": 0})
    slopes = np.gradient(held.changed.states[0, :, 0], held.time)
    assert slopes == pytest.approx(np.full(len(slopes), slopes[0]), abs=1e-3)


def test_half_as_fast() -> None:
    """Constants as formulas of what they were, draw by draw."""
    model = make_model(cases.DAMPED, noise=0.02, relative_error=0.01)
    slow = model.counterfactual(do={"b": "b/2", "a": "a*b/0.2"}, n_samples=8)
    law = model.counterfactual(do={"w": "-a*b/0.2*sin(th) - b*w/2"}, n_samples=8)
    assert slow.changed.states == pytest.approx(law.changed.states, rel=1e-4, abs=1e-4)
    assert model.counterfactual(do={"b": "1/4"}).effect == pytest.approx(model.counterfactual(do={"b": 0.25}).effect)


def test_with_order_2_a_state_names_its_acceleration() -> None:
    base = make_model(Case({"x": "x_dot", "x_dot": "-k*x"}, {"k": 2.0}, [1.0, 0.0]))
    data = replace(base.data, states=("x",), units={"t": "s", "x": "m"})
    data = replace(data, runs=tuple(replace(run, states=run.states[:, :1]) for run in data.runs))
    fitted = replace(base.best, system=replace(base.system, measured=1), noise=base.best.noise[:1])
    smoothed = replace(base.discovered.smoothed, data=data)
    model = WorldModel(replace(base.discovered, systems=(WeightedSystem(fitted, 0.0, 1.0),), smoothed=smoothed))
    by_state, by_speed = (model.counterfactual(do={name: "-2*k*x"}, n_samples=4) for name in ("x", "x_dot"))
    assert np.array_equal(by_state.changed.states, by_speed.changed.states)
    t = by_state.time
    assert by_state.changed.states[0, :, 0] == pytest.approx(np.cos(2.0 * t), abs=0.05)
    with pytest.raises(InputError, match="do sets the law of x_dot twice"):
        model.counterfactual(do={"x": "-x", "x_dot": "-x"})
    assert by_state.changed.units["x_dot"] == "m/s"
    assert model.rollout({"x": 1.0, "x_dot": 0.0}, until=1.0).plot().axes[1].get_ylabel() == "x_dot [m/s]"


def test_a_new_run_and_its_start() -> None:
    model = make_model(cases.DAMPED, noise=0.03)
    other = Case(cases.DAMPED.laws, cases.DAMPED.constants, [-0.7, 1.1])
    data = make_data(other, noise=0.03, seed=4)
    found = model.counterfactual(data, do={"b": 0.0})
    assert np.mean(found.factual.states[:, 0], axis=0) == pytest.approx([-0.7, 1.1], abs=0.05)
    free = Case(other.laws, {"a": 2.5, "b": 0.0}, other.start)
    assert_within(found.band(0.99), simulate(free, found.time))


def test_positions_alone_give_the_speed_at_the_start() -> None:
    from dataclasses import replace

    full = make_model(cases.DAMPED, noise=0.02)
    run = full.data.runs[0]
    data = Trajectories((Run("", run.time, run.states[:, :1], run.actions, run.rows),), "t", ("th",))
    system = replace(full.best.system, measured=1)
    fitted = replace(full.best, system=system, noise=full.best.noise[:1], count=np.array([60.0]), chi2=np.array([60.0]))
    model = type(full)(
        type(full.discovered)((replace(full.systems[0], fitted=fitted),), type(full.smoothed)(data, ()), (5,))
    )
    found = model.counterfactual(data, do={"b": 0.0})
    assert found.factual.states[:, 0, 1].mean() == pytest.approx(0.0, abs=0.1)
    free = Case(cases.DAMPED.laws, {"a": 2.5, "b": 0.0}, cases.DAMPED.start)
    assert_within(found.band(0.99), simulate(free, found.time))
    assert found.measured().shape == (100, 60, 1)


def test_rivals_without_the_constant_are_left_out() -> None:
    rival = Case({"th": "w", "w": "-q*th - s*w"}, {"q": 2.2, "s": 0.2}, cases.DAMPED.start)
    model = make_model(cases.DAMPED, rivals=[(rival, 0.3)])
    found = model.counterfactual(do={"b": 0.0})
    assert found.remarks[0] == "30 of 100 draws are of systems without what do sets, and are left out"
    assert len(found.changed.states) == 70
    everyone = model.counterfactual(do={"w": "-3*th"})
    assert len(everyone.changed.states) == 100


def test_a_law_that_misses_something_is_said() -> None:
    model = make_model(cases.DAMPED)
    t = np.linspace(0.0, 10.0, 60)
    bent = simulate(cases.DAMPED, t) + 0.5 * np.sin(t)[:, None]
    data = Trajectories((Run("", t, bent, np.empty((60, 0)), np.arange(60)),), "t", ("th", "w"))
    assert "come in long waves" in model.counterfactual(data, do={"b": 0.0}).remarks[0]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "a counterfactual changes something"),
        (
            {"do": {"q": 1.0}},
            'do sets "q", which is no part of the law; it has the constants k, b; states x, v; inputs u',
        ),
        ({"do": {"k": "much"}}, "do sets \"k\" to 'much'; give a number, or a formula of the constants k, b"),
        ({"do": {"k": "2*("}}, "give a number, or a formula of the constants k, b: cannot read"),
        ({"do": {"k": [1]}}, r"do sets \"k\" to \[1\]; give a number"),
        ({"do": {"v": "-k*y"}}, 'the law of "v" in do has the unknown name "y"'),
        ({"do": {"v": "-k*("}}, 'the law of "v" in do: cannot read the formula'),
        ({"do": 3}, "do must be a table such as"),
        ({"do": {"k": 1.0}, "trajectory": "monday"}, "there is no run 'monday'"),
    ],
)
def test_bad_input(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_model(DRIVEN).counterfactual(**kwargs)  # type: ignore[arg-type]


def test_scores_of_other_runs() -> None:
    model = make_model(cases.DAMPED, noise=0.03, relative_error=0.01)
    wrong = make_model(Case(cases.DAMPED.laws, {"a": 2.2, "b": 0.2}, cases.DAMPED.start), noise=0.03)
    other = Case(cases.DAMPED.laws, cases.DAMPED.constants, [-0.7, 1.1])
    data = make_data(other, noise=0.03, seed=4)
    good, bad = model.score(data), wrong.score(data)
    assert good.r2["th"] > 0.98 > bad.r2["th"] and good.r2_fitted["th"] >= good.r2["th"] - 1e-3
    assert good.log_likelihood > bad.log_likelihood + 10 and good.n_sample == 118
    # The likelihood of a run whose errors are all of measurement is that of independent errors, nearly.
    exact = make_model(cases.DAMPED, noise=0.03).score(make_data(cases.DAMPED, noise=0.03, seed=9))
    sd = np.array(list(model.noise.values()))
    expected = -59 * np.sum(np.log(sd) + 0.5 * np.log(2 * np.pi) + 0.5)
    assert exact.log_likelihood == pytest.approx(expected, abs=4 * np.sqrt(59))


def test_states_that_the_first_row_lacks() -> None:
    """Where the first row has no value of a state, its start is the one that fits best, as in the report."""
    model = make_model(cases.LOTKA_VOLTERRA, noise=0.05)
    (run,) = model.data.runs
    gaps = run.states.copy()
    gaps[:6, 0] = np.nan
    found = score_runs(model, replace(model.data, runs=(replace(run, states=gaps),)))
    assert min(found.r2.values()) > 0.99 and np.isfinite(found.log_likelihood)


def test_likelihood_is_that_of_a_linear_law() -> None:
    model = make_model(cases.DECAY, noise=0.05, relative_error=0.005)
    data = make_data(cases.DECAY, noise=0.05, n=12, seed=3)
    run, sd = data.runs[0], model.best.noise[0]
    rng = np.random.default_rng(0)
    k = 0.7 * (1 + 0.005 * rng.standard_normal(200_000))
    x0 = run.states[0, 0] + sd * rng.standard_normal(len(k))
    paths = x0 * np.exp(-k * run.time[1:, None])
    logs = -0.5 * (((run.states[1:] - paths) / sd) ** 2).sum(0) - 11 * np.log(sd * np.sqrt(2 * np.pi))
    expected = np.logaddexp.reduce(logs) - np.log(len(k))
    assert score_runs(model, data).log_likelihood == pytest.approx(expected, abs=0.02)


def test_runs_of_other_columns_are_refused() -> None:
    with pytest.raises(DataError, match="has the states x and the inputs none; expected th, w and none"):
        score_runs(make_model(cases.DAMPED), make_data(cases.DECAY))
    assert inputs_at(DRIVEN, np.zeros(1)).shape == (1, 1)
