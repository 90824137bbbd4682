"""Operators on blocks of rows: values and adjoints, in single or double precision.

Points outside an operator's domain (log of a negative number, division by zero …) come out as NaN and propagate. Poles too:
an infinity there would let exp(-1/x) or 1/(1/x) return to a number at x = 0. Overflow is infinity as IEEE 754 says. What has no
case here is NaN everywhere. Functions that users define are called by address (:mod:`hypo.kernels.user_operators`).
"""

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import inner
from hypo.kernels.cpu.elementary import exp_row, like, log_one, log_row, sin_row, tanh_row
from hypo.kernels.user_operators import user_adjoint, user_block

_NEG, _INV, _SQUARE, _CUBE, _SQRT, _CBRT = oc.NEG, oc.INV, oc.SQUARE, oc.CUBE, oc.SQRT, oc.CBRT
_EXP, _LOG, _SIN, _COS, _TAN, _TANH, _SINH, _COSH = oc.EXP, oc.LOG, oc.SIN, oc.COS, oc.TAN, oc.TANH, oc.SINH, oc.COSH
_ASIN, _ACOS, _ATAN, _ABS = oc.ASIN, oc.ACOS, oc.ATAN, oc.ABS
_FIRST_USER, _BEYOND_USER = oc.FIRST_USER, oc.FIRST_USER + oc.N_USER
_ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX


@inner()
def _invalid(out, n):
    for i in range(n):
        out[i] = like(np.nan, out)


@inner(error_model="numpy")
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
        for i in range(n):
            out[i] = np.tan(u[i])
    elif op == _TANH:
        tanh_row(u[:n], out)
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
    elif op == _ABS:
        for i in range(n):
            out[i] = abs(u[i])
    elif op >= _FIRST_USER and op < _BEYOND_USER:
        user_block(op, u, out, n)
    else:
        _invalid(out, n)


@inner(error_model="numpy")
def binary_block(op, u, v, out, n):
    """``out[:n] = op(u[:n], v[:n])``; ``out`` may be ``u`` or ``v``, at some loss of speed."""
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
            out[i] = u[i] / v[i] if v[i] != 0.0 else like(np.nan, out)
    elif op == _POW:
        for i in range(n):
            # C's pow returns 1 for nan**0 and 1**nan; here an invalid argument stays invalid.
            if u[i] != u[i] or v[i] != v[i] or (u[i] == 0.0 and v[i] < 0.0):
                out[i] = like(np.nan, out)
            else:
                out[i] = u[i] ** v[i]
    elif op == _MIN:
        for i in range(n):
            out[i] = u[i] if (u[i] < v[i] or u[i] != u[i]) else v[i]
    elif op == _MAX:
        for i in range(n):
            out[i] = u[i] if (u[i] > v[i] or u[i] != u[i]) else v[i]
    else:
        _invalid(out, n)


@inner(error_model="numpy")
def takes_number(op, left, c):
    """True if ``number_block`` can do the operator with the number ``c`` on the ``left``, or else on the right."""
    if op == _POW:
        return not left and abs(c) <= 4.0 and c + c == np.floor(c + c)
    return op == _ADD or op == _SUB or op == _MUL or op == _DIV


@inner(error_model="numpy")
def number_block(op, u, c, left, out, n):
    """``out[:n] = op(u[:n], c)``, or op(c, u[:n]) with ``left``, where ``takes_number``; ``out`` is not ``u``."""
    if op == _ADD:
        for i in range(n):
            out[i] = u[i] + c
    elif op == _SUB:
        # c - u is -u + c, to the last bit and sign.
        sign = like(-1.0 if left else 1.0, u)
        d = c if left else -c
        for i in range(n):
            out[i] = sign * u[i] + d
    elif op == _MUL:
        for i in range(n):
            out[i] = u[i] * c
    elif op == _DIV:
        if left:
            for i in range(n):
                out[i] = c / u[i] if u[i] != 0.0 else like(np.nan, u)
        else:
            d = c if c != 0.0 else like(np.nan, u)
            for i in range(n):
                out[i] = u[i] / d
    elif op == _POW and not left:
        size = abs(c)
        whole = int(size)
        one = like(1.0, u)
        for i in range(n):
            a = u[i]
            square = a * a
            p = np.sqrt(a) if size != whole else one
            p = p * a if whole & 1 else p
            p = p * square if whole & 2 else p
            p = square * square if whole & 4 else p
            p = one / p if c < 0.0 else p
            # NaN and, with exponents below 0, zero are invalid.
            out[i] = p if (a == a and (a != 0.0 or c >= 0.0)) else like(np.nan, u)
    else:
        _invalid(out, n)


@inner(error_model="numpy")
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
    elif op == _SINH:
        for i in range(n):
            gu[i] = g[i] * np.cosh(u[i])
    elif op == _COSH:
        for i in range(n):
            gu[i] = g[i] * np.sinh(u[i])
    elif op == _ASIN or op == _ACOS:
        sign = like(1.0 if op == _ASIN else -1.0, u)
        for i in range(n):
            gu[i] = sign * g[i] / np.sqrt(like(1.0, u) - u[i] * u[i])
    elif op == _ATAN:
        for i in range(n):
            gu[i] = g[i] / (like(1.0, u) + u[i] * u[i])
    elif op == _ABS:
        for i in range(n):
            gu[i] = g[i] * np.sign(u[i])
    elif op >= _FIRST_USER and op < _BEYOND_USER:
        user_adjoint(op, u, g, gu, n)
    else:
        _invalid(gu, n)


@inner(error_model="numpy")
def left_adjoint(op, u, v, w, g, gu, n):
    """``gu[:n] = g * dw/du`` for ``w = op(u, v)``; ``gu`` is none of the others."""
    if op == _ADD or op == _SUB:
        for i in range(n):
            gu[i] = g[i]
    elif op == _MUL:
        for i in range(n):
            gu[i] = g[i] * v[i]
    elif op == _DIV:
        for i in range(n):
            gu[i] = g[i] / v[i]
    elif op == _POW:
        for i in range(n):
            gu[i] = g[i] * v[i] * u[i] ** (v[i] - like(1.0, g))
    elif op == _MIN or op == _MAX:
        for i in range(n):
            gu[i] = g[i] if (u[i] < v[i] if op == _MIN else u[i] > v[i]) else like(0.0, g)
    else:
        _invalid(gu, n)


@inner(error_model="numpy")
def right_adjoint(op, u, v, w, g, gv, n):
    """``gv[:n] = g * dw/dv`` for ``w = op(u, v)``; ``gv`` is none of the others."""
    if op == _ADD:
        for i in range(n):
            gv[i] = g[i]
    elif op == _SUB:
        for i in range(n):
            gv[i] = -g[i]
    elif op == _MUL:
        for i in range(n):
            gv[i] = g[i] * u[i]
    elif op == _DIV:
        for i in range(n):
            gv[i] = -g[i] * w[i] / v[i]
    elif op == _POW:
        for i in range(n):
            # u**v*log(u) -> 0 as u -> 0+ for v > 0.
            gv[i] = like(0.0, g) if (u[i] == 0.0 and v[i] > 0.0) else g[i] * w[i] * log_one(u[i])
    elif op == _MIN or op == _MAX:
        for i in range(n):
            gv[i] = like(0.0, g) if (u[i] < v[i] if op == _MIN else u[i] > v[i]) else g[i]
    else:
        _invalid(gv, n)
