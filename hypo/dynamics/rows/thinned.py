"""Rows one error correlation apart: moments whose smoothed rates err independently, with the size of these errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.rows.columns import Columns, slopes
from hypo.dynamics.rows.rows import Rows
from hypo.dynamics.smoothing.path import effective_rows

Values = NDArray[np.float64]

# From so many rows of a run on its two ends are left out, where a smooth path knows least.
WITHOUT_ENDS = 12
# Least error of a target as a share of its spread.
LEAST_ERROR = 1e-6


def thin(columns: Columns, k: int) -> Rows:
    """Rows of the rate of state ``k``, or of its acceleration at order 2."""
    order = columns.options.order
    X, E, y, sd, of, moments = [], [], [], [], [], []
    for r, paths in enumerate(columns.smoothed.paths):
        path = paths[k]
        rows = effective_rows(path, order)
        rows = rows[1:-1] if len(rows) > WITHOUT_ENDS else rows
        # A law does not hold while any state is held at a wall.
        held = np.unique(np.concatenate([p.time[p.clipped] for p in paths]))
        rows = rows[~np.isin(path.time[rows], held)]
        time = path.time[rows]
        values, errors = columns.at(r, time)
        X.append(values)
        E.append(errors)
        y.append((path.rate, path.second)[order - 1][rows])
        sd.append((path.rate_sd, path.second_sd)[order - 1][rows])
        of.append(np.full(len(rows), r))
        moments.append(time)
    columns_at, target = np.vstack(X), np.concatenate(y)
    kept = np.isfinite(columns_at).all(1) & np.isfinite(target)
    columns_at, target = columns_at[kept], target[kept]
    error = with_column_errors(columns_at, np.vstack(E)[kept], target, np.concatenate(sd)[kept])
    return Rows(columns.names, columns_at, target, error, np.concatenate(of)[kept], np.concatenate(moments)[kept])


def with_column_errors(X: Values, E: Values, target: Values, sd: Values) -> Values:
    """Errors of a target (n,) and of columns (n, n_column) together, by the slopes of a first model."""
    floor = LEAST_ERROR * float(np.std(target)) + 1e-300 if len(target) else 1e-300
    sd = np.maximum(sd, floor)
    if len(target) <= X.shape[1] + 1:
        return sd
    return np.asarray(np.sqrt(sd**2 + ((slopes(X, target, sd) * E) ** 2).sum(1)))
