"""The archive: the best hypotheses of each complexity, no two of which predict the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.kernels import opcodes as oc
from hypo.scoring.score import Hypothesis

# Formulas that agree on so many rows predict the same.
KEY_ROWS = 64


def rank(h: Hypothesis) -> tuple[float, float, int, str, int, tuple[float, ...]]:
    """Sort key: score, then complexity, then minus signs, text and numbers below 0, so that ties never depend on the order of
    discovery, nor the spelling on the last digits of a fit or the units of the data."""
    e = h.expression
    minus = sum(op in (oc.SUB, oc.NEG) for op, _ in e.code)
    values = tuple(float(v) for v in e.values)
    return (round(h.score, 6), h.complexity, minus, e.masked(), sum(v < 0 for v in values), values)


def pareto(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """The Pareto front: by rising complexity, each with a lower score than all simpler ones."""
    out: list[Hypothesis] = []
    for h in sorted(hypotheses, key=lambda h: (h.complexity, *rank(h))):
        if not out or h.score < out[-1].score - 1e-9:
            if out and out[-1].complexity == h.complexity:
                continue
            out.append(h)
    return tuple(out)


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
        return np.ascontiguousarray(self.X[:, np.unique(np.linspace(0, n - 1, min(n, KEY_ROWS)).round().astype(np.int64))])

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

    def front(self) -> tuple[Hypothesis, ...]:
        """The Pareto front: by rising complexity, each with a lower score than all simpler ones."""
        return pareto(self._by_prediction.values())

    def trim(self) -> None:
        """Drop all but the ``keep`` best of each complexity."""
        kept: dict[float, int] = {}
        for key, h in sorted(self._by_prediction.items(), key=lambda item: rank(item[1])):
            kept[h.complexity] = kept.get(h.complexity, 0) + 1
            if kept[h.complexity] > self.keep:
                del self._by_prediction[key]
