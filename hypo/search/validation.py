"""Choosing by validation: rows are held out before the search, and its formulas are compared by their loss there.

For each fold held out the other rows are searched, as if there were no others. The candidates, which are the fronts and the
best of the archives, have their constants fitted to the rows that were searched; their loss is

    mean of w_i·(y_i - f(x_i))²/σ_i²    over all rows held out (w and σ 1 where not given),

or of twice minus the log likelihood where the noise is not Gaussian, with the standard error of that mean. Chosen is the
simplest that is within one standard error of the least loss (Breiman et al. 1984), that of the mean of the differences row by
row: the least of many losses is so by luck, most often that of a large formula. Then all are fitted to all rows, and the
posterior and the front are of these. With several folds a formula found with one held out is judged on the others too, which
the search that found it has seen: only with one fold are forms judged on rows that had no part in finding them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.data import Dataset
from hypo.errors import InputError
from hypo.expression.expr import Expression
from hypo.fitting.archive import Archive, rank
from hypo.fitting.constants.fit import fit
from hypo.fitting.row_racing import refit
from hypo.fitting.rule_checks import Rulebook
from hypo.knowledge import Knowledge
from hypo.likelihood.base import Gaussian
from hypo.problem.exact import is_exact
from hypo.problem.problem import Problem, Settings, make_problem
from hypo.scoring.score import Hypothesis
from hypo.search.engine import search
from hypo.search.model_selection import with_best
from hypo.search.outcome import Outcome, Progress, StopReason
from hypo.starting import mark_start, take_start, time_waited

# Candidates of each search, beside the front.
CANDIDATES = 20
# Formulas refitted to all rows for the posterior, beside the front.
REFITTED = 150
# Seconds that are left for the losses and the fits to all rows.
LAST_FITS = 1.0
# The share of the time limit that is left for them at most.
LAST_SHARE = 0.1
# Rows held out, least number.
LEAST_HELD = 2


@dataclass(frozen=True)
class Loss:
    """One candidate's mean loss over the rows held out, with its standard error, and the losses of the rows (n_held,)."""

    expression: Expression
    complexity: float
    mean: float
    error: float
    rows: NDArray[np.float64] = field(compare=False, repr=False)

    def is_near(self, least: Loss) -> bool:
        """True if the mean is within one standard error of that of ``least``."""
        apart = self.rows - least.rows
        return bool(apart.mean() <= apart.std(ddof=1) / math.sqrt(len(apart)))


def folds_of(
    dataset: Dataset, fraction: float | None, folds: NDArray[np.float64] | NDArray[np.bool_] | None, seed: int
) -> list[NDArray[np.bool_]]:
    """Masks (n_row,) of the rows held out, one for each search: those of ``folds`` (a mask, or a whole number for each row), or
    a random ``fraction``. Raises InputError."""
    n = dataset.n_row
    if folds is None:
        held = np.zeros(n, dtype=bool)
        count = round((0.2 if fraction is None else fraction) * n)
        held[np.random.default_rng(seed).permutation(n)[:count]] = True
        out = [held]
    else:
        if (
            len(folds) == n + dataset.n_dropped
            and dataset.n_dropped
            and dataset.row_numbers is not None
            and dataset.row_word == "row"
        ):
            folds = folds[dataset.row_numbers]
        if folds.shape != (n,):
            raise InputError(
                f"folds must have one number or truth value for each of the {n} rows, got shape {folds.shape}"
            )
        out = [folds.astype(bool)] if folds.dtype == bool else _split_by_number(folds, dataset)
        if len(out) == 1 and folds.dtype != bool:
            raise InputError("folds must have at least two different numbers, or be a mask of the rows to hold out")
    for held in out:
        if held.sum() < LEAST_HELD or (~held).sum() < LEAST_HELD:
            raise InputError(
                f"validation needs at least {LEAST_HELD} rows held out and {LEAST_HELD} to search, but {held.sum()} of {n} "
                "would be held out"
            )
        if np.ptp(dataset.y[~held]) == 0:
            raise InputError("without the rows held out the target is the same in every row; choose other folds")
    return out


