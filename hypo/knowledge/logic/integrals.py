"""Integrals in first-order rules: numbers by Gauss-Legendre quadrature, bounds by sums over panels.

An integral that quadrature does not find is undefined (NaN): the integrand has no value at some node, or its sums do not come
to rest as panels are halved, as at a pole.

Two bounds on each integral are intersected, both with x = a + t·(b - a) and equal panels of t. One takes the integrand's bounds
over each panel. The other, where the integrand g is analytic, is Simpson's rule with its remainder: over a panel of width h,
h·(g₀ + 4·g₁ + g₂)/6 - h⁵·g⁗(ξ)/2880. F. B. Hildebrand, *Introduction to Numerical Analysis* (1987), section 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.intervals import FUNCTIONS, Enclosure, enclose
from hypo.expression.analysis.rounding import Bounds
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.knowledge.claims.claim import Boxes, Claim, Points, Sides, Values
from hypo.knowledge.claims.comparison import Comparison


class Effort(NamedTuple):
    """How much quadrature may do for an integral.

    It begins with ``panels``, halves up to ``halvings`` times, and goes on with at most ``most`` panels for each integral (or
    ``least_most`` in all). Panels whose sums agree to ``converged`` of the integral of the size are done. ``unrest`` is what
    part of it the last halving may change; more is a pole or the like.
    """

    panels: int
    halvings: int
    most: int
    least_most: int
    converged: float
    unrest: float


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_FINE = Effort(panels=16, halvings=30, most=64, least_most=1024, converged=1e-11, unrest=1e-3)
"""With 16 panels, what a corner between the outermost nodes of a panel hides is below 1e-6."""
_COARSE = Effort(panels=2, halvings=4, most=4, least_most=0, converged=1e-8, unrest=0.03)
"""For integrals within each other or under ``exists``, which are taken at many points."""
_KEPT = 4
"""Sets of points whose values are kept: those of the margins, their scale and a witness."""
_MAX_NODES = 400
"""Integrands with a fourth derivative of more nodes than this are bounded without it."""
# Operators without corners or branch points wherever they are defined.
_ANALYTIC = frozenset({oc.VAR, oc.CONST, *(row.opcode for row in ops.OPERATORS if row.is_analytic)})
_BOUNDED = 32
"""Panels of a bound on an integral; a power of two, so that they end at exact fractions."""


@dataclass(frozen=True)
class Quantity:
    """A formula in which each variable named as one of ``integrals`` stands for it."""

    expression: Expression
    integrals: tuple[Quadrature, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that occur."""
        return _names(self.expression.variables, self.integrals)

    def at(self, points: Points, n: int) -> Values:
        """Values (n,) at the points; NaN where undefined."""
        known = with_integrals(points, self.integrals, n)
        columns = self.expression.variables
        X = np.ascontiguousarray([known[v] for v in columns]) if columns else np.empty((0, n))
        out = Program.of(self.expression, columns).value(X)
        out[~np.isfinite(out)] = np.nan
        return out

    def enclose(self, boxes: Boxes, n: int) -> Enclosure:
        """Bounds (n,) over the boxes."""
        known, defined = with_bounds(boxes, self.integrals, n)
        found = enclose(self.expression, known)
        return Enclosure(*(np.broadcast_to(part, n) for part in (found.lo, found.hi, found.defined & defined)))


