"""Many targets against one small library: for each the best row, the best pair, and sums grown from it row by row.

The inner products of the rows are shared by all targets, so that a target costs its products with the rows and about one
multiply-add for each pair; they stay in the cache while targets come and go. A filter in single precision looks at every pair
(:mod:`hypo.kernels.cpu.pair_scan`); what comes within its rounding of the best so far is computed in double precision.
"""

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.pair_scan import COLLINEAR, SLACK
from hypo.kernels.cpu.rows import assign, fill

# Rows of which less than this share (of the square) lies outside of the span of a sum do not extend it.
LEAST_FREE = 1e-9
# Sums that leave less than this share of a target (of its square) are done.
NOTHING_LEFT = 1e-22
# What pairs count for in single precision, as all else in the filter.
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
# Numbers of rows, typed: numba compiles a variant of a function for each literal that it is called with.
_ONE_ROW = np.int64(1)
_TWO_ROWS = np.int64(2)


# A count is what LLVM makes vector code of.
@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _promising(rho, y, x, threshold):
    """How many pairs reach x² + y² − 2·x·y·ρ ≥ threshold·(1 − ρ²), in single precision and up to its rounding."""
    xx = x * x + SLACK
    x2 = x + x
    count = _ZERO
    for b in range(rho.shape[0]):
        count += _ONE if xx + y[b] * (y[b] - x2 * rho[b]) >= threshold * (_ONE - rho[b] * rho[b]) else _ZERO
    return count


@kernel(error_model="numpy", nogil=True)
def best_pair(gram, short, r):
    """The pair (i, j) of unit rows with the largest R² for one target, from ``gram`` (n, n), the same in single precision, and
    the inner products ``r`` (n,) with the unit target; (-1, -1) when all rows are collinear."""
    n = r.shape[0]
    y = r.astype(np.float32)
    # No pair explains less than its better row, but collinear ones count for nothing.
    best = 0.0
    for a in range(n):
        best = max(best, r[a] * r[a])
    best *= 1.0 - 1e-6
    first = -1
    last = -1
    for a in range(n - 1):
        x = y[a]
        threshold = np.float32(best)
        if not _promising(short[a, a + 1 :], y[a + 1 :], x, threshold):
            continue
        xx = x * x + SLACK
        for b in range(a + 1, n):
            c = short[a, b]
            if xx + y[b] * (y[b] - (x + x) * c) < threshold * (_ONE - c * c):
                continue
            d = gram[a, b]
            d2 = 1.0 - d * d
            if d2 <= COLLINEAR:
                continue
            r2 = (r[a] * r[a] + r[b] * (r[b] - 2.0 * r[a] * d)) / d2
            if r2 > best:
                best = r2
                first = a
                last = b
                threshold = np.float32(best)
    return first, last


@inner(error_model="numpy", nogil=True)
def _left(F, terms, count, target, weight, q, rest):
    """Σ (weight·(t − fit))² of the least squares fit of a unit target by the rows ``terms[:count]``, and its Σ (t − fit)²."""
    n = target.shape[0]
    assign(rest, target)
    for c in range(count):
        assign(q[c], F[terms[c]])
        # Twice is enough: one pass of Gram–Schmidt leaves rounding that a second removes.
        for _ in range(2):
            for b in range(c):
                d = 0.0
                for i in range(n):
                    d += q[b, i] * q[c, i]
                for i in range(n):
                    q[c, i] -= d * q[b, i]
        s = 0.0
        for i in range(n):
            s += q[c, i] * q[c, i]
        s = 1.0 / np.sqrt(s) if s > 1e-24 else 0.0
        d = 0.0
        for i in range(n):
            q[c, i] *= s
            d += q[c, i] * rest[i]
        for i in range(n):
            rest[i] -= d * q[c, i]
    total = 0.0
    plain = 0.0
    for i in range(n):
        plain += rest[i] * rest[i]
        e = rest[i] * weight[i]
        total += e * e
    return total, plain


@kernel(error_model="numpy", nogil=True)
def judge(F, gram, short, R, T, W, terms, rss):
    """Sums of unit rows for many unit targets.

    ``F`` (n, n_row) unit rows with inner products ``gram`` (n, n), in single precision ``short``; ``T`` (n_target, n_row) unit
    targets, ``R`` (n_target, n) = T Fᵀ, ``W`` (n_target, n_row) what a residual of the target weighs in the end.
    ``terms`` (n_target, k, k) gets in [t, m - 1, :m] the rows of a sum of m of them: the best one, the best pair, and what
    grows from it by the row that explains most; -1 where there is none. ``rss`` (n_target, k) gets their Σ (W·residual)².
    """
    n_target, n = R.shape
    most = rss.shape[1]
    n_row = T.shape[1]
    q = np.empty((most, n_row))
    rest = np.empty(n_row)
    w = np.empty((most, n))
    free = np.empty(n)
    along = np.empty(n)
    for t in range(n_target):
        r = R[t]
        for m in range(most):
            fill(terms[t, m], -1)
        fill(rss[t], np.inf)
        one = 0
        for f in range(1, n):
            if abs(r[f]) > abs(r[one]):
                one = f
        terms[t, 0, 0] = one
        rss[t, 0], plain = _left(F, terms[t, 0], _ONE_ROW, T[t], W[t], q, rest)
        if most < 2 or plain < NOTHING_LEFT:
            continue
        i, j = best_pair(gram, short, r)
        if i < 0:
            continue
        terms[t, 1, 0] = i
        terms[t, 1, 1] = j
        rss[t, 1], plain = _left(F, terms[t, 1], _TWO_ROWS, T[t], W[t], q, rest)
        if most < 3 or plain < NOTHING_LEFT:
            continue
        fill(free, 1.0)
        assign(along, r)
        for m in range(most - 1):
            # w[m] holds the inner products of the m-th orthonormal direction with all rows.
            at = terms[t, max(m, 1), m]
            assign(w[m], gram[at])
            for b in range(m):
                c = w[b, at]
                for f in range(n):
                    w[m, f] -= c * w[b, f]
            d = w[m, at]
            scale = 1.0 / np.sqrt(d) if d > LEAST_FREE else 0.0
            z = along[at] * scale
            for f in range(n):
                v = w[m, f] * scale
                w[m, f] = v
                free[f] -= v * v
                along[f] -= z * v
            if m == 0:
                continue
            best = 0.0
            found = -1
            for f in range(n):
                gain = along[f] * along[f]
                if free[f] > LEAST_FREE and gain > best * free[f]:
                    best = gain / free[f]
                    found = f
            if found < 0:
                break
            assign(terms[t, m + 1, : m + 1], terms[t, m, : m + 1])
            terms[t, m + 1, m + 1] = found
            rss[t, m + 1], plain = _left(F, terms[t, m + 1], m + 2, T[t], W[t], q, rest)
            if plain < NOTHING_LEFT:
                break
