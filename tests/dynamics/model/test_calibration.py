"""Bands of rollouts hold: fits of simulated data, rolled out beyond them, contain the truth as often as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.rollouts.abduction import find_segment
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed, smooth_all
from tests.dynamics.model import cases
from tests.dynamics.model.cases import make_data, make_model, make_system, simulate

SETS = 60
LEVELS = (0.5, 0.8, 0.95)


@pytest.fixture(scope="module")
def fitted_models() -> list[WorldModel]:
    out = []
    for seed in range(SETS):
        data = make_data(cases.DAMPED, noise=0.08, n=25, seed=seed)
        fitted = fit_system(make_system(cases.DAMPED), data, smooth_all(data), effort="full")
        assert fitted is not None
        found = Discovered((WeightedSystem(fitted, 0.0, 1.0),), Smoothed(data, ()), (10, 10))
        out.append(WorldModel(found))
    return out


@pytest.mark.slow
def test_bands_hold_beyond_the_data(fitted_models: list[WorldModel]) -> None:
    times = np.array([0.0, 5.0, 10.0, 13.0])
    true = simulate(cases.DAMPED, times)
    rng = np.random.default_rng(1)
    held = {level: np.zeros(2) for level in LEVELS}
    for model in fitted_models:
        r = model.rollout(times=times, n_samples=200)
        sd = np.array([model.noise[s] for s in model.states])
        measured = true[-1] + 0.08 * simulate(cases.DAMPED, np.linspace(0.0, 10.0, 25)).std(0) * rng.standard_normal(2)
        for level in LEVELS:
            low, high = np.quantile(r.states[:, -1], (0.5 - level / 2, 0.5 + level / 2), axis=0)
            held[level][0] += np.mean((true[-1] >= low) & (true[-1] <= high))
            low, high = (end[-1] for end in r.band(level))
            held[level][1] += np.mean((measured >= low) & (measured <= high))
        assert np.all(sd > 0)
    for level, share in held.items():
        # Both states of one data set count as one: their errors go together.
        error = np.sqrt(level * (1 - level) / SETS)
        assert np.all(np.abs(share / SETS - level) < 3 * error), (level, share / SETS)


@pytest.mark.slow
def test_starts_found_from_a_run_are_those_of_the_fit(fitted_models: list[WorldModel]) -> None:
    model = fitted_models[0]
    known = model.best.segments[0]
    alone = replace(model.best, segments=())
    found = find_segment(alone, model.data, model.data.runs[0], 0)
    sd = np.sqrt(np.diag(known.covariance))
    assert np.all(np.abs(found.start - known.start) < 0.2 * sd)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(sd, rel=0.25)
    size = np.sqrt(np.outer(sd**2, np.diag(model.covariance)))
    assert found.with_parameters / size == pytest.approx(known.with_parameters / size, abs=0.1)


@pytest.mark.slow
def test_draws_follow_the_likelihood_where_it_is_bent() -> None:
    # The covariance of a fit three times too large: the data bring the draws back.
    data = make_data(cases.DECAY, noise=0.05, n=20, seed=1)
    fitted = fit_system(make_system(cases.DECAY), data, smooth_all(data), effort="full")
    assert fitted is not None
    wide = replace(fitted, covariance=9.0 * fitted.covariance)
    segments = tuple(replace(s, with_parameters=9.0 * s.with_parameters) for s in fitted.segments)
    model, wider = (
        WorldModel(Discovered((WeightedSystem(f, 0.0, 1.0),), Smoothed(data, ()), (10,)))
        for f in (fitted, replace(wide, segments=segments))
    )
    ends = [np.std(m.rollout({"x": 3.0}, until=2.0, n_samples=250).states[:, -1, 0]) for m in (model, wider)]
    assert ends[1] == pytest.approx(ends[0], rel=0.35)


def test_weights_and_shares_agree_with_a_fixed_model() -> None:
    model = make_model(cases.DECAY, relative_error=0.1)
    r = model.rollout({"x": 3.0}, until=1.0, n_samples=500)
    assert r.weights.tolist() == [1.0] and len(np.unique(r.states[:, -1, 0])) == 500
