"""Discovers laws of motion from simulated trajectories, one setting for all systems, and measures what was found.

    python benchmarks/dynamics/run.py [--suite odebench|textbook|strogatz|partial|oscillators|reactions] [--engine hypo|…]
                                      [--noise 0.01] [--rho 0.5] [--seeds 3] [--trajectories 1|2] [--time-limit 60]
                                      [--only NAME,…] [--shard 1/2] [--workers N] [--out DIR] [--resume]

Each trajectory is simulated to 1e-9, multiplied by 1 + noise·ξ, and a share rho of its samples is left out, as in ODEFormer's
protocol. Measured are *reconstruction* (R² > .9 of the found system, followed by SciPy from the true start of what was learned
from, on all samples, without noise), *generalisation* (the same from a start that was not learned from), and the *exact form*
of all equations (``forms.py``). A line of JSON for each system and seed goes to DIR, where ``summary.md`` says it all; with
``--resume`` finished ones are skipped.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "srbench"), str(HERE.parent)]

import cases  # noqa: E402
import choose  # noqa: E402
import engines  # noqa: E402
import forms  # noqa: E402
import report  # noqa: E402

import hypo  # noqa: E402

Values = NDArray[np.float64]

# Errors of programs are recorded up to this many letters.
LONGEST_ERROR = 400


@dataclass(frozen=True)
class Task:
    """One system with one draw of noise."""

    case: cases.Case
    seed: int


def solve(task: Task, args: argparse.Namespace) -> dict[str, Any]:
    """The line of a task: what was found, and what it is worth."""
    ready(args.engine)
    case = task.case
    n = min(args.trajectories or case.n_learned, len(case.starts))
    recordings = cases.record(case, args.noise, args.rho, task.seed, n)
    begin = time.monotonic()
    status, answer = "finished", None
    try:
        answer = engines.ENGINES[args.engine](recordings, case, args.time_limit, task.seed)
    except ImportError as error:
        raise SystemExit(f"{args.engine} is not installed ({error}); see benchmarks/README.md") from error
    except Exception as error:  # an engine that fails on one system has not found it; the others go on
        status = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
    seconds = time.monotonic() - begin
    line = {
        "suite": args.suite,
        "name": case.name,
        "engine": args.engine,
        "noise": args.noise,
        "rho": args.rho,
        "trajectories": n,
        "time_limit": args.time_limit,
        "seed": task.seed,
        "seconds": round(seconds, 2),
        # Of the process, which may have worked on others before.
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "status": status,
        "laws": list(case.rates),
        "found": None if answer is None else list(answer.rates),
    }
    return line | judged(case, n, None if answer is None else answer.rates) | ({} if answer is None else answer.figures)


def judged(case: cases.Case, n: int, rates: Sequence[str] | None) -> dict[str, Any]:
    """What found rates are worth, where the first ``n`` trajectories were learned from; read back from their texts."""
    counted = [k for k, law in enumerate(case.rates) if law not in case.states]
    if rates is None:
        return {
            "r2": None,
            "r2_other": None,
            "reconstruction": False,
            "generalisation": False if len(case.starts) > n else None,
            "right": [False] * len(counted),
            "exact": False,
        }
    try:
        found = [hypo.parse(text, variables=case.states) for text in rates]
        named = all(c.name in (None, "pi") for e in found for c in e.constants)
    except hypo.HypoError:
        named = False
    if not named:
        raise ValueError(f"not rates over {', '.join(case.states)}: {rates}")
    own = [r2(case, found, k) for k in range(n)]
    other = [r2(case, found, k) for k in range(n, len(case.starts))]
    right = forms.right_equations(found, case.laws, case.states, np.vstack(case.truth))
    return {
        "r2": rounded(own),
        "r2_other": rounded(other),
        "reconstruction": all(v > 0.9 for v in own),
        "generalisation": all(v > 0.9 for v in other) if other else None,
        "right": [right[k] for k in counted],
        "exact": all(right),
    }


def r2(case: cases.Case, found: Sequence[hypo.Expression], start: int) -> float:
    """R² over all states together (squares summed before they are divided); -inf where the system does not reach the end."""
    truth = case.truth[start]
    guess = cases.follow(found, case.states, case.starts[start], case.times)
    with np.errstate(all="ignore"):
        value = 1.0 - float(np.sum((truth - guess) ** 2) / np.sum((truth - truth.mean(0)) ** 2))
    return value if np.isfinite(value) else -np.inf


def rounded(values: Sequence[float]) -> list[float | None]:
    """For JSON, which has no infinity."""
    return [round(v, 5) if np.isfinite(v) else None for v in values]


@cache
def ready(engine: str) -> None:
    """Load, and after an installation compile, before the clock starts: once in every process."""
    if engine == "hypo":
        case = cases.Case("ready", ("x",), ("-x",), ((1.0,),), np.linspace(0.0, 3.0, 40), 1)
        engines.hypo_answer(cases.record(case, 0.01, 0.0, 0), case, 3.0, 0)


def answered(tasks: Sequence[Task], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The lines of the tasks, each as soon as it is there."""
    with ExitStack() as stack:
        if args.workers > 1:
            from hypo.parallel.processes import Processes

            yield from stack.enter_context(Processes(args.workers)).map_as_completed(solve, tasks, args)
        else:
            yield from (solve(task, args) for task in tasks)


