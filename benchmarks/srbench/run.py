"""Runs a suite under SRBench's protocol: one setting for all problems, three quarters of the rows to learn from.

    python benchmarks/srbench/run.py [--suite srbench|second|odes] [--engine hypo|operon|gplearn|sindy] [--noise 0.01]
                                     [--units] [--time-limit 60] [--rows 10000] [--never-solved] [--only NAME,...]
                                     [--backend native|pysr|all] [--hardest FILE]
                                     [--workers N] [--scheduler local|tcp://HOST:8786]

Noise is added to the training targets only, as a share of their RMS. Each answer is judged twice (see ``judge.py``): by
SRBench's symbolic criterion, and by whether its form is the law. One JSON line per problem is written as soon as it is
finished; finished problems are skipped when the same command is given again.

With ``--workers`` several problems are worked on at a time, by processes of this machine or, with ``--scheduler``, by a Dask
cluster whose workers have hypo and, on their PYTHONPATH, this folder and the one above. A worker that dies loses nothing.
Answers are judged here, as they come.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS / "srbench"), str(BENCHMARKS)]

import choose  # noqa: E402
import judge  # noqa: E402
import peers  # noqa: E402
import suites  # noqa: E402

import hypo  # noqa: E402
from hypo.expression.algebra.simplify import simplify  # noqa: E402
from hypo.expression.expr import Expression  # noqa: E402
from hypo.expression.program import evaluate  # noqa: E402
from hypo.scoring.score import Hypothesis  # noqa: E402

# Threads of a search; one where several problems are worked on at a time.
THREADS = 2
HARDEST = 20


def answer(
    problem: suites.Problem, X: NDArray[np.float64], y: NDArray[np.float64], args: argparse.Namespace
) -> tuple[Expression | None, str, Hypothesis | None]:
    """The engine's formula, how the search ended, and hypo's own figures for it."""
    if args.engine != "hypo":
        return peers.ENGINES[args.engine](X, y, problem.names, args.time_limit, args.seed), "finished", None
    table = pd.DataFrame(X, columns=list(problem.names)).assign(**{problem.target: y})
    result = hypo.fit(
        table,
        problem.target,
        units=problem.units if args.units else None,
        time_limit=args.time_limit,
        seed=args.seed,
        workers=args.threads,
        backend=args.backend,
    )
    return result.expression, result.status, result.best


def run(problem: suites.Problem, args: argparse.Namespace) -> dict[str, Any]:
    """Fit one problem, judge the answer: one line of the results."""
    return judged(fitted(problem, args), problem, args)


def fitted(problem: suites.Problem, args: argparse.Namespace) -> dict[str, Any]:
    """The line of a problem before it is judged."""
    X, _, y = data(problem, args)
    ready(args.engine)
    begin = time.monotonic()
    try:
        found, status, best = answer(problem, X, y, args)
    except ImportError as error:
        raise SystemExit(f"{args.engine} is not installed ({error}); see benchmarks/README.md") from error
    except Exception as error:  # an engine that fails on one problem has not solved it; the others go on
        found, status, best = None, f"error: {type(error).__name__}: {error}"[:500], None
    seconds = time.monotonic() - begin
    return {
        "name": problem.name,
        "never_solved": problem.never_solved,
        "engine": args.engine,
        "noise": args.noise,
        "units": args.units,
        "rows": args.rows,
        "time_limit": args.time_limit,
        "threads": args.threads,
        "seed": args.seed,
        "seconds": round(seconds, 3),
        "status": status,
        "law": problem.formula,
        "found": None if found is None else str(found),
        "size": None if found is None else len(found),
        "complexity": None if best is None else best.complexity,
        "r2": None,
        "solved": False,
        "recovered": False,
        "score": None if best is None else best.score,
        "law_score": law_score(problem, X, y, args),
    }


def judged(row: dict[str, Any], problem: suites.Problem, args: argparse.Namespace) -> dict[str, Any]:
    """The line with what its answer is worth."""
    if row["found"] is None:
        return row
    # Judged as read back from the text, which is what the file keeps.
    found = hypo.parse(row["found"], variables=problem.names)
    _, X_test, _ = data(problem, args)
    return row | {
        "r2": r2(problem.value(X_test), evaluate(found, X_test, problem.names)),
        "recovered": judge.recovered(found, problem, np.random.default_rng(args.seed + 1)),
        "solved": judge.solved(found, problem),
    }


def data(
    problem: suites.Problem, args: argparse.Namespace
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rows to learn from, rows held out, and the target on the first, with its noise."""
    rng = np.random.default_rng(args.seed)
    X, X_test = problem.rows(min(args.rows, suites.MAX_ROWS), rng)
    y = problem.value(X)
    if args.noise:
        y = y + args.noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(len(y))
    return X, X_test, y


