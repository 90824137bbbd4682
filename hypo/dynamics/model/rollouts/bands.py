"""Trajectories that were drawn, and the bands around them.

Medians, means and bands are all of the same draws: of what a measurement would show, states with all that adds to them. Where
fewer than half of the draws are left there are none: what is left says nothing of the whole.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Values = NDArray[np.float64]

# Share of draws below which those that are left have no median.
LEAST_LEFT = 0.5

# Why trajectories end: they run beyond all bounds, the law has no value, there are too many steps, or events ever more quickly.
RUNS_AWAY, NO_VALUE, TOO_LONG, TOO_QUICK = range(4)
# The same in words, of {} trajectories.
_WHY = (
    "{} run away",
    "the law has no value on {}",
    "{} need more steps than can be followed",
    "events come ever more quickly on {}",
)

# What bands can be of.
PARTS = ("all", "structure", "constants", "start", "process", "noise")


@dataclass(frozen=True, repr=False)
class Rollout:
    """Trajectories from one start, drawn from the posterior.

    Attributes:
        time: (n_time,).
        names: of the states, the measured ones first.
        states: (n_sample, n_time, n_state), without noise of measurement; NaN from where one ran away.
        diverged: (n_sample,), the moments at which trajectories ran away, infinity where they did not.
        system: (n_sample,), the number of the system that each follows.
        centres: (n_system, n_time, n_state), paths of the systems with their fitted constants.
        weights: (n_system,), of these.
        from_centre: the same as ``states`` with the central start, where the start is not exact; else ``states``.
        noise: (n_sample, n_time, n_state), drawn errors of measurement, 0 for hidden states.
        clock: the name of time, with its unit.
        units: by state.
        process: (n_sample, n_time, n_state), what random forces on the states add to each trajectory; None: there are none.
        reason: (n_sample,), why those that ended did so, RUNS_AWAY, NO_VALUE, TOO_LONG or TOO_QUICK.
    """

    time: Values
    names: tuple[str, ...]
    states: Values
    diverged: Values
    system: NDArray[np.int64]
    centres: Values
    weights: Values
    from_centre: Values = field(repr=False)
    noise: Values = field(repr=False)
    clock: str = "t"
    units: dict[str, str] = field(default_factory=dict)
    process: Values | None = field(default=None, repr=False)
    reason: NDArray[np.int8] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        n, m = self.states.shape[:2]
        names, t = ", ".join(self.names), self.time
        return f"<Rollout of {names}: {n} trajectories at {m} moments from {t[0]:g} to {t[-1]:g}>"

    @property
    def measured(self) -> Values:
        """Draws of what measurements would show (n_sample, n_time, n_state): states, what random forces add, and noise."""
        return self.states + self.noise + (0.0 if self.process is None else self.process)

    @property
    def median(self) -> Values:
        """(n_time, n_state), within every band; NaN where fewer than half of the trajectories are left."""
        return np.asarray(quantiles(self.measured, (0.5,))[0])

    @property
    def mean(self) -> Values:
        """(n_time, n_state), of the same draws as the median."""
        samples = self.measured
        return where_enough(samples, _mean(samples))

    @property
    def share_diverged(self) -> Values:
        """By moment (n_time,) the share of trajectories that have run away."""
        return np.asarray(np.mean(self.diverged[:, None] <= self.time[None, :], axis=0))

    def band(self, level: float = 0.9, of: str = "all") -> tuple[Values, Values]:
        """Both ends of the band that holds ``level`` of what measurements would show at each moment, (n_time, n_state) each;
        NaN where fewer than half of the trajectories are left.

        Args:
            level: between 0 and 1.
            of: ``"all"``; or one source alone, about the median: ``"structure"`` (which system), ``"constants"``, ``"start"``,
                ``"process"`` (random forces), or ``"noise"`` of measurement.

        Raises:
            InputError: the level or the source is none.
        """
        if not 0 < level < 1:
            raise InputError(f"level must lie between 0 and 1, got {level:g}")
        if of not in PARTS:
            raise InputError(f'a band is of {", ".join(PARTS)}; got "{of}"')
        ends = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
        if of == "all":
            low, high = quantiles(self.measured, ends)
        elif of == "structure":
            low, high = _weighted_quantiles(self.centres, self.weights, ends)
        else:
            middle = self.median
            deviation = {
                "constants": self.from_centre - self.centres[self.system],
                "start": self.states - self.from_centre,
                "process": np.zeros_like(self.states) if self.process is None else self.process,
                "noise": np.where(np.isfinite(self.states), self.noise, np.nan),
            }[of]
            low, high = (middle + q for q in quantiles(deviation, ends))
        return low, high

    def to_frame(self, level: float = 0.9) -> pd.DataFrame:
        """A table: time, and of each state the median and the ends of its band, ``x``, ``x_lower``, ``x_upper``."""
        import pandas as pd

        low, high = self.band(level)
        middle = self.median
        columns = {self.clock: self.time}
        for k, name in enumerate(self.names):
            columns |= {name: middle[:, k], f"{name}_lower": low[:, k], f"{name}_upper": high[:, k]}
        return pd.DataFrame(columns)

    def plot(self, path: str | os.PathLike[str] | None = None, level: float = 0.9) -> Figure:
        """A figure, a panel for each state: the median, and bands of 50 % and of ``level``; written to ``path`` if given."""
        from hypo.report.display.figure import Picture, label_axis

        n = len(self.names)
        figure = Picture(figsize=(7.0, 1.0 + 2.2 * n), layout="constrained")
        panels = figure.subplots(n, 1, squeeze=False, sharex=True)[:, 0]
        middle = self.median
        for share, shade in ((level, 0.2), (0.5, 0.35)):
            low, high = self.band(share)
            for k, ax in enumerate(panels):
                ax.fill_between(self.time, low[:, k], high[:, k], color="C0", alpha=shade, lw=0, label=f"{share:.0%}")
        for k, (name, ax) in enumerate(zip(self.names, panels, strict=True)):
            ax.plot(self.time, middle[:, k], color="C0", label="median")
            ax.set_ylabel(label_axis(name, self.units.get(name)))
        away = self.diverged[np.isfinite(self.diverged)]
        if len(away):
            for ax in panels:
                ax.axvline(away.min(), color="C3", ls=":", label=f"first of {len(away)} that end")
        panels[0].legend(frameon=False)
        panels[-1].set_xlabel(label_axis(self.clock, self.units.get(self.clock)))
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def __str__(self) -> str:
        text = f"{len(self.states)} trajectories of {', '.join(self.names)} from {self.time[0]:g} to {self.time[-1]:g}"
        return "; ".join([text, *self.describe_ends()])

    def describe_ends(self) -> Iterator[str]:
        """Sentences on trajectories that end before the last moment, without full stops."""
        reasons = np.full(len(self.diverged), RUNS_AWAY) if self.reason is None else self.reason
        for k, words in enumerate(_WHY):
            moments = self.diverged[(reasons == k) & np.isfinite(self.diverged)]
            if len(moments):
                count = f"{len(moments)} of {len(self.diverged)} trajectories"
                yield f"{words.format(count)}, the first at {self.clock} = {moments.min():.4g}; they are left out from there on"
        few = np.flatnonzero(np.all(np.isnan(self.median), axis=1))
        if len(few):
            yield (
                f"from {self.clock} = {self.time[few[0]]:.4g} on fewer than half of the trajectories are left, which have no "
                "median and no band"
            )


def quantiles(samples: Values, ends: Sequence[float]) -> Values:
    """Quantiles (n_end, n_time, n_state) over samples (n_sample, n_time, n_state) that are there; NaN where fewer than half
    are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return where_enough(samples, np.nanquantile(samples, ends, axis=0))


def where_enough(samples: Values, found: Values) -> Values:
    """Numbers found (…, n_time, n_state) in samples (n_sample, n_time, n_state), NaN where fewer than half are there."""
    return np.where(np.mean(np.isfinite(samples), axis=0) >= LEAST_LEFT, found, np.nan)


def _mean(samples: Values) -> Values:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(samples, axis=0))


def _weighted_quantiles(values: Values, weights: Values, ends: Sequence[float]) -> Values:
    """The least values (n_end, n_time, n_state) up to which systems (n_system, n_time, n_state) have the weights ``ends``."""
    order = np.argsort(values, axis=0, kind="stable")
    sorted_ = np.take_along_axis(values, order, axis=0)
    mass = np.where(np.isfinite(sorted_), weights[order], 0.0).cumsum(0)
    total = mass[-1]
    out = []
    for end in ends:
        reached = mass >= end * total * (1 - 1e-12)
        at = np.argmax(reached, axis=0)[None]
        out.append(np.where(total >= LEAST_LEFT * weights.sum(), np.take_along_axis(sorted_, at, axis=0)[0], np.nan))
    return np.array(out)
