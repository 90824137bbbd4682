"""Units as spreadsheets have them: in round brackets, in a second line, below a title."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.data import read_table
from hypo.errors import KnowledgeError
from tests.data.reading import message, read

pytestmark = pytest.mark.usefixtures("short_chains")

ROWS = "\n1,2,3\n4,5,7\n"


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
    result = hypo.fit(frame, "y", units={"a (t)": "s", "y": "m"}, operators="+,*", turns=4, posterior=False)
    assert result.settings["units"] == {"a": "s", "y": "m"}
    with pytest.raises(KnowledgeError, match="contradicts the unit"):  # of the same dimension
        hypo.fit(frame, "y", units={"y (m)": "cm"})
    with pytest.raises(KnowledgeError, match="contradicts the unit"):
        hypo.fit(frame.rename(columns={"a (t)": "a [m]"}), "y", units={"a": "s"})


def test_predictions_convert_round_brackets() -> None:
    frame = pd.DataFrame({"L (m)": [1.0, 2.0, 3.0, 5.0], "y (m)": [2.0, 4.0, 6.0, 10.0]})
    result = hypo.fit(frame, "y", operators="+,*", turns=4, posterior=False)
    assert result.predict({"L (cm)": np.array([100.0])}) == pytest.approx([2.0])
    Path("new.csv").write_text("L (cm),t (°C)\n300,20\n")
    assert result.predict("new.csv") == pytest.approx([6.0])
    # Of a table whose units were not read the names hold them.
    unread = hypo.fit(frame.assign(**{"T (°C)": [1.0, 2.0, 2.0, 1.0]}), "y_m", operators="+", turns=4, posterior=False)
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
