"""Sums of three and more terms: all triples of a few rows, and tuples that grow by one row at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.search.scan.prefilter import Rows

# Extensions kept of each tuple.
EXTENSIONS = 8
# Inner products held at once while looking for extensions.
GRAM_SIZE = 4_000_000


def extend_tuples(
    target: NDArray[np.float64], F: Rows, terms: NDArray[np.int64], *, keep: int, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best tuples with one term more (orthogonal matching pursuit with a beam).

    For each tuple in ``terms`` (n_beam, k) of unit rows and every further row f the explained share of the unit ``target``
    follows from f's part orthogonal to the tuple: R² = R²_tuple + ⟨t⊥, f⟩²/‖f⊥‖². Returns tuples (n_kept, k + 1) with
    ascending indices, best first, and their R².
    """
    from hypo.kernels.cpu.tuple_scan import extend_tuples as kernel

    n_tuple, n_term = terms.shape
    index = np.full((n_tuple, EXTENSIONS), -1)
    r2 = np.zeros((n_tuple, EXTENSIONS))
    place = np.zeros(len(F), np.int64)
    r = F @ target
    # The inner products of so many rows with all others at once.
    step = max(1, GRAM_SIZE // (n_term * max(1, len(F))))
    for first in range(0, n_tuple, step):
        if clock.expired:
            break
        part = slice(first, first + step)
        used = np.unique(terms[part])
        place[used] = np.arange(len(used))
        kernel(terms[part], place, F[used] @ F.T, r, index[part], r2[part])
        clock.scored += len(F) * len(terms[part])
    found = np.flatnonzero(index.ravel() >= 0)
    longer = np.sort(np.column_stack([np.repeat(terms, EXTENSIONS, axis=0), index.reshape(-1, 1)])[found], axis=1)
    explained = r2.ravel()[found]
    order = np.lexsort((*longer.T[::-1], -explained))
    longer, explained = longer[order], explained[order]
    # The same tuple comes from several of its parts, with other rounding.
    _, first_of = np.unique(longer, axis=0, return_index=True)
    chosen = np.sort(first_of)[:keep]
    return longer[chosen], explained[chosen]


def scan_triples(targets: Rows, F: Rows, *, keep: int, clock: Clock) -> list[NDArray[np.int64]]:
    """Best triples (n_kept, 3) of t ≈ a·f + b·g + c·h for each unit target, best first; memory n², work n³/6."""
    from hypo.kernels.cpu.tuple_scan import triples

    gram = F @ F.T
    short = gram.astype(np.float32)
    out = []
    for t in targets:
        if clock.expired:
            out.append(np.empty((0, 3), np.int64))
            continue
        score, first, last = np.zeros(keep), np.full(keep, -1), np.full(keep, -1)
        triples(gram, short, F @ t, score, first, last)
        n = len(F)
        clock.scored += n * (n - 1) * (n - 2) // 6
        order = np.lexsort((last, first, -score))
        order = order[score[order] > 0.0]
        out.append(np.column_stack([first[order] // n, first[order] % n, last[order]]))
    return out


@np.errstate(all="ignore")
def scan_tuples(
    item: tuple[NDArray[np.float64], NDArray[np.float64]], F: Rows, keep: int, clock: Clock
) -> tuple[list[NDArray[np.int64]], list[float]]:
    """The best two triples of rows for one unit target T (1, n_probe), and the best two quadruples that grow from ``keep``
    triples; with the weights W of ``item`` = (T, W), Σ (W·residual)² of each."""
    T, W = item
    three = scan_triples(T, F, keep=keep, clock=clock)[0]
    terms = list(three[:2])
    if len(three):
        terms += list(extend_tuples(T[0], F, three, keep=keep, clock=clock)[0][:2])
    rss = []
    for chosen in terms:
        A = F[chosen].T
        rest = T[0] - A @ np.linalg.lstsq(A, T[0], rcond=None)[0]
        rss.append(float(np.sum((W * rest) ** 2)))
    return terms, rss
