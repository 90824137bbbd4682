"""Paths of segments and their slopes by starts and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.integration.steps import step
from hypo.dynamics.system import System

Values = NDArray[np.float64]

# Steps between two samples, and relative perturbations for slopes by differences.
SUBSTEPS = 4
NUDGE = 1e-6


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
        return bool(np.isfinite(self.states).all() and np.isfinite(self.by_start).all())


@dataclass(frozen=True)
class Clocks:
    """Where paths are wanted.

    Attributes:
        time: (n_time, n), moments of each path, the first one being that of its start; may repeat.
        actions: (n_time, n_action, n), inputs at these.
    """

    time: Values
    actions: Values


def follow_course(
    system: System, clocks: Clocks, starts: Values, theta: Values, scale: Values, accuracy: float = 1e-6
) -> Course:
    """Paths from ``starts`` (n_state, n) with parameters ``theta`` (n_parameter,); ``scale`` (n_state,) are usual sizes."""
    d, S = starts.shape
    p = len(theta)
    seg = clocks
    nudges = NUDGE * np.concatenate([scale, np.maximum(np.abs(theta), 1e-3)])
    X = np.repeat(starts[:, None, :], 1 + d + p, axis=1)
    P = np.repeat(np.repeat(theta[:, None, None], 1 + d + p, axis=1), S, axis=2)
    for i in range(d):
        X[i, 1 + i] += nudges[i]
    for j in range(p):
        P[j, 1 + d + j] += nudges[d + j]
    Y = _steps(system, seg, X.reshape(d, -1), P.reshape(p, (1 + d + p) * S), 1 + d + p).reshape(
        len(seg.time), d, 1 + d + p, S
    )
    slopes = (Y[:, :, 1:] - Y[:, :, :1]) / nudges[:, None]
    return Course(Y[:, :, 0], slopes[:, :, :d], slopes[:, :, d:])


def _steps(system: System, seg: Clocks, X: Values, P: Values, copies: int) -> Values:
    h = np.diff(seg.time, axis=0)
    out = np.empty((len(seg.time), *X.shape))
    out[0] = X
    with np.errstate(all="ignore"):
        for k in range(len(h)):
            u = [np.tile(seg.actions[i], (1, copies)) for i in (k, k + 1)]
            if system.is_discrete:
                X = np.where(np.tile(h[k], copies) > 0, system.rates(np.vstack([X, u[0]]), P), X)
            else:
                for j in range(SUBSTEPS):
                    a, b = (u[0] + (u[1] - u[0]) * (q / SUBSTEPS) for q in (j, j + 1))
                    X = step(system, X, P, np.tile(h[k], copies) / SUBSTEPS, a, b)
            out[k + 1] = X
    return out
