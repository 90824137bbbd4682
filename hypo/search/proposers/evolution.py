"""Evolution: a population search for what the scans do not reach, deep formulas with several inner constants.

An individual is a postfix program that stands for a + b1·t1 + … + bK·tK, t1 … tK the terms of the sum at its root; the
coefficients are always at their optimum and the other constants a few damped steps nearer to theirs than those of the
parents (:mod:`hypo.kernels.cpu.fit_batch`). Members of the library, guesses and the archive are the building blocks. Islands
differ in the size they allow, since without noise any size pays; one that stands still begins anew, and the best individual
ever seen of each size is kept aside. They live some generations at a time by themselves
(:mod:`hypo.search.evolution.island`), wherever the executor has it done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Deadline
from hypo.expression import operators as ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.evolution.nodes import BreedingGrammar
from hypo.kernels.cpu.evolution.tidy import tidy
from hypo.parallel.batches import Rows
from hypo.parallel.executor import whole
from hypo.search.evolution.island import EVALUATIONS, EXACT, ISLAND, Island, Stay, World, live, live_together
from hypo.search.evolution.programs import WIDTH, ProgramBatch
from hypo.search.evolution.rule_fitness import KNOWN, RuleFitness
from hypo.search.library.seeds import nesting_masks
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.proposers.guesses import read_guesses

# Rows that generations are fitted on.
ROWS = 256
# Generations of a turn.
GENERATIONS = 25
# Seconds that one individual takes on an ordinary core.
SECONDS_EACH = 4e-5
# Most nodes of a formula on each island.
SIZES = (12, 16, 20, 26, 34, 46)
# Generations that islands live by themselves.
MIGRATION = 10
# Individuals that migrate after them.
MIGRANTS = 3
# Generations with an exact formula after which a turn ends.
POLISH = 15
# Individuals fitted to the racing rows at the end of a turn.
FINALISTS = 100
# Evaluations spent on each of them.
FINAL_EVALUATIONS = 12
# Formulas yielded.
YIELDED = 8
# Library members that are building blocks.
BLOCKS = 400


class Evolution:
    """The proposer that breeds formulas; its population lives on from turn to turn."""

    name = "evolution"

    def __init__(self, workspace: Workspace) -> None:
        ctx, settings = workspace.context, workspace.settings
        p = ctx.problem
        self.ctx, self.library = ctx, workspace.scanned_library
        self.scorer = p.scorer(settings)
        self.rules = RuleFitness(p, settings.lam)
        self.free = settings.fit_constants
        self.linear = self.free and p.allows("+", "*")
        rows = np.sort(np.random.default_rng(settings.seed).permutation(len(ctx.y))[:ROWS])
        self.rows = (np.ascontiguousarray(ctx.X[:, rows]), ctx.y[rows], ctx.root[rows])
        self.total = float(np.sum((self.rows[1] * self.rows[2]) ** 2)) or 1.0
        self.symbol = math.log(self.scorer.symbols)
        self.fixed = [Constant(v, name) for name, v in p.constants.items()]
        self.islands = [Island(size) for size in SIZES]
        self.told: set[bytes] = set()
        self.guesses = read_guesses(p, settings)

    @property
    def cost(self) -> float:
        """Seconds of a turn; ``inf`` when there is nothing to breed with."""
        able = len(self._codes(2)) > 0 and len(self.ctx.y) > 2
        return GENERATIONS * ISLAND * len(SIZES) * SECONDS_EACH if able else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """The best new individuals after some generations."""
        seeds = [int(seed) for seed in turn.rng.integers(0, 2**63, len(SIZES) * GENERATIONS)]
        self._settle([*self.guesses, *(h.expression for h in turn.archive.believed())])
        self.guesses = ()
        lived = exact = 0
        while True:
            generations = min(MIGRATION, GENERATIONS - lived)
            stays = [(island, seeds.pop(), generations) for island in self.islands]
            found = self._let_live(stays, Deadline(turn.clock.deadline))
            self.islands = [island for island, _ in found]
            self._charge()
            turn.clock.scored += sum(fitted for _, fitted in found)
            lived += generations
            if min(np.min(island.elite.rss) for island in self.islands) < EXACT * self.total:
                exact += generations
            if turn.clock.expired or exact >= POLISH or lived == GENERATIONS:
                break
            self._migrate()
        yield from self._best(turn)

    def _let_live(self, stays: list[Stay], late: Deadline) -> list[tuple[Island, int]]:
        """The islands after their stays, with how many programs each had fitted: together where a device takes their children,
        else each by itself wherever the executor has it done."""
        # Programs have about half the nodes that they may have.
        nodes = ISLAND * sum(island.size for island, _, _ in stays) // 2
        if self.ctx.workers.batches.takes(nodes * len(self.rows[1]) * EVALUATIONS):
            return live_together(stays, self.world, late, self.ctx.workers.batches, self.ctx.workers.local)
        return list(whole(self.ctx.workers.executor).map(live, stays, self.world, late))

    def _charge(self) -> None:
        """The best of each island pay for the rules they break, until they are looked at next."""
        for island in self.islands:
            best = island.individuals
            names = [best.name(k) for k in range(min(KNOWN, island.alive))]
            island.charge(self.rules.costs(names, partial(self._formula, best)), self.world)

    def _migrate(self) -> None:
        """The best of each island go to the next one."""
        best = [island.individuals.take(np.arange(min(MIGRANTS, island.alive))) for island in self.islands]
        for goal, migrants in zip(self.islands[1:] + self.islands[:1], best, strict=True):
            goal.receive(migrants, self.world)

    def _fit(self, batch: ProgramBatch, rows: Rows, evaluations: int) -> None:
        """Fits all programs in place."""
        late = Deadline(self.ctx.clock.deadline)
        self.ctx.workers.batches.fit(batch, rows, self.linear, evaluations, np.full(len(batch), np.inf), late)

    # --- to and from formulas -----------------------------------------------------------------------------------

    def _settle(self, formulas: Sequence[Expression]) -> None:
        """Formulas become individuals, the last of each island making room."""
        rows = [r for e in formulas if (r := self._row(e)) is not None]
        self.world = World(self._grammar(), self.rows, self.total, self.linear, self.symbol)
        if not rows:
            return
        batch = ProgramBatch.empty(len(rows))
        for k, (op, arg, value) in enumerate(rows):
            n = len(op)
            batch.op[k, :n], batch.arg[k, :n], batch.value[k, :n], batch.length[k] = op, arg, value, n
        tidy(self.world.grammar, batch.programs)
        batch = batch.take(np.flatnonzero(batch.length > 0))
        self._fit(batch, self.rows, EVALUATIONS)
        for island in self.islands:
            island.elite.keep_best(batch, self.linear)
            island.settle(batch, self.world)

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

    def _formula(self, batch: ProgramBatch, k: int) -> Expression:
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
        elite = ProgramBatch.empty(len(self.islands[0].elite))
        for island in self.islands:
            elite.keep_best(island.elite, self.linear)
        pool = ProgramBatch.join([elite, *(island.individuals.part(0, island.alive) for island in self.islands)])
        pool = pool.take(np.flatnonzero(np.isfinite(pool.rss) & (pool.numbers(self.linear) <= len(self.ctx.y) // 2)))
        sizes = pool.sizes(self.linear)
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
        fewer = pool.rss.copy()
        self._fit(pool, (self.ctx.X, self.ctx.y, self.ctx.root), FINAL_EVALUATIONS)
        if turn.clock.expired:
            # What there was no time for is taken as it fits the rows of the islands.
            pool.rss[:] = np.where(np.isfinite(pool.rss), pool.rss, fewer * len(self.ctx.y) / len(self.rows[1]))
        score = self.scorer.approximate(pool.rss, pool.sizes(self.linear).astype(float), len(self.ctx.y))
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

    def _codes(self, arity: int) -> list[ops.OperatorRow]:
        return [r for r in ops.BY_NAME.values() if r.arity == arity and r.name in self.ctx.problem.allowed]

    def _chances(self, arity: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Opcodes and the cumulated chances of drawing them."""
        rows = self._codes(arity)
        weight = np.cumsum([r.frequency for r in rows])
        return np.array([r.opcode for r in rows], np.int64), weight / (weight[-1] if len(rows) else 1.0)

    @cached_property
    def _rules(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Masks of opcodes that must not, and seldom, stand below each opcode."""
        own = self.ctx.problem.knowledge.nesting
        seldom = {outer: inner for outer, inner in self.ctx.problem.nesting.items() if outer not in own}
        return nesting_masks(own), nesting_masks(seldom)

    def _grammar(self) -> BreedingGrammar:
        """The symbols that may be bred, with the library's members of now as building blocks."""
        p = self.ctx.problem
        unary, unary_chance = self._chances(1)
        binary, binary_chance = self._chances(2)
        place = np.sqrt(np.mean(self.ctx.X**2, axis=1))
        bits, fields = p.dimension_layout
        blocks = self._blocks()
        named = [c for c in self.fixed if c.name in p.constants]
        dims = [p.packed(c.name) if c.name is not None and c.name in p.constants else 0 for c in self.fixed]
        target = p.pack(p.target_dimension) if p.has_units and p.target_dimension is not None else None
        return BreedingGrammar(
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
        return (
            np.array(ops_, np.int32),
            np.array(args, np.int32),
            np.array(values, np.float64),
            np.array(start, np.int64),
        )
