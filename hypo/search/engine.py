"""The engine: library, scans, race, constants and archive in stages of growing libraries, under one deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from hypo.expression.evaluate import Program
from hypo.scoring.score import Hypothesis
from hypo.search.archive import Archive
from hypo.search.context import Context
from hypo.search.problem import Problem, Settings
from hypo.search.refine import Refiner, is_exact
from hypo.search.scan import Clock
from hypo.search.stage import Stages
from hypo.search.structure import LEAST_ROWS, SIGHT, nearest, neighbour_correlation, noise_level

# Stages without a better score after which the search stops, if the residuals look like noise.
# Where neighbours are too far apart to tell (many variables, few rows) it takes more.
PATIENCE, PATIENCE_BLIND = 2, 4


@dataclass(frozen=True)
class Progress:
    """What a user wants to know while the search runs; times in seconds, ``rate`` in hypotheses per second."""

    elapsed: float
    time_left: float
    best: Hypothesis | None
    scored: int
    rate: float
    complete_to: int
    stage: str


@dataclass(frozen=True)
class Outcome:
    """The result of a search.

    ``complete_to``: all ``distinct`` formulas without fitted constants of up to that many nodes were scored. ``scored``
    counts every hypothesis scored, pairs included. ``outcome_share`` is the share of that work done when the best formula first
    appeared, ``diversity`` the share of enumerated formulas that were distinct.
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


def search(problem: Problem, settings: Settings, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Search for the formula with the lowest score until it is certain, time is up, or the user interrupts.

    Deadline and interruption (KeyboardInterrupt) end the search with the best so far; nothing is raised for them.
    """
    from threadpoolctl import threadpool_limits

    begin = time.monotonic()
    clock = Clock(deadline=begin + settings.time_limit)
    archive = Archive(problem.X, problem.columns)
    timing: dict[str, float] = {}
    status, message = "complete", "the library was searched to its full size"
    stages: Stages | None = None
    with ExitStack() as stack:
        # One BLAS thread: tiles run side by side instead, and the sums come out the same at any number of workers.
        stack.enter_context(threadpool_limits(1))
        # Overflow and invalid values are met and masked everywhere below; they are results, not surprises.
        stack.enter_context(np.errstate(all="ignore"))
        executor: Executor | None = None
        if settings.workers > 1:
            executor = stack.enter_context(ThreadPoolExecutor(settings.workers))
        refiner = Refiner(problem, settings, archive, clock)

        def report(stage: str) -> None:
            if progress is None:
                return
            now = time.monotonic()
            progress(
                Progress(
                    now - begin,
                    max(0.0, clock.deadline - now),
                    archive.best,
                    clock.scored,
                    clock.scored / max(now - begin, 1e-9),
                    stages.complete_to if stages else 0,
                    stage,
                )
            )

        try:
            stages = Stages(Context.of(problem, settings, clock, executor), settings, refiner, report)
            refiner.baselines()
            smaller = stages.reduced()
            stale = 0
            for size in settings.library_sizes:
                before = archive.best
                mark = time.monotonic()
                grown = smaller.run(size) if smaller else False
                if not is_exact(archive.best, problem) or size == settings.library_sizes[0]:
                    grown |= stages.run(size)
                timing[f"library {size}"] = time.monotonic() - mark
                report(f"library of {size}")
                archive.trim()
                if is_exact(archive.best, problem):
                    status, message = "exact", "the formula meets every row to rounding"
                    break
                if clock.expired:
                    status, message = "time_limit", "the time limit was reached"
                    break
                if not grown:
                    break
                improved = before is None or (archive.best is not None and archive.best.score < before.score - 0.1)
                stale = 0 if improved else stale + 1
                if stale >= PATIENCE and stale >= _patience(archive.best, problem, settings):
                    message = "larger libraries brought nothing better"
                    if looks_like_noise(archive.best, problem, settings):
                        message += ", and the residuals look like noise"
                    break
        except KeyboardInterrupt:
            status, message = "interrupted", "interrupted by the user"
    best = archive.best
    if best is None and status != "interrupted":
        status, message = "nothing_found", "no formula is defined on all rows and keeps the knowledge"
    timing["total"] = time.monotonic() - begin
    return Outcome(
        front=archive.front(),
        best=best,
        complete_to=stages.complete_to if stages else 0,
        scored=clock.scored,
        distinct=stages.distinct if stages else 0,
        outcome_share=min(1.0, archive.found_at / clock.scored) if clock.scored else 0.0,
        diversity=stages.diversity if stages else 0.0,
        status=status,
        message=message,
        timing=timing,
    )


def _patience(h: Hypothesis | None, problem: Problem, settings: Settings) -> float:
    """Stages without improvement after which to stop, given the residuals of the best hypothesis."""
    if h is None:
        return math.inf
    X, y = np.ascontiguousarray(problem.X[:, : settings.n_race]), problem.y[: settings.n_race]
    neighbours = nearest(X)
    if neighbours is None:
        return PATIENCE
    if neighbour_correlation(y - Program.of(h.expression, problem.columns).value(X), neighbours) > noise_level(len(y)):
        return math.inf
    return PATIENCE if neighbour_correlation(y, neighbours) > SIGHT else PATIENCE_BLIND


def looks_like_noise(h: Hypothesis | None, problem: Problem, settings: Settings) -> bool:
    """Whether there are rows enough to say that the residuals look like noise, and they do."""
    enough = len(problem.y) >= LEAST_ROWS and len(np.unique(problem.y)) > 2
    return enough and h is not None and _patience(h, problem, settings) < math.inf
