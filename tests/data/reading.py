"""Tables read from texts, and what is said of those that cannot be read."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hypo.data import Dataset, read_csv
from hypo.errors import DataError, InputError

DROP = "use --drop-missing (drop_missing=True) to leave such rows out"
GOOD = "a,b,y\n1,2,3\n4,5,6\n"
# Texts, dates, switches and ids beside numbers.
MIXED = "who,day,on,id,a,y\nann,2020-01-01,yes,1a,1,3\nbob,2020-01-02,no,2b,2,5\ncy,2020-01-03,yes,3c,4,6\n"


def read(text: str | bytes, target: str | int = "y", **options: Any) -> Dataset:
    Path("d.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv("d.csv", target, **options)


def message(text: str | bytes, target: str | int = "y", **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(text, target, **options)
    assert isinstance(caught.value, InputError) and isinstance(caught.value, ValueError)
    return str(caught.value)


def mixed_frame() -> pd.DataFrame:
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