def answered(problems: Sequence[suites.Problem], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The lines of the problems before they are judged, each as soon as it is there."""
    with ExitStack() as stack:
        if args.scheduler:
            from hypo.parallel.dask import Cluster

            yield from stack.enter_context(Cluster(args.scheduler, args.workers)).map_as_completed(
                fitted, problems, args
            )
        elif args.workers > 1:
            from hypo.parallel.processes import Processes

            yield from stack.enter_context(Processes(args.workers)).map_as_completed(fitted, problems, args)
        else:
            yield from (fitted(problem, args) for problem in problems)


def law_score(
    problem: suites.Problem, X: NDArray[np.float64], y: NDArray[np.float64], args: argparse.Namespace
) -> float | None:
    """hypo's score of the law on the training rows: where it is above that of what was found, the data do not ask for the
    law."""
    if args.engine != "hypo":
        return None
    table = pd.DataFrame(X, columns=list(problem.names)).assign(**{problem.target: y})
    try:
        scored = hypo.score(simplify(problem.law), table, problem.target, units=problem.units if args.units else None)
    except hypo.HypoError:
        return None
    return round(scored.hypothesis.score, 3)


def r2(truth: NDArray[np.float64], guess: NDArray[np.float64]) -> float | None:
    """1 - RSS/TSS; None where the guess is not defined at all points."""
    value = 1.0 - np.sum((truth - guess) ** 2) / np.sum((truth - truth.mean()) ** 2)
    return float(value) if np.isfinite(value) else None


def finished(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a results file; none when there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a line, on a line of its own even if an earlier run was cut off while writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut else "") + json.dumps(row) + "\n")


def chosen(args: argparse.Namespace) -> list[suites.Problem]:
    """The suite's problems that the options ask for; SystemExit for a name that is not in it."""
    problems = choose.only(suites.load(args.suite), args.only, args.suite)
    if args.hardest:
        slow = sorted((r for r in finished(args.hardest) if r["recovered"]), key=lambda r: r["seconds"])[-HARDEST:]
        problems = [p for p in problems if p.name in {r["name"] for r in slow}]
    if args.never_solved:
        problems = [p for p in problems if p.never_solved]
    if args.engine == "sindy":
        # It is made for rates of change as functions of the state.
        problems = [p for p in problems if p.states is not None]
    return choose.shard(problems, args.shard)


def results_file(args: argparse.Namespace) -> Path:
    """``--out``, or a name made of the settings."""
    if args.out:
        return Path(args.out)
    units = "units" if args.units else "plain"
    engine = args.engine if args.backend == "native" else args.backend
    threads = "" if args.threads == THREADS else f"-{args.threads}threads"
    return (
        BENCHMARKS
        / args.suite
        / "results"
        / f"{engine}-{units}-noise{args.noise:g}-{args.rows}rows-{args.time_limit:g}s-seed{args.seed}{threads}.jsonl"
    )


@cache
def ready(engine: str) -> None:
    """Load, and after an installation compile, before the clock starts: once in every process that fits."""
    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    if engine == "hypo":
        hypo.fit(X, X[:, 0] * X[:, 1], time_limit=5, workers=1)
    evaluate(hypo.parse("x + 1"), X[:, :1], ["x"])


def options(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=suites.SUITES, default="srbench")
    parser.add_argument("--engine", choices=["hypo", *peers.ENGINES], default="hypo")
    parser.add_argument("--noise", type=float, default=0.0, help="share of the training target's RMS")
    parser.add_argument(
        "--units",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="give the units to hypo (the Strogatz problems have none)",
    )
    parser.add_argument("--rows", type=int, default=suites.MAX_ROWS, help="in all, a quarter of them held out")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds per problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--shard", default="1/1", help="k/n: every n-th problem, starting with the k-th")
    parser.add_argument("--backend", default="native", help="of hypo: native, pysr or all")
    parser.add_argument("--workers", type=int, default=1, help="problems worked on at a time")
    parser.add_argument(
        "--threads", type=int, help=f"of one search: {THREADS}, or 1 when several problems are worked on"
    )
    parser.add_argument(
        "--scheduler", default="", help="a Dask scheduler's address, or local for a cluster on this machine"
    )
    parser.add_argument(
        "--hardest",
        type=Path,
        metavar="FILE",
        help="only the 20 problems that took longest of those recovered in a results file",
    )
    parser.add_argument("--never-solved", action="store_true", help="only the 43 that no method of the study solved")
    parser.add_argument("--out", default="", help="results file")
    args = parser.parse_args(argv)
    if args.workers < 1 or (args.threads or 1) < 1:
        parser.error("--workers and --threads must be at least 1")
    args.threads = args.threads or (THREADS if args.workers == 1 and not args.scheduler else 1)
    if args.backend != "native" and args.engine != "hypo":
        parser.error(f"{args.engine} has no backends")
    if args.units and args.engine != "hypo":
        parser.error(f"{args.engine} takes no units")
    return args


def main(argv: list[str] | None = None) -> None:
    """Run what is not finished yet, append to the results file, print a line each and a summary; SystemExit, with a sentence,
    when there is no such cluster."""
    args = options(argv)
    out = results_file(args)
    done = {row["name"] for row in finished(out)}
    problems = [p for p in chosen(args) if p.name not in done]
    named = {p.name: p for p in problems}
    try:
        for line in answered(problems, args):
            row = judged(line, named[line["name"]], args)
            append(out, row)
            mark = "ok  " if row["recovered"] else "MISS"
            text = (row["found"] or "-")[:100]
            print(f"{mark} {row['name']:20s} {row['seconds']:7.2f} s  solved {row['solved']!s:5s}  {text}", flush=True)
    except hypo.HypoError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on from here") from None
    rows = finished(out)
    if rows:
        median = statistics.median(r["seconds"] for r in rows)
        print(
            f"\n{out}: {len(rows)} problems, solved {sum(r['solved'] is True for r in rows)}, "
            f"recovered {sum(r['recovered'] for r in rows)}, median {median:.2f} s"
        )


if __name__ == "__main__":
    main()
