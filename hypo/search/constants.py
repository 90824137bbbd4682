"""Fitting constants: variable projection for the linear ones, Levenberg–Marquardt for all of them.

Minimises the weighted residual sum of squares of :class:`hypo.scoring.likelihood.Gaussian` over the free constants
of one expression. Leaves that share a name are one parameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.scoring.likelihood import Gaussian

MAX_STEPS = 60
# Starting magnitudes tried for parameters that enter non-linearly.
START_GRID = (1.0, -1.0, 0.1, -0.1, 10.0, 0.01, 3.0, 0.3, 100.0, 0.001)


@dataclass(frozen=True)
class Parameters:
    """How an expression's constant slots map to parameters to fit.

    ``slot[i]`` is the parameter of constant slot i, or -1 for a fixed one; ``linear[p]`` says that the formula is
    linear in parameter p (given the others that are not).
    """

    slot: NDArray[np.int64]
    linear: NDArray[np.bool_]
    start: NDArray[np.float64]

    @staticmethod
    def of(e: Expression) -> Parameters:
        """Parameters of ``e`` in order of appearance."""
        slot = np.full(len(e.constants), -1, np.int64)
        names: dict[str, int] = {}
        start: list[float] = []
        shared: set[int] = set()
        for i, c in enumerate(e.constants):
            if not c.free:
                continue
            if c.name is not None and c.name in names:
                slot[i] = names[c.name]
                shared.add(int(slot[i]))
                continue
            slot[i] = len(start)
            if c.name is not None:
                names[c.name] = len(start)
            start.append(c.value)
        linear = np.zeros(len(start), np.bool_)
        for i in _linear_slots(e):
            if slot[i] >= 0 and int(slot[i]) not in shared:
                linear[slot[i]] = True
        return Parameters(slot, linear, np.array(start))

    def values(self, theta: NDArray[np.float64], fixed: NDArray[np.float64]) -> NDArray[np.float64]:
        """All constant slots' values for parameters ``theta``."""
        return np.where(self.slot >= 0, theta[self.slot], fixed) if len(theta) else fixed

    def collect(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gradient in the parameters (n_param, n_row) from the gradient in the slots."""
        out = np.zeros((len(self.linear), gradient.shape[1]))
        for i, p in enumerate(self.slot):
            if p >= 0:
                out[p] += gradient[i]
        return out


def _linear_slots(e: Expression) -> list[int]:
    """Constant slots in which ``e`` is jointly linear: those reached from the root through sums and through products or
    quotients whose other part holds none of them."""
    starts = e.starts

    def visit(node: int) -> list[int]:
        op, arg = e.code[node]
        if op == oc.CONST:
            return [arg] if e.constants[arg].free else []
        if op == oc.NEG:
            return visit(node - 1)
        if op in (oc.ADD, oc.SUB):
            return visit(starts[node - 1] - 1) + visit(node - 1)
        if op == oc.DIV:
            return visit(starts[node - 1] - 1)
        if op == oc.MUL:
            return visit(starts[node - 1] - 1) or visit(node - 1)
        return []

    return visit(len(e.code) - 1)


def fit(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Gaussian,
    *,
    starts: int = 1,
    rng: np.random.Generator | None = None,
    steps: int = MAX_STEPS,
) -> Expression:
    """``e`` with its free constants at a minimum of the weighted residual sum of squares.

    ``starts > 1`` tries that many starting points for the parameters that enter non-linearly (the given values are
    the first); linear ones are always solved for. The result is never worse than the given constants.
    """
    if not e.free:
        return e
    problem = _Problem(e, X, columns, likelihood)
    candidates = [problem.parameters.start]
    free = np.flatnonzero(~problem.parameters.linear)
    if starts > 1 and len(free):
        rng = rng or np.random.default_rng(0)
        for k in range(8 * starts):
            theta = problem.parameters.start.copy()
            if k < len(START_GRID):
                theta[free] = START_GRID[k]
            else:
                theta[free] = rng.choice([-1.0, 1.0], len(free), p=[0.3, 0.7]) * 10.0 ** rng.uniform(-3, 2.5, len(free))
            candidates.append(theta)
    solved = [problem.project(theta) for theta in candidates]
    order = sorted(range(len(solved)), key=lambda k: (solved[k][1], k))
    chosen = [0] + [k for k in order if k != 0][: max(0, starts - 1)]
    best, best_rss = problem.parameters.start, problem.rss(problem.parameters.start)
    with np.errstate(all="ignore"):
        for k in chosen:
            theta, rss = problem.minimise(solved[k][0], steps)
            if rss < best_rss:
                best, best_rss = theta, rss
    return e.with_values(problem.parameters.values(best, e.values))


class _Problem:
    """Residuals of one expression as a function of its parameters."""

    def __init__(self, e: Expression, X: NDArray[np.float64], columns: Sequence[str], likelihood: Gaussian) -> None:
        self.program = Program.of(e, columns)
        self.parameters = Parameters.of(e)
        self.X = X
        self.y = likelihood.y
        self.root = likelihood.root_weights

    def _weighted(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        return a if self.root is None else a * self.root

    def rss(self, theta: NDArray[np.float64]) -> float:
        values = self.parameters.values(theta, self.program.values)
        r = self._weighted(self.y - self.program.value(self.X, values))
        total = float(r @ r)
        return total if math.isfinite(total) else math.inf

    def residual_and_jacobian(self, theta: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values = self.parameters.values(theta, self.program.values)
        f, gradient = self.program.value_and_gradient(self.X, values)
        return self._weighted(self.y - f), self._weighted(self.parameters.collect(gradient))

    def project(self, theta: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Variable projection: the best linear parameters for the given other ones, and the residual sum of squares."""
        linear = self.parameters.linear
        if not linear.any():
            return theta, self.rss(theta)
        with np.errstate(all="ignore"):
            r, J = self.residual_and_jacobian(theta)
            if not (np.all(np.isfinite(r)) and np.all(np.isfinite(J[linear]))):
                return theta, math.inf
            step = np.linalg.lstsq(J[linear].T, r, rcond=1e-13)[0]
        out = theta.copy()
        out[linear] += step
        return out, self.rss(out)

    def minimise(self, theta: NDArray[np.float64], steps: int) -> tuple[NDArray[np.float64], float]:
        """Levenberg–Marquardt with Marquardt scaling; each step is solved by QR of the augmented Jacobian."""
        rss = self.rss(theta)
        if not math.isfinite(rss):
            return theta, math.inf
        damping = 1e-3
        for _ in range(steps):
            r, J = self.residual_and_jacobian(theta)
            scale = np.sqrt(np.sum(J**2, axis=1))
            if not np.all(np.isfinite(scale)):
                break
            scale[scale == 0.0] = 1.0
            Js = (J / scale[:, None]).T
            q, triangle = np.linalg.qr(Js)
            rhs = np.concatenate([q.T @ r, np.zeros(len(theta))])
            improved = False
            for _ in range(12):
                stacked = np.vstack([triangle, math.sqrt(damping) * np.eye(len(theta))])
                step = np.linalg.lstsq(stacked, rhs, rcond=None)[0] / scale
                trial, new = self.project(theta + step)
                if new < rss:
                    improved = True
                    break
                damping = max(damping * 8.0, 1e-12)
                if damping > 1e12:
                    break
            if not improved:
                break
            gain = (rss - new) / rss if rss > 0 else 0.0
            theta, rss = trial, new
            damping = damping / 10.0 if damping > 1e-13 else 0.0
            if gain < 1e-13:
                break
        return theta, rss
