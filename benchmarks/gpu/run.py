"""The GPU backend beside its limits: checks first, then scan rates, a whole library, evaluation and fits; one command.

    python benchmarks/gpu/run.py --out gpu.json

Limits are measured in the same run: matrix products by PyTorch in each precision, and a copy. A rate of the filter is that
of the kernel that goes through all tiles; a rate of a scan is from arrays in memory to the finished lists. Every part that
fails says so and leaves the others alone; what is done is printed and written at once. Without a GPU nothing is measured; with
--tiny everything runs once in the interpreters of Triton and numba (TRITON_INTERPRET=1 NUMBA_ENABLE_CUDASIM=1), which measures
nothing either.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from filters import KEEP, PROBE, Results, filters, seconds, shares, tiers


def limits(device: str, size: int) -> Results:
    """flop/s of matrix products in each precision, and bytes/s of a copy, read and written."""
    import torch

    out: Results = {}
    if device == "cpu":
        return out
    for name, kind in (
        ("fp16", torch.float16),
        ("bf16", torch.bfloat16),
        ("tf32", torch.float32),
        ("float32", torch.float32),
    ):
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        a, b = (torch.randn((size, size), device=device).to(kind) for _ in range(2))
        out[name] = 2.0 * size**3 / seconds(lambda a=a, b=b: a @ b, 5)
    torch.backends.cuda.matmul.allow_tf32 = False
    out["bf16x3"] = out["bf16"] / 3.0
    source = torch.randn(size * size * 8, device=device)
    target = torch.empty_like(source)
    out["copy"] = 2.0 * source.nbytes / seconds(lambda: target.copy_(source), 10)
    # A fused operation counts once in the epilogue.
    out["epilogue"] = out["float32"] / 2.0
    return out


def library(count: int, device: str | None = None) -> Any:
    """A library of three variables on the probe rows, grown on the device or the processor."""
    from hypo.expression.expr import Expression
    from hypo.search.library.library import Library, Seed

    X = np.random.default_rng(0).uniform(0.5, 2.5, (3, PROBE))
    seeds = [Seed(Expression.variable(f"x{k}"), 1, row) for k, row in enumerate(X)]
    given = [*seeds, Seed(Expression.constant(1.0), 1, np.ones(PROBE))], OPERATORS, ("x0", "x1", "x2")
    if device is None:
        out = Library(*given)
    else:
        from hypo.search.gpu.library import CudaLibrary

        out = CudaLibrary(device, *given)
    out.grow(count)
    return out


def library_rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of such a library, and those of the variables."""
    grown = library(count)
    return grown.values[: grown.count].copy(), np.random.default_rng(0).uniform(0.5, 2.5, (3, PROBE))


OPERATORS = ("+", "-", "*", "/", "sqrt", "square", "exp", "log", "sin", "cos")


def checks(device: str, size: int) -> Results:
    """The device's lists and members against the processor's: raises AssertionError where they differ."""
    from hypo.clock import Clock
    from hypo.search.gpu import library as cuda_library
    from hypo.search.gpu import scan as cuda_scan
    from hypo.search.library.unit_rows import orthonormal, unit_rows
    from hypo.search.scan.pair_scan import scan_products, scan_sums

    values, X = library_rows(size)
    y = np.array([3 + 2 * X[0] * X[1] - np.sqrt(X[2]), np.exp(X[0]) * X[2] / X[1], np.sin(3 * X[0] * X[1]) + X[2] ** 3])
    q = orthonormal([np.ones(PROBE)], PROBE)
    rows, kept = unit_rows(values, q)
    T = unit_rows(y, q)[0]
    raw = unit_rows(values, np.empty((0, PROBE)))[0]
    out: Results = {"rows": len(kept)}
    dense, cuda_scan.DENSE = cuda_scan.DENSE, 0
    worth, cuda_library.WORTH = cuda_library.WORTH, min(size, cuda_library.WORTH)
    try:
        for name, mine, want in (
            ("sums", cuda_scan.scan("sums", [(T, rows, None)], q[:0], 100, Clock(), None, (device,))[0],
             scan_sums(T, rows, None, keep=100, clock=Clock())),
            ("products", cuda_scan.scan("products", [(T, raw, None)], q, 100, Clock(), None, (device,))[0],
             scan_products(T, raw, None, q, keep=100, clock=Clock())),
        ):  # fmt: skip
            out[f"{name}, largest difference of R²"] = 0.0
            for a, b in zip(mine, want, strict=True):
                worst = float(np.abs(a.r2 - b.r2).max())
                out[f"{name}, largest difference of R²"] = max(worst, out[f"{name}, largest difference of R²"])
                out[name] = min(out.get(name, 1.0), float(np.mean((a.i == b.i) & (a.j == b.j))))
                assert worst <= 1e-9, f"{name}: scores differ by {worst:.1e}"
                assert out[name] > 0.9 or np.ptp(b.r2) < 1e-9, f"{name}: pairs differ"
        found = library(size, device)
        assert found.count == len(values), f"the device has {found.count} members, the processor {len(values)}"
        same = np.isclose(found.values[: found.count], values, rtol=1e-9, equal_nan=True).all(axis=1)
        out["members"] = float(same.mean())
        assert out["members"] > 0.999, "members differ"
    finally:
        cuda_scan.DENSE, cuda_library.WORTH = dense, worth
    return out


