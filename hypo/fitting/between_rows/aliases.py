"""Aliases of waves on evenly spaced rows: slower waves that meet the rows as well as the one that was found.

At rows x₀ + nΔ the wave sin(b·x + c) has the values of sin((b - 2πk/Δ)·x + c') for every whole k. A wave that advances by more
than half a turn from row to row has a slower one among these, and nothing says that it is the fast one that is meant. Rows that
are not quite even, or a wave of something curved, are asked: the slower one is fitted, and what it leaves is compared. Where
there is none, as of cos(x**4) or on uneven rows, a wave that turns so fast needs many rows for each fitted constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hypo.expression.expr import Constant, Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.spacing import HALF_TURN, WAVES, Spacing

# Share of the gaps of a column that are near whole multiples of the median gap where rows are even.
EVEN_SHARE = 0.8
# How near that is, as a share of the median gap.
NEAR_WHOLE = 0.3
# A slower wave fits as well if its misfit is above by no more nats.
AS_WELL = 4.0
# Rows for each fitted constant that tell a wave that has no slower alias, as cos(x**4) or one on uneven rows.
ROWS_PER_CONSTANT = 6
# Share of neighbouring rows between which a wave makes less than half a turn where fewer rows will do.
SLOW_SHARE = 0.75


def find_slower(e: Expression, spacing: Spacing) -> list[Expression]:
    """For each wave of ``e`` that is too short for the rows of a column, ``e`` with its slowest alias, two constants to fit in
    it."""
    found = []
    for node, (op, _) in enumerate(e.code):
        if op not in WAVES:
            continue
        u = e.subtree(node - 1)
        for name in u.variables:
            step, start = _even(spacing, name)
            turns = _turns(u, name, step, spacing) if step else 0
            if turns:
                found.append(_shifted(e, node, name, -2.0 * math.pi * turns / step, start))
    return found


def is_told_apart(e: Expression, spacing: Spacing, misfit: float, fitted_misfit: Callable[[Expression], float]) -> bool:
    """True if the rows tell the waves of ``e``, whose misfit is given, from slower ones; ``fitted_misfit`` fits a formula."""
    if not any(op in WAVES for op, _ in e.code):
        return True
    return all(fitted_misfit(other) > misfit + AS_WELL for other in find_slower(e, spacing))


def is_blind(e: Expression, spacing: Spacing) -> bool:
    """True if ``e`` has a wave that makes more than half a turn between many neighbouring rows, has no slower alias to be
    compared with, and fitted constants that are many for the rows: one such wave meets nearly any few rows."""
    for node, (op, _) in enumerate(e.code):
        if op not in WAVES:
            continue
        u = e.subtree(node - 1)
        if spacing.X.shape[1] >= ROWS_PER_CONSTANT * len(e.free) or not spacing.advance(u, SLOW_SHARE) > HALF_TURN:
            continue
        steps = ((n, *_even(spacing, n)) for n in u.variables)
        if not any(step and _turns(u, n, step, spacing) for n, step, _ in steps):
            return True
    return False


def _even(spacing: Spacing, name: str) -> tuple[float, float]:
    """The distance of evenly spaced values of a column and the first of them; distance 0 where they are not."""
    line = spacing.line(name)
    if len(line) < 3:
        return 0.0, 0.0
    gaps = np.diff(line)
    step = float(np.median(gaps))
    shares = gaps / step
    whole = np.abs(shares - np.maximum(np.round(shares), 1.0)) < NEAR_WHOLE
    return (step, float(line[0])) if np.mean(whole) >= EVEN_SHARE else (0.0, 0.0)


def _turns(u: Expression, name: str, step: float, spacing: Spacing) -> int:
    """How many whole turns, about, ``u`` makes on one step of a column, the others as they are; 0 where it is less than half of
    one."""
    names = [n for n in spacing.columns if n in u.variables]
    rows = spacing.X[[spacing.columns.index(n) for n in names]]
    rows = np.ascontiguousarray(rows[:, :: -(-rows.shape[1] // 200)])
    on = rows.copy()
    on[names.index(name)] += step
    program = Program.of(u, names)
    with np.errstate(all="ignore"):
        advance = program.value(on) - program.value(rows)
    middle = float(np.median(advance))
    # A turn more on each step makes it slower on nearly all rows only where the steps are about alike.
    if not HALF_TURN < abs(middle) < 1e9 or np.mean(np.abs(advance - middle) < math.pi) < EVEN_SHARE:
        return 0
    return round(middle / (2.0 * math.pi))


def _shifted(e: Expression, node: int, name: str, rate: float, start: float) -> Expression:
    """``e`` with ``rate``·(name - start) added to the argument of the wave at ``node``."""
    variables = e.variables if name in e.variables else (*e.variables, name)
    n = len(e.constants)
    more = ((oc.CONST, n), (oc.VAR, variables.index(name)), (oc.MUL, 0), (oc.CONST, n + 1), (oc.ADD, 0), (oc.ADD, 0))
    code = (*e.code[:node], *more, *e.code[node:])
    constants = (*e.constants, Constant(rate, free=True), Constant(-rate * start, free=True))
    return Expression.from_arrays([op for op, _ in code], [arg for _, arg in code], variables, constants)
