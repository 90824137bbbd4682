"""New tables read as the table of the fit was: marks between thousands, temperatures and their differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.errors import DataError
from hypo.result.new_rows import new_columns
from hypo.result.result import Result

QUICK: dict[str, Any] = {"max_complexity": 3, "time_limit": 5.0, "posterior": False}


def saved(tmp_path: Path, thousands: str | None = ",") -> Result:
    """A law fitted to a table with marks between thousands, and read again."""
    path = tmp_path / "d.csv"
    path.write_text(
        "x;y\n" + "".join(f"{1000 * k:,};{2000 * k:,}\n" if thousands else f"{k};{2 * k}\n" for k in range(1, 9))
    )
    result = hypo.fit(str(path), "y", thousands=thousands, **QUICK)
    result.save(tmp_path / "out")
    return Result.load(tmp_path / "out")


def test_new_tables_have_the_marks_between_thousands_that_the_fit_was_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = saved(tmp_path)
    new = tmp_path / "new.csv"
    new.write_text('x\n"1,200"\n"3,300"\n')
    assert np.allclose(result.predict(str(new)), [2400.0, 6600.0])
    assert main(["predict", str(tmp_path / "out"), str(new)]) == 0
    assert [float(line.split(",")[-1]) for line in capsys.readouterr().out.split()[1:]] == pytest.approx(
        [2400.0, 6600.0]
    )
    new.write_text('x\n"1,2"\n')  # said to stand between thousands, and does not
    with pytest.raises(DataError, match="does not stand before three digits"):
        result.predict(str(new))
    assert len(result.profile(data=str(tmp_path / "d.csv"))) == len(
        result.constants[result.front.index(result.found())]
    )


def test_decimal_commas_that_could_stand_between_thousands_are_said_of_new_tables_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, thousands=None)
    new = tmp_path / "new.csv"
    new.write_text('x\n"1,200"\n')
    assert main(["predict", str(tmp_path / "out"), str(new)]) == 0
    assert "ommas were read as decimal signs" in capsys.readouterr().err


def test_a_temperature_is_not_taken_for_a_difference() -> None:
    for header, unit in (("T [K]", "delta_degC"), ("T [delta_degC]", "K")):
        with pytest.raises(DataError, match="have different zeros; give what the fit had"):
            new_columns({header: [300.0]}, ["T"], {"T": unit})
    assert np.allclose(new_columns({"T [delta_degF]": [9.0]}, ["T"], {"T": "delta_degC"}), 5.0)
    assert np.allclose(new_columns({"k [W/K]": [9.0]}, ["k"], {"k": "W/delta_degC"}), 9.0)


def test_a_target_without_a_unit_beside_columns_with_one_is_said_once() -> None:
    from hypo.api.validate import validate_inputs

    said = "the target y has no unit, while t has one"
    for units, count in (({"t": "s"}, 1), ({"t": "s", "y": "1"}, 0), ({"t": "deg"}, 0), ({}, 0)):
        data = np.arange(6.0)[:, None], np.arange(6.0) ** 2
        notes = validate_inputs(data, "y", {"features": ["t"], "units": units}).dataset.notes
        assert sum(said in note for note in notes) == count


def test_a_unit_of_two_meanings_in_round_brackets_is_said(tmp_path: Path) -> None:
    from hypo.data import read_csv

    path = tmp_path / "d.csv"
    path.write_text("conc (mg/L),abs (AU)\n1,2\n2,4\n3,6\n")
    assert any("AU as astronomical units, and not as absorbance" in note for note in read_csv(str(path), "abs").notes)
    path.write_text("conc (mg/L),abs [AU]\n1,2\n2,4\n3,6\n")
    assert not any("absorbance" in note for note in read_csv(str(path), "abs").notes)


def test_units_of_products_are_those_of_the_columns() -> None:
    F, d = np.array([1.0, 2.0, 1.0, 3.0, 2.0]), np.array([2.0, 3.0, 3.0, 2.0, 2.0])
    y = 2.0 * F * d**2 + 0.01 * np.cos(F + d)
    units = {"F": "N", "d": "m", "y": "1"}
    scored = hypo.score("F*d**2/k", np.column_stack([F, d]), y, features=["F", "d"], units=units)
    assert [row.unit for row in scored.constants] == ["N*m^2"]
