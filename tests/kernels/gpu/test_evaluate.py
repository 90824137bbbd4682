"""GPU kernels for expressions in numba's CUDA simulator, against the kernels of the processor.

The simulator starts a Python thread for each thread of a block, so blocks have four and batches are small.
"""

import itertools
import os
import sys
from collections.abc import Iterator

import numba
import numpy as np
import pytest

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
numba.config.ENABLE_CUDASIM = 1  # before anything imports numba.cuda

from hypo.expression.operators import OPERATORS  # noqa: E402
from hypo.kernels import opcodes as oc  # noqa: E402
from hypo.kernels.cpu.evaluate import evaluate, value_and_gradient  # noqa: E402
from hypo.kernels.cpu.fit_batch import MAX_FREE, MAX_TERMS, ROUNDING, fit_batch  # noqa: E402
from hypo.kernels.gpu import evaluate as cuda_evaluate  # noqa: E402
from hypo.kernels.gpu import fit_batch as cuda_fit  # noqa: E402
from hypo.kernels.gpu import packing as cuda_batch  # noqa: E402

# The simulator computes with NumPy's numbers, which warn where the kernels' results are NaN or infinite.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
N_VAR = 3
CODES = [row.opcode for row in OPERATORS]
FUNCTIONS = [code for code in CODES if oc.arity(code) == 1]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cuda_evaluate, "THREADS", 4)
    monkeypatch.setattr(cuda_evaluate, "SPAN", 2)
    monkeypatch.setattr(cuda_fit, "THREADS", (4, 4))
    # Else a thread that watches the others holds the interpreter most of the time.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(interval)
    for module in (cuda_evaluate, cuda_fit):
        module._kernels.cache_clear()


class Batch:
    """Programs end to end, as the kernels take them."""

    def __init__(self, programs: list[tuple[list[int], list[int], list[float]]]) -> None:
        self.op = np.array([o for op, _, _ in programs for o in op], np.int32)
        self.arg = np.array([a for _, arg, _ in programs for a in arg], np.int32)
        self.start = np.cumsum([0, *(len(op) for op, _, _ in programs)])
        self.const = np.array([c for _, _, const in programs for c in const], np.float64)
        self.const_start = np.cumsum([0, *(len(const) for _, _, const in programs)])[:-1]
        self.count = np.array([len(const) for _, _, const in programs])

    def packed(self) -> cuda_evaluate.Programs:
        return cuda_evaluate.programs(self.op, self.arg, self.start, self.const, self.const_start)

    def padded(self) -> tuple[np.ndarray, ...]:
        """As :mod:`hypo.kernels.cpu.fit_batch` takes them, all constants free."""
        n, width = len(self.count), int(np.max(np.diff(self.start)))
        op, arg, value = np.zeros((n, width), np.int32), np.zeros((n, width), np.int32), np.zeros((n, width))
        for e, (a, b) in enumerate(itertools.pairwise(self.start)):
            op[e, : b - a], arg[e, : b - a] = self.op[a:b], self.arg[a:b]
            for k in np.flatnonzero(self.op[a:b] == oc.CONST):
                value[e, k] = self.const[self.const_start[e] + arg[e, k]]
                arg[e, k] = -1
        return op, arg, value, np.diff(self.start).astype(np.int64)

    def values(self, X: np.ndarray) -> np.ndarray:
        out = np.empty((len(self.start) - 1, X.shape[1]), X.dtype)
        evaluate(self.op, self.arg, self.start, self.const.astype(X.dtype), self.const_start, X, out)
        return out


def random_program(rng: np.random.Generator, size: int, n_const: int) -> tuple[list[int], list[int], list[float]]:
    """A random tree of about ``size`` nodes in postfix, whose constants are numbered in the order they come."""
    op: list[int] = []
    arg: list[int] = []
    const: list[float] = []

    def grow(left: int) -> None:
        if left <= 1:
            if len(const) < n_const and rng.random() < 0.4:
                op.append(oc.CONST)
                arg.append(len(const))
                const.append(float(rng.uniform(0.5, 2)))
            else:
                op.append(oc.VAR)
                arg.append(int(rng.integers(N_VAR)))
            return
        code = CODES[rng.integers(len(CODES) if left > 2 else len(FUNCTIONS))]
        if oc.arity(code) == 1:
            grow(left - 1)
        else:
            share = int(rng.integers(1, left - 1))
            grow(share)
            grow(left - 1 - share)
        op.append(code)
        arg.append(0)

    grow(size)
    return op, arg, const


