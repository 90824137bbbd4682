"""Vector functions of both precisions against mpmath, at special values, in place, and inside the evaluation kernels."""

import math

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.elementary import exp_row, log_row, sin_row, tanh_row
from hypo.kernels.cpu.evaluate import evaluate, value_and_gradient
from hypo.kernels.cpu.operators import unary_block
from tests.oracles.operators import BY_NAME, BY_OPCODE, EDGES

ULP = 4  # largest error, in units in the last place of the result
N = 600
# The ends of the ranges of both precisions, too.
SPECIAL = (*EDGES, math.inf, -math.inf, math.nan, -5e-324, 1e-310, 709.7, 709.8, -746.0, 88.7, 88.8, -103.0, -104.0, 2.0**22,
           1e10)  # fmt: skip

FUNCTIONS = {
    "exp": exp_row,
    "log": log_row,
    "sin": lambda u, out: sin_row(u, out, 0),
    "cos": lambda u, out: sin_row(u, out, 1),
    "tanh": tanh_row,
}
EACH = pytest.mark.parametrize("name", FUNCTIONS)
BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def points(name: str, dtype: type) -> np.ndarray:
    """Arguments over the whole range, with those where digits are easily lost."""
    rng = np.random.default_rng(len(name))
    sign = rng.choice([-1.0, 1.0], N)
    single = dtype is np.float32
    if name == "log":
        low, high = (-44, 38) if single else (-320, 308)
        parts = [
            10.0 ** rng.uniform(low, high, N),
            1 + sign * 10.0 ** rng.uniform(-16, -1, N),
            rng.uniform(0.5, 2.0, N),
        ]
    elif name in ("sin", "cos"):
        turns = rng.integers(-(2**21), 2**21, N)
        parts = [
            turns * (math.pi / 2),
            np.arange(-200, 201) * (math.pi / 2),
            rng.uniform(-(2.0**22), 2.0**22, N),
            sign * 10.0 ** rng.uniform(-12, 1, N),
        ]
    else:
        high = 88.0 if single else 709.0
        parts = [
            sign * 10.0 ** rng.uniform(-12, math.log10(high), N),
            rng.uniform(-high, high, N),
            rng.uniform(-2, 2, N),
        ]
    u = np.concatenate(parts).astype(dtype)
    return u[u > 0] if name == "log" else u[np.abs(u) <= 2.0**22]


@EACH
@BOTH
def test_accuracy_against_mpmath(name, dtype):
    row, exact = FUNCTIONS[name], BY_NAME[name].exact
    u = points(name, dtype)
    out = np.empty_like(u)
    row(u, out)
    worst = 0.0
    with mpmath.workprec(200):
        for a, got in zip(u, out, strict=True):
            want = exact(mpmath.mpf(float(a)))
            unit = float(np.spacing(np.abs(dtype(float(want)))))
            worst = max(worst, float(abs(mpmath.mpf(float(got)) - want) / unit))
    assert worst <= ULP


@EACH
@BOTH
def test_special_values_and_rows_with_invalid_points(name, dtype):
    row = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        u = np.array(SPECIAL).astype(dtype)
        want = BY_NAME[name].array(u)
    if name == "log":
        want[u == 0] = np.nan
    out = np.empty_like(u)
    row(u, out)
    assert_array_equal(np.isnan(out), np.isnan(want))
    assert_array_equal(np.isinf(out), np.isinf(want))
    fine = np.isfinite(want)
    with np.errstate(under="ignore"):
        assert np.all(np.abs(out[fine] - want[fine]) <= ULP * np.spacing(np.abs(want[fine])))
    assert_array_equal(np.sign(out[fine]), np.sign(want[fine]))


@EACH
@BOTH
@pytest.mark.parametrize("n", [1, 7, 64, 513])
def test_in_place_gives_the_same_bits(name, dtype, n):
    row = FUNCTIONS[name]
    rng = np.random.default_rng(n)
    u = rng.uniform(-5, 5, n).astype(dtype)
    u[::5] *= dtype(1e8)
    out = np.empty_like(u)
    row(u, out)
    row(u, u)
    assert_array_equal(u, out)


def test_blocks_write_only_the_rows_asked_for():
    u, out = np.full(8, 0.5), np.zeros(8)
    for op in range(oc.FIRST_UNARY, oc.FIRST_USER):
        out[:] = -7.0
        unary_block(op, u, out, 5)
        assert np.all(out[:5] != -7.0) and np.all(out[5:] == -7.0)


# --- evaluation ------------------------------------------------------------------------------------------------

