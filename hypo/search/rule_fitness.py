"""Rules in a population's fitness: what the best individuals break of the knowledge makes them worse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.search.problem import Problem
from hypo.search.rulebook import Rulebook

# Of so many best individuals it is known what they break; one of them is looked at anew at every so manieth call, since that
# takes as long as breeding a hundred.
KNOWN, EVERY = 12, 6
# A hard rule counts as a soft one of this weight: offspring of what breaks it may keep it.
HARD = 10.0
# Individuals whose violations are remembered.
REMEMBERED = 5000


class RuleFitness:
    """λ·Σ weight·violation (nats) of individuals of a population. A problem in other columns than the table's, or without
    rules, charges nothing."""

    def __init__(self, problem: Problem, lam: float) -> None:
        whole = set(problem.columns) == set(problem.scales) - {problem.target}
        self._book = Rulebook(problem, lam) if whole and problem.knowledge.rules else None
        self._lam = lam
        self._known: dict[bytes, float] = {}
        self._calls = 0

    def charged(
        self, score: NDArray[np.float64], key: Callable[[int], bytes], formula: Callable[[int], Expression]
    ) -> NDArray[np.float64]:
        """``score`` (n,) of individuals, those of the best raised by what they break. ``key`` is one for individuals that
        hardly differ."""
        if self._book is None:
            return score
        out, fresh = score.copy(), self._calls % EVERY == 0
        self._calls += 1
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for k in np.argsort(score, kind="stable")[:KNOWN]:
            name = key(int(k))
            if not np.isfinite(score[k]):
                break
            if name not in self._known and fresh:
                fresh = False
                self._known[name] = self._cost(formula(int(k)))
            out[k] += self._known.get(name, 0.0)
        return out

    def _cost(self, e: Expression) -> float:
        assert self._book is not None
        weight = np.array([HARD if rule.hard else rule.weight for rule in self._book.rules])
        return self._lam * float(weight @ np.nan_to_num(self._book.amounts(e), nan=1.0))
