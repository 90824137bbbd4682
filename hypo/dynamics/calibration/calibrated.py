"""A system with fitted parameters: what fits return, and what scores, posteriors and reports read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.noise import Noise
from hypo.dynamics.system import System

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """A stretch of a run that was followed from a start of its own.

    Attributes:
        run: number of the run.
        first, last: its rows in that run, both included.
        start: fitted state at the first row (n_state,).
        covariance: of that start (n_state, n_state).
        with_parameters: covariance of that start with the parameters (n_state, n_parameter).
        past: moments (n_past,) up to that of the start and states then (n_past, n_state), where laws look back; else None.
    """

    run: int
    first: int
    last: int
    start: Values
    covariance: Values
    with_parameters: Values
    past: tuple[Values, Values] | None = None


@dataclass(frozen=True)
class Calibrated:
    """A system fitted to trajectories.

    Attributes:
        system: with its fitted parameters.
        starts: by run, the fitted state at its first row (n_state,).
        chi2: by measured state, the sum of squares over the smoother's σ² (n_measured,).
        count: by measured state, the number of samples (n_measured,).
        noise: by measured state, the standard deviation of one sample that the fit leaves, root mean square (n_measured,).
        covariance: of parameters across all equations, starts eliminated (n_parameter, n_parameter).
        misfit: nats, noise integrated out, starts charged; see :mod:`hypo.dynamics.calibration.noise`.
        segments: stretches that were followed: one for each run, or more where a whole run cannot be (chaos).
        measurement: noise of the samples by state.
    """

    system: System
    starts: tuple[Values, ...]
    chi2: Values
    count: Values
    noise: Values
    covariance: Values
    misfit: float
    segments: tuple[Segment, ...] = ()
    measurement: Noise = field(default_factory=lambda: Noise(np.ones(0), np.ones(0), np.ones(0)))

    def first_segment(self, run: int) -> Segment | None:
        """The stretch with which a run was begun: from its first row, or, where laws look back, from where its past is known;
        None where there is none."""
        return min((s for s in self.segments if s.run == run), key=lambda s: s.first, default=None)

    @property
    def is_whole(self) -> bool:
        """True where every run was followed from its first row to its last."""
        return len(self.segments) == len(self.starts)


def root_of(covariance: Values) -> Values:
    """A square root R of a covariance, C = RRᵀ; directions that rounding made negative have none."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def starts_given(segment: Segment, fitted: Calibrated, P: Values) -> tuple[Values, Values]:
    """Start of a segment given constants P (n_parameter, n): means (n_state, n) and covariance (n_state, n_state)."""
    theta = fitted.system.parameters
    if not len(theta) or not np.any(fitted.covariance):
        return np.repeat(segment.start[:, None], P.shape[1], axis=1), segment.covariance
    slopes = segment.with_parameters @ np.linalg.pinv(fitted.covariance, rcond=1e-12)
    means = segment.start[:, None] + slopes @ (P - theta[:, None])
    return means, segment.covariance - slopes @ segment.with_parameters.T
