"""Predictive intervals of other methods beside hypo's: what they hold, and how wide they are.

    python benchmarks/calibration/rivals.py --cases 50
    python benchmarks/calibration/rivals.py --cases 50 --laws prior

The cases are those of ``run.py search`` (a plain random grammar) or ``run.py prior``: rows of a law with noise, and fresh rows,
noise included, in the range of the data and just outside. Each method sees the same rows and has one setting for all:

- *hypo*: ``hypo.fit`` with its defaults and ``--seconds``, ``result.predict(X, interval=p)``;
- *Gaussian process* (scikit-learn): a constant times a squared exponential with a length per column, and white noise, all
  fitted from six starts; normal intervals;
- *quantile boosting* (scikit-learn's gradient boosting with the quantile loss, the settings of its example for intervals): a
  model per quantile;
- *Operon* (pyoperon, ``--seconds``): it gives no intervals, so these are f ± t·s, s² the residual variance with as many degrees
  of freedom as rows less constants, as one would do by hand.

Shares and ± are as in ``run.py``. *Width* is the mean width of the 90 % interval over that of an oracle that knows the law and
the noise, 2·1.645·σ; *interval score* (Gneiting & Raftery 2007) is width + (2/0.1)·(distance to the interval where it misses),
which neither width nor coverage alone can win, over its mean for that oracle: medians over cases, because near a pole either
may be anything.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from laws import Case, draw_case, prior_case  # noqa: E402
from run import LEVELS, share  # noqa: E402

import hypo  # noqa: E402
from hypo.expression.program import Program  # noqa: E402

Rows = NDArray[np.float64]
# Lower and upper ends at each level for rows X (n_var, n_row).
Ends = Callable[[Rows], dict[float, tuple[Rows, Rows]]]
STARTS = 5
# Interval score of the oracle's 90 % interval, over sigma: 2·φ(1.645)/0.05.
SCORED = 0.9
ORACLE = 2.0 * math.exp(-0.5 * ndtri(0.95) ** 2) / math.sqrt(2.0 * math.pi) / 0.05


def by_hypo(case: Case, seconds: float) -> Ends:
    """The posterior predictive of a short search."""
    data = {**dict(zip(case.columns, case.X, strict=True)), "y": case.y}
    result = hypo.fit(data, "y", time_limit=seconds, workers=1)

    def ends(X: Rows) -> dict[float, tuple[Rows, Rows]]:
        table = dict(zip(case.columns, X, strict=True))
        found = {p: result.predict(table, interval=p) for p in LEVELS}
        return {p: (f.lower, f.upper) for p, f in found.items()}

    return ends


def by_process(case: Case, seconds: float) -> Ends:
    """A Gaussian process with its hyperparameters fitted."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    d = len(case.columns)
    kernel = ConstantKernel(1.0, (1e-3, 1e4)) * RBF(np.ones(d), (1e-2, 1e3)) + WhiteKernel(0.1, (1e-8, 10.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=STARTS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(case.X.T, case.y)

    def ends(X: Rows) -> dict[float, tuple[Rows, Rows]]:
        mean, std = model.predict(X.T, return_std=True)
        return {p: (mean - ndtri(0.5 + 0.5 * p) * std, mean + ndtri(0.5 + 0.5 * p) * std) for p in LEVELS}

    return ends


def by_boosting(case: Case, seconds: float) -> Ends:
    """Gradient boosting of quantiles."""
    from sklearn.ensemble import GradientBoostingRegressor

    def model(q: float) -> Any:
        settings = {
            "n_estimators": 200,
            "max_depth": 2,
            "learning_rate": 0.05,
            "min_samples_leaf": 9,
            "min_samples_split": 9,
        }
        return GradientBoostingRegressor(loss="quantile", alpha=q, random_state=0, **settings).fit(case.X.T, case.y)

    models = {p: (model(0.5 - 0.5 * p), model(0.5 + 0.5 * p)) for p in LEVELS}
    return lambda X: {p: (low.predict(X.T), high.predict(X.T)) for p, (low, high) in models.items()}


def by_operon(case: Case, seconds: float) -> Ends:
    """Operon's formula with intervals from its residuals."""
    from peers import operon

    e = operon(case.X.T, case.y, case.columns, seconds, 0)
    program = Program.of(e, case.columns)
    numbers = len(e.constants)
    dof = max(1, len(case.y) - numbers)
    s = math.sqrt(float(np.sum((case.y - program.value(case.X)) ** 2)) / dof)

    def ends(X: Rows) -> dict[float, tuple[Rows, Rows]]:
        with np.errstate(all="ignore"):
            f = program.value(X)
        return {p: (f - stdtrit(dof, 0.5 + 0.5 * p) * s, f + stdtrit(dof, 0.5 + 0.5 * p) * s) for p in LEVELS}

    return ends


METHODS: dict[str, Callable[[Case, float], Ends]] = {
    "hypo": by_hypo, "Gaussian process": by_process, "quantile boosting": by_boosting, "Operon ± residuals": by_operon,
}  # fmt: skip


def judged(ends: Ends, rows: tuple[Rows, Rows], sigma: float) -> dict[str, Any]:
    """The share of fresh rows that the intervals hold; rows where the method says nothing count as missed, and are counted."""
    X, y = rows
    found = ends(X)
    inside = {str(p): float(np.mean((low <= y) & (y <= high))) for p, (low, high) in found.items()}
    low, high = found[SCORED]
    known = np.isfinite(low) & np.isfinite(high)
    if not np.any(known):
        return {"inside": inside, "unknown": 1.0}
    width = (high - low)[known]
    missed = np.maximum(np.maximum(low - y, y - high), 0.0)[known]
    score = width + 2.0 / (1.0 - SCORED) * missed
    return {
        "inside": inside,
        "unknown": float(np.mean(~known)),
        "width": float(np.mean(width)) / (2.0 * ndtri(0.5 + 0.5 * SCORED) * sigma),
        "score": float(np.mean(score)) / (ORACLE * sigma),
    }


def report(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| rows | method | " + " | ".join(f"{p:.0%}" for p in LEVELS) + " | width | interval score | says nothing |"
    yield "|---|---|" + "---|" * (len(LEVELS) + 3)
    for part in ("in range", "outside"):
        for name in METHODS:
            own = [r[name][part] for r in rows if name in r]
            if own:
                shown = (share([r["inside"][str(p)] for r in own]) for p in LEVELS)
                cells = " | ".join(f"{100 * m:.1f} ± {100 * e:.1f}" for m, e in shown)
                middle = {k: float(np.median([r.get(k, math.inf) for r in own])) for k in ("width", "score")}
                silent = 100 * float(np.mean([r["unknown"] for r in own]))
                yield f"| {part} | {name} | {cells} | {middle['width']:.2f} | {middle['score']:.2f} | {silent:.1f} % |"


def main() -> None:
    """Run, and write results/rivals-LAWS.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--laws", choices=("random", "prior"), default="random")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f"rivals-{options.laws}.json"
    rows = []
    for number in range(options.cases):
        case = prior_case(number) if options.laws == "prior" else draw_case(number)
        row: dict[str, Any] = {"case": number, "law": str(case.law), "n": case.X.shape[1], "noise": case.noise}
        for name, method in METHODS.items():
            begin = time.monotonic()
            ends = method(case, options.seconds)
            row[name] = {
                "in range": judged(ends, case.inside, case.sigma),
                "outside": judged(ends, case.outside, case.sigma),
                "seconds": time.monotonic() - begin,
            }
        rows.append(row)
        path.write_text(json.dumps(rows, indent=1))
    text = "\n".join(report(rows))
    path.with_suffix(".md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
