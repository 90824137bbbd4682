"""``model.rollout()``: trajectories drawn from the posterior, all starts and draws of a system in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.contacts.pieces import joined
from hypo.dynamics.integration.extras import History
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.names import find_units
from hypo.dynamics.model.rollouts.bands import Rollout
from hypo.dynamics.model.rollouts.courses import check_size, choose_moments
from hypo.dynamics.model.rollouts.forces import add_forces, forcing_of
from hypo.dynamics.model.rollouts.sampling import Members, draw_members, draw_starts, followed, noise_of
from hypo.dynamics.trajectories import Run
from hypo.errors import InputError

Values = NDArray[np.float64]

# A number, or a number and its standard deviation.
Start = Mapping[str, float | tuple[float, float]]


@dataclass(frozen=True)
class Course:
    """Where a rollout goes.

    Attributes:
        time: (n_followed,), moments that are followed.
        actions: (n_followed, n_action), None where the laws have none.
        keep: (n_time,), places of the moments that are shown.
        events: what happens where conditions are met.
        past: what laws look back at; None: states have always been as at the start.
    """

    time: Values
    actions: Values | None
    keep: NDArray[np.int64]
    events: tuple[Any, ...] = ()
    past: History | None = None

    @property
    def shown(self) -> Values:
        """Moments of the rollout (n_time,)."""
        return np.asarray(self.time[self.keep])


def roll_out(
    model: ModelFields, start: Start | None, actions: Any, *, until: float | None = None, times: ArrayLike | None = None,
    n_samples: int = 100, seed: int = 0, events: Sequence[Any] | None = None,
) -> Rollout:  # fmt: skip
    """Trajectories from a start, or from the start of the first recorded run where it is None.

    Raises:
        InputError: a start, input, time or number is missing or wrong.
    """
    check_count(n_samples)
    starts = None if start is None else [read_start(model, start)]
    run = begin_run(model.best, joined(model.data, 0), 0) if start is None else None
    course = plan(model, actions, until, times, run, events)
    return roll(model, starts, course, n_samples, seed)[0]


def roll_out_many(
    model: ModelFields, starts: Sequence[Start], course: Course, n_samples: int = 100, seed: int = 0
) -> tuple[Rollout, ...]:
    """Rollouts from several starts, with the same draws of systems and constants, in one batch."""
    check_count(n_samples)
    if not len(starts):
        raise InputError("no start is given; give one at least")
    return tuple(roll(model, [read_start(model, s) for s in starts], course, n_samples, seed))


def plan(
    model: ModelFields,
    actions: Any,
    until: float | None,
    times: ArrayLike | None,
    run: Run | None,
    events: Sequence[Any] | None = None,
) -> Course:
    """Moments, inputs and events of a rollout, checked; None: those that were found in the data."""
    moments, given = choose_moments(model, actions, until, times, run)
    past = None if run is None else run.past
    return Course(moments.followed, given, moments.keep, as_events(events, model), past)


def as_events(events: Sequence[Any] | None, model: ModelFields) -> tuple[Any, ...]:
    """Events, read from texts where they are such; None: those that were found in the data."""
    if events is None:
        events = [e.text for e in model.events]
    if not events:
        return ()
    from hypo.dynamics.integration.events import Event

    each = [events] if isinstance(events, str) else events
    late = {d.column for d in model.system.delays}
    columns = [c for c in model.system.columns if c not in late]
    return tuple(Event.parse(e, columns, states=model.states) if isinstance(e, str) else e for e in each)


def check_count(n_samples: int) -> None:
    """Raises InputError for a number of trajectories that is none."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer) or n_samples < 1:
        raise InputError(f"n_samples must be a whole number, 1 or more, got {n_samples!r}")


def read_start(model: ModelFields, start: Start) -> tuple[Values, Values]:
    """A start by name: values (n_state,) and standard deviations (n_state,).

    Raises:
        InputError: a state is missing, unknown, or no number.
    """
    if not isinstance(start, Mapping):
        raise InputError(f"start must give each state by name, such as {{{model.states[0]!r}: 1.0}}, got {start!r:.40}")
    unknown = [name for name in start if name not in model.states]
    missing = [name for name in model.states if name not in start]
    if unknown or missing:
        hidden = missing and missing[0] in model.states[model.system.n_measured :]
        wrong = f'"{unknown[0]}" is no state' if unknown else f'start has no value of "{missing[0]}"'
        raise InputError(
            f"{wrong}{', which was not measured' if hidden else ''}; the states are {', '.join(model.states)}"
        )
    out = []
    for name in model.states:
        try:
            pair = np.broadcast_to(np.asarray(start[name], float), 2) if np.ndim(start[name]) == 0 else start[name]
            value, sd = (float(pair[0]), 0.0 if np.ndim(start[name]) == 0 else float(pair[1]))  # type: ignore[index]
        except (TypeError, ValueError, IndexError):
            value = sd = float("nan")
        if not (np.isfinite(value) and np.isfinite(sd) and sd >= 0):
            raise InputError(
                f'the start of "{name}" must be a number, or a number and its error, got {start[name]!r:.40}'
            )
        out.append((value, sd))
    values, errors = np.array(out).T
    return values, errors


