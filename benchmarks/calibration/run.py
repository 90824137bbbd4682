"""Calibration: do intervals of 50, 80, 90 and 95 % hold what they should, for constants and for predictions?

    python benchmarks/calibration/run.py given  --cases 360   the structure is given, its constants are fitted
    python benchmarks/calibration/run.py search --cases 40    nothing is given: a short search, predictions of the posterior
    python benchmarks/calibration/run.py report               tables and plots of what was run

A case is a law drawn from a grammar (random operators of the library over one or two variables, one to three constants put in
at random places), a noise level (share of the target's RMS), a number of rows, and fresh rows to predict, noise included, in
the range of the data and just outside (the next quarter of it on either side). Shares have standard errors over cases, because
rows of one case are wrong together. Results are written to results/.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hypo
from hypo.api.inputs import as_dataset
from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.expression.simplify import simplify
from hypo.scoring.laplace import laplace
from hypo.scoring.likelihood import Gaussian
from hypo.scoring.posterior import Structure, make_posterior, structure_key
from hypo.scoring.predictive import predictive
from hypo.scoring.score import Scorer
from hypo.search.constants import fit
from hypo.search.problem import Settings, make_problem

HERE = Path(__file__).resolve().parent
LEVELS = (0.5, 0.8, 0.9, 0.95)
# Central intervals whose ends are the edges of the PIT's bins (quantiles 0.05, 0.10, …, 0.95).
EDGES = tuple(round(0.1 * k, 1) for k in range(1, 10))
ROWS, NOISE, FRESH = (20, 50, 200), (0.01, 0.1, 0.3), 20
LOW, HIGH, BEYOND = 0.5, 3.0, 0.25
UNARY = ("exp", "log", "sin", "cos", "tanh", "sqrt", "square", "inv", "neg")
BINARY = ("+", "-", "*", "/")
# Of all laws: no value larger, none whose spread is a smaller share of its size.
LARGEST, FLATTEST = 1e3, 0.05


@dataclass(frozen=True)
class Case:
    """A law with its true constants (free leaves, each one its own), rows to fit and rows to predict, X (n_var, n_row)."""

    number: int
    law: Expression
    columns: tuple[str, ...]
    noise: float
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    sigma: float
    inside: tuple[NDArray[np.float64], NDArray[np.float64]]
    outside: tuple[NDArray[np.float64], NDArray[np.float64]]


def subtree(rng: np.random.Generator, columns: Sequence[str], size: int) -> Expression:
    """A random expression of about ``size`` nodes."""
    if size <= 1:
        return Expression.variable(str(rng.choice(columns)))
    if size == 2 or rng.uniform() < 0.4:
        return Expression.apply(str(rng.choice(UNARY)), subtree(rng, columns, size - 1))
    left = int(rng.integers(1, size - 1))
    return Expression.apply(
        str(rng.choice(BINARY)), subtree(rng, columns, left), subtree(rng, columns, size - 1 - left)
    )


def with_constant(rng: np.random.Generator, e: Expression, value: float) -> Expression:
    """``e`` with a constant added to, or multiplied by, a subexpression."""
    c = Expression.constant(value, free=True)
    if len(e) > 1 and rng.uniform() < 0.6:
        parts = list(e.children)
        k = int(rng.integers(len(parts)))
        parts[k] = with_constant(rng, parts[k], value)
        return Expression.join(e.root, parts)
    return c * e if rng.uniform() < 0.6 else e + c


def draw_law(rng: np.random.Generator) -> tuple[Expression, tuple[str, ...]]:
    """A law that varies, is defined well beyond the data, and whose constants do not merge."""
    columns = ("x", "z")[: int(rng.integers(1, 3))]
    wide = (1.0 + BEYOND) * (HIGH - LOW)
    X = rng.uniform(max(1e-3, HIGH - wide), LOW + wide, (len(columns), 400))
    while True:
        e = subtree(rng, columns, int(rng.integers(1, 6)))
        count = int(rng.integers(1, 4))
        for _ in range(count):
            value = float(rng.choice([-1.0, 1.0], p=[0.3, 0.7]) * np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
            e = with_constant(rng, e, value)
        e = simplify(e)
        y = Program.of(e, columns).value(X) if set(e.variables) == set(columns) else np.array([np.nan])
        if len(e.free) == count and np.all(np.isfinite(y)) and np.max(np.abs(y)) < LARGEST:
            size = float(np.sqrt(np.mean(y**2)))
            shape = laplace(e, X, columns, Gaussian(y, np.full(400, 0.1 * size)))
            if np.std(y) > FLATTEST * size and shape is not None and not shape.unidentified:
                return e, columns


def draw_case(number: int) -> Case:
    """Case ``number``: rows and noise in turn, all else at random with that seed."""
    rng = np.random.default_rng([number, 20])
    law, columns = draw_law(rng)
    n, noise = ROWS[number % 3], NOISE[number // 3 % 3]
    program = Program.of(law, columns)
    X = rng.uniform(LOW, HIGH, (len(columns), n))
    clean = program.value(X)
    sigma = noise * float(np.sqrt(np.mean(clean**2)))

    def measured(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return rows, program.value(rows) + sigma * rng.standard_normal(rows.shape[1])

    step = BEYOND * (HIGH - LOW)
    beyond = np.where(
        rng.uniform(size=(len(columns), FRESH)) < 0.5,
        rng.uniform(max(1e-3, LOW - step), LOW, (len(columns), FRESH)),
        rng.uniform(HIGH, HIGH + step, (len(columns), FRESH)),
    )
    y = clean + sigma * rng.standard_normal(n)
    inside = measured(rng.uniform(LOW, HIGH, (len(columns), FRESH)))
    return Case(number, law, columns, noise, X, y, sigma, inside, measured(beyond))


def held(
    structures: Sequence[Structure], rows: tuple[NDArray[np.float64], NDArray[np.float64]], columns: Sequence[str]
) -> dict[str, Any]:
    """Of fresh rows: the share of targets within each interval, bins of the PIT, and the intervals' width over the noise."""
    X, y = rows
    found = {level: predictive(structures, X, columns, level) for level in (*LEVELS, *EDGES)}
    known = np.isfinite(found[0.9].mean)
    if not np.any(known):
        return {"rows": 0}
    inside = {str(p): float(np.mean(((q.lower <= y) & (y <= q.upper))[known])) for p, q in found.items() if p in LEVELS}
    below = sum((y > end).astype(int) for p in EDGES for end in (found[p].lower, found[p].upper))
    middle = 0.5 * (found[0.1].lower + found[0.1].upper)
    bins = np.bincount((below + (y > middle))[known], minlength=20)
    apart = float(np.mean((found[0.9].parts.structure > found[0.9].parts.noise)[known]))
    return {"rows": int(np.count_nonzero(known)), "inside": inside, "pit": bins.tolist(), "apart": apart}


