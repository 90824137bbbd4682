"""Scans of growing libraries: each turn grows them, scans them for the target and its peels, and races what was found.

What is looked for stands in :mod:`hypo.search.scan.strategies`; here is when, in which library, and what the certificate says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.search.library.context import LibraryView
from hypo.search.library.memory import SCANNED
from hypo.search.library.orbits import Orbits
from hypo.search.library.pi_groups import product
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.reductions.separability import separate
from hypo.search.reductions.symmetry import powers_of_rules
from hypo.search.scan.build_formulas import MOST, build_formulas
from hypo.search.scan.forms import KEEP
from hypo.search.scan.scan_state import ScanScope, ScanState
from hypo.search.scan.strategies import STRATEGIES
from hypo.search.scan.stream import HEAD, stream
from hypo.search.scan.targets import Step, Target

# Seconds that scans of n members take, by strategy: c·n^COST_POWER. Logarithms and sweeps go together.
COSTS = {"sweep": 7e-4, "terms": 1.5e-3, "links": 2e-3, "peels": 4e-3}
# How the time of a scan grows with the members of its library.
COST_POWER = 0.95
# Seconds for each member of a library that is streamed.
STREAM_COST = 3.5e-5
# Libraries of so many members or more are streamed before they are scanned too: a law that nests functions is one large member
# and no sum of smaller ones.
WIDE = 12_000
# Members evaluated at once on the racing rows.
PURE_BLOCK = 2000
# Cost of a turn over what orbits leave of a library, relative to one over all of it: a head start.
ORBIT_COST = 0.3


@dataclass(frozen=True)
class ScanTurn:
    """One turn of a scan: its cost in seconds, members of the library, and the strategies, by name; with ``is_stream`` new
    members are scanned with few others, instead."""

    cost: float
    size: int
    strategies: tuple[str, ...] = ()
    is_stream: bool = False


def plan_turns(sizes: Sequence[int]) -> list[ScanTurn]:
    """The turns, the cheap ones first; the smallest library is scanned in one turn."""
    turns = [ScanTurn(COSTS["links"] * sizes[0] ** COST_POWER, sizes[0], ("logs", "sweep", "links"))]
    for size in (n for n in sizes[1:] if n <= SCANNED):
        scale = size**COST_POWER
        for name, cost in COSTS.items():
            turns.append(ScanTurn(cost * scale, size, ("logs", name) if name == "sweep" else (name,)))
        if size >= WIDE:
            turns.append(ScanTurn(STREAM_COST * size, size, is_stream=True))
    turns.sort(key=lambda t: t.cost)
    # What is only streamed comes last: it scans least for what its enumeration takes.
    dearest = turns[-1].cost
    return turns + [ScanTurn(max(STREAM_COST * n, dearest), n, is_stream=True) for n in sizes if n > SCANNED]


class Scanner:
    """The proposer that scans libraries; a turn takes one or two strategies and a library size.

    The certificate: each member of up to ``complete_to`` nodes was scored by itself, ``distinct`` of them. Of members of up to
    ``paired_to`` nodes all pairs were scanned.
    """

    def __init__(self, workspace: Workspace, scope: ScanScope | None = None) -> None:
        scope = scope or ScanScope()
        self.name, self._scope = scope.name, scope
        self._workspace, self._settings = workspace, workspace.settings
        self.ctx = workspace.context
        self.state = ScanState(self.ctx, self._settings, scope)
        self.complete_to = 0
        self.distinct = 0
        self.paired_to = 0
        self._queue = plan_turns(self._settings.library_sizes)
        self._is_exhausted = False

    # --- other scans of the same problem -----------------------------------------------------------------------

    def on_orbits(self) -> Scanner | None:
        """The scanner of what hard swaps leave of the library, or None without such rules."""
        p = self.ctx.problem
        found = Orbits.of(p.columns, p.knowledge.rules, {n: p.packed(n) for n in p.columns})
        if found is None or not self._settings.fit_constants:
            return None
        return Scanner(self._workspace, ScanScope(f"{self.name}, orbits", orbits=found))

    def without_pure_powers(self) -> Scanner | None:
        """The smaller search left when variables that enter as pure powers are divided out, or None."""
        p, ctx = self.ctx.problem, self.ctx
        if not self._settings.fit_constants or not {"*", "/"} <= p.allowed:
            return None
        found = separate(ctx.X, ctx.y, powers_of_rules(p.columns, p.knowledge.rules) if self._has_members else None)
        if found is None:
            return None
        factors = [
            Expression.variable(p.columns[k]) ** Expression.constant(float(power)) for k, power in found.powers.items()
        ]
        factor = simplify(product(factors))
        values = np.prod([ctx.X[k] ** float(power) for k, power in found.powers.items()], axis=0)
        dimension = self.state.identity.dimension
        if dimension is not None:
            shift = sum(p.packed(p.columns[k]) * power for k, power in found.powers.items())
            if shift.denominator != 1:
                return None
            dimension -= int(shift)
        rest = ctx.y / values
        if not np.all(np.isfinite(rest)) or np.ptp(rest) <= 1e-12 * float(np.max(np.abs(rest))):
            return None
        scope = ScanScope(
            f"{self.name} without pure powers",
            Target(rest, dimension, (Step(oc.MUL, factor, values),)),
            tuple(found.rest),
            has_members=False,
            has_differences=self._scope.has_differences,
        )
        return Scanner(self._workspace, scope)

    # --- the turns ---------------------------------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """About what scanning the next library takes, in seconds."""
        if not self._queue:
            return math.inf
        return self._queue[0].cost * (1.0 if self._scope.orbits is None else ORBIT_COST)

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas found by the next scans."""
        plan = self._queue.pop(0)
        size = plan.size
        known = turn.done
        smallest = size == self._settings.library_sizes[0]
        if plan.is_stream:
            yield from self._stream(size, turn)
            return
        if not self._is_exhausted:
            yield from self._grow(size)
        if known or not self._settings.fit_constants or (turn.done and not smallest):
            return
        views = [self._view(size)]
        if self.state.groups is not None:
            views.append(LibraryView(self.state.groups, self.ctx.X, size, self.state.max_cost))
        if smallest:
            # Scans of the smallest libraries do not wait for the stand-in that finds noise.
            yield from self._scan(plan, views, turn)
            if not self._scope.is_of_invariants or turn.done or self.ctx.smooth is None:
                return
        self.state.denoise()
        yield from self._scan(plan, views, turn)

    def _scan(self, plan: ScanTurn, views: list[LibraryView], turn: Turn) -> Iterator[Expression]:
        """Formulas that the strategies of a turn find in the views of plain members and, the second, of π groups."""
        smallest = plan.size == self._settings.library_sizes[0]
        for name in plan.strategies:
            strategy = STRATEGIES[name]
            for view, in_groups in zip(views, (False, True), strict=False):
                members = "groups" if in_groups else "members"
                self._workspace.report(f"{self.name}, {name} of {len(view.members)} {members}")
                yield from build_formulas(strategy.find(self.state, view, in_groups), self.ctx, turn)
                yield from strategy.follow_up(self.state, view, in_groups)
                # A first exact form is seldom the simplest: the smallest libraries are searched to the end.
                if self.ctx.clock.expired or (not smallest and turn.done):
                    return
            if strategy.covers_pairs:
                self.paired_to = max(self.paired_to, self._level(plan.size))

    def _view(self, size: int) -> LibraryView:
        """The rows to scan of a library of ``size`` members."""
        ctx, state = self.ctx, self.state
        if self._scope.orbits is None:
            return LibraryView(state.plain, ctx.X, size, state.max_cost)
        X = ctx.X[:, ctx.probe]
        left = self._scope.orbits.library(state.plain, size, X, state.max_cost, ctx.clock.deadline)
        return LibraryView(left, ctx.X, left.count, state.max_cost)

    def _grow(self, size: int, groups: bool = True) -> Iterator[Expression]:
        """Let the libraries grow; new members are proposed by themselves where they are to be."""
        plain, pi_groups = self.state.plain, self.state.groups
        clock, most = self.ctx.clock, self.ctx.problem.max_complexity
        before, tested = plain.count, plain.tested
        if before < size:
            plain.grow(size, max_cost=most, deadline=clock.deadline)
        clock.scored += plain.tested - tested
        has_grown = plain.count > before
        if self._has_members and has_grown:
            yield from self._propose_members(before)
        if groups and pi_groups is not None and pi_groups.count < size:
            old = pi_groups.count
            pi_groups.grow(size, max_cost=most, deadline=clock.deadline)
            has_grown |= pi_groups.count > old
        if not has_grown and plain.count < size:
            # Larger libraries would be the same.
            self._is_exhausted = True
            self._queue = [turn for turn in self._queue if turn.size <= size]

    def _stream(self, size: int, turn: Turn) -> Iterator[Expression]:
        """Let the plain library grow on, and scan what is new without all its pairs."""
        is_left_out = self._is_exhausted or not self._settings.fit_constants or self._scope.orbits is not None
        if turn.done or is_left_out:
            return
        state, ctx, plain = self.state, self.ctx, self.state.plain
        first = plain.count
        self._workspace.report(f"{self.name}, enumeration of {size} members")
        yield from self._grow(size, groups=False)
        state.denoise()
        head = LibraryView(plain, ctx.X, HEAD, state.max_cost)
        self._workspace.report(f"{self.name}, {plain.count - first} more members")
        hits = stream(ctx, plain, first, plain.count, head, state.known_starts, KEEP)
        yield from build_formulas(hits, ctx, turn)

    # --- the certificate ---------------------------------------------------------------------------------------

    @property
    def covered_to(self) -> int:
        """All formulas without fitted constants of up to so many nodes were looked at, as members or as pairs of such."""
        plain = self.state.plain
        if plain.exhausted and self.complete_to >= plain.complete_to:
            return max(self.complete_to, self.ctx.problem.max_complexity)
        return max(self.complete_to, 2 * self.paired_to + 1 if self.paired_to else 0)

    @property
    def diversity(self) -> float:
        """Share of the enumerated formulas that were new."""
        libraries = [self.state.plain] + ([self.state.groups] if self.state.groups else [])
        tested = sum(lib.tested for lib in libraries)
        return sum(lib.count for lib in libraries) / tested if tested else 1.0

    @property
    def _has_members(self) -> bool:
        """True if members are proposed by themselves."""
        return self._scope.has_members and self._scope.start is None and self._scope.orbits is None

    def _level(self, size: int) -> int:
        """All members of up to so many nodes are among the first ``size``."""
        lib = self.state.plain
        return lib.complete_to if lib.count <= size else min(lib.complete_to, int(lib.cost[size]) - 1)

    def _propose_members(self, first: int) -> Iterator[Expression]:
        """New members u themselves, without any fitted constant, by their scores on all racing rows: the certificate's
        hypotheses."""
        lib, ctx = self.state.plain, self.ctx
        index = self._of_target_dimension(first, lib.count)
        # The best so far; of equals the first members.
        least, best = np.empty(0), np.empty(0, np.int64)
        for block in range(0, len(index), PURE_BLOCK):
            if ctx.clock.expired:
                return
            members = index[block : block + PURE_BLOCK]
            with np.errstate(all="ignore"):
                r = lib.evaluate(members, ctx.X) - ctx.y
                rss = np.einsum("ij,j,ij->i", r, ctx.weight, r)
            approximate = ctx.scorer.approximate(rss, lib.cost[members].astype(float), len(ctx.y))
            good = approximate < np.inf
            least, best = np.append(least, approximate[good]), np.append(best, members[good])
            order = np.lexsort((best, least))[:MOST]
            least, best = least[order], best[order]
        for member in best:
            yield lib.expression(int(member))
        if not ctx.clock.expired:
            self.complete_to = lib.complete_to
            self.distinct = lib.distinct(self.state.identity.dimension)

    def _of_target_dimension(self, first: int, last: int) -> NDArray[np.int64]:
        """Members first…last-1 that have the target's dimension."""
        index = np.arange(first, last)
        target = self.state.identity.dimension
        return index if target is None else index[self.state.plain.dims[first:last] == target]
