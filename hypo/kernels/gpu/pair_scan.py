"""Pair scans on tensor cores: which tiles hold pairs that may reach a score, and which pairs these are.

A scan is two kernels. ``*_margins`` multiplies tiles of rows, decides for each pair and target by how much it misses the
threshold, and writes one number per tile, the largest; no tile goes to memory. ``*_pairs`` goes through the few tiles
whose number reaches zero again and appends the pairs themselves. Rounding is bounded (:mod:`hypo.kernels.gpu.operands`) and
the bound added to each margin, so that no pair that reaches the threshold is lost; what passes is scored in double
precision elsewhere. Tables of tiles and launches are those of :mod:`hypo.kernels.gpu.pair_tiles`.

With n columns (64, say), T targets and z basis vectors a pair costs
    sum       2n flop on tensor cores (128)                   epilogue 4T operations (two fused, a largest, half of a load)
    product   2n·(1 + z + T) flop (256 with T = 1, z = 0)     epilogue 4T + 2z + 1
and, with F in place while tiles of 128 rows f go by and numbers of two bytes, 2n/128 bytes (1) for a sum and twice as many for
a product, read from the second cache level; device memory sees each row once per run of tiles. So with M flop/s of the
tensor cores at the precision used, and E single-precision operations/s of the other units (a fused one counts once), the
limits are
    tensor-core   M/2n and M/(2n(1 + z + T)) pairs a second
    epilogue      E/4T and E/(4T + 2z + 1) pairs a second
One H200 does about 790e12 flop/s of bfloat16 products and 33e12 operations/s: 6.2e12 and 3.1e12, 8.4e12 and 6.7e12 pairs a
second for T = 1, z = 0 with halves or bfloat16, half of the first two with tf32. These are limits, not measurements.

In machine code for it (halves, n = 64, T = 1, the default tile) a warp begins 235 instructions for 1024 pairs of a sum and 226
of a product, 312 with z = 1. Its 132 processors begin four a clock, so at 1.755 GHz another limit is
    instructions  4.0e12, 4.2e12 and 3.0e12 pairs a second
"""

from __future__ import annotations

import triton
import triton.language as tl

# Most targets of one launch of sums.
SUM_TARGETS = 4
# Most targets of one launch of products.
PRODUCT_TARGETS = 2
# Squares of pairs below this are too small for single precision: such pairs pass.
TINY = 1e-34


@triton.jit
def _rows(A, rows, K: tl.constexpr):
    """The given rows of a matrix of K columns."""
    return tl.load(A + rows[:, None].to(tl.int64) * K + tl.arange(0, K)[None, :])


@triton.jit
def _inner(a, a_low, b, b_low, SPLIT: tl.constexpr, UPCAST: tl.constexpr, MODE: tl.constexpr):
    """Inner products of the rows of a and b in single precision."""
    if UPCAST:
        # The interpreter multiplies bfloat16 as the integers that hold it.
        a, a_low, b, b_low = a.to(tl.float32), a_low.to(tl.float32), b.to(tl.float32), b_low.to(tl.float32)
    out = tl.dot(a, tl.trans(b), input_precision=MODE, out_dtype=tl.float32)
    if SPLIT:
        out = tl.dot(a_low, tl.trans(b), out, input_precision=MODE, out_dtype=tl.float32)
        out = tl.dot(a, tl.trans(b_low), out, input_precision=MODE, out_dtype=tl.float32)
    return out


@triton.jit
def _append(hit, rows, columns, out, counter, capacity, BLOCK_F: tl.constexpr, BLOCK_G: tl.constexpr):
    """Append the pairs of a tile that hit: f to out[0], g to out[1]."""
    flat = tl.reshape(hit.to(tl.int32), [BLOCK_F * BLOCK_G])
    count = tl.sum(flat, 0)
    if count > 0:
        begin = tl.atomic_add(counter, count)
        place = begin + tl.cumsum(flat, 0) - flat
        keep = (flat > 0) & (place < capacity)
        none = tl.zeros([BLOCK_F, BLOCK_G], tl.int32)
        tl.store(out + place, tl.reshape(rows[:, None] + none, [BLOCK_F * BLOCK_G]), mask=keep)
        tl.store(out + capacity + place, tl.reshape(columns[None, :] + none, [BLOCK_F * BLOCK_G]), mask=keep)


@triton.jit
def _sum_margin(rho, f, g, x, y, h, u, v, w, n_f, n_g, TARGETS: tl.constexpr, HIDDEN: tl.constexpr):
    """The largest |ρ − x·u| − y·v of the targets, and h·w more if HIDDEN, for each pair."""
    best = tl.abs(rho - tl.load(x + f)[:, None] * tl.load(u + g)[None, :])
    best -= tl.load(y + f)[:, None] * tl.load(v + g)[None, :]
    for t in tl.static_range(1, TARGETS):
        m = tl.abs(rho - tl.load(x + t * n_f + f)[:, None] * tl.load(u + t * n_g + g)[None, :])
        m -= tl.load(y + t * n_f + f)[:, None] * tl.load(v + t * n_g + g)[None, :]
        best = tl.maximum(best, m)
    if HIDDEN:
        best += tl.load(h + f)[:, None] * tl.load(w + g)[None, :]
    return best


