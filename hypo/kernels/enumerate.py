"""Enumeration of distinct subexpressions: candidates are evaluated on probe rows, hashed and compared, in one pass.

A library member is a row of ``values`` (capacity, n_probe) with its operator and the members it is made of. Two members
are *equal* when their values agree on every row to ``TOLERANCE`` relative to that row (or to ``ROUNDING`` relative to the
largest), and have *one shape* when they agree after scaling (sign included) to ``TOLERANCE`` relative to the largest.
Equality goes row by row because formulas that differ on small rows only may differ everywhere once inverted.
Only equal candidates are dropped; members of a known shape stay, because x + x inside a sum is not x, but they are marked
so that scans with free coefficients pass over them.

Nesting rules (``forbid``) look at the operators a member holds, so equal members are not always exchangeable: where square
may not stand in square, square(x*x) needs x*x although square(x) is known. Such a candidate is kept as a *twin*: a member
like any other, but not a distinct hypothesis.

Cost per candidate: n_probe evaluations, n_probe multiply-adds and comparisons for the hash, and a comparison of two rows only
on a hash hit; a new member is written once, 8·n_probe bytes.
"""

import numpy as np
from numba import njit

from hypo.kernels import opcodes as oc
from hypo.kernels.blocks import binary_block, unary_block

TOLERANCE = 1e-9
# Rows this small beside the largest may be what rounding left of a cancellation.
ROUNDING = 1e-14
# Width of a hash cell: much wider than the hash's change under TOLERANCE, so that neighbours are seldom looked into.
CELL = 4e-6
# That change, per row: weights are at most 1.5, and either row may be off.
REACH = 3e-9
# A sum below this share of its terms is rounding error, that is, zero.
CANCEL = 1e-12

_SQRT, _CBRT, _INV, _SQUARE, _CUBE, _NEG, _ABS = oc.SQRT, oc.CBRT, oc.INV, oc.SQUARE, oc.CUBE, oc.NEG, oc.ABS
_ADD, _SUB, _MUL, _DIV, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.MIN, oc.MAX
_FIRST_UNARY, _FIRST_BINARY = oc.FIRST_UNARY, oc.FIRST_BINARY

# Exponents of base units are kept in twelfths, packed into one integer as signed digits of base 2**bits. Digits stay below
# a quarter of the base, so that two of them add up without reaching a neighbour.
DIMENSION_SCALE = 12
INVALID = np.int64(np.iinfo(np.int64).max)
# All bits of a float64 but its sign.
_MAGNITUDE = np.int64(np.iinfo(np.int64).max)

# What became of a candidate.
KNOWN, NEW, TWIN = 0, 1, 2


@njit(cache=True)
def _digits_ok(d, bits, n_field, divisor, limit):
    """Whether all signed digits of ``d`` are multiples of ``divisor`` and at most ``limit`` in size."""
    half = np.int64(1) << (bits - 1)
    full = np.int64(1) << bits
    for _ in range(n_field):
        low = d & (full - 1)
        if low >= half:
            low -= full
        if low % divisor != 0 or abs(low) > limit:
            return False
        d = (d - low) >> bits
    return True


