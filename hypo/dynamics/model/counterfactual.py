"""``model.counterfactual()``: a recorded run as it would have been with another input, or another law.

1. Abduction: the run's own start, with its errors, and the errors of its samples, are found from the run and the law.
2. Action: inputs, constants or laws are set.
3. Prediction: from the same start, with the same constants but for those that are set, the run is followed again. Its samples
   would have had the same errors.

What a path misses of the samples counts as error of measurement, and is kept sample by sample; no forces on the states are
inferred from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.contacts.pieces import joined
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.interventions import Intervention
from hypo.dynamics.model.names import find_units
from hypo.dynamics.model.rollouts.abduction import find_segment
from hypo.dynamics.model.rollouts.bands import Rollout, quantiles
from hypo.dynamics.model.rollouts.courses import read_actions
from hypo.dynamics.model.rollouts.rollout import as_events, check_count
from hypo.dynamics.model.rollouts.sampling import Members, draw_from, draw_members, follow_system, followed
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import InputError

Values = NDArray[np.float64]

# Correlation of neighbouring errors from which on they are no errors of measurement.
ALIKE = 0.5


@dataclass(frozen=True, repr=False)
class Counterfactual:
    """A run as it was and as it would have been, drawn together: draw k of both has the same system, constants and start.

    Attributes:
        factual: states under the law and the inputs as recorded, without errors of measurement: their medians and bands are of
            the states themselves.
        changed: the same under the changed ones.
        observed: (n_time, n_measured), the samples as recorded.
        remarks: sentences for the user.
    """

    factual: Rollout
    changed: Rollout
    observed: Values
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Counterfactual: as it was {self.factual!r}, and as it would have been>"

    def __str__(self) -> str:
        """Of each state the median and the band of 90 % at the last moment: as it was, as it would have been, the effect."""
        of = [
            (self.factual.median, self.factual.band()),
            (self.changed.median, self.changed.band()),
            (quantiles(self.effect, (0.5,))[0], self.effect_band()),
        ]
        clock = self.factual.clock
        lines = [f"{len(self.changed.states)} draws; at {clock} = {self.time[-1]:g}, medians and bands of 90 %:"]
        for k, name in enumerate(self.factual.names):
            parts = [f"{m[-1, k]:.4g} ({low[-1, k]:.4g} to {high[-1, k]:.4g})" for m, (low, high) in of]
            lines.append(f"{name}: {parts[0]} as it was, {parts[1]} as it would have been; effect {parts[2]}")
        return "\n".join([*lines, *(f"{remark}." for remark in self.remarks)])

    @property
    def time(self) -> Values:
        """Moments of the run (n_time,)."""
        return self.changed.time

    @property
    def effect(self) -> Values:
        """Changed minus factual trajectories (n_sample, n_time, n_state)."""
        return self.changed.states - self.factual.states

    def band(self, level: float = 0.9) -> tuple[Values, Values]:
        """The band of the states as they would have been, (n_time, n_state) each."""
        return self.changed.band(level)

    def effect_band(self, level: float = 0.9) -> tuple[Values, Values]:
        """The band of the difference that the change makes, (n_time, n_state) each."""
        low, high = quantiles(self.effect, (0.5 - 0.5 * level, 0.5 + 0.5 * level))
        return low, high

    def measured(self) -> Values:
        """Samples as they would have been, with the errors of the run (n_sample, n_time, n_measured); NaN where none was."""
        m = self.observed.shape[1]
        return self.changed.states[:, :, :m] + (self.observed - self.factual.states[:, :, :m])


def find_counterfactual(
    model: ModelFields,
    trajectory: str | int | Trajectories,
    actions: Any = None,
    do: Mapping[str, Any] | None = None,
    n_samples: int = 100,
    seed: int = 0,
) -> Counterfactual:
    """A run with other inputs, or another law.

    Args:
        model: the world model.
        trajectory: a run of the data by name or number, or new data of one run.
        actions: inputs instead of the recorded ones.
        do: parts of the law that are set: ``{"k": 0}``, ``{"x": "-0.1*x"}``, ``{"u": 0}``.
        n_samples: trajectories.
        seed: of the draws.

    Raises:
        InputError: nothing is changed; a name or number is wrong; no system has what is set.
    """
    check_count(n_samples)
    whole, number = _recorded(model, trajectory)
    run = begin_run(model.best, whole, number)
    change = Intervention.of(model, do)
    if actions is None and not do:
        raise InputError("a counterfactual changes something; give actions or do")
    recorded = run.actions if model.actions else None
    given = recorded if actions is None else read_actions(model, actions, run.time, run)
    for name, value in change.inputs.items():
        given = _set_input(model, run, given, name, value)
    events = as_events(None, model)
    factual, changed, left_out = [], [], 0
    rng = np.random.default_rng([seed, 2])
    for m in draw_members(model, n_samples, seed):
        segment = find_segment(m.fitted, model.data, run, number, events)
        _, starts = draw_from(segment, m.fitted, m.P, rng)
        acted = change.apply(model, m.number, m.P)
        if acted is None:
            left_out += m.n
            continue
        before = followed(m, starts, run.time, recorded, model, events, run.past)
        after = follow_system(acted[0], starts, acted[1], run.time, given, model, events, run.past)
        factual.append((m, *before))
        changed.append((m, *after))
    if not factual:
        raise InputError("no drawn system has the constants that do sets; set a law instead")
    remarks = _remarks(model, run, factual, left_out, n_samples)
    return Counterfactual(_as_rollout(model, run, factual), _as_rollout(model, run, changed), run.states, remarks)


def _recorded(model: ModelFields, trajectory: str | int | Trajectories) -> tuple[Run, int | None]:
    if not isinstance(trajectory, Trajectories):
        number = model.find_run(trajectory)
        return joined(model.data, number), number
    if trajectory.states != model.data.states or trajectory.actions != model.data.actions:
        raise InputError(f"the run must have the columns {', '.join(model.data.columns)}")
    if len(trajectory.runs) != 1:
        raise InputError(
            f"a counterfactual is of one run, and {trajectory.source} has {len(trajectory.runs)}; choose one"
        )
    return trajectory.runs[0], None


def _set_input(model: ModelFields, run: Run, given: Values | None, name: str, value: Any) -> Values:
    assert given is not None
    table = {other: given[:, k] for k, other in enumerate(model.actions)}
    found = read_actions(model, {**table, name: value}, run.time, run)
    assert found is not None
    return found


def _remarks(
    model: ModelFields, run: Run, factual: list[tuple[Members, Values, NDArray[np.void]]], left_out: int, n: int
) -> tuple[str, ...]:
    out = []
    if left_out:
        out.append(f"{left_out} of {n} draws are of systems without what do sets, and are left out")
    m = model.system.n_measured
    for k, name in enumerate(model.states[:m]):
        r = run.states[:, k] - np.nanmedian(np.concatenate([paths for _, paths, _ in factual])[:, :, k], axis=0)
        r = r[np.isfinite(r)]
        r = r - r.mean() if len(r) else r
        if len(r) > 8 and np.sum(r * r) > 0 and float(np.sum(r[1:] * r[:-1]) / np.sum(r * r)) > ALIKE:
            out.append(
                f'errors of "{name}" come in long waves, which measurements do not make: the law misses something, '
                "and the what-if is no better than the law"
            )
    return tuple(out)


def _as_rollout(model: ModelFields, run: Run, parts: list[tuple[Members, Values, NDArray[np.void]]]) -> Rollout:
    """Trajectories of all systems."""
    states = np.concatenate([paths for _, paths, _ in parts])
    system = np.concatenate([np.full(m.n, m.number) for m, _, _ in parts])
    used = sorted(set(system.tolist()))
    centres = np.array([quantiles(states[system == k], (0.5,))[0] for k in used])
    weights = np.array([np.mean(system == k) for k in used])
    ended = np.concatenate([away for _, _, away in parts])
    return Rollout(
        run.time,
        model.states,
        states,
        ended["moment"],
        np.searchsorted(used, system),
        centres,
        weights,
        states,
        np.zeros_like(states),
        model.data.time,
        find_units(model.system, model.data),
        reason=ended["reason"],
    )