def _split_by_number(folds: NDArray[Any], dataset: Dataset) -> list[NDArray[np.bool_]]:
    """A mask for each number; raises InputError naming the row where it is none."""
    for row in np.flatnonzero(~(np.isfinite(folds) & (folds == np.round(folds))))[:1]:
        what = "is missing" if np.isnan(folds[row]) else f"must be a whole number, got {folds[row]:g}"
        raise InputError(f"{dataset.source}, {dataset.rows_in_words([int(row)])}: the number of the fold {what}")
    return [folds == k for k in np.unique(folds)]


def validated(
    dataset: Dataset,
    background: Knowledge,
    settings: Settings,
    held: Sequence[NDArray[np.bool_]],
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Outcome, dict[str, Any]]:
    """The outcome of a search with each of the masks ``held`` (n_row,) kept away, chosen by loss there and fitted to all rows,
    and what is to be recorded of the choice. The time limit is shared by the searches."""
    problem = make_problem(dataset, background, settings)
    # Some is left for the fits to all rows.
    left = min(LAST_FITS, LAST_SHARE * settings.time_limit)
    each = replace(settings, time_limit=(settings.time_limit - left) / len(held))
    trained, outcomes = _search_each(dataset, background, each, held, progress)
    outcome = _together(outcomes)
    outcome = replace(outcome, deadline=outcome.deadline + left)
    clock = Clock(outcome.deadline - left / 2)
    losses = sorted(_losses(dataset, problem, trained, outcomes, held, clock), key=lambda v: (v.mean, v.complexity))
    clock = Clock(outcome.deadline)
    if not losses:
        return outcome, {}
    book = Rulebook(problem, settings.lam)
    scorer = problem.scorer(settings)

    def again(e: Expression) -> Hypothesis | None:
        """``e`` fitted to all rows, under the rules."""
        with np.errstate(all="ignore"):
            found = refit(e, problem, clock)
        h = None if found is None else scorer.score(*found)
        if h is None or not book.rules:
            return h
        h = book.apply(h) or (book.fit_under_rules(h, scorer.score, clock) if h.expression.free else None)
        return h if h is not None and book.keeps_hard(h.expression) else None

    archive = Archive(problem.X, problem.columns)
    best: Hypothesis | None = None
    taken = losses[0]
    for loss in _in_order(losses):
        if best is not None and clock.expired:
            break
        h = again(loss.expression)
        archive.add(h, 0)
        if best is None and h is not None:
            best, taken = h, loss
    for other in outcome.archive[:REFITTED]:
        if clock.expired:
            break
        archive.add(again(other.expression), 0)
    if best is None:
        message = "no formula of the searches is defined on all rows and keeps the knowledge"
        return replace(outcome, best=None, front=(), archive=(), status=StopReason.NOTHING_FOUND, message=message), {}
    lowest = archive.best
    assert lowest is not None
    # One search fitted its guesses to the rows that it saw.
    guessed = tuple(None if h is None else again(h.expression) for h in outcome.guessed)
    front = archive.front(is_exact(lowest, problem))
    whole = replace(outcome, front=front, archive=tuple(archive.all()), best=lowest, guessed=guessed)
    details = {
        "by": "validation",
        "held_out": [int(m.sum()) for m in held[: len(outcomes)]],
        "loss": taken.mean,
        "standard_error": taken.error,
        "least": str(losses[0].expression),
        "candidates": [
            {"expression": str(v.expression), "complexity": v.complexity, "loss": v.mean, "standard_error": v.error}
            for v in losses
        ],
        "note": _note(taken, losses[0], held[: len(outcomes)]),
    }
    return with_best(whole, best, book), details


def _search_each(
    dataset: Dataset,
    background: Knowledge,
    settings: Settings,
    held: Sequence[NDArray[np.bool_]],
    progress: Callable[[Progress], None] | None,
) -> tuple[list[Problem], list[Outcome]]:
    """The problem without the rows of each mask, and the outcome of its search, up to one that the user interrupted."""
    outcomes: list[Outcome] = []
    trained: list[Problem] = []
    since = take_start()
    over = 0.0 if since is None else time.monotonic() - since
    for mask in held:
        # What came before, and what one of them took too long, is missing to the next.
        begin = time.monotonic() - time_waited()
        with mark_start(kept=over):
            trained.append(make_problem(dataset.rows(~mask), background, settings))
            outcomes.append(search(trained[-1], settings, progress))
        over = max(0.0, over + time.monotonic() - time_waited() - begin - settings.time_limit)
        if outcomes[-1].status == StopReason.INTERRUPTED:
            break
    return trained, outcomes


