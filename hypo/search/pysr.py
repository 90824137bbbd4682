"""PySR as a proposer: it searches in a process of its own, and what its hall of fame holds is proposed here.

Its formulas are read by our parser, fitted, scored and archived like any other. The hall of fame is a file that PySR
writes anew as it goes, so whatever ends the search, what was found so far can still be read.
"""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np

from hypo.errors import HypoError, MissingExtraError
from hypo.expression.expr import Expression
from hypo.search.constants import fit
from hypo.search.guesses import STARTS, read_guesses
from hypo.search.problem import PYSR, Problem, Settings
from hypo.search.proposer import Turn
from hypo.search.pysr_child import ERROR, READY, ROWS, RUN, TASK
from hypo.search.pysr_terms import Task, translate

HALL_OF_FAME = f"{RUN}/hall_of_fame.csv"
# Seconds that a turn costs, and lasts when nobody else has anything to do; and between two looks. Julia's first start after an
# installation compiles for minutes.
WAIT, PAUSE, LONGEST_START = 0.5, 0.05, 900.0
# PySR has had its say so many seconds after its first hall of fame; no patience ends the search before.
SAY = 10.0
# The share of the time limit, and at most how many seconds of it, that are kept for fitting what PySR found last.
RESERVE, LONGEST_RESERVE = 0.1, 3.0
# A form is proposed again when PySR found constants for it that divide the loss by this.
BETTER_LOSS = 1.1

GET_JULIA = (
    "run `python -c 'import pysr'` once with a network connection, which fetches Julia and PySR's packages, "
    "or name an installed Julia in PYTHON_JULIAPKG_EXE"
)


class PySR:
    """PySR's search in another process, from ``with`` to the end of its block; ``threads`` are those of Julia."""

    name = origin = PYSR

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        self.threads = settings.workers if settings.backend == PYSR else max(1, settings.workers // 2)
        # Whether the time limit ended PySR, and when it first showed a hall of fame.
        self.cut = False
        self._first_heard = math.inf
        self._task: Task | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._stop_at = math.inf
        self._read_out = False
        self._losses: dict[str, float] = {}
        # Modification time and size of the hall of fame last read, and what of it was not proposed yet.
        self._known = (0, 0)
        self._waiting: list[Expression] = []

    # --- the process -----------------------------------------------------------------------------------------

    def __enter__(self) -> PySR:
        """Start Julia and wait until it runs. Raises MissingExtraError, saying how to get what is missing."""
        if find_spec("pysr") is None:
            raise MissingExtraError("the backend pysr needs PySR, which is not installed: pip install 'hypo[pysr]'")
        self._folder = TemporaryDirectory(prefix="hypo-pysr-", ignore_cleanup_errors=True)
        try:
            self._process = self._started(Path(self._folder.name))
            self._await_start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

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
        task = self._task = translate(p, s, self.threads, guesses)
        place = self._place
        weights = np.ones(len(task.y)) if task.weights is None else task.weights
        np.save(place / ROWS, np.column_stack([task.X, task.y, weights]))
        template = None if task.form is None else task.form.spec
        whole = {"model": task.model, "fit": task.fit, "weighted": task.weights is not None, "template": template}
        (place / TASK).write_text(json.dumps(whole), encoding="utf-8")
        self._stop_at = time.monotonic() + seconds - min(RESERVE * seconds, LONGEST_RESERVE)
        process = self._process
        assert process is not None and process.stdin is not None
        with suppress(BrokenPipeError):  # a process that died is noticed where its news are read
            process.stdin.write(f"{seconds!r}\n")
            process.stdin.close()

    def stop(self) -> None:
        """End PySR's search; what it wrote stays readable."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End PySR's search and remove its folder."""
        self.stop()
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def _place(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name)

    @property
    def _running(self) -> subprocess.Popen[str] | None:
        """The process while it lives."""
        return self._process if self._process is not None and self._process.poll() is None else None

    def _started(self, place: Path) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            # Nothing is fetched in the middle of a fit.
            "PYTHON_JULIAPKG_OFFLINE": "yes",
            "PYTHON_JULIACALL_THREADS": str(self.threads),
            "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes",
            **self._heap(),
            # The same packages as here, wherever these were found.
            "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
        }
        code = f"from hypo.search.pysr_child import main; main({str(place)!r})"
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C is ours to answer: it must not tear the file that we are about to read.
            start_new_session=True,
        )

    def _heap(self) -> dict[str, str]:
        """What Julia is told of the memory limit; a hint to its collector, all that Julia takes. Two backends share it."""
        most = self.settings.max_memory
        if most is None:
            return {}
        return {"PYTHON_JULIACALL_HEAP_SIZE_HINT": f"{int(most / (1 if self.settings.backend == PYSR else 2) // 1e6)}M"}

    def _await_start(self) -> None:
        late = time.monotonic() + LONGEST_START
        while not (self._place / READY).exists():
            if self._running is None or time.monotonic() > late:
                raise MissingExtraError(f"the backend pysr needs Julia, which did not start ({self._reason()}): {GET_JULIA}")
            time.sleep(PAUSE)

    def _reason(self) -> str:
        """Why the process ended, as far as it is known."""
        with suppress(OSError):
            return (self._place / ERROR).read_text(encoding="utf-8").rstrip(". ")
        code = None if self._process is None else self._process.poll()
        return f"no sign of it in {LONGEST_START:g} s" if code is None else f"its process ended with code {code}"

    # --- the proposer ----------------------------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """Seconds of a turn; ``inf`` once PySR has ended and everything was read."""
        return math.inf if self._read_out else WAIT

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """What is new in the hall of fame, the simplest first.

        Alone it takes its time, before the first hall of fame as much as that needs; beside others it looks and goes. Raises
        HypoError when PySR is the only backend and failed before there was anything.
        """
        late = time.monotonic() + WAIT
        while True:
            ended = self._running is None
            if not ended and time.monotonic() > self._stop_at:
                self.cut = ended = True
                self.stop()
            self._look()
            if ended or not turn.alone or (self.heard and time.monotonic() > late):
                break
            time.sleep(PAUSE)
        self._read_out = ended
        if self.failure and self.settings.backend == PYSR:
            raise HypoError(self.failure)
        for e in self.rest():
            turn.clock.scored += 1
            yield e

    def rest(self) -> Iterator[Expression]:
        """What is in the hall of fame and was not proposed yet, however PySR ended."""
        self._look()
        while self._waiting:
            yield self._waiting.pop(0)

    @property
    def heard(self) -> bool:
        """Whether there was a hall of fame with formulas."""
        return self._first_heard < math.inf

    @property
    def answered(self) -> bool:
        """Whether PySR has had its say: it had ``SAY`` seconds since its first hall of fame, or has ended."""
        return self._read_out or time.monotonic() > self._first_heard + SAY

    @property
    def failure(self) -> str:
        """Why there is nothing of PySR, when it ended by itself before it had found anything; else empty."""
        failed = self._read_out and not self.heard and not self.cut
        return f"PySR ended before it found anything ({self._reason()})" if failed else ""

    def _look(self) -> None:
        """Read the hall of fame if it was written since the last look. Half a file, met while it is written, does no harm."""
        path = self._place / HALL_OF_FAME
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
