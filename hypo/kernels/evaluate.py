"""Batch evaluation of postfix programs over row blocks, with gradients in the constants.

Layouts (C order; X, const and results of one type, float64 or float32):
    X       (n_var, n_row)    one contiguous line per variable
    op, arg (n_node_total,)   all programs end to end; program e is ``start[e]:start[e+1]``
    const   (n_const_total,)  constants of program e begin at ``const_start[e]``

Points outside an operator's domain (log of a negative number, division by zero …) come out as NaN and propagate. Poles too:
an infinity there would let exp(-1/x) or 1/(1/x) return to a number at x = 0. Overflow is infinity as IEEE 754 says; a
value is flagged invalid when it is not finite. Each block of ``BLOCK`` rows runs through the whole program before the
next is touched, so the working set (a few scratch rows of BLOCK numbers) stays in the first cache level. Operators read
variables where they lie and constants as numbers, and write to a row that is not their argument, or compilers would see a
dependence and give up vector instructions.
"""

import numpy as np
from numba import njit, types
from numba.extending import overload

from hypo.kernels import opcodes as oc
from hypo.kernels.fast import cosh_row, exp_row, like, log_one, log_row, sin_row, sinh_row, tan_row, tanh_row

BLOCK = 512

_NEG, _INV, _SQUARE, _CUBE, _SQRT, _CBRT = oc.NEG, oc.INV, oc.SQUARE, oc.CUBE, oc.SQRT, oc.CBRT
_EXP, _LOG, _SIN, _COS, _TAN, _TANH, _SINH, _COSH = oc.EXP, oc.LOG, oc.SIN, oc.COS, oc.TAN, oc.TANH, oc.SINH, oc.COSH
_ASIN, _ACOS, _ATAN, _ABS = oc.ASIN, oc.ACOS, oc.ATAN, oc.ABS
_ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX
_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY


def _at(v, i): ...


@overload(_at)
def _at_typed(v, i):
    """``v[i]``, or ``v`` when it is one number for all rows."""
    return (lambda v, i: v[i]) if isinstance(v, types.Array) else (lambda v, i: v)


def _products(u, v, out, n): ...


@overload(_products)
def _products_typed(u, v, out, n):
    """``out = u**v`` where ``v`` is one multiple of 1/2 of at most 4; returns whether it was."""

    def products(u, v, out, n):
        size = abs(v)
        if not (size <= 4.0 and size + size == np.floor(size + size)):
            return False
        whole = int(size)
        one = like(1.0, u)
        for i in range(n):
            a = u[i]
            square = a * a
            p = np.sqrt(a) if size != whole else one
            p = p * a if whole & 1 else p
            p = p * square if whole & 2 else p
            p = square * square if whole & 4 else p
            p = one / p if v < 0.0 else p
            # NaN and, with exponents below 0, zero are invalid.
            out[i] = p if (a == a and (a != 0.0 or v >= 0.0)) else like(np.nan, u)
        return True

    one_exponent = isinstance(u, types.Array) and not isinstance(v, types.Array)
    return products if one_exponent else lambda u, v, out, n: False


@njit(cache=True, error_model="numpy")
def unary_block(op, u, out, n):
    """``out[:n] = op(u[:n])``; ``out`` may be ``u``, at some loss of speed."""
    if op == _NEG:
        for i in range(n):
            out[i] = -u[i]
    elif op == _INV:
        for i in range(n):
            out[i] = like(1.0, u) / u[i] if u[i] != 0.0 else like(np.nan, u)
    elif op == _SQUARE:
        for i in range(n):
            out[i] = u[i] * u[i]
    elif op == _CUBE:
        for i in range(n):
            out[i] = u[i] * u[i] * u[i]
    elif op == _SQRT:
        for i in range(n):
            out[i] = np.sqrt(u[i])
    elif op == _CBRT:
        for i in range(n):
            out[i] = np.cbrt(u[i])
    elif op == _EXP:
        exp_row(u[:n], out)
    elif op == _LOG:
        log_row(u[:n], out)
    elif op == _SIN or op == _COS:
        sin_row(u[:n], out, op == _COS)
    elif op == _TAN:
        tan_row(u[:n], out)
    elif op == _TANH:
        tanh_row(u[:n], out)
    elif op == _SINH:
        sinh_row(u[:n], out)
    elif op == _COSH:
        cosh_row(u[:n], out)
    elif op == _ASIN:
        for i in range(n):
            out[i] = np.arcsin(u[i])
    elif op == _ACOS:
        for i in range(n):
            out[i] = np.arccos(u[i])
    elif op == _ATAN:
        for i in range(n):
            out[i] = np.arctan(u[i])
    else:
        for i in range(n):
            out[i] = abs(u[i])


