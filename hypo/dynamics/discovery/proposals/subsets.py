"""The best few sums of every size: a beam over subsets of terms, grown by one term, then with one exchanged.

Subsets are ordered by what decides in the end,

    ½ n log(share of squares left) + Σ code lengths of terms,

so that among sums equally near the likely ones stay. All that is asked of the rows is in the inner products of unit columns.
With G those of a subset S and r theirs with the unit target, a further column j with inner products g takes

    (r_j - gᵀG⁻¹r)² / (1 - gᵀG⁻¹g)

from the squares (orthogonal least squares; S. Chen, C. Cowan & P. Grant 1991), for all subsets and all j at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock

Values = NDArray[np.float64]
Index = NDArray[np.int64]

# Subsets of each size that are grown, by score, and by squares alone.
BEAM = 48
NEAREST = 8
# Subsets whose terms are exchanged, and how often.
EXCHANGED = 16
EXCHANGES = 2
# A column whose part outside the span of a subset is below this share is not added to it.
INDEPENDENT = 1e-7
# Share of squares below which rows are met exactly: quadrature and splines do no better.
EXACT = 1e-8
# Share of squares that a constant inside a term leaves where it stands on a grid, a third from its best value.
NEAR = 3e-4


@dataclass(frozen=True)
class Columns:
    """Unit columns of a regression: inner products ``gram`` (n, n) and, with the unit target, ``r`` (n,); ``cost`` (n,) in
    nats, ``form`` (n,) numbers of forms, and the number of ``rows``."""

    gram: Values
    r: Values
    cost: Values
    form: Index
    rows: int

    def score(self, left: Values, cost: Values) -> Values:
        """Nats of subsets that leave these shares of squares."""
        out: Values = 0.5 * self.rows * np.log(np.maximum(left, 0.0) + EXACT) + cost
        return out


def fit_columns(A: Values, target: Values) -> tuple[Values, float]:
    """Coefficients (n_term,) of columns A (n_term, n_row) that meet a target (n_row,) best, and the sum of squares left."""
    size = np.linalg.norm(A, axis=1)
    size[size == 0] = 1.0
    B = A / size[:, None]
    unit = np.linalg.lstsq(B.T, target, rcond=None)[0]
    rest = target - unit @ B
    return unit / size, float(rest @ rest)


def nats_of(squares: float, target: Values) -> float:
    """Nats ½ n log(share of squares left) of a target (n_row,), the size of errors integrated out."""
    share = squares / max(float(target @ target), 1e-300)
    return 0.5 * len(target) * math.log(share + EXACT)


def best_subsets(A: Values, target: Values, cost: Values, form: Index, sizes: int, clock: Clock) -> list[Index]:
    """For each size from 1 to ``sizes`` subsets (n_subset, size) of the rows of ``A`` (n_term, n_row), best first; of those
    with the same forms only the best.

    Args:
        A: columns of the regression.
        target: (n_row,).
        cost: code lengths of the terms (n_term,), nats.
        form: numbers of their forms (n_term,): terms of one form differ in constants only.
        sizes: terms of the longest sum.
        clock: ends the search; what was found stays.
    """
    size = np.linalg.norm(A, axis=1)
    kept = np.flatnonzero(np.isfinite(size) & (size > 0))
    whole = float(np.linalg.norm(target))
    if not len(kept) or not whole > 0:
        return []
    F = A[kept] / size[kept, None]
    columns = Columns(F @ F.T, F @ (target / whole), cost[kept], form[kept], A.shape[1])
    left = 1.0 - columns.r**2
    subsets, left = _choose(columns, np.arange(len(kept))[:, None], left)
    out = [kept[subsets]]
    for length in range(2, min(sizes, len(kept), A.shape[1] - 1) + 1):
        if clock.expired:
            break
        subsets, left = _choose(columns, *_grow(columns, subsets))
        for _ in range(EXCHANGES):
            if not len(subsets):
                return out
            shorter = np.unique(
                np.sort(np.vstack([np.delete(subsets[:EXCHANGED], j, axis=1) for j in range(length)]), axis=1), axis=0
            )
            again, better = _grow(columns, shorter)
            before = subsets[:EXCHANGED].copy()
            subsets, left = _choose(columns, np.vstack([subsets, again]), np.concatenate([left, better]))
            if np.array_equal(before, subsets[:EXCHANGED]):
                break
        out.append(kept[subsets])
    return out


def _grow(columns: Columns, subsets: Index) -> tuple[Index, Values]:
    """All subsets with one column more that are worth a look, and the share of squares that each leaves."""
    n, length = len(columns.r), subsets.shape[1]
    G = columns.gram[subsets[:, :, None], subsets[:, None, :]]
    g = columns.gram[subsets]
    b = columns.r[subsets]
    inverse = np.linalg.inv(G + 1e-13 * np.eye(length))
    along = np.einsum("skl,sln->skn", inverse, g)
    free = 1.0 - np.einsum("skn,skn->sn", g, along)
    rest = columns.r - np.einsum("sk,skn->sn", b, along)
    left = 1.0 - np.einsum("sk,skl,sl->s", b, inverse, b)[:, None]
    with np.errstate(all="ignore"):
        left = left - np.where(free > INDEPENDENT, rest**2 / free, -np.inf)
    cost = columns.cost[subsets].sum(1)[:, None] + columns.cost
    score = columns.score(left, cost)
    score[~np.isfinite(left)] = np.inf
    floored = columns.score(np.maximum(left, NEAR), cost)
    floored[~np.isfinite(left)] = np.inf
    flat = np.argsort(score, axis=None, kind="stable")[: 12 * BEAM]
    nearest = np.argsort(left, axis=None, kind="stable")[: 12 * NEAREST]
    likely = np.argsort(floored, axis=None, kind="stable")[: 12 * BEAM]
    flat = np.unique(np.concatenate([flat, nearest, likely]))
    flat = flat[np.isfinite(score.ravel()[flat])]
    which, more = np.divmod(flat, n)
    longer = np.column_stack([subsets[which], more]) if len(flat) else np.empty((0, length + 1), np.int64)
    return longer, np.maximum(left.ravel()[flat], 0.0)


def _choose(columns: Columns, subsets: Index, left: Values) -> tuple[Index, Values]:
    """The best subsets by score, and the nearest ones, of each set of forms the best one; best first.

    By turns they are the best as they stand and the best where all that leave less than ``NEAR`` count as equal.
    """
    if not len(subsets):
        return subsets, left
    cost = columns.cost[subsets].sum(1)
    score = columns.score(left, cost)
    order = np.argsort(score, kind="stable")
    subsets, left, cost = np.sort(subsets[order], axis=1), left[order], cost[order]
    _, first = np.unique(np.sort(columns.form[subsets], axis=1), axis=0, return_index=True)
    first = np.sort(first)
    floored = first[np.argsort(columns.score(np.maximum(left[first], NEAR), cost[first]), kind="stable")]
    by_turns = np.column_stack([first, floored]).ravel()
    by_turns = by_turns[np.sort(np.unique(by_turns, return_index=True)[1])][:BEAM]
    nearest = first[np.argsort(left[first], kind="stable")[:NEAREST]]
    chosen = np.concatenate([by_turns, np.setdiff1d(nearest, by_turns)])
    return subsets[chosen], left[chosen]
