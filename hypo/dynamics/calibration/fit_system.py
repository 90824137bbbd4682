"""Constants and starts of a system, fitted to the samples themselves by multiple shooting.

Short segments first: they keep systems from running away before their constants are nearly right. Then longer ones, up to whole
runs, each beginning with the constants and paths that the shorter ones left. A system that follows the data from the first is
fitted to whole runs at once. Where whole runs cannot be followed (chaos), the longest segments that can be are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.dynamics.calibration.calibrated import Calibrated, Segment
from hypo.dynamics.calibration.levenberg import Point, Task, descend, equations, evaluate
from hypo.dynamics.calibration.noise import FLOOR, MIXES, Noise, choose_mix, misfit_by_state, variance
from hypo.dynamics.calibration.segments import Guess, cut, guess_paths
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Steps from sample to sample in the first segments.
FIRST = 8
# Steps in segments before these where paths between samples are not known, or run apart too fast.
ROUGH = (1, 3)
# A length that leaves fewer than so many segments in the longest run is left out.
FEWEST = 1.5
# Largest residual, as a share of the spread, with which whole runs are fitted at once.
NEAR = 0.3
# Growth of a small error over the first segments from which on shorter ones come before them.
UNSTEADY = 5.0
# Growth of a small error of the start from which on a run counts as chaotic.
CHAOTIC = 100.0
# Constant share of the variance below which noise may be purely in proportion.
NEARLY_PROPORTIONAL = 0.2
# Error of the integrator as a share of the noise.
FINE_ENOUGH = 0.02
# Finest accuracy, for systems that magnify errors.
FINEST = 1e-11
# A fit is hopeless if it misses by so many nats,
MARGIN = 5.0
# and so many for each sample, because the kind of noise is not settled, at the first length and at others,
UNSETTLED = (0.15, 0.06)
# and so many times the gain of the last step.
PATIENCE = 4.0
# Share of the smoother's noise below which nothing is gained while segments grow.
TRUST = 0.3


@dataclass(frozen=True)
class Effort:
    """How much work a fit is worth.

    Attributes:
        growth: of segments from one length to the next.
        steps: Levenberg steps at each length, and at the last.
        settled: gain in nats that ends them, at each length, and at the last.
        rounds: choices of the noise, at most.
        accuracy: of the integrator, relative.
        finest: accuracy where the noise asks for it.
        is_full: True to follow stiff systems, and to compare with constant noise whatever seemed likelier before.
    """

    growth: float
    steps: tuple[int, int]
    settled: tuple[float, float]
    rounds: int
    accuracy: float
    finest: float
    is_full: bool


EFFORTS = {
    "quick": Effort(6.0, (16, 16), (1.0, 0.05), 4, 1e-5, 1e-9, False),
    "full": Effort(3.2, (15, 50), (0.3, 1e-3), 6, 1e-6, 1e-9, True),
}


def fit_system(
    system: System,
    data: Trajectories,
    smoothed: Smoothed,
    *,
    deadline: Expiring | None = None,
    effort: str = "quick",
    beat: float = math.inf,
) -> Calibrated | None:
    """Fit parameters and starts; None where the shortest segments cannot be followed, or where ``beat`` is out of reach.

    Args:
        system: with first values of its parameters.
        data: runs.
        smoothed: the same, smoothed.
        deadline: after which no step begins; what was fitted so far is returned.
        effort: "quick" to compare candidates, "full" for what is reported.
        beat: misfit in nats that short segments, which fit better than whole runs, must come near.
    """
    return fit_from(system, data, guess_paths(system, data, smoothed), deadline=deadline, effort=effort, beat=beat)


def fit_from(
    system: System,
    data: Trajectories,
    guess: Guess,
    *,
    deadline: Expiring | None = None,
    effort: str = "quick",
    beat: float = math.inf,
) -> Calibrated | None:
    """As :func:`fit_system`, from a guess of the paths."""
    with np.errstate(all="ignore"):
        fit = _Fit(system, data, guess, EFFORTS[effort], deadline)
        return fit.run(beat)


@dataclass(frozen=True)
class _Level:
    """The state of a fit after one length of segments: its misfit, and the same with the starts of inner segments counted as
    the numbers that they are,

        Σ_k ½ (n_k - s) log(χ_k²/(n_k - s)),    s = segments - runs,

    so that short segments, which may follow anything, gain nothing by it."""

    task: Task
    point: Point
    noise: Noise
    misfit: float
    restrained: float

    @property
    def charge(self) -> float:
        """Nats of one start: each of its components is one more number."""
        share = self.task.segments.share
        return 0.5 * len(self.point.starts) * math.log(max(share.sum() / share.shape[1], 2.0))

    @property
    def charged(self) -> float:
        """Misfit with all starts charged."""
        return self.restrained + self.charge * (int(self.task.segments.run.max()) + 1)

    @property
    def amplification(self) -> float:
        """Largest growth of a small error of a start, in units of the states' spreads."""
        return _amplification(self.task, self.point)


