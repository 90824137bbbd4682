"""Candidates for one equation, from several searches side by side, in one list.

1. Whole searches on thinned rows (:mod:`~hypo.dynamics.discovery.proposals.searched`).
2. Sums of rate-law terms in linear views (:mod:`~hypo.dynamics.discovery.proposals.sparse`): the rate in independent directions
   of its errors, integrals against bumps, and the samples themselves as integrals of the rate.

All constants are fitted in one view, so that candidates compare, and the list is ordered by misfit + code length under the prior
for rate laws. The best few with each number of constants are kept whatever their score: errors in x bias rates, and the
trajectory decides (:mod:`hypo.dynamics.discovery.discover`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.discovery.prior import code_length
from hypo.dynamics.discovery.proposals.candidate import Candidate, distinct
from hypo.dynamics.discovery.proposals.polish import misfit_in, polish
from hypo.dynamics.discovery.proposals.searched import search_rates
from hypo.dynamics.discovery.proposals.sparse import sparse_sums
from hypo.dynamics.discovery.proposals.terms import make_terms
from hypo.dynamics.discovery.proposals.views import FLOORS, Grid, View, integral, make_grid, weak, whitened
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.smoothing.smoother import effective_rows
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Candidates of an equation, and how many of them with each number of free constants whatever their score.
MOST = 60
OF_EACH = 3
# The share of the time that the whole search has.
SEARCH_SHARE = 0.5
# Shares of squares below which rows are met exactly.
EXACT = 1e-9


def propose(
    data: Trajectories, smoothed: Smoothed, k: int, options: Options, seconds: float, seed: int
) -> tuple[Candidate, ...]:
    """Right-hand sides of state k, likeliest first, at most ``MOST``."""
    clock = Clock(now() + seconds)
    grid = make_grid(data, smoothed, k)
    views = [*(whitened(grid, smoothed, k, f) for f in FLOORS), weak(grid, smoothed, k, FLOORS[0])]
    views.append(integral(grid, data, smoothed, k))
    n = count_independent(smoothed, k)
    found = _searched(data, smoothed, grid, k, SEARCH_SHARE * seconds, seed)
    with np.errstate(all="ignore"):
        found += list(sparse_sums(make_terms(grid.names, grid.X), views, clock))
        scored = [c for c in (score(e, source, grid, views, n) for e, source in found) if c is not None]
    return select(distinct(scored, grid.names, grid.X))


def score(e: Expression, source: str, grid: Grid, views: Sequence[View], n: int) -> Candidate | None:
    """The candidate with its constants fitted, None where it has no value."""
    e, squares = polish(e, grid, views[0])
    if not math.isfinite(squares):
        return None
    try:
        cost = code_length(e, len(grid.names), n)
    except RecursionError:
        cost = 3.0 * len(e)
    return Candidate(e, cost, misfit(squares, views[0], n) + cost, source)


def misfit(squares: float, view: View, n: int) -> float:
    """Nats of n independent rows, the size of errors integrated out."""
    whole = float(view.target @ view.target)
    return 0.5 * n * math.log(squares / whole + EXACT)


def count_independent(smoothed: Smoothed, k: int) -> int:
    """Independent errors of the rate of state k."""
    return sum(len(effective_rows(paths[k])) for paths in smoothed.paths)


def select(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The best ones, with the best few of each number of constants, by score."""
    taken: dict[int, int] = {}
    first, rest = [], []
    for c in candidates:
        size = len(c.expression.free)
        taken[size] = taken.get(size, 0) + 1
        (first if taken[size] <= OF_EACH else rest).append(c)
    chosen = (first + rest)[:MOST]
    return tuple(sorted(chosen, key=lambda c: c.score))


def _searched(
    data: Trajectories, smoothed: Smoothed, grid: Grid, k: int, seconds: float, seed: int
) -> list[tuple[Expression, str]]:
    rows = np.concatenate(
        [_thin(effective_rows(paths[k])) + at.start for paths, at in zip(smoothed.paths, grid.runs, strict=True)]
    )
    sd = np.concatenate([paths[k].rate_sd for paths in smoothed.paths])
    found = search_rates(grid.X[:, rows].T, grid.rate[rows], sd[rows], grid.names, seconds, seed)
    return [(e, "search") for e in found]


def _thin(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Without the ends, where rates are worst, if there are enough."""
    return rows[1:-1] if len(rows) > 12 else rows
