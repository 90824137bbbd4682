"""Searches that go on from a model, and models of shards as one; whole searches in :mod:`tests.dynamics.test_workers`."""

import math
from dataclasses import replace

import numpy as np
import pytest

import hypo
from hypo.dynamics.discovery.discovered import WeightedSystem
from hypo.dynamics.discovery.join import join
from hypo.dynamics.model.saving.together import begin_from
from hypo.errors import InputError
from tests.dynamics.cases import free
from tests.dynamics.report.models import spring

SETTINGS = {"order": 1, "seed": 0, "time_limit": 60.0, "turns": 1, "shard": None}


@pytest.fixture
def model():
    return hypo.WorldModel(spring().discovered, SETTINGS)


def of_shard(model, number, of, systems=None, **settings):
    found = model.discovered if systems is None else replace(model.discovered, systems=systems)
    return hypo.WorldModel(found, {**SETTINGS, "shard": [number, of], **settings})


def other(fitted, text):
    system = fitted.system.with_equation(1, free(text))
    return replace(fitted, system=system, covariance=np.eye(len(system.parameters)))


def test_a_search_goes_on_from_a_model_or_its_folder(model, tmp_path):
    assert begin_from(model, model.data, {**SETTINGS, "time_limit": 5.0, "turns": 3}) is model.discovered
    model.save(tmp_path)
    again = begin_from(tmp_path, model.data, SETTINGS)
    assert [s.score for s in again.systems] == [s.score for s in model.discovered.systems]


def test_turns_are_saved(model, tmp_path):
    found = replace(model.discovered, turns=3, is_cut=True)
    hypo.WorldModel(found, SETTINGS).save(tmp_path)
    again = hypo.WorldModel.load(tmp_path).discovered
    assert (again.turns, again.is_cut) == (3, True)


def changed(data, **fields):
    return replace(data, runs=(replace(data.runs[0], **fields), *data.runs[1:]))


def test_other_data_are_refused_with_what_differs(model):
    data = model.data
    run = data.runs[0]
    states = run.states.copy()
    states[2, 0] += 1.0
    for given, words in (
        (changed(data, states=states), r"there x is .* at t = .*, here"),
        (replace(data, time="h"), "there the column of times is t, here h"),
        (replace(data, states=("x", "w")), "there the states are x, v, here x, w"),
        (changed(data, time=run.time + 0.5), "their times differ"),
        (changed(data, name="other"), "there a run is"),
        (
            changed(data, **{k: getattr(run, k)[:-1] for k in ("time", "states", "actions", "rows")}),
            "there the number of rows is",
        ),
    ):
        with pytest.raises(InputError, match=f"the model to resume is of other data: {words}"):
            begin_from(model, given, SETTINGS)


def test_other_settings_are_refused_with_what_differs(model):
    with pytest.raises(InputError, match="was made with seed = 0, and not 7; resume with the same"):
        begin_from(model, model.data, {**SETTINGS, "seed": 7})
    with pytest.raises(InputError, match="was made with knowledge = None, and not"):
        begin_from(model, model.data, {**SETTINGS, "knowledge": {"positive": ["x"]}})
    with pytest.raises(InputError, match="the model to resume is neither a world model nor a folder of one: 3"):
        begin_from(3, model.data, SETTINGS)
    with pytest.raises(InputError, match="is merged from shards; resume these"):
        begin_from(hypo.WorldModel(model.discovered, {**SETTINGS, "shards": {}}), model.data, SETTINGS)


def test_weights_of_shards_are_weighed_anew(model):
    fitted = model.best
    near, far = other(fitted, "-4*x - 0.5*v**3"), other(fitted, "-4*x**3")
    one = (WeightedSystem(fitted, -10.0, 0.75), WeightedSystem(far, -10.0 - math.log(1 / 3), 0.25))
    two = (WeightedSystem(near, -10.0, 0.5), WeightedSystem(fitted, -10.0, 0.5))
    found = join([replace(model.discovered, systems=s, turns=1) for s in (one, two)])
    assert [s.weight for s in found.systems] == pytest.approx([3 / 7, 3 / 7, 1 / 7])
    assert found.turns == 2 and found.systems[2].fitted is far


def test_merged_shards(model, tmp_path):
    worse = (WeightedSystem(other(model.best, "-4*x**3"), 5.0, 1.0),)
    best = model.discovered.systems[0]
    shards = [of_shard(model, 1, 3), of_shard(model, 3, 3, worse)]
    merged = hypo.WorldModel.merge(shards)
    assert merged.best is best.fitted and "shard 2 of 3 had no part in this model" in merged.remarks
    assert merged.settings["shards"] == {"of": 3, "merged": [1, 3], "missing": [2]}
    assert np.isclose(sum(s.weight for s in merged.systems), 1.0)
    for k, shard in enumerate(shards):
        shard.save(tmp_path / str(k))
    again = hypo.WorldModel.merge(tmp_path / "1", tmp_path / "0")
    assert [s.weight for s in again.systems] == [s.weight for s in merged.systems]


def test_what_cannot_be_merged(model):
    one = of_shard(model, 1, 2)
    moved = hypo.WorldModel(replace(model.discovered, smoothed=replace(model.discovered.smoothed, data=changed(
        model.data, time=model.data.runs[0].time + 1.0))), one.settings)  # fmt: skip
    for given, words in (
        ((), "there is nothing to merge"),
        ((model,), "model 1 is not the model of a shard"),
        ((one, one), "shard 1 of 2 is there twice, in model 1 and model 2"),
        ((one, of_shard(model, 2, 3)), "different splits, into 2 and 3 shards"),
        ((one, of_shard(model, 2, 2, seed=5)), "differ in the setting seed"),
        ((one, moved), "are of different data"),
    ):
        with pytest.raises(InputError, match=words):
            hypo.WorldModel.merge(*given)
