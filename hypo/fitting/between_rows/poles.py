"""Poles between the rows of one column: whether the rows on both sides show them.

Near a pole a formula is about r/(x - p)**k. What that alone adds to the nearest rows has to stand out of the noise on either
side, and the values there have to grow towards the pole: else it mends one row, and says something of the place beside that no
row bears out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.spacing import Spacing

Values = NDArray[np.float64]

# Halvings that lead to a pole: nearly all digits of its place.
HALVINGS = 44
# How many times nearer the pole values are looked at again.
NEARER = 100.0
# By how many times they have to grow there.
STEEP = 3.0
# The smaller distance from a pole at which it is looked at: this share of the gap,
CLOSE = 1e-10
# and no fewer roundings of its place.
ROUNDINGS = 1e4
# Points in each gap that zeros of denominators are sought between.
POINTS = 4
# A pole shows on a row where it adds so many times what the residuals are.
TIMES_NOISE = 3.0
# So many times more is enough without values that grow.
STRONG = 10.0
# The share of the poles of one denominator that have to show: rows that stand evenly beside one of many poles of tan do not.
SHARE = 0.6


def is_supported(e: Expression, name: str, spacing: Spacing, noise: float) -> bool:
    """True if the poles of ``e``, a formula of the column ``name`` with residuals of the size ``noise``, between neighbouring
    rows show in those on both sides."""
    line, gaps = spacing.line(name), spacing.gaps(name)
    program = Program.of(e, (name,))
    shares = np.linspace(0.0, 1.0, POINTS + 1)
    ends = line[gaps, None] + (line[gaps + 1] - line[gaps])[:, None] * shares
    for guard in find_guards(e):
        denominator = Program.of(guard, (name,))
        sign = _sign(denominator.value(ends.reshape(1, -1)).reshape(ends.shape))
        gap, part = np.nonzero(sign[:, :-1] * sign[:, 1:] < 0)
        if not len(gap):
            continue
        low, high = ends[gap, part], ends[gap, part + 1]
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            same = _sign(denominator.value(middle[None])) == sign[gap, part]
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        if np.mean(_shown(program, line, gaps[gap], 0.5 * (low + high), noise)) < SHARE:
            return False
    return True


def _sign(values: Values) -> NDArray[np.int64]:
    """1 for what is not below 0, else -1."""
    return np.where(values < 0, -1, 1)


def _shown(program: Program, line: Values, at: NDArray[np.int64], place: Values, noise: float) -> NDArray[np.bool_]:
    """True if what stands at ``place`` (n,), between the values ``at`` (n,) of ``line`` and those after, is no pole or shows in
    the rows on both sides."""
    close = np.maximum(CLOSE * (line[at + 1] - line[at]), ROUNDINGS * np.spacing(np.abs(place)))
    good, strong, grows = np.ones(len(at), np.bool_), np.ones(len(at), np.bool_), np.ones(len(at), np.bool_)
    pole = np.zeros(len(at), np.bool_)
    last = len(line) - 1
    for row, step in ((at, -1), (at + 1, 1)):
        near, far, farther = (program.value((place + step * NEARER**k * close)[None]) for k in range(3))
        # Differences leave out what the rest of the formula is there.
        growth = np.abs((near - far) / (far - farther))
        pole |= np.isfinite(growth) & (growth > STEEP)
        order = np.log(np.maximum(growth, STEEP)) / np.log(NEARER)
        adds = np.abs(near - far) * (close / np.maximum(np.abs(line[row] - place), close)) ** order
        good &= adds > TIMES_NOISE * noise
        strong &= adds > STRONG * TIMES_NOISE * noise
        beyond = np.clip(row + step, 0, last)
        towards = (program.value(line[row][None]) - program.value(line[beyond][None])) * np.sign(near - far)
        grows &= (towards > noise) | (beyond == row)
    return ~pole | (good & (grows | strong))


def find_guards(e: Expression) -> Iterator[Expression]:
    """Parts of ``e`` at whose zeros it has poles."""
    seen: set[str] = set()
    for node, (op, _) in enumerate(e.code):
        if op in (oc.DIV, oc.INV):
            found = list(_factors(e, node - 1))
        elif op == oc.TAN:
            found = [Expression.apply("cos", e.subtree(node - 1))]
        elif op == oc.POW and e.code[node - 1][0] == oc.CONST and e.constants[e.code[node - 1][1]].value < 0:
            found = list(_factors(e, node - 2))
        else:
            continue
        for guard in found:
            if guard.variables and str(guard) not in seen:
                seen.add(str(guard))
                yield guard


def _factors(e: Expression, node: int) -> Iterator[Expression]:
    """The factors of the subtree at ``node``: it is 0 where one of these is."""
    op, _ = e.code[node]
    if op == oc.MUL:
        yield from _factors(e, node - 1)
        yield from _factors(e, e.starts[node - 1] - 1)
    elif op == oc.DIV:
        yield from _factors(e, e.starts[node - 1] - 1)
    elif op in (oc.SQUARE, oc.CUBE, oc.SQRT, oc.NEG, oc.ABS):
        yield from _factors(e, node - 1)
    elif op == oc.POW and e.code[node - 1][0] == oc.CONST:
        yield from _factors(e, node - 2)
    else:
        yield e.subtree(node)
