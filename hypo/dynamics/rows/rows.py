"""Rows for searches, of two kinds: single moments far enough apart, and averages over bumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Independent rows of one equation.

    Attributes:
        columns: names of what laws may use.
        X: (n, n_column).
        target: (n,), the rate, acceleration or next value.
        sd: (n,), standard deviation of the target's error, errors of the columns included.
        run: (n,), numbers of the runs.
        time: (n,), moments in them.
    """

    columns: tuple[str, ...]
    X: Values
    target: Values
    sd: Values
    run: NDArray[np.int64]
    time: Values


@dataclass(frozen=True)
class WeakRows:
    """Averages of one equation over bumps φ: ∫φ·target dt = ∫φ f dt, whitened: errors are independent, of size 1.

    For values g (n_grid,) of any function of ``X`` the weak column is ``W @ g``; that of an implicit term ẋ·q is
    ``W @ (rate * q)``.

    Attributes:
        columns: names of what laws may use.
        X: (n_grid, n_column), columns on the grids of all runs.
        W: (m, n_grid).
        target: (m,).
        rate: (n_grid,), the rate, acceleration or next value on the grid.
        run: (n_grid,), numbers of the runs.
        time: (n_grid,), moments in them.
    """

    columns: tuple[str, ...]
    X: Values
    W: Values
    target: Values
    rate: Values
    run: NDArray[np.int64]
    time: Values
