"""Columns of texts and dates that nobody asked for are left out, and that is said."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hypo
from hypo.data import from_frame
from hypo.errors import InputError
from tests.data.reading import MIXED, message, read

pytestmark = pytest.mark.usefixtures("short_chains")


def test_columns_of_texts_and_dates_are_left_out_and_said() -> None:
    data = read(MIXED)
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
    assert (
        message(MIXED, features=["who", "a"]) == 'd.csv, line 2, column "who": "ann" is not a number; correct the cell'
    )
    assert '"who": "ann" is not a number' in message(MIXED, target="who")
    assert '"who": "ann" is not a number' in message(MIXED, weights="who")
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
    Path("d.csv").write_text(MIXED)
    with pytest.raises(InputError, match='column "who" was left out: "ann" is not a number'):
        hypo.fit("d.csv", "y", turns=4, **given)


def test_a_column_left_out_that_is_called_like_a_word_of_the_knowledge() -> None:
    Path("d.csv").write_text(MIXED.replace("who", "kind").replace("day", "sign").replace("on,", "min,"))
    rules = [{"kind": "bounds", "min": 0.0, "label": "of a kind"}, {"kind": "sign", "sign": "positive"}]
    result = hypo.fit("d.csv", "y", knowledge={"rule": rules}, turns=4, operators="+", posterior=False)
    assert result.features == ("a",)


def test_a_formula_to_score_with_a_column_left_out() -> None:
    Path("d.csv").write_text(MIXED)
    with pytest.raises(InputError, match='the formula uses who, but the column "who" was left out'):
        hypo.score("a + who", "d.csv", "y")


def test_exclude() -> None:
    text = "a,b,c,y\n1,2,3,4\n2,4,5,7\n3,7,1,1\n"
    assert read(text, exclude=["b"]).names == ("a", "c")
    assert read(text, exclude="b, c").names == ("a",)
    assert from_frame(pd.read_csv("d.csv"), "y", exclude="b").names == ("a", "c")
    frame = pd.read_csv("d.csv")
    result = hypo.fit(frame[["a", "b", "c"]], frame["y"], exclude="b", turns=4, operators="+,*", posterior=False)
    assert result.features == ("a", "c")
    assert result.predict(frame[["a", "b", "c"]].to_numpy()).shape == (3,)
    assert "is listed as a feature and to be excluded too" in message(text, exclude="b", features=["a", "b"])
    assert 'the column "y" is the target and cannot be excluded' in message(text, exclude="y")
    assert 'there is no column "z" as column to exclude' in message(text, exclude="z")
    assert '"a" (excluded), "b" (excluded), "c" (excluded)' in message(text, exclude="a,b,c")
