"""Variation of postfix programs: children from tournament parents by crossover and mutation, tidied and checked, in one pass.

Programs lie in rows of fixed width as in :mod:`hypo.kernels.cpu.fit_batch`. A child is the parent with some subtrees
replaced; it is tidied (:mod:`hypo.kernels.cpu.evolution.tidy`). Children that break a rule of the grammar are thrown
away and tried again. Random numbers are SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014) on a state of one
integer.
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.evolution.nodes import NO_ARGUMENT, NODE_ADD, ZERO, copy, put, start
from hypo.kernels.cpu.evolution.tidy import tidied

_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY
_ADD = oc.ADD

# Typed numbers: numba compiles a variant of a function for each literal that it is called with.
_FREE = np.int32(-1)
_NODE_VAR = np.int32(oc.VAR)
_NODE_CONST = np.int32(oc.CONST)
_NODE_MUL = np.int32(oc.MUL)

# Tries at a child before a random program takes its place.
TRIES = 6
# Programs that compete to be a parent.
TOURNAMENT = 4
# The mutations, and their weights in this order.
CROSS, POINT, FRESH, INSERT, HOIST, AFFINE, SHAKE, ADD_TERM, DROP_TERM, BLOCK = range(10)
MUTATIONS = (0.30, 0.12, 0.08, 0.14, 0.10, 0.10, 0.03, 0.06, 0.03, 0.04)
# The chance of another mutation after each.
AGAIN = 0.3
# The chance that functions may nest in a child.
NESTED = 0.1


@inner()
def _next(state):
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inner()
def _uniform(state):
    return np.float64(_next(state) >> np.uint64(11)) * 1.1102230246251565e-16


@inner()
def _below(state, n):
    return min(np.int64(_uniform(state) * n), n - 1)


@inner()
def _normal(state):
    return np.sqrt(-2.0 * np.log(1.0 - _uniform(state))) * np.cos(2.0 * np.pi * _uniform(state))


@inner()
def _draw(state, codes, chance):
    u = _uniform(state)
    for i in range(codes.shape[0]):
        if u < chance[i]:
            return np.int32(codes[i])
    return np.int32(codes[codes.shape[0] - 1])


@inner()
def _number(state):
    size = np.exp(_normal(state))
    return -size if _uniform(state) < 0.3 else size


@inner()
def _leaf(g, state, p, n):
    """Appends a variable, a variable times a free constant, a constant, or a building block."""
    u = _uniform(state)
    if u < 0.15 and g.free:
        return put(p, n, _NODE_CONST, _FREE, _number(state))
    if u < 0.2 and g.fixed.shape[0] > 0:
        k = _below(state, g.fixed.shape[0])
        return put(p, n, _NODE_CONST, np.int32(k), g.fixed[k])
    if u < 0.4 and g.block_start.shape[0] > 1:
        # The simpler ones more often.
        b = _below(state, 1 + _below(state, g.block_start.shape[0] - 1))
        return copy(p, n, (g.block_op, g.block_arg, g.block_value), g.block_start[b], g.block_start[b + 1])
    k = _below(state, g.dims.shape[0])
    n = put(p, n, _NODE_VAR, np.int32(k), 0.0)
    if u > 0.85 and g.free and g.linear:
        n = put(p, n, _NODE_CONST, _FREE, _number(state) / g.place[k])
        n = put(p, n, _NODE_MUL, NO_ARGUMENT, 0.0)
    return n


@inner()
def _random(g, state, p, n, spare):
    """Appends a random program of a few nodes."""
    m = _leaf(g, state, spare, ZERO)
    for _ in range(_below(state, np.int64(4))):
        if g.unary.shape[0] > 0 and (_uniform(state) < 0.35 or g.binary.shape[0] == 0):
            m = put(spare, m, _draw(state, g.unary, g.unary_chance), NO_ARGUMENT, 0.0)
        elif g.binary.shape[0] > 0:
            m = _leaf(g, state, spare, m)
            m = put(spare, m, _draw(state, g.binary, g.binary_chance), NO_ARGUMENT, 0.0)
    return copy(p, n, spare, ZERO, min(m, spare[0].shape[0]))


@inner()
def _affine(g, state, p, first, last, q, m):
    """Appends a·u, u + c or a·u + c with the nodes ``first``…``last`` of p as u; returns the new length."""
    u = _uniform(state)
    m = copy(q, m, p, first, last + 1)
    if u < 0.7:
        size = g.place[p[1][last]] if p[0][last] == _VAR else 1.0
        m = put(q, m, _NODE_CONST, _FREE, _number(state) / size)
        m = put(q, m, _NODE_MUL, NO_ARGUMENT, 0.0)
    if u > 0.4:
        m = put(q, m, _NODE_CONST, _FREE, _number(state))
        m = put(q, m, NODE_ADD, NO_ARGUMENT, 0.0)
    return m


@inner()
def _mutate(g, state, kind, p, n, other, q, spare):
    """Writes a variant of program p (n nodes), or its cross with ``other``, to q; returns its length. The root of a sum counts
    like any node."""
    width = q[0].shape[0]
    last = _below(state, n)
    first = start(p[0], last)
    if kind == SHAKE:
        for k in range(n):
            if p[0][k] == _CONST and p[1][k] < 0:
                p[2][k] *= np.exp(0.7 * _normal(state))
                if _uniform(state) < 0.1:
                    p[2][k] = -p[2][k]
        return copy(q, ZERO, p, ZERO, n)
    if kind == POINT:
        m = copy(q, ZERO, p, ZERO, n)
        o = p[0][last]
        if o >= _FIRST_BINARY:
            q[0][last] = _draw(state, g.binary, g.binary_chance)
        elif o >= _FIRST_UNARY:
            if g.unary.shape[0] > 0:
                q[0][last] = _draw(state, g.unary, g.unary_chance)
        else:
            m = copy(q, ZERO, p, ZERO, last)
            m = _leaf(g, state, q, m)
            m = copy(q, m, p, last + 1, n)
        return m
    if kind == ADD_TERM:
        m = copy(q, ZERO, p, ZERO, n)
        m = _random(g, state, q, m, spare)
        return put(q, m, NODE_ADD, NO_ARGUMENT, 0.0)
    if kind == DROP_TERM:
        if p[0][n - 1] != _ADD:
            return 0
        middle = start(p[0], n - 2)
        return copy(q, ZERO, p, middle, n - 1) if _uniform(state) < 0.5 else copy(q, ZERO, p, ZERO, middle)
    m = copy(q, ZERO, p, ZERO, first)
    if kind == CROSS:
        k = _below(state, other[0].shape[0])
        if other[0][k] < _FIRST_UNARY:
            k = _below(state, other[0].shape[0])
        m = copy(q, m, other, start(other[0], k), k + 1)
    elif kind == FRESH:
        m = _random(g, state, q, m, spare)
    elif kind == BLOCK:
        b = _below(state, max(1, g.block_start.shape[0] - 1))
        if g.block_start.shape[0] < 2:
            return 0
        m = copy(q, m, (g.block_op, g.block_arg, g.block_value), g.block_start[b], g.block_start[b + 1])
    elif kind == HOIST:
        if p[0][last] < _FIRST_UNARY:
            return 0
        k = last - 1
        if p[0][last] >= _FIRST_BINARY and _uniform(state) < 0.5:
            k = start(p[0], k) - 1
        m = copy(q, m, p, start(p[0], k), k + 1)
    elif kind == INSERT:
        if g.unary.shape[0] > 0 and (_uniform(state) < 0.4 or g.binary.shape[0] == 0):
            m = copy(q, m, p, first, last + 1)
            m = put(q, m, _draw(state, g.unary, g.unary_chance), NO_ARGUMENT, 0.0)
        elif g.binary.shape[0] == 0:
            return 0
        elif _uniform(state) < 0.5:
            m = copy(q, m, p, first, last + 1)
            m = _random(g, state, q, m, spare)
            m = put(q, m, _draw(state, g.binary, g.binary_chance), NO_ARGUMENT, 0.0)
        else:
            m = _random(g, state, q, m, spare)
            m = copy(q, m, p, first, last + 1)
            m = put(q, m, _draw(state, g.binary, g.binary_chance), NO_ARGUMENT, 0.0)
    elif not (g.free and g.linear):
        return 0
    else:
        m = _affine(g, state, p, first, last, q, m)
    m = copy(q, m, p, last + 1, n)
    return m if m <= width else width + 1


@inner()
def _tournament(state, score, first, last):
    best = first + _below(state, last - first)
    for _ in range(TOURNAMENT - 1):
        k = first + _below(state, last - first)
        if score[k] < score[best]:
            best = k
    return best


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
                m = _random(g, state, q, ZERO, spare)
            else:
                a = _tournament(state, score, first, last)
                b = _tournament(state, score, first, last)
                other = (op[b, : length[b]], arg[b, : length[b]], value[b, : length[b]])
                m = copy(p, ZERO, (op[a], arg[a], value[a]), ZERO, length[a])
                while True:
                    u, kind = _uniform(state), 0
                    while kind < len(MUTATIONS) - 1 and u >= MUTATIONS[kind]:
                        u -= MUTATIONS[kind]
                        kind += 1
                    m = _mutate(g, state, kind, p, m, other, q, spare)
                    if m == 0 or m > width or _uniform(state) >= AGAIN:
                        break
                    m = copy(p, ZERO, q, ZERO, m)
            m = tidied(g, q, m, p, mind_shy)
            if m > 0:
                out_length[i] = m
                break
