"""Worst-case bounds: how often are they violated anywhere in a stream of data, and how loose are they?

    python benchmarks/calibration/bound.py                     1000 streams of laws without constants, prior exactly known
    python benchmarks/calibration/bound.py constants           streams of laws with one or two constants, fitted anew
    python benchmarks/calibration/bound.py --streams 200       fewer of them

``laws``: the hypotheses are all distinct formulas of a small grammar up to a size, the prior is exp(-code length) normalised
over them, and the truth is drawn from it. A stream is rows (x, y) with known noise. At every sample size from 1 on the
posterior weights, M_α with α = δ·P(truth), and the bound for a set of events (the target above and below thresholds, in rows
inside and outside the range of the data) are taken; the stream counts as violated if at any sample size any bound is below the
true chance. ``least`` is α = δ·(least prior of all hypotheses), for a user who does not know the truth's.

``constants``: the constants are drawn from a range and not from the prior of the posterior, the noise is not known, and
all is that of the product: fits, evidence, weights, draws. The prior of structures is exact. Sample sizes are those in SIZES.
What the theorem speaks of is then the chance under the true structure with its constants as the data leave them, and violated
means below that; ``short`` is the share of all bounds that are below the chance at the true constants by more than 0.02.

Prints a table and writes results/bound-laws.json or results/bound-constants.json.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.posterior.bounds import Assumed, event_probability, plausible, plausible_set
from hypo.posterior.events import parse_event
from hypo.posterior.posterior import Structure, make_posterior, structure_key, weighted
from hypo.scoring.code_length import code_length
from hypo.scoring.score import Scorer

HERE = Path(__file__).resolve().parent
DELTAS = (0.5, 0.2, 0.05)
# The range of x.
LOW = 0.5
HIGH = 3.0
# An event of a smaller chance is rare.
RARE = 0.1
UNARY = ("exp", "log", "sin", "sqrt", "square", "inv")
BINARY = ("+", "*", "-", "/")
SYMBOLS = len(UNARY) + len(BINARY) + 2
# Rows at which events are asked for, inside the range of the data and outside.
POINTS = np.array([0.6, 1.2, 2.0, 2.8, 3.5, 5.0])
# Thresholds of events: quantiles of what laws say there.
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
FAMILIES = (
    "a*x",
    "a*x + b",
    "a*x**2",
    "a*exp(b*x)",
    "a*x**b",
    "a*log(x) + b",
    "a/(x + b**2)",
    "a*sin(x)",
    "a*sqrt(x)",
    "a/x",
    "a*x**2 + b",
    "a*sin(b*x)",
)
SIZES = (4, 6, 8, 12, 16, 24, 32)


def all_formulas(largest: int) -> list[Expression]:
    """All formulas of x and 1 of up to ``largest`` nodes that are finite and differ at some point, the shortest first."""
    by_size: dict[int, list[Expression]] = {1: [Expression.variable("x"), Expression.constant(1.0)]}
    for size in range(2, largest + 1):
        made = [Expression.apply(op, e) for op in UNARY for e in by_size[size - 1]]
        for left in range(1, size - 1):
            made += [
                Expression.apply(op, a, b) for op in BINARY for a in by_size[left] for b in by_size[size - 1 - left]
            ]
        by_size[size] = made
    x = np.concatenate([np.linspace(LOW, HIGH, 40), POINTS])[None, :]
    seen: set[tuple[float, ...]] = set()
    out = []
    for e in (e for size in sorted(by_size) for e in by_size[size]):
        with np.errstate(all="ignore"):
            y = Program.of(e, ["x"]).value(x)
        key = tuple(np.round(y, 8))
        if np.all(np.isfinite(y)) and np.max(np.abs(y)) < 1e3 and e.variables and key not in seen:
            seen.add(key)
            out.append(e)
    return out


def bare(e: Expression, nats: float, sigma: float) -> Structure:
    """A structure without constants, with known noise."""
    return Structure(e, math.nan, math.nan, nats, (-1,) * len(e.constants), (), (), math.inf, sigma)


@dataclass(frozen=True)
class Events:
    """Chances (n_hypothesis, n_event) of "y > t" and "y < t" at the points, t at quantiles of the hypotheses' values there."""

    texts: tuple[str, ...]

    @staticmethod
    def of(values: NDArray[np.float64]) -> Events:
        """Thresholds at quantiles of ``values`` (n_hypothesis, n_point), as one event for all rows: t(x) by interpolation."""
        levels = np.unique(np.round(np.quantile(values, QUANTILES), 4))
        return Events(tuple(f"y {sign} {t!r}" for t in levels.tolist() for sign in "><"))

    def chances(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """By the product's own function."""
        X = POINTS[None, :]
        rows = []
        for s in structures:
            asked = (parse_event(t, variables=["x"], target="y").regions(X, ["x"]) for t in self.texts)
            rows.append(np.concatenate([event_probability(s, r, X, ["x"]) for r in asked]))
        return np.array(rows)


@dataclass(frozen=True)
class Stream:
    """Of one stream: for each δ whether it was violated somewhere, mean bound and mean true chance (n_size,)."""

    violated: dict[float, bool]
    least: dict[float, bool]
    bound: dict[float, NDArray[np.float64]]
    true: float
    size: dict[float, NDArray[np.float64]]
    # Mean bound of events whose true chance is below RARE (n_size,), NaN without any; their mean true chance.
    rare: dict[float, NDArray[np.float64]]
    rare_true: float
    short: dict[float, float] = field(default_factory=dict)


def law_streams(count: int, rows: int, largest: int, noise: float) -> Iterator[Stream]:
    """Streams of laws without constants; weights from cumulated misfits, as :func:`check` compares with the posterior's."""
    formulas = all_formulas(largest)
    lengths = np.array([code_length(e, np.zeros(len(e.constants)), SYMBOLS) for e in formulas])
    log_prior = -lengths - np.log(np.sum(np.exp(-lengths)))
    prior = np.exp(log_prior)
    structures = [bare(e, 0.0, noise) for e in formulas]
    values = np.array([Program.of(e, ["x"]).value(POINTS[None, :]) for e in formulas])
    chances = Events.of(values).chances(structures)
    for number in range(count):
        rng = np.random.default_rng([number, 6])
        truth = int(rng.choice(len(formulas), p=prior))
        x = rng.uniform(LOW, HIGH, rows)
        predicted = np.array([Program.of(e, ["x"]).value(x[None, :]) for e in formulas])
        y = predicted[truth] + noise * rng.standard_normal(rows)
        nats = 0.5 * np.cumsum(((y - predicted) / noise) ** 2, axis=1) - log_prior[:, None]
        weights = np.exp(nats.min(axis=0) - nats)
        weights /= weights.sum(axis=0)
        if number < CHECKED:
            check(formulas, x, y, noise, lengths, weights)
        rare = chances[truth] < RARE
        out = Stream({}, {}, {}, float(chances[truth].mean()), {}, {}, float(chances[truth][rare].mean()))
        for delta in DELTAS:
            inside = np.array([plausible_set(w, delta * prior[truth]) for w in weights.T])
            bounds = np.array([chances[m].max(axis=0) for m in inside])
            out.violated[delta] = bool(np.any(bounds < chances[truth]))
            wider = np.array([plausible_set(w, delta * prior.min()) for w in weights.T])
            out.least[delta] = any(np.any(chances[m].max(axis=0) < chances[truth]) for m in wider)
            out.bound[delta], out.size[delta] = bounds.mean(axis=1), inside.sum(axis=1)
            out.rare[delta] = bounds[:, rare].mean(axis=1)
        yield out


# Streams whose weights are compared with those of the product's posterior, at some sample sizes.
CHECKED = 3


def check(
    formulas: Sequence[Expression],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    noise: float,
    lengths: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    """Raises AssertionError unless the weights are those that a search's posterior gives to the same hypotheses."""
    for n in (5, len(y)):
        X, likelihood = np.ascontiguousarray(x[None, :n]), Gaussian(y[:n], np.full(n, noise))
        scorer = Scorer(X, ["x"], likelihood, symbols=SYMBOLS)
        # Formulas of one structure (x + 1 and x + 2) are one there: compared is the sum over the structure that matters most.
        p = make_posterior([h for e in formulas if (h := scorer.score(e)) is not None], X, ["x"], likelihood)
        assert p is not None
        ours = {str(e): w for e, w in zip(formulas, weights[:, n - 1], strict=True)}
        single = [s for s in p.structures if not s.expression.constants]
        odds = [
            (s.weight / single[0].weight, ours[str(s.expression)] / ours[str(single[0].expression)]) for s in single
        ]
        assert np.allclose(*np.array(odds).T, rtol=1e-6, atol=0), "weights differ from the posterior's"


def constant_streams(count: int, noise: float) -> Iterator[Stream]:
    """Streams of laws with constants, weighed by the product."""
    formulas = [parse(text, variables=["x"]) for text in FAMILIES]
    zeros = [code_length(e, np.zeros(len(e.constants)), SYMBOLS) - math.log(2.0) * len(e.free) for e in formulas]
    log_prior = -np.array(zeros) - np.log(np.sum(np.exp(-np.array(zeros))))
    keys = [structure_key(e) for e in formulas]
    for number in range(count):
        rng = np.random.default_rng([number, 7])
        truth = int(rng.choice(len(formulas), p=np.exp(log_prior)))
        law = formulas[truth].with_values(np.exp(rng.uniform(np.log(0.3), np.log(2.0), len(formulas[truth].free))))
        x = rng.uniform(LOW, HIGH, SIZES[-1])
        clean, there = (Program.of(law, ["x"]).value(v[None, :]) for v in (x, POINTS))
        sigma = noise * float(np.sqrt(np.mean(clean**2)))
        y = clean + sigma * rng.standard_normal(len(x))
        events = Events.of(there[None, :])
        true = events.chances([bare(law, 0.0, sigma)])[0]
        alphas = {d: d * math.exp(log_prior[truth]) for d in DELTAS}
        rare = true < RARE
        bounds, sizes, unusual = ({d: np.zeros(len(SIZES)) for d in DELTAS} for _ in range(3))
        violated, short = dict.fromkeys(DELTAS, False), dict.fromkeys(DELTAS, 0.0)
        out = Stream(violated, {}, bounds, float(true.mean()), sizes, unusual, float(true[rare].mean()), short)
        for k, n in enumerate(SIZES):
            structures = _posterior(formulas, log_prior, x[:n], y[:n])
            chances = events.chances(structures)
            for delta in DELTAS:
                inside = plausible(structures, Assumed(1.0, alphas[delta]))
                kept = [i for i, s in enumerate(structures) if s in inside]
                upper = np.nanmax(chances[kept], axis=0)
                own = [i for i, s in enumerate(structures) if structure_key(s.expression) == keys[truth]]
                out.violated[delta] |= not own or bool(np.any(upper < chances[own[0]]))
                out.short[delta] += float(np.mean(upper < true - 0.02)) / len(SIZES)
                out.bound[delta][k], out.size[delta][k] = upper.mean(), len(kept)
                out.rare[delta][k] = upper[rare].mean()
        yield out


def _posterior(
    formulas: Sequence[Expression], log_prior: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[Structure, ...]:
    """The posterior over fitted formulas with the given prior, all of them kept whatever their weight."""
    X, likelihood = np.ascontiguousarray(x[None, :]), Gaussian(y)
    scorer = Scorer(X, ["x"], likelihood, symbols=SYMBOLS)
    found = []
    for e, lp in zip(formulas, log_prior, strict=True):
        fitted = fit(e, X, ["x"], likelihood, starts=3, rng=np.random.default_rng(0))
        h = scorer.score(fitted)
        p = None if h is None else make_posterior([h], X, ["x"], likelihood)
        if p is not None:
            s = p.structures[0]
            own = code_length(e, np.zeros(len(e.constants)), SYMBOLS) - math.log(2.0) * len(e.free)
            found.append(replace(s, nats=s.nats - own - lp))
    return weighted(found, ["x"]).structures


def share(hits: int, count: int) -> dict[str, float]:
    """A share and its standard error."""
    p = hits / count
    return {"share": p, "standard_error": math.sqrt(max(p * (1 - p), 1.0 / count) / count), "count": hits}


def summary(streams: Sequence[Stream]) -> dict[str, Any]:
    """The summary that main writes: shares violated, mean bound over mean true chance by sample size, and the size of M_α."""
    n = len(streams)
    true = float(np.mean([s.true for s in streams]))
    out: dict[str, Any] = {"streams": n, "mean_true_chance": true, "delta": {}}
    out["rare_true_chance"] = float(np.nanmean([s.rare_true for s in streams]))
    for delta in DELTAS:
        bounds = np.mean([s.bound[delta] for s in streams], axis=0)
        sizes = np.mean([s.size[delta] for s in streams], axis=0)
        out["delta"][str(delta)] = {
            "violated": share(sum(s.violated[delta] for s in streams), n),
            **({"violated_least": share(sum(s.least[delta] for s in streams), n)} if streams[0].least else {}),
            **({"short": float(np.mean([s.short[delta] for s in streams]))} if streams[0].short else {}),
            "mean_bound": bounds.tolist(),
            "bound_over_truth": (bounds / true).tolist(),
            "rare_bound": np.nanmean([s.rare[delta] for s in streams], axis=0).tolist(),
            "plausible": sizes.tolist(),
        }
    return out


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("laws", "constants"), nargs="?", default="laws")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=60, help="largest sample size (laws)")
    parser.add_argument("--largest", type=int, default=4, help="nodes of the largest formula (laws)")
    parser.add_argument(
        "--noise", type=float, default=0.5, help="standard deviation (laws), or share of the RMS (constants)"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    begin = time.monotonic()
    if options.part == "laws":
        streams = list(law_streams(options.streams, options.rows, options.largest, options.noise))
        sizes: Sequence[int] = range(1, options.rows + 1)
    else:
        streams = list(constant_streams(options.streams, options.noise))
        sizes = SIZES
    found = {
        "part": options.part,
        "seconds": round(time.monotonic() - begin, 1),
        "sizes": list(sizes),
        **summary(streams),
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"bound-{options.part}.json").write_text(json.dumps(found, indent=1) + "\n")
    shown = sorted({0, len(sizes) // 8, len(sizes) // 3, len(sizes) - 1})
    print(
        f"{found['streams']} streams in {found['seconds']} s; mean true chance {found['mean_true_chance']:.3f}, of rare ones "
        f"{found['rare_true_chance']:.4f}"
    )
    print(
        "| δ | violated | mean bound / mean true chance at n = "
        + ", ".join(str(sizes[k]) for k in shown)
        + " | mean bound of rare events | size of M_α |"
    )
    print("|---|---|---|---|---|")
    for delta, row in found["delta"].items():
        v = row["violated"]
        loose = ", ".join(f"{row['bound_over_truth'][k]:.2f}" for k in shown)
        members = ", ".join(f"{row['plausible'][k]:.0f}" for k in shown)
        rare = ", ".join(f"{row['rare_bound'][k]:.3f}" for k in shown)
        short = f" (short {row['short']:.3f})" if "short" in row else ""
        print(f"| {delta} | {v['share']:.4f} ± {v['standard_error']:.4f}{short} | {loose} | {rare} | {members} |")


if __name__ == "__main__":
    main()
