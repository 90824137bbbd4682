"""Starts of fits: how often does a formula given by name alone reach the best optimum that is known?

    python benchmarks/fits/run.py                      200 problems of each likelihood
    python benchmarks/fits/run.py poisson --cases 40   40 of one likelihood

A problem is a formula from a list, constants drawn so that it does something over the rows, a scale of the columns over six
decades, 15 to 300 rows, and noise of the likelihood (for Student's t with two degrees of freedom and one row in ten far off).
``hypo.score``'s fit begins at 1 for every constant. The best known optimum is the best of the descents from the constants that
the data were made with, from 40 points around them, and of that fit itself. It counts as reached within 0.01 nats of the
misfit. Results are written to results/.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypo.data import Dataset, TableOptions, as_dataset
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import TIGHT, DescentOptions, fit
from hypo.fitting.score_formula import score_formula
from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.problem.problem import Settings, make_problem

HERE = Path(__file__).resolve().parent
KINDS = ("gaussian", "lognormal", "poisson", "student_t", "binomial")
# Nats by which a misfit may be above the best known one.
REACHED = 0.01
# Starts around the truth.
AROUND = 40
# How far they lie from it, in decades.
DECADES = 0.3
ROWS = (15, 300)

Rng = np.random.Generator
# Constants for x between 0 and 1 (in each column), before the columns are scaled.
Draw = Callable[[Rng], dict[str, float]]
# Marks the coefficient of powers, which takes the scale of their columns.
POWER = math.nan


def u(rng: Rng, low: float, high: float) -> float:
    """A number between two, evenly by its logarithm."""
    return float(low * (high / low) ** rng.uniform())


def s(rng: Rng) -> float:
    """A sign."""
    return float(rng.choice([-1.0, 1.0]))


# Formula; constants; how each goes with the scale k of x: power of k, or "power" for a coefficient of x**b.
LAWS: list[tuple[str, Draw, dict[str, float]]] = [
    ("a*exp(b*x) + c", lambda r: {"a": 1, "b": s(r) * u(r, 0.5, 30), "c": u(r, 0.01, 1)}, {"b": -1}),
    ("a*exp(-b*x) + c*exp(-d*x)",
     lambda r: {"a": 1, "b": u(r, 0.3, 2), "c": u(r, 0.5, 3), "d": u(r, 8, 60)}, {"b": -1, "d": -1}),
    ("a*exp(-(x - m)**2/(2*s**2)) + b",
     lambda r: {"a": 1, "m": r.uniform(0.1, 0.9), "s": u(r, 0.03, 0.3), "b": u(r, 0.05, 0.5)}, {"m": 1, "s": 1}),
    ("a*exp(-((x - m)/s)**2) + c*exp(-((x - n)/t)**2) + b",
     lambda r: {"a": 1, "m": r.uniform(0.15, 0.4), "s": u(r, 0.04, 0.12), "c": u(r, 0.5, 2), "n": r.uniform(0.6, 0.85),
                "t": u(r, 0.04, 0.12), "b": u(r, 0.05, 0.3)}, {"m": 1, "s": 1, "n": 1, "t": 1}),
    ("a*x/(b + x)", lambda r: {"a": 1, "b": u(r, 0.03, 2)}, {"b": 1}),
    ("a*x**n/(b**n + x**n) + c",
     lambda r: {"a": 1, "b": r.uniform(0.2, 0.8), "n": u(r, 1.5, 8), "c": u(r, 0.05, 0.3)}, {"b": 1}),
    ("a/(1 + exp(-(x - m)/s)) + c",
     lambda r: {"a": 1, "m": r.uniform(0.2, 0.8), "s": s(r) * u(r, 0.02, 0.15), "c": u(r, 0.05, 0.5)}, {"m": 1, "s": 1}),
    ("a*tanh(b*(x - m)) + c", lambda r: {"a": 1, "b": s(r) * u(r, 2, 20), "m": r.uniform(0.2, 0.8), "c": u(r, 1.2, 2)},
     {"b": -1, "m": 1}),
    ("a*sin(b*x + c) + d", lambda r: {"a": 1, "b": u(r, 3, 40), "c": r.uniform(-3, 3), "d": u(r, 1.3, 4)}, {"b": -1}),
    ("a*x*sin(b*x) + d", lambda r: {"a": 1, "b": u(r, 5, 40), "d": u(r, 1.3, 4)}, {"b": -1}),
    ("a*sin(b*x + c) + d*cos(f*x + g) + h",
     lambda r: {"a": 1, "b": u(r, 4, 12), "c": r.uniform(-3, 3), "d": u(r, 0.5, 1), "f": u(r, 18, 40),
                "g": r.uniform(-3, 3), "h": u(r, 2.3, 4)}, {"b": -1, "f": -1}),
    ("a*exp(-b*x)*sin(c*x + d) + f",
     lambda r: {"a": 1, "b": u(r, 0.5, 4), "c": u(r, 8, 40), "d": r.uniform(-3, 3), "f": u(r, 1.3, 3)}, {"b": -1, "c": -1}),
    ("a*sin(2*pi*x/p) + c", lambda r: {"a": 1, "p": u(r, 0.15, 2), "c": u(r, 1.3, 4)}, {"p": 1}),
    ("a*log(x + b) + c", lambda r: {"a": 1, "b": u(r, 0.01, 1), "c": 6}, {"b": 1}),
    ("a*x**b + c", lambda r: {"a": 1, "b": u(r, 0.3, 8), "c": u(r, 0.02, 1)}, {"a": POWER}),
    ("a*x**b*z**c", lambda r: {"a": 1, "b": s(r) * u(r, 0.3, 3), "c": s(r) * u(r, 0.3, 3)}, {"a": POWER}),
    ("(a/(x + z)**b + c)**2", lambda r: {"a": 1, "b": u(r, 1, 7), "c": u(r, 0.05, 1)}, {"a": POWER}),
    ("exp(a - b/(x + c))", lambda r: {"a": u(r, 1, 4), "b": u(r, 1, 5), "c": u(r, 0.3, 1)}, {"b": 1, "c": 1}),
    ("a*(1 - exp(-b*x))**c + d", lambda r: {"a": 1, "b": u(r, 2, 15), "c": u(r, 0.7, 4), "d": u(r, 0.05, 0.5)}, {"b": -1}),
    ("(a + b*x)/(1 + c*x + d*x**2)",
     lambda r: {"a": u(r, 0.5, 2), "b": u(r, 0.5, 5), "c": -u(r, 0.2, 1), "d": u(r, 2, 20)}, {"b": -1, "c": -1, "d": -2}),
    ("a/((x - m)**2 + w**2) + b", lambda r: {"a": 0.02, "m": r.uniform(0.2, 0.8), "w": u(r, 0.03, 0.2), "b": u(r, 0.1, 1)},
     {"a": 2, "m": 1, "w": 1}),
    ("a*exp(b*x)/(1 + c*exp(b*x))", lambda r: {"a": u(r, 0.05, 0.5), "b": u(r, 3, 12), "c": u(r, 0.02, 0.3)}, {"b": -1}),
]  # fmt: skip


def problem(kind: str, case: int) -> tuple[Dataset, Expression, Family]:
    """Rows, the law with the constants that they were made with, and the distribution."""
    rng = np.random.default_rng([KINDS.index(kind), case])
    text, draw, powers = LAWS[case % len(LAWS)]
    n = round(u(rng, *ROWS))
    k = u(rng, 1e-3, 1e3)
    values = {name: float(v) for name, v in draw(rng).items()}
    if "log(x" in text:
        values["c"] -= math.log(k)
    if math.isnan(powers.get("a", 0.0)):
        total = values["b"] + (values["c"] if "z**c" in text else 0.0)
        values["a"], powers = values["a"] * k ** (total if "/(" in text else -total), {}
    values = {name: v * k ** powers.get(name, 0.0) for name, v in values.items()}
    X = k * np.stack([np.linspace(0.02, 1.0, n) if rng.uniform() < 0.5 else np.sort(rng.uniform(0.02, 1.0, n)),
                      rng.uniform(0.3, 1.0, n)])  # fmt: skip
    columns = ["x", "z"] if "z" in text else ["x"]
    e = parse(text, variables=columns)
    e = replace(e, constants=tuple(replace(c, value=values[c.name]) if c.free else c for c in e.constants))
    f = Program.of(e, columns).value(X[: len(columns)])
    y, e, trials = noisy(kind, f, e, rng)
    table = dict(zip(columns, X, strict=False))
    return as_dataset({**table, "y": y}, "y", TableOptions(trials=trials))[0], e, make_family(kind)


def noisy(
    kind: str, f: NDArray[np.float64], e: Expression, rng: Rng
) -> tuple[NDArray[np.float64], Expression, NDArray | None]:
    """Targets around ``f``, the law in the units of the likelihood, and trials."""
    spread, n = float(np.std(f)) or 1.0, len(f)
    if kind == "gaussian":
        return f + u(rng, 0.01, 0.3) * spread * rng.standard_normal(n), e, None
    if kind == "student_t":
        y = f + u(rng, 0.01, 0.1) * spread * rng.standard_t(2, n)
        far = rng.uniform(size=n) < 0.1
        return np.where(far, y + 5 * spread * rng.standard_normal(n), y), e, None
    if kind == "lognormal":
        return np.abs(f) * np.exp(u(rng, 0.01, 0.3) * rng.standard_normal(n)), e, None
    if kind == "poisson":
        size = u(rng, 5, 500) / float(np.mean(np.abs(f)))
        return rng.poisson(np.abs(f) * size).astype(float), e, None
    # Log-odds within ±3.
    trials = np.full(n, float(rng.choice([1, 10, 100])))
    odds = np.clip((f - f.mean()) / spread, -3, 3)
    return rng.binomial(trials.astype(int), 1 / (1 + np.exp(-odds))).astype(float), e, trials


def solved(kind: str, case: int) -> dict[str, object]:
    """The misfit that the fit of one problem reached, and the best that is known."""
    dataset, law, family = problem(kind, case)
    settings = Settings(likelihood=family, time_limit=60.0)
    p = make_problem(dataset, None, settings)
    blank = law.with_values([1.0 if c.free else c.value for c in law.constants])
    begin = time.monotonic()
    found = score_formula(blank, p, settings)
    seconds = time.monotonic() - begin
    misfit = math.inf if found is None else found[0].misfit
    rng = np.random.default_rng(case)
    free = np.array([c.free for c in law.constants])
    best, origin = misfit, "fit"
    for k in range(AROUND + 1):
        moved = 10.0 ** rng.normal(0.0, DECADES, len(free)) if k else np.ones(len(free))
        begun = law.with_values(np.where(free, law.values * moved, law.values))
        with np.errstate(all="ignore"):
            e = fit(begun, p.X, p.columns, p.likelihood, options=DescentOptions(steps=2000, tolerance=TIGHT))
            other = p.likelihood.misfit(p.likelihood.loss(p.likelihood.predict(e, p.X, p.columns)))
        if other < best - REACHED:
            best, origin = other, "around the law" if k else "the law"
    return {
        "kind": kind, "case": case, "formula": LAWS[case % len(LAWS)][0], "rows": dataset.n_row, "misfit": misfit, "best": best,
        "from": origin, "reached": misfit <= best + REACHED, "seconds": seconds,
    }  # fmt: skip


def main() -> None:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], default=list(KINDS))
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    print("| likelihood | problems | best known optimum reached | median s | missed |\n|---|---|---|---|---|")
    for kind in options.kinds:
        rows = []
        with (options.results / f"{kind}.jsonl").open("w") as file:
            for case in range(options.cases):
                rows.append(solved(kind, case))
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
        missed = [f"{r['case']}: {r['formula']} ({r['misfit'] - r['best']:.2f})" for r in rows if not r["reached"]]
        share = 100.0 * (1 - len(missed) / len(rows))
        middle = float(np.median([r["seconds"] for r in rows]))
        print(f"| {kind} | {len(rows)} | {share:.1f} % | {middle:.2f} | {'; '.join(missed)} |", flush=True)


if __name__ == "__main__":
    main()
