"""Variation of postfix programs: children from tournament parents by crossover and mutation, tidied and checked, in one pass.

Programs lie in rows of fixed width as in :mod:`hypo.kernels.fit`. A child is the parent with some subtrees replaced; then
subtrees of free constants become one of them, and with ``linear`` a sum at the root loses the signs, factors and
constants that its coefficients make up for. Children that break a rule of the grammar are thrown away and tried again.
Random numbers are SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014) on a state of one integer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.kernels import opcodes as oc
from hypo.kernels.blocks import binary_block, unary_block
from hypo.kernels.compiled import kernel
from hypo.kernels.enumerate import INVALID, binary_dimension, unary_dimension
from hypo.kernels.fit import MAX_FREE, MAX_TERMS

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY
_NEG, _ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.NEG, oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX

# Tries at a child before a random program takes its place.
TRIES = 6
TOURNAMENT = 4
# Weights of the mutations below, in their order; and the chances of a second one, and that functions may nest.
CROSS, POINT, FRESH, INSERT, HOIST, AFFINE, SHAKE, ADD_TERM, DROP_TERM, BLOCK = range(10)
MUTATIONS = (0.30, 0.12, 0.08, 0.14, 0.10, 0.10, 0.03, 0.06, 0.03, 0.04)
AGAIN, NESTED = 0.3, 0.1


class Grammar(NamedTuple):
    """What programs may hold.

    ``unary``, ``binary``: opcodes, and ``*_chance`` their cumulated chances. ``forbid``, ``shy`` (N_OPCODE,): masks of opcodes
    that must not, or seldom, stand below one; ``permitted``: mask of all that may be used. ``size``: most nodes, coefficients
    included; ``linear``, ``free``: whether sums at the root have coefficients, and constants are fitted. ``fixed``: named
    constants; ``fixed_dims``: theirs, and of other fixed numbers. ``dims`` (n_var,): packed dimensions, looked at where
    ``units``; ``target``: that of the whole, which coefficients make up for. ``place`` (n_var,): magnitude of each variable.
    ``block_*``: building blocks, program b is ``block_start[b]:block_start[b+1]``.
    """

    unary: NDArray
    unary_chance: NDArray
    binary: NDArray
    binary_chance: NDArray
    forbid: NDArray
    shy: NDArray
    permitted: int
    size: int
    linear: bool
    free: bool
    fixed: NDArray
    fixed_dims: NDArray
    dims: NDArray
    units: bool
    target: int
    bits: int
    fields: int
    place: NDArray
    block_op: NDArray
    block_arg: NDArray
    block_value: NDArray
    block_start: NDArray


@kernel()
def _next(state):
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel()
def _uniform(state):
    return np.float64(_next(state) >> np.uint64(11)) * 1.1102230246251565e-16


@kernel()
def _below(state, n):
    return min(np.int64(_uniform(state) * n), n - 1)


@kernel()
def _normal(state):
    return np.sqrt(-2.0 * np.log(1.0 - _uniform(state))) * np.cos(2.0 * np.pi * _uniform(state))


@kernel()
def _draw(state, codes, chance):
    u = _uniform(state)
    for i in range(codes.shape[0]):
        if u < chance[i]:
            return codes[i]
    return codes[codes.shape[0] - 1]


@kernel()
def _start(op, k):
    """Where the subtree of node k begins."""
    need = 1
    while True:
        if op[k] < _FIRST_UNARY:
            need -= 1
        elif op[k] >= _FIRST_BINARY:
            need += 1
        if need == 0:
            return k
        k -= 1


@kernel()
def _put(p, n, o, a, v):
    """Appends a node to a program of n nodes; returns the new length, or one above the width when it is full."""
    if n >= p[0].shape[0]:
        return p[0].shape[0] + 1
    p[0][n] = o
    p[1][n] = a
    p[2][n] = v
    return n + 1


@kernel()
def _copy(p, n, q, first, last):
    """Appends nodes first…last - 1 of q."""
    for k in range(first, last):
        n = _put(p, n, q[0][k], q[1][k], q[2][k])
    return n


@kernel()
def _number(state):
    size = np.exp(_normal(state))
    return -size if _uniform(state) < 0.3 else size


@kernel()
def _leaf(g, state, p, n):
    """Appends a variable, a variable times a free constant, a constant, or a building block."""
    u = _uniform(state)
    if u < 0.15 and g.free:
        return _put(p, n, _CONST, -1, _number(state))
    if u < 0.2 and g.fixed.shape[0] > 0:
        k = _below(state, g.fixed.shape[0])
        return _put(p, n, _CONST, k, g.fixed[k])
    if u < 0.4 and g.block_start.shape[0] > 1:
        # The simpler ones more often.
        b = _below(state, 1 + _below(state, g.block_start.shape[0] - 1))
        return _copy(p, n, (g.block_op, g.block_arg, g.block_value), g.block_start[b], g.block_start[b + 1])
    k = _below(state, g.dims.shape[0])
    n = _put(p, n, _VAR, k, 0.0)
    if u > 0.85 and g.free and g.linear:
        n = _put(p, n, _CONST, -1, _number(state) / g.place[k])
        n = _put(p, n, _MUL, 0, 0.0)
    return n


@kernel()
def _random(g, state, p, n, spare):
    """Appends a random program of a few nodes."""
    m = _leaf(g, state, spare, 0)
    for _ in range(_below(state, 4)):
        if g.unary.shape[0] > 0 and (_uniform(state) < 0.35 or g.binary.shape[0] == 0):
            m = _put(spare, m, _draw(state, g.unary, g.unary_chance), 0, 0.0)
        elif g.binary.shape[0] > 0:
            m = _leaf(g, state, spare, m)
            m = _put(spare, m, _draw(state, g.binary, g.binary_chance), 0, 0.0)
    return _copy(p, n, spare, 0, min(m, spare[0].shape[0]))


@kernel()
def _mutate(g, state, kind, p, n, other, n_other, q, spare):
    """Writes a variant of program p (n nodes) to q; returns its length. The root of a sum counts like any node."""
    width = q[0].shape[0]
    last = _below(state, n)
    first = _start(p[0], last)
    if kind == SHAKE:
        for k in range(n):
            if p[0][k] == _CONST and p[1][k] < 0:
                p[2][k] *= np.exp(0.7 * _normal(state))
                if _uniform(state) < 0.1:
                    p[2][k] = -p[2][k]
        return _copy(q, 0, p, 0, n)
    if kind == POINT:
        m = _copy(q, 0, p, 0, n)
        o = p[0][last]
        if o >= _FIRST_BINARY:
            q[0][last] = _draw(state, g.binary, g.binary_chance)
        elif o >= _FIRST_UNARY:
            if g.unary.shape[0] > 0:
                q[0][last] = _draw(state, g.unary, g.unary_chance)
        else:
            m = _copy(q, 0, p, 0, last)
            m = _leaf(g, state, q, m)
            m = _copy(q, m, p, last + 1, n)
        return m
    if kind == ADD_TERM:
        m = _copy(q, 0, p, 0, n)
        m = _random(g, state, q, m, spare)
        return _put(q, m, _ADD, 0, 0.0)
    if kind == DROP_TERM:
        if p[0][n - 1] != _ADD:
            return 0
        middle = _start(p[0], n - 2)
        return _copy(q, 0, p, middle, n - 1) if _uniform(state) < 0.5 else _copy(q, 0, p, 0, middle)
    m = _copy(q, 0, p, 0, first)
    if kind == CROSS:
        k = _below(state, n_other)
        if other[0][k] < _FIRST_UNARY:
            k = _below(state, n_other)
        m = _copy(q, m, other, _start(other[0], k), k + 1)
    elif kind == FRESH:
        m = _random(g, state, q, m, spare)
    elif kind == BLOCK:
        b = _below(state, max(1, g.block_start.shape[0] - 1))
        if g.block_start.shape[0] < 2:
            return 0
        m = _copy(q, m, (g.block_op, g.block_arg, g.block_value), g.block_start[b], g.block_start[b + 1])
    elif kind == HOIST:
        if p[0][last] < _FIRST_UNARY:
            return 0
        k = last - 1
        if p[0][last] >= _FIRST_BINARY and _uniform(state) < 0.5:
            k = _start(p[0], k) - 1
        m = _copy(q, m, p, _start(p[0], k), k + 1)
    elif kind == INSERT:
        if g.unary.shape[0] > 0 and (_uniform(state) < 0.4 or g.binary.shape[0] == 0):
            m = _copy(q, m, p, first, last + 1)
            m = _put(q, m, _draw(state, g.unary, g.unary_chance), 0, 0.0)
        elif g.binary.shape[0] == 0:
            return 0
        elif _uniform(state) < 0.5:
            m = _copy(q, m, p, first, last + 1)
            m = _random(g, state, q, m, spare)
            m = _put(q, m, _draw(state, g.binary, g.binary_chance), 0, 0.0)
        else:
            m = _random(g, state, q, m, spare)
            m = _copy(q, m, p, first, last + 1)
            m = _put(q, m, _draw(state, g.binary, g.binary_chance), 0, 0.0)
    else:
        # a·u, u + c, or a·u + c
        if not (g.free and g.linear):
            return 0
        u = _uniform(state)
        m = _copy(q, m, p, first, last + 1)
        if u < 0.7:
            size = g.place[p[1][last]] if p[0][last] == _VAR else 1.0
            m = _put(q, m, _CONST, -1, _number(state) / size)
            m = _put(q, m, _MUL, 0, 0.0)
        if u > 0.4:
            m = _put(q, m, _CONST, -1, _number(state))
            m = _put(q, m, _ADD, 0, 0.0)
    m = _copy(q, m, p, last + 1, n)
    return m if m <= width else width + 1


@kernel(error_model="numpy")
def _fold(p, n, q):
    """Writes p to q with each subtree of free constants as one of them; returns its length, 0 when that is invalid."""
    starts = np.empty(n, np.int64)
    pure = np.empty(n, np.bool_)
    u, v = np.empty(1), np.empty(1)
    top, m = 0, 0
    for k in range(n):
        o = p[0][k]
        if o < _FIRST_UNARY:
            starts[top] = m
            pure[top] = o == _CONST and p[1][k] < 0
            top += 1
        elif o < _FIRST_BINARY:
            if pure[top - 1]:
                u[0] = q[2][m - 1]
                unary_block(o, u, u, 1)
                q[1][m - 1] = -1
                q[2][m - 1] = u[0]
                if not abs(u[0]) < np.inf:
                    return 0
                continue
        else:
            top -= 1
            if pure[top] and pure[top - 1]:
                u[0], v[0] = q[2][m - 2], q[2][m - 1]
                binary_block(o, u, v, u, 1)
                m -= 1
                q[1][m - 1] = -1
                q[2][m - 1] = u[0]
                if not abs(u[0]) < np.inf:
                    return 0
                continue
            pure[top - 1] = False
        m = _put(q, m, o, p[1][k], p[2][k])
    return m


@kernel()
def _bare_terms(p, n, q):
    """Writes the terms of the sum p to q, without signs and constant factors, and then the + that join them; returns the
    length, 0 when there is none or there are too many."""
    stack = np.empty(n + 1, np.int64)
    stack[0] = n - 1
    top, m, count = 1, 0, 0
    while top > 0:
        top -= 1
        k = stack[top]
        o = p[0][k]
        if o == _CONST:
            continue
        if o == _NEG:
            stack[top] = k - 1
            top += 1
            continue
        if o == _ADD or o == _SUB or o == _MUL or o == _DIV:
            left = _start(p[0], k - 1) - 1
            if o == _ADD or o == _SUB:
                stack[top] = k - 1
                stack[top + 1] = left
                top += 2
                continue
            if p[0][k - 1] == _CONST:
                stack[top] = left
                top += 1
                continue
            if o == _MUL and p[0][left] == _CONST:
                stack[top] = k - 1
                top += 1
                continue
        m = _copy(q, m, p, _start(p[0], k), k + 1)
        count += 1
    for _ in range(count - 1):
        m = _put(q, m, _ADD, 0, 0.0)
    return m if count <= MAX_TERMS else 0


@kernel()
def _allowed(g, p, n, mind_shy):
    """Whether a tidied program keeps size, nesting, the number of constants and, with units, dimensions."""
    count, terms, k = 0, 1, n - 1
    while k >= 0 and p[0][k] == _ADD:
        terms += 1
        k -= 1
    if n + (2 * terms + 2 if g.linear else 0) > g.size:
        return False
    mask = np.empty(n, np.int32)
    dims, is_open = np.empty(n, np.int64), np.empty(n, np.bool_)
    number = np.empty(n)
    top, variables = 0, 0
    for k in range(n):
        o = p[0][k]
        if o < _FIRST_UNARY:
            mask[top] = 0
            number[top] = np.nan
            if o == _VAR:
                variables += 1
                dims[top] = g.dims[p[1][k]]
                is_open[top] = False
            else:
                count += p[1][k] < 0
                is_open[top] = p[1][k] < 0
                dims[top] = g.fixed_dims[p[1][k]] if p[1][k] >= 0 else 0
                if p[1][k] >= 0:
                    number[top] = p[2][k]
            top += 1
            continue
        if not (g.permitted >> o) & 1:
            return False
        below = mask[top - 1]
        if o >= _FIRST_BINARY:
            top -= 1
            below |= mask[top - 1]
        rule = g.forbid[o]
        if mind_shy:
            rule |= g.shy[o]
        if below & rule:
            return False
        mask[top - 1] = below | np.int32(1 << o)
        if g.units:
            if o < _FIRST_BINARY:
                if is_open[top - 1]:
                    # A function of a pure number gives one; powers and roots of an open dimension stay open.
                    d = unary_dimension(o, np.int64(12), g.bits, g.fields)
                    is_open[top - 1] = d != INVALID
                    dims[top - 1] = 0
                else:
                    dims[top - 1] = unary_dimension(o, dims[top - 1], g.bits, g.fields)
            elif o == _POW:
                if not (is_open[top] or dims[top] == 0):
                    return False
                if not is_open[top - 1] and dims[top - 1] != 0:
                    power = number[top]
                    if not (power == np.round(power) and abs(power) <= 4):
                        return False
                    dims[top - 1] *= np.int64(power)
            elif o == _MUL or o == _DIV:
                is_open[top - 1] |= is_open[top]
                if not is_open[top - 1]:
                    dims[top - 1] = binary_dimension(o, dims[top - 1], dims[top], g.bits, g.fields)
            elif o != _ADD and o != _SUB and o != _MIN and o != _MAX:
                return False
            elif is_open[top - 1]:
                is_open[top - 1] = is_open[top]
                dims[top - 1] = dims[top]
            elif not is_open[top] and not (g.linear and k > n - terms):
                dims[top - 1] = binary_dimension(o, dims[top - 1], dims[top], g.bits, g.fields)
            if not is_open[top - 1] and dims[top - 1] == INVALID:
                return False
        number[top - 1] = np.nan
    if g.units and not g.linear and not is_open[0] and dims[0] != g.target:
        return False
    return variables > 0 and count <= MAX_FREE


@kernel()
def _tournament(state, score, first, last):
    best = first + _below(state, last - first)
    for _ in range(TOURNAMENT - 1):
        k = first + _below(state, last - first)
        if score[k] < score[best]:
            best = k
    return best


@kernel()
def _tidy(g, p, n, q, mind_shy):
    """Tidies p by way of q; returns its new length in p, or 0 when it may not stay."""
    width = p[0].shape[0]
    if n == 0 or n > width:
        return 0
    m = _fold(p, n, q)
    if m == 0:
        return 0
    if g.linear:
        n = _bare_terms(q, m, p)
        if n == 0 or n > width:
            return 0
    else:
        n = _copy(p, 0, q, 0, m)
    return n if _allowed(g, p, n, mind_shy) else 0


@kernel(nogil=True)
def tidy(g, programs):
    """Tidies all programs (op, arg, value, length) in place; length 0 marks those that break a rule."""
    op, arg, value, length = programs
    width = op.shape[1]
    q = (np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width))
    for i in range(op.shape[0]):
        length[i] = _tidy(g, (op[i], arg[i], value[i]), length[i], q, False)


@kernel(nogil=True)
def breed(g, state, parents, score, first, last, children):
    """Fills ``children`` (op, arg, value, length) with those of the programs ``first``…``last - 1`` of ``parents``, or with
    random programs when there are none.

    Parents win tournaments by the lowest ``score``. ``state`` (1,) uint64 is the random state. Length 0 marks a place for which
    no valid child came up.
    """
    op, arg, value, length = parents
    out_op, out_arg, out_value, out_length = children
    width = op.shape[1]
    spare = (np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width))
    p = (np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width))
    for i in range(out_op.shape[0]):
        q = (out_op[i], out_arg[i], out_value[i])
        out_length[i] = 0
        for trial in range(4 * TRIES):
            mind_shy = _uniform(state) >= NESTED
            if last <= first or trial >= TRIES:
                m = _random(g, state, q, 0, spare)
            else:
                a = _tournament(state, score, first, last)
                b = _tournament(state, score, first, last)
                other = (op[b], arg[b], value[b])
                m = _copy(p, 0, (op[a], arg[a], value[a]), 0, length[a])
                while True:
                    u, kind = _uniform(state), 0
                    while kind < len(MUTATIONS) - 1 and u >= MUTATIONS[kind]:
                        u -= MUTATIONS[kind]
                        kind += 1
                    m = _mutate(g, state, kind, p, m, other, length[b], q, spare)
                    if m == 0 or m > width or _uniform(state) >= AGAIN:
                        break
                    m = _copy(p, 0, q, 0, m)
            m = _tidy(g, q, m, p, mind_shy)
            if m > 0:
                out_length[i] = m
                break