X = np.random.default_rng(4).uniform(0.5, 2.0, (2, 700))
V, W, C, D = (oc.VAR, 0), (oc.VAR, 1), (oc.CONST, 0), (oc.CONST, 1)
NUMBERS = (1.7, -0.3)


def op(code: int) -> tuple[int, int]:
    return code, 0


def run(program, const, rows):
    code, arg = (np.array(a, np.int32) for a in zip(*program, strict=True))
    out = np.empty((1, rows.shape[1]), rows.dtype)
    evaluate(code, arg, np.array([0, len(code)]), np.array(const, rows.dtype), np.zeros(1, np.int64), rows, out)
    return out[0]


def gradient(program, const, rows):
    code, arg = (np.array(a, np.int32) for a in zip(*program, strict=True))
    out, grad = np.empty(rows.shape[1], rows.dtype), np.empty((len(const), rows.shape[1]), rows.dtype)
    value_and_gradient(code, arg, np.array(const, rows.dtype), rows, out, grad)
    return out, grad


@pytest.mark.parametrize("code", range(oc.FIRST_BINARY, oc.N_OPCODE))
def test_numbers_stand_on_either_side_of_an_operator(code):
    x, c, d = X[0], *NUMBERS
    exact, reference = code != oc.POW, BY_OPCODE[code].array
    for program, want in (
        ([V, C], reference(x, c)),
        ([C, V], reference(c, x)),
        ([C, C], np.full(700, reference(c, c))),
        ([V, W], reference(x, X[1])),
        ([V, D], reference(x, d)),
        ([V, V], reference(x, x)),
    ):
        got = run([*program, op(code)], NUMBERS, X)
        np.testing.assert_allclose(got, want, rtol=0.0 if exact else 1e-15)
        value, _ = gradient([*program, op(code)], NUMBERS, X)
        assert_array_equal(value, got)
    if exact:
        # Below another operator the number is a row beside others.
        got = run([C, op(oc.SQUARE), C, V, op(code), op(oc.ADD)], NUMBERS, X)
        assert_array_equal(got, c * c + reference(c, x))


@pytest.mark.parametrize("exponent", [k / 2 for k in range(-8, 9)])
def test_small_powers(exponent):
    u = np.array([[0.0, -0.0, math.nan, math.inf, -math.inf, 2.0, -2.0, 1e-3, 0.3, 7.0, -1.1]])
    got = run([V, C, op(oc.POW)], [exponent], u)
    with np.errstate(all="ignore"):
        want = u[0] ** exponent
    want[np.isnan(u[0])] = np.nan
    if exponent < 0:
        want[u[0] == 0] = np.nan
    if exponent % 1:
        want[np.isneginf(u[0])] = np.nan
    np.testing.assert_allclose(got, want, rtol=9e-16)


def test_division_by_the_number_zero_is_invalid():
    assert np.isnan(run([V, C, op(oc.DIV)], [0.0], X)).all()
    assert np.isnan(run([C, V, op(oc.DIV)], [1.0], np.zeros((1, 3)))).all()


PROGRAM = [
    C,
    V,
    op(oc.MUL),
    op(oc.SIN),
    D,
    W,
    op(oc.DIV),
    op(oc.EXP),
    op(oc.SUB),
    V,
    C,
    op(oc.ADD),
    op(oc.LOG),
    op(oc.MUL),
    W,
    C,
    op(oc.POW),
    D,
    V,
    op(oc.SUB),
    op(oc.TANH),
    op(oc.ADD),
    op(oc.ADD),
]


@pytest.mark.slow
def test_single_precision_is_double_precision_rounded():
    rows = X.astype(np.float32)
    const = np.array(NUMBERS, np.float32)
    value, grad = gradient(PROGRAM, const, rows)
    assert value.dtype == grad.dtype == np.float32
    assert_array_equal(run(PROGRAM, const, rows), value)
    exact, slope = gradient(PROGRAM, const.astype(float), rows.astype(float))
    np.testing.assert_allclose(value, exact, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(grad, slope, rtol=1e-5, atol=1e-5)


def test_gradient_of_a_formula_with_shared_constants():
    value, grad = gradient(PROGRAM, NUMBERS, X)
    for k in range(2):
        h = np.zeros(2)
        h[k] = 1e-5
        want = (run(PROGRAM, NUMBERS + h, X) - run(PROGRAM, NUMBERS - h, X)) / 2e-5
        np.testing.assert_allclose(grad[k], want, rtol=1e-7, atol=1e-7)
    assert_array_equal(value, run(PROGRAM, NUMBERS, X))
