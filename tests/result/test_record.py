"""The record of a fit: what a file holds comes back as it was, older files are read, damage is named, nobody changes it."""

import copy
import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.failures import Failure
from hypo.likelihood.family import ColumnNoise
from hypo.likelihood.registry import make_family
from hypo.result.entries import Damaged
from hypo.result.record import FittedTable, Record, SearchSettings
from hypo.result.unit_system import StatedConstant, UnitSystem
from hypo.scoring.prior import Prior

# A minute in SI units.
MINUTE = 60.0


def units(**changes: Any) -> UnitSystem:
    system = UnitSystem(
        target="s",
        texts={"t": "min", "s": "km"},
        scales={"t": 1.0, "n": 1.0, "s": 1.0},
        constants={"v": 3.6},
        stated={"v": StatedConstant(3.6, "km/hr")},
        note="in the units of the columns",
    )
    return replace(system, **changes)


def record(**changes: Any) -> Record:
    """A record with something in every field."""
    table = FittedTable(
        target="s",
        features=("t", "n"),
        columns=("t", "n", "left_out"),
        ranges={"t": (0.0, 2.0), "n": (1.0, 5.0)},
        n_row=12,
        n_dropped=1,
        notes=("1 row was left out",),
        thousands=",",
        has_sigma=True,
        x_sigma={"t": 0.5},
        y_sigma=2.0,
    )
    made = Record(
        version="0.1.0",
        seed=3,
        data_sha256="00ff",
        table=table,
        units=units(),
        knowledge={"constants": {"v": {"value": 3.6, "unit": "km/hr"}}, "grammar": {"max_complexity": 9}},
        search=SearchSettings(
            {"time_limit": 2.0, "max_complexity": 30, "likelihood": {"kind": "gaussian"}, "model_selection": "score"}
        ),
        packages={"python": "3.12"},
        doubts=("the noise is not constant",),
        guess=1,
        selection={"note": "by two folds"},
        prior=Prior(5, 4.0, 0, 2.0, 30, {"t": 3.5}),
        failures=(Failure("the posterior", "ValueError: no", "laplace.py", theirs=True),),
        others={"later": [1]},
    )
    return replace(made, **changes)


def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(record().as_dict()))
    return content


def test_a_record_comes_back_from_its_file() -> None:
    assert Record.from_dict(manifest()) == record()
    # Byte by byte: entries have an order, and whole numbers stay whole.
    assert json.dumps(Record.from_dict(manifest()).as_dict()) == json.dumps(record().as_dict())


def test_what_there_is_not_is_not_written() -> None:
    plain = record(guess=None, selection=None, prior=None, failures=(), others={})
    assert list(plain.as_dict()) == ["version", "seed", "data_sha256", "settings", "packages", "doubts"]
    assert "thousands" not in replace(plain, table=FittedTable("s", ("t",))).settings()


@pytest.mark.parametrize(
    "name",
    [
        *("columns", "ranges", "unit_note", "knowledge", "n_row", "n_dropped", "notes", "thousands"),
        *("sigma", "weights", "trials", "censored", "time_limit", "max_complexity", "likelihood"),
    ],
)
def test_older_files_lack_entries_and_get_none(name: str) -> None:
    content = manifest()
    del content["settings"][name]
    found = Record.from_dict(content)
    assert found.as_dict() == content
    assert found != record() and found.table.order


def test_older_files_name_the_columns_with_errors_alone() -> None:
    content = manifest()
    content["settings"] |= {"x_sigma": ["t"], "y_sigma": None}
    found = Record.from_dict(content)
    assert found.as_dict() == content
    assert found.table.x_sigma == {"t": None} and found.table.known_x_sigma == {}
    assert found.likelihood == make_family() and found.likelihood.column_noise is None


