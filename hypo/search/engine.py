"""The engine: proposers take turns, what they propose is fitted, scored and archived, under one deadline."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np

from hypo import interrupts
from hypo.clock import Clock, now, on_the_wall, standing_still
from hypo.expression.edits.spellings import load, loading
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.failures import Failures
from hypo.fitting.archive import Archive, pareto
from hypo.fitting.from_many_starts import widen
from hypo.fitting.refiner import Refiner
from hypo.fitting.row_racing import make_problem_for_proposers
from hypo.fitting.rule_checks import Rulebook, RuleReport
from hypo.kernels import turns
from hypo.parallel.open_executor import open_executor
from hypo.posterior.posterior import ExploredSpace
from hypo.posterior.structure_mcmc import budget, run_structure_mcmc
from hypo.problem.exact import is_exact
from hypo.problem.problem import ALL, CUDA, PYSR, Problem, Settings
from hypo.scoring.score import Hypothesis
from hypo.search import compile as warm
from hypo.search.alarm import Alarm
from hypo.search.gpu.devices import devices
from hypo.search.gpu.open_devices import open_devices
from hypo.search.library.context import Context, Workers
from hypo.search.library.seeds import plain_library
from hypo.search.outcome import Outcome, Progress, Teller
from hypo.search.proposers.atoms import Atoms
from hypo.search.proposers.base import Proposer, Schedule, Turn, installed, origin
from hypo.search.proposers.beam import Beam
from hypo.search.proposers.evolution import Evolution
from hypo.search.proposers.guesses import Guesses
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.reduction import Reduction
from hypo.search.proposers.rescaled import Rescaled, Sizes
from hypo.search.proposers.screened import Screened
from hypo.search.proposers.stepwise import Stepwise
from hypo.search.proposers.template import TemplateSearch
from hypo.search.pysr.proposer import PySR
from hypo.search.stopping import Stopping
from hypo.starting import taken

P = TypeVar("P")

# Seconds after the end for what PySR found last.
GRACE = 2.0
# Alarms end what does not look at the clock. Seconds after its deadline that a stage may take; seconds after the time limit at
# which finishing and weighing, then the check of rules, then the guesses end at the latest, and the result is to be made.
SLACK, WEIGHED_BY, SETTLED_BY, GUESSED_BY, MADE_BY = 0.1, 0.1, 0.4, 0.45, 0.5
# Seconds for finishing the best formulas at the end, and the share of the time limit that they may be at most. Half of them
# are kept, the others come from the time of the chains, if need be; as long as is kept goes to what stands around the formulas,
# which the posterior weighs.
FINISHING, FINISHING_SHARE = 1.0, 0.1

# What loading and reading leave of the time limit at least: this share of it, and so many seconds at most; seconds of them that
# are not counted, so that a limit of a second is not spent before the search begins.
LEFT_SHARE, LEFT, UNCOUNTED = 0.5, 0.5, 0.3

# Why there is no answer where hypotheses were scored.
NOTHING_KEPT = "no formula is defined on all rows and keeps the knowledge"


def search(problem: Problem, settings: Settings, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Search for the formula with the lowest score until it is certain, time is up, or the user interrupts.

    Deadline and interruption (KeyboardInterrupt) end the search with the best so far; nothing is raised for them. The time
    limit counts from the start of the call (:mod:`hypo.starting`) or, where PySR takes part, from when its search is compiled;
    the clock stands still while kernels are compiled. A part with an unexpected error is left out, and told of in the outcome.

    Raises MissingExtraError or InputError when the settings want a cluster, a GPU or PySR and something of it is missing,
    HypoError when PySR alone searches and fails.
    """

    failures = Failures()
    since = taken()
    tell = Teller(progress, failures)

    def prepare(stage: str) -> None:
        tell(Progress(0.0, settings.time_limit, None, 0, 0.0, 0, stage, warm.status()))

    with ExitStack() as stack:
        pysr: PySR | None = None
        own = settings
        if settings.backend in (PYSR, ALL):
            pysr = stack.enter_context(PySR(problem.working, settings, prepare))
            since = None
            own = replace(settings, workers=max(1, settings.workers - pysr.threads))
        gpus = devices() if settings.backend == CUDA else ()
        local, executor = open_executor(own, stack)
        workers = Workers.of(local, executor)
        stack.enter_context(warm.interruptible())
        if not warm.is_complete():
            stack.enter_context(standing_still())
        if progress is None:
            stack.enter_context(warm.logged())
        elif warm.begin():
            prepare("compiling")
        with turns.telling(partial(prepare, "compiling")):
            # The first kernel called loads half a second of numba, or waits until it is compiled.
            Program.of(Expression.constant(1.0), ()).value(np.empty((0, 1)))
        if gpus:
            workers = open_devices(workers, gpus, settings.shard[1] if settings.shard else 1, prepare)
        if problem.knowledge.rules:
            # Loads what checks of rules need.
            Rulebook(problem, settings.lam).amounts(Expression.constant(1.0))
        load()
        stack.enter_context(loading())
        return _search(problem, settings, workers, pysr, tell, failures, since)


