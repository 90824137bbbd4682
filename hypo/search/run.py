"""One run of the search, :class:`SearchRun`: set-up, turns, finishing, the posterior, checks and the outcome, a method each."""

from __future__ import annotations

import math
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from hypo import interrupts
from hypo.clock import now, on_the_wall
from hypo.expression.expr import Expression
from hypo.failures import Failures
from hypo.fitting.archive import Archive, pareto
from hypo.fitting.from_many_starts import widen
from hypo.fitting.refiner import Refiner
from hypo.fitting.rule_checks import RuleReport
from hypo.kernels import turns
from hypo.posterior.posterior import ExploredSpace
from hypo.posterior.structure_mcmc import run_structure_mcmc
from hypo.problem.exact import is_exact
from hypo.problem.problem import PYSR, Problem, Settings
from hypo.scoring.score import Hypothesis
from hypo.search import compile as warm
from hypo.search.library.context import Workers
from hypo.search.outcome import Ending, Outcome, Progress, StopReason, Teller
from hypo.search.proposers.base import Proposer, Schedule, Turn, Workspace, load_installed, origin
from hypo.search.proposers.build import make_proposers
from hypo.search.proposers.guesses import Guesses
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.template import TemplateSearch
from hypo.search.pysr.proposer import PySR
from hypo.search.stopping import Stopping
from hypo.search.time_plan import TimePlan

# Why there is no answer where hypotheses were scored.
NOTHING_KEPT = "no formula is defined on all rows and keeps the knowledge"


def run_search(
    problem: Problem,
    settings: Settings,
    workers: Workers,
    tell: Teller,
    failures: Failures,
    pysr: PySR | None = None,
    since: float | None = None,
) -> Outcome:
    """The outcome of one search, with everything ready for it; its time limit counts from ``since``, None: from now."""
    # One BLAS thread: tiles run side by side instead, and the sums come out the same at any number of workers. Overflow and
    # invalid values are met and masked everywhere below; they are results, not surprises.
    with threadpool_limits(1), np.errstate(all="ignore"):
        return SearchRun(problem, settings, workers, tell, failures, pysr, since).outcome()


