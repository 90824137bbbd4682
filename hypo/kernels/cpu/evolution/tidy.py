"""Tidying of evolving programs: subtrees of free constants become one of them, with ``linear`` a sum at the root loses the
signs, factors and constants that its coefficients make up for, and what breaks a rule of the grammar is marked.
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import kernel
from hypo.kernels.cpu.enumerate import INVALID, binary_dimension, unary_dimension
from hypo.kernels.cpu.evolution.nodes import NO_ARGUMENT, NODE_ADD, ZERO, copy, put, start
from hypo.kernels.cpu.fit_batch import MAX_FREE, MAX_TERMS
from hypo.kernels.cpu.operators import binary_block, unary_block

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY
_NEG, _ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.NEG, oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX
_NO = np.bool_(False)


@kernel(error_model="numpy")
def _fold(p, n, q):
    """Writes p to q with each subtree of free constants as one of them; returns its length, 0 when that is invalid."""
    starts = np.empty(n, np.int64)
    pure = np.empty(n, np.bool_)
    u, v = np.empty(1), np.empty(1)
    top, m = 0, ZERO
    for k in range(n):
        o = p[0][k]
        if o < _FIRST_UNARY:
            starts[top] = m
            pure[top] = o == _CONST and p[1][k] < 0
            top += 1
        elif o < _FIRST_BINARY:
            if pure[top - 1]:
                u[0] = q[2][m - 1]
                unary_block(o, u, u, u.shape[0])
                q[1][m - 1] = -1
                q[2][m - 1] = u[0]
                if not abs(u[0]) < np.inf:
                    return 0
                continue
        else:
            top -= 1
            if pure[top] and pure[top - 1]:
                u[0], v[0] = q[2][m - 2], q[2][m - 1]
                binary_block(o, u, v, u, u.shape[0])
                m -= 1
                q[1][m - 1] = -1
                q[2][m - 1] = u[0]
                if not abs(u[0]) < np.inf:
                    return 0
                continue
            pure[top - 1] = False
        m = put(q, m, o, p[1][k], p[2][k])
    return m


@kernel()
def _bare_terms(p, n, q):
    """Writes the terms of the sum p to q, without signs and constant factors, and then the + that join them; returns the
    length, 0 when there is none or there are too many."""
    stack = np.empty(n + 1, np.int64)
    stack[0] = n - 1
    top, m, count = 1, ZERO, 0
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
            left = start(p[0], k - 1) - 1
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
        m = copy(q, m, p, start(p[0], k), k + 1)
        count += 1
    for _ in range(count - 1):
        m = put(q, m, NODE_ADD, NO_ARGUMENT, 0.0)
    return m if count <= MAX_TERMS else 0


@kernel()
def _allowed(g, p, n, mind_shy):
    """True if a tidied program keeps size, nesting, the number of constants and, with units, dimensions."""
    count, terms, k = 0, 1, n - 1
    while k >= 0 and p[0][k] == _ADD:
        terms += 1
        k -= 1
    if n + (2 * terms + 2 if g.linear else 0) > g.size:
        return False
    mask = np.empty(n, np.int64)
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
        mask[top - 1] = below | (np.int64(1) << o)
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
def tidied(g, p, n, q, mind_shy):
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
        n = copy(p, ZERO, q, ZERO, m)
    return n if _allowed(g, p, n, mind_shy) else 0


@kernel(nogil=True)
def tidy(g, programs):
    """Tidies all programs (op, arg, value, length) in place; length 0 marks those that break a rule."""
    op, arg, value, length = programs
    width = op.shape[1]
    q = (np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width))
    for i in range(op.shape[0]):
        length[i] = tidied(g, (op[i], arg[i], value[i]), length[i], q, _NO)
