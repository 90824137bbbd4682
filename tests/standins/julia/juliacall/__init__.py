"""Stands in for juliacall where there is no Julia: PySR imports, constructs and validates; the search is recorded.

The search writes the hall of fame named by ``HYPO_TEST_HALL`` where PySR told Julia to, and its arguments, as far as they are
plain, to ``HYPO_TEST_RECORD``.
"""

import json
import os
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np


class AnyValue:
    """A value of Julia."""


class VectorValue:
    """A vector of Julia."""


class JuliaError(Exception):
    """An error of Julia."""


def convert(kind, value):
    return value


class Search:
    """SymbolicRegression.jl, as far as PySR's ``fit`` calls it."""

    def __init__(self):
        self.options = {}

    def Options(self, **options):  # the name in Julia
        self.options = options
        return MagicMock()

    def equation_search(self, X, y, **arguments):
        folder = Path(self.options["output_directory"]) / arguments["run_id"]
        folder.mkdir(parents=True, exist_ok=True)
        record = {**arguments, "options": self.options, "X": np.shape(X), "y": np.shape(y)}
        Path(os.environ["HYPO_TEST_RECORD"]).write_text(json.dumps(record, default=plain))
        hall = Path(os.environ["HYPO_TEST_HALL"]).read_text()
        (folder / "hall_of_fame.csv").write_text(hall)
        (folder / "hall_of_fame.csv.bak").write_text(hall)
        return MagicMock(), MagicMock()


def plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)


class Dict(dict):
    """``Dict[Int, Vector]()``."""

    def __class_getitem__(cls, kinds):
        return cls


search = Search()
found = MagicMock()
found.OperatorEnum = lambda operators: operators
found.Options = search.Options
found.equation_search._jl_call_nogil = search.equation_search

Main = MagicMock()
Main.VERSION.major, Main.VERSION.minor, Main.VERSION.patch = 1, 11, 0
Main.SymbolicRegression = found
Main.Dict = Dict
Main.seval = lambda text: text
Main.isa = lambda value, kind: True
Main.copy = lambda value: value
Main.take_b = lambda stream: b""
Main.Base.include_string = lambda module, text, name: text
Main.Symbol = lambda name: name
Main.PythonCall.PyArray = lambda value: value
