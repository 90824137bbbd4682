"""Systems judged by trajectories: each is fitted once, scored, and remembered by its form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hypo.clock import Expiring
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.system import System
from hypo.interrupts import has_come

# What numbers of a hopeless system may raise.
FAILURES = (np.linalg.LinAlgError, ArithmeticError, ValueError)

Fit = Callable[[System], Calibrated | None]
Form = tuple[object, ...]


@dataclass(frozen=True)
class Judged:
    """A fitted system and its score in nats."""

    fitted: Calibrated
    score: float


def form_of(system: System) -> Form:
    """What two fits of one structure have in common: equations as sums with their numbers left open, and shared constants."""
    return (*(as_sum(e).form for e in system.equations), system.shared, tuple(d.column for d in system.delays))


@dataclass
class Judge:
    """Fits systems, at most ``most`` of them and none after the deadline.

    Attributes:
        fit: the fit of a system to the samples.
        scorer: of its result.
        clock: when to stop.
        most: fits at most.
        judged: what was fitted, by form; None where a fit failed.
    """

    fit: Fit
    scorer: Scorer
    clock: Expiring
    most: int
    judged: dict[Form, Judged | None] = field(default_factory=dict)
    count: int = 0

    @property
    def is_over(self) -> bool:
        """True once nothing more may be fitted."""
        return self.count >= self.most or self.clock.expired or has_come()

    def judge(self, system: System) -> Judged | None:
        """The fitted system with its score; None where it cannot be followed, or where it is too late."""
        form = form_of(system)
        if form in self.judged:
            return self.judged[form]
        if self.is_over and self.count:
            return None
        self.count += 1
        try:
            fitted = self.fit(system)
        except FAILURES:
            fitted = None
        found = None if fitted is None else Judged(fitted, self.scorer.score(fitted))
        self.judged[form] = found
        return found

    def ranked(self) -> list[Judged]:
        """All that could be fitted, best first."""
        return sorted((j for j in self.judged.values() if j is not None), key=lambda j: j.score)
