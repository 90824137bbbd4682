"""Pair scans over a library: which pairs of rows explain which targets, by matrix products.

For unit targets t and unit library rows f, g (all orthogonal to a small fixed basis, such as the constant) the best
    sum       t ≈ b·f + c·g     R² = (r_f² + r_g² − 2 r_f r_g ρ)/(1 − ρ²),   r = ⟨t, ·⟩, ρ = ⟨f, g⟩
    product   t ≈ b·f·g         R² = ⟨t, f∘g⟩²/‖f∘g‖²
    rational  t ≈ b·f/(1 + c·g) the sum form with the rows t∘g as second set
come from one product of two matrices per tile (two for the product form). ρ is shared by all targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.search.executor import Executor, Serial

# Rows on each side of a tile, and targets of products looked at in one go, so that the tiles stay in the second cache level.
TILE_F, TILE_G, TARGETS = 512, 1024, 2
# Extensions kept of each tuple, and inner products held at once while looking for them.
EXTENSIONS, GRAM_SIZE = 8, 4_000_000

Rows = NDArray[np.float64]
Short = NDArray[np.float32]
# Scores and the two indices of the best pairs of a block, (n_target, keep) each.
Heaps = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Best:
    """The best pairs for one target, highest R² first: arrays ``r2``, ``i``, ``j`` (n_kept,)."""

    r2: NDArray[np.float64]
    i: NDArray[np.int64]
    j: NDArray[np.int64]


@dataclass
class Clock:
    """A deadline that is looked at between tiles, and the count of hypotheses scored so far."""

    deadline: float = float("inf")
    scored: int = 0

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self.deadline


@dataclass(frozen=True)
class Deadline:
    """The moment ``at`` (time.monotonic) after which no tile is begun. It is pickled as the seconds left, because every
    machine has a clock of its own."""

    at: float

    @property
    def expired(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() > self.at

    def __reduce__(self) -> tuple[Callable[[float], Deadline], tuple[float]]:
        return _after, (self.at - time.monotonic(),)


def _after(seconds: float) -> Deadline:
    return Deadline(time.monotonic() + seconds)


def orthonormal(rows: Sequence[NDArray[np.float64]], n: int) -> Rows:
    """An orthonormal basis (n_basis, n) of the span of ``rows``; dependent ones are left out."""
    out: list[NDArray[np.float64]] = []
    for row in rows:
        v = np.array(row, dtype=np.float64)
        size = np.linalg.norm(v)
        if not np.isfinite(size) or size == 0.0:
            continue
        v /= size
        for _ in range(2):
            for q in out:
                v -= (q @ v) * q
        size = np.linalg.norm(v)
        if size > 1e-8:
            out.append(v / size)
    return np.array(out) if out else np.empty((0, n))


def unit_rows(rows: Rows, basis: Rows, *, least: float = 1e-7) -> tuple[Rows, NDArray[np.int64]]:
    """Rows projected off the basis and scaled to length 1, and which of them are left (those within the span go)."""
    size = np.linalg.norm(rows, axis=1)
    with np.errstate(all="ignore"):
        out = rows / size[:, None]
    if len(basis):
        for _ in range(2):
            out = out - (out @ basis.T) @ basis
    rest = np.linalg.norm(out, axis=1)
    keep = np.flatnonzero(np.isfinite(rest) & (rest > least))
    return np.ascontiguousarray(out[keep] / rest[keep, None]), keep


def distinct_rows(rows: Rows, decimals: int = 9) -> NDArray[np.int64]:
    """Indices of the first of each set of unit rows that agree up to sign."""
    if len(rows) == 0:
        return np.empty(0, np.int64)
    rng = np.random.default_rng(12345)
    probe = np.abs(rows @ rng.standard_normal((rows.shape[1], 2)))
    _, first = np.unique(np.round(probe, decimals), axis=0, return_index=True)
    return np.sort(first)


def _merge(parts: Iterable[tuple[NDArray, NDArray, NDArray]], keep: int) -> Best:
    lists = list(parts)
    if not lists:
        return Best(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    s = np.concatenate([p[0] for p in lists])
    i = np.concatenate([p[1] for p in lists])
    j = np.concatenate([p[2] for p in lists])
    order = np.lexsort((j, i, -s))
    order = order[s[order] > 0.0][:keep]
    return Best(s[order], i[order], j[order])


def _run(
    block: Callable[..., tuple[Heaps, int]],
    n_row: int,
    n_target: int,
    keep: int,
    clock: Clock,
    executor: Executor | None,
    *shared: Any,
) -> list[Best]:
    """Work on blocks of f rows wherever the executor does, and merge what they found."""
    found, pairs = [], 0
    for heaps, counted in (executor or Serial()).map(block, range(0, n_row, TILE_F), *shared, keep, Deadline(clock.deadline)):
        found.append(heaps)
        pairs += counted
    clock.scored += pairs * n_target
    return [_merge([(s[t], i[t], j[t]) for s, i, j in found], keep) for t in range(n_target)]


def _heaps(n_target: int, keep: int) -> Heaps:
    return np.zeros((n_target, keep)), np.full((n_target, keep), -1), np.full((n_target, keep), -1)


def _pairs(f0: int, n_f: int, g0: int, n_g: int, triangle: bool, gap: int) -> int:
    """Pairs of a tile; with ``triangle`` those whose second index is at least ``gap`` above the first."""
    if not triangle:
        return n_f * n_g
    first = np.maximum(np.arange(f0, f0 + n_f) + gap - g0, 0)
    return int(np.sum(np.maximum(n_g - first, 0)))


def scan_sums(
    targets: Rows, F: Rows, G: Rows | None, *, keep: int, clock: Clock, executor: Executor | None = None
) -> list[Best]:
    """Best pairs (f, g) of t ≈ b·f + c·g for each unit target (n_target, n); ``G`` None scans pairs within ``F``."""
    rf = targets @ F.T
    rg = None if G is None else targets @ G.T
    short = F.astype(np.float32)
    return _run(
        sum_block, len(F), len(targets), keep, clock, executor, F, G, short, None if G is None else G.astype(np.float32), rf, rg
    )


@np.errstate(all="ignore")
def sum_block(
    f0: int, F: Rows, G: Rows | None, short_f: Short, short_g: Short | None, rf: Rows, rg: Rows | None, keep: int,
    deadline: Deadline,
) -> tuple[Heaps, int]:
    """The best pairs of the rows f from ``f0`` on, and how many pairs were scored for each target.

    ``short_f`` and ``short_g`` are the rows in single precision, ``rf`` (n_target, n_f), ``rg`` (n_target, n_g) the inner
    products with the unit targets; with ``G`` None pairs are of rows of ``F``.
    """
    from hypo.kernels.scan import sum_tile

    triangle = G is None
    second, rs = (F if G is None else G), (rf if rg is None else rg)
    right = short_f if short_g is None else short_g
    heaps, counted = _heaps(len(rf), keep), 0
    rows, r = F[f0 : f0 + TILE_F], rf[:, f0 : f0 + TILE_F].copy()
    tile = Tile(1, len(rows))
    for g0 in range(f0 if triangle else 0, len(second), TILE_G):
        if deadline.expired:
            break
        part = second[g0 : g0 + TILE_G]
        counted += _pairs(f0, len(rows), g0, len(part), triangle, 1)
        rho = tile.product(short_f[f0 : f0 + TILE_F], right[g0 : g0 + TILE_G])[0]
        sum_tile(rho, rows, part, r, rs[:, g0 : g0 + TILE_G].copy(), f0, g0, triangle, *heaps)
    return heaps, counted


def scan_products(
    targets: Rows, F: Rows, G: Rows | None, basis: Rows, *, keep: int, clock: Clock, executor: Executor | None = None
) -> list[Best]:
    """Best pairs of t ≈ b·f·g + span(basis) for unit targets orthogonal to the orthonormal basis; F, G any rows."""
    short = scaled(F), None if G is None else scaled(G)
    return _run(product_block, len(F), len(targets), keep, clock, executor, targets, F, G, *short, basis)


@np.errstate(all="ignore")
def product_block(
    f0: int, targets: Rows, F: Rows, G: Rows | None, short_f: Short, short_g: Short | None, basis: Rows, keep: int,
    deadline: Deadline,
) -> tuple[Heaps, int]:
    """The best pairs of the rows f from ``f0`` on, and how many pairs were scored for each target; ``G`` None: of rows of
    ``F``. ``short_f`` and ``short_g`` are the :func:`scaled` rows."""
    from hypo.kernels.scan import product_tile

    triangle = G is None
    second, right = (F if G is None else G), (short_f if short_g is None else short_g)
    n_target = len(targets)
    heaps, counted = _heaps(n_target, keep), 0
    rows, short = F[f0 : f0 + TILE_F], short_f[f0 : f0 + TILE_F]
    # ⟨t, f∘g⟩ for some targets at once, and for the basis: rows f∘t below one another.
    across = np.concatenate([basis, targets]).astype(np.float32)[:, None, :] * short
    shared_tile, num_tile, den_tile = Tile(len(basis), len(rows)), Tile(TARGETS, len(rows)), Tile(1, len(rows))
    squares = short**2
    for g0 in range(f0 if triangle else 0, len(second), TILE_G):
        if deadline.expired:
            break
        part, columns = second[g0 : g0 + TILE_G], right[g0 : g0 + TILE_G]
        counted += _pairs(f0, len(rows), g0, len(part), triangle, 0)
        den = den_tile.product(squares, columns**2)[0]
        shared = shared_tile.product(across[: len(basis)], columns)
        for t in range(0, n_target, TARGETS):
            some = slice(t, min(t + TARGETS, n_target))
            num = num_tile.product(across[len(basis) :][some], columns)
            mine = tuple(h[some] for h in heaps)
            product_tile(num, shared, den, rows, part, targets[some], basis, f0, g0, triangle, *mine)
    return heaps, counted


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


def scaled(rows: Rows) -> Short:
    """Rows over their largest values in single precision, without what would leave its range in a product of squares."""
    out = rows / np.maximum(np.max(np.abs(rows), axis=1, keepdims=True, initial=0.0), 1e-300)
    return np.where(np.abs(out) < 1e-19, 0.0, out).astype(np.float32)


def extend(
    target: NDArray[np.float64], F: Rows, terms: NDArray[np.int64], *, keep: int, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best tuples with one term more (orthogonal matching pursuit with a beam).

    For each tuple in ``terms`` (n_beam, k) of unit rows and every further row f the explained share of the unit ``target``
    follows from f's part orthogonal to the tuple: R² = R²_tuple + ⟨t⊥, f⟩²/‖f⊥‖². Returns tuples (n_kept, k + 1) with
    ascending indices, best first, and their R².
    """
    from hypo.kernels.pursuit import extend_tuples

    n_tuple, n_term = terms.shape
    index = np.full((n_tuple, EXTENSIONS), -1)
    r2 = np.zeros((n_tuple, EXTENSIONS))
    place = np.zeros(len(F), np.int64)
    r = F @ target
    # The inner products of so many rows with all others at once.
    step = max(1, GRAM_SIZE // (n_term * max(1, len(F))))
    for first in range(0, n_tuple, step):
        if clock.expired:
            break
        part = slice(first, first + step)
        used = np.unique(terms[part])
        place[used] = np.arange(len(used))
        extend_tuples(terms[part], place, F[used] @ F.T, r, index[part], r2[part])
        clock.scored += len(F) * len(terms[part])
    found = np.flatnonzero(index.ravel() >= 0)
    longer = np.sort(np.column_stack([np.repeat(terms, EXTENSIONS, axis=0), index.reshape(-1, 1)])[found], axis=1)
    explained = r2.ravel()[found]
    order = np.lexsort((*longer.T[::-1], -explained))
    longer, explained = longer[order], explained[order]
    # The same tuple comes from several of its parts, with other rounding.
    _, first_of = np.unique(longer, axis=0, return_index=True)
    chosen = np.sort(first_of)[:keep]
    return longer[chosen], explained[chosen]


def scan_triples(targets: Rows, F: Rows, *, keep: int, clock: Clock) -> list[NDArray[np.int64]]:
    """Best triples (n_kept, 3) of t ≈ a·f + b·g + c·h for each unit target, best first; memory n², work n³/6."""
    from hypo.kernels.pursuit import triples

    gram = F @ F.T
    short = gram.astype(np.float32)
    out = []
    for t in targets:
        if clock.expired:
            out.append(np.empty((0, 3), np.int64))
            continue
        score, first, last = np.zeros(keep), np.full(keep, -1), np.full(keep, -1)
        triples(gram, short, F @ t, score, first, last)
        n = len(F)
        clock.scored += n * (n - 1) * (n - 2) // 6
        order = np.lexsort((last, first, -score))
        order = order[score[order] > 0.0]
        out.append(np.column_stack([first[order] // n, first[order] % n, last[order]]))
    return out
