"""Parametric atoms: functions with a constant inside, on a coarse grid of that constant, scanned like members of a library, for
the target and for what is left of it by a simple argument.

For an argument u (a column, or a simple formula) these are exp(c·u), exp(c·(u − d)²), sin(c·u + φ), tanh(c·(u − d)),
log(u + c), 1/(u + c) and u^p, and where they are named min(u, d), max(u, d) and |u − d|. The grid of c follows the spread of u
over the data, so that between two values some atom is close enough to be found; the fit that follows takes c to where it
belongs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.kernels import opcodes as oc
from hypo.likelihood.base import Gaussian
from hypo.search.library.context import LibraryView
from hypo.search.library.library import Library, Seed
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.scan import forms
from hypo.search.scan.race import ScanHit, build
from hypo.search.scan.targets import Target, links, peels

# Grids, for u of spread 1. Rates of exp.
RATES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.0, 16.0)
# Radians that sin runs through.
FREQUENCIES = tuple(np.arange(1.0, 41.0))
# Phases of sin, in radians.
PHASES = (0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4)
# Steepness of tanh.
SLOPES = (2.0, 5.0, 12.0)
# Steepness of bells.
WIDTHS = (4.0, 16.0, 64.0)
# Centres of tanh and of bells, as shares of the spread.
CENTRES = (0.1, 0.3, 0.5, 0.7, 0.9)
# Where min, max and |u − d| have their corner.
CORNERS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Distances of a pole from the data, in spreads of u, and powers.
OFFSETS = (0.03, 0.1, 0.3, 1.0, 3.0)
POWERS = (-3.0, -2.5, -1.5, -0.75, -0.5, -1 / 3, 0.25, 1 / 3, 2 / 3, 0.75, 1.5, 2.5, 3.0, 4.0)
# Turns: seconds, arguments (the simplest first), members that atoms are combined with, and what is scanned.
TURNS = (
    (1.2, 6, 60, "sums"), (0.8, 6, 60, "products"), (1.2, 6, 60, "peels"),
    (4.0, 24, 150, "sums"), (1.5, 24, 150, "products"), (3.0, 24, 150, "peels"),
)  # fmt: skip
# Members that atoms are multiplied by, to be terms of sums.
FACTORS = 6
# The most rows of a library of atoms.
MOST_ROWS = 6000
# Rows in the scan of products.
PRODUCT_ROWS = 1500
# Formulas proposed after each scan.
BUILT = 12
# Arguments that the target is divided and multiplied by, to be a sum of atoms behind a link: u/y = a·exp(c·u) + b.
PEELED = 3
# Hits that are fitted on few rows.
TRIED = 300
# Those rows.
FIT_ROWS = 300
# Steps of these fits.
FIT_STEPS = 20
# Of hits that differ in the grid's values only so many are fitted, the best ones.
ALIKE = 2
# Of each target's hits of so many terms so many come first.
SHORT = {1: 3, 2: 2}


class Atoms:
    """The proposer that scans sums and products of parametric atoms and library members."""

    def __init__(self, workspace: Workspace, name: str = "atoms") -> None:
        self.name = name
        self._ctx, self._library, self._report = workspace.context, workspace.library, workspace.report
        is_able = workspace.settings.fit_constants and {"*", "+"} <= self._ctx.problem.allowed
        self._turn = 0 if is_able else len(TURNS)

    @property
    def cost(self) -> float:
        """Seconds of the next turn."""
        return TURNS[self._turn][0] if self._turn < len(TURNS) else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas with constants inside functions."""
        _, n_argument, n_member, kind = TURNS[self._turn]
        self._turn += 1
        ctx, problem = self._ctx, self._ctx.problem
        if turn.done:
            return
        self._report(f"{self.name}: parametric {kind}")
        self._library.grow(4 * n_member, max_cost=problem.max_complexity, deadline=turn.clock.deadline)
        members, arguments = self._members(n_argument)
        view = LibraryView(self._atoms(members[:n_member], arguments), ctx.X, 10**9, problem.max_complexity - 2)
        if not len(view.members) or turn.done:
            return
        target = self._target()
        if kind == "products":
            hits = forms.products(ctx, view, [target], PRODUCT_ROWS)
        elif kind == "sums":
            hits = forms.sums(ctx, view, [target, *links(target, problem.allowed)], forms.KEEP_PEELED)
        else:
            peeled = [v for t in self._peel(target, arguments) for v in (t, *links(t, problem.allowed))]
            hits = forms.sums(ctx, view, peeled, forms.KEEP_PEELED, triples=False)
        yield from self._refine(hits, turn)

    def _refine(self, hits: list[ScanHit], turn: Turn) -> Iterator[Expression]:
        """The best hits after a quick fit on few rows: on the grid alone a good form can look worse than a poor one."""
        ctx = self._ctx
        stride = max(1, len(ctx.y) // FIT_ROWS)
        X, y, root = np.ascontiguousarray(ctx.X[:, ::stride]), ctx.y[::stride].copy(), ctx.root[::stride].copy()
        likelihood = Gaussian(y, weights=root**2)
        rss = np.array([h.rss for h in hits])
        score = ctx.scorer.approximate(rss, np.array([h.size for h in hits]), len(ctx.y))
        found: list[tuple[float, int, Expression]] = []
        for n, k in enumerate(_choose_hits(hits, np.argsort(score, kind="stable"))):
            if turn.clock.expired:
                break
            e = build(hits[k], ctx.root, ctx.problem.columns)
            if e is None:
                continue
            e = fit(e, X, ctx.problem.columns, likelihood, options=DescentOptions(steps=FIT_STEPS, descents=1))
            left = likelihood.rss(y - Program.of(e, ctx.problem.columns).value(X))
            found.append((float(ctx.scorer.approximate(np.array([left]), np.array([float(len(e))]), len(y))[0]), n, e))
        turn.clock.scored += len(found)
        for _, _, e in sorted(found, key=lambda f: f[:2])[:BUILT]:
            if turn.done:
                return
            yield e

    def _target(self) -> Target:
        # A constant inside a function may carry units, and then so may its coefficient: dimensions do not prune here.
        smooth = self._ctx.smooth
        plain = Target(self._ctx.y, None, weighted=True)
        return plain if smooth is None else replace(plain, values=smooth, noisy=self._ctx.y)

    def _peel(self, t: Target, arguments: NDArray[np.int64]) -> list[Target]:
        """The target divided and multiplied by each of the first arguments."""
        lib, allowed = self._library, self._ctx.problem.allowed
        members: list[tuple[Expression, NDArray[np.float64], int]] = []
        for m in arguments[:PEELED]:
            u, values, d = lib.expression(int(m)), lib.evaluate(np.array([m]), self._ctx.X)[0], int(lib.dims[m])
            if not u.variables or not np.all(values != 0):
                continue
            for each in ((u, values, d), *([(1 / u, 1 / values, -d)] if "/" in allowed else [])):
                if not any(np.allclose(each[1], other) for _, other, _ in members):
                    members.append(each)
        return [p for p in peels(t, members, allowed, False) if p.steps[0].op == oc.MUL]

    def _members(self, n_argument: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Members that may stand in a formula, and the first ones that atoms are made of."""
        members = LibraryView(self._library, self._ctx.X, self._library.count, self._ctx.problem.max_complexity).members
        # As far as needed: the library may be a scanner's, of a hundred thousand members.
        rational = islice((m for m in members if self._is_rational(int(m))), n_argument)
        return members, np.fromiter(rational, np.int64)

    def _atoms(self, members: NDArray[np.int64], arguments: NDArray[np.int64]) -> Library:
        """Members and the atoms of the arguments, as a library."""
        lib = self._library
        seeds = [lib.member(int(m)) for m in members]
        atoms: list[Seed] = []
        for m in arguments:
            u, d = lib.expression(int(m)), int(lib.dims[m])
            for e, values, power in _make_atoms(u, lib.values[m], self._ctx.problem.allowed):
                dimension = d * power
                if np.all(np.isfinite(values)) and dimension == int(dimension):
                    atoms.append(Seed(e, len(e), values, int(dimension)))
        seeds += atoms
        for f in seeds[:FACTORS]:
            seeds += [f * a for a in atoms[: max(0, MOST_ROWS - len(seeds))]]
        return lib.make_holding(seeds, deadline=self._ctx.clock.deadline)

    def _is_rational(self, member: int) -> bool:
        """True if a member is made of + − × ÷ and squares: the inside of an atom is no function itself."""
        return all(ops.BY_OPCODE[op].name in _RATIONAL for op, _ in self._library.expression(member).code if op > 1)


def _choose_hits(hits: Sequence[ScanHit], order: NDArray[np.int64]) -> list[int]:
    """The hits to fit, ``order`` being the best first. A law of few terms looks poor as long as c is off, and is exact once c
    is right: the best short hits of each target come first."""
    alike, short = Counter[tuple[int, tuple[str, ...]]](), Counter[tuple[int, int]]()
    shapes: dict[int, str] = {}
    first: list[int] = []
    rest: list[int] = []
    for k in map(int, order):
        hit = hits[k]
        members = [int(m) for m in hit.rows.members[list(hit.terms)]]
        for m in members:
            if m not in shapes:
                shapes[m] = hit.rows.library.expression(m).masked()
        shape = id(hit.target), tuple(sorted(shapes[m] for m in members))
        alike[shape] += 1
        if alike[shape] > ALIKE:
            continue
        kind = id(hit.target), len(members)
        short[kind] += 1
        (first if short[kind] <= SHORT.get(len(members), 0) else rest).append(k)
    return (first + rest)[:TRIED]


_RATIONAL = frozenset({"+", "-", "*", "/", "inv", "square", "neg"})


def _make_atoms(
    u: Expression, values: NDArray[np.float64], allowed: frozenset[str]
) -> Iterator[tuple[Expression, NDArray[np.float64], float]]:
    """The atoms of one argument: formula, values, and the power of u's dimension that it has."""
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if not 1e-150 < spread < 1e150:
        return

    def free(value: float) -> Expression:
        return Expression.constant(value, free=True)

    def shifted(d: float) -> tuple[Expression, NDArray[np.float64]]:
        return (u - free(d), values - d) if d >= 0 else (u + free(-d), values - d)

    apply = Expression.apply
    if "exp" in allowed:
        for c in (s * r / spread for r in RATES for s in (1.0, -1.0)):
            yield apply("exp", free(c) * u), np.exp(c * values), 0.0
        for d in CENTRES:
            v, w = shifted(low + d * spread)
            for c in WIDTHS:
                yield apply("exp", free(-c / spread**2) * v**2), np.exp(-c * (w / spread) ** 2), 0.0
    if "sin" in allowed:
        for c in FREQUENCIES:
            for phase in PHASES:
                yield (apply("sin", free(c / spread) * u + free(phase)), np.sin(c / spread * values + phase), 0.0)
    if "tanh" in allowed:
        for d in CENTRES:
            v, w = shifted(low + d * spread)
            for c in SLOPES:
                yield apply("tanh", free(c / spread) * v), np.tanh(c / spread * w), 0.0
    yield from _make_corners(u, values, allowed)
    for r in OFFSETS:
        for d in (low - r * spread, high + r * spread):
            v, w = shifted(d)
            if "/" in allowed:
                yield 1 / v, 1 / w, -1.0
            if "log" in allowed and d < low:
                yield apply("log", v), np.log(w), 0.0
    if low > 0 and "**" in allowed:
        for p in POWERS:
            yield u ** free(p), values**p, p


def _make_corners(
    u: Expression, values: NDArray[np.float64], allowed: frozenset[str]
) -> Iterator[tuple[Expression, NDArray[np.float64], float]]:
    """The atoms of one argument with a corner at d, as :func:`_make_atoms` gives them: laws that change there, or saturate."""
    low, spread = float(values.min()), float(np.ptp(values))
    for d in (low + share * spread for share in CORNERS):
        number = Expression.constant(d, free=True)
        if "min" in allowed:
            yield Expression.apply("min", u, number), np.minimum(values, d), 1.0
        if "max" in allowed:
            yield Expression.apply("max", u, number), np.maximum(values, d), 1.0
        if "abs" in allowed:
            yield Expression.apply("abs", u - number), np.abs(values - d), 1.0
