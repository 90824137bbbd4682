"""An island of evolution, and the generations that it lives through by itself: state in, state out, with numbers of its own.

Nothing else takes part in them, so islands are units of work that any executor may do, and what becomes of them does not
depend on who did.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Deadline
from hypo.kernels.cpu.evolution.nodes import BreedingGrammar
from hypo.kernels.cpu.evolution.variation import breed
from hypo.parallel.batches import PIECE, Batches, Rows, fit_programs
from hypo.parallel.executor import Executor
from hypo.search.evolution.programs import WIDTH, ProgramBatch

# Individuals of an island.
ISLAND = 150
# Evaluations spent on the constants of a program in one generation.
EVALUATIONS = 8
# A child is given up when its sum of squares stays above this multiple of the island's largest.
HOPE = 2.0
# Rows that a residual counts for.
WEIGHT = 100.0
# How much, in log, sums of squares of two individuals of an island differ.
APART = 0.003
# Generations without progress before an island begins anew.
STANDSTILL = 25
# A sum of squares below this share of the target's is as good as none, and only size counts.
EXACT = 1e-15


class World(NamedTuple):
    """The common world of all islands: what may be bred, the rows it is fitted to and their sum of squares ``total``, whether
    programs are ``linear`` in their terms, and nats of a ``symbol``."""

    grammar: BreedingGrammar
    rows: Rows
    total: float
    linear: bool
    symbol: float


@dataclass
class Island:
    """Individuals of at most ``size`` nodes with their scores, the best first, dead ones with infinite scores; ``elite`` holds
    the best ever seen of each size, ``since`` counts generations since the last ``record``. ``charges`` are nats that
    individuals pay beside their price, by name."""

    size: int
    individuals: ProgramBatch = field(default_factory=lambda: ProgramBatch.empty(ISLAND))
    score: NDArray[np.float64] = field(default_factory=lambda: np.full(ISLAND, np.inf))
    elite: ProgramBatch = field(default_factory=lambda: ProgramBatch.empty(2 * WIDTH))
    record: float = np.inf
    since: int = 0
    charges: dict[bytes, float] = field(default_factory=dict)

    @property
    def alive(self) -> int:
        """Number of individuals; they come first."""
        return int(np.count_nonzero(np.isfinite(self.score)))

    def price(self, batch: ProgramBatch, world: World) -> NDArray[np.float64]:
        """Scores (n,) here: nats of misfit and of nodes, infinite beyond the island's size."""
        sizes = batch.sizes(world.linear)
        share = np.where(sizes <= self.size, np.maximum(batch.rss / world.total, EXACT), np.inf)
        return 0.5 * WEIGHT * np.log(share) + sizes * world.symbol

    def settle(self, newcomers: ProgramBatch, world: World) -> None:
        """The best of the living and the newcomers, no two with the same values, become the individuals."""
        self._keep(ProgramBatch.join([self.individuals.part(0, self.alive), newcomers]), world)
        if self.score[0] < self.record - 0.01 * WEIGHT:
            self.record, self.since = self.score[0], 0
        else:
            self.since += 1
        if self.since > STANDSTILL:
            self.score[:] = np.inf
            self.record, self.since = np.inf, 0

    def charge(self, charges: dict[bytes, float], world: World) -> None:
        """Individuals pay ``charges`` and no others; the record is one of those that pay."""
        if charges or self.charges:
            self.charges = charges
            self._keep(self.individuals.part(0, self.alive), world)
            self.record = max(self.record, self.score[0])

    def _keep(self, candidates: ProgramBatch, world: World) -> None:
        """The best of the candidates become the individuals."""
        score = self.price(candidates, world)
        if self.charges:
            score += [self.charges.get(candidates.name(k), 0.0) for k in range(len(candidates))]
        order = np.argsort(score, kind="stable")
        order = order[np.isfinite(score[order])]
        _, first = np.unique(np.round(np.log(candidates.rss[order] + 1e-300) / APART), return_index=True)
        order = order[np.sort(first)][:ISLAND]
        n = len(order)
        self.score[:] = np.inf
        self.individuals.put(slice(0, n), candidates.take(order))
        self.score[:n] = score[order]

    def grow_up(self, children: ProgramBatch, world: World) -> None:
        """Fitted children take their places, if they have earned any."""
        self.elite.keep_best(children, world.linear)
        self.settle(children, world)

    def receive(self, migrants: ProgramBatch, world: World) -> None:
        """Migrants take the places of the last, where it is crowded and nothing has come of it lately."""
        if self.since and self.alive == ISLAND and len(migrants):
            places = np.arange(ISLAND - len(migrants), ISLAND)
            self.individuals.put(places, migrants)
            self.score[places] = self.price(migrants, world)


# An island, the seed of its random numbers and the number of generations.
Stay = tuple[Island, int, int]


@np.errstate(all="ignore")
def live(stay: Stay, world: World, late: Deadline) -> tuple[Island, int]:
    """An island after some generations, and how many programs were fitted; the island given stays as it is.

    In each generation the children are fitted, and the better half of parents and children lives on.
    """
    island, seed, generations = copy.deepcopy(stay[0]), stay[1], stay[2]
    state = np.array([seed], np.uint64)
    fitted = 0
    for _ in range(generations):
        children, limit = _children(island, state, world)
        for first in range(0, ISLAND, PIECE):
            if late.expired:
                # Children that are not all fitted do not count.
                return island, fitted
            last = first + PIECE
            fit_programs(children.part(first, last), world.rows, world.linear, EVALUATIONS, limit[first:last])
        fitted += ISLAND
        island.grow_up(children, world)
        if late.expired:
            break
    return island, fitted


@np.errstate(all="ignore")
def live_together(
    stays: Sequence[Stay], world: World, late: Deadline, batches: Batches, executor: Executor
) -> list[tuple[Island, int]]:
    """As :func:`live` for all islands, the children of all of them fitted as one batch."""
    islands = [copy.deepcopy(island) for island, _, _ in stays]
    states = [np.array([seed], np.uint64) for _, seed, _ in stays]
    fitted = 0
    for _ in range(stays[0][2]):
        bred = list(executor.map(lambda k: _children(islands[k], states[k], world), range(len(islands))))
        all_of_them = ProgramBatch.join([children for children, _ in bred])
        limit = np.concatenate([limit for _, limit in bred])
        batches.fit(all_of_them, world.rows, world.linear, EVALUATIONS, limit, late)
        fitted += ISLAND
        for k, island in enumerate(islands):
            island.grow_up(all_of_them.part(k * ISLAND, (k + 1) * ISLAND), world)
        if late.expired:
            break
    return [(island, fitted) for island in islands]


def _children(island: Island, state: NDArray[np.uint64], world: World) -> tuple[ProgramBatch, NDArray[np.float64]]:
    """Children of an island, not fitted yet, and the sums of squares above which they are given up."""
    children = ProgramBatch.empty(ISLAND)
    crowded = island.alive == ISLAND
    limit = np.full(ISLAND, HOPE * np.max(island.individuals.rss) if crowded else np.inf)
    grammar = world.grammar._replace(size=min(island.size, world.grammar.size))
    breed(grammar, state, island.individuals.programs, island.score, 0, island.alive, children.programs)
    return children, limit
