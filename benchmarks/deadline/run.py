"""Do fits end when they should? Fits of varied problems with busy loops beside them, timed from the call to the result.

    python benchmarks/deadline/run.py --fits 300 --seconds 3 --busy 2

A fit should end within its limit + 1 s + 2 %. Reported: how many did not, by the clock of the search (``own``) and by the whole
call of ``hypo.fit`` (``took``: reading, loading, search, posterior, intervals and the result), after a first fit that loads and
compiles; the worst; with --where what late ones do.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hypo

Table = tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]


def damped(rng: np.random.Generator, n: int = 1000, noise: float = 0.0) -> Table:
    """A damped oscillation in four columns."""
    A, g, w, t = rng.uniform([[1], [0.1], [1], [0]], [[3], [1], [5], [4]], (4, n))
    return _table({"A": A, "g": g, "w": w, "t": t}, A * np.exp(-g * t) * np.cos(w * t), noise, rng)


def gaussians(rng: np.random.Generator) -> Table:
    """A sum of two bells: hard, and with many fitted constants."""
    x, z = rng.uniform(-3, 3, (2, 600))
    y = np.exp(-((x - 0.7) ** 2)) * z + 1.7 * np.exp(-((x + 1.1) ** 2) / 0.5)
    return _table({"x": x, "z": z}, y, 0.02, rng)


def many_rows(rng: np.random.Generator) -> Table:
    """A hundred thousand rows."""
    return damped(rng, 100_000, 0.01)


def wide(rng: np.random.Generator) -> Table:
    """More columns than rows."""
    X = rng.uniform(1, 3, (300, 150))
    y = 2.5 * X[3] * X[70] / X[299] + 0.3 * np.sin(X[11])
    return _table({f"c{k}": v for k, v in enumerate(X)}, y, 0.01, rng)


def nothing(rng: np.random.Generator) -> Table:
    """No law at all."""
    X = rng.uniform(1, 3, (6, 200))
    return _table({f"c{k}": v for k, v in enumerate(X)}, rng.standard_normal(200), 0.0, rng)


def ruled(rng: np.random.Generator) -> Table:
    """Rules that are checked and proved."""
    X, y, more = gaussians(rng)
    rules = [
        {"kind": "bounds", "min": -6.0, "max": 6.0, "hard": True},
        {"kind": "monotone", "variable": "z", "direction": "increasing"},
        {"kind": "logic", "formula": "forall x in [-2,2], z in [0,2]: f(x,z) > -3 and f(x,z) > f(x,0) - 4"},
    ]
    return X, y, {**more, "knowledge": {"rule": rules}}


def counts(rng: np.random.Generator) -> Table:
    """Counts, by their own likelihood."""
    x, z = rng.uniform(0, 3, (2, 400))
    y = rng.poisson(3 * np.exp(-x) + z**2 + 1).astype(float)
    return np.column_stack([x, z]), y, {"features": ["x", "z"], "likelihood": "poisson"}


def profiled(rng: np.random.Generator) -> Table:
    """Intervals that refit the others."""
    X, y, more = gaussians(rng)
    return X, y, {**more, "intervals": "profile"}


def template(rng: np.random.Generator) -> Table:
    """A template with two unknown functions."""
    x, z = rng.uniform(1, 3, (2, 300))
    y = np.exp(-x) * x + np.sin(2 * z) / z
    return np.column_stack([x, z]), y, {"features": ["x", "z"], "knowledge": {"template": {"form": "y = g(x) + h(z)"}}}


def held_out(rng: np.random.Generator) -> Table:
    """Chosen by validation."""
    X, y, more = damped(rng, 300, 0.05)
    return X, y, {**more, "model_selection": "validation"}


def guessed(rng: np.random.Generator) -> Table:
    """Guesses with many constants."""
    X, y, more = gaussians(rng)
    return X, y, {**more, "guesses": ["a*exp(-b*(x-c)**2)*z + d*exp(-e1*(x-f)**2)", "a*sin(b*x + c) + d*z*exp(f*x)"]}


def powers(rng: np.random.Generator) -> Table:
    """Six columns, free exponents, outliers."""
    X = rng.uniform(0.5, 4, (6, 500))
    y = X[0] ** 1.37 * X[1] ** -0.61 / (1 + X[2] * X[3] ** 0.5) + np.exp(-X[4]) * X[5]
    X_, y_, more = _table({f"c{k}": v for k, v in enumerate(X)}, y, 0.1, rng)
    return X_, y_, {**more, "likelihood": "student_t"}


def _table(
    columns: dict[str, NDArray[np.float64]], y: NDArray[np.float64], noise: float, rng: np.random.Generator
) -> Table:
    y = y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(len(y))
    return np.column_stack(list(columns.values())), y, {"features": list(columns)}


PROBLEMS: tuple[Callable[[np.random.Generator], Table], ...] = (
    damped,
    gaussians,
    many_rows,
    wide,
    nothing,
    ruled,
    counts,
    profiled,
    template,
    held_out,
    guessed,
    powers,
)


@contextmanager
def busy(count: int) -> Any:
    """Endless loops beside what runs within."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    """Fit again and again, and print how late each fit ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=3.0, help="time limit of each fit")
    parser.add_argument("--busy", type=int, default=2, help="endless loops beside the fits")
    parser.add_argument("--only", nargs="*", help="names of problems")
    parser.add_argument("--first", type=int, default=0, help="number of the first fit")
    parser.add_argument("--where", action="store_true", help="show on standard error what late fits are doing")
    options = parser.parse_args()
    problems = [p for p in PROBLEMS if not options.only or p.__name__ in options.only]
    X, y, more = damped(np.random.default_rng(0))
    hypo.fit(X, y, time_limit=1.0, **more)
    rows: list[dict[str, Any]] = []
    allowed = options.seconds * 1.02 + 1.0
    with busy(options.busy):
        for k in range(options.first, options.first + options.fits):
            make = problems[k % len(problems)]
            X, y, more = make(np.random.default_rng(k))
            if options.where:
                faulthandler.dump_traceback_later(options.seconds * 1.02 + 0.4, repeat=True)
            begin = time.monotonic()
            result = hypo.fit(X, y, time_limit=options.seconds, seed=k, **more)
            took = time.monotonic() - begin
            faulthandler.cancel_dump_traceback_later()
            row = {
                "fit": k,
                "problem": make.__name__,
                "own": round(result.timing["total"], 3),
                "took": round(took, 3),
                "status": result.status,
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    for clock in ("own", "took"):
        late = [row for row in rows if row[clock] > allowed]
        worst = max(row[clock] for row in rows) - options.seconds
        print(
            f"by {clock}: {len(late)} of {len(rows)} fits took more than {options.seconds:g} s + 1 s + 2 %; "
            f"the worst was {worst:+.2f} s over its limit"
        )
        for row in late:
            print("late:", json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
