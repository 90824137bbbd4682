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
from itertools import zip_longest

import numpy as np

from hypo.clock import Clock, now
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.lags import LagChoice, choose_lags
from hypo.dynamics.discovery.propose import propose
from hypo.dynamics.discovery.quick import quick_law
from hypo.dynamics.discovery.remarks import make_remarks
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.alone import Alone, columns_along
from hypo.dynamics.discovery.trials.combine import Ranked, combine, rank_alone, shortlist
from hypo.dynamics.discovery.trials.judge import FAILURES, Judge, Judged, merged
from hypo.dynamics.discovery.trials.refine import refine
from hypo.dynamics.discovery.trials.sharing import written
from hypo.dynamics.kinds import Kind, make_kind, without_idle_delays
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError
from hypo.expression.expr import Expression
from hypo.interrupts import during_a_fit, has_come, hold, release
from hypo.knowledge.knowledge import Knowledge

# Shares of the time left in which likely lags are found, and then tried by trajectories.
FINDING_LAGS = 0.3
TRYING_LAGS = 0.4
# Fits of combinations of laws at each choice of lags.
FITS_OF_LAGS = 12
# Nats behind the best within which a lag stays in the range of later fits, and the room that this leaves beyond it.
LIKELY_LAG = 25.0
ROOM = 1.25
# First systems, of any lags, that the later search begins with.
FIRST_SYSTEMS = 8
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
MOST_FITS = 200
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
            if not work.found():
                raise
        finally:
            hold()
        return work.discovered(now() - began)


