"""A model is read back as it was written, and damaged files are refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.saving.file import DATA_FILE, MODEL_FILE
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import InputError
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model


@pytest.fixture
def model() -> WorldModel:
    rival = Case({"th": "w", "w": "-a*th + b*th**3"}, {"a": 2.4, "b": 0.31}, cases.PENDULUM.start)
    return make_model(cases.PENDULUM, relative_error=1 / 3, rivals=[(rival, 0.1)])


def assert_same(a: WorldModel, b: WorldModel) -> None:
    for one, other in zip(a.systems, b.systems, strict=True):
        assert one.weight == other.weight and one.score == other.score
        assert one.fitted.system == other.fitted.system
        assert [e.free for e in one.fitted.system.equations] == [e.free for e in other.fitted.system.equations]
        assert np.array_equal(one.fitted.covariance, other.fitted.covariance)
        assert all(np.array_equal(s, t) for s, t in zip(one.fitted.starts, other.fitted.starts, strict=True))
        for key in ("chi2", "count", "noise"):
            assert np.array_equal(getattr(one.fitted, key), getattr(other.fitted, key))
    for r, s in zip(a.data.runs, b.data.runs, strict=True):
        assert r.name == s.name
        for key in ("time", "states", "actions", "rows"):
            assert np.array_equal(getattr(r, key), getattr(s, key), equal_nan=True)
    assert (a.data.states, a.data.actions, a.data.units) == (b.data.states, b.data.actions, b.data.units)
    assert (a.remarks, a.effective_rows, dict(a.settings)) == (b.remarks, b.effective_rows, dict(b.settings))


def test_a_model_comes_back_as_it_was(model: WorldModel, tmp_path: Path) -> None:
    assert model.save(tmp_path / "m") == tmp_path / "m" / MODEL_FILE
    again = WorldModel.load(tmp_path / "m")
    assert_same(model, again)
    first, second = (m.rollout(until=12.0, n_samples=20) for m in (model, again))
    assert np.array_equal(first.states, second.states) and np.array_equal(first.noise, second.noise)


def test_delays_gaps_runs_and_names_come_back(tmp_path: Path) -> None:
    base = make_model(Case({"x": "-k*x + u"}, {"k": 0.1 + 0.2}, [1.0], inputs={"u": (0.0, 1.0)}))
    system = replace(base.system, delays=(Delay("x_late", "x", 0.7),), hold="zero", time="t")
    states = np.array([[1.0], [np.nan], [1 / 3], [0.1]])
    runs = tuple(Run(name, np.arange(4.0), states, np.ones((4, 1)), np.arange(4)) for name in ("a, b", 'say "c"'))
    data = Trajectories(runs, "t", ("x",), ("u",), {"t": "s", "x": "m"}, "two runs")
    fitted = replace(base.best, system=system, starts=(np.ones(1), np.full(1, np.inf)), misfit=np.inf)
    found = Discovered((WeightedSystem(fitted, np.inf, 1.0),), Smoothed(data, ()), (4,), ("Ä remark",), 1.5)
    model = WorldModel(found, {"seed": 3, "hold": "zero"})
    model.save(tmp_path)
    assert_same(model, WorldModel.load(tmp_path))


def change(folder: Path, edit: Any) -> None:
    content = json.loads((folder / MODEL_FILE).read_text())
    edit(content)
    (folder / MODEL_FILE).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(schema="hypo-world-model/99"), "has schema 'hypo-world-model/99', but this version"),
        (lambda c: c.update(schema="other"), "is no world model of hypo"),
        (lambda c: c.pop("systems"), 'no entry "systems"'),
        (lambda c: c.update(systems=[]), 'the entry "systems" is empty'),
        (lambda c: c["systems"][0].update(weight=3), "a weight is 3"),
        (lambda c: c["systems"][0].update(covariance=[[1.0, 2.0]]), 'the entry "covariance" has the shape'),
        (lambda c: c["systems"][0].update(noise=["x", 1.0]), 'the entry "noise" is no array of numbers'),
        (lambda c: c["systems"][0]["system"]["equations"]["w"].update(expression="import os"), "cannot be read"),
        (lambda c: c["systems"][0]["system"]["equations"]["w"].update(numbers=[]), "are not those of its entry"),
        (lambda c: c["systems"][0]["system"]["equations"].pop("w"), 'has no law of "w"'),
        (lambda c: c["systems"][0]["system"].update(shared=[7]), 'the entry "shared" does not number'),
        (lambda c: c["systems"][0].update(starts=[]), "has not one start for each"),
        (lambda c: c["systems"][0]["system"].update(measured=-1), "are not those of the data"),
        (lambda c: c["systems"][0]["system"].update(actions=["u"]), "are not those of the data"),
        (lambda c: c["data"].update(rows=3), "and not 3"),
        (lambda c: c.update(user_operators=["plop"]), "plop"),
    ],
)
def test_damaged_files_are_refused(model: WorldModel, tmp_path: Path, edit: Any, message: str) -> None:
    model.save(tmp_path)
    change(tmp_path, edit)
    with pytest.raises(InputError, match=message):
        WorldModel.load(tmp_path)


def test_what_is_not_there_is_said(model: WorldModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no world model at"):
        WorldModel.load(tmp_path / "none")
    model.save(tmp_path)
    (tmp_path / DATA_FILE).write_text((tmp_path / DATA_FILE).read_text().replace("0.0", "0.5", 1))
    with pytest.raises(InputError, match=r"trajectories.csv, were changed"):
        WorldModel.load(tmp_path)
    (tmp_path / DATA_FILE).unlink()
    with pytest.raises(InputError, match="are not beside it"):
        WorldModel.load(tmp_path)
    (tmp_path / MODEL_FILE).write_text("{")
    with pytest.raises(InputError, match="cannot read"):
        WorldModel.load(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(model: WorldModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write the model to"):
        model.save(tmp_path / "file" / "m")
