"""``hypo.audit``: how often the same structure comes back, over seeds and over bootstrap resamples of the rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hypo.api.other_names import IN_AUDIT
from hypo.api.validate import validate_inputs
from hypo.checks import require_whole_number
from hypo.clock import Deadline, now
from hypo.durations import seconds
from hypo.errors import InputError
from hypo.keywords import known_keywords
from hypo.report.display.notebook import is_in_notebook, line_printer
from hypo.report.questions.audit import Audit, Run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hypo.api.inputs import KnowledgeLike
    from hypo.data.tables import XSigma
    from hypo.expression.user_operators import Operator
    from hypo.parallel.executor import Executor
    from hypo.problem.problem import Problem, Settings
    from hypo.search.outcome import Progress

# Longest wait without a line of progress, in seconds.
EVERY = 2.0


class AuditProgress(NamedTuple):
    """``done`` of ``total`` fits after ``elapsed`` seconds; the formula of the last one, None where it found none."""

    done: int
    total: int
    elapsed: float
    last: str | None


@known_keywords(IN_AUDIT, "hypo.audit")
def audit(
    data: Any,
    target: Any = None,
    *,
    seeds: int = 10,
    bootstrap: int = 50,
    features: Sequence[str] | str | None = None,
    knowledge: KnowledgeLike = None,
    time_limit: float | str = 10.0,
    turns: int | None = None,
    total_time: float | str | None = None,
    seed: int = 0,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    operators: Sequence[str | Operator] | str | None = None,
    max_complexity: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    lam: float | None = None,
    units: Mapping[str, str] | None = None,
    drop_missing: bool = False,
    exclude: Sequence[str] | str | None = None,
    thousands: str | None = None,
    likelihood: str | None = None,
    dof: float | None = None,
    trials: float | str | ArrayLike | None = None,
    censored: str | ArrayLike | None = None,
    lower: str | ArrayLike | None = None,
    upper: str | ArrayLike | None = None,
    x_sigma: XSigma = None,
    progress: bool | Callable[[AuditProgress], None] | None = None,
) -> Audit:
    """Fit the table again and again: with ``seeds`` seeds, and on ``bootstrap`` resamples of its rows.

    A resample draws as many rows as there are, with replacement, and counts each as often as it was drawn. Structures are
    grouped without regard to their numbers. Every run is a search as in :func:`hypo.fit` with the score as criterion, whose
    arguments the others are.

    Args:
        time_limit: seconds for each fit, or a duration such as ``"2min"``. Where it cuts fits, another audit may come out
            otherwise.
        turns: turns of the proposers in each fit, at most. With a number that the time limit does not cut, the audit is the
            same on every machine.
        total_time: seconds for the whole audit; what is not done by then is left out.
        seed: fits have the seeds ``seed``, ``seed + 1``, …; resamples are fitted with ``seed``.
        workers: fits at the same time; default one per core. Does not change the result.
        scheduler: ``"processes"``, ``"local"`` (a Dask cluster of this machine) or a Dask scheduler's address: whole fits are
            spread over them. ``"threads"`` or None: one fit after the other, each with ``workers`` threads.
        progress: True shows progress on standard error, in a notebook as one line that updates; or a function called with
            :class:`AuditProgress`. By default it shows in a notebook, and nowhere else.

    Returns:
        the runs, groups of structures, and a page of text (``str``). Ctrl-C ends it with the fits that are done.

    Raises:
        DataError, KnowledgeError, UnitError, InputError, MissingExtraError: as :func:`hypo.fit`.
    """
    require_whole_number("seeds", seeds, 0)
    require_whole_number("bootstrap", bootstrap, 0)
    if not seeds + bootstrap:
        raise InputError("an audit needs at least one seed or one resample")
    if turns is not None:
        require_whole_number("turns", turns, 1)
    longest = float("inf") if total_time is None else seconds("total_time", total_time)
    table = {
        "features": features,
        "sigma": sigma,
        "weights": weights,
        "drop_missing": drop_missing,
        "trials": trials,
        "censored": censored,
        "lower": lower,
        "upper": upper,
        "x_sigma": x_sigma,
        "exclude": exclude,
        "thousands": thousands,
    }
    dataset, _, background, settings = validate_inputs(
        data,
        target,
        table,
        knowledge,
        units,
        time_limit=time_limit,
        seed=seed,
        operators=operators,
        max_complexity=max_complexity,
        workers=workers,
        scheduler=scheduler,
        lam=lam,
        likelihood=likelihood,
        dof=dof,
    )
    settings = replace(settings, turns=turns, guesses=background.guesses)
    from hypo.problem.problem import make_problem
    from hypo.search.compile import warm

    problem = make_problem(dataset, background, settings)
    warm()
    items = [("seed", seed + k) for k in range(seeds)] + [("resample", k) for k in range(bootstrap)]
    deadline = Deadline(now() + longest)
    runs, interrupted = _run_all(items, problem, settings, deadline, _choose_listener(progress))
    return Audit(
        runs=tuple(runs),
        target=dataset.target,
        features=dataset.names,
        n_row=dataset.n_row,
        asked=(seeds, bootstrap),
        time_limit=settings.time_limit,
        turns=turns,
        seed=settings.seed,
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
        status=outcome.status,
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
    if callable(progress):
        return progress
    if progress is not None and not isinstance(progress, bool):
        raise InputError(f"progress must be True, False or a function that takes reports, got {progress!r}")
    return _make_printer() if (is_in_notebook() if progress is None else progress) else None


def _make_printer() -> Callable[[AuditProgress], None]:
    """A line, at most every ``EVERY`` seconds and at the end."""
    last, say = -EVERY, line_printer()

    def show(p: AuditProgress) -> None:
        nonlocal last
        if p.elapsed - last >= EVERY or p.done == p.total:
            last = p.elapsed
            left = p.elapsed / p.done * (p.total - p.done)
            formula = p.last or "no formula"
            say(f"{p.done} of {p.total} fits in {p.elapsed:.0f} s, about {left:.0f} s left; last: {formula}")

    return show


__all__ = ["Audit", "AuditProgress", "Run", "audit"]
