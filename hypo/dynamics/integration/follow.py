"""Systems followed through time: many starts, parameters and courses of inputs in one call.

Each column has steps of its own, chosen by the local error (Dormand and Prince, order 5), so its samples do not depend on
which others are followed with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.integration.compiled import laws_of, make_batch
from hypo.dynamics.system import System
from hypo.kernels.cpu.trajectories.batch import DIVERGED, TOO_MANY, Control, Samples

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """How exactly systems are followed.

    Attributes:
        relative: local error of one step over the size of each state.
        far: bounds (n_state,) of |x| beyond which a column is given up; None: the largest number there is.
        most_steps: steps of a column, after which it is given up.
    """

    relative: float = 1e-8
    far: Values | None = None
    most_steps: int = 10_000


@dataclass(frozen=True)
class Followed:
    """Samples of systems that were followed.

    Attributes:
        states: (n_time, n_state, n), NaN from where a column was given up.
        diverged: (n,), the moment at which a column ran away, or its law had no value; infinity where none did.
        unfinished: (n,), the moment at which a column had taken the most steps; infinity where none had.
    """

    states: Values
    diverged: Values
    unfinished: Values

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """True for the columns (n,) that reached their last moment."""
        whole: NDArray[np.bool_] = np.isinf(self.diverged) & np.isinf(self.unfinished)
        return whole


@dataclass(frozen=True)
class FollowedWithSensitivities(Followed):
    """Samples and their derivatives.

    Attributes:
        by_start: (n_time, n_state, n_state, n), of each state by the start of each.
        by_parameter: (n_time, n_state, n_parameter, n).
    """

    by_start: Values
    by_parameter: Values


def follow(
    system: System,
    X0: ArrayLike,
    P: ArrayLike | None,
    time: ArrayLike,
    actions: ArrayLike | None = None,
    accuracy: Accuracy = Accuracy(),
) -> Followed:
    """States of a system at the moments ``time``, the first of which is that of the start.

    Args:
        system: right-hand sides.
        X0: starts (n_state, n), or (n_state,) for all columns.
        P: parameters (n_parameter, n), or (n_parameter,) for all columns; None: those of the system.
        time: (n_time,) for all columns or (n_time, n); equal moments may follow each other.
        actions: inputs (n_time, n_action) for all columns or (n_time, n_action, n); None where the system has none.
        accuracy: tolerance and limits.

    Raises:
        ValueError: shapes do not go together, or time goes back.
    """
    samples = _run(system, X0, P, time, actions, accuracy, with_slopes=False)
    return Followed(samples.states, _moments(samples, DIVERGED), _moments(samples, TOO_MANY))


def follow_with_sensitivities(
    system: System,
    X0: ArrayLike,
    P: ArrayLike | None,
    time: ArrayLike,
    actions: ArrayLike | None = None,
    accuracy: Accuracy = Accuracy(),
) -> FollowedWithSensitivities:
    """As :func:`follow`, and in addition derivatives by starts and parameters, from the variational equations

        d(∂x/∂x₀)/dt = (∂f/∂x) ∂x/∂x₀,     d(∂x/∂θ)/dt = (∂f/∂x) ∂x/∂θ + ∂f/∂θ,

    along the same steps, so that they are the derivatives of the numbers that :func:`follow` gives with these steps.
    """
    samples = _run(system, X0, P, time, actions, accuracy, with_slopes=True)
    d = len(system.states)
    return FollowedWithSensitivities(
        samples.states,
        _moments(samples, DIVERGED),
        _moments(samples, TOO_MANY),
        samples.slopes[:, :, :d],
        samples.slopes[:, :, d:],
    )


def _run(
    system: System,
    X0: ArrayLike,
    P: ArrayLike | None,
    time: ArrayLike,
    actions: ArrayLike | None,
    accuracy: Accuracy,
    with_slopes: bool,
) -> Samples:
    from hypo.kernels.cpu.trajectories.adaptive import follow_adaptive

    batch = make_batch(system, X0, P, time, actions)
    d, n, n_time = len(system.states), batch.starts.shape[1], batch.time.shape[1]
    m = d + len(system.parameters) if with_slopes else 0
    far = np.full(d, np.finfo(float).max) if accuracy.far is None else np.array(accuracy.far, float)
    samples = Samples(np.empty((n_time, d, n)), np.empty((n_time, d, m, n)), np.empty(n), np.empty(n, np.int64))
    control = Control(float(accuracy.relative), far, int(accuracy.most_steps))
    follow_adaptive(laws_of(system), batch, control, samples)
    return samples


def _moments(samples: Samples, why: int) -> Values:
    """The moments at which columns ended for a reason, infinity for the others."""
    return np.where(samples.status == why, samples.ended, np.inf)
