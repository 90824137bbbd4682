"""Discovery of laws of motion: searches on smoothed rates propose, trajectories decide.

0. Runs are cut at walls and clips that samples show (:mod:`hypo.dynamics.contacts`).
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
from hypo.dynamics.calibration.forcing import Forcing, estimate_forcing
from hypo.dynamics.calibration.segments import AtRows
from hypo.dynamics.contacts.cut import Cut, cut_at_contacts
from hypo.dynamics.contacts.found import FoundEvent
from hypo.dynamics.contacts.settle import settle
from hypo.dynamics.discovery.dense import begin, leave_out_of_best
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.discovery.fallback import describe_haste, fallback_systems
from hypo.dynamics.discovery.lags import LagChoice, choose_lags, narrow, with_bounds, without_idle
from hypo.dynamics.discovery.remarks import describe_failures, leave_out_degenerate, make_remarks
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.single import FIRST_TURN, Found, Turn, find_candidates, find_line, try_alone
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.combine import Ranked, combine, shortlist
from hypo.dynamics.discovery.trials.fits import FAILURES, Fitter
from hypo.dynamics.discovery.trials.judge import Judge, Judged, merged
from hypo.dynamics.discovery.trials.refine import refine
from hypo.dynamics.discovery.trials.signs import with_positive_coefficients
from hypo.dynamics.discovery.trials.unmet import unmet_weight
from hypo.dynamics.kinds import Kind, make_kind
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
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
# First systems, of any lags, that the later search begins with.
FIRST_SYSTEMS = 8
# Share of the time limit in which states are smoothed; after that they are smoothed quickly.
SMOOTHING = 0.25
# Share of the time limit that random forces have after the search, as far as it ends ``LATE`` after the limit.
FORCING = 0.1
# Seconds for an answer where there was none when time was up, or when the search was interrupted.
LATE = 1.0
# Share of the time limit that a first system of all plain terms has.
BEGINNING = 0.15
# Share of the time then left in which combinations are tried: their neighbours need some, too.
COMBINING = 0.4
CUT = "the time limit ended the search before its end: with more time, or resumed, it may find better laws"
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
# Seconds that terms without effect have to be left out in, at least.
LEAVING_OUT = 0.3


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
            release()  # a second one ends this, too
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
        self.contacts = Cut(data)
        self.data, self.options, self.clock, self.before = data, options, clock, before
        self.knowledge = knowledge
        self.executor: Executor = Serial()
        # Turns that were taken to their end, by an earlier search and by this one.
        self.turns = 0 if before is None else before.turns
        self.is_cut = True
        self.is_smoothed = False
        # True where smoothing was cut short: whatever follows depends on how far it came.
        self.is_rough = False
        self.judge: Judge | None = None
        self.failures = Failures()
        # Systems of a first search, at several lags.
        self.first: list[Judged] = []
        # By equation the likeliest candidates so far; states whose laws were not searched for.
        self.likely: dict[int, Sequence[Expression]] = {}
        self.hasty: tuple[str, ...] = ()

    def _look(self) -> None:
        """Cut the runs at contacts, smooth the states, and find out what kind of law is sought."""
        options, before = self.options, self.before
        with self.failures.guarded("the search for walls and clips"):
            self.contacts = cut_at_contacts(self.data, options)
        self.data = self.contacts.data
        late = Clock(now() + SMOOTHING * options.time_limit)
        self.smoothed = smooth_all(self.data, late)
        self.is_rough = late.expired
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
            tried = [(j.score, j.fitted.system) for j in self.first]
            self._take(replace(kind, delays=best if was_cut else narrow(best, tried)))
            # Until the search has a system of its own, the best of these is the answer.
            self.judge = judge

    def _try_lags(self, kind: Kind, choice: LagChoice, judge: Judge) -> None:
        """A few combinations of first laws at one choice of lags."""
        if not kind.sought:
            judge.judge(kind.pattern)
            return
        rows, lists = float(np.mean(self.rows)), []
        for k, laws in choice.laws.items():
            each = laws or (find_line(k, kind),)
            ranked, _ = try_alone(k, each, kind, kind.columns, rows, self._late, self.executor, self.failures)
            lists.append(shortlist(ranked, len(choice.laws)))
        judge.most = judge.count + FITS_OF_LAGS
        combine(judge, kind.pattern, kind.sought, lists)

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
        judge.judge_all(with_bounds(j.fitted.system, self.pattern.delays) for j in first)
        measured = [k - self.kind.first for k in self.sought]
        with suppress(*FAILURES), self.failures.guarded("a first system of all plain terms", *FAILURES):
            late = Deadline(min(now() + BEGINNING * self.options.time_limit, self.clock.deadline))
            if turn == FIRST_TURN and begin(self.kind, judge, Fitter(self.data, self.at_rows, late), late):
                self.is_cut = True
        candidates = self._candidates(measured, turn)
        lists: dict[int, list[Ranked]] = {}
        self.likely = dict(zip(self.sought, candidates, strict=True))
        # A search within has held interrupts back.
        release()
        if not self.sought:
            judge.judge(self.pattern)
        elif len(self.sought) == 1:
            k = self.sought[0]
            judge.judge_all(self.pattern.with_equation(k, e) for e in candidates[0])
        else:
            for at, k, each in zip(self.sought, measured, candidates, strict=True):
                ranked, is_cut = try_alone(
                    k, each, self.kind, self.columns, rows, self._late, self.executor, self.failures
                )
                self.is_cut = self.is_cut or is_cut
                self.likely[at] = [r.expression for r in ranked]
                lists[at] = ranked
            judge.clock = Clock(now() + COMBINING * self.clock.left)
            with self.failures.guarded("combining equations"):
                combine(judge, self.pattern, self.sought, [shortlist(each, len(lists)) for each in lists.values()])
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
            units = background.hard_units if background is not None else {}
            refine(judge, free, self.data, self.columns, {k: lists[k] for k in free if k in lists}, units)

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
        """The best systems, without terms that do nothing, fitted to the end."""
        judge = self.judge
        assert judge is not None
        late = Clock(max(self.clock.deadline, now() + LEAVING_OUT))
        leave_out_of_best(judge, FINISHED, Fitter(self.data, self.at_rows, Deadline(late.deadline)), late)
        ranked = judge.ranked()
        if ranked and not self.clock.expired and not has_come():
            near = [j for j in ranked[:FINISHED] if j.score <= ranked[0].score + NEAR]
            judge.improve(near, self._fit.fully())

    def fall_back(self) -> None:
        """See to it that there is an answer where time was up, an interrupt came or a part failed before any was fitted."""
        if self.judge is not None and self.judge.ranked():
            return
        if not (self.is_cut or self.clock.expired or has_come() or self.failures.found):
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
        kept = [(j, w) for j, w in merged(leave_out_degenerate(ranked, self.columns)) if w > LEAST_WEIGHT]
        unmet = unmet_weight([*judge.judged.values()], [w for _, w in kept])
        total = sum(w for _, w in kept) / (1.0 - unmet)
        systems = tuple(
            WeightedSystem(with_positive_coefficients(without_idle(j.fitted)), j.score, float(w / total))
            for j, w in kept
        )
        background = self.kind.background
        rules: Sequence[tuple[str, Verdict]] = ()
        if background is not None:
            with self.failures.guarded("the check of rules"):
                rules = background.verdicts(systems[0].fitted.system)
        self._note_time()
        remarks: tuple[str, ...]
        events: tuple[FoundEvent, ...]
        forcing: Forcing | None
        fitted, remarks, forcing = systems[0].fitted, (), None
        events = () if self.before is None else self.before.events
        with self.failures.guarded("walls and bounds"):
            if self.contacts.suspects:
                events, remarks = settle(fitted, self.data, self.contacts.suspects)
        with self.failures.guarded("random forces"):
            late = Clock(min(now() + FORCING * self.options.time_limit, self.clock.deadline + LATE))
            forcing = None if has_come() else estimate_forcing(fitted, self.data, self.smoothed, late)
        with self.failures.guarded("remarks"):
            remarks = (*(e.remark() for e in events), *remarks, *make_remarks(systems, self.columns, forcing))
        is_cut = self.is_cut or self.is_rough
        if is_cut and not has_come():
            remarks = (describe_haste(self.options.time_limit, self.hasty) if self.hasty else CUT, *remarks)
        remarks = (*remarks, *describe_failures(self.failures.found))
        return Discovered(
            systems, self.smoothed, self.rows, remarks, seconds, tuple(rules), self.turns, is_cut, events, forcing
        )
