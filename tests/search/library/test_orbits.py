"""Orbits under hard swaps: what remains of a library transforms as the law does, and every symmetric formula is still there."""

from itertools import pairwise

import numpy as np
import pytest

import hypo
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.invariance import Antisymmetric, Symmetric
from hypo.search.library.library import Library, Seed
from hypo.search.library.orbits import Orbits

NAMES = ("x", "u", "z")
X = np.random.default_rng(0).uniform(0.5, 2.0, (3, 40))
SIZE = 5
SWAP = Symmetric(swap=("x", "u"), hard=True)
OTHER = Symmetric(swap=("u", "z"), hard=True)
ODD = Antisymmetric(swap=("x", "u"), hard=True)


def library() -> Library:
    seeds = [Seed(Expression.variable(n), 1, v) for n, v in zip(NAMES, X, strict=True)]
    out = Library([*seeds, Seed(Expression.constant(1.0), 1, np.ones(40))], ("+", "-", "*", "/", "sqrt", "exp"), NAMES)
    out.grow(10**6, max_cost=SIZE)
    return out


def left(rules: list[Rule], whole: Library) -> Library:
    orbits = Orbits.of(NAMES, rules, {})
    assert orbits is not None
    return orbits.library(whole, whole.count, X, max_cost=40, deadline=np.inf)


def swapped(values_at: np.ndarray, *order: int) -> np.ndarray:
    return np.ascontiguousarray(values_at[list(order)])


def has(rows: np.ndarray, values: np.ndarray) -> bool:
    return bool(np.any(np.all(np.abs(rows - values) <= 1e-9 * np.max(np.abs(values)), axis=1)))


@pytest.mark.parametrize("rules", [[SWAP], [ODD], [SWAP, OTHER]], ids=["symmetric", "antisymmetric", "two swaps"])
def test_what_remains_changes_in_sign_at_most(rules: list[Rule]) -> None:
    rest = left(rules, library())
    every = np.arange(rest.count)
    swaps = [(1, 0, 2)] if len(rules) == 1 else [(1, 0, 2), (0, 2, 1), (2, 0, 1)]
    for order in swaps:
        image, own = rest.evaluate(every, swapped(X, *order)), rest.values[: rest.count]
        size = 1e-8 * np.abs(own).max(axis=1)
        assert np.all((np.abs(image - own).max(axis=1) <= size) | (np.abs(image + own).max(axis=1) <= size))


@pytest.mark.parametrize("rules", [[SWAP], [ODD], [SWAP, OTHER]], ids=["symmetric", "antisymmetric", "two swaps"])
def test_no_symmetric_formula_is_lost(rules: list[Rule]) -> None:
    """Against brute force: each member that changes in sign at most, and each sum and product over an orbit, is there."""
    whole = library()
    rest = left(rules, whole)
    rows = rest.values[: rest.count]
    orders = [(0, 1, 2), (1, 0, 2)]
    if len(rules) == 2:
        orders += [(0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)]
    sign = -1 if isinstance(rules[0], Antisymmetric) else 1
    every = np.arange(whole.count)
    images = np.array([whole.evaluate(every, swapped(X, *order)) for order in orders])
    checked = 0
    for k in range(0, whole.count, 3):
        own = images[0, k]
        if not np.all(np.isfinite(images[:, k])):
            continue
        size = 1e-9 * np.abs(own).max()
        if all(min(np.abs(v - own).max(), np.abs(v + own).max()) <= size for v in images[:, k]):
            assert has(rows, own), whole.expression(k)
            continue
        distinct: list[np.ndarray] = []
        for v in images[:, k]:
            if all(np.abs(v - w).max() > size and np.abs(v + w).max() > size for w in distinct):
                distinct.append(v)
        assert has(rows, np.prod(distinct, axis=0)) or has(rows, -np.prod(distinct, axis=0)), whole.expression(k)
        if len(rules) == 1:
            total = images[0, k] + sign * images[1, k]
            if np.abs(total).max() > 1e-6:
                assert has(rows, total) or has(rows, -total), whole.expression(k)
        checked += 1
    assert checked > 100


def test_rows_are_no_more_than_the_library_has_and_each_orbit_is_taken_once() -> None:
    whole = library()
    rest = left([SWAP], whole)
    assert rest.count < whole.count
    texts = [str(rest.expression(k)) for k in range(rest.count)]
    assert len(set(texts)) == len(texts)


def test_swaps_that_say_nothing() -> None:
    assert Orbits.of(NAMES, [Symmetric(swap=("x", "u"))], {}) is None
    assert Orbits.of(NAMES, [SWAP, ODD], {}) is None
    assert Orbits.of(NAMES, [SWAP], {"x": 1, "u": 2}) is None
    assert Orbits.of(("x", "z"), [SWAP], {}) is None
    names = tuple("abcdef")
    assert Orbits.of(names, [Symmetric(swap=(a, b), hard=True) for a, b in pairwise(names)], {}) is None


@pytest.mark.parametrize("law", ["(x*exp(-u) + u*exp(-x))/(x + u)", "z*x*u/(x + u)**2"])
def test_symmetric_laws_are_found(law: str) -> None:
    e = parse(law)
    names = [n for n in NAMES if n in e.variables]
    rng = np.random.default_rng(1)
    rows = rng.uniform(0.5, 3.0, (200, len(names)))
    known = Knowledge.from_dict({"rule": [{"kind": "symmetric", "swap": ["x", "u"], "hard": True}]})
    result = hypo.fit(rows, evaluate(e, rows, names), features=names, knowledge=known, time_limit=15)
    assert result.expression is not None
    fresh = rng.uniform(0.5, 3.0, (100, len(names)))
    np.testing.assert_allclose(evaluate(result.expression, fresh, names), evaluate(e, fresh, names), rtol=1e-6)
