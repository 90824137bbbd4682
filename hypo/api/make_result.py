"""The outcome of a search, made into a result: constants with units, rmse in the target's unit, the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hypo import interrupts
from hypo.api.diagnostics import model_diagnostics
from hypo.clock import Deadline, now
from hypo.failures import Failures
from hypo.report.constants import LEVEL, ConstantRow, list_constants, list_leaves
from hypo.report.coverage import Coverage, Efficiency
from hypo.report.rules import RuleRow
from hypo.report.units import write_unit
from hypo.result.make_record import make_record
from hypo.result.result import Result
from hypo.search.alarm import Alarm
from hypo.search.answer import in_own_form, own_guess
from hypo.search.table_units import Border, UnitNames, unit_texts

if TYPE_CHECKING:
    from hypo.clock import Expiring
    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.posterior.posterior import Posterior
    from hypo.problem.problem import Problem, Settings
    from hypo.scoring.prior import Prior
    from hypo.scoring.score import Hypothesis
    from hypo.search.outcome import Outcome

# Seconds after its deadline at which an alarm ends what does not look at the clock.
OVERTIME = 0.1


def make_result(
    outcome: Outcome,
    problem: Problem,
    settings: Settings,
    dataset: Dataset,
    columns: Sequence[str],
    by: str = "score",
    details: Mapping[str, Any] | None = None,
) -> Result:
    """The engine's outcome with constants, units and record; ``best`` is chosen ``by`` a criterion of
    :mod:`hypo.search.model_selection`, ``details`` are of a choice that was made already. What fails, or takes longer
    than there is time, is left out."""
    from hypo.problem.problem import LAPLACE
    from hypo.search.earned import NO_WEIGHTS, unearned
    from hypo.search.model_selection import apply_selection

    over = outcome.deadline + OVERTIME
    border = Border.out_of(problem)
    failures = Failures(outcome.failures)
    inside = _weigh_structures(outcome, problem, settings, failures)
    if inside is not None:
        with failures.guarded("the weights"), Alarm(over) as alarm:
            inside = replace(inside, unearned=unearned(outcome, problem, settings, inside))
        if alarm.rang:
            inside = replace(
                inside, unearned=f"there was no time to judge the residuals, so {NO_WEIGHTS}; give it more"
            )
    with failures.guarded("the choice of the answer"):
        outcome = apply_selection(by, outcome, inside, problem, settings)
    front, best = outcome.front, outcome.best
    if best is not None and best not in front:
        front = tuple(sorted((*front, best), key=lambda h: (h.complexity, -h.score)))
    record = replace(make_record(problem, settings, dataset, columns, by), selection=dict(details) if details else None)
    own = None
    if best is not None:
        with failures.guarded("the comparison with guesses"), Alarm(max(over, now() + OVERTIME)):
            own = own_guess(best, outcome.guessed, problem)
    with failures.guarded("the doubts about the answer"), Alarm(over):
        doubts = model_diagnostics(outcome, problem, settings, dataset, None if own is None else own[0])
        record = replace(record, doubts=tuple(doubts))
    if best is not None and own is not None:
        inside = in_own_form(inside, best, own[1], problem)
        front = tuple(own[1] if h == best else h for h in front)
        best = own[1]
        record = replace(record, guess=own[0] + 1)
    posterior = None
    with failures.guarded("the posterior in the units of the columns"):
        posterior = border.posterior(inside)
    if inside is not None and posterior is not None:
        with failures.guarded("the prior"):
            prior = make_prior(inside, problem, settings)
            record = replace(record, prior=border.prior(prior, inside.structures, posterior.structures))
    # The answer's come first; those of others where there is time.
    own_rows = (
        None if best is None else _make_rows_in_time(best.expression, problem, settings.intervals, over, failures)
    )
    until = max(over, now() + OVERTIME)
    constants = tuple(
        own_rows
        if own_rows is not None and h == best
        else _make_rows_in_time(h.expression, problem, LAPLACE, until, failures)
        for h in front
    )
    return Result(
        best=None if best is None else _to_columns(best, border),
        front=tuple(_to_columns(h, border) for h in front),
        status=str(outcome.status),
        message=outcome.message,
        coverage=Coverage(outcome.complete_to, outcome.scored, outcome.distinct),
        efficiency=Efficiency(outcome.outcome_share, outcome.diversity),
        timing={**outcome.timing, "workers": settings.workers},
        record=replace(record, failures=tuple(failures.found)),
        constants=constants,
        rules=tuple(RuleRow.of(report, dataset.target, border) for report in outcome.rules),
        posterior=posterior,
        data=dataset,
        failures=tuple(failures.found),
    )


def _make_rows_in_time(
    e: Expression, problem: Problem, intervals: str, until: float, failures: Failures
) -> tuple[ConstantRow, ...]:
    """:func:`make_constant_rows`, by the moment ``until``; Laplace's intervals where there is no time for others, and the
    numbers alone where there is none for these, or they fail."""
    from hypo.problem.problem import LAPLACE, PROFILE

    with failures.guarded("the intervals of constants"):
        if intervals == PROFILE:
            with Alarm(until):
                return make_constant_rows(e, problem, PROFILE, Deadline(until - OVERTIME))
            until = max(until, now() + OVERTIME)
        with Alarm(until):
            return make_constant_rows(e, problem, LAPLACE)
        return make_constant_rows(e, problem, None)
    return list_constants(e, None, (*problem.columns, problem.target, *problem.constants))


def _weigh_structures(outcome: Outcome, problem: Problem, settings: Settings, failures: Failures) -> Posterior | None:
    """The posterior over the archive, of what keeps the hard rules; None where it would say nothing, or fails."""
    from hypo.fitting.rule_checks import Rulebook
    from hypo.posterior.posterior import make_posterior

    if not outcome.archive or not settings.posterior:
        return None
    # Any formula with a node for each row may meet them all: that it does says nothing of others, nor of new rows.
    best = outcome.best
    if best is not None and outcome.status == "exact" and len(problem.y) <= len(best.expression):
        return None
    book = Rulebook(problem, settings.lam)
    rows = problem.X, problem.columns, problem.likelihood
    late, keeps = Deadline(outcome.deadline), book.keeps_hard if book else None
    with failures.guarded("the posterior"), Alarm(outcome.deadline + OVERTIME):
        return make_posterior(
            outcome.archive, *rows, explored=outcome.explored, keeps=keeps, expired=lambda: late.expired
        )
    return None


def make_prior(posterior: Posterior, problem: Problem, settings: Settings) -> Prior:
    """The prior of the problem's formulas, with the code lengths of the structures of ``posterior``."""
    from hypo.expression.operators import BY_NAME
    from hypo.scoring.code_length import code_length, fitted_cost
    from hypo.scoring.prior import NUMBERS, Prior

    scorer = problem.scorer(settings)
    priors = problem.knowledge.priors

    def total(arity: int) -> float:
        each = (n for n in sorted(problem.allowed) if BY_NAME[n].arity == arity)
        return float(sum(priors.get(n, 1.0) * scorer.symbols ** (1.0 - scorer.weights.get(n, 1.0)) for n in each))

    lengths = {}
    for s in posterior.structures:
        e = s.expression
        # Fitted constants cost nothing beyond their node here: the evidence has charged for them.
        without = code_length(e, np.zeros(len(e.constants)), scorer.symbols, scorer.weights)
        without -= sum(fitted_cost(e.constants[i].value, 0.0) for i in e.free)
        without += scorer.extra_cost(e) if scorer.extra_cost is not None else 0.0
        lengths[str(e)] = without + settings.lam * problem.violation(e)[0]
    # π is a leaf of every grammar.
    leaves = len(problem.columns) + len(problem.constants) + 1 + NUMBERS
    return Prior(scorer.symbols, float(leaves), total(1), total(2), problem.max_complexity, lengths)