@njit(cache=True)
def unary_dimension(op, d, bits, n_field):
    """Packed dimension of ``op(u)`` for dimension ``d``, or INVALID."""
    if op == _NEG or op == _ABS:
        return d
    if op == _INV:
        return -d
    limit = (np.int64(1) << (bits - 2)) - 1
    if op == _SQUARE:
        return 2 * d if _digits_ok(d, bits, n_field, 1, limit // 2) else INVALID
    if op == _CUBE:
        return 3 * d if _digits_ok(d, bits, n_field, 1, limit // 3) else INVALID
    if op == _SQRT:
        return d // 2 if _digits_ok(d, bits, n_field, 2, limit) else INVALID
    if op == _CBRT:
        return d // 3 if _digits_ok(d, bits, n_field, 3, limit) else INVALID
    return np.int64(0) if d == 0 else INVALID


@njit(cache=True)
def binary_dimension(op, d, e, bits, n_field):
    """Packed dimension of ``op(u, v)`` for dimensions ``d`` and ``e``, or INVALID."""
    if op == _ADD or op == _SUB or op == _MIN or op == _MAX:
        return d if d == e else INVALID
    if op == _MUL or op == _DIV:
        r = d + e if op == _MUL else d - e
        limit = (np.int64(1) << (bits - 2)) - 1
        return r if (r == 0 or _digits_ok(r, bits, n_field, 1, limit)) else INVALID
    return np.int64(0) if d == 0 and e == 0 else INVALID


@njit(cache=True)
def _top_bits(bits):
    """The largest of some float64 numbers by magnitude, as their bit patterns: integers, for LLVM makes vector code of that."""
    top = np.int64(0)
    for i in range(bits.shape[0]):
        top = max(top, bits[i] & _MAGNITUDE)
    return top


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _project(w, weight):
    p = 0.0
    for i in range(w.shape[0]):
        p += weight[i] * w[i]
    return p


@njit(cache=True, error_model="numpy")
def measure(w, weight, cell):
    """(largest magnitude, scale-free projection) of a row; the magnitude is -1 when a value is not finite. ``cell`` (1,) is
    scratch."""
    cell.view(np.int64)[0] = _top_bits(w.view(np.int64))
    m = cell[0]
    if not m < np.inf:
        return -1.0, 0.0
    if m == 0.0:
        return 0.0, 0.0
    return m, _project(w, weight) / m


@njit(cache=True)
def _slot(cell, size):
    h = np.uint64(cell) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h >> np.uint64(20)) & np.uint64(size - 1))


@njit(cache=True, error_model="numpy")
def _differs(w, v, a, b, first, last):
    """How many of the rows first…last−1 of two members differ in shape."""
    count = 0
    for i in range(first, last):
        count += not abs(w[i] * a - v[i] * b) <= TOLERANCE
    return count


@njit(cache=True)
def _equal(w, v, m):
    count = 0
    for i in range(w.shape[0]):
        count += not abs(w[i] - v[i]) <= TOLERANCE * abs(w[i]) + ROUNDING * m
    return count == 0


@njit(cache=True, error_model="numpy")
def insert(m, p, dim, have, ruled, values, norm, projection, dims, shape, head, chain, mask, count):
    """Add the row ``values[count]`` holding the operators ``have`` unless an equal member can stand for it; returns (its index,
    KNOWN, NEW or TWIN).

    A member of the same dimension and values can stand for it when it holds none of the operators ``ruled`` (those that
    some rule forbids somewhere) that it does not hold.
    """
    w = values[count]
    n = w.shape[0]
    reach = REACH * n
    same_shape = -1
    status = NEW
    size = abs(p)
    a = 1.0 / m
    # Neighbouring cells matter near a border only.
    for cell in range(np.int64(np.floor((size - reach) / CELL)), np.int64(np.floor((size + reach) / CELL)) + 1):
        k = head[_slot(cell, head.shape[0])]
        while k >= 0:
            # Of one shape there are many, of one shape and size few: rows are read for the first of its shape and for those.
            same_size = abs(m - norm[k]) <= 10.0 * TOLERANCE * m
            if abs(abs(projection[k]) - size) <= reach and dims[k] == dim and (same_shape < 0 or same_size):
                v = values[k]
                b = 1.0 / norm[k]
                for sign in (1.0, -1.0):
                    # Projections of one sign are of rows of one sign, unless they are next to nothing.
                    if sign * p * projection[k] < 0.0 and size > 2.0 * reach:
                        continue
                    few = min(n, 8)
                    if _differs(w, v, sign * a, b, 0, few) or _differs(w, v, sign * a, b, few, n):
                        continue
                    if sign > 0 and same_size and _equal(w, v, m):
                        if mask[k] & ruled & ~have == 0:
                            return k, KNOWN
                        status = TWIN
                    if same_shape < 0 or shape[k] < same_shape:
                        same_shape = shape[k]
            k = chain[k]
    norm[count] = m
    projection[count] = p
    dims[count] = dim
    mask[count] = have
    shape[count] = same_shape if same_shape >= 0 else count
    s = _slot(np.int64(np.floor(size / CELL)), head.shape[0])
    chain[count] = head[s]
    head[s] = count
    return count, status


