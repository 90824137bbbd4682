"""The proposer that searches smaller problems: variables merged, scalings in place of units, and only invariants left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Problem
from hypo.problem.surrogate import fit_surrogate
from hypo.search.library.context import Smoothing
from hypo.search.proposers.atoms import Atoms
from hypo.search.proposers.base import Proposer, Turn, Workspace
from hypo.search.proposers.beam import Beam
from hypo.search.proposers.evolution import Evolution
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.stepwise import Stepwise
from hypo.search.reductions.conserved import with_conserved
from hypo.search.reductions.invariants import find_invariants, power_product
from hypo.search.reductions.merge import ReducedColumns, merge_all, reduced_rows
from hypo.search.reductions.symmetry import Symmetry, find_symmetry, symmetry_of_rules, symmetry_of_units
from hypo.search.scan.scan_state import ScanScope
from hypo.units import DIMENSIONLESS, Dimension

# Cost of the first turn, in seconds, where a reduction is worth looking for before anything else.
LOOK = 0.1
# Cost of the first turn elsewhere.
LOOK_LATER = 4.0
# With more variables than this it is.
FEW = 2
# Seconds that searches in invariants may spend before others take part.
HEAD_START = 2.0
# With so few invariants their turns count less.
SMALL = 2
# The share that they count for.
SMALL_SHARE = 0.4


@dataclass
class _Part:
    """A proposer for a smaller problem: its formulas become lead·e with the columns' formulas put in."""

    proposer: Proposer
    problem: Problem
    formulas: Mapping[str, Expression]
    lead: Expression | None = None
    spent: float = field(default=0.0)
    share: float = 1.0

    @property
    def cost(self) -> float:
        """The cost that its next turn counts for."""
        return self.proposer.cost * self.share

    def whole(self, e: Expression) -> Expression:
        e = e.substitute(self.formulas)
        return e if self.lead is None else self.lead * e


