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
CELL = 16e-6
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

# The bits of infinity.
_INFINITE = np.int64(0x7FF0000000000000)
# Of an entry of the hash table: the member; the bits above hold what else is known of its cell's hash.
_INDEX, _TAG = np.int64(0xFFFFFFFF), np.int64(0x7FFFFFFF00000000)

# What became of a candidate.
KNOWN, NEW, TWIN = 0, 1, 2

# Candidates made at a time: their rows and those of their arguments stay in the first cache level.
BATCH = 16

# What is known of a member besides its values, a cache line each; what a look-up reads comes first. ``next`` is the entry
# of the hash table that was there before.
MEMBER = np.dtype(
    [
        ("projection", np.float64),
        ("norm", np.float64),
        ("dims", np.int64),
        ("next", np.int64),
        ("shape", np.int32),
        ("mask", np.int32),
        ("op", np.int32),
        ("cost", np.int32),
        ("left", np.int32),
        ("right", np.int32),
        ("twin", np.bool_),
    ],
    align=True,
)


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


@njit(cache=True, _nrt=False, error_model="numpy", fastmath={"reassoc", "contract"})
def measure(rows, weight, n_row, norm, projection):
    """Largest magnitude and scale-free projection of the first ``n_row`` rows; the magnitude is -1 when a value is not finite."""
    bits, norm_bits = rows.view(np.int64), norm.view(np.int64)
    for b in range(n_row):
        # Largest by magnitude as bit patterns: of integers LLVM makes vector code.
        top = np.int64(0)
        p = 0.0
        for i in range(rows.shape[1]):
            top = max(top, bits[b, i] & _MAGNITUDE)
            p += weight[i] * rows[b, i]
        norm_bits[b] = top
        projection[b] = p / norm[b]
        if not top < _INFINITE:
            norm[b] = -1.0


