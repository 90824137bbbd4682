"""exp, log, sin and cos of whole rows in a form that compilers turn into vector instructions.

Arguments are reduced with the rounding trick (adding 1.5·2⁵² leaves the nearest integer in the low bits of the sum), then
come Taylor polynomials, after W. Cody and W. Waite, *Software Manual for the Elementary Functions* (1980). Errors stay below
about 4 units in the last place, of 1 for sin and cos; rows with arguments out of reach go to the C library. Invalid points
come out as in :mod:`hypo.kernels.evaluate`. ``space`` (n_row,) is scratch.
"""

import math

import numpy as np
from numba import njit

_MAGIC = 6755399441055744.0
_LOG2E = 1.0 / math.log(2.0)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PI_HIGH, _PI_MID, _PI_LOW = 3.1415926218032837, 3.178650954705639e-08, 1.2736634327021899e-24
_INV_PI = 1.0 / math.pi
_ONE = np.int64(1023 << 52)
# Largest arguments of sin and of exp that are reduced exactly.
_FAR, _STEEP = 2.0**22, 700.0
# Between these log need not look at the ends of the exponent's range.
_SMALL, _LARGE = 1e-300, 1e300


@njit(cache=True)
def _any_beyond(u, low, high):
    count = 0
    for i in range(u.shape[0]):
        count += not (low < u[i] and u[i] < high)
    return count > 0


@njit(cache=True)
def positive(u):
    """Whether all values are positive, and log is within easy reach."""
    return not _any_beyond(u, _SMALL, _LARGE)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def exp_row(u, out, space):
    """``out = exp(u)``; ``out`` may be ``u``."""
    n = u.shape[0]
    if _any_beyond(u, -_STEEP, _STEEP):
        for i in range(n):
            out[i] = np.exp(u[i])
        return
    bits = space.view(np.int64)
    for i in range(n):
        space[i] = u[i] * _LOG2E + _MAGIC
    for i in range(n):
        k = space[i] - _MAGIC
        r = (u[i] - k * _LN2_HIGH) - k * _LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
    for i in range(n):
        bits[i] = (bits[i] << 52) + _ONE
    for i in range(n):
        out[i] *= space[i]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def sin_row(u, out, space, quarter):
    """``out = sin(u)``, or cos(u) with ``quarter`` 1."""
    n = u.shape[0]
    if _any_beyond(u, -_FAR, _FAR):
        for i in range(n):
            out[i] = np.cos(u[i]) if quarter else np.sin(u[i])
        return
    bits = space.view(np.int64)
    # cos(u) = sin(u + π/2): half a turn less a half is counted off instead.
    shift = 0.5 * quarter
    for i in range(n):
        space[i] = (u[i] * _INV_PI + shift) + _MAGIC
    for i in range(n):
        k = (space[i] - _MAGIC) - shift
        r = ((u[i] - k * _PI_HIGH) - k * _PI_MID) - k * _PI_LOW
        s = r * r
        p = -1.0 / 51090942171709440000.0
        p = p * s + 1.0 / 121645100408832000.0
        p = p * s - 1.0 / 355687428096000.0
        p = p * s + 1.0 / 1307674368000.0
        p = p * s - 1.0 / 6227020800.0
        p = p * s + 1.0 / 39916800.0
        p = p * s - 1.0 / 362880.0
        p = p * s + 1.0 / 5040.0
        p = p * s - 1.0 / 120.0
        p = p * s + 1.0 / 6.0
        out[i] = r - r * s * p
    # An odd number of half turns changes the sign: the parity becomes the sign of a 1.
    for i in range(n):
        bits[i] = (bits[i] << 63) | _ONE
    for i in range(n):
        out[i] *= space[i]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def log_row(u, out, space):
    """``out = log(u)``, NaN unless u > 0."""
    n = u.shape[0]
    if _any_beyond(u, _SMALL, _LARGE):
        for i in range(n):
            out[i] = np.log(u[i]) if u[i] != 0.0 else np.nan
        return
    bits = space.view(np.int64)
    for i in range(n):
        space[i] = u[i] * 1.4142135623730951
    for i in range(n):
        bits[i] = (bits[i] >> 52) - 1023
    for i in range(n):
        out[i] = np.float64(bits[i])
    for i in range(n):
        bits[i] = (1023 - bits[i]) << 52
    for i in range(n):
        m = u[i] * space[i]
        z = (m - 1.0) / (m + 1.0)
        s = z * z
        p = 2.0 / 21.0
        p = p * s + 2.0 / 19.0
        p = p * s + 2.0 / 17.0
        p = p * s + 2.0 / 15.0
        p = p * s + 2.0 / 13.0
        p = p * s + 2.0 / 11.0
        p = p * s + 2.0 / 9.0
        p = p * s + 2.0 / 7.0
        p = p * s + 2.0 / 5.0
        p = p * s + 2.0 / 3.0
        out[i] = out[i] * _LN2_HIGH + (2.0 * z + (z * s * p + out[i] * _LN2_LOW))
