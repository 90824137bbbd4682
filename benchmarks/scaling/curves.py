"""Curves: what a fit takes as rows, columns and the library grow; JSON and a plot.

    python benchmarks/scaling/curves.py [--part rows|columns|library|members]

Rows and columns: seconds and peak memory until 2.5·x0·exp(−x1)/(1 + x2²) is the answer, without noise and with 1 %, each in
a process of its own. Library: seconds to enumerate n members of three variables, and to scan all their pairs for a sum and a
product, one thread. Members: seconds and peak memory of a library of up to ten million members that is enumerated and streamed
(each member alone, and in sums and products with the simplest ones), each in a process of its own; about 7 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROWS = (100, 1_000, 10_000, 100_000, 1_000_000)
COLUMNS = (3, 10, 30, 100)
MEMBERS = (250, 1_000, 4_000, 16_000, 64_000)
# Members of a library that is streamed.
LARGE = (100_000, 1_000_000, 3_000_000, 10_000_000)
NOISES = (0.0, 0.01)
PROBE = 64


def one_fit(rows: int, columns: int, noise: float, limit: float) -> dict[str, Any]:
    """A fit in this process: seconds, when the best formula came, peak memory in MB, and its error on fresh points."""
    import hypo

    rng = np.random.default_rng(0)

    def law(X: np.ndarray) -> np.ndarray:
        return 2.5 * X[:, 0] * np.exp(-X[:, 1]) / (1.0 + X[:, 2] ** 2)

    hypo.fit(rng.normal(size=(200, 2)), rng.normal(size=200), time_limit=2)
    X = rng.uniform(0.5, 3.0, (rows, columns))
    y = law(X)
    y += noise * y.std() * rng.normal(size=rows)
    came: dict[str, float] = {}

    def watch(p: Any) -> None:
        if p.best is not None:
            came.setdefault(str(p.best.expression), p.elapsed)

    begin = time.monotonic()
    result = hypo.fit(X, y, time_limit=limit, progress=watch)
    fresh = rng.uniform(0.5, 3.0, (2000, columns))
    error = float(np.sqrt(np.mean((result.predict(fresh) - law(fresh)) ** 2)) / law(fresh).std())
    return {
        "seconds": time.monotonic() - begin,
        "came_s": came.get(str(result.expression)),
        "error": error,
        "MB": peak(),
        "status": result.status,
        "found": str(result.expression),
    }


def fits(part: str, limit: float) -> list[dict[str, Any]]:
    """The curve of a part, each fit in its own process."""
    found = []
    for n in ROWS if part == "rows" else COLUMNS:
        for noise in NOISES:
            rows, columns = (n, 5) if part == "rows" else (2_000, n)
            command = [sys.executable, __file__, "--one", str(rows), str(columns), str(noise), str(limit)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append({"rows": rows, "columns": columns, "noise": noise, **json.loads(out.stdout.splitlines()[-1])})
            r = found[-1]
            print(
                f"{rows:9d} rows {columns:4d} columns noise {noise:4.2f}: {r['seconds']:6.1f} s, {r['MB']:6.0f} MB, "
                f"error {r['error']:.1e}, {r['status']}: {r['found'][:70]}",
                flush=True,
            )
    return found


def peak() -> float:
    """Most memory that this process has had, in MB: not getrusage's, which includes that of whoever started it."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024


def streamed(n: int) -> dict[str, Any]:
    """A library of n members enumerated and streamed in this process."""
    from threadpoolctl import threadpool_limits

    from hypo.clock import Clock
    from hypo.data import from_arrays
    from hypo.problem.problem import Settings, make_problem
    from hypo.search.library.context import Context, LibraryView
    from hypo.search.library.seeds import plain_library
    from hypo.search.scan.stream import HEAD, stream
    from hypo.search.scan.targets import Target

    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3.0, (400, 3))
    y = X[:, 0] * X[:, 1] + np.exp(-X[:, 2]) + X[:, 1] / X[:, 2]
    settings = Settings(n_probe=PROBE)
    with threadpool_limits(1), np.errstate(all="ignore"):
        problem = make_problem(from_arrays(X, y, names=["a", "b", "c"], target="y"), None, settings)
        ctx = Context.of(problem, settings, Clock())
        small = plain_library(ctx, settings, range(3))
        small.grow(2_000)
        stream(ctx, small, 1_000, 2_000, LibraryView(small, ctx.X, HEAD, 60), [Target(ctx.y, None)], 300)
        before, ctx.clock.scored = peak(), 0
        members = plain_library(ctx, settings, range(3))
        begin = time.perf_counter()
        members.grow(n)
        enumerated = time.perf_counter() - begin
        head = LibraryView(members, ctx.X, HEAD, 60)
        begin = time.perf_counter()
        stream(ctx, members, HEAD, members.count, head, [Target(ctx.y, None)], 300)
        scanned = time.perf_counter() - begin
    return {
        "members": int(members.count),
        "tried": int(members.tested),
        "enumerate_s": enumerated,
        "scan_s": scanned,
        "pairs": int(ctx.clock.scored),
        "MB": peak(),
        "MB_before": before,
    }


