"""Rollouts under random forces: spreads against closed forms, kept apart from the other bands, and saved."""

from dataclasses import replace

import numpy as np
import pytest

from hypo.dynamics.calibration.forcing import Forcing
from hypo.dynamics.model.world_model import WorldModel
from tests.dynamics.model.cases import DECAY, make_model

LEVEL = 0.4


@pytest.fixture(scope="module")
def model():
    calm = make_model(DECAY)
    forcing = Forcing(np.array([LEVEL]), np.array([0.02]), np.array([0.5]))
    return WorldModel(replace(calm.discovered, forcing=forcing))


def test_the_spread_is_that_of_the_closed_form(model):
    """Ornstein and Uhlenbeck: variance q²(1 - exp(-2kt))/(2k)."""
    n, k = 4000, model.constants[next(iter(model.constants))][0]
    found = model.rollout({"x": 3.0}, until=4.0, n_samples=n, seed=1)
    t = found.time - found.time[0]
    expected = LEVEL * np.sqrt((1 - np.exp(-2 * k * t)) / (2 * k))
    assert np.std(found.process[:, :, 0], axis=0)[1:] == pytest.approx(expected[1:], rel=0.06)
    low, high = found.band(0.9, of="process")
    assert (high - low)[-1, 0] == pytest.approx(2 * 1.645 * expected[-1], rel=0.08)
    whole = np.diff(found.band(0.9), axis=0)[0]
    assert np.all(whole[1:] > (high - low)[1:] * 0.98)


def test_the_other_bands_are_those_without_forces(model):
    calm = WorldModel(replace(model.discovered, forcing=None))
    one, other = (m.rollout({"x": 3.0}, until=4.0, n_samples=50, seed=2) for m in (model, calm))
    assert np.array_equal(one.states, other.states)
    assert other.process is None and not np.any(np.subtract(*other.band(of="process")))
    assert one.noise == pytest.approx(0.5 * other.noise)


def test_levels_are_told_and_saved(model, tmp_path):
    assert model.process_noise == {"x": (LEVEL, 0.02)}
    model.save(tmp_path)
    again = WorldModel.load(tmp_path)
    assert again.process_noise == model.process_noise
    one, other = (m.rollout({"x": 3.0}, until=2.0, n_samples=20, seed=3).process for m in (model, again))
    assert np.array_equal(one, other)
