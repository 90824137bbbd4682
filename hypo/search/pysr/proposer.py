"""PySR as a proposer: it searches in a process of its own, and what its hall of fame holds is proposed here.

Its formulas are read by our parser, fitted, scored and archived like any other. The hall of fame is a file that PySR
writes anew as it goes, so whatever ends the search, what was found so far can still be read.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType

import numpy as np

from hypo.errors import HypoError
from hypo.expression.expr import Expression
from hypo.fitting.constants.fit import fit
from hypo.problem.problem import PYSR, Problem, Settings
from hypo.search.proposers.base import Turn
from hypo.search.proposers.guesses import STARTS, read_guesses
from hypo.search.pysr.process import PAUSE, PySRProcess
from hypo.search.pysr.translate import Task, translate

# Seconds that a turn costs, and lasts when nobody else has anything to do.
WAIT = 0.5
# PySR has had its say so many seconds after its first hall of fame; no patience ends the search before.
SAY = 10.0
# The share of the time limit that is kept for fitting what PySR found last.
RESERVE = 0.1
# Seconds of it that are kept for that, at most.
LONGEST_RESERVE = 3.0
# A form is proposed again when PySR found constants for it that divide the loss by this.
BETTER_LOSS = 1.1


class PySR:
    """PySR's search in another process, from ``with`` to the end of its block; ``threads`` are those of Julia. ``report`` hears
    what it does before the search."""

    name = origin = PYSR

    def __init__(self, problem: Problem, settings: Settings, report: Callable[[str], None] | None = None) -> None:
        self.problem, self.settings = problem, settings
        self.threads = settings.workers if settings.backend == PYSR else max(1, settings.workers // 2)
        # Whether the time limit ended PySR, and when it first showed a hall of fame.
        self.cut = False
        self._first_heard = math.inf
        self._report = report or (lambda stage: None)
        self._task: Task | None = None
        self._child: PySRProcess | None = None
        self._stop_at = math.inf
        self._read_out = False
        self._losses: dict[str, float] = {}
        # Modification time and size of the hall of fame last read, and what of it was not proposed yet.
        self._known = (0, 0)
        self._waiting: list[Expression] = []

    # --- the process -----------------------------------------------------------------------------------------

    def __enter__(self) -> PySR:
        """Start Julia and wait until it has compiled the search.

        Raises MissingExtraError, saying how to get what is missing, and HypoError where PySR alone searches and crashed.
        """
        # A hint to Julia's collector, all that it takes of a memory limit. Two backends share that.
        most = self.settings.max_memory
        shared = most if most is None or self.settings.backend == PYSR else most / 2
        self._child = PySRProcess(self.threads, shared)
        try:
            guesses = read_guesses(self.problem, self.settings)
            self._child.start(translate(self.problem, self.settings, self.threads, guesses), self._report)
            if not self._child.is_running and self.settings.backend == PYSR:
                raise HypoError(f"PySR ended while it compiled its search ({self._child.reason()})")
        except BaseException:
            self._child.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()

    def begin(self, seconds: float) -> None:
        """Let PySR search, for ``seconds`` at most."""
        p, s = self.problem, self.settings
        rng = np.random.default_rng(s.seed)
        guesses = []
        for e in read_guesses(p, s):
            if e.free:
                with np.errstate(all="ignore"):
                    e = fit(e, p.X, p.columns, p.likelihood, starts=STARTS, rng=rng)
            guesses.append(e)
        self._task = translate(p, s, self.threads, guesses)
        self._process.begin(self._task, seconds)
        self._stop_at = time.monotonic() + seconds - min(RESERVE * seconds, LONGEST_RESERVE)

    @property
    def _process(self) -> PySRProcess:
        assert self._child is not None
        return self._child

    # --- the proposer ----------------------------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """Seconds of a turn; ``inf`` once PySR has ended and everything was read."""
        return math.inf if self._read_out else WAIT

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """New formulas of the hall of fame, the simplest first.

        Alone it takes its time, before the first hall of fame as much as that needs; beside others it looks and goes. Raises
        HypoError when PySR is the only backend and failed before there was anything.
        """
        late = time.monotonic() + WAIT
        while True:
            ended = not self._process.is_running
            if not ended and time.monotonic() > self._stop_at:
                self.cut = ended = True
                self._process.stop()
            self._look()
            if ended or not turn.alone or (self.has_answered and time.monotonic() > late):
                break
            time.sleep(PAUSE)
        self._read_out = ended
        if ended and self.failure and self.settings.backend == PYSR:
            raise HypoError(self.failure)
        for e in self.rest():
            turn.clock.scored += 1
            yield e

    def rest(self) -> Iterator[Expression]:
        """Formulas of the hall of fame that were not proposed yet, however PySR ended."""
        self._look()
        while self._waiting:
            yield self._waiting.pop(0)

    @property
    def has_answered(self) -> bool:
        """True if there was a hall of fame with formulas."""
        return self._first_heard < math.inf

    @property
    def answered(self) -> bool:
        """True if PySR has had its say: it had ``SAY`` seconds since its first hall of fame, or has ended."""
        return self._read_out or time.monotonic() > self._first_heard + SAY

    @property
    def failure(self) -> str:
        """Why there is nothing of PySR, when it ended by itself before it had found anything; else empty."""
        failed = not (self._process.is_running or self.has_answered or self.cut)
        return f"PySR ended before it found anything ({self._process.reason()})" if failed else ""

    @property
    def remark(self) -> str:
        """The remark on PySR where it brought nothing, or less than it might have; else empty."""
        if not self.has_answered:
            return self.failure or f"PySR found nothing {'within it' if self.cut else 'until then'}"
        crashed = self._process.has_failed and not self.cut
        return (
            f"PySR ended early ({self._process.reason()}), and what it had found until then counts" if crashed else ""
        )

    def _look(self) -> None:
        """Read the hall of fame if it was written since the last look. Half a file, met while it is written, does no harm."""
        path = self._process.hall_of_fame
        with suppress(OSError):
            state = path.stat()
            if (state.st_mtime_ns, state.st_size) != self._known:
                self._known = (state.st_mtime_ns, state.st_size)
                self._read(path.read_text(encoding="utf-8", errors="replace"))

    def _read(self, text: str) -> None:
        """Queue the formulas that are new, or whose constants have become better."""
        assert self._task is not None
        for row in csv.DictReader(text.splitlines()):
            e = self._task.read(row.get("Equation") or "")
            if e is None:
                continue
            shape = e.masked()
            loss = _number(row.get("Loss"))
            if loss * BETTER_LOSS < self._losses.get(shape, math.inf) or shape not in self._losses:
                self._losses[shape] = loss
                self._waiting.append(e)
                self._first_heard = min(self._first_heard, time.monotonic())


def _number(text: str | None) -> float:
    with suppress(TypeError, ValueError):
        return float(text or "")
    return math.inf