def scans(device: str, rows: np.ndarray, X: np.ndarray, peaks: Results) -> Results:
    """Whole scans from arrays to lists beside their limits, those of plain PyTorch that writes blocks of scores to memory, and
    those of the processor on fewer rows."""
    import torch

    from hypo.clock import Clock
    from hypo.search.gpu import scan as cuda_scan
    from hypo.search.gpu.forms import ProductForm, SumForm
    from hypo.search.gpu.layout import Piece
    from hypo.search.library.unit_rows import orthonormal, unit_rows
    from hypo.search.scan.pair_scan import scan_jobs

    q = orthonormal([np.ones(PROBE)], PROBE)
    unit, raw = unit_rows(rows, q)[0], unit_rows(rows, np.empty((0, PROBE)))[0]
    y = np.sin(3 * X[0] * X[1]) + X[2] ** 3
    T = unit_rows(np.array([y, y**2, np.exp(-y), np.sin(y)]), q)[0]
    out: Results = {}

    def timed(work: Callable[[Clock], object], repeats: int = 3) -> tuple[float, int]:
        times = []
        for _ in range(repeats):
            begin, clock = time.perf_counter(), Clock()
            work(clock)
            times.append(time.perf_counter() - begin)
        return min(times), clock.scored

    for kind, F, form in (("sums", unit, SumForm), ("products", raw, ProductForm)):
        for n in (1, len(T)):
            job = [(T[:n], F, None)]
            took, scored = timed(lambda c, k=kind, j=job: cuda_scan.scan(k, j, q, KEEP, c, None, (device,)))
            rate = scored / n / took
            share = shares(kind[:-1], int(kind == "products"), n, form.coarse, rate, peaks)
            out[f"{kind}, {n} targets"] = {"seconds": took, "hypotheses_per_second": scored / took} | share
        few = F[: min(len(F), 8000)]
        took, scored = timed(lambda c, k=kind, f=few: list(scan_jobs(k, [(T[:1], f, None)], q, keep=KEEP, clock=c)), 2)
        out[f"{kind}, processor, {len(few)} rows"] = {"seconds": took, "hypotheses_per_second": scored / took}
    where = torch.device(device)
    for name, plain in (
        ("sums", SumForm([T[:1]], [Piece(0, unit, None)], where, [False])),
        ("products", ProductForm([T[:1]], [Piece(0, raw, None)], q, where, [False])),
    ):
        for field in ("F", "G", "T", "rf", "rg", "z"):
            if hasattr(plain, field):
                setattr(plain, field, getattr(plain, field).float())
        block = torch.arange(min(plain.left.end[0], 1024), device=where)
        for mode in ("float32", "tf32"):
            torch.backends.cuda.matmul.allow_tf32 = mode == "tf32"
            # The block's best and no list, the least that a scan can ask for.
            took = seconds(lambda plain=plain, block=block: plain.against(0, block).amax(), 5)
            rate = len(block) * plain.right.end[0] / took
            share = shares(name[:-1], int(name == "products"), 1, mode, rate, peaks)
            out[f"{name}, 1 target, plain PyTorch in {mode}"] = {"hypotheses_per_second": rate} | share
        torch.backends.cuda.matmul.allow_tf32 = False
    return out


