"""Calibration of world models: do intervals of constants and bands of rollouts hold what they should, are weights right?

    python benchmarks/dynamics/calibration.py given  --systems 200   structure given: constants, bands of rollouts
    python benchmarks/dynamics/calibration.py search --systems 200   nothing given: weights, bands of rollouts
    python benchmarks/dynamics/calibration.py drawn  --systems 200   weights for systems drawn from textbooks (drawn.py)
    python benchmarks/dynamics/calibration.py report                 tables of what was run

A system is one of twelve textbook laws with constants, start, noise (1, 2 or 5 % of each value) and number of samples (40 to
150) drawn at random. *Constants*: the share of true constants within the central interval of a level. *Bands*: a rollout from a
fresh start, known exactly, against fresh measurements along the true course; the share within the band. Both have standard
errors over systems, because what belongs to one system is wrong together. *Weights*: of all systems that were found with a
weight in a bin, the share that has the law's form.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "srbench"), str(HERE.parent)]

import cases  # noqa: E402
import engines  # noqa: E402
import forms  # noqa: E402
import report  # noqa: E402
from drawn import draw_system  # noqa: E402
from named import make_system  # noqa: E402

import hypo  # noqa: E402
from hypo.dynamics.calibration.fit_system import fit_system  # noqa: E402
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem  # noqa: E402
from hypo.dynamics.model.world_model import WorldModel  # noqa: E402
from hypo.dynamics.smoothing.smoothed import smooth_all  # noqa: E402
from hypo.dynamics.system import System  # noqa: E402

Values = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.95)
NOISE = (0.01, 0.02, 0.05)
SAMPLES = (40, 60, 100, 150)
# Factor by which constants and starts are drawn around the usual ones, up and down.
SPREAD = 1.5
# Edges of the bins of weights.
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Least weight of a system that is counted.
LEAST_WEIGHT = 0.01
# Samples of a rollout.
ROLLOUT_SAMPLES = 400
# A system is drawn again if a state moves by less than so many times its noise.
LEAST_MOTION = 5.0


@dataclass(frozen=True)
class Family:
    """A textbook law: rates over states with named constants, usual constants and starts, duration."""

    name: str
    states: tuple[str, ...]
    rates: tuple[str, ...]
    constants: dict[str, float]
    start: tuple[float, ...]
    duration: float


FAMILIES = (
    Family("logistic", ("x",), ("r*x*(1-x/K)",), {"r": 0.9, "K": 8.0}, (0.8,), 8.0),
    Family("cooling", ("x",), ("k*(a-x)",), {"k": 0.5, "a": 3.0}, (9.0,), 6.0),
    Family("michaelis_menten", ("x",), ("-V*x/(K+x)",), {"V": 1.2, "K": 1.5}, (6.0,), 8.0),
    Family("second_order_decay", ("x",), ("-k*x**2",), {"k": 0.4}, (3.0,), 6.0),
    Family("drag", ("x",), ("g-c*x**2",), {"g": 9.8, "c": 0.1}, (1.0,), 3.0),
    Family("spring", ("x", "v"), ("v", "-k*x-c*v"), {"k": 2.5, "c": 0.3}, (2.0, 1.0), 8.0),
    Family("pendulum", ("x", "v"), ("v", "-a*sin(x)-b*v"), {"a": 5.0, "b": 0.25}, (1.6, 0.8), 7.0),
    Family("prey", ("x", "y"), ("a*x-b*x*y", "b*x*y-d*y"), {"a": 1.0, "b": 0.5, "d": 0.8}, (2.5, 1.2), 12.0),
    Family("epidemic", ("x", "y"), ("-b*x*y", "b*x*y-g*y"), {"b": 0.6, "g": 0.5}, (4.0, 0.2), 9.0),
    Family("van_der_pol", ("x", "v"), ("v", "m*(1-x**2)*v-k*x"), {"m": 1.0, "k": 1.3}, (1.5, 0.6), 10.0),
    Family("chain", ("x", "y"), ("-p*x", "p*x-q*y"), {"p": 0.7, "q": 0.35}, (5.0, 0.8), 8.0),
    Family("exchange", ("x", "y"), ("-p*x+q*y", "p*x-q*y"), {"p": 0.8, "q": 0.4}, (5.0, 0.9), 5.0),
)


@dataclass(frozen=True)
class Drawn:
    """A system with its data and a fresh course to predict.

    Attributes:
        number: of the draw.
        family: whose law it is.
        case: the system, simulated; its first start is learned from, its second one is fresh.
        true: the system with its true constants.
        sigma: noise of each value, as a share of it.
        fresh: (n_time, n_state), measured along the second start.
    """

    number: int
    family: Family
    case: cases.Case
    true: System
    sigma: float
    fresh: Values


def draw(number: int) -> Drawn:
    """The system of a number; families take turns."""
    rng = np.random.default_rng([19, number])
    family = FAMILIES[number % len(FAMILIES)]
    sigma = float(rng.choice(NOISE))
    times = np.linspace(0.0, family.duration, int(rng.choice(SAMPLES)))
    while True:
        constants = {k: v * float(SPREAD ** rng.uniform(-1, 1)) for k, v in family.constants.items()}
        starts = [tuple(v * float(SPREAD ** rng.uniform(-1, 1)) for v in family.start) for _ in range(2)]
        true = make_system(family.states, family.rates, constants)
        texts = tuple(str(e.without_names()) for e in true.equations)
        case = cases.Case(
            f"{family.name}_{number}", family.states, texts, tuple(starts), times, len(family.states), n_learned=1
        )
        states = case.truth
        moves = all(np.isfinite(x).all() and np.all(np.ptp(x, 0) > LEAST_MOTION * sigma * x.std(0)) for x in states)
        if moves:
            fresh = states[1] * (1 + sigma * rng.standard_normal(states[1].shape))
            return Drawn(number, family, case, true, sigma, fresh)


def within(model: WorldModel, drawn: Drawn) -> dict[str, float]:
    """By level, the share of fresh measurements within the band of a rollout from the true start."""
    start = dict(zip(model.states, drawn.case.starts[1], strict=True))
    rollout = model.rollout(start, times=drawn.case.times, n_samples=ROLLOUT_SAMPLES, seed=0)
    out = {}
    for level in LEVELS:
        low, high = rollout.band(level)
        # The start is known: no band there.
        inside = ((low <= drawn.fresh) & (drawn.fresh <= high))[1:]
        out[str(level)] = float(inside.mean())
    return out


def given(drawn: Drawn, args: argparse.Namespace) -> dict[str, Any]:
    """The structure is known: intervals of constants, and bands."""
    (recording,) = cases.record(drawn.case, drawn.sigma, 0.0, drawn.number, 1)
    data = engines.trajectories([recording], drawn.case.states)
    smoothed = smooth_all(data)
    fitted = fit_system(drawn.true, data, smoothed, effort="full")
    if fitted is None:
        return {"failed": True}
    error = fitted.system.parameters - drawn.true.parameters
    sd = np.sqrt(np.diag(fitted.covariance))
    model = WorldModel(Discovered((WeightedSystem(fitted, 0.0, 1.0),), smoothed, (len(recording.time),)))
    held = {str(p): float(np.mean(np.abs(error) <= norm.ppf(0.5 + p / 2) * sd)) for p in LEVELS}
    return {
        "constants": held,
        "z": [round(float(e / s), 3) for e, s in zip(error, sd, strict=True)],
        "bands": within(model, drawn),
    }


def search(drawn: Drawn, args: argparse.Namespace) -> dict[str, Any]:
    """Nothing is known: weights of the systems that were found, and bands."""
    (recording,) = cases.record(drawn.case, drawn.sigma, 0.0, drawn.number, 1)
    data = engines.trajectories([recording], drawn.case.states)
    found = hypo.fit_dynamics(data, time_limit=args.time_limit, seed=drawn.number).discovered
    return {**weigh(found, drawn.case), "bands": within(WorldModel(found), drawn)}


def weigh(found: Discovered, case: cases.Case) -> dict[str, Any]:
    """Weights of the systems that were found, if they have the law's form, and the weight of those that were not met."""
    states = np.vstack([x for x in case.truth if np.isfinite(x).all()])
    some = [s for s in found.systems if s.weight >= LEAST_WEIGHT]
    right = [all(forms.right_equations(s.fitted.system.equations, case.laws, case.states, states)) for s in some]
    return {
        "weights": [round(s.weight, 4) for s in some],
        "right": right,
        "unmet": round(found.unmet, 4),
        "found": [e.pretty() for e in found.best.system.equations],
    }