def _search(
    problem: Problem,
    settings: Settings,
    workers: Workers,
    pysr: PySR | None,
    tell: Teller,
    failures: Failures,
    since: float | None = None,
) -> Outcome:
    """The search itself, with everything ready for it; its time limit counts from ``since``."""
    from threadpoolctl import threadpool_limits

    begin = now()
    late = begin + settings.time_limit
    if since is not None:
        late = max(
            min(since + UNCOUNTED, begin) + settings.time_limit, begin + min(LEFT_SHARE * settings.time_limit, LEFT)
        )
    kept = min(FINISHING, FINISHING_SHARE * settings.time_limit) / 2
    walks = settings.posterior and settings.backend != PYSR and problem.template is None
    end = late - (budget(settings.time_limit) if walks else 0.0)
    clock = Clock(deadline=end - kept)
    archive = Archive(problem.X, problem.columns)
    timing: dict[str, float] = {}
    rules: tuple[RuleReport, ...] = ()
    explored: ExploredSpace | None = None
    scanner: Scanner | None = None
    guesses: Guesses | None = None
    guessed: list[Hypothesis | None] = []
    stage = ["starting"]
    with ExitStack() as stack:
        # One BLAS thread: tiles run side by side instead, and the sums come out the same at any number of workers.
        stack.enter_context(threadpool_limits(1))
        if tell.wanted:
            stack.enter_context(turns.telling(lambda: report(stage[0])))
        # Overflow and invalid values are met and masked everywhere below; they are results, not surprises.
        stack.enter_context(np.errstate(all="ignore"))
        refiner = Refiner(problem, settings, archive, clock, workers.local)
        schedule = Schedule(settings.seed, share=settings.shard[0] if settings.shard else 1, failures=failures)

        def report(doing: str) -> None:
            stage[0] = doing
            moment = now()
            took, complete_to = moment - begin, scanner.complete_to if scanner else 0
            rate = clock.scored / max(took, 1e-9)
            left = max(0.0, late - moment)
            tell(Progress(took, left, archive.best, clock.scored, rate, complete_to, doing, warm.status()))

        def last_of_pysr() -> None:
            if pysr is None:
                return
            clock.deadline = max(clock.deadline, now() + GRACE)
            refiner.origin = pysr.origin
            with failures.guarded("the last formulas of PySR"):
                for e in pysr.rest():
                    clock.scored += 1
                    refiner.consider(e, fitted=True)
                refiner.snap_pending()

        def until(moment: float) -> Alarm:
            """Lets the clock run to a moment, though not far beyond the time limit, and an alarm ring soon after it."""
            clock.deadline = min(max(clock.deadline, moment), late + WEIGHED_BY)
            return Alarm(clock.deadline + SLACK)

        try:
            interrupts.release()
            ended: tuple[str, str] | None = None
            if problem.template is None:
                # Whatever happens next, there is an answer.
                with failures.guarded("the first formulas"):
                    refiner.add_baselines(report)
            with Alarm(end + SLACK) as alarm:
                if pysr is not None:
                    pysr.begin(settings.time_limit)
                    schedule.add(pysr)
                template = problem.template
                if template is not None and settings.backend != PYSR:
                    solve = partial(_part, workers=workers, failures=failures)
                    schedule.add(TemplateSearch(problem.working, settings, template, solve))
                if settings.backend != PYSR and template is None:
                    # Guesses that cannot be used, and proposers that cannot be started, are for the user to mend.
                    guesses = Guesses(problem, settings)
                    schedule.add(guesses)
                    foreign = installed(problem, settings)
                    own: list[Proposer] = []
                    with failures.guarded("the start of the search"):
                        ctx = Context.of(make_problem_for_proposers(problem, settings.seed), settings, clock, workers)
                        scanner = Scanner(ctx, settings, report)
                        own = _proposers(ctx, settings, scanner, report, failures)
                    for each in (*own, *foreign):
                        with failures.guarded("the start of a proposer"):
                            schedule.add(each)
                stopping = Stopping(problem, settings, archive, clock, schedule, scanner, pysr)
                while ended is None and (proposer := schedule.next()) is not None:
                    before = archive.best
                    mark = now()
                    refiner.origin = origin(proposer)
                    turn = schedule.turn(proposer, problem, archive, clock)
                    if not _taken(proposer, turn, refiner, fitted=proposer is pysr):
                        schedule.drop(proposer)
                    timing[proposer.name] = timing.get(proposer.name, 0.0) + now() - mark
                    gain = _gain(before, archive.best)
                    schedule.close(proposer, gain)
                    report(proposer.name)
                    archive.trim()
                    with failures.guarded("the decision when to end"):
                        ended = stopping.after_turn(gain)
            if alarm.rang:
                ended = "time_limit", "the time limit was reached"
            status, message = ended or stopping.exhausted()
            last_of_pysr()
            report("finishing")
            with failures.guarded("finishing"), until(max(end, now() + 2 * kept)):
                widen(refiner)
                refiner.finish(whole=problem.template is not None)
                refiner.finish_front()
            if walks:
                with failures.guarded("finishing"), until(now() + kept):
                    refiner.add_neighbours()
                if archive.best is not None and not is_exact(archive.best, problem):
                    report("posterior")
                    mark = now()
                    # Of a search that ended early they may take more; their work has a bound of its own.
                    with failures.guarded("the posterior"), until(max(mark + budget(settings.time_limit) / 2, late)):
                        explored = run_structure_mcmc(refiner, settings.seed, scanner.complete_to if scanner else 0)
                        # Chains bring formulas for the front too.
                        refiner.finish_front()
                    timing["chain"] = now() - mark
            interrupts.hold()
        except KeyboardInterrupt:
            interrupts.hold()
            timing["interrupted"] = now() - begin
            status, message = "interrupted", "interrupted by the user"
            with suppress(KeyboardInterrupt):
                interrupts.release()
                last_of_pysr()
                interrupts.hold()
        with suppress(KeyboardInterrupt):
            interrupts.release()
            with failures.guarded("the check of rules"), Alarm(late + SETTLED_BY):
                rules = refiner.final_rule_check()
            interrupts.hold()
        if refiner.rules and not rules:
            rules = refiner.report_unchecked()
            message += "; there was no time to check the rules with care"
        with suppress(KeyboardInterrupt):
            interrupts.release()
            if guesses is not None:
                clock.deadline = max(clock.deadline, now() + 2 * kept)
                with failures.guarded("the score of guesses"), Alarm(late + GUESSED_BY):
                    for e in guesses.fitted:
                        h = refiner.score_near(e)
                        # Cut short, it says nothing of the guess.
                        if clock.expired:
                            break
                        guessed.append(h)
            interrupts.hold()
    best = archive.best
    if best is None and status != "interrupted":
        status = "nothing_found"
        message = NOTHING_KEPT if clock.scored else f"no formula was scored: {message}"
    if pysr is not None and pysr.remark:
        message += f"; {pysr.remark}"
    timing["total"] = now() - begin
    return Outcome(
        front=archive.front(is_exact(best, problem)),
        best=best,
        complete_to=scanner.complete_to if scanner else 0,
        scored=clock.scored,
        distinct=scanner.distinct if scanner else 0,
        outcome_share=min(1.0, archive.found_at / clock.scored) if clock.scored else 0.0,
        diversity=scanner.diversity if scanner else 0.0,
        status=status,
        message=message,
        timing=timing,
        rules=rules,
        archive=tuple(archive.all()),
        explored=explored or ExploredSpace(scanner.complete_to if scanner else 0),
        guessed=tuple(guessed),
        fitted=() if guesses is None else tuple(guesses.fitted[: len(guessed)]),
        covered_to=scanner.covered_to if scanner else 0,
        failures=tuple(failures.found),
        deadline=on_the_wall(late + MADE_BY),
    )


