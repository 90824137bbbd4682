"""``model.fixed_points()``: states at which the law stands still, what becomes of what starts near them, and cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
# A slope below this, of the typical rate over the box, is 0: other roots lie that way.
FLAT = 1e-5
# Roots of a line lie so near it, as a share of the box; neighbours on a curve are no further apart.
STRAIGHT = 1e-4
LINKED = 0.15
# Lines and curves have so many of the roots at least, and are at least so long, as a share of the box.
FEWEST = 4
LEAST_LENGTH = 0.05
# Points of one that are kept.
SHOWN = 60
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
class Continuum:
    """Fixed points that lie next to each other: a line, a curve, a plane or a surface.

    Attributes:
        ranges: by state its least and its largest value there, within the box of the data.
        dimension: 1 for lines and curves, 2 for planes and surfaces.
        is_straight: True for lines and planes.
        kind: what becomes of what starts beside it, ``"stable across it"``, ``"unstable across it"``, ``"stable across a part
            of it"`` or ``"neutral"``.
        samples: some of its points (n_state, n).
    """

    ranges: dict[str, tuple[float, float]]
    dimension: int
    is_straight: bool
    kind: str
    samples: Values = field(repr=False)

    def __str__(self) -> str:
        fixed = [f"{name} = {a:.4g}" for name, (a, b) in self.ranges.items() if a == b]
        open_ = [f"{name} from {a:.4g} to {b:.4g}" for name, (a, b) in self.ranges.items() if a != b]
        names = ("line", "plane") if self.is_straight else ("curve", "surface")
        shape = f"a {names[self.dimension - 1]}" if self.dimension < 3 else f"a space of {self.dimension} dimensions"
        return f"{', '.join((*fixed, *open_))}: {shape} of fixed points, {self.kind}"


@dataclass(frozen=True)
class Cycle:
    """The orbit that the data run to if left alone, where it repeats itself: its period, and the range of each state."""

    period: float
    ranges: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Portrait:
    """Fixed points in and about the data's box, the cycle that the data run on, remarks, the inputs of all this, and what fixed
    points lie on together: those are not among ``points``."""

    points: tuple[FixedPoint, ...]
    cycle: Cycle | None
    remarks: tuple[str, ...] = ()
    inputs: Mapping[str, float] = field(default_factory=dict)
    continua: tuple[Continuum, ...] = ()

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.inputs.items())
        given = f" at {at}" if at else ""
        found = [str(p) for p in (*self.points, *self.continua)]
        lines = found or [f"no fixed point in the range of the data{given}"]
        if given and found:
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
    roots, slopes = _roots(system, box, given)
    n = len(system.states)
    groups, alone = _put_together(roots / (box.high - box.low)[:n, None], slopes)
    jacobian = Jacobian(system)

    def eigenvalues(X: Values) -> NDArray[np.complex128]:
        return np.asarray(np.linalg.eigvals(jacobian.at(_columns(system, X, given))), complex)

    points = [_classified(system, roots[:, k], eigenvalues(roots[:, [k]])[0]) for k in alone]
    continua = [_describe(system, roots[:, of], eigenvalues, size, straight) for of, size, straight in groups]
    remarks = []
    if system.delays:
        remarks.append("stability is that without delays; a lag can make a stable point unstable")
    inputs = dict(zip(model.actions, given.tolist(), strict=True))
    return Portrait(tuple(points), None, tuple(remarks), inputs, tuple(continua))


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


def _roots(system: System, box: Box, given: Values) -> tuple[Values, Values]:
    """Roots (n_state, n) in the box by damped Newton steps from many starts, and slopes (n, n_state, n_state) there, of the
    typical rate over the box."""
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
    roots = np.where(np.abs(X[:, kept]) < 1e-9 * width[:, None], 0.0, X[:, kept])
    roots = roots[:, np.lexsort(np.round(roots[::-1], 9))]
    J = jacobian.at(_columns(system, roots, given)) - (np.eye(n) if system.is_discrete else 0.0)
    return roots, J * width[None, None, :] / size[None, :, None]


def _put_together(Z: Values, slopes: Values) -> tuple[list[tuple[NDArray[np.int64], int, bool]], list[int]]:
    """Roots Z (n_state, n), in units of the box, that lie on lines and curves: their numbers, the dimension, and True for what
    is straight; and the numbers of those that are alone."""
    _, sizes, V = np.linalg.svd(slopes)
    free = (sizes <= FLAT * np.maximum(sizes[:, :1], 1.0)).sum(1)
    left = [int(k) for k in np.flatnonzero(free)]
    groups: list[tuple[NDArray[np.int64], int, bool]] = []
    alone = [int(k) for k in np.flatnonzero(free == 0)]
    for k in list(left):
        # What lies along the directions in which nothing changes.
        if k not in left:
            continue
        along = V[k, len(Z) - free[k] :]
        away = Z[:, left] - Z[:, [k]]
        on = np.array(left)[np.abs(away - along.T @ (along @ away)).max(0) <= STRAIGHT]
        own = on[free[on] == free[k]]
        if len(own) >= FEWEST and np.ptp(Z[:, own], axis=1).max() >= LEAST_LENGTH:
            groups.append((own, int(free[k]), True))
            left = [j for j in left if j not in on]
    while left:
        group, edge = [left[0]], [left[0]]
        while edge:
            near = [j for j in left if j not in group and np.abs(Z[:, edge[-1]] - Z[:, j]).max() <= LINKED]
            edge = [*edge[:-1], *near]
            group += near
        left = [j for j in left if j not in group]
        if len(group) >= FEWEST and np.ptp(Z[:, group], axis=1).max() >= LEAST_LENGTH:
            groups.append((np.array(group), int(np.median(free[group])), False))
        elif not any(np.abs(Z[:, [group[0]]] - Z[:, of]).max(0).min() <= LINKED for of, _, _ in groups):
            # One root, to which Newton's steps come slowly from all sides; where lines cross it is on these.
            alone.append(group[int(np.argmin(sizes[group, -1]))])
    return groups, sorted(alone)


def _describe(
    system: System,
    X: Values,
    eigenvalues: Callable[[Values], NDArray[np.complex128]],
    dimension: int,
    is_straight: bool,
) -> Continuum:
    """The line or curve that roots X (n_state, n) lie on."""
    X = X[:, :: max(1, X.shape[1] // SHOWN)]
    lam = eigenvalues(X)
    growth = np.abs(lam) - 1.0 if system.is_discrete else lam.real
    still = np.abs(lam - 1.0) if system.is_discrete else np.abs(lam)
    # The directions along it neither grow nor fall.
    across = np.take_along_axis(growth, np.argsort(still, axis=1)[:, dimension:], axis=1)
    near = NEUTRAL * max(float(np.abs(lam).max()), 1e-300)
    stable = np.all(across < -near, axis=1)
    if not across.shape[1] or not (stable.any() or np.any(across > near)):
        kind = "neutral"
    elif stable.all():
        kind = "stable across it"
    else:
        kind = "stable across a part of it" if stable.any() else "unstable across it"
    low, high = X.min(1), X.max(1)
    flat = high - low <= STRAIGHT * np.max(high - low)
    ends = np.where(flat[:, None], X.mean(1)[:, None], np.stack([low, high], axis=1))
    ranges = {name: (float(a), float(b)) for name, (a, b) in zip(system.states, ends, strict=True)}
    return Continuum(ranges, dimension, is_straight, kind, X)


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