class _Work:
    """One discovery, which can be asked at any moment for what it has."""

    def __init__(self, data: Trajectories, options: Options, clock: Clock, knowledge: Knowledge | None) -> None:
        self.data, self.options, self.clock = data, options, clock
        self.judge: Judge | None = None
        # Systems of a first search, at several lags.
        self.first: list[Judged] = []
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

    def found(self) -> list[Judged]:
        """Systems found so far, best first."""
        later = [] if self.judge is None else self.judge.ranked()
        return later or self.first

    def _find_lags(self) -> None:
        """First laws at the likeliest lags, lags fitted with them; the later search is for laws with the best one's lags."""
        measured = [k - self.kind.first for k in self.sought]
        whole = self.clock
        choices = choose_lags(self.kind, measured, Clock(now() + FINDING_LAGS * whole.left))
        kind, self.clock = self.kind, Clock(now() + TRYING_LAGS * whole.left)
        self.judge = judge = self._new_judge()
        if len(self.sought) == 1:
            # All lags by turns: a clock that ends this has met each with its first laws.
            each = [[(c, e) for e in c.laws.get(measured[0], ())] for c in choices]
            for choice, e in (pair for turn in zip_longest(*each) for pair in turn if pair is not None):
                judge.judge(replace(kind, delays=choice.delays).system([e]))
        else:
            for choice in choices:
                self._try_lags(choice, judge, measured)
        was_cut = self.clock.expired or has_come()
        self.first, self.clock = judge.ranked(), whole
        if self.first:
            best = self.first[0].fitted.system.delays
            # A trial that was cut short rules no lag out.
            narrow = [d if was_cut else self._narrowed(q, d) for q, d in enumerate(best)]
            self._take(replace(kind, delays=tuple(narrow)))

    def _try_lags(self, choice: LagChoice, judge: Judge, measured: list[int]) -> None:
        """A few combinations of first laws at one choice of lags."""
        self._take(replace(self.kind, delays=choice.delays))
        if not self.sought:
            judge.judge(self.pattern)
            return
        rows = float(np.mean(self.rows))
        laws = [list(choice.laws.get(k, ())) or [self._linear(k)] for k in measured]
        lists = [self._alone(k, each, rows) for k, each in zip(measured, laws, strict=True)]
        judge.most = judge.count + FITS_OF_LAGS
        combine(judge, self.pattern, self.sought, lists)

    def _narrowed(self, q: int, delay: Delay) -> Delay:
        """The delay with bounds that likely lags keep to: the rows before the longest one are rows of the past alone."""
        if delay.bounds is None:
            return delay
        likely = [j.fitted.system.delays[q].lag for j in self.first if j.score <= self.first[0].score + LIKELY_LAG]
        least, most = delay.bounds
        return replace(delay, bounds=(least, min(most, max(ROOM * max(likely), least))))

    def _new_judge(self) -> Judge:
        background = self.kind.background
        violation = None if background is None else background.violation
        scorer = Scorer(columns_along(self.columns), self.sought, float(np.mean(self.rows)), violation)
        return Judge(self._fit, scorer, self.clock, COMBINATIONS)

    def _search(self) -> None:
        """Candidates, their combinations and what is near the best of these; all of it is in ``judge``."""
        rows, background = float(np.mean(self.rows)), self.kind.background
        self.judge = judge = self._new_judge()
        for j in self.first[:FIRST_SYSTEMS]:
            judge.judge(self._with_bounds(j.fitted.system))
        measured = [k - self.kind.first for k in self.sought]
        candidates = [self._candidates(k) for k in measured]
        if not self.sought:
            judge.judge(self.pattern)
        elif len(self.sought) == 1:
            k = self.sought[0]
            for e in candidates[0]:
                judge.judge(self.pattern.with_equation(k, e))
        else:
            lists = [self._alone(k, each, rows) for k, each in zip(measured, candidates, strict=True)]
            judge.clock = Clock(now() + COMBINING * self.clock.left)
            combine(judge, self.pattern, self.sought, lists)
        judge.most, judge.clock = MOST_FITS, self.clock
        if background is not None:
            for j in judge.ranked()[:FOLLOWED]:
                for system in background.follow(j.fitted.system):
                    judge.judge(system)
        templates = background.motion.templates if background is not None else {}
        free = [k for k in self.sought if self.data.states[k - self.kind.first] not in templates]
        try:
            refine(judge, free, self.data, self.columns)
        except FAILURES:
            return  # what was judged by then stands

    def _with_bounds(self, system: System) -> System:
        """A system with lags of its own, in the bounds that lags have now."""
        pairs = zip(system.delays, self.pattern.delays, strict=True)
        new = replace(system, delays=tuple(replace(own, bounds=now_.bounds) for own, now_ in pairs))
        return new.with_parameters(new.within_bounds(new.parameters))

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
        distinct: dict[str, Expression] = {}
        for c in found:
            e = written(c.expression)
            distinct.setdefault(as_sum(e).form, e)
        return [*distinct.values()][: max(MOST_ALONE // d, LEAST_ALONE)] or [self._linear(k)]

    def _linear(self, k: int) -> Expression:
        """A few terms of a line through the smoothed rates, where there is no time for more."""
        return quick_law(self.kind.rows(k), tuple(self.columns.names))

    def _alone(self, k: int, candidates: list[Expression], rows: float) -> list[Ranked]:
        """Candidates for the equation of measured state k, ranked by their own trial."""
        d = len(self.sought)
        if len(candidates) == 1:
            return [Ranked(candidates[0], 0.0)]
        if any(x.state != self.data.states[k] for x in self.pattern.delays):
            # Beside its state former values of others would be inputs, whose past is not there: the order is that of proposals.
            return shortlist([Ranked(e, float(n)) for n, e in enumerate(candidates)], d)
        trial = Alone(self.pattern, self.columns, k)
        clock = Clock(min(now() + ALONE * self.options.time_limit / d, self.clock.deadline))

        def fit(system: System, beat: float) -> Calibrated | None:
            return fit_system(system, trial.data, trial.smoothed, deadline=clock, beat=beat)

        judge = Judge(fit, Scorer(trial.columns, (len(trial.own) - 1,), rows), clock, len(candidates))
        ranked = rank_alone(judge, trial, candidates)
        return shortlist(ranked, d) or [Ranked(e, 0.0) for e in candidates[:1]]

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
        ranked = [j for j in self.found() if math.isfinite(j.score)]
        if not ranked:
            raise DataError(
                f"{self.data.source}: no candidate can be followed along the data; give more rows, or a longer time limit"
            )
        kept = [(j, w) for j, w in merged(ranked) if w > LEAST_WEIGHT]
        total = sum(w for _, w in kept)
        systems = tuple(WeightedSystem(_without_idle(j.fitted), j.score, float(w / total)) for j, w in kept)
        background = self.kind.background
        rules = () if background is None else background.verdicts(systems[0].fitted.system)
        return Discovered(systems, self.smoothed, self.rows, make_remarks(systems, self.columns), seconds, tuple(rules))


def _without_idle(fitted: Calibrated) -> Calibrated:
    """The fit without former values that no equation uses."""
    return replace(fitted, system=without_idle_delays(fitted.system))