def roll(
    model: ModelFields,
    starts: Sequence[tuple[Values, Values]] | None,
    course: Course,
    n_samples: int,
    seed: int,
    run: int = 0,
) -> list[Rollout]:
    """Rollouts from starts, each values and errors (n_state,); None: from that of a recorded run. Systems, constants and errors
    of measurement are drawn once, and the same for all starts."""
    check_size(len(course.time), n_samples, len(model.states) * (1 if starts is None else len(starts)))
    rng, pushes = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 4])
    members = draw_members(model, n_samples, seed)
    count = 1 if starts is None else len(starts)
    parts: list[list[_Part]] = [[] for _ in range(count)]
    for m in members:
        means, drawn = _starts(model, starts, m, run, rng)
        for k, part in enumerate(_follow_all(model, m, means, drawn, course)):
            added = add_forces(model, m, part.paths, course.time, course.actions, course.events, pushes)
            parts[k].append(replace(part, process=added))
    z = _draw_errors(rng, (n_samples, len(course.keep), model.system.n_measured))
    weights = np.array([s.weight for s in model.systems])
    centres = _centres(model, starts, course, run)
    return [_joined(model, course, parts[k], centres[k], weights, z) for k in range(count)]


def _draw_errors(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Standard normal numbers, each draw and the next with opposite signs, and 0 for the last of an odd number: so the median
    of a few is smooth, too."""
    z = rng.standard_normal(shape)
    even = shape[0] - shape[0] % 2
    z[1::2] = -z[:even:2]
    z[even:] = 0.0
    return z


@dataclass(frozen=True)
class _Part:
    """Paths (n, n_time, n_state) of the draws of one system from drawn starts and from the central one."""

    member: Members
    paths: Values
    from_centre: Values
    ended: NDArray[np.void]
    process: Values | None = None


def _starts(
    model: ModelFields, starts: Sequence[tuple[Values, Values]] | None, m: Members, run: int, rng: np.random.Generator
) -> tuple[list[Values], list[Values]]:
    """For each start the central (n_state, n) and the drawn ones (n_state, n)."""
    if starts is None:
        means, drawn = draw_starts(m.fitted, run, m.P, rng)
        return [means], [drawn]
    means_, drawn_ = [], []
    for value, error in starts:
        centre = np.repeat(value[:, None], m.n, axis=1)
        means_.append(centre)
        drawn_.append(centre + error[:, None] * rng.standard_normal(centre.shape) if np.any(error) else centre)
    return means_, drawn_


def _follow_all(model: ModelFields, m: Members, means: list[Values], drawn: list[Values], where: Course) -> list[_Part]:
    """All starts of one system in one batch."""
    exact = [d is c or np.array_equal(d, c) for d, c in zip(drawn, means, strict=True)]
    blocks = [*drawn, *(c for c, same in zip(means, exact, strict=True) if not same)]
    many = Members(m.number, m.fitted, np.tile(m.P, (1, len(blocks))))
    paths, away = followed(many, np.hstack(blocks), where.time, where.actions, model, where.events, where.past)
    pieces = np.split(paths, len(blocks))
    moments: list[NDArray[np.void]] = np.split(away, len(blocks))
    others = iter(pieces[len(drawn) :])
    return [_Part(m, pieces[k], pieces[k] if exact[k] else next(others), moments[k]) for k in range(len(drawn))]


def _centres(model: ModelFields, starts: Sequence[tuple[Values, Values]] | None, where: Course, run: int) -> Values:
    """Paths (n_start, n_system, n_time, n_state) of all systems with their fitted constants."""
    out = []
    for k, weighted in enumerate(model.systems):
        fitted = weighted.fitted
        first = [np.asarray(fitted.starts[run], float)] if starts is None else [value for value, _ in starts]
        P = np.repeat(fitted.system.parameters[:, None], len(first), axis=1)
        paths, _ = followed(
            Members(k, fitted, P), np.column_stack(first), where.time, where.actions, model, where.events, where.past
        )
        out.append(paths)
    return np.array(out).swapaxes(0, 1)


def _joined(
    model: ModelFields, course: Course, parts: Sequence[_Part], centres: Values, weights: Values, z: Values
) -> Rollout:
    """The rollout from one start."""
    states = np.concatenate([p.paths for p in parts])[:, course.keep]
    noise = np.zeros_like(states)
    forcing = forcing_of(model)
    # What forces do was counted as noise in the fit.
    factor = 1.0 if forcing is None else forcing.factor
    at = 0
    for p in parts:
        own = slice(at, at + p.member.n)
        sd = noise_of(p.member.fitted, np.nan_to_num(states[own]))
        noise[own, :, : sd.shape[2]] = sd * z[own] * factor
        at += p.member.n
    ended = np.concatenate([p.ended for p in parts])
    return Rollout(
        course.shown,
        model.states,
        states,
        ended["moment"],
        np.concatenate([np.full(p.member.n, p.member.number) for p in parts]),
        centres[:, course.keep],
        weights / weights.sum(),
        np.concatenate([p.from_centre for p in parts])[:, course.keep],
        noise,
        model.data.time,
        find_units(model.system, model.data),
        None
        if forcing is None
        else np.concatenate([p.process for p in parts if p.process is not None])[:, course.keep],
        ended["reason"],
    )
