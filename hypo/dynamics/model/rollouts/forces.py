"""Trajectories under random forces: what these add to trajectories without them.

Between two moments h apart, half of the forces come before and half after the law has acted,

    x → x + q √(h/2) ξ₁ → φ_h(x) → φ_h(x) + q √(h/2) ξ₂        (G. Strang's splitting, 1968),

with φ_h the flow of the law, events included. In discrete time all come after.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.forcing import Forcing
from hypo.dynamics.integration.events import Event
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.sampling import Members, follow_system

Values = NDArray[np.float64]


def forcing_of(model: ModelFields) -> Forcing | None:
    """The random forces of a model; None where there are none, or the model's laws look back."""
    forcing = model.discovered.forcing
    return forcing if forcing is not None and np.any(forcing.level > 0) and not model.system.delays else None


def add_forces(
    model: ModelFields,
    members: Members,
    paths: Values,
    time: Values,
    actions: Values | None,
    events: Sequence[Event],
    rng: np.random.Generator,
) -> Values | None:
    """Differences (n, n_time, n_state) that random forces make to paths of that shape; None where the model has none."""
    forcing = forcing_of(model)
    if forcing is None:
        return None
    n, n_time, d = paths.shape
    level = forcing.level[:, None]
    x = np.ascontiguousarray(paths[:, 0].T)
    out = np.zeros_like(paths)
    is_discrete = members.system.is_discrete
    for i in range(n_time - 1):
        half = np.sqrt(0.5 * max(time[i + 1] - time[i], 0.0))
        first, second = rng.standard_normal((2, d, n))
        if not is_discrete:
            x = x + level * half * first
        inputs = None if actions is None else actions[i : i + 2]
        moved, _ = follow_system(members.system, x, members.P, time[i : i + 2], inputs, model, events)
        x = np.ascontiguousarray(moved[:, 1].T) + level * (1.0 if is_discrete else half) * second
        out[:, i + 1] = x.T - paths[:, i + 1]
    return out
