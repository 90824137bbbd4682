"""Batch evaluation of postfix programs over row blocks, with gradients in the constants.

Layouts (C order; X, const and results of one type, float64 or float32):
    X       (n_var, n_row)    one contiguous line per variable
    op, arg (n_node_total,)   all programs end to end; program e is ``start[e]:start[e+1]``
    const   (n_const_total,)  constants of program e begin at ``const_start[e]``

Invalid points are those of :mod:`hypo.kernels.cpu.operators`; a value is flagged invalid when it is not finite. Each block of
``BLOCK`` rows runs through the whole program before the next is touched, so the working set (a few scratch rows of BLOCK
numbers) stays in the first cache level. Operators read variables where they lie and constants as numbers, and write to a row
that is not their argument, or compilers would see a dependence and give up vector instructions.
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner, kernel
from hypo.kernels.cpu.elementary import like
from hypo.kernels.cpu.operators import (
    binary_block,
    left_adjoint,
    number_block,
    right_adjoint,
    takes_number,
    unary_adjoint,
    unary_block,
)
from hypo.kernels.cpu.rows import fill

# Wide enough that the interpreter's share is small; the two or three rows of most programs still fit the first cache level.
BLOCK = 1024

_ADD, _SUB = oc.ADD, oc.SUB
_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY

# Nodes keep rows of their own, or give them back once read. Typed, or numba would compile a variant for either.
KEEP = np.bool_(True)
SHARE = np.bool_(False)

# Rows of a program's plan, see :func:`make_plan`.
LEFT = 0
RIGHT = 1
PLACE = 2
NUMBER = 3


@kernel(error_model="numpy")
def link_arguments(op, left, right):
    """Positions of each node's arguments within one program (``left = right`` for unary nodes, -1 for leaves)."""
    stack = np.empty(op.shape[0], np.int64)
    top = -1
    for k in range(op.shape[0]):
        left[k] = -1
        right[k] = -1
        if op[k] < _FIRST_UNARY:
            top += 1
        elif op[k] < _FIRST_BINARY:
            left[k] = stack[top]
            right[k] = stack[top]
        else:
            top -= 1
            left[k] = stack[top]
            right[k] = stack[top + 1]
        stack[top] = k


@kernel(error_model="numpy")
def make_plan(op, arg, const, keep, plan):
    """Fills ``plan`` (4, n_node) of one program; returns how many rows of scratch it needs.

    LEFT, RIGHT   as by ``link_arguments``
    PLACE    the row of scratch for the node's value; -1 for variables, which are read where they lie, for the root, whose
             value goes to the result, and for constants that are taken as numbers
    NUMBER   the argument that is taken as a number, or -1

    With ``keep`` every other node and every constant has a row of its own; else rows are given back once read, but never to
    the reader.
    """
    n_node = op.shape[0]
    link_arguments(op, plan[LEFT], plan[RIGHT])
    for k in range(n_node):
        plan[PLACE, k] = -1
        plan[NUMBER, k] = -1
    free = np.empty(n_node, np.int64)
    n_free, used = 0, 0
    for k in range(n_node):
        if op[k] < _FIRST_UNARY:
            continue
        i, j = plan[LEFT, k], plan[RIGHT, k]
        if op[k] >= _FIRST_BINARY:
            if op[j] == _CONST and takes_number(op[k], False, const[arg[j]]):
                plan[NUMBER, k] = j
            elif op[i] == _CONST and takes_number(op[k], True, const[arg[i]]):
                plan[NUMBER, k] = i
        for a in (i, j, k):
            filled = op[a] == _CONST and plan[PLACE, a] < 0 and (keep or plan[NUMBER, k] != a)
            need = k < n_node - 1 if a == k else filled
            if need and n_free > 0:
                n_free -= 1
                plan[PLACE, a] = free[n_free]
            elif need:
                plan[PLACE, a] = used
                used += 1
        if not keep:
            for side in range(1 if i == j else 2):
                a = plan[side, k]
                if plan[PLACE, a] >= 0:
                    free[n_free] = plan[PLACE, a]
                    n_free += 1
    return used


@inner(error_model="numpy")
def forward(op, arg, plan, const, X, row, scratch, result):
    """Values of one program on the rows from ``row`` on into ``result`` (n,), those of inner nodes into ``scratch``."""
    n = result.shape[0]
    last = op.shape[0] - 1
    if op[last] == _VAR:
        for t in range(n):
            result[t] = X[arg[last], row + t]
    elif op[last] == _CONST:
        fill(result, const[arg[last]])
    for k in range(last + 1):
        o = op[k]
        if o < _FIRST_UNARY:
            continue
        i, j, number = plan[LEFT, k], plan[RIGHT, k], plan[NUMBER, k]
        w = scratch[plan[PLACE, k]] if k < last else result
        first = j if number == i else i
        if op[first] == _CONST:
            fill(scratch[plan[PLACE, first]], const[arg[first]])
        u = X[arg[first], row : row + n] if op[first] == _VAR else scratch[plan[PLACE, first]]
        if o < _FIRST_BINARY:
            unary_block(o, u, w, n)
        elif number >= 0:
            number_block(o, u, const[arg[number]], number == i, w, n)
        else:
            if op[j] == _CONST:
                fill(scratch[plan[PLACE, j]], const[arg[j]])
            v = X[arg[j], row : row + n] if op[j] == _VAR else scratch[plan[PLACE, j]]
            binary_block(o, u, v, w, n)


