"""The strategies of a library scan, each one class: what it looks for among the rows of a view, and what it costs.

One account in the schedule pays for all of them; :class:`hypo.search.proposers.library_scan.Scanner` says which has its turn.
Another strategy is a class here, a row of :data:`STRATEGIES`, and a place in the turns.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import ClassVar, final

import numpy as np

from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.search.library.context import LibraryView
from hypo.search.library.library import Library
from hypo.search.scan import forms
from hypo.search.scan.forms import KEEP, KEEP_PEELED
from hypo.search.scan.quotients import quotients
from hypo.search.scan.race import SUM, ScanHit, race
from hypo.search.scan.scan_state import ScanState
from hypo.search.scan.targets import Target, links, peels

# The largest set of rows in scans for many targets.
PEEL_ROWS = 600
# The largest set of rows in scans under free dimensions.
FREE_ROWS = 1500
# The largest set of rows in scans of logarithms.
LOG_ROWS = 12000
# With fewer rows than this a constant that snapping would remove costs too much: sums are tried without it as well.
FEW_ROWS = 40
# Products of two members scanned as terms, for each member of a library.
TERM_ROWS = 4
# Members peeled off before the scans.
PEEL_MEMBERS = 60
# Members peeled off before a sweep over chains of links.
SWEEP_MEMBERS = 16
# More members than any view has: all of them.
ALL_MEMBERS = 10**9


class ScanStrategy(ABC):
    """Something to look for in a library. ``covers_pairs``: after it all pairs of members are known to be scanned."""

    covers_pairs: ClassVar[bool] = False

    @abstractmethod
    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The hits among the rows of ``view``, which are those of π groups where ``in_groups``."""

    def follow_up(self, state: ScanState, view: LibraryView, in_groups: bool) -> Iterator[Expression]:
        """Formulas found in another way, once the hits were looked at."""
        return iter(())