def solve_drawn(number: int, args: argparse.Namespace) -> dict[str, Any]:
    """The line of a system that was drawn from the textbooks."""
    name, field, case, sigma = draw_system(number)
    about = {"part": args.part, "number": number, "family": name, "field": field, "noise": sigma}
    (recording,) = cases.record(case, sigma, 0.0, number, 1)
    data = engines.trajectories([recording], case.states)
    try:
        found = hypo.fit_dynamics(data, time_limit=args.time_limit, seed=number).discovered
        return about | {"samples": len(case.times)} | weigh(found, case)
    except Exception as error:  # what fails on one system is said; the others go on
        return about | {"failed": True, "status": f"{type(error).__name__}: {error}"[:400]}


def solve(number: int, args: argparse.Namespace) -> dict[str, Any]:
    """The line of a system."""
    if args.part == "drawn":
        return solve_drawn(number, args)
    drawn = draw(number)
    about = {"part": args.part, "number": number, "family": drawn.family.name, "noise": drawn.sigma}
    about["samples"] = len(drawn.case.times)
    try:
        return about | PARTS[args.part](drawn, args)
    except Exception as error:  # what fails on one system is said; the others go on
        return about | {"failed": True, "status": f"{type(error).__name__}: {error}"[:400]}


def share(values: Sequence[float]) -> str:
    """Mean and standard error over systems, in percent."""
    if len(values) < 2:
        return "–"
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1) / np.sqrt(len(values)):.1f}"


