"""Normal equations of starts and parameters, with the starts eliminated segment by segment.

With G = [∂r/∂start, ∂r/∂θ] of each segment, weighted,

    [A_s  B_s] [start_s]   [a_s]      A_s: own start of a segment,
    [B_sᵀ  D ] [θ      ] = [b  ]      D:   parameters, shared by all,

    (D - Σ B_sᵀ A_s⁻¹ B_s) θ = b - Σ B_sᵀ A_s⁻¹ a_s,    start_s = A_s⁻¹ (a_s - B_s θ).

The cost grows with the number of segments, not with its cube.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Share of the usual curvature below which a direction counts as unknown: its variance is cut there, not inverted to nothing.
LEAST_CURVATURE = 1e-13
# Added to a start's curvature, in units of its scale: keeps starts of which no sample of the segment tells anything.
RIDGE = 1e-8
# Curvature of a parameter without influence: small, and its inverse still a number.
NOTHING = 1e-100


@dataclass(frozen=True)
class NormalEquations:
    """Blocks of JᵀWJ and of JᵀWr.

    Attributes:
        A: (n_segment, n_state, n_state).
        B: (n_segment, n_state, n_parameter).
        D: (n_parameter, n_parameter).
        a: (n_segment, n_state).
        b: (n_parameter,).
    """

    A: Values
    B: Values
    D: Values
    a: Values
    b: Values

    @staticmethod
    def of(J: Values, r: Values, n_state: int, scale: Values) -> NormalEquations:
        """From weighted slopes J (n_segment, n_residual, n_state + n_parameter) and residuals r (n_segment, n_residual).

        ``scale`` (n_state,) are the usual sizes of states.
        """
        H = np.matmul(np.swapaxes(J, 1, 2), J)
        g = np.matmul(np.swapaxes(J, 1, 2), r[:, :, None])[..., 0]
        d = n_state
        A = H[:, :d, :d] + np.diag(RIDGE / scale**2)
        return NormalEquations(A, H[:, :d, d:], H[:, d:, d:].sum(0), g[:, :d], g[:, d:].sum(0))

    def solve(self, damping: float) -> tuple[Values, Values]:
        """Moves of starts (n_segment, n_state) and of parameters (n_parameter,) that lower the sum of squares, each curvature
        raised by the share ``damping`` of itself."""
        d, p = self.B.shape[1:]
        A = self.A * (1.0 + damping * np.eye(d))
        both = _solve_each(A, np.concatenate([self.B, self.a[:, :, None]], axis=2))
        AB, Aa = both[:, :, :p], both[:, :, p]
        if not p:
            return -Aa, np.empty(0)
        M = self.D * (1.0 + damping * np.eye(p)) - _across(self.B, AB)
        theta = -_solve_scaled(M, np.diag(self.D), self.b - np.einsum("sdp,sd->p", self.B, Aa))
        return -(Aa + AB @ theta), theta

    def information(self) -> Values:
        """Of parameters, with starts eliminated (n_parameter, n_parameter)."""
        AB = _solve_each(self.A, self.B)
        return np.asarray(self.D - _across(self.B, AB))

    def covariance(self) -> Values:
        """Of parameters, with starts free (n_parameter, n_parameter); large where the data do not tell."""
        M = self.information()
        size = np.sqrt(np.maximum(np.diag(self.D), NOTHING))
        lam, Q = np.linalg.eigh(M / np.outer(size, size))
        lam = np.maximum(lam, LEAST_CURVATURE)
        return np.asarray((Q / lam) @ Q.T / np.outer(size, size))

    def start_covariances(self, covariance: Values) -> tuple[Values, Values]:
        """Of each start (n_segment, n_state, n_state), and with the parameters (n_segment, n_state, n_parameter), from the
        covariance of these."""
        AB = _solve_each(self.A, self.B)
        cross = AB @ covariance
        own = _solve_each(self.A, np.broadcast_to(np.eye(self.A.shape[1]), self.A.shape)) + cross @ np.swapaxes(
            AB, 1, 2
        )
        return own, -cross


def _solve_each(A: Values, right: Values) -> Values:
    """Solutions of A_s X_s = right_s, curvatures A (n_segment, n_state, n_state). Where one is singular, as where all small
    errors of a chaotic start grow in one direction, directions without curvature are cut for all."""
    with suppress(np.linalg.LinAlgError):
        return np.asarray(np.linalg.solve(A, right), float)
    size = np.sqrt(np.maximum(np.diagonal(A, axis1=1, axis2=2), NOTHING))
    lam, Q = np.linalg.eigh(A / (size[:, :, None] * size[:, None, :]))
    lam = np.maximum(lam, LEAST_CURVATURE)
    inner = np.swapaxes(Q, 1, 2) @ (right / size[:, :, None])
    return np.asarray(Q @ (inner / lam[:, :, None]) / size[:, :, None])


def _across(B: Values, C: Values) -> Values:
    """Σ_s B_sᵀ C_s (p, q) of blocks (n_segment, n_state, p) and (n_segment, n_state, q)."""
    return np.asarray(B.reshape(-1, B.shape[2]).T @ C.reshape(-1, C.shape[2]))


def _solve_scaled(M: Values, diagonal: Values, right: Values) -> Values:
    """Solution of M x = right with rows and columns scaled by the undamped diagonal."""
    size = np.sqrt(np.maximum(diagonal, NOTHING))
    lam, Q = np.linalg.eigh(M / np.outer(size, size))
    lam = np.maximum(lam, LEAST_CURVATURE)
    return np.asarray(Q @ ((Q.T @ (right / size)) / lam) / size)
