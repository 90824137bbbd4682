"""Calibration: do intervals of 50, 80, 90 and 95 % hold what they should, for constants and for predictions?

    python benchmarks/calibration/run.py given  --cases 360   the structure is given, its constants are fitted
    python benchmarks/calibration/run.py search --cases 40    nothing is given: a short search, predictions of the posterior
    python benchmarks/calibration/run.py prior  --cases 300   the same for laws drawn from the prior: are weights calibrated?
    python benchmarks/calibration/run.py report               tables and plots of what was run

A case is a law (:mod:`laws`), a noise level (share of the target's RMS), a number of rows, and fresh rows to predict, noise
included, in the range of the data and just outside (the next quarter of it on either side). Shares have standard errors over
cases, because rows of one case are wrong together. In ``prior`` weights are shares of the structures that the law was drawn
from, and a case also says what the weights would be had the search met the law. Results are written to results/.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from laws import NOISE, OPERATORS, ROWS, Case, draw_case, in_event, meets, prior_case  # noqa: E402

import hypo  # noqa: E402
from hypo.data import as_dataset  # noqa: E402
from hypo.expression.algebra.simplify import simplify  # noqa: E402
from hypo.expression.expr import Expression  # noqa: E402
from hypo.expression.program import Program  # noqa: E402
from hypo.fitting.constants.fit import DescentOptions, fit  # noqa: E402
from hypo.likelihood.base import Gaussian  # noqa: E402
from hypo.posterior.laplace import laplace  # noqa: E402
from hypo.posterior.posterior import Structure, make_posterior, structure_key  # noqa: E402
from hypo.posterior.predictive import predictive  # noqa: E402
from hypo.problem.problem import Settings, make_problem  # noqa: E402
from hypo.scoring.score import Scorer  # noqa: E402

SETTINGS = Settings()
# Constants of a known law are fitted with many steps.
LONG = DescentOptions(steps=500)
LEVELS = (0.5, 0.8, 0.9, 0.95)
# Central intervals whose ends are the edges of the PIT's bins (quantiles 0.05, 0.10, …, 0.95).
EDGES = tuple(round(0.1 * k, 1) for k in range(1, 10))
# Edges of the bins of weights.
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


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
    e = fit(case.law, case.X, case.columns, likelihood, starts=5, rng=np.random.default_rng(0), options=LONG)
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


def prior(case: Case, seconds: float) -> dict[str, Any] | None:
    """The law is from the prior: the weights among what it was drawn from, without and with the law itself among them."""
    data = {**dict(zip(case.columns, case.X, strict=True)), "y": case.y}
    result = hypo.fit(data, "y", operators=OPERATORS, time_limit=seconds, workers=1)
    if result.posterior is None:
        return None
    able = [s for s in result.posterior.structures if in_event(simplify(s.expression), case.columns)]
    nats = law_nats(case, Settings(operators=OPERATORS))
    if not able:
        return None
    first = able[0]
    total = sum(s.weight for s in able)
    own = [s for s in able if is_same(s.expression, case)]
    # Where the law is missing its weight follows from its nats.
    extra = 0.0 if own or not math.isfinite(nats) else first.weight * math.exp(min(first.nats - nats, 700.0))
    out = {
        "found": str(first.expression),
        "weight": first.weight / total,
        "right": is_same(first.expression, case),
        "met": bool(own),
        "law weight": (own[0].weight if own else extra) / (total + extra),
        "oracle weight": max(first.weight, extra) / (total + extra),
        "oracle right": is_same(first.expression, case) or extra > first.weight,
        "behind": nats - first.nats,
        "structures": len(able),
        "status": result.status,
        "seconds": result.timing["total"],
    }
    mixture = [replace(s, weight=s.weight / total) for s in able]
    return {**out, **{part: held(_most(mixture), rows, case.columns) for part, rows in parts(case)}}


def _most(structures: Sequence[Structure]) -> list[Structure]:
    """The likeliest, with 99 % of the weight."""
    count = int(np.searchsorted(np.cumsum([s.weight for s in structures]), 0.99)) + 1
    total = sum(s.weight for s in structures[:count])
    return [replace(s, weight=s.weight / total) for s in structures[:count]]


def parts(case: Case) -> Iterator[tuple[str, tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Fresh rows by where they are."""
    yield "in range", case.inside
    yield "outside", case.outside


def is_same(e: Expression, case: Case) -> bool:
    """True if ``e`` has the law's structure: it meets the law with exact numbers as they are, or with all numbers free, and has
    no more free ones than the law has numbers."""
    if structure_key(e) == structure_key(case.law):
        return True
    numbers = sum(c.name is None for c in case.law.constants)
    freed = replace(e, constants=tuple(replace(c, free=True) if c.name is None else c for c in e.constants))
    return any(len(x.free) <= numbers and _meets(x, case) for x in (e, freed))


