"""A compact library of what laws are made of, in place of all subexpressions of a size.

Its members are products of powers of the variables, sums and differences of like variables and of their squares, functions of
the simplest of these, 1 ± u and a ± u for them, roots, and products of functions with powers. They come by *rank*: about the
sizes of the exponents added up, 1 more for a function. An enumeration by the number of nodes reaches the products of four
variables only behind ten thousands of roots of logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.search.library.context import Context
from hypo.search.library.library import Library, Seed

# Highest rank of a member.
MOST_RANK = 8.0
# Highest rank of the argument of a function.
ARGUMENT = 2.0
# What a further variable or power adds to the rank of a product of powers.
POWER_RANK = 0.6
# By how much the rank of a sum stays below the sum of the ranks.
SUM_BONUS = 0.5
# Drafts made for each member taken: some cannot be evaluated on the rows, or are there already.
SURPLUS = 1.3
# Products of powers of one degree: with many variables those of higher degrees are too many.
MOST_POWERS = 5_000
# Numbers that stand beside arguments.
INNER = (2.0, 0.5)
# What a function adds to the rank.
FUNCTIONS = {"sin": 1.0, "cos": 1.0, "exp": 1.0, "log": 1.5}
VALUES = {
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "log": np.log,
    "square": np.square,
    "sqrt": np.sqrt,
    "inv": np.reciprocal,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


_POWERS = frozenset({oc.VAR, oc.CONST, oc.MUL, oc.DIV, oc.INV, oc.SQUARE})


@dataclass(frozen=True)
class Draft:
    """A member before it is made: an operator with its operands, or a leaf; rank, nodes and packed dimension."""

    rank: float
    cost: int
    dimension: int
    name: str
    parts: tuple[Draft, ...] = ()
    leaf: Seed | None = None
    _made: list[Seed] = field(default_factory=list, compare=False)

    def seed(self) -> Seed:
        """The member itself."""
        if self.leaf is not None:
            return self.leaf
        if not self._made:
            parts = [p.seed() for p in self.parts]
            with np.errstate(all="ignore"):
                values = VALUES[self.name](*(p.values for p in parts))
            e = Expression.apply(self.name, *(p.expression for p in parts))
            self._made.append(Seed(e, len(e), np.ascontiguousarray(values), self.dimension))
        return self._made[0]


@dataclass(frozen=True)
class _Maker:
    """Makes drafts up to a rank, as far as operators and dimensions allow."""

    allowed: frozenset[str]
    limit: float

    def apply(self, name: str, u: Draft, more: float) -> Iterator[Draft]:
        d = u.dimension * float(ops.BY_NAME[name].exponent or 0)
        if (
            u.rank + more <= self.limit
            and name in self.allowed
            and d == int(d)
            and not (name in FUNCTIONS and u.dimension)
        ):
            yield Draft(u.rank + more, u.cost + 1, int(d), name, (u,))

    def join(self, name: str, u: Draft, v: Draft) -> Iterator[Draft]:
        rank = u.rank + v.rank - (SUM_BONUS if name in "+-" else 0.0)
        if rank <= self.limit and name in self.allowed and (name in "*/" or u.dimension == v.dimension):
            d = u.dimension + v.dimension if name == "*" else u.dimension - v.dimension if name == "/" else u.dimension
            yield Draft(rank, u.cost + v.cost + 1, d, name, (u, v))

    def powers(self, leaves: Sequence[Draft]) -> Iterator[Draft]:
        """Products of powers of the leaves."""
        free = _Maker(self.allowed, np.inf)
        total = 1
        while (rank := min(total, ARGUMENT + POWER_RANK * (total - ARGUMENT))) <= self.limit:
            if _choices(len(leaves), total) > MOST_POWERS:
                return
            for exponents in _exponents(len(leaves), total):
                yield from (replace(d, rank=rank) for d in free._power(leaves, exponents))
            total += 1

    def _power(self, leaves: Sequence[Draft], exponents: Sequence[tuple[int, int]]) -> Iterator[Draft]:
        top: Draft | None = None
        bottom: Draft | None = None
        for k, q in exponents:
            for one in self._single(leaves[k], abs(q)):
                if q > 0:
                    top = one if top is None else next(self.join("*", top, one), None)
                else:
                    bottom = one if bottom is None else next(self.join("*", bottom, one), None)
        total = sum(abs(q) for _, q in exponents)
        found = [d for d in (top, bottom) if d is not None]
        if sum(d.rank for d in found) != total:
            return
        if bottom is None:
            yield from found
        elif top is None:
            yield from self.apply("inv", bottom, 0.0)
        else:
            yield from self.join("/", top, bottom)

    def _single(self, leaf: Draft, q: int) -> Iterator[Draft]:
        """leaf^q, as squares and products of them."""
        if q == 1:
            yield leaf
        elif q % 2 == 0:
            for half in self._single(leaf, q // 2):
                yield from self.apply("square", half, half.rank)
        else:
            for rest in self._single(leaf, q - 1):
                yield from self.join("*", rest, leaf)


def compact_library(
    ctx: Context, lines: Sequence[int], size: int
) -> tuple[Library, NDArray[np.float64], NDArray[np.bool_]]:
    """The ``size`` members of lowest rank over the variables in ``lines`` and the named constants, the members' ranks, and
    which of them are products of powers."""
    p, X = ctx.problem, ctx.X[:, ctx.probe]
    ones = np.ones(ctx.n_probe)
    leaves = [Seed(Expression.variable(p.columns[k]), 1, X[k], p.packed(p.columns[k])) for k in lines]
    leaves += [Seed(Expression.constant(v, name=n), 1, v * ones, p.packed(n)) for n, v in p.constants.items()]
    drafts: list[Draft] = []
    limit = 2.0
    while limit <= MOST_RANK and len(drafts) < SURPLUS * size and not ctx.clock.expired:
        drafts = list(_drafts(_Maker(p.allowed, limit), leaves, ones))
        limit += 0.5
    drafts.sort(key=lambda d: d.rank)
    seeds: list[Seed] = []
    ranks: list[float] = []
    seen: set[float] = set()
    weight = np.random.default_rng(0).standard_normal(ctx.n_probe)
    for draft in drafts:
        values = draft.seed().values
        key = float(np.abs(weight @ values))
        if np.isfinite(key) and np.any(values) and float(f"{key:.10g}") not in seen:
            seen.add(float(f"{key:.10g}"))
            seeds.append(draft.seed())
            ranks.append(draft.rank)
        if len(seeds) >= size:
            break
    out = Library(seeds, (), p.columns, dimension_layout=p.dimension_layout)
    out.grow(len(seeds) + 1, deadline=ctx.clock.deadline)
    order = np.argsort([s.cost for s in seeds], kind="stable")[out.left[: out.count]]
    monomial = np.array([all(op in _POWERS for op, _ in s.expression.code) for s in seeds], np.bool_)
    return out, np.array(ranks)[order], monomial[order]


def _choices(n: int, total: int) -> int:
    """How many tuples :func:`_exponents` yields: Σ_j C(n, j)·C(total − 1, j − 1)·2^j for j exponents that are not 0."""
    return sum(math.comb(n, j) * math.comb(total - 1, j - 1) * 2**j for j in range(1, min(n, total) + 1))


def _exponents(n: int, total: int, first: int = 0) -> Iterator[tuple[tuple[int, int], ...]]:
    """Whole exponents of ``n`` variables whose sizes add up to ``total``, as pairs of the number of a variable, from ``first``
    on, and its exponent, which is not 0."""
    if not total:
        yield ()
        return
    for k in range(first, n):
        for q in range(total, 0, -1):
            for rest in _exponents(n, total - q, k + 1):
                yield ((k, q), *rest)
                yield ((k, -q), *rest)


def _number(value: float, ones: NDArray[np.float64]) -> Draft:
    return Draft(1.0, 1, 0, "", leaf=Seed(Expression.constant(value), 1, value * ones))


def _drafts(make: _Maker, leaves: Sequence[Seed], ones: NDArray[np.float64]) -> Iterator[Draft]:
    """All drafts up to the maker's rank."""
    own = [Draft(1.0, 1, s.dimension, "", leaf=s) for s in leaves]
    one = _number(1.0, ones)
    variables = [d for d in own if d.leaf is not None and d.leaf.expression.variables]
    powers = list(make.powers(own))
    yield one
    yield from powers
    squares = [q for u in variables for q in make.apply("square", u, 0.25)]
    sums = [w for u, v in combinations(variables, 2) for op in ("-", "+") for w in make.join(op, u, v)]
    of_squares = [w for u, v in combinations(squares, 2) for op in ("-", "+") for w in make.join(op, u, v)]
    yield from sums
    yield from of_squares
    simple = [d for d in powers if d.rank <= ARGUMENT]
    pure = [d for d in simple if d.dimension == 0]
    # Double and half angles, and the like.
    multiples = [w for c in INNER for u in pure if u.rank <= 1 for w in make.join("*", _number(c, ones), u)]
    functions = [
        f for u in (*pure, *sums, *multiples) for name, more in FUNCTIONS.items() for f in make.apply(name, u, more)
    ]
    yield from functions
    waves = [f for f in functions if f.name in ("sin", "cos")]
    wave_squares = [q for f in waves for q in make.apply("square", f, 0.5)]
    yield from wave_squares
    scaled = [w for f in functions for u in simple for w in make.join("*", u, f)]
    yield from scaled
    pure_squares = [q for u in pure for q in make.apply("square", u, 0.25)]
    whole = [*pure, *pure_squares, *functions, *wave_squares, *(d for d in scaled if d.dimension == 0)]
    shifted = [w for u in whole for op in ("-", "+") for w in make.join(op, one, u)]
    yield from shifted
    yield from (w for u in pure for op in ("-", "+") for w in make.join(op, _number(2.0, ones), u))
    yield from (w for v in variables for u in scaled for op in ("-", "+") for w in make.join(op, v, u))
    yield from (r for u in (*variables, *of_squares, *shifted) for r in make.apply("sqrt", u, 0.25))
    yield from (q for u in (*sums, *of_squares, *shifted) for q in make.apply("square", u, 0.5))
