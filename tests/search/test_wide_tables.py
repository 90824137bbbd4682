"""Tables of very many columns: no recursion over them, no work with their square."""

import time

import numpy as np
import pytest

import hypo
from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.fitting.refiner import ALONE, select_likeliest
from hypo.problem.problem import Settings, make_problem
from hypo.search.library.compact import _choices, _exponents


def plain(n, total):
    """All tuples of n whole numbers whose sizes add up to the total, one variable after the other."""
    if n == 1:
        return [(total,), (-total,)] if total else [(0,)]
    out = []
    for q in range(total, -1, -1):
        for rest in plain(n - 1, total - q):
            out.append((q, *rest))
            if q:
                out.append((-q, *rest))
    return out


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("total", range(1, 5))
def test_exponents_are_all_there_in_their_order(n, total):
    found = list(_exponents(n, total))
    assert found == [tuple((k, q) for k, q in enumerate(e) if q) for e in plain(n, total)]
    assert len(found) == _choices(n, total)


def test_exponents_of_many_variables():
    assert sum(1 for _ in _exponents(5000, 1)) == 10_000


def test_places_of_columns_are_those_of_the_call():
    e = Expression.variable("b") + Expression.variable("a")
    for columns in (("a", "b"), ("b", "a"), ["b", "x", "a"], ["a", "b"]):
        assert e.arrays(columns)[1][:2].tolist() == [list(columns).index("b"), list(columns).index("a")]
    columns = ["a", "b"]
    e.arrays(columns)
    columns.reverse()
    assert e.arrays(columns)[1][:2].tolist() == [0, 1]


def test_of_many_columns_the_nearest_are_looked_at_first():
    X = np.random.default_rng(0).uniform(1.0, 3.0, (3 * ALONE, 50))
    names = tuple(f"c{k}" for k in range(len(X)))
    found = select_likeliest(names, X, X[217])
    assert len(found) == ALONE
    assert "c217" in found
    assert select_likeliest(names[:5], X[:5], X[2]) == names[:5]


def test_a_table_of_ten_thousand_columns_is_made_in_seconds():
    X = np.random.default_rng(0).uniform(1.0, 3.0, (30, 10_000))
    X[:, 5] = 2.0
    begin = time.process_time()
    data = from_arrays(X, X[:, 7] * X[:, 9], units={f"x{k}": "m" for k in range(10_000)})
    make_problem(data, None, Settings())
    assert len(data.names) == 9_999
    assert time.process_time() - begin < 20.0


@pytest.mark.parametrize("n", [1000, 3000])
def test_the_law_is_found_among_thousands_of_columns(n):
    X = np.random.default_rng(1).uniform(1.0, 3.0, (200, n))
    y = 2.5 * X[:, 3] * X[:, n // 2] / X[:, n - 2]
    result = hypo.fit(X, y, time_limit=8.0, posterior=False)
    assert "failures" not in result.manifest
    assert set(result.expression.variables) == {"x3", f"x{n // 2}", f"x{n - 2}"}
    assert result.best.r2 > 1 - 1e-12