def _to_columns(h: Hypothesis, border: Border) -> Hypothesis:
    """``h`` in the units of the columns, and with numbers for the constants that have names."""
    h = border.hypothesis(h)
    return replace(h, expression=h.expression.without_names())


def make_constant_rows(
    e: Expression, problem: Problem, intervals: str | None = "laplace", clock: Expiring | None = None
) -> tuple[ConstantRow, ...]:
    """The constants of ``e`` with their intervals, of the kind ``intervals`` (None: without), as they are where ``e`` is in
    the units of the columns; the unit is None where none is known.

    An interrupt, or a ``clock`` that expires, leaves the intervals that Laplace's approximation gives.
    """
    from hypo.posterior.laplace import laplace, sampled_sums
    from hypo.problem.problem import PROFILE

    approximation = None
    if e.free and intervals is not None:
        rows = problem.X, problem.columns, problem.likelihood
        sums = sampled_sums(e, *rows)
        approximation = None if sums is None else laplace(e, *rows, sums)
    profiled: dict[int, tuple[float | None, float | None]] = {}
    if intervals == PROFILE and e.free:
        from hypo.fitting.profile import profile_intervals

        with suppress(KeyboardInterrupt):
            interrupts.release()
            found = profile_intervals(e, problem.X, problem.columns, problem.likelihood, LEVEL, clock)
            profiled = {i.leaf: (i.lower, i.upper) for i in found}
            interrupts.hold()
    taken = (*problem.columns, problem.target, *problem.constants)
    rows_inside = list_constants(e, None, taken, approximation, profiled)
    leaves = [leaf for _, leaf in list_leaves(e, taken)]
    return tuple(row.scaled(*each) for row, each in zip(rows_inside, _outward_factors(e, leaves, problem), strict=True))


def _outward_factors(e: Expression, leaves: Sequence[int], problem: Problem) -> Iterator[tuple[float, str | None]]:
    """For the constants at ``leaves``: the factor to the number in the units of the columns, and its unit."""
    units, border = unit_texts(problem), Border.out_of(problem)
    names = UnitNames.of({n: u.text for n, u in units.items()}, problem.knowledge.strict_angles)
    found, dimensions = border.convert(e), problem.constant_units(e)
    for i in leaves:
        name = e.constants[i].name or ""
        if name in problem.constants and not e.constants[i].free:
            stated = problem.knowledge.constants[name]
            yield stated.value / problem.constants[name], (stated.unit.text or "1") if problem.dimensions else None
        else:
            yield (1.0 if border.same else found.factor[i]), write_unit(found.units[i], dimensions[i], names)
