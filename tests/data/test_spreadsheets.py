"""Numbers as spreadsheets leave them: thousands, cells that say why they are empty."""

import numpy as np
import pytest

from hypo.data import read_table
from hypo.errors import InputError
from tests.data.reading import message, read

DROP = "leave such rows out with --drop-missing (drop_missing=True)"


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
