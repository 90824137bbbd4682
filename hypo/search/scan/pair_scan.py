"""Pair scans over a library: which pairs of rows explain which targets, by matrix products.

For unit targets t and unit library rows f, g (all orthogonal to a small fixed basis, such as the constant) the best
    sum       t ≈ b·f + c·g     R² = (r_f² + r_g² − 2 r_f r_g ρ)/(1 − ρ²),   r = ⟨t, ·⟩, ρ = ⟨f, g⟩
    product   t ≈ b·f·g         R² = ⟨t, f∘g⟩²/‖f∘g‖²
    rational  t ≈ b·f/(1 + c·g) the sum form with the rows t∘g as second set
come from one product of two matrices per tile (two for the product form). ρ is shared by all targets.

Large scans multiply fewer columns than there are probe rows: those of the principal axes for sums, the probe rows on which the
targets are largest for products. The lists stay exact, because R² is bounded by what a few columns tell of it
(:mod:`hypo.kernels.cpu.pair_scan`). The best of a few rows with all others give the score that a pair has to reach, and
a sample of pairs the number of columns with which the scan costs least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, Deadline
from hypo.parallel.executor import Executor, Serial
from hypo.search.library.unit_rows import orthonormal, project_off
from hypo.search.scan import prefilter as columns
from hypo.search.scan.prefilter import Heaps, Rows, Short, project

# Unit targets, rows F and rows G of a scan; G None stands for pairs within F.
Job = tuple[Rows, Rows, Rows | None]
# One side of a scan for sums: rows, what :func:`project` makes of them, and inner products (n_target, n) with the targets.
SumSide = tuple[Rows, Short, Short, Rows]
# One side of a scan for products: rows, and the same :func:`scale_rows` on some probe rows.
ProductSide = tuple[Rows, Short]
# Targets off the basis, an orthonormal basis, and the squares (n_target,) that the targets lack on some probe rows.
View = tuple[Rows, Rows, NDArray[np.float64]]
# Rows of a block.
TILE_F = 512
# Rows on the other side of a tile: tiles stay in the second cache.
TILE_G = 256
# Targets of products looked at in one go.
TARGETS = 2


@dataclass(frozen=True)
class Best:
    """The best pairs for one target, highest R² first: arrays ``r2``, ``i``, ``j`` (n_kept,)."""

    r2: NDArray[np.float64]
    i: NDArray[np.int64]
    j: NDArray[np.int64]


@runtime_checkable
class Device(Protocol):
    """An executor that scans by itself what is worth it: None leaves a scan to the processor."""

    def scan(
        self, kind: Literal["sums", "products"], jobs: Sequence[Job], basis: Rows, *, keep: int, clock: Clock
    ) -> list[list[Best]] | None:
        """The lists of :func:`scan_jobs`."""
        ...


def _merge(parts: Iterable[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]], keep: int) -> Best:
    lists = list(parts)
    if not lists:
        return Best(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    s = np.concatenate([p[0] for p in lists])
    i = np.concatenate([p[1] for p in lists])
    j = np.concatenate([p[2] for p in lists])
    order = np.lexsort((j, i, -s))
    order = order[i[order] >= 0][:keep]
    return Best(s[order], i[order], j[order])


def _run(
    block: Callable[..., tuple[Heaps, int, int]],
    n_row: int,
    n_target: int,
    keep: int,
    clock: Clock,
    executor: Executor | None,
    *shared: Any,
) -> list[Best]:
    """Work on blocks of f rows wherever the executor does, and merge what they found."""
    found, pairs = [], 0
    late = Deadline(clock.deadline)
    for heaps, counted, _ in (executor or Serial()).map(block, range(0, n_row, TILE_F), *shared, keep, late):
        found.append(heaps)
        pairs += counted
    clock.scored += pairs * n_target
    return [_merge([(s[t], i[t], j[t]) for s, i, j in found], keep) for t in range(n_target)]


def _heaps(floor: NDArray[np.float64], keep: int) -> Heaps:
    """Lists (n_target, keep) without pairs, for scores above the floor (n_target,)."""
    return np.repeat(floor[:, None], keep, axis=1), np.full((len(floor), keep), -1), np.full((len(floor), keep), -1)


def _lowest(targets: Rows, beyond: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The score that pairs have to exceed: 0 or ``beyond``, and out of reach where a target is nothing."""
    return np.where(targets.any(axis=1), 0.0 if beyond is None else beyond, 2.0)


