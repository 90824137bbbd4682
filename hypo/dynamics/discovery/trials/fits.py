"""Fits of many systems to one set of samples, here or by workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from hypo.clock import Deadline
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.fit_system import fit_from
from hypo.dynamics.calibration.segments import AtRows, guess_at_rows
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.failures import Failure, Failures
from hypo.parallel.executor import Executor

# What numbers of a hopeless system may raise.
FAILURES = (np.linalg.LinAlgError, ArithmeticError, ValueError)

Fit = Callable[[System, float], Calibrated | None]


@dataclass(frozen=True)
class Fitter:
    """Fits of systems to the samples of ``data``.

    Attributes:
        data: runs.
        rows: their smoothed paths.
        late: after which no step of a fit begins.
        effort: "quick" to compare candidates, "full" for what is reported.
    """

    data: Trajectories
    rows: AtRows
    late: Deadline
    effort: str = "quick"

    def __call__(self, system: System, beat: float = math.inf) -> Calibrated | None:
        """The fitted system; None where it cannot be followed, or cannot come near the misfit ``beat``."""
        guess = guess_at_rows(system, self.rows)
        return fit_from(system, self.data, guess, deadline=self.late, effort=self.effort, beat=beat)

    def fully(self) -> Fitter:
        """The same with full effort."""
        return replace(self, effort="full")


def fit_each(
    executor: Executor, fit: Fit, items: Sequence[tuple[System, float]]
) -> Iterator[Calibrated | Failure | None]:
    """Fits of systems, each with the misfit that it must come near, in their order; None where one fails, a failure where that
    was unexpected."""
    # A single one is fitted before a worker would have it.
    return executor.map(_fit, items, fit) if len(items) > 1 else (_fit(item, fit) for item in items)


def _fit(item: tuple[System, float], fit: Fit) -> Calibrated | Failure | None:
    failures = Failures()
    with suppress(*FAILURES), failures.guarded("the fit of a system", *FAILURES):
        return fit(*item)
    return failures.found[0] if failures.found else None