@njit(cache=True, error_model="numpy", nogil=True)
def grow_unary(
    code,
    lo,
    hi,
    cost_new,
    forbid,
    ruled,
    bits,
    n_field,
    weight,
    values,
    norm,
    projection,
    dims,
    shape,
    head,
    chain,
    mask,
    op,
    left,
    right,
    cost,
    twin,
    count,
    tested,
):
    """Apply operator ``code`` to members lo…hi-1; returns (members, candidates tested so far)."""
    n = values.shape[1]
    cell = np.empty(1)
    for i in range(lo, hi):
        if mask[i] & forbid[code] != 0:
            continue
        d = unary_dimension(code, dims[i], bits, n_field)
        if d == INVALID:
            continue
        tested += 1
        # The candidate is written where it will stay if it is new.
        unary_block(code, values[i], values[count], n)
        m, p = measure(values[count], weight, cell)
        if m <= 0.0:
            continue
        have = mask[i] | (np.int32(1) << code)
        k, status = insert(m, p, d, have, ruled, values, norm, projection, dims, shape, head, chain, mask, count)
        if status != KNOWN:
            op[k] = code
            left[k] = i
            right[k] = -1
            cost[k] = cost_new
            twin[k] = status == TWIN
            count += 1
            if count == values.shape[0]:
                break
    return count, tested


@njit(cache=True, error_model="numpy", nogil=True)
def grow_binary(
    code,
    commutative,
    left_lo,
    left_hi,
    right_lo,
    right_hi,
    cost_new,
    forbid,
    ruled,
    bits,
    n_field,
    weight,
    values,
    norm,
    projection,
    dims,
    shape,
    head,
    chain,
    mask,
    op,
    left,
    right,
    cost,
    twin,
    count,
    tested,
):
    """Apply operator ``code`` to all pairs of two ranges of members; returns (members, candidates tested so far)."""
    n = values.shape[1]
    cell = np.empty(1)
    additive = code == _ADD or code == _SUB
    for i in range(left_lo, left_hi):
        if mask[i] & forbid[code] != 0:
            continue
        first = max(right_lo, i) if commutative and right_lo <= i else right_lo
        for j in range(first, right_hi):
            d = binary_dimension(code, dims[i], dims[j], bits, n_field)
            if d == INVALID or mask[j] & forbid[code] != 0:
                continue
            tested += 1
            binary_block(code, values[i], values[j], values[count], n)
            m, p = measure(values[count], weight, cell)
            if m <= 0.0 or (additive and m <= CANCEL * max(norm[i], norm[j])):
                continue
            have = mask[i] | mask[j] | (np.int32(1) << code)
            k, status = insert(m, p, d, have, ruled, values, norm, projection, dims, shape, head, chain, mask, count)
            if status != KNOWN:
                op[k] = code
                left[k] = i
                right[k] = j
                cost[k] = cost_new
                twin[k] = status == TWIN
                count += 1
                if count == values.shape[0]:
                    return count, tested
    return count, tested


@njit(cache=True, nogil=True)
def flatten(members, op, left, right, seed_op, seed_arg, seed_start, out_op, out_arg, out_start):
    """Postfix programs of library members; ``left`` of a leaf names its seed program. Returns the nodes written.

    Called with empty ``out_op`` it only counts, so that the caller can allocate.
    """
    write = out_op.shape[0] > 0
    at = 0
    todo = np.empty(512, np.int64)
    for m in range(members.shape[0]):
        if write:
            out_start[m] = at
        top = 0
        todo[0] = members[m]
        while top >= 0:
            k = todo[top]
            top -= 1
            if k < 0:
                # An operator whose arguments have been written: its code is stored as -1 - code.
                if write:
                    out_op[at] = -1 - k
                    out_arg[at] = 0
                at += 1
            elif op[k] < _FIRST_UNARY:
                s = left[k]
                for q in range(seed_start[s], seed_start[s + 1]):
                    if write:
                        out_op[at] = seed_op[q]
                        out_arg[at] = seed_arg[q]
                    at += 1
            else:
                top += 1
                todo[top] = -1 - op[k]
                if op[k] >= _FIRST_BINARY:
                    top += 1
                    todo[top] = right[k]
                top += 1
                todo[top] = left[k]
    if write:
        out_start[members.shape[0]] = at
    return at


@njit(cache=True, nogil=True)
def rehash(projection, head, chain, count):
    """Fill the hash table ``head``/``chain`` anew for members 0…count-1."""
    for k in range(count):
        s = _slot(np.int64(np.floor(abs(projection[k]) / CELL)), head.shape[0])
        chain[k] = head[s]
        head[s] = k
