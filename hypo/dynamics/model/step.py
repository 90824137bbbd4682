"""``model.step()``: the next state, with its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts import rollout
from hypo.dynamics.model.rollouts.bands import quantiles
from hypo.errors import InputError

# Draws that the errors are made of.
DRAWS = 200


@dataclass(frozen=True)
class Step:
    """The state one step later.

    Attributes:
        median: by state, over systems, constants and the start; NaN where fewer than half of the draws are left.
        sd: by state, half the width of the middle 68.3 % of these, the standard deviation where they are normal. A few draws of
            an unlikely system near a pole change neither.
        noise: by measured state, standard deviation of a measurement of it.
        share_diverged: of the draws that have run away.
    """

    median: dict[str, float]
    sd: dict[str, float]
    noise: dict[str, float]
    share_diverged: float


def take_step(
    model: ModelFields, state: rollout.Start, action: Mapping[str, float] | None, duration: float | None
) -> Step:
    """The state ``duration`` later; by default the usual time between rows.

    Raises:
        InputError: a state, an input or the duration is missing or wrong.
    """
    steps = np.concatenate([np.diff(run.time) for run in model.data.runs])
    h = float(np.median(steps[steps > 0])) if duration is None else float(duration)
    if not (np.isfinite(h) and h > 0):
        raise InputError(f"duration must be a time above 0, got {duration!r}")
    begin = float(model.data.runs[0].time[0])
    course = rollout.plan(model, action, None, [begin, begin + h], None)
    found = rollout.roll(model, [rollout.read_start(model, state)], course, DRAWS, 0)[0]
    low, middle, high = quantiles(found.states[:, -1:], (norm.cdf(-1), 0.5, norm.cdf(1)))[:, 0]
    return Step(
        dict(zip(model.states, map(float, middle), strict=True)),
        dict(zip(model.states, map(float, 0.5 * (high - low)), strict=True)),
        model.noise,
        float(found.share_diverged[-1]),
    )
