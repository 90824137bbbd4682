"""The certificate: the library and the engine against a brute-force enumerator that shares no code with them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.data import from_arrays
from hypo.expression.expr import Expression
from hypo.expression.operators import BY_NAME
from hypo.expression.program import evaluate
from hypo.kernels.opcodes import N_OPCODE
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.context import LibraryView
from hypo.search.library.library import Library, Seed
from hypo.search.outcome import Outcome

# --- brute force ------------------------------------------------------------------------------------------------
# Every tree of the grammar is built, valid or not, in extended precision; nothing is pruned on the way but invalid parts.

Wide = np.longdouble
FLOAT_MAX = Wide(np.finfo(np.float64).max)
SAME, ZERO = 1e-9, 1e-12

UNARY = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "inv": lambda u: 1 / u,
    "square": lambda u: u * u,
    "neg": lambda u: -u,
    "log": np.log,
    "sin": np.sin,
    "abs": np.abs,
}
# Of plain numbers they are not taken.
TRANSCENDENTAL = ("exp", "log", "sin")
BINARY = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


@dataclass(frozen=True)
class Tree:
    """Values in extended precision, number of nodes, operators used, dimension (exponents) and text."""

    values: np.ndarray
    size: int
    used: frozenset[str]
    dimension: tuple[float, ...]
    text: str


@dataclass
class Brute:
    """All trees of a grammar up to a size. ``nesting`` maps an operator to those that may not stand below it."""

    leaves: Mapping[str, np.ndarray]
    operators: Sequence[str]
    size: int
    dimensions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    nesting: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        none = ()
        self.trees: list[list[Tree]] = [[], []]
        for name, values in self.leaves.items():
            self._keep(
                self.trees[1], Tree(np.asarray(values, Wide), 1, frozenset(), self.dimensions.get(name, none), name)
            )
        with np.errstate(all="ignore"):
            for size in range(2, self.size + 1):
                level: list[Tree] = []
                for op in self.operators:
                    if op in UNARY:
                        for a in self.trees[size - 1]:
                            self._apply(level, op, size, a)
                    else:
                        for n in range(1, size - 1):
                            for a in self.trees[n]:
                                for b in self.trees[size - 1 - n]:
                                    self._apply(level, op, size, a, b)
                self.trees.append(level)

    def _apply(self, level: list[Tree], op: str, size: int, *args: Tree) -> None:
        used = frozenset().union(*(a.used for a in args))
        if used & set(self.nesting.get(op, ())) or (op in TRANSCENDENTAL and self._number(args[0])):
            return
        dimension = _dimension(op, *(a.dimension for a in args))
        if dimension is None or any(12 * d != round(12 * d) for d in dimension):
            return
        values = (UNARY if len(args) == 1 else BINARY)[op](*(a.values for a in args))
        if op in "+-" and np.abs(values).max() <= ZERO * max(np.abs(a.values).max() for a in args):
            return
        self._keep(level, Tree(values, size, used | {op}, dimension, f"{op}({', '.join(a.text for a in args)})"))

    def _number(self, tree: Tree) -> bool:
        """Whether it is a plain number, like 1 + 1, or like x/x where 1 is a leaf, which stands for it."""
        return "1" in self.leaves and bool(np.ptp(tree.values) <= 1e-15 * np.abs(tree.values).max())

    @staticmethod
    def _keep(level: list[Tree], tree: Tree) -> None:
        largest = np.abs(tree.values).max()
        if np.isfinite(tree.values).all() and 0 < largest <= FLOAT_MAX:
            level.append(tree)

    def distinct(self) -> list[list[Tree]]:
        """One tree of each set that agrees in values and dimension, in the level where its value first appears."""
        known: dict[tuple[float, ...], list[Tree]] = {}
        sizes: dict[tuple[float, ...], np.ndarray] = {}
        out: list[list[Tree]] = [[] for _ in self.trees]
        closest = 1.0
        for level in self.trees:
            for tree in level:
                seen = known.setdefault(tree.dimension, [])
                largest = np.abs(tree.values).max()
                # Trees whose largest value differs cannot agree: compare only with those of about the same size.
                tops = sizes.setdefault(tree.dimension, np.full(20000, np.nan))
                near = np.flatnonzero(np.abs(tops[: len(seen)] - float(largest)) <= 1e-6 * float(largest))
                gaps = [_gap(seen[k].values, tree.values) for k in near]
                if gaps and min(gaps) <= SAME:
                    closest = min([closest, *(g for g in gaps if g > SAME)])
                    # Same to rounding, or the grammar is too finely graded for the test.
                    assert min(gaps) < 1e-11, tree.text
                    continue
                closest = min([closest, *gaps])
                tops[len(seen)] = float(largest)
                seen.append(tree)
                out[tree.size].append(tree)
        assert closest > 1e-8
        return out


def _gap(u: np.ndarray, v: np.ndarray) -> float:
    """Largest difference relative to its row, rows that are rounding beside the largest left aside."""
    apart = np.abs(u - v)
    real = apart > 1e-14 * np.abs(v).max()
    return float(np.max(apart[real] / np.maximum(np.abs(u), np.abs(v))[real], initial=0))


def _dimension(op: str, *args: tuple[float, ...]) -> tuple[float, ...] | None:
    if args == ((),) or args == ((), ()):
        return ()
    if op in "+-":
        return args[0] if args[0] == args[1] else None
    if op in "*/":
        return tuple(a + (b if op == "*" else -b) for a, b in zip(*args, strict=True))
    power = {"square": 2.0, "sqrt": 0.5, "inv": -1.0, "neg": 1.0, "abs": 1.0}.get(op)
    if power is None:
        return args[0] if not any(args[0]) else None
    return tuple(power * a for a in args[0])


# --- the library ------------------------------------------------------------------------------------------------

N_ROW = 12
RNG = np.random.default_rng(77)
X, Y, Z = RNG.uniform(0.4, 2.6, N_ROW), RNG.uniform(0.3, 3.1, N_ROW), RNG.uniform(-2.2, 1.9, N_ROW)


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


# --- the engine -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A grammar searched by the engine: data, operators, knowledge, and the law behind the noisy target."""

    columns: Mapping[str, np.ndarray]
    operators: tuple[str, ...]
    size: int
    law: Callable[..., np.ndarray]
    noise: float
    units: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sigma: float | None = None

    @property
    def y(self) -> np.ndarray:
        clean = self.law(*self.columns.values())
        return clean + self.noise * np.std(clean) * np.random.default_rng(5).standard_normal(len(clean))

    def outcome(self, **kwargs: object) -> Outcome:
        X = np.column_stack(list(self.columns.values()))
        knowledge: dict = {"units": dict(self.units)} if self.units else {}
        if self.nesting:
            knowledge["grammar"] = {"nesting": {k: list(v) for k, v in self.nesting.items()}}
        options = Settings(
            **{
                "operators": self.operators,
                "fit_constants": False,
                "proposers": ("library",),
                # What is looked at for a posterior holds numbers that the grammar does not.
                "posterior": False,
                "max_complexity": self.size,
                "library_sizes": (250, 20000),
                **kwargs,
            }
        )  # type: ignore[arg-type]
        data = from_arrays(X, self.y, names=list(self.columns), sigma=self.sigma)
        return search(make_problem(data, Knowledge.from_dict(knowledge), options), options)

    def brute(self) -> list[list[Tree]]:
        """Distinct trees by level; with units only those of the target's dimension, the last in ``dimensions``."""
        levels = Brute(self.columns, self.operators, self.size, self.dimensions, self.nesting).distinct()
        target = self.dimensions.get("y", ())
        return [[t for t in level if t.dimension == target] for level in levels]


