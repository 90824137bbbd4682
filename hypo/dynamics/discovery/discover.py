"""Discovery of laws of motion: searches on smoothed rates propose, trajectories decide.

1. Each state is smoothed (:mod:`hypo.dynamics.smoothing.smoother`).
2. Rows one error correlation apart, with the posterior deviation of their rate as noise, go through a whole search for each
   equation: its front and its likely structures are the candidates.
3. Candidates are fitted to the samples, alone, in combinations, and with less in them (:mod:`hypo.dynamics.discovery.combine`).
4. What was fitted is weighed by

       Σ_k ½ n_k log(χ²_k/n_k) + code lengths        (noise of each state integrated out)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.alone import Alone, columns_along
from hypo.dynamics.discovery.combine import KEPT, Ranked, combine, rank_alone, refine, shortlist
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.judge import Judge
from hypo.dynamics.discovery.remarks import make_remarks
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sharing import written
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import Smoothed, smooth_all
from hypo.dynamics.smoothing.smoother import Path, effective_rows
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError
from hypo.expression.expr import Expression
from hypo.interrupts import during_a_fit, hold, release

Values = NDArray[np.float64]

# Candidates of each equation that are tried by the trajectory.
CANDIDATES = 20
# Seconds of the search for one equation, and the share of the time limit that all of them have at most.
SECONDS_OF_SEARCH = 3.0
PROPOSING = 0.4
# Share of the time limit in which candidates are tried alone.
ALONE = 0.3
# Systems fitted at most.
MOST_FITS = 200
# Systems with less weight are left out.
LEAST_WEIGHT = 1e-6


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


def discover(data: Trajectories, options: Options | None = None) -> Discovered:
    """The likeliest systems, with weights.

    An interrupt, or the end of ``options.time_limit``, ends the search: what was found by then is returned.

    Raises:
        DataError: no candidate can be followed along the data.
    """
    options = options or Options()
    began = now()
    with during_a_fit():
        work = _Work(data, options, Clock(began + options.time_limit))
        try:
            release()
            work.run()
        except KeyboardInterrupt:
            if work.judge is None or not work.judge.ranked():
                raise
        finally:
            hold()
    return work.discovered(now() - began)


class _Work:
    """One discovery, which can be asked at any moment for what it has."""

    def __init__(self, data: Trajectories, options: Options, clock: Clock) -> None:
        self.data, self.options, self.clock = data, options, clock
        self.smoothed: Smoothed | None = None
        self.judge: Judge | None = None
        self.rows: list[int] = []

    def run(self) -> None:
        data, options, clock = self.data, self.options, self.clock
        self.smoothed = smoothed = smooth_all(data)
        d = len(data.states)
        seconds = min(SECONDS_OF_SEARCH, PROPOSING * options.time_limit / d)
        candidates = []
        for k in range(d):
            found, n = propose(data, smoothed.paths, k, seconds, options.seed + k)
            distinct = {as_sum(c.expression).form: written(c.expression) for c in reversed(found)}
            candidates.append([*distinct.values()][::-1])
            self.rows.append(n)
        unknown = tuple(Expression.constant(0.0) for _ in range(d))
        pattern = System(unknown, data.states, actions=data.actions, hold=options.hold, is_discrete=options.discrete)
        columns = columns_along(pattern, smoothed)
        sought = tuple(range(d))

        def fit(system: System) -> Calibrated | None:
            return fit_system(system, data, smoothed, deadline=clock)

        rows = float(np.mean(self.rows))
        self.judge = judge = Judge(fit, Scorer(columns, sought, rows), clock, MOST_FITS)
        if d == 1:
            for e in candidates[0]:
                judge.judge(pattern.with_equations((e,)))
        else:
            lists = [self._alone(pattern, k, candidates[k], rows) for k in range(d)]
            if all(lists):
                combine(judge, pattern, sought, lists)
        refine(judge, sought)

    def _alone(self, pattern: System, k: int, candidates: list[Expression], rows: float) -> list[Ranked]:
        """Candidates of equation k, ranked by their own trial."""
        assert self.smoothed is not None
        trial = Alone(pattern, self.data, self.smoothed, k)
        columns = columns_along(trial.system(Expression.constant(0.0)), trial.smoothed)
        left = ALONE * self.options.time_limit / len(pattern.states)
        clock = Clock(min(now() + left, self.clock.deadline))

        def fit(system: System) -> Calibrated | None:
            return fit_system(system, trial.data, trial.smoothed, deadline=clock)

        judge = Judge(fit, Scorer(columns, (0,), rows), clock, len(candidates))
        ranked = rank_alone(judge, trial, candidates)
        return shortlist(ranked) or [Ranked(e, 0.0) for e in candidates[:KEPT]]

    def discovered(self, seconds: float) -> Discovered:
        """What was found."""
        ranked = self.judge.ranked() if self.judge is not None else []
        ranked = [j for j in ranked if math.isfinite(j.score)]
        if not ranked or self.smoothed is None:
            raise DataError(
                f"{self.data.source}: no candidate can be followed along the data; give more rows, or a longer time limit"
            )
        weights = np.exp([ranked[0].score - j.score for j in ranked])
        systems = tuple(
            WeightedSystem(j.fitted, j.score, float(w / weights.sum()))
            for j, w in zip(ranked, weights, strict=True)
            if w > LEAST_WEIGHT * weights.sum()
        )
        return Discovered(systems, self.smoothed, tuple(self.rows), make_remarks(systems, self.smoothed), seconds)
