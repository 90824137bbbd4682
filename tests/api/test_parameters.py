"""The table of parameters: whatever is made of it says the same."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.api.parameters.calls import AUDIT, ESTIMATOR, FIT, SCORE, complete_arguments, list_names, list_parameters
from hypo.api.parameters.parameter import LIKELIHOOD, REQUIRED, SEARCH
from hypo.api.parameters.table import PARAMETERS
from hypo.api.parameters.write_types import PLACE, make_types_source
from hypo.checks import NO_LIMIT
from hypo.cli.main import cli, main
from hypo.problem.problem import Settings

CALLS: dict[str, Any] = {FIT: hypo.fit, SCORE: hypo.score, AUDIT: hypo.audit, ESTIMATOR: hypo.SymbolicRegressor}
# Settings of a search that say where it is done, and not what comes out.
NOT_RECORDED = {"workers", "scheduler"}

X = np.linspace(1.0, 3.0, 30)
TABLE = {"x": X, "y": 2.0 * X**2 + 0.01 * np.cos(9.0 * X)}


def test_the_types_for_editors_are_those_of_the_table() -> None:
    assert PLACE.read_text(encoding="utf-8") == make_types_source(), "run python -m hypo.api.parameters"


def test_each_row_has_a_name_of_its_own() -> None:
    names = [p.name for p in PARAMETERS]
    assert len(names) == len(set(names))
    for p in PARAMETERS:
        assert p.calls and set(p.variants) <= set(p.calls), p.name
        assert p.help.endswith("."), p.name


@pytest.mark.parametrize("call", CALLS)
def test_signatures_and_docstrings(call: str) -> None:
    shown = inspect.signature(CALLS[call]).parameters
    assert tuple(shown) == list_names(call)
    text = " ".join((inspect.getdoc(CALLS[call]) or "").split())
    for p in list_parameters(call):
        assert shown[p.name].annotation == p.type
        assert shown[p.name].default == (inspect.Parameter.empty if p.default is REQUIRED else p.default)
        assert f"{p.name}: {' '.join(p.help.split())}" in text
    assert "**settings" not in text


@pytest.mark.parametrize("call", [FIT, SCORE, AUDIT])
def test_options_of_commands(call: str) -> None:
    options = {o.name: o for o in cli.commands[call].params if isinstance(o, click.Option)}
    for p in list_parameters(call):
        if p.option is not None:
            text = p.option.help if isinstance(p.option.help, str) else p.option.help()
            record = options[p.name].get_help_record(click.Context(cli.commands[call]))
            assert record is not None and record[1].startswith(text)
            assert options[p.name].metavar == p.option.metavar


def test_what_goes_to_the_search_is_a_setting_there() -> None:
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    recorded = Settings().as_dict()
    for name in list_names(FIT, SEARCH):
        assert name in fields, f"{name} needs a field of Settings, where the search reads it"
        assert (name in recorded) == (name not in NOT_RECORDED)
    for p in list_parameters(FIT):
        if p.goes_to == SEARCH and p.default is not None:
            assert getattr(Settings(), p.name) == p.default
            assert p.convert is not None
    assert make_settings(workers=1) == Settings()


def test_settings_that_are_not_there() -> None:
    with pytest.raises(TypeError, match="there is no setting features"):
        make_settings(features="x")
    assert "dof" in list_names(FIT, LIKELIHOOD)


def test_turns_take_the_place_of_a_time_limit() -> None:
    assert complete_arguments(FIT, {})["time_limit"] == 60.0
    assert complete_arguments(AUDIT, {})["time_limit"] == 10.0
    for call in (FIT, AUDIT):
        assert complete_arguments(call, {"turns": 3})["time_limit"] == NO_LIMIT
        assert complete_arguments(call, {"turns": 3, "time_limit": 5})["time_limit"] == 5
    assert make_settings(turns=3).time_limit == NO_LIMIT
    for wrong in (0, 2.5, True, "3"):
        with pytest.raises(hypo.InputError, match="turns must be a whole number, 1 or more, got"):
            make_settings(turns=wrong)


def test_equal_turns_give_equal_answers() -> None:
    given: dict[str, Any] = {"turns": 3, "operators": "+,*,square,exp", "max_complexity": 7, "workers": 1}
    first, second = (hypo.fit(TABLE, "y", **given) for _ in range(2))
    assert first.best == second.best
    assert first.settings["turns"] == 3 and first.settings["time_limit"] == NO_LIMIT
    assert first.status in ("complete", "exact")
    model = hypo.SymbolicRegressor(**given).fit(X[:, None], TABLE["y"], variable_names=["x"])
    assert model.result_.settings["turns"] == 3 and model.result_.settings["time_limit"] == NO_LIMIT
    assert str(model.result_.expression) == str(first.expression)
    timed = hypo.SymbolicRegressor(time_limit=50, **given).fit(X[:, None], TABLE["y"])
    assert timed.result_.settings["time_limit"] == 50.0


def test_turns_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "d.csv"
    data.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(X, TABLE["y"], strict=True)))
    given = ["fit", str(data), "--target", "y", "--operators", "+,*,square", "--workers", "1", "--quiet"]
    assert main([*given, "--turns", "2", "--out", str(tmp_path / "r")]) == 0
    capsys.readouterr()
    settings = hypo.Result.load(tmp_path / "r").settings
    assert (settings["turns"], settings["time_limit"]) == (2, NO_LIMIT)
    assert main([*given, "--turns", "0", "--out", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err == "error: turns must be a whole number, 1 or more, got 0\n"
