"""The targets and libraries of one library scan, which its strategies share: :class:`ScanScope` says of what part of a problem,
:class:`ScanState` holds what is known of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.problem import Settings
from hypo.search.library.context import Context
from hypo.search.library.library import Library
from hypo.search.library.orbits import Orbits
from hypo.search.library.seeds import group_library, leads, plain_library
from hypo.search.scan.targets import Target, peels
from hypo.units import Dimension


@dataclass(frozen=True)
class ScanScope:
    """The part of a problem that a library scan is for; by default all of it.

    ``name`` is that of its proposer. ``start`` is a target from which the variables not in ``lines`` were divided out. With
    ``orbits`` only what these leave of the library is scanned. ``has_members``: members are proposed by themselves too, for the
    certificate. ``has_differences``: π groups may hold differences of variables. ``is_of_invariants``: the columns are what a
    reduction left, few and worth a closer look.
    """

    name: str = "library"
    start: Target | None = None
    lines: tuple[int, ...] | None = None
    orbits: Orbits | None = None
    has_members: bool = True
    has_differences: bool = True
    is_of_invariants: bool = False


class ScanState:
    """The libraries of a scan, ``plain`` and, under units, ``groups`` (π groups), and its targets: ``identity`` is y as it is,
    ``denoised`` what a smooth stand-in leaves of it, where there is noise."""

    def __init__(self, ctx: Context, settings: Settings, scope: ScanScope) -> None:
        problem = ctx.problem
        self.ctx = ctx
        dimension = None
        if problem.has_units and problem.target_dimension is not None:
            dimension = problem.pack(problem.target_dimension)
        self.identity = Target(ctx.y, dimension) if scope.start is None else scope.start
        self.denoised: Target | None = None
        self.lines = tuple(range(len(problem.columns))) if scope.lines is None else scope.lines
        self.plain = plain_library(ctx, settings, self.lines, inner_numbers=scope.is_of_invariants)
        self.groups: Library | None = None
        # Products of powers that carry the target's dimension.
        self.leads: Sequence[Expression] = ()
        exact = self._exact_dimension()
        if dimension is not None and exact is not None and settings.fit_constants and scope.orbits is None:
            self.groups = group_library(ctx, settings, self.lines, scope.has_differences)
            self.leads = leads(ctx, self.lines, exact)

    @property
    def max_cost(self) -> int:
        """Members larger than this cannot take part in a formula with a fitted constant (a product with it)."""
        return self.ctx.problem.max_complexity - 2

    @property
    def allowed(self) -> frozenset[str]:
        """The operators that formulas may have."""
        return self.ctx.problem.allowed

    @property
    def starts(self) -> list[Target]:
        """The target, and before it the denoised one if there is noise."""
        self.denoise()
        return self.known_starts

    @property
    def known_starts(self) -> list[Target]:
        """As :attr:`starts`, without looking for noise."""
        return [self.identity] if self.denoised is None else [self.denoised, self.identity]

    def denoise(self) -> None:
        """Look for noise; where there is, scans go for the denoised target too, and fits weight rows to first order."""
        smooth = self.ctx.smooth
        if smooth is None or self.denoised is not None:
            return
        values, noisy = smooth, self.ctx.y
        for step in reversed(self.identity.steps):
            assert step.op == oc.MUL and step.rows is not None
            values, noisy = values / step.rows, noisy / step.rows
        self.identity = replace(self.identity, weighted=True)
        self.denoised = replace(self.identity, values=values, noisy=noisy)

    def divide_by_leads(self) -> list[Target]:
        """The target divided by each of a few products of powers that carry its dimension."""
        start = self.known_starts[0]
        if not self.leads:
            return [start]
        members = [
            (e, Program.of(e, self.ctx.problem.columns).value(self.ctx.X), self.identity.dimension or 0)
            for e in self.leads
        ]
        led = [t for t in peels(start, members, frozenset({"*"}), False) if t.steps[0].op == oc.MUL]
        return [start, *led] if start.dimension == 0 else led

    def shift_by_one(self, t: Target) -> list[Target]:
        """A target of a pure number, ± 1."""
        one = [(Expression.constant(1.0), np.ones(len(self.ctx.y)), 0)]
        return [u for u in peels(t, one, self.allowed, False) if u.steps[0].op != oc.MUL]

    def _exact_dimension(self) -> Dimension | None:
        """The start target's dimension with exact exponents."""
        d = self.ctx.problem.target_dimension
        if d is None:
            return None
        for step in reversed(self.identity.steps):
            if step.op == oc.MUL and step.operand is not None:
                found = infer(step.operand, self.ctx.problem.dimensions).dimension
                d = d / found if found is not None else d
        return d