def given(case: Case) -> dict[str, Any] | None:
    """The structure is known: intervals of constants, and predictions with that structure alone."""
    likelihood = Gaussian(case.y)
    e = fit(case.law, case.X, case.columns, likelihood, starts=5, rng=np.random.default_rng(0), steps=500)
    h = Scorer(case.X, case.columns, likelihood, symbols=15).score(e)
    shape = laplace(e, case.X, case.columns, likelihood)
    p = None if h is None else make_posterior([h], case.X, case.columns, likelihood)
    if shape is None or p is None:
        return None
    truth = np.array([case.law.constants[i].value for i in case.law.free])
    inside = {}
    for level in LEVELS:
        lower, upper = shape.interval(level)
        inside[str(level)] = ((lower <= truth) & (truth <= upper)).tolist()
    return {
        "constants": inside,
        "identified": not shape.unidentified,
        "in range": held(p.structures, case.inside, case.columns),
        "outside": held(p.structures, case.outside, case.columns),
    }


def search(case: Case, seconds: float) -> dict[str, Any] | None:
    """Nothing is known: predictions of the posterior of a short search, and whether its likeliest structure is the law's."""
    data = {**dict(zip(case.columns, case.X, strict=True)), "y": case.y}
    result = hypo.fit(data, "y", time_limit=seconds, workers=1)
    if result.posterior is None:
        return None
    structures = result.posterior.top(0.99)
    first = structures[0]
    return {
        "found": str(first.expression),
        "weight": result.posterior.structures[0].weight,
        "structures": len(result.posterior.structures),
        "right": is_law(first.expression, case),
        "as by score": structure_key(first.expression) == structure_key(result.expression or first.expression),
        # Nats by which the law itself would have been behind the likeliest structure (negative: the search missed it).
        "behind": law_nats(case) - result.posterior.structures[0].nats,
        "in range": held(structures, case.inside, case.columns),
        "outside": held(structures, case.outside, case.columns),
    }


def law_nats(case: Case) -> float:
    """Minus log of evidence times prior of the law, fitted, as the search's posterior counts it; infinite where undefined."""
    settings = Settings()
    data = {**dict(zip(case.columns, case.X, strict=True)), "y": case.y}
    problem = make_problem(as_dataset(data, "y")[0], None, settings)
    e = fit(case.law, problem.X, problem.columns, problem.likelihood, starts=5, rng=np.random.default_rng(0), steps=500)
    h = problem.scorer(settings).score(e)
    p = None if h is None else make_posterior([h], problem.X, problem.columns, problem.likelihood)
    return math.inf if p is None else p.structures[0].nats