@dataclass(frozen=True)
class Quadrature:
    """``∫ integrand d(variable)`` from ``low`` to ``high``, known as ``name``; ``coarse`` begins with few panels."""

    name: str
    integrand: Quantity
    variable: str
    low: Quantity
    high: Quantity
    coarse: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that occur, but for the integrated one."""
        return self.integrand.names - {self.variable} | self.low.names | self.high.names

    @cached_property
    def work(self) -> int:
        """The integrand's evaluations for a smooth one: each panel and its halves."""
        inner = sum(q.work for q in self.integrand.integrals)
        ends = sum(q.work for q in self.low.integrals + self.high.integrals)
        return 3 * len(_NODES) * self.effort.panels * max(inner, 1) + ends

    @property
    def effort(self) -> Effort:
        """How much quadrature may do."""
        return _COARSE if self.coarse else _FINE

    def at(self, points: Points, n: int) -> Values:
        """Values (n,), by halving panels until eight nodes in each agree with sixteen; NaN where a node is undefined or the
        sums do not come to rest."""
        wanted = (n, *(points[name].tobytes() for name in sorted(self.names)))
        if wanted not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[wanted] = self._integrate(points, n)
        return self._known[wanted].copy()

    @cached_property
    def _known(self) -> dict[tuple[object, ...], Values]:
        """Values at the points last asked for: margins, their scale and a witness are taken from the same ones."""
        return {}

    def _integrate(self, points: Points, n: int) -> Values:
        a, b = self.low.at(points, n), self.high.at(points, n)
        outer = {name: points[name] for name in self.integrand.names - {self.variable}}
        panels, halvings, most, least_most, converged, unrestful = self.effort
        most = max(most * n, least_most)
        total, unrest = np.zeros(n), np.zeros(n)
        # Panels that are not settled: which integral they are part of, from where to where as parts of it, and their sums.
        edges = np.linspace(0, 1, panels + 1)
        which, left, right = np.repeat(np.arange(n), panels), np.tile(edges[:-1], n), np.tile(edges[1:], n)
        with np.errstate(all="ignore"):
            sums, sizes = self._panels(outer, a, b, which, left, right)
            size = np.bincount(which, sizes, n)
            for halving in range(halvings):
                middle = (left + right) / 2
                halves = np.concatenate([left, middle]), np.concatenate([middle, right])
                parts, part_sizes = self._panels(outer, a, b, np.tile(which, 2), *halves)
                m = len(which)
                finer, larger = parts[:m] + parts[m:], part_sizes[:m] + part_sizes[m:]
                size += np.bincount(which, larger - sizes, n)
                crude = np.abs(finer - sums) > converged * size[which]
                if halving + 1 == halvings or crude.sum() > most:
                    # At a pole halves and wholes differ as much at the last as at the first.
                    change = np.maximum(np.abs(finer - sums), np.abs(larger - sizes))
                    unrest += np.bincount(which, change, n)
                    crude[:] = False
                total += np.bincount(which[~crude], finer[~crude], n)
                if not crude.any():
                    break
                again = np.tile(crude, 2)
                which, left, right = np.tile(which, 2)[again], halves[0][again], halves[1][again]
                sums, sizes = parts[again], part_sizes[again]
            total[~(unrest <= unrestful * size)] = np.nan
        return total

    def _panels(
        self, outer: Points, a: Values, b: Values, which: NDArray[np.int64], left: Values, right: Values
    ) -> tuple[Values, Values]:
        """Gauss-Legendre sums over panels, and those of the integrand's size."""
        t = left[:, None] + (right - left)[:, None] * (1 + _NODES) / 2
        whole = (b - a)[which]
        x = a[which][:, None] + t * whole[:, None]
        inner = {name: np.repeat(values[which], len(_NODES)) for name, values in outer.items()}
        values = self.integrand.at({**inner, self.variable: x.ravel()}, x.size).reshape(x.shape)
        factor = whole * (right - left) / 2
        return factor * (values @ _WEIGHTS), np.abs(factor) * (np.abs(values) @ _WEIGHTS)

    def enclose(self, boxes: Boxes, n: int) -> Enclosure:
        """Bounds (n,): with x = a + t·(b - a), the sum over panels of t of (b - a)·width times the bounds on the integrand."""
        a, b = (q.enclose(boxes, n) for q in (self.low, self.high))
        width = FUNCTIONS["sub"](b[:2], a[:2])
        edges = np.arange(_BOUNDED + 1) / _BOUNDED
        t = (np.tile(edges[:-1], n), np.tile(edges[1:], n))
        sides = (a.lo, a.hi, width.lo, width.hi, np.minimum(a.lo, b.lo), np.maximum(a.hi, b.hi))
        many = [np.repeat(side, _BOUNDED) for side in sides]
        x = FUNCTIONS["add"]((many[0], many[1]), FUNCTIONS["mul"](t, (many[2], many[3]))[:2])
        # Every x lies between the ends as well.
        x_box = (np.fmax(x.lo, many[4]), np.fmin(x.hi, many[5]))
        inner = {
            name: (np.repeat(boxes[name][0], _BOUNDED), np.repeat(boxes[name][1], _BOUNDED))
            for name in self.integrand.names - {self.variable}
        }
        g = self.integrand.enclose({**inner, self.variable: x_box}, n * _BOUNDED)
        share = 1.0 / _BOUNDED
        lo, hi = _times(width[:2], _times((share, share), _total(g[:2], n)))
        defined = g.defined.reshape(n, _BOUNDED).all(axis=1) & a.defined & b.defined & np.isfinite(lo) & np.isfinite(hi)
        # An integrand without a value on a whole panel leaves no integral.
        nowhere = np.isnan(g.lo).reshape(n, _BOUNDED).any(axis=1) & ((a.hi < b.lo) | (b.hi < a.lo))
        finer = self._simpson({**inner, self.variable: x_box}, (a, b, width), n) if defined.any() else None
        if finer is not None:
            # Simpson's rule says nothing (NaN) where a derivative is not defined.
            lo, hi = np.fmax(lo, finer[0]), np.fmin(hi, finer[1])
        return Enclosure(np.where(nowhere, np.nan, lo), np.where(nowhere, np.nan, hi), defined & ~nowhere)

    def _simpson(self, panels: Boxes, ends: tuple[Enclosure, Enclosure, Enclosure], n: int) -> Bounds | None:
        """Bounds (n,) by Simpson's rule; NaN where the fourth derivative is not defined, None where the rule fails."""
        fourth = _fourth_derivative(self.integrand.expression, self.variable)
        if self.integrand.integrals or fourth is None or not _is_analytic(self.integrand.expression, panels):
            return None
        a, _, width = ends
        m = n * _BOUNDED
        t = np.arange(2 * _BOUNDED + 1) / (2 * _BOUNDED)
        many = [np.repeat(side, len(t)) for side in (a.lo, a.hi, width.lo, width.hi)]
        every = np.tile(t, n)
        places = FUNCTIONS["add"]((many[0], many[1]), _times((every, every), (many[2], many[3])))
        firsts = {name: (lo[::_BOUNDED], hi[::_BOUNDED]) for name, (lo, hi) in panels.items()}
        boxes = {name: (np.repeat(lo, len(t)), np.repeat(hi, len(t))) for name, (lo, hi) in firsts.items()}
        nodes = enclose(self.integrand.expression, {**boxes, self.variable: places[:2]})
        weight = np.tile(np.concatenate([[1.0], np.tile([4.0, 2.0], _BOUNDED)[:-1], [1.0]]), n)
        values = _times((weight, weight), _spread(nodes, n * len(t)))
        share = 1.0 / (6 * _BOUNDED)
        rule = _times(width[:2], _times((np.nextafter(share, 0), np.nextafter(share, 1)), _total(values, n)))
        bend = enclose(fourth, panels)
        total = _total(_spread(bend, m), n)
        power = FUNCTIONS["mul"](width[:2], FUNCTIONS["square"](FUNCTIONS["square"](width[:2])[:2])[:2])[:2]
        share = 1.0 / (2880.0 * _BOUNDED**5)
        rest = _times(power, _times((np.nextafter(share, 0), np.nextafter(share, 1)), total))
        lo, hi = FUNCTIONS["sub"](rule, rest)[:2]
        smooth = np.broadcast_to(bend.defined, m).reshape(n, _BOUNDED).all(axis=1) & np.broadcast_to(
            nodes.defined, n * len(t)
        ).reshape(n, -1).all(axis=1)
        return np.where(smooth, lo, np.nan), np.where(smooth, hi, np.nan)


