"""Throughput beside its limit: node-rows and expressions evaluated, hypotheses scanned, formulas grown; one core.

    python benchmarks/throughput/run.py

Evaluation: random trees of 1 to 64 nodes on 12 800 rows of 10 columns, one thread; peers are pyoperon, whose wheels come in
single precision only, and numpy, an operation at a time. Everything is timed in turns in one process, and the shortest of many
repeats counts. Limits are measured too: ``a*b`` of rows within the first cache level (one operator, no interpreter; a leaf is
free, so trees with half their nodes leaves could reach twice that), a copy through memory, and matrix products for the scans.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit
from programs import COLUMNS, TREES, Array, Batch, gradient_job, hypo_job, numpy_job, operon_job
from threadpoolctl import threadpool_limits

from hypo.kernels import opcodes as oc

# Rows of the table.
ROWS = 12_800
FUNCTIONS = (oc.EXP, oc.LOG, oc.SIN)
Rates = dict[str, float]


def shortest(jobs: dict[str, Callable[[], object]], seconds: float) -> Rates:
    """Seconds of processor time of each job, the shortest of repeats in turn."""
    best = dict.fromkeys(jobs, float("inf"))
    for job in jobs.values():
        job()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, job in jobs.items():
            begin = time.process_time()
            job()
            best[name] = min(best[name], time.process_time() - begin)
    return best


@njit(error_model="numpy")
def _products(a, b, out, repeats):  # type: ignore[no-untyped-def]
    """Rows of an L1-sized block multiplied again and again."""
    for r in range(repeats):
        v = b[r & 1]
        for i in range(out.shape[0]):
            out[i] = a[i] * v[i]


def limits(seconds: float) -> dict[str, Rates]:
    """Billions per second: products of rows within the first cache level, numbers copied through memory."""
    from hypo.kernels.cpu.evaluate import BLOCK

    found = {}
    for dtype in (np.float64, np.float32):
        a, b, out = np.ones(BLOCK, dtype), np.ones((2, BLOCK), dtype), np.empty(BLOCK, dtype)
        big, copy = np.ones(2**25, dtype), np.empty(2**25, dtype)
        best = shortest(
            {
                "cache": lambda a=a, b=b, out=out: _products(a, b, out, 10_000),
                "memory": lambda big=big, copy=copy: np.copyto(copy, big),
            },
            seconds,
        )
        found[np.dtype(dtype).name] = {
            "products in the first cache level": BLOCK * 1e4 / best["cache"] / 1e9,
            "numbers copied through memory": 2**25 / best["memory"] / 1e9,
        }
    return found


def agreement(values: Array, exact: Array) -> float:
    """Largest median relative deviation of a tree."""
    with np.errstate(all="ignore"):
        off = np.abs(values - exact) / np.abs(exact)
    fine = [np.median(row[np.isfinite(row)]) for row in off if np.isfinite(row).any()]
    return float(max(fine))


def evaluation_rates(functions: tuple[int, ...], seconds: float) -> dict[str, Rates]:
    """Billions of node-rows and thousands of expressions per second and core, of each engine and precision."""
    batch = Batch.random(1, functions)
    X = np.random.default_rng(0).uniform(0.5, 2.0, (COLUMNS, ROWS)).astype(np.float32)
    jobs: dict[str, Callable[[], object]] = {}
    outs: dict[str, Array] = {}
    for name, dtype in (("float64", np.float64), ("float32", np.float32)):
        data = X.astype(dtype)
        for engine, make in (("hypo", hypo_job), ("pyoperon", operon_job), ("numpy", numpy_job)):
            if engine == "pyoperon" and dtype is np.float64:
                continue
            out = np.empty((TREES, ROWS), dtype)
            job = make(batch, data, out)
            if job is not None:
                jobs[f"{engine} {name}"], outs[f"{engine} {name}"] = job, out
        jobs[f"hypo {name} with gradients"] = gradient_job(batch, data)
    best = shortest(jobs, seconds)
    rates: dict[str, Rates] = {}
    for name, least in best.items():
        rates[name] = {"Gnode-rows/s": len(batch.op) * ROWS / least / 1e9, "expressions/s": TREES / least}
        if name in outs:
            rates[name]["deviation"] = agreement(outs[name], outs["numpy float64"])
    for name in ("float64", "float32"):
        key = f"hypo {name} with gradients"
        rates[key]["times the values"] = best[key] / best[f"hypo {name}"]
    return rates


def real_library(members: int, n_probe: int) -> tuple[Array, Array]:
    """Rows of a library of four columns, and m·(ω² + ω₀²)·x²/4 (Feynman I.24.6) on the probe rows."""
    from hypo.clock import Clock
    from hypo.data import from_arrays
    from hypo.problem.problem import Settings, make_problem
    from hypo.search.library.context import Context
    from hypo.search.library.seeds import plain_library

    X = np.random.default_rng(3).uniform(1.0, 3.0, (1000, 4))
    mass, omega, omega_0, x = X.T
    settings = Settings(n_probe=n_probe)
    data = from_arrays(X, mass * (omega**2 + omega_0**2) * x**2 / 4, names=["m", "omega", "omega_0", "x"], target="E")
    ctx = Context.of(make_problem(data, None, settings), settings, Clock(), None)
    library = plain_library(ctx, settings, range(4))
    library.grow(members)
    return library.values[:members], ctx.y[ctx.probe]


def multiplied(pairs: int, n_probe: int) -> dict[str, Callable[[], object]]:
    """Inner products of so many pairs of rows in single precision, in tiles of several shapes that stay in the cache."""
    rng = np.random.default_rng(1)

    def job(n_f: int, n_g: int) -> Callable[[], object]:
        left, right = (rng.standard_normal((n, n_probe)).astype(np.float32) for n in (n_f, 16 * n_g))
        out = np.empty((n_f, n_g), np.float32)

        def multiply() -> None:
            for k in range(pairs // (n_f * n_g)):
                g = k % 16 * n_g
                np.matmul(left, right[g : g + n_g].T, out=out)

        return multiply

    return {f"{n_f} x {n_g}": job(n_f, n_g) for n_f, n_g in ((512, 256), (256, 512), (512, 512), (256, 1024))}


def scan_rates(seconds: float, members: int = 8192, n_probe: int = 64) -> dict[str, Rates]:
    """Pairs scored per second by the sum and product scans of one target with a constant, beside single-precision matrix
    products of all probe rows: one for sums; for products one with the target, one with the constant, one of squares.

    Random rows are the hardest case, for nothing explains the target; a real library knows the products of its target
    exactly, the sums in part.
    """
    from hypo.clock import Clock
    from hypo.search.library.unit_rows import orthonormal, unit_rows
    from hypo.search.scan.pair_scan import scan_products, scan_sums

    rng = np.random.default_rng(2)
    basis = orthonormal([np.ones(n_probe)], n_probe)
    real, y = real_library(members, n_probe)
    real, _ = unit_rows(real, np.empty((0, n_probe)))
    noise = 0.1 * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_probe)
    cases = {
        "random rows": (rng.standard_normal((members, n_probe)), rng.standard_normal(n_probe), 50),
        "real library": (real, y, 300),
        "real library, 10 % noise": (real, y + noise, 300),
    }
    tile_pairs = 2**22
    limits = multiplied(tile_pairs, n_probe)
    jobs, pairs = dict(limits), {}
    for name, (rows, target, keep) in cases.items():
        F, _ = unit_rows(rows, basis)
        T, _ = unit_rows(target[None], basis)

        def sums(clock: Clock, T: Array = T, F: Array = F, keep: int = keep) -> object:
            return scan_sums(T, F, None, keep=keep, clock=clock)

        def products(clock: Clock, T: Array = T, F: Array = rows, keep: int = keep) -> object:
            return scan_products(T, F, None, basis, keep=keep, clock=clock)

        for form, scan in (("sums", sums), ("products", products)):
            clock = Clock()
            scan(clock)
            pairs[f"{form}, {name}"] = clock.scored
            jobs[f"{form}, {name}"] = lambda scan=scan: scan(Clock())
    best = shortest(jobs, seconds)
    product = min(best[name] for name in limits) / tile_pairs
    return {
        name: {
            "Ghypotheses/s": n / best[name] / 1e9,
            "limit": 1e-9 / product / (1 if name.startswith("sums") else 2 + len(basis)),
        }
        for name, n in pairs.items()
    }


def enumeration_rate(seconds: float, size: int = 20_000) -> Rates:
    """Candidates tested per second while a library of five columns grows, beside the limit of evaluating them; the shortest
    of as many repeats as ``seconds`` hold."""
    from hypo.clock import Clock
    from hypo.data import from_arrays
    from hypo.problem.problem import Settings, make_problem
    from hypo.search.library.context import Context
    from hypo.search.library.seeds import plain_library

    rng = np.random.default_rng(3)
    X = rng.uniform(0.5, 3.0, (1000, 5))
    settings = Settings()
    problem = make_problem(from_arrays(X, X[:, 0] * X[:, 1], names=list("abcde"), target="t"), None, settings)
    ctx = Context.of(problem, settings, Clock(), None)
    best, tested = float("inf"), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        library = plain_library(ctx, settings, range(5))
        begin = time.process_time()
        library.grow(size)
        best, tested = min(best, time.process_time() - begin), library.tested
    a, b, out = np.ones(ctx.n_probe), np.ones((2, ctx.n_probe)), np.empty(ctx.n_probe)
    bound = shortest({"cache": lambda: _products(a, b, out, 100_000)}, 0.5)["cache"]
    return {"Mcandidates/s": tested / best / 1e6, "limit": 0.1 / bound}


def table(results: dict) -> None:
    """Print the results, each beside its limit."""
    for name, rates in results["limits"].items():
        print(f"limits {name}: " + ", ".join(f"{rate:.2f} G/s {what}" for what, rate in rates.items()))
    for kind, rates in results["evaluation"].items():
        print(f"\n{kind:34s} {'Gnode-rows/s':>12s} {'limit':>7s} {'expressions/s':>14s}")
        for name, rate in rates.items():
            limit = results["limits"][name.split()[1]]["products in the first cache level"]
            more = f"   {rate['times the values']:.2f} times the values" if "times the values" in rate else ""
            print(f"  {name:32s} {rate['Gnode-rows/s']:12.2f} {limit:7.1f} {rate['expressions/s']:14.0f}{more}")
    print(f"\n{'scans':34s} {'Ghypotheses/s':>12s} {'limit':>7s} {'share':>7s}")
    for name, rate in results["scans"].items():
        print(
            f"  {name:32s} {rate['Ghypotheses/s']:12.3f} {rate['limit']:7.3f} {rate['Ghypotheses/s'] / rate['limit']:7.2f}"
        )
    rate = results["enumeration"]
    print(
        f"\n{'enumeration':34s} {'Mcandidates/s':>12s} {'limit':>7s}\n  {'five columns':32s} {rate['Mcandidates/s']:12.2f} "
        f"{rate['limit']:7.1f}"
    )


def plot(results: dict, path: Path) -> None:
    """Evaluation, scans and enumeration as bars beside their limits."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.5), width_ratios=[3, 1, 1], layout="constrained")
    kinds = list(results["evaluation"])
    names = list(results["evaluation"][kinds[0]])
    for k, kind in enumerate(kinds):
        values = [results["evaluation"][kind][name]["Gnode-rows/s"] for name in names]
        axes[0].barh(np.arange(len(names)) + 0.2 - 0.4 * k, values, 0.4, label=kind)
    for (name, rates), style in zip(results["limits"].items(), ("--", ":"), strict=True):
        axes[0].axvline(
            rates["products in the first cache level"],
            color="black",
            linestyle=style,
            linewidth=1,
            label=f"products in cache, {name}",
        )
    axes[0].set_yticks(np.arange(len(names)), names)
    axes[0].invert_yaxis()
    axes[0].set(xlabel="10⁹ node-rows/s per core", title="evaluation")
    axes[0].legend(fontsize=8)
    scans = results["scans"]
    axes[1].bar(np.arange(len(scans)) - 0.2, [r["Ghypotheses/s"] for r in scans.values()], 0.4, label="scan")
    axes[1].bar(
        np.arange(len(scans)) + 0.2,
        [r["limit"] for r in scans.values()],
        0.4,
        color="lightgray",
        label="matrix products of all rows",
    )
    axes[1].set_xticks(np.arange(len(scans)), [name.replace(", ", "\n") for name in scans], rotation=90, fontsize=8)
    axes[1].set(ylabel="10⁹ hypotheses/s per core", title="scans")
    axes[1].legend(fontsize=8)
    rate = results["enumeration"]
    axes[2].bar([0, 1], [rate["Mcandidates/s"], rate["limit"]], color=["C0", "lightgray"])
    axes[2].set_xticks([0, 1], ["grown", "only evaluated"])
    axes[2].set(ylabel="10⁶ candidates/s per core", title="enumeration")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print the table, write JSON and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each comparison")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    options = parser.parse_args()
    with threadpool_limits(1):
        results = {
            "limits": limits(options.seconds / 5),
            "evaluation": {
                "arithmetic": evaluation_rates((), options.seconds),
                "with exp, log, sin": evaluation_rates(FUNCTIONS, options.seconds),
            },
            "scans": scan_rates(options.seconds),
            "enumeration": enumeration_rate(options.seconds),
        }
    table(results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "throughput.json").write_text(json.dumps(results, indent=1) + "\n")
    plot(results, options.out / "throughput.png")


if __name__ == "__main__":
    main()
