"""``model.fixed_points()``: states at which the law stands still, what becomes of what starts near them, and cycles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.stats.qmc import Sobol

from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.jacobian import Jacobian
from hypo.dynamics.model.states import Box, box_of
from hypo.dynamics.system import System
from hypo.errors import InputError

Values = NDArray[np.float64]

# Starts of Newton's method in the box, a power of 2.
STARTS = 512
# Newton steps of each start.
STEPS = 60
# The box of roots reaches beyond the data by this share of their range on either side.
MARGIN = 0.25
# Rates below this share of the typical rate in the box are 0.
STILL = 1e-9
# Roots nearer than this share of the box are one.
SAME = 1e-5
# More roots than this, where the Jacobian is singular, are points of a curve.
MOST_POINTS = 12
# Real parts below this share of the largest eigenvalue are 0.
NEUTRAL = 1e-6
# A cycle is sought for so many durations of the data.
CYCLE_DURATIONS = 20.0
# Moments in that time.
CYCLE_STEPS = 8000
# Turns of a cycle whose lengths agree to this share make a period.
STEADY = 1e-3
# Steps of the integrator for that.
CYCLE_MOST_STEPS = 400_000


@dataclass(frozen=True)
class FixedPoint:
    """A state that stays as it is.

    Attributes:
        state: by name.
        eigenvalues: of the Jacobian; of one step for discrete laws.
        kind: ``"stable node"``, ``"unstable spiral"``, ``"saddle"``, ``"centre"`` …
        period: of small oscillations about it, NaN where there are none.
        remark: what the linearised law leaves open.
    """

    state: dict[str, float]
    eigenvalues: NDArray[np.complex128]
    kind: str
    period: float
    remark: str = ""

    @property
    def is_stable(self) -> bool:
        """True where all that starts near it comes back to it."""
        return self.kind.startswith("stable")

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.state.items())
        return f"{at}: {self.kind}" + (
            f", period of small oscillations {self.period:.4g}" if np.isfinite(self.period) else ""
        )


@dataclass(frozen=True)
class Cycle:
    """The orbit that the data run to if left alone, where it repeats itself: its period, and the range of each state."""

    period: float
    ranges: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Portrait:
    """Fixed points in and about the data's box, the cycle that the data run on, remarks, and the inputs of all this."""

    points: tuple[FixedPoint, ...]
    cycle: Cycle | None
    remarks: tuple[str, ...] = ()
    inputs: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.inputs.items())
        given = f" at {at}" if at else ""
        lines = [str(p) for p in self.points] or [f"no fixed point in the range of the data{given}"]
        if given and self.points:
            lines.insert(0, f"with the inputs{given}:")
        if self.cycle:
            ranges = ", ".join(f"{name} from {a:.4g} to {b:.4g}" for name, (a, b) in self.cycle.ranges.items())
            lines.append(f"the longest run leads to a cycle of period {self.cycle.period:.4g}, {ranges}")
        return "\n".join([*lines, *self.remarks])


def find_fixed_points(model: ModelFields, actions: Mapping[str, float] | None = None) -> Portrait:
    """All fixed points of the likeliest system in the box of the data, 25 % wider, at constant inputs, and its cycle.

    Args:
        model: the world model.
        actions: inputs by name; those not given have the median of the data.

    Raises:
        InputError: the law depends on time, so nothing stands still; an input is not known.
    """
    found, system = find_points(model, actions), model.system
    if system.delays or system.is_discrete:
        return found
    return replace(found, cycle=_find_cycle(model, _inputs(model, actions or {})))


