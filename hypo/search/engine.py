"""The engine: proposers take turns, what they propose is fitted, scored and archived, under one deadline."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np

from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.kernels import turns
from hypo.scoring.posterior import Met
from hypo.scoring.score import Hypothesis
from hypo.search import warm
from hypo.search.archive import Archive
from hypo.search.atoms import Atoms
from hypo.search.batches import Batches, Processor
from hypo.search.beam import Beam
from hypo.search.chain import budget, explore
from hypo.search.clock import now, standing_still
from hypo.search.context import Context
from hypo.search.cuda import devices
from hypo.search.cuda import opened as opened_devices
from hypo.search.evolve import Evolution
from hypo.search.executor import Executor, opened
from hypo.search.guesses import Guesses
from hypo.search.ladder import for_proposers
from hypo.search.problem import ALL, CUDA, PYSR, Problem, Settings
from hypo.search.proposer import Proposer, Schedule, installed, origin
from hypo.search.pysr import PySR
from hypo.search.reduction import Reduction
from hypo.search.refine import Refiner, is_exact
from hypo.search.rewrite import loading
from hypo.search.rulebook import Rulebook, RuleReport
from hypo.search.scan import Clock
from hypo.search.scanner import Scanner
from hypo.search.screened import Screened
from hypo.search.seeds import plain_library
from hypo.search.stepwise import Stepwise
from hypo.search.stopping import Stopping
from hypo.search.template import TemplateSearch

# Seconds after the end for what PySR found last.
GRACE = 2.0
# Seconds for finishing the best formulas at the end, and the share of the time limit that they may be at most. Half of them
# are kept, the others come from the time of the chains, if need be; as long as is kept goes to what stands around the formulas,
# which the posterior weighs.
FINISHING, FINISHING_SHARE = 1.0, 0.1


@dataclass(frozen=True)
class Progress:
    """What a user wants to know while the search runs; times in seconds, ``rate`` in hypotheses per second. ``compiling`` says
    how far the kernels are, as long as not all are compiled: the time does not pass while the search waits for one."""

    elapsed: float
    time_left: float
    best: Hypothesis | None
    scored: int
    rate: float
    complete_to: int
    stage: str
    compiling: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a search.

    ``complete_to``: all ``distinct`` formulas without fitted constants of up to that many nodes were scored. ``scored``
    counts every hypothesis scored, pairs included. ``outcome_share`` is the share of that work done when the best formula first
    appeared, ``diversity`` the share of enumerated formulas that were distinct. ``archive`` is all that was kept, best first;
    ``met`` says what of the hypothesis space is among it. ``guessed`` are the first of the settings' guesses, as many as there
    was time for, fitted and scored; None where one has no value.
    """

    front: tuple[Hypothesis, ...]
    best: Hypothesis | None
    complete_to: int
    scored: int
    distinct: int
    outcome_share: float
    diversity: float
    status: str
    message: str
    timing: dict[str, float] = field(default_factory=dict)
    rules: tuple[RuleReport, ...] = ()
    archive: tuple[Hypothesis, ...] = ()
    met: Met = field(default_factory=Met)
    guessed: tuple[Hypothesis | None, ...] = ()