@njit(cache=True, error_model="numpy")
def binary_block(op, u, v, out, n):
    """``out[:n] = op(u[:n], v[:n])``, with one number for ``u`` or ``v`` too; ``out`` may be ``u`` or ``v``, at some loss
    of speed."""
    if op == _ADD:
        for i in range(n):
            out[i] = _at(u, i) + _at(v, i)
    elif op == _SUB:
        for i in range(n):
            out[i] = _at(u, i) - _at(v, i)
    elif op == _MUL:
        for i in range(n):
            out[i] = _at(u, i) * _at(v, i)
    elif op == _DIV:
        for i in range(n):
            out[i] = _at(u, i) / _at(v, i) if _at(v, i) != 0.0 else like(np.nan, out)
    elif op == _POW:
        if not _products(u, v, out, n):
            for i in range(n):
                a, b = _at(u, i), _at(v, i)
                # C's pow returns 1 for nan**0 and 1**nan; here an invalid argument stays invalid.
                if a != a or b != b or (a == 0.0 and b < 0.0):
                    out[i] = like(np.nan, out)
                else:
                    out[i] = a**b
    elif op == _MIN:
        for i in range(n):
            a, b = _at(u, i), _at(v, i)
            out[i] = a if (a < b or a != a) else b
    else:
        for i in range(n):
            a, b = _at(u, i), _at(v, i)
            out[i] = a if (a > b or a != a) else b


@njit(cache=True, error_model="numpy")
def unary_adjoint(op, u, w, g, gu, n):
    """``gu[:n] = g * d op(u)/du``, with ``w = op(u)``; ``gu`` is none of the others."""
    if op == _NEG:
        for i in range(n):
            gu[i] = -g[i]
    elif op == _INV:
        for i in range(n):
            gu[i] = -g[i] * w[i] * w[i]
    elif op == _SQUARE:
        for i in range(n):
            gu[i] = like(2.0, u) * g[i] * u[i]
    elif op == _CUBE:
        for i in range(n):
            gu[i] = like(3.0, u) * g[i] * u[i] * u[i]
    elif op == _SQRT:
        for i in range(n):
            gu[i] = like(0.5, u) * g[i] / w[i]
    elif op == _CBRT:
        for i in range(n):
            gu[i] = g[i] / (like(3.0, u) * w[i] * w[i])
    elif op == _EXP:
        for i in range(n):
            gu[i] = g[i] * w[i]
    elif op == _LOG:
        for i in range(n):
            gu[i] = g[i] / u[i]
    elif op == _SIN or op == _COS:
        sin_row(u[:n], gu, op == _SIN)
        sign = like(1.0 if op == _SIN else -1.0, u)
        for i in range(n):
            gu[i] *= sign * g[i]
    elif op == _TAN:
        for i in range(n):
            gu[i] = g[i] * (like(1.0, u) + w[i] * w[i])
    elif op == _TANH:
        for i in range(n):
            gu[i] = g[i] * (like(1.0, u) - w[i] * w[i])
    elif op == _SINH or op == _COSH:
        if op == _SINH:
            cosh_row(u[:n], gu)
        else:
            sinh_row(u[:n], gu)
        for i in range(n):
            gu[i] *= g[i]
    elif op == _ASIN or op == _ACOS:
        sign = like(1.0 if op == _ASIN else -1.0, u)
        for i in range(n):
            gu[i] = sign * g[i] / np.sqrt(like(1.0, u) - u[i] * u[i])
    elif op == _ATAN:
        for i in range(n):
            gu[i] = g[i] / (like(1.0, u) + u[i] * u[i])
    else:
        for i in range(n):
            gu[i] = g[i] * np.sign(u[i])


@njit(cache=True, error_model="numpy")
def left_adjoint(op, u, v, w, g, gu, n):
    """``gu[:n] = g * dw/du`` for ``w = op(u, v)``, with one number for ``u`` or ``v`` too; ``gu`` is none of the others."""
    if op == _ADD or op == _SUB:
        for i in range(n):
            gu[i] = g[i]
    elif op == _MUL:
        for i in range(n):
            gu[i] = g[i] * _at(v, i)
    elif op == _DIV:
        for i in range(n):
            gu[i] = g[i] / _at(v, i)
    elif op == _POW:
        binary_block(_POW, u, v - like(1.0, g), gu, n)
        for i in range(n):
            gu[i] *= g[i] * _at(v, i)
    else:
        for i in range(n):
            a, b = _at(u, i), _at(v, i)
            gu[i] = g[i] if (a < b if op == _MIN else a > b) else like(0.0, g)