def _in_order(losses: Sequence[Loss]) -> list[Loss]:
    """``losses``, of which the first is the least, as they are wanted: those near it by complexity, then the others."""
    near = [v.is_near(losses[0]) for v in losses]
    first = sorted((v for v, kept in zip(losses, near, strict=True) if kept), key=lambda v: (v.complexity, v.mean))
    return [*first, *(v for v, kept in zip(losses, near, strict=True) if not kept)]


def _note(taken: Loss, least: Loss, held: Sequence[NDArray[np.bool_]]) -> str:
    count = sum(int(m.sum()) for m in held)
    many = f"{count} rows held out" if len(held) == 1 else f"{count} rows held out in {len(held)} folds"
    figure = f"{taken.mean:.4g} ± {taken.error:.2g}"
    if taken is least:
        return f"chosen for its loss on {many}, {figure}"
    out = f"chosen for its loss on {many}, {figure}, as the simplest within one standard error of the least"
    return f"{out}, {least.mean:.4g} of {least.expression.pretty()}"


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """The work of the searches in all, with the archives of all."""
    first = next((o for o in outcomes if o.status == StopReason.INTERRUPTED), outcomes[-1])
    found = sorted((h for o in outcomes for h in o.archive), key=rank)
    return replace(
        first,
        best=found[0] if found else None,
        archive=tuple(found),
        complete_to=min(o.complete_to for o in outcomes),
        covered_to=min(o.covered_to for o in outcomes),
        distinct=min(o.distinct for o in outcomes),
        scored=sum(o.scored for o in outcomes),
        failures=tuple(dict.fromkeys(f for o in outcomes for f in o.failures)),
        deadline=outcomes[-1].deadline,
        timing={
            name: sum(o.timing.get(name, 0.0) for o in outcomes)
            for name in sorted({n for o in outcomes for n in o.timing})
        },
    )


def _losses(
    dataset: Dataset,
    problem: Problem,
    trained: Sequence[Problem],
    outcomes: Sequence[Outcome],
    held: Sequence[NDArray[np.bool_]],
    clock: Clock,
) -> list[Loss]:
    """The loss of each candidate over all rows held out, its constants fitted to the others, as far as there is time: the best
    come first."""
    candidates: dict[str, Hypothesis] = {}
    for outcome in outcomes:
        for h in (*outcome.front, *outcome.archive[:CANDIDATES]):
            e = h.expression
            key = e.masked()
            if key not in candidates or rank(h) < rank(candidates[key]):
                candidates[key] = h
    counted = np.ones(dataset.n_row, bool) if dataset.weights is None else dataset.weights > 0
    y = problem.likelihood
    # Squares are shown in the table's unit; the logarithm of a likelihood has none.
    unit = problem.scales[problem.target] ** 2 if isinstance(y, Gaussian) and not y.is_noise_known else 1.0
    out: list[Loss] = []
    for h in sorted(candidates.values(), key=rank):
        if out and clock.expired:
            break
        rows: list[NDArray[np.float64]] = []
        for mask, part in zip(held, trained, strict=False):
            e = h.expression
            apart = np.flatnonzero(mask[counted])
            with np.errstate(all="ignore"):
                if len(trained) > 1 and e.free:
                    e = fit(e, part.X, part.columns, part.likelihood)
                own, X = y.take(apart), np.ascontiguousarray(problem.X[:, apart])
                rows.append(own.losses(own.predict(e, X, problem.columns)) / unit)
        each = np.concatenate(rows)
        finite = bool(np.all(np.isfinite(each)))
        mean, error = (
            (float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each)))) if finite else (math.inf, math.inf)
        )
        if finite:
            out.append(Loss(h.expression, h.complexity, mean, error, each))
    return out
