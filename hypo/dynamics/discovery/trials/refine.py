"""Neighbours of the best systems: an equation sought anew, a term less, a simple number, constants that two equations share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import chain

import numpy as np

from hypo.dynamics.calibration.edits import snapped_numbers
from hypo.dynamics.discovery.prior.lengths import costs_of_terms
from hypo.dynamics.discovery.proposals.terms import FUNCTION, Terms, make_terms
from hypo.dynamics.discovery.sums import ONE, SumTerm, as_sum
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.anew import seek_anew
from hypo.dynamics.discovery.trials.fits import FAILURES
from hypo.dynamics.discovery.trials.judge import Judge, Judged
from hypo.dynamics.discovery.trials.reduce import smaller
from hypo.dynamics.discovery.trials.sharing import exchanged, share_constants, signed, written
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

# Systems whose neighbours are tried at a time, and how often.
REFINED = 3
ROUNDS = 4
# Nats behind the best beyond which a system has no neighbours tried.
NEAR = 20.0
# Systems whose terms join the library: what flows out of one state may flow into another.
LENDING = 6
# Simple numbers that are tried for a system.
EXTRA = 4
# Nats that a simple number in the place of a fitted one may be predicted to lose.
SNAPPED = 4.0


def refine(judge: Judge, sought: Sequence[int], data: Trajectories, columns: Columns) -> None:
    """Fit neighbours of the best systems as long as new systems come to stand among these."""
    if judge.is_over:
        return
    done: set[int] = set()
    terms = make_terms(columns.names, columns_along(columns))
    known = {as_sum(e).form for e in terms.expressions}
    for _ in range(ROUNDS):
        best = [j for j in judge.ranked()[:REFINED] if id(j) not in done and j.score <= judge.best + NEAR]
        if not best or judge.is_over:
            return
        for n, judged in enumerate(best):
            done.add(id(judged))
            library = _with_terms_of(judge.ranked()[:LENDING], sought, terms, known)
            anew = _anew(judge, judged, sought, data, library) if n == 0 else iter(())
            judge.judge_all(chain(anew, _less(judged, sought)))
            if judge.is_over:
                return


def _anew(judge: Judge, judged: Judged, sought: Sequence[int], data: Trajectories, terms: Terms) -> Iterator[System]:
    """Systems with one equation sought anew along the path of a fitted one; all of them at once, too."""
    fitted = judged.fitted
    if fitted.system.delays:
        return
    plain = fitted.system if fitted.system.shared is None else signed(fitted.system)
    together = list(plain.equations)
    for k in sought:
        if judge.is_over:
            return
        try:
            by_form = costs_of_terms(terms.forms, terms.expressions, plain.states[k], len(plain.columns))
            costs = np.array([by_form[form] for form in terms.forms])
            found = seek_anew(fitted, k, terms, costs, data, judge.clock)
        except FAILURES:
            continue
        for each in found:
            yield plain.with_equation(k, written(each.expression))
        if found:
            together[k] = written(found[0].expression)
    if len(sought) > 1:
        yield plain.with_equations(tuple(together))


def _with_terms_of(best: Sequence[Judged], sought: Sequence[int], terms: Terms, known: Set[str]) -> Terms:
    """A library with the terms of some fitted systems in it, numbers within them as fitted; ``known`` are the forms of its own
    terms."""
    more: dict[str, Expression] = {}
    for judged in best:
        for k in sought:
            for t in as_sum(judged.fitted.system.equations[k]).terms:
                if t.form not in known:
                    more.setdefault(t.form, SumTerm(ONE, t.factors).expression())
    family = np.concatenate([terms.family, np.full(len(more), FUNCTION)])
    return Terms((*terms.expressions, *more.values()), family, (*terms.forms, *more))


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
    plain = system if system.shared is None else signed(system)
    yield from exchanged(plain, sought)
    for k in sought:
        for e in smaller(plain.equations[k]):
            yield plain.with_equation(k, written(e))
