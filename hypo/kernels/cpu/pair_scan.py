"""Pair scans: closed-form scores of all pairs of library rows, tile by tile, with a top-k list per target.

The matrix products of a tile come from BLAS in single precision, of a part of the rows' columns (principal axes, or some of the
probe rows). From them follows a bound on each pair's score that is true whatever the other columns hold; the few pairs whose
bound reaches the worst of the best ``k`` are scored from their rows in double precision, so that the lists are those of double
precision throughout. Flops per pair beyond the products: about 7 (sum), 6 + 2·n_basis (product).

A top-k list is a binary heap with its smallest score at the root; ties are broken by the larger index pair leaving first, so
that the list does not depend on the order of visits.
"""

import numpy as np

from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.operators import binary_block, unary_block
from hypo.kernels.cpu.rows import assign

# Pairs whose second vector adds less than this share of new direction are not told apart from a single row.
COLLINEAR = 1e-10
# Rounding of R² in single precision, with a margin.
SLACK = np.float32(8e-6)
# What pairs count for in single precision, as all else in the filters.
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TINY = np.float32(1e-34)
# Rounding of one operation in single precision.
ROUNDING = 2.0**-24
# Largest share of rows on which a raced formula may be undefined.
UNDEFINED = 0.02


@inner()
def _less(s, i, j, t, k, m):
    """True if entry (s, i, j) ranks below (t, k, m)."""
    if s != t:
        return s < t
    if i != k:
        return i > k
    return j > m


@inner()
def push(score, i, j, heap_score, heap_i, heap_j):
    """Replace the worst entry of a full heap by (score, i, j) if that ranks higher."""
    if not _less(heap_score[0], heap_i[0], heap_j[0], score, i, j):
        return
    k = 0
    n = heap_score.shape[0]
    while True:
        c = 2 * k + 1
        if c >= n:
            break
        if c + 1 < n and _less(heap_score[c + 1], heap_i[c + 1], heap_j[c + 1], heap_score[c], heap_i[c], heap_j[c]):
            c += 1
        if not _less(heap_score[c], heap_i[c], heap_j[c], score, i, j):
            break
        heap_score[k], heap_i[k], heap_j[k] = heap_score[c], heap_i[c], heap_j[c]
        k = c
    heap_score[k], heap_i[k], heap_j[k] = score, i, j


# The filters count, in single precision as all else, for LLVM makes vector code of a count, not of a maximum or an early exit.
@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _sum_promising(rho, right, x, y, z, slack):
    """How many pairs reach |ρ − x·along| + z·hidden ≥ y·across, up to rounding; ``right`` are along, across, hidden (n_g,)."""
    along, across, hidden = right
    count = _ZERO
    for b in range(rho.shape[0]):
        count += _ONE if abs(rho[b] - x * along[b]) + z * hidden[b] + slack >= y * across[b] else _ZERO
    return count


@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _sum_marks(rho, right, x, y, z, slack, marks):
    """Which pairs these are."""
    along, across, hidden = right
    for b in range(rho.shape[0]):
        marks[b] = abs(rho[b] - x * along[b]) + z * hidden[b] + slack >= y * across[b]


@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _product_promising(num, shared, den, threshold):
    """How many pairs reach num² ≥ threshold·(den − shared), up to rounding; what is too small for single precision passes."""
    count = _ZERO
    most = threshold - SLACK
    for b in range(num.shape[0]):
        count += _ONE if num[b] * num[b] + threshold * shared[b] + _TINY >= most * den[b] else _ZERO
    return count


@inner(error_model="numpy", nogil=True, fastmath={"nsz", "reassoc", "contract"})
def _product_marks(num, shared, den, threshold, marks):
    """Which pairs these are."""
    most = threshold - SLACK
    for b in range(num.shape[0]):
        marks[b] = num[b] * num[b] + threshold * shared[b] + _TINY >= most * den[b]


@inner(nogil=True)
def _places(marks, places):
    """Where the marks are set; returns their number."""
    count = 0
    words = marks.view(np.uint64)
    for w in range(words.shape[0]):
        if words[w]:
            for b in range(8 * w, 8 * w + 8):
                if marks[b]:
                    places[count] = b
                    count += 1
    marks[:] = 0
    return count


@inner(error_model="numpy", nogil=True)
def _split(r, threshold, along, across):
    """r/√threshold and what is left of a length of 1 beside it; 0 where a row alone reaches the threshold."""
    for k in range(r.shape[0]):
        u = r[k] * r[k]
        u = u / threshold if u > 0.0 else 0.0
        along[k] = np.sqrt(u) if r[k] > 0.0 else -np.sqrt(u)
        across[k] = np.sqrt(1.0 - u)
        if not u < 1.0:
            along[k] = across[k] = _ZERO


