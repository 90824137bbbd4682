"""Reading files: every dialect, units in headers, columns by any of their names, rows left out."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hypo.data import read_csv, read_table
from tests.data.reading import GOOD, read
from tests.oracles.places import ROOT

# --------------------------------------------------------------------------- dialects

ROWS = [[1.5, 2.0], [4.0, 5.25]]
DIALECTS = {
    "comma": "a,b,y\n1.5,2,3\n4,5.25,6\n",
    "semicolon": "a;b;y\n1.5;2;3\n4;5.25;6\n",
    "semicolon and decimal comma": "a;b;y\n1,5;2;3\n4;5,25;6\n",
    "tab": "a\tb\ty\n1.5\t2\t3\n4\t5.25\t6\n",
    "tab and decimal comma": "a\tb\ty\n1,5\t2\t3\n4\t5,25\t6\n",
    "blanks": "a b   y\n1.5 2 3\n  4   5.25  6  \n",
    "blanks and decimal comma": "a b y\n1,5 2 3\n4 5,25 6\n",
    "comma and blanks": "a, b, y\n 1.5, 2, 3\n4 ,5.25 , 6\n",
    "CRLF": "a,b,y\r\n1.5,2,3\r\n4,5.25,6\r\n",
    "no newline at the end": "a,b,y\n1.5,2,3\n4,5.25,6",
    "byte order mark": "\ufeffa,b,y\n1.5,2,3\n4,5.25,6\n",
    "comments and blank lines": "# made today\n\na,b,y\n  # units: none, none\n1.5,2,3\n\n4,5.25,6\n#\n",
    "quotes": '"a","b","y"\n"1.5","2",3\n4,"5.25",6\n',
    "quotes in a table of blanks": '"a" "b" "y"\n"1.5" "2" 3\n4 "5.25" 6\n',
    "quoted decimal comma": 'a;b;y\n"1,5";2;3\n4;"5,25";6\n',
    "Excel's first line": "sep=;\na;b;y\n1.5;2;3\n4;5.25;6\n",
    "exponents": "a,b,y\n15e-1,+2.,3\n.4E1,5.25,6\n",
    "lines of separators": "a,b,y\n1.5,2,3\n,,\n4,5.25,6\n,,\n",
}


@pytest.mark.parametrize("text", DIALECTS.values(), ids=DIALECTS.keys())
def test_dialects(text: str) -> None:
    data = read(text)
    assert_array_equal(data.X, ROWS)
    assert_array_equal(data.y, [3, 6])
    assert (data.names, data.labels, data.target) == (("a", "b"), ("a", "b"), "y")
    assert (data.units, data.notes, data.n_dropped, data.n_row) == ({}, (), 0, 2)
    assert data.sigma is None and data.weights is None
    assert data.X.dtype == data.y.dtype == np.float64 and data.X.flags.c_contiguous


def test_utf_16_and_bytes_that_are_no_utf_8() -> None:
    assert_array_equal(read(DIALECTS["tab and decimal comma"].encode("utf-16")).X, ROWS)
    assert read("Maß,y\n1,2\n3,4\n".encode("latin-1")).labels == ("Maß",)


def test_units_in_the_header() -> None:
    data = read("L [m],g[ m/s^2 ],n [1],T [s]\n1,9.8,3,2\n2,9.7,4,3\n", "T")
    assert data.names == data.labels == ("L", "g", "n")
    assert data.units == {"L": "m", "g": "m/s^2", "n": "1", "T": "s"}
    assert read("L [m]  g [m / s^2] T [s]\n1 9.8 2\n2 9.7 3\n", "T").units == {"L": "m", "g": "m / s^2", "T": "s"}
    assert read('"drop height" [m] t [s]\n1 9.8\n2 9.7\n', "t").labels == ("drop height",)
    assert read("L [m],T [s]\n1,2\n2,3\n", "T [s]").target == "T"
    # a bracket that is no unit does not matter in a column that is not needed
    assert read("L [m],remark [see p. 3],T [s]\n1,x,2\n2,y,3\n", "T", features=["L"]).names == ("L",)


def test_no_header() -> None:
    text = "1,2,3\n4,5,6\n"
    for target in ("2", "x2", 2):
        data = read(text, target)
        assert (data.names, data.target) == (("x0", "x1"), "x2")
    assert read(text, "0", features=["2"]).names == ("x2",)
    assert_array_equal(read("Mercury,0.4,0.2\nVenus,0.7,0.6\n", "2", features=["1"]).X, [[0.4], [0.7]])
    # a text above a number: the years are names
    assert read("x,1990,2000\n1,2,3\n4,5,6\n", "2000").labels == ("x", "1990")


def test_columns_go_by_label_header_or_name() -> None:
    text = "drop height [m],λ₀ (nm),exp,fall time [s]\n1,2,3,4\n2,1,4,5\n"
    data = read(text, "fall time", features=["drop_height", "λ₀ (nm)", "exp"])
    assert data.names == ("drop_height", "lambda0", "exp_")
    assert data.labels == ("drop height", "λ₀", "exp")
    assert (data.target, data.target_label) == ("fall_time", "fall time")
    assert data.units == {"drop_height": "m", "lambda0": "nm", "fall_time": "s"}
    assert read(text, "fall_time", features="lambda0_nm").names == ("lambda0",)
    assert read(text, "fall_time", features="exp_,drop height [m]").names == ("exp_", "drop_height")


def test_constant_and_empty_columns_are_left_out_with_a_note() -> None:
    data = read("a,b,c,y\n1,7,,3\n4,7,,6\n")
    assert data.names == ("a",)
    assert data.notes == ('column "c" is empty and was left out', 'column "b" is constant (7) and was left out')
    assert read("a,y,\n1,2,\n2,3,\n").notes == ('column "x2" is empty and was left out',)


def test_drop_missing() -> None:
    text = "a,b,y\n1,2,3\n4,NA,6\n7,8,\n9,1,2\n-inf,1,1\n"
    data = read(text, drop_missing=True)
    assert_array_equal(data.X, [[1, 2], [9, 1]])
    assert data.n_dropped == 3
    assert data.notes == ("3 rows with a missing or infinite value were left out",)
    assert_array_equal(read(text, features=["a"], drop_missing=True).y, [3, 6, 2])
    assert read("a,y\n1,\n1,2\n2,3", drop_missing=True).notes == (
        "1 row with a missing or infinite value was left out",
    )
    for cell in ("", "NA", "n/a", "#N/A", "nan", "NaN", "null", "None", "-", "?"):
        assert read(f"a,b,y\n{cell},1,2\n3,4,5\n6,7,8\n", drop_missing=True).n_dropped == 1, cell


def test_sigma_and_weights() -> None:
    text = "a,s,w,y\n1,.1,0,3\n4,.2,2,6\n5,.3,1,7\n"
    data = read(text, sigma="s", weights="w")
    assert data.names == ("a",)
    assert data.sigma is not None and data.weights is not None
    assert_array_equal(data.sigma, [0.1, 0.2, 0.3])
    assert_array_equal(data.weights, [0, 2, 1])
    for sigma in (0.5, "0.5"):
        data = read(text, sigma=sigma)
        assert data.sigma is not None
        assert_array_equal(data.sigma, [0.5, 0.5, 0.5])
        assert data.names == ("a", "s", "w")
    data = read(text, sigma=[1, 2, 3], features=["a"])
    assert data.sigma is not None
    assert_array_equal(data.sigma, [1, 2, 3])
    dropped = read("a,s,y\n1,,3\n4,.2,6\n5,.3,7\n", sigma="s", drop_missing=True)
    assert dropped.sigma is not None
    assert_array_equal(dropped.sigma, [0.2, 0.3])


def test_sha256_is_of_names_and_values() -> None:
    data = read(GOOD)
    expected = hashlib.sha256(b"a\nb\ny" + np.array([1, 2, 4, 5, 3, 6], "<f8").tobytes()).hexdigest()
    assert data.sha256 == expected
    assert read("# other text\na;b;y\n1,0;2;3\n4;5,0;6\n").sha256 == expected
    assert read(GOOD.replace("5", "5.000000001")).sha256 != expected
    assert read(GOOD.replace("b", "c")).sha256 != expected
    assert read(GOOD, sigma=1.0).sha256 != expected


# --------------------------------------------------------------------------- tables to predict for


def test_read_table() -> None:
    Path("d.csv").write_text("who,a [m],b\nann,1,\nbob,2,inf\nann,3,5\n")
    table = read_table("d.csv")
    assert table.names == table.labels == ("a", "b")
    assert table.units == {"a": "m"}
    assert_array_equal(table.columns["a"], [1, 2, 3])
    assert_array_equal(table.columns["b"], [np.nan, np.inf, 5])
    assert table.n_row == 3
    assert table.notes == ('column "who" was left out: "ann" in line 2 is not a number',)


def test_read_table_of_one_row_and_a_late_text() -> None:
    Path("d.csv").write_text("a\n1\n")
    assert_array_equal(read_table("d.csv").columns["a"], [1])
    Path("d.csv").write_text("a,b\n" + "1,2\n" * 30_000 + "1,x\n" + "3,4\n" * 30_000)
    table = read_table("d.csv")
    assert table.names == ("a",)
    assert_array_equal(table.columns["a"], [1] * 30_001 + [3] * 30_000)


# --------------------------------------------------------------------------- cost


def test_reading_imports_neither_pandas_nor_pint() -> None:
    Path("d.csv").write_text(GOOD)
    code = (
        "import sys, hypo.data as d; d.read_csv('d.csv', 'y'); "
        "assert not {'pandas', 'pint', 'sympy', 'scipy'} & set(sys.modules)"
    )
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    subprocess.run([sys.executable, "-c", path + code], check=True)


def test_long_files_are_read_fast() -> None:
    values = np.random.default_rng(1).normal(size=(100_000, 5))
    text = "a,b,c,d,y\n" + "\n".join(",".join(map(repr, row)) for row in values.tolist())
    Path("d.csv").write_text(text)
    start = time.perf_counter()
    data = read_csv("d.csv", "y")
    # 0.2 s on the machine it was written on (10⁶ rows: 1.8 s); the limit leaves room for a busy one.
    assert time.perf_counter() - start < 2.0
    assert_array_equal(np.column_stack([data.X, data.y]), values)
