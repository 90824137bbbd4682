"""``model.suggest()``: the next experiments, by what they are expected to tell.

With samples N(μ_k, V_k) under system k, V_k = σ² + J_k Σ_k J_kᵀ, an experiment tells of systems, at least (Kolchinsky, Tracey)

    I = -Σ_i w_i log Σ_j w_j exp(-B_ij),        B the Bhattacharyya distance between two normal distributions,

and of the constants of system k ½ log det V_k - ½ log det σ² nats. Experiments are chosen one after the other: those chosen
count as done, their distances add up and their information narrows Σ_k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats.qmc import Sobol

from hypo.dynamics.integration.follow import Accuracy, follow_with_sensitivities
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.sampling import MOST_STEPS, far_of, noise_of
from hypo.dynamics.model.states import box_of
from hypo.errors import InputError

Values = NDArray[np.float64]

# Moments at which an experiment is measured.
MOMENTS = 25
# Constant pieces of an input.
PIECES = 5
# Experiments that are compared at first, a power of 2.
COMPARED = 256
# Changed copies of the best one in each round, and how far they go in the unit cube, by round.
COPIES = 48
REACH = (0.15, 0.05, 0.02)
# Systems that are told apart, and the least weight of one.
MOST_SYSTEMS = 6
LEAST_WEIGHT = 1e-3
# Ranges in which experiments are compared at first, in turn, as shares of the whole.
NEARNESS = (1.0, 1.0, 0.5, 0.2)
# Systems that run away in more than this share of the experiments that another one gets through are not compared.
UNUSABLE = 0.9
# Nats about constants count as this many about systems: they decide where systems are known.
OF_CONSTANTS = 0.01
# Relative accuracy of paths and slopes.
ACCURACY = 1e-6

Range = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Suggestion:
    """An experiment.

    Attributes:
        start: by state.
        times: (n_time,), moments to measure.
        actions: (n_time, n_action), constant piece by piece.
        inputs: their names.
        tells_systems: nats that it is expected to tell of which system is right, with those suggested before done.
        tells_constants: nats of the constants.
        predictions: (n_system, n_time, n_state), of the systems that are told apart.
        systems: (n_system,), their numbers.
    """

    start: dict[str, float]
    times: Values
    actions: Values
    inputs: tuple[str, ...]
    tells_systems: float
    tells_constants: float
    predictions: Values = field(repr=False)
    systems: tuple[int, ...] = ()

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.start.items())
        told = f"expected to tell {self.tells_systems:.2f} nats of which laws hold, {self.tells_constants:.2f} of constants"
        lines = [f"start at {at}, measure to {self.times[-1]:.4g}: {told}"]
        for k, name in enumerate(self.inputs):
            first = np.flatnonzero(np.diff(self.actions[:, k], prepend=np.nan) != 0)
            steps = ", ".join(f"{self.actions[i, k]:.4g} from {self.times[i]:.4g}" for i in first)
            lines.append(f"  {name}: {steps}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Limits:
    """Where experiments may go.

    Attributes:
        low, high: (n_state + PIECES·n_action,), of starts, then of inputs piece by piece.
        times: (n_time,), moments to measure.
        path_low, path_high: (n_state,), that no path may leave.
    """

    low: Values
    high: Values
    times: Values
    path_low: Values
    path_high: Values

    @staticmethod
    def of(
        model: ModelFields, starts: Range | None, actions: Range | None, until: float | None, paths: Range | None
    ) -> Limits:
        """Limits as users give them; where they give none, starts and inputs stay in the range of the data.

        Raises:
            InputError: a name is unknown, a range is none, or the end is before the beginning.
        """
        box, n = box_of(model, 0.0), len(model.states)
        first = n + len(model.system.delays)
        begin = _ranges(starts, model.states, box.low[:n], box.high[:n], "start_range")
        recorded = slice(first, first + len(model.actions))
        given = _ranges(actions, model.actions, box.low[recorded], box.high[recorded], "action_range")
        ends = _ranges(paths, model.states, np.full(n, -np.inf), np.full(n, np.inf), "limits")
        runs = model.data.runs
        from_, to = float(runs[0].time[0]), until
        if to is None:
            to = from_ + max(run.duration for run in runs)
        if not (np.isfinite(to) and to > from_):
            raise InputError(f"until must be a time after {from_:g}, where the data begin, got {to!r}")
        times = np.asarray(np.linspace(from_, to, MOMENTS))
        if model.system.is_discrete:
            step = float(np.median(np.diff(runs[0].time)))
            times = np.asarray(from_ + step * np.arange(max(round((to - from_) / step), 1) + 1))
        low, high = (np.concatenate([b, np.repeat(g, PIECES)]) for b, g in zip(begin, given, strict=True))
        return Limits(low, high, np.asarray(times, float), *ends)

    def experiments(self, U: Values, n_state: int) -> tuple[Values, Values]:
        """Starts (n_state, n) and inputs (n_time, n_action, n) of points U (n, n_dimension) in the unit cube."""
        each = (self.low + U * (self.high - self.low)).T
        pieces = each[n_state:].reshape(-1, PIECES, each.shape[1])
        of = np.minimum(np.arange(len(self.times)) * PIECES // len(self.times), PIECES - 1)
        return each[:n_state], np.moveaxis(pieces[:, of], 1, 0)


def _ranges(given: Range | None, names: tuple[str, ...], low: Values, high: Values, of: str) -> tuple[Values, Values]:
    """Ends by name (n,) each, those not given as they are."""
    low, high = low.copy(), high.copy()
    for name, ends in (given or {}).items():
        if name not in names:
            raise InputError(f'{of} has "{name}"; expected {", ".join(names) or "nothing"}')
        try:
            a, b = (float(v) for v in ends)
        except (TypeError, ValueError):
            a = b = float("nan")
        if not a <= b:
            raise InputError(f'{of} of "{name}" must be a pair of numbers, the lower one first, got {ends!r:.40}')
        k = names.index(name)
        low[k], high[k] = a, b
    return low, high


@dataclass(frozen=True)
class _Known:
    """The experiments done so far: distances between systems, and covariances of constants by system."""

    apart: Values
    covariances: tuple[Values, ...]


@dataclass(frozen=True)
class _Outcome:
    """Predictions of one experiment by system, with the slopes over the noise (n_value, n_parameter), and all finite."""

    means: Values
    sds: Values
    slopes: tuple[Values, ...]


def suggest_experiments(model: ModelFields, limits: Limits, n: int = 5, seed: int = 0) -> tuple[Suggestion, ...]:
    """``n`` experiments, each the best with those before it done.

    Raises:
        InputError: n is no number of experiments, or none keeps within the limits.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"n must be a whole number, 1 or more, got {n!r}")
    if model.system.delays:
        raise InputError("experiments on laws with delays are not suggested: a start alone does not say what follows")
    search = _Search(model, limits, seed)
    return tuple(search.choose() for _ in range(n))