def whole(device: str, count: int) -> Results:
    """A library built, deduplicated and scanned under links, and the best formula refined: on the device for the first time
    (which compiles), again, and the building alone on the processor."""
    from hypo.clock import Clock
    from hypo.search.gpu import scan as cuda_scan
    from hypo.search.library.unit_rows import orthonormal, unit_rows

    X = np.random.default_rng(0).uniform(0.5, 2.5, (3, PROBE))
    y = np.sqrt(1.5 + 2.2 * X[0] * np.exp(X[1] / X[2]) - 0.7 * np.sin(X[0]) * X[2])
    links = np.array([y, y**2, 1 / y, np.log(y), np.exp(y), np.sqrt(y), y**-2])
    out: Results = {}
    for name in ("device, first time", "device"):
        begin = time.perf_counter()
        grown = library(count, device)
        built = time.perf_counter()
        q = orthonormal([np.ones(PROBE)], PROBE)
        first = np.flatnonzero(grown.shape[: grown.count] == np.arange(grown.count))
        unit, kept = unit_rows(grown.values[first], q)
        (T, linked), clock = unit_rows(links, q), Clock()
        ready = time.perf_counter()
        best = cuda_scan.scan("sums", [(T, unit, None)], q[:0], KEEP, clock, None, (device,))[0]
        sums = time.perf_counter()
        cuda_scan.scan("products", [(T, grown.values[first], None)], q, KEEP, clock, None, (device,))
        scanned = time.perf_counter()
        k = int(np.argmax([b.r2[0] for b in best]))
        pair = first[kept[[best[k].i[0], best[k].j[0]]]]
        A = np.column_stack([np.ones(PROBE), *grown.values[pair]])
        coefficients = np.linalg.lstsq(A, links[linked[k]], rcond=None)[0]
        end = time.perf_counter()
        out[name] = {
            "members": grown.count, "tested": grown.tested, "hypotheses": clock.scored, "wall_seconds": end - begin,
            "build_seconds": built - begin, "rows_seconds": ready - built, "sums_seconds": sums - ready,
            "products_seconds": scanned - sums, "refine_seconds": end - scanned, "link": int(linked[k]),
            "one_minus_r2": float(1 - best[k].r2[0]), "law": [*(str(grown.expression(int(m))) for m in pair),
                                                              *map(float, coefficients)],
        }  # fmt: skip
        assert count < 1000 or best[k].r2[0] > 1 - 1e-9, f"the law was not found: 1 - R² = {1 - best[k].r2[0]:.1e}"
    begin = time.perf_counter()
    grown = library(count)
    out["processor"] = {"members": grown.count, "tested": grown.tested, "build_seconds": time.perf_counter() - begin}
    return out


def lines(part: str, found: Any) -> list[str]:
    """The measurements of a part, a line for each number or kind of filter, and what failed."""
    if isinstance(found, dict) and "failed" in found:
        return [f"{part}: FAILED: {found['failed']}"]
    if part == "limits":
        return [f"limits: {name} {_short(value)} a second" for name, value in found.items()]
    if part == "filters":
        best: dict[tuple[str, int, str], Results] = {}
        for one in found:
            key = one["kind"], one["basis"], one["precision"]
            if one.get("pairs_per_second", 0.0) > best.get(key, {}).get("pairs_per_second", 0.0):
                best[key] = one
        failed = [f"filters: FAILED: {one}" for one in found if "failed" in one]
        return failed + [f"filters: {_short(one)}" for one in best.values()]
    if part == "tiers":
        return [f"tiers: {_short(one)}" for one in found]
    return [f"{part}: {name}: {_short(value)}" for name, value in found.items()]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_short(v)}" for k, v in value.items() if v is not None)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


PARTS = ("limits", "checks", "filters", "tiers", "scans", "whole", "evaluation", "batches")


def main() -> None:
    """Measure part by part, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON of all numbers, written after each part")
    parser.add_argument("--tiny", action="store_true", help="run every part once on little data, also without a GPU")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the library")
    parser.add_argument("--seconds", type=float, default=480.0, help="after this time no part is begun")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    options = parser.parse_args()
    try:
        import torch
        import triton  # noqa: F401
    except ImportError:
        print("not measured: PyTorch or Triton is not installed")
        return
    if not torch.cuda.is_available() and not options.tiny:
        print("not measured: no CUDA device")
        return
    start = time.perf_counter()
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    count = 120 if options.tiny else options.rows
    if options.tiny:
        torch.set_num_threads(1)
    results: Results = {
        "device": torch.cuda.get_device_name(0) if device != "cpu" else "not measured: interpreters on a processor",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("torch", "triton", "numba", "numba-cuda")},
    }
    print(f"{results['device']}, {results['date']}", flush=True)
    rows, X = library_rows(count)

    def peaks() -> Results:
        found = results.get("limits", {})
        return {} if "failed" in found else found

    parts: dict[str, Callable[[], Any]] = {
        "limits": lambda: limits(device, 8192),
        "checks": lambda: checks(device, 100 if options.tiny else 8000),
        "filters": lambda: filters(device, rows, X, peaks(), options.tiny),
        "tiers": lambda: tiers(device, rows, X),
        "scans": lambda: scans(device, rows, X, peaks()),
        "whole": lambda: whole(device, count),
        "evaluation": lambda: _evaluation(options.tiny),
        "batches": lambda: _batches(options.tiny),
    }
    for name in options.only.split(","):
        begin = time.perf_counter()
        try:
            if begin - start > options.seconds:
                raise TimeoutError("not begun, the time was up")
            results[name] = parts[name]()
        except Exception as error:
            results[name] = {"failed": f"{type(error).__name__}: {error}"}
        found = lines(name, results[name])
        # What interpreters take is no measurement.
        found = found if device != "cpu" else [line for line in found if "FAILED" in line] or [f"{name}: ran"]
        print("\n".join([*found, f"# {name}: {time.perf_counter() - begin:.1f} s"]), flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


def _evaluation(tiny: bool) -> Results:
    from evaluation import evaluation

    return evaluation(*((1, 4) if tiny else (4000, 12_800)))


def _batches(tiny: bool) -> Results:
    from evaluation import batches

    return batches(*(((2,), 4) if tiny else ((10, 50, 150, 900, 4000), 256)))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
