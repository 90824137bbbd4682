"""Smaller problems inside a whole search: many variables, no units; and that more time never gives a worse answer."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

import hypo
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate

Law = Callable[..., np.ndarray]

# Law, lowest and highest value of each variable, rows.
LAWS: dict[str, tuple[Law, dict[str, tuple[float, float]], int]] = {
    "gravitation": (
        lambda G, m1, m2, x1, x2, y1, y2, z1, z2: G * m1 * m2 / ((x2 - x1) ** 2 + (y2 - y1) ** 2 + (z2 - z1) ** 2),
        {
            **dict.fromkeys(("G", "m1", "m2"), (1.0, 2.0)),
            **{n: (3.0, 4.0) if n in ("x1", "y1", "z2") else (1.0, 2.0) for n in ("x1", "x2", "y1", "y2", "z1", "z2")},
        },
        2000,
    ),
    "velocities": (lambda c, u, v: (u + v) / (1 + u * v / c**2), dict.fromkeys("cuv", (1.0, 5.0)), 1000),
    "Planck": (
        lambda h, f, c, k, T: h * f**3 / (np.pi**2 * c**2 * np.expm1(h * f / (k * T))),
        dict.fromkeys("hfckT", (1.0, 5.0)),
        2000,
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_laws_of_many_variables_are_found_without_units(name: str) -> None:
    law, ranges, n = LAWS[name]
    rng = np.random.default_rng(40)
    low, high = np.array(list(ranges.values())).T
    X = rng.uniform(low, high, (n, len(ranges)))
    found = hypo.fit((X, law(*X.T)), features=list(ranges), time_limit=15, workers=1)
    assert found.status == "exact" and found.best is not None
    assert not found.best.expression.free
    # Beyond the range of the data.
    fresh = rng.uniform(low + high, 3 * (low + high), (100, len(ranges)))
    np.testing.assert_allclose(evaluate(found.best.expression, fresh, tuple(ranges)), law(*fresh.T), rtol=1e-9)
    assert "reduction" in found.timing


@pytest.mark.slow
def test_more_time_gives_no_worse_score() -> None:
    rng = np.random.default_rng(41)
    X = rng.uniform(0.5, 3.0, (500, 3))
    a, b, c = X.T
    truth = a * np.sin(1.3 * b) / (c + 0.4) + 0.3 * b**2
    y = truth + 0.1 * np.std(truth) * rng.standard_normal(500)
    # The first search in a process also loads the kernels: that is no time to search.
    hypo.fit((X, y), features=list("abc"), time_limit=0.5, workers=1)
    results = [hypo.fit((X, y), features=list("abc"), time_limit=limit, workers=1, seed=3) for limit in (1, 2, 4)]
    scores = [r.best.score for r in results if r.best is not None]
    assert len(scores) == 3
    assert all(longer <= shorter + 1e-9 for shorter, longer in pairwise(scores))
    for r, limit in zip(results, (1, 2, 4), strict=True):
        assert r.timing["total"] < limit + 1.0


def test_a_conserved_quantity_takes_the_place_of_its_variables() -> None:
    from hypo.knowledge import Knowledge
    from hypo.search.reductions.conserved import with_conserved
    from hypo.search.reductions.merge import ReducedColumns

    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, (4, 60))
    names = ("a", "b", "c", "d")
    own = {n: Expression.variable(n) for n in names}
    rules = Knowledge.from_dict(
        {
            "rule": [
                {"kind": "conserved", "quantity": "a + 2*b - c", "hard": True},
                {"kind": "conserved", "quantity": "c + d", "hard": True},
                {"kind": "conserved", "quantity": "b + d"},
            ]
        }
    ).rules
    columns = with_conserved(ReducedColumns(names, X, own, {}), rules, {"a": 10.0})
    # The second names a column that is no more there, the third is soft.
    assert len(columns.names) == 2 and columns.names[1] == "d"
    np.testing.assert_allclose(columns.X[0], X[0] / 10 + 2 * X[1] - X[2])
    found = evaluate(columns.formulas[columns.names[0]], X.T, names)
    np.testing.assert_allclose(found, columns.X[0])


def test_a_quantity_whose_terms_have_no_one_unit_stays_apart() -> None:
    from hypo.knowledge import Knowledge
    from hypo.search.reductions.conserved import with_conserved
    from hypo.search.reductions.merge import ReducedColumns
    from hypo.units import parse_unit

    metre, second = (parse_unit(t).dimension for t in ("m", "s"))
    X = np.random.default_rng(0).uniform(1, 2, (2, 10))
    own = {n: Expression.variable(n) for n in ("a", "b")}
    for quantity, count in (("a + b", 2), ("a*b", 1)):
        rules = Knowledge.from_dict({"rule": [{"kind": "conserved", "quantity": quantity, "hard": True}]}).rules
        columns = with_conserved(ReducedColumns(("a", "b"), X, own, {"a": metre, "b": second}), rules, {})
        assert len(columns.names) == count
    assert columns.dimensions[columns.names[0]] == metre * second