@njit(cache=True, error_model="numpy")
def right_adjoint(op, u, v, w, g, gv, n):
    """``gv[:n] = g * dw/dv`` for ``w = op(u, v)``, with one number for ``u`` or ``v`` too; ``gv`` is none of the others."""
    if op == _ADD:
        for i in range(n):
            gv[i] = g[i]
    elif op == _SUB:
        for i in range(n):
            gv[i] = -g[i]
    elif op == _MUL:
        for i in range(n):
            gv[i] = g[i] * _at(u, i)
    elif op == _DIV:
        for i in range(n):
            gv[i] = -g[i] * w[i] / _at(v, i)
    elif op == _POW:
        for i in range(n):
            a = _at(u, i)
            # u**v*log(u) -> 0 as u -> 0+ for v > 0.
            gv[i] = like(0.0, g) if (a == 0.0 and _at(v, i) > 0.0) else g[i] * w[i] * log_one(a)
    else:
        for i in range(n):
            a, b = _at(u, i), _at(v, i)
            gv[i] = like(0.0, g) if (a < b if op == _MIN else a > b) else g[i]


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _assign_rows(op, left, right, reuse, place):
    """The row of scratch that each node's value goes to, into ``place``; returns how many rows are needed.

    -1 for leaves read where they lie and for the root, whose value goes to the result. A constant gets a row where an
    operator takes no number: below a unary operator, or on the left when both are numbers. With ``reuse`` rows are given
    back once read, but never to the reader.
    """
    n_node = op.shape[0]
    free = np.empty(n_node, np.int64)
    n_free, used = 0, 0
    place[:] = -1
    for k in range(n_node):
        if op[k] < _FIRST_UNARY:
            continue
        i, j = left[k], right[k]
        if op[i] == _CONST and (i == j or op[j] == _CONST):
            if n_free > 0:
                n_free -= 1
                place[i] = free[n_free]
            else:
                place[i] = used
                used += 1
        if k < n_node - 1:
            if n_free > 0:
                n_free -= 1
                place[k] = free[n_free]
            else:
                place[k] = used
                used += 1
        if reuse:
            if place[i] >= 0:
                free[n_free] = place[i]
                n_free += 1
            if i != j and place[j] >= 0:
                free[n_free] = place[j]
                n_free += 1
    return used


@njit(cache=True, error_model="numpy")
def _forward(op, arg, left, right, place, const, X, row, scratch, result):
    """Values of one program on the rows from ``row`` on into ``result`` (n,), those of inner nodes into ``scratch``."""
    n = result.shape[0]
    last = op.shape[0] - 1
    if op[last] == _VAR:
        result[:] = X[arg[last], row : row + n]
    elif op[last] == _CONST:
        result[:] = const[arg[last]]
    for k in range(last + 1):
        o = op[k]
        if o < _FIRST_UNARY:
            continue
        i, j = left[k], right[k]
        w = scratch[place[k], :n] if k < last else result
        if op[i] == _CONST and place[i] >= 0:
            scratch[place[i], :n] = const[arg[i]]
        if op[i] == _CONST and place[i] < 0:
            v = X[arg[j], row : row + n] if op[j] == _VAR else scratch[place[j], :n]
            binary_block(o, const[arg[i]], v, w, n)
            continue
        u = X[arg[i], row : row + n] if op[i] == _VAR else scratch[place[i], :n]
        if o < _FIRST_BINARY:
            unary_block(o, u, w, n)
        elif op[j] == _CONST:
            binary_block(o, u, const[arg[j]], w, n)
        else:
            v = X[arg[j], row : row + n] if op[j] == _VAR else scratch[place[j], :n]
            binary_block(o, u, v, w, n)


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate(op, arg, start, const, const_start, X, out):
    """Values of all programs on all rows into ``out`` (n_expr, n_row)."""
    n_expr = start.shape[0] - 1
    n_row = X.shape[1]
    left, right = np.empty(op.shape[0], np.int64), np.empty(op.shape[0], np.int64)
    place = np.empty(op.shape[0], np.int64)
    n_scratch = 0
    for e in range(n_expr):
        a, b = start[e], start[e + 1]
        link_arguments(op[a:b], left[a:b], right[a:b])
        n_scratch = max(n_scratch, _assign_rows(op[a:b], left[a:b], right[a:b], True, place[a:b]))
    scratch = np.empty((n_scratch, BLOCK), X.dtype)
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        for e in range(n_expr):
            a, b = start[e], start[e + 1]
            _forward(op[a:b], arg[a:b], left[a:b], right[a:b], place[a:b], const[const_start[e] :], X, row, scratch,
                     out[e, row : row + n])


