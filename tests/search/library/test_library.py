"""The library against a brute-force enumerator that shares no code with it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.expression.expr import Expression
from hypo.expression.operators import BY_NAME
from hypo.expression.program import evaluate
from hypo.kernels.opcodes import N_OPCODE
from hypo.search.library.context import LibraryView
from hypo.search.library.library import Library, Seed
from tests.oracles.brute_force import N_ROW, SAME, Brute, X, Y, Z


@dataclass(frozen=True)
class Grammar:
    """A small grammar, for both enumerators. Dimensions are exponents of two base units."""

    columns: Mapping[str, np.ndarray]
    operators: tuple[str, ...]
    size: int
    one: bool = False
    dimensions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def brute(self) -> Brute:
        leaves = dict(self.columns)
        if self.one:
            leaves["1"] = np.ones(N_ROW)
        return Brute(leaves, self.operators, self.size, self.dimensions, self.nesting)

    def library(self) -> Library:
        seeds = [
            Seed(Expression.variable(n), 1, v, self.packed(self.dimensions.get(n, (0, 0))))
            for n, v in self.columns.items()
        ]
        if self.one:
            seeds.append(Seed(Expression.constant(1.0), 1, np.ones(N_ROW)))
        forbid = np.zeros(N_OPCODE, np.int64)
        for outer, inner in self.nesting.items():
            for name in inner:
                forbid[BY_NAME[outer].opcode] |= 1 << BY_NAME[name].opcode
        return Library(seeds, self.operators, tuple(self.columns), forbid=forbid, dimension_layout=(20, 2))

    @staticmethod
    def packed(dimension: tuple[float, ...]) -> int:
        return sum(round(12 * d) << (20 * k) for k, d in enumerate(dimension))


GRAMMARS = {
    "arithmetic and sqrt": Grammar({"x": X, "y": Y}, ("+", "-", "*", "/", "sqrt"), 7),
    "arithmetic and sqrt, mixed signs": Grammar({"x": X, "z": Z}, ("+", "-", "*", "/", "sqrt"), 7),
    "one variable with 1": Grammar({"x": 0.4 + 0.3 * X}, ("+", "*", "inv", "exp"), 7, one=True),
    "three variables with units": Grammar(
        {"x": X, "y": Y, "z": Z}, ("+", "-", "*", "square"), 7, dimensions={"x": (1, 0), "y": (1, 0), "z": (0, -1)}
    ),
    "units, roots and quotients": Grammar(
        {"x": X, "y": Y, "z": np.abs(Z)},
        ("+", "*", "/", "sqrt"),
        6,
        dimensions={"x": (2, -1), "y": (0, 1), "z": (0, 0)},
    ),
    "no square in square": Grammar(
        {"x": X, "y": Y, "z": Z}, ("+", "-", "*", "square"), 6, nesting={"square": ("square",)}
    ),
    "no product in square, no square in exp": Grammar(
        {"x": X, "z": Z}, ("+", "*", "square", "exp"), 6, nesting={"square": ("*", "exp"), "exp": ("square", "exp")}
    ),
    "units and no root in root": Grammar(
        {"x": X, "y": Y},
        ("+", "*", "/", "sqrt", "square"),
        6,
        dimensions={"x": (1, 0), "y": (2, 0)},
        nesting={"sqrt": ("sqrt", "square"), "square": ("sqrt", "square")},
    ),
    "functions of mixed signs": Grammar({"z": Z}, ("-", "*", "neg", "abs", "log", "sin"), 7),
}
CASES = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())


@CASES
def test_levels_equal_brute_force(grammar: Grammar) -> None:
    levels = grammar.brute().distinct()[1:]
    library = grammar.library()
    library.grow(10**5, max_cost=grammar.size)
    assert library.complete_to == grammar.size
    assert library.level_sizes() == tuple(len(level) for level in levels)
    assert library.distinct() == sum(library.level_sizes())
    dimensions = {t.dimension for level in levels for t in level}
    for dimension in dimensions:
        same = sum(t.dimension == dimension for level in levels for t in level)
        assert library.distinct(grammar.packed(dimension)) == same

    # The same values, each with its number of nodes and dimension.
    top = np.abs(library.values[: library.count]).max(axis=1)
    for level in levels:
        for tree in level:
            want = tree.values.astype(float)
            largest = np.abs(want).max()
            near = np.flatnonzero(np.abs(top - largest) <= 1e-8 * largest)
            found = [
                k
                for k in near
                if np.abs(library.values[k] - want).max() <= 1e-9 * largest
                and library.dims[k] == grammar.packed(tree.dimension)
            ]
            assert found and library.cost[found].min() == tree.size, tree.text


@CASES
def test_members_are_what_they_say(grammar: Grammar) -> None:
    """Expressions of members have the members' values and sizes, keep the nesting rules and use the operators only."""
    library = grammar.library()
    library.grow(10**5, max_cost=grammar.size - 1)
    table = np.array(list(grammar.columns.values()))
    members = np.arange(library.count)
    np.testing.assert_allclose(library.evaluate(members, table), library.values[: library.count], rtol=1e-12)
    for k in members[:: max(1, library.count // 400)]:
        e = library.expression(int(k))
        assert len(e) == library.cost[k]
        np.testing.assert_allclose(evaluate(e, table.T, tuple(grammar.columns)), library.values[k], rtol=1e-12)
        for part in e.walk():
            if len(part) > 1:
                row = next(r for r in BY_NAME.values() if r.opcode == part.root)
                assert row.name in grammar.operators
                below = {o for child in part.children for o, _ in child.code}
                assert not below & {BY_NAME[n].opcode for n in grammar.nesting.get(row.name, ())}


@CASES
def test_growing_in_steps_equals_growing_at_once(grammar: Grammar) -> None:
    at_once, in_steps = grammar.library(), grammar.library()
    at_once.grow(10**5, max_cost=grammar.size)
    n = at_once.count
    reached = []
    for size in (1, 2, 3, 10, 11, n // 3, n // 2, n - 1, n, n + 1):
        in_steps.grow(size, max_cost=grammar.size)
        reached.append(in_steps.complete_to)
        assert in_steps.level_sizes() == at_once.level_sizes()[: in_steps.complete_to]
        # A full library cannot know that nothing more would have come.
        assert in_steps.complete_to < grammar.size or size > n
    assert reached == sorted(reached) and reached[-1] == grammar.size
    assert in_steps.level_sizes() == at_once.level_sizes()
    np.testing.assert_array_equal(in_steps.values[:n], at_once.values[:n])
    np.testing.assert_array_equal(in_steps.cost[:n], at_once.cost[:n])


def test_a_cap_lowers_the_completed_level() -> None:
    library = GRAMMARS["arithmetic and sqrt"].library()
    library.grow(10**5, max_cost=7)
    sizes = library.level_sizes()
    for cap in (1, 2, 5, 50, 500, sum(sizes[:6]), sum(sizes[:6]) + 1):
        small = GRAMMARS["arithmetic and sqrt"].library()
        small.grow(cap)
        whole = [c for c in range(8) if sum(sizes[:c]) < cap]
        assert small.complete_to == max(whole)
        assert small.count >= cap


def test_a_deadline_lowers_the_completed_level() -> None:
    library = GRAMMARS["arithmetic and sqrt"].library()
    library.grow(10**5, max_cost=7, deadline=time.monotonic() - 1)
    assert library.complete_to <= 1
    begin = time.monotonic()
    deep = Grammar({"x": X, "y": Y, "z": Z}, ("+", "-", "*", "/"), 20).library()
    deep.grow(10**5, deadline=begin + 0.3)
    assert time.monotonic() - begin < 1.5
    level = deep.complete_to
    assert level < 20
    deep.grow(10**5, max_cost=level, deadline=math.inf)
    assert deep.complete_to == level


def test_a_library_without_seeds_has_no_rows_to_scan() -> None:
    library = Library((), ("+",), ("x",))
    library.grow(10)
    assert library.count == 0 and len(LibraryView(library, np.ones((1, 5)), 10, 5).members) == 0


def test_an_exhausted_grammar_stops_growing() -> None:
    # abs and neg of one column: z, -z, |z|, -|z| and nothing else.
    library = Library([Seed(Expression.variable("z"), 1, Z)], ("abs", "neg"), ("z",))
    library.grow(1000)
    assert library.exhausted and library.count == 4 and sum(library.level_sizes()) == 4
    before = library.complete_to
    library.grow(2000)
    assert library.complete_to == before


def test_equal_columns_and_invalid_columns_are_no_members() -> None:
    seeds = [
        Seed(Expression.variable(n), 1, v)
        for n, v in {
            "x": X,
            "same": X.copy(),
            "zero": np.zeros(N_ROW),
            "bad": np.where(np.arange(N_ROW) == 3, np.nan, X),
        }.items()
    ]
    library = Library(seeds, ("+",), ("x", "same", "zero", "bad"))
    library.grow(100, max_cost=3)
    assert library.level_sizes() == (1, 0, 1)


def test_seeds_of_higher_cost_enter_their_level() -> None:
    product = Expression.variable("x") * Expression.variable("y")
    seeds = [Seed(product, 2, X * Y), Seed(Expression.variable("x"), 1, X)]
    library = Library(seeds, ("+",), ("x", "y"))
    library.grow(100, max_cost=4)
    # x | xy | x+x | x+xy
    assert library.level_sizes() == (1, 1, 1, 1)
    assert {str(library.expression(k)) for k in range(4)} == {"x", "x*y", "x + x", "x + x*y"}


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.integers(-30, 30))
def test_shapes_mark_what_differs_by_a_factor(seed: int, log_noise: float, power: int) -> None:
    rng = np.random.default_rng(seed)
    row = rng.uniform(-1, 1, 40) * 2.0**power
    factor = float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 3))
    apart = row * factor + np.abs(row * factor).max() * 1e-5 * 10**log_noise * rng.standard_normal(40)
    seeds = [Seed(Expression.variable(n), 1, v) for n, v in {"a": row, "b": factor * row, "c": apart}.items()]
    library = Library(seeds, (), ("a", "b", "c"))
    library.grow(10)
    assert library.count == 3
    assert list(library.shape[:3]) == [0, 0, 2]


@CASES
def test_shapes_are_the_first_members_that_differ_by_a_factor(grammar: Grammar) -> None:
    library = grammar.library()
    library.grow(3000, max_cost=grammar.size)
    n = min(library.count, 3000)
    unit = library.values[:n] / np.abs(library.values[:n]).max(axis=1, keepdims=True)
    shape, dims = library.shape[:n], library.dims[:n]
    firsts = np.flatnonzero(shape == np.arange(n))
    for k in range(n):
        gaps = np.minimum(np.abs(unit[firsts] - unit[k]).max(axis=1), np.abs(unit[firsts] + unit[k]).max(axis=1))
        assert shape[k] == firsts[(gaps <= SAME) & (dims[firsts] == dims[k])].min()