def _pairs(f0: int, n_f: int, g0: int, n_g: int, triangle: bool, gap: int) -> int:
    """Pairs of a tile; with ``triangle`` those whose second index is at least ``gap`` above the first."""
    if not triangle:
        return n_f * n_g
    # Row a begins at column a + shift; some begin beside the tile.
    shift = f0 + gap - g0
    low, high = min(max(-shift, 0), n_f), min(max(n_g - shift, 0), n_f)
    return low * n_g + (high - low) * (n_g - shift) - (high * (high - 1) - low * (low - 1)) // 2


def scan_jobs(
    kind: Literal["sums", "products"],
    jobs: Sequence[Job],
    basis: Rows,
    *,
    keep: int,
    clock: Clock,
    executor: Executor | None = None,
) -> Iterator[list[Best]]:
    """The lists of each of several scans, as :func:`scan_sums` or, with the basis, :func:`scan_products` give them. A
    device does all at once, the processor each when it is asked for."""
    if jobs and isinstance(executor, Device):
        best = executor.scan(kind, jobs, basis, keep=keep, clock=clock)
        if best is not None:
            return iter(best)
    given: dict[str, Any] = {"keep": keep, "clock": clock, "executor": executor}
    if kind == "sums":
        return (scan_sums(*job, **given) for job in jobs)
    return (scan_products(*job, basis, **given) for job in jobs)


