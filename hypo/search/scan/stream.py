"""Members of a library beyond those whose pairs are all scanned: each by itself and with the simplest ones, block by block.

All pairs of ten million members are 5·10¹³, but a few thousand million pairs of them with a few hundred simple ones are a
minute's work, and no more than a block of their rows is in memory twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.search.library.context import Context, LibraryView
from hypo.search.library.library import Library, LibraryRows
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.scan.forms import by_dimension, unit_targets
from hypo.search.scan.pair_scan import scan_products, scan_sums
from hypo.search.scan.race import PRODUCT, SUM, Basis, ScanHit, race
from hypo.search.scan.targets import Target

# Members looked at together.
BLOCK = 16_384
# The simplest members that each is paired with.
HEAD = 400

Index = NDArray[np.int64]


class _BestPairs:
    """The ``keep`` best pairs of members for each target; the first of a pair is -1 where the second stands alone."""

    def __init__(self, n_target: int, keep: int) -> None:
        self._keep = keep
        self.r2 = [np.empty(0) for _ in range(n_target)]
        self.pairs = [np.empty((0, 2), np.int64) for _ in range(n_target)]

    def add(self, t: int, r2: NDArray[np.float64], first: Index, second: Index) -> None:
        both = np.concatenate([self.r2[t], r2])
        pairs = np.concatenate([self.pairs[t], np.column_stack([first, second])])
        order = np.lexsort((pairs[:, 0], pairs[:, 1], -both))[: self._keep]
        self.r2[t], self.pairs[t] = both[order], pairs[order]

    @property
    def floor(self) -> NDArray[np.float64]:
        """Scores (n_target,) that a pair has to exceed."""
        return np.array([r[-1] if len(r) == self._keep else 0.0 for r in self.r2])


def stream(
    ctx: Context, library: Library, first: int, last: int, head: LibraryView, targets: Sequence[Target], keep: int
) -> list[ScanHit]:
    """Hits for members ``first``…``last`` - 1: sums and products with a constant, alone and with the first rows of ``head``."""
    hits: list[ScanHit] = []
    for dimension, group in by_dimension(targets):
        constant = dimension in (None, 0)
        basis = Basis(np.ones((1, len(ctx.y))) if constant else np.empty((0, len(ctx.y))), constant)
        q = orthonormal(list(ctx.whiten(basis.values[:, ctx.probe])), ctx.n_probe)
        T = unit_targets(ctx, group, q, False)
        sums, products = _BestPairs(len(group), keep), _BestPairs(len(group), keep)
        own = head.of_dimension(dimension, HEAD)
        F, kept = unit_rows(ctx.whiten(head.values[own]), q)
        simple = head.members[own[kept]]
        for members in _blocks(library, first, last, head):
            if ctx.clock.expired:
                break
            fitting = members if dimension is None else members[library.dims[members] == dimension]
            _sums(ctx, T, F, simple, library, fitting, q, sums)
            _products(ctx, T, head, library, members, dimension, q, products)
        for found, form in ((sums, SUM), (products, PRODUCT)):
            for target, pairs in zip(group, found.pairs, strict=True):
                hits += _race(ctx, target, form, library, pairs, basis)
    return hits


def _blocks(library: Library, first: int, last: int, head: LibraryView) -> Iterator[Index]:
    """The members that may take part: one of each shape, no constant, not too large."""
    for begin in range(first, last, BLOCK):
        index = np.arange(begin, min(begin + BLOCK, last))
        varies = np.ptp(library.values[index[0] : index[-1] + 1], axis=1) > 1e-9 * library.norm[index]
        yield index[(library.shape[index] == index) & varies & (library.cost[index] <= head.max_cost)]


def _sums(
    ctx: Context,
    T: NDArray[np.float64],
    F: NDArray[np.float64],
    simple: Index,
    library: Library,
    members: Index,
    q: NDArray[np.float64],
    best: _BestPairs,
) -> None:
    G, kept = unit_rows(ctx.whiten(library.values[members]), q)
    members = members[kept]
    if not len(G):
        return
    alone = (T @ G.T) ** 2
    ctx.clock.scored += alone.size
    for t, line in enumerate(alone):
        good = np.flatnonzero(line > best.floor[t])
        good = good[np.argsort(-line[good], kind="stable")[: best._keep]]
        best.add(t, line[good], np.full(len(good), -1), members[good])
    if len(F) and ctx.n_probe - len(q) > 4:
        found = scan_sums(T, F, G, keep=best._keep, clock=ctx.clock, executor=ctx.workers.executor, beyond=best.floor)
        for t, b in enumerate(found):
            best.add(t, b.r2, simple[b.i], members[b.j])


def _products(
    ctx: Context,
    T: NDArray[np.float64],
    head: LibraryView,
    library: Library,
    members: Index,
    dimension: int | None,
    q: NDArray[np.float64],
    best: _BestPairs,
) -> None:
    """Products with the simplest members of the dimension that a product needs."""
    for d in [None] if dimension is None else np.unique(head.dims[:HEAD]):
        own = head.of_dimension(None if d is None else int(d), HEAD)
        fitting = members if dimension is None or d is None else members[library.dims[members] == dimension - d]
        F, left = unit_rows(ctx.whiten(head.values[own]), np.empty((0, ctx.n_probe)))
        G, right = unit_rows(library.values[fitting], np.empty((0, ctx.n_probe)))
        if not len(F) or not len(G):
            continue
        found = scan_products(
            T, F, G, q, keep=best._keep, clock=ctx.clock, executor=ctx.workers.executor, beyond=best.floor
        )
        for t, b in enumerate(found):
            best.add(t, b.r2, head.members[own[left[b.i]]], fitting[right[b.j]])


def _race(ctx: Context, target: Target, form: str, library: Library, pairs: Index, basis: Basis) -> list[ScanHit]:
    members = np.unique(pairs[pairs >= 0])
    rows = LibraryRows(library, members, np.zeros(len(members), np.bool_), ctx.X)
    alone = pairs[:, 0] < 0
    at = np.searchsorted(members, pairs)
    hits = race(target, form, rows, at[alone][:, 1:], basis, ctx.y, ctx.root)
    return hits + race(target, form, rows, at[~alone], basis, ctx.y, ctx.root)
