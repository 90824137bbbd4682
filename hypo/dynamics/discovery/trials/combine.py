"""From candidates by equation to systems: each equation on trial alone, then combinations, then neighbours of the best.

1. Each candidate is fitted alone, the other states given by their paths. That ranks hundreds cheaply.
2. A beam over combinations: the best ones so far exchange one equation at a time, and all equations are fitted together.

Neighbours of the best systems come after that (:mod:`hypo.dynamics.discovery.trials.refine`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypo.dynamics.discovery.sums import form_and_count
from hypo.dynamics.discovery.trials.alone import Alone
from hypo.dynamics.discovery.trials.judge import Judge
from hypo.dynamics.system import System
from hypo.expression.expr import Expression

# Candidates of an equation that combinations are made of, and those of each size among them at least.
KEPT = 12
OF_EACH_SIZE = 2
# Combinations from which others are made by exchange of one equation.
BEAM = 3
# Combinations that are expanded at most, and the nats behind the best beyond which none is.
EXPANDED = 8
NEAR = 15.0
# Candidates in a row that far behind after which those below them are left out.
MISSES = 5
# Combinations fitted side by side at least, where there are as many.
BESIDE = 4
# All equations together keep at most so many.
KEPT_OF_ALL = 60


Score = Callable[[Sequence[tuple[int, ...]]], list[float]]


@dataclass(frozen=True)
class Ranked:
    """A candidate, fitted alone, and its score in nats."""

    expression: Expression
    score: float

    @property
    def size(self) -> int:
        """Its fitted numbers."""
        return len(self.expression.free)


def rank_alone(judge: Judge, trial: Alone, candidates: Sequence[Expression]) -> list[Ranked]:
    """Candidates with constants fitted alone, best first; those that cannot be followed are left out."""
    out: dict[tuple[str, int], Ranked] = {}
    judge.judge_all(map(trial.system, candidates))
    for e in candidates:
        found = judge.find(trial.system(e))
        if found is not None and math.isfinite(found.score):
            fitted = found.fitted.system.equations[-1]
            out.setdefault(form_and_count(fitted), Ranked(fitted, found.score))
    return sorted(out.values(), key=lambda r: r.score)


def shortlist(ranked: Sequence[Ranked], n_equation: int) -> list[Ranked]:
    """The best ones, and the best of each size, of one among so many equations."""
    kept = max(2, min(KEPT, KEPT_OF_ALL // n_equation))
    out = list(ranked[:kept])
    for size in sorted({r.size for r in ranked}):
        of_size = [r for r in ranked if r.size == size][:OF_EACH_SIZE]
        out += [r for r in of_size if r not in out and len(out) < 2 * kept]
    return out


def combine(judge: Judge, pattern: System, sought: Sequence[int], lists: Sequence[Sequence[Ranked]]) -> None:
    """Fit combinations; what was found is in ``judge``."""

    def build(choice: Sequence[int]) -> System:
        equations = list(pattern.equations)
        for k, i, ranked in zip(sought, choice, lists, strict=True):
            equations[k] = ranked[i].expression
        return pattern.with_equations(tuple(equations))

    scores: dict[tuple[int, ...], float] = {}

    def score(choices: Sequence[tuple[int, ...]]) -> list[float]:
        new = {choice: build(choice) for choice in choices if choice not in scores}
        judge.judge_all(new.values())
        for choice, system in new.items():
            found = judge.find(system)
            scores[choice] = math.inf if found is None else found.score
        return [scores[choice] for choice in choices]

    score([tuple(0 for _ in sought)])
    expanded: set[tuple[int, ...]] = set()
    for _ in range(EXPANDED):
        ranked = sorted(scores, key=lambda c: scores[c])
        fresh = [c for c in ranked[:BEAM] if c not in expanded and scores[c] <= scores[ranked[0]] + NEAR]
        if not fresh or judge.is_over:
            return
        expanded.add(fresh[0])
        _exchange(judge, score, fresh[0], [len(each) for each in lists])


def _exchange(judge: Judge, score: Score, choice: tuple[int, ...], lengths: Sequence[int]) -> None:
    """Try other candidates for each equation in turn, the likeliest of all first, until several in a row were hopeless."""
    misses = [0] * len(choice)
    depth = -(-BESIDE // len(choice))
    for first in range(0, max(lengths), depth):
        if judge.is_over:
            return
        tried = [
            (k, (*choice[:k], i, *choice[k + 1 :]))
            for i in range(first, first + depth)
            for k, n in enumerate(lengths)
            if i < n and i != choice[k] and misses[k] < MISSES
        ]
        for (k, _), found in zip(tried, score([other for _, other in tried]), strict=True):
            misses[k] = misses[k] + 1 if found > judge.best + NEAR else 0
