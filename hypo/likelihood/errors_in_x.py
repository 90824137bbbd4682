"""Errors in x, to first order: the noise of y and that of the columns, carried to y by the formula's own slopes.

    v_i = σ_i² + Σ_j (∂f/∂x_j)² σ_ij²,      minus log likelihood = (y_i - f_i)²/2v_i + ½ log 2πv_i

(effective variance: J. Orear, Am. J. Phys. 50, 912, 1982), with v a function of the constants as f is. Predictions have two
parts, f and v; the information on them is 1/v and 1/2v² (that of a normal distribution on mean and variance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.likelihood.base import Values
from hypo.likelihood.row_likelihood import HALF_LOG_2PI, Derivatives, RowLikelihood

# Constants are moved by this share of their size (or of 1) for derivatives of v.
SHARE = 1e-5
_MOVED = "δ"


@dataclass(frozen=True)
class ErrorsInX(RowLikelihood):
    """Known noise ``sigma`` (n_row,) of y and ``x_sigma`` (n_row,) of columns, by name; all independent and normal."""

    needs_slopes: ClassVar[bool] = True

    sigma: Values
    x_sigma: Mapping[str, Values] = field(default_factory=dict)

    def predict(self, e: Expression, X: Values, columns: Sequence[str]) -> Values:
        """f and v (2, n_row)."""
        return self._at(*_shifted(e, self.x_sigma), X, columns, None)

    def predict_with_gradient(self, e: Expression, X: Values, columns: Sequence[str]) -> tuple[Values, Values]:
        """The gradient of f is exact, that of v from differences of exact slopes."""
        moved, names = _shifted(e, self.x_sigma)
        program = Program.of(e, columns)
        _, g = program.value_and_gradient(X, program.values)
        G = np.zeros((2, *g.shape))
        G[0] = g
        own = [i for i, name in enumerate(names) if name is None]
        for k in e.free:
            h = SHARE * (abs(e.values[k]) or 1.0)
            ends = []
            for sign in (1.0, -1.0):
                values = moved.values.copy()
                values[own[k]] += sign * h
                ends.append(self._at(moved, names, X, columns, values)[1])
            G[1, k] = (ends[0] - ends[1]) / (2.0 * h)
        return self._at(moved, names, X, columns, None), G

    def _at(
        self, moved: Expression, names: Sequence[str | None], X: Values, columns: Sequence[str], values: Values | None
    ) -> Values:
        program = Program.of(moved, columns)
        f, g = program.value_and_gradient(X, program.values if values is None else values)
        v = self.sigma**2
        for name in dict.fromkeys(n for n in names if n is not None):
            slope = np.sum(g[[i for i, n in enumerate(names) if n == name]], axis=0)
            v = v + (slope * self.x_sigma[name]) ** 2
        return np.stack([f, v])

    def row_misfits(self, p: Values, scale: float) -> Values:
        """See the module."""
        f, v = p
        out: Values = 0.5 * (self.y - f) ** 2 / v + 0.5 * np.log(v) + HALF_LOG_2PI
        return out

    def derivatives(self, p: Values, scale: float) -> Derivatives:
        """By f and by v."""
        f, v = p
        r = self.y - f
        return Derivatives(np.stack([r / v, 0.5 * (r**2 / v - 1.0) / v]), np.stack([1.0 / v, 0.5 / v**2]))

    def find_scale(self, p: Values) -> float:
        """The root mean square of the noise with what x brings to it, to be shown: nothing is fitted."""
        return self.mean_square(np.sqrt(p[1])) if np.all(np.isfinite(p[1])) else math.nan

    def first_response(self) -> tuple[Values, Values]:
        """y with its own noise."""
        return self.y, self.sigma

    def predict_smooth(self, f: Values, slopes: Mapping[str, Values]) -> Values:
        """f, and v from the slopes."""
        return np.stack([f, self.sigma**2 + sum((slopes[n] * s) ** 2 for n, s in self.x_sigma.items())])


def _shifted(e: Expression, names: Mapping[str, Values]) -> tuple[Expression, tuple[str | None, ...]]:
    """``e`` with x + δ for every x of ``names``, δ a constant 0 whose derivative is that by x; and for each constant the column
    it shifts, or None."""
    moved = e
    for node in reversed(range(len(e.code))):
        op, arg = e.code[node]
        if op == oc.VAR and e.variables[arg] in names:
            name = e.variables[arg]
            shift = Expression.constant(0.0, name=_MOVED + name, free=True)
            moved = moved.replace_leaf(node, Expression.variable(name) + shift)
    shifts = (c.name[1:] if c.name is not None and c.name.startswith(_MOVED) else None for c in moved.constants)
    return moved, tuple(shifts)
