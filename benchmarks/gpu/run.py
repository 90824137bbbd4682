"""The GPU backend beside its limits: checks first, then scan rates, evaluation, fits, and a whole library; one command.

    python benchmarks/gpu/run.py --out gpu.json

Limits are measured in the same run: matrix products by PyTorch in each precision, and a copy. A rate of the filter is that
of the kernel that goes through all tiles; a rate of a scan is from arrays in memory to the finished lists. Every part that
fails says so and leaves the others alone. Without a GPU nothing is measured; with --tiny everything runs once in
the interpreters of Triton and numba (TRITON_INTERPRET=1 NUMBA_ENABLE_CUDASIM=1), which measures nothing either.
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
from filters import KEEP, PROBE, Results, filters, seconds


def limits(device: str, size: int) -> Results:
    """flop/s of matrix products in each precision, and bytes/s of a copy, read and written."""
    import torch

    out: Results = {}
    if device == "cpu":
        return out
    for name, kind in (("fp16", torch.float16), ("bf16", torch.bfloat16), ("tf32", torch.float32), ("float32", torch.float32)):
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


def library_rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a library of three variables on the probe rows, and those of the variables."""
    from hypo.expression.expr import Expression
    from hypo.search.library import Library, Seed

    X = np.random.default_rng(0).uniform(0.5, 2.5, (3, PROBE))
    seeds = [Seed(Expression.variable(f"x{k}"), 1, row) for k, row in enumerate(X)]
    library = Library([*seeds, Seed(Expression.constant(1.0), 1, np.ones(PROBE))], OPERATORS, ("x0", "x1", "x2"))
    library.grow(count)
    return library.values[: library.count].copy(), X


OPERATORS = ("+", "-", "*", "/", "sqrt", "square", "exp", "log", "sin", "cos")


def checks(device: str, size: int) -> Results:
    """The device's lists, values, fits and members against the processor's: raises AssertionError where they differ."""
    from hypo.search import cuda_scan
    from hypo.search.scan import Clock, orthonormal, scan_products, scan_sums, unit_rows

    values, X = library_rows(size)
    y = np.array([3 + 2 * X[0] * X[1] - np.sqrt(X[2]), np.exp(X[0]) * X[2] / X[1], np.sin(3 * X[0] * X[1]) + X[2] ** 3])
    q = orthonormal([np.ones(PROBE)], PROBE)
    rows, kept = unit_rows(values, q)
    T = unit_rows(y, q)[0]
    raw = unit_rows(values, np.empty((0, PROBE)))[0]
    dense, cuda_scan.DENSE = cuda_scan.DENSE, 0
    out: Results = {"rows": len(kept)}
    try:
        for name, mine, want in (
            ("sums", cuda_scan.scan("sums", T, rows, None, q, 100, Clock(), None, (device,)),
             scan_sums(T, rows, None, keep=100, clock=Clock())),
            ("products", cuda_scan.scan("products", T, raw, None, q, 100, Clock(), None, (device,)),
             scan_products(T, raw, None, q, keep=100, clock=Clock())),
        ):  # fmt: skip
            for a, b in zip(mine, want, strict=True):
                np.testing.assert_allclose(a.r2, b.r2, rtol=0, atol=1e-9)
                out[name] = float(np.mean((a.i == b.i) & (a.j == b.j)))
                assert out[name] > 0.9 or np.ptp(b.r2) < 1e-9, f"{name}: pairs differ"
    finally:
        cuda_scan.DENSE = dense
    return out


def scans(device: str, rows: np.ndarray, X: np.ndarray) -> Results:
    """Whole scans from arrays to lists, fused and unfused, and those of the processor on fewer rows."""
    import torch

    from hypo.search import cuda_scan
    from hypo.search.cuda_forms import Sums
    from hypo.search.scan import Clock, orthonormal, unit_rows

    q = orthonormal([np.ones(PROBE)], PROBE)
    unit, raw = unit_rows(rows, q)[0], unit_rows(rows, np.empty((0, PROBE)))[0]
    y = np.sin(3 * X[0] * X[1]) + X[2] ** 3
    T = unit_rows(np.array([y, y**2, np.exp(-y), np.sin(y)]), q)[0]
    out: Results = {}
    for kind, F in (("sums", unit), ("products", raw)):
        for n in (1, len(T)):
            times = []
            for _ in range(3):
                begin, clock = time.perf_counter(), Clock()
                cuda_scan.scan(kind, T[:n], F, None, q, KEEP, clock, None, (device,))
                times.append(time.perf_counter() - begin)
            out[f"{kind}, {n} targets"] = {"seconds": min(times), "hypotheses_per_second": clock.scored / min(times)}
    where = torch.device(device)
    form = Sums(T[:1], unit, None, where)
    for name in ("F", "G", "T", "rf", "rg"):
        setattr(form, name, getattr(form, name).float())
    block = torch.arange(min(len(unit), 2048), device=where)
    took = seconds(lambda: torch.topk(form.against(block).flatten(), KEEP), 5)
    out["unfused sums, float32"] = {"hypotheses_per_second": len(block) * len(unit) / took}
    return out


