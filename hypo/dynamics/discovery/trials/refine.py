"""Neighbours of the best systems: an equation sought anew, a term more or less, simple numbers, constants that two equations
share, another candidate for an equation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.edits import snapped_numbers, snapped_together
from hypo.dynamics.discovery.prior.lengths import ROWS, costs_of_terms
from hypo.dynamics.discovery.proposals.permitted import fitting
from hypo.dynamics.discovery.proposals.sparse import FEWER_UNIONS, POLYNOMIALS, UNIONS
from hypo.dynamics.discovery.proposals.terms import FUNCTION, Terms, make_terms
from hypo.dynamics.discovery.sums import ONE, SumTerm, as_sum
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.anew import linear_problem, rank_further_terms, seek_anew, seek_together
from hypo.dynamics.discovery.trials.combine import Ranked
from hypo.dynamics.discovery.trials.fits import FAILURES
from hypo.dynamics.discovery.trials.judge import Judge, Judged
from hypo.dynamics.discovery.trials.reduce import smaller
from hypo.dynamics.discovery.trials.sharing import (
    exchanged,
    share_constants,
    signed,
    unshared,
    with_free_coefficients,
    written,
)
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression
from hypo.units import Unit

# Systems whose neighbours are tried at a time, and how often.
REFINED = 4
ROUNDS = 6
# Systems among these whose equations are sought anew.
RENEWED = 2
# Systems whose numbers are tried as 0, as ±1, and shared, all together: with all of them fitted they may seem far behind.
ROUNDED = 16
# Nats that each number may be predicted to lose as 0, and as ±1.
OUT = 4.0
AS_ONE = 2.0
# Equations up to which all are sought one after the other, beginning with each.
MOST_CHAINED = 4
# Further terms tried in each equation.
MORE = 4
# Nats behind the best beyond which a system has no neighbours tried.
NEAR = 20.0
# Nats of naming a term that another equation has, beside log of their number.
NAMED = 1.0
# Systems whose terms join the library: what flows out of one state may flow into another.
LENDING = 6
# Simple numbers that are tried for a system.
EXTRA = 4
# Nats that a simple number in the place of a fitted one may be predicted to lose.
SNAPPED = 4.0


@dataclass(frozen=True)
class _Library:
    """Terms, the first ``n_own`` not of systems, their ``forms`` as sums, and by equation code lengths ``costs`` (n_term,)
    with a coefficient, in nats, for rates of ``states``."""

    states: Mapping[int, str]
    terms: Terms
    n_own: int
    forms: tuple[str, ...]
    costs: Mapping[int, NDArray[np.float64]]

    @staticmethod
    def of(terms: Terms, states: Mapping[int, str], n_column: int) -> _Library:
        """Of terms over so many columns, for the equations of some states."""
        forms = tuple(as_sum(e).form for e in terms.expressions)
        costs = {k: _costs(terms, own, n_column) for k, own in states.items()}
        return _Library(states, terms, len(terms.forms), forms, costs)

    def with_terms_of(self, best: Sequence[Judged]) -> _Library:
        """The terms of some fitted systems in it, too, numbers within them as fitted."""
        own = frozenset(self.forms)
        more: dict[str, Expression] = {}
        for judged in best:
            for k in self.states:
                for t in as_sum(judged.fitted.system.equations[k]).terms:
                    if t.form not in own:
                        more.setdefault(t.form, SumTerm(ONE, t.factors).expression())
        lent = Terms(tuple(more.values()), np.full(len(more), FUNCTION), tuple(more))
        old, n_column = self.terms, len(best[0].fitted.system.columns)
        terms = Terms(
            (*old.expressions, *lent.expressions), np.concatenate([old.family, lent.family]), (*old.forms, *lent.forms)
        )
        costs = {k: np.concatenate([c, _costs(lent, self.states[k], n_column)]) for k, c in self.costs.items()}
        return _Library(self.states, terms, self.n_own, (*self.forms, *more), costs)

    def beside(self, k: int, others: Iterable[Expression]) -> NDArray[np.float64]:
        """Code lengths (n_term,) in equation ``k`` where terms of other equations are named only: what flows out of one state
        flows into another."""
        known = {t.form for e in others for t in as_sum(e).terms}
        again = NAMED + math.log(max(len(known), 1)) + 0.5 * math.log(ROWS)
        return np.array([min(c, again) if f in known else c for c, f in zip(self.costs[k], self.forms, strict=True)])


def refine(
    judge: Judge,
    sought: Sequence[int],
    data: Trajectories,
    columns: Columns,
    lists: Mapping[int, Sequence[Ranked]],
    units: Mapping[str, Unit] | None = None,
) -> None:
    """Fit neighbours of the best systems as long as new systems come to stand among these.

    Args:
        judge: of systems.
        sought: numbers of the equations that are sought.
        data: runs.
        columns: of laws.
        lists: by equation all candidates, ranked by their own trials.
        units: of the columns, as far as terms must keep to them.
    """
    if judge.is_over:
        return
    done: set[int] = set()
    rounded: set[int] = set()
    names = judge.ranked()[0].fitted.system.states if judge.ranked() else ()
    states = {k: names[k] for k in sought if names}
    terms = fitting(make_terms(columns.names, columns_along(columns)), units or {})
    library = _Library.of(terms, states, len(columns.names))
    for _ in range(ROUNDS):
        for judged in judge.ranked()[:ROUNDED]:
            if id(judged) not in rounded and judged.score <= judge.best + NEAR:
                rounded.add(id(judged))
                _round(judge, judged, sought)
        best = [j for j in judge.ranked()[:REFINED] if id(j) not in done and j.score <= judge.best + NEAR]
        if not best or judge.is_over:
            return
        for n, judged in enumerate(best):
            done.add(id(judged))
            wider = library.with_terms_of(judge.ranked()[:LENDING])
            anew = _anew(judge, judged, sought, data, wider) if n < RENEWED else iter(())
            more = chain(_more(judged, sought, data, wider), _exchanged(judged, lists)) if n == 0 else iter(())
            judge.judge_all(chain(_less(judged, sought), anew, more))
            if judge.is_over:
                return


def _round(judge: Judge, judged: Judged, sought: Sequence[int]) -> None:
    """Fit a system with all coefficients free, and with less numbers: those that are next to nothing left out together, others
    as 1, others shared."""
    system = judged.fitted.system
    loose = [with_free_coefficients(e) if k in sought else e for k, e in enumerate(system.equations)]
    if system.shared is None and any(
        len(new.free) > len(e.free) for new, e in zip(loose, system.equations, strict=True)
    ):
        found = judge.judge(system.with_equations(tuple(loose)))
        judged = found if found is not None and found.score < judged.score else judged
    for numbers, furthest in (((0.0,), OUT), ((1.0, -1.0), AS_ONE)):
        edit = snapped_together(judged.fitted, furthest, numbers)
        if edit is not None and not judge.is_over:
            found = judge.judge(edit.system if edit.system.shared else signed(edit.system))
            judged = found if found is not None and found.score < judged.score else judged
    if len(sought) > 1 and not judge.is_over:
        shared = share_constants(judged.fitted)
        if shared is not None:
            judge.judge(shared)


def _anew(
    judge: Judge, judged: Judged, sought: Sequence[int], data: Trajectories, library: _Library
) -> Iterator[System]:
    """Systems with one equation sought anew along the path of a fitted one; all of them at once, too, and one after the other
    beside a first one that stays, so that terms are shared."""
    fitted = judged.fitted
    if fitted.system.delays:
        return
    plain = unshared(fitted.system)
    problems = {}
    for k in sought:
        try:
            problems[k] = linear_problem(fitted, k, library.terms, data)
        except FAILURES:
            continue

    def seek(k: int, beside: Mapping[int, Expression], unions: Sequence[Sequence[int]] = UNIONS) -> list[Expression]:
        if judge.is_over or k not in problems:
            return []
        try:
            others = {plain.states[j]: e for j, e in beside.items()}
            costs = library.beside(k, others.values())
            found = seek_anew(problems[k], library.terms, costs, judge.clock, others, unions)
        except FAILURES:
            return []
        return [written(each.expression) for each in found]

    together = list(plain.equations)
    for k in sought:
        found = seek(k, {j: plain.equations[j] for j in sought if j != k})
        for e in found:
            yield plain.with_equation(k, e)
        together[k] = found[0] if found else together[k]
    if len(sought) > 1:
        yield plain.with_equations(tuple(together))
        yield from _together(judge, judged, sought, data, library)
    for first in sought if 1 < len(sought) <= MOST_CHAINED else ():
        chained = {first: plain.equations[first]}
        for k in sought:
            found = seek(k, chained, FEWER_UNIONS) if k != first else []
            chained[k] = found[0] if found else chained.get(k, plain.equations[k])
        yield plain.with_equations(tuple(chained.get(k, e) for k, e in enumerate(plain.equations)))


def _together(
    judge: Judge, judged: Judged, sought: Sequence[int], data: Trajectories, library: _Library
) -> Iterator[System]:
    """Systems with all equations sought anew in one regression, among plain terms and those that good systems have."""
    system = judged.fitted.system
    plain = unshared(system)
    terms = library.terms
    own = np.isin(terms.family, POLYNOMIALS) | (np.arange(len(terms.family)) >= library.n_own)
    if judge.is_over:
        return
    costs = {k: c[own] for k, c in library.costs.items()}
    try:
        found = seek_together(judged.fitted, sought, terms.keep(own), costs, data, judge.clock)
    except FAILURES:
        return
    for laws in found:
        yield plain.with_equations(tuple(written(laws.get(k, e)) for k, e in enumerate(plain.equations)))


def _more(judged: Judged, sought: Sequence[int], data: Trajectories, library: _Library) -> Iterator[System]:
    """Systems with one term more in one equation: those that promise to help most for their length."""
    fitted = judged.fitted
    if fitted.system.delays:
        return
    plain = unshared(fitted.system)
    terms = library.terms
    for k in sought:
        try:
            ranked = rank_further_terms(fitted, k, terms, library.costs[k], data)
        except FAILURES:
            continue
        tried: set[str] = set()
        for i, number in ranked:
            if terms.forms[i] not in tried and len(tried) < MORE:
                tried.add(terms.forms[i])
                more = Expression.constant(number, free=True) * terms.expressions[i]
                yield plain.with_equation(k, written(plain.equations[k] + more))


def _exchanged(judged: Judged, lists: Mapping[int, Sequence[Ranked]]) -> Iterator[System]:
    """Systems with another candidate for one equation, the likeliest first. Their own trials lean on smoothed paths, which
    hide that a candidate is right; beside the other equations it is seen."""
    system = judged.fitted.system
    plain = unshared(system)
    ranked = [(r.score - each[0].score, k, r) for k, each in lists.items() for r in each]
    for behind, k, r in sorted(ranked, key=lambda each: each[:2]):
        if behind <= NEAR:
            yield plain.with_equation(k, r.expression)


def _costs(terms: Terms, own: str, n_column: int) -> NDArray[np.float64]:
    """Code lengths of terms with a coefficient in the rate of a state (n_term,), nats."""
    by_form = costs_of_terms(terms.forms, terms.expressions, own, n_column)
    return np.array([by_form[form] for form in terms.forms])


def _less(judged: Judged, sought: Sequence[int]) -> Iterator[System]:
    """Systems with less in them."""
    system = judged.fitted.system
    if system.shared is None and len(sought) > 1:
        shared = share_constants(judged.fitted)
        if shared is not None:
            yield shared
    snapped = [e for e in snapped_numbers(judged.fitted) if e.loss <= SNAPPED]
    for edit in sorted(snapped, key=lambda e: e.loss)[:EXTRA]:
        yield edit.system if system.shared else signed(edit.system)
    plain = unshared(system)
    yield from exchanged(plain, sought)
    for k in sought:
        for e in smaller(plain.equations[k]):
            yield plain.with_equation(k, written(e))
