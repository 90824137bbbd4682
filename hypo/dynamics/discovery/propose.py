"""Candidates for one equation, from several searches side by side, in one list.

1. Whole searches on thinned rows (:mod:`~hypo.dynamics.discovery.proposals.searched`).
2. Sums of rate-law terms in linear views (:mod:`~hypo.dynamics.discovery.proposals.sparse`): thinned rows, averages over bumps,
   and the samples themselves as integrals of the law.

All constants are fitted in one view, so that candidates compare, and the list is ordered by misfit + code length under the prior
for rate laws. The best few with each number of constants and in each view are kept whatever their score: errors in x bias rates,
and the trajectory decides (:mod:`hypo.dynamics.discovery.discover`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.discovery.prior import code_length
from hypo.dynamics.discovery.proposals.candidate import Candidate, distinct
from hypo.dynamics.discovery.proposals.polish import misfit_in, polish
from hypo.dynamics.discovery.proposals.searched import search_rates
from hypo.dynamics.discovery.proposals.sparse import sparse_sums
from hypo.dynamics.discovery.proposals.terms import make_terms
from hypo.dynamics.discovery.proposals.views import Equation, View, make_equation
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Candidates of an equation, and how many of them with each number of free constants whatever their score.
MOST = 60
OF_EACH = 4
# The share of the time that the whole search has.
SEARCH_SHARE = 0.5
# Shares of squares below which rows are met exactly.
EXACT = 1e-12


def propose(
    data: Trajectories,
    smoothed: Smoothed,
    k: int,
    options: Options,
    seconds: float,
    seed: int,
    delays: Sequence[Delay] = (),
) -> tuple[Candidate, ...]:
    """Right-hand sides of state k, likeliest first, at most ``MOST``."""
    clock = Clock(now() + seconds)
    equation = make_equation(data, smoothed, options, k, delays)
    names, rows = equation.names, equation.rows
    terms = make_terms(names, equation.views[0].X)
    found = [(e, "search") for e in search_rates(rows.X, rows.target, rows.sd, names, SEARCH_SHARE * seconds, seed)]
    with np.errstate(all="ignore"):
        found += list(sparse_sums(terms, names, equation.views, clock))
        return select(rank(found, equation), names, equation.views[0].X)


def rank(found: Sequence[tuple[Expression, str]], equation: Equation) -> list[tuple[Candidate, Values]]:
    """Candidates with their constants fitted, and the score of each in all views."""
    out = []
    for e, source in found:
        e, squares = polish(e, equation.names, equation.views[0])
        if not math.isfinite(squares):
            continue
        try:
            cost = code_length(e, len(equation.names), len(equation.views[0].target))
        except RecursionError:
            cost = 3.0 * len(e)
        others = [misfit(misfit_in(e, equation.names, v), v) for v in equation.views[1:]]
        scores = cost + np.array([misfit(squares, equation.views[0]), *others])
        out.append((Candidate(e, cost, float(scores[0]), source), scores))
    return out


def misfit(squares: float, view: View) -> float:
    """Nats of a view's rows, the size of errors integrated out."""
    whole = float(view.target @ view.target)
    return 0.5 * len(view.target) * math.log(squares / whole + EXACT) if math.isfinite(squares) else math.inf


def select(scored: Sequence[tuple[Candidate, Values]], columns: Sequence[str], X: Values) -> tuple[Candidate, ...]:
    """The best ones, and the best few of each number of constants, by score."""
    candidates = distinct([c for c, _ in scored], columns, X)
    taken: dict[int, int] = {}
    first, rest = [], []
    for c in candidates:
        size = len(c.expression.free)
        taken[size] = taken.get(size, 0) + 1
        (first if taken[size] <= OF_EACH else rest).append(c)
    return tuple(sorted((first + rest)[:MOST], key=lambda c: c.score))
