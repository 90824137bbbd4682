"""Derivatives of right-hand sides by the states, as programs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.system import System
from hypo.expression.analysis.derivative import derivative
from hypo.expression.program import Program

Values = NDArray[np.float64]


class Jacobian:
    """∂f_i/∂x_j of a system with its present parameters; a delayed state counts as the state."""

    def __init__(self, system: System) -> None:
        self._columns = system.columns
        self._n = len(system.states)
        of = {name: j for j, name in enumerate(system.states)}
        of |= {d.column: of[d.state] for d in system.delays}
        self._programs = [
            (i, of[name], Program.of(derivative(e, name), system.columns))
            for i, e in enumerate(system.equations)
            for name in e.variables
            if name in of
        ]

    def at(self, X: Values) -> Values:
        """Matrices (n, n_state, n_state) at columns X (n_column, n)."""
        out = np.zeros((X.shape[1], self._n, self._n))
        columns = np.ascontiguousarray(X)
        for i, j, program in self._programs:
            out[:, i, j] += program.value(columns)
        return out
