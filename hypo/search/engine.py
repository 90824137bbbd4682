"""The engine: opens what a search needs (executors, devices, compiled kernels, PySR) and runs it (:mod:`hypo.search.run`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np

from hypo.clock import standing_still
from hypo.expression.edits.spellings import load, loading
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.failures import Failures
from hypo.fitting.rule_checks import Rulebook
from hypo.kernels import turns
from hypo.parallel.open_executor import open_executor
from hypo.problem.problem import ALL, CUDA, PYSR, Problem, Settings
from hypo.search import compile as warm
from hypo.search.gpu.devices import devices, require_known_operators
from hypo.search.gpu.open_devices import open_devices
from hypo.search.library.context import Workers
from hypo.search.outcome import Outcome, Progress, Teller
from hypo.search.pysr.proposer import PySR
from hypo.search.run import run_search
from hypo.starting import take_start


def search(problem: Problem, settings: Settings, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Search for the formula with the lowest score until it is certain, time is up, or the user interrupts.

    Deadline and interruption (KeyboardInterrupt) end the search with the best so far; nothing is raised for them. The time
    limit counts from the start of the call (:mod:`hypo.starting`) or, where PySR takes part, from when its search is compiled;
    the clock stands still while kernels are compiled. A part with an unexpected error is left out, and told of in the outcome.

    Raises MissingExtraError or InputError when the settings want a cluster, a GPU or PySR and something of it is missing,
    HypoError when PySR alone searches and fails.
    """

    require_known_operators(problem.allowed, settings.backend)
    failures = Failures()
    since = take_start()
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
            stack.enter_context(warm.log_progress())
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
        return run_search(problem, settings, workers, tell, failures, pysr, since)
