"""Recovery of the Feynman problems: one setting for all, judged numerically on fresh points and symbolically by sympy.

    python benchmarks/feynman/run.py [--only NAME,…] [--units | --no-units] [--rows 1000] [--time-limit 60] [--noise 0]

A problem counts as recovered when the formula agrees with the law to 1e-6 of its RMS on fresh points drawn from the training
ranges and, where the law is defined, from ranges half as wide again on both sides
(a positive quantity stays positive). The symbolic column is
stricter and separate: sympy proves difference 0 (constants within 1e-9 of a simple number count as that number).
Writes one JSON line per problem and a table; finished problems are skipped on a second run.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from agreement import agrees  # noqa: E402


def sample(problem: dict, n: int, rng: np.random.Generator, stretch: float = 0.0) -> np.ndarray:
    """Points (n, n_var), uniform in the variables' ranges widened by ``stretch`` of their width (not beyond 0)."""
    columns = []
    for v in problem["variables"].values():
        extra = stretch * (v["high"] - v["low"])
        # A positive quantity stays positive.
        low = max(v["low"] - extra, v["low"] / 2) if v["low"] > 0 else v["low"] - extra
        columns.append(rng.uniform(low, v["high"] + extra, n))
    return np.column_stack(columns)


class _Timeout(Exception):
    pass


def proved(found, law, seconds: int = 20) -> bool | None:
    """True if sympy shows the difference to be 0; None when it does not finish."""
    import sympy

    def stop(*_: object) -> None:
        raise _Timeout

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        a, b = found.sympy(), law.sympy()
        positive = {s: sympy.Symbol(s.name, positive=True) for s in a.free_symbols | b.free_symbols}
        a = sympy.nsimplify(a.xreplace(positive), rational=True, tolerance=1e-9)
        b = sympy.nsimplify(b.xreplace(positive), rational=True)
        return bool(sympy.simplify(a - b) == 0 or sympy.simplify(sympy.expand(a / b)) == 1)
    except _Timeout:
        return None
    except Exception:  # sympy's own failures say nothing about the formula
        return None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def run(problem: dict, args: argparse.Namespace) -> dict:
    """Fit one problem and judge the answer."""
    import hypo

    rng = np.random.default_rng(args.seed)
    names = list(problem["variables"])
    law = hypo.parse(problem["formula"], variables=names)
    from hypo.expression.program import evaluate

    X = sample(problem, args.rows, rng)
    y = evaluate(law, X, names)
    if args.noise:
        y = y + args.noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(len(y))
    units = {n: v["unit"] for n, v in problem["variables"].items()} | {problem["target"]: problem["unit"]}
    begin = time.monotonic()
    table = pd.DataFrame(X, columns=names).assign(**{problem["target"]: y})
    result = hypo.fit(
        table, problem["target"], units=units if args.units else None, time_limit=args.time_limit, seed=args.seed
    )
    seconds = time.monotonic() - begin
    found = result.expression
    fresh = np.random.default_rng(args.seed + 1)
    recovered = agrees(
        lambda x: evaluate(found, x, names),
        lambda x: evaluate(law, x, names),
        lambda stretch: sample(problem, 2000, fresh, stretch),
        1e-6,
    )
    return {
        "name": problem["name"],
        "recovered": recovered,
        "proved": proved(found, law) if recovered else False,
        "seconds": round(seconds, 3),
        "found": found.pretty(6),
        "law": problem["formula"],
        "status": result.status,
        "complexity": result.best.complexity,
        "rmse": result.best.rmse,
        "score": result.best.score,
    }


def main() -> None:
    """Run, append to the results file, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--shard", default="1/1", help="k/n: every n-th problem")
    parser.add_argument("--units", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--out", default="")
    args = parser.parse_args()
    problems = tomllib.loads((HERE / "problems.toml").read_text())["problem"]
    if args.only:
        problems = [p for p in problems if p["name"] in args.only.split(",")]
    k, n = map(int, args.shard.split("/"))
    problems = problems[k - 1 :: n]
    out = Path(args.out or HERE / "results" / f"{'units' if args.units else 'plain'}-noise{args.noise:g}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    done = {json.loads(line)["name"] for line in out.read_text().splitlines()} if out.exists() else set()
    import hypo

    # Compile before the clock starts: the first fit of a fresh installation pays for it once.
    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    hypo.fit(X, X[:, 0] * X[:, 1], time_limit=5)
    for problem in problems:
        if problem["name"] in done:
            continue
        row = run(problem, args)
        with out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        mark = "ok  " if row["recovered"] else "MISS"
        print(f"{mark} {row['name']:10s} {row['seconds']:7.2f} s  {row['found'][:110]}", flush=True)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    won = [r for r in rows if r["recovered"]]
    if rows:
        print(
            f"\nrecovered {len(won)} of {len(rows)} (sympy proves {sum(r['proved'] is True for r in won)}); "
            f"median time to answer {statistics.median(r['seconds'] for r in rows):.2f} s over all, "
            f"{statistics.median([r['seconds'] for r in won] or [0]):.2f} s over those recovered"
        )


if __name__ == "__main__":
    main()
