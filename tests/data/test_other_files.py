"""Standard input, and the files that pandas reads."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest

import hypo
from hypo.cli.main import main
from hypo.data import read_csv, read_table
from hypo.errors import DataError, MissingExtraError
from tests.data.reading import MIXED, mixed_frame

LINES = "a,b,y\n" + "".join(f"{k},{k * k % 7 + 1},{k * (k * k % 7 + 1)}\n" for k in range(1, 12))


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))


def test_standard_input(piped: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["fit", "-", "--target", "y", "--operators", "+,*", "--time-limit", "0.2min", "--quiet"]) == 0
    assert capsys.readouterr().out.strip() in ("a*b", "b*a")
    assert Path("hypo-out/data/result.json").exists()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert main(["predict", "hypo-out/data", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["a,b,y,y_predicted", "1,2,2,2.0"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(["fit", "-", "--target", "y"]) == 2
    assert "standard input is empty" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,y\n1,2\nx,3\n3,4\n")))
    assert main(["fit", "-", "--target", "y"]) == 2
    assert 'standard input, line 3, column "a": "x" is not a number' in capsys.readouterr().err


def test_check_reads_standard_input_once(piped: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("k.toml").write_text('[units]\na = "m"\n')
    assert main(["check", "k.toml", "-"]) == 0
    assert "the last column, y, is taken for it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t.feather"])
def test_files_that_pandas_reads(name: str) -> None:
    {
        "xlsx": lambda f: f.to_excel(name, index=False),
        "parquet": lambda f: f.to_parquet(name),
        "feather": lambda f: f.to_feather(name),
    }[name.split(".")[1]](mixed_frame())
    data = read_csv(name, "y")
    assert data.names == ("Length", "Time", "on")
    assert data.units == {"Length": "m", "Time": "s"}
    assert data.X.tolist() == [[0.1, 1, 1], [2.25, 2, 0], [3e-7, 4, 1], [4.0, 3, 1]]
    assert data.y == pytest.approx([1.5, 2.0, 1 / 3, 4.0], rel=1e-15)
    assert any('"day" was left out: "2020-01-01 00:00:00" is not a number but a date (line 2)' in n for n in data.notes)
    assert any('"# who" was left out' in n for n in data.notes)
    table = read_table(name)
    assert (table.names, table.n_row) == (("Length", "Time", "on", "y"), 4)


def test_a_spreadsheet_with_units_below_the_header_blank_rows_and_sheets(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        [None] * 4,
        ["L", "T", None, "y"],
        ["m", "s", None, "m/s"],
        [1, 2, None, 0.5],
        [None] * 4,
        [3, 2, None, 1.5],
        [2, 4, None, 0.5],
        [5, 2, None, 2.5],
    ]
    with pd.ExcelWriter("t.xlsx") as book:
        pd.DataFrame(rows).to_excel(book, sheet_name="Data", index=False, header=False)
        pd.DataFrame(rows).to_excel(book, sheet_name="Old", index=False, header=False)
    data = read_csv("t.xlsx", "y")
    assert (data.names, data.units) == (("L", "T"), {"L": "m", "T": "s", "y": "m/s"})
    assert list(data.row_numbers) == [4, 6, 7, 8]  # as the spreadsheet counts
    assert data.notes[:2] == (
        'the first sheet, "Data", was read, and not "Old"',
        "line 3 was read as units: m of L, s of T and m/s of y",
    )
    assert (
        main(["fit", "t.xlsx", "--target", "y", "--operators", "*,/", "--quiet", "--out", "o", "--time-limit", "5s"])
        == 0
    )
    assert main(["predict", "o", "t.xlsx"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["L/T", "L [m],T [s],y [m/s],y_predicted", "1,2,0.5,0.5"]


def test_what_pandas_lacks_or_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"^bad.xlsx: the file cannot be read \(.*\); save the table as CSV$"):
        read_csv("bad.xlsx", "a")
    mixed_frame().to_excel("t.xlsx", index=False)
    mixed_frame().to_parquet("t.parquet")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        MissingExtraError, match=r"with the package openpyxl, which is not installed: pip install openpyxl$"
    ):
        read_csv("t.xlsx", "y")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"with the package pyarrow, which is not installed: pip install pyarrow$"
    ):
        read_csv("t.parquet", "y")
    with pytest.raises(DataError, match="there is no such file"):
        read_csv("none.xlsx", "y")


def test_predictions_of_a_table_with_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    Path("d.csv").write_text("a;y\n" + "".join(f"{k}.000,5;{k}.000,5\n" for k in range(1, 6)))
    assert main(["fit", "d.csv", "--target", "y", "--thousands", ".", "--operators", "+", "--quiet", "--out", "o"]) == 0
    assert main(["predict", "o", "d.csv", "--thousands", "."]) == 0
    rows = [f"{k}000.5,{k}000.5,{k}000.5" for k in range(1, 6)]
    assert capsys.readouterr().out.splitlines() == ["a", "a,y,y_predicted", *rows]


def test_an_audit_says_what_was_read() -> None:
    Path("d.csv").write_text(MIXED.replace("1a,1,3", "1a,1,3.5"))
    audit = hypo.audit(
        "d.csv", "y", seeds=1, bootstrap=0, turns=1, operators="+", scheduler="threads", max_complexity=3
    )
    assert 'Column "who" was left out: "ann" is not a number (line 2).' in str(audit)
