"""The proposer that searches a smaller problem: variables merged, and scalings of the data in place of units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from hypo.expression.expr import Expression
from hypo.search.context import Context
from hypo.search.merge import Columns, merge_all, reduced_rows
from hypo.search.problem import Problem, Settings
from hypo.search.proposer import Turn
from hypo.search.scanner import Scanner
from hypo.search.symmetry import Symmetry, find_symmetry
from hypo.units import DIMENSIONLESS, Dimension

# Cost of the first turn. With more than ``FEW`` variables a reduction is worth looking for before anything else.
LOOK, LOOK_LATER, FEW = 0.1, 0.5, 2


class Reduction:
    """Scans of the problem that is left when variables that enter only together are merged (:mod:`hypo.search.merge`) and the
    scalings found in the data count as units (:mod:`hypo.search.symmetry`).

    Each independent scaling x_j → λ^{a_j} x_j, y → λ^b y is a base unit. Where the user gave units these stay, unless the data
    show more scalings than they do. With ``doubt`` it is the same without the mergers of that reduction.
    """

    def __init__(self, ctx: Context, settings: Settings, report: Callable[[str], None], doubt: Reduction | None = None) -> None:
        self.name = "reduction" if doubt is None else "scaling"
        self._doubt = doubt
        self._ctx, self._settings, self._report = ctx, settings, report
        self._scanners: list[Scanner] | None = None if settings.fit_constants else []
        self.columns: Columns | None = None
        self.symmetry: Symmetry | None = None

    @property
    def cost(self) -> float:
        """The cost of the next scan, and of looking for reductions at first."""
        if self._scanners is None:
            return LOOK if self._doubt is None and len(self._ctx.problem.columns) > FEW else LOOK_LATER
        return min((s.cost for s in self._scanners), default=math.inf)

    @property
    def merged(self) -> bool:
        """Whether variables were merged."""
        return self.columns is not None and self.columns.names != self._ctx.problem.columns

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas of the next scan."""
        if self._scanners is None:
            self._report("symmetries")
            self._scanners = self._start()
        live = [s for s in self._scanners if s.cost < math.inf]
        if live and self.columns is not None:
            for e in min(live, key=lambda s: s.cost).propose(turn):
                yield e.substitute(self.columns.formulas)

    def _start(self) -> list[Scanner]:
        ctx, problem = self._ctx, self._ctx.problem
        if ctx.surrogate is None or (self._doubt is not None and not self._doubt.merged):
            return []
        X, y, weight = ctx.smoothing_rows
        own = {n: Expression.variable(n) for n in problem.columns}
        units = {n: problem.dimensions.get(n, DIMENSIONLESS) for n in problem.columns} if problem.has_units else {}
        columns, surrogate = Columns(problem.columns, X, own, units), ctx.surrogate
        if self._doubt is None:
            columns, surrogate = merge_all(columns, y, weight, surrogate)
        found = find_symmetry(surrogate, columns.X, y, weight)
        if found is not None and found.rank <= _rank(columns):
            found = None
        if columns.names == problem.columns and found is None:
            return []
        self.columns, self.symmetry = columns, found
        smaller = replace(problem, columns=columns.names, X=reduced_rows(columns, problem.columns, problem.X))
        if problem.has_units:
            smaller = replace(smaller, dimensions={**problem.dimensions, **columns.dimensions})
        if found is not None:
            smaller = _with_symmetry(smaller, found)
        rows = reduced_rows(columns, problem.columns, ctx.X)
        if not (np.all(np.isfinite(rows)) and np.all(np.isfinite(smaller.X))):
            return []
        reduced = ctx.under(smaller, rows, surrogate, (columns.X, y, weight))
        scanner = Scanner(reduced, self._settings, self._report, name=self.name, pure=False, differences=False)
        separated = scanner.reduced()
        return [*([separated] if separated else []), scanner]


def _rank(columns: Columns) -> int:
    """Independent scalings that the units speak of."""
    if not columns.dimensions:
        return 0
    rows = [[float(e) for e in columns.dimensions[n].exponents] for n in columns.names]
    return int(np.linalg.matrix_rank(np.array(rows)))


def _with_symmetry(problem: Problem, found: Symmetry) -> Problem:
    """The problem with base units made of scalings."""
    dimensions = {n: Dimension(e) for n, e in zip(problem.columns, found.exponents, strict=True)}
    return replace(problem, dimensions=dimensions, target_dimension=Dimension(found.target))
