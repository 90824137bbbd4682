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

from hypo.expression import ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc


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
        if not self.weighted or not (log or any(s.operand is None or s.op == oc.MUL for s in self.steps)):
            return root
        from hypo.kernels.scan import apply_steps

        t = self.values
        h = 1e-6 * np.maximum(np.abs(t), 1e-3 * float(np.std(t)))
        up, down = t + h, t - h
        op, side, operands = self.kernel_steps()
        apply_steps(up, op, side, operands, len(t))
        apply_steps(down, op, side, operands, len(t))
        slope = np.abs(up - down) / (2 * h) * (np.abs(t) if log else 1.0)
        return root * first_order(slope)

    def kernel_steps(self) -> tuple[NDArray, NDArray, NDArray]:
        """Arrays ``(op, side, operand rows)`` for the refit kernel."""
        n = len(self.values)
        op = np.array([s.op for s in self.steps], np.int64)
        side = np.array([0 if s.operand is None else (-1 if s.left else 1) for s in self.steps], np.int64)
        operands = np.zeros((len(self.steps), n))
        for k, s in enumerate(self.steps):
            if s.rows is not None:
                operands[k] = s.rows
        return op, side, operands


def first_order(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """|dy/dt| as roots of weights: relative to its largest value, and not so small that a row would be lost."""
    slope = np.where(np.isfinite(slope), slope, 0.0)
    top = float(slope.max(initial=0.0))
    return np.maximum(slope / top, 1e-4) if top > 0 else np.ones_like(slope)


ONE = Expression.constant(1.0)


def links(t: Target, allowed: frozenset[str]) -> Iterator[Target]:
    """Targets behind one link (or a short chain of links) that is defined and one-to-one on the data.

    A link of a quantity with units must be a power; others need a pure number (``t.dimension`` 0 or None).
    """
    y, d = t.values, t.dimension
    pure = d is None or d == 0
    positive = bool(np.all(y > 0))

    def power(factor: float) -> int | None:
        if d is None:
            return None
        scaled = d * factor
        return int(scaled) if scaled == int(scaled) else None

    def usable(values: NDArray[np.float64]) -> bool:
        if not np.all(np.isfinite(values)):
            return False
        spread = float(np.std(values))
        return spread > 1e-9 * float(np.max(np.abs(values)) or 1.0)

    def link(values: NDArray[np.float64], dimension: int | None, *codes: int) -> Iterator[Target]:
        if usable(values) and all(ops.BY_OPCODE[c].name in allowed for c in codes):
            yield t.then(values, dimension, *(Step(c) for c in codes))

    with np.errstate(all="ignore"):
        if np.all(y != 0):
            yield from link(1.0 / y, power(-1), oc.INV)
        if positive:
            yield from link(y**2, power(2), oc.SQRT)
            yield from link(1.0 / y**2, power(-2), oc.INV, oc.SQRT)
            if d is None or power(0.5) is not None:
                yield from link(np.sqrt(y), power(0.5), oc.SQUARE)
                yield from link(1.0 / np.sqrt(y), power(-0.5), oc.INV, oc.SQUARE)
        elif np.all(y < 0):
            yield from link(y**2, power(2), oc.SQRT, oc.NEG)
        if not pure:
            return
        if positive:
            yield from link(np.log(y), 0, oc.EXP)
        if np.max(y) < 300:
            yield from link(np.exp(y), 0, oc.LOG)
        if np.all(np.abs(y) <= np.pi / 2):
            yield from link(np.sin(y), 0, oc.ASIN)
            yield from link(np.tan(y), 0, oc.ATAN)
        if np.all((y >= 0) & (y <= np.pi)):
            yield from link(np.cos(y), 0, oc.ACOS)
        if np.all(np.abs(y) <= 1):
            yield from link(np.arcsin(y), 0, oc.SIN)
            yield from link(np.arccos(y), 0, oc.COS)
            if np.all(np.abs(y) < 1):
                yield from link(np.arctanh(y), 0, oc.TANH)
            if np.all(y >= 0):
                yield from link(np.arcsin(np.sqrt(y)), 0, oc.SIN, oc.SQUARE)
        minus_one = Step(oc.SUB, ONE, np.ones(len(y)))
        if np.all(y > -1) and {"exp", "-"} <= allowed:
            values = np.log1p(y)
            if usable(values):
                yield t.then(values, 0, Step(oc.EXP), minus_one)
            if positive and {"/", "inv"} & allowed and usable(np.log1p(1.0 / y)):
                yield t.then(np.log1p(1.0 / y), 0, Step(oc.EXP), minus_one, Step(oc.INV))


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
