"""The measured data of ``datasets/``: is the known law found, with the units of the header and without?

    python benchmarks/real/run.py [--only NAME,…] [--time-limit 60] [--seed 0]

The law's constants are fitted to the data first; the found form counts as the law when it agrees with that for some values
of its own constants (``srbench/judge.py``). Real data need not ask for the textbook's law: the scores of both are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS / "srbench"), str(BENCHMARKS)]

import judge  # noqa: E402
import suites  # noqa: E402

import hypo  # noqa: E402

DATASETS = BENCHMARKS.parent / "datasets"


def run(folder: Path, units: bool, args: argparse.Namespace) -> dict[str, Any]:
    """Fit one table with or without its units and judge the answer."""
    about = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    table, target = folder / "data.csv", about["target"]
    read = hypo.read_csv(table, target)
    plain = pd.DataFrame(read.X, columns=list(read.names)).assign(**{target: read.y})
    result = hypo.fit(table if units else plain, target, time_limit=args.time_limit, seed=args.seed)
    # In the units of the columns, as the answer is.
    law = hypo.score(about["law"]["formula"], table if units else plain, target)
    X = plain[list(read.names)].to_numpy()
    problem = suites.Problem(
        name=folder.name,
        formula=str(law.expression),
        names=read.names,
        target=target,
        ranges=np.column_stack([X.min(axis=0), X.max(axis=0)]),
    )

    def is_law(e: hypo.Expression) -> bool:
        # π is what a fitted constant was snapped to; none of these laws has it.
        e = replace(e, constants=tuple(replace(c, name=None) if c.name == "pi" else c for c in e.constants))
        return judge.recovered(e, problem, np.random.default_rng(1))

    return {
        "name": folder.name,
        "units": units,
        "rows": read.n_row,
        "law": about["law"]["formula"],
        "found": str(result.expression),
        "recovered": result.expression is not None and is_law(result.expression),
        "on_front": any(is_law(h.expression) for h in result.front),
        "score": None if result.best is None else result.best.score,
        "law_score": law.hypothesis.score,
        "seconds": round(result.timing["total"], 2),
        "status": result.status,
    }


def main() -> None:
    """Run all data sets, print a line each, write JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out = Path(__file__).parent / "results" / f"real-{args.time_limit:g}s-seed{args.seed}.jsonl"
    out.parent.mkdir(exist_ok=True)
    rows = []
    for about in sorted(DATASETS.glob("*/dataset.toml")):
        if args.only and about.parent.name not in args.only.split(","):
            continue
        if "law" not in tomllib.loads(about.read_text(encoding="utf-8")):
            # Trajectories: benchmarks/dynamics/real.py.
            continue
        for units in (True, False):
            row = run(about.parent, units, args)
            rows.append(row)
            mark = "law  " if row["recovered"] else "front" if row["on_front"] else "-    "
            print(
                f"{mark} {row['name']:20s} {'units' if units else 'plain'} {row['seconds']:6.1f} s  score {row['score']:9.2f}"
                f"  law {row['law_score']:9.2f}  {row['found'][:70]}",
                flush=True,
            )
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for units in (True, False):
        some = [r for r in rows if r["units"] == units]
        print(f"{'with' if units else 'without'} units: {sum(r['recovered'] for r in some)} of {len(some)} are the law")


if __name__ == "__main__":
    main()
