"""Scans of growing libraries: each turn grows them, scans them for the target and its peels, and races what was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.problem import Settings
from hypo.search.library.context import Context, LibraryView
from hypo.search.library.library import Library
from hypo.search.library.orbits import Orbits
from hypo.search.library.pi_groups import product
from hypo.search.library.seeds import group_library, leads, plain_library
from hypo.search.proposers.base import Turn
from hypo.search.proposers.build import MOST, build_formulas
from hypo.search.reductions.separability import separate
from hypo.search.reductions.symmetry import powers_of_rules
from hypo.search.scan import forms
from hypo.search.scan.forms import KEEP, KEEP_PEELED
from hypo.search.scan.quotients import quotients
from hypo.search.scan.race import SUM, ScanHit, race
from hypo.search.scan.stream import HEAD, stream
from hypo.search.scan.targets import Step, Target, links, peels
from hypo.units import Dimension

# Seconds that scans of n members take, by kind: c·n^COST_POWER. Logarithms and sweeps go together.
COST_POWER = 0.95
COSTS = {"sweep": 7e-4, "terms": 1.5e-3, "links": 2e-3, "peels": 4e-3}
# Members whose pairs are all scanned; those beyond are streamed, at so many seconds each. Libraries of ``WIDE`` members or more
# are streamed before they are scanned too: a law that nests functions is one large member and no sum of smaller ones.
SCANNED, STREAM_COST, WIDE = 120_000, 3.5e-5, 12_000
# Members evaluated at once on the racing rows.
PURE_BLOCK = 2000
# Largest sets of rows in scans for many targets, under free dimensions, and of logarithms.
PEEL_ROWS, FREE_ROWS, LOG_ROWS = 600, 1500, 12000
# With fewer rows than this a constant that snapping would remove costs too much: sums are tried without it as well.
FEW_ROWS = 40
# Products of two members scanned as terms, for each member of a library.
TERM_ROWS = 4
# Cost of a turn over what orbits leave of a library, relative to one over all of it: a head start.
ORBIT_COST = 0.3
# Members peeled off before the scans, and before a sweep over chains of links.
PEEL_MEMBERS, SWEEP_MEMBERS = 60, 16


def _turns(sizes: Sequence[int]) -> list[tuple[float, int, tuple[str, ...]]]:
    """(Cost, library size, scans) of each turn, the cheap ones first; the smallest library is scanned in one turn."""
    turns: list[tuple[float, int, tuple[str, ...]]]
    turns = [(COSTS["links"] * sizes[0] ** COST_POWER, sizes[0], ("logs", "sweep", "links"))]
    for size in (n for n in sizes[1:] if n <= SCANNED):
        scale = size**COST_POWER
        turns += [(COSTS[kind] * scale, size, (*(("logs",) if kind == "sweep" else ()), kind)) for kind in COSTS]
        if size >= WIDE:
            turns.append((STREAM_COST * size, size, ("stream",)))
    turns.sort(key=lambda t: t[0])
    # What is only streamed comes last: it scans least for what its enumeration takes.
    return turns + [(max(STREAM_COST * n, turns[-1][0]), n, ("stream",)) for n in sizes if n > SCANNED]


class Scanner:
    """The proposer that scans libraries; a turn takes one or two kinds of scans and a library size.

    With ``start`` and ``lines`` it is the smaller search for a target from which the other variables were divided out.
    ``pure``: members are proposed by themselves too, for the certificate, ``complete_to``; of members of up to ``paired_to``
    nodes all pairs were scanned. ``differences``: π groups may hold them. ``invariants``: the columns are what a reduction
    left, few and worth a closer look. With ``orbits`` only what these leave of the library is scanned.
    """

    def __init__(
        self,
        ctx: Context,
        settings: Settings,
        report: Callable[[str], None],
        start: Target | None = None,
        lines: Sequence[int] | None = None,
        name: str = "library",
        pure: bool = True,
        differences: bool = True,
        invariants: bool = False,
        orbits: Orbits | None = None,
    ) -> None:
        problem = ctx.problem
        self.name, self.differences = name, differences
        self.ctx, self.settings, self.report = ctx, settings, report
        self.clock = ctx.clock
        dimension = None
        if problem.has_units and problem.target_dimension is not None:
            dimension = problem.pack(problem.target_dimension)
        self.identity = Target(ctx.y, dimension) if start is None else start
        self.lines = tuple(range(len(problem.columns))) if lines is None else tuple(lines)
        self.pure = pure and start is None and orbits is None
        self._orbits, self._invariants = orbits, invariants
        self.plain = plain_library(ctx, settings, self.lines, inner_numbers=invariants)
        self.groups: Library | None = None
        self.leads: list[Expression] = []
        exact = self._exact_dimension()
        if (
            problem.has_units
            and settings.fit_constants
            and dimension is not None
            and exact is not None
            and orbits is None
        ):
            self.groups = group_library(ctx, settings, self.lines, differences)
            self.leads = leads(ctx, self.lines, exact)
        self.denoised: Target | None = None
        self.complete_to = 0
        self.distinct = 0
        self.paired_to = 0
        self._queue = _turns(settings.library_sizes)
        self._exhausted = False

    @property
    def cost(self) -> float:
        """About what scanning the next library takes."""
        return self._queue[0][0] * (1.0 if self._orbits is None else ORBIT_COST) if self._queue else math.inf

    def orbits(self) -> Scanner | None:
        """The scanner of what hard swaps leave of the library, or None without such rules."""
        p = self.ctx.problem
        found = Orbits.of(p.columns, p.knowledge.rules, {n: p.packed(n) for n in p.columns})
        if found is None or not self.settings.fit_constants:
            return None
        return Scanner(self.ctx, self.settings, self.report, name=f"{self.name}, orbits", orbits=found)

    def _exact_dimension(self) -> Dimension | None:
        """The start target's dimension with exact exponents."""
        d = self.ctx.problem.target_dimension
        if d is None:
            return None
        for step in reversed(self.identity.steps):
            if step.op == oc.MUL and step.operand is not None:
                found = infer(step.operand, self.ctx.problem.dimensions).dimension
                d = d / found if found is not None else d
        return d

    def reduced(self) -> Scanner | None:
        """The smaller search left when variables that enter as pure powers are divided out, or None."""
        if not self.settings.fit_constants or not {"*", "/"} <= self.ctx.problem.allowed:
            return None
        p = self.ctx.problem
        found = separate(self.ctx.X, self.ctx.y, powers_of_rules(p.columns, p.knowledge.rules) if self.pure else None)
        if found is None:
            return None
        factors = [
            Expression.variable(self.ctx.problem.columns[k]) ** Expression.constant(float(p))
            for k, p in found.powers.items()
        ]
        factor = simplify(product(factors))
        values = np.prod([self.ctx.X[k] ** float(p) for k, p in found.powers.items()], axis=0)
        dimension = self.identity.dimension
        if dimension is not None:
            shift = sum(self.ctx.problem.packed(self.ctx.problem.columns[k]) * p for k, p in found.powers.items())
            if shift.denominator != 1:
                return None
            dimension -= int(shift)
        rest = self.ctx.y / values
        if not np.all(np.isfinite(rest)) or np.ptp(rest) <= 1e-12 * float(np.max(np.abs(rest))):
            return None
        start = Target(rest, dimension, (Step(oc.MUL, factor, values),))
        name = f"{self.name} without pure powers"
        return Scanner(self.ctx, self.settings, self.report, start, found.rest, name, False, self.differences)

    @property
    def diversity(self) -> float:
        """Share of the enumerated formulas that were new."""
        libraries = [self.plain] + ([self.groups] if self.groups else [])
        tested = sum(lib.tested for lib in libraries)
        return sum(lib.count for lib in libraries) / tested if tested else 1.0

    # --- a stage ------------------------------------------------------------------------------------------------

    def _denoise(self) -> None:
        """Look for noise; where there is, scans go for the denoised target too, and fits weight rows to first order."""
        smooth = self.ctx.smooth
        if smooth is None or self.denoised is not None:
            return
        values, noisy = smooth, self.ctx.y
        for step in reversed(self.identity.steps):
            assert step.op == oc.MUL and step.rows is not None
            values, noisy = values / step.rows, noisy / step.rows
        self.identity = replace(self.identity, weighted=True)
        self.denoised = replace(self.identity, values=values, noisy=noisy)

    @property
    def starts(self) -> list[Target]:
        """The target, and before it the denoised one if there is noise."""
        self._denoise()
        return self._starts

    @property
    def _starts(self) -> list[Target]:
        """The target, and the denoised one if there is."""
        return [self.identity] if self.denoised is None else [self.denoised, self.identity]

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas found by the next scans."""
        _, size, kinds = self._queue.pop(0)
        known = turn.done
        smallest = size == self.settings.library_sizes[0]
        if kinds == ("stream",):
            yield from self._stream(size, turn)
            return
        if not self._exhausted:
            yield from self._grow(size)
        if known or not self.settings.fit_constants or (turn.done and not smallest):
            return
        views = [self._view(size)]
        if self.groups is not None:
            views.append(LibraryView(self.groups, self.ctx.X, size, self._max_cost))
        if smallest:
            # Scans of the smallest libraries do not wait for the stand-in that finds noise.
            yield from self._scans(kinds, views, turn, size)
            if not self._invariants or turn.done or self.ctx.smooth is None:
                return
        self._denoise()
        yield from self._scans(kinds, views, turn, size)

    def _scans(self, kinds: tuple[str, ...], views: list[LibraryView], turn: Turn, size: int) -> Iterator[Expression]:
        """Formulas that scans of each kind find among the first ``size`` members."""
        smallest = size == self.settings.library_sizes[0]
        for kind in kinds:
            for view, groups in zip(views, (False, True), strict=False):
                self.report(f"{self.name}, {kind} of {len(view.members)} {'groups' if groups else 'members'}")
                yield from build_formulas(getattr(self, f"_{kind}")(view, groups), self.ctx, turn)
                if kind == "links":
                    yield from self._quotients(view, groups)
                # A first exact form is seldom the simplest: the smallest libraries are searched to the end.
                if self.clock.expired or (not smallest and turn.done):
                    return
            if kind == "links":
                self.paired_to = max(self.paired_to, self._level(size))

    @property
    def covered_to(self) -> int:
        """All formulas without fitted constants of up to so many nodes were looked at, as members or as pairs of such."""
        if self.plain.exhausted and self.complete_to >= self.plain.complete_to:
            return max(self.complete_to, self.ctx.problem.max_complexity)
        return max(self.complete_to, 2 * self.paired_to + 1 if self.paired_to else 0)

    def _level(self, size: int) -> int:
        """All members of up to so many nodes are among the first ``size``."""
        lib = self.plain
        return lib.complete_to if lib.count <= size else min(lib.complete_to, int(lib.cost[size]) - 1)

    def _view(self, size: int) -> LibraryView:
        """The rows to scan of a library of ``size`` members."""
        if self._orbits is None:
            return LibraryView(self.plain, self.ctx.X, size, self._max_cost)
        X = self.ctx.X[:, self.ctx.probe]
        left = self._orbits.library(self.plain, size, X, self._max_cost, self.clock.deadline)
        return LibraryView(left, self.ctx.X, left.count, self._max_cost)

    def _grow(self, size: int, groups: bool = True) -> Iterator[Expression]:
        """Let the libraries grow; new members are proposed by themselves where they are to be."""
        before, tested = self.plain.count, self.plain.tested
        if before < size:
            self.plain.grow(size, max_cost=self.ctx.problem.max_complexity, deadline=self.clock.deadline)
        self.clock.scored += self.plain.tested - tested
        grown = self.plain.count > before
        if self.pure and grown:
            yield from self._pure(before)
        if groups and self.groups is not None and self.groups.count < size:
            old = self.groups.count
            self.groups.grow(size, max_cost=self.ctx.problem.max_complexity, deadline=self.clock.deadline)
            grown |= self.groups.count > old
        if not grown and self.plain.count < size:
            # Larger libraries would be the same.
            self._exhausted = True
            self._queue = [turn for turn in self._queue if turn[1] <= size]

    def _stream(self, size: int, turn: Turn) -> Iterator[Expression]:
        """Let the plain library grow on, and scan what is new without all its pairs."""
        if turn.done or self._exhausted or not self.settings.fit_constants or self._orbits is not None:
            return
        first = self.plain.count
        self.report(f"{self.name}, enumeration of {size} members")
        yield from self._grow(size, groups=False)
        self._denoise()
        head = LibraryView(self.plain, self.ctx.X, HEAD, self._max_cost)
        self.report(f"{self.name}, {self.plain.count - first} more members")
        hits = stream(self.ctx, self.plain, first, self.plain.count, head, self._starts, KEEP)
        yield from build_formulas(hits, self.ctx, turn)

    def _quotients(self, view: LibraryView, groups: bool) -> Iterator[Expression]:
        for start in [t for t in self._led() if not t.dimension][:3] if groups else self._starts[:1]:
            yield from quotients(self.ctx, view, start)

    @property
    def _max_cost(self) -> int:
        """Members larger than this cannot take part in a formula with a fitted constant (a product with it)."""
        return self.ctx.problem.max_complexity - 2

    def _pure(self, first: int) -> Iterator[Expression]:
        """New members u themselves, without any fitted constant, by their scores on all racing rows: the certificate's
        hypotheses."""
        lib = self.plain
        index = self._candidates(first, lib.count)
        # The best so far; of equals the first members.
        least, best = np.empty(0), np.empty(0, np.int64)
        for block in range(0, len(index), PURE_BLOCK):
            if self.clock.expired:
                return
            members = index[block : block + PURE_BLOCK]
            with np.errstate(all="ignore"):
                r = lib.evaluate(members, self.ctx.X) - self.ctx.y
                rss = np.einsum("ij,j,ij->i", r, self.ctx.weight, r)
            approximate = self.ctx.scorer.approximate(rss, lib.cost[members].astype(float), len(self.ctx.y))
            good = approximate < np.inf
            least, best = np.append(least, approximate[good]), np.append(best, members[good])
            order = np.lexsort((best, least))[:MOST]
            least, best = least[order], best[order]
        for member in best:
            yield lib.expression(int(member))
        if not self.clock.expired:
            self.complete_to = lib.complete_to
            self.distinct = lib.distinct(self.identity.dimension)

    def _candidates(self, first: int, last: int) -> NDArray[np.int64]:
        """Members first…last-1 that have the target's dimension."""
        index = np.arange(first, last)
        target = self.identity.dimension
        return index if target is None else index[self.plain.dims[first:last] == target]

    def _links(self, view: LibraryView, groups: bool) -> list[ScanHit]:
        """Sums, products and rational forms for the target behind every link."""
        p = self.ctx.problem
        starts = self._starts
        if groups:
            starts = [t for t in self._led() if t.dimension == 0] or starts
        targets = [t for s in starts for t in (s, *links(s, p.allowed))]
        hits = forms.sums(self.ctx, view, targets, KEEP if not groups else KEEP_PEELED)
        plain = [t for t in targets if all(s.op not in (oc.INV, oc.SQRT, oc.SQUARE, oc.NEG) for s in t.steps)]
        hits += forms.products(self.ctx, view, plain, keep=KEEP if not groups else KEEP_PEELED)
        for t in starts[:4] + [t for t in plain if len(t.steps) > len(starts[0].steps)][:4]:
            hits += forms.rationals(self.ctx, view, t)
        if self.ctx.n_probe < FEW_ROWS and not groups:
            hits += forms.sums(self.ctx, view, targets, KEEP_PEELED, intercept=False)
        if self.identity.dimension is not None and not groups:
            free = replace(self._starts[0], dimension=None)
            loose = [free, *links(free, p.allowed)]
            hits += forms.sums(self.ctx, view, loose, KEEP_PEELED, FREE_ROWS)
            if self.ctx.n_probe < FEW_ROWS:
                hits += forms.sums(self.ctx, view, loose, KEEP_PEELED, FREE_ROWS, intercept=False)
            hits += forms.products(self.ctx, view, loose[:1], FREE_ROWS)
        return hits

    def _terms(self, view: LibraryView, groups: bool) -> list[ScanHit]:
        """Sums of products of two members: terms that enumeration would reach only much later."""
        products = LibraryView(self._products(view), self.ctx.X, 10**9, self._max_cost)
        if not len(products.members):
            return []
        starts = self._starts
        if groups:
            starts = [t for t in self._led() if t.dimension == 0][:4] or starts
        targets = [t for s in starts for t in (s, *links(s, self.ctx.problem.allowed))]
        limit = TERM_ROWS * len(view.members)
        return forms.sums(self.ctx, products, targets, KEEP_PEELED, limit, beam=forms.BEAM // 2, triples=False)

    def _products(self, view: LibraryView) -> Library:
        """The library of single members and products of two, of a view's simplest ones."""
        lib = view.rows.library
        count = min(len(view.members), int(math.sqrt(2 * TERM_ROWS * len(view.members))))
        seeds = [lib.member(int(m)) for m in view.members[:count]]
        if "*" in self.ctx.problem.allowed:
            seeds += [f * g for f, g in combinations_with_replacement(seeds, 2)]
        return lib.holding(seeds, max_cost=self._max_cost, deadline=self.clock.deadline)

    def _led(self) -> list[Target]:
        """The target divided by each of a few products of powers that carry its dimension."""
        start = self._starts[0]
        if not self.leads:
            return [start]
        members = [
            (e, Program.of(e, self.ctx.problem.columns).value(self.ctx.X), self.identity.dimension or 0)
            for e in self.leads
        ]
        led = [t for t in peels(start, members, frozenset({"*"}), False) if t.steps[0].op == oc.MUL]
        return [start, *led] if start.dimension == 0 else led

    def _logs(self, view: LibraryView, groups: bool) -> list[ScanHit]:
        """Products of free powers: log|t| = c + Σ p log x + α log u + β log v (or + α u), for y and its shifts."""
        if not self.ctx.can_fit_logs(len(self.lines)):
            return []
        return forms.log_sums(
            self.ctx, [t for t in self._shifts() if np.all(t.values != 0)], view, self.lines, LOG_ROWS, forms.BEAM
        )

    def _shifts(self) -> list[Target]:
        """y itself and y ± 1 where y is a pure number."""
        start = self._starts[0]
        return [*self._starts, *(self._by_one(start) if start.dimension in (None, 0) else [])]

    def _peels(self, view: LibraryView, groups: bool) -> list[ScanHit]:
        """Sums and log sums for targets from which a simple member was subtracted or divided out."""
        p = self.ctx.problem
        if groups:
            return []
        peeled = self._peeled(view, PEEL_MEMBERS)
        more = [u for t in peeled for u in links(t, p.allowed)]
        hits = forms.sums(self.ctx, view, [*peeled, *more], KEEP_PEELED // 4, PEEL_ROWS, beam=0)
        if self.clock.expired or not self.ctx.can_fit_logs(len(self.lines)):
            return hits
        shifted = [t for t in peeled if t.steps[0].op != oc.MUL and np.all(t.values != 0)]
        return hits + forms.log_sums(self.ctx, shifted, view, self.lines, PEEL_ROWS, 0) if shifted else hits

    def _peeled(self, view: LibraryView, count: int) -> list[Target]:
        index = np.arange(min(len(view.members), count))
        values = view.rows.values(index)
        members = [(view.rows.library.expression(int(view.members[k])), values[k], int(view.dims[k])) for k in index]
        return list(peels(self._starts[0], members, self.ctx.problem.allowed, False))

    def _sweep(self, view: LibraryView, groups: bool) -> list[ScanHit]:
        """Products of powers with at most one further factor, behind many chains peel → link → shift by one."""
        if not self.ctx.can_fit_logs(len(self.lines)):
            return []
        allowed = self.ctx.problem.allowed
        first = self._led() if groups else [self._starts[0], *self._peeled(view, SWEEP_MEMBERS)]
        chains = [u for t in first for u in (t, *links(t, allowed))]
        chains += [v for u in chains if u.dimension in (None, 0) for v in self._by_one(u)]
        # Powers of exp(y) say no more than sums for y.
        chains = [
            t
            for t in chains
            if t.steps
            and t.steps[0].op != oc.LOG
            and np.all(t.values != 0)
            and np.ptp(np.log(np.abs(t.values[self.ctx.probe]))) > 1e-9
        ]
        if not chains or self.clock.expired:
            return []
        L, rows, basis, q = forms.log_rows(self.ctx, view, self.lines, PEEL_ROWS)
        T = forms.unit_targets(self.ctx, chains, np.empty((0, self.ctx.n_probe)), True)
        # The share of each target about its mean that the powers leave.
        T = T - (T @ q[:1].T) @ q[:1]
        T /= np.linalg.norm(T, axis=1, keepdims=True)
        rest = T - (T @ q.T) @ q
        bare = np.sum(rest**2, axis=1)
        hits: list[ScanHit] = []
        for k in np.argsort(bare, kind="stable")[:KEEP_PEELED]:
            hits += race(chains[k], SUM, rows, np.empty((1, 0), np.int64), basis, self.ctx.y, self.ctx.root, log=True)
        if len(L):
            left = bare[:, None] - (rest @ L.T) ** 2
            self.clock.scored += left.size
            best = np.argmin(left, axis=1)
            for k in np.argsort(left.min(axis=1), kind="stable")[: 2 * KEEP_PEELED]:
                hits += race(chains[k], SUM, rows, best[k : k + 1, None], basis, self.ctx.y, self.ctx.root, log=True)
        return hits

    def _by_one(self, t: Target) -> list[Target]:
        one = [(Expression.constant(1.0), np.ones(len(self.ctx.y)), 0)]
        return [u for u in peels(t, one, self.ctx.problem.allowed, False) if u.steps[0].op != oc.MUL]