@njit(cache=True, _nrt=False)
def _hash(a, b, c):
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)
    h = (np.uint64(b) + (h ^ (h >> np.uint64(32)))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (np.uint64(c) + (h ^ (h >> np.uint64(32)))) * np.uint64(0x94D049BB133111EB)
    return np.int64(h >> np.uint64(1)) ^ np.int64(h >> np.uint64(40))


@njit(cache=True, _nrt=False)
def _cell(p):
    return np.int64(np.floor(p / CELL))


@njit(cache=True, _nrt=False)
def _norm_cell(m):
    """Magnitudes by about a millionth: the exponent and the first twenty bits after the point, never 0."""
    return (np.float64(m).view(np.int64) >> 32) + 1


@njit(cache=True)
def _shape_hash(cell, dimension):
    return _hash(cell, 0, dimension)


@njit(cache=True, _nrt=False, forceinline=True)
def _enter(head, k, shape, projection, norm, dimension):
    """Enter member ``k`` into the hash table, by its shape when it is the first of that and by its values otherwise; returns the
    entry that was there."""
    if shape == k:
        h = _hash(_cell(abs(projection)), 0, dimension)
    else:
        h = _hash(_cell(projection), _norm_cell(norm), dimension)
    s = h & (head.shape[0] - 1)
    last = head[s]
    head[s] = (h & _TAG) | k
    return last


@njit(cache=True, _nrt=False, error_model="numpy")
def _same_shape(rows, r, values, k, a, b):
    """Whether a candidate and a member agree after scaling by ``a`` and ``b``."""
    # Most that are not differ soon.
    count = 0
    for i in range(min(rows.shape[1], 8)):
        count += not abs(rows[r, i] * a - values[k, i] * b) <= TOLERANCE
    if count == 0:
        for i in range(rows.shape[1]):
            count += not abs(rows[r, i] * a - values[k, i] * b) <= TOLERANCE
    return count == 0


@njit(cache=True, _nrt=False, error_model="numpy")
def _equal(rows, r, new, values, k, old, reach):
    """Whether a candidate ``new`` and the member ``old`` are equal and of one shape."""
    m = new.norm
    if (
        old.dims != new.dims
        or not abs(m - old.norm) <= 2.0 * TOLERANCE * m
        or not abs(old.projection - new.projection) <= reach
    ):
        return False
    a, b = 1.0 / m, 1.0 / old.norm
    count = 0
    for i in range(rows.shape[1]):
        w, v = rows[r, i], values[k, i]
        count += (not abs(w * a - v * b) <= TOLERANCE) | (not abs(w - v) <= TOLERANCE * abs(w) + ROUNDING * m)
    return count == 0


@njit(cache=True, _nrt=False, error_model="numpy")
def _near(old, new, reach):
    """Whether a member's dimension and projection are those of the candidate's shape."""
    return abs(abs(old.projection) - abs(new.projection)) <= reach and old.dims == new.dims


@njit(cache=True, _nrt=False, forceinline=True, error_model="numpy")
def _find_equal(rows, r, new, ruled, values, members, head):
    """(KNOWN, TWIN or NEW, whether some member may have the candidate's shape)."""
    reach = REACH * rows.shape[1]
    m, p, size = new.norm, new.projection, abs(new.projection)
    status, near = NEW, False
    # Neighbouring cells matter near a border only. An equal member is within ``reach``, the first of its shape twice that.
    for cell in range(_cell(size - 2.0 * reach), _cell(size + 2.0 * reach) + 1):
        h = _hash(cell, 0, new.dims)
        entry = head[h & (head.shape[0] - 1)]
        while entry >= 0:
            k = entry & _INDEX
            old = members[k]
            if (entry ^ h) & _TAG == 0 and _near(old, new, 2.0 * reach):
                near = True
                if _equal(rows, r, new, values, k, old, reach):
                    if old.mask & ruled & ~new.mask == 0:
                        return KNOWN, near
                    status = TWIN
            entry = old.next
    if near:
        for cell in range(_cell(p - reach), _cell(p + reach) + 1):
            for norm_cell in range(_norm_cell(m * (1 - 2 * TOLERANCE)), _norm_cell(m * (1 + 2 * TOLERANCE)) + 1):
                h = _hash(cell, norm_cell, new.dims)
                entry = head[h & (head.shape[0] - 1)]
                while entry >= 0:
                    k = entry & _INDEX
                    old = members[k]
                    if (entry ^ h) & _TAG == 0 and _equal(rows, r, new, values, k, old, reach):
                        if old.mask & ruled & ~new.mask == 0:
                            return KNOWN, near
                        status = TWIN
                    entry = old.next
    return status, near


@njit(cache=True, _nrt=False, error_model="numpy")
def _find_shape(rows, r, new, values, members, head):
    """The first member of the candidate's shape, or -1."""
    reach = REACH * rows.shape[1]
    p, size = new.projection, abs(new.projection)
    found = -1
    for cell in range(_cell(size - reach), _cell(size + reach) + 1):
        h = _hash(cell, 0, new.dims)
        entry = head[h & (head.shape[0] - 1)]
        while entry >= 0:
            k = entry & _INDEX
            old = members[k]
            if (entry ^ h) & _TAG == 0 and _near(old, new, reach) and (found < 0 or k < found):
                for sign in (1.0, -1.0):
                    # Projections of one sign are of rows of one sign, unless they are next to nothing.
                    if sign * p * old.projection < 0.0 and size > 2.0 * reach:
                        continue
                    if _same_shape(rows, r, values, k, 1.0 / new.norm, sign / old.norm):
                        found = k
            entry = old.next
    return found


@njit(cache=True, _nrt=False, forceinline=True, error_model="numpy")
def insert(rows, r, draft, ruled, values, members, head, count):
    """Add candidate ``r``, its values in ``rows`` and all else in ``draft``, unless an equal member can stand for it; returns
    KNOWN, NEW or TWIN.

    A member of the same dimension and values can stand for it when it holds none of the operators ``ruled`` (those that
    some rule forbids somewhere) that it does not hold.
    """
    new = draft[r]
    status, near = _find_equal(rows, r, new, ruled, values, members, head)
    if status == KNOWN:
        return KNOWN
    shape = _find_shape(rows, r, new, values, members, head) if near else -1
    shape = shape if shape >= 0 else count
    for i in range(rows.shape[1]):
        values[count, i] = rows[r, i]
    # Field by field: a record copied whole is copied by bytes, and reading it then waits until they are written.
    member = members[count]
    member.projection, member.norm, member.dims = new.projection, new.norm, new.dims
    member.mask, member.op, member.cost, member.left, member.right = new.mask, new.op, new.cost, new.left, new.right
    member.shape, member.twin = shape, status == TWIN
    member.next = _enter(head, count, shape, new.projection, new.norm, new.dims)
    return status


@njit(cache=True, _nrt=False, error_model="numpy")
def _read_ahead(n_row, draft, values, members, head, count):
    """Read what the look-ups of a batch will read and where its new members will be written, so that they wait for memory
    together and not one by one. The sum returned is to be kept, or the compiler would drop the reads."""
    reach = 2.0 * REACH * values.shape[1]
    for r in range(n_row):
        draft[r].next = head[_hash(_cell(abs(draft[r].projection)), 0, draft[r].dims) & (head.shape[0] - 1)]
    total = 0.0
    for r in range(n_row):
        new = draft[r]
        k = max(new.next, 0) & _INDEX
        if _near(members[k], new, reach):
            for i in range(0, values.shape[1], 8):
                total += values[k, i]
            entry = head[_hash(_cell(new.projection), _norm_cell(new.norm), new.dims) & (head.shape[0] - 1)]
            total += members[max(entry, 0) & _INDEX].norm
    return total


@njit(cache=True, _nrt=False, error_model="numpy")
def _insert_all(n_row, rows, weight, norm, projection, floor, draft, ruled, values, members, head, count, tested):
    """Measure and insert the candidates of a batch, those no larger than their ``floor`` left out; returns (members, candidates
    tested so far)."""
    measure(rows, weight, n_row, norm, projection)
    for r in range(n_row):
        draft[r].norm = norm[r]
        draft[r].projection = projection[r] if norm[r] > floor[r] else 0.0
    projection[0] = _read_ahead(n_row, draft, values, members, head, count)
    for r in range(n_row):
        tested += 1
        if norm[r] <= floor[r]:
            continue
        if insert(rows, r, draft, ruled, values, members, head, count) != KNOWN:
            count += 1
            if count == values.shape[0]:
                break
    return count, tested


@njit(cache=True, _nrt=False)
def _draft(draft, b, code, left, right, dimension, mask, cost):
    new = draft[b]
    new.op = code
    new.left = left
    new.right = right
    new.dims = dimension
    new.mask = mask | (np.int32(1) << code)
    new.cost = cost


@njit(cache=True, error_model="numpy", nogil=True)
def grow_unary(code, lo, hi, cost, forbid, ruled, bits, n_field, weight, values, members, head, count, tested):
    """Apply operator ``code`` to members lo…hi-1; returns (members, candidates tested so far)."""
    n = values.shape[1]
    rows, draft = np.empty((BATCH, n)), np.empty(BATCH, members.dtype)
    norm, projection, floor = np.empty(BATCH), np.empty(BATCH), np.zeros(BATCH)
    flat, flat_rows = values.reshape(-1), rows.reshape(-1)
    i = lo
    while i < hi and count < values.shape[0]:
        # A run of members that the rules admit.
        first, b = i, 0
        while i < hi and b < BATCH:
            d = unary_dimension(code, members[i].dims, bits, n_field)
            if d == INVALID or members[i].mask & forbid[code] != 0:
                break
            _draft(draft, b, code, i, -1, d, members[i].mask, cost)
            b += 1
            i += 1
        if b == 0:
            i += 1
            continue
        unary_block(code, flat[first * n : i * n], flat_rows, b * n)
        count, tested = _insert_all(b, rows, weight, norm, projection, floor, draft, ruled, values, members, head, count, tested)
    return count, tested


@njit(cache=True, error_model="numpy", nogil=True)
def grow_binary(
    code,
    commutative,
    left_lo,
    left_hi,
    right_lo,
    right_hi,
    cost,
    forbid,
    ruled,
    bits,
    n_field,
    weight,
    values,
    members,
    head,
    count,
    tested,
):
    """Apply operator ``code`` to all pairs of two ranges of members; returns (members, candidates tested so far)."""
    n = values.shape[1]
    rows, left, draft = np.empty((BATCH, n)), np.empty((BATCH, n)), np.empty(BATCH, members.dtype)
    norm, projection, floor = np.empty(BATCH), np.empty(BATCH), np.zeros(BATCH)
    flat, flat_rows, flat_left = values.reshape(-1), rows.reshape(-1), left.reshape(-1)
    additive = code == _ADD or code == _SUB
    for i in range(left_lo, left_hi):
        if members[i].mask & forbid[code] != 0:
            continue
        j = max(right_lo, i) if commutative and right_lo <= i else right_lo
        for r in range(min(BATCH, right_hi - j)):
            for q in range(n):
                left[r, q] = values[i, q]
        while j < right_hi:
            # A run of partners that the rules admit.
            first, b = j, 0
            while j < right_hi and b < BATCH:
                d = binary_dimension(code, members[i].dims, members[j].dims, bits, n_field)
                if d == INVALID or members[j].mask & forbid[code] != 0:
                    break
                _draft(draft, b, code, i, j, d, members[i].mask | members[j].mask, cost)
                floor[b] = CANCEL * max(members[i].norm, members[j].norm) if additive else 0.0
                b += 1
                j += 1
            if b == 0:
                j += 1
                continue
            binary_block(code, flat_left, flat[first * n : j * n], flat_rows, b * n)
            count, tested = _insert_all(
                b, rows, weight, norm, projection, floor, draft, ruled, values, members, head, count, tested
            )
            if count == values.shape[0]:
                return count, tested
    return count, tested


@njit(cache=True, nogil=True)
def flatten(which, members, seed_op, seed_arg, seed_start, out_op, out_arg, out_start):
    """Postfix programs of library members; ``left`` of a leaf names its seed program. Returns the nodes written.

    Called with empty ``out_op`` it only counts, so that the caller can allocate.
    """
    write = out_op.shape[0] > 0
    at = 0
    todo = np.empty(512, np.int64)
    for m in range(which.shape[0]):
        if write:
            out_start[m] = at
        top = 0
        todo[0] = which[m]
        while top >= 0:
            k = todo[top]
            top -= 1
            if k < 0:
                # An operator whose arguments have been written: its code is stored as -1 - code.
                if write:
                    out_op[at] = -1 - k
                    out_arg[at] = 0
                at += 1
            elif members[k].op < _FIRST_UNARY:
                s = members[k].left
                for q in range(seed_start[s], seed_start[s + 1]):
                    if write:
                        out_op[at] = seed_op[q]
                        out_arg[at] = seed_arg[q]
                    at += 1
            else:
                top += 1
                todo[top] = -1 - members[k].op
                if members[k].op >= _FIRST_BINARY:
                    top += 1
                    todo[top] = members[k].right
                top += 1
                todo[top] = members[k].left
    if write:
        out_start[which.shape[0]] = at
    return at


@njit(cache=True, nogil=True)
def rehash(members, head, count):
    """Fill the hash table ``head`` anew for members 0…count-1."""
    for k in range(count):
        old = members[k]
        old.next = _enter(head, k, old.shape, old.projection, old.norm, old.dims)
