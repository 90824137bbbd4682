"""Batch evaluation of postfix programs over row blocks, with gradients in the constants.

Layouts (C order, float64):
    X       (n_var, n_row)    one contiguous line per variable
    op, arg (n_node_total,)   all programs end to end; program e is ``start[e]:start[e+1]``
    const   (n_const_total,)  constants of program e begin at ``const_start[e]``

Points outside an operator's domain (log of a negative number, division by zero …) come out as NaN and propagate. Poles too:
an infinity there would let exp(-1/x) or 1/(1/x) return to a number at x = 0. Overflow is infinity as IEEE 754 says; a
value is flagged invalid when it is not finite. Each block of ``BLOCK`` rows runs through the whole program before the
next is touched, so the working set (stack height × BLOCK × 8 bytes) stays in the first cache level.
"""

import numpy as np
from numba import njit

from hypo.kernels import opcodes as oc

BLOCK = 256

_NEG, _INV, _SQUARE, _CUBE, _SQRT, _CBRT = oc.NEG, oc.INV, oc.SQUARE, oc.CUBE, oc.SQRT, oc.CBRT
_EXP, _LOG, _SIN, _COS, _TAN, _TANH, _SINH, _COSH = oc.EXP, oc.LOG, oc.SIN, oc.COS, oc.TAN, oc.TANH, oc.SINH, oc.COSH
_ASIN, _ACOS, _ATAN, _ABS = oc.ASIN, oc.ACOS, oc.ATAN, oc.ABS
_ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX
_VAR, _CONST, _FIRST_UNARY, _FIRST_BINARY = oc.VAR, oc.CONST, oc.FIRST_UNARY, oc.FIRST_BINARY


@njit(cache=True, error_model="numpy")
def unary_block(op, u, out, n):
    """``out[:n] = op(u[:n])``; ``out`` may be ``u``."""
    if op == _NEG:
        for i in range(n):
            out[i] = -u[i]
    elif op == _INV:
        for i in range(n):
            out[i] = 1.0 / u[i] if u[i] != 0.0 else np.nan
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
        for i in range(n):
            out[i] = np.exp(u[i])
    elif op == _LOG:
        for i in range(n):
            out[i] = np.log(u[i]) if u[i] != 0.0 else np.nan
    elif op == _SIN:
        for i in range(n):
            out[i] = np.sin(u[i])
    elif op == _COS:
        for i in range(n):
            out[i] = np.cos(u[i])
    elif op == _TAN:
        for i in range(n):
            out[i] = np.tan(u[i])
    elif op == _TANH:
        for i in range(n):
            out[i] = np.tanh(u[i])
    elif op == _SINH:
        for i in range(n):
            out[i] = np.sinh(u[i])
    elif op == _COSH:
        for i in range(n):
            out[i] = np.cosh(u[i])
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
    """``out[:n] = op(u[:n], v[:n])``; ``out`` may be ``u`` or ``v``."""
    if op == _ADD:
        for i in range(n):
            out[i] = u[i] + v[i]
    elif op == _SUB:
        for i in range(n):
            out[i] = u[i] - v[i]
    elif op == _MUL:
        for i in range(n):
            out[i] = u[i] * v[i]
    elif op == _DIV:
        for i in range(n):
            out[i] = u[i] / v[i] if v[i] != 0.0 else np.nan
    elif op == _POW:
        for i in range(n):
            # C's pow returns 1 for nan**0 and 1**nan; here an invalid argument stays invalid.
            if u[i] != u[i] or v[i] != v[i] or (u[i] == 0.0 and v[i] < 0.0):
                out[i] = np.nan
            else:
                out[i] = u[i] ** v[i]
    elif op == _MIN:
        for i in range(n):
            out[i] = u[i] if (u[i] < v[i] or u[i] != u[i]) else v[i]
    else:
        for i in range(n):
            out[i] = u[i] if (u[i] > v[i] or u[i] != u[i]) else v[i]


@njit(cache=True, error_model="numpy", nogil=True)
def evaluate(op, arg, start, const, const_start, X, out):
    """Values of all programs on all rows into ``out`` (n_expr, n_row)."""
    n_expr = start.shape[0] - 1
    n_row = X.shape[1]
    height = 1
    for e in range(n_expr):
        h = 0
        for k in range(start[e], start[e + 1]):
            if op[k] < _FIRST_UNARY:
                h += 1
                height = max(height, h)
            elif op[k] >= _FIRST_BINARY:
                h -= 1
    stack = np.empty((height, BLOCK))
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        for e in range(n_expr):
            top = -1
            for k in range(start[e], start[e + 1]):
                o = op[k]
                if o == _VAR:
                    top += 1
                    stack[top, :n] = X[arg[k], row : row + n]
                elif o == _CONST:
                    top += 1
                    stack[top, :n] = const[const_start[e] + arg[k]]
                elif o < _FIRST_BINARY:
                    unary_block(o, stack[top], stack[top], n)
                else:
                    top -= 1
                    binary_block(o, stack[top], stack[top + 1], stack[top], n)
            out[e, row : row + n] = stack[0, :n]