class _Search:
    def __init__(self, model: ModelFields, limits: Limits, seed: int) -> None:
        self.model, self.limits = model, limits
        self.rng = np.random.default_rng(seed)
        self.numbers = [k for k, w in enumerate(model.systems[:MOST_SYSTEMS]) if k == 0 or w.weight >= LEAST_WEIGHT]
        # Some are nearer to the middle of the ranges, where more keep within limits.
        near = np.resize(NEARNESS, COMPARED)[:, None]
        self.unit = 0.5 + near * (Sobol(len(limits.low), rng=self.rng).random(COMPARED) - 0.5)
        paths = self._follow(self.unit)
        possible = np.any([whole for _, _, whole in paths], axis=0)
        usable = [np.sum(whole) > (1 - UNUSABLE) * np.sum(possible) for _, _, whole in paths]
        self.numbers = [k for k, good in zip(self.numbers, usable, strict=True) if good]
        if not self.numbers:
            raise InputError(
                "no experiment within these ranges can be followed to its end inside the limits; give others"
            )
        weights = np.array([model.systems[k].weight for k in self.numbers])
        self.weights = weights / weights.sum()
        n = len(self.numbers)
        covariances = tuple(model.systems[k].fitted.covariance for k in self.numbers)
        self.known = _Known(np.zeros((n, n)), covariances)

    def _follow(self, U: Values) -> list[tuple[Values, Values, NDArray[np.bool_]]]:
        """By system paths (n_time, n_state, n), slopes by constants (n_time, n_state, n_parameter, n), and True where whole."""
        starts, actions = self.limits.experiments(U, len(self.model.states))
        out = []
        for k in self.numbers:
            system = self.model.systems[k].fitted.system
            accuracy = Accuracy(relative=ACCURACY, far=far_of(system, self.model.data), most_steps=MOST_STEPS)
            given = actions if system.actions else None
            P = np.repeat(system.parameters[:, None], starts.shape[1], axis=1)
            found = follow_with_sensitivities(system, starts, P, self.limits.times, given, accuracy)
            states = found.states
            with np.errstate(invalid="ignore"):
                inside = (states >= self.limits.path_low[:, None]) & (states <= self.limits.path_high[:, None])
            whole = np.all(inside & np.isfinite(states), axis=(0, 1)) & np.all(
                np.isfinite(found.by_parameter), axis=(0, 1, 2)
            )
            out.append((states, found.by_parameter, whole))
        return out

    def _outcomes(self, U: Values) -> list[_Outcome | None]:
        """The outcome of each experiment, None where a system does not get to its end."""
        m = self.model.system.n_measured
        paths = self._follow(U)
        out: list[_Outcome | None] = []
        for c in range(len(U)):
            if not all(whole[c] for _, _, whole in paths):
                out.append(None)
                continue
            means, sds, slopes = [], [], []
            for k, (states, by_parameter, _) in zip(self.numbers, paths, strict=True):
                fitted = self.model.systems[k].fitted
                # The start is set, not measured.
                sd = noise_of(fitted, states[1:, :, c]).ravel()
                sd = np.maximum(sd, 1e-9 * np.abs(states[1:, :m, c]).max() + 1e-300)
                means.append(states[1:, :m, c].ravel())
                sds.append(sd)
                slopes.append(by_parameter[1:, :m, :, c].reshape(len(sd), -1))
            out.append(_Outcome(np.array(means), np.array(sds), tuple(slopes)))
        return out

    def _told(self, outcome: _Outcome) -> tuple[float, float, _Known]:
        """Nats of systems, nats of constants, and what is known after it."""
        n = len(self.numbers)
        V = [
            np.diag(s**2) + J @ S @ J.T
            for s, J, S in zip(outcome.sds, outcome.slopes, self.known.covariances, strict=True)
        ]
        logs = [_log_det(v) for v in V]
        apart = self.known.apart.copy()
        for i in range(n):
            for j in range(i):
                d = outcome.means[i] - outcome.means[j]
                middle = 0.5 * (V[i] + V[j])
                b = 0.125 * float(d @ np.linalg.solve(middle, d)) + 0.5 * (_log_det(middle) - 0.5 * (logs[i] + logs[j]))
                apart[i, j] += max(b, 0.0)
                apart[j, i] = apart[i, j]
        of_constants = [0.5 * (logs[k] - 2 * float(np.sum(np.log(outcome.sds[k])))) for k in range(n)]
        covariances = tuple(
            S - S @ J.T @ np.linalg.solve(v, J @ S)
            for S, J, v in zip(self.known.covariances, outcome.slopes, V, strict=True)
        )
        gained = self._bound(apart) - self._bound(self.known.apart)
        return gained, float(self.weights @ of_constants), _Known(apart, covariances)

    def _bound(self, apart: Values) -> float:
        return -float(self.weights @ np.log(np.exp(-apart) @ self.weights))

    def _values(self, U: Values) -> Values:
        """The worth of each experiment (n,), -inf where it cannot be done."""
        out = np.full(len(U), -np.inf)
        for c, outcome in enumerate(self._outcomes(U)):
            if outcome is not None:
                of_systems, of_constants, _ = self._told(outcome)
                out[c] = of_systems + OF_CONSTANTS * of_constants
        return out

    def choose(self) -> Suggestion:
        """The best experiment now, which counts as done from now on."""
        worth = self._values(self.unit)
        if not np.any(np.isfinite(worth)):
            raise InputError(
                "no experiment within these ranges keeps inside the limits; give wider limits or other ranges"
            )
        best, value = self.unit[int(np.argmax(worth))], float(worth.max())
        for reach in REACH:
            tried = np.clip(best + reach * self.rng.standard_normal((COPIES, len(best))), 0.0, 1.0)
            worth = self._values(tried)
            if worth.max() > value:
                best, value = tried[int(np.argmax(worth))], float(worth.max())
        (outcome,) = self._outcomes(best[None])
        assert outcome is not None
        of_systems, of_constants, self.known = self._told(outcome)
        starts, actions = self.limits.experiments(best[None], len(self.model.states))
        paths = np.array([states[:, :, 0] for states, _, _ in self._follow(best[None])])
        return Suggestion(
            dict(zip(self.model.states, map(float, starts[:, 0]), strict=True)),
            self.limits.times,
            actions[:, :, 0],
            self.model.actions,
            of_systems,
            of_constants,
            paths,
            tuple(self.numbers),
        )


def _log_det(V: Values) -> float:
    return float(np.linalg.slogdet(V)[1])
