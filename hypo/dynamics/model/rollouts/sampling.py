"""Draws from the posterior: systems by weight, their constants, and starts of recorded runs.

Constants are drawn from the Laplace approximation, with the tails that the number of samples leaves (Student), and weighed by
the true likelihood of the data, starts moved with the constants:

    w ∝ exp(-½ Σ (x(t; s(θ), θ) - y)²/σ²) / q(θ),        s(θ) = ŝ + C_sθ Σ_θ⁻¹ (θ - θ̂).

Where the approximation is good all weights are near one. Draws whose law has no value along the data, or that run away
there, go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated, Segment, root_of, starts_given
from hypo.dynamics.integration.events import Event
from hypo.dynamics.integration.extras import History
from hypo.dynamics.integration.follow import Accuracy, follow
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.bands import NO_VALUE, RUNS_AWAY, TOO_LONG, TOO_QUICK
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories

Values = NDArray[np.float64]

# Draws of constants that are weighed for each system.
POOL = 256
# Weights count as equal where they are worth this share of the draws.
GOOD = 0.8
# Uneven weights are evened out until they are worth this share.
LEAST_WORTH = 0.2
# |x| beyond so many times the size of a state in the data has run away.
FAR = 1e6
# Relative accuracy of paths that are drawn: far below any band.
ACCURACY = 1e-6
# Steps of one path, after which it is given up.
MOST_STEPS = 200_000
# Local error of steps, as a share of a state, in the weighing of draws.
WEIGHING = 1e-5
# How a path ended: the moment, infinity where it did not, and why.
ENDED = np.dtype([("moment", float), ("reason", np.int8)])


@dataclass(frozen=True)
class Members:
    """Draws of one system.

    Attributes:
        number: of the system in the model.
        fitted: that system.
        P: (n_parameter, n), its constants.
    """

    number: int
    fitted: Calibrated
    P: Values

    @property
    def system(self) -> System:
        """The system itself."""
        return self.fitted.system

    @property
    def n(self) -> int:
        """Number of draws."""
        return int(self.P.shape[1])


def draw_members(model: ModelFields, n: int, seed: int) -> list[Members]:
    """``n`` draws, shared out among systems by weight: whole parts first, the rest by systematic sampling."""
    rng = np.random.default_rng(seed)
    weights = np.array([s.weight for s in model.systems])
    counts = share_out(weights / weights.sum(), n, rng)
    out = []
    for k, count in enumerate(counts):
        if count:
            pool = pool_of(model, k, max(POOL, int(count)), seed)
            which = rng.permutation(pool.shape[1])[:count]
            out.append(Members(k, model.systems[k].fitted, pool[:, which]))
    return out


def share_out(weights: Values, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Counts by system that sum to ``n``, with expectation n·weights."""
    ends = np.cumsum(weights) * n
    ends[-1] = n
    at = rng.random()
    # Points at, at + 1, …: how many fall into each stretch.
    reached = np.floor(ends - at).astype(np.int64) + 1
    return np.diff(np.concatenate([[0], np.clip(reached, 0, n)]))


def pool_of(model: ModelFields, k: int, size: int, seed: int) -> Values:
    """Equally likely constants (n_parameter, size) of system k, in no order."""
    key = (k, size, seed)
    if key not in model.drawn:
        model.drawn[key] = _draw_pool(model.systems[k].fitted, model.data, size, np.random.default_rng([seed, k]))
    return np.asarray(model.drawn[key])


def _draw_pool(fitted: Calibrated, data: Trajectories, size: int, rng: np.random.Generator) -> Values:
    theta, p = fitted.system.parameters, len(fitted.system.parameters)
    if not p or not np.any(fitted.covariance):
        return np.asarray(np.repeat(theta[:, None], size, axis=1))
    dof = max(float(np.sum(fitted.count)) - p - sum(map(len, fitted.starts)), 1.0)
    root = root_of(fitted.covariance)
    z = rng.standard_normal((p, size)) / np.sqrt(rng.chisquare(dof, size) / dof)
    P = theta[:, None] + root @ z
    if not fitted.segments:
        return np.asarray(P)
    # Log density of the draws (Student), and the likelihood with the noise integrated out, of the same form.
    proposed = -0.5 * (dof + p) * np.log1p(np.sum(z * z, axis=0) / dof)
    excess = _misfits(fitted, data, P) - _misfits(fitted, data, theta[:, None])
    total = max(float(np.sum(fitted.count)), 1.0)
    with np.errstate(all="ignore"):
        likelihood = -0.5 * (dof + p) * np.log1p(np.maximum(excess, -0.5 * total) / max(dof, 1.0))
    logs = np.where(np.isfinite(excess), likelihood - proposed, -np.inf)
    return np.asarray(P[:, resample(logs, rng)])


