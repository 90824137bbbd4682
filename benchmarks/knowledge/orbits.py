"""The worth of hard swaps: time and hypotheses to the answer on twelve symmetric laws, with and without orbits.

    python benchmarks/knowledge/orbits.py [--time-limit 20] [--noise 0]

Both searches know the hard rule ``symmetric``; one has the scanner of orbits taken away. An answer counts as found when it
predicts fresh points to 1e-6 of their standard deviation.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import hypo
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.search.proposers.library_scan import Scanner

LAWS = (
    "x*u/(x + u)",
    "exp(-(x**2 + u**2)/2)*(1 + x*u)",
    "sqrt(x**2 + u**2 + x*u)",
    "(x*exp(-u) + u*exp(-x))/(x + u)",
    "sin(x*u)/(x + u) + z*x*u",
    "z*(x - u)**2/(x**2 + u**2)",
    "log(x + u)*cos(x - u)*z",
    "sqrt(x*u)/(1 + z*(x + u))",
    "(x*z + u*z + x*u)/(x + u + z)",
    "(sin(x) - sin(u))/(x - u)",
    "x*log(u) + u*log(x) + z",
    "tanh(x + u)*(x**3 + u**3)/(1 + z*x*u)",
)
ROWS = 300
# An error below this share of the spread of y finds the law.
FOUND = 1e-6
KNOWN = {"rule": [{"kind": "symmetric", "swap": ["x", "u"], "hard": True}]}


def main() -> None:
    """Fit each law twice and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-limit", type=float, default=20.0)
    parser.add_argument("--noise", type=float, default=0.0)
    args = parser.parse_args()
    orbits = Scanner.on_orbits
    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    hypo.fit(X, X[:, 0] * X[:, 1], time_limit=5)
    total = {"with": 0, "without": 0}
    for k, text in enumerate(LAWS):
        law = parse(text)
        names = [n for n in ("x", "u", "z") if n in law.variables]
        rng = np.random.default_rng(k)
        X = rng.uniform(0.5, 3, (ROWS, len(names)))
        y = evaluate(law, X, names)
        y = y + args.noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(ROWS)
        fresh = rng.uniform(0.5, 3, (500, len(names)))
        truth = evaluate(law, fresh, names)
        for case in total:
            Scanner.on_orbits = orbits if case == "with" else lambda self: None  # type: ignore[method-assign]
            begin = time.monotonic()
            result = hypo.fit(
                X, y, features=names, knowledge=Knowledge.from_dict(KNOWN), time_limit=args.time_limit, workers=1
            )
            took = time.monotonic() - begin
            e = result.expression
            error = (
                np.inf
                if e is None
                else float(np.sqrt(np.mean((evaluate(e, fresh, names) - truth) ** 2)) / np.std(truth))
            )
            total[case] += error < FOUND
            print(
                f"{text:40s} {case:8s} {'found' if error < FOUND else '-':6s} {took:6.1f} s {result.coverage.scored:14,d}",
                flush=True,
            )
    print(total)


if __name__ == "__main__":
    main()
