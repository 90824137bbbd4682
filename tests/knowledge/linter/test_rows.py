"""What the linter finds when rules are held against the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hypo.data import Dataset, from_arrays, read_csv
from hypo.knowledge import lint
from hypo.knowledge.rows.local_regression import Neighbours, beyond_chance

HEADER = '[units]\ny = "1"\na = "1"\nb = "1"\nx = "1"\n'


def table(law: Callable[..., np.ndarray], noise: float, seed: int = 0, n: int = 100, low: float = 0.5) -> Dataset:
    """a, b, x uniform on [low, 4]; Gaussian noise of ``noise`` times the standard deviation of y."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(low, 4.0, (n, 3))
    y = law(*X.T)
    return from_arrays(X, y + noise * y.std() * rng.normal(size=n), names=["a", "b", "x"], target="y")


def found(tmp_path: Path, text: str, dataset: Dataset) -> list[str]:
    path = tmp_path / "K.toml"
    path.write_text(text, encoding="utf-8")
    return [str(f).replace(f"{path}:", "K:") for f in lint(path, dataset)]


def rule(**keys: object) -> str:
    import json

    def toml(value: object) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
        return json.dumps(value)

    return "[[rule]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def product(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    return a * b / (1 + x)


def ratio(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.sin(x) * a / b


def distance(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (a - b) ** 2 + x**2


TRUE = {
    product: [
        {"kind": "bounds", "min": 0.1, "max": 16.0},
        {"kind": "sign", "sign": "positive"},
        {"kind": "monotone", "variable": "a", "direction": "increasing"},
        {"kind": "monotone", "variable": "x", "direction": "decreasing"},
        {"kind": "symmetric", "swap": ["a", "b"]},
        {"kind": "homogeneous", "variables": ["a", "b"], "degree": 2},
        {"kind": "lipschitz", "variable": "x", "constant": 16.0},
        {"kind": "value", "at": {"a": 2, "b": 2, "x": 1}, "equals": 2.0},
    ],
    ratio: [
        {"kind": "bounds", "min": -8.0, "max": 8.0},
        {"kind": "scale_invariant", "variables": ["a", "b"]},
        {"kind": "homogeneous", "variables": ["a", "b"], "degree": 0},
    ],
    distance: [
        {"kind": "bounds", "min": 0.0},
        {"kind": "symmetric", "swap": ["a", "b"]},
        {"kind": "translation_invariant", "variables": ["a", "b"]},
        {"kind": "monotone", "variable": "x", "direction": "increasing"},
    ],
}
FALSE = {
    product: [
        {"kind": "bounds", "max": 3.0},
        {"kind": "sign", "sign": "negative"},
        {"kind": "monotone", "variable": "a", "direction": "decreasing"},
        {"kind": "monotone", "variable": "x", "direction": "increasing"},
        {"kind": "antisymmetric", "swap": ["a", "b"]},
        {"kind": "homogeneous", "variables": ["a", "b"], "degree": -1},
        {"kind": "not_depends", "variable": "b"},
        {"kind": "value", "at": {"a": 2, "b": 2, "x": 1}, "equals": 4.0},
        {"kind": "scale_invariant", "variables": ["a", "b"]},
        {"kind": "lipschitz", "variable": "a", "constant": 0.1},
        {"kind": "translation_invariant", "variables": ["a", "b"]},
    ]
}


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("law", TRUE)
def test_true_rules_pass(tmp_path: Path, law: Callable[..., np.ndarray], noise: float) -> None:
    text = HEADER + "".join(rule(**keys) for keys in TRUE[law])
    for seed in range(6):
        assert found(tmp_path, text, table(law, noise, seed)) == []


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("keys", FALSE[product], ids=lambda keys: keys["kind"])
def test_false_rules_are_named_with_rows(tmp_path: Path, keys: dict, noise: float) -> None:
    data = table(product, noise, seed=1)
    (line,) = found(tmp_path, HEADER + rule(**keys), data)
    assert line.startswith("K:6: warning: [[rule]] 1: ")
    assert "row" in line


def test_rows_are_listed_worst_first(tmp_path: Path) -> None:
    X = np.arange(1.0, 41.0)[:, None]
    y = 2.0 * X[:, 0]
    y[[3, 7, 9, 11, 13, 20]] = -1.0
    y[11] = -4.0
    data = from_arrays(X, y, names=["x"], target="y", sigma=0.1)
    text = rule(kind="bounds", min=0.0, where={"x": [1, 30]}) + rule(kind="bounds", max=9.0, where={"x": [31, 31]})
    assert found(tmp_path, text, data) == [
        "K:1: warning: [[rule]] 1: 6 rows of 30 break this rule (0 <= y on 1 <= x <= 30): rows 11, 3, 7, 9, 13 and 1 more "
        "(from 0); in row 11 (from 0) y = -4 is below 0 by 40 times the noise of 0.1",
        "K:5: warning: [[rule]] 2: 1 row of 1 breaks this rule (y <= 9 on x = 31): row 30 (from 0); there y = 62 is above 9 "
        "by 530 times the noise of 0.1",
    ]


def test_rows_of_a_file_go_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("# measured\n\nx,y\n1,2\n2,\n# a comment\n3,6\n4,-8\n5,10\n", encoding="utf-8")
    data = read_csv(path, "y", drop_missing=True)
    assert data.row_numbers is not None
    assert (data.row_word, data.row_numbers.tolist()) == ("line", [4, 7, 8, 9])
    assert data.rows_in_words([0, 2]) == "lines 4 and 8"
    (line,) = found(tmp_path, rule(kind="bounds", min=0.0), data)
    assert line == (
        "K:1: warning: [[rule]] 1: 1 row of 4 breaks this rule (0 <= y): line 8; there y = -8 is below 0 taken as exact, as "
        "there are too few rows to estimate the noise"
    )
    frame = from_arrays([[1], [2], [np.nan], [4]], [1, 2, 3, 5], drop_missing=True)
    assert frame.rows_in_words([2]) == "row 3 (from 0)"


def test_rules_that_no_row_can_test(tmp_path: Path) -> None:
    data = table(product, 0.0)
    text = (
        "[ranges]\nx = [10, 20]\n"
        + rule(kind="bounds", min=3.0)
        + rule(kind="bounds", max=30.0, where={"x": [0, "inf"], "a": [5, 6]})
        + rule(kind="value", at={"x": 0, "a": 1}, equals=3.0, where={})
        + rule(kind="even", variable="x", where={"x": [-4, 4]})
    )
    lines = found(tmp_path, text, data)
    assert lines[0] == (
        f"K:2: note: [ranges] x: the data reach from {data.X[:, 2].min():g} to {data.X[:, 2].max():g}, 100 of 100 rows outside "
        "this range"
    )
    assert lines[1] == (
        "K:3: warning: [[rule]] 1: no row of the data lies in its domain (x from 10 to 20, but the data have "
        f"{data.X[:, 2].min():g} to {data.X[:, 2].max():g}), so no row can test this rule"
    )
    assert "(a from 5 to 6, but the data have" in lines[2]
    assert lines[3].startswith("K:10: ")
    assert lines[4] == (
        "K:15: note: [[rule]] 4: moved as the rule says, no row comes to lie among the others, so no row can test this rule"
    )


def test_mirrored_rows_test_parity(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (200, 2))
    for law, kind, false in ((X[:, 0] ** 2 + X[:, 1], "even", "odd"), (X[:, 0] ** 3 * (3 + X[:, 1]), "odd", "even")):
        data = from_arrays(X, law, names=["x", "z"])
        assert found(tmp_path, rule(kind=kind, variable="x"), data) == []
        (line,) = found(tmp_path, rule(kind=false, variable="x"), data)
        assert "break this rule" in line
    waves = from_arrays(X, np.sin(np.pi * X[:, 0]), names=["x", "z"])
    assert found(tmp_path, rule(kind="periodic", variable="x", period=2.0), waves) == []
    assert "break this rule" in found(tmp_path, rule(kind="periodic", variable="x", period=1.0), waves)[0]
    zeros = from_arrays(np.arange(30.0)[:, None], np.arange(30.0), names=["x"])
    assert found(tmp_path, rule(kind="zeros", variable="x", at=[0.0]), zeros) == []
    assert (
        "row 3 (from 0); there y = 3 is not 0" in found(tmp_path, rule(kind="zeros", variable="x", at=[3.0]), zeros)[0]
    )


EXTREME = (1e-300, 1e300, 0.0, -1.0, -1e300, 1e10, 5e-324, 1.7e308)


def extremes() -> Iterator[dict[str, object]]:
    """Rules of every kind that takes numbers, with numbers at the ends of what floats hold."""
    for n in EXTREME:
        yield {"kind": "bounds", "min": n}
        yield {"kind": "bounds", "max": n}
        yield {"kind": "zeros", "variable": "x", "at": [n, 1.0], "only": True}
        yield {"kind": "homogeneous", "variables": ["a", "b"], "degree": n}
        yield {"kind": "homogeneous", "variables": ["x"], "degree": -n}
        for m in EXTREME:
            yield {"kind": "value", "at": {"x": n}, "equals": m}
            yield {"kind": "value", "at": {"x": n, "a": m, "b": m}, "equals": n}
            yield {"kind": "limit", "variable": "x", "to": n, "equals": m}
            yield {"kind": "growth", "variable": "x", "to": n, "exponent": m}
            if n < m:
                yield {"kind": "monotone", "variable": "x", "direction": "increasing", "where": {"x": [n, m]}}
                yield {"kind": "logic", "formula": f"forall x in [{n}, {m}]: y(a, b, x) > {n}"}
        if n > 0:
            yield {"kind": "periodic", "variable": "x", "period": n}
            yield {"kind": "lipschitz", "variable": "x", "constant": n}
            yield {"kind": "depends", "variable": "x", "tolerance": n}
            yield {"kind": "even", "variable": "x", "tolerance": n}
    for kind in ("symmetric", "antisymmetric"):
        yield {"kind": kind, "swap": ["a", "x"]}
    for kind in ("scale_invariant", "translation_invariant"):
        yield {"kind": kind, "variables": ["a", "x"]}
    for kind in ("odd", "not_depends", "convex", "concave"):
        yield {"kind": kind, "variable": "x"}


@pytest.mark.parametrize("size", [1.0, 1e200, 4e307, 1e-300])
@pytest.mark.filterwarnings("error")
def test_extreme_numbers_are_looked_over_quietly(tmp_path: Path, size: float) -> None:
    """Every line is a remark; nothing raises, be it the numbers of the rules or those of the table."""
    plain = table(product, 0.0, n=30)
    data = from_arrays(plain.X * size, plain.X[:, 0] * size, names=["a", "b", "x"], target="y")
    rules = list(extremes())
    for start in range(0, len(rules), 40):
        found(tmp_path, "".join(rule(**keys) for keys in rules[start : start + 40]), data)


def test_periods_and_degrees_beyond_the_table(tmp_path: Path) -> None:
    text = rule(kind="periodic", variable="x", period=1e300) + rule(kind="homogeneous", variables=["x"], degree=1e10)
    assert found(tmp_path, text, table(product, 0.0)) == [
        "K:1: note: [[rule]] 1: moved as the rule says, no row comes to lie among the others, so no row can test this rule",
        "K:5: note: [[rule]] 2: it changes the target by a factor beyond all numbers, so no row can test this rule",
    ]


# --- local fits -----------------------------------------------------------------------------------------------------------


def test_fits_are_exact_on_planes_and_their_errors_are_calibrated() -> None:
    """(estimate - truth)/error is Student's t: its spread over centres and seeds is that, within 4 standard errors."""
    rng = np.random.default_rng(5)
    X = rng.uniform(0, 1, (300, 2)) * [1.0, 100.0]
    plane = 3 + 2 * X[:, 0] - 0.5 * X[:, 1]
    exact = Neighbours(X, plane)
    np.testing.assert_allclose(exact.at_rows.gradient, np.tile([2, -0.5], (len(exact.rows), 1)), rtol=1e-8)
    np.testing.assert_allclose(exact.at_rows.value, plane[exact.rows], rtol=1e-10)
    scores = []
    for seed in range(30):
        noisy = Neighbours(X, plane + np.random.default_rng(seed).normal(0, 0.3, len(X)))
        at = noisy.at_rows
        scores.append(((at.gradient[::25] - [2, -0.5]) / at.gradient_error[::25]).ravel())
        assert noisy.noise == pytest.approx(0.3, rel=0.2)
    values = np.concatenate(scores)
    dof = exact.k - 3
    spread = np.sqrt(dof / (dof - 2))
    assert abs(values.mean()) < 4 * spread / np.sqrt(len(values))
    assert values.std() == pytest.approx(spread, rel=0.15)


def test_thresholds_grow_with_the_number_of_rows() -> None:
    assert beyond_chance(1) == 3.0
    assert beyond_chance(10_000) == pytest.approx(4.417, abs=1e-3)
    few = Neighbours(np.arange(8.0)[:, None], np.arange(8.0))
    assert not few.enough
    assert few.noise is None