def tables(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Shares held by level, for each part and each noise; weights by bin."""
    yield "| part | noise | systems | of | " + " | ".join(f"{100 * p:g} %" for p in LEVELS) + " |"
    yield "|" + "---|" * (4 + len(LEVELS))
    for part in PARTS:
        for noise in (*NOISE, None):
            some = [r for r in rows if r["part"] == part and noise in (r["noise"], None)]
            for key in ("constants", "bands"):
                held = [r[key] for r in some if key in r]
                if held:
                    cells = [share([h[str(p)] for h in held]) for p in LEVELS]
                    label = "all" if noise is None else f"{noise:g}"
                    yield f"| {part} | {label} | {len(held)} | {key} | " + " | ".join(cells) + " |"
    weighed = [(w, ok) for r in rows for w, ok in zip(r.get("weights", ()), r.get("right", ()), strict=True)]
    yield "\n| weight | systems found | right |\n|---|---|---|"
    for low, high in pairwise(BINS):
        some = [float(ok) for w, ok in weighed if low <= w < high or (high == BINS[-1] and w >= high)]
        yield f"| {low:g}–{high:g} | {len(some)} | {share(some)} |"
    failed = [f"{r['part']} {r['family']} {r['number']}: {r.get('status', 'no fit')}" for r in rows if r.get("failed")]
    yield f"\n{len(failed)} failed" + "".join(f"\n- {text}" for text in failed)


PARTS: dict[str, Callable[[Drawn, argparse.Namespace], dict[str, Any]]] = {"given": given, "search": search}


def main(argv: list[str] | None = None) -> None:
    """Run what is not finished yet, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "drawn", "report"])
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--time-limit", type=float, default=20.0, help="seconds of a search")
    parser.add_argument("--workers", type=int, default=1, help="systems worked on at a time")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "calibration")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part != "report":
        out = args.out / f"{args.part}.jsonl"
        done = {r["number"] for r in report.read([out])}
        for row in solved([k for k in range(args.systems) if k not in done], args):
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if row.get("failed"):
                print(row, flush=True)
    print("\n".join(tables(report.read(sorted(args.out.glob("*.jsonl"))))))


def solved(numbers: Sequence[int], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The lines of systems, each as soon as it is there."""
    if args.workers == 1:
        yield from (solve(number, args) for number in numbers)
        return
    from hypo.parallel.processes import Processes

    with Processes(args.workers) as pool:
        yield from pool.map_as_completed(solve, numbers, args)


if __name__ == "__main__":
    main()
