"""Where a model's states have been: the course along the data, and the box around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields

Values = NDArray[np.float64]

# The box reaches beyond the data by this share of their range on either side.
MARGIN = 0.1
# Points beyond its faces by this share of its width count as inside.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Box:
    """Ranges of a system's columns: states, delayed states, inputs, time (n_column,)."""

    low: Values
    high: Values

    def sample(self, n: int, rng: np.random.Generator) -> Values:
        """``n`` columns (n_column, n) drawn uniformly."""
        return self.low[:, None] + (self.high - self.low)[:, None] * rng.random((len(self.low), n))

    def holds(self, X: Values) -> NDArray[np.bool_]:
        """By point (n,) of X (n_state, n): True where all states are inside."""
        width = ROUNDING * (self.high - self.low)[: len(X), None]
        low, high = self.low[: len(X), None] - width, self.high[: len(X), None] + width
        return np.asarray(np.all((low <= X) & (high >= X), axis=0))


def box_of(model: ModelFields, margin: float = MARGIN) -> Box:
    """The box around the data, wider by ``margin``; states that never were negative stay so."""
    system, data = model.system, model.data
    measured = np.vstack([run.states for run in data.runs])
    ranges = [(float(np.nanmin(c)), float(np.nanmax(c))) for c in measured.T]
    ranges += [_hidden_range(model, k) for k in range(len(ranges), len(system.states))]
    names = list(system.states)
    ranges += [ranges[names.index(d.state)] for d in system.delays]
    actions = np.vstack([run.actions for run in data.runs])
    ranges += [(float(c.min()), float(c.max())) for c in actions.T]
    if system.time:
        ranges.append((min(float(r.time[0]) for r in data.runs), max(float(r.time[-1]) for r in data.runs)))
    low, high = np.array(ranges, float).T
    width = np.maximum(high - low, 1e-9 * np.maximum(np.abs(low), np.abs(high)))
    below, above = low - margin * width, high + margin * width
    return Box(np.where((low >= 0) & (below < 0), 0.0, below), above)


def _hidden_range(model: ModelFields, k: int) -> tuple[float, float]:
    """The range of a hidden state: of the slopes of the state whose rate it is, or of its fitted starts."""
    system = model.system
    name = system.states[k]
    for i, e in enumerate(system.equations):
        if e.variables == (name,) and len(e) == 1 and i < system.n_measured:
            slopes = [np.gradient(r.states[ok, i], r.time[ok]) for r, ok in _distinct(model, i)]
            each = np.concatenate(slopes)
            return float(np.nanmin(each)), float(np.nanmax(each))
    starts = np.array([s[k] for s in model.best.starts])
    size = float(np.max(np.abs(starts))) or 1.0
    return float(starts.min()) - size, float(starts.max()) + size


def _distinct(model: ModelFields, i: int):  # type: ignore[no-untyped-def]
    """Runs with the rows at which state i was measured, one for each moment."""
    for run in model.data.runs:
        rows = np.flatnonzero(np.isfinite(run.states[:, i]))
        _, first = np.unique(run.time[rows], return_index=True)
        if len(first) > 1:
            yield run, rows[first]
