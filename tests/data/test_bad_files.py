"""Files that cannot be read: each is refused in one sentence that names the place and what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hypo.data import read_csv
from hypo.errors import DataError
from tests.data.reading import DROP, GOOD, message, read

SEPARATED = "(columns are separated by tab, semicolon, comma or blanks)"


OFFSET = (
    "has an offset, so no factor leads to SI; use kelvin (K) and convert the numbers, "
    "or delta_degC for differences; without a unit the numbers are fitted as they are"
)
BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "missing cell": (
        "a,b,y\n1,2,3\n4,,6\n",
        {},
        f'd.csv, line 3, column "b": the value is missing; fill it in, or {DROP}',
    ),
    "missing cells": (
        "a,b,y\n1,NA,3\n,5,6\n7,nan,8\n",
        {},
        f'd.csv, line 2, column "b": the value is missing (also in 2 more rows); fill it in, or {DROP}',
    ),
    "missing cell below comments": (
        "# c\n\na,b,y\n# c\n1,2,3\n\n4,5,\n",
        {},
        f'd.csv, line 7, column "y": the value is missing; fill it in, or {DROP}',
    ),
    "infinite": (
        "a,b,y\n1,2,3\n4,-inf,6\n",
        {},
        f'd.csv, line 3, column "b": the value is infinite; correct it, or {DROP}',
    ),
    "overflow": (
        "a,b,y\n1,2,1e999\n4,5,6\n",
        {},
        f'd.csv, line 2, column "y": the value is infinite; correct it, or {DROP}',
    ),
    "text cell": (
        "a,b,y\n1,2,3\n4,five,6\n",
        {},
        'd.csv, line 3, column "b": "five" is not a number; correct the cell, or leave the column out with '
        "--exclude b (exclude=['b'])",
    ),
    "text column": (
        "planet,a,moons,kind,T\nMercury,0.4,0,rock,0.2\n",
        {"target": "T"},
        "d.csv: there is only one row (1 sample) of data; a law needs at least two",
    ),
    "text in the target": (
        "a,b,y\n1,2,3\n4,5,high\n",
        {},
        'd.csv, line 3, column "y": "high" is not a number; correct the cell',
    ),
    "text in a chosen feature": (
        "a,b,y\n1,2,3\n4,5 m,6\n",
        {"features": ["b"]},
        'd.csv, line 3, column "b": "5 m" is not a number but one with its unit; leave the number alone in the cell, '
        "and write the unit in the header, as in x [m]",
    ),
    "underscore": (
        "a,b,y\n1,1_000,3\n4,5,6\n",
        {"features": ["b"]},
        'd.csv, line 2, column "b": "1_000" is not a number but one with marks between thousands; '
        'say --thousands _ (thousands="_")',
    ),
    "two decimal signs": (
        "a;y\n1,5;2\n1.234;3\n",
        {},
        'd.csv, line 3, column "a": "1.234" has a decimal point but earlier numbers have a decimal comma; '
        "write all numbers in one way",
    ),
    "constant target": (
        "a,b,y\n1,2,3\n4,5,3\n",
        {},
        'd.csv, column "y": the target is 3 in every row, so there is no law to find; choose another target',
    ),
    "constant features": (
        "a,b,y\n1,,3\n1,,6\n",
        {},
        "d.csv: every feature is constant or empty; a law needs at least one that varies",
    ),
    "duplicated names": (
        "a,a,y\n1,2,3\n4,5,6\n",
        {},
        'd.csv, line 1: two columns are named "a" (columns 1 and 2); rename one of them',
    ),
    "duplicated after the unit": (
        "L [m],L [cm],y\n1,2,3\n4,5,6\n",
        {},
        'd.csv, line 1: two columns are named "L" (columns 1 and 2); rename one of them',
    ),
    "duplicated as identifiers": (
        "#\na b,y,a-b\n1,2,3\n4,5,6\n",
        {},
        'd.csv, line 2: the columns "a b" and "a-b" (columns 1 and 3) would both be named "a_b"; rename one of them',
    ),
    "one row": ("a,b,y\n1,2,3\n", {}, "d.csv: there is only one row (1 sample) of data; a law needs at least two"),
    "one row left": (
        "a,y\n1,2\n,2\n3,\n",
        {"drop_missing": True},
        "d.csv: there is only one row (1 sample) of data left after 2 rows with a missing or infinite "
        "value were "
        "left out; a law needs at least two",
    ),
    "no row left": (
        "a,y\n,2\n3,\n",
        {"drop_missing": True},
        "d.csv: there is no row of data left after 2 rows with a missing or infinite value were left out; "
        "a law needs at least two",
    ),
    "only a header": ("a,b,y\n", {}, "d.csv: there is a header but no row of data; add the measurements"),
    "no header": (
        "1,2,3\n4,5,6\n",
        {},
        'd.csv: there is no column "y" as target, because the file has no header line; '
        "give a number from 0 to 2, or a name from x0 to x2, or add a header line",
    ),
    "header in a comment": (
        "#a,b,y\n1,2,3\n4,5,6\n",
        {},
        'd.csv: there is no column "y" as target, because the file has no header line (a line that '
        "begins with # is "
        "a comment); give a number from 0 to 2, or a name from x0 to x2, or add a header line",
    ),
    "number too large": (
        "1,2,3\n4,5,6\n",
        {"target": "3"},
        'd.csv: there is no column "3" as target, because the file has no header line; '
        "give a number from 0 to 2, or a name from x0 to x2, or add a header line",
    ),
    "wrong target": (
        "length,time\n1,2\n3,4\n",
        {"target": "tiem"},
        'd.csv, line 1: there is no column "tiem" as target (did you mean "time"?); the columns are "length", "time"',
    ),
    "wrong case": (
        GOOD,
        {"target": "Y"},
        'd.csv, line 1: there is no column "Y" as target (did you mean "y"?); the columns are "a", "b", "y"',
    ),
    "nothing near": (
        GOOD,
        {"target": "speed"},
        'd.csv, line 1: there is no column "speed" as target; the columns are "a", "b", "y"',
    ),
    "many columns": (
        ",".join(f"c{k}" for k in range(25)) + "\n" + ",".join("1" * 25) + "\n",
        {"target": "qq"},
        'd.csv, line 1: there is no column "qq" as target; the columns are '
        + ", ".join(f'"c{k}"' for k in range(20))
        + " and 5 more",
    ),
    "another separator": (
        "a|y\n1|2\n3|4\n",
        {},
        f'd.csv, line 1: there is no column "y" as target; the column is "a|y" {SEPARATED}',
    ),
    "one column": (
        "y\n1\n2\n",
        {},
        f'd.csv, line 1: no column is left as a feature beside "y" (target); a law needs at least one {SEPARATED}',
    ),
    "only target and sigma": (
        "s,y\n1,2\n2,3\n",
        {"sigma": "s"},
        'd.csv, line 1: no column is left as a feature beside "y" (target), "s" (sigma); a law needs at least one',
    ),
    "unknown feature": (
        GOOD,
        {"features": ["a", "c"]},
        'd.csv, line 1: there is no column "c" as feature; the columns are "a", "b", "y"',
    ),
    "target among features": (
        GOOD,
        {"features": ["a", "y"]},
        'd.csv, line 1: the column "y" is the target and cannot be a feature too; take it out of the features',
    ),
    "feature twice": (GOOD, {"features": ["a", "a"]}, 'd.csv, line 1: the feature "a" is listed twice; list it once'),
    "no features": (
        GOOD,
        {"features": []},
        'd.csv, line 1: the list of features is empty; the columns are "a", "b", "y"',
    ),
    "empty file": (b"", {}, "d.csv: the file is empty; expected a table with columns of numbers"),
    "only comments": (
        "# a,b\n\n",
        {},
        "d.csv: the file holds only comments or blank lines; expected columns of numbers",
    ),
    "binary file": (
        b"\x89PNG\r\n\x1a\n\0\0\0",
        {},
        "d.csv: this is a binary file; expected text, so save the table as CSV",
    ),
    "spreadsheet": (
        b"PK\x03\x04abc",
        {},
        "d.csv: this is a binary file; expected text, so save the table as CSV (a spreadsheet or Parquet file is read if its "
        "name ends in .xlsx or .ods)",
    ),
    "short row": (
        "a,b,y\n1,2,3\n4,5\n",
        {},
        "d.csv, line 3: expected 3 cells as in line 1, got 2; correct the line (separator: comma)",
    ),
    "long row": (
        "# c\na b y\n1 2 3\n4 5 6 7\n",
        {},
        "d.csv, line 4: expected 3 cells as in line 2, got 4; correct the line (separator: blanks)",
    ),
    "open quotation mark": (
        'a,b,y\n1,2,3\n4,"5,6\n',
        {},
        "d.csv, line 3: a quotation mark is not closed on this line; close it",
    ),
    "unknown unit": (
        "a [metr],y\n1,2\n2,3\n",
        {},
        'd.csv, line 1, column "a": unknown unit "metr"; did you mean "metre"?',
    ),
    "unit with an offset": (
        "# c\na,T [°C]\n1,2\n2,3\n".encode("latin-1"),
        {"target": "T"},
        f'd.csv, line 2, column "T": the unit "°C" {OFFSET}',
    ),
    "sigma of zero": (
        "a,s,y\n1,1,3\n4,0,6\n",
        {"sigma": "s"},
        'd.csv, line 3, column "s": sigma must be a positive number, got 0',
    ),
    "sigma of zero after a dropped row": (
        "a,s,y\n1,,3\n2,1,3\n4,0,6\n",
        {"sigma": "s", "drop_missing": True},
        'd.csv, line 4, column "s": sigma must be a positive number, got 0',
    ),
    "missing sigma": (
        "a,s,y\n1,,3\n4,1,6\n",
        {"sigma": "s"},
        f'd.csv, line 2, column "s": the value is missing; fill it in, or {DROP}',
    ),
    "negative sigma": (GOOD, {"sigma": -1}, "sigma must be a positive number, got -1"),
    "infinite sigma": (GOOD, {"sigma": np.inf}, "sigma must be a positive number, got inf"),
    "unknown sigma": (
        GOOD,
        {"sigma": "s"},
        'd.csv, line 1: there is no column "s" as sigma; the columns are "a", "b", "y"',
    ),
    "sigma of another length": (
        GOOD,
        {"sigma": [1, 2, 3]},
        "sigma has 3 values but there are 2 rows; expected as many",
    ),
    "sigma is the target": (
        GOOD,
        {"sigma": "y"},
        'd.csv, line 1: the column "y" cannot be both target and sigma; choose another for one of them',
    ),
    "negative weight": (
        "a,w,y\n1,1,3\n4,-2,6\n",
        {"weights": "w"},
        'd.csv, line 3, column "w": a weight must be 0 or more, got -2',
    ),
    "weights of zero": (
        "a,w,y\n1,0,3\n4,0,6\n",
        {"weights": "w"},
        "d.csv: every weight is 0; at least one row must count",
    ),
    "unknown weights": (
        GOOD,
        {"weights": "w"},
        'd.csv, line 1: there is no column "w" as weights; the columns are "a", "b", "y"',
    ),
    "weights are a feature": (
        GOOD,
        {"weights": "b", "features": ["b"]},
        'd.csv, line 1: the column "b" is the weights and cannot be a feature too; take it out of the features',
    ),
}


@pytest.mark.parametrize(("text", "options", "expected"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_explained(text: str | bytes, options: dict[str, Any], expected: str) -> None:
    assert message(text, **options) == expected


def test_bad_paths_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_csv("nowhere.csv", "y")
    assert str(caught.value) == "nowhere.csv: there is no such file; check the path"
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, "y")
    assert str(caught.value) == f"{tmp_path}: this is a directory; give the path of a file in it"


def test_text_in_columns_not_needed_is_ignored() -> None:
    text = "planet;note, long;a;T\nMercury;x, 1.5;0,4;0,2\nVenus;;0,7;0,6\n"
    assert_array_equal(read(text, "T", features=["a"]).X, [[0.4], [0.7]])


def test_a_late_fault_is_found_in_a_long_file() -> None:
    lines = ["a,b,y", *(f"{k},{k % 7},{k % 5}" for k in range(50_000))]
    lines[45_000] = "1,,1"
    assert message("\n".join(lines)) == (f'd.csv, line 45001, column "b": the value is missing; fill it in, or {DROP}')
    lines[45_000] = "1,?x,1"
    assert message("\n".join(lines)).startswith('d.csv, line 45001, column "b": "?x" is not a number; ')
    lines[45_000] = "1,1"
    assert message("\n".join(lines)).startswith("d.csv, line 45001: expected 3 cells as in line 1, got 2; ")
