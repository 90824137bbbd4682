"""Candidates for one equation, from several searches side by side, in one list.

1. Whole searches on thinned rows (:mod:`~hypo.dynamics.discovery.proposals.searched`).
2. Sums of rate-law terms in linear views (:mod:`~hypo.dynamics.discovery.proposals.sparse`): thinned rows, averages over bumps,
   and the samples themselves as integrals of the law.

All constants are fitted in one view, so that candidates compare, and the list is ordered by misfit + code length under the
prior for rate laws. The best few with each number of constants are kept whatever their score: errors in x bias rates, and the
trajectory decides (:mod:`hypo.dynamics.discovery.discover`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.discovery.prior import code_length
from hypo.dynamics.discovery.proposals.candidate import Candidate, distinct
from hypo.dynamics.discovery.proposals.permitted import Permitted
from hypo.dynamics.discovery.proposals.polish import polish
from hypo.dynamics.discovery.proposals.searched import search_rates
from hypo.dynamics.discovery.proposals.sparse import sparse_sums
from hypo.dynamics.discovery.proposals.terms import Terms, make_terms
from hypo.dynamics.discovery.proposals.views import Equation, View, make_equation
from hypo.dynamics.discovery.proposals.waves import waves_in_time
from hypo.dynamics.discovery.proposals.widen import widen
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import HypoError
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.knowledge import Knowledge

Values = NDArray[np.float64]

# Candidates of an equation, and how many of them with each number of free constants whatever their score.
MOST = 60
OF_EACH = 2
# The share of the time that the whole search has at most; its work is bounded, too.
SEARCH_SHARE = 0.6
# Candidates with a divisor or an exponential that get a further column in there.
WIDENED = 8
# How often the slopes of the best candidate so far take the place of a quadratic's.
SECOND_LOOKS = 1
# Nats that a fitted number costs at least, and candidates of a source whose code length is looked at.
LEAST_PER_NUMBER = 3.0
LOOKED_AT = 250
# Share of squares below which rows are met exactly: quadrature and splines do no better.
EXACT = 1e-8


def propose(
    data: Trajectories,
    smoothed: Smoothed,
    k: int,
    options: Options,
    seconds: float,
    seed: int,
    delays: Sequence[Delay] = (),
    knowledge: Knowledge | None = None,
) -> tuple[Candidate, ...]:
    """Right-hand sides of state k, likeliest first, at most ``MOST``.

    Args:
        data, smoothed: the runs and their paths.
        k: number of the measured state whose rate, acceleration or next value is sought.
        options: the kind of law.
        seconds: time at most; of the work there is no more than a few seconds' anyway.
        seed: of the search.
        delays: former values that laws may use, with the lags to take them at.
        knowledge: of the law; None: nothing is known.
    """
    clock = Clock(now() + seconds)
    equation = make_equation(data, smoothed, options, k, delays)
    names = equation.names
    permitted = Permitted(knowledge, tuple(names))
    X = equation.views[0].X
    waves = waves_in_time(data.time, X[names.index(data.time)]) if options.use_time else ()
    terms = permitted.terms(make_terms(names, X, waves, [d.column for d in delays]))
    costs: dict[str, float] = {}
    of_terms = costs_of_terms(terms, names, len(equation.views[0].target))
    with np.errstate(all="ignore"):
        # Sums first: they find most, and their work is small.
        ranked = rank(permitted.laws(sparse_sums(terms, names, of_terms, equation.views, clock)), equation, costs)
        left = min(SEARCH_SHARE * seconds, clock.left)
        ranked += rank(permitted.laws(_searched(equation, left, seed, knowledge)), equation, costs)
        ranked += rank(permitted.laws(permitted.filled(X)), equation, costs)
        ranked += rank(permitted.laws(_widened(ranked, names)), equation, costs)
        for _ in range(SECOND_LOOKS):
            if not ranked or clock.expired:
                break
            # What errors of the columns do depends on the law's slopes, which are better known now.
            equation = equation.knowing(min(ranked, key=lambda c: c.score).expression)
            known = {c.expression.masked() for c in ranked}
            found = permitted.laws(sparse_sums(terms, names, of_terms, equation.views[:1], clock))
            again = [(c.expression, c.source) for c in ranked]
            ranked = rank([*again, *(f for f in found if f[0].masked() not in known)], equation, costs)
        return select(ranked, names, equation.views[0].X)


def _searched(
    equation: Equation, seconds: float, seed: int, knowledge: Knowledge | None
) -> list[tuple[Expression, str]]:
    """Formulas of a whole search on thinned rows; none where there is no time, or where rows are too few for one."""
    rows = equation.rows
    with suppress(HypoError):
        found = search_rates(rows.X, rows.target, rows.sd, equation.names, seconds, seed, knowledge)
        return [(e, "search") for e in found]
    return []


def _widened(ranked: Sequence[Candidate], names: Sequence[str]) -> list[tuple[Expression, str]]:
    """The best candidates with a divisor or an exponential, with a further column in there."""
    inside = [c for c in sorted(ranked, key=lambda c: c.score) if _has_inside(c.expression)]
    return [(w, "widened") for c in inside[:WIDENED] for w in widen(c.expression, names)]


def rank(found: Sequence[tuple[Expression, str]], equation: Equation, costs: dict[str, float]) -> list[Candidate]:
    """The ``LOOKED_AT`` most promising candidates with their constants fitted in the first view; those without a value there
    are left out. ``costs`` holds code lengths by structure, and takes new ones."""
    view, names = equation.views[0], equation.names
    fitted = []
    for e, source in found:
        e, squares = polish(e, names, view)
        if math.isfinite(squares):
            fitted.append((misfit(squares, view), e, source))
    # Code lengths take longer than fits: what cannot come far has none.
    fitted.sort(key=lambda f: f[0] + LEAST_PER_NUMBER * len(f[1].free))
    out = []
    for nats, e, source in fitted[:LOOKED_AT]:
        structure = e.masked()
        if structure not in costs:
            costs[structure] = code_length(e, len(names), len(view.target))
        out.append(Candidate(e, costs[structure], nats + costs[structure], source))
    return out


def costs_of_terms(
    terms: Terms, columns: Sequence[str], rows: int, known: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Code lengths of terms with a coefficient, by form, beyond those of sums of one term; ``known`` ones are taken over."""
    number = Expression.constant(1.0, free=True)
    alone = code_length(number, len(columns), rows)
    out = dict(known or {})
    for form, e in zip(terms.forms, terms.expressions, strict=True):
        if form not in out:
            out[form] = max(code_length(number * e if e.variables else number, len(columns), rows) - 0.5 * alone, 1.0)
    return out


def _has_inside(e: Expression) -> bool:
    return any(op in (oc.DIV, oc.EXP) for op, _ in e.code)


def misfit(squares: float, view: View) -> float:
    """Nats of a view's rows, the size of errors integrated out."""
    whole = float(view.target @ view.target)
    return 0.5 * len(view.target) * math.log(squares / whole + EXACT) if math.isfinite(squares) else math.inf


def select(found: Sequence[Candidate], columns: Sequence[str], X: Values) -> tuple[Candidate, ...]:
    """The best ones, and the best few of each number of constants, by score."""
    candidates = distinct(found, columns, X)
    taken: dict[int, int] = {}
    first: list[Candidate] = []
    rest: list[Candidate] = []
    for c in candidates:
        size = len(c.expression.free)
        taken[size] = taken.get(size, 0) + 1
        (first if taken[size] <= OF_EACH else rest).append(c)
    return tuple(sorted((first + rest)[:MOST], key=lambda c: c.score))