def resample(logs: Values, rng: np.random.Generator) -> NDArray[np.int64]:
    """As many draws as there are log weights: all of them where weights are nearly equal, else by weight, evened out until
    they are worth a fifth."""
    n = len(logs)
    usable = np.isfinite(logs)
    if not usable.any():
        return np.arange(n)
    high = logs[usable].max()

    def worth(power: float) -> tuple[float, Values]:
        w = np.where(usable, np.exp(power * np.where(usable, logs - high, -np.inf)), 0.0)
        w /= w.sum()
        return float(1.0 / np.sum(w * w)) / n, w

    share, w = worth(1.0)
    if share >= GOOD and usable.all():
        return np.arange(n)
    least = min(LEAST_WORTH, 0.5 * float(usable.mean()))
    low, top = 0.0, 1.0
    while share < least and top - low > 1e-3:
        middle = 0.5 * (low + top)
        share, w = worth(middle)
        low, top = (middle, top) if share >= least else (low, middle)
        if top - low <= 1e-3:
            share, w = worth(low)
    steps = (rng.random() + np.arange(n)) / n
    found = np.searchsorted(np.cumsum(w), steps, side="right")
    return np.asarray(rng.permutation(np.minimum(found, n - 1)), np.int64)


def noise_of(fitted: Calibrated, states: Values) -> Values:
    """Standard deviation of measurements at states (…, n_state), of shape (…, n_measured)."""
    m = fitted.system.n_measured
    if len(fitted.measurement.level) == m:
        flat = states[..., :m].reshape(-1, m)
        return np.asarray(fitted.measurement.sd(flat)).reshape(*states.shape[:-1], m)
    return np.broadcast_to(fitted.noise[:m], (*states.shape[:-1], m))


def _misfits(fitted: Calibrated, data: Trajectories, P: Values) -> Values:
    """Σ of squares over the noise along the data, by column of constants (n,); infinite where a path ends early."""
    system, m = fitted.system, fitted.system.n_measured
    total = np.zeros(P.shape[1])
    for segment in fitted.segments:
        run = data.runs[segment.run]
        rows = slice(segment.first, segment.last + 1)
        starts, _ = starts_given(segment, fitted, P)
        actions = run.actions[rows] if system.actions else None
        accuracy = Accuracy(relative=WEIGHING, far=far_of(system, data))
        path = follow(system, starts, P, run.time[rows], actions, accuracy, segment.past)
        y = run.states[rows][:, :, None]
        sd = noise_of(fitted, np.nan_to_num(run.states[rows]))[:, :, None]
        with np.errstate(all="ignore"):
            r = np.where(np.isfinite(y), (path.states[:, :m] - y) / sd, 0.0)
            total += np.sum(r * r, axis=(0, 1))
    return np.where(np.isfinite(total), total, np.inf)


def far_of(system: System, data: Trajectories) -> Values:
    """Bounds (n_state,) beyond which a state has run away; of hidden ones the largest, in no unit."""
    sizes = np.nanmax(np.abs(np.vstack([run.states for run in data.runs])), axis=0)
    steps = [np.diff(run.time) for run in data.runs]
    shortest = min((float(h[h > 0].min()) for h in steps if np.any(h > 0)), default=1.0)
    hidden = np.full(len(system.states) - len(sizes), float(sizes.max()) / min(shortest, 1.0))
    return np.asarray(FAR * np.maximum(np.concatenate([sizes, hidden]), 1e-300))


def draw_starts(fitted: Calibrated, run: int, P: Values, rng: np.random.Generator) -> tuple[Values, Values]:
    """Starts of a run given constants P: means (n_state, n) and draws (n_state, n)."""
    first = fitted.first_segment(run)
    if first is None:
        means = np.repeat(np.asarray(fitted.starts[run], float)[:, None], P.shape[1], axis=1)
        return means, means
    return draw_from(first, fitted, P, rng)


def draw_from(segment: Segment, fitted: Calibrated, P: Values, rng: np.random.Generator) -> tuple[Values, Values]:
    """Starts of a segment given constants P: means (n_state, n) and draws (n_state, n)."""
    means, covariance = starts_given(segment, fitted, P)
    return means, means + root_of(covariance) @ rng.standard_normal(means.shape)


def followed(
    members: Members,
    starts: Values,
    time: Values,
    actions: Values | None,
    model: ModelFields,
    events: Sequence[Event] = (),
    past: History | None = None,
) -> tuple[Values, NDArray[np.void]]:
    """Paths (n, n_time, n_state) of draws from starts (n_state, n), and how they ended (n,) of :data:`ENDED`.

    ``past`` is what laws look back at; None: states have always been as at the start."""
    return follow_system(members.system, starts, members.P, time, actions, model, events, past)


def follow_system(
    system: System,
    starts: Values,
    P: Values,
    time: Values,
    actions: Values | None,
    model: ModelFields,
    events: Sequence[Event] = (),
    past: History | None = None,
) -> tuple[Values, NDArray[np.void]]:
    """The same of a system that need not be one of the model."""
    accuracy = Accuracy(relative=ACCURACY, far=far_of(system, model.data), most_steps=MOST_STEPS)
    found = follow(system, starts, P, time, actions, accuracy, past, events)
    moments = np.array([found.diverged, found.unfinished, found.chattered])
    away = np.empty(moments.shape[1], ENDED)
    away["moment"] = moments.min(0)
    # Of those that diverged, some have no value.
    away["reason"] = np.where(found.has_value, np.array([RUNS_AWAY, TOO_LONG, TOO_QUICK])[moments.argmin(0)], NO_VALUE)
    return np.moveaxis(found.states, 2, 0), away
