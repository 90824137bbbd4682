"""Discovery of laws of motion: searches on smoothed rates propose, trajectories decide.

1. Each state is smoothed (:mod:`hypo.dynamics.smoothing.smoother`).
2. Several searches put candidates forward for each equation (:mod:`hypo.dynamics.discovery.propose`).
3. Candidates are fitted to the samples: alone, in combinations, and with a little more or less in them
   (:mod:`hypo.dynamics.discovery.trials.combine`, :mod:`hypo.dynamics.discovery.trials.refine`).
4. What was fitted is weighed by misfit + code lengths + λ·violation (:mod:`hypo.dynamics.discovery.score`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import zip_longest

import numpy as np
from threadpoolctl import threadpool_limits

from hypo.clock import Clock, Deadline, now, standing_still
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.segments import AtRows
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.fallback import describe_haste, fallback_systems
from hypo.dynamics.discovery.lags import LagChoice, choose_lags
from hypo.dynamics.discovery.remarks import describe_failures, make_remarks
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.single import FIRST_TURN, Found, Turn, find_candidates, find_line, try_alone
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.combine import combine
from hypo.dynamics.discovery.trials.fits import FAILURES, Fitter
from hypo.dynamics.discovery.trials.judge import Judge, Judged, merged
from hypo.dynamics.discovery.trials.refine import refine
from hypo.dynamics.discovery.trials.unmet import unmet_weight
from hypo.dynamics.kinds import Kind, make_kind, without_idle_delays
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import DataError
from hypo.expression.expr import Expression
from hypo.failures import Failures
from hypo.interrupts import during_a_fit, has_come, hold, release
from hypo.knowledge.claims.claim import Verdict
from hypo.knowledge.knowledge import Knowledge
from hypo.parallel.executor import Executor, Serial
from hypo.parallel.open_executor import open_workers

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
# Share of the time limit in which states are smoothed; after that they are smoothed quickly.
SMOOTHING = 0.25
# Seconds for an answer where there was none when time was up, or when the search was interrupted.
LATE = 1.0
# Share of the time then left in which combinations are tried: their neighbours need some, too.
COMBINING = 0.4
CUT = "the time limit ended the search before its end: with more time, or resumed, it may find better laws"
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


def discover(
    data: Trajectories,
    options: Options | None = None,
    knowledge: Knowledge | None = None,
    before: Discovered | None = None,
) -> Discovered:
    """The likeliest systems, with weights.

    An interrupt, or the end of ``options.time_limit``, ends the search: what was found by then is returned, if only a line for
    each rate. Until then nothing depends on the time that something took, nor on who worked on it. Parts with an unexpected
    error are left out, and told of among the remarks.

    Args:
        data: runs.
        options: settings; None: their defaults.
        knowledge: what is known of the laws; None: nothing.
        before: what an earlier search found, which this one goes on from; None: there is none.

    Raises:
        DataError: no candidate can be followed along the data.
        KnowledgeError: what is known does not fit the columns.
        KeyboardInterrupt: the user interrupted it before anything could be fitted.
        MissingExtraError, InputError: the workers that ``options`` ask for cannot be had.
    """
    options = options or Options()
    # Kernels are compiled once per installation, and that is not the search's time. With one BLAS thread, as workers have it,
    # sums come out the same.
    with standing_still(), threadpool_limits(1), during_a_fit():
        began = now()
        work = _Work(data, options, Clock(began + options.time_limit), knowledge, before)
        try:
            release()
            with ExitStack() as stack:
                work.executor = open_workers(options.workers, options.scheduler, stack)
                work.run()
            release()
        except KeyboardInterrupt:
            if not work.is_smoothed:
                raise
            # A second one ends this, too.
            release()
        try:
            work.fall_back()
        finally:
            hold()
        return work.discovered(now() - began)


class _Work:
    """One discovery, which can be asked at any moment for what it has."""

    def __init__(
        self, data: Trajectories, options: Options, clock: Clock, knowledge: Knowledge | None, before: Discovered | None
    ) -> None:
        self.data, self.options, self.clock, self.before = data, options, clock, before
        self.knowledge = knowledge
        self.executor: Executor = Serial()
        # Turns that were taken to their end, by an earlier search and by this one.
        self.turns = 0 if before is None else before.turns
        self.is_cut = True
        self.is_smoothed = False
        self.judge: Judge | None = None
        self.failures = Failures()
        # Systems of a first search, at several lags.
        self.first: list[Judged] = []
        # By equation the likeliest candidates so far; states whose laws were not searched for.
        self.likely: dict[int, Sequence[Expression]] = {}
        self.hasty: tuple[str, ...] = ()

    def _look(self) -> None:
        """Smooth the states, and find out what kind of law is sought."""
        options, before = self.options, self.before
        self.smoothed = smooth_all(self.data, Clock(now() + SMOOTHING * options.time_limit))
        kind = make_kind(self.data, self.smoothed, options, self.knowledge)
        self._take(kind if before is None else replace(kind, delays=before.best.system.delays))
        self.is_smoothed = True

    def _take(self, kind: Kind) -> None:
        """Search for laws of this kind from now on."""
        self.kind = kind
        self.pattern, self.sought, self.columns = kind.pattern, kind.sought, kind.columns
        self.rows = tuple(kind.effective_rows(k) for k in range(len(self.data.states)))
        self.at_rows = AtRows.of(self.smoothed)
        self.judge = None

    def run(self) -> None:
        self._look()
        if self.pattern.delays and self.before is None:
            self._find_lags()
        first = self.turns
        number, of = self.options.shard or (1, 1)
        for taken in range(first, first + self.options.turns):
            self.is_cut = False
            self._search(Turn(number - 1 + of * taken, taken))
            self._note_time()
            if self.is_cut:
                break
            self.turns += 1
        with self.failures.guarded("fitting the best systems to the end"):
            self._finish()

    def _note_time(self) -> None:
        """Where time is up, more of it might have brought something else."""
        self.is_cut = self.is_cut or self.clock.expired or has_come()

    @property
    def _late(self) -> Deadline:
        return Deadline(self.clock.deadline)

    @property
    def _fit(self) -> Fitter:
        return Fitter(self.data, self.at_rows, self._late)

    def _find_lags(self) -> None:
        """First laws at the likeliest lags, lags fitted with them; the later search is for laws with the best one's lags."""
        measured = [k - self.kind.first for k in self.sought]
        whole, kind = self.clock, self.kind
        choices = choose_lags(kind, measured, Clock(now() + FINDING_LAGS * whole.left))
        release()
        self.clock = Clock(now() + TRYING_LAGS * whole.left)
        self.judge = judge = self._new_judge(self._scorer())
        with suppress(*FAILURES), self.failures.guarded("trying lags", *FAILURES):
            if len(self.sought) == 1:
                # All lags by turns: a clock that ends this has met each with its first laws.
                each = [[replace(kind, delays=c.delays).system([e]) for e in c.laws[measured[0]]] for c in choices]
                judge.judge_all(s for turn in zip_longest(*each) for s in turn if s is not None)
            else:
                for choice in choices:
                    self._try_lags(replace(kind, delays=choice.delays), choice, judge)
        was_cut = self.clock.expired or has_come()
        self.judge, self.clock, self.first = judge, whole, judge.ranked()
        if self.first:
            best = self.first[0].fitted.system.delays
            # A trial that was cut short rules no lag out.
            narrow = [d if was_cut else self._narrowed(q, d) for q, d in enumerate(best)]
            self._take(replace(kind, delays=tuple(narrow)))
            # Until the search has a system of its own, the best of these is the answer.
            self.judge = judge

    def _try_lags(self, kind: Kind, choice: LagChoice, judge: Judge) -> None:
        """A few combinations of first laws at one choice of lags."""
        if not kind.sought:
            judge.judge(kind.pattern)
            return
        lists = []
        for k, laws in choice.laws.items():
            candidates = laws or (find_line(k, kind),)
            lists.append(
                try_alone(
                    k,
                    candidates,
                    kind,
                    kind.columns,
                    float(np.mean(self.rows)),
                    self._late,
                    self.executor,
                    self.failures,
                )[0]
            )
        judge.most = judge.count + FITS_OF_LAGS
        combine(judge, kind.pattern, kind.sought, lists)

    def _narrowed(self, q: int, delay: Delay) -> Delay:
        """The delay with bounds that likely lags keep to: the rows before the longest one are rows of the past alone."""
        if delay.bounds is None:
            return delay
        likely = [j.fitted.system.delays[q].lag for j in self.first if j.score <= self.first[0].score + LIKELY_LAG]
        least, most = delay.bounds
        return replace(delay, bounds=(least, min(most, max(ROOM * max(likely), least))))

    def _with_bounds(self, system: System) -> System:
        """A system with lags of its own, in the bounds that lags have now."""
        pairs = zip(system.delays, self.pattern.delays, strict=True)
        new = replace(system, delays=tuple(replace(own, bounds=present.bounds) for own, present in pairs))
        return new.with_parameters(new.within_bounds(new.parameters))

    def _scorer(self) -> Scorer:
        background = self.kind.background
        violation = None if background is None else background.violation
        return Scorer(columns_along(self.columns), self.sought, float(np.mean(self.rows)), violation)

    def _search(self, turn: Turn = FIRST_TURN) -> None:
        """Candidates, their combinations and what is near the best of these; all of it is in ``judge``."""
        rows = float(np.mean(self.rows))
        background = self.kind.background
        first, self.first = self.first[:FIRST_SYSTEMS], []
        if first:
            # These were fitted to other rows, and are fitted anew.
            self.judge = None
        self.judge = judge = self._new_judge(self._scorer())
        judge.judge_all(self._with_bounds(j.fitted.system) for j in first)
        measured = [k - self.kind.first for k in self.sought]
        candidates = self._candidates(measured, turn)
        self.likely = dict(zip(self.sought, candidates, strict=True))
        # A search within has held interrupts back.
        release()
        if not self.sought:
            judge.judge(self.pattern)
        elif len(self.sought) == 1:
            k = self.sought[0]
            judge.judge_all(self.pattern.with_equation(k, e) for e in candidates[0])
        else:
            lists = []
            for at, k, each in zip(self.sought, measured, candidates, strict=True):
                ranked, is_cut = try_alone(
                    k, each, self.kind, self.columns, rows, self._late, self.executor, self.failures
                )
                self.is_cut = self.is_cut or is_cut
                self.likely[at] = [r.expression for r in ranked]
                lists.append(ranked)
            judge.clock = Clock(now() + COMBINING * self.clock.left)
            with self.failures.guarded("combining equations"):
                combine(judge, self.pattern, self.sought, lists)
            self.is_cut = self.is_cut or judge.clock.expired
        judge.most, judge.clock = MOST_FITS, self.clock
        if background is not None:
            with self.failures.guarded("laws that follow from what is known"):
                for j in judge.ranked()[:FOLLOWED]:
                    judge.judge_all(background.follow(j.fitted.system))
        templates = background.motion.templates if background is not None else {}
        free = [k for k in self.sought if self.data.states[k - self.kind.first] not in templates]
        # What was judged by then stands.
        with suppress(*FAILURES), self.failures.guarded("trying neighbours of the best systems", *FAILURES):
            refine(judge, free, self.data, self.columns)

    def _new_judge(self, scorer: Scorer) -> Judge:
        """A judge of this turn that knows what was fitted before."""
        judge = Judge(self._fit, scorer, self.clock, COMBINATIONS, self.executor, failures=self.failures)
        if self.judge is not None:
            for form, found in self.judge.judged.items():
                judge.keep(form, found)
        elif self.before is not None:
            for s in self.before.systems:
                judge.keep_fit(s.fitted)
        return judge

    def _candidates(self, measured: Sequence[int], turn: Turn = FIRST_TURN) -> list[tuple[Expression, ...]]:
        """Candidates for the equations of measured states."""
        found: list[Found] = []
        # A single one is quicker here.
        executor = self.executor if len(measured) > 1 else Serial()
        try:
            found.extend(executor.map(find_candidates, measured, self.kind, turn, self._late))
        except KeyboardInterrupt:
            # From now on candidates take no time; nobody waits for workers any more.
            self.executor = Serial()
            found.extend(find_candidates(k, self.kind, turn, self._late) for k in measured[len(found) :])
        self.is_cut = self.is_cut or any(f.is_cut for f in found)
        self.hasty = tuple(self.data.states[k] for k, f in zip(measured, found, strict=True) if f.is_hasty)
        for f in found:
            self.failures.take(f.failures)
        return [f.candidates for f in found]

    def _finish(self) -> None:
        """The best systems, fitted to the end."""
        judge = self.judge
        assert judge is not None
        ranked = judge.ranked()
        if ranked and not self.clock.expired and not has_come():
            near = [j for j in ranked[:FINISHED] if j.score <= ranked[0].score + NEAR]
            judge.improve(near, self._fit.fully())

    def fall_back(self) -> None:
        """See to it that there is an answer where time was up, an interrupt came or a part failed before any was fitted."""
        if self.judge is not None and self.judge.ranked():
            return
        if not (self.clock.expired or has_come() or self.failures.found):
            return  # nothing can be followed, however long it takes
        clock = Clock(now() + LATE)
        fit = Fitter(self.data, self.at_rows, Deadline(clock.deadline))
        scorer = Scorer(columns_along(self.columns), self.sought, float(np.mean(self.rows)))

        def line(k: int) -> Expression:
            return find_line(k - self.kind.first, self.kind)

        for system in fallback_systems(self.pattern, self.sought, self.likely, line):
            # The first system that a judge meets is fitted even when time is up.
            self.judge = Judge(fit, scorer, clock, 1, failures=self.failures)
            if self.judge.judge(system) is not None:
                break
        self.is_cut, self.hasty = True, self.data.states

    def discovered(self, seconds: float) -> Discovered:
        """Systems found so far, with weights."""
        judge = self.judge
        ranked = [j for j in (judge.ranked() if judge is not None else []) if math.isfinite(j.score)]
        if judge is None or not ranked:
            raise DataError(
                f"{self.data.source}: no candidate can be followed along the data; give more rows, or a longer time limit"
            )
        kept = [(j, w) for j, w in merged(ranked) if w > LEAST_WEIGHT]
        unmet = unmet_weight([*judge.judged.values()], [w for _, w in kept])
        total = sum(w for _, w in kept) / (1.0 - unmet)
        systems = tuple(WeightedSystem(_without_idle(j.fitted), j.score, float(w / total)) for j, w in kept)
        background = self.kind.background
        rules: Sequence[tuple[str, Verdict]] = ()
        if background is not None:
            with self.failures.guarded("the check of rules"):
                rules = background.verdicts(systems[0].fitted.system)
        self._note_time()
        remarks: tuple[str, ...] = ()
        with self.failures.guarded("remarks"):
            remarks = make_remarks(systems, self.columns)
        if self.is_cut and not has_come():
            remarks = (describe_haste(self.options.time_limit, self.hasty) if self.hasty else CUT, *remarks)
        remarks = (*remarks, *describe_failures(self.failures.found))
        return Discovered(systems, self.smoothed, self.rows, remarks, seconds, tuple(rules), self.turns, self.is_cut)


def _without_idle(fitted: Calibrated) -> Calibrated:
    """The fit without former values that no equation uses."""
    return replace(fitted, system=without_idle_delays(fitted.system))
