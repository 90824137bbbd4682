"""Systems judged by trajectories: each is fitted once, scored, and remembered by its form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hypo.clock import Clock
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials.fits import FAILURES, Fit, fit_each
from hypo.dynamics.system import System
from hypo.failures import Failure, Failures
from hypo.interrupts import has_come
from hypo.parallel.executor import Executor, Serial

# Nats by which a second fit may be worse than a quick one, whose noise was chosen less carefully.
TOLERANCE = 2.0
# Nats behind the best score beyond which a fit may be given up early.
HOPELESS = 40.0
# Systems that are fitted side by side, all with the best score before them in view: of the first few, and of others.
FIRST_BATCH = 3
BATCH = 12
# Lags that differ by less than about this share begin in one valley.
LAG_CELL = 0.08

Form = tuple[object, ...]


@dataclass(frozen=True)
class Judged:
    """A fitted system and its score in nats."""

    fitted: Calibrated
    score: float


def form_of(system: System) -> Form:
    """The form of a system, which two fits of one structure have in common.

    Equations are sums with fitted numbers left open and exact ones as they are; shared constants are part of it, and how many
    numbers an equation has: multiplied out, ``a*(x - x**3/3)`` looks like ``a*x - b*x**3``.
    """
    forms = (form for e in system.equations for form in (as_sum(e).inner_form, len(e.free)))
    return (*forms, system.shared)


def trial_of(system: System) -> Form:
    """The form by which a fit is remembered, with the lags it begins about, since a fit stays in the valley of its lag."""
    used = {name for e in system.equations for name in e.variables}
    lags = [math.log(d.lag) / LAG_CELL for d in system.delays if d.column in used]
    return (*form_of(system), *map(round, lags))


def structure_of(system: System) -> tuple[str, ...]:
    """The forms of a system's equations with all numbers left open, which fits have in common whether their numbers are fitted,
    exact or shared."""
    return tuple(as_sum(e).form for e in system.equations)


def merged(ranked: Sequence[Judged]) -> list[tuple[Judged, float]]:
    """The best fit of each form, whether its numbers are fitted, exact or shared, with the weight of all its fits."""
    if not ranked:
        return []
    total: dict[tuple[str, ...], float] = {}
    best: dict[tuple[str, ...], Judged] = {}
    seen: set[Form] = set()
    for j in ranked:
        own = form_of(j.fitted.system)
        if own in seen:
            continue  # the same with another lag, which is worse, or has come to the same
        seen.add(own)
        form = structure_of(j.fitted.system)
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
        executor: of fits.
        failures: takes unexpected errors, each of which ends one fit.
        count: fits so far.
        best: the least score so far.
    """

    fit: Fit
    scorer: Scorer
    clock: Clock
    most: int
    executor: Executor = field(default_factory=Serial)
    judged: dict[Form, Judged | None] = field(default_factory=dict)
    failures: Failures = field(default_factory=Failures)
    count: int = 0
    best: float = math.inf

    @property
    def is_over(self) -> bool:
        """True once nothing more may be fitted."""
        return self.count >= self.most or self.clock.expired or has_come()

    def judge(self, system: System) -> Judged | None:
        """The fitted system with its score; None where it cannot be followed, or where it is too late."""
        self.judge_all([system])
        return self.find(system)

    def find(self, system: System) -> Judged | None:
        """The fitted system of this form; None where there is none, or the fit failed."""
        return self.judged.get(trial_of(system))

    def judge_all(self, systems: Iterable[System]) -> None:
        """Fit all systems that were not yet, in batches, as long as there is time. What a batch gives does not depend on who
        fits what."""
        waiting = iter(systems)
        while batch := self._take(waiting):
            least = self.best + HOPELESS
            items = [(system, least - self.scorer.structure(system)) for system in batch.values()]
            for form, fitted in zip(batch, fit_each(self.executor, self.fit, items), strict=False):
                self.count += 1
                self.keep(form, self._scored(fitted))
                if self.is_over:
                    return

    def keep(self, form: Form, found: Judged | None) -> None:
        """Remember what became of a system."""
        self.judged[form] = found
        if found is not None:
            self.best = min(self.best, found.score)

    def keep_fit(self, fitted: Calibrated) -> None:
        """Remember a fit of an earlier search."""
        self.keep(trial_of(fitted.system), self._scored(fitted))

    def improve(self, judged: Sequence[Judged], fit: Fit) -> None:
        """Put other fits of the same systems in the places of first ones, where they are no worse."""
        items = [(j.fitted.system, math.inf) for j in judged]
        for j, fitted in zip(judged, fit_each(self.executor, fit, items), strict=True):
            new = self._scored(fitted)
            if new is not None and new.score < j.score + TOLERANCE:
                self.judged[next(form for form, other in self.judged.items() if other is j)] = new
            if self.clock.expired or has_come():
                return

    def _scored(self, fitted: Calibrated | Failure | None) -> Judged | None:
        if isinstance(fitted, Failure):
            self.failures.take([fitted])
            return None
        with suppress(*FAILURES), self.failures.guarded("the score of a system", *FAILURES):
            return None if fitted is None else Judged(fitted, self.scorer.score(fitted))
        return None

    def _take(self, waiting: Iterator[System]) -> dict[Form, System]:
        """The next batch of systems that were not fitted, by form; without time the first of all alone."""
        size = min(BATCH if self.count else FIRST_BATCH, self.most - self.count)
        if self.is_over:
            size = 0 if self.count else 1
        batch: dict[Form, System] = {}
        while len(batch) < size and (system := next(waiting, None)) is not None:
            form = trial_of(system)
            if form not in self.judged:
                batch.setdefault(form, system)
        return batch

    def ranked(self) -> list[Judged]:
        """All that could be fitted, best first."""
        return sorted((j for j in self.judged.values() if j is not None), key=lambda j: j.score)
