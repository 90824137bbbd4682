"""Neighbours of the best systems: a term more, a term less, a simple exponent, constants that two equations share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypo.dynamics.calibration.edits import snapped_numbers
from hypo.dynamics.calibration.tangent import rank_extra_terms
from hypo.dynamics.discovery.alone import columns_along
from hypo.dynamics.discovery.judge import FAILURES, Judge, Judged
from hypo.dynamics.discovery.prior import code_length
from hypo.dynamics.discovery.proposals.terms import make_terms
from hypo.dynamics.discovery.reduce import smaller
from hypo.dynamics.discovery.sharing import share_constants, signed, written
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

# Systems whose neighbours are tried at a time, and how often.
REFINED = 3
ROUNDS = 4
# Extra terms of one system that are tried.
EXTRA = 4
# Nats that a simple number in the place of a fitted one may be predicted to lose.
SNAPPED = 4.0
# Extra terms that are looked at for that, and the least gain of one in nats.
CONSIDERED = 40
LEAST_GAIN = 3.0


def refine(judge: Judge, sought: Sequence[int], data: Trajectories, columns: Columns) -> None:
    """Fit neighbours of the best systems as long as new systems come to stand among these."""
    done: set[int] = set()
    library = make_terms(columns.names, columns_along(columns)).expressions
    for _ in range(ROUNDS):
        best = [j for j in judge.ranked()[:REFINED] if id(j) not in done]
        if not best or judge.is_over:
            return
        for judged in best:
            done.add(id(judged))
            for other in (*_less(judged, sought), *_more(judged, sought, data, library)):
                if judge.is_over:
                    return
                judge.judge(other)


def _less(judged: Judged, sought: Sequence[int]) -> Iterator[System]:
    """Systems with less in them."""
    system = judged.fitted.system
    if system.shared is None and len(sought) > 1:
        shared = share_constants(judged.fitted)
        if shared is not None:
            yield shared
    snapped = [e for e in snapped_numbers(judged.fitted) if e.loss <= SNAPPED]
    for edit in sorted(snapped, key=lambda e: e.loss)[:EXTRA]:
        yield edit.system
    plain = system if system.shared is None else signed(system)
    for k in sought:
        for e in smaller(plain.equations[k]):
            yield _exchanged(plain, k, written(e))


def _more(judged: Judged, sought: Sequence[int], data: Trajectories, library: Sequence[Expression]) -> Iterator[System]:
    """Systems with a term or two more that the residuals ask for, as far as that pays for itself."""
    fitted = judged.fitted
    if fitted.system.delays:
        return
    try:
        extra = rank_extra_terms(fitted, data, library, sought)
    except FAILURES:
        return
    plain = fitted.system if fitted.system.shared is None else signed(fitted.system)
    tried = 0
    for each in extra[:CONSIDERED]:
        if each.gain < LEAST_GAIN:
            return
        e = plain.equations[each.equation]
        for n, c in zip(each.terms, each.coefficients, strict=True):
            e = e + Expression.constant(c, free=True) * library[n]
        cost = code_length(e, len(plain.columns)) - code_length(plain.equations[each.equation], len(plain.columns))
        if each.gain > cost:
            tried += 1
            yield _exchanged(plain, each.equation, written(e))
        if tried == EXTRA:
            return


def _exchanged(system: System, k: int, e: Expression) -> System:
    return system.with_equations((*system.equations[:k], e, *system.equations[k + 1 :]))
