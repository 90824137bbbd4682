"""Checks of a formula between the rows: it has to be defined there, and may go astray only where rows give a hint of it.

A formula of one column is looked at between neighbouring values of it, on points and, where its operators have limits to their
domain, in intervals (:mod:`hypo.expression.analysis.intervals`) that are divided where it may be undefined. A pole, or
a peak far beyond the values on the rows, is believed where those on the nearest rows already grow towards it, of a pole
on both sides (:mod:`hypo.fitting.between_rows.poles`): 1/x with rows on both sides of 0.

A formula of several columns is looked at on the segments between neighbouring rows: the box around the data is not the data.
There it may be undefined on few, since the rows of a law with a curved domain have neighbours across a corner of it; and a pole
that it crosses has to show in the rows beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.analysis.intervals import enclose
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.between_rows.aliases import blind
from hypo.fitting.between_rows.poles import HALVINGS, guards, supported
from hypo.kernels import opcodes as oc
from hypo.problem.spacing import WAVES, Spacing

# Points between neighbouring values of a column: all of them, and least and most in one gap.
POINTS, FEWEST, MOST = 2048, 3, 24
# Where the first of evenly spaced points stands, as a share of their distance.
ASIDE = 0.4142135
# Intervals that may hold a point where a formula is undefined are divided into so many, so many times, so many at most.
PARTS, LEVELS, INTERVALS = 8, 14, 400
# A formula goes astray where it leaves the values on the rows beside by more than this share of their range on all rows, and by
# so many times what its residuals are.
ASTRAY, NOISE = 0.5, 3.0
# Values grow towards a peak where a step is so many times the step before, or not quite as many and this share of their range.
STEEPER, STEEP, STEP = 4.0, 1.5, 0.2
# Points on each segment between rows, and the share of segments that may be undefined somewhere.
ON_SEGMENT, UNDEFINED_SHARE = 7, 0.03
# Distances from a pole, as shares of the segment, and the growth between them that show that it is one.
NEAR, NEARER, GROWS = 1e-8, 1e-10, 10.0

HARMLESS = frozenset({oc.VAR, oc.CONST, oc.ADD, oc.SUB, oc.MUL, oc.NEG})


def sound(e: Expression, spacing: Spacing, noise: float) -> bool:
    """True if ``e``, with residuals of the size ``noise``, is defined between the rows and does nothing there that no row
    hints at."""
    if all(op in HARMLESS for op, _ in e.code):
        return True
    if blind(e, spacing):
        return False
    names = [n for n in spacing.columns if n in e.variables]
    with np.errstate(all="ignore"):
        if len(names) == 1:
            return _sound_on_a_line(e, names[0], spacing, noise)
        if len(names) > 1 and _is_limited(e):
            return _sound_on_segments(e, names, spacing, noise)
    return True


# --- one column -----------------------------------------------------------------------------------------------------


def _is_limited(e: Expression) -> bool:
    """True if an operator of ``e`` is known to be undefined somewhere."""
    return any(op >= oc.FIRST_UNARY and ops.BY_OPCODE[op].is_limited for op, _ in e.code)


def _sound_on_a_line(e: Expression, name: str, spacing: Spacing, noise: float) -> bool:
    line, gaps = spacing.line(name), spacing.gaps(name)
    if len(line) < 3 or not len(gaps):
        return True
    program = Program.of(e, (name,))
    # Only the values beside the gaps are needed.
    at_rows, needed = np.full(len(line), np.nan), np.unique(np.clip(gaps[:, None] + np.arange(-2, 4), 0, len(line) - 1))
    at_rows[needed] = program.value(line[None, needed])
    many = int(np.clip(POINTS // len(gaps), FEWEST, MOST))
    inner = line[gaps, None] + (line[gaps + 1] - line[gaps])[:, None] * _shares(many)
    values = program.value(inner.reshape(1, -1)).reshape(inner.shape)
    if not np.all(np.isfinite(values)):
        return False
    low, high = values.min(axis=1), values.max(axis=1)
    if _is_limited(e):
        ends = np.concatenate([line[gaps, None], inner, line[gaps + 1, None]], axis=1)
        which = np.repeat(np.arange(len(gaps)), many + 1)
        for gap, found in _closer(e, name, ends[:, :-1].ravel(), ends[:, 1:].ravel(), which):
            if not np.all(np.isfinite(found)):
                return False
            np.minimum.at(low, gap, found.min(axis=1))
            np.maximum.at(high, gap, found.max(axis=1))
    if not supported(e, name, spacing, noise):
        return False
    waves = any(op in WAVES for op, _ in e.code)
    return bool(np.all(_hinted(at_rows, gaps, low, high, noise, waves)))


def _shares(many: int) -> NDArray[np.float64]:
    """Places (many,) between 0 and 1, about even. They are no simple fractions, where poles like to be: a pole is no point
    where a formula is undefined."""
    return (np.arange(many) + ASIDE) / many


def _closer(
    e: Expression, name: str, lo: NDArray[np.float64], hi: NDArray[np.float64], gap: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Gaps (n,) and values (n, PARTS - 1) inside intervals where ``e`` may be undefined, ever closer to where it is."""
    program = Program.of(e, (name,))
    for _ in range(LEVELS):
        defined = np.broadcast_to(enclose(e, {name: (lo, hi)}).defined, lo.shape)
        doubtful = np.flatnonzero(~defined)
        if not len(doubtful):
            return
        doubtful = doubtful[:: -(-len(doubtful) // INTERVALS)]
        lo, hi, gap = lo[doubtful], hi[doubtful], gap[doubtful]
        points = lo[:, None] + (hi - lo)[:, None] * np.concatenate([[0.0], _shares(PARTS - 1), [1.0]])
        inner = np.ascontiguousarray(points[:, 1:-1])
        yield gap, program.value(inner.reshape(1, -1)).reshape(inner.shape)
        lo, hi, gap = points[:, :-1].ravel(), points[:, 1:].ravel(), np.repeat(gap, PARTS)


def _hinted(
    f: NDArray[np.float64],
    gaps: NDArray[np.int64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    noise: float,
    waves: bool,
) -> NDArray[np.bool_]:
    """For each gap, with the least and greatest values inside, whether these stay near the values ``f`` on the rows beside
    (with ``waves`` on any row), or rows on one side grow towards them, to one end of a pole that leads to both."""
    spread = float(np.nanmax(f) - np.nanmin(f))
    good, hinted = np.ones(len(gaps), np.bool_), np.zeros(len(gaps), np.bool_)
    last = len(f) - 1
    for sign, beyond in ((1.0, high), (-1.0, -low)):
        g = sign * f
        away = beyond - (np.nanmax(g) if waves else np.maximum(g[gaps], g[gaps + 1]))
        astray = (away > ASTRAY * spread) & (away > NOISE * noise)
        for at, step in ((gaps, -1), (gaps + 1, 1)):
            next_, after = np.clip(at + step, 0, last), np.clip(at + 2 * step, 0, last)
            towards, before = g[at] - g[next_], np.abs(g[next_] - g[after])
            steeper = (towards > STEEPER * before) & (after != next_)
            steep = (towards > STEEP * before) & (towards > STEP * spread)
            hinted |= astray & (towards > NOISE * noise) & (towards > 0) & (steep | steeper)
        good &= ~astray
    return good | hinted


# --- several columns ------------------------------------------------------------------------------------------------


def _sound_on_segments(e: Expression, names: list[str], spacing: Spacing, noise: float) -> bool:
    i, j = spacing.pairs(names)
    if not len(i):
        return True
    rows = spacing.X[[spacing.columns.index(n) for n in names]]
    first, along = rows[:, i], rows[:, j] - rows[:, i]

    def at(program: Program, share: NDArray[np.float64], some: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values (n, k) at the shares (n or 1, k) of the segments ``some`` (n,)."""
        X = first[:, some, None] + along[:, some, None] * share
        return program.value(np.ascontiguousarray(X.reshape(len(names), -1))).reshape(X.shape[1:])

    program, every = Program.of(e, names), np.arange(len(i))
    inner = at(program, _shares(ON_SEGMENT)[None], every)
    undefined = ~np.all(np.isfinite(inner), axis=1)
    if float(np.mean(undefined)) > UNDEFINED_SHARE:
        return False
    shown = []
    for guard in guards(e):
        denominator = Program.of(guard, names)
        ends = at(denominator, np.array([[0.0, 1.0]]), every)
        crossed = np.flatnonzero((np.sign(ends[:, 0]) * np.sign(ends[:, 1]) < 0) & ~undefined)
        if not len(crossed):
            continue
        low, high = np.zeros(len(crossed)), np.ones(len(crossed))
        below = np.sign(ends[crossed, 0])
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            same = np.sign(at(denominator, middle[:, None], crossed)[:, 0]) == below
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        far, close = (
            np.max(np.abs(at(program, low[:, None] + np.array([[-d, d]]), crossed)), axis=1) for d in (NEAR, NEARER)
        )
        growth = close / far
        pole = np.isfinite(growth) & (growth > GROWS)
        if np.any(pole):
            nearest = np.maximum(np.minimum(low, 1.0 - low)[pole], 1e-3)
            order = np.log(growth[pole]) / np.log(NEAR / NEARER)
            # What the pole alone would add to the nearer row.
            shown.append(float(np.median(close[pole] * (NEARER / nearest) ** order)))
    return all(size > NOISE * noise for size in shown)
