"""Evolution: a population search for what the scans do not reach, deep formulas with several inner constants.

An individual is a postfix program that stands for a + b1·t1 + … + bK·tK, t1 … tK the terms of the sum at its root; the
coefficients are always at their optimum and the other constants a few damped steps nearer to theirs than those of the
parents (:mod:`hypo.kernels.fit`). Members of the library, guesses and the archive are the building blocks. Islands
differ in the size they allow, since without noise any size pays; one that stands still begins anew, and the best individual
ever seen of each size is kept aside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression import ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.kernels.fit import MAX_TERMS, fit_batch
from hypo.kernels.vary import Grammar, breed, tidy
from hypo.search.context import Context
from hypo.search.guesses import read_guesses
from hypo.search.library import Library
from hypo.search.problem import TRANSCENDENTAL, Settings
from hypo.search.proposer import Turn
from hypo.search.rule_fitness import RuleFitness

# Rows that generations are fitted on, nodes of a program, and evaluations spent on its constants in one generation.
ROWS, WIDTH, EVALUATIONS = 256, 48, 8
# A child is given up when its sum of squares stays above this multiple of the island's largest; programs fitted at once.
HOPE, PIECE = 2.0, 50
# Individuals of an island, generations of a turn, and seconds that one individual takes on an ordinary core.
ISLAND, GENERATIONS, SECONDS_EACH = 150, 25, 4e-5
# Most nodes of a formula on each island; rows that a residual counts for there; and how much (in log) sums of squares of two
# individuals of an island differ.
SIZES, WEIGHT, APART = (12, 16, 20, 26, 34, 46), 100.0, 0.003
# Generations between migrations, individuals that migrate, and generations without progress before an island begins anew.
MIGRATION, MIGRANTS, STANDSTILL = 10, 3, 25
# Individuals fitted to the racing rows at the end of a turn, evaluations spent on each, and formulas yielded.
FINALISTS, FINAL_EVALUATIONS, YIELDED = 100, 12, 8
# Library members that are building blocks.
BLOCKS = 400
# A sum of squares below this share of the target's is as good as none, and only size counts; after so many generations with
# one a turn ends.
EXACT, POLISH = 1e-15, 15
# How often operators are drawn, relative to each other; others count OTHERS.
FREQUENCY = {"+": 4.0, "-": 2.0, "*": 4.0, "/": 2.0, "**": 0.15, "square": 1.0, "exp": 1.0, "log": 1.0, "sin": 1.0,
             "cos": 1.0, "sqrt": 0.7, "neg": 0.1, "inv": 0.7, "asin": 0.1, "acos": 0.1}
OTHERS = 0.4

# X (n_var, n_row), the target and the roots of the weights of some rows.
Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass
class Programs:
    """A batch of programs as in :mod:`hypo.kernels.fit`, with their sums of squares ``rss`` and coefficients ``coef``."""

    op: NDArray[np.int32]
    arg: NDArray[np.int32]
    value: NDArray[np.float64]
    length: NDArray[np.int64]
    rss: NDArray[np.float64]
    coef: NDArray[np.float64]

    @staticmethod
    def empty(n: int) -> Programs:
        """Room for ``n`` programs, all of length 0."""
        return Programs(np.zeros((n, WIDTH), np.int32), np.zeros((n, WIDTH), np.int32), np.zeros((n, WIDTH)),
                        np.zeros(n, np.int64), np.full(n, np.inf), np.zeros((n, MAX_TERMS + 1)))

    def __len__(self) -> int:
        return len(self.length)

    @property
    def arrays(self) -> tuple[NDArray, ...]:
        """All six arrays."""
        return self.op, self.arg, self.value, self.length, self.rss, self.coef

    @property
    def programs(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
        """``(op, arg, value, length)``, as the kernels take them."""
        return self.op, self.arg, self.value, self.length

    def take(self, index: NDArray[np.int64]) -> Programs:
        """Copies of some programs."""
        return Programs(*(a[index] for a in self.arrays))

    def put(self, index: NDArray[np.int64] | slice, other: Programs) -> None:
        """Overwrites some programs."""
        for mine, theirs in zip(self.arrays, other.arrays, strict=True):
            mine[index] = theirs

    @staticmethod
    def joined(parts: Sequence[Programs]) -> Programs:
        """All programs of ``parts``, in order."""
        return Programs(*(np.concatenate(a) for a in zip(*(p.arrays for p in parts), strict=True)))

    def key(self, k: int) -> bytes:
        """What is one for programs that differ in fitted values only."""
        n = self.length[k]
        return self.op[k, :n].tobytes() + self.arg[k, :n].tobytes()

    def name(self, k: int) -> bytes:
        """What is one for programs that hardly differ in their fitted values either."""
        return self.key(k) + f"{self.rss[k]:.3g}".encode()


class Evolution:
    """The proposer that breeds formulas; its population lives on from turn to turn."""

    name = "evolution"

    def __init__(self, ctx: Context, settings: Settings, library: Library) -> None:
        p = ctx.problem
        self.ctx, self.library = ctx, library
        self.scorer = p.scorer(settings)
        self.rules = RuleFitness(p, settings.lam)
        self.free = settings.fit_constants
        self.linear = self.free and p.allows("+", "*")
        self.named_anyhow = settings.operators is not None or p.knowledge.operators is not None
        rows = np.sort(np.random.default_rng(settings.seed).permutation(len(ctx.y))[:ROWS])
        self.rows = (np.ascontiguousarray(ctx.X[:, rows]), ctx.y[rows], ctx.root[rows])
        self.total = float(np.sum((self.rows[1] * self.rows[2]) ** 2)) or 1.0
        self.symbol = math.log(self.scorer.symbols)
        self.fixed = [Constant(v, name) for name, v in p.constants.items()]
        self.population = Programs.empty(ISLAND * len(SIZES))
        self.score = np.full(len(self.population), np.inf)
        # The best individual of each size.
        self.elite = Programs.empty(2 * WIDTH)
        self.record = np.full(len(SIZES), np.inf)
        self.since = np.zeros(len(SIZES), np.int64)
        self.told: set[bytes] = set()
        self.guesses = read_guesses(p, settings)

    @property
    def cost(self) -> float:
        """Seconds of a turn; ``inf`` when there is nothing to breed with."""
        able = len(self._codes(2)) > 0 and len(self.ctx.y) > 2
        return GENERATIONS * len(self.population) * SECONDS_EACH if able else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """The best new individuals after some generations."""
        state = turn.rng.integers(0, 2**63, 1).astype(np.uint64)
        self._settle([*self.guesses, *(h.expression for h in turn.archive.front())])
        self.guesses = ()
        exact = 0
        for generation in range(1, GENERATIONS + 1):
            self._generation(state, turn)
            exact += bool(np.min(self.elite.rss) < EXACT * self.total)
            if turn.clock.expired or exact == POLISH:
                break
            if generation % MIGRATION == 0:
                self._migrate()
        yield from self._best(turn)

    # --- generations --------------------------------------------------------------------------------------------

    def _generation(self, state: NDArray[np.uint64], turn: Turn) -> None:
        """Children on every island, fitted together; the better half of each island with its children stays."""
        children = Programs.empty(len(self.population))
        limit = np.full(len(children), np.inf)
        for k, island in enumerate(self._islands()):
            last = island.start + int(np.count_nonzero(np.isfinite(self.score[island])))
            if last == island.stop:
                limit[island] = HOPE * np.max(self.population.rss[island])
            born = Programs(*(a[island] for a in children.arrays))
            grammar = self.grammar._replace(size=min(SIZES[k], self.grammar.size))
            breed(grammar, state, self.population.programs, self.score, island.start, last, born.programs)
        self._fit(children, self.rows, EVALUATIONS, limit)
        turn.clock.scored += len(children)
        self._remember(children)
        for k, island in enumerate(self._islands()):
            both = Programs.joined([Programs(*(a[island] for a in b.arrays)) for b in (self.population, children)])
            self._settle_island(k, island, both)

    def _settle_island(self, k: int, island: slice, candidates: Programs) -> None:
        """The best of the candidates, no two with the same values, become the island's individuals, the best first."""
        score = self.rules.charged(self._price(candidates, k), candidates.name, lambda i: self._formula(candidates, i))
        order = np.argsort(score, kind="stable")
        order = order[np.isfinite(score[order])]
        _, first = np.unique(np.round(np.log(candidates.rss[order] + 1e-300) / APART), return_index=True)
        order = order[np.sort(first)][:ISLAND]
        n = len(order)
        self.score[island] = np.inf
        self.population.put(slice(island.start, island.start + n), candidates.take(order))
        self.score[island.start : island.start + n] = score[order]
        best = self.score[island.start]
        if best < self.record[k] - 0.01 * WEIGHT:
            self.record[k], self.since[k] = best, 0
        else:
            self.since[k] += 1
        if self.since[k] > STANDSTILL:
            self.score[island] = np.inf
            self.record[k], self.since[k] = np.inf, 0

    def _migrate(self) -> None:
        """The best of each island go to the next one, in place of its last."""
        islands = self._islands()
        for source, goal in zip(islands, islands[1:] + islands[:1], strict=True):
            first = source.start + np.flatnonzero(np.isfinite(self.score[source]))[:MIGRANTS]
            if self.since[islands.index(goal)] and np.all(np.isfinite(self.score[goal])):
                places = np.arange(goal.stop - len(first), goal.stop)
                self.population.put(places, self.population.take(first))
                self.score[places] = self._price(self.population.take(places), islands.index(goal))

    def _islands(self) -> list[slice]:
        return [slice(k * ISLAND, (k + 1) * ISLAND) for k in range(len(SIZES))]

    def _fit(self, batch: Programs, rows: Rows, evaluations: int, limit: NDArray[np.float64] | None = None) -> None:
        """Fits all programs in place, by threads where there are any; the outcome does not depend on them."""
        if limit is None:
            limit = np.full(len(batch), np.inf)

        def part(first: int) -> None:
            piece = Programs(*(a[first : first + PIECE] for a in batch.arrays))
            bound = limit[first : first + PIECE]
            fit_batch(piece.programs, rows, self.linear, evaluations, bound, piece.rss, piece.coef)

        starts = range(0, len(batch), PIECE)
        for _ in self.ctx.local.map(part, starts):
            pass

    def _price(self, batch: Programs, k: int) -> NDArray[np.float64]:
        """Scores (n,) on island ``k``: nats of misfit and of nodes, infinite beyond its size."""
        sizes = self._sizes(batch)
        share = np.where(sizes <= SIZES[k], np.maximum(batch.rss / self.total, EXACT), np.inf)
        return 0.5 * WEIGHT * np.log(share) + sizes * self.symbol

    def _terms(self, batch: Programs) -> NDArray[np.int64]:
        """Terms (n,) of sums: a tidied one ends with the + that join them."""
        position = batch.length[:, None] - 1 - np.arange(MAX_TERMS - 1)
        tail = np.take_along_axis(batch.op, np.maximum(position, 0), axis=1) == oc.ADD
        return 1 + np.sum(np.cumprod(tail & (position >= 0), axis=1), axis=1)

    def _sizes(self, batch: Programs) -> NDArray[np.int64]:
        """Nodes (n,) with the coefficients."""
        return batch.length + (2 * self._terms(batch) + 2 if self.linear else 0)

    def _numbers(self, batch: Programs) -> NDArray[np.int64]:
        """Fitted numbers (n,), coefficients included."""
        within = np.arange(WIDTH) < batch.length[:, None]
        free = np.sum(within & (batch.op == oc.CONST) & (batch.arg < 0), axis=1)
        return free + (self._terms(batch) + 1 if self.linear else 0)

    def _remember(self, batch: Programs) -> None:
        """Keeps the best of each size."""
        size = np.minimum(self._sizes(batch), len(self.elite) - 1)
        order = np.lexsort((batch.rss, size))
        _, first = np.unique(size[order], return_index=True)
        best = order[first]
        best = best[batch.rss[best] < self.elite.rss[size[best]]]
        self.elite.put(size[best], batch.take(best))

    # --- to and from formulas -----------------------------------------------------------------------------------

    def _settle(self, formulas: Sequence[Expression]) -> None:
        """Formulas become individuals, the last of each island making room."""
        rows = [r for e in formulas if (r := self._row(e)) is not None]
        self.grammar = self._grammar()
        if not rows:
            return
        batch = Programs.empty(len(rows))
        for k, (op, arg, value) in enumerate(rows):
            n = len(op)
            batch.op[k, :n], batch.arg[k, :n], batch.value[k, :n], batch.length[k] = op, arg, value, n
        tidy(self.grammar, batch.programs)
        batch = batch.take(np.flatnonzero(batch.length > 0))
        self._fit(batch, self.rows, EVALUATIONS)
        self._remember(batch)
        for k, island in enumerate(self._islands()):
            mine = Programs(*(a[island] for a in self.population.arrays))
            alive = mine.take(np.flatnonzero(np.isfinite(self.score[island])))
            self._settle_island(k, island, Programs.joined([alive, batch]))

    def _row(self, e: Expression) -> tuple[list[int], list[int], list[float]] | None:
        """``op, arg, value`` of a formula; numbers other than exponents become free. None when it is too long."""
        if len(e) > WIDTH or not set(e.variables) <= set(self.ctx.problem.columns):
            return None
        op, arg = e.arrays(self.ctx.problem.columns)
        args, values = [int(a) for a in arg], [0.0] * len(op)
        for k, o in enumerate(op):
            if o == oc.CONST:
                c = e.constants[args[k]]
                exponent = k + 1 < len(op) and op[k + 1] == oc.POW
                values[k] = c.value
                args[k] = -1
                if not self.free or (not c.free and (c.name in self.ctx.problem.constants or exponent)):
                    if c not in self.fixed:
                        self.fixed.append(replace(c, free=False))
                    args[k] = self.fixed.index(c)
        return [int(o) for o in op], args, values

    def _formula(self, batch: Programs, k: int) -> Expression:
        """Program ``k`` with its coefficients as a formula whose fitted numbers are free."""
        n = int(batch.length[k])
        op, arg, value = batch.op[k, :n], batch.arg[k, :n].copy(), batch.value[k, :n]
        constants: list[Constant] = []
        for i in range(n):
            if op[i] == oc.CONST:
                constants.append(Constant(float(value[i]), free=True) if arg[i] < 0 else self.fixed[arg[i]])
                arg[i] = len(constants) - 1
        whole = Expression.from_arrays(op, arg, self.ctx.problem.columns, constants)
        if not self.linear:
            return whole
        terms: list[Expression] = []
        while whole.root == oc.ADD:
            first, whole = whole.children
            terms.append(first)
        terms.append(whole)
        out = Expression.constant(float(batch.coef[k, 0]), free=True)
        for term, b in zip(reversed(terms), batch.coef[k, 1:], strict=False):
            out = out + Expression.constant(float(b), free=True) * term
        return out

    def _best(self, turn: Turn) -> Iterator[Expression]:
        """New individuals by their scores on the racing rows, out of the best of each size and the best of all; none with more
        fitted numbers than half the rows."""
        alive = np.flatnonzero(np.isfinite(self.score))
        pool = Programs.joined([self.elite, self.population.take(alive)])
        pool = pool.take(np.flatnonzero(np.isfinite(pool.rss) & (self._numbers(pool) <= len(self.ctx.y) // 2)))
        sizes = self._sizes(pool)
        guess = self.scorer.approximate(pool.rss, sizes.astype(float), len(self.rows[1]))
        rising = np.lexsort((pool.rss, sizes))
        front = rising[pool.rss[rising] <= np.minimum.accumulate(pool.rss[rising])]
        order = np.concatenate([front, np.argsort(guess, kind="stable")])
        finalists: dict[bytes, int] = {}
        for k in order:
            key = pool.key(int(k))
            if key not in self.told:
                finalists.setdefault(key, int(k))
            if len(finalists) == FINALISTS:
                break
        pool = pool.take(np.array(list(finalists.values()), np.int64))
        if not len(pool):
            return
        self._fit(pool, (self.ctx.X, self.ctx.y, self.ctx.root), FINAL_EVALUATIONS)
        score = self.scorer.approximate(pool.rss, self._sizes(pool).astype(float), len(self.ctx.y))
        seen: set[float] = set()
        given = 0
        for k in np.argsort(score, kind="stable"):
            same = float(f"{pool.rss[k]:.8g}")
            if not np.isfinite(score[k]) or given == YIELDED:
                return
            if same in seen:
                continue
            seen.add(same)
            self.told.add(pool.key(int(k)))
            given += 1
            yield self._formula(pool, int(k))
            if turn.clock.expired:
                return

    # --- grammar ------------------------------------------------------------------------------------------------

    def _codes(self, arity: int) -> list[ops.Operator]:
        return [r for r in ops.OPERATORS if r.arity == arity and r.name in self.ctx.problem.allowed]

    def _chances(self, arity: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Opcodes and the cumulated chances of drawing them."""
        rows = self._codes(arity)
        weight = np.cumsum([FREQUENCY.get(r.name, OTHERS) for r in rows])
        return np.array([r.opcode for r in rows], np.int64), weight / (weight[-1] if len(rows) else 1.0)

    @cached_property
    def _rules(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Masks of opcodes that must not, and seldom, stand below each opcode."""
        hard, shy = np.zeros(oc.N_OPCODE, np.int32), np.zeros(oc.N_OPCODE, np.int32)
        for outer, inner in self.ctx.problem.knowledge.nesting.items():
            for name in inner:
                hard[ops.BY_NAME[outer].opcode] |= 1 << ops.BY_NAME[name].opcode
        if not self.named_anyhow:
            functions = [ops.BY_NAME[name].opcode for name in TRANSCENDENTAL]
            shy[functions] = sum(1 << code for code in functions)
        return hard, shy

    def _grammar(self) -> Grammar:
        """What may be bred, with the library's members of now as building blocks."""
        p = self.ctx.problem
        unary, unary_chance = self._chances(1)
        binary, binary_chance = self._chances(2)
        place = np.sqrt(np.mean(self.ctx.X**2, axis=1))
        bits, fields = p.dimension_layout
        blocks = self._blocks()
        named = [c for c in self.fixed if c.name in p.constants]
        dims = [p.packed(c.name) if c.name is not None and c.name in p.constants else 0 for c in self.fixed]
        target = p.pack(p.target_dimension) if p.has_units and p.target_dimension is not None else None
        return Grammar(
            unary=unary,
            unary_chance=unary_chance,
            binary=binary,
            binary_chance=binary_chance,
            forbid=self._rules[0],
            shy=self._rules[1],
            permitted=sum(1 << r.opcode for arity in (1, 2) for r in self._codes(arity)),
            size=min(p.max_complexity + 2, WIDTH),
            linear=self.linear,
            free=self.free,
            fixed=np.array([c.value for c in named]),
            fixed_dims=np.array(dims, np.int64),
            dims=np.array([p.packed(n) for n in p.columns], np.int64),
            units=p.has_units and target is not None,
            target=target or 0,
            bits=bits,
            fields=fields,
            place=np.where(place > 0, place, 1.0),
            block_op=blocks[0],
            block_arg=blocks[1],
            block_value=blocks[2],
            block_start=blocks[3],
        )

    def _blocks(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
        """Members of the library, one per shape, the simplest first."""
        index = np.arange(self.library.count)
        members = index[self.library.shape[: len(index)] == index][:BLOCKS]
        ops_, args, values, start = [], [], [], [0]
        for member in members:
            row = self._row(self.library.expression(int(member)))
            if row is not None and len(row[0]) > 1:
                ops_ += row[0]
                args += row[1]
                values += row[2]
                start.append(len(ops_))
        return (np.array(ops_, np.int32), np.array(args, np.int32), np.array(values, np.float64),
                np.array(start, np.int64))
