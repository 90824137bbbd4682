"""PySR's process as ours sees it: started, waited for, told to begin, ended; and what is said where it fails."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hypo.errors import MissingExtraError
from hypo.search.pysr.child import BEGIN, ERROR, LOG, READY, ROWS, RUN, STARTED, TASK
from hypo.search.pysr.translate import Task

# Seconds between two looks at the child.
PAUSE = 0.05
# Seconds until Julia must run: its first start after an installation compiles for minutes.
LONGEST_START = 900.0
# Lines that are shown of what Julia printed.
SHOWN_LINES = 3
# Characters to which each of them is cut.
SHOWN_WIDTH = 160
# Bytes of it that are read, from the end.
TAIL_BYTES = 8192
# Variables of the environment that name a Julia of the user's own, by what reads them.
JULIA_VARIABLES = ("PYTHON_JULIAPKG_EXE", "PYTHON_JULIACALL_EXE")
# The variable of the environment that names its project.
PROJECT_VARIABLE = "PYTHON_JULIAPKG_PROJECT"

IMPORT = "python -c 'import pysr'"
GET_JULIA = (
    f"run `{IMPORT}` once with a network connection, which fetches Julia and PySR's packages, "
    "or name an installed Julia in PYTHON_JULIAPKG_EXE"
)


class PySRProcess:
    """PySR in another process, and the folder that both know; ``heap`` is the memory that Julia is told of, in bytes."""

    def __init__(self, threads: int, heap: float | None) -> None:
        _require()
        self._threads, self._heap = threads, heap
        self._folder = TemporaryDirectory(prefix="hypo-pysr-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> Path:
        """The folder."""
        return Path(self._folder.name)

    @property
    def hall_of_fame(self) -> Path:
        """The file in which PySR keeps what it has found."""
        return self.place / RUN / "hall_of_fame.csv"

    def start(self, task: Task, report: Callable[[str], None]) -> None:
        """Start Julia and wait until it has compiled what a search such as ``task`` calls; ``report`` hears of the stages.

        Returns also when PySR ended while it compiled. Raises MissingExtraError where Julia does not start.
        """
        self._write(task)
        self._process = self._start()
        report("starting Julia")
        late = time.monotonic() + LONGEST_START
        compiling = False
        while not self._is(READY):
            running = self.is_running
            if self._is(STARTED):
                if not running:
                    return
                if not compiling:
                    report("compiling PySR's search")
                compiling = True
            if not running or time.monotonic() > late:
                raise MissingExtraError(
                    f"the backend pysr needs Julia, which did not start ({self.reason()}): {_advice()}"
                )
            time.sleep(PAUSE)

    def begin(self, task: Task, seconds: float) -> None:
        """Let PySR search for ``seconds`` at most."""
        self._write(task)
        word = self.place / f"{BEGIN}.new"
        word.write_text(repr(seconds), encoding="utf-8")
        word.replace(self.place / BEGIN)  # there at once, and whole

    @property
    def is_running(self) -> bool:
        """True if the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def has_failed(self) -> bool:
        """True if the process ended by itself, and not well."""
        code = None if self._process is None else self._process.poll()
        return code is not None and code != 0

    def stop(self) -> None:
        """End the process, and those that it started; what it wrote stays readable."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()

    def close(self) -> None:
        """End the process and remove the folder."""
        self.stop()
        self._folder.cleanup()

    def reason(self) -> str:
        """Why the process ended, as far as it is known, and the last lines that it printed."""
        words = self._last_words()
        return self._cause() + (f"; its last words: {words}" if words else "")

    def _is(self, name: str) -> bool:
        return (self.place / name).exists()

    def _write(self, task: Task) -> None:
        weights = np.ones(len(task.y)) if task.weights is None else task.weights
        np.save(self.place / ROWS, np.column_stack([task.X, task.y, weights]))
        template = None if task.form is None else task.form.spec
        whole = {"model": task.model, "fit": task.fit, "weighted": task.weights is not None, "template": template}
        (self.place / TASK).write_text(json.dumps(whole), encoding="utf-8")

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            # Nothing is fetched in the middle of a fit.
            "PYTHON_JULIAPKG_OFFLINE": "yes",
            "PYTHON_JULIACALL_THREADS": str(self._threads),
            "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes",
            **({} if self._heap is None else {"PYTHON_JULIACALL_HEAP_SIZE_HINT": f"{int(self._heap // 1e6)}M"}),
            # The same packages as here, wherever these were found.
            "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
        }
        code = f"from hypo.search.pysr.child import main; main({str(self.place)!r}, {os.getpid()})"
        with (self.place / LOG).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is ours to answer: it must not tear the file that we are about to read.
                start_new_session=True,
            )

    def _cause(self) -> str:
        with suppress(OSError):
            return (self.place / ERROR).read_text(encoding="utf-8").rstrip(". ")
        code = None if self._process is None else self._process.poll()
        if code is None:
            return f"no sign of it in {LONGEST_START:g} s"
        if code < 0:
            with suppress(ValueError):
                return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with code {code}"

    def _last_words(self) -> str:
        """The last lines of what the process printed, on one line."""
        with suppress(OSError), (self.place / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
            lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
            return " / ".join(
                line if len(line) <= SHOWN_WIDTH else line[: SHOWN_WIDTH - 1] + "…" for line in lines[-SHOWN_LINES:]
            )
        return ""


def _named() -> tuple[str, str] | None:
    """The variable that names a Julia of the user's own, and what it names."""
    return next(((name, os.environ[name]) for name in JULIA_VARIABLES if os.environ.get(name)), None)


def _require() -> None:
    """Raises MissingExtraError where PySR, or the Julia that is named, is not there."""
    if find_spec("pysr") is None:
        raise MissingExtraError("the backend pysr needs PySR, which is not installed: pip install 'hypo[pysr]'")
    named = _named()
    if named is not None and shutil.which(named[1]) is None:
        raise MissingExtraError(
            f"the backend pysr needs Julia, but {named[0]} names {named[1]}, which is no program: give the path of an "
            f"installed Julia, or leave {named[0]} out and run `{IMPORT}` once with a network connection"
        )


def _advice() -> str:
    """How to get Julia, or how to prepare the one that is named."""
    named = _named()
    if named is None:
        return GET_JULIA
    variable, path = named
    project = os.environ.get(PROJECT_VARIABLE)
    folder = shlex.quote(project) if project else '"$HOME/julia-pysr"'
    without = "" if variable == JULIA_VARIABLES[0] else f" and {variable} not"
    return (
        f"{variable} names {path}, whose project must hold PySR's packages; prepare it once with a network connection by "
        f"`export {JULIA_VARIABLES[0]}={shlex.quote(path)} {PROJECT_VARIABLE}={folder}` and `{IMPORT}`, "
        f"and fit with the same variables set{without} (JULIA_DEPOT_PATH too, if it is)"
    )
