"""The data sets and the Feynman table: complete, consistent, and true to the laws they state.

Nothing of hypo is imported: formulas are read with ``ast`` and walked by the two dozen lines below.
"""

import ast
import csv
import keyword
import math
import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tests.oracles.places import ROOT

DATASETS = sorted(path.parent for path in (ROOT / "datasets").glob("*/dataset.toml"))
WITH_LAW, WITH_DYNAMICS = (
    [folder for folder in DATASETS if f"\n[{key}]\n" in (folder / "dataset.toml").read_text(encoding="utf-8")]
    for key in ("law", "dynamics")
)
PROBLEMS = tomllib.loads((ROOT / "benchmarks/feynman/problems.toml").read_text(encoding="utf-8"))["problem"]

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "asin": np.arcsin,
    "acos": np.arccos,
}
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
Units = dict[str, Fraction]


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a formula; any syntax outside the arithmetic of the tables is a ``TypeError``."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return math.pi if name == "pi" else names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](evaluate(left, names), evaluate(right, names))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return FUNCTIONS[name](evaluate(argument, names))
    raise TypeError(ast.dump(node))


def dimension(node: ast.expr, names: Mapping[str, Units]) -> Units:
    """The unit of a formula, as powers of base units; ``AssertionError`` where units clash."""
    match node:
        case ast.Constant() | ast.Name(id="pi"):
            return {}
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(operand=operand):
            return dimension(operand, names)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            assert dimension(left, names) == dimension(right, names), ast.unparse(node)
            return dimension(left, names)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return product(dimension(left, names), dimension(right, names), 1)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return product(dimension(left, names), dimension(right, names), -1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            assert dimension(right, names) == {}, ast.unparse(node)
            base = dimension(left, names)
            return product({}, base, Fraction(evaluate(right, {}))) if base else {}
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument]):
            return product({}, dimension(argument, names), Fraction(1, 2))
        case ast.Call(args=[argument]):
            assert dimension(argument, names) == {}, ast.unparse(node)
            return {}
    raise TypeError(ast.dump(node))


def product(left: Units, right: Units, power: Fraction | int) -> Units:
    """left * right**power."""
    powers = {base: left.get(base, Fraction()) + power * right.get(base, Fraction()) for base in left | right}
    return {base: exponent for base, exponent in powers.items() if exponent}


def read_unit(text: str) -> Units:
    """Powers of base units in a string like ``kg*m^2/s^2/V``."""
    unit: Units = {}
    for sign, base, exponent in re.findall(r"([*/]?)([A-Za-z]+)\^?(\d*)", text):
        unit = product(unit, {base: Fraction(exponent or 1)}, -1 if sign == "/" else 1)
    return unit


