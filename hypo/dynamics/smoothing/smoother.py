"""Smooth paths through noisy samples: a Gaussian process for each state, the same for all runs, chosen by its likelihood.

Errors of a smoothed rate are correlated over about the length of the process: rows nearer than that are no new witnesses
(:func:`~hypo.dynamics.smoothing.path.effective_rows`). Samples without noise are connected by a spline. Many samples are
averaged where they lie much closer than the state changes, and smoothed in windows that overlap where they are still many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.dynamics.smoothing.coordinates import Coordinates
from hypo.dynamics.smoothing.curves import Curve, ExactCurve, SmoothCurve
from hypo.dynamics.smoothing.evidence import Choice, Spectra, choose
from hypo.dynamics.smoothing.path import Path
from hypo.dynamics.smoothing.samples import Mask, Moments, by_moment, find_clipped, follows_from_past

Values = NDArray[np.float64]

# Noise of this share of the spread of samples may hide motion between them.
NOISY = 0.5
# Weight of a sample that is none.
UNSEEN = 1e-9
# Fewer moments leave a curve undetermined.
LEAST = 4
# Moments of one process; more are grouped, or smoothed in windows of this size that overlap by half.
WINDOW = 300
# Moments of all runs by which a process is chosen.
CHOSEN_BY = 300
# Moments of each of three windows by which it is chosen where a run has more.
CHOSEN_WINDOW = 120
# Neighbours are averaged into groups of at most this share of a length: the curve bends by length²/24·(share)² within one.
GROUP = 1 / 8
# Groups grow at most by this factor at once.
GROWTH = 4
# A ratio of noise to signal below this (their variances) is none.
EXACT = 1e-9


def smooth_runs(
    runs: Sequence[tuple[Values, Values]],
    chosen_by: int = CHOSEN_BY,
    spectra: Spectra | None = None,
    clock: Expiring | None = None,
) -> list[Path]:
    """The likeliest smooth paths of one state through its samples in several runs, with one length and one noise for all.

    Args:
        runs: times (n,) that do not go back, and samples (n,) of each; NaN samples are left out.
        chosen_by: moments at most by which the process is chosen where there are several runs.
        spectra: decompositions that states measured at the same moments have in common.
        clock: once it has expired, the choice is a quick one.

    Raises:
        ValueError: no run has four samples; a run with fewer is a straight line through what there is.
    """
    finite = np.concatenate([v[np.isfinite(v)] for _, v in runs])
    low, high = (float(np.min(finite)), float(np.max(finite))) if len(finite) else (0.0, 0.0)
    whole, free, clips = [], [], []
    for time, values in runs:
        m = by_moment(time, values)
        clipped = find_clipped(m.mean, low, high) if np.all(m.scatter == 0) else np.zeros(len(m), bool)
        if (~clipped).sum() < LEAST:
            clipped = np.zeros(len(m), bool)
        whole.append(m)
        clips.append(clipped)
        free.append(m.take(~clipped))
    enough = [m for m in free if len(m) >= LEAST]
    if not enough:
        most = max((len(m) for m in free), default=0)
        raise ValueError(f"a path needs four samples at least, got {most}")
    group, choice = _choose(enough, chosen_by, spectra or Spectra(), clock)
    # A run without a sample of the state is anywhere near the others.
    middle = float(np.mean(finite))
    paths = []
    for (time, _), m, f, c in zip(runs, whole, free, clips, strict=True):
        nothing = Moments(np.array([time[0]]), np.array([middle]), np.array([UNSEEN]), np.zeros(1), np.zeros(1))
        paths.append(_path(m, f, c, choice, group, nothing))
    return paths


def _choose(runs: Sequence[Moments], chosen_by: int, spectra: Spectra, clock: Expiring | None) -> tuple[int, Choice]:
    """How many moments are averaged into one, and the choice for the runs.

    Long runs begin with windows of single moments. While the state changes slowly against the step, neighbours are averaged and
    windows grow with them; slowly, since within a window that is too short motion may look like noise.
    """
    group = 1
    while True:
        grouped = [m.grouped(group) for m in runs]
        is_long = max(len(m) for m in grouped) > WINDOW
        choice = choose(_windows(grouped) if is_long else _some(grouped, chosen_by), spectra, clock)
        if choice.ratio < EXACT:
            return 1, choice
        most = choice.length * GROUP / _step(runs)
        if not is_long or most < 2 * group:
            return group, choice
        group = min(int(most), GROWTH * group)


def _step(runs: Sequence[Moments]) -> float:
    return float(np.median(np.concatenate([np.diff(m.time) for m in runs])))


def _some(runs: Sequence[Moments], most: int) -> list[Moments]:
    """The longest runs with ``most`` moments in all, at least one."""
    order = sorted(range(len(runs)), key=lambda k: -len(runs[k]))
    total, kept = 0, list[int]()
    for k in order:
        if kept and total + len(runs[k]) > most:
            continue
        kept.append(k)
        total += len(runs[k])
    return [runs[k] for k in sorted(kept)]


def _windows(runs: Sequence[Moments]) -> list[Moments]:
    """Windows at the beginning, in the middle and at the end of the longest run."""
    longest = max(runs, key=len)
    last = max(len(longest) - CHOSEN_WINDOW, 0)
    begins = sorted({0, last // 2, last})
    return [longest.take(slice(b, b + CHOSEN_WINDOW)) for b in begins]


def _path(whole: Moments, free: Moments, clipped: Mask, choice: Choice, group: int, nothing: Moments) -> Path:
    curve, is_exact = _curve(free if len(free) else nothing, choice, group)
    time = whole.time
    value, rate, second = curve.local(time) if len(time) else np.empty((3, 0))
    variances = np.einsum("maa->am", curve.errors(time)) if len(time) else np.empty((3, 0))
    # Lines of their own: sums over views come out differently where a worker has a copy.
    value_sd, rate_sd, second_sd = np.ascontiguousarray(np.sqrt(np.maximum(variances, 0.0)))
    if clipped.any():
        value, rate = np.where(clipped, whole.mean, value), np.where(clipped, 0.0, rate)
    noise = np.sqrt(choice.scale * choice.ratio * choice.profile(value))
    if choice.is_log:
        noise = noise * value
    is_noisy = bool(np.mean(noise**2) > NOISY**2 * float(np.var(whole.mean))) if len(time) else False
    hides = is_noisy and follows_from_past(whole.mean - value)
    length = choice.length
    if not math.isinf(choice.origin) and len(time):
        length /= float(np.median(choice.coordinates(time[0]).warp(time)[1]))
    return Path(
        time, value, rate, second, value_sd, rate_sd, second_sd, noise, choice.log_likelihood, length, choice.is_log,
        is_exact, clipped, hides, curve,
    )  # fmt: skip


def _curve(free: Moments, choice: Choice, group: int) -> tuple[Curve, bool]:
    begin = float(free.time[0])
    if len(free) >= LEAST and choice.ratio < EXACT:
        exact = [ExactCurve.through(c, free.time, free.mean) for c in (Coordinates(begin), choice.coordinates(begin))]
        # Interpolation has no likelihood: the coordinates count in which two degrees agree better.
        return min(exact, key=lambda c: float(np.sum(c.errors(free.time)[:, 1, 1]))), True
    moments = free.grouped(group)
    half = WINDOW // 2
    n = len(moments)
    slices = [slice(0, n)] if n <= WINDOW else [slice(k, min(k + WINDOW, n)) for k in range(0, n - half, half)]
    pieces = []
    for rows in slices:
        m = moments.take(rows)
        value = None
        if choice.floor is not None:
            even = replace(choice, floor=None, level=1.0)
            p = even.process(m, begin, None)
            value = p.means(p.nodes)[0]
        pieces.append(choice.process(m, begin, value))
    return SmoothCurve(choice.coordinates(begin), tuple(pieces)), False
