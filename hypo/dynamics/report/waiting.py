"""A line on standard error that says how long a search has been at work."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

from hypo.checks import read_seconds

# Seconds between two lines of a log, and between two states of the line on a terminal.
OF_A_LOG = 10.0
ON_A_TERMINAL = 0.5
# Seconds without a time limit, as fit_dynamics has it.
USUAL = 60.0


class Waiting:
    """Within, a line tells the seconds gone and those left: in place on a terminal, now and then elsewhere."""

    def __init__(self, stream: IO[str], limit: Any = None) -> None:
        self._stream = stream
        self._limit = USUAL if limit is None else read_seconds("time_limit", limit)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _tell(self) -> None:
        is_terminal = self._stream.isatty()
        with suppress(OSError, ValueError):
            while not self._done.wait(ON_A_TERMINAL if is_terminal else OF_A_LOG):
                gone = time.monotonic() - self._began
                line = f"searching for laws of motion: {gone:.0f} s of {self._limit:.0f} s"
                print(
                    f"\r{line}" if is_terminal else line, end="" if is_terminal else "\n", file=self._stream, flush=True
                )
            if is_terminal:
                print("\r\x1b[K", end="", file=self._stream, flush=True)
