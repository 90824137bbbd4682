"""The hardest Feynman problems without units: processor against GPU, and parallel symbolic enumeration (psrn) beside them.

    python benchmarks/gpu/feynman.py [--hardest FILE | --missed FILE] [--engines cpu,gpu,psrn] [--time-limit 60]
                                     [--limit 560] [--problems 20] [--out FILE]

Which problems are hard is measured, not chosen: with --hardest the 20 that srbench/run.py took longest for among those it
recovered in a results file, with --missed those it did not recover, else those that no method of SRBench's study solved.
All engines get the same rows and the same seconds a problem; answers are judged as srbench/run.py judges them. A line of
JSON is written as soon as an engine has answered, and what is finished is skipped when the same command is given again:
--limit is how many seconds one command may take. An engine that cannot run here is not measured, and the table says so.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS / "srbench"), str(BENCHMARKS)]

# Not the module of this name beside this one.
srbench: Any = importlib.import_module("run")

ENGINES = ("cpu", "gpu", "psrn")
# Seconds of a problem beyond its time limit: loading, rows, and the judge.
BESIDE = 25.0


def absent(engine: str) -> str | None:
    """Why an engine cannot be measured here; None where it can."""
    if engine == "cpu":
        return None
    if engine == "psrn" and find_spec("psrn") is None:
        return "not installed: not measured"
    if find_spec("torch") is None or (engine == "gpu" and find_spec("triton") is None):
        return "PyTorch or Triton is not installed: not measured"
    import torch

    return None if torch.cuda.is_available() else "no CUDA device: not measured"


def settings(options: argparse.Namespace, engine: str) -> argparse.Namespace:
    """The options of srbench/run.py for an engine."""
    out = srbench.options(["--time-limit", str(options.time_limit), "--rows", str(options.rows), "--seed", str(options.seed),
                           "--threads", str(options.threads), "--no-units"])  # fmt: skip
    out.engine = "psrn" if engine == "psrn" else "hypo"
    out.backend = "cuda" if engine == "gpu" else "native"
    return out


def problems(options: argparse.Namespace) -> list[Any]:
    """Feynman problems, the hardest first where times were measured."""
    args = settings(options, "cpu")
    args.hardest = options.hardest
    args.never_solved = not (options.hardest or options.missed)
    found = [p for p in srbench.chosen(args) if p.states is None]
    measured = options.hardest or options.missed
    rows = {row["name"]: row for row in srbench.finished(measured)} if measured else {}
    if options.hardest:
        found.sort(key=lambda p: -rows[p.name]["seconds"])
    elif options.missed:
        found = [p for p in found if p.name in rows and not rows[p.name]["recovered"]]
    return found[: options.problems]


def warm(engine: str, threads: int) -> None:
    """Load and compile before the clock of the first problem starts."""
    import numpy as np

    import hypo

    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    hypo.fit(X, X[:, 0] * X[:, 1], time_limit=5, workers=threads, backend="cuda" if engine == "gpu" else "native")


def measure(options: argparse.Namespace, wanted: list[str], chosen: list[Any]) -> bool:
    """Run what is not finished yet; False where the time of the command was up before all of it."""
    begin = time.monotonic()
    done = {(row["name"], row["device"]) for row in srbench.finished(options.out)}
    warmed: set[str] = set()
    for problem in chosen:
        for engine in wanted:
            if (problem.name, engine) in done:
                continue
            if time.monotonic() - begin + options.time_limit + BESIDE > options.limit:
                return False
            if engine != "psrn" and engine not in warmed:
                warm(engine, options.threads)
                warmed.add(engine)
            row = srbench.run(problem, settings(options, engine)) | {"device": engine}
            srbench.append(options.out, row)
            print(f"{'ok  ' if row['recovered'] else 'MISS'} {engine:4s} {row['name']:12s} {row['seconds']:7.2f} s  "
                  f"{(row['found'] or row['status'])[:90]}", flush=True)  # fmt: skip
    return True


def table(rows: list[dict[str, Any]], missing: dict[str, str]) -> list[str]:
    """A line for each problem, the engines beside one another, and what only one of the backends solves."""
    engines = [e for e in ENGINES if any(row["device"] == e for row in rows)]
    by = {(row["name"], row["device"]): row for row in rows}
    names = list(dict.fromkeys(row["name"] for row in rows))
    lines = ["problem      " + "".join(f"{e:>14s}" for e in engines)]
    for name in names:
        cells = [by.get((name, e)) for e in engines]
        texts = ["-" if c is None else f"{'ok' if c['recovered'] else 'MISS'} {c['seconds']:.1f} s" for c in cells]
        lines.append(f"{name:13s}" + "".join(f"{text:>14s}" for text in texts))
    both = [n for n in names if (n, "cpu") in by and (n, "gpu") in by]
    for mine, other in (("gpu", "cpu"), ("cpu", "gpu")):
        alone = [n for n in both if by[n, mine]["recovered"] and not by[n, other]["recovered"]]
        lines.append(f"only the {mine.upper()} solves ({len(alone)} of {len(both)}): {', '.join(alone) or '-'}")
    return [*lines, *(f"{e}: {why}" for e, why in missing.items())]


def main(argv: list[str] | None = None) -> None:
    """Measure what the options ask for, and print the table of all that the file holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--hardest", type=Path, metavar="FILE", help="the slowest recovered in a results file of srbench"
    )
    which.add_argument("--missed", type=Path, metavar="FILE", help="those not recovered in a results file of srbench")
    parser.add_argument("--engines", default=",".join(ENGINES), help="with commas between")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds per problem and engine")
    parser.add_argument("--limit", type=float, default=560.0, help="seconds of this command")
    parser.add_argument("--problems", type=int, default=20, help="at most so many")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the processor, for both backends"
    )
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "gpu/results/feynman.jsonl")
    options = parser.parse_args(argv)
    asked = options.engines.split(",")
    if unknown := set(asked) - set(ENGINES):
        parser.error(f"no such engine: {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    missing = {engine: why for engine in asked if (why := absent(engine))}
    chosen = problems(options)
    if not measure(options, [e for e in asked if e not in missing], chosen):
        print("# the time of this command is up; the same command goes on from here")
    wanted = {p.name for p in chosen}
    print("\n".join(table([row for row in srbench.finished(options.out) if row["name"] in wanted], missing)))


if __name__ == "__main__":
    main()
