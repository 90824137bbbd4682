"""Levenberg–Marquardt steps on starts of segments and parameters together.

Lowered are the nats Σ_k ½ n_k log(χ_k²/n_k + f²), with the noise level of each state integrated out, and the weights of the
samples kept. As the logarithm is concave, a step that lowers Σ χ_k²/s_k² with the s_k² = χ_k²/n_k of the step before lowers the
nats, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.dynamics.calibration.course import Clocks, Course, follow_course
from hypo.dynamics.calibration.elimination import NormalEquations
from hypo.dynamics.calibration.noise import misfit_by_state
from hypo.dynamics.calibration.segments import Segments
from hypo.dynamics.system import System

Values = NDArray[np.float64]

# Share by which curvatures are raised at first.
DAMPING = 1e-3
# Its fall after a step that helps, down to a least.
FALL = 0.1
LEAST_DAMPING = 1e-9
# Its rise after a step that does not help, up to where steps are too short to go on.
RISE = 8.0
MOST_DAMPING = 1e6
# Longest move of a parameter as a multiple of its size,
LONGEST = 2.0
# and, where that is less, as a multiple of the change that shifts the residuals by one noise all in all.
NOTICED = 30.0
# Longest move of a start, as a multiple of the state's size.
LONGEST_OF_START = 1.0


@dataclass(frozen=True)
class Task:
    """A fit of one system to one set of segments.

    Attributes:
        system: with first values of its parameters.
        segments: runs, cut.
        v: relative variances of the samples (n_time, n_measured, n).
        spread: by state, its usual size (n_state,).
        least: by measured state, the noise below which nothing is gained, as a share of its spread (n_measured,).
        accuracy: relative, of the integrator.
        is_patient: True where stiff systems are worth an implicit method.
    """

    system: System
    segments: Segments
    v: Values
    spread: Values
    least: Values
    accuracy: float
    is_patient: bool = False


@dataclass(frozen=True)
class Point:
    """Starts and parameters, with the paths that follow from them.

    Attributes:
        starts: (n_state, n).
        theta: (n_parameter,).
        course: paths and slopes.
        residuals: (n_time, n_measured, n), in units of the spread and of √v, weighted by shares.
        squares: by measured state, their sum of squares.
        misfit: nats of the module's formula.
    """

    starts: Values
    theta: Values
    course: Course
    residuals: Values
    squares: Values
    misfit: float


def evaluate(task: Task, starts: Values, theta: Values) -> Point | None:
    """The point, or None where a segment cannot be followed."""
    seg, m = task.segments, task.v.shape[1]
    with np.errstate(all="ignore"):
        course = follow_course(
            task.system,
            Clocks(seg.time, seg.actions, seg.past),
            starts,
            theta,
            task.spread,
            task.accuracy,
            task.is_patient,
        )
        if not course.is_finite:
            return None
        away = (course.states[:, :m] - seg.samples) / task.spread[:m, None]
        residuals = away * np.sqrt(seg.share / task.v)
        squares = np.einsum("tks,tks->k", residuals, residuals)
        misfit = float(np.sum(misfit_by_state(squares, _count(task), _logs(task), task.least)))
    return Point(starts, theta, course, residuals, squares, misfit) if np.isfinite(misfit) else None


def _count(task: Task) -> Values:
    return np.asarray(task.segments.share.sum((0, 2)))


def _logs(task: Task) -> Values:
    return np.asarray(np.sum(task.segments.share * np.log(task.v), axis=(0, 2)))


def equations(task: Task, point: Point) -> NormalEquations:
    """Normal equations at a point, residuals in units of their own noise."""
    seg, m = task.segments, task.v.shape[1]
    count = _count(task)
    level = np.sqrt(point.squares / np.maximum(count, 1.0) + task.least**2)
    weight = np.sqrt(seg.share / task.v) / (task.spread[:m] * level)[:, None]
    slopes = np.concatenate([point.course.by_start[:, :m], point.course.by_parameter[:, :m]], axis=2)
    S = seg.n
    J = np.moveaxis(slopes * weight[:, :, None, :], 3, 0).reshape(S, -1, slopes.shape[2])
    r = np.moveaxis(point.residuals / level[:, None], 2, 0).reshape(S, -1)
    return NormalEquations.of(J, r, len(point.starts), task.spread)


def descend(
    task: Task, point: Point, steps: int, settled: float, deadline: Expiring | None = None
) -> tuple[Point, float]:
    """The point that steps lead to, and the gain of the last one in nats, 0 where no step helped.

    Args:
        task: what is fitted.
        point: where to begin.
        steps: number of steps, at most.
        settled: gain in nats that ends them.
        deadline: after which no step begins.
    """
    damping, gain = DAMPING, 0.0
    for _ in range(steps):
        if deadline is not None and deadline.expired:
            break
        normal = equations(task, point)
        new = None
        while damping <= MOST_DAMPING:
            new = _moved(task, point, normal, damping)
            if new is not None and new.misfit < point.misfit:
                break
            damping, new = damping * RISE, None
        if new is None:
            return point, 0.0
        gain, point = point.misfit - new.misfit, new
        damping = max(damping * FALL, LEAST_DAMPING)
        if gain < settled:
            break
    return point, gain


def _moved(task: Task, point: Point, normal: NormalEquations, damping: float) -> Point | None:
    """The point after one step, shortened to what steps may be."""
    starts, theta = normal.solve(damping)
    if not (np.isfinite(starts).all() and np.isfinite(theta).all()):
        return None
    with np.errstate(all="ignore"):
        noticed = NOTICED / np.sqrt(np.diag(normal.D))
        room = np.concatenate(
            [
                np.maximum(LONGEST * np.abs(point.theta), noticed) / np.abs(theta),
                LONGEST_OF_START * task.spread / np.abs(starts).max(0),
            ]
        )
    share = float(min(1.0, np.nanmin(room)))
    # A lag stays within its bounds, beyond which no past may have been recorded.
    return evaluate(task, point.starts + share * starts.T, task.system.within_bounds(point.theta + share * theta))
