"""Sums of three rows and more: all triples of a small library, and tuples grown by one row.

Both work on inner products alone. A filter in single precision looks at every triple; what comes within its rounding of the
worst of the best ones is computed in double precision. Flops per triple: about 12.
"""

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.pair_scan import COLLINEAR, SLACK, push
from hypo.kernels.cpu.rows import assign, fill

# Rows closer than this to the span of a tuple do not extend it.
LEAST_FREE = 1e-9
# What pairs count for in single precision, as all else in the filters.
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_NOWHERE = np.int64(-1)


# A count, for LLVM makes vector code of it, and does not of a maximum.
@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _promising(row, along, factor, size, size_i, rest, x, threshold):
    """How many j reach x² + y² − 2·x·y·c ≥ threshold·(1 − c²), c = (row_j − factor·along_j)·size_i·size_j and y = rest_j, in
    single precision and up to its rounding."""
    xx = x * x + SLACK
    x2 = x + x
    count = _ZERO
    for j in range(row.shape[0]):
        c = (row[j] - factor * along[j]) * (size_i * size[j])
        y = rest[j]
        count += _ONE if xx + y * (y - x2 * c) >= threshold * (_ONE - c * c) else _ZERO
    return count


@kernel(error_model="numpy", nogil=True)
def triples(gram, short, r, heap_score, heap_i, heap_j):
    """Score t ≈ a·f + b·g + c·h for all triples of unit rows from their inner products alone.

    ``gram`` (n, n) inner products of the rows, ``short`` the same in single precision, ``r`` (n,) those with the unit target.
    With h projected out of f, g and t the sum form of a pair applies. For each pair (h, f) the best g is offered to the heap,
    as the entry (score, h·n + f, g).
    """
    n = gram.shape[0]
    size = np.empty(n)
    rest = np.empty(n)
    size_short = np.empty(n, np.float32)
    rest_short = np.empty(n, np.float32)
    for k in range(n - 2):
        for i in range(k + 1, n):
            d = 1.0 - gram[k, i] * gram[k, i]
            size[i] = 1.0 / np.sqrt(d) if d > COLLINEAR else 0.0
            rest[i] = (r[i] - r[k] * gram[k, i]) * size[i]
            size_short[i] = size[i]
            rest_short[i] = rest[i]
        rk = r[k] * r[k]
        for i in range(k + 1, n - 1):
            if size[i] == 0.0:
                continue
            threshold = np.float32(heap_score[0] - rk)
            j = i + 1
            if not _promising(
                short[i, j:],
                short[k, j:],
                short[k, i],
                size_short[j:],
                size_short[i],
                rest_short[j:],
                rest_short[i],
                threshold,
            ):
                continue
            x = rest[i]
            best = -1.0
            at = _NOWHERE
            for j in range(i + 1, n):
                c = (gram[i, j] - gram[k, i] * gram[k, j]) * size[i] * size[j]
                d = 1.0 - c * c
                y = rest[j]
                s = (x * x + y * (y - 2.0 * x * c)) / d if d > 1e-9 and size[j] > 0.0 else 0.0
                if s > best:
                    best = s
                    at = j
            best = min(rk + best, 1.0)
            if best >= heap_score[0]:
                push(best, k * n + i, at, heap_score, heap_i, heap_j)


@kernel(error_model="numpy", nogil=True)
def extend_tuples(terms, place, gram, r, out_index, out_r2):
    """For each tuple of unit rows the further rows that explain most of a unit target together with it.

    ``terms`` (n_tuple, k) row indices; ``place`` (n_row,) says which row of ``gram`` (n_used, n_row), the inner products of
    the rows in use with all rows, belongs to a row; ``r`` (n_row,) the rows' inner products with the target. ``out_index`` and
    ``out_r2`` (n_tuple, n_kept) get the best rows and R² = R²_tuple + ⟨t⊥, f⟩²/‖f⊥‖², best first; -1 and 0 where there is none.
    """
    n_tuple, k = terms.shape
    n = r.shape[0]
    kept = out_index.shape[1]
    w = np.empty((k, n))
    free = np.empty(n)
    rest = np.empty(n)
    z = np.empty(k)
    for m in range(n_tuple):
        inside = 0.0
        fill(free, 1.0)
        assign(rest, r)
        for a in range(k):
            # Gram–Schmidt on the inner products: w_a holds those of the a-th orthonormal direction with all rows.
            row = gram[place[terms[m, a]]]
            at = terms[m, a]
            assign(w[a], row)
            for b in range(a):
                c = w[b, at]
                for f in range(n):
                    w[a, f] -= c * w[b, f]
            d = w[a, at]
            scale = 1.0 / np.sqrt(d) if d > LEAST_FREE else 0.0
            z[a] = rest[at] * scale
            inside += z[a] * z[a]
            for f in range(n):
                v = w[a, f] * scale
                w[a, f] = v
                free[f] -= v * v
                rest[f] -= z[a] * v
        fill(out_index[m], -1)
        fill(out_r2[m], 0.0)
        for a in range(k):
            free[terms[m, a]] = 0.0
        worst = 0.0
        for f in range(n):
            gain = rest[f] * rest[f]
            if free[f] <= LEAST_FREE or gain <= worst * free[f]:
                continue
            gain /= free[f]
            p = kept - 1
            while p > 0 and out_index[m, p - 1] < 0:
                p -= 1
            while p > 0 and out_r2[m, p - 1] < gain:
                out_r2[m, p] = out_r2[m, p - 1]
                out_index[m, p] = out_index[m, p - 1]
                p -= 1
            out_r2[m, p] = gain
            out_index[m, p] = f
            worst = out_r2[m, kept - 1]
        for p in range(kept):
            if out_index[m, p] >= 0:
                out_r2[m, p] += inside
