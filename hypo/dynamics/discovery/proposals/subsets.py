"""The best few sums of every size: a beam over subsets of terms, grown by one, then with one term exchanged.

All that is asked of the rows is in the inner products of unit columns (orthogonal matching pursuit with a beam; S. Chen,
C. Cowan & P. Grant 1991).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.search.scan.tuple_scan import extend_tuples

Values = NDArray[np.float64]

# Subsets of each size that are grown.
BEAM = 40
# Subsets whose terms are exchanged.
EXCHANGED = 12


def best_subsets(
    A: Values, target: Values, sizes: int, keep: int, clock: Clock, beam: int = BEAM
) -> list[tuple[NDArray[np.int64], Values]]:
    """For each size from 1 to ``sizes``: subsets (n_subset, size) of the rows of ``A`` (n_term, n_row), closest to ``target``
    first, and the share of its squares that each leaves (n_subset,)."""
    size = np.linalg.norm(A, axis=1)
    kept = np.flatnonzero(np.isfinite(size) & (size > 0))
    whole = float(np.linalg.norm(target))
    if not len(kept) or not whole > 0:
        return []
    F = np.ascontiguousarray(A[kept] / size[kept, None])
    unit = target / whole
    r2 = (F @ unit) ** 2
    order = np.argsort(-r2, kind="stable")[:beam]
    tuples, explained = order[:, None].astype(np.int64), r2[order]
    out = [(kept[tuples[:keep]], 1 - explained[:keep])]
    for length in range(2, min(sizes, len(kept), A.shape[1] - 1) + 1):
        if clock.expired:
            break
        tuples, explained = extend_tuples(unit, F, tuples, keep=beam, clock=clock)
        if not len(tuples):
            break
        for _ in range(2):
            # Each of the best without one of its terms, grown again.
            shorter = np.vstack([np.delete(tuples[: min(EXCHANGED, beam)], j, axis=1) for j in range(length)])
            again, better = extend_tuples(unit, F, np.unique(shorter, axis=0), keep=beam, clock=clock)
            before = explained[0]
            tuples, explained = _merge(tuples, explained, again, better, beam)
            if explained[0] <= before:
                break
        out.append((kept[tuples[:keep]], np.maximum(1 - explained[:keep], 0.0)))
    return out


def _merge(
    a: NDArray[np.int64], ra: Values, b: NDArray[np.int64], rb: Values, beam: int
) -> tuple[NDArray[np.int64], Values]:
    both, r2 = np.vstack([a, b]), np.concatenate([ra, rb])
    order = np.lexsort((*both.T[::-1], -r2))
    both, r2 = both[order], r2[order]
    _, first = np.unique(both, axis=0, return_index=True)
    chosen = np.sort(first)[:beam]
    return both[chosen], r2[chosen]
