"""Operators on single numbers for GPU kernels: values and slopes, with the domain of :mod:`hypo.kernels.cpu.operators`;
NaN where one has no case.

On a GPU the functions of ``math`` compile to those of CUDA. In numba's simulator, which runs kernels as Python
(NUMBA_ENABLE_CUDASIM=1), those of NumPy stand in: ``math`` raises where IEEE 754 returns NaN or infinity.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda

from hypo.kernels import opcodes as oc
from hypo.kernels.compiled import kept

# A grid of few blocks is a small batch and no mistake.
numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]
SIMULATED = bool(getattr(numba.config, "ENABLE_CUDASIM", False))
_functions: Any = np if SIMULATED else math
_sqrt, _exp, _log, _sin, _cos, _tan = (getattr(_functions, n) for n in ("sqrt", "exp", "log", "sin", "cos", "tan"))
_tanh, _sinh, _cosh, _copysign = (getattr(_functions, n) for n in ("tanh", "sinh", "cosh", "copysign"))
_asin, _acos, _atan = (np.arcsin, np.arccos, np.arctan) if SIMULATED else (math.asin, math.acos, math.atan)
_power = np.power if SIMULATED else math.pow
if SIMULATED:
    # The simulator swaps the module ``cuda`` of a function while one thread is in it, and back when the first one leaves.
    _cbrt = np.cbrt
else:

    @cuda.jit(device=True)
    def _cbrt(u):
        return cuda.cbrt(u)


_NEG, _INV, _SQUARE, _CUBE, _SQRT, _CBRT = oc.NEG, oc.INV, oc.SQUARE, oc.CUBE, oc.SQRT, oc.CBRT
_EXP, _LOG, _SIN, _COS, _TAN, _TANH, _SINH, _COSH = oc.EXP, oc.LOG, oc.SIN, oc.COS, oc.TAN, oc.TANH, oc.SINH, oc.COSH
_ASIN, _ACOS, _ATAN, _ABS = oc.ASIN, oc.ACOS, oc.ATAN, oc.ABS
_ADD, _SUB, _MUL, _DIV, _POW, _MIN, _MAX = oc.ADD, oc.SUB, oc.MUL, oc.DIV, oc.POW, oc.MIN, oc.MAX


def kept_kernel(function: Any) -> Any:
    """Decorator: a kernel compiled for the GPU, and kept beside those of the processor."""
    compiled = cuda.jit(function)
    if SIMULATED:
        return compiled
    from numba.cuda.dispatcher import CUDACache

    return kept(compiled, CUDACache)


class Operators(NamedTuple):
    """Device functions ``unary(op, u)``, ``binary(op, u, v)`` and slopes: ``slope(op, u, w)`` with w = op(u), and
    ``left(op, u, v)`` and ``right(op, u, v, w)`` with w = op(u, v)."""

    unary: Any
    binary: Any
    slope: Any
    left: Any
    right: Any


@cache
def operators(double: bool) -> Operators:
    """The operators in double or single precision."""
    real = np.float64 if double else np.float32
    nan, zero, half, one, two, three = (real(c) for c in (math.nan, 0.0, 0.5, 1.0, 2.0, 3.0))

    @cuda.jit(device=True)
    def unary(op, u):
        if op == _SQUARE:
            return u * u
        if op == _EXP:
            return real(_exp(u))
        if op == _SQRT:
            return real(_sqrt(u))
        if op == _INV:
            return one / u if u != zero else nan
        if op == _NEG:
            return -u
        if op == _SIN:
            return real(_sin(u))
        if op == _COS:
            return real(_cos(u))
        if op == _LOG:
            return real(_log(u)) if u > zero else nan
        if op == _CUBE:
            return u * u * u
        if op == _TANH:
            return real(_tanh(u))
        if op == _ABS:
            return abs(u)
        if op == _TAN:
            return real(_tan(u))
        if op == _CBRT:
            return real(_copysign(_cbrt(abs(u)), u))
        if op == _SINH:
            return real(_sinh(u))
        if op == _COSH:
            return real(_cosh(u))
        if op == _ASIN:
            return real(_asin(u))
        if op == _ACOS:
            return real(_acos(u))
        if op == _ATAN:
            return real(_atan(u))
        return nan

    @cuda.jit(device=True)
    def power(u, v):
        # C's pow returns 1 for nan**0 and 1**nan; here an invalid argument stays invalid.
        return nan if u != u or v != v or (u == zero and v < zero) else real(_power(u, v))

    @cuda.jit(device=True)
    def binary(op, u, v):
        if op == _ADD:
            return u + v
        if op == _MUL:
            return u * v
        if op == _SUB:
            return u - v
        if op == _DIV:
            return u / v if v != zero else nan
        if op == _POW:
            return power(u, v)
        if op == _MIN:
            return u if u < v or u != u else v
        if op == _MAX:
            return u if u > v or u != u else v
        return nan

    @cuda.jit(device=True)
    def slope(op, u, w):
        if op == _SQUARE:
            return two * u
        if op == _EXP:
            return w
        if op == _SQRT:
            return half / w
        if op == _INV:
            return -(w * w)
        if op == _NEG:
            return -one
        if op == _SIN:
            return real(_cos(u))
        if op == _COS:
            return real(-_sin(u))
        if op == _LOG:
            return one / u
        if op == _CUBE:
            return three * u * u
        if op == _TANH:
            return one - w * w
        if op == _ABS:
            return one if u > zero else -one if u < zero else u
        if op == _TAN:
            return one + w * w
        if op == _CBRT:
            return one / (three * w * w)
        if op == _SINH:
            return real(_cosh(u))
        if op == _COSH:
            return real(_sinh(u))
        if op == _ASIN:
            return one / real(_sqrt(one - u * u))
        if op == _ACOS:
            return -one / real(_sqrt(one - u * u))
        if op == _ATAN:
            return one / (one + u * u)
        return nan

    @cuda.jit(device=True)
    def left(op, u, v):
        if op == _ADD or op == _SUB:
            return one
        if op == _MUL:
            return v
        if op == _DIV:
            return one / v
        if op == _POW:
            return v * real(_power(u, v - one))
        if op == _MIN:
            return one if u < v else zero
        if op == _MAX:
            return one if u > v else zero
        return nan

    @cuda.jit(device=True)
    def right(op, u, v, w):
        if op == _ADD:
            return one
        if op == _SUB:
            return -one
        if op == _MUL:
            return u
        if op == _DIV:
            return -w / v
        if op == _POW:
            # u**v*log(u) -> 0 as u -> 0+ for v > 0.
            return zero if u == zero and v > zero else w * (real(_log(u)) if u > zero else nan)
        if op == _MIN:
            return zero if u < v else one
        if op == _MAX:
            return zero if u > v else one
        return nan

    return Operators(unary, binary, slope, left, right)