@kernel(error_model="numpy", nogil=True)
def evaluate(op, arg, start, const, const_start, X, out):
    """Values of all programs on all rows into ``out`` (n_expr, n_row)."""
    n_expr = start.shape[0] - 1
    n_row = X.shape[1]
    plan = np.empty((4, op.shape[0]), np.int64)
    height = 0
    for e in range(n_expr):
        a, b = start[e], start[e + 1]
        height = max(height, make_plan(op[a:b], arg[a:b], const[const_start[e] :], SHARE, plan[:, a:b]))
    scratch = np.empty((height, min(BLOCK, n_row)), X.dtype)
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        for e in range(n_expr):
            a, b = start[e], start[e + 1]
            forward(op[a:b], arg[a:b], plan[:, a:b], const[const_start[e] :], X, row, scratch, out[e, row : row + n])


@kernel(error_model="numpy", nogil=True)
def value_and_gradient(op, arg, const, X, out, grad):
    """Value ``out`` (n_row,) of one program and its gradient ``grad`` (n_const, n_row) in its constants.

    Reverse mode: all node values of a row block are kept, then adjoints run backwards, so the cost does not grow with
    the number of constants. Several leaves may share a constant; their adjoints add up.
    """
    n_node = op.shape[0]
    n_row = X.shape[1]
    plan = np.empty((4, n_node), np.int64)[:, :n_node]
    width = min(BLOCK, n_row)
    value = np.empty((make_plan(op, arg, const, KEEP, plan), width), X.dtype)
    # A node needs an adjoint only if a constant lies below it. The last leaf of each constant has its adjoint written straight
    # to the gradient, before the others add theirs; the terms of a sum share the adjoint of the sum.
    live, seen = np.zeros(n_node, np.bool_), np.zeros(grad.shape[0], np.bool_)
    direct, first = np.zeros(n_node, np.bool_), np.zeros(n_node, np.bool_)
    home = np.zeros(n_node, np.int64)
    n_adjoint = 1
    for k in range(n_node):
        i, j = plan[LEFT, k], plan[RIGHT, k]
        live[k] = op[k] == _CONST or (op[k] >= _FIRST_UNARY and (live[i] or live[j]))
    for k in range(n_node - 1, -1, -1):
        if op[k] == _CONST:
            first[k] = not seen[arg[k]]
            seen[arg[k]] = True
            direct[k] = direct[k] and first[k]
            if plan[PLACE, k] >= 0:
                fill(value[plan[PLACE, k]], const[arg[k]])
        elif op[k] >= _FIRST_UNARY:
            i, j = plan[LEFT, k], plan[RIGHT, k]
            for a in (i, j):
                home[a] = home[k]
                if live[a] and op[k] != _ADD and not (op[k] == _SUB and a == i):
                    direct[a] = True
                    home[a] = n_adjoint
                    n_adjoint += 1
    adjoint = np.empty((n_adjoint, width), X.dtype)
    fill(adjoint[0], like(1.0, X))
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        result = out[row : row + n]
        forward(op, arg, plan, const, X, row, value, result)
        for c in range(seen.shape[0]):
            if not seen[c]:
                fill(grad[c, row : row + n], like(0.0, X))
        for k in range(n_node - 1, -1, -1):
            if not live[k]:
                continue
            o = op[k]
            g = adjoint[home[k]]
            if o == _CONST:
                line = grad[arg[k], row : row + n]
                if not first[k]:
                    for i in range(n):
                        line[i] += g[i]
                elif not direct[k]:
                    for i in range(n):
                        line[i] = g[i]
                continue
            i, j = plan[LEFT, k], plan[RIGHT, k]
            u = X[arg[i], row : row + n] if op[i] == _VAR else value[plan[PLACE, i]]
            w = value[plan[PLACE, k]] if plan[PLACE, k] >= 0 else result
            gu = grad[arg[i], row : row + n] if op[i] == _CONST and direct[i] else adjoint[home[i]]
            if o < _FIRST_BINARY:
                unary_adjoint(o, u, w, g, gu, n)
                continue
            v = X[arg[j], row : row + n] if op[j] == _VAR else value[plan[PLACE, j]]
            if home[i] != home[k]:
                left_adjoint(o, u, v, w, g, gu, n)
            if home[j] != home[k]:
                gv = grad[arg[j], row : row + n] if op[j] == _CONST and direct[j] else adjoint[home[j]]
                right_adjoint(o, u, v, w, g, gv, n)