@final
class Links(ScanStrategy):
    """Sums, products, rational forms and quotients for the target behind every link."""

    covers_pairs = True

    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The best of each form; without groups those under free dimensions too."""
        ctx, keep = state.ctx, KEEP_PEELED if in_groups else KEEP
        starts = state.known_starts
        if in_groups:
            starts = [t for t in state.divide_by_leads() if t.dimension == 0] or starts
        targets = [t for s in starts for t in (s, *links(s, state.allowed))]
        hits = forms.sums(ctx, view, targets, keep)
        plain = [t for t in targets if all(s.op not in (oc.INV, oc.SQRT, oc.SQUARE, oc.NEG) for s in t.steps)]
        hits += forms.products(ctx, view, plain, keep=keep)
        for t in starts[:4] + [t for t in plain if len(t.steps) > len(starts[0].steps)][:4]:
            hits += forms.rationals(ctx, view, t)
        if in_groups:
            return hits
        if ctx.n_probe < FEW_ROWS:
            hits += forms.sums(ctx, view, targets, KEEP_PEELED, intercept=False)
        if state.identity.dimension is not None:
            hits += self._find_free(state, view)
        return hits

    def follow_up(self, state: ScanState, view: LibraryView, in_groups: bool) -> Iterator[Expression]:
        """Quotients of sums."""
        starts = state.known_starts[:1]
        if in_groups:
            starts = [t for t in state.divide_by_leads() if not t.dimension][:3]
        for start in starts:
            yield from quotients(state.ctx, view, start)

    def _find_free(self, state: ScanState, view: LibraryView) -> list[ScanHit]:
        """Sums and products whose coefficients carry the units."""
        ctx = state.ctx
        free = replace(state.known_starts[0], dimension=None)
        loose = [free, *links(free, state.allowed)]
        hits = forms.sums(ctx, view, loose, KEEP_PEELED, FREE_ROWS)
        if ctx.n_probe < FEW_ROWS:
            hits += forms.sums(ctx, view, loose, KEEP_PEELED, FREE_ROWS, intercept=False)
        return hits + forms.products(ctx, view, loose[:1], FREE_ROWS)


@final
class Terms(ScanStrategy):
    """Sums of products of two members: terms that enumeration would reach only much later."""

    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The best sums of such terms, for the target behind every link."""
        products = LibraryView(self._multiply(state, view), state.ctx.X, ALL_MEMBERS, state.max_cost)
        if not len(products.members):
            return []
        starts = state.known_starts
        if in_groups:
            starts = [t for t in state.divide_by_leads() if t.dimension == 0][:4] or starts
        targets = [t for s in starts for t in (s, *links(s, state.allowed))]
        limit = TERM_ROWS * len(view.members)
        return forms.sums(state.ctx, products, targets, KEEP_PEELED, limit, beam=forms.BEAM // 2, triples=False)

    def _multiply(self, state: ScanState, view: LibraryView) -> Library:
        """The library of single members and products of two, of a view's simplest ones."""
        lib = view.rows.library
        count = min(len(view.members), int(math.sqrt(2 * TERM_ROWS * len(view.members))))
        seeds = [lib.member(int(m)) for m in view.members[:count]]
        if "*" in state.allowed:
            seeds += [f * g for f, g in combinations_with_replacement(seeds, 2)]
        return lib.make_holding(seeds, max_cost=state.max_cost, deadline=state.ctx.clock.deadline)


@final
class Logs(ScanStrategy):
    """Products of free powers: log|t| = c + Σ p log x + α log u + β log v (or + α u), for y and its shifts."""

    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The best of them, for y itself and y ± 1 where y is a pure number."""
        ctx = state.ctx
        if not ctx.can_fit_logs(len(state.lines)):
            return []
        start = state.known_starts[0]
        shifted = state.shift_by_one(start) if start.dimension in (None, 0) else []
        targets = [t for t in (*state.known_starts, *shifted) if np.all(t.values != 0)]
        return forms.log_sums(ctx, targets, view, state.lines, LOG_ROWS, forms.BEAM)


@final
class Peeled(ScanStrategy):
    """Sums and log sums for targets from which a simple member was subtracted or divided out."""

    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The best of them; groups have been divided by already."""
        if in_groups:
            return []
        ctx = state.ctx
        peeled = peel_members(state, view, PEEL_MEMBERS)
        more = [u for t in peeled for u in links(t, state.allowed)]
        hits = forms.sums(ctx, view, [*peeled, *more], KEEP_PEELED // 4, PEEL_ROWS, beam=0)
        if ctx.clock.expired or not ctx.can_fit_logs(len(state.lines)):
            return hits
        shifted = [t for t in peeled if t.steps[0].op != oc.MUL and np.all(t.values != 0)]
        return hits + forms.log_sums(ctx, shifted, view, state.lines, PEEL_ROWS, 0) if shifted else hits


@final
class Sweep(ScanStrategy):
    """Products of powers with at most one further factor, behind many chains peel → link → shift by one."""

    def find(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[ScanHit]:
        """The chains of which the powers leave least, and those that they leave least of with one more factor."""
        ctx = state.ctx
        if not ctx.can_fit_logs(len(state.lines)):
            return []
        chains = self._chains(state, view, in_groups)
        if not chains or ctx.clock.expired:
            return []
        L, rows, basis, q = forms.log_rows(ctx, view, state.lines, PEEL_ROWS)
        T = forms.unit_targets(ctx, chains, np.empty((0, ctx.n_probe)), True)
        # The share of each target about its mean that the powers leave.
        T = T - (T @ q[:1].T) @ q[:1]
        T /= np.linalg.norm(T, axis=1, keepdims=True)
        rest = T - (T @ q.T) @ q
        bare = np.sum(rest**2, axis=1)
        hits: list[ScanHit] = []
        for k in np.argsort(bare, kind="stable")[:KEEP_PEELED]:
            hits += race(chains[k], SUM, rows, np.empty((1, 0), np.int64), basis, ctx.y, ctx.root, log=True)
        if len(L):
            left = bare[:, None] - (rest @ L.T) ** 2
            ctx.clock.scored += left.size
            best = np.argmin(left, axis=1)
            for k in np.argsort(left.min(axis=1), kind="stable")[: 2 * KEEP_PEELED]:
                hits += race(chains[k], SUM, rows, best[k : k + 1, None], basis, ctx.y, ctx.root, log=True)
        return hits

    def _chains(self, state: ScanState, view: LibraryView, in_groups: bool) -> list[Target]:
        """The targets behind all chains that have a logarithm of their own."""
        first = state.divide_by_leads() if in_groups else [state.known_starts[0]]
        if not in_groups:
            first += peel_members(state, view, SWEEP_MEMBERS)
        chains = [u for t in first for u in (t, *links(t, state.allowed))]
        chains += [v for u in chains if u.dimension in (None, 0) for v in state.shift_by_one(u)]
        # Powers of exp(y) say no more than sums for y.
        return [
            t
            for t in chains
            if t.steps
            and t.steps[0].op != oc.LOG
            and np.all(t.values != 0)
            and np.ptp(np.log(np.abs(t.values[state.ctx.probe]))) > 1e-9
        ]


def peel_members(state: ScanState, view: LibraryView, count: int) -> list[Target]:
    """The target with each of the ``count`` first members subtracted or divided out."""
    index = np.arange(min(len(view.members), count))
    values = view.rows.values(index)
    members = [(view.rows.library.expression(int(view.members[k])), values[k], int(view.dims[k])) for k in index]
    return list(peels(state.known_starts[0], members, state.allowed, False))


# By the name that turns and reports have for them.
STRATEGIES: Mapping[str, ScanStrategy] = MappingProxyType(
    {"logs": Logs(), "sweep": Sweep(), "links": Links(), "terms": Terms(), "peels": Peeled()}
)