@njit(cache=True, error_model="numpy", nogil=True)
def value_and_gradient(op, arg, const, X, out, grad):
    """Value ``out`` (n_row,) of one program and its gradient ``grad`` (n_const, n_row) in its constants.

    Reverse mode: all node values of a row block are kept, then adjoints run backwards, so the cost does not grow with
    the number of constants. Several leaves may share a constant; their adjoints add up.
    """
    n_node = op.shape[0]
    n_row = X.shape[1]
    left, right, place = np.empty(n_node, np.int64), np.empty(n_node, np.int64), np.empty(n_node, np.int64)
    link_arguments(op, left, right)
    n_value = _assign_rows(op, left, right, False, place)
    # A node needs an adjoint only if a constant lies below it. The last leaf of each constant has its adjoint written straight
    # to the gradient, before the others add theirs; the terms of a sum share the adjoint of the sum.
    live, seen = np.zeros(n_node, np.bool_), np.zeros(grad.shape[0], np.bool_)
    direct, first = np.zeros(n_node, np.bool_), np.zeros(n_node, np.bool_)
    home = np.zeros(n_node, np.int64)
    n_adjoint = 1
    for k in range(n_node):
        live[k] = op[k] == _CONST or (op[k] >= _FIRST_UNARY and (live[left[k]] or live[right[k]]))
    for k in range(n_node - 1, -1, -1):
        if op[k] == _CONST:
            first[k] = not seen[arg[k]]
            seen[arg[k]] = True
            direct[k] = direct[k] and first[k]
        elif op[k] >= _FIRST_UNARY:
            i, j = left[k], right[k]
            for a in (i, j):
                home[a] = home[k]
                if live[a] and op[k] != _ADD and not (op[k] == _SUB and a == i):
                    direct[a] = True
                    home[a] = n_adjoint
                    n_adjoint += 1
    value, adjoint = np.empty((n_value, BLOCK), X.dtype), np.empty((n_adjoint, BLOCK), X.dtype)
    adjoint[0] = 1.0
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        result = out[row : row + n]
        _forward(op, arg, left, right, place, const, X, row, value, result)
        for c in range(seen.shape[0]):
            if not seen[c]:
                grad[c, row : row + n] = 0.0
        for k in range(n_node - 1, -1, -1):
            if not live[k]:
                continue
            o = op[k]
            g = adjoint[home[k], :n]
            if o == _CONST:
                if not direct[k]:
                    line = grad[arg[k], row : row + n]
                    if first[k]:
                        line[:] = g
                    else:
                        for i in range(n):
                            line[i] += g[i]
                continue
            i, j = left[k], right[k]
            w = value[place[k], :n] if place[k] >= 0 else result
            gu = grad[arg[i], row : row + n] if op[i] == _CONST and direct[i] else adjoint[home[i], :n]
            if op[i] == _CONST and place[i] < 0:
                v = X[arg[j], row : row + n] if op[j] == _VAR else value[place[j], :n]
                if home[i] != home[k]:
                    left_adjoint(o, const[arg[i]], v, w, g, gu, n)
                if home[j] != home[k]:
                    right_adjoint(o, const[arg[i]], v, w, g, adjoint[home[j], :n], n)
                continue
            u = X[arg[i], row : row + n] if op[i] == _VAR else value[place[i], :n]
            if o < _FIRST_BINARY:
                unary_adjoint(o, u, w, g, gu, n)
            elif op[j] == _CONST:
                gv = grad[arg[j], row : row + n] if direct[j] else adjoint[home[j], :n]
                if home[i] != home[k]:
                    left_adjoint(o, u, const[arg[j]], w, g, gu, n)
                if home[j] != home[k]:
                    right_adjoint(o, u, const[arg[j]], w, g, gv, n)
            else:
                v = X[arg[j], row : row + n] if op[j] == _VAR else value[place[j], :n]
                if home[i] != home[k]:
                    left_adjoint(o, u, v, w, g, gu, n)
                if home[j] != home[k]:
                    right_adjoint(o, u, v, w, g, adjoint[home[j], :n], n)