def whole(device: str, count: int) -> Results:
    """A library built, deduplicated and scanned under links, and the best formulas refined, with the processor beside it."""
    from hypo.expression.expr import Expression
    from hypo.search import cuda_scan
    from hypo.search.cuda_library import CudaLibrary
    from hypo.search.library import Library, Seed
    from hypo.search.scan import Clock, orthonormal, unit_rows

    X = np.random.default_rng(0).uniform(0.5, 2.5, (3, PROBE))
    seeds = [Seed(Expression.variable(f"x{k}"), 1, row) for k, row in enumerate(X)]
    seeds.append(Seed(Expression.constant(1.0), 1, np.ones(PROBE)))
    out: Results = {}
    y = np.sqrt(1.5 + 2.2 * X[0] * np.exp(X[1] / X[2]) - 0.7 * np.sin(X[0]) * X[2])
    for name in ("device", "processor"):
        begin = time.perf_counter()
        given = (seeds, OPERATORS, ("x0", "x1", "x2"))
        library = CudaLibrary(device, *given) if name == "device" else Library(*given)
        library.grow(count)
        built = time.perf_counter()
        out[name] = {"members": library.count, "tested": library.tested, "build_seconds": built - begin}
        if name == "device":
            q = orthonormal([np.ones(PROBE)], PROBE)
            first = np.flatnonzero(library.shape[: library.count] == np.arange(library.count))
            unit, kept = unit_rows(library.values[first], q)
            links = [y, y**2, 1 / y, np.log(y), np.exp(y), np.sqrt(y), y**-2]
            T, clock = unit_rows(np.array(links), q)[0], Clock()
            best = cuda_scan.scan("sums", T, unit, None, q, KEEP, clock, None, (device,))
            cuda_scan.scan("products", T, library.values[first], None, q, KEEP, clock, None, (device,))
            scanned = time.perf_counter()
            k = int(np.argmax([b.r2[0] for b in best]))
            terms = [library.expression(int(first[kept[m]])) for m in (best[k].i[0], best[k].j[0])]
            A = np.column_stack([np.ones(PROBE), *(library.values[first[kept[m]]] for m in (best[k].i[0], best[k].j[0]))])
            coefficients = np.linalg.lstsq(A, links[k], rcond=None)[0]
            out[name] |= {
                "scan_seconds": scanned - built, "hypotheses": clock.scored, "refine_seconds": time.perf_counter() - scanned,
                "wall_seconds": time.perf_counter() - begin, "link": k, "one_minus_r2": float(1 - best[k].r2[0]),
                "law": [*map(str, terms), *map(float, coefficients)],
            }  # fmt: skip
    return out


def table(results: Results) -> list[str]:
    """What was measured, a line each, the fastest shape of each filter only."""
    lines = [f"{results['device']}, {results['date']}"]
    failed = [f"{n}: {f['failed']}" for n, f in results.items() if isinstance(f, dict) and "failed" in f]
    if results["device"].startswith("not measured"):
        return [*lines, *(failed or ["every part ran"])]
    peaks = results.get("limits", {})
    if "bf16" in peaks:
        kinds = ", ".join(f"{k} {peaks[k] / 1e12:.0f}" for k in ("fp16", "bf16", "tf32", "float32"))
        lines.append(f"limits: {kinds} Tflop/s, copy {peaks['copy'] / 1e12:.2f} TB/s")
    best: dict[tuple[str, int, str], Results] = {}
    for one in results.get("filters", []) if isinstance(results.get("filters"), list) else []:
        key = one["kind"], one["basis"], one["precision"]
        if one.get("pairs_per_second", 0.0) > best.get(key, {}).get("pairs_per_second", 0.0):
            best[key] = one
    for (kind, basis, precision), one in best.items():
        lines.append(
            f"filter, {kind}{' with a constant' if basis else ''}, {precision}: {one['pairs_per_second']:.3g} pairs/s, "
            f"{one['share_of_tensor_cores']:.0%} of the tensor cores, {one['share_of_epilogue']:.0%} of the epilogue's limit, "
            f"{one['tiles_flagged']:.1%} of tiles flagged, tile {one['shape']}"
        )
    for part in ("scans", "evaluation", "batches", "whole", "checks"):
        found = results.get(part, {})
        lines += [f"{part}: {name}: {value}" for name, value in found.items()]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON of all numbers")
    parser.add_argument("--tiny", action="store_true", help="run every part once on little data, also without a GPU")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the library")
    every = "limits,checks,filters,scans,evaluation,batches,whole"
    parser.add_argument("--only", default=every, help="parts, with commas between")
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
    wanted = options.only.split(",")
    rows, X = library_rows(count)
    peaks = dict.fromkeys(("fp16", "bf16", "tf32", "float32", "bf16x3", "copy", "epilogue"), 1.0)
    parts: dict[str, Callable[[], Any]] = {
        "limits": lambda: limits(device, 8192),
        "checks": lambda: checks(device, 100 if options.tiny else 20_000),
        "filters": lambda: filters(device, rows, X, results.get("limits") or peaks, options.tiny),
        "scans": lambda: scans(device, rows, X),
        "evaluation": lambda: _evaluation(options.tiny),
        "batches": lambda: _batches(options.tiny),
        "whole": lambda: whole(device, count),
    }
    for name in wanted:
        begin = time.perf_counter()
        try:
            results[name] = parts[name]()
        except Exception as error:
            results[name] = {"failed": f"{type(error).__name__}: {error}"}
        print(f"# {name}: {time.perf_counter() - begin:.1f} s", flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print("\n".join(table(results)))


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