@dataclass(frozen=True)
class IntegralComparison(Claim):
    """A comparison whose sides hold integrals, as variables of their names."""

    comparison: Comparison
    integrals: tuple[Quadrature, ...]

    @property
    def names(self) -> frozenset[str]:
        return _names(self.comparison.names, self.integrals)

    @property
    def work(self) -> int:
        return sum(q.work for q in self.integrals)

    def margin(self, points: Points) -> Values:
        return self.comparison.margin(self._with(points))

    def sides(self, points: Points, index: int) -> Sides:
        at = {name: values[index : index + 1] for name, values in points.items()}
        return self.comparison.sides(self._with(at), 0)

    def enclose(self, boxes: Boxes) -> Enclosure:
        known, defined = with_bounds(boxes, self.integrals, _count(boxes))
        found = self.comparison.enclose(known)
        return Enclosure(found.lo, found.hi, found.defined & defined)

    def fix_scale(self, points: Points) -> Claim:
        scaled = self.comparison.fix_scale(self._with(points))
        assert isinstance(scaled, Comparison)
        return replace(self, comparison=scaled)

    def _with(self, points: Points) -> Points:
        return with_integrals(points, self.integrals, _count(points))


def with_integrals(points: Points, integrals: tuple[Quadrature, ...], n: int) -> Points:
    """``points`` and the values of the integrals there."""
    return {**points, **{q.name: q.at(points, n) for q in integrals}}


