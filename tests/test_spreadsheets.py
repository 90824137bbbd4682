"""Tables as spreadsheets leave them: units, thousands, cells that say why they are empty, text columns, files pandas reads."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.cli.main import main
from hypo.data import Dataset, from_frame, read_csv, read_table
from hypo.errors import DataError, InputError, KnowledgeError, MissingExtraError

ROWS = "\n1,2,3\n4,5,7\n"
DROP = "leave such rows out with --drop-missing (drop_missing=True)"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, target: str = "y", **options: Any) -> Dataset:
    Path("d.csv").write_text(text)
    return read_csv("d.csv", target, **options)


def message(text: str, target: str = "y", **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(text, target, **options)
    return str(caught.value)


# --- units in round brackets -----------------------------------------------------------------------------------


def test_round_brackets_are_units_and_said() -> None:
    data = read("Length (m),Time (10^3 s),y (m/s)" + ROWS)
    assert (data.names, data.labels, data.target) == (("Length", "Time"), ("Length", "Time"), "y")
    assert data.units == {"Length": "m", "Time": "10^3 s", "y": "m/s"}
    assert data.notes == ("round brackets in headers were read as units: m of Length, 10^3 s of Time and m/s of y",)
    for name in ("Length", "Length (m)", "Length [m]", "Length_m"):
        assert read("Length (m),Time (s),y" + ROWS, features=[name]).names == ("Length",)


@pytest.mark.parametrize(
    ("header", "names", "units"),
    [
        ("f (x),x,y", ("f_x", "x"), {}),
        ("u (t),t,y", ("u_t", "t"), {}),  # a function of t, no tonnes
        ("Speed (log),Mass (kg),y", ("Speed_log", "Mass"), {"Mass": "kg"}),
        ("T (min),T (max),y", ("T_min", "T_max"), {}),  # no minutes
        ("run,run (1),y", ("run", "run_1"), {}),
        ("ratio (-),part (%),y", ("ratio", "part"), {"ratio": "-", "part": "%"}),
        ("g (c),b,y", ("g_c", "b"), {}),  # no speed of light
        ("acidity (pH),b (m),y", ("acidity_pH", "b"), {"b": "m"}),
        ("Temp (°C),p (kPa),y", ("Temp_C", "p_kPa"), {}),
        ("Temperature (C),p (kPa),y", ("Temperature_C", "p_kPa"), {}),
        ("Charge (C),p (kPa),y", ("Charge", "p"), {"Charge": "C", "p": "kPa"}),
        ("L [m],T (s),y", ("L", "T"), {"L": "m", "T": "s"}),
    ],
)
def test_only_what_is_a_unit_is_read_as_one(header: str, names: tuple[str, ...], units: dict[str, str]) -> None:
    data = read(header + ROWS)
    assert (data.names, data.units) == (names, units)
    assert any("°C" in n or "(C)" in n for n in data.notes if "offset" in n) == ("Temp" in header)


def test_a_column_without_a_unit_beside_others_is_named() -> None:
    assert "without a unit Speed_log counts as a pure number" in read("Speed (log),Mass (kg),y" + ROWS).notes


def test_stated_units_win_over_round_brackets() -> None:
    frame = pd.DataFrame({"a (t)": [1.0, 2.0, 3.0, 4.0], "y (m)": [2.0, 4.0, 6.0, 8.0]})
    result = hypo.fit(frame, "y", units={"a (t)": "s", "y": "m"}, operators="+,*", time_limit=2, posterior=False)
    assert result.settings["units"] == {"a": "s", "y": "m"}
    with pytest.raises(KnowledgeError, match="contradicts the unit"):  # of the same dimension
        hypo.fit(frame, "y", units={"y (m)": "cm"})
    with pytest.raises(KnowledgeError, match="contradicts the unit"):
        hypo.fit(frame.rename(columns={"a (t)": "a [m]"}), "y", units={"a": "s"})


def test_predictions_convert_round_brackets() -> None:
    frame = pd.DataFrame({"L (m)": [1.0, 2.0, 3.0, 5.0], "y (m)": [2.0, 4.0, 6.0, 10.0]})
    result = hypo.fit(frame, "y", operators="+,*", time_limit=2, posterior=False)
    assert result.predict({"L (cm)": np.array([100.0])}) == pytest.approx([2.0])
    Path("new.csv").write_text("L (cm),t (°C)\n300,20\n")
    assert result.predict("new.csv") == pytest.approx([6.0])
    # Of a table whose units were not read the names hold them.
    unread = hypo.fit(
        frame.assign(**{"T (°C)": [1.0, 2.0, 2.0, 1.0]}), "y_m", operators="+", time_limit=2, posterior=False
    )
    assert unread.target == "y_m"
    Path("new.csv").write_text("L (m)\n3\n")
    assert unread.predict("new.csv") == pytest.approx([6.0])


# --- a line of units -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "units", "said"),
    [
        ("m,s,-", {"L": "m", "T": "s", "y": "-"}, "m of L and s of T, y without"),
        ("[m],[s],[m/s]", {"L": "m", "T": "s", "y": "m/s"}, "m of L, s of T and m/s of y"),
        ("(m),(s),(1)", {"L": "m", "T": "s", "y": "-"}, "m of L and s of T, y without"),
        ("m,,", {"L": "m"}, "m of L"),
    ],
)
def test_a_second_line_of_units(line: str, units: dict[str, str], said: str) -> None:
    for separator in ",;\t":
        data = read(f"L,T,y\n{line}{ROWS}".replace(",", separator))
        assert (data.names, data.units) == (("L", "T"), units)
        assert data.notes[0] == f"line 2 was read as units: {said}"
        assert list(data.row_numbers) == [3, 4]
    assert ("without a unit T counts as a pure number" in data.notes) == (line == "m,,")


def test_a_second_line_of_units_in_a_table_of_blanks_and_beside_texts() -> None:
    assert read("L T y\nm s -\n1 2 3\n4 5 7\n").units == {"L": "m", "T": "s", "y": "-"}
    assert read("L (m) T (s) y\n1 2 3\n4 5 7\n").units == {"L": "m", "T": "s"}
    assert read("who,L,y\n,m,s\nann,2,3\nbob,5,7\n").units == {"L": "m", "y": "s"}
    assert read_table("d.csv").n_row == 2


@pytest.mark.parametrize(
    "text",
    [
        "sex,a,y\nm,-,3\nf,2,5\nm,4,6\n",  # a man, a missing value and a number
        "sex,a,y\nm,-,-\nf,2,5\nm,4,6\nf,1,2\n",  # no unit stands above numbers
        "id,sex,y\n1,m,3\n2,f,5\n3,m,6\n4,m,8\n",
        "a,b,y\n1,2,3\n4,5,7\n",
        "a,b,y\n-,-,-\n1,2,3\n4,5,7\n",
    ],
)
def test_no_row_of_data_is_taken_for_units(text: str) -> None:
    data = read(text, drop_missing=True)
    assert not data.units
    assert data.n_row + data.n_dropped == len(text.splitlines()) - 1


def test_a_line_of_units_that_cannot_be_used() -> None:
    assert message(f"L,T,y\nm,widgets,s{ROWS}") == (
        'd.csv, line 2, column "T": the line holds units, but "widgets" is none; correct it, or delete the line'
    )
    assert message(f"L (m),T,y\nmm,s,{ROWS}") == (
        'd.csv, line 2, column "L": the unit here is "mm", and in the header "m"; correct it, or delete the line'
    )
    data = read(f"L,T,y\nm,°C,s{ROWS}")
    assert (data.units, data.n_row) == ({}, 2)
    assert data.notes[0].startswith('line 2 holds units, of which none was read, because "°C" has an offset')
    assert message(f"L,T,y\nlength,period,speed{ROWS}") == (
        'd.csv, line 2, column "y": "speed" is not a number; delete this line of texts, or begin it with #'
    )


def test_a_title_above_the_names() -> None:
    data = read("Experiment 3,,\nL,T,y\nm,s,\n1,2,3\n4,5,7\n")
    assert (data.names, data.units) == (("L", "T"), {"L": "m", "T": "s"})
    assert data.notes[:2] == (
        'line 1, "Experiment 3", was taken for a title',
        "line 3 was read as units: m of L and s of T",
    )
    assert read(",a,y\n0,1,2\n1,3,4\n").names == ("x0", "a")
    assert read("a,,y\n1,,3\n2,,5\n").names == ("a",)


# --- thousands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a;y\n1,234.5;2\n2,000;3\n", ","),
        ('a,y\n"1,234.5",2\n"2,000",3\n', ","),
        ("a;y\n1.234,5;2\n2.000;3\n", "."),
        ('a,y\n"1.234,5",2\n2.000,3\n', "."),
        ("a;y\n1 234,5;2\n2 000;3\n", " "),
        ("a;y\n1\u202f234.5;2\n2\u00a0000;3\n", "blank"),
        ("a;y\n1'234.5;2\n2\u2019000;3\n", "'"),
        ("a,y\n1_234.5,2\n2_000,3\n", "_"),
    ],
)
def test_thousands(text: str, mark: str) -> None:
    assert read(text, thousands=mark).X[:, 0].tolist() == [1234.5, 2000.0]
    assert read_table("d.csv", thousands=mark).columns["a"].tolist() == [1234.5, 2000.0]


def test_thousands_are_checked_and_suggested() -> None:
    assert message("a;y\n1.5;2\n2.000;3\n", thousands=".") == (
        'd.csv, line 2, column "a": in "1.5" "." is said to stand between thousands, but does not stand before three digits '
        "here; correct the cell"
    )
    assert 'one with marks between thousands; say --thousands , (thousands=",")' in message(
        'a,y\n"1,234.5",2\n"2,000",3\n'
    )
    with pytest.raises(InputError, match="thousands must be the mark"):
        read("a,y\n1,2\n2,3\n", thousands="x")
    assert "so they cannot stand between thousands too" in message("a y\n1 2\n2 3\n", thousands=" ")


def test_commas_that_could_stand_between_thousands_are_said() -> None:
    said = (
        "commas were read as decimal signs (1,234 as 1.234); if they stand between thousands, say --thousands , "
        '(thousands=",")'
    )
    assert read("a;y\n1,234;2\n2,500;3\n").notes == (said,)
    assert read("a;b;y\n1,234;1;2\n2,500;1;3\n;2;4\n", drop_missing=True).notes[0] == said
    for text in ("a;y\n1,234;2\n2,5;3\n", "a;y\n0,234;2\n2,500;3\n", "a;y\n1234,500;2\n2,500;3\n", "a;y\n12;2\n13;3\n"):
        assert read(text).notes == ()


# --- cells that are no numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#####", "Err:502"])
def test_errors_of_spreadsheets(cell: str) -> None:
    for text in (f"a,b,y\n1,2,3\n2,{cell},6\n3,7,5\n", f"b,a,y\n2,1,3\n{cell},2,6\n7,3,5\n"):
        assert message(text) == (
            f'd.csv, line 3, column "b": "{cell}" is not a number but an error of a spreadsheet; mend it in the spreadsheet, '
            f"or {DROP}, or leave the column out with --exclude b (exclude=['b'])"
        )
        data = read(text, drop_missing=True)
        assert (data.n_row, data.n_dropped) == (2, 1)
        assert data.notes[0] == f'1 cell such as "{cell}" in line 3 (an error of a spreadsheet) counts as missing'
        assert np.isnan(read_table("d.csv").columns["b"][1])


@pytest.mark.parametrize(
    "cell", ["<LOD", "<0.5", "< 0.5 mg", "LOD", "BDL", "n.d.", "ND", "<LOQ", "below detection limit"]
)
def test_values_below_a_limit_of_detection(cell: str) -> None:
    text = f"a,b,y\n1,2,3\n2,4,{cell}\n3,7,5\n"
    assert message(text) == (
        f'd.csv, line 3, column "y": "{cell}" is not a number but a value below a limit of detection; empty the cell and write '
        f'the limit into a column of its own, named with --upper COLUMN (upper="COLUMN"), or {DROP}'
    )
    assert read(text, drop_missing=True).n_dropped == 1
    assert f"below a limit of detection; {DROP}" in message(f"a,b,y\n1,2,3\n{cell},4,4\n3,7,5\n")


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        (
            ">100",
            "a value above a limit; empty the cell and write the limit into a column of its own, named with --lower",
        ),
        ("5 kg", "one with its unit; leave the number alone in the cell, and write the unit in the header"),
        ("12%", "one with its unit"),
        ("$12.50", "one with its unit"),
        (
            "1.2±0.1",
            "one with its error; write the error in a column of its own, and name that with --sigma or --x-sigma",
        ),
        ("1.2 +/- 0.1", "one with its error"),
        ("1x10^3", "a power of ten written out; write it like 1.5e-3"),
        ("2020-01-31", "a date; write the time since a start as a number"),
        ("31.01.2020 12:00", "a date"),
        ("Jan 3 2020", "a date"),
        ("12:30", "a time of day"),
        ("TRUE", "a truth value; write 1 and 0"),
    ],
)
def test_other_cells_are_named(cell: str, what: str) -> None:
    assert f'line 3, column "y": "{cell}" is not a number but {what}' in message(f"a,b,y\n1,2,3\n2,4,{cell}\n3,7,5\n")


def test_a_minus_sign_of_typography_is_one() -> None:
    assert read("a,y\n\u22121.5,2\n2,3\n").X[0, 0] == -1.5


def test_a_line_that_begins_with_an_error_is_no_comment() -> None:
    assert read("########\n#DIV by\na,b,y\n1,2,3\n#REF!,2,3\n4,5,7\n# end\n", drop_missing=True).n_dropped == 1


# --- columns that nobody asked for -----------------------------------------------------------------------------

WHO = "who,day,on,id,a,y\nann,2020-01-01,yes,1a,1,3\nbob,2020-01-02,no,2b,2,5\ncy,2020-01-03,yes,3c,4,6\n"


def test_columns_of_texts_and_dates_are_left_out_and_said() -> None:
    data = read(WHO)
    assert data.names == ("a",)
    assert data.notes == (
        'column "who" was left out: "ann" is not a number (line 2)',
        'column "day" was left out: "2020-01-01" is not a number but a date (line 2); to use it, write the time since a start '
        "as a number",
        'column "on" was left out: "yes" is not a number but a truth value (line 2); to use it, write 1 and 0',
        'column "id" was left out: "1a" is not a number (line 2)',
    )


def test_a_column_of_numbers_with_a_slip_is_not_left_out() -> None:
    assert (
        'line 3, column "a": "five" is not a number; correct the cell, or leave the column out with --exclude a'
        in message("a,b,y\n1,2,3\nfive,3,4\n3,4,5\n")
    )
    long = "a,b,y\n" + "1,2,3\n" * 30_000
    assert 'line 30002, column "a": "x"' in message(long + "x,2,4\ny,2,4\n")
    assert read("a,b,y\n" + "x,2,3\n" * 25_000 + "1,3,4\n" * 9_000).names == ("b",)


def test_columns_asked_for_keep_the_error() -> None:
    assert message(WHO, features=["who", "a"]) == 'd.csv, line 2, column "who": "ann" is not a number; correct the cell'
    assert '"who": "ann" is not a number' in message(WHO, target="who")
    assert '"who": "ann" is not a number' in message(WHO, weights="who")
    assert "no column is left as a feature: " in message("who,y\nann,1\nbob,2\ncy,3\n")


@pytest.mark.parametrize(
    "given",
    [
        {"units": {"who": "m"}},
        {"knowledge": {"units": {"who": "m"}}},
        {"knowledge": {"rule": [{"kind": "depends", "variable": "who"}]}},
        {"knowledge": {"rule": [{"kind": "logic", "formula": "forall who in [0, 1]: y(who=who) > 0"}]}},
        {"knowledge": {"grammar": {"must_use": ["who"]}}},
        {"knowledge": {"template": {"form": "y = a*g(who)"}}},
        {"knowledge": {"guesses": {"forms": ["a*who"]}}},
        {"guesses": ["a*who"]},
    ],
)
def test_a_column_left_out_that_something_speaks_of(given: dict[str, Any]) -> None:
    Path("d.csv").write_text(WHO)
    with pytest.raises(InputError, match='column "who" was left out: "ann" is not a number'):
        hypo.fit("d.csv", "y", time_limit=1, **given)


def test_a_column_left_out_that_is_called_like_a_word_of_the_knowledge() -> None:
    Path("d.csv").write_text(WHO.replace("who", "kind").replace("day", "sign").replace("on,", "min,"))
    rules = [{"kind": "bounds", "min": 0.0, "label": "of a kind"}, {"kind": "sign", "sign": "positive"}]
    result = hypo.fit("d.csv", "y", knowledge={"rule": rules}, time_limit=1, operators="+", posterior=False)
    assert result.features == ("a",)


def test_a_formula_to_score_with_a_column_left_out() -> None:
    Path("d.csv").write_text(WHO)
    with pytest.raises(InputError, match='the formula uses who, but the column "who" was left out'):
        hypo.score("a + who", "d.csv", "y")


def test_exclude() -> None:
    text = "a,b,c,y\n1,2,3,4\n2,4,5,7\n3,7,1,1\n"
    assert read(text, exclude=["b"]).names == ("a", "c")
    assert read(text, exclude="b, c").names == ("a",)
    assert from_frame(pd.read_csv("d.csv"), "y", exclude="b").names == ("a", "c")
    frame = pd.read_csv("d.csv")
    result = hypo.fit(frame[["a", "b", "c"]], frame["y"], exclude="b", operators="+,*", time_limit=1, posterior=False)
    assert result.features == ("a", "c")
    assert result.predict(frame[["a", "b", "c"]].to_numpy()).shape == (3,)
    assert "is listed as a feature and to be excluded too" in message(text, exclude="b", features=["a", "b"])
    assert 'the column "y" is the target and cannot be excluded' in message(text, exclude="y")
    assert 'there is no column "z" as column to exclude' in message(text, exclude="z")
    assert '"a" (excluded), "b" (excluded), "c" (excluded)' in message(text, exclude="a,b,c")


# --- standard input, spreadsheets, Parquet ---------------------------------------------------------------------

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


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Length (m)": [0.1, 2.25, 3e-7, 4.0],
            "Time (s)": [1, 2, 4, 3],
            "day": pd.date_range("2020-01-01", periods=4),
            "on": [True, False, True, True],
            "# who": ["#1", "two\nlines", "c,d", None],
            "y": [1.5, 2.0, 1 / 3, 4.0],
        }
    )


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet", "t.feather"])
def test_files_that_pandas_reads(name: str) -> None:
    {
        "xlsx": lambda f: f.to_excel(name, index=False),
        "parquet": lambda f: f.to_parquet(name),
        "feather": lambda f: f.to_feather(name),
    }[name.split(".")[1]](frame())
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
    frame().to_excel("t.xlsx", index=False)
    frame().to_parquet("t.parquet")
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
    Path("d.csv").write_text(WHO.replace("1a,1,3", "1a,1,3.5"))
    audit = hypo.audit(
        "d.csv", "y", seeds=1, bootstrap=0, turns=1, operators="+", scheduler="threads", max_complexity=3
    )
    assert 'Column "who" was left out: "ann" is not a number (line 2).' in str(audit)
