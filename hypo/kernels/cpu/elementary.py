"""exp, log, sin, cos and tanh of whole rows, in loops that compilers turn into vector instructions.

Rows are float64 or float32 and results of the same type: ``like`` gives constants the type of the argument, and so keeps
single precision single. Arguments are reduced with the rounding trick (adding 1.5·2⁵² leaves the nearest integer in the low
bits of the sum), then come Taylor polynomials, after W. Cody and W. Waite, *Software Manual for the Elementary Functions*
(1980). Errors stay below 4 units in the last place of the result. Every case is a selection, not a branch, so NaN or
infinity in a row cost nothing; only angles beyond 2²² go to the C library, one by one. Invalid points come out as in
:mod:`hypo.kernels.cpu.operators`. ``out`` may be ``u`` everywhere, but loops over distinct rows are the fast ones.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from hypo.kernels.compiled import inner

_LOG2E = 1.0 / math.log(2.0)
# ln 2 and π in parts that add up to them: all but the last short enough for exact products with the integers of the reduction.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LN2_HIGH_SINGLE = np.float32(0.693359375)
_LN2_LOW_SINGLE = np.float32(math.log(2.0) - 0.693359375)
_PI_HIGH = 3.1415926218032837
_PI_MID = 3.178650954705639e-08
_PI_LOW = 1.2736634327021899e-24
_INV_PI = 1.0 / math.pi
# Largest angle that is reduced exactly.
_FAR = 2.0**22

# A number whose last bit counts ones: added to another, it leaves the nearest integer in the low bits.
_MAGIC = 1.5 * 2.0**52
_MAGIC_SINGLE = np.float32(1.5 * 2.0**23)
# The bits of the number 1: its exponent, and zeros.
_ONE = np.int64(1023 << 52)
_ONE_SINGLE = np.int32(127 << 23)
# Bits of a mantissa.
_BITS = np.uint64(52)
_BITS_SINGLE = np.int32(23)
# The smallest normal numbers.
_TINY = 2.0**-1022
_TINY_SINGLE = np.float32(2.0**-126)
# The bits of 1 and of the magic number without a sign, as mantissas are split off by arithmetic without one.
_UONE = np.uint64(_ONE)
_UMAGIC = np.float64(_MAGIC).view(np.uint64)
# From the bits of √½ to those of 1, so that mantissas split off lie between √½ and √2.
_ROOT_HALF = np.float64(math.sqrt(0.5)).view(np.uint64)
_TO_ONE = np.uint64(_ONE) - _ROOT_HALF
_TO_ONE_SINGLE = np.int32(_ONE_SINGLE - np.float32(math.sqrt(0.5)).view(np.int32))


def like(c, x):
    """The number ``c`` in the type of ``x``, a number or an array."""
    return np.asarray(x).dtype.type(c)


@overload(like)
def _like(c, x):
    if getattr(x, "dtype", x) == types.float32:
        return lambda c, x: np.float32(c)
    return lambda c, x: np.float64(c)


def _double(x): ...


@overload(_double)
def _double_typed(x):
    """True if ``x`` is double precision, known to the compiler."""
    return (lambda x: False) if x == types.float32 else (lambda x: True)


def _nearest(x): ...


@overload(_nearest)
def _nearest_typed(x):
    """The whole number nearest to ``x``, |x| < 2⁵¹ (2²² in single precision)."""
    if x == types.float32:
        return lambda x: np.float32(np.float32(x + _MAGIC_SINGLE) - _MAGIC_SINGLE)
    return lambda x: (x + _MAGIC) - _MAGIC


def _power_of_two(k): ...


@overload(_power_of_two)
def _power_of_two_typed(k):
    """2ᵏ for a whole number k within the range of normal numbers."""
    if k == types.float32:
        return lambda k: np.int32(
            np.int32(np.float32(k + _MAGIC_SINGLE).view(np.int32) << _BITS_SINGLE) + _ONE_SINGLE
        ).view(np.float32)
    return lambda k: np.int64((np.float64(k + _MAGIC).view(np.int64) << 52) + _ONE).view(np.float64)


def _split(x): ...


@overload(_split)
def _split_typed(x):
    """(m, k) with x = m·2ᵏ and √½ <= m < √2, for positive normal x."""

    def single(x):
        bits = x.view(np.int32)
        k = np.int32(np.int32(bits + _TO_ONE_SINGLE) >> _BITS_SINGLE) - np.int32(127)
        return np.int32(bits - np.int32(np.int32(k) << _BITS_SINGLE)).view(np.float32), np.float32(np.int32(k))

    def double(x):
        bits = np.float64(x).view(np.uint64)
        k = np.uint64(np.uint64(bits + _TO_ONE) >> _BITS)
        m = np.uint64(np.uint64(bits - np.uint64(k << _BITS)) + _UONE).view(np.float64)
        return m, np.uint64(k | _UMAGIC).view(np.float64) - (_MAGIC + 1023.0)

    return single if x == types.float32 else double


@inner(error_model="numpy", fastmath={"contract"})
def _reduced_exp(x):
    """(k, q) with exp(x) = 2ᵏ (1 + q) and |q| < 1/2; x clamped to where the result is 0 or infinity."""
    if _double(x):
        x = 712.0 if x > 712.0 else (-746.0 if x < -746.0 else x)
        k = _nearest(x * _LOG2E)
        r = (x - k * _LN2_HIGH) - k * _LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
    else:
        x = like(91.0, x) if x > like(91.0, x) else (like(-104.0, x) if x < like(-104.0, x) else x)
        k = _nearest(x * like(_LOG2E, x))
        r = (x - k * _LN2_HIGH_SINGLE) - k * _LN2_LOW_SINGLE
        p = like(1.0 / 5040.0, x)
    p = p * r + like(1.0 / 720.0, x)
    p = p * r + like(1.0 / 120.0, x)
    p = p * r + like(1.0 / 24.0, x)
    p = p * r + like(1.0 / 6.0, x)
    p = p * r + like(0.5, x)
    return k, p * r * r + r


@inner(error_model="numpy", fastmath={"contract"})
def _exp(x):
    k, q = _reduced_exp(x)
    # In two steps, for results near the ends of the exponent's range.
    half = _nearest(k * like(0.5, x))
    return (like(1.0, x) + q) * _power_of_two(half) * _power_of_two(k - half)


@inner(error_model="numpy", fastmath={"contract"})
def _expm1(x):
    """exp(x) - 1 where that is no overflow."""
    k, q = _reduced_exp(x)
    scale = _power_of_two(k)
    return scale * q + (scale - like(1.0, x))


@inner(error_model="numpy", fastmath={"contract"})
def log_one(x):
    """log(x), NaN unless x > 0."""
    if _double(x):
        tiny, lift, bits = _TINY, 2.0**54, 54.0
    else:
        tiny, lift, bits = _TINY_SINGLE, like(2.0**24, x), like(24.0, x)
    m, k = _split(x * lift if x < tiny else x)
    k = k - bits if x < tiny else k
    one = like(1.0, x)
    z = (m - one) / (m + one)
    s = z * z
    if _double(x):
        p = 2.0 / 21.0
        p = p * s + 2.0 / 19.0
        p = p * s + 2.0 / 17.0
        p = p * s + 2.0 / 15.0
        p = p * s + 2.0 / 13.0
        p = p * s + 2.0 / 11.0
        p = p * s + 2.0 / 9.0
        high, low = _LN2_HIGH, _LN2_LOW
    else:
        p = like(2.0 / 9.0, x)
        high, low = _LN2_HIGH_SINGLE, _LN2_LOW_SINGLE
    p = p * s + like(2.0 / 7.0, x)
    p = p * s + like(2.0 / 5.0, x)
    p = p * s + like(2.0 / 3.0, x)
    y = k * high + (z + z + (z * s * p + k * low))
    y = y if x > like(0.0, x) else like(np.nan, x)
    return y if x < like(np.inf, x) else x


@inner(error_model="numpy", fastmath={"contract"})
def _sin(x, shift):
    """sin(x), or cos(x) with ``shift`` 1/2."""
    # Angles are reduced in double precision. cos(x) = sin(x + π/2): half a turn less a half is counted off instead.
    a = np.float64(x)
    n = _nearest(a * _INV_PI + shift)
    k = n - shift
    a = ((a - k * _PI_HIGH) - k * _PI_MID) - k * _PI_LOW
    # An odd number of half turns changes the sign.
    r = like(a * _sign(n), x)
    s = r * r
    if _double(x):
        p = -1.0 / 51090942171709440000.0
        p = p * s + 1.0 / 121645100408832000.0
        p = p * s - 1.0 / 355687428096000.0
        p = p * s + 1.0 / 1307674368000.0
    else:
        p = like(0.0, x)
    p = p * s - like(1.0 / 6227020800.0, x)
    p = p * s + like(1.0 / 39916800.0, x)
    p = p * s - like(1.0 / 362880.0, x)
    p = p * s + like(1.0 / 5040.0, x)
    p = p * s - like(1.0 / 120.0, x)
    p = p * s + like(1.0 / 6.0, x)
    return r - r * s * p


@inner(error_model="numpy")
def _sign(n):
    """(-1)ⁿ for a whole number n."""
    return np.int64((np.float64(n + _MAGIC).view(np.int64) << 63) | _ONE).view(np.float64)


@inner(error_model="numpy", fastmath={"contract"})
def _tanh(x):
    a = abs(x)
    e = _expm1(like(44.0, x) if a > like(22.0, x) else a + a)
    return math.copysign(e / (e + like(2.0, x)), x)


@inner(error_model="numpy")
def positive(u):
    """True if all values are positive and finite."""
    count = 0
    for i in range(u.shape[0]):
        count += not (like(0.0, u) < u[i] and u[i] < like(np.inf, u))
    return count == 0


@inner(error_model="numpy")
def _any_far(u):
    count = 0
    for i in range(u.shape[0]):
        a = abs(u[i])
        count += a > like(_FAR, u) and a < like(np.inf, u)
    return count > 0


@inner(error_model="numpy")
def exp_row(u, out):
    """``out = exp(u)``."""
    for i in range(u.shape[0]):
        out[i] = _exp(u[i])


@inner(error_model="numpy")
def log_row(u, out):
    """``out = log(u)``, NaN unless u > 0."""
    for i in range(u.shape[0]):
        out[i] = log_one(u[i])


@inner(error_model="numpy")
def sin_row(u, out, quarter):
    """``out = sin(u)``, or cos(u) with ``quarter`` 1."""
    shift = 0.5 * quarter
    if not _any_far(u):
        for i in range(u.shape[0]):
            out[i] = _sin(u[i], shift)
        return
    for i in range(u.shape[0]):
        a = u[i]
        if abs(a) > _FAR:
            out[i] = np.cos(a) if quarter else np.sin(a)
        else:
            out[i] = _sin(a, shift)


@inner(error_model="numpy")
def tanh_row(u, out):
    """``out = tanh(u)``."""
    for i in range(u.shape[0]):
        out[i] = _tanh(u[i])
