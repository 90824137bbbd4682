"""A beam over peels: several outer operations are undone one after the other, and every target met on the way is judged.

All targets share one small library (:mod:`hypo.search.compact`), so that the products of its rows are made once and a target
costs some tens of microseconds: the best pair of rows for t and for log|t| with the powers of the variables projected out
(:mod:`hypo.kernels.judge`). Misfits are compared in y's units to first order. The best targets of a level are peeled again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.search import forms
from hypo.search.building import built
from hypo.search.chains import Chains, Peeling, join
from hypo.search.compact import compact_library
from hypo.search.context import Context, View
from hypo.search.problem import Settings
from hypo.search.proposer import Turn
from hypo.search.race import Basis, Hit, RowSet, race
from hypo.search.race import SUM as SUM_FORM
from hypo.search.scan import orthonormal, unit_rows
from hypo.search.targets import Target

# Chains judged in one go; terms of a sum; of the sums of two those grown further.
BATCH, TERMS, GROWN = 2048, 5, 400
# Chains that are raced, formulas built in a turn.
RACED, BUILT = 60, 8


@dataclass(frozen=True)
class Round:
    """What one turn does: its cost in seconds, members taken away, members divided by, and how many targets are peeled at
    each level."""

    cost: float
    addends: int
    factors: int
    widths: tuple[int, ...]


ROUNDS = (
    Round(0.2, 20, 100, (1,)),
    Round(1.0, 40, 200, (1, 40)),
    Round(4.0, 60, 300, (1, 300, 100)),
    Round(12.0, 60, 400, (1, 1000, 200, 100)),
)
# Nanoseconds for a pair of rows, the fewest rows, and the most for a second of the turn's cost and in all.
PAIR_TIME, LEAST_ROWS, ROWS_A_SECOND, MOST_ROWS = 0.5, 100, 2000, 2400


@dataclass(frozen=True)
class Judge:
    """Rows for sums of one dimension, or of logarithms: unit ``F`` (n, n_probe) off the basis ``q``, with ``index`` into
    ``rows``."""

    F: NDArray[np.float64]
    q: NDArray[np.float64]
    index: NDArray[np.int64]
    rows: RowSet
    basis: Basis
    log: bool
    gram: NDArray[np.float64]
    short: NDArray[np.float32]

    @staticmethod
    def of(F: NDArray[np.float64], q: NDArray, index: NDArray[np.int64], rows: RowSet, basis: Basis, log: bool) -> Judge:
        gram = F @ F.T
        return Judge(F, q, index, rows, basis, log, gram, gram.astype(np.float32))


# Score, number, chains and which of them, judge, and rows of a sum.
Entry = tuple[float, int, Chains, int, Judge, NDArray[np.int64]]


class Beam:
    """The proposer; each turn has more members, more targets and more levels."""

    def __init__(
        self, ctx: Context, settings: Settings, report: Callable[[str], None], lines: Sequence[int] | None = None,
        name: str = "beam",
    ) -> None:
        self.name = name
        self._ctx, self._report = ctx, report
        self._lines = tuple(range(len(ctx.problem.columns))) if lines is None else tuple(lines)
        usable = settings.fit_constants and {"*", "+"} <= ctx.problem.allowed and ctx.n_probe >= 20
        self._turn = 0 if usable else len(ROUNDS)

    @property
    def cost(self) -> float:
        """Seconds of the next turn."""
        return ROUNDS[self._turn].cost if self._turn < len(ROUNDS) else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas found behind chains of peels."""
        plan, self._turn = ROUNDS[self._turn], self._turn + 1
        if turn.done:
            return
        self._report(f"{self.name}: {len(plan.widths)} levels")
        yield from built(self._hits(plan), self._ctx, turn, BUILT)

    def _start(self) -> Target:
        ctx, p = self._ctx, self._ctx.problem
        dimension = p.pack(p.target_dimension) if p.has_units and p.target_dimension is not None else None
        plain = Target(ctx.y, dimension, weighted=ctx.smooth is not None)
        return plain if ctx.smooth is None else replace(plain, values=ctx.smooth, noisy=ctx.y)

    def _hits(self, plan: Round) -> list[Hit]:
        ctx, p = self._ctx, self._ctx.problem
        start = self._start()
        free = start.dimension is None
        counts = _counts(plan)
        share = 0.4 * plan.cost / len(counts)
        most = min(MOST_ROWS, int(ROWS_A_SECOND * plan.cost))
        rows = [int(np.clip(math.sqrt(share / (n * PAIR_TIME * 1e-9)), LEAST_ROWS, most)) for n in counts]
        library, rank = compact_library(ctx, self._lines, max(rows))
        view = View(library, ctx.X, library.count, p.max_complexity - 2)
        if len(view.members) < 2:
            return []
        order = np.argsort(rank[view.members], kind="stable")
        factors = order[np.all(view.values[order] != 0, axis=1)][: plan.factors]
        peeling = Peeling(view, self._addends(view, order, plan.addends), factors, p.allowed, free)
        best: list[Entry] = []
        seen: set[int] = set()
        level = peeling.start(start, ctx.probe)
        judges = Judges(ctx, view, order[: rows[0]], self._lines, free)
        judges.best(level, best)
        judges.grow(level, np.zeros(1, np.int64), best)
        for depth, size in enumerate(rows[1:]):
            judges = Judges(ctx, view, order[:size], self._lines, free)
            parts, scores = [], []
            for chains in self._batches(peeling, level, seen):
                if ctx.clock.expired:
                    break
                parts.append(chains)
                scores.append(judges.best(chains, best))
            if not parts or ctx.clock.expired:
                break
            level, score = join(parts), np.concatenate(scores)
            judges.grow(level, np.argsort(score, kind="stable")[:GROWN], best)
            if depth + 1 < len(plan.widths):
                level = level.take(_beam(level, score, plan.widths[depth + 1]))
        return self._raced(peeling, start, best)

    def _addends(self, view: View, order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Members that are taken away: the first by rank."""
        return order[:most]

    def _batches(self, peeling: Peeling, level: Chains, seen: set[int]) -> Iterator[Chains]:
        """Chains one step further that are new, some thousands at a time."""
        weight = np.random.default_rng(0).standard_normal(self._ctx.n_probe)
        waiting: list[Chains] = []
        count = 0
        for chains in peeling.expand(level):
            size = np.linalg.norm(chains.values, axis=1)
            keys = np.round(np.abs(chains.values @ weight) / size * 1e10).astype(np.int64)
            fresh = []
            for k, key in enumerate(keys.tolist()):
                if key not in seen:
                    seen.add(key)
                    fresh.append(k)
            if fresh:
                waiting.append(chains.take(np.array(fresh)))
                count += len(fresh)
            if count >= BATCH:
                yield join(waiting)
                waiting, count = [], 0
        if waiting:
            yield join(waiting)

    def _raced(self, peeling: Peeling, start: Target, best: list[Entry]) -> list[Hit]:
        ctx = self._ctx
        hits: list[Hit] = []
        raced = 0
        known: set[float] = set()
        for score, _, chains, k, judge, terms in sorted(best, key=lambda b: b[:2]):
            if raced >= RACED or ctx.clock.expired:
                break
            if round(score, 3) in known:
                continue
            known.add(round(score, 3))
            target = peeling.target(chains, k, start)
            if target is None or (judge.log and not np.all(target.values != 0)):
                continue
            hits += race(target, SUM_FORM, judge.rows, judge.index[terms][None, :], judge.basis, ctx.y, ctx.root, log=judge.log)
            raced += 1
        return hits


class Judges:
    """The rows against which chains are judged, by dimension and for logarithms."""

    def __init__(self, ctx: Context, view: View, chosen: NDArray[np.int64], lines: Sequence[int], free: bool) -> None:
        self._ctx, self._view, self._free, self._chosen = ctx, view, free, chosen
        self._sums: dict[int, Judge | None] = {}
        self._log: Judge | None = None
        if ctx.can_fit_logs(len(lines)):
            L, rows, basis, q = forms.log_rows(ctx, view, lines, len(chosen), chosen)
            if len(L) > 2:
                self._log = Judge.of(L, q, np.arange(len(L)), rows, basis, True)

    def _sum(self, dimension: int) -> Judge | None:
        if dimension not in self._sums:
            ctx, view = self._ctx, self._view
            chosen = self._chosen if self._free else self._chosen[view.dims[self._chosen] == dimension]
            constant = self._free or dimension == 0
            basis = Basis(np.ones((1, len(ctx.y))) if constant else np.empty((0, len(ctx.y))), constant)
            q = orthonormal(list(ctx.whiten(basis.values[:, ctx.probe])), ctx.n_probe)
            F, kept = unit_rows(ctx.whiten(view.values[chosen]), q)
            self._sums[dimension] = (
                Judge.of(F, q, chosen[kept], view.rows, basis, False) if len(F) >= 2 else None
            )
        return self._sums[dimension]

    def best(self, chains: Chains, best: list[Entry]) -> NDArray[np.float64]:
        """The best approximate score of each chain with up to two terms; good ones are noted in ``best``."""
        out = np.full(len(chains), np.inf)
        for judge, index in self._groups(chains):
            score = self._judged(judge, chains, index, 2, best)
            out[index] = np.minimum(out[index], score)
        return out

    def grow(self, chains: Chains, index: NDArray[np.int64], best: list[Entry]) -> None:
        """Sums of more terms for some chains."""
        some = chains.take(index)
        for judge, own in self._groups(some):
            if not self._ctx.clock.expired:
                self._judged(judge, some, own, TERMS, best)

    def _groups(self, chains: Chains) -> Iterator[tuple[Judge, NDArray[np.int64]]]:
        for d in [0] if self._free else np.unique(chains.dimension):
            index = np.arange(len(chains)) if self._free else np.flatnonzero(chains.dimension == d)
            judge = self._sum(int(d))
            if judge is not None:
                yield judge, index
        if self._log is not None:
            index = np.flatnonzero(np.all(chains.values != 0, axis=1))
            if len(index):
                yield self._log, index

    def _judged(
        self, judge: Judge, chains: Chains, index: NDArray[np.int64], most: int, best: list[Entry]
    ) -> NDArray[np.float64]:
        from hypo.kernels.judge import judge as kernel

        ctx = self._ctx
        values, slope = chains.values[index], chains.slope[index]
        root = ctx.root[ctx.probe]
        with np.errstate(all="ignore"):
            if judge.log:
                own = ctx.log_root()
                T, W = np.log(np.abs(values)) * own, slope * np.abs(values) / own * root
            else:
                T, W = ctx.whiten(values), slope
            before = np.linalg.norm(T, axis=1)
            for _ in range(2):
                T = T - (T @ judge.q.T) @ judge.q
            size = np.linalg.norm(T, axis=1)
            T = T / size[:, None]
            W = W * size[:, None]
        # What lies in the span of the basis is no matter for rows.
        inside = size <= 1e-11 * before
        terms = np.full((len(index), most, most), -1)
        rss = np.full((len(index), most), np.inf)
        live = np.flatnonzero(~inside & np.isfinite(size))
        if len(live):
            part, left = np.empty((len(live), most, most), np.int64), np.empty((len(live), most))
            Tl = np.ascontiguousarray(T[live])
            kernel(judge.F, judge.gram, judge.short, Tl @ judge.F.T, Tl, np.ascontiguousarray(W[live]), part, left)
            terms[live], rss[live] = part, left
            ctx.clock.scored += len(live) * len(judge.F) * (len(judge.F) - 1) // 2
        cost = judge.rows.cost(judge.index)
        nodes = np.where(terms >= 0, cost[terms] + 3, 0).sum(axis=2) + chains.size[index][:, None]
        nodes = nodes + (2 * len(judge.basis.log_of) if judge.log else 2 * judge.basis.constant - 1)
        score = ctx.scorer.approximate(rss, nodes.astype(float), ctx.n_probe)
        score = np.where(np.isfinite(score), score, np.inf)
        for m in range(most):
            for t in np.argsort(score[:, m], kind="stable")[:RACED]:
                if score[t, m] < np.inf:
                    best.append((float(score[t, m]), len(best), chains, int(index[t]), judge, terms[t, m, : m + 1].copy()))
        return np.asarray(score.min(axis=1))


def _counts(plan: Round) -> list[int]:
    """About how many targets the levels of a turn have."""
    steps = 2 * plan.addends + 2 * plan.factors
    return [1, *(w * steps // 2 for w in plan.widths)]


def _beam(level: Chains, score: NDArray[np.float64], width: int) -> NDArray[np.int64]:
    """The best chains of each kind of last step, in turns."""
    order = np.argsort(score, kind="stable")
    places = np.empty(len(order))
    for kind in np.unique(level.kind):
        mine = order[level.kind[order] == kind]
        places[mine] = np.arange(len(mine))
    return np.argsort(places, kind="stable")[:width]