def members() -> list[dict[str, Any]]:
    """The curve of streamed libraries."""
    found = []
    for n in LARGE:
        out = subprocess.run(
            [sys.executable, __file__, "--streamed", str(n)], capture_output=True, text=True, check=True
        )
        found.append(json.loads(out.stdout.splitlines()[-1]))
        r = found[-1]
        each = (r["MB"] - r["MB_before"]) * 2**20 / r["members"]
        print(
            f"{r['members']:9d} members: {r['enumerate_s']:7.1f} s ({r['tried'] / r['enumerate_s'] / 1e6:.2f} million "
            f"tried/s), streamed {r['scan_s']:7.1f} s ({r['pairs'] / r['scan_s'] / 1e6:.0f} million pairs/s), "
            f"{r['MB']:6.0f} MB, {each:.0f} bytes each",
            flush=True,
        )
    return found


def library() -> list[dict[str, Any]]:
    """Enumeration and scans of growing libraries."""
    import pandas as pd
    from threadpoolctl import threadpool_limits

    from hypo.clock import Clock
    from hypo.data import as_dataset
    from hypo.problem.problem import Settings, make_problem
    from hypo.search.library.context import Context
    from hypo.search.library.seeds import plain_library
    from hypo.search.library.unit_rows import unit_rows
    from hypo.search.scan import pair_scan as scan

    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 3.0, (400, 3))
    data = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=X[:, 0] * X[:, 1] + np.exp(-X[:, 2]) + X[:, 1] / X[:, 2])
    dataset, _ = as_dataset(data, "y")
    settings = Settings(n_probe=PROBE)
    found = []
    with threadpool_limits(1), np.errstate(all="ignore"):
        for n in MEMBERS:
            ctx = Context.of(make_problem(dataset, None, settings), settings, Clock())
            members = plain_library(ctx, settings, range(3))
            begin = time.perf_counter()
            members.grow(n)
            enumerated = time.perf_counter() - begin
            F, _ = unit_rows(members.values[: members.count], np.empty((0, PROBE)))
            T, _ = unit_rows(ctx.y[ctx.probe][None, :], np.empty((0, PROBE)))
            clock = Clock()
            begin = time.perf_counter()
            scan.scan_sums(T, F, None, keep=300, clock=clock)
            scanned = time.perf_counter() - begin
            found.append(
                {
                    "members": int(members.count),
                    "tried": int(members.tested),
                    "enumerate_s": enumerated,
                    "scan_s": scanned,
                    "pairs": int(clock.scored),
                }
            )
            print(
                f"{members.count:7d} members: {enumerated:7.3f} s ({members.tested / enumerated / 1e6:.2f} million tried/s), "
                f"all sums {scanned:7.3f} s ({clock.scored / scanned / 1e6:.0f} million pairs/s)",
                flush=True,
            )
    return found


def plot(parts: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """One panel for each part, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(parts), 3.8), layout="constrained")
    for axes, (part, rows) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts.items(), strict=True):
        axes.set(xscale="log", yscale="log", xlabel="members" if part == "library" else part, ylabel="seconds")
        if part in ("library", "members"):
            scans = "all sums of pairs" if part == "library" else "stream"
            for key, label in (("enumerate_s", "enumeration"), ("scan_s", scans)):
                axes.plot([r["members"] for r in rows], [r[key] for r in rows], marker="o", label=label)
        else:
            for noise in NOISES:
                own = [r for r in rows if r["noise"] == noise]
                axes.plot([r[part] for r in own], [r["seconds"] for r in own], marker="o", label=f"noise {noise:g}")
        axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("rows", "columns", "library", "members"), action="append")
    parser.add_argument("--time-limit", type=float, default=30.0, help="seconds per fit")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--streamed", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.streamed:
        print(json.dumps(streamed(args.streamed)))
        return
    if args.one:
        rows, columns, noise, limit = args.one
        print(json.dumps(one_fit(int(rows), int(columns), float(noise), float(limit))))
        return
    own = {"library": library, "members": members}
    wanted = args.part or ("library", "members", "rows", "columns")
    parts = {p: own[p]() if p in own else fits(p, args.time_limit) for p in wanted}
    args.out.mkdir(parents=True, exist_ok=True)
    content = {"cores": os.cpu_count(), "load": os.getloadavg(), "python": platform.python_version(), **parts}
    (args.out / "curves.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    plot(parts, args.out / "curves.png")
    print(f"written to {args.out}: curves.json, curves.png")


if __name__ == "__main__":
    main()
