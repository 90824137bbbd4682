"""Long rollouts of many columns, in steps of one length for all: the classical Runge–Kutta method of order four.

The number of steps between two samples is doubled until a sample of columns agrees with what steps chosen by the local error
give. Few columns over many steps are followed by code of the system's own, all else by the interpreter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.integration.compiled import laws_of, make_batch
from hypo.dynamics.integration.follow import Accuracy, Followed, follow
from hypo.dynamics.system import System
from hypo.kernels.cpu.trajectories.batch import DIVERGED, Batch, Samples

Values = NDArray[np.float64]

# Columns by which the number of steps is chosen, spread over all.
TRIED = 32
# Most steps between two samples; where these are not enough, steps are chosen by the error.
MOST_STEPS = 256
# Fewer columns than this leave the interpreter's vector instructions idle (measured: 1, 7, 21 and 35 million steps of a state a
# second for 1, 8, 32 and 128 columns of a cart-pole with 93 nodes; generated code has 21 to 29 million for any number).
FEW = 32
# Nodes looked up by the interpreter (steps × stages × nodes) from which compiling, about a second, pays for few columns.
WORTH = 1.5e8


def follow_in_steps(
    system: System,
    X0: ArrayLike,
    P: ArrayLike | None,
    time: ArrayLike,
    actions: ArrayLike | None = None,
    tolerance: float = 1e-4,
    far: Values | None = None,
) -> Followed:
    """As :func:`~hypo.dynamics.integration.follow.follow`, faster for many columns.

    Args:
        system, X0, P, time, actions: as of ``follow``.
        tolerance: error of states at the samples as a share of their largest size, on the columns that are tried.
        far: bounds (n_state,) of |x| beyond which a column is given up.

    Raises:
        ValueError: shapes do not go together, or time goes back.
    """
    accuracy = Accuracy(min(1e-8, 0.01 * tolerance), far)
    batch = make_batch(system, X0, P, time, actions)
    n = batch.starts.shape[1]
    if system.is_discrete or system.delays:
        return follow(system, X0, P, time, actions, accuracy)
    chosen = np.unique(np.linspace(0, n - 1, TRIED).astype(int))
    part = _columns(batch, chosen)
    own_clock, own_course = part.time.T, None if actions is None else np.asarray(actions, float)
    if own_course is not None and own_course.ndim > 2:
        own_course = own_course[:, :, chosen]
    right = follow(system, part.starts, part.parameters, own_clock, own_course, accuracy)
    n_sub = _count_steps(system, part, right, tolerance, accuracy)
    if n_sub is None:
        return follow(system, X0, P, time, actions, accuracy)
    looked_up = 4 * (batch.time.shape[1] - 1) * n_sub * sum(len(e) for e in system.equations)
    return run_steps(system, batch, n_sub, far, is_generated=n <= FEW and looked_up >= WORTH)


def run_steps(system: System, batch: Batch, n_sub: int, far: Values | None, is_generated: bool) -> Followed:
    """All columns in ``n_sub`` steps between samples, by code of the system's own or by the interpreter."""
    from hypo.dynamics.integration.generated import follow_generated
    from hypo.kernels.cpu.trajectories.fixed import follow_fixed

    d, n, n_time = len(system.states), batch.starts.shape[1], batch.time.shape[1]
    samples = Samples(np.empty((n_time, d, n)), np.empty((n_time, d, 0, n)), np.empty(n), np.empty(n, np.int64))
    bounds = np.full(d, np.finfo(float).max) if far is None else np.array(far, float)
    (follow_generated if is_generated else follow_fixed)(laws_of(system), batch, n_sub, bounds, samples)
    diverged = np.where(samples.status == DIVERGED, samples.ended, np.inf)
    return Followed(samples.states, diverged, np.full(n, np.inf), np.full(n, np.inf))


def _count_steps(system: System, part: Batch, right: Followed, tolerance: float, accuracy: Accuracy) -> int | None:
    """The least power of two of steps that agrees with ``right`` where both are numbers; None where none is enough."""
    scale = np.nanmax(np.abs(right.states), axis=(0, 2), initial=0.0)[:, None]
    n_sub = 1
    while n_sub <= MOST_STEPS:
        found = run_steps(system, part, n_sub, accuracy.far, is_generated=False)
        with np.errstate(invalid="ignore"):
            error = np.abs(found.states - right.states)
        is_wrong = np.isfinite(right.states) & ~(error <= tolerance * scale)
        if not is_wrong.any():
            return n_sub
        n_sub *= 2
    return None


def _columns(batch: Batch, chosen: NDArray[np.int64]) -> Batch:
    """Some columns of a batch."""
    return Batch(
        np.ascontiguousarray(batch.starts[:, chosen]),
        np.ascontiguousarray(batch.parameters[:, chosen]),
        batch.time[chosen] if len(batch.time) > 1 else batch.time,
        batch.inputs[chosen] if len(batch.inputs) > 1 else batch.inputs,
        batch.has_jumps,
    )
