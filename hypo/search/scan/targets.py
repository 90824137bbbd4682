"""Peeled targets: what remains of y after an outer operation is undone, and the way back.

A target is a vector t with steps such that y = step_k(… step_1(t)). A step is a unary operator (a *link*: y = exp(t)) or a
binary one with a known operand (a *peel*: y = t + u, y = t·u). Scans look for t; the steps turn what they find
into a formula for y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.search.library.context import first_order


@dataclass(frozen=True)
class Step:
    """y = op(t), y = op(t, operand) or, with ``left``, y = op(operand, t). ``rows`` (n_row,) are the operand's values."""

    op: int
    operand: Expression | None = None
    rows: NDArray[np.float64] | None = None
    left: bool = False

    def wrap(self, e: Expression) -> Expression:
        """The step applied to an expression."""
        if self.operand is None:
            return Expression.join(self.op, [e])
        return Expression.join(self.op, [self.operand, e] if self.left else [e, self.operand])


@dataclass(frozen=True)
class Target:
    """Values ``(n_row,)`` of a peeled target, its packed dimension (None: any), and the steps back to y.

    A target that started from denoised values keeps the data's own, ``noisy``, as long as its steps are linear: fits are made
    to those. With ``weighted`` fits carry the first-order weights |dy/dt| of the steps.
    """

    values: NDArray[np.float64]
    dimension: int | None
    steps: tuple[Step, ...] = ()
    noisy: NDArray[np.float64] | None = None
    weighted: bool = False

    def wrap(self, e: Expression) -> Expression:
        """A formula for y from one for the peeled target."""
        for step in self.steps:
            e = step.wrap(e)
        return e

    @property
    def fitted(self) -> NDArray[np.float64]:
        """The values that fits are made to."""
        return self.values if self.noisy is None else self.noisy

    def then(
        self, values: NDArray[np.float64], dimension: int | None, *steps: Step, noisy: NDArray[np.float64] | None = None
    ) -> Target:
        """The target behind further steps, given in the order they apply on the way back."""
        return Target(values, dimension, (*steps, *self.steps), noisy, self.weighted)

    def fit_root(self, root: NDArray[np.float64], log: bool) -> NDArray[np.float64]:
        """Roots of the weights in fits of t, or log|t|: ``root``, times |dy/dt| (or |dy/dlog t|) where ``weighted``."""
        if not self.weighted or not (log or any(s.operand is None or s.op in (oc.MUL, oc.DIV) for s in self.steps)):
            return root
        from hypo.kernels.cpu.pair_scan import apply_steps

        t = self.values
        h = 1e-6 * np.maximum(np.abs(t), 1e-3 * float(np.std(t)))
        up, down = t + h, t - h
        op, side, operands = self.kernel_steps()
        apply_steps(up, op, side, operands, len(t))
        apply_steps(down, op, side, operands, len(t))
        slope = np.abs(up - down) / (2 * h) * (np.abs(t) if log else 1.0)
        return root * first_order(slope)

    def kernel_steps(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Arrays ``(op, side, operand rows)`` for the refit kernel."""
        n = len(self.values)
        op = np.array([s.op for s in self.steps], np.int64)
        side = np.array([0 if s.operand is None else (-1 if s.left else 1) for s in self.steps], np.int64)
        operands = np.zeros((len(self.steps), n))
        for k, s in enumerate(self.steps):
            if s.rows is not None:
                operands[k] = s.rows
        return op, side, operands


ONE = Expression.constant(1.0)
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """One or more unary steps at once: ``undo(p)`` are the values t behind p, ``rate(p)`` is dp/dt up to its sign, and
    ``defined(p)`` says whether all of p (…, n_row) lies where that is one-to-one. ``power``: t has that power of p's
    dimension; None: both are pure numbers. With ``minus_one`` 1 is subtracted after the first step on the way back."""

    codes: tuple[int, ...]
    undo: Callable[[Rows], Rows]
    rate: Callable[[Rows], Rows]
    defined: Callable[[Rows], NDArray[np.bool_]]
    power: float | None = None
    minus_one: bool = False

    def is_allowed(self, operators: frozenset[str]) -> bool:
        """True if formulas may hold its steps."""
        names = {ops.BY_OPCODE[c].name for c in self.codes}
        if self.minus_one:
            quotient = oc.INV in self.codes
            return {"exp", "-"} <= operators and (not quotient or bool({"/", "inv"} & operators))
        return names <= operators

    def dimension(self, d: int | None) -> int | None:
        """The packed dimension behind a target of dimension ``d``."""
        if self.power is None:
            return 0
        if d is None or d * self.power != int(d * self.power):
            return None
        return int(d * self.power)

    def fits(self, d: int | None) -> bool:
        """True if a target of dimension ``d`` (None: any) can be behind it."""
        if self.power is None:
            return d is None or d == 0
        return d is None or d * self.power == int(d * self.power)

    def steps(self, n_row: int) -> tuple[Step, ...]:
        """Its steps, in the order they apply on the way back."""
        first, *rest = (Step(c) for c in self.codes)
        return (first, Step(oc.SUB, ONE, np.ones(n_row)), *rest) if self.minus_one else (first, *rest)


def _everywhere(condition: Callable[[Rows], NDArray[np.bool_]]) -> Callable[[Rows], NDArray[np.bool_]]:
    return lambda p: np.asarray(np.all(condition(p), axis=-1))


_positive = _everywhere(lambda p: p > 0)
_within_one = _everywhere(lambda p: np.abs(p) <= 1)
_right_angle = _everywhere(lambda p: np.abs(p) <= np.pi / 2)

LINKS: tuple[Link, ...] = (
    Link((oc.INV,), lambda p: 1.0 / p, lambda p: p**2, _everywhere(lambda p: p != 0), -1),
    Link((oc.SQRT,), lambda p: p**2, lambda p: 0.5 / p, _positive, 2),
    Link((oc.INV, oc.SQRT), lambda p: 1.0 / p**2, lambda p: 0.5 * p**3, _positive, -2),
    Link((oc.SQUARE,), np.sqrt, lambda p: 2.0 * np.sqrt(p), _positive, 0.5),
    Link((oc.INV, oc.SQUARE), lambda p: 1.0 / np.sqrt(p), lambda p: 2.0 * p * np.sqrt(p), _positive, -0.5),
    Link((oc.SQRT, oc.NEG), lambda p: p**2, lambda p: 0.5 / p, _everywhere(lambda p: p < 0), 2),
    Link((oc.EXP,), np.log, lambda p: p, _positive),
    Link((oc.LOG,), np.exp, lambda p: np.exp(-p), _everywhere(lambda p: p < 300)),
    Link((oc.ASIN,), np.sin, lambda p: 1.0 / np.cos(p), _right_angle),
    Link((oc.ATAN,), np.tan, lambda p: np.cos(p) ** 2, _right_angle),
    Link((oc.ACOS,), np.cos, lambda p: 1.0 / np.sin(p), _everywhere(lambda p: (p >= 0) & (p <= np.pi))),
    Link((oc.SIN,), np.arcsin, lambda p: np.sqrt(1.0 - p**2), _within_one),
    Link((oc.COS,), np.arccos, lambda p: np.sqrt(1.0 - p**2), _within_one),
    Link((oc.TANH,), np.arctanh, lambda p: 1.0 - p**2, _everywhere(lambda p: np.abs(p) < 1)),
    Link(
        (oc.SIN, oc.SQUARE),
        lambda p: np.arcsin(np.sqrt(p)),
        lambda p: 2.0 * np.sqrt(p * (1.0 - p)),
        _everywhere(lambda p: (p >= 0) & (p <= 1)),
    ),
    Link((oc.EXP,), np.log1p, lambda p: p + 1.0, _everywhere(lambda p: p > -1), minus_one=True),
    Link((oc.EXP, oc.INV), lambda p: np.log1p(1.0 / p), lambda p: p**2 + p, _positive, minus_one=True),
)


def links(t: Target, allowed: frozenset[str]) -> Iterator[Target]:
    """Targets behind one link (or a short chain of links) that is defined and one-to-one on the data.

    A link of a quantity with units must be a power; others need a pure number (``t.dimension`` 0 or None).
    """
    for link in LINKS:
        if link.fits(t.dimension) and link.is_allowed(allowed) and (found := behind(t, link)) is not None:
            yield found


def behind(t: Target, link: Link) -> Target | None:
    """The target behind a link; None where that is not defined, or constant."""
    with np.errstate(all="ignore"):
        if not link.defined(t.values):
            return None
        values = link.undo(t.values)
    if not np.all(np.isfinite(values)) or np.std(values) <= 1e-9 * float(np.max(np.abs(values)) or 1.0):
        return None
    return t.then(values, link.dimension(t.dimension), *link.steps(len(values)))


def peels(
    t: Target, members: list[tuple[Expression, NDArray[np.float64], int]], allowed: frozenset[str], free_dimension: bool
) -> Iterator[Target]:
    """Targets left by y = t ± u and y = t·u for known members u = (formula, values, packed dimension)."""
    y, d = t.values, t.dimension

    def noisy(undo: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64] | None:
        return None if t.noisy is None else undo(t.noisy)

    for e, values, dim in members:
        same = free_dimension or d is None or dim == d
        if same:
            for op, undo, left in ((oc.ADD, values.__rsub__, False), (oc.SUB, values.__add__, False)):
                rest = undo(y)
                if ops.BY_OPCODE[op].name in allowed and np.std(rest) > 1e-12 * np.max(np.abs(y)):
                    yield t.then(rest, d, Step(op, e, values, left), noisy=noisy(undo))
        if np.all(values != 0) and "*" in allowed:
            rest = y / values
            if np.all(np.isfinite(rest)) and np.std(rest) > 1e-12 * np.max(np.abs(rest)):
                known = noisy(values.__rtruediv__)
                yield t.then(rest, None if d is None else d - dim, Step(oc.MUL, e, values), noisy=known)
