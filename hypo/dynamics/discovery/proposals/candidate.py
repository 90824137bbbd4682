"""A candidate for one equation, and lists of them without two that say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]
T = TypeVar("T")

# Digits in which the values of two candidates agree that are one.
DIGITS = 5
# Rows on which values are compared.
COMPARED = 40


@dataclass(frozen=True)
class Candidate:
    """A right-hand side with free constants.

    Attributes:
        expression: with constants near their best values.
        cost: code length in nats.
        score: nats, misfit to smoothed rows plus cost; for the order only, trajectories decide.
        source: which search put it forward.
    """

    expression: Expression
    cost: float
    score: float
    source: str = ""


def distinct(candidates: Iterable[Candidate], columns: Sequence[str], X: Values) -> list[Candidate]:
    """Candidates by rising score; of those with the same values at X (n_column, n) and as many free constants, the first.

    Values are compared off the runs, too, at columns of different moments: what is alike along one run may be another law.
    """
    at = np.unique(np.linspace(0, X.shape[1] - 1, min(COMPARED, X.shape[1])).astype(np.int64))
    rng = np.random.default_rng(0)
    rows = np.ascontiguousarray(np.hstack([X[:, at], np.array([rng.permutation(x[at]) for x in X])]))
    seen: set[tuple[float, ...]] = set()
    out = []
    for c in sorted(candidates, key=lambda c: (c.score, len(c.expression), str(c.expression))):
        v = Program.of(c.expression, columns).value(rows)
        scale = float(np.max(np.abs(v[: len(at)]))) or 1.0
        if not np.isfinite(scale):
            continue
        v = np.where(np.isfinite(v), v, 0.0)
        key = (len(c.expression.free), *(float(q) for q in np.round(v / scale, DIGITS)), float(f"{scale:.5g}"))
        if key not in seen:
            seen.add(key)
            out.append(c)
    return out


def best_of_each(ranked: Iterable[T], size: Callable[[T], float], best: int, of_each: int) -> Iterator[T]:
    """The ``best`` first ones, and of each size the first ``of_each`` wherever they stand; in their order."""
    taken: dict[float, int] = {}
    for n, item in enumerate(ranked):
        own = size(item)
        taken[own] = taken.get(own, 0) + 1
        if n < best or taken[own] <= of_each:
            yield item
