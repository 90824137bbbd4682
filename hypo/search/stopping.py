"""When a search ends: its answer is exact, time is up, or many times what the answer cost brought nothing better."""

from __future__ import annotations

import math

import numpy as np

from hypo.clock import Clock
from hypo.fitting.archive import Archive
from hypo.problem.exact import is_exact
from hypo.problem.problem import PYSR, Problem, Settings
from hypo.problem.residual_structure import EXPLAINED, LEAST_ROWS, SIGHT, nearest, neighbour_correlation, noise_level
from hypo.scoring.score import Hypothesis
from hypo.search.outcome import Ending, StopReason
from hypo.search.proposers.base import BETTER, Schedule
from hypo.search.proposers.library_scan import Scanner
from hypo.search.proposers.screened import MANY_COLUMNS
from hypo.search.pysr.proposer import PySR
from hypo.search.reductions.screening import screen

# The search stops when it went on for this many times the cost at which the best formula came, if the residuals look
# like noise.
PATIENCE = 10.0
# The same where neighbours are too far apart to tell: many variables, few rows.
PATIENCE_BLIND = 60.0
# The least cost that patience is counted from, about that of the first turn: what comes before it is no measure.
LEAST = 0.4
# What residuals are: they follow the columns,
STRUCTURE = "structure"
# look like noise,
NOISE = "noise"
# may be anything, as nobody would see it,
UNSEEN = "unseen"
# or are too few to look.
FEW = "few"
# Nats between the misfits of two spellings of one formula, fitted apart.
REFITTED = 0.05


class Stopping:
    """The rules by which a search ends, asked after each turn; ``scanner`` and ``pysr`` are None where they take no part."""

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        archive: Archive,
        clock: Clock,
        schedule: Schedule,
        scanner: Scanner | None,
        pysr: PySR | None,
    ) -> None:
        self._problem, self._settings = problem, settings
        self._archive, self._clock, self._schedule = archive, clock, schedule
        self._scanner, self._pysr = scanner, pysr
        # What the best formula cost, and the first of its spellings.
        self._bought = LEAST
        self._answer: Hypothesis | None = None

    def after_turn(self, gain: float) -> Ending | None:
        """The ending where the search ends with this turn, which lowered the best score by ``gain`` nats."""
        best, problem, settings, spent = self._archive.best, self._problem, self._settings, self._schedule.spent
        if is_exact(best, problem) and (self._scanner is None or self._scanner.complete_to):
            message = "the formula meets every row to rounding"
            if best is not None and len(problem.y) <= len(best.expression):
                message += f", but with {len(problem.y)} rows so may others of its size"
            return Ending(StopReason.EXACT, message)
        if self._clock.expired:
            return Ending(StopReason.TIME_LIMIT, "the time limit was reached")
        if settings.turns is not None and self._schedule.turns >= settings.turns:
            return Ending(StopReason.COMPLETE, "the search took all the turns it was given")
        if settings.work is not None and spent >= settings.work:
            return Ending(StopReason.COMPLETE, "the search did all the work it was given")
        if gain > BETTER and not _is_respelled(best, self._answer):
            self._bought, self._answer = max(spent, LEAST), best
            return None
        if self._is_waiting and not self._is_covered(best):
            # Somebody has not had a turn yet, and might know better.
            return None
        if spent > self._bought * PATIENCE and spent > self._bought * patience(best, problem, settings):
            message = "further search brought nothing better"
            if looks_like_noise(best, problem, settings):
                message += ", and the residuals look like noise"
            return Ending(StopReason.COMPLETE, message)
        return None

    def exhausted(self) -> Ending:
        """The ending where nobody has anything left to propose."""
        if self._pysr is not None and self._pysr.cut:
            return Ending(StopReason.TIME_LIMIT, "the time limit was reached")
        if self._settings.backend == PYSR:
            return Ending(StopReason.COMPLETE, "PySR ended its search")
        if self._schedule.has_failed:
            return Ending(StopReason.COMPLETE, "what was left of the search came to its end")
        return Ending(StopReason.COMPLETE, "the search went through all that it had planned")

    @property
    def _is_waiting(self) -> bool:
        return self._schedule.is_waiting or (self._pysr is not None and not self._pysr.answered)

    def _is_covered(self, h: Hypothesis | None) -> bool:
        """True if everything smaller was looked at: all pairs of members of up to ``paired_to`` nodes were scanned."""
        return h is not None and self._scanner is not None and len(h.expression) <= 2 * self._scanner.paired_to + 1


def _is_respelled(h: Hypothesis | None, of: Hypothesis | None) -> bool:
    """True if ``h`` is as far from the data as ``of``, and breaks the knowledge as much: a shorter way to say the same."""
    return h is not None and of is not None and abs(h.misfit - of.misfit) < REFITTED and h.violation == of.violation


def residuals_say(h: Hypothesis, problem: Problem, settings: Settings) -> str:
    """The kind of the residuals of ``h``, as far as anyone can see: ``STRUCTURE``, ``NOISE``, ``UNSEEN`` where nobody would
    see it, or ``FEW`` with too few rows to look."""
    X, y = np.ascontiguousarray(problem.X[:, : settings.n_race]), problem.y[: settings.n_race]
    likelihood = problem.likelihood
    residuals = likelihood.standardised(likelihood.predicted(h.expression, problem.X, problem.columns))
    few = residuals[: settings.n_race]
    if len(X) > MANY_COLUMNS:
        # Nobody has near neighbours in so many columns.
        return STRUCTURE if screen(X, few).taken else NOISE if screen(X, y).taken else UNSEEN
    neighbours = nearest(X)
    if neighbours is None:
        return FEW
    if neighbour_correlation(few, neighbours) > noise_level(len(y)):
        return STRUCTURE
    test = problem.structure_test
    if test.structured(residuals):
        return STRUCTURE
    seen = neighbour_correlation(y, neighbours) > SIGHT or test.explained(problem.y) > EXPLAINED
    return NOISE if seen else UNSEEN


def patience(h: Hypothesis | None, problem: Problem, settings: Settings) -> float:
    """How many times the cost of the best hypothesis to search on for a better one, given its residuals."""
    if h is None:
        return math.inf
    say = residuals_say(h, problem, settings)
    return math.inf if say == STRUCTURE else PATIENCE_BLIND if say == UNSEEN else PATIENCE


def looks_like_noise(h: Hypothesis | None, problem: Problem, settings: Settings) -> bool:
    """True if there are rows enough to say that the residuals look like noise, and they do."""
    enough = len(problem.y) >= LEAST_ROWS and len(np.unique(problem.y)) > 2
    return enough and h is not None and patience(h, problem, settings) < math.inf
