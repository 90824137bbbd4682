"""``model.score()``: how well a model predicts runs that it was not fitted to, from their first samples; where laws look back,
from the first one whose past was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.past import begin_run
from hypo.dynamics.calibration.quality import given_start, r_squared
from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.rollouts.abduction import find_segment, guess_start, slopes_along
from hypo.dynamics.model.rollouts.rollout import as_events
from hypo.dynamics.model.rollouts.sampling import noise_of
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import DataError

Values = NDArray[np.float64]

# A hidden state at the start is known to so many times its size.
HIDDEN = 3.0
# Samples of a run beyond which its first ones alone count in the likelihood: its cost grows with their cube.
MOST_SAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """How well runs are predicted from their first samples.

    Attributes:
        r2: by state, of the likeliest system with its fitted constants, begun at the first row of each run (what was not
            measured there begins where it fits best, as in the report); -inf where the states run away.
        r2_fitted: the same from the start that fits best.
        log_likelihood: of the samples after the first of each run, given that one, all systems, errors of constants and noise
            taken together.
        n_sample: number of these samples.
    """

    r2: dict[str, float]
    r2_fitted: dict[str, float]
    log_likelihood: float
    n_sample: int


def score_runs(model: ModelFields, data: Trajectories) -> Score:
    """The score of runs of the same states and inputs.

    Raises:
        DataError: states or inputs are others.
    """
    measured = model.states[: model.system.n_measured]
    if data.states != measured or data.actions != model.actions:
        raise DataError(
            f"{data.source} has the states {', '.join(data.states)} and the inputs {', '.join(data.actions) or 'none'}; "
            f"expected {', '.join(measured)} and {', '.join(model.actions) or 'none'}"
        )
    events = as_events(None, model)
    logs, n, total = 0.0, 0, sum(w.weight for w in model.systems)
    runs = [begin_run(model.best, run, None) for run in data.runs]
    for run in runs:
        each = [np.log(w.weight / total) + _log_likelihood(model, w.fitted, run) for w in model.systems if w.weight > 0]
        logs += float(np.logaddexp.reduce(each))
        n += int(np.isfinite(run.states[1:]).sum())
    fitted = [find_segment(model.best, model.data, run, None, events).start for run in runs]
    given = [given_start(start, run) for start, run in zip(fitted, runs, strict=True)]
    return Score(_predicted(model, given, runs), _predicted(model, fitted, runs), logs, n)


def _predicted(model: ModelFields, starts: Sequence[Values], runs: Sequence[Run]) -> dict[str, float]:
    """R² by state; where the states run away nothing is predicted, and any other model is better."""
    events, pairs = as_events(None, model), zip(runs, starts, strict=True)
    paths = [slopes_along(model.best, model.data, run, s, events).states for run, s in pairs]
    m = model.system.n_measured
    r2, _ = r_squared(np.vstack([x[:, :m, 0] for x in paths]), np.vstack([run.states for run in runs]))
    return dict(zip(model.states, np.nan_to_num(r2, nan=-np.inf).tolist(), strict=False))


def _log_likelihood(model: ModelFields, fitted: Calibrated, run: Run) -> float:
    """log N(y; x(ŝ) + J_s (s₀ - ŝ), σ² + J_s S₀ J_sᵀ + J_θ Σ J_θᵀ) of the samples after the first.

    The start s₀ is that of the first sample, with its errors S₀; the path is expanded about the start ŝ that fits best.
    """
    m, events = fitted.system.n_measured, as_events(None, model)
    first = guess_start(fitted, model.data, run)
    best = find_segment(fitted, model.data, run, None, events).start
    path = slopes_along(fitted, model.data, run, best, events)
    if not np.all(np.isfinite(path.states)):
        return -np.inf
    known = np.isfinite(run.states)
    known[0] = False
    rows = np.flatnonzero(known.ravel())[:MOST_SAMPLES]
    sd = noise_of(fitted, path.states[:, :, 0])
    # What the first row does not tell, hidden states and gaps, is known to its size only.
    size = np.maximum(np.abs(path.states[:, :, 0]).max(0), np.abs(first))
    spread = HIDDEN * np.maximum(size, 1e-300)
    told = np.flatnonzero(np.isfinite(run.states[0]))
    spread[told] = sd[0, told]
    S0 = np.diag(spread**2)
    Js = path.by_start[:, :m, :, 0].reshape(-1, len(first))[rows]
    Jp = path.by_parameter[:, :m, :, 0].reshape(known.size, path.by_parameter.shape[2])[rows]
    r = (run.states - path.states[:, :m, 0]).ravel()[rows] - Js @ (first - best)
    V = np.diag(sd.ravel()[rows] ** 2) + Js @ S0 @ Js.T + Jp @ fitted.covariance @ Jp.T
    factor = cho_factor(V + 1e-14 * np.trace(V) / max(len(r), 1) * np.eye(len(r)), lower=True)
    log_det = 2 * float(np.sum(np.log(np.diag(factor[0]))))
    return -0.5 * float(r @ cho_solve(factor, r)) - 0.5 * log_det - 0.5 * len(r) * float(np.log(2 * np.pi))
