"""The forms that scans look for: sums, products, rational forms, and products of powers, each behind many targets.

Every function takes targets and a view of a library, scans on the probe rows, races the best on the racing rows, and returns
hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hypo.search.library.context import Context, LibraryView
from hypo.search.library.library import LibraryRows
from hypo.search.library.unit_rows import distinct_rows, orthonormal, unit_rows
from hypo.search.scan.pair_scan import Best, scan_jobs, scan_sums
from hypo.search.scan.race import PRODUCT, RATIONAL, SUM, Basis, ScanHit, race
from hypo.search.scan.targets import Target
from hypo.search.scan.tuple_scan import extend_tuples, scan_triples

# Hits kept per target and scan, for the data's own target.
KEEP = 300
# The same for peeled targets.
KEEP_PEELED = 40
# Pairs that are grown to three and four terms.
BEAM = 60
# Terms of the longest sums.
MOST_TERMS = 4
# Rows on each side of a rational form.
RATIONAL_ROWS = 3000
# Of many peeled targets those raced.
RACED_TARGETS = 60
# Rows of which all triples are scanned for the first targets.
TRIPLE_ROWS = 700
# Triples scanned in all for the other targets.
TRIPLES = 1e8
# The first targets are so many.
FIRST = 2
# More targets than this are many.
MANY = 40


def unit_targets(ctx: Context, targets: Sequence[Target], q: NDArray[np.float64], log: bool) -> NDArray[np.float64]:
    """Targets (n_target, n_probe) on the probe rows, or their logs, off the basis and of length 1 (0 within its span)."""
    out = []
    for t in targets:
        v = t.values[ctx.probe]
        v = np.log(np.abs(v)) * ctx.log_root() if log else ctx.whiten(v)
        unit, _ = unit_rows(v[None, :], q, least=1e-12)
        out.append(unit[0] if len(unit) else np.zeros(len(v)))
    return np.array(out)


def sums(
    ctx: Context,
    view: LibraryView,
    targets: Sequence[Target],
    keep: int,
    limit: int | None = None,
    beam: int = BEAM,
    intercept: bool = True,
    triples: bool = True,
) -> list[ScanHit]:
    """Sums of one to four rows of each target's dimension, with a constant for pure numbers unless ``intercept`` is off."""
    hits: list[ScanHit] = []
    y, w = ctx.y, ctx.root
    ready = []
    for dimension, group in by_dimension(targets):
        chosen = view.of_dimension(dimension, limit)
        constant = intercept and dimension in (None, 0)
        basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
        q = orthonormal(list(ctx.whiten(basis.values[:, ctx.probe])), ctx.n_probe)
        F, kept = unit_rows(ctx.whiten(view.values[chosen]), q)
        index = chosen[kept]
        if len(index) == 0:
            continue
        ready.append((group, basis, index, ctx.n_probe - len(q), unit_targets(ctx, group, q, False), F))
    jobs = [(T, F, None) for _, _, _, n_free, T, F in ready if n_free > 4]
    scans = scan_jobs(
        "sums", jobs, np.empty((0, ctx.n_probe)), keep=keep, clock=ctx.clock, executor=ctx.workers.executor
    )
    for group, basis, index, n_free, T, F in ready:
        single = (T @ F.T) ** 2
        ctx.clock.scored += single.size
        pairs = next(scans) if n_free > 4 else None
        three = None
        if triples and n_free > 12 and len(F) > 2:
            first = FIRST if len(targets) < MANY else 0
            rows = min(TRIPLE_ROWS, int((6 * TRIPLES / len(targets)) ** (1 / 3)))
            three = scan_triples(T[:first], F[:TRIPLE_ROWS], keep=keep // 4, clock=ctx.clock)
            three += scan_triples(T[first:], F[:rows], keep=keep // 4, clock=ctx.clock)
        for t, target in select_promising(group, single, pairs):
            if ctx.clock.expired:
                return hits
            top = np.argsort(-single[t], kind="stable")[:keep]
            hits += race(target, SUM, view.rows, index[top][:, None], basis, y, w)
            if three is not None:
                hits += race(target, SUM, view.rows, index[three[t]], basis, y, w)
            if pairs is not None:
                two = np.column_stack([pairs[t].i, pairs[t].j])
                hits += race(target, SUM, view.rows, index[two], basis, y, w)
                for terms in grow_terms(ctx, T[t], F, two, beam if len(targets) < MANY else 0):
                    hits += race(target, SUM, view.rows, index[terms], basis, y, w)
    return hits


def select_promising(
    group: list[Target], single: NDArray[np.float64], pairs: list[Best] | None
) -> list[tuple[int, Target]]:
    """The targets whose rows explain most, in their order: of many peels few deserve a race."""
    best = single.max(axis=1)
    if pairs is not None:
        best = np.maximum(best, [b.r2[0] if len(b.r2) else 0.0 for b in pairs])
    chosen = np.sort(np.argsort(-best, kind="stable")[:RACED_TARGETS])
    return [(int(t), group[t]) for t in chosen]


def grow_terms(
    ctx: Context, t: NDArray[np.float64], F: NDArray[np.float64], pairs: NDArray[np.int64], beam: int
) -> list[NDArray[np.int64]]:
    """Tuples of three and four rows grown from the best pairs."""
    out: list[NDArray[np.int64]] = []
    terms = pairs[:beam]
    while len(terms) and terms.shape[1] < MOST_TERMS and ctx.n_probe > 4 * terms.shape[1] + 12:
        terms, r2 = extend_tuples(t, F, terms, keep=beam, clock=ctx.clock)
        out.append(terms[:KEEP_PEELED])
        if len(r2) and r2[0] > 1.0 - 1e-14:
            break
    return out


def products(
    ctx: Context, view: LibraryView, targets: Sequence[Target], limit: int | None = None, keep: int = KEEP
) -> list[ScanHit]:
    """Products of two rows, with a constant for pure numbers."""
    hits: list[ScanHit] = []
    y, w = ctx.y, ctx.root
    unit, kept = unit_rows(view.values, np.empty((0, ctx.n_probe)))
    if limit is not None:
        unit, kept = unit[:limit], kept[:limit]
    dims = view.dims[kept]
    for dimension, group in by_dimension(targets):
        constant = dimension in (None, 0)
        basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
        q = orthonormal(list(ctx.whiten(basis.values[:, ctx.probe])), ctx.n_probe)
        T = unit_targets(ctx, group, q, False)
        blocks: list[tuple[NDArray[np.int64], NDArray[np.int64] | None]]
        if dimension is None:
            blocks = [(np.arange(len(kept)), None)]
        else:
            where = {int(d): np.flatnonzero(dims == d) for d in np.unique(dims)}
            blocks = [
                (a, None if d == dimension - d else where[dimension - d])
                for d, a in where.items()
                if dimension - d in where and d <= dimension - d
            ]
        # With weights the two sides differ: one carries them.
        weighted = not np.all(ctx.root == ctx.root[0])
        jobs = []
        for a, b in blocks:
            other = unit[a if b is None else b] if weighted or b is not None else None
            jobs.append((T, ctx.whiten(unit[a]) if weighted else unit[a], other))
        scans = scan_jobs("products", jobs, q, keep=keep, clock=ctx.clock, executor=ctx.workers.executor)
        for a, b in blocks:
            if ctx.clock.expired:
                return hits
            second = a if b is None else b
            for target, best in zip(group, next(scans), strict=True):
                terms = np.column_stack([kept[a[best.i]], kept[second[best.j]]])
                hits += race(target, PRODUCT, view.rows, terms, basis, y, w)
    return hits


def rationals(ctx: Context, view: LibraryView, target: Target) -> list[ScanHit]:
    """Rational forms (a + b·f)/(1 + c·g) for one target."""
    y, w = ctx.y, ctx.root
    constant = target.dimension in (None, 0)
    basis = Basis(np.ones((1, len(y))) if constant else np.empty((0, len(y))), constant)
    q = orthonormal(list(ctx.whiten(basis.values[:, ctx.probe])), ctx.n_probe)
    f_index = view.of_dimension(target.dimension, RATIONAL_ROWS)
    g_index = view.of_dimension(None if target.dimension is None else 0, RATIONAL_ROWS)
    if "/" not in ctx.problem.allowed or not len(f_index) or not len(g_index) or ctx.n_probe - len(q) < 5:
        return []
    F, kept_f = unit_rows(ctx.whiten(view.values[f_index]), q)
    G, kept_g = unit_rows(ctx.whiten(view.values[g_index] * target.values[ctx.probe]), q)
    if not len(F) or not len(G):
        return []
    T = unit_targets(ctx, [target], q, False)
    best = scan_sums(T, F, G, keep=KEEP, clock=ctx.clock, executor=ctx.workers.executor)[0]
    terms = np.column_stack([f_index[kept_f[best.i]], g_index[kept_g[best.j]]])
    return race(target, RATIONAL, view.rows, terms, basis, y, w)


def log_rows(
    ctx: Context, view: LibraryView, lines: Sequence[int], limit: int, among: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], LibraryRows, Basis, NDArray[np.float64]]:
    """Rows log|u|, and u for an exponential factor, modulo products of powers of the variables; of all members
    or those ``among`` them."""
    usable = [k for k in lines if np.all(ctx.X[k] != 0)]
    log_x = [np.log(np.abs(ctx.X[k])) for k in usable]
    usable = [k for k, v in zip(usable, log_x, strict=True) if np.ptp(v) > 1e-12]
    log_x = [v for v in log_x if np.ptp(v) > 1e-12]
    basis = Basis(np.array([np.ones(len(ctx.y)), *log_x]), True, tuple(usable))
    root = ctx.log_root()
    q = orthonormal(list(basis.values[:, ctx.probe] * root), ctx.n_probe)
    with np.errstate(all="ignore"):
        every = np.arange(len(view.members)) if among is None else among
        logs = np.log(np.abs(view.values[every]))
    pure = every[view.dims[every] == 0] if "exp" in ctx.problem.allowed else np.empty(0, np.int64)
    members = np.concatenate([every, pure])
    is_log = np.concatenate([np.ones(len(every), np.bool_), np.zeros(len(pure), np.bool_)])
    values = np.concatenate([logs, view.values[pure]])
    order = np.argsort(view.rows.cost(members) + 2 * ~is_log, kind="stable")
    unit, kept = unit_rows(values[order] * root, q)
    first = distinct_rows(unit)[:limit]
    chosen = order[kept[first]]
    rows = LibraryRows(view.rows.library, view.members[members[chosen]], is_log[chosen], ctx.X)
    return unit[first], rows, basis, q


def log_sums(
    ctx: Context, targets: Sequence[Target], view: LibraryView, lines: Sequence[int], limit: int, beam: int
) -> list[ScanHit]:
    """Products of free powers of up to four rows, or exp of them, and of the variables in ``lines``."""
    L, rows, basis, q = log_rows(ctx, view, lines, limit)
    y, w = ctx.y, ctx.root
    hits: list[ScanHit] = []
    T = unit_targets(ctx, targets, q, True)
    pairs = (
        scan_sums(T, L, None, keep=KEEP_PEELED * 2, clock=ctx.clock, executor=ctx.workers.executor)
        if len(L) > 1
        else None
    )
    for t, target in enumerate(targets):
        if ctx.clock.expired:
            return hits
        # The bare product of powers of the variables, with no further factor.
        hits += race(target, SUM, rows, np.empty((1, 0), np.int64), basis, y, w, log=True)
        if not T[t].any() or pairs is None:
            continue
        ctx.clock.scored += len(L)
        top = np.argsort(-((L @ T[t]) ** 2), kind="stable")[:KEEP_PEELED]
        hits += race(target, SUM, rows, top[:, None], basis, y, w, log=True)
        two = np.column_stack([pairs[t].i, pairs[t].j])
        hits += race(target, SUM, rows, two, basis, y, w, log=True)
        for terms in grow_terms(ctx, T[t], L, two, beam):
            hits += race(target, SUM, rows, terms, basis, y, w, log=True)
    return hits


def by_dimension(targets: Sequence[Target]) -> list[tuple[int | None, list[Target]]]:
    """Targets grouped by their packed dimension."""

    def key(t: Target) -> tuple[bool, int]:
        return (t.dimension is None, t.dimension or 0)

    return [(group[0].dimension, group) for _, g in groupby(sorted(targets, key=key), key) for group in [list(g)]]