@triton.jit
def sum_margins(
    F,
    F_low,
    G,
    G_low,
    x,
    y,
    h,
    u,
    v,
    w,
    work,
    margin,
    n_f,
    n_g,
    K: tl.constexpr,
    RUN: tl.constexpr,
    BLOCK_F: tl.constexpr,
    BLOCK_G: tl.constexpr,
    TARGETS: tl.constexpr,
    HIDDEN: tl.constexpr,
    SPLIT: tl.constexpr,
    UPCAST: tl.constexpr,
    MODE: tl.constexpr,
):
    """One run of tiles: ``work`` (n_run, 3) holds its first f, first g and number of tiles, ``margin`` (n_run, RUN) gets the
    largest margin of each tile. x, y (TARGETS, n_f), u, v (TARGETS, n_g), h (n_f,), w (n_g,)."""
    run = tl.program_id(0)
    f = tl.load(work + 3 * run) + tl.arange(0, BLOCK_F)
    # Told that tiles begin at whole tiles, the compiler loads two numbers at a time.
    g0 = tl.multiple_of(tl.load(work + 3 * run + 1), BLOCK_G)
    a = _rows(F, f, K)
    a_low = _rows(F_low, f, K) if SPLIT else a
    for tile in range(tl.load(work + 3 * run + 2)):
        g = g0 + tile * BLOCK_G + tl.arange(0, BLOCK_G)
        b = _rows(G, g, K)
        b_low = _rows(G_low, g, K) if SPLIT else b
        rho = _inner(a, a_low, b, b_low, SPLIT, UPCAST, MODE)
        best = _sum_margin(rho, f, g, x, y, h, u, v, w, n_f, n_g, TARGETS, HIDDEN)
        tl.store(margin + run * RUN + tile, tl.max(tl.max(best, 1), 0))


@triton.jit
def sum_pairs(
    F,
    F_low,
    G,
    G_low,
    x,
    y,
    h,
    u,
    v,
    w,
    tiles,
    out,
    counter,
    capacity,
    n_f,
    n_g,
    least,
    K: tl.constexpr,
    BLOCK_F: tl.constexpr,
    BLOCK_G: tl.constexpr,
    TARGETS: tl.constexpr,
    HIDDEN: tl.constexpr,
    SPLIT: tl.constexpr,
    UPCAST: tl.constexpr,
    MODE: tl.constexpr,
):
    """One tile: appends its pairs of a margin of at least ``least`` to ``out`` (2, capacity). ``tiles`` (n_tile, 5): first f,
    first g, where the rows of either side end, and the least g − f."""
    tile = tiles + 5 * tl.program_id(0)
    f, g = tl.load(tile) + tl.arange(0, BLOCK_F), tl.load(tile + 1) + tl.arange(0, BLOCK_G)
    a, b = _rows(F, f, K), _rows(G, g, K)
    a_low = _rows(F_low, f, K) if SPLIT else a
    b_low = _rows(G_low, g, K) if SPLIT else b
    rho = _inner(a, a_low, b, b_low, SPLIT, UPCAST, MODE)
    best = _sum_margin(rho, f, g, x, y, h, u, v, w, n_f, n_g, TARGETS, HIDDEN)
    inside = (f < tl.load(tile + 2))[:, None] & (g < tl.load(tile + 3))[None, :]
    hit = inside & (g[None, :] - f[:, None] >= tl.load(tile + 4)) & (best >= least)
    _append(hit, f, g, out, counter, capacity, BLOCK_F, BLOCK_G)


@triton.jit
def _product_margin(
    z,
    z_low,
    s,
    s_low,
    a,
    a_low,
    c,
    c_low,
    b,
    b_low,
    q,
    q_low,
    f,
    threshold,
    allowed,
    n_f,
    BASIS: tl.constexpr,
    TARGETS: tl.constexpr,
    SPLIT: tl.constexpr,
    UPCAST: tl.constexpr,
    MODE: tl.constexpr,
):
    """The largest num² + T·shared² − C·den of one or two targets (sides a and c), for each pair."""
    den = _inner(s, s_low, q, q_low, SPLIT, UPCAST, MODE)
    num = _inner(a, a_low, b, b_low, SPLIT, UPCAST, MODE)
    best = num * num - tl.load(allowed + f)[:, None] * den
    if BASIS:
        shared = _inner(z, z_low, b, b_low, SPLIT, UPCAST, MODE)
        shared = shared * shared
        best += tl.load(threshold + f)[:, None] * shared
    if TARGETS > 1:
        num = _inner(c, c_low, b, b_low, SPLIT, UPCAST, MODE)
        other = num * num - tl.load(allowed + n_f + f)[:, None] * den
        if BASIS:
            other += tl.load(threshold + n_f + f)[:, None] * shared
        best = tl.maximum(best, other)
    return best