class _Fit:
    """One fit, from the first segments to the result."""

    def __init__(
        self, system: System, data: Trajectories, guess: Guess, effort: Effort, deadline: Expiring | None
    ) -> None:
        self.system, self.data, self.guess, self.effort, self.deadline = system, data, guess, effort, deadline
        m = system.n_measured
        samples = np.concatenate([r.states[:, :m] for r in data.runs])
        self.samples = np.isfinite(samples).sum(0).astype(float)
        self.spread = _spread(samples, guess.states)
        self.square = np.maximum(np.nanmean(samples**2, axis=0), 1e-300)
        self.usual = np.nanmedian(guess.noise, axis=0)
        self.mix: Values | None = None
        self._last_gain = 0.0
        if guess.is_undersampled:
            # Such a system is followed from the samples themselves: there is no path between them.
            states = guess.states.copy()
            states[:, :m] = np.where(np.isfinite(samples), samples, states[:, :m])
            self.guess = replace(guess, states=states)

    def run(self, beat: float) -> Calibrated | None:
        whole = max(len(np.unique(r.time)) for r in self.data.runs) - 1
        theta = self.system.parameters.copy()
        level = self._directly(theta, whole)
        if level is not None:
            return None if self._is_hopeless(level, beat) else self._finish(level)
        for length in self._lengths(whole, theta):
            new = self._grown(length, theta, length >= whole)
            if new is None or (level is not None and not _follows(new, level)):
                break
            level, theta = new, new.point.theta
            if self._is_hopeless(level, beat):
                return None
            self._learn(level)
            if self.deadline is not None and self.deadline.expired:
                break
        return None if level is None else self._finish(level)

    def _lengths(self, whole: int, theta: Values) -> list[int]:
        """Lengths of segments in turn; those at first over which small errors do not grow much."""
        out, length = [], float(FIRST)
        while length * FEWEST < whole:
            out.append(int(length))
            length *= self.effort.growth
        rough = [n for n in ROUGH if n * FEWEST < whole]
        if not self.guess.is_undersampled and out:
            task = self._task(out[0], self.effort.accuracy)
            point = evaluate(task, task.segments.guess[0], theta)
            rough = rough if point is None or _amplification(task, point) > UNSTEADY else []
        return [*rough, *out, whole]

    def _directly(self, theta: Values, whole: int) -> _Level | None:
        """The fit of whole runs at once, where the system follows them nearly from the first, and where what is left of the
        samples is not what rounding of the starts has grown to: then shorter segments may fit far better."""
        task = self._task(whole, self.effort.accuracy)
        point = evaluate(task, task.segments.guess[0], theta)
        if point is None:
            return None
        seg, m = task.segments, self.system.n_measured
        away = (point.course.states[:, :m] - seg.samples) ** 2 * (seg.share > 0)
        if np.any(away.sum((0, 2)) > NEAR**2 * self.spread[:m] ** 2 * (seg.share > 0).sum((0, 2))):
            return None
        level, gain = self._fitted(task, point, True)
        if level.amplification * np.finfo(float).eps > FINE_ENOUGH * self._relative_noise(level):
            return None
        self._last_gain = gain
        return level

    def _task(self, length: int, accuracy: float) -> Task:
        seg = cut(self.data, self.guess, length, self.system)
        m = self.system.n_measured
        v = (seg.noise / self.usual[:, None]) ** 2
        if self.mix is not None:
            v = variance(seg.guess[:, :m], self.mix[:, None], self.square[:, None])
        least = FLOOR if self.guess.is_undersampled else np.maximum(TRUST * self.usual / self.spread[:m], FLOOR)
        return Task(self.system, seg, v, self.spread, np.broadcast_to(least, (m,)), accuracy, self.effort.is_full)

    def _grown(self, length: int, theta: Values, is_last: bool) -> _Level | None:
        task = self._task(length, self.effort.accuracy)
        point = evaluate(task, task.segments.guess[0], theta)
        if point is None:
            return None
        growth = _amplification(task, point)
        if growth > CHAOTIC:
            # Errors of the integrator grow as those of the start do.
            wanted = FINE_ENOUGH * float(np.min(self.usual / self.spread[: len(self.usual)])) / growth
            task = replace(task, accuracy=min(task.accuracy, max(wanted, FINEST)))
            point = evaluate(task, point.starts, theta)
            if point is None:
                return None
        level, self._last_gain = self._fitted(task, point, is_last)
        return level

    def _fitted(self, task: Task, point: Point, is_last: bool) -> tuple[_Level, float]:
        point, gain = descend(task, point, self.effort.steps[is_last], self.effort.settled[is_last], self.deadline)
        return self._judged(task, point), gain

    def _judged(self, task: Task, point: Point) -> _Level:
        """A point with the likeliest kind of noise, and the misfit under it."""
        seg, m = task.segments, self.system.n_measured
        path = point.course.states[:, :m]
        residuals = (path - seg.samples) / self.spread[:m, None]
        mix = choose_mix(residuals, path, seg.share, self.square)
        v = variance(path, mix[:, None], self.square[:, None])
        count = seg.share.sum((0, 2))
        squares = np.sum(seg.share * residuals**2 / v, axis=(0, 2))
        # Samples that laws can only look back at are not predicted: those that are stand for them.
        scale, logs = self.samples / np.maximum(count, 1.0), np.sum(seg.share * np.log(v), axis=(0, 2))
        left = np.maximum(count - (seg.n - len(self.data.runs)), 1.0)
        each = scale * misfit_by_state(squares, count, logs)
        restrained = scale * misfit_by_state(squares, left, logs * left / np.maximum(count, 1.0))
        level = self.spread[:m] * np.sqrt(squares / np.maximum(count, 1.0) + FLOOR**2)
        return _Level(task, point, Noise(level, mix, self.square), float(each.sum()), float(restrained.sum()))

    def _is_hopeless(self, level: _Level, beat: float) -> bool:
        if self._relative_noise(level) <= level.task.accuracy / FINE_ENOUGH:
            return False  # the integrator may be what limits the fit
        least = level.misfit + level.charge * len(self.data.runs) - PATIENCE * self._last_gain
        each = UNSETTLED[self.mix is not None]
        return least - MARGIN - each * float(level.task.segments.share.sum()) > beat

    def _relative_noise(self, level: _Level) -> float:
        return float(np.min(level.noise.level / self.spread[: self.system.n_measured]))

    def _learn(self, level: _Level) -> None:
        """Keep the fitted paths and the kind of noise for the next length."""
        seg = level.task.segments
        states = self.guess.states.copy()
        states[seg.at[seg.inside]] = np.moveaxis(level.point.course.states, 1, 2)[seg.inside]
        self.guess, self.mix = replace(self.guess, states=states), level.noise.mix

    def _finish(self, level: _Level) -> Calibrated:
        """The noise chosen anew from the fitted path, and the fit under it, in turns; as finely as that noise asks for."""
        mix = level.noise.mix
        # Weights and paths depend on each other, and rounds may end too early: so they also begin from the purest kind.
        kinds = [mix, np.where(mix < NEARLY_PROPORTIONAL, MIXES[-1], mix)]
        if self.effort.is_full:
            kinds.append(np.ones_like(mix))
        unlike = [k for i, k in enumerate(kinds) if not any(np.array_equal(k, other) for other in kinds[:i])]
        ends = [self._settled(replace(level, noise=replace(level.noise, mix=k))) for k in unlike]
        return self._result(min(ends, key=lambda end: end.misfit))

    def _settled(self, level: _Level) -> _Level:
        m, best = self.system.n_measured, replace(level, misfit=math.inf)
        for _ in range(self.effort.rounds):
            if self.deadline is not None and self.deadline.expired:
                break
            noise = self._relative_noise(level)
            # Where the integrator may be what limits the fit, the noise is not known yet.
            known = noise if noise > level.task.accuracy / FINE_ENOUGH else FLOOR
            accuracy = min(max(FINE_ENOUGH * known, self.effort.finest), level.task.accuracy)
            v = variance(level.point.course.states[:, :m], level.noise.mix[:, None], self.square[:, None])
            task = replace(level.task, v=v, least=np.full(m, FLOOR), accuracy=accuracy)
            point = evaluate(task, level.point.starts, level.point.theta)
            if point is None:
                break
            new = self._fitted(task, point, True)[0]
            gain = best.misfit - new.misfit
            same = accuracy == level.task.accuracy and bool(np.all(new.noise.mix == level.noise.mix))
            level, best = new, min(best, new, key=lambda each: each.misfit)
            if same and gain < self.effort.settled[1]:
                break
        return best if math.isfinite(best.misfit) else self._judged(level.task, level.point)

    def _result(self, level: _Level) -> Calibrated:
        seg, point, noise, m = level.task.segments, level.point, level.noise, self.system.n_measured
        path = point.course.states[:, :m]
        v = variance(path, noise.mix[:, None], self.square[:, None])
        task = replace(level.task, v=v, least=np.full(m, FLOOR))
        final = evaluate(task, point.starts, point.theta) or point
        normal = equations(task, final)
        count = seg.share.sum((0, 2))
        d, p = len(point.starts), len(point.theta)
        inflation = count.sum() / max(count.sum() - p - seg.n * d, 1.0)
        covariance = normal.covariance() * inflation if p else np.zeros((0, 0))
        own, cross = normal.start_covariances(covariance / inflation if p else covariance)
        pasts = [(seg.past[0][:, s], seg.past[1][:, :, s]) if self.system.delays else None for s in range(seg.n)]
        segments = tuple(
            Segment(int(r), int(a), int(b), point.starts[:, s], own[s] * inflation, cross[s] * inflation, pasts[s])
            for s, (r, (a, b)) in enumerate(zip(seg.run, seg.rows, strict=True))
        )
        starts = tuple(point.starts[:, int(np.argmax(seg.run == r))] for r in range(len(self.data.runs)))
        away = seg.share * (path - seg.samples) ** 2
        return Calibrated(
            self.system.with_parameters(point.theta),
            starts,
            np.sum(away / seg.noise**2, axis=(0, 2)),
            count,
            np.sqrt(away.sum((0, 2)) / np.maximum(count, 1.0)),
            covariance,
            level.charged,
            segments,
            replace(noise, level=noise.level * math.sqrt(inflation)),
        )


def _amplification(task: Task, point: Point) -> float:
    """Largest growth of a small error of a start, in units of the states' spreads."""
    growth = np.abs(point.course.by_start) * task.spread[:, None] / task.spread[:, None, None]
    return float(np.max(growth))


def _follows(new: _Level, old: _Level) -> bool:
    """True unless the longer segments of a chaotic system fit worse than the smaller number of their starts explains."""
    return new.amplification < CHAOTIC or new.charged <= old.charged + MARGIN


def _spread(samples: Values, states: Values) -> Values:
    """Usual size of each state: the spread of its samples, of hidden ones that of their guess; never 0."""
    out = np.std(states, axis=0)
    out[: samples.shape[1]] = np.nanstd(samples, axis=0)
    size = np.abs(states).max(0)
    return np.where(out > 1e-12 * size, out, np.where(size > 0, size, 1.0))