@njit(cache=True, error_model="numpy")
def _unary_adjoint(op, u, w, g, gu, n):
    """``gu[:n] = g * d op(u)/du``, with ``w = op(u)``."""
    if op == _NEG:
        for i in range(n):
            gu[i] = -g[i]
    elif op == _INV:
        for i in range(n):
            gu[i] = -g[i] * w[i] * w[i]
    elif op == _SQUARE:
        for i in range(n):
            gu[i] = 2.0 * g[i] * u[i]
    elif op == _CUBE:
        for i in range(n):
            gu[i] = 3.0 * g[i] * u[i] * u[i]
    elif op == _SQRT:
        for i in range(n):
            gu[i] = 0.5 * g[i] / w[i]
    elif op == _CBRT:
        for i in range(n):
            gu[i] = g[i] / (3.0 * w[i] * w[i])
    elif op == _EXP:
        for i in range(n):
            gu[i] = g[i] * w[i]
    elif op == _LOG:
        for i in range(n):
            gu[i] = g[i] / u[i]
    elif op == _SIN:
        for i in range(n):
            gu[i] = g[i] * np.cos(u[i])
    elif op == _COS:
        for i in range(n):
            gu[i] = -g[i] * np.sin(u[i])
    elif op == _TAN:
        for i in range(n):
            gu[i] = g[i] * (1.0 + w[i] * w[i])
    elif op == _TANH:
        for i in range(n):
            gu[i] = g[i] * (1.0 - w[i] * w[i])
    elif op == _SINH:
        for i in range(n):
            gu[i] = g[i] * np.cosh(u[i])
    elif op == _COSH:
        for i in range(n):
            gu[i] = g[i] * np.sinh(u[i])
    elif op == _ASIN:
        for i in range(n):
            gu[i] = g[i] / np.sqrt(1.0 - u[i] * u[i])
    elif op == _ACOS:
        for i in range(n):
            gu[i] = -g[i] / np.sqrt(1.0 - u[i] * u[i])
    elif op == _ATAN:
        for i in range(n):
            gu[i] = g[i] / (1.0 + u[i] * u[i])
    else:
        for i in range(n):
            gu[i] = g[i] * np.sign(u[i])


@njit(cache=True, error_model="numpy")
def _binary_adjoint(op, u, v, w, g, gu, gv, n):
    """``gu = g * dw/du`` and ``gv = g * dw/dv`` for ``w = op(u, v)``."""
    if op == _ADD:
        for i in range(n):
            gu[i] = g[i]
            gv[i] = g[i]
    elif op == _SUB:
        for i in range(n):
            gu[i] = g[i]
            gv[i] = -g[i]
    elif op == _MUL:
        for i in range(n):
            gu[i] = g[i] * v[i]
            gv[i] = g[i] * u[i]
    elif op == _DIV:
        for i in range(n):
            gu[i] = g[i] / v[i]
            gv[i] = -g[i] * w[i] / v[i]
    elif op == _POW:
        for i in range(n):
            gu[i] = g[i] * v[i] * u[i] ** (v[i] - 1.0)
            # u**v*log(u) -> 0 as u -> 0+ for v > 0.
            gv[i] = 0.0 if (u[i] == 0.0 and v[i] > 0.0) else g[i] * w[i] * np.log(u[i])
    elif op == _MIN:
        for i in range(n):
            gu[i] = g[i] if u[i] < v[i] else 0.0
            gv[i] = 0.0 if u[i] < v[i] else g[i]
    else:
        for i in range(n):
            gu[i] = g[i] if u[i] > v[i] else 0.0
            gv[i] = 0.0 if u[i] > v[i] else g[i]


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


@njit(cache=True, error_model="numpy", nogil=True)
def value_and_gradient(op, arg, const, X, out, grad):
    """Value ``out`` (n_row,) of one program and its gradient ``grad`` (n_const, n_row) in its constants.

    Reverse mode: all node values of a row block are kept, then adjoints run backwards, so the cost does not grow with
    the number of constants. Several leaves may share a constant; their adjoints add up.
    """
    n_node = op.shape[0]
    n_row = X.shape[1]
    left = np.empty(n_node, np.int64)
    right = np.empty(n_node, np.int64)
    link_arguments(op, left, right)
    # A node needs an adjoint only if a constant lies below it.
    live = np.zeros(n_node, np.bool_)
    for k in range(n_node):
        if op[k] == _CONST:
            live[k] = True
        elif op[k] >= _FIRST_UNARY:
            live[k] = live[left[k]] or live[right[k]]
    value = np.empty((n_node, BLOCK))
    adjoint = np.empty((n_node, BLOCK))
    for row in range(0, n_row, BLOCK):
        n = min(BLOCK, n_row - row)
        for k in range(n_node):
            o = op[k]
            if o == _VAR:
                value[k, :n] = X[arg[k], row : row + n]
            elif o == _CONST:
                value[k, :n] = const[arg[k]]
            elif o < _FIRST_BINARY:
                unary_block(o, value[left[k]], value[k], n)
            else:
                binary_block(o, value[left[k]], value[right[k]], value[k], n)
        out[row : row + n] = value[n_node - 1, :n]
        grad[:, row : row + n] = 0.0
        adjoint[n_node - 1, :n] = 1.0
        for k in range(n_node - 1, -1, -1):
            if not live[k]:
                continue
            o = op[k]
            if o == _CONST:
                for i in range(n):
                    grad[arg[k], row + i] += adjoint[k, i]
            elif o < _FIRST_BINARY:
                _unary_adjoint(o, value[left[k]], value[k], adjoint[k], adjoint[left[k]], n)
            else:
                _binary_adjoint(o, value[left[k]], value[right[k]], value[k], adjoint[k], adjoint[left[k]],
                                adjoint[right[k]], n)