@kernel(error_model="numpy", nogil=True)
def sum_tile(rho, left, right, origin, triangle, heaps):
    """Score t ≈ b·f + c·g for a tile: R² = (r_f² + r_g² − 2 r_f r_g ρ)/(1 − ρ²); returns how many pairs were computed.

    R² ≥ T where |ρ − uu'| ≥ vv', with u = r/√T and v² = 1 − u², and always where a row alone reaches T. ``rho`` (A, B) in
    single precision: inner products of some columns of the unit rows F and G, in any orthonormal system. ``left`` are F (A, n),
    ``hidden_f`` (A,), the lengths of what the rows have in the other columns, and ``rf`` (n_target, A), inner products with
    the unit targets; ``right`` the same of G (B, n). The product of the hidden lengths bounds what ``rho`` lacks. ``heaps`` are
    scores, f and g (n_target, k), one heap per target. What passes is computed in double precision. ``origin`` holds the
    global indices of the first rows; with ``triangle`` only pairs of global index f < g are scored.
    """
    F, hidden_f, rf = left
    G, hidden_g, rg = right
    f0, g0 = origin
    heap_score, heap_i, heap_j = heaps
    n_f, n_g = rho.shape
    slack = np.float32((F.shape[1] + 8) * ROUNDING)
    x, y = np.empty(n_f, np.float32), np.empty(n_f, np.float32)
    along, across = np.empty(n_g, np.float32), np.empty(n_g, np.float32)
    second = (along, across, hidden_g)
    marks, places = np.zeros(n_g + -n_g % 8, np.uint8), np.empty(n_g, np.int64)
    computed = 0
    for t in range(rf.shape[0]):
        since = 0
        for a in range(n_f):
            row = rho[a]
            if a == 0 or since >= n_g:
                # So many pairs have passed that a threshold that has risen is worth its roots.
                _split(rf[t], heap_score[t, 0], x, y)
                _split(rg[t], heap_score[t, 0], along, across)
                computed += since
                since = 0
            first = f0 + a + 1 - g0 if triangle else 0
            if first >= n_g or not _sum_promising(row, second, x[a], y[a], hidden_f[a], slack):
                continue
            _sum_marks(row, second, x[a], y[a], hidden_f[a], slack, marks)
            for k in range(_places(marks, places)):
                b = places[k]
                if b < first:
                    continue
                since += 1
                r2 = _sum_r2(F, G, a, b, rf[t, a], rg[t, b])
                if r2 >= heap_score[t, 0]:
                    push(r2, f0 + a, g0 + b, heap_score[t], heap_i[t], heap_j[t])
        computed += since
    return computed


@inner(error_model="numpy", nogil=True, fastmath={"reassoc", "contract"})
def _sum_r2(F, G, a, b, r, q):
    """R² of one pair in double precision; it is the same with the rows the other way round."""
    d = 0.0
    for i in range(F.shape[1]):
        d += F[a, i] * G[b, i]
    d2 = 1.0 - d * d
    return min((r * r + q * q - 2.0 * (r * q) * d) / d2, 1.0) if d2 > COLLINEAR else 0.0


@inner(error_model="numpy", nogil=True, fastmath={"reassoc", "contract"})
def _product_r2(F, G, a, b, target, basis):
    """num²/(den − Σ basis²) of one pair in double precision."""
    num = 0.0
    den = 0.0
    for i in range(F.shape[1]):
        p = F[a, i] * G[b, i]
        num += p * target[i]
        den += p * p
    rest = den
    for z in range(basis.shape[0]):
        c = 0.0
        for i in range(F.shape[1]):
            c += F[a, i] * G[b, i] * basis[z, i]
        rest -= c * c
    return min(num * num / rest, 1.0) if rest > COLLINEAR * den else 0.0


@kernel(error_model="numpy", nogil=True)
def product_tile(products, rows, view, origin, triangle, heaps):
    """Score t ≈ b·f·g (+ span of a basis): num²/(den − Σ basis²); returns how many pairs were computed.

    ``products``, in single precision, on some of the probe rows, of library rows scaled to their largest values: ``num``
    (n_target, A, B) = (F∘t)Gᵀ for the targets on these rows less their part within the basis there, ``shared``
    (n_basis, A, B) = (F∘z)Gᵀ for an orthonormal basis there, and ``den`` (A, B) = F²(G²)ᵀ. In double precision, on all rows:
    ``rows`` F (A, n) and G (B, n), and ``view``: unit ``targets`` (n_target, n) orthogonal to the orthonormal ``basis``
    (n_basis, n), and ``unseen`` (n_target,), the share of the targets that is missing on the probe rows. What a pair leaves on
    some rows it leaves on all, so that R² ≤ unseen + num²/(den − Σ shared²). The rest is as in :func:`sum_tile`.
    """
    num, shared, den = products
    F, G = rows
    targets, basis, unseen = view
    f0, g0 = origin
    heap_score, heap_i, heap_j = heaps
    n_f, n_g = den.shape
    squares = np.zeros(n_g, np.float32)
    marks, places = np.zeros(n_g + -n_g % 8, np.uint8), np.empty(n_g, np.int64)
    computed = 0
    for a in range(n_f):
        first = f0 + a - g0 if triangle else 0
        if first >= n_g:
            continue
        for z in range(shared.shape[0]):
            row = shared[z, a]
            if z == 0:
                for b in range(n_g):
                    squares[b] = row[b] * row[b]
            else:
                for b in range(n_g):
                    squares[b] += row[b] * row[b]
        below = den[a]
        for t in range(targets.shape[0]):
            threshold = np.float32(max(heap_score[t, 0] - unseen[t], 0.0))
            row = num[t, a]
            if not _product_promising(row, squares, below, threshold):
                continue
            _product_marks(row, squares, below, threshold, marks)
            for k in range(_places(marks, places)):
                b = places[k]
                if b < first:
                    continue
                computed += 1
                r2 = _product_r2(F, G, a, b, targets[t], basis)
                if r2 >= heap_score[t, 0]:
                    push(r2, f0 + a, g0 + b, heap_score[t], heap_i[t], heap_j[t])
    return computed


