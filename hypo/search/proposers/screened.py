"""The proposer for tables of many columns: searches on the few that screening puts first, and on more of them later."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hypo.expression.expr import Expression
from hypo.scoring.score import Hypothesis
from hypo.search.library.context import Context
from hypo.search.proposers.atoms import Atoms
from hypo.search.proposers.base import Proposer, Schedule, Turn, Workspace
from hypo.search.proposers.evolution import Evolution
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.reduction import Reduction
from hypo.search.reductions.screening import screen
from hypo.search.scan.scan_state import ScanScope

# Tables with more columns are screened.
MANY_COLUMNS = 12
# Seconds that screening takes.
LOOK = 0.1
# Columns of the first set beside those taken, at least and at most; of the later sets; and the seconds spent (by the proposers'
# costs) after which each of these is opened.
FIRST_SET = 4, 10
LATER_SETS = ((16, 3.0), (40, 15.0))


class Screened:
    """Scans and reductions over subsets of the columns, the most significant of :mod:`hypo.search.reductions.screening` first.

    Nothing is excluded for good: the subsets grow, and the library over all columns goes on beside them. What the certificate
    says is about that library alone.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.name = "screened"
        self._workspace, self._ctx = workspace, workspace.context
        self._schedule = Schedule(workspace.settings.seed)
        self._started = len(self._ctx.problem.columns) <= MANY_COLUMNS
        self._sets: list[tuple[tuple[int, ...], float]] = []
        self._last: tuple[Proposer, Hypothesis | None] | None = None

    @property
    def cost(self) -> float:
        """The cost of the next search on a subset, and of screening at first."""
        if not self._started:
            return LOOK
        proposer = self._schedule.next()
        return math.inf if proposer is None else proposer.cost

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas of the next search on a subset."""
        if not self._started:
            self._workspace.report("screening of columns")
            self._start()
        self._close(turn)
        while self._sets and self._schedule.spent >= self._sets[0][1]:
            self._open(self._sets.pop(0)[0])
        proposer = self._schedule.next()
        if proposer is None:
            return
        inner = self._schedule.turn(proposer, turn.problem, turn.archive, turn.clock)
        self._last = (proposer, turn.archive.best)
        with turn.failures.guarded(f"the proposer {proposer.name}") as guard:
            yield from proposer.propose(inner)
        if guard.failed:
            self._schedule.drop(proposer)

    def _start(self) -> None:
        ctx = self._ctx
        self._started = True
        found = screen(ctx.problem.X, ctx.problem.y, _weights(ctx))
        least, most = FIRST_SET
        # Without anything significant the first columns are no better than others, but all that there is to begin with.
        first = found.order[: min(most, max(least, len(found.taken)))]
        self._sets = [(first, 0.0)]
        for size, spent in LATER_SETS:
            if len(self._sets[-1][0]) < min(size, len(found.order)):
                self._sets.append((found.order[:size], spent))

    def _open(self, lines: Sequence[int]) -> None:
        """Let the proposers for a set of columns take turns."""
        chosen = np.sort(np.array(lines, np.int64))
        problem = self._ctx.problem
        names = tuple(problem.columns[k] for k in chosen)
        smaller = replace(problem, columns=names, X=np.ascontiguousarray(problem.X[chosen]))
        ctx = replace(self._ctx, problem=smaller, X=np.ascontiguousarray(self._ctx.X[chosen]))
        name = f"screened, {len(names)} columns"
        workspace = self._workspace.on(ctx)
        scanner = Scanner(workspace, ScanScope(name))
        separated = scanner.without_pure_powers()
        reduction = Reduction(workspace)
        beside = workspace.beside(scanner.state, library=scanner.state.plain)
        atoms = Atoms(beside, name=f"{name}: atoms")
        evolution = Evolution(beside)
        proposers: list[Proposer] = [*([separated] if separated else []), scanner, reduction, atoms, evolution]
        for proposer in proposers:
            self._schedule.add(proposer)

    def _close(self, turn: Turn) -> None:
        """Settle the last turn, once all its formulas were looked at."""
        if self._last is None:
            return
        proposer, before = self._last
        now = turn.archive.best
        self._schedule.close(proposer, 0.0 if now is None else math.inf if before is None else before.score - now.score)
        self._last = None


def _weights(ctx: Context) -> np.ndarray | None:
    root = ctx.problem.gaussian.root_weights
    return None if root is None else root**2
