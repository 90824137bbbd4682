"""How closely rows determine the constants of a fitted formula, for the search: which of them may be exact numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Problem
from hypo.scoring.row_sums import RowSums


def covariance(e: Expression, sample: Problem, n_row: int) -> NDArray[np.float64]:
    """Covariance (n_constant, n_constant) of the free constants, (JᵀWJ)⁻¹·σ² by the Gauss–Newton matrix of ``sample``, as if it
    had ``n_row`` rows; 0 for constants that are not free, and where there is none."""
    out = np.zeros((len(e.constants), len(e.constants)))
    if isinstance(sample.likelihood, Gaussian):
        program = Program.of(e, sample.columns)
        with np.errstate(all="ignore"):
            f, gradient = program.value_and_gradient(sample.X, program.values)
        root = sample.likelihood.root_weights
        J = gradient[list(e.free)] * (1.0 if root is None else root)
        variance = sample.likelihood.noise_variance(sample.likelihood.rss(sample.y - f))
        variance *= len(sample.y) / n_row
        scale = np.sqrt(np.sum(J**2, axis=1))
        if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
            return out
        normal = (J / scale[:, None]) @ (J / scale[:, None]).T
    else:
        sums = RowSums.of(e, sample.X, sample.columns, sample.likelihood)
        information = np.zeros((1, 1)) if sums is None else sums.normal[np.ix_(e.free, e.free)]
        scale, variance = np.sqrt(np.maximum(np.diag(information), 0.0)), len(sample.y) / n_row
        if not np.all(np.isfinite(information)) or not np.all(scale > 0):
            return out
        normal = information / np.outer(scale, scale)
    inverse = np.linalg.pinv(normal, rcond=1e-14, hermitian=True) * variance / scale / scale[:, None]
    out[np.ix_(e.free, e.free)] = np.where(np.isfinite(inverse), inverse, 0.0)
    return out
