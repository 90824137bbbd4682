"""Discovery of rates: searches on smoothed rates propose, trajectories decide.

1. Each state is smoothed (:mod:`hypo.dynamics.smoothing.smoother`).
2. Rows one error correlation apart, with the posterior deviation of their rate as noise, go through a whole search for each
   equation: its front and its likely structures are the candidates.
3. Combinations of candidates are fitted to the samples themselves by multiple shooting, one equation exchanged at a time, and
   judged by

       Σ_k ½ n_k log(χ²_k/n_k) + Σ code lengths        (noise of each state integrated out)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.shooting import shoot
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.smoothing.smoother import Path, effective_rows
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Candidates of each equation that are tried by the trajectory.
CANDIDATES = 10
# Rounds in which each equation is exchanged once.
ROUNDS = 2


@dataclass(frozen=True)
class Candidate:
    """A right-hand side and its code length in nats."""

    expression: Expression
    cost: float
    score: float


def thinned(data: Trajectories, paths: Sequence[Sequence[Path]], k: int) -> tuple[Values, Values, Values]:
    """Columns (n, n_column), rates (n,) and their deviations (n,) of state k, one row for each independent error."""
    X, y, sd = [], [], []
    for run, path in zip(data.runs, paths, strict=True):
        rows = effective_rows(path[k])
        rows = rows[1:-1] if len(rows) > 12 else rows
        moments = path[k].time[rows]
        states = np.column_stack([np.interp(moments, p.time, p.value) for p in path])
        actions = (
            np.column_stack([np.interp(moments, run.time, u) for u in run.actions.T])
            if data.actions
            else np.empty((len(rows), 0))
        )
        X.append(np.hstack([states, actions]))
        y.append(path[k].rate[rows])
        sd.append(path[k].rate_sd[rows])
    return np.vstack(X), np.concatenate(y), np.concatenate(sd)


def propose(
    data: Trajectories, paths: Sequence[Sequence[Path]], k: int, seconds: float, seed: int
) -> tuple[tuple[Candidate, ...], int]:
    """Right-hand sides of state k by a search on smoothed rates, and the number of rows it had."""
    from hypo.api.fit import fit

    X, y, sd = thinned(data, paths, k)
    floor = 1e-6 * float(np.std(y)) + 1e-300
    found = fit(
        X, y, features=list(data.columns), sigma=np.maximum(sd, floor), time_limit=seconds, seed=seed, progress=False
    )
    hs = sorted(found.front, key=lambda h: h.score)
    expressions = [(h.expression, h.complexity_cost, h.score) for h in hs]
    return tuple(Candidate(*each) for each in expressions[:CANDIDATES]), len(y)


def discover(data: Trajectories, options: Options = Options()) -> Discovered:
    """The likeliest systems of rates."""
    began = monotonic()
    smoothed = smooth_all(data)
    values = [smoothed.states(r) for r in range(len(data.runs))]
    sigma = [smoothed.noise(r) for r in range(len(data.runs))]
    d = len(data.states)
    each = [propose(data, smoothed.paths, k, options.time_limit / (2 * d), options.seed) for k in range(d)]
    candidates = tuple(c for c, _ in each)
    tried: dict[tuple[int, ...], tuple[float, Calibrated | None]] = {}

    def judge(choice: tuple[int, ...]) -> tuple[float, Calibrated | None]:
        if choice not in tried:
            chosen = [candidates[k][i] for k, i in enumerate(choice)]
            system = System(tuple(c.expression for c in chosen), data.states, actions=data.actions)
            fitted = shoot(system, data, values, sigma)
            tried[choice] = (math.inf if fitted is None else fitted.misfit + sum(c.cost for c in chosen), fitted)
        return tried[choice]

    best = tuple(0 for _ in range(d))
    for _ in range(ROUNDS if d > 1 else 1):
        before = best
        for k in range(d):
            choices = [(*best[:k], i, *best[k + 1 :]) for i in range(len(candidates[k]))]
            best = min(choices, key=lambda c: judge(c)[0])
        if best == before:
            break
    ranked = sorted(
        ((score, fitted) for score, fitted in tried.values() if fitted is not None), key=lambda each: each[0]
    )
    if not ranked:
        raise DataError("no candidate can be followed along the data")
    weights = np.exp([ranked[0][0] - score for score, _ in ranked])
    systems = tuple(
        WeightedSystem(fitted, score, float(w / weights.sum()))
        for (score, fitted), w in zip(ranked, weights, strict=True)
    )
    return Discovered(systems, smoothed, tuple(n for _, n in each), seconds=monotonic() - began)
