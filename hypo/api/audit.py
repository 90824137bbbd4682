"""``hypo.audit``: how often the same structure comes back, over seeds and over bootstrap resamples of the rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from hypo.api.other_names import IN_AUDIT
from hypo.api.parameters.calls import complete_arguments, describe
from hypo.api.parameters.parameter import AUDIT
from hypo.api.validate import validate_inputs
from hypo.clock import Deadline, now
from hypo.errors import InputError
from hypo.keywords import check_keywords
from hypo.report.display.notebook import is_in_notebook, make_line_printer
from hypo.report.questions.audit import Audit, Run

if TYPE_CHECKING:
    from hypo.api.parameters.typed import AuditSettings
    from hypo.parallel.executor import Executor
    from hypo.problem.problem import Problem, Settings
    from hypo.search.outcome import Progress

# Seconds between two lines of progress, at most.
LONGEST_SILENCE = 2.0


class AuditProgress(NamedTuple):
    """``done`` of ``total`` fits after ``elapsed`` seconds; the formula of the last one, None where it found none."""

    done: int
    total: int
    elapsed: float
    last: str | None


@check_keywords(IN_AUDIT, "hypo.audit")
@describe(AUDIT)
def audit(data: Any, target: Any = None, **settings: Unpack[AuditSettings]) -> Audit:
    """Fit the table again and again: with ``seeds`` seeds, and on ``bootstrap`` resamples of its rows.

    A resample draws as many rows as there are, with replacement, and counts each as often as it was drawn. Structures are
    grouped without regard to their numbers. Every run is a search as in :func:`hypo.fit` with the score as criterion.

    Args:
        **settings: see :class:`hypo.api.parameters.typed.AuditSettings`.

    Returns:
        the runs, groups of structures, and a page of text (``str``). Ctrl-C ends it with the fits that are done.

    Raises:
        DataError, KnowledgeError, UnitError, InputError, MissingExtraError: as :func:`hypo.fit`.
    """
    given = complete_arguments(AUDIT, settings)
    seeds, bootstrap = given["seeds"], given["bootstrap"]
    if not seeds + bootstrap:
        raise InputError("an audit needs at least one seed or one resample")
    dataset, _, background, checked = validate_inputs(data, target, given)
    checked = replace(checked, guesses=background.guesses)
    from hypo.problem.problem import make_problem
    from hypo.search.compile import warm

    problem = make_problem(dataset, background, checked)
    warm()
    items = [("seed", checked.seed + k) for k in range(seeds)] + [("resample", k) for k in range(bootstrap)]
    deadline = Deadline(now() + given["total_time"])
    runs, interrupted = _run_all(items, problem, checked, deadline, _choose_listener(given["progress"]))
    return Audit(
        runs=tuple(runs),
        target=dataset.target,
        features=dataset.names,
        n_row=dataset.n_row,
        asked=(seeds, bootstrap),
        time_limit=checked.time_limit,
        turns=checked.turns,
        seed=checked.seed,
        interrupted=interrupted,
        data_sha256=dataset.sha256,
        notes=dataset.notes,
    )


def _run_all(
    items: Sequence[tuple[str, int]],
    problem: Problem,
    settings: Settings,
    deadline: Deadline,
    report: Callable[[AuditProgress], None] | None,
) -> tuple[list[Run], bool]:
    """The runs that were done, and whether the user interrupted the rest."""
    from hypo.search.table_units import Border

    runs: list[Run] = []
    border = Border.out_of(problem)
    begin, interrupted = time.monotonic(), False
    with ExitStack() as stack:
        stop = Path(stack.enter_context(TemporaryDirectory(prefix="hypo-audit-"))) / "stop"
        try:
            executor, each = _choose_executor(settings, stack)
            for run in executor.map(run_one, items, problem, each, deadline, str(stop)):
                if run is None:
                    continue
                if run.status == "interrupted":
                    raise KeyboardInterrupt
                if run.expression is not None:
                    run = replace(run, expression=border.formula(run.expression))
                runs.append(run)
                if report is not None:
                    last = None if run.expression is None else run.expression.pretty()
                    report(AuditProgress(len(runs), len(items), time.monotonic() - begin, last))
        except KeyboardInterrupt:
            interrupted = True
            # Whoever is at work in another process looks whether this file is there.
            stop.touch()
    return runs, interrupted


def _choose_executor(settings: Settings, stack: ExitStack) -> tuple[Executor, Settings]:
    """Who does the fits, and the settings of each."""
    from hypo.parallel.executor import PROCESSES, THREADS, Serial

    alone = replace(settings, workers=1, scheduler=None)
    if settings.scheduler in (None, THREADS):
        return Serial(), replace(settings, scheduler=None)
    if settings.scheduler == PROCESSES:
        from hypo.parallel.processes import Processes

        return (stack.enter_context(Processes(settings.workers)) if settings.workers > 1 else Serial()), alone
    from hypo.parallel.dask import Cluster

    return stack.enter_context(Cluster(str(settings.scheduler), settings.workers)), alone


def run_one(item: tuple[str, int], problem: Problem, settings: Settings, deadline: Deadline, stop: str) -> Run | None:
    """One fit; None where the deadline passed before or during it. It ends as interrupted when the file ``stop`` appears."""
    from hypo.search.engine import search

    if deadline.expired or os.path.exists(stop):
        return None

    def watch(progress: Progress) -> None:
        if progress.elapsed > 0 and os.path.exists(stop):
            raise KeyboardInterrupt

    kind, number = item
    limit = max(1e-3, min(settings.time_limit, deadline.at - now()))
    own = replace(settings, time_limit=limit)
    if kind == "seed":
        own = replace(own, seed=number)
    else:
        problem = resample(problem, np.random.default_rng([settings.seed, number, 8]))
    outcome = search(problem, own, watch)
    if outcome.status == "time_limit" and limit < settings.time_limit:
        return None
    best = outcome.best
    return Run(
        kind=kind,
        number=number,
        status=str(outcome.status),
        expression=None if best is None else best.expression,
        score=float("nan") if best is None else best.score,
    )


def resample(problem: Problem, rng: np.random.Generator) -> Problem:
    """As many rows as the problem has, drawn with replacement: each is there once, with the number of times as weight. It is
    drawn again while the target would be the same in every row."""
    from hypo.fitting.row_racing import sample

    n = len(problem.y)
    while True:
        counts = np.bincount(rng.integers(0, n, n), minlength=n)
        rows = np.flatnonzero(counts)
        if np.ptp(problem.y[rows]) > 0:
            break
    few = sample(problem, rows)
    own = problem.likelihood.weights
    # Not scaled to mean 1 over the rows that are left: there are as many rows as before.
    weights = counts[rows] * (1.0 if own is None else own[rows])
    return replace(few, likelihood=few.likelihood.reweighted(weights.astype(np.float64)))


def _choose_listener(progress: bool | Callable[[AuditProgress], None] | None) -> Callable[[AuditProgress], None] | None:
    """The function that is told of progress; None where nobody is."""
    if callable(progress):
        return progress
    return _make_printer() if (is_in_notebook() if progress is None else progress) else None


def _make_printer() -> Callable[[AuditProgress], None]:
    """A line, at most every ``LONGEST_SILENCE`` seconds and at the end."""
    last, say = -LONGEST_SILENCE, make_line_printer()

    def show(p: AuditProgress) -> None:
        nonlocal last
        if p.elapsed - last >= LONGEST_SILENCE or p.done == p.total:
            last = p.elapsed
            left = p.elapsed / p.done * (p.total - p.done)
            formula = p.last or "no formula"
            say(f"{p.done} of {p.total} fits in {p.elapsed:.0f} s, about {left:.0f} s left; last: {formula}")

    return show


__all__ = ["Audit", "AuditProgress", "Run", "audit"]