def find_points(model: ModelFields, actions: Mapping[str, float] | None = None) -> Portrait:
    """The same without the cycle."""
    system = model.system
    if system.time and any(system.time in e.variables for e in system.equations):
        raise InputError(f'the law depends on time ("{system.time}"), so it has no fixed points')
    given = _inputs(model, actions or {})
    box = box_of(model, MARGIN)
    roots, curve = _roots(system, box, given)
    jacobian = Jacobian(system)
    points = []
    for x in roots.T:
        J = jacobian.at(_columns(system, x[:, None], given))[0]
        points.append(_classified(system, x, np.linalg.eigvals(J)))
    remarks = ["fixed points form a curve or surface; some of its points are given"] if curve else []
    if system.delays:
        remarks.append("stability is that without delays; a lag can make a stable point unstable")
    inputs = dict(zip(model.actions, given.tolist(), strict=True))
    return Portrait(tuple(points), None, tuple(remarks), inputs)


def _inputs(model: ModelFields, actions: Mapping[str, float]) -> Values:
    """Constant inputs (n_action,)."""
    unknown = [name for name in actions if name not in model.actions]
    if unknown:
        have = ", ".join(model.actions) or "none"
        raise InputError(f'"{unknown[0]}" is no input of the model; its inputs are: {have}')
    recorded = np.vstack([run.actions for run in model.data.runs])
    return np.array([actions.get(name, float(np.median(recorded[:, k]))) for k, name in enumerate(model.actions)])


def _columns(system: System, X: Values, given: Values) -> Values:
    """Columns (n_column, n) of states that have long been X (n_state, n)."""
    names = list(system.states)
    delayed = X[[names.index(d.state) for d in system.delays]]
    rest = np.repeat(given[:, None], X.shape[1], axis=1)
    time = np.zeros((1 if system.time else 0, X.shape[1]))
    return np.vstack([X, delayed, rest, time])


