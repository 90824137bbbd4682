"""Systems judged by trajectories: each is fitted once, scored, and remembered by its form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hypo.clock import Clock
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.system import System
from hypo.interrupts import has_come

# What numbers of a hopeless system may raise.
FAILURES = (np.linalg.LinAlgError, ArithmeticError, ValueError)

# Nats by which a second fit may be worse than a quick one, whose noise was chosen less carefully.
TOLERANCE = 2.0
# Nats behind the best score beyond which a fit may be given up early.
HOPELESS = 40.0
# Lags that differ by less than about this share begin in one valley.
LAG_CELL = 0.08

Fit = Callable[[System, float], Calibrated | None]
Form = tuple[object, ...]


@dataclass(frozen=True)
class Judged:
    """A fitted system and its score in nats."""

    fitted: Calibrated
    score: float


def form_of(system: System) -> Form:
    """The form of a system, which two fits of one structure have in common.

    Equations are sums with fitted numbers left open and exact ones as they are; shared constants are part of it.
    """
    return (*(as_sum(e).inner_form for e in system.equations), system.shared)


def trial_of(system: System) -> Form:
    """What a fit is remembered by: the form, and about which lags it begins, since a fit stays in the valley of its lag."""
    used = {name for e in system.equations for name in e.variables}
    lags = [math.log(d.lag) / LAG_CELL for d in system.delays if d.column in used]
    return (*form_of(system), *map(round, lags))


def merged(ranked: Sequence[Judged]) -> list[tuple[Judged, float]]:
    """The best fit of each form, whether its numbers are fitted, exact or shared, with the weight of all its fits."""
    if not ranked:
        return []
    total: dict[Form, float] = {}
    best: dict[Form, Judged] = {}
    seen: set[Form] = set()
    for j in ranked:
        own = form_of(j.fitted.system)
        if own in seen:
            continue  # the same with another lag, which is worse, or has come to the same
        seen.add(own)
        form = tuple(as_sum(e).form for e in j.fitted.system.equations)
        best.setdefault(form, j)
        total[form] = total.get(form, 0.0) + math.exp(ranked[0].score - j.score)
    whole = sum(total.values())
    return sorted(((best[form], w / whole) for form, w in total.items()), key=lambda each: -each[1])


@dataclass
class Judge:
    """Fits systems, at most ``most`` of them and none after the deadline.

    Attributes:
        fit: of a system to the samples, given up where it cannot come near a misfit.
        scorer: of its result.
        clock: when to stop.
        most: fits at most.
        judged: what was fitted, by form; None where a fit failed.
        count: fits so far.
        best: the least score so far.
    """

    fit: Fit
    scorer: Scorer
    clock: Clock
    most: int
    judged: dict[Form, Judged | None] = field(default_factory=dict)
    count: int = 0
    best: float = math.inf

    @property
    def is_over(self) -> bool:
        """True once nothing more may be fitted."""
        return self.count >= self.most or self.clock.expired or has_come()

    def judge(self, system: System) -> Judged | None:
        """The fitted system with its score; None where it cannot be followed, or where it is too late."""
        form = trial_of(system)
        if form in self.judged:
            return self.judged[form]
        if self.is_over and self.count:
            return None
        self.count += 1
        try:
            fitted = self.fit(system, self._least() - self.scorer.structure(system))
            found = None if fitted is None else Judged(fitted, self.scorer.score(fitted))
        except FAILURES:
            found = None
        self.judged[form] = found
        if found is not None:
            self.best = min(self.best, found.score)
        return found

    def improve(self, judged: Judged, fit: Callable[[System], Calibrated | None]) -> None:
        """Put another fit of the same system in the place of a first one, if it is no worse."""
        try:
            fitted = fit(judged.fitted.system)
        except FAILURES:
            return
        if fitted is not None and (score := self.scorer.score(fitted)) < judged.score + TOLERANCE:
            place = next(form for form, other in self.judged.items() if other is judged)
            self.judged[place] = Judged(fitted, score)

    def _least(self) -> float:
        return self.best + HOPELESS

    def ranked(self) -> list[Judged]:
        """All that could be fitted, best first."""
        return sorted((j for j in self.judged.values() if j is not None), key=lambda j: j.score)