def chosen(args: argparse.Namespace) -> list[Task]:
    """Systems and seeds that the options ask for; SystemExit for a name that is not in the suite."""
    wanted = choose.shard(choose.only(cases.load(args.suite), args.only, args.suite), args.shard)
    return [Task(case, seed) for seed in range(args.seeds) for case in wanted]


def results_file(args: argparse.Namespace) -> Path:
    """The file of one setting within ``--out``."""
    trajectories = f"{args.trajectories}runs" if args.trajectories else "runs"
    name = f"{args.suite}-{args.engine}-noise{args.noise:g}-rho{args.rho:g}-{trajectories}-{args.time_limit:g}s.jsonl"
    return Path(args.out) / name


def options(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=cases.SUITES, default="odebench")
    parser.add_argument("--engine", choices=list(engines.ENGINES), default="hypo")
    parser.add_argument("--noise", type=float, default=0.0, help="σ of x·(1 + σξ)")
    parser.add_argument("--rho", type=float, default=0.0, help="share of samples left out at random")
    parser.add_argument("--seeds", type=int, default=1, help="draws of noise for each system")
    parser.add_argument("--trajectories", type=int, default=0, help="to learn from; as the suite has it if not given")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for each system")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--shard", default="1/1", help="k/n: every n-th system, starting with the k-th")
    parser.add_argument("--workers", type=int, default=1, help="systems worked on at a time")
    parser.add_argument("--out", default=str(HERE / "results"), help="folder of results")
    parser.add_argument("--resume", action="store_true", help="skip what is finished; otherwise the file is begun anew")
    args = parser.parse_args(argv)
    if args.workers < 1 or args.seeds < 1 or not 0 <= args.rho < 1 or args.noise < 0 or args.trajectories < 0:
        parser.error("--workers and --seeds must be at least 1, --rho in [0, 1), --noise and --trajectories at least 0")
    return args


def main(argv: list[str] | None = None) -> None:
    """Run what is not finished yet, a line each, then the summary."""
    args = options(argv)
    out = results_file(args)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not args.resume:
        out.unlink(missing_ok=True)
    done = {(row["name"], row["seed"]) for row in report.read([out])}
    tasks = [task for task in chosen(args) if (task.case.name, task.seed) not in done]
    try:
        for row in answered(tasks, args):
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(report.outcome(row), flush=True)
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command with --resume goes on from here") from None
    rows = report.read(sorted(out.parent.glob("*.jsonl")))
    (out.parent / "summary.md").write_text(report.summary(rows), encoding="utf-8")
    print("\n" + report.table(report.read([out])))


if __name__ == "__main__":
    main()