def _roots(system: System, box: Box, given: Values) -> tuple[Values, bool]:
    """Roots (n_state, n) in the box by damped Newton steps from many starts, and True where they form a curve."""
    n = len(system.states)
    low, high = box.low[:n], box.high[:n]
    width = high - low
    X = low[:, None] + width[:, None] * Sobol(n, scramble=False).random(STARTS).T
    P = np.repeat(system.parameters[:, None], STARTS, axis=1)
    jacobian = Jacobian(system)

    def residual(X: Values, P: Values = P) -> Values:
        with np.errstate(all="ignore"):
            f = system.rates(_columns(system, X, given), P[:, : X.shape[1]])
        return f - X if system.is_discrete else f

    F = residual(X)
    size = np.nanmedian(np.abs(F), axis=1)
    size = np.where(size > 0, size, 1.0)
    for _ in range(STEPS):
        J = jacobian.at(_columns(system, X, given)) - (np.eye(n) if system.is_discrete else 0.0)
        J = np.where(np.isfinite(J), J, 0.0) * width[None, None, :] / size[None, :, None]
        step = -np.einsum("nij,nj->ni", np.linalg.pinv(J, rcond=1e-10), np.nan_to_num(F / size[:, None]).T).T
        # A step crosses a quarter of the box at most.
        step *= np.minimum(1.0, 0.25 / np.maximum(np.abs(step).max(0), 1e-300))
        norm = _norm(F, size)
        moved, done = X, np.zeros(STARTS, bool)
        for share in (1.0, 0.5, 0.25, 0.1, 0.02):
            tried = X + share * width[:, None] * step
            better = ~done & (_norm(residual(tried), size) <= norm)
            moved = np.where(better, tried, moved)
            done |= better
        X, F = moved, residual(moved)
    ok = np.flatnonzero((_norm(F, size) < STILL) & box.holds(X))
    kept: list[int] = []
    for k in ok[np.argsort(_norm(F, size)[ok], kind="stable")]:
        if all(np.abs((X[:, k] - X[:, j]) / width).max() > SAME for j in kept):
            kept.append(int(k))
    J = jacobian.at(_columns(system, X[:, kept], given)) - (np.eye(n) if system.is_discrete else 0.0)
    singular = sum(1 for M in J if np.linalg.matrix_rank(M, tol=1e-6 * max(float(np.abs(M).max()), 1e-300)) < n)
    curve = len(kept) > MOST_POINTS and singular > len(kept) // 2
    roots = np.where(np.abs(X[:, kept]) < 1e-9 * width[:, None], 0.0, X[:, kept])
    roots = roots[:, np.lexsort(np.round(roots[::-1], 9))]
    return (roots[:, :: max(1, len(kept) // 5)][:, :5] if curve else roots), curve


def _norm(F: Values, size: Values) -> Values:
    worst = np.abs(F / size[:, None]).max(0)
    return np.where(np.isfinite(worst), worst, np.inf)


def _classified(system: System, x: Values, eigenvalues: NDArray[np.complex128]) -> FixedPoint:
    state = dict(zip(system.states, map(float, x), strict=True))
    largest = float(np.max(np.abs(eigenvalues))) or 1.0
    if system.is_discrete:
        growth = np.abs(eigenvalues) - 1.0
        near, turning = 1e-9 + NEUTRAL, np.abs(eigenvalues.imag) > NEUTRAL
    else:
        growth = eigenvalues.real
        near, turning = NEUTRAL * largest, np.abs(eigenvalues.imag) > NEUTRAL * largest
    grows, falls = growth > near, growth < -near
    spiral = "spiral" if np.any(turning) else "node"
    remark, period = "", float("nan")
    if np.any(turning) and not system.is_discrete:
        period = float(2 * np.pi / np.max(np.abs(eigenvalues.imag)))
    if np.any(grows) and np.any(falls):
        kind, period = "saddle", float("nan")
    elif np.all(falls):
        kind = f"stable {spiral}"
    elif np.all(grows):
        kind = f"unstable {spiral}"
    elif not np.any(grows | falls) and np.all(turning):
        kind, remark = "centre", "a centre of the linearised law; terms of higher order decide whether orbits close"
    else:
        kind = "unstable, with neutral directions" if np.any(grows) else "neutral"
        remark = "some directions neither grow nor fall in the linearised law"
    return FixedPoint(state, np.asarray(eigenvalues, complex), kind, period, remark)


def _find_cycle(model: ModelFields, given: Values) -> Cycle | None:
    """The cycle that the longest run of the data runs to, by upward crossings of its middle."""
    system = model.system
    which = int(np.argmax([run.duration for run in model.data.runs]))
    time = np.linspace(0.0, CYCLE_DURATIONS * model.data.runs[which].duration, CYCLE_STEPS)
    actions = np.repeat(given[None, :], len(time), axis=0)
    start, P = model.best.starts[which][:, None], system.parameters[:, None]
    followed = follow(system, start, P, time, actions if len(given) else None, Accuracy(most_steps=CYCLE_MOST_STEPS))
    path = followed.states[len(time) // 2 :, :, 0]
    if not np.all(np.isfinite(path)):
        return None
    ranges = np.ptp(path, axis=0)
    whole = np.ptp(followed.states[:, :, 0], axis=0)
    k = int(np.argmax(ranges / np.maximum(whole, 1e-300)))
    if ranges[k] < 1e-3 * whole[k]:
        return None
    course = CubicSpline(time[len(time) // 2 :], path)
    middle = 0.5 * (path[:, k].max() + path[:, k].min())
    crossings = CubicSpline(course.x, path[:, k] - middle).roots(extrapolate=False)
    crossings = crossings[course(crossings, 1)[:, k] > 0]
    if len(crossings) < 4:
        return None
    # The states at crossings agree, too: a spiral and a wandering orbit cross as regularly.
    at = course(crossings)
    for turns in (1, 2, 3):
        lengths = crossings[turns:] - crossings[:-turns]
        apart = np.abs(at[turns:] - at[:-turns]).max(0) / np.maximum(ranges, 1e-300)
        if len(lengths) > 2 and np.ptp(lengths) <= STEADY * np.mean(lengths) and apart.max() < 0.02:
            names = zip(system.states, path.min(0), path.max(0), strict=True)
            return Cycle(float(np.mean(lengths)), {name: (float(a), float(b)) for name, a, b in names})
    return None
