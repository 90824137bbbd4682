"""From how many samples, trajectories and states on are laws of motion found?

    python benchmarks/dynamics/few_points.py points  every fifth system of ODEBench: 8 to 150 samples, 1 to 10 trajectories
    python benchmarks/dynamics/few_points.py states  coupled oscillators and reaction chains of 2 to 20 states: time, memory
    python benchmarks/dynamics/few_points.py report  tables of both

Samples are spread evenly over ten units of time, with 1 % noise (``--noise``). Trajectories beyond ODEBench's own begin at
random states between those that its two starts lead to. Systems of many states run in a process each, whose peak of memory is
theirs alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "srbench"), str(HERE.parent)]

import cases  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402

POINTS = (8, 20, 50, 150)
TRAJECTORIES = (1, 2, 5, 10)
# Every so many-th system of ODEBench.
EVERY = 5
# A second trajectory is not simulated for starts at which the system ends within the clock: so many draws are tried.
DRAWS = 100


def with_starts(case: cases.Case, n: int) -> cases.Case:
    """The case with at least n starts: its own two in turn with states drawn near its trajectories, from which it lives on."""
    if n <= len(case.starts):
        return case
    rng = np.random.default_rng(0)
    states = np.vstack(case.truth)
    low, high = states.min(0), states.max(0)
    starts = list(case.starts)
    for _ in range(DRAWS):
        if len(starts) >= n:
            break
        # Half way between a state that was met and a point of the box.
        start = 0.5 * (states[rng.integers(len(states))] + rng.uniform(low, high))
        reached = cases.follow(case.laws, case.states, start, case.times)
        if np.isfinite(reached).all() and np.abs(reached).max() <= 3 * np.abs(states).max():
            starts.append(tuple(start.tolist()))
    return replace(case, starts=tuple(starts))


def point_tasks(args: argparse.Namespace) -> Iterator[tuple[run.Task, argparse.Namespace]]:
    """Systems with fewer samples and more trajectories; the last start is never learned from."""
    for n_time, n in product(POINTS, TRAJECTORIES):
        for case in cases.load("odebench")[::EVERY]:
            # The start for generalisation stays the second one of ODEBench.
            more = with_starts(case, n + 1)
            own, other, *drawn = more.starts
            learned = (own, *drawn)[:n]
            if len(learned) < n:
                continue
            given = replace(more, starts=(*learned, other), sampled=np.linspace(0.0, 10.0, n_time))
            for seed in range(args.seeds):
                chosen = run.options(["--noise", str(args.noise), "--trajectories", str(n)])
                chosen.time_limit, chosen.suite = args.time_limit, f"{n_time} samples"
                yield run.Task(given, seed), chosen


def points(args: argparse.Namespace) -> None:
    """Run what is not finished yet; a line of JSON each."""
    out = args.out / "points.jsonl"
    done = {(r["name"], r["suite"], r["trajectories"], r["seed"]) for r in report.read([out])}
    for task, chosen in point_tasks(args):
        if (task.case.name, chosen.suite, chosen.trajectories, task.seed) in done:
            continue
        row = run.solve(task, chosen)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{chosen.suite:12s} {chosen.trajectories:2d} runs  {report.outcome(row)}", flush=True)


def states(args: argparse.Namespace) -> None:
    """Every size in a process of its own."""
    for suite, size in product(("oscillators", "reactions"), cases.SIZES):
        given = ["--suite", suite, "--only", f"{suite}_{size}", "--noise", str(args.noise), "--seeds", str(args.seeds)]
        for n in (1, 5):
            command = [sys.executable, str(HERE / "run.py"), *given, "--trajectories", str(n)]
            out = ["--time-limit", str(args.time_limit), "--out", str(args.out / f"{suite}_{size}"), "--resume"]
            subprocess.run([*command, *out], check=True)


def table_of_points(rows: list[dict[str, Any]]) -> str:
    """Samples by trajectories: reconstruction, generalisation and exact form of how many."""
    heads = [f"{n} trajectories" if n > 1 else "1 trajectory" for n in TRAJECTORIES]
    out = ["| samples | " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) + 1)]
    for n_time in POINTS:
        cells = []
        for n in TRAJECTORIES:
            some = [r for r in rows if r["suite"] == f"{n_time} samples" and r["trajectories"] == n]
            counts = [sum(bool(r[key]) for r in some) for key in ("reconstruction", "generalisation", "exact")]
            cells.append(f"{' / '.join(map(str, counts))} of {len(some)}" if some else "–")
        out.append(f"| {n_time} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def show(args: argparse.Namespace) -> None:
    """Print both tables."""
    print("Reconstruction / generalisation / exact form:\n")
    print(table_of_points(report.read([args.out / "points.jsonl"])))
    print()
    rows = report.read(sorted(args.out.glob("*/*.jsonl")))
    print(report.table([r | {"suite": r["name"]} for r in rows]))


PARTS = {"points": points, "states": states, "report": show}


def main(argv: list[str] | None = None) -> None:
    """Run a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "few_points")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    PARTS[args.part](args)


if __name__ == "__main__":
    main()