def parse(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def free_names(formula: str) -> set[str]:
    """The variables and constants of a formula: every name but ``pi`` and those called as functions."""
    nodes = list(ast.walk(parse(formula)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called} - {"pi"}


def read(folder: Path) -> tuple[dict[str, Any], list[str], np.ndarray]:
    """A data set: its description, its header cells, its numbers (n_row, n_col)."""
    description = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    with open(folder / "data.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return description, header, np.array(rows, dtype=float)


def residual(y: np.ndarray, prediction: np.ndarray) -> float:
    """Root mean square of the residual over the standard deviation of y."""
    return float(np.sqrt(np.mean((y - prediction) ** 2)) / np.std(y))


def test_the_promised_data_sets_are_there() -> None:
    assert {folder.name for folder in DATASETS} >= {
        "kepler",
        "hubble_1929",
        "hydrogen_lines",
        "boyle",
        "black_body",
        "cooling",
        "pendulum",
        "stopping_distances",
        "titius_bode",
        "hare_lynx",
        "galileo_fall",
        "pinene",
        "indometacin",
        "influenza_1978",
        "sunspots",
    }
    assert {*WITH_LAW, *WITH_DYNAMICS} == set(DATASETS)
    assert {path.parent for path in (ROOT / "datasets").glob("*/data.csv")} == set(DATASETS)


@pytest.mark.parametrize("folder", DATASETS, ids=lambda folder: folder.name)
def test_dataset_is_as_described(folder: Path) -> None:
    description, header, table = read(folder)
    columns = description["columns"]
    assert description["name"] == folder.name
    assert header == [f"{c['name']} [{c['unit']}]" if "unit" in c else c["name"] for c in columns]
    group = description.get("dynamics", {}).get("group")
    measured = [column for column in columns if column["name"] != group]
    assert len({"unit" in column for column in measured}) == 1, "units for all columns or for none"
    assert all(column["meaning"] for column in columns)
    assert table.shape == (description["rows"], len(columns))
    assert np.isfinite(table).all()
    assert "law" not in description or description["target"] in {column["name"] for column in columns}
    assert description["title"] and len(description["source"]) > 40 and description["notes"]


@pytest.mark.parametrize("folder", WITH_LAW, ids=lambda folder: folder.name)
def test_law_leaves_the_stated_residual(folder: Path) -> None:
    description, _, table = read(folder)
    law, constants = description["law"], description["law"]["constants"]
    # Constants are in the columns' own units; an angle enters a formula in radians.
    names = {
        column["name"]: np.radians(values) if column.get("unit") == "deg" else values
        for column, values in zip(description["columns"], table.T, strict=True)
    }
    y = names.pop(description["target"])
    assert free_names(law["formula"]) == set(names) | set(constants)
    has_units = "unit" in description["columns"][0]
    assert all(("unit" in constant) == has_units for constant in constants.values())

    names |= {name: constant["value"] for name, constant in constants.items()}
    formula = parse(law["formula"])
    found = residual(y, evaluate(formula, names))
    assert found == pytest.approx(law["residual"], rel=5e-3)

    if law["origin"].startswith("least squares"):
        moved = [names | {name: factor * names[name]} for name in constants for factor in (0.999, 1.001)]
        assert min(residual(y, evaluate(formula, values)) for values in moved) > found


@pytest.mark.parametrize("folder", WITH_DYNAMICS, ids=lambda folder: folder.name)
def test_law_of_motion_leaves_the_stated_residual(folder: Path) -> None:
    """Followed by SciPy from the stated starts; other constants leave a larger one."""
    description, _, table = read(folder)
    motion = description["dynamics"]
    columns = dict(zip([column["name"] for column in description["columns"]], table.T, strict=True))
    states, order, constants = motion["states"], motion.get("order", 1), motion["constants"]
    names = [*states, *([f"{state}_dot" for state in states] if order == 2 else [])]
    rates = [parse(rate) for rate in motion["rates"]]
    assert len(rates) == len(states)
    assert set().union(*map(free_names, motion["rates"])) <= {*names, *constants}
    assert set(constants) <= set().union(*map(free_names, motion["rates"]))
    has_units = "unit" in next(c for c in description["columns"] if c["name"] == motion["time"])
    assert all(("unit" in constant) == has_units for constant in constants.values())

    time, values = columns[motion["time"]], np.column_stack([columns[state] for state in states])
    runs = columns[motion["group"]] if "group" in motion else np.zeros(len(time))
    assert np.isfinite(values).all() and len(motion["starts"]) == len(np.unique(runs))

    def residual_with(numbers: Mapping[str, float]) -> float:
        def rate(_: float, state: np.ndarray) -> list[float]:
            known = {**numbers, **dict(zip(names, state, strict=True))}
            slopes = [evaluate(each, known) for each in rates]
            return slopes if order == 1 else [*state[len(states) :], *slopes]

        total = 0.0
        for run, start in zip(np.unique(runs), motion["starts"], strict=True):
            rows = runs == run
            clock = time[rows]
            assert np.all(np.diff(clock) > 0)
            done = solve_ivp(rate, (clock[0], clock[-1]), start, method="LSODA", t_eval=clock, rtol=1e-8, atol=1e-8)
            total += np.sum(((done.y.T[:, : len(states)] - values[rows]) / values.std(0)) ** 2)
        return float(np.sqrt(total / values.size))

    best = {name: constant["value"] for name, constant in constants.items()}
    found = residual_with(best)
    assert found == pytest.approx(motion["residual"], rel=5e-3)
    assert motion["origin"].startswith("least squares")
    moved = [best | {name: factor * best[name]} for name in best for factor in (0.99, 1.01)]
    assert min(map(residual_with, moved)) > found


def test_known_facts_of_trajectories() -> None:
    """Sums and extremes that the sources state."""
    _, _, pinene = read(ROOT / "datasets/pinene")
    # Pyronene is three percent of what has reacted.
    np.testing.assert_allclose(pinene[:, 4], 0.03 * (100 - pinene[:, 1]), atol=0.06)
    np.testing.assert_allclose(pinene[:, 1:].sum(1), 100, atol=0.5)
    _, _, sunspots = read(ROOT / "datasets/sunspots")
    # The highest maximum of the series: 190.2 in 1957.
    assert sunspots[np.argmax(sunspots[:, 1])].tolist() == [1957, 190.2]
    _, _, school = read(ROOT / "datasets/influenza_1978")
    np.testing.assert_allclose(np.diff(school[:, 2]), (school[1:, 1] + school[:-1, 1]) / 2)


def test_kepler_follows_from_the_gravity_of_the_sun() -> None:
    folder = ROOT / "datasets/kepler"
    description, _, table = read(folder)
    gm = tomllib.loads((folder / description["knowledge"]).read_text(encoding="utf-8"))["constants"]["GM"]
    assert gm["unit"] == "m^3/s^2"
    metres, seconds = table[:, 0] * 149_597_870_700.0, table[:, 1] * 31_557_600.0
    assert residual(seconds, 2 * np.pi * np.sqrt(metres**3 / gm["value"])) < 1e-3


def test_feynman_table_is_complete() -> None:
    assert len(PROBLEMS) == 120
    assert len({problem["name"] for problem in PROBLEMS}) == 120
    assert [problem["set"] for problem in PROBLEMS] == ["feynman"] * 100 + ["bonus"] * 20


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["name"])
def test_feynman_problem_is_well_posed(problem: dict[str, Any]) -> None:
    variables = problem["variables"]
    assert free_names(problem["formula"]) == set(variables)
    for name in [*variables, problem["target"]]:
        assert name.isidentifier() and not keyword.iskeyword(name) and name not in {*FUNCTIONS, "pi"}
    assert problem["target"] not in variables

    units = {name: read_unit(variable["unit"]) for name, variable in variables.items()}
    assert dimension(parse(problem["formula"]), units) == read_unit(problem["unit"])

    rng = np.random.default_rng(0)
    assert all(variable["low"] < variable["high"] for variable in variables.values())
    points = {name: rng.uniform(v["low"], v["high"], 500) for name, v in variables.items()}
    assert np.isfinite(evaluate(parse(problem["formula"]), points)).all()
