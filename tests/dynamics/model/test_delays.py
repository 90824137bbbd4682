"""Models of laws that look back: rollouts with a recorded or a constant past, names and errors of lags, files, what-ifs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.kinds import make_kind
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.options import DelayRange, Options
from hypo.dynamics.report.agreement import measure_agreement
from hypo.dynamics.report.equations import describe_laws
from hypo.dynamics.report.text import write_report
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.errors import InputError
from tests.dynamics.cases import delayed_logistic, free


@pytest.fixture(scope="module")
def model() -> WorldModel:
    """x' = 1.2 x (1 - x(t - 1.5)/2), fitted with its lag between 0.5 and 2."""
    data = delayed_logistic(noise=0.01)
    smoothed = smooth_all(data)
    kind = make_kind(data, smoothed, Options(delays=(DelayRange("x", 0.5, 2.0),)))
    fitted = fit_system(kind.system([free("1.1*x - 0.5*x*x_before")]), data, smoothed, effort="full")
    assert fitted is not None
    return WorldModel(Discovered((WeightedSystem(fitted, 0.0, 1.0),), smoothed, (20,)), {"seed": 0})


def test_the_lag_is_a_constant_with_an_error(model: WorldModel) -> None:
    value, error = model.constants["tau"]
    assert abs(value - 1.5) < 4 * error < 0.02
    (only,) = describe_laws(model.best, model.data)
    assert only.lettered_text == "dx/dt = c1*x - c2*x*x(t - tau)"
    assert "x(t - 1." in only.text()
    assert "x(t - 1." in only.latex
    assert [row.name for row in only.constants] == ["c1", "c2", "tau"]
    assert "\ntau " in write_report(model)


def test_the_recorded_past_is_what_rollouts_begin_with(model: WorldModel) -> None:
    r = model.rollout(n_samples=50, seed=1)
    run = begin_run(model.best, model.data.runs[0], 0)
    # Rows up to the largest lag are past alone.
    assert r.time[0] == run.time[0] >= 2.0
    assert run.past is not None and run.past[0][0] <= r.time[0] - 1.5
    truth = delayed_logistic().runs[0].states[-len(r.time) :, 0]
    assert np.abs(r.median[:, 0] - truth).max() < 0.03
    low, high = r.band(0.95)
    measured = run.states[:, 0]
    assert np.mean((measured >= low[:, 0]) & (measured <= high[:, 0])) > 0.85
    with pytest.raises(InputError, match="times begin at 0, before the recorded run does for laws that look back at"):
        model.rollout(times=[0.0, 5.0])


def test_a_start_has_long_been_as_it_is(model: WorldModel) -> None:
    r = model.rollout({"x": 0.5}, until=10.0, n_samples=5)
    run = delayed_logistic(until=10.0, n=201).runs[0]
    assert np.abs(np.interp(run.time, r.time, r.median[:, 0]) - run.states[:, 0]).max() < 0.05


def test_agreement_counts_the_rows_that_are_predicted(model: WorldModel) -> None:
    fitted, given = measure_agreement(model.best, model.data)
    assert fitted.total > 0.999
    assert given.total > 0.99


def test_another_run_is_predicted_from_where_its_past_is_known(model: WorldModel) -> None:
    run = delayed_logistic(noise=0.01, seed=5).runs[0]
    score = model.score((run.time, run.states))
    assert score.r2["x"] > 0.97
    assert score.n_sample < len(run.time) - 10


def test_a_what_if_sets_the_lag(model: WorldModel) -> None:
    found = model.counterfactual(do={"tau": 0.6}, n_samples=20)
    # With r·tau < π/2 the logistic law comes to rest at its capacity.
    assert np.ptp(found.changed.median[-20:, 0]) < 0.2 < np.ptp(found.factual.median[-20:, 0])


def test_models_with_delays_come_back_from_files(model: WorldModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = WorldModel.load(tmp_path)
    assert again.system.delays == model.system.delays
    first, second = (m.rollout(n_samples=20, seed=3) for m in (model, again))
    assert np.array_equal(first.states, second.states)
