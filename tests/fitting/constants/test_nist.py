"""The 27 non-linear fits of NIST's Statistical Reference Datasets: all certified digits that a fit can be asked for."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import hypo
from hypo.cli.main import main
from tests.oracles.places import NIST

FOLDERS = sorted(NIST.iterdir())
DIGITS = 1e-6
# Generated without noise: its sum of squares is the rounding of the data.
EXACT = {"Lanczos1"}
# Terms that may change places, or widths that may change signs, without a start that says which.
AMBIGUOUS = {"ENSO", "Eckerle4", "Gauss1", "Gauss2", "Gauss3", "Lanczos1", "Lanczos2", "Lanczos3", "MGH17"}


def load(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))


def check(description: dict[str, Any], found: dict[str, Any], parameters: bool = True) -> None:
    """Compare the constants and rmse of ``hypo-score/1`` with the certified values."""
    certified = description["fit"]
    if parameters:
        values = {c["name"]: c["value"] for c in found["constants"]}
        assert values == pytest.approx({n: c["value"] for n, c in certified["constants"].items()}, rel=DIGITS, abs=0)
    rss = found["rmse"] ** 2 * description["rows"]
    if description["name"] in EXACT:
        assert rss < 2 * certified["residual_sum_of_squares"]
    else:
        assert rss == pytest.approx(certified["residual_sum_of_squares"], rel=DIGITS)


def test_all_are_there() -> None:
    assert len(FOLDERS) == 27
    assert {load(folder)["name"] for folder in FOLDERS} == {folder.name for folder in FOLDERS}


@pytest.mark.parametrize("which", [0, 1], ids=["far", "near"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_certified_values_from_a_start(folder: Path, which: int) -> None:
    description = load(folder)
    start = {name: c["starts"][which] for name, c in description["fit"]["constants"].items()}
    found = hypo.score(description["fit"]["formula"], folder / "data.csv", description["target"], start=start)
    check(description, found.to_dict())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_certified_minimum_without_a_start(folder: Path) -> None:
    description = load(folder)
    found = hypo.score(description["fit"]["formula"], folder / "data.csv", description["target"])
    check(description, found.to_dict(), parameters=folder.name not in AMBIGUOUS)


@pytest.mark.parametrize("name", ["Misra1a", "Rat43", "MGH10", "Nelson"])
def test_command_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = NIST / name
    description = load(folder)
    constants = description["fit"]["constants"]
    first, *others = [f"{name}={c['starts'][0]}" for name, c in constants.items()]
    code = main(
        [
            "score",
            description["fit"]["formula"],
            str(folder / "data.csv"),
            "--target",
            description["target"],
            "--start",
            first,
            "--start",
            ", ".join(others),
            "--json",
        ]
    )
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    check(description, json.loads(out))


STARTS = [
    ("b3=1", "start gives a value to b3, but the formula has the constants b1, b2"),
    ("x=1", "start gives a value to x, but the formula has the constants b1, b2"),
    ("b1", 'start must be written NAME=NUMBER, separated by commas, got "b1"'),
    ("b1=1,", 'start must be written NAME=NUMBER, separated by commas, got ""'),
    ("b1=far", 'the start of b1 must be a finite number, got "far"'),
    ("b1=nan", "the start of b1 must be a finite number, got nan"),
    ("b1=1,b1=2", "start gives two values to b1; give one"),
]


@pytest.mark.parametrize(("start", "message"), STARTS)
def test_bad_starts_are_refused_in_a_sentence(start: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(NIST / "Misra1a/data.csv")
    assert main(["score", "b1*(1 - exp(-b2*x))", table, "--target", "y", "--start", start]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize("value", ["1", None, True, float("inf"), 1j])
def test_starts_are_numbers(value: Any) -> None:
    table = NIST / "Misra1a/data.csv"
    with pytest.raises(hypo.InputError, match="the start of a must be a finite number"):
        hypo.score("a*x", table, "y", start={"a": value})
    with pytest.raises(hypo.InputError, match="the formula has no constants to fit"):
        hypo.score("2*x", table, "y", start={"a": 1})
