"""The least-squares problem in the constants of one formula, on all rows or on few: values, projections, descents."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.parameters import Parameters
from hypo.likelihood.base import Gaussian

# From the given values it goes downhill boldly and then cautiously: the first leads far, the second to what is near.
DAMPINGS = 1e-2, 1.0
# A start whose residual is larger than the target by this factor has its linear parameters, which are solved for anyway, at 0.
FAR = 1e8
# Rows on which candidates are screened.
SCREEN_ROWS = 400
# Node values between two looks at the clock,
NODE_VALUES = 4_000_000
# and steps no fewer than these.
LEAST_STEPS = 6

# X (n_var, n_row), the target and the roots of the weights (or nothing) of some rows.
Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Squares:
    """The least squares problem of one expression; parameters are ordered with the linear ones first."""

    def __init__(
        self,
        e: Expression,
        X: NDArray[np.float64],
        columns: Sequence[str],
        likelihood: Gaussian,
        clock: Expiring | None = None,
    ) -> None:
        self.formula, self.columns = e, columns
        self.program = Program.of(e, columns)
        self.parameters = Parameters.of(e).linear_first()
        self.n_linear = int(np.count_nonzero(self.parameters.linear))
        self.likelihood = likelihood
        self.norm = math.sqrt(likelihood.rss(likelihood.y))
        self.clock = clock
        root = likelihood.root_weights
        weights = np.empty(0) if root is None else np.broadcast_to(root, likelihood.y.shape).astype(np.float64)
        self.rows: Rows = (X, likelihood.y, weights)

    @property
    def dampings(self) -> tuple[float, ...]:
        """With which dampings to begin at the given values; linear parameters need none."""
        return DAMPINGS[:1] if self.n_linear == len(self.parameters.start) else DAMPINGS

    @property
    def expired(self) -> bool:
        """True once the time for this fit is over."""
        return self.clock is not None and self.clock.expired

    @property
    def few_are_all(self) -> bool:
        """True if the rows on which candidates are screened are all rows."""
        return len(self.likelihood.y) <= SCREEN_ROWS

    def rss(self, theta: NDArray[np.float64]) -> float:
        """Weighted residual sum of squares; infinite where a value is invalid."""
        values = self.parameters.values(theta, self.program.values)
        return self.likelihood.rss(self.likelihood.y - self.program.value(self.rows[0], values))

    def start(self, rss: float) -> NDArray[np.float64]:
        """The given values, whose sum of squares is ``rss``: a target that is small beside what they predict would be lost in
        rounding."""
        theta = self.parameters.start
        if not math.sqrt(rss) <= FAR * self.norm:
            theta = np.concatenate([np.zeros(self.n_linear), theta[self.n_linear :]])
        return theta

    def minimise(
        self, theta: NDArray[np.float64], damping: float, steps: int, tolerance: float, rows: Rows | None = None
    ) -> NDArray[np.float64]:
        """The minimum downhill from ``theta``, as far as ``steps`` steps lead."""
        from hypo.kernels.cpu.fit_program import RUNNING, minimise

        theta = theta.copy()
        at_once = steps
        if self.clock is not None:
            at_once = max(LEAST_STEPS, NODE_VALUES // (len(self.program.op) * (rows or self.rows)[0].shape[1]))
        while True:
            status, _, damping = self._run(minimise, rows, theta, damping, min(at_once, steps), tolerance)
            steps -= at_once
            if status != RUNNING or steps <= 0 or self.expired:
                return theta

    def projected(self, thetas: NDArray[np.float64], rows: Rows | None = None) -> NDArray[np.float64]:
        """Residual sums of squares (n,) of ``thetas`` (n, n_param), whose linear parameters are moved to their optimum;
        infinite where a value is invalid."""
        from hypo.kernels.cpu.fit_program import project

        return np.asarray(self._run(project, rows, thetas))

    def few(self, chosen: NDArray[np.int64] | None = None) -> Rows:
        """The rows ``chosen``, or about ``SCREEN_ROWS``, evenly spaced."""
        X, y, root = self.rows
        rows: Any = slice(None, None, -(-X.shape[1] // SCREEN_ROWS)) if chosen is None else chosen
        return np.ascontiguousarray(X[:, rows]), y[rows].copy(), root[rows].copy() if len(root) else root

    def _run(self, kernel: Callable[..., Any], rows: Rows | None, *rest: Any) -> Any:
        """A kernel of this problem on ``rows`` (default: all)."""
        p = self.program
        return kernel((p.op, p.arg, self.parameters.slot, p.values), rows or self.rows, self.n_linear, *rest)
