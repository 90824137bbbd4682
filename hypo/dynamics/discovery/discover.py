"""Discovery of laws of motion: searches on smoothed rates propose, trajectories decide.

1. Each state is smoothed (:mod:`hypo.dynamics.smoothing.smoother`).
2. Several searches put candidates forward for each equation (:mod:`hypo.dynamics.discovery.propose`).
3. Candidates are fitted to the samples: alone, in combinations, and with a little more or less in them
   (:mod:`hypo.dynamics.discovery.trials.combine`, :mod:`hypo.dynamics.discovery.trials.refine`).
4. What was fitted is weighed by misfit + code lengths + λ·violation (:mod:`hypo.dynamics.discovery.score`).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hypo.clock import Clock, now
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.lags import fit_lags, lags_along_paths
from hypo.dynamics.discovery.propose import propose
from hypo.dynamics.discovery.quick import quick_law
from hypo.dynamics.discovery.remarks import make_remarks
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import form_and_count
from hypo.dynamics.discovery.trials.alone import Alone, columns_along
from hypo.dynamics.discovery.trials.combine import Ranked, combine, rank_alone, shortlist
from hypo.dynamics.discovery.trials.judge import FAILURES, Judge, merged
from hypo.dynamics.discovery.trials.refine import refine
from hypo.dynamics.discovery.trials.sharing import written
from hypo.dynamics.kinds import Kind, make_kind
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError
from hypo.expression.expr import Expression
from hypo.interrupts import during_a_fit, has_come, hold, release
from hypo.knowledge.knowledge import Knowledge

# Shares of the time left in which lags are found, by a search of its own, and fitted.
FINDING_LAGS = 0.4
FITTING_LAGS = 0.3
# Seconds of the search for one equation, and the share of the time limit that all of them have at most.
SECONDS_OF_SEARCH = 3.0
PROPOSING = 0.4
# Share of the time limit in which candidates are tried alone.
ALONE = 0.25
# Trials alone of all equations together, and those of one equation at least.
MOST_ALONE = 360
LEAST_ALONE = 10
# Share of the time then left in which combinations are tried: their neighbours need some, too.
COMBINING = 0.4
# Systems fitted at most, and those among them that combinations may have.
MOST_FITS = 500
COMBINATIONS = 120
# Best systems of which laws that follow from others are tried.
FOLLOWED = 10
# Systems with less weight are left out.
LEAST_WEIGHT = 1e-6
# Systems that are fitted to the end, and the nats behind the best within which they are.
FINISHED = 5
NEAR = 8.0


def discover(data: Trajectories, options: Options | None = None, knowledge: Knowledge | None = None) -> Discovered:
    """The likeliest systems, with weights.

    An interrupt, or the end of ``options.time_limit``, ends the search: what was found by then is returned.

    Args:
        data: runs.
        options: settings; None: their defaults.
        knowledge: what is known of the laws; None: nothing.

    Raises:
        DataError: no candidate can be followed along the data.
        KnowledgeError: what is known does not fit the columns.
    """
    options = options or Options()
    began = now()
    work = _Work(data, options, Clock(began + options.time_limit), knowledge)
    with during_a_fit():
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

    def __init__(self, data: Trajectories, options: Options, clock: Clock, knowledge: Knowledge | None) -> None:
        self.data, self.options, self.clock = data, options, clock
        self.judge: Judge | None = None
        self.smoothed = smooth_all(data)
        self._take(make_kind(data, self.smoothed, options, knowledge))

    def _take(self, kind: Kind) -> None:
        """Search for laws of this kind from now on."""
        self.kind = kind
        self.pattern, self.sought, self.columns = kind.pattern, kind.sought, kind.columns
        self.rows = tuple(kind.effective_rows(k) for k in range(len(self.data.states)))

    def run(self) -> None:
        if self.pattern.delays:
            self._find_lags()
        self._search()
        self._finish()

    def _find_lags(self) -> None:
        """Lags along the paths by first candidates; then those of the best system of a first search, fitted to the samples."""
        whole, self.clock = self.clock, Clock(now() + FINDING_LAGS * self.clock.left)
        if not self.options.discrete:
            found: dict[str, Delay] = {}
            for k in sorted(k - self.kind.first for k in self.sought):
                for d in lags_along_paths(self.kind, k, self._candidates(k))[1]:
                    found.setdefault(d.column, d)
            if found:
                self._take(replace(self.kind, delays=tuple(found.values())))
        self._search()
        assert self.judge is not None
        first = self.judge.ranked()
        self.clock = Clock(now() + FITTING_LAGS * whole.left)
        if first and not has_come():
            fitted = fit_lags(first[0].fitted, lambda s: self._fit(s, math.inf), self.kind.lag_bounds)
            if fitted.system.delays:
                self._take(replace(self.kind, delays=fitted.system.delays))
        self.clock = whole

    def _search(self) -> None:
        """Candidates, their combinations and what is near the best of these; all of it is in ``judge``."""
        rows = float(np.mean(self.rows))
        background = self.kind.background
        violation = None if background is None else background.violation
        scorer = Scorer(columns_along(self.columns), self.sought, rows, violation)
        self.judge = judge = Judge(self._fit, scorer, self.clock, COMBINATIONS)
        measured = [k - self.kind.first for k in self.sought]
        candidates = [self._candidates(k) for k in measured]
        lists: dict[int, list[Ranked]] = {}
        if not self.sought:
            judge.judge(self.pattern)
        elif len(self.sought) == 1:
            k = self.sought[0]
            for e in candidates[0]:
                judge.judge(self.pattern.with_equation(k, e))
        else:
            for n, k, each in zip(self.sought, measured, candidates, strict=True):
                lists[n] = self._alone(k, each, rows)
            judge.clock = Clock(now() + COMBINING * self.clock.left)
            combine(judge, self.pattern, self.sought, [shortlist(each, len(lists)) for each in lists.values()])
        judge.most, judge.clock = MOST_FITS, self.clock
        if background is not None:
            for j in judge.ranked()[:FOLLOWED]:
                for system in background.follow(j.fitted.system):
                    judge.judge(system)
        templates = background.motion.templates if background is not None else {}
        free = [k for k in self.sought if self.data.states[k - self.kind.first] not in templates]
        try:
            refine(judge, free, self.data, self.columns, {k: each for k, each in lists.items() if k in free})
        except FAILURES:
            return  # what was judged by then stands

    def _fit(self, system: System, beat: float) -> Calibrated | None:
        return fit_system(system, self.data, self.smoothed, deadline=self.clock, beat=beat)

    def _candidates(self, k: int) -> list[Expression]:
        """Candidates for the equation of measured state k, as sums, each form once."""
        options, d = self.options, len(self.sought)
        background = self.kind.background
        known = None if background is None else background.of_equation(self.data.states[k])
        seconds = min(SECONDS_OF_SEARCH, PROPOSING * options.time_limit / d)
        if has_come() or self.clock.expired:
            return [self._linear(k)]
        found = propose(self.data, self.smoothed, k, options, seconds, options.seed + k, self.pattern.delays, known)
        distinct: dict[tuple[str, int], Expression] = {}
        for c in found:
            e = written(c.expression)
            distinct.setdefault(form_and_count(e), e)
        return [*distinct.values()][: max(MOST_ALONE // d, LEAST_ALONE)] or [self._linear(k)]

    def _linear(self, k: int) -> Expression:
        """A few terms of a line through the smoothed rates, where there is no time for more."""
        return quick_law(self.kind.rows(k), tuple(self.columns.names))

    def _alone(self, k: int, candidates: list[Expression], rows: float) -> list[Ranked]:
        """Candidates for the equation of measured state k, ranked by their own trial."""
        if len(candidates) == 1:
            return [Ranked(candidates[0], 0.0)]
        trial = Alone(self.pattern, self.columns, k)
        clock = Clock(min(now() + ALONE * self.options.time_limit / len(self.sought), self.clock.deadline))

        def fit(system: System, beat: float) -> Calibrated | None:
            return fit_system(system, trial.data, trial.smoothed, deadline=clock, beat=beat)

        judge = Judge(fit, Scorer(trial.columns, (len(trial.own) - 1,), rows), clock, len(candidates))
        return rank_alone(judge, trial, candidates) or [Ranked(e, 0.0) for e in candidates[:1]]

    def _finish(self) -> None:
        """The best systems, fitted to the end."""
        judge = self.judge
        assert judge is not None
        ranked = judge.ranked()
        for j in ranked[:FINISHED]:
            if j.score > ranked[0].score + NEAR or self.clock.expired or has_come():
                return
            judge.improve(j, lambda s: fit_system(s, self.data, self.smoothed, deadline=self.clock, effort="full"))

    def discovered(self, seconds: float) -> Discovered:
        """Systems found so far, with weights."""
        ranked = [j for j in (self.judge.ranked() if self.judge is not None else []) if math.isfinite(j.score)]
        if not ranked:
            raise DataError(
                f"{self.data.source}: no candidate can be followed along the data; give more rows, or a longer time limit"
            )
        kept = [(j, w) for j, w in merged(ranked) if w > LEAST_WEIGHT]
        total = sum(w for _, w in kept)
        systems = tuple(WeightedSystem(j.fitted, j.score, float(w / total)) for j, w in kept)
        background = self.kind.background
        rules = () if background is None else background.verdicts(systems[0].fitted.system)
        return Discovered(systems, self.smoothed, self.rows, make_remarks(systems, self.columns), seconds, tuple(rules))
