"""The systems that a discovery leaves, likeliest first, with all that reports and world models read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.forcing import Forcing
from hypo.dynamics.contacts.found import FoundEvent
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.knowledge.claims.claim import Verdict


@dataclass(frozen=True)
class WeightedSystem:
    """A system, its score (misfit + code lengths + λ·violation, in nats) and its posterior weight."""

    fitted: Calibrated
    score: float
    weight: float


@dataclass(frozen=True)
class Discovered:
    """Systems with weights, best first; they sum to 1 together with ``unmet``.

    Attributes:
        systems: likeliest first.
        smoothed: the trajectories, and their smoothed paths.
        effective_rows: by equation, the number of independent rows of its rate.
        remarks: sentences for the user: undersampled states, what the data cannot tell apart, a conserved sum.
        seconds: time taken.
        turns: turns of the search that were taken to their end, with those of a search that this one went on from.
        is_cut: True where the time limit or an interrupt ended the search before its end.
        rules: each rule of what is known in words, with how the likeliest system fares under it.
        events: walls and bounds that were found; runs are then the pieces between them.
        forcing: random forces on the states under the likeliest system; None: not asked for, or not to be told.
    """

    systems: tuple[WeightedSystem, ...]
    smoothed: Smoothed
    effective_rows: tuple[int, ...]
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    rules: tuple[tuple[str, Verdict], ...] = ()
    turns: int = 0
    is_cut: bool = False
    events: tuple[FoundEvent, ...] = ()
    forcing: Forcing | None = None

    @property
    def unmet(self) -> float:
        """Weight of the law not being among the systems (:mod:`hypo.dynamics.discovery.trials.unmet`)."""
        return max(1.0 - math.fsum(s.weight for s in self.systems), 0.0)

    @property
    def best(self) -> Calibrated:
        """The likeliest system."""
        return self.systems[0].fitted