def _taken(proposer: Proposer, turn: Turn, refiner: Refiner, fitted: bool) -> bool:
    """True if a proposer took its turn without an unexpected error."""
    guarded = turn.failures.guarded
    # Numbers beyond the largest, or a matrix without an inverse, end a turn and not the search.
    with guarded(f"the proposer {proposer.name}") as guard, suppress(ArithmeticError, np.linalg.LinAlgError):
        for e in islice(proposer.propose(turn), turn.budget):
            with guarded("the fit of formulas"):
                refiner.consider(e, fitted=fitted)
            if turn.clock.expired:
                break
    with guarded("the fit of formulas"), suppress(ArithmeticError, np.linalg.LinAlgError):
        refiner.snap_pending()
    return not guard.failed


def _part(
    problem: Problem, settings: Settings, *, workers: Workers, failures: Failures
) -> tuple[tuple[Hypothesis, ...], int]:
    """The formulas that the score believes of a search for a part of the law, and how many hypotheses it scored. Raises
    KeyboardInterrupt where the user interrupted it."""
    alone = replace(settings, posterior=False)
    outcome = _search(problem, alone, workers, None, Teller(None, failures), failures)
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    interrupts.release()
    return pareto(outcome.front), outcome.scored


def _proposers(
    ctx: Context, settings: Settings, scanner: Scanner, report: Callable[[str], None], failures: Failures
) -> list[Proposer]:
    """Everybody of hypo's own who takes part beside guesses, in the order of turns where costs are equal; without those that
    cannot be started."""

    def started(name: str, make: Callable[[], P]) -> P | None:
        with failures.guarded(f"the start of the proposer {name}"):
            return make()
        return None

    def wanted(name: str) -> bool:
        return settings.proposers is None or name in settings.proposers

    out: list[Proposer | None] = []
    smaller = started("library", scanner.reduced)
    if wanted(scanner.name):
        orbits = started("library", scanner.orbits)
        out += [orbits, smaller, started("screened", lambda: Screened(ctx, settings, report)), scanner]
    reduction = started("reduction", lambda: Reduction(ctx, settings, report))
    library = plain_library(ctx, settings, range(len(ctx.problem.columns)))
    sizes = started("rescaled", lambda: Sizes.of(ctx.problem)) if settings.fit_constants else None
    if sizes is not None:
        out += [
            Rescaled(sizes, ctx, settings, make) for name, make in _makers(settings, report).items() if wanted(name)
        ]
    others: list[Proposer | None] = [
        reduction,
        started("scaling", lambda: Reduction(ctx, settings, report, doubt=reduction)) if reduction else None,
        started("beam", lambda: Beam(ctx, settings, report, scanner, smaller)),
        started("atoms", lambda: Atoms(ctx, settings, library, report)),
        started("stepwise", lambda: Stepwise(ctx, settings, library, report)),
        started("evolution", lambda: Evolution(ctx, settings, scanner.plain)) if settings.fit_constants else None,
    ]
    return [p for p in (*out, *(p for p in others if p is not None and wanted(p.name))) if p is not None]


def _makers(settings: Settings, report: Callable[[str], None]) -> dict[str, Callable[[Context], Proposer]]:
    """By name who searches in other sizes, too."""

    def with_library(kind: type[Atoms] | type[Stepwise]) -> Callable[[Context], Proposer]:
        return lambda ctx: kind(ctx, settings, plain_library(ctx, settings, range(len(ctx.problem.columns))), report)

    return {
        "library": lambda ctx: Scanner(ctx, settings, report),
        "atoms": with_library(Atoms),
        "stepwise": with_library(Stepwise),
        "evolution": lambda ctx: Evolution(
            ctx, settings, plain_library(ctx, settings, range(len(ctx.problem.columns)))
        ),
    }


def _gain(before: Hypothesis | None, after: Hypothesis | None) -> float:
    """By how much the best score fell."""
    if after is None:
        return 0.0
    return math.inf if before is None else max(0.0, before.score - after.score)
