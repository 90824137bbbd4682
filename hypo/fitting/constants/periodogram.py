"""Frequencies of sines inside formulas, from the spectrum of what the rest of the formula leaves.

For a formula in which a node is sin(ω·u + ρ) or cos(ω·u + ρ), with ω to be fitted and u, ρ known for each row, the formula
changes by g with that node. Of the residual r at the best linear constants without it, the best amplitudes of g·sin and g·cos
for all frequencies at once follow from two Fourier sums (N. Lomb, Astrophys. Space Sci. 39, 447, 1976; J. Scargle, ApJ 263,
835, 1982, with g in the place of 1)

    Σ w g r e^{i(ωu + ρ)},     Σ w g² e^{2i(ωu + ρ)},

which are taken with rows moved to the nearest point of a fine grid of u. Frequencies go up to the one that the distance of rows
can tell apart: half a turn from row to row, of uneven rows between those that are close. An angle ω₁·u₁ + ω₂·u₂ with several
frequencies has a grid in as many directions.
A phase among the constants follows from the two amplitudes. Constants that divide, as periods do, are one over a frequency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.parameters import Parameters, Tree
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# Points of the grid of frequencies for each half turn between rows.
FINE = 4
# How many times as long zeros make the series.
PADDED = 4
# Most points of a grid in all.
MOST_POINTS = 2**20
# Rows are close that are no farther apart than this share of all pairs of neighbours.
CLOSE = 0.1
# Frequencies beyond those of even rows are so many times as high at most,
FASTER = 8.0
# and less with few rows, which any fast wave would meet: once as high for each so many rows.
ROWS_FOR_EACH = 8
# Most steps of the grid of fast frequencies.
FAST_STEPS = 2**13
# Peaks of a spectrum that are tried.
PEAKS = 12
# Most directions of a wave.
MOST_DIRECTIONS = 3
# A derivative that differs by less over two values of a constant is that of a straight line.
STRAIGHT = 1e-6


@dataclass(frozen=True)
class Wave:
    """A node sin(…) or cos(…) of a formula: ``frequencies`` are parameters that multiply (``inverse``: divide) something that
    varies over the rows in its angle, ``phase`` is one that is added to it, -1 without."""

    node: int
    cosine: bool
    frequencies: tuple[int, ...]
    inverse: tuple[bool, ...]
    phase: int


class Waves:
    """The sines and cosines of ``e`` whose angles are straight in ``parameters`` that are not linear."""

    def __init__(self, e: Expression, parameters: Parameters, columns: Sequence[str]) -> None:
        self._e, self._parameters, self._columns = e, parameters, columns
        self._tree = Tree(e)
        self._nodes = [k for k, (op, _) in enumerate(e.code) if op in (oc.SIN, oc.COS)]

    def __bool__(self) -> bool:
        """True if there may be any."""
        nonlinear = (self._parameters.slot[i] >= 0 for k in self._nodes for i in self._tree.slots(k))
        return any(nonlinear)

    def starts(
        self, theta: Values, X: Values, y: Values, root: Values, which: Sequence[int] | None = None
    ) -> Iterator[Values]:
        """Points like ``theta`` (n_param,) with frequencies and phases at the peaks of each wave's spectrum on the rows ``X``
        (n_var, n_row) with the target ``y`` and the roots of weights ``root``; ``which``: waves of these parameters only."""
        for node in self._nodes:
            with np.errstate(all="ignore"):
                wave = self._wave(node, theta, X)
                if wave is not None and (which is None or set(wave.frequencies) & set(which)):
                    yield from self._peaks(wave, theta, X, y, root)

    def wrapped(self, theta: Values, X: Values) -> Values:
        """``theta`` with phases that are plain terms of one angle between -π and π."""
        out = theta.copy()
        few = np.ascontiguousarray(X[:, :2])
        for node in self._nodes:
            wave = self._wave(node, theta, X)
            if wave is not None and wave.phase >= 0 and np.count_nonzero(self._parameters.slot == wave.phase) == 1:
                slope = self._angle(node, theta, few)[1][wave.phase]
                if np.all(np.abs(slope) == 1.0):
                    out[wave.phase] = math.remainder(theta[wave.phase], 2.0 * math.pi)
        return out

    def _angle(self, node: int, theta: Values, X: Values) -> tuple[Values, Values]:
        """The angle (n_row,) of the wave at ``node``, and its derivatives by the parameters (n_param, n_row)."""
        own = self._tree.slots(node)
        values = self._parameters.values(theta, self._e.values)[own]
        angle, by_slot = Program.of(self._e.subtree(node - 1), self._columns).value_and_gradient(X, values)
        out = np.zeros((len(theta), X.shape[1]))
        for line, slot in zip(by_slot, own, strict=True):
            if self._parameters.slot[slot] >= 0:
                out[self._parameters.slot[slot]] += line
        return angle, out

    def _wave(self, node: int, theta: Values, X: Values) -> Wave | None:
        """The constants of the angle; None where it has no frequency to find."""
        _, slopes = self._angle(node, theta, X)
        frequencies: list[int] = []
        inverse: list[bool] = []
        phase = -1
        lines: list[Values] = []
        for p in {int(self._parameters.slot[i]) for i in self._tree.slots(node)} - {-1}:
            other = theta.copy()
            other[p] = 2.0 * theta[p] if theta[p] else 1.0
            there = self._angle(node, other, X)[1][p]
            line = slopes[p]
            if not (np.all(np.isfinite(line)) and np.all(np.isfinite(there))):
                continue
            size = float(np.max(np.abs(line)))
            straight = float(np.max(np.abs(there - line))) <= STRAIGHT * size
            one_over = float(np.max(np.abs(4.0 * there - line))) <= STRAIGHT * size and theta[p] != 0
            if not size > 0 or not (straight or one_over):
                continue
            if float(np.ptp(line)) <= STRAIGHT * size:
                phase = p if straight else phase
                continue
            # Factors of one another are one frequency.
            unit = line / np.linalg.norm(line)
            if len(frequencies) < MOST_DIRECTIONS and all(abs(float(unit @ u)) < 1.0 - STRAIGHT for u in lines):
                frequencies.append(p)
                inverse.append(not straight)
                lines.append(unit)
        if not frequencies:
            return None
        order = np.argsort(frequencies)
        cosine = self._e.code[node][0] == oc.COS
        return Wave(node, cosine, tuple(frequencies[k] for k in order), tuple(inverse[k] for k in order), phase)

    def _without(self, wave: Wave, theta: Values, X: Values, y: Values, root: Values) -> tuple[Values, Values] | None:
        """The residual without the wave, and what the formula changes by with it, weighted; (n_row,) each."""
        level = np.where(self._parameters.linear & (theta == 0.0), 1.0, theta)
        e = self._e.with_values(self._parameters.values(level, self._e.values))
        gone = e.replace_node(wave.node, Expression.constant(0.0, name="δ", free=True))
        place = next(i for i, c in enumerate(gone.constants) if c.name == "δ")
        f, gradient = Program.of(gone, self._columns).value_and_gradient(X, gone.values)
        kept = [i for i in range(len(e.constants)) if i not in self._tree.slots(wave.node)]
        by_slot = dict(zip(kept, [i for i in range(len(gone.constants)) if i != place], strict=True))
        linear = np.flatnonzero(self._parameters.linear)
        lines = np.array(
            [sum(gradient[by_slot[i]] for i in kept if self._parameters.slot[i] == p) + 0.0 * f for p in linear]
        )
        weight = root if len(root) else np.ones(len(y))
        r, g = (y - f) * weight, gradient[place] * weight
        if len(linear):
            A = (lines * weight).T
            size = np.sqrt(np.sum(A**2, axis=0))
            A = A[:, (size > 0) & np.isfinite(size)] / size[(size > 0) & np.isfinite(size)]
            if A.shape[1] and np.all(np.isfinite(A)) and np.all(np.isfinite(r)):
                r = r - A @ np.linalg.lstsq(A, r, rcond=1e-10)[0]
        return (r, g) if np.all(np.isfinite(r)) and np.all(np.isfinite(g)) else None

    def _peaks(self, wave: Wave, theta: Values, X: Values, y: Values, root: Values) -> Iterator[Values]:
        apart = self._without(wave, theta, X, y, root)
        if apart is None:
            return
        r, g = apart
        angle, slopes = self._angle(wave.node, theta, X)
        each = list(zip(wave.frequencies, wave.inverse, strict=True))
        u = np.array([-(theta[p] ** 2) * slopes[p] if inv else slopes[p] for p, inv in each])
        rest = angle - np.array([1.0 / theta[p] if inv else theta[p] for p, inv in each]) @ u
        if not (np.all(np.isfinite(u)) and np.all(np.isfinite(rest))):
            return
        few = np.ascontiguousarray(X[:, :1])
        for omega, sine, cosine in spectrum(u, rest, r, g, wave.phase < 0, wave.cosine):
            yield from self._placed(wave, theta, omega, sine, cosine, few)

    def _placed(
        self, wave: Wave, theta: Values, omega: Values, sine: float, cosine: float, few: Values
    ) -> Iterator[Values]:
        """``theta`` with the wave at the frequency ``omega``, also at half and twice of it: squares of waves turn twice as
        fast."""
        turn = math.atan2(-sine, cosine) if wave.cosine else math.atan2(cosine, sine)
        for factor in (1.0, 0.5, 2.0):
            out = theta.copy()
            for p, inv, w in zip(wave.frequencies, wave.inverse, factor * omega, strict=True):
                out[p] = (1.0 / w if w else math.inf) if inv else w
            if wave.phase >= 0:
                # The slope by the phase may hold a frequency, as in b·(x - c).
                slope = float(self._angle(wave.node, out, few)[1][wave.phase][0])
                out[wave.phase] = theta[wave.phase] + turn / slope if slope else theta[wave.phase]
            if np.all(np.isfinite(out)):
                yield out


def spectrum(
    u: Values, rest: Values, r: Values, g: Values, fixed: bool, cosine: bool
) -> Iterator[tuple[Values, float, float]]:
    """Frequencies (n_direction,) at the peaks of how much of ``r`` (n_row,) g·sin(ω·u + rest) and g·cos take away, ``u``
    (n_direction, n_row), the highest first, with the best amplitudes of sine and cosine; with a ``fixed`` phase also peaks of
    the sine, or ``cosine``, alone."""
    from scipy.fft import next_fast_len

    grids = [_grid(line, len(u)) for line in u]
    # Positions of rows on the grid, and the shape of the padded one: that for twice the frequency is half as fine.
    shape = [size for _, size, _ in grids]
    flat = np.zeros(len(r), np.int64)
    for line, (low, size, rate) in zip(u, grids, strict=True):
        flat = flat * size + np.minimum(((line - low) * rate).round().astype(np.int64), size - 1)
    padded = [next_fast_len(PADDED * size) for size in shape]

    def transform(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
        total = int(np.prod(shape))
        cells = np.bincount(flat, values.real, total) + 1j * np.bincount(flat, values.imag, total)
        # ifftn has the positive sign of e^{iωu}.
        return np.asarray(np.fft.ifftn(cells.reshape(shape), padded, range(len(shape))) * np.prod(padded))

    first = transform(g * r * np.exp(1j * rest))
    second = transform(g * g * np.exp(2j * rest))
    # Frequencies up to half a turn from row to row: an index of the padded grid for each, negative ones for all but the first.
    most = [max(2, n // (2 * FINE)) for n in padded]
    index = [np.arange(most[0] + 1), *(np.arange(-m, m + 1) for m in most[1:])]
    one = np.ix_(*(i % n for i, n in zip(index, padded, strict=True)))
    two = np.ix_(*((2 * i) % n for i, n in zip(index, padded, strict=True)))
    c, s = first[one].real, first[one].imag
    total = float(g @ g)
    cc, ss, cs = 0.5 * (total + second[two].real), 0.5 * (total - second[two].real), 0.5 * second[two].imag
    # Rows are where the grid is; a shift of u turns sine and cosine into one another, which leaves both together alone.
    steps = np.array([2.0 * math.pi * rate / n for (_, _, rate), n in zip(grids, padded, strict=True)])
    turn = np.asarray(sum(np.ix_(*(i * step * low for i, step, (low, _, _) in zip(index, steps, grids, strict=True)))))
    c, s = c * np.cos(turn) - s * np.sin(turn), s * np.cos(turn) + c * np.sin(turn)
    d, o = 0.5 * (cc - ss), cs
    d, o = d * np.cos(2 * turn) - o * np.sin(2 * turn), o * np.cos(2 * turn) + d * np.sin(2 * turn)
    cc, ss, cs = 0.5 * total + d, 0.5 * total - d, o
    least = 1e-6 * total
    determinant = cc * ss - cs**2
    usable = determinant > least * total * 1e-3
    a = np.where(usable, (s * cc - c * cs) / np.where(usable, determinant, 1.0), 0.0)
    b = np.where(usable, (c * ss - s * cs) / np.where(usable, determinant, 1.0), 0.0)
    powers = [a * s + b * c]
    if fixed:
        own, length = (c, cc) if cosine else (s, ss)
        powers.append(np.where(length > least, own**2 / np.maximum(length, least), 0.0))
    for power in powers:
        for place in _maxima(power):
            omega = np.array([i[k] for i, k in zip(index, place, strict=True)]) * steps
            yield omega, float(a[place]), float(b[place])


def _grid(u: Values, directions: int) -> tuple[float, int, float]:
    """The least of ``u``, points of its grid, and points for a unit of u."""
    values = np.unique(u)
    low, span = float(values[0]), float(values[-1] - values[0])
    most = int(MOST_POINTS ** (1.0 / directions)) // PADDED
    steps = max(len(values) - 1, 4)
    if directions == 1:
        steps = max(steps, min(int(faster(values) * steps), FAST_STEPS))
    steps = min(steps, most // FINE)
    return low, FINE * steps + 1, FINE * steps / span


def faster(values: Values) -> float:
    """How many times as high a frequency the rising ``values`` (n,) of rows tell apart as as many even ones would."""
    gaps = np.diff(values)
    if not len(gaps):
        return 1.0
    close = float(np.quantile(gaps, CLOSE, method="inverted_cdf"))
    most = max(1.0, min(FASTER, len(values) / ROWS_FOR_EACH))
    return min(most, max(1.0, float(np.mean(gaps)) / close)) if close > 0.0 else most


def _maxima(power: Values) -> list[tuple[int, ...]]:
    """Where ``power`` is above all its neighbours, the highest first."""
    from scipy.ndimage import maximum_filter

    peak = (power == maximum_filter(power, size=3, mode="nearest")) & (power > 0)
    places = np.argwhere(peak)
    order = np.argsort(-power[peak], kind="stable")[:PEAKS]
    return [tuple(int(k) for k in places[i]) for i in order]
