"""A beam over peels: several outer operations are undone one after the other, and every target met on the way is judged.

All targets share one small library (:mod:`hypo.search.library.compact`), so that the products of its rows are made once
and a target costs some tens of microseconds: the best pair of rows for t and for log|t| with the powers of the
variables projected out (:mod:`hypo.kernels.cpu.many_targets`). Misfits are compared in y's units to first order. The
best targets of a level are peeled again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.problem.residual_structure import StructureTest, nearest, neighbour_correlation, noise_level
from hypo.search.library.compact import compact_library
from hypo.search.library.context import Context, LibraryView
from hypo.search.library.library import LibraryRows
from hypo.search.library.unit_rows import orthonormal, project_off, unit_rows
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.reductions.screening import screen
from hypo.search.scan import forms
from hypo.search.scan.build_formulas import build_formulas
from hypo.search.scan.peels import Peeling, Peels, join
from hypo.search.scan.race import SUM, Basis, ScanHit, race
from hypo.search.scan.scan_state import ScanScope, ScanState
from hypo.search.scan.targets import Target
from hypo.search.scan.tuple_scan import scan_tuples

# Chains judged in one go.
BATCH = 2048
# Chains judged by one worker.
PIECE = 256
# The most terms of a sum.
TERMS = 5
# Sums of two that are grown further.
GROWN = 400
# Rows of which all triples are looked at for peeled targets.
TRIPLE_ROWS = 160
# Triples from which quadruples grow.
TRIPLES_KEPT = 10
# Products of powers count as steps of so much lower rank.
MONOMIAL_RANK = 0.6
# Chains that are raced.
RACED = 60
# Formulas built in a turn.
BUILT = 8


@dataclass(frozen=True)
class TurnPlan:
    """The plan of one turn: its cost in seconds, members taken away, members divided by, how many targets are peeled at each
    level, the rows of which all triples are looked at for the target itself, and for how many of each level they are."""

    cost: float
    addends: int
    factors: int
    widths: tuple[int, ...]
    triples: int
    tripled: int


ROUNDS = (
    TurnPlan(0.5, 20, 100, (), 200, 20),
    TurnPlan(1.0, 40, 200, (25_000,), 700, 150),
    TurnPlan(5.0, 60, 300, (80_000, 40_000), 1200, 400),
    TurnPlan(15.0, 60, 400, (250_000, 100_000, 50_000), 2000, 800),
)
# Variables that members are made of.
MOST_COLUMNS = 60
# Nanoseconds for a pair of rows.
PAIR_TIME = 1.0
# The fewest rows that a chain is judged against.
LEAST_ROWS = 100
# The most rows for a second of the turn's cost.
ROWS_A_SECOND = 1200
# The most rows in all.
MOST_ROWS = 2400


@dataclass(frozen=True)
class Judge:
    """Rows for sums of one dimension, or of logarithms: unit ``F`` (n, n_probe) off the basis ``q``, with ``index`` into
    ``rows``."""

    F: NDArray[np.float64]
    q: NDArray[np.float64]
    index: NDArray[np.int64]
    rows: LibraryRows
    basis: Basis
    log: bool
    gram: NDArray[np.float64]
    short: NDArray[np.float32]

    @staticmethod
    def of(
        F: NDArray[np.float64],
        q: NDArray[np.float64],
        index: NDArray[np.int64],
        rows: LibraryRows,
        basis: Basis,
        log: bool,
    ) -> Judge:
        """The judge with the products of its rows."""
        gram = F @ F.T
        return Judge(F, q, index, rows, basis, log, gram, gram.astype(np.float32))


# Score, number, chains and which of them, judge, and rows of a sum.
Entry = tuple[float, int, Peels, int, Judge, NDArray[np.int64]]


class Beam:
    """The proposer; each turn has more members, more targets and more levels."""

    def __init__(self, workspace: Workspace, name: str = "beam") -> None:
        self.name = name
        ctx, settings = workspace.context, workspace.settings
        self._ctx, self._report = ctx, workspace.report
        # The target and its variables are those that are left without pure powers, where there are some.
        self._state = workspace.separated or workspace.scan or ScanState(ctx, settings, ScanScope())
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
        self._report(f"{self.name}: {len(plan.widths) + 1} levels")
        yield from build_formulas(self._hits(plan), self._ctx, turn, BUILT)

    @cached_property
    def _start(self) -> Target:
        """The target, or the denoised one where the stand-in leaves nothing but noise: of a law that is too much for it, it
        would show little."""
        starts, X = self._state.starts, self._ctx.X[list(self._state.lines)]
        if len(starts) == 1:
            return starts[0]
        residual = starts[1].values - starts[0].values
        neighbours = nearest(X)
        seen = neighbours is not None and neighbour_correlation(residual, neighbours) > noise_level(len(residual))
        return starts[1] if seen or StructureTest(X).structured(residual) else starts[0]

    def _hits(self, plan: TurnPlan) -> list[ScanHit]:
        ctx, p = self._ctx, self._ctx.problem
        start, lines = self._start, self._lines
        free = start.dimension is None
        counts = _counts(plan)
        share = 0.4 * plan.cost / len(counts)
        most = min(MOST_ROWS, int(ROWS_A_SECOND * plan.cost))
        rows = [int(np.clip(math.sqrt(share / (n * PAIR_TIME * 1e-9)), LEAST_ROWS, most)) for n in counts]
        library, rank, monomial = compact_library(ctx, lines, max(rows))
        view = LibraryView(library, ctx.X, library.count, p.max_complexity - 2)
        if len(view.members) < 2:
            return []
        order = np.argsort(rank[view.members], kind="stable")
        # Of what is taken away or divided by, products of powers are the likeliest.
        likely = np.argsort(rank[view.members] * np.where(monomial[view.members], MONOMIAL_RANK, 1.0), kind="stable")
        factors = likely[np.all(view.values[likely] != 0, axis=1)][: plan.factors]
        peeling = Peeling(view, likely[: plan.addends], factors, p.allowed, free)
        best: list[Entry] = []
        seen: set[int] = set()
        level = peeling.start(start, ctx.probe)
        judges = Judges(ctx, view, order[: rows[0]], lines, free)
        judges.best(level, best)
        judges.add_longer(level, np.zeros(1, np.int64), best)
        judges.add_triples(level, np.zeros(1, np.int64), best, plan.triples)
        for size, following in zip(rows[1:], (*plan.widths, 0), strict=True):
            judges = Judges(ctx, view, order[:size], lines, free)
            parts, scores = [], []
            for peels in self._batches(peeling, level, seen):
                if ctx.clock.expired:
                    break
                parts.append(peels)
                scores.append(judges.best(peels, best))
            if not parts or ctx.clock.expired:
                break
            level, score = join(parts), np.concatenate(scores)
            judges.add_longer(level, np.argsort(score, kind="stable")[:GROWN], best)
            judges.add_triples(level, _beam(level, score, {}, plan.tripled), best)
            level = level.take(_beam(level, score, peeling.steps, following))
        return self._race(peeling, start, best)

    @cached_property
    def _lines(self) -> Sequence[int]:
        """The variables, of very many those that matter most: sums of all pairs take time and memory with their square."""
        lines = self._state.lines
        if len(lines) <= MOST_COLUMNS:
            return lines
        found = screen(self._ctx.X[list(lines)], self._ctx.y, self._ctx.weight)
        return sorted(lines[k] for k in found.order[:MOST_COLUMNS])

    def _batches(self, peeling: Peeling, level: Peels, seen: set[int]) -> Iterator[Peels]:
        """Chains one step further that are new, some thousands at a time."""
        weight = np.random.default_rng(0).standard_normal(self._ctx.n_probe)
        waiting: list[Peels] = []
        count = 0
        for peels in peeling.expand(level):
            size = np.linalg.norm(peels.values, axis=1)
            keys = np.round(np.abs(peels.values @ weight) / size * 1e10).astype(np.int64)
            fresh = []
            for k, key in enumerate(keys.tolist()):
                if key not in seen:
                    seen.add(key)
                    fresh.append(k)
            if fresh:
                waiting.append(peels.take(np.array(fresh)))
                count += len(fresh)
            if count >= BATCH:
                yield join(waiting)
                waiting, count = [], 0
        if waiting:
            yield join(waiting)

    def _race(self, peeling: Peeling, start: Target, best: list[Entry]) -> list[ScanHit]:
        ctx = self._ctx
        hits: list[ScanHit] = []
        raced = 0
        known: set[float] = set()
        for score, _, peels, k, judge, terms in sorted(best, key=lambda b: b[:2]):
            if raced >= RACED or ctx.clock.expired:
                break
            if round(score, 3) in known:
                continue
            known.add(round(score, 3))
            target = peeling.target(peels, k, start)
            if target is None or (judge.log and not np.all(target.values != 0)):
                continue
            hits += race(
                target, SUM, judge.rows, judge.index[terms][None, :], judge.basis, ctx.y, ctx.root, log=judge.log
            )
            raced += 1
        return hits


class Judges:
    """The rows against which chains are judged, by dimension and for logarithms."""

    def __init__(
        self, ctx: Context, view: LibraryView, chosen: NDArray[np.int64], lines: Sequence[int], free: bool
    ) -> None:
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
            self._sums[dimension] = Judge.of(F, q, chosen[kept], view.rows, basis, False) if len(F) >= 2 else None
        return self._sums[dimension]

    def best(self, peels: Peels, best: list[Entry]) -> NDArray[np.float64]:
        """The best approximate score of each chain with up to two terms; good ones are noted in ``best``."""
        out = np.full(len(peels), np.inf)
        for judge, index in self._groups(peels):
            score = self._judge(judge, peels, index, 2, best)
            out[index] = np.minimum(out[index], score)
        return out

    def add_triples(self, peels: Peels, index: NDArray[np.int64], best: list[Entry], most: int = TRIPLE_ROWS) -> None:
        """The best sums of three of the first ``most`` rows for some chains, and what grows from them by one row."""
        ctx = self._ctx
        some = peels.take(index)
        for judge, own in self._groups(some):
            T, W = self._units(judge, some, own)
            items = [(T[k : k + 1], W[k]) for k in range(len(own)) if np.all(np.isfinite(T[k]))]
            found = ctx.workers.local.map(scan_tuples, items, judge.F[:most], TRIPLES_KEPT, ctx.clock)
            for k, (terms, rss) in zip(np.flatnonzero(np.all(np.isfinite(T), axis=1)), found, strict=True):
                for four, left in zip(terms, rss, strict=True):
                    nodes = self._nodes(judge, four) + int(some.size[own[k]])
                    score = float(ctx.scorer.approximate(np.array([left]), np.array([float(nodes)]), ctx.n_probe)[0])
                    if np.isfinite(score):
                        best.append((score, len(best), some, int(own[k]), judge, four))

    def _nodes(self, judge: Judge, terms: NDArray[np.int64]) -> int:
        """Nodes of a sum."""
        bare = 2 * len(judge.basis.log_of) if judge.log else 2 * judge.basis.constant - 1
        return int(np.sum(judge.rows.cost(judge.index[terms]) + 3)) + bare

    def add_longer(self, peels: Peels, index: NDArray[np.int64], best: list[Entry]) -> None:
        """Sums of more terms for some chains."""
        some = peels.take(index)
        for judge, own in self._groups(some):
            if not self._ctx.clock.expired:
                self._judge(judge, some, own, TERMS, best)

    def _groups(self, peels: Peels) -> Iterator[tuple[Judge, NDArray[np.int64]]]:
        for d in [0] if self._free else np.unique(peels.dimension):
            index = np.arange(len(peels)) if self._free else np.flatnonzero(peels.dimension == d)
            judge = self._sum(int(d))
            if judge is not None:
                yield judge, index
        if self._log is not None:
            index = np.flatnonzero(np.all(peels.values != 0, axis=1))
            if len(index):
                yield self._log, index

    def _units(
        self, judge: Judge, peels: Peels, index: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unit targets (n, n_probe) off the basis, NaN within its span, and what their residuals weigh in y."""
        ctx = self._ctx
        values, slope = peels.values[index], peels.slope[index]
        root = ctx.root[ctx.probe]
        with np.errstate(all="ignore"):
            if judge.log:
                own = ctx.log_root()
                T, W = np.log(np.abs(values)) * own, slope * np.abs(values) / own * root
            else:
                T, W = ctx.whiten(values), slope
            before = np.linalg.norm(T, axis=1)
            T = project_off(T, judge.q)
            size = np.linalg.norm(T, axis=1)
            size[size <= 1e-11 * before] = np.nan
            return T / size[:, None], W * size[:, None]

    def _judge(
        self, judge: Judge, peels: Peels, index: NDArray[np.int64], most: int, best: list[Entry]
    ) -> NDArray[np.float64]:
        ctx = self._ctx
        T, W = self._units(judge, peels, index)
        terms = np.full((len(index), most, most), -1)
        rss = np.full((len(index), most), np.inf)
        live = np.flatnonzero(np.all(np.isfinite(T), axis=1))
        if len(live):
            pieces = [live[k : k + PIECE] for k in range(0, len(live), PIECE)]
            found = ctx.workers.local.map(_judge_piece, [(T[k], W[k]) for k in pieces], judge, most)
            for k, (part, left) in zip(pieces, found, strict=True):
                terms[k], rss[k] = part, left
            ctx.clock.scored += len(live) * len(judge.F) * (len(judge.F) - 1) // 2
        cost = judge.rows.cost(judge.index)
        nodes = np.where(terms >= 0, cost[terms] + 3, 0).sum(axis=2) + peels.size[index][:, None]
        nodes = nodes + self._nodes(judge, np.empty(0, np.int64))
        score = ctx.scorer.approximate(rss, nodes.astype(float), ctx.n_probe)
        score = np.where(np.isfinite(score), score, np.inf)
        for m in range(most):
            for t in np.argsort(score[:, m], kind="stable")[:RACED]:
                if score[t, m] < np.inf:
                    best.append(
                        (float(score[t, m]), len(best), peels, int(index[t]), judge, terms[t, m, : m + 1].copy())
                    )
        return np.asarray(score.min(axis=1))


