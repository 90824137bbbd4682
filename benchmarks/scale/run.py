"""Scale: fits of up to a million rows and two hundred columns; prints seconds, memory and what was recovered.

Each problem runs in a process of its own, so that its peak of memory is its own; "memory" is that peak above what the process
held when its table was ready (the table itself not counted).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A law over columns uniform on [low, high]; ``copies`` more columns go along with those that matter."""

    rows: int
    columns: int
    low: float
    high: float
    law: Callable[[Array], Array]
    text: str
    noise: float = 0.0
    copies: tuple[int, ...] = ()
    csv: bool = False

    def table(self, seed: int) -> tuple[Array, Array]:
        """X (n_row, n_col) and the target with noise of a share of its standard deviation."""
        rng = np.random.default_rng(seed)
        X = rng.uniform(self.low, self.high, (self.rows, self.columns))
        for k, of in enumerate(self.copies):
            X[:, -1 - k] = 0.9 * X[:, of] + 0.1 * X[:, -1 - k]
        y = self.law(X)
        return X, y + self.noise * y.std() * rng.normal(size=len(y))


def _decay(X: Array) -> Array:
    return np.asarray(2.5 * X[:, 0] * np.exp(-X[:, 1]))


def _quotient(X: Array) -> Array:
    return np.asarray(_decay(X) / (1.0 + X[:, 2] ** 2))


def _cases() -> list[Case]:
    decay, quotient = "2.5*x0*exp(-x1)", "2.5*x0*exp(-x1)/(1+x2**2)"
    rows = [
        Case(n, 5, 0.5, 3.0, law, text, noise)
        for n in (10_000, 100_000, 1_000_000)
        for law, text in ((_decay, decay), (_quotient, quotient))
        for noise in (0.0, 0.05)
    ]
    wide = [
        Case(rows, columns, low, high, law, text, noise, copies)
        for rows, columns, low, high, law, text, copies in (
            (800, 120, -3.0, 3.0, lambda X: X[:, 3] * X[:, 17], "x3*x17", (3, 17)),
            (2000, 200, -3.0, 3.0, lambda X: np.sin(X[:, 5]) * X[:, 40], "sin(x5)*x40", (5, 40)),
            (1500, 150, 1.0, 5.0, lambda X: X[:, 7] / X[:, 50] + X[:, 12] ** 2, "x7/x50+x12**2", (7, 12)),
            (500, 120, 0.5, 3.0, _quotient, quotient, (0, 1)),
            (5000, 200, 0.5, 3.0, _quotient, quotient, (0, 1)),
        )
        for noise in (0.0, 0.1)
    ]
    return [*rows, Case(1_000_000, 5, 0.5, 3.0, _decay, decay + ", from CSV", csv=True), *wide]


def recovered(case: Case, predict: Callable[[Array], Array]) -> str:
    """``yes`` when the formula is the law to 1e-6 of its RMS on fresh points, ``law + x %`` of its RMS otherwise."""
    X, _ = Case(2000, case.columns, case.low, case.high, case.law, case.text).table(99)
    truth = case.law(X)
    with np.errstate(all="ignore"):
        off = float(np.sqrt(np.mean((predict(X) - truth) ** 2) / np.mean(truth**2)))
    return "yes" if off < 1e-6 else f"off by {100 * off:.2g} %" if np.isfinite(off) else "no"


def run_one(case: Case, time_limit: float, seed: int) -> dict[str, object]:
    """Fit one case in this process."""
    import hypo

    hypo.fit(np.random.default_rng(0).normal(size=(200, 2)), np.random.default_rng(1).normal(size=200), time_limit=2)
    X, y = case.table(seed)
    source: tuple[object, object] = (X, y)
    with tempfile.TemporaryDirectory() as folder:
        if case.csv:
            path = os.path.join(folder, "table.csv")
            header = ",".join([*(f"x{k}" for k in range(case.columns)), "y"])
            np.savetxt(path, np.column_stack([X, y]), delimiter=",", header=header, comments="", fmt="%.17g")
            source = (path, "y")
        held = _resident()
        begin = time.monotonic()
        result = hypo.fit(*source, time_limit=time_limit)
        seconds = time.monotonic() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": seconds,
        "memory": peak - held,
        "recovered": recovered(case, result.predict),
        "found": str(result.expression),
        "status": result.status,
    }


def _resident() -> float:
    """Megabytes this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("rows", "columns"), help="one half of the table")
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases = _cases()
    if options.case is not None:
        print(json.dumps(run_one(cases[options.case], options.time_limit, options.seed)))
        return
    print(
        f"{'rows':>9s} {'columns':>7s} {'noise':>5s}  {'law':30s} {'seconds':>7s} {'MB':>5s}  {'recovered':14s} found"
    )
    for k, case in enumerate(cases):
        if options.only is not None and (options.only == "rows") != (case.columns < 100):
            continue
        given = ["--case", str(k), "--time-limit", str(options.time_limit), "--seed", str(options.seed)]
        out = subprocess.run([sys.executable, __file__, *given], capture_output=True, text=True, check=True)
        r = json.loads(out.stdout.splitlines()[-1])
        print(
            f"{case.rows:9d} {case.columns:7d} {case.noise:5.2f}  {case.text:30s} {r['seconds']:7.1f} {r['memory']:5.0f}  "
            f"{r['recovered']:14s} {r['found'][:90]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