def scan_sums(
    targets: Rows,
    F: Rows,
    G: Rows | None,
    *,
    keep: int,
    clock: Clock,
    executor: Executor | None = None,
    beyond: NDArray[np.float64] | None = None,
) -> list[Best]:
    """Best pairs (f, g) of t ≈ b·f + c·g for each unit target (n_target, n); ``G`` None scans pairs within ``F``. Only scores
    above ``beyond`` (n_target,) are wanted."""
    if isinstance(executor, Device):
        job = targets, F, G
        if (best := executor.scan("sums", [job], F[:0], keep=keep, clock=clock)) is not None:
            return best[0]
    rf = targets @ F.T
    floor = _lowest(targets, beyond)
    n = F.shape[1]
    left: SumSide = F, *project(F, None), rf
    right: SumSide | None = None if G is None else (G, *project(G, None), targets @ G.T)
    other = left if right is None else right
    second, rs = other[0], other[3]
    late = Deadline(clock.deadline)
    if len(F) * len(second) >= columns.PREPARED_FROM and not late.expired:
        count = min(max(2, columns.FIRST_ROWS // len(targets)), len(F) - 1)
        some = np.unique(np.argpartition(-np.abs(rf), count, axis=1)[:, :count])
        # Nearly all pairs with a row explain at least as much as the row alone; too few of them leave the floor where it was.
        hoped = np.maximum(floor, (1.0 - 1e-9) * np.max(rf**2, axis=1))
        first: SumSide = F[some], left[1][some], left[2][some], rf[:, some]
        heaps, _, _ = sum_block(0, first, other, hoped, 2 * keep, late)
        floor = np.maximum(floor, columns.score_threshold(heaps, some, G is None, keep))
        a, b = columns.spread(len(F), columns.SAMPLE[0]), columns.spread(len(second), columns.SAMPLE[1])
        few = second[b]
        # Axes of the sample's own rows would promise too much.
        apart = [rows[1 :: 1 + len(rows) // columns.AXES] for rows in ([F] if G is None else [F, G])]
        axes = np.linalg.eigh(sum(rows.T @ rows for rows in apart))[1][:, ::-1]

        def count_computed(k: int) -> float:
            """Pairs of the sample that ``k`` axes leave to double precision."""
            one: SumSide = F[a], *project(F[a], axes[:, :k]), rf[:, a]
            two: SumSide = few, *project(few, axes[:, :k]), rs[:, b]
            return sum_block(0, one, two, floor, 1, late)[2]

        k = columns.n_prefilter(n, count_computed)
        if k < n:
            left = F, *project(F, axes[:, :k]), rf
            right = None if G is None else (G, *project(G, axes[:, :k]), rs)
    return _run(sum_block, len(F), len(targets), keep, clock, executor, left, right, floor)


@np.errstate(all="ignore")
def sum_block(
    f0: int, left: SumSide, right: SumSide | None, floor: NDArray[np.float64], keep: int, deadline: Deadline
) -> tuple[Heaps, int, int]:
    """The best pairs of the rows f of ``left`` from ``f0`` on with rows of ``right``, how many pairs were scored for each
    target, and how many of all these were computed in double precision.

    ``floor`` (n_target,) is a score that all of the best exceed; with ``right`` None pairs are of rows of ``left``.
    """
    from hypo.kernels.cpu.pair_scan import sum_tile

    triangle = right is None
    F, short_f, hidden_f, rf = left
    second, short_g, hidden, rs = left if right is None else right
    heaps, counted, computed = _heaps(floor, keep), 0, 0
    mine = slice(f0, f0 + TILE_F)
    rows, r, short, beside = F[mine], rf[:, mine].copy(), short_f[mine], hidden_f[mine]
    tile = Tile(1, len(rows))
    for g0 in range(f0 if triangle else 0, len(second), TILE_G):
        if deadline.expired:
            break
        part = slice(g0, g0 + TILE_G)
        counted += _pairs(f0, len(rows), g0, len(second[part]), triangle, 1)
        rho = tile.product(short, short_g[part])[0]
        other = (second[part], hidden[part], rs[:, part].copy())
        computed += sum_tile(rho, (rows, beside, r), other, (f0, g0), triangle, heaps)
    return heaps, counted, computed


def scan_products(
    targets: Rows,
    F: Rows,
    G: Rows | None,
    basis: Rows,
    *,
    keep: int,
    clock: Clock,
    executor: Executor | None = None,
    beyond: NDArray[np.float64] | None = None,
) -> list[Best]:
    """Best pairs of t ≈ b·f·g + span(basis) for unit targets orthogonal to the orthonormal basis; F, G any rows. Only scores
    above ``beyond`` (n_target,) are wanted."""
    if isinstance(executor, Device):
        job = targets, F, G
        if (best := executor.scan("products", [job], basis, keep=keep, clock=clock)) is not None:
            return best[0]
    left: ProductSide = F, scale_rows(F)
    right: ProductSide | None = None if G is None else (G, scale_rows(G))
    other = left if right is None else right
    second = other[0]
    whole = targets, basis
    n, floor, late = F.shape[1], _lowest(targets, beyond), Deadline(clock.deadline)
    view = restrict_targets(targets, basis, None)
    if len(F) * len(second) >= columns.PREPARED_FROM and not late.expired:
        # The first rows are the simplest; what goes well with some of them goes well with others.
        half = columns.FIRST_ROWS // 2
        some = np.unique(np.concatenate([np.arange(min(len(F), half)), columns.spread(len(F), half)]))
        heaps, _, _ = product_block(0, whole, view, (F[some], left[1][some]), other, floor, 2 * keep, late)
        floor = np.maximum(floor, columns.score_threshold(heaps, some, G is None, keep))
        some = columns.partners(heaps)
        if len(some):
            partners = second[some], other[1][some]
            heaps, _, _ = product_block(0, whole, view, partners, left, floor, 2 * keep, late)
            floor = np.maximum(floor, columns.score_threshold(heaps, some, G is None, keep))
        largest = np.argsort(-np.sum(targets**2, axis=0), kind="stable")
        a, b = columns.spread(len(F), columns.SAMPLE[0]), columns.spread(len(second), columns.SAMPLE[1])

        def count_computed(k: int) -> float:
            """Pairs of the sample that ``k`` probe rows leave to double precision."""
            c = largest[:k]
            one, two = (F[a], left[1][a][:, c]), (second[b], other[1][b][:, c])
            return product_block(0, whole, restrict_targets(targets, basis, c), one, two, floor, 1, late)[2]

        k = columns.n_prefilter(n, count_computed)
        if k < n:
            c = np.sort(largest[:k])
            view = restrict_targets(targets, basis, c)
            left, right = (F, left[1][:, c]), None if right is None else (right[0], right[1][:, c])
    return _run(product_block, len(F), len(targets), keep, clock, executor, whole, view, left, right, floor)


def restrict_targets(targets: Rows, basis: Rows, chosen: NDArray[np.int64] | None) -> View:
    """On some probe rows the targets off the basis, an orthonormal basis, and the squares (n_target,) that the targets lack."""
    if chosen is None:
        return targets, basis, np.zeros(len(targets))
    z = orthonormal(list(basis[:, chosen]), len(chosen))
    t = project_off(targets[:, chosen], z)
    return t, z, np.sum(targets**2, axis=1) - np.sum(t**2, axis=1)


@np.errstate(all="ignore")
def product_block(
    f0: int,
    whole: tuple[Rows, Rows],
    view: View,
    left: ProductSide,
    right: ProductSide | None,
    floor: NDArray[np.float64],
    keep: int,
    deadline: Deadline,
) -> tuple[Heaps, int, int]:
    """As :func:`sum_block` for products; ``whole`` are the targets and the basis, ``view`` is what :func:`restrict_targets`
    makes of them on the probe rows of the short rows."""
    from hypo.kernels.cpu.pair_scan import product_tile

    triangle = right is None
    (targets, basis), (seen_targets, seen_basis, unseen) = whole, view
    F, short_f = left
    second, short_second = left if right is None else right
    n_target = len(targets)
    heaps, counted, computed = _heaps(floor, keep), 0, 0
    rows, short = F[f0 : f0 + TILE_F], short_f[f0 : f0 + TILE_F]
    # ⟨t, f∘g⟩ for the basis and some targets at once: rows f∘t below one another.
    n_basis = len(seen_basis)
    across = np.concatenate([seen_basis, seen_targets]).astype(np.float32)[:, None, :] * short
    shared_tile, num_tile, den_tile = Tile(n_basis, len(rows)), Tile(TARGETS, len(rows)), Tile(1, len(rows))
    squares = short**2
    for g0 in range(f0 if triangle else 0, len(second), TILE_G):
        if deadline.expired:
            break
        part, short_g0 = second[g0 : g0 + TILE_G], short_second[g0 : g0 + TILE_G]
        counted += _pairs(f0, len(rows), g0, len(part), triangle, 0)
        den = den_tile.product(squares, short_g0**2)[0]
        shared = shared_tile.product(across[:n_basis], short_g0)
        for t in range(0, n_target, TARGETS):
            some = slice(t, min(t + TARGETS, n_target))
            num = num_tile.product(across[n_basis:][some], short_g0)
            mine = tuple(h[some] for h in heaps)
            seen = (targets[some], basis, unseen[some])
            computed += product_tile((num, shared, den), (rows, part), seen, (f0, g0), triangle, mine)
    return heaps, counted, computed


class Tile:
    """Room for products (n_side, n_f, n_g) of rows, used again and again: fresh memory costs as much as the products."""

    def __init__(self, n_side: int, n_f: int) -> None:
        self._room = np.empty(n_side * n_f * TILE_G, np.float32)
        self._n_f = n_f

    def product(self, left: Short, right: Short) -> Short:
        """Inner products of the rows ``left`` (n_side, n_f, n) or (n_f, n) with the rows ``right`` (n_g, n)."""
        left = left.reshape(-1, right.shape[1])
        out = self._room[: len(left) * len(right)].reshape(len(left), len(right))
        np.matmul(left, right.T, out=out)
        return out.reshape(-1, self._n_f, len(right))


def scale_rows(rows: Rows) -> Short:
    """Rows over their largest values in single precision, without what would leave its range in a product of squares."""
    size = np.maximum(np.max(rows, axis=1, initial=0.0), -np.min(rows, axis=1, initial=0.0))
    out = np.empty(rows.shape, np.float32)
    np.divide(rows, np.maximum(size, 1e-300)[:, None], out=out, casting="same_kind")
    out[np.abs(out) < 1e-19] = 0.0
    return out
