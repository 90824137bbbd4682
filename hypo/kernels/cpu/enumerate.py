"""Enumeration of distinct subexpressions: candidates are evaluated on probe rows, a batch at a time, and looked up.

A library member is a row of ``values`` (capacity, n_probe) and a record of ``members`` with its operator and the members it is
made of. Only candidates equal to a member are dropped (:mod:`hypo.kernels.cpu.member_table` says what is equal);
members of a known shape stay, because x + x inside a sum is not x, but they are marked so that scans with free
coefficients pass over them.

Nesting rules (``forbid``) look at the operators a member holds, so equal members are not always exchangeable: where square
may not stand in square, square(x*x) needs x*x although square(x) is known. Such a candidate is kept as a *twin*: a member
like any other, but not a distinct hypothesis.
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.member_table import insert_batch
from hypo.kernels.cpu.operators import binary_block, unary_block
from hypo.kernels.user_operators import PURE, SAME, user_dimension_rule

# A sum below this share of its terms is rounding error, that is, zero.
CANCEL = 1e-12

_SQRT, _CBRT, _INV, _SQUARE, _CUBE, _NEG, _ABS = oc.SQRT, oc.CBRT, oc.INV, oc.SQUARE, oc.CUBE, oc.NEG, oc.ABS
_ADD, _SUB, _MUL, _DIV, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.MIN, oc.MAX
_EXP, _LOG, _SIN, _COS, _TAN, _TANH, _SINH, _COSH = oc.EXP, oc.LOG, oc.SIN, oc.COS, oc.TAN, oc.TANH, oc.SINH, oc.COSH
_ASIN, _ACOS, _ATAN, _POW = oc.ASIN, oc.ACOS, oc.ATAN, oc.POW
_FIRST_UNARY, _FIRST_BINARY = oc.FIRST_UNARY, oc.FIRST_BINARY
_FIRST_USER, _BEYOND_USER = oc.FIRST_USER, oc.FIRST_USER + oc.N_USER

# Exponents of base units are kept in twelfths, packed into one integer as signed digits of base 2**bits. Digits stay below
# a quarter of the base, so that two of them add up without reaching a neighbour.
DIMENSION_SCALE = 12
INVALID = np.int64(np.iinfo(np.int64).max)
# Divisors of digits, typed: numba compiles a variant of a function for each literal that it is called with.
_BY_ONE = np.int64(1)
_BY_TWO = np.int64(2)
_BY_THREE = np.int64(3)

# Candidates made at a time: their rows and those of their arguments stay in the first cache level.
BATCH = 16


@inner()
def _digits_ok(d, bits, n_field, divisor, limit):
    """True if all signed digits of ``d`` are multiples of ``divisor`` and at most ``limit`` in size."""
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


@inner()
def unary_dimension(op, d, bits, n_field):
    """Packed dimension of ``op(u)`` for dimension ``d``, or INVALID."""
    if op == _NEG or op == _ABS:
        return d
    if op == _INV:
        return -d
    limit = (np.int64(1) << (bits - 2)) - 1
    if op == _SQUARE:
        return 2 * d if _digits_ok(d, bits, n_field, _BY_ONE, limit // 2) else INVALID
    if op == _CUBE:
        return 3 * d if _digits_ok(d, bits, n_field, _BY_ONE, limit // 3) else INVALID
    if op == _SQRT:
        return d // 2 if _digits_ok(d, bits, n_field, _BY_TWO, limit) else INVALID
    if op == _CBRT:
        return d // 3 if _digits_ok(d, bits, n_field, _BY_THREE, limit) else INVALID
    if op >= _FIRST_USER and op < _BEYOND_USER:
        rule = user_dimension_rule(op)
        return d if rule == SAME or (rule == PURE and d == 0) else INVALID
    if d != 0:
        return INVALID
    if op == _EXP or op == _LOG or op == _SIN or op == _COS or op == _TAN or op == _TANH or op == _SINH or op == _COSH:
        return np.int64(0)
    return np.int64(0) if op == _ASIN or op == _ACOS or op == _ATAN else INVALID


@inner()
def binary_dimension(op, d, e, bits, n_field):
    """Packed dimension of ``op(u, v)`` for dimensions ``d`` and ``e``, or INVALID."""
    if op == _ADD or op == _SUB or op == _MIN or op == _MAX:
        return d if d == e else INVALID
    if op == _MUL or op == _DIV:
        r = d + e if op == _MUL else d - e
        limit = (np.int64(1) << (bits - 2)) - 1
        return r if (r == 0 or _digits_ok(r, bits, n_field, _BY_ONE, limit)) else INVALID
    return np.int64(0) if op == _POW and d == 0 and e == 0 else INVALID


@kernel(error_model="numpy", nogil=True)
def grow(operator, left_range, right_range, rules, pruning, table, count, tested):
    """Apply an operator to all pairs of two ranges of members, or one of one argument to the right range (with a left
    range of length 1); returns (members, candidates tested so far).

    ``operator``: opcode, whether it is commutative, and the cost of what it makes. Ranges are (first, end).
    ``rules``: ``forbid`` (N_OPCODE,) masks of operators that may not stand below one, the mask of all ``ruled`` ones, and bits
    and number of the fields of packed dimensions.
    ``pruning``: ``flaws`` (count,) of members, those (N_OPCODE,) with which an operator is ``undefined``, and ``pruned`` (1,).
    A last argument with such a flaw is passed over, and counted in ``pruned`` unless they share the sign bit.
    ``table``: as of :func:`hypo.kernels.cpu.member_table.insert_batch`.
    """
    code, commutative, cost = operator
    left_lo, left_hi = left_range
    right_lo, right_hi = right_range
    forbid, ruled, bits, n_field = rules
    flaws, undefined, pruned = pruning
    values, members, _, _ = table
    n = values.shape[1]
    # As programs have them.
    op = np.int32(code)
    unary = code < _FIRST_BINARY
    additive = code == _ADD or code == _SUB
    rows, left, draft = np.empty((BATCH, n)), np.empty((BATCH, n)), np.empty(BATCH, members.dtype)
    floor = np.zeros(BATCH)
    candidates = (rows, draft, floor, np.empty(BATCH), np.empty(BATCH))
    flat, flat_rows, flat_left = values.reshape(-1), rows.reshape(-1), left.reshape(-1)
    for i in range(left_lo, left_hi):
        if not unary and members[i].mask & forbid[code] != 0:
            continue
        j = max(right_lo, i) if commutative and right_lo <= i else right_lo
        for r in range(0 if unary else min(BATCH, right_hi - j)):
            for q in range(n):
                left[r, q] = values[i, q]
        while j < right_hi:
            # A run of right arguments that the rules admit.
            first, b = j, 0
            while j < right_hi and b < BATCH:
                u, v, new = members[i], members[j], draft[b]
                d = (
                    unary_dimension(op, v.dims, bits, n_field)
                    if unary
                    else binary_dimension(op, u.dims, v.dims, bits, n_field)
                )
                if d == INVALID or v.mask & forbid[code] != 0:
                    break
                if undefined[code] != 0 and flaws[j] & undefined[code] != 0:
                    pruned[0] += b == 0 and flaws[j] & undefined[code] > 0
                    break
                new.dims, new.op, new.cost = d, code, cost
                new.left, new.right = (j, -1) if unary else (i, j)
                new.mask = v.mask | (np.int64(0) if unary else u.mask) | (np.int64(1) << code)
                floor[b] = CANCEL * max(u.norm, v.norm) if additive else 0.0
                b += 1
                j += 1
            if b == 0:
                j += 1
                continue
            if unary:
                unary_block(op, flat[first * n : j * n], flat_rows, b * n)
            else:
                binary_block(op, flat_left, flat[first * n : j * n], flat_rows, b * n)
            count, tested = insert_batch(b, candidates, ruled, table, count, tested)
            if count == values.shape[0]:
                return count, tested
    return count, tested


@kernel(nogil=True)
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
