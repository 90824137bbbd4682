"""Paths of segments and their slopes by starts and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.integration.follow import Accuracy, follow_with_sensitivities
from hypo.dynamics.system import System

Values = NDArray[np.float64]

# States further from 0 than so many times their usual size have run away.
FAR = 1e4
# Steps of one path, at most, and so many more for each sample: a path that needs more is not worth its time.
STEPS = 4000
STEPS_EACH = 40


@dataclass(frozen=True)
class Course:
    """Paths of segments.

    Attributes:
        states: (n_time, n_state, n).
        by_start: d states/d start (n_time, n_state, n_state, n).
        by_parameter: d states/d parameters (n_time, n_state, n_parameter, n).
    """

    states: Values
    by_start: Values
    by_parameter: Values

    @property
    def is_finite(self) -> bool:
        """True where every segment was followed to its end."""
        return bool(
            np.isfinite(self.states).all() and np.isfinite(self.by_start).all() and np.isfinite(self.by_parameter).all()
        )


@dataclass(frozen=True)
class Clocks:
    """Where paths are wanted.

    Attributes:
        time: (n_time, n), moments of each path, the first one being that of its start; may repeat.
        actions: (n_time, n_action, n), inputs at these.
        past: moments up to the first one (n_past, n) and states then (n_past, n_state, n); None where no law looks back.
    """

    time: Values
    actions: Values
    past: tuple[Values, Values] | None = None


def follow_course(
    system: System,
    clocks: Clocks,
    starts: Values,
    theta: Values,
    scale: Values,
    accuracy: float = 1e-6,
    is_patient: bool = False,
) -> Course:
    """Paths from ``starts`` (n_state, n) with parameters ``theta`` (n_parameter,); ``scale`` (n_state,) are usual sizes.

    With ``is_patient`` stiff systems go on with an implicit method, which takes far longer.
    """
    steps = STEPS + STEPS_EACH * len(clocks.time)
    control = Accuracy(accuracy, FAR * scale, steps, is_patient)
    actions = clocks.actions if clocks.actions.shape[1] else None
    past = clocks.past if system.delays else None
    followed = follow_with_sensitivities(system, starts, theta, clocks.time, actions, control, past)
    return Course(followed.states, followed.by_start, followed.by_parameter)
