"""Impacts in samples: moments at which the speed of a state jumps to the other sign, always at the same extreme position.

Around each gap between two samples two polynomials of second order, one for the samples before and one for those after, are
compared with one of fifth order for all, which has as many coefficients. Where there was an impact the two parabolas fit as
well as parabolas do anywhere in the run, and the smooth curve does not. That alone would also be said of some sharp turns of
smooth paths: so there are two impacts at least, at one position, which no sample passes, and all of them send back a like share
of the speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

Values = NDArray[np.float64]

# Samples on each side of a gap.
WINDOWS = (32, 22, 15, 10, 7, 5)
# The quantile of squares by which the noise is told.
QUARTILE = 0.25
# Windows of a run by which it is seen what parabolas leave.
LOOKED_AT = 60
# What they leave is at most this share of the range: else the state changes too fast for its samples.
COARSE = 0.02
# Squares of the smooth curve over those of the parabolas, and their difference in units of the noise, that show a kink.
RATIO = 8.0
CLEAR = 60.0
# Squares of the parabolas in units of what parabolas leave elsewhere in the run.
FITTING = 6.0
# Jump of the speed over its standard error.
JUMP = 6.0
# Least residual of parabolas as a share of the range: rounding.
ROUNDING = 1e-9
# Impacts that make a wall: two where each has so many samples on both sides, else three.
LEAST_IMPACTS = 2
WELL_SEEN = 7
# Share of all turns near a wall that must be seen as impacts.
CLEARLY = 0.5
# Scatter of their positions as a share of the range, and samples beyond the wall in the same unit, at most.
SAME_PLACE = 0.04
# Share of the speed that is sent back, from least to most, and its relative scatter at most.
RESTITUTION = (0.1, 1.1)
SAME_SHARE = 0.2


@dataclass(frozen=True)
class Kink:
    """A jump of a speed between the rows ``row`` and ``row + 1`` of a run.

    Attributes:
        run: number of the run.
        row: the last row before it.
        time: moment at which both parabolas meet.
        position: value of the state then.
        before, after: its speed.
        width: samples on each side by which it was seen.
    """

    run: int
    row: int
    time: float
    position: float
    before: float
    after: float
    width: int = 0


@dataclass(frozen=True)
class Wall:
    """Where a state is sent back.

    Attributes:
        state: number of the state.
        is_above: True where the wall is its largest value.
        position: median of the kinks.
        kinks: the impacts, in order.
    """

    state: int
    is_above: bool
    position: float
    kinks: tuple[Kink, ...]


def find_walls(runs: Sequence[tuple[Values, Values]], state: int) -> list[Wall]:
    """Walls of one state, below and above.

    Args:
        runs: times (n,), which rise, and finite samples (n,) of each.
        state: its number, for the answer.
    """
    found = []
    for is_above in (False, True):
        sign = -1.0 if is_above else 1.0
        wall = _floor([(t, sign * y) for t, y in runs])
        if wall is not None:
            position, kinks = wall
            mended = tuple(
                Kink(k.run, k.row, k.time, sign * k.position, sign * k.before, sign * k.after) for k in kinks
            )
            found.append(Wall(state, is_above, sign * position, mended))
    return found


def _floor(runs: Sequence[tuple[Values, Values]]) -> tuple[float, list[Kink]] | None:
    """The position below which nothing goes, and the kinks there; None where there are not enough of them."""
    values = np.concatenate([y for _, y in runs])
    reach = float(np.ptp(values))
    if not reach > 0:
        return None
    kinks = [k for r, (t, y) in enumerate(runs) for k in _kinks(t, y, r, reach)]
    if len(kinks) < LEAST_IMPACTS:
        return None
    position = float(np.median([k.position for k in kinks]))
    kinks = [k for k in kinks if abs(k.position - position) < SAME_PLACE * reach]
    if len(kinks) < LEAST_IMPACTS or np.min(values) < position - SAME_PLACE * reach:
        return None
    shares = np.array([-k.after / k.before for k in kinks])
    middle = float(np.median(shares))
    kinks = [k for k, e in zip(kinks, shares, strict=True) if abs(e - middle) < SAME_SHARE * middle]
    if len(kinks) < LEAST_IMPACTS or not RESTITUTION[0] <= middle <= RESTITUTION[1]:
        return None
    if len(kinks) == LEAST_IMPACTS and min(k.width for k in kinks) < WELL_SEEN:
        return None
    turns = _turns(runs, kinks, position, reach)
    return (position, kinks + turns) if len(kinks) >= CLEARLY * (len(kinks) + len(turns)) else None


def _turns(runs: Sequence[tuple[Values, Values]], kinks: list[Kink], position: float, reach: float) -> list[Kink]:
    """Further turns near a wall that is known: flights too short for parabolas on both sides."""
    out = []
    for r, (_, y) in enumerate(runs):
        taken = {row + d for k in kinks if k.run == r for row in (k.row,) for d in (-1, 0, 1)}
        for i in range(1, len(y) - 1):
            turns = y[i] <= y[i - 1] and y[i] < y[i + 1]
            near = y[i] - position < max(abs(y[i] - y[i - 1]), abs(y[i + 1] - y[i]), SAME_PLACE * reach / 4)
            row = i if y[i - 1] - y[i] > y[i + 1] - y[i] else i - 1
            if turns and near and not {row, i} & taken:
                out.append(Kink(r, row, np.nan, position, np.nan, np.nan))
                taken |= {row - 1, row, row + 1}
    return out


def _kinks(t: Values, y: Values, run: int, reach: float) -> list[Kink]:
    """Kinks of one run where it turns upward, each with the widest window that has one."""
    found: dict[int, tuple[float, Kink]] = {}
    for w in WINDOWS:
        if len(y) < 2 * w:
            continue
        usual = max(_usual(t, y, w), ROUNDING * reach)
        if usual > COARSE * reach:
            continue
        for i in range(w - 1, len(y) - w):
            # Where it turns: the lowest sample is one of the two beside the gap.
            if min(y[i], y[i + 1]) > min(y[i - 1], y[i + 2]):
                continue
            seen = _kink(t, y, i, w, usual)
            if seen is not None and not any(abs(i - row) < w for row in found if row != i):
                clear, kink = seen
                if i not in found:
                    found[i] = clear, Kink(run, i, *kink, w)
    chosen: list[Kink] = []
    for _, best in sorted(found.values(), key=lambda item: -item[0]):
        if all(abs(best.row - other.row) > 1 for other in chosen):
            chosen.append(best)
    return sorted(chosen, key=lambda k: k.row)


def _usual(t: Values, y: Values, w: int) -> float:
    """Standard deviation that parabolas through ``w`` samples leave, by the lower quartile over the run: wide windows often
    hold an impact."""
    begins = np.unique(np.linspace(0, len(y) - w, LOOKED_AT).astype(np.int64))
    each = [_parabola(t[i : i + w], y[i : i + w], t[i])[1] for i in begins]
    expected = 2.0 * float(gammaincinv(0.5 * (w - 3), QUARTILE))  # of χ² with w - 3 degrees of freedom
    return float(np.sqrt(np.quantile(each, QUARTILE) / expected))


def _parabola(t: Values, y: Values, origin: float) -> tuple[Values, float, Values]:
    """Coefficients (3,) from the constant on, the sum of squares left, and the inverse of the normal equations."""
    A = np.vander(t - origin, 3, increasing=True)
    c = np.linalg.lstsq(A, y, rcond=None)[0]
    r = y - A @ c
    return np.asarray(c, float), float(r @ r), np.asarray(np.linalg.pinv(A.T @ A), float)


def _kink(t: Values, y: Values, i: int, w: int, usual: float) -> tuple[float, tuple[float, float, float, float]] | None:
    """How clear a kink between rows i and i + 1 is, its moment, position, speed before and after; None where there is none."""
    rows = slice(i - w + 1, i + w + 1)
    middle = 0.5 * (t[i] + t[i + 1])
    left, left_squares, left_inverse = _parabola(t[i - w + 1 : i + 1], y[i - w + 1 : i + 1], middle)
    right, right_squares, right_inverse = _parabola(t[i + 1 : i + w + 1], y[i + 1 : i + w + 1], middle)
    parts = left_squares + right_squares
    if max(left_squares, right_squares) > FITTING * (w - 3) * usual**2:
        return None
    s = (t[rows] - middle) / (t[i + w] - middle)
    A = np.vander(s, 6, increasing=True)
    rest = y[rows] - A @ np.linalg.lstsq(A, y[rows], rcond=None)[0]
    smooth = float(rest @ rest)
    floor = (2 * w - 6) * usual**2
    clear = (smooth - parts) / usual**2
    if smooth < RATIO * max(parts, 0.3 * floor) or clear < CLEAR:
        return None
    met = _meeting(left, right, 0.75 * (t[i + 1] - t[i]))
    if met is None:
        return None
    before, after = left[1] + 2 * left[2] * met, right[1] + 2 * right[2] * met
    slope = np.array([0.0, 1.0, 2 * met])
    error = usual * np.sqrt(slope @ (left_inverse + right_inverse) @ slope)
    if not (before < 0 < after) or after - before < JUMP * error:
        return None
    return clear, (middle + met, float(left @ [1.0, met, met * met]), float(before), float(after))


def _meeting(left: Values, right: Values, most: float) -> float | None:
    """The moment nearest 0, within ``most``, at which two parabolas meet."""
    c, b, a = (left - right).tolist()
    roots = np.roots([a, b, c]) if a or b else np.empty(0)
    real = [float(z.real) for z in roots if abs(z.imag) < 1e-12 * max(abs(z.real), 1e-300) or z.imag == 0]
    near = [z for z in real if abs(z) <= most]
    return min(near, key=abs) if near else None
