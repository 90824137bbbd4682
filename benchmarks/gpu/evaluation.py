"""Random trees on the GPU: values, gradients and fits of thousands of expressions, and batches as evolution has them fitted;
used by run.py."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.evaluate import value_and_gradient

COLUMNS = 10
# Nodes of a tree, at most.
NODES = 64
OPERATORS = (oc.ADD, oc.SUB, oc.MUL, oc.DIV)
FUNCTIONS = (oc.EXP, oc.SIN, oc.SQRT, oc.SQUARE)


def random_trees(count: int, seed: int = 0) -> tuple[list[int], list[int], list[int], list[float], list[int]]:
    """``count`` trees of 1 to 64 nodes: op, arg, start, const, const_start; up to 8 constants each, free ones all."""
    rng = np.random.default_rng(seed)
    op: list[int] = []
    arg: list[int] = []
    start, const, const_start = [0], [], []

    def grow(n: int) -> None:
        if n <= 1:
            if rng.random() < 0.3 and len(const) - const_start[-1] < 8:
                op.append(oc.CONST)
                arg.append(len(const) - const_start[-1])
                const.append(float(rng.uniform(0.5, 2.0)))
            else:
                op.append(oc.VAR)
                arg.append(int(rng.integers(COLUMNS)))
            return
        if n == 2 or rng.random() < 0.3:
            grow(n - 1)
            op.append(int(rng.choice(FUNCTIONS)))
        else:
            left = int(rng.integers(1, n - 1))
            grow(left)
            grow(n - 1 - left)
            op.append(int(rng.choice(OPERATORS)))
        arg.append(0)

    for _ in range(count):
        const_start.append(len(const))
        grow(int(rng.integers(1, NODES + 1)))
        start.append(len(op))
    return op, arg, start, const, const_start


def normal_equations(op, arg, start, const, const_start, free, X, y):  # type: ignore[no-untyped-def]
    """The lower triangle of (J, r)ᵀ(J, r) of each tree, on the processor."""
    for e in range(len(start) - 1):
        a, b = start[e], start[e + 1]
        value, grad = np.empty(X.shape[1]), np.zeros((free[e], X.shape[1]))
        c = const[const_start[e] : const_start[e] + free[e]]
        with np.errstate(all="ignore"):
            value_and_gradient(op[a:b], arg[a:b], c, X, value, grad)
            both = np.vstack([grad, y - value])
            yield (both @ both.T)[np.tril_indices(len(both))]


def limit() -> float | None:
    """Node-rows a second of :mod:`hypo.kernels.gpu.evaluate`, in single precision: a word of shared memory each."""
    from numba import cuda

    try:
        device = cuda.get_current_device()
        return 32.0 * device.MULTIPROCESSOR_COUNT * device.CLOCK_RATE * 1e3
    except Exception:
        return None


def batch(op: Any, arg: Any, start: Any, const: Any, const_start: Any) -> tuple[np.ndarray, ...]:
    """The trees as fits take them: op, arg, value (n, 64), and length; all constants free."""
    n = len(start) - 1
    wide = np.zeros((n, NODES), np.int32), np.zeros((n, NODES), np.int32), np.zeros((n, NODES))
    for e in range(n):
        a, b = start[e], start[e + 1]
        wide[0][e, : b - a], wide[1][e, : b - a] = op[a:b], arg[a:b]
        for k in np.flatnonzero(op[a:b] == oc.CONST):
            wide[2][e, k], wide[1][e, k] = const[const_start[e] + arg[a + k]], -1
    return *wide, np.diff(start).astype(np.int64)


def evaluation(count: int, n_row: int) -> dict[str, Any]:
    """Node-rows a second of losses and of normal equations, and fits a second; checked against the processor first."""
    from numba import cuda

    from hypo.kernels.cpu.evaluate import evaluate
    from hypo.kernels.gpu import evaluate as cuda_evaluate
    from hypo.kernels.gpu import fit_batch as cuda_fit
    from hypo.kernels.gpu import packing as cuda_batch

    peak = limit()
    op, arg, start, const, const_start = (np.array(a) for a in random_trees(count))
    padded = batch(op, arg, start, const, const_start)
    rng = np.random.default_rng(1)
    wide = rng.uniform(0.5, 2.0, (COLUMNS, n_row))
    out: dict[str, Any] = {"trees": count, "nodes": len(op), "rows": n_row, "limit_node_rows_per_second": peak}
    few = min(count, 50)
    part = (
        op[: start[few]].astype(np.int32),
        arg[: start[few]].astype(np.int32),
        start[: few + 1],
        const,
        const_start[:few],
    )
    X0 = np.ascontiguousarray(wide[:, :64])
    want = np.empty((few, X0.shape[1]))
    with np.errstate(all="ignore"):
        evaluate(*part, X0, want)
    found = cuda_evaluate.values(cuda_evaluate.programs(*part), cuda.to_device(X0)).copy_to_host()
    both = np.isfinite(want) & np.isfinite(found)
    assert both.mean() > 0.5 * np.isfinite(want).mean() and np.isclose(found[both], want[both], rtol=1e-6).mean() > 0.99
    y0, free = rng.normal(size=X0.shape[1]), np.diff([*const_start, len(const)])
    given = cuda.to_device(X0), cuda.to_device(y0), cuda.to_device(np.ones(len(y0)))
    some = cuda_batch.packed(tuple(a[:few] for a in padded), False, np.inf)
    found = cuda_fit.normal_equations(some, *given).copy_to_host()
    out["normal equations that agree"] = np.mean([
        np.allclose(found[e, : len(row)], row, rtol=1e-6, atol=1e-9 * np.abs(row).max(), equal_nan=True)
        for e, row in enumerate(normal_equations(*part, free, X0, y0)) if np.isfinite(row).all()
    ] or [1.0])  # fmt: skip
    assert out["normal equations that agree"] > 0.95
    for name, dtype in (("float32", np.float32), ("float64", np.float64)):
        X = cuda.to_device(wide.astype(dtype))
        y, root = cuda.to_device(rng.normal(size=n_row).astype(dtype)), cuda.to_device(np.ones(n_row, dtype))
        p = cuda_evaluate.programs(op, arg, start, const, const_start)
        packed = cuda_batch.packed(padded, False, np.inf)

        def rate(work: Any, nodes: int, n_row: int = n_row) -> float:
            work()
            cuda.synchronize()
            times = []
            for _ in range(5):
                begin = time.perf_counter()
                work()
                cuda.synchronize()
                times.append(time.perf_counter() - begin)
            return nodes * n_row / float(np.median(times))

        for what, work, nodes in (
            ("values", lambda p=p, X=X, y=y, root=root: cuda_evaluate.losses(p, X, y, root), len(op)),
            ("gradients", lambda p=packed, X=X, y=y, root=root: cuda_fit.normal_equations(p, X, y, root), len(op)),
        ):
            try:
                found = rate(work, nodes)
                out[f"{name}, {what}"] = {"node_rows_per_second": found}
                if peak is not None:
                    # A number of double precision is two words; a gradient costs about three times the value.
                    most = peak / (2 if dtype is np.float64 else 1) / (3 if what == "gradients" else 1)
                    out[f"{name}, {what}"]["share_of_limit"] = found / most
            except Exception as error:
                out[f"{name}, {what}"] = f"failed: {type(error).__name__}: {error}"
    y = np.random.default_rng(2).normal(size=min(n_row, 256))
    rows = tuple(cuda.to_device(a) for a in (np.ascontiguousarray(wide[:, : len(y)]), y, np.ones(len(y))))
    for name, linear in (("fits", False), ("fits of sums of terms", True)):
        p = cuda_batch.packed(padded, linear, np.inf)
        cuda_fit.fit(p, 0, count, rows, 0.0, 2)
        cuda.synchronize()
        p = cuda_batch.packed(padded, linear, np.inf)
        begin = time.perf_counter()
        cuda_fit.fit(p, 0, count, rows, 0.0, 10)
        cuda.synchronize()
        out[f"{name} of 10 evaluations on 256 rows, per second"] = count / (time.perf_counter() - begin)
    return out


def batches(counts: tuple[int, ...], n_row: int) -> dict[str, Any]:
    """Seconds of a batch of evolution from arrays to arrays, on the device and on one core, by its size in node-rows with
    evaluations counted: where the two meet is what ``hypo.search.gpu.batches.WORTH`` should be. With it comes the share of
    programs whose sums of squares agree. Raises RuntimeError where the device fails."""
    from hypo.clock import Deadline
    from hypo.parallel.batches import Processor
    from hypo.parallel.executor import Serial
    from hypo.search.evolution.island import EVALUATIONS
    from hypo.search.evolution.programs import WIDTH, ProgramBatch
    from hypo.search.gpu import batches as cuda_batches

    X = np.random.default_rng(1).uniform(0.5, 2.0, (COLUMNS, n_row))
    y = np.sin(X[0] * X[1]) + X[2] / X[3]
    rows = X, y, np.ones(n_row)
    processor = Processor(Serial())
    device = cuda_batches.CudaBatches(processor)
    worth, cuda_batches.WORTH = cuda_batches.WORTH, 0
    out: dict[str, Any] = {"worth": worth}
    try:
        device.prepare()
        for count in counts:
            op, arg, value, length = batch(*(np.array(a) for a in random_trees(4 * count + 40, count)))
            short = np.flatnonzero(length <= WIDTH)[:count]
            made = ProgramBatch.empty(len(short))
            made.op[:], made.arg[:], made.value[:], made.length[:] = (
                a[short, :WIDTH] if a.ndim == 2 else a[short] for a in (op, arg, value, length)
            )
            found = {}
            for name, where in (("device", device), ("processor", processor)):
                times = []
                for _ in range(3):
                    mine = made.take(np.arange(len(made)))
                    begin = time.perf_counter()
                    with np.errstate(all="ignore"):
                        where.fit(mine, rows, True, EVALUATIONS, np.full(len(made), np.inf), Deadline(np.inf))
                    times.append(time.perf_counter() - begin)
                found[name] = min(times), mine.rss
            if not device.takes(1):
                raise RuntimeError("the device failed, and the processor did its work")
            a, b = found["device"][1], found["processor"][1]
            same = np.isclose(a, b, rtol=1e-6) | (a == b)
            out[f"{len(made)} programs"] = {
                "node_rows": int(made.length.sum()) * n_row * EVALUATIONS, "device_seconds": found["device"][0],
                "processor_seconds": found["processor"][0], "agree": float(same.mean()),
            }  # fmt: skip
    finally:
        cuda_batches.WORTH = worth
    return out
