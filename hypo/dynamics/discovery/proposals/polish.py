"""Constants of a right-hand side, fitted in a linear view of its equation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.views import View
from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

# Levenberg steps at most, and those that are tried in turn where one makes it worse.
STEPS = 12
TRIES = 5
# Relative gain that ends the steps.
SETTLED = 1e-5


def misfit_in(e: Expression, names: Sequence[str], view: View) -> float:
    """Sum of squares that a right-hand side leaves in a view; infinite where it has no value."""
    f = Program.of(e, names).value(view.X)
    if not np.all(np.isfinite(f)):
        return np.inf
    r = view.of(f) - view.target
    return float(r @ r)


def polish(e: Expression, names: Sequence[str], view: View, steps: int = STEPS) -> tuple[Expression, float]:
    """The right-hand side with its free constants fitted in ``view``, and the sum of squares left (infinite: no value).

    Levenberg and Marquardt's steps with damping by column (r = W·f(x; θ) - target, J = W·∂f/∂θ).
    """
    if not e.free:
        return e, misfit_in(e, names, view)
    program, free = Program.of(e, names), list(e.free)
    theta = np.array(e.values, float)
    with np.errstate(all="ignore"):
        f, g = program.value_and_gradient(view.X, theta)
        if not (np.all(np.isfinite(f)) and np.all(np.isfinite(g[free]))):
            return e, np.inf
        r, J = view.of(f) - view.target, view.of(g[free]).T
        cost, damping = float(r @ r), 1e-4
        for _ in range(steps):
            size = np.linalg.norm(J, axis=0)
            size[size == 0] = 1.0
            U, s, Vt = np.linalg.svd(J / size, full_matrices=False)
            along = U.T @ r
            better = False
            for _ in range(TRIES):
                # Damped by singular value: directions that the rows say nothing of stay where they are.
                move = Vt.T @ (s * along / (s * s + damping * s[0] ** 2 * 1e-3 + 1e-14 * s[0] ** 2)) / size
                new = theta.copy()
                new[free] -= move
                f, g = program.value_and_gradient(view.X, new)
                new_r = view.of(f) - view.target
                new_cost = float(new_r @ new_r)
                if np.isfinite(new_cost) and np.all(np.isfinite(g[free])) and new_cost <= cost:
                    better = True
                    break
                damping = max(damping, 1e-4) * 30
            if not better:
                break
            gain = cost - new_cost
            theta, r, J, cost = new, new_r, view.of(g[free]).T, new_cost
            damping /= 10
            if gain <= SETTLED * cost:
                break
    return e.with_values(theta), cost