class SearchRun:
    """A search under way. :meth:`outcome` takes it through its stages; each may be cut short by the clock, an alarm or the
    user, or be left out after an unexpected error, and what was found until then stays."""

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        workers: Workers,
        tell: Teller,
        failures: Failures,
        pysr: PySR | None = None,
        since: float | None = None,
    ) -> None:
        self.problem, self.settings, self.failures, self.pysr = problem, settings, failures, pysr
        self._tell = tell
        self._walks = settings.posterior and settings.backend != PYSR and problem.template is None
        self.plan = TimePlan(settings.time_limit, self._walks, since)
        self.clock = self.plan.clock
        self.archive = Archive(problem.X, problem.columns)
        self.workspace = Workspace(problem, settings, self.clock, workers, failures, self.report)
        self.refiner = Refiner(problem, settings, self.archive, self.clock, workers.local)
        self.schedule = Schedule(settings.seed, share=settings.shard[0] if settings.shard else 1, failures=failures)
        self.scanner: Scanner | None = None
        self.guesses: Guesses | None = None
        self.guessed: list[Hypothesis | None] = []
        self.rules: tuple[RuleReport, ...] = ()
        self.explored: ExploredSpace | None = None
        self.timing: dict[str, float] = {}
        self._stage = "starting"
        self._ending: Ending | None = None

    def outcome(self) -> Outcome:
        """Search, and what came of it."""
        # While kernels are waited for, whoever listens hears of the stage again.
        with turns.telling(lambda: self.report(self._stage)) if self._tell.is_wanted else nullcontext():
            ending = self._search()
            ending = self._check_rules(ending)
            self._score_guesses()
        return self._make_outcome(ending)

    def report(self, doing: str) -> None:
        """Tell whoever listens of the stage."""
        self._stage = doing
        moment = now()
        took, complete_to = moment - self.plan.begin, self.scanner.complete_to if self.scanner else 0
        rate = self.clock.scored / max(took, 1e-9)
        left = max(0.0, self.plan.limit - moment)
        best, scored = self.archive.best, self.clock.scored
        self._tell(Progress(took, left, best, scored, rate, complete_to, doing, warm.status()))

    # --- the stages ----------------------------------------------------------------------------------------------

    def _search(self) -> Ending:
        """All stages but the checks; an interrupt ends them."""
        try:
            interrupts.release()
            if self.problem.template is None:
                # Whatever happens next, there is an answer.
                with self.failures.guarded("the first formulas"):
                    self.refiner.baselines(self.report)
            with self.plan.for_turns() as alarm:
                self._set_up()
                self._take_turns()
            if alarm.rang:
                self._ending = Ending(StopReason.TIME_LIMIT, "the time limit was reached")
            ending = self._ending or self._stopping.exhausted()
            self._take_last_of_pysr()
            self._finish()
            self._weigh()
            interrupts.hold()
        except KeyboardInterrupt:
            interrupts.hold()
            self.timing["interrupted"] = now() - self.plan.begin
            ending = Ending(StopReason.INTERRUPTED, "interrupted by the user")
            with suppress(KeyboardInterrupt):
                interrupts.release()
                self._take_last_of_pysr()
                interrupts.hold()
        return ending

    def _set_up(self) -> None:
        """Let everybody who proposes take part.

        Raises InputError for guesses that cannot be used and installed proposers that cannot be started: those are for the
        user to mend.
        """
        settings = self.settings
        if self.pysr is not None:
            self.pysr.begin(settings.time_limit)
            self.schedule.add(self.pysr)
        if settings.backend == PYSR:
            return
        if self.problem.template is not None:
            solve = partial(search_part, workers=self.workspace.workers, failures=self.failures)
            self.schedule.add(TemplateSearch(self.workspace, solve))
            return
        self.guesses = Guesses(self.workspace)
        self.schedule.add(self.guesses)
        foreign = load_installed(self.workspace)
        own: list[Proposer] = []
        with self.failures.guarded("the start of the search"):
            self.scanner = Scanner(self.workspace)
            own = make_proposers(self.workspace, self.scanner)
        for each in (*own, *foreign):
            with self.failures.guarded("the start of a proposer"):
                self.schedule.add(each)

    @cached_property
    def _stopping(self) -> Stopping:
        """The rules by which the turns end."""
        return Stopping(self.problem, self.settings, self.archive, self.clock, self.schedule, self.scanner, self.pysr)

    def _take_turns(self) -> None:
        """Turns of the proposers, until one of the rules ends them or nobody has anything left."""
        stopping = self._stopping
        while self._ending is None and (proposer := self.schedule.next()) is not None:
            gain = self._take_turn(proposer)
            with self.failures.guarded("the decision when to end"):
                self._ending = stopping.after_turn(gain)

    def _take_turn(self, proposer: Proposer) -> float:
        """One turn of a proposer, and by how much it lowered the best score, in nats."""
        before, mark = self.archive.best, now()
        self.refiner.origin = origin(proposer)
        turn = self.schedule.turn(proposer, self.problem, self.archive, self.clock)
        if not self._consider_all(proposer, turn):
            self.schedule.drop(proposer)
        self.timing[proposer.name] = self.timing.get(proposer.name, 0.0) + now() - mark
        gain = _gain(before, self.archive.best)
        self.schedule.close(proposer, gain)
        self.report(proposer.name)
        self.archive.trim()
        return gain

    def _consider_all(self, proposer: Proposer, turn: Turn) -> bool:
        """Consider all that a proposer puts forward in its turn; True if that went without an unexpected error."""
        guarded = self.failures.guarded
        # Numbers beyond the largest, or a matrix without an inverse, end a turn and not the search.
        with guarded(f"the proposer {proposer.name}") as guard, suppress(ArithmeticError, np.linalg.LinAlgError):
            for e in islice(proposer.propose(turn), turn.budget):
                with guarded("the fit of formulas"):
                    self.refiner.consider(e, fitted=proposer is self.pysr)
                if turn.clock.expired:
                    break
        with guarded("the fit of formulas"), suppress(ArithmeticError, np.linalg.LinAlgError):
            self.refiner.snap_pending()
        return not guard.failed

    def _take_last_of_pysr(self) -> None:
        """Take the formulas that PySR found last, whatever ended the search."""
        if self.pysr is None:
            return
        self.plan.for_last_of_pysr()
        self.refiner.origin = self.pysr.origin
        with self.failures.guarded("the last formulas of PySR"):
            for e in self.pysr.rest():
                self.clock.scored += 1
                self.refiner.consider(e, fitted=True)
            self.refiner.snap_pending()

    def _finish(self) -> None:
        """The best formulas with care."""
        self.report("finishing")
        with self.failures.guarded("finishing"), self.plan.for_finishing():
            widen(self.refiner)
            self.refiner.finish(whole=self.problem.template is not None)
            self.refiner.finish_front()

    def _weigh(self) -> None:
        """Chains over structures, for the posterior; there is nothing to weigh where the answer is exact."""
        if not self._walks:
            return
        with self.failures.guarded("finishing"), self.plan.for_neighbours():
            self.refiner.add_neighbours()
        if self.archive.best is None or is_exact(self.archive.best, self.problem):
            return
        self.report("posterior")
        mark = now()
        with self.failures.guarded("the posterior"), self.plan.for_chains():
            self.explored = run_structure_mcmc(self.refiner, self.settings.seed, self._complete_to)
            # Chains bring formulas for the front too.
            self.refiner.finish_front()
        self.timing["chain"] = now() - mark

    def _check_rules(self, ending: Ending) -> Ending:
        """The reports on the user's rules for the answer; the ending says where there was no time for them."""
        with suppress(KeyboardInterrupt):
            interrupts.release()
            with self.failures.guarded("the check of rules"), self.plan.for_rules():
                self.rules = self.refiner.final_rule_check()
            interrupts.hold()
        if not self.refiner.rules or self.rules:
            return ending
        self.rules = self.refiner.unsettled()
        return replace(ending, message=f"{ending.message}; there was no time to check the rules with care")

    def _score_guesses(self) -> None:
        """The scores of the user's guesses as they stand."""
        with suppress(KeyboardInterrupt):
            interrupts.release()
            if self.guesses is not None:
                with self.failures.guarded("the score of guesses"), self.plan.for_guesses():
                    for e in self.guesses.fitted:
                        h = self.refiner.scored(e)
                        # Cut short, it says nothing of the guess.
                        if self.clock.expired:
                            break
                        self.guessed.append(h)
            interrupts.hold()

    # --- the outcome ---------------------------------------------------------------------------------------------

    @property
    def _complete_to(self) -> int:
        """All formulas without fitted constants of up to so many nodes were scored."""
        return self.scanner.complete_to if self.scanner else 0

    def _make_outcome(self, ending: Ending) -> Outcome:
        archive, clock, scanner = self.archive, self.clock, self.scanner
        best = archive.best
        if best is None and ending.reason != StopReason.INTERRUPTED:
            message = NOTHING_KEPT if clock.scored else f"no formula was scored: {ending.message}"
            ending = Ending(StopReason.NOTHING_FOUND, message)
        if self.pysr is not None and self.pysr.remark:
            ending = replace(ending, message=f"{ending.message}; {self.pysr.remark}")
        self.timing["total"] = now() - self.plan.begin
        fitted: tuple[Expression, ...] = ()
        if self.guesses is not None:
            fitted = tuple(self.guesses.fitted[: len(self.guessed)])
        return Outcome(
            front=archive.front(is_exact(best, self.problem)),
            best=best,
            complete_to=self._complete_to,
            scored=clock.scored,
            distinct=scanner.distinct if scanner else 0,
            outcome_share=min(1.0, archive.found_at / clock.scored) if clock.scored else 0.0,
            diversity=scanner.diversity if scanner else 0.0,
            status=ending.reason,
            message=ending.message,
            timing=self.timing,
            rules=self.rules,
            archive=tuple(archive.all()),
            explored=self.explored or ExploredSpace(self._complete_to),
            guessed=tuple(self.guessed),
            fitted=fitted,
            covered_to=scanner.covered_to if scanner else 0,
            failures=tuple(self.failures.found),
            deadline=on_the_wall(self.plan.made_by),
        )


def search_part(
    problem: Problem, settings: Settings, *, workers: Workers, failures: Failures
) -> tuple[tuple[Hypothesis, ...], int]:
    """The formulas that the score believes of a search for a part of the law, and how many hypotheses it scored. Raises
    KeyboardInterrupt where the user interrupted it."""
    alone = replace(settings, posterior=False)
    outcome = run_search(problem, alone, workers, Teller(None, failures), failures)
    if outcome.status == StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    interrupts.release()
    return pareto(outcome.front), outcome.scored


def _gain(before: Hypothesis | None, after: Hypothesis | None) -> float:
    """By how much the best score fell."""
    if after is None:
        return 0.0
    return math.inf if before is None else max(0.0, before.score - after.score)
