"""Members of a library: what is kept of each, and the hash table that finds equal ones and those of one shape.

Two members are *equal* when their values agree on every row to ``TOLERANCE`` relative to that row (or to ``ROUNDING`` relative
to the largest), and have *one shape* when they agree after scaling (sign included) to ``TOLERANCE`` relative to the largest.
Equality goes row by row because formulas that differ on small rows only may differ everywhere once inverted.

A row's *projection* is its inner product with fixed weights over its largest magnitude, or *norm*: but for the sign the same
for all of one shape. The first member of a shape is found by projection and dimension, any other by norm too. Whatever equals a
candidate is within twice the reach of a shape's first member, so that most new candidates take one look-up. Hashes only
suggest: rows are compared before a candidate is dropped.

What a candidate costs is waiting for memory: 8·n_probe bytes written when it is new, as many read when it is not, and two or
three cache lines of the table. Candidates come in batches, whose reads wait together.
"""

import numpy as np

from hypo.kernels.compiled import inner

TOLERANCE = 1e-9
# Rows this small beside the largest may be what rounding left of a cancellation.
ROUNDING = 1e-14
# Width of a hash cell: much wider than the hash's change under TOLERANCE, so that neighbours are seldom looked into.
CELL = 16e-6
# That change, per row: weights are at most 1.5, and either row may be off.
REACH = 3e-9

# All bits of a float64 but its sign.
_MAGNITUDE = np.int64(0x7FFFFFFFFFFFFFFF)
# The bits of infinity.
_INFINITE = np.int64(0x7FF0000000000000)
# The bits of an entry of the hash table that hold the member,
_INDEX = np.int64(0xFFFFFFFF)
# and those that hold what else is known of its cell's hash.
_TAG = np.int64(0x7FFFFFFF00000000)
# What became of a candidate: an equal member stands for it,
KNOWN = 0
# it is a member now,
NEW = 1
# or it is one although equal to another (see :mod:`hypo.kernels.cpu.enumerate`).
TWIN = 2

# What is known of a member besides its values, a cache line each; what a look-up reads comes first. ``next`` is the entry
# of the hash table that was there before.
MEMBER = np.dtype(
    [
        ("projection", np.float64),
        ("norm", np.float64),
        ("dims", np.int64),
        ("next", np.int64),
        ("mask", np.int64),
        ("shape", np.int32),
        ("op", np.int32),
        ("cost", np.int32),
        ("left", np.int32),
        ("right", np.int32),
        ("twin", np.bool_),
    ],
    align=True,
)


@inner(error_model="numpy", fastmath={"reassoc", "contract"})
def measure(rows, weight, n_row, norm, projection):
    """Largest magnitude and scale-free projection of the first ``n_row`` rows; the magnitude is -1 if one is not finite."""
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


@inner()
def _hash(a, b, c):
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)
    h = (np.uint64(b) + (h ^ (h >> np.uint64(32)))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (np.uint64(c) + (h ^ (h >> np.uint64(32)))) * np.uint64(0x94D049BB133111EB)
    return np.int64(h >> np.uint64(1)) ^ np.int64(h >> np.uint64(40))


@inner()
def _cell(p):
    return np.int64(np.floor(p / CELL))


@inner()
def _norm_cell(m):
    """Magnitudes by about a millionth: the exponent and the first twenty bits after the point, never 0."""
    return (np.float64(m).view(np.int64) >> 32) + 1


@inner(forceinline=True)
def _enter(head, k, shape, projection, norm, dimension):
    """Enter member ``k`` into the hash table, by its shape when it is the first of that and by its values otherwise; returns
    the entry that was there."""
    first = shape == k
    h = _hash(_cell(abs(projection) if first else projection), 0 if first else _norm_cell(norm), dimension)
    s = h & (head.shape[0] - 1)
    last = head[s]
    head[s] = (h & _TAG) | k
    return last


@inner(error_model="numpy")
def _same_shape(rows, r, values, k, a, b):
    """True if a candidate and a member agree after scaling by ``a`` and ``b``."""
    # Most that are not differ soon.
    count = 0
    for i in range(min(rows.shape[1], 8)):
        count += not abs(rows[r, i] * a - values[k, i] * b) <= TOLERANCE
    if count == 0:
        for i in range(rows.shape[1]):
            count += not abs(rows[r, i] * a - values[k, i] * b) <= TOLERANCE
    return count == 0


@inner(error_model="numpy")
def _equal(rows, r, new, values, k, old, reach):
    """True if a candidate ``new`` and the member ``old`` are equal and of one shape."""
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


@inner(error_model="numpy")
def _near(old, new, reach):
    """True if a member's dimension and projection are those of the candidate's shape."""
    return abs(abs(old.projection) - abs(new.projection)) <= reach and old.dims == new.dims


@inner(forceinline=True, error_model="numpy")
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


@inner(error_model="numpy")
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


@inner(forceinline=True, error_model="numpy")
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


@inner(error_model="numpy")
def _read_ahead(n_row, draft, values, members, head):
    """Read what the look-ups of a batch will read, so that they wait for memory together and not one by one. The sum returned
    is to be kept, or the compiler drops the reads."""
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


@inner(error_model="numpy")
def insert_batch(n_row, candidates, ruled, table, count, tested):
    """Measure and insert the first ``n_row`` candidates, but for those no larger than their ``floor``, until ``values`` is
    full; returns (members, candidates tested so far).

    ``candidates`` are rows (n, n_probe), their draft (n,) of ``MEMBER``, floor (n,), and norm and projection (n,) for scratch;
    ``table`` are values (capacity, n_probe), members (capacity,), head of the hash table (a power of two,), and the weights
    (n_probe,) of projections.
    """
    rows, draft, floor, norm, projection = candidates
    values, members, head, weight = table
    measure(rows, weight, n_row, norm, projection)
    for r in range(n_row):
        draft[r].norm = norm[r]
        draft[r].projection = projection[r] if norm[r] > floor[r] else 0.0
    projection[0] = _read_ahead(n_row, draft, values, members, head)
    for r in range(n_row):
        tested += 1
        if norm[r] <= floor[r]:
            continue
        if insert(rows, r, draft, ruled, values, members, head, count) != KNOWN:
            count += 1
            if count == values.shape[0]:
                break
    return count, tested


@inner(nogil=True)
def rehash(members, head, count):
    """Fill the hash table ``head`` anew for members 0…count-1."""
    for k in range(count):
        old = members[k]
        old.next = _enter(head, k, old.shape, old.projection, old.norm, old.dims)