def rows(n: int, dtype: type = np.float64) -> np.ndarray:
    X = np.random.default_rng(3).uniform(-2, 2, (N_VAR, n))
    X[:, 0] = 0.0
    return np.ascontiguousarray(X, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_operator_on_edges_of_its_domain(dtype: type) -> None:
    edges = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, np.nan, np.inf, -np.inf, 1e-30, 30, 800, -800])
    u, v = (a.ravel() for a in np.meshgrid(edges, edges[:9]))
    # NumPy takes a root there, C a power.
    u, v = (a[(u != -np.inf) | (v != 0.5)] for a in (u, v))
    X = np.ascontiguousarray([u, v, u], dtype)
    batch = Batch([([oc.VAR] * oc.arity(o) + [o], [*range(oc.arity(o)), 0], []) for o in CODES])
    found = np.asarray(cuda_evaluate.values(batch.packed(), X))
    assert found.dtype == dtype
    with np.errstate(all="ignore"):
        want = batch.values(X)
        np.testing.assert_allclose(found, want, rtol=1e-6 if dtype is np.float32 else 1e-14)


def test_values_of_random_programs_on_blocks_of_rows() -> None:
    rng = np.random.default_rng(0)
    batch = Batch([random_program(rng, int(rng.integers(1, 25)), 3) for _ in range(30)])
    X = rows(37)
    np.testing.assert_allclose(
        np.asarray(cuda_evaluate.values(batch.packed(), X)), batch.values(X), rtol=1e-9, atol=1e-9
    )


def test_one_row_of_a_thread_where_stacks_are_high(monkeypatch: pytest.MonkeyPatch) -> None:
    op, arg = [oc.VAR] * 9 + [oc.SUB] * 8, [k % 3 for k in range(9)] + [0] * 8
    batch, X = Batch([(op, arg, [])]), rows(11)
    for size in (4 * 9 * 4 * 8, 9 * 4 * 8):
        monkeypatch.setattr(cuda_evaluate, "SHARED", size + 8 * 4)
        np.testing.assert_array_equal(np.asarray(cuda_evaluate.values(batch.packed(), X)), batch.values(X))
    monkeypatch.setattr(cuda_evaluate, "SHARED", 0)
    with pytest.raises(ValueError, match="needs a stack of 9 numbers"):
        cuda_evaluate.values(batch.packed(), X)