def law_nats(case: Case, settings: Settings = SETTINGS) -> float:
    """Minus log of evidence times prior of the law, fitted, as the search's posterior counts it; infinite where undefined."""
    data = {**dict(zip(case.columns, case.X, strict=True)), "y": case.y}
    problem = make_problem(as_dataset(data, "y")[0], None, settings)
    rng = np.random.default_rng(0)
    e = fit(case.law, problem.X, problem.columns, problem.likelihood, starts=5, rng=rng, options=LONG)
    h = problem.scorer(settings).score(e)
    p = None if h is None else make_posterior([h], problem.X, problem.columns, problem.likelihood)
    return math.inf if p is None else p.structures[0].nats


def is_law(e: Expression, case: Case) -> bool:
    """True if the structure of ``e``, all its numbers fitted anew, meets the law without noise."""
    if structure_key(e) == structure_key(case.law):
        return True
    return _meets(
        replace(e, constants=tuple(replace(c, free=True) if c.name is None else c for c in e.constants)), case
    )


def _meets(e: Expression, case: Case) -> bool:
    """True if ``e``, its free constants fitted anew, meets the law without noise."""
    return meets(e, case.X, Program.of(case.law, case.columns).value(case.X), case.columns, starts=5, steps=500)


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
    yield (
        f"| structure {'given' if run == 'given' else 'searched'} | cases | "
        + " | ".join(f"{p:.0%}" for p in LEVELS)
        + " |"
    )
    yield "|---|---|" + "---|" * len(LEVELS)
    for part in parts:
        for name, members in groups:
            found = series(members, part)
            cases = len(found[str(LEVELS[0])])
            if cases:
                shown = (f"{100 * m:.1f} ± {100 * e:.1f}" for m, e in map(share, found.values()))
                yield f"| {part}, {name} | {cases} | " + " | ".join(shown) + " |"
    if run != "given":
        yield ""
        yield from weights(rows)
    if run == "search":
        same = sum(r["as by score"] for r in rows)
        yield ""
        yield f"Score and posterior prefer the same structure in {same} of {len(rows)} cases."
    if run == "prior":
        met = sum(r["met"] for r in rows)
        yield ""
        yield f"The law was among the structures of the posterior in {met} of {len(rows)} cases. With it there always:"
        yield ""
        yield from weights([{**r, "weight": r["oracle weight"], "right": r["oracle right"]} for r in rows])


def binned(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float, list[dict[str, Any]]]]:
    """Cases by the weight of the likeliest structure."""
    for low, high in pairwise(BINS):
        members = [r for r in rows if low <= r["weight"] < high or r["weight"] == high == 1.0]
        if members:
            yield low, high, members


def weights(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How often the likeliest structure is right, by its weight."""
    yield "| weight of the likeliest structure | cases | mean weight | right | wrong: law less likely | wrong: law not met |"
    yield "|---|---|---|---|---|---|"
    for low, high, members in binned(rows):
        right, error = share([r["right"] for r in members])
        mean = np.mean([r["weight"] for r in members])
        wrong = [r for r in members if not r["right"]]
        met = sum(r["behind"] >= 0 for r in wrong)
        yield (
            f"| {low:.1f} to {high:.1f} | {len(members)} | {mean:.2f} | {right:.2f} ± {error:.2f} | {met} "
            f"| {len(wrong) - met} |"
        )


def draw(run: str, rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Reliability plot and PIT histogram; and how often structures of a weight are right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2 if run == "given" else 3, figsize=(5 * (2 if run == "given" else 3), 4.5))
    left, right = panels[:2]
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
    if run != "given":
        bins = [(np.mean([r["weight"] for r in m]), *share([r["right"] for r in m])) for _, _, m in binned(rows)]
        weight, found, error = np.array(bins).T
        panels[2].plot([0, 1], [0, 1], color="grey", linewidth=1)
        panels[2].errorbar(weight, found, 3 * np.nan_to_num(error), marker="o", capsize=3)
        panels[2].set(xlabel="weight of the likeliest structure", ylabel="share right (3 standard errors)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Run a part, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("given", "search", "prior", "report"))
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--processor-time", action="store_true", help="seconds of the processor: other work does not count"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    if options.processor_time:
        # All clocks of the search ask this function.
        time.monotonic = time.process_time
    for part in ("given", "search", "prior") if options.part == "report" else (options.part,):
        path = options.results / f"{part}.json"
        if options.part != "report":
            rows, begin = [], time.monotonic()
            for number in range(options.cases):
                case = prior_case(number) if part == "prior" else draw_case(number)
                run = {"search": search, "prior": prior}.get(part)
                found = given(case) if run is None else run(case, options.seconds)
                if found is not None:
                    rows.append(
                        {"case": number, "law": str(case.law), "n": case.X.shape[1], "noise": case.noise, **found}
                    )
                    path.write_text(json.dumps(rows, indent=1))
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