@triton.jit
def product_margins(
    sides,
    sides_low,
    G,
    G_low,
    squares,
    squares_low,
    threshold,
    allowed,
    work,
    margin,
    n_f,
    K: tl.constexpr,
    RUN: tl.constexpr,
    BLOCK_F: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BASIS: tl.constexpr,
    TARGETS: tl.constexpr,
    SPLIT: tl.constexpr,
    UPCAST: tl.constexpr,
    MODE: tl.constexpr,
):
    """As ``sum_margins``; ``sides`` (2 + TARGETS, n_f, K) holds F², F∘z (z the basis, used if BASIS) and F∘t of the targets,
    ``squares`` G², ``threshold`` and ``allowed`` (TARGETS, n_f) T and C."""
    run = tl.program_id(0)
    f = tl.load(work + 3 * run) + tl.arange(0, BLOCK_F)
    # Told that tiles begin at whole tiles, the compiler loads two numbers at a time.
    g0 = tl.multiple_of(tl.load(work + 3 * run + 1), BLOCK_G)
    s, a = _rows(sides, f, K), _rows(sides, f + 2 * n_f, K)
    s_low = _rows(sides_low, f, K) if SPLIT else s
    a_low = _rows(sides_low, f + 2 * n_f, K) if SPLIT else a
    z = _rows(sides, f + n_f, K) if BASIS else s
    z_low = _rows(sides_low, f + n_f, K) if BASIS and SPLIT else s
    c = _rows(sides, f + 3 * n_f, K) if TARGETS > 1 else s
    c_low = _rows(sides_low, f + 3 * n_f, K) if TARGETS > 1 and SPLIT else s
    for tile in range(tl.load(work + 3 * run + 2)):
        g = g0 + tile * BLOCK_G + tl.arange(0, BLOCK_G)
        b, q = _rows(G, g, K), _rows(squares, g, K)
        b_low = _rows(G_low, g, K) if SPLIT else b
        q_low = _rows(squares_low, g, K) if SPLIT else q
        best = _product_margin(
            z,
            z_low,
            s,
            s_low,
            a,
            a_low,
            c,
            c_low,
            b,
            b_low,
            q,
            q_low,
            f,
            threshold,
            allowed,
            n_f,
            BASIS,
            TARGETS,
            SPLIT,
            UPCAST,
            MODE,
        )
        tl.store(margin + run * RUN + tile, tl.max(tl.max(best, 1), 0))


@triton.jit
def product_pairs(
    sides,
    sides_low,
    G,
    G_low,
    squares,
    squares_low,
    threshold,
    allowed,
    tiles,
    out,
    counter,
    capacity,
    n_f,
    least,
    K: tl.constexpr,
    BLOCK_F: tl.constexpr,
    BLOCK_G: tl.constexpr,
    BASIS: tl.constexpr,
    TARGETS: tl.constexpr,
    SPLIT: tl.constexpr,
    UPCAST: tl.constexpr,
    MODE: tl.constexpr,
):
    """As ``sum_pairs``, of what ``product_margins`` computes."""
    tile = tiles + 5 * tl.program_id(0)
    f, g = tl.load(tile) + tl.arange(0, BLOCK_F), tl.load(tile + 1) + tl.arange(0, BLOCK_G)
    s, a, b, q = _rows(sides, f, K), _rows(sides, f + 2 * n_f, K), _rows(G, g, K), _rows(squares, g, K)
    s_low = _rows(sides_low, f, K) if SPLIT else s
    a_low = _rows(sides_low, f + 2 * n_f, K) if SPLIT else a
    b_low = _rows(G_low, g, K) if SPLIT else b
    q_low = _rows(squares_low, g, K) if SPLIT else q
    z = _rows(sides, f + n_f, K) if BASIS else s
    z_low = _rows(sides_low, f + n_f, K) if BASIS and SPLIT else s
    c = _rows(sides, f + 3 * n_f, K) if TARGETS > 1 else s
    c_low = _rows(sides_low, f + 3 * n_f, K) if TARGETS > 1 and SPLIT else s
    best = _product_margin(
        z,
        z_low,
        s,
        s_low,
        a,
        a_low,
        c,
        c_low,
        b,
        b_low,
        q,
        q_low,
        f,
        threshold,
        allowed,
        n_f,
        BASIS,
        TARGETS,
        SPLIT,
        UPCAST,
        MODE,
    )
    inside = (f < tl.load(tile + 2))[:, None] & (g < tl.load(tile + 3))[None, :]
    hit = inside & (g[None, :] - f[:, None] >= tl.load(tile + 4)) & (best >= least)
    _append(hit, f, g, out, counter, capacity, BLOCK_F, BLOCK_G)