def test_losses() -> None:
    rng = np.random.default_rng(1)
    batch, X = Batch([random_program(rng, 5, 2) for _ in range(12)]), np.abs(rows(45)) + 0.1
    y, root = rng.normal(size=45), rng.uniform(0.5, 2, 45)
    found = np.asarray(cuda_evaluate.losses(batch.packed(), X, y, root)).sum(axis=1)
    want = np.sum((root * (y - batch.values(X))) ** 2, axis=1)
    assert np.isfinite(want).sum() > 3
    np.testing.assert_allclose(found, want, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_equations(dtype: type) -> None:
    rng = np.random.default_rng(2)
    X = np.ascontiguousarray(rng.uniform(0.3, 2, (N_VAR, 13)), dtype)
    y, root = rng.normal(size=13).astype(dtype), rng.uniform(0.5, 2, 13).astype(dtype)
    batch = Batch([random_program(rng, int(rng.integers(2, 16)), 4) for _ in range(14)])
    found = np.asarray(cuda_fit.normal_equations(cuda_batch.packed(batch.padded(), False, np.inf), X, y, root))
    compared = 0
    for e, count in enumerate(batch.count):
        a, b, c = batch.start[e], batch.start[e + 1], batch.const_start[e]
        value, grad = np.empty(13), np.empty((count, 13))
        const = batch.const[c : c + count]
        with np.errstate(all="ignore"):
            value_and_gradient(batch.op[a:b], batch.arg[a:b], const, X.astype(np.float64), value, grad)
        J = np.vstack([grad, (y - value)[None]]) * root
        if not np.all(np.isfinite(J)) or np.abs(J).max() > 1e4:
            continue
        want = (J @ J.T)[np.tril_indices(count + 1)]
        size = np.sqrt(np.outer(*[np.sum(J * J, axis=1)] * 2))[np.tril_indices(count + 1)]
        assert np.all(np.abs(found[e, : len(want)] - want) <= (1e-4 if dtype is np.float32 else 1e-11) * (size + 1e-12))
        compared += count > 0
    assert compared >= 4


def laws() -> tuple[Batch, np.ndarray, np.ndarray]:
    """Forms with constants off their values, rows, and a target a·sin(b·x) + c·√y."""
    x0, x1, x2 = ([oc.VAR], [0]), ([oc.VAR], [1]), ([oc.VAR], [2])

    def c(k: int) -> tuple[list[int], list[int]]:
        return [oc.CONST], [k]

    def apply(code: int, *parts: tuple[list[int], list[int]]) -> tuple[list[int], list[int]]:
        return [*(o for p in parts for o in p[0]), code], [*(a for p in parts for a in p[1]), 0]

    wave = apply(oc.MUL, c(0), apply(oc.SIN, apply(oc.MUL, c(1), x0)))
    forms = [
        (apply(oc.ADD, wave, apply(oc.MUL, c(2), apply(oc.SQRT, x1))), [1.0, 1.2, 1.0]),
        (apply(oc.ADD, c(0), apply(oc.MUL, c(1), x2)), [0.0, 0.0]),
        (apply(oc.MUL, c(0), apply(oc.POW, x1, c(1))), [1.0, 1.0]),
        (apply(oc.DIV, c(0), apply(oc.ADD, c(1), apply(oc.EXP, x0))), [1.0, 1.0]),
        (apply(oc.ADD, x0, x1), []),
        (apply(oc.MUL, c(0), apply(oc.SQRT, apply(oc.SUB, x0, c(1)))), [1.0, 100.0]),
    ]
    X = np.random.default_rng(5).uniform(0.5, 2, (N_VAR, 10))
    y = 1.7 * np.sin(1.4 * X[0]) + 0.6 * np.sqrt(X[1])
    return Batch([(op, arg, const) for (op, arg), const in forms]), X, y


def both(
    programs: tuple[np.ndarray, ...],
    rows: tuple[np.ndarray, ...],
    linear: bool,
    evaluations: int,
    limit: float = np.inf,
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """(value, rss, coef) of a fit on the device, and of one on the processor."""
    n, out = len(programs[3]), []
    for device in (True, False):
        mine = tuple(a.copy() for a in programs)
        rss, coef = np.full(n, np.inf), np.zeros((n, MAX_TERMS + 1))
        if device:
            batch = cuda_batch.packed(mine, linear, np.full(n, limit))
            cuda_fit.fit(batch, 0, n, rows, float(np.sum((rows[1] * rows[2]) ** 2)) * ROUNDING, evaluations)
            cuda_batch.unpack(batch, mine, rss, coef)
        else:
            with np.errstate(all="ignore"):
                fit_batch(mine, rows, linear, evaluations, np.full(n, limit), rss, coef)
        out.append((mine[2], rss, coef))
    return out[0], out[1]


def test_levenberg_marquardt_as_on_the_processor() -> None:
    batch, X, y = laws()
    root = np.random.default_rng(6).uniform(0.5, 2, len(y))
    (value, rss, _), (_, want, _) = both(batch.padded(), (X, y, root), False, 40)
    np.testing.assert_allclose(rss, want, rtol=1e-6, atol=1e-20)
    assert rss[0] < 1e-20 and rss[5] == np.inf
    np.testing.assert_allclose(value[0][batch.op[: batch.start[1]] == oc.CONST], [1.7, 1.4, 0.6], rtol=1e-7)
    # What cannot be evaluated keeps its constants.
    np.testing.assert_array_equal(value[5][value[5] != 0.0], [1.0, 100.0])


@pytest.mark.parametrize("evaluations", [1, 2, 6])
def test_sums_of_terms_as_on_the_processor(evaluations: int) -> None:
    rng = np.random.default_rng(7)
    programs = []
    for _ in range(24):
        op, arg, const = random_program(rng, int(rng.integers(1, 7)), 2)
        for _ in range(int(rng.integers(0, 4))):
            more = random_program(rng, int(rng.integers(1, 7)), 2)
            numbered = [a + len(const) if o == oc.CONST else a for o, a in zip(more[0], more[1], strict=True)]
            # Sums lean to either side.
            one, two = ((op, arg), (more[0], numbered))[:: rng.choice([1, -1])]
            op, arg, const = [*one[0], *two[0], oc.ADD], [*one[1], *two[1], 0], const + more[2]
        programs.append((op, arg, const))
    X = np.random.default_rng(5).uniform(0.5, 2, (N_VAR, 21))
    y = 2.0 + 1.7 * np.sin(1.4 * X[0]) * X[2] - 0.6 * np.sqrt(X[1]) + 0.1 * rng.normal(size=21)
    root = rng.uniform(0.5, 2, len(y))
    (value, rss, coef), (values, want, coefs) = both(Batch(programs).padded(), (X, y, root), True, evaluations)
    assert np.isfinite(want).sum() > 12
    np.testing.assert_array_equal(np.isfinite(rss), np.isfinite(want))
    np.testing.assert_allclose(rss, want, rtol=1e-7)
    # Coefficients of columns that are nearly dependent are rounding, the formula with them is not.
    near = np.abs(coefs).max(axis=1) < 1e3
    assert near.sum() > 10
    np.testing.assert_allclose(coef[near], coefs[near], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(value[near], values[near], rtol=1e-5, atol=1e-6)


def test_exact_sums_are_exact() -> None:
    x0, x1 = [oc.VAR], [oc.VAR]
    op = [*x0, oc.CONST, oc.MUL, oc.SIN, *x1, oc.SQUARE, oc.ADD]
    X = np.random.default_rng(5).uniform(0.5, 2, (N_VAR, 17))
    y = 3.0 - 2.0 * np.sin(1.3 * X[0]) + 1e-3 * X[1] ** 2
    batch = Batch([(op, [0, 0, 0, 0, 1, 0, 0], [1.0])])
    (value, rss, coef), _ = both(batch.padded(), (X, y, np.ones(17)), True, 40)
    assert rss[0] < 1e-24 * np.sum(y**2)
    # From the last term to the first.
    np.testing.assert_allclose(coef[0, :3], [3.0, 1e-3, -2.0], rtol=1e-9)
    np.testing.assert_allclose(value[0, 1], 1.3, rtol=1e-10)


def test_a_program_above_its_limit_is_given_up_where_the_processor_gives_it_up() -> None:
    batch, X, y = laws()
    for limit in (0.0, 1e-3):
        (value, rss, _), (values, want, _) = both(batch.padded(), (X, y, np.ones(len(y))), False, 40, limit)
        np.testing.assert_allclose(rss, want, rtol=1e-6, atol=1e-20)
        np.testing.assert_allclose(value, values, rtol=1e-6, atol=1e-8)


def test_fixed_numbers_stay_and_what_does_not_fit_is_infinite() -> None:
    X = np.random.default_rng(5).uniform(0.5, 2, (N_VAR, 9))
    y = 2.0 * X[0] + 1.5 * X[1]
    width = 2 * MAX_FREE + 3
    op, arg, value = np.zeros((4, width), np.int32), np.zeros((4, width), np.int32), np.zeros((4, width))
    # a*x0 + 1.5*x1 with 1.5 fixed, the empty program, one with too many terms, one with too many constants.
    op[0, :7] = [oc.CONST, oc.VAR, oc.MUL, oc.CONST, oc.VAR, oc.MUL, oc.ADD]
    arg[0, :5], value[0, [0, 3]] = [-1, 0, 0, 0, 1], [1.0, 1.5]
    op[2, : 2 * MAX_TERMS + 1] = [oc.VAR] * (MAX_TERMS + 1) + [oc.ADD] * MAX_TERMS
    op[3, :width] = [oc.CONST] * (MAX_FREE + 2) + [oc.MUL] * (MAX_FREE + 1)
    arg[3, : MAX_FREE + 2] = -1
    length = np.array([7, 0, 2 * MAX_TERMS + 1, width], np.int64)
    for linear in (True, False):
        (found, rss, _), (values, want, _) = both((op, arg, value, length), (X, y, np.ones(9)), linear, 10)
        np.testing.assert_allclose(rss, want, rtol=1e-6, atol=1e-20)
        np.testing.assert_allclose(found, values, rtol=1e-6)
        assert found[0, 3] == 1.5 and np.isinf(rss[[1, 3]]).all() and np.isinf(rss[2]) == linear


def test_what_does_not_fit_is_refused() -> None:
    X, one = rows(4), np.ones(4)
    long = Batch([([oc.VAR] + [oc.SIN] * 2000, [0] * 2001, [])])
    with pytest.raises(ValueError, match="2001 nodes"):
        cuda_fit.normal_equations(cuda_batch.packed(long.padded(), False, np.inf), X, one, one)
