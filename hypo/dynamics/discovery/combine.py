"""From candidates by equation to systems: each equation on trial alone, then combinations, then neighbours of the best.

1. Each candidate is fitted alone, the other states given by their paths. That ranks hundreds cheaply.
2. A beam over combinations: the best ones so far exchange one equation at a time, and all equations are fitted together.
3. Neighbours of the best systems: a term less, an exponent that is a simple number, a constant shared by two equations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypo.dynamics.discovery.judge import Judge, Judged
from hypo.dynamics.discovery.reduce import smaller
from hypo.dynamics.discovery.sharing import share_constants, signed
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.system import System
from hypo.expression.expr import Expression

# Candidates of an equation that combinations are made of, and those of each size among them at least.
KEPT = 12
OF_EACH_SIZE = 2
# Combinations from which others are made by exchange of one equation.
BEAM = 3
# Rounds of exchange.
ROUNDS = 3
# Nats behind the best beyond which a candidate alone is left out of combinations.
HOPELESS = 60.0
# Systems whose neighbours are tried, and rounds of it.
REFINED = 3
NEIGHBOUR_ROUNDS = 4


@dataclass(frozen=True)
class Ranked:
    """A candidate, fitted alone, and its score in nats."""

    expression: Expression
    score: float

    @property
    def size(self) -> int:
        """Its fitted numbers."""
        return len(self.expression.free)


def rank_alone(judge: Judge, make: object, candidates: Sequence[Expression]) -> list[Ranked]:
    """Candidates with constants fitted alone, best first; those that cannot be followed are left out."""
    out: dict[str, Ranked] = {}
    for e in candidates:
        found = judge.judge(make.system(e))  # type: ignore[attr-defined]
        if found is not None and math.isfinite(found.score):
            fitted = found.fitted.system.equations[0]
            out.setdefault(as_sum(fitted).form, Ranked(fitted, found.score))
    return sorted(out.values(), key=lambda r: r.score)


def shortlist(ranked: Sequence[Ranked], kept: int = KEPT) -> list[Ranked]:
    """The best ones, and the best of each size."""
    out = list(ranked[:kept])
    best = ranked[0].score if ranked else 0.0
    for size in sorted({r.size for r in ranked}):
        of_size = [r for r in ranked if r.size == size][:OF_EACH_SIZE]
        out += [r for r in of_size if r not in out and r.score < best + HOPELESS]
    return out


def combine(judge: Judge, pattern: System, sought: Sequence[int], lists: Sequence[Sequence[Ranked]]) -> None:
    """Fit combinations; what was found is in ``judge``."""

    def build(choice: Sequence[int]) -> System:
        equations = list(pattern.equations)
        for k, i, ranked in zip(sought, choice, lists, strict=True):
            equations[k] = ranked[i].expression
        return pattern.with_equations(tuple(equations))

    scores: dict[tuple[int, ...], float] = {}

    def score(choice: tuple[int, ...]) -> float:
        if choice not in scores:
            found = judge.judge(build(choice))
            scores[choice] = math.inf if found is None else found.score
        return scores[choice]

    first = tuple(0 for _ in sought)
    score(first)
    expanded: set[tuple[int, ...]] = set()
    for _ in range(ROUNDS * BEAM):
        beam = sorted(scores, key=lambda c: scores[c])[:BEAM]
        fresh = [c for c in beam if c not in expanded]
        if not fresh or judge.is_over:
            break
        expanded.add(fresh[0])
        for other in exchanges(fresh[0], [len(each) for each in lists]):
            if judge.is_over:
                break
            score(other)


def exchanges(choice: tuple[int, ...], lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Choices that differ in one equation, the likeliest of every equation first."""
    for i in range(max(lengths, default=0)):
        for k, n in enumerate(lengths):
            if i < n and i != choice[k]:
                yield (*choice[:k], i, *choice[k + 1 :])


def refine(judge: Judge, sought: Sequence[int]) -> None:
    """Neighbours of the best systems, as long as that makes one better."""
    done: set[int] = set()
    for _ in range(NEIGHBOUR_ROUNDS):
        best = [j for j in judge.ranked()[:REFINED] if id(j) not in done]
        if not best or judge.is_over:
            return
        for judged in best:
            done.add(id(judged))
            for other in neighbours(judged, sought):
                if judge.is_over:
                    return
                judge.judge(other)


def neighbours(judged: Judged, sought: Sequence[int]) -> Iterator[System]:
    """Systems near a fitted one that have less in them."""
    system = judged.fitted.system
    if len(sought) > 1 and system.shared is None:
        shared = share_constants(judged.fitted)
        if shared is not None:
            yield shared
    plain = system if system.shared is None else signed(system)
    for k in sought:
        for e in smaller(plain.equations[k]):
            yield plain.with_equations((*plain.equations[:k], e, *plain.equations[k + 1 :]))