@np.errstate(all="ignore")
def _judge_piece(
    item: tuple[NDArray[np.float64], NDArray[np.float64]], judge: Judge, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The pairs that the kernel finds for some unit targets and the weights of their residuals."""
    from hypo.kernels.cpu.many_targets import judge as kernel

    T, W = item
    terms, rss = np.empty((len(T), most, most), np.int64), np.empty((len(T), most))
    kernel(judge.F, judge.gram, judge.short, T @ judge.F.T, T, W, terms, rss)
    return terms, rss


def _counts(plan: TurnPlan) -> list[int]:
    """About how many targets the levels of a turn have."""
    return [1, plan.addends + plan.factors, *plan.widths]


def _beam(level: Peels, score: NDArray[np.float64], steps: Mapping[int, int], most: int) -> NDArray[np.int64]:
    """The best chains of each kind of last step, as many that all kinds get about equal shares of ``most`` targets further on:
    a chain has ``steps`` (default 1) of them."""
    order = np.argsort(score, kind="stable")
    weight = np.array([steps.get(int(k), 1) for k in level.kind], np.int64)
    place = np.empty(len(order), np.int64)
    for kind in np.unique(level.kind):
        mine = order[level.kind[order] == kind]
        place[mine] = np.cumsum(weight[mine])
    chosen = np.argsort(place, kind="stable")
    return chosen[np.cumsum(weight[chosen]) <= most]