def search(problem: Problem, settings: Settings, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Search for the formula with the lowest score until it is certain, time is up, or the user interrupts.

    Deadline and interruption (KeyboardInterrupt) end the search with the best so far; nothing is raised for them. The clock
    starts once the workers are there and, where PySR takes part, Julia runs; it stands still while kernels are compiled.

    Raises MissingExtraError or InputError when the settings want a cluster, a GPU or PySR and something of it is missing,
    HypoError when PySR alone searches and fails.
    """

    def prepare(stage: str) -> None:
        if progress is not None:
            progress(Progress(0.0, settings.time_limit, None, 0, 0.0, 0, stage, warm.status()))

    with ExitStack() as stack:
        pysr: PySR | None = None
        own = settings
        if settings.backend in (PYSR, ALL):
            prepare("starting Julia")
            pysr = stack.enter_context(PySR(problem.working, settings))
            own = replace(settings, workers=max(1, settings.workers - pysr.threads))
        gpus = devices() if settings.backend == CUDA else ()
        local, executor = opened(own, stack)
        batches: Batches = Processor(local)
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
            executor, batches = opened_devices(executor, batches, gpus, settings.shard[1] if settings.shard else 1, prepare)
        if problem.knowledge.rules:
            # Loads what checks of rules need.
            Rulebook(problem, settings.lam).amounts(Expression.constant(1.0))
        stack.enter_context(loading())
        return _search(problem, settings, local, executor, batches, pysr, progress)


def _search(
    problem: Problem,
    settings: Settings,
    local: Executor,
    executor: Executor,
    batches: Batches,
    pysr: PySR | None,
    progress: Callable[[Progress], None] | None,
) -> Outcome:
    """The search itself, with everything ready for it."""
    from threadpoolctl import threadpool_limits

    begin = now()
    kept = min(FINISHING, FINISHING_SHARE * settings.time_limit) / 2
    chains = settings.posterior and settings.backend != PYSR and problem.template is None
    end = begin + settings.time_limit - (budget(settings.time_limit) if chains else 0.0)
    clock = Clock(deadline=end - kept)
    archive = Archive(problem.X, problem.columns)
    timing: dict[str, float] = {}
    rules: tuple[RuleReport, ...] = ()
    met: Met | None = None
    scanner: Scanner | None = None
    guesses: Guesses | None = None
    guessed: list[Hypothesis | None] = []
    stage = ["starting"]
    with ExitStack() as stack:
        # One BLAS thread: tiles run side by side instead, and the sums come out the same at any number of workers.
        stack.enter_context(threadpool_limits(1))
        if progress is not None:
            stack.enter_context(turns.telling(lambda: report(stage[0])))
        # Overflow and invalid values are met and masked everywhere below; they are results, not surprises.
        stack.enter_context(np.errstate(all="ignore"))
        refiner = Refiner(problem, settings, archive, clock, local)
        schedule = Schedule(settings.seed, share=settings.shard[0] if settings.shard else 1)

        def report(doing: str) -> None:
            stage[0] = doing
            if progress is None:
                return
            moment = now()
            progress(
                Progress(
                    moment - begin,
                    max(0.0, begin + settings.time_limit - moment),
                    archive.best,
                    clock.scored,
                    clock.scored / max(moment - begin, 1e-9),
                    scanner.complete_to if scanner else 0,
                    doing,
                    warm.status(),
                )
            )

        def last_of_pysr() -> None:
            if pysr is None:
                return
            clock.deadline = max(clock.deadline, now() + GRACE)
            refiner.origin = pysr.origin
            for e in pysr.rest():
                clock.scored += 1
                refiner.consider(e, fitted=True)
            refiner.polish()

        try:
            if pysr is not None:
                pysr.begin(settings.time_limit)
                schedule.add(pysr)
            template = problem.template
            if template is not None:
                if settings.backend != PYSR:
                    solve = partial(_part, local=local, executor=executor, batches=batches)
                    schedule.add(TemplateSearch(problem.working, settings, template, solve))
            else:
                # Whatever happens next, there is an answer.
                refiner.baselines(report)
            if settings.backend != PYSR and template is None:
                ctx = Context.of(for_proposers(problem, settings.seed), settings, clock, local, executor, batches)
                scanner = Scanner(ctx, settings, report)
                guesses = Guesses(problem, settings)
                for each in (guesses, *_proposers(ctx, problem, settings, scanner, report)):
                    schedule.add(each)
            stopping = Stopping(problem, settings, archive, clock, schedule, scanner, pysr)
            ended: tuple[str, str] | None = None
            while ended is None and (proposer := schedule.next()) is not None:
                before = archive.best
                mark = now()
                refiner.origin = origin(proposer)
                turn = schedule.turn(proposer, problem, archive, clock)
                # Numbers beyond the largest, or a matrix without an inverse, end a turn and not the search.
                with suppress(ArithmeticError, np.linalg.LinAlgError):
                    for e in islice(proposer.propose(turn), turn.budget):
                        refiner.consider(e, fitted=proposer is pysr)
                        if clock.expired:
                            break
                refiner.polish()
                timing[proposer.name] = timing.get(proposer.name, 0.0) + now() - mark
                gain = _gain(before, archive.best)
                schedule.close(proposer, gain)
                report(proposer.name)
                archive.trim()
                ended = stopping.after_turn(gain)
            status, message = ended or stopping.exhausted()
            last_of_pysr()
            clock.deadline = max(clock.deadline, end, now() + 2 * kept)
            report("finishing")
            refiner.finish(whole=template is not None)
            if chains:
                clock.deadline = max(clock.deadline, now() + kept)
                refiner.surround()
                if archive.best is not None and not is_exact(archive.best, problem):
                    report("posterior")
                    mark = now()
                    # Of a search that ended early they may take more; their work has a bound of its own.
                    clock.deadline = max(mark + budget(settings.time_limit) / 2, begin + settings.time_limit)
                    met = explore(refiner, settings.seed, scanner.complete_to if scanner else 0)
                    timing["chain"] = now() - mark
        except KeyboardInterrupt:
            timing["interrupted"] = now() - begin
            status, message = "interrupted", "interrupted by the user"
            with suppress(KeyboardInterrupt):
                last_of_pysr()
        with suppress(KeyboardInterrupt):
            rules = refiner.settle()
            if guesses is not None:
                clock.deadline = max(clock.deadline, now() + 2 * kept)
                for e in guesses.fitted:
                    h = refiner.scored(e)
                    # Cut short, it says nothing of the guess.
                    if clock.expired:
                        break
                    guessed.append(h)
        if pysr is not None and pysr.failure:
            message += f"; {pysr.failure}"
    best = archive.best
    if best is None and status != "interrupted":
        status, message = "nothing_found", "no formula is defined on all rows and keeps the knowledge"
    timing["total"] = now() - begin
    return Outcome(
        front=archive.front(),
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
        met=met or Met(scanner.complete_to if scanner else 0),
        guessed=tuple(guessed),
    )


def _part(
    problem: Problem, settings: Settings, *, local: Executor, executor: Executor, batches: Batches
) -> tuple[tuple[Hypothesis, ...], int]:
    """The front of a search for a part of the law, and how many hypotheses it scored. Raises KeyboardInterrupt where the user
    interrupted it."""
    outcome = _search(problem, replace(settings, posterior=False), local, executor, batches, None, None)
    if outcome.status == "interrupted":
        raise KeyboardInterrupt
    return outcome.front, outcome.scored


def _proposers(
    ctx: Context, problem: Problem, settings: Settings, scanner: Scanner, report: Callable[[str], None]
) -> list[Proposer]:
    """Everybody who takes part beside guesses, in the order of turns where costs are equal."""

    def wanted(name: str) -> bool:
        return settings.proposers is None or name in settings.proposers

    out: list[Proposer] = []
    smaller = scanner.reduced()
    if wanted(scanner.name):
        orbits = scanner.orbits()
        out += [*([orbits] if orbits else []), *([smaller] if smaller else []), Screened(ctx, settings, report), scanner]
    reduction = Reduction(ctx, settings, report)
    library = plain_library(ctx, settings, range(len(problem.columns)))
    others: list[Proposer] = [
        reduction,
        Reduction(ctx, settings, report, doubt=reduction),
        Beam(ctx, settings, report, scanner, smaller),
        Atoms(ctx, settings, library, report),
        Stepwise(ctx, settings, library, report),
        *([Evolution(ctx, settings, scanner.plain)] if settings.fit_constants else []),
    ]
    return [*out, *(p for p in others if wanted(p.name)), *installed(problem, settings)]


def _gain(before: Hypothesis | None, after: Hypothesis | None) -> float:
    """By how much the best score fell."""
    if after is None:
        return 0.0
    return math.inf if before is None else max(0.0, before.score - after.score)
