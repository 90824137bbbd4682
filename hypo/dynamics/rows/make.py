"""Rows of one equation for each kind of law."""

from __future__ import annotations

from collections.abc import Sequence

from hypo.dynamics.options import Options
from hypo.dynamics.rows.columns import Columns
from hypo.dynamics.rows.rows import Rows, WeakRows
from hypo.dynamics.rows.steps import as_weak, step_rows
from hypo.dynamics.rows.thinned import thin
from hypo.dynamics.rows.weak import weaken
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.dynamics.trajectories import Trajectories


def make_rows(data: Trajectories, smoothed: Smoothed, options: Options, k: int, delays: Sequence[Delay] = ()) -> Rows:
    """Independent rows for the equation of measured state ``k``: its rate, its acceleration at order 2, or its next value.

    Args:
        data, smoothed: the runs and their paths.
        options: the kind of law.
        k: number of the state.
        delays: former values that laws may use, with the lags to take them at.
    """
    columns = Columns(data, smoothed, options, tuple(delays))
    return step_rows(columns, k) if options.discrete else thin(columns, k)


def make_weak_rows(
    data: Trajectories, smoothed: Smoothed, options: Options, k: int, delays: Sequence[Delay] = ()
) -> WeakRows:
    """Weak rows for the same equation; those of a discrete system are its steps. Empty where no run is long enough."""
    columns = Columns(data, smoothed, options, tuple(delays))
    return as_weak(step_rows(columns, k)) if options.discrete else weaken(columns, k)
