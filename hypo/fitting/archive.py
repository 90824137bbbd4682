"""The archive: the best hypotheses of each complexity, no two of which predict the same, and the front they make.

The front is loss against complexity: each of its formulas is closer to the data (and to soft rules) than all simpler ones, or
scores better than all of them. It goes on beyond the best score, where formulas are closer still but not by as much as they
are longer, up to what the rows can bear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.repeated_rows import repeated_rows
from hypo.scoring.score import Hypothesis

# Formulas that agree on so many rows predict the same.
KEY_ROWS = 64
# Nats by which a longer formula must come closer to be shown: what a constant fitted to nothing but noise gains on average.
CLOSER = 0.5
# Beyond the best score, formulas that score worse by more nats are not shown: they buy next to nothing with a lot of code.
BEYOND = 30.0
# Beside the best scores of each complexity, so many of the least losses are kept.
CLOSEST = 3


def rank(h: Hypothesis) -> tuple[float, float, int, str, int, tuple[float, ...]]:
    """Sort key: score, then complexity, then minus signs, text and numbers below 0, so that ties never depend on the order of
    discovery, nor the spelling on the last digits of a fit or the units of the data."""
    e = h.expression
    minus = sum(op in (oc.SUB, oc.NEG) for op, _ in e.code)
    values = tuple(float(v) for v in e.values)
    return (round(h.score, 6), h.complexity, minus, e.masked(), sum(v < 0 for v in values), values)


def pareto(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """The formulas that the score believes: by rising complexity, each with a lower score than all simpler ones."""
    out: list[Hypothesis] = []
    for h in sorted(hypotheses, key=lambda h: (h.complexity, *rank(h))):
        if not out or h.score < out[-1].score - 1e-9:
            if out and out[-1].complexity == h.complexity:
                continue
            out.append(h)
    return tuple(out)


def find_front(hypotheses: Iterable[Hypothesis], rows: float = math.inf) -> tuple[Hypothesis, ...]:
    """The front: by rising complexity, what the score believes, and what has a lower loss than all simpler ones by ``CLOSER``.

    Beyond the best score only formulas within ``BEYOND`` of it with fewer nodes and fewer fitted constants than there are
    ``rows``: a longer one comes as close to any targets.
    """
    everything = sorted(hypotheses, key=lambda h: (h.complexity, *rank(h)))
    believed = {h.complexity: h for h in pareto(everything)}
    last = max(believed, default=math.inf)

    def borne(h: Hypothesis) -> bool:
        best = believed[last]
        return max(len(h.expression), len(h.expression.free)) < rows and h.score <= best.score + BEYOND

    out: list[Hypothesis] = []
    least = math.inf
    for complexity, group in groupby(everything, key=lambda h: h.complexity):
        chosen = believed.get(complexity)
        if chosen is None:
            same = [h for h in group if complexity < last or borne(h)]
            closest = min(map(loss, same), default=math.inf)
            if closest >= least - CLOSER:
                continue
            # Of those that come as close, the one of the shortest code.
            chosen = min((h for h in same if loss(h) <= closest + CLOSER and loss(h) < least - CLOSER), key=rank)
        least = min(least, loss(chosen))
        out.append(chosen)
    # A shorter spelling with a longer code, as 0.707*x is of x/sqrt(2), says the same.
    said = [
        any(h.score < o.score and abs(loss(h) - loss(o)) <= CLOSER and loss(h) >= loss(o) for h in out[k + 1 :])
        for k, o in enumerate(out)
    ]
    return tuple(o for o, twice in zip(out, said, strict=True) if not twice)


def loss(h: Hypothesis) -> float:
    """How far ``h`` is from the data and from soft rules, in nats: its score without the code length."""
    return h.score - h.complexity_cost


@dataclass
class Archive:
    """Hypotheses by what they predict on ``X`` (n_var, n_row); ``keep`` per complexity."""

    X: NDArray[np.float64]
    columns: tuple[str, ...]
    keep: int = 20
    _by_prediction: dict[tuple[float, ...], Hypothesis] = field(default_factory=dict)
    best: Hypothesis | None = None
    found_at: int = 0

    @cached_property
    def _rows(self) -> NDArray[np.float64]:
        """Rows spread over all of the data, in whose order neighbours may be alike."""
        n = self.X.shape[1]
        return np.ascontiguousarray(
            self.X[:, np.unique(np.linspace(0, n - 1, min(n, KEY_ROWS)).round().astype(np.int64))]
        )

    def add(self, h: Hypothesis | None, scored: int) -> bool:
        """Take in a hypothesis found when ``scored`` had been scored; True when it is the new best."""
        if h is None:
            return False
        key = self._key(h)
        known = self._by_prediction.get(key)
        if known is not None and rank(known) <= rank(h):
            return False
        self._by_prediction[key] = h
        if self.best is None or rank(h) < rank(self.best):
            if self.best is None or self._key(self.best) != key:
                self.found_at = scored
            self.best = h
            return True
        return False

    def drop(self, h: Hypothesis) -> None:
        """Take ``h`` out again."""
        self._by_prediction = {key: other for key, other in self._by_prediction.items() if other != h}
        self.best = min(self._by_prediction.values(), key=rank, default=None)

    def _key(self, h: Hypothesis) -> tuple[float, ...]:
        e = h.expression
        p = Program.of(e, self.columns).value(self._rows)
        scale = float(np.max(np.abs(p))) or 1.0
        return tuple(np.round(p / scale, 7)) + (round(float(np.log(scale)), 6) if scale > 0 else 0.0,)

    def rival(self, complexity: float) -> Hypothesis | None:
        """The best of those that are no more complex."""
        return min((h for h in self._by_prediction.values() if h.complexity <= complexity), key=rank, default=None)

    def least_score(self, complexity: float) -> float:
        """The lowest score of those that are no more complex; infinite without any."""
        return min((h.score for h in self._by_prediction.values() if h.complexity <= complexity), default=math.inf)

    def __len__(self) -> int:
        return len(self._by_prediction)

    def all(self) -> list[Hypothesis]:
        """Everything kept, best first."""
        return sorted(self._by_prediction.values(), key=rank)

    def believed(self) -> tuple[Hypothesis, ...]:
        """The formulas that the score believes: by rising complexity, each with a lower score than all simpler ones."""
        return pareto(self._by_prediction.values())

    def front(self, exact: bool = False) -> tuple[Hypothesis, ...]:
        """The front (:func:`find_front`), up to what the rows can bear: rows that are the same in all columns count as one.
        Nothing is closer than an ``exact`` best formula."""
        return find_front(self._by_prediction.values(), 0 if exact else self._different)

    def least_loss(self, complexity: float) -> float:
        """The lowest loss of those that are no more complex; infinite without any."""
        return min((loss(h) for h in self._by_prediction.values() if h.complexity <= complexity), default=math.inf)

    @cached_property
    def _different(self) -> float:
        """How many different rows there are; with many of them, more than any formula needs."""
        count = repeated_rows(self._rows)[1]
        return count if self.X.shape[1] <= KEY_ROWS or count < KEY_ROWS // 2 else math.inf

    def trim(self) -> None:
        """Drop all but the ``keep`` best of each complexity by score, and the ``CLOSEST`` by loss."""
        kept: set[tuple[float, ...]] = set()
        for key, most in ((rank, self.keep), (lambda h: (loss(h), *rank(h)), CLOSEST)):
            taken: dict[float, int] = {}
            for prediction, h in sorted(self._by_prediction.items(), key=lambda item: key(item[1])):
                taken[h.complexity] = taken.get(h.complexity, 0) + 1
                if taken[h.complexity] <= most:
                    kept.add(prediction)
        self._by_prediction = {p: h for p, h in self._by_prediction.items() if p in kept}
