"""Evaluation of expressions: the thin border between expression objects and the raw-array kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hypo.expression.expr import Expression


@dataclass(frozen=True)
class Program:
    """An expression as kernel arrays over fixed columns, evaluated many times with changing constants.

    Leaves that carry the same free name share one parameter.
    """

    op: NDArray[np.int32]
    arg: NDArray[np.int32]
    values: NDArray[np.float64]

    @staticmethod
    def of(e: Expression, columns: Sequence[str]) -> Program:
        """Compile ``e``; KeyError when a variable is not among ``columns``."""
        op, arg = e.arrays(columns)
        return Program(op, arg, e.values)

    def value(self, X: NDArray[np.float64], values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Values ``(n_row,)`` on ``X`` of shape ``(n_var, n_row)``."""
        from hypo.kernels.cpu.evaluate import evaluate as kernel

        out = np.empty((1, X.shape[1]))
        start = np.array([0, len(self.op)])
        const = self.values if values is None else values
        kernel(self.op, self.arg, start, const, np.zeros(1, np.int64), X, out)
        row: NDArray[np.float64] = out[0]
        return row

    def batch(self, X: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values ``(n_set, n_row)`` with each set of constants ``values`` (n_set, n_constant), in one call."""
        from hypo.kernels.cpu.evaluate import evaluate as kernel

        n, length = len(values), len(self.op)
        out = np.empty((n, X.shape[1]))
        start = np.arange(n) * values.shape[1]
        const = np.ascontiguousarray(values).ravel()
        kernel(np.tile(self.op, n), np.tile(self.arg, n), np.arange(n + 1) * length, const, start, X, out)
        return out

    def value_and_gradient(
        self, X: NDArray[np.float64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values ``(n_row,)`` and gradient ``(n_constant, n_row)``."""
        from hypo.kernels.cpu.evaluate import value_and_gradient as kernel

        out = np.empty(X.shape[1])
        grad = np.empty((len(self.values), X.shape[1]))
        kernel(self.op, self.arg, values, X, out, grad)
        return out, grad


def evaluate(e: Expression, X: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    """Values ``(n_row,)`` of ``e`` on ``X`` of shape ``(n_row, n_col)`` whose columns are ``names``; NaN where invalid.

    Raises KeyError when a variable of ``e`` is not among ``names``.
    """
    columns = np.ascontiguousarray(np.asarray(X, dtype=np.float64).T)
    out = Program.of(e, names).value(columns)
    out[~np.isfinite(out)] = np.nan
    return out
