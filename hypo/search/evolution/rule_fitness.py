"""Rules in a population's fitness: what the best individuals break of the knowledge makes them worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hypo.expression.expr import Expression
from hypo.fitting.rule_checks import Rulebook
from hypo.problem.problem import Problem

# Of so many best individuals it is asked which rules they break.
KNOWN = 12
# So many of them are looked at anew each time, since a look takes as long as breeding a hundred.
LOOKS = 2
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

    def costs(self, names: Sequence[bytes], formula: Callable[[int], Expression]) -> dict[bytes, float]:
        """The known verdicts on the individuals ``names``, the best first, after a look at some that are not known yet."""
        if self._book is None:
            return {}
        if len(self._known) > REMEMBERED:
            self._known.clear()
        looks = 0
        for k, name in enumerate(names):
            if name not in self._known and looks < LOOKS:
                self._known[name] = self._cost(formula(k))
                looks += 1
        return {name: self._known[name] for name in names if self._known.get(name)}

    def _cost(self, e: Expression) -> float:
        assert self._book is not None
        weight = np.array([HARD if rule.hard else rule.weight for rule in self._book.rules])
        return self._lam * float(weight @ np.nan_to_num(self._book.amounts(e), nan=1.0))