ROWS = np.random.default_rng(31).uniform(0.4, 3.0, (3, 60))
SIGNED = ROWS[1] - 1.5
ENGINE_CASES = {
    "a": Case({"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 7, lambda x, z: np.sqrt(x + z / x) - z, 0.05),
    "b": Case(
        {"x": ROWS[0] / 3}, ("+", "*", "inv", "exp"), 7, lambda x: np.exp(x * x) + 1 / x, 0.02, nesting={"exp": ()}
    ),
    "c": Case(
        {"x": ROWS[0], "z": SIGNED, "w": ROWS[2]},
        ("+", "-", "*", "square"),
        6,
        lambda x, z, w: (x - z) ** 2 - 0.8 * w * x,
        0.2,
    ),
    "nesting": Case(
        {"x": ROWS[0], "z": SIGNED},
        ("+", "*", "square"),
        7,
        lambda x, z: (x + z * z) ** 2,
        0.1,
        nesting={"square": ("square",)},
    ),
    "nesting, the fourth power": Case(
        {"x": ROWS[0], "z": SIGNED},
        ("+", "*", "square"),
        5,
        lambda x, z: x**4 + 0 * z,
        0.1,
        nesting={"square": ("square",)},
    ),
    "units": Case(
        {"x": ROWS[0], "z": ROWS[1], "w": ROWS[2]},
        ("+", "-", "*", "/", "sqrt"),
        6,
        lambda x, z, w: np.sqrt(x * x + z * z) / w,
        0.05,
        units={"x": "m", "z": "m", "w": "s", "y": "m/s"},
        dimensions={"x": (1, 0), "z": (1, 0), "w": (0, 1), "y": (1, -1)},
    ),
    "units and nesting": Case(
        {"x": ROWS[0], "z": ROWS[1]},
        ("+", "*", "/", "sqrt", "square"),
        6,
        lambda x, z: np.sqrt(x) * z,
        0.1,
        units={"x": "m", "z": "m", "y": "m"},
        dimensions={"x": (1, 0), "z": (1, 0), "y": (1, 0)},
        nesting={"sqrt": ("sqrt", "square"), "square": ("sqrt", "square")},
    ),
    "known noise": Case(
        {"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 6, lambda x, z: x * z + x, 0.1, sigma=0.4
    ),
    "the doubled variable": Case(
        {"x": ROWS[0], "z": ROWS[1]}, ("+", "-", "*", "/", "sqrt"), 5, lambda x, z: x + x, 0.01
    ),
}
ENGINE = pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in ENGINE_CASES.items()])


def best_score(case: Case, levels: list[list[Tree]]) -> tuple[float, Tree]:
    """Lowest score of all trees: Gaussian misfit plus log(number of symbols) per node, and the tree."""
    y, n = case.y, len(case.y)
    scored = []
    for tree in (t for level in levels for t in level):
        rss = float(np.sum((tree.values - y) ** 2))
        if case.sigma is None:
            misfit = 0.5 * n * (math.log(2 * math.pi * rss / n) + 1)
        else:
            misfit = 0.5 * rss / case.sigma**2 + n * math.log(case.sigma * math.sqrt(2 * math.pi))
        scored.append((misfit + tree.size * math.log(len(case.operators) + len(case.columns) + 1), tree))
    return min(scored, key=lambda s: s[0])


def values_of(case: Case, outcome: Outcome) -> np.ndarray:
    assert outcome.best is not None
    return evaluate(outcome.best.expression, np.column_stack(list(case.columns.values())), tuple(case.columns))


@ENGINE
def test_engine_certificate_equals_brute_force(case: Case) -> None:
    levels = case.brute()
    score, tree = best_score(case, levels)
    outcome = case.outcome()
    assert outcome.status == "complete"
    assert outcome.complete_to == case.size
    assert outcome.distinct == sum(len(level) for level in levels)
    assert outcome.best is not None
    # A shorter spelling (x**2 for x*x where square is no operator) may lower a score; nothing may raise it.
    assert outcome.best.score <= score + 1e-6, (str(outcome.best.expression), tree.text)
    if len(outcome.best.expression) == tree.size:
        assert outcome.best.score == pytest.approx(score, abs=1e-6)
    np.testing.assert_allclose(values_of(case, outcome), tree.values.astype(float))


def test_what_the_engine_says_of_an_unfinished_search_is_true() -> None:
    case = ENGINE_CASES["a"]
    levels = case.brute()
    for sizes in ((20,), (100,), (250, 600)):
        outcome = case.outcome(library_sizes=sizes)
        assert 1 <= outcome.complete_to < case.size
        whole = levels[: outcome.complete_to + 1]
        assert outcome.distinct == sum(len(level) for level in whole) <= sizes[-1]
        assert outcome.best is not None and outcome.best.score <= best_score(case, whole)[0] + 1e-6


def test_time_that_runs_out_lowers_the_certificate() -> None:
    outcome = ENGINE_CASES["a"].outcome(time_limit=0.0)
    assert outcome.status == "time_limit"
    assert outcome.complete_to <= 1 and outcome.distinct <= 2


@pytest.mark.parametrize("name", ["a", "c", "units", "known noise"])
def test_fitted_constants_only_add_to_what_is_searched(name: str) -> None:
    case = ENGINE_CASES[name]
    outcome = case.outcome(fit_constants=True, library_sizes=(250, 6000))
    whole = case.brute()[: outcome.complete_to + 1]
    assert outcome.best is not None and outcome.best.score <= best_score(case, whole)[0] + 1e-6