def is_law(e: Expression, case: Case) -> bool:
    """Whether the structure of ``e``, all its numbers fitted anew, meets the law without noise."""
    if structure_key(e) == structure_key(case.law):
        return True
    numbers = tuple(replace(c, free=True) if c.name is None else c for c in e.constants)
    clean = Program.of(case.law, case.columns).value(case.X)
    again = fit(replace(e, constants=numbers), case.X, case.columns, Gaussian(clean), starts=5, steps=500)
    error = Program.of(again, case.columns).value(case.X) - clean
    return bool(np.sqrt(np.mean(error**2)) < 1e-6 * np.sqrt(np.mean(clean**2)))


# --- report -------------------------------------------------------------------------------------------------------


def share(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error over cases."""
    v = np.array(values, dtype=float)
    return float(v.mean()), float(v.std(ddof=1) / math.sqrt(len(v))) if len(v) > 1 else math.nan


def series(rows: Sequence[dict[str, Any]], part: str) -> dict[str, list[float]]:
    """Per case the share that each level held."""
    out: dict[str, list[float]] = {str(level): [] for level in LEVELS}
    for row in rows:
        if part == "constants":
            for level, hits in row["constants"].items():
                out[level].append(float(np.mean(hits)))
        elif row[part]["rows"]:
            for level, hit in row[part]["inside"].items():
                out[level].append(hit)
    return out


def tables(run: str, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    parts = (["constants"] if run == "given" else []) + ["in range", "outside"]
    groups = [("all", rows)]
    groups += [(f"n = {n}", [r for r in rows if r["n"] == n]) for n in ROWS]
    groups += [(f"noise {v:g}", [r for r in rows if r["noise"] == v]) for v in NOISE]
    yield f"| structure {'given' if run == 'given' else 'searched'} | cases | " + " | ".join(f"{p:.0%}" for p in LEVELS) + " |"
    yield "|---|---|" + "---|" * len(LEVELS)
    for part in parts:
        for name, members in groups:
            found = series(members, part)
            cases = len(found[str(LEVELS[0])])
            if cases:
                shown = (f"{100 * m:.1f} ± {100 * e:.1f}" for m, e in map(share, found.values()))
                yield f"| {part}, {name} | {cases} | " + " | ".join(shown) + " |"
    if run == "search":
        yield ""
        yield "| weight of the likeliest structure | cases | right | wrong: law less likely | wrong: law not met |"
        yield "|---|---|---|---|---|"
        for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
            members = [r for r in rows if low <= r["weight"] < high]
            if members:
                right = sum(r["right"] for r in members)
                met = sum(not r["right"] and r["behind"] >= 0 for r in members)
                counts = f"{right} | {met} | {len(members) - right - met}"
                yield f"| {low:.1f} to {min(high, 1.0):.1f} | {len(members)} | {counts} |"
        same = sum(r["as by score"] for r in rows)
        yield ""
        yield f"Score and posterior prefer the same structure in {same} of {len(rows)} cases."


def draw(run: str, rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Reliability plot and PIT histogram."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.5))
    left.plot([0.4, 1], [0.4, 1], color="grey", linewidth=1)
    for part in (["constants"] if run == "given" else []) + ["in range", "outside"]:
        found = [share(v) for v in series(rows, part).values()]
        left.errorbar(LEVELS, [m for m, _ in found], [3 * e for _, e in found], marker="o", capsize=3, label=part)
        if part != "constants":
            pit = np.sum([r[part]["pit"] for r in rows if r[part]["rows"]], axis=0)
            right.stairs(pit / pit.sum() * 20, np.linspace(0, 1, 21), label=part)
    left.set(xlabel="probability of the interval", ylabel="share held (3 standard errors)", title=f"structure: {run}")
    right.axhline(1.0, color="grey", linewidth=1)
    right.set(xlabel="PIT of fresh rows", ylabel="density")
    left.legend()
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run a part, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("given", "search", "report"))
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    for part in ("given", "search") if options.part == "report" else (options.part,):
        path = options.results / f"{part}.json"
        if options.part != "report":
            rows, begin = [], time.monotonic()
            for number in range(options.cases):
                case = draw_case(number)
                found = given(case) if part == "given" else search(case, options.seconds)
                if found is not None:
                    rows.append({"case": number, "law": str(case.law), "n": case.X.shape[1], "noise": case.noise, **found})
            print(f"{len(rows)} of {options.cases} cases in {time.monotonic() - begin:.0f} s")
            path.write_text(json.dumps(rows, indent=1))
        if not path.exists():
            continue
        rows = json.loads(path.read_text())
        text = "\n".join(tables(part, rows))
        (options.results / f"{part}.md").write_text(text + "\n")
        draw(part, rows, options.results / f"{part}.png")
        print(text, end="\n\n")


if __name__ == "__main__":
    main()
