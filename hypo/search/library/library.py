"""The library: every distinct subexpression by rising cost, as rows of values on the probe rows.

Members are made from seeds (variables, named constants, the number 1, or larger building blocks, each with a cost) by the
operators, level by level: level c holds what has cost c = 1 + cost(u) (+ cost(v)). When seeds are leaves of cost
1, cost is the number of nodes and a finished level means that *all* distinct formulas of that size are there.

Not in the library: formulas with a subexpression that is not finite on some probe row, or zero on all of them; with
units, those with a subexpression whose dimension has an exponent that is no multiple of 1/12 (the root of the root of the
root of a length) or too large to pack (beyond 5 with seven base units, beyond 42 with up to five);
with stated ranges and hard rules, those with a subexpression that has no value somewhere there
(:mod:`hypo.problem.value_ranges`); those with a transcendental function of plain numbers only: sin(1) is a number that
no law is written with, and short enough to be taken for one that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.clock import now
from hypo.expression import operators as ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.problem.value_ranges import PLAIN_NUMBER, ValueRanges, flaws_of_operators

# Members whose values over stated ranges are looked at together.
FLAW_BLOCK = 4096
# Pairs handled between two looks at the clock: some tens of milliseconds.
CHUNK = 200_000


@dataclass(frozen=True)
class Seed:
    """A building block: its formula, cost, values on the probe rows ``(n_probe,)`` and packed dimension."""

    expression: Expression
    cost: int
    values: NDArray[np.float64]
    dimension: int = 0

    def __mul__(self, other: Seed) -> Seed:
        return Seed(
            self.expression * other.expression,
            self.cost + other.cost + 1,
            self.values * other.values,
            self.dimension + other.dimension,
        )


class Library:
    """Distinct subexpressions over given seeds and operators; ``grow`` adds members, everything else reads them."""

    def __init__(
        self,
        seeds: Sequence[Seed],
        operators: Sequence[str],
        columns: Sequence[str],
        *,
        forbid: NDArray[np.int64] | None = None,
        dimension_layout: tuple[int, int] = (32, 1),
        seed: int = 0,
        value_ranges: ValueRanges | None = None,
    ) -> None:
        self.seeds = tuple(sorted(seeds, key=lambda s: s.cost))
        self.columns = tuple(columns)
        self.n_probe = len(self.seeds[0].values) if self.seeds else 0
        rows = [ops.BY_NAME[name] for name in operators]
        self._unary = [r for r in rows if r.arity == 1]
        self._binary = [r for r in rows if r.arity == 2]
        self._forbid = np.zeros(oc.N_OPCODE, np.int64) if forbid is None else forbid
        self._ruled = np.int64(np.bitwise_or.reduce(self._forbid[[r.opcode for r in rows]], initial=0))
        self._bits, self._fields = dimension_layout
        self._seed = seed
        self._value_ranges = value_ranges
        self._undefined = flaws_of_operators()
        self._pruned = np.zeros(1, np.int64) if value_ranges is None else value_ranges.pruned
        self._flaws = np.zeros(0, np.int8)
        rng = np.random.default_rng(seed)
        self._weight = rng.uniform(0.5, 1.5, self.n_probe) * rng.choice([-1.0, 1.0], self.n_probe)
        self._pack_seeds()
        self.count = 0
        self.tested = 0
        self.complete_to = 0
        self.exhausted = False
        self._level_start: list[int] = [0, 0]
        self._next_seed = 0
        self._allocate(256)

    def make_holding(self, seeds: Sequence[Seed], *, max_cost: int = 10**6, deadline: float = float("inf")) -> Library:
        """A library of the distinct ones of ``seeds`` and nothing else, over the same columns and rows."""
        out = self.over(seeds, ())
        out.grow(len(seeds) + 1, max_cost=max_cost, deadline=deadline)
        return out

    def over(self, seeds: Sequence[Seed], operators: Sequence[str] | None = None) -> Library:
        """An empty library like this one over other seeds, with the same rules, and its operators unless told otherwise."""
        own = [r.name for r in (*self._unary, *self._binary)] if operators is None else operators
        return Library(
            seeds,
            own,
            self.columns,
            forbid=self._forbid,
            dimension_layout=(self._bits, self._fields),
            seed=self._seed,
            value_ranges=self._value_ranges,
        )

    def member(self, k: int) -> Seed:
        """Member ``k`` as a seed of another library."""
        return Seed(self.expression(k), int(self.cost[k]), self.values[k].copy(), int(self.dims[k]))

    # --- growth -------------------------------------------------------------------------------------------------

    def grow(self, size: int, *, max_cost: int = 10**6, deadline: float = float("inf")) -> None:
        """Enumerate until ``size`` members, cost ``max_cost`` or the ``deadline`` (hypo.clock) is reached.

        A level that was cut short is gone through again on the next call; what it had found is recognised as known.
        """
        self._allocate(size)
        while self.count < size and self.complete_to < max_cost and not self.exhausted:
            cost = self.complete_to + 1
            if not self._level(cost, size, deadline):
                return
            self.complete_to = cost
            self._level_start.append(self.count)
            newest = self._level_start[-1] - self._level_start[-2]
            # Nothing new can come once a whole span of levels that could combine stayed empty.
            spans = len(self._level_start) - 1
            tail = self._level_start[spans // 2]
            if newest == 0 and tail == self.count and self._next_seed == len(self.seeds):
                self.exhausted = True

    def _level(self, cost: int, size: int, deadline: float) -> bool:
        from hypo.kernels.cpu import enumerate as kernel

        for index, seed in enumerate(self.seeds):
            if seed.cost == cost and index >= self._next_seed:
                self._add_seed(index, seed)
                self._next_seed = index + 1
        start = self._level_start
        self._find_flaws(start[cost])
        rules = (self._forbid, self._ruled, self._bits, self._fields)
        pruning = (self._flaws, self._undefined, self._pruned)
        given = (rules, pruning, self._table)
        if cost >= 2:
            for row in self._unary:
                if self.count >= size or now() > deadline:
                    return False
                self.count, self.tested = kernel.grow(
                    (row.opcode, False, cost), (0, 1), (start[cost - 1], start[cost]), *given, self.count, self.tested
                )
        for row in self._binary:
            for left_cost in range(1, cost - 1):
                right_cost = cost - 1 - left_cost
                if row.commutative and left_cost > right_cost:
                    continue
                lo, hi = start[left_cost], start[left_cost + 1]
                right = (start[right_cost], start[right_cost + 1])
                step = max(1, CHUNK // max(1, right[1] - right[0]))
                for i in range(lo, hi, step):
                    if self.count >= size or now() > deadline:
                        return False
                    self.count, self.tested = kernel.grow(
                        (row.opcode, row.commutative, cost),
                        (i, min(i + step, hi)),
                        right,
                        *given,
                        self.count,
                        self.tested,
                    )
        return self.count < size

    def _find_flaws(self, count: int) -> None:
        """Find the flaws of the first ``count`` members as arguments, as far as it is not known yet."""
        parts = [self._flaws]
        for first in range(len(self._flaws), count, FLAW_BLOCK):
            members = np.arange(first, min(first + FLAW_BLOCK, count))
            found = self._plain_numbers(members)
            parts.append(
                found
                if self._value_ranges is None
                else found | self._value_ranges.flaws(self.evaluate(members, X) for X in self._value_ranges.domains)
            )
        self._flaws = np.concatenate(parts)

    def _plain_numbers(self, members: NDArray[np.int64]) -> NDArray[np.int8]:
        """The flaw of members (n,) that hold no variable and no named constant."""
        out = np.zeros(len(members), np.int8)
        # A member without a variable is the same on all rows; few are.
        for k in np.flatnonzero(np.ptp(self.values[members], axis=1) == 0.0):
            op, arg, _ = self.programs(members[k : k + 1])
            if np.all(op != oc.VAR) and all(self._pool[a].name is None for a in arg[op == oc.CONST]):
                out[k] = PLAIN_NUMBER
        return out

    def _add_seed(self, index: int, seed: Seed) -> None:
        from hypo.kernels.cpu import member_table as kernel

        have = np.int64(0)
        for code, _ in seed.expression.code:
            have |= np.int64(1 << code if code >= oc.FIRST_UNARY else 0)
        draft = np.zeros(1, kernel.MEMBER)
        for part, value in (
            ("dims", seed.dimension),
            ("mask", have),
            ("op", oc.VAR),
            ("cost", seed.cost),
            ("left", index),
            ("right", -1),
        ):
            draft[part] = value
        candidates = (seed.values[None].copy(), draft, np.zeros(1), np.empty(1), np.empty(1))
        self.count, _ = kernel.insert_batch(1, candidates, self._ruled, self._table, self.count, 0)

    @property
    def _table(self) -> tuple[NDArray[Any], ...]:
        """The members as kernels take them."""
        return self.values, self._members, self._head, self._weight

    def _allocate(self, size: int) -> None:
        from hypo.kernels.cpu import member_table as kernel

        # One spare row: the kernels stop after the row that fills the arrays.
        capacity = size + len(self.seeds) + 1
        old = getattr(self, "values", None)
        if old is not None and len(old) >= capacity:
            return
        values = np.empty((capacity, self.n_probe))
        members = np.empty(capacity, kernel.MEMBER)
        if old is not None:
            values[: self.count], members[: self.count] = old[: self.count], self._members[: self.count]
        self.values, self._members = values, members
        self._head = np.full(1 << max(10, (2 * capacity).bit_length()), -1, np.int64)
        kernel.rehash(members, self._head, self.count)

    def _pack_seeds(self) -> None:
        op: list[int] = []
        arg: list[int] = []
        start = [0]
        pool: list[Constant] = []
        where = {name: i for i, name in enumerate(self.columns)}
        for seed in self.seeds:
            e = seed.expression
            for code, a in e.code:
                op.append(code)
                if code == oc.VAR:
                    arg.append(where[e.variables[a]])
                elif code == oc.CONST:
                    arg.append(len(pool))
                    pool.append(e.constants[a])
                else:
                    arg.append(0)
            start.append(len(op))
        self._seed_op = np.array(op, np.int32)
        self._seed_arg = np.array(arg, np.int32)
        self._seed_start = np.array(start, np.int64)
        self._pool = tuple(pool)

    # --- reading ------------------------------------------------------------------------------------------------

    values: NDArray[np.float64]
    _members: NDArray[np.void]

    @property
    def norm(self) -> NDArray[np.float64]:
        """Largest magnitude of each member."""
        return self._members["norm"]

    @property
    def dims(self) -> NDArray[np.int64]:
        """Packed dimensions."""
        return self._members["dims"]

    @property
    def shape(self) -> NDArray[np.int32]:
        """The first member that each is a multiple of."""
        return self._members["shape"]

    @property
    def op(self) -> NDArray[np.int32]:
        """Operators."""
        return self._members["op"]

    @property
    def left(self) -> NDArray[np.int32]:
        """First arguments; of a seed, its position among the seeds."""
        return self._members["left"]

    @property
    def right(self) -> NDArray[np.int32]:
        """Second arguments, -1 where there is none."""
        return self._members["right"]

    @property
    def cost(self) -> NDArray[np.int32]:
        """Costs, that is, numbers of nodes."""
        return self._members["cost"]

    @property
    def _twin(self) -> NDArray[np.bool_]:
        return self._members["twin"]

    def level_sizes(self) -> tuple[int, ...]:
        """Distinct members of each finished level, from cost 1 (twins of the nesting rules not counted again)."""
        distinct = np.concatenate([[0], np.cumsum(~self._twin[: self.count])])
        return tuple(int(n) for n in np.diff(distinct[self._level_start[1:]]))

    def distinct(self, dimension: int | None = None) -> int:
        """Distinct members of the finished levels, all or those of one packed dimension."""
        finished = slice(0, self._level_start[-1])
        counted = ~self._twin[finished]
        return int(np.sum(counted if dimension is None else counted & (self.dims[finished] == dimension)))

    def programs(self, members: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Postfix programs ``(op, arg, start)`` of members; constants are numbered in the library's pool."""
        from hypo.kernels.cpu import enumerate as kernel

        members = np.ascontiguousarray(members, dtype=np.int64)
        shared = (members, self._members, self._seed_op, self._seed_arg, self._seed_start)
        empty = np.empty(0, np.int32)
        start = np.empty(len(members) + 1, np.int64)
        total = kernel.flatten(*shared, empty, empty, start)
        op, arg = np.empty(total, np.int32), np.empty(total, np.int32)
        if total:
            kernel.flatten(*shared, op, arg, start)
        else:
            start[:] = 0
        return op, arg, start

    def evaluate(self, members: NDArray[np.int64], X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values ``(n_member, n_row)`` of members on ``X`` (n_var, n_row)."""
        from hypo.kernels.cpu.evaluate import evaluate

        op, arg, start = self.programs(members)
        out = np.empty((len(members), X.shape[1]))
        const = np.array([c.value for c in self._pool])
        evaluate(op, arg, start, const, np.zeros(len(members), np.int64), X, out)
        return out

    def expression(self, member: int) -> Expression:
        """The member as an expression."""
        op, arg, _ = self.programs(np.array([member]))
        return Expression.from_arrays(op, arg, self.columns, self._pool)


@dataclass
class LibraryRows:
    """Library members as scan rows: ``members`` (n,), and ``logs`` (n,) saying which rows are log|u| instead of u."""

    library: Library
    members: NDArray[np.int64]
    logs: NDArray[np.bool_]
    X: NDArray[np.float64]
    _cache: dict[tuple[int, bool], NDArray[np.float64]] = field(default_factory=dict)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (n_row_index, n_data) on the racing rows of the rows numbered ``rows``."""
        keys = [(int(self.members[r]), bool(self.logs[r])) for r in rows]
        missing = sorted({k for k in keys if k not in self._cache})
        if missing:
            with np.errstate(all="ignore"):
                fresh = self.library.evaluate(np.array([m for m, _ in missing]), self.X)
                for key, line in zip(missing, fresh, strict=True):
                    self._cache[key] = np.log(np.abs(line)) if key[1] else line
        return np.array([self._cache[k] for k in keys])

    def cost(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number of nodes of the rows' members."""
        return self.library.cost[self.members[rows]]