def with_bounds(boxes: Boxes, integrals: tuple[Quadrature, ...], n: int) -> tuple[Boxes, Values]:
    """``boxes`` and bounds on the integrals over them, and whether these are defined everywhere; where they may not be, the
    bounds are infinite, and NaN where they are nowhere."""
    known = dict(boxes)
    defined = np.ones(n, dtype=bool)
    for q in integrals:
        found = q.enclose(boxes, n)
        kept = found.defined | np.isnan(found.lo)
        known[q.name] = (np.where(kept, found.lo, -np.inf), np.where(kept, found.hi, np.inf))
        defined &= found.defined
    return known, defined


@lru_cache(maxsize=256)
def _fourth_derivative(e: Expression, by: str) -> Expression | None:
    """∂⁴e/∂x⁴ if it stays of moderate size. It may be defined at corners of ``e`` too."""
    for _ in range(4):
        e = derivative(e, by)
        if len(e) > _MAX_NODES:
            return None
    return e


def _is_analytic(e: Expression, boxes: Boxes) -> bool:
    """True if ``e`` has neither corners nor branch points in any of the boxes, wherever it is defined."""
    for i, (op, _) in enumerate(e.code):
        if op in (oc.SQRT, oc.POW):
            base = e.subtree(i).children[0]
            if not np.all(enclose(base, boxes).lo > 0):
                return False
        elif op not in _ANALYTIC:
            return False
    return True


def _times(u: Bounds, v: Bounds) -> Bounds:
    return FUNCTIONS["mul"](u, v)[:2]


def _spread(found: Enclosure, n: int) -> Bounds:
    return np.broadcast_to(found.lo, n), np.broadcast_to(found.hi, n)


def _total(bounds: Bounds, n: int) -> Bounds:
    """Bounds (n,) on sums of as many consecutive numbers each."""
    lo, hi = (np.asarray(side).reshape(n, -1) for side in bounds)
    total = lo[:, 0], hi[:, 0]
    for k in range(1, lo.shape[1]):
        total = FUNCTIONS["add"](total, (lo[:, k], hi[:, k]))[:2]
    return total


def _count(columns: Mapping[str, object]) -> int:
    """Number of points or boxes."""
    for values in columns.values():
        return len(values[0]) if isinstance(values, tuple) else len(values)  # type: ignore[arg-type]
    return 1


def _names(names: Iterable[str], integrals: tuple[Quadrature, ...]) -> frozenset[str]:
    own = {q.name for q in integrals}
    return (frozenset(names) - own).union(*(q.names for q in integrals))
