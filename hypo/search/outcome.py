"""The reports of a search while it runs and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from hypo.errors import HypoError
from hypo.expression.expr import Expression
from hypo.failures import Failure, Failures, find_users_line, is_from_signal
from hypo.fitting.rule_checks import RuleReport
from hypo.posterior.posterior import ExploredSpace
from hypo.scoring.score import Hypothesis


class StopReason(StrEnum):
    """Why a search ended; the texts are those of ``status.code`` in ``result.json``."""

    EXACT = "exact"
    COMPLETE = "complete"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"
    NOTHING_FOUND = "nothing_found"


@dataclass(frozen=True)
class Ending:
    """Why a search ended, and the sentence that says so."""

    reason: StopReason
    message: str


@dataclass(frozen=True)
class Progress:
    """The news for a user while the search runs; times in seconds, ``rate`` in hypotheses per second. ``compiling`` says
    how far the kernels are, as long as not all are compiled: the time does not pass while the search waits for one."""

    elapsed: float
    time_left: float
    best: Hypothesis | None
    scored: int
    rate: float
    complete_to: int
    stage: str
    compiling: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a search.

    ``complete_to``: all ``distinct`` formulas without fitted constants of up to that many nodes were scored. ``scored`` counts
    every hypothesis scored, pairs included. ``outcome_share`` is the share of that work done when the best formula first
    appeared, ``diversity`` the share of enumerated formulas that were distinct. ``archive`` is all that was kept, best first;
    ``explored`` says what of the hypothesis space is among it. ``guessed`` are the first of the settings' guesses, as many as
    there was time for, fitted and scored, None where one has no value or breaks the knowledge; ``fitted`` are their formulas.
    All formulas without fitted constants of up to ``covered_to`` nodes were looked at, by themselves or as pairs of smaller
    ones. ``failures`` are the unexpected errors of parts that were left out; ``deadline`` (:func:`hypo.clock.now`) is when the
    result is to be made.
    """

    front: tuple[Hypothesis, ...]
    best: Hypothesis | None
    complete_to: int
    scored: int
    distinct: int
    outcome_share: float
    diversity: float
    status: StopReason
    message: str
    timing: dict[str, float] = field(default_factory=dict)
    rules: tuple[RuleReport, ...] = ()
    archive: tuple[Hypothesis, ...] = ()
    explored: ExploredSpace = field(default_factory=ExploredSpace)
    guessed: tuple[Hypothesis | None, ...] = ()
    fitted: tuple[Expression, ...] = ()
    covered_to: int = 0
    failures: tuple[Failure, ...] = ()
    deadline: float = math.inf


class Teller:
    """Passes reports on to who wants them, until that fails."""

    def __init__(self, progress: Callable[[Progress], None] | None, failures: Failures) -> None:
        self._progress, self._failures = progress, failures

    @property
    def is_wanted(self) -> bool:
        """True if anybody still listens."""
        return self._progress is not None

    def __call__(self, report: Progress) -> None:
        if self._progress is None:
            return
        with self._failures.guarded("the display of progress") as guard:
            try:
                self._progress(report)
            except HypoError:
                raise
            except Exception as error:
                # A terminal that is gone is no failure: nobody looks any more.
                place = find_users_line(error, __package__)
                if is_from_signal(error) or not (place or isinstance(error, OSError)):
                    raise
                if place:
                    self._failures.add("the display of progress", error, place)
                self._progress = None
        if guard.failed:
            self._progress = None