@kernel(error_model="numpy")
def apply_steps(p, step_op, step_side, step_rows, n):
    """Run ``p[:n]`` through the steps that lead from a peeled target back to the data's target.

    ``step_side[s]``: 0 unary, 1 the operand (``step_rows[s]``) is the right argument, -1 the left one.
    """
    for s in range(step_op.shape[0]):
        if step_side[s] == 0:
            unary_block(np.int32(step_op[s]), p, p, n)
        elif step_side[s] > 0:
            binary_block(np.int32(step_op[s]), p, step_rows[s], p, n)
        else:
            binary_block(np.int32(step_op[s]), step_rows[s], p, p, n)


@kernel(error_model="numpy", nogil=True)
def refit(product, terms, F, fit, steps, judge, rss):
    """Least squares of each tuple of rows on all given rows, judged in the units of ``y``.

    ``terms`` (n_hit, n_term) index the rows ``F``; the columns of a fit are the basis and these rows, or with ``product`` the
    basis and the product of the rows. ``fit`` are the ``target`` (n,), the ``basis`` (n_basis, n), and the roots (n,) > 0 of
    the rows' weights in the fit; basis rows must be orthonormal and carry them already. The fitted target goes back through the
    ``steps`` (op, side, rows) of :func:`apply_steps`; ``judge`` are ``y`` and ``root`` (n,);
    ``rss`` (n_hit,) gets Σ (root·(y − prediction))², with 0 predicted where the formula is undefined, and infinite where
    these rows are more than a few.
    """
    target, basis, fit_root = fit
    step_op, step_side, step_rows = steps
    y, root = judge
    n = target.shape[0]
    nz = basis.shape[0]
    n_term = terms.shape[1]
    n_column = 1 if product else n_term
    rest = np.empty(n)
    for i in range(n):
        rest[i] = target[i] * fit_root[i]
    for z in range(nz):
        c = 0.0
        for i in range(n):
            c += basis[z, i] * rest[i]
        for i in range(n):
            rest[i] -= c * basis[z, i]
    p = np.empty(n)
    r = np.empty(n)
    q = np.empty((n_column, n))
    for k in range(terms.shape[0]):
        assign(r, rest)
        for c in range(n_column):
            assign(q[c], F[terms[k, c]])
        if product:
            for c in range(1, n_term):
                for i in range(n):
                    q[0, i] *= F[terms[k, c], i]
        for c in range(n_column):
            before = 0.0
            for i in range(n):
                q[c, i] *= fit_root[i]
                before += q[c, i] * q[c, i]
            # Twice is enough: one pass of Gram–Schmidt leaves rounding that a second removes.
            for _ in range(2):
                for z in range(nz):
                    d = 0.0
                    for i in range(n):
                        d += basis[z, i] * q[c, i]
                    for i in range(n):
                        q[c, i] -= d * basis[z, i]
                for b in range(c):
                    d = 0.0
                    for i in range(n):
                        d += q[b, i] * q[c, i]
                    for i in range(n):
                        q[c, i] -= d * q[b, i]
            s = 0.0
            for i in range(n):
                s += q[c, i] * q[c, i]
            # What is left of a row within the span of the others is rounding, not a direction.
            s = 1.0 / np.sqrt(s) if s > 1e-24 * before else 0.0
            d = 0.0
            for i in range(n):
                q[c, i] *= s
                d += q[c, i] * r[i]
            for i in range(n):
                r[i] -= d * q[c, i]
        for i in range(n):
            p[i] = target[i] - r[i] / fit_root[i]
        apply_steps(p, step_op, step_side, step_rows, n)
        total = 0.0
        undefined = 0
        for i in range(n):
            e = root[i] * (y[i] - p[i])
            if not abs(e) < np.inf:
                # Near the end of a root's domain noise in the constants moves a few rows across.
                undefined += 1
                e = root[i] * y[i]
            total += e * e
        rss[k] = total if total < np.inf and undefined <= UNDEFINED * n else np.inf
