"""When a formula meets every row to rounding."""

from __future__ import annotations

import numpy as np

from hypo.problem.problem import Problem
from hypo.scoring.score import Hypothesis

# A relative residual below this on every row counts as exact: no simpler formula can be told from it by the data.
EXACT = 1e-10
# With more fitted constants than these, series come that close too.
FEW_CONSTANTS = 2
# The limit for them.
EXACT_FITTED = 1e-13


def is_exact(h: Hypothesis | None, problem: Problem) -> bool:
    """True if residuals are rounding errors of the target: with many fitted constants, of the last digits of it."""
    if h is None or not problem.likelihood.can_be_exact:
        return False
    limit = EXACT if len(h.expression.free) <= FEW_CONSTANTS else EXACT_FITTED
    return h.rmse <= limit * float(np.sqrt(np.mean(problem.y**2)))
