"""Systems followed through time: many starts, parameters and courses of inputs in one call.

Each column has steps of its own, chosen by the local error (Dormand and Prince, order 5), so its samples do not depend on
which others are followed with it. Stiff columns go on with SciPy's Radau method. Laws of the next value are applied row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.integration.compiled import laws_of, make_batch
from hypo.dynamics.integration.events import Event
from hypo.dynamics.integration.extras import History, make_delays, make_events
from hypo.dynamics.system import System
from hypo.kernels.cpu.trajectories.batch import CHATTERS, DIVERGED, NO_VALUE, TOO_MANY, Control, Samples
from hypo.kernels.cpu.trajectories.laws import count_variables, rates_and_slopes

Values = NDArray[np.float64]

# Share of a start or parameter by which it is moved for a difference quotient; the local error that goes with it as a share
# of the one asked for, and the least that it is.
NUDGE = 1e-4
FINER = 1e-4
FINEST = 1e-11
# Slopes of the next values that are held at a time.
BLOCK = 1_000_000
# A number without any more influence than this share of the states, when moved so, is moved so many times further, so often.
HIDDEN = 1e-12
STRIDE = 1e3
FURTHER = 5
# Share of the largest start or parameter, in any unit, below which one moves as if it were of that size.
TINIEST = 1e-20


@dataclass(frozen=True)
class Accuracy:
    """How exactly systems are followed.

    Attributes:
        relative: local error of one step over the size of each state.
        far: bounds (n_state,) of |x| beyond which a column is given up; None: the largest number there is.
        most_steps: steps of a column, after which it is given up.
        can_be_stiff: True where stiff columns and those with too many steps go on with an implicit method, in Python.
    """

    relative: float = 1e-8
    far: Values | None = None
    most_steps: int = 10_000
    can_be_stiff: bool = True


@dataclass(frozen=True)
class Followed:
    """Samples of systems that were followed.

    Attributes:
        states: (n_time, n_state, n), NaN from where a column was given up.
        diverged: (n,), the moment at which a column ran away, or its law had no value; infinity where none did.
        unfinished: (n,), the moment at which a column had taken the most steps; infinity where none had.
        chattered: (n,), the moment at which events of a column followed each other ever more quickly; infinity where they did
            not.
        has_value: (n,), False for a column that diverged since its law has no value beyond.
    """

    states: Values
    diverged: Values
    unfinished: Values
    chattered: Values
    has_value: NDArray[np.bool_]

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """True for the columns (n,) that reached their last moment."""
        whole: NDArray[np.bool_] = np.isinf(self.diverged) & np.isinf(self.unfinished) & np.isinf(self.chattered)
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
    history: History | None = None,
    events: Sequence[Event] = (),
) -> Followed:
    """States of a system at the moments ``time``, the first of which is that of the start.

    Args:
        system: right-hand sides; those of a discrete system give the values at the next moment.
        X0: starts (n_state, n), or (n_state,) for all columns.
        P: parameters (n_parameter, n), or (n_parameter,) for all columns; None: those of the system.
        time: (n_time,) for all columns or (n_time, n); equal moments may follow each other.
        actions: inputs (n_time, n_action) for all columns or (n_time, n_action, n); None where the system has none.
        accuracy: tolerance and limits.
        history: for delays, moments up to the start and the states then; None: states have always been as at the start.
        events: what happens when conditions come true.

    Raises:
        ValueError: shapes do not go together, or time goes back.
    """
    samples = _follow(system, (X0, P, time, actions), accuracy, history, events, with_slopes=False)
    return Followed(samples.states, *_reasons(samples))


def follow_with_sensitivities(
    system: System,
    X0: ArrayLike,
    P: ArrayLike | None,
    time: ArrayLike,
    actions: ArrayLike | None = None,
    accuracy: Accuracy = Accuracy(),
    history: History | None = None,
    events: Sequence[Event] = (),
) -> FollowedWithSensitivities:
    """As :func:`follow`, and in addition derivatives by starts and parameters, from the variational equations

        d(∂x/∂x₀)/dt = (∂f/∂x) ∂x/∂x₀,     d(∂x/∂θ)/dt = (∂f/∂x) ∂x/∂θ + ∂f/∂θ,

    along the same steps, so that they are the derivatives of the numbers that :func:`follow` gives with these steps. In
    discrete time the same holds of the next value in the place of the rate. With delays or events they are central differences,
    all in one batch.
    """
    if system.is_discrete and not system.delays and not events:
        return _chained(system, (X0, P, time, actions), accuracy)
    if system.delays or events:
        return _differences(system, (X0, P, time, actions), accuracy, history, events)
    samples = _follow(system, (X0, P, time, actions), accuracy, history, events, with_slopes=True)
    d = len(system.states)
    return FollowedWithSensitivities(
        samples.states, *_reasons(samples), samples.slopes[:, :, :d], samples.slopes[:, :, d:]
    )


Columns = tuple[ArrayLike, ArrayLike | None, ArrayLike, ArrayLike | None]


def _follow(
    system: System,
    columns: Columns,
    accuracy: Accuracy,
    history: History | None,
    events: Sequence[Event],
    with_slopes: bool,
) -> Samples:
    from hypo.dynamics.integration.stiff import follow_stiff
    from hypo.kernels.cpu.trajectories.adaptive import follow_adaptive, follow_with_extras
    from hypo.kernels.cpu.trajectories.fixed import follow_discrete

    batch = make_batch(system, *columns)
    d, n, n_time = len(system.states), batch.starts.shape[1], batch.time.shape[1]
    m = d + len(system.parameters) if with_slopes else 0
    far = np.full(d, np.finfo(float).max) if accuracy.far is None else np.array(accuracy.far, float)
    samples = Samples(np.empty((n_time, d, n)), np.empty((n_time, d, m, n)), np.empty(n), np.empty(n, np.int64))
    delays, happening = make_delays(system, history, batch.parameters), make_events(system, events)
    if system.is_discrete:
        follow_discrete(laws_of(system), batch, far, samples, delays, happening)
        return samples
    is_plain = accuracy.can_be_stiff and not system.delays and not events
    control = Control(float(accuracy.relative), far, int(accuracy.most_steps), is_plain)
    if system.delays or events:
        follow_with_extras(laws_of(system), batch, control, samples, delays, happening)
    else:
        follow_adaptive(laws_of(system), batch, control, samples)
    if is_plain:
        follow_stiff(laws_of(system), batch, control, samples)
    return samples


def _reasons(samples: Samples) -> tuple[Values, Values, Values, NDArray[np.bool_]]:
    """For each reason the moments at which columns ended for it, infinity for the others; False without a value."""
    diverged, unfinished, chattered = (
        np.where(np.isin(samples.status, why), samples.ended, np.inf)
        for why in ((DIVERGED, NO_VALUE), (TOO_MANY,), (CHATTERS,))
    )
    return diverged, unfinished, chattered, samples.status != NO_VALUE


def _chained(system: System, columns: Columns, accuracy: Accuracy) -> FollowedWithSensitivities:
    """Sensitivities in discrete time: S[k+1] = (∂f/∂x) S[k] + ∂f/∂p at the states of row k."""
    samples = _follow(system, columns, accuracy, None, (), with_slopes=False)
    batch, laws = make_batch(system, *columns), laws_of(system)
    n_time, d, n = samples.states.shape
    m = d + laws.n_parameter
    table = count_variables(laws)
    slopes = np.zeros((n_time, n, d, m))
    slopes[0, :, :, :d] = np.eye(d)
    width = max(BLOCK // (d * table * n), 1)
    for first in range(0, n_time - 1, width):
        last = min(first + width, n_time - 1)
        X = np.empty((table, last - first, n))
        X[:d] = np.moveaxis(samples.states[first:last], 1, 0)
        at = d + laws.n_action
        X[d:at] = np.moveaxis(batch.inputs[:, first:last, :, 0], 0, 2).swapaxes(0, 1)
        if laws.n_time:
            X[at] = batch.time[:, first:last].T
        X[table - laws.n_parameter :] = batch.parameters[:, None, :]
        J = np.empty((d, table, (last - first) * n))
        rates_and_slopes(laws, X.reshape(table, -1), np.empty((d, J.shape[2])), J)
        each = np.moveaxis(J.reshape(d, table, last - first, n), (0, 1), (2, 3))
        by_state = np.ascontiguousarray(each[..., :d])
        slopes[first + 1 : last + 1, :, :, d:] = each[..., table - laws.n_parameter :]
        for k in range(first, last):
            slopes[k + 1] += by_state[k - first] @ slopes[k]
    out = np.moveaxis(slopes, 1, 3)
    return FollowedWithSensitivities(samples.states, *_reasons(samples), out[:, :, :d], out[:, :, d:])


def _differences(
    system: System, columns: Columns, accuracy: Accuracy, history: History | None, events: Sequence[Event]
) -> FollowedWithSensitivities:
    """Sensitivities by central differences: all columns, then all with each start and parameter moved up and down."""
    batch = make_batch(system, *columns)
    d, n = batch.starts.shape
    base = np.vstack([batch.starts, batch.parameters])
    m = len(base)
    # What is zero is moved by a share of the largest start or parameter.
    sizes = np.repeat([np.abs(batch.starts).max(initial=0.0), np.abs(batch.parameters).max(initial=0.0)], [d, m - d])
    size = np.where(sizes > 0, sizes, 1.0)[:, None]
    nudge = NUDGE * np.where(base != 0, np.maximum(np.abs(base), TINIEST * size), size)
    fine = replace(accuracy, relative=min(accuracy.relative, max(FINER * accuracy.relative, FINEST)))

    def move(which: NDArray[np.int64]) -> tuple[Samples, Values]:
        """Columns as they are and with each of some rows of ``base`` moved up and down; the latter's difference quotients."""
        w = len(which)
        moved = np.repeat(base[:, None, :], 2 * w + 1, axis=1)
        moved[which, 1 + np.arange(w)] += nudge[which]
        moved[which, 1 + w + np.arange(w)] -= nudge[which]
        moved = moved.reshape(m, (2 * w + 1) * n)

        def repeat(values: ArrayLike | None, n_axis: int) -> ArrayLike | None:
            array = None if values is None else np.asarray(values)
            return array if array is None or array.ndim < n_axis else np.tile(array, (2 * w + 1,))

        past = None if history is None else (repeat(history[0], 2), repeat(history[1], 3))
        each = (moved[:d], moved[d:], repeat(columns[2], 2), repeat(columns[3], 3))
        found = _follow(system, each, fine, past, events, with_slopes=False)  # type: ignore[arg-type]
        states = found.states.reshape(*found.states.shape[:2], 2 * w + 1, n)
        return found, (states[:, :, 1 : w + 1] - states[:, :, w + 1 :]) / (2 * nudge[which])

    found, slopes = move(np.arange(m))
    own = np.ascontiguousarray(found.states[:, :, :n])
    # A number that hardly acts is moved further, until the states' rounding does not hide what it does.
    least = HIDDEN * np.nanmax(np.abs(own), axis=(0, 2), initial=0.0)[:, None]
    for _ in range(FURTHER):
        changes = np.nanmax(np.abs(slopes * nudge), axis=0, initial=0.0).max(axis=2) if n else np.ones((d, m))
        quiet = np.flatnonzero(np.all(changes <= least, axis=0))
        if not len(quiet):
            break
        nudge[quiet] *= STRIDE
        slopes[:, :, quiet] = move(quiet)[1]
    diverged, unfinished, chattered, has_value = _reasons(found)
    reasons = diverged[:n], unfinished[:n], chattered[:n], has_value[:n]
    return FollowedWithSensitivities(own, *reasons, slopes[:, :, :d], slopes[:, :, d:])
