"""From hits to formulas: which of the hits of a scan are worth building, and building them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.fitting.archive import CLOSER, Archive
from hypo.search.library.context import Context
from hypo.search.scan.race import ScanHit, build

if TYPE_CHECKING:
    from hypo.search.proposers.base import Turn

# Hits that become formulas after each group of scans.
MOST = 30
# Hits that become formulas in a smaller problem, where scores do not compare with those known.
MOST_INNER = 12
# The first so many hits are built whatever they promise.
SURE = 6
# The others are built when they come this close to the best, in nats per row.
SLACK = 0.15
# A residual below this share of the target's RMS on the racing rows marks a hit as exact.
EXACT_HIT = 1e-9


def build_formulas(hits: Sequence[ScanHit], ctx: Context, turn: Turn, most: int = MOST) -> Iterator[Expression]:
    """The best hits by approximate score, built; the proposer sees what became of one before it builds the next."""
    if not hits:
        return
    scorer = ctx.scorer
    rss = np.array([h.rss for h in hits])
    sizes = np.array([h.size for h in hits])
    approximate = scorer.approximate(rss, sizes, len(ctx.y))
    misfit = scorer.approximate(rss, np.zeros_like(sizes), len(ctx.y))
    slack = SLACK * scorer.likelihood.total_weight
    # Scores of a smaller problem do not compare with those known: fewer are built instead.
    most = most if turn.outer is None else min(most, MOST_INNER)
    for k in _select_hits(rss, sizes, approximate, misfit, turn.archive, slack, most):
        # The simplest exact hits come first; once one is in the archive the inexact ones cannot beat it.
        if turn.clock.expired or (turn.done and rss[k] > len(ctx.y) * (EXACT_HIT * ctx.scale) ** 2):
            return
        e = build(hits[k], ctx.root, ctx.problem.columns)
        if e is not None:
            yield e


def _select_hits(
    rss: NDArray[np.float64],
    sizes: NDArray[np.float64],
    score: NDArray[np.float64],
    misfit: NDArray[np.float64],
    archive: Archive,
    slack: float,
    most: int,
) -> list[int]:
    """The hits of lowest score, ``most`` of them and beyond the first ``SURE`` only within ``slack`` of the best known; then
    those that would fill the front, beyond the best score too."""
    best = archive.best
    limit = math.inf if best is None else best.score + slack
    order = [int(k) for k in np.argsort(score, kind="stable")[:most]]
    chosen = order[:SURE] + [k for k in order[SURE:] if score[k] < limit]
    front = archive.believed()
    least = math.inf
    for k in np.lexsort((rss, sizes)):
        if rss[k] < least:
            least = rss[k]
            known = min((h.score for h in front if h.complexity <= sizes[k]), default=math.inf)
            closer = misfit[k] < archive.least_loss(float(sizes[k])) - CLOSER
            if int(k) not in chosen and (score[k] < known or closer):
                chosen.append(int(k))
    return chosen
