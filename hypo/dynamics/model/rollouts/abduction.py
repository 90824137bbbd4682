"""Abduction: the start of a recorded run, given the run and the law.

With paths x(t; s, θ), samples y with errors σ, and constants θ ~ N(θ̂, Σ), the start that fits best at θ̂ is found by Gauss and
Newton; about it, with J_s and J_θ the slopes of the paths over σ,

    s | θ ~ N(ŝ - A⁻¹ J_sᵀ J_θ (θ - θ̂), A⁻¹),      A = J_sᵀ J_s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated, Segment
from hypo.dynamics.integration.events import Event
from hypo.dynamics.integration.follow import Accuracy, FollowedWithSensitivities, follow_with_sensitivities
from hypo.dynamics.model.rollouts.sampling import far_of, noise_of
from hypo.dynamics.trajectories import Run, Trajectories

Values = NDArray[np.float64]

# Gauss–Newton steps at most.
STEPS = 30
# Relative gain of the sum of squares that ends them.
SETTLED = 1e-6
# A start that no sample bears on is known to this many times the size of the states, and no better.
VAGUE = 10.0
# Relative accuracy of the paths.
ACCURACY = 1e-8


def find_segment(
    fitted: Calibrated, data: Trajectories, run: Run, number: int | None, events: Sequence[Event] = ()
) -> Segment:
    """The start of a run with its errors.

    Args:
        fitted: a system.
        data: of the fit.
        run: the run, with its past where laws look back (:func:`hypo.dynamics.calibration.past.begin_run`).
        number: that of the run in the data, None where it is a new one.
        events: what happens on the way.
    """
    if number is not None:
        known = fitted.first_segment(number)
        if known is not None and known.last - known.first == run.n_row - 1:
            return known
    first = guess_start(fitted, data, run) if number is None else np.asarray(fitted.starts[number], float)
    return _fit_start(fitted, data, run, first, events)


def guess_start(fitted: Calibrated, data: Trajectories, run: Run) -> Values:
    """A start from the first samples; of hidden states that are rates from the first differences, of others 0."""
    system, m = fitted.system, fitted.system.n_measured
    out = np.zeros(len(system.states))
    for k in range(m):
        rows = np.flatnonzero(np.isfinite(run.states[:, k]))
        if len(rows):
            out[k] = run.states[rows[0], k]
    for k in range(m, len(out)):
        of = [i for i, e in enumerate(system.equations[:m]) if e.variables == (system.states[k],) and len(e) == 1]
        rows = np.flatnonzero(np.isfinite(run.states[:, of[0]])) if of else np.empty(0, int)
        later = rows[run.time[rows] > run.time[rows[0]]] if len(rows) else rows
        if len(later):
            out[k] = (run.states[later[0], of[0]] - out[of[0]]) / (run.time[later[0]] - run.time[rows[0]])
    return out


def slopes_along(
    fitted: Calibrated, data: Trajectories, run: Run, start: Values, events: Sequence[Event] = ()
) -> FollowedWithSensitivities:
    """The path of a run from a start, with its slopes."""
    system = fitted.system
    actions = run.actions if system.actions else None
    accuracy = Accuracy(relative=ACCURACY, far=far_of(system, data))
    P = system.parameters[:, None]
    return follow_with_sensitivities(system, start[:, None], P, run.time, actions, accuracy, run.past, events)


def _fit_start(fitted: Calibrated, data: Trajectories, run: Run, first: Values, events: Sequence[Event]) -> Segment:
    """Gauss and Newton's steps from ``first``, halved where they make it worse."""
    system, m = fitted.system, fitted.system.n_measured
    y = run.states
    known = np.isfinite(y)
    sd = noise_of(fitted, np.where(known, y, 0.0))
    size = np.maximum(np.nanmax(np.abs(y), axis=0).max(), 1e-300)
    prior = np.eye(len(system.states)) / (VAGUE * size) ** 2

    def residuals(start: Values) -> tuple[FollowedWithSensitivities, Values, float]:
        path = slopes_along(fitted, data, run, start, events)
        r = np.where(known, (path.states[:, :m, 0] - y) / sd, 0.0)
        cost = float(np.sum(r * r))
        return path, r, cost if np.isfinite(cost) else np.inf

    start = first
    path, r, cost = residuals(start)
    for _ in range(STEPS):
        if not np.isfinite(cost):
            break
        Js = _over_noise(path.by_start, known, sd, m)
        move = np.linalg.lstsq(Js.T @ Js + prior, Js.T @ r.ravel(), rcond=1e-14)[0]
        for share in (1.0, 0.5, 0.2, 0.05):
            tried = start - share * move
            found = residuals(tried)
            if found[2] < cost:
                break
        else:
            break
        gain, start, (path, r, cost) = cost - found[2], tried, found
        if gain <= SETTLED * max(cost, 1e-300):
            break
    p = len(system.parameters)
    if not np.isfinite(cost):
        return Segment(0, 0, run.n_row - 1, start, np.zeros((len(start),) * 2), np.zeros((len(start), p)))
    Js, Jp = _over_noise(path.by_start, known, sd, m), _over_noise(path.by_parameter, known, sd, m)
    own = np.linalg.pinv(Js.T @ Js + prior)
    shift = -own @ (Js.T @ Jp)
    with_parameters = shift @ fitted.covariance
    return Segment(0, 0, run.n_row - 1, start, own + with_parameters @ shift.T, with_parameters)


def _over_noise(slopes: Values, known: NDArray[np.bool_], sd: Values, m: int) -> Values:
    """Slopes (n_time·n_measured, n) of the samples over their noise, 0 where there is none."""
    each = slopes[:, :m, :, 0] / sd[:, :, None]
    return np.where(known[:, :, None], each, 0.0).reshape(known.size, slopes.shape[2])