class Reduction:
    """Searches of the problem that is left when variables that enter only together are merged
    (:mod:`hypo.search.reductions.merge`) and the scalings found in the data count as units
    (:mod:`hypo.search.reductions.symmetry`): scans under these units, and every kind of search on y = L·F(π) in its
    invariants (:mod:`hypo.search.reductions.invariants`).

    Each independent scaling x_j → λ^{a_j} x_j, y → λ^b y is a base unit. Those of the user's units stay, with those that hard
    rules state, unless the data show more; a quantity that a hard rule calls conserved takes the place of its variables. With
    ``doubt`` it is the same without the mergers of that reduction.
    """

    def __init__(self, workspace: Workspace, doubt: Reduction | None = None) -> None:
        self.name = "reduction" if doubt is None else "scaling"
        self._doubt = doubt
        self._workspace, self._ctx = workspace, workspace.context
        self._parts: list[_Part] | None = None if workspace.settings.fit_constants else []
        self.columns: ReducedColumns | None = None
        self.symmetry: Symmetry | None = None

    @property
    def cost(self) -> float:
        """The cost of the next search, and of looking for reductions at first."""
        if self._parts is None:
            return LOOK if self._doubt is None and len(self._ctx.problem.columns) > FEW else LOOK_LATER
        part = self._next()
        return math.inf if part is None else part.cost

    @property
    def is_merged(self) -> bool:
        """True if variables were merged."""
        return self.columns is not None and self.columns.names != self._ctx.problem.columns

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas of the next search."""
        if self._parts is None:
            self._workspace.report("symmetries")
            self._parts = self._start()
        part = self._next()
        if part is not None:
            part.spent += part.cost
            for e in part.proposer.propose(turn.inner(part.problem)):
                yield part.whole(e)

    def _next(self) -> _Part | None:
        live = [p for p in self._parts or () if p.cost < math.inf]
        return min(live, key=lambda p: p.spent + p.cost) if live else None

    def _start(self) -> list[_Part]:
        ctx, problem = self._ctx, self._ctx.problem
        if ctx.clock.expired or ctx.surrogate is None or (self._doubt is not None and not self._doubt.is_merged):
            return []
        X, y, weight = ctx.smoothing_rows
        own = {n: Expression.variable(n) for n in problem.columns}
        units = {n: problem.dimensions.get(n, DIMENSIONLESS) for n in problem.columns} if problem.has_units else {}
        columns, surrogate = ReducedColumns(problem.columns, X, own, units), ctx.surrogate
        columns = with_conserved(columns, problem.knowledge.rules, problem.scales)
        if columns.names != problem.columns:
            fitted = fit_surrogate(columns.X, y, weight)
            if fitted is None:
                return []
            surrogate = fitted
        if self._doubt is None:
            columns, surrogate = merge_all(columns, y, weight, surrogate, ctx.clock)
        if ctx.clock.expired:
            return []
        stated = (
            symmetry_of_units([columns.dimensions[n] for n in columns.names], problem.target_dimension)
            if units
            else None
        )
        known = symmetry_of_rules(columns.names, problem.knowledge.rules, stated)
        found = find_symmetry(surrogate, columns.X, y, weight, ctx.clock)
        if found is not None and known is not None and found.rank <= known.rank:
            found = None
        self.columns, self.symmetry = columns, found or known
        if found is None and known != stated:
            found = known
        rows = reduced_rows(columns, problem.columns, problem.X)
        smaller = replace(problem, columns=columns.names, X=rows, spacings={})
        rows = reduced_rows(columns, problem.columns, ctx.X)
        if not (np.all(np.isfinite(rows)) and np.all(np.isfinite(smaller.X))):
            return []
        if units:
            smaller = replace(smaller, dimensions={**problem.dimensions, **columns.dimensions})
        if found is not None:
            smaller = _with_symmetry(smaller, found)
        parts = self._invariant(smaller, rows) if self.symmetry is not None else []
        if found is not None or self.is_merged:
            reduced = ctx.in_variables(smaller, rows, Smoothing((columns.X, y, weight), surrogate))
            workspace = self._workspace.on(reduced)
            scanner = Scanner(workspace, ScanScope(self.name, has_differences=False))
            separated = scanner.without_pure_powers()
            parts += [_Part(s, smaller, columns.formulas) for s in (separated, scanner) if s is not None]
            if self.is_merged:
                parts += [_Part(p, smaller, columns.formulas) for p in self._others(workspace, scanner, separated)]
        return parts

    def _invariant(self, smaller: Problem, rows: NDArray[np.float64]) -> list[_Part]:
        """Every kind of search for F in y = L·F(π)."""
        ctx, columns, symmetry = self._ctx, self.columns, self.symmetry
        assert columns is not None and symmetry is not None
        found = find_invariants(symmetry, np.all(smaller.X > 0, axis=1))
        if found is None:
            return []
        lead = power_product(columns.names, found.lead)
        if not found.groups:
            whole = lead.substitute(columns.formulas)
            return [_Part(_Once(f"{self.name} to a power law"), smaller, {}, whole)]
        names = tuple(f"π{k + 1}" for k in range(len(found.groups)))
        formulas = dict(zip(names, (power_product(columns.names, e) for e in found.groups), strict=True))

        def at(X: NDArray[np.float64], e: Expression) -> NDArray[np.float64]:
            return Program.of(e, columns.names).value(X)

        full, raced = at(smaller.X, lead), at(rows, lead)
        X = np.array([at(smaller.X, e) for e in formulas.values()])
        if not (np.all(np.isfinite(X)) and np.all(np.isfinite(full)) and np.all(full != 0)):
            return []
        root = ctx.problem.gaussian.root_weights
        weights = (np.ones_like(full) if root is None else root**2) * full**2
        y = ctx.problem.y / full
        problem = replace(
            smaller,
            X=X,
            y=y,
            columns=names,
            likelihood=Gaussian(y, None, weights / weights.mean()),
            constants={},
            dimensions={},
            target_dimension=None,
        )
        smoothed = at(columns.X, lead)
        _, y_smoothed, weight = ctx.smoothing_rows
        own = np.array([at(columns.X, e) for e in formulas.values()]), y_smoothed / smoothed, weight * smoothed**2
        inner = ctx.divide_target(problem, np.array([at(rows, e) for e in formulas.values()]), raced, own)
        workspace = self._workspace.on(inner)
        scanner = Scanner(workspace, ScanScope(f"{self.name} to invariants", is_of_invariants=True))
        insides = {n: e.substitute(columns.formulas) for n, e in formulas.items()}
        lead = lead.substitute(columns.formulas)
        parts = [_Part(p, problem, insides, lead) for p in (*self._others(workspace, scanner), scanner)]
        # The smallest problem of all comes first, and every kind of search for it counts as less where it is small indeed.
        for part in parts:
            part.spent = -HEAD_START
            part.share = SMALL_SHARE if len(names) <= SMALL < len(columns.names) else 1.0
        return parts

    def _others(self, workspace: Workspace, scanner: Scanner, separated: Scanner | None = None) -> list[Proposer]:
        """The other kinds of search of a smaller problem; all of them share the library of its scan."""
        name, state = scanner.name, scanner.state
        beside = workspace.beside(state, None if separated is None else separated.state, state.plain)
        return [
            Beam(beside, f"{name}: beam"),
            Evolution(beside),
            Atoms(beside, f"{name}: atoms"),
            Stepwise(beside, f"{name}: stepwise"),
        ]


@dataclass
class _Once:
    """Proposes one fitted constant, once."""

    name: str
    cost: float = 0.1

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """The constant 1, to be fitted."""
        self.cost = math.inf
        yield Expression.constant(1.0, free=True)


def _with_symmetry(problem: Problem, found: Symmetry) -> Problem:
    """The problem with base units made of scalings."""
    dimensions = {n: Dimension(e) for n, e in zip(problem.columns, found.exponents, strict=True)}
    return replace(problem, dimensions=dimensions, target_dimension=Dimension(found.target))