@pytest.mark.parametrize(
    "name", ["target", "features", "units", "scales", "constants", "version", "data_sha256", "seed"]
)
def test_an_entry_that_must_be_there_is_named(name: str) -> None:
    content = manifest()
    del (content if name in content else content["settings"])[name]
    with pytest.raises(Damaged, match=f'no entry "{name}"'):
        Record.from_dict(content)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_row", 1.5, 'the entry "n_row" is not a whole number'),
        ("sigma", "yes", 'the entry "sigma" is not true or false'),
        ("units", {"t": 1}, 'a member of the entry "units" is not a text'),
        ("x_sigma", {"t": "a"}, 'a member of the entry "x_sigma" is not a number'),
        ("y_sigma", None, 'the entry "y_sigma" is not a number'),
        ("likelihood", {"kind": "none"}, 'the entry "likelihood" names none'),
        ("knowledge", {"constants": {"v": {"value": 1.0}}}, 'no entry "unit"'),
        ("time_limit", "long", 'the entry "time_limit" is not a number'),
    ],
)
def test_an_entry_of_another_type_is_named(name: str, value: Any, message: str) -> None:
    content = manifest()
    content["settings"][name] = value
    with pytest.raises(Damaged, match=message):
        Record.from_dict(content)


def test_the_least_limit_of_a_formula_counts() -> None:
    assert record().max_complexity == 9
    assert record(knowledge={}).max_complexity == 30
    assert record(knowledge={}, search=SearchSettings({})).max_complexity is None


def test_the_likelihood_has_the_errors_of_the_columns() -> None:
    found = record(search=SearchSettings({"likelihood": {"kind": "gaussian"}})).likelihood
    assert (found.kind, found.column_noise) == ("gaussian", ColumnNoise(2.0, {"t": 0.5}))


def test_units_in_si() -> None:
    si = units().to_si()
    assert dict(si.texts) == {"t": "s", "s": "m"}
    assert si.constants == {"v": pytest.approx(1.0)}
    assert units().factor_to_si("t") == MINUTE and units().factor_to_si("n") == 1.0
    table = record().table.scaled(units().factor_to_si)
    assert table.ranges == {"t": (0.0, 2 * MINUTE), "n": (1.0, 5.0)}
    assert table.x_sigma == {"t": 0.5 * MINUTE} and table.y_sigma == 2000.0


def test_formulas_go_to_si_and_back() -> None:
    law = parse("v*t/60 + 2", variables=["t"], constants={"v": 3.6})
    there = units().way_to_si("gaussian").formula(law)
    back = units().way_from_si("gaussian").formula(there)
    t = np.array([[1.0], [2.5]])
    in_km, in_m = evaluate(law, t, ["t"]), evaluate(there, MINUTE * t, ["t"])
    assert in_km == pytest.approx([2.06, 2.15]) and in_m == pytest.approx(1000.0 * in_km)
    assert evaluate(back, t, ["t"]) == pytest.approx(in_km)


def test_a_unit_that_cannot_be_read_is_said() -> None:
    with pytest.raises(hypo.InputError, match="the result has a unit that cannot be read"):
        units(texts={"t": "florps", "s": "m"}).to_si()


def test_results_of_older_versions_are_in_other_units() -> None:
    old = units(scales={"t": MINUTE, "s": 1000.0}, constants={"v": 1.0})
    assert units().is_of_columns and not old.is_of_columns
    new = old.to_columns()
    assert new.is_of_columns and new.constants == {"v": 3.6} and new.note == ""


def test_nobody_changes_a_manifest() -> None:
    result = hypo.fit({"x": [1, 2, 3, 4, 5], "y": [2, 4, 6, 8, 10]}, "y", time_limit=1, progress=False)
    for shown in (result.manifest, result.settings, result.manifest["settings"]["knowledge"]):
        with pytest.raises(TypeError, match="cannot be changed; copy it first"):
            shown["seed"] = 1
        with pytest.raises(TypeError, match="cannot be changed; copy it first"):
            shown.update(seed=1)
    assert json.loads(json.dumps(result.manifest)) == result.to_dict()["manifest"]
    for copied in (copy.deepcopy(result.manifest), pickle.loads(pickle.dumps(result.manifest))):  # noqa: S301
        assert copied == result.manifest
        copied["seed"] = 1
    again = pickle.loads(pickle.dumps(result))  # noqa: S301
    assert again.record == result.record
