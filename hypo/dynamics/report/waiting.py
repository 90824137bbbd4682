"""A line on standard error that says how long a search has been at work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from hypo.checks import read_seconds
from hypo.dynamics.options import Options
from hypo.report.display.progress import PlainProgress

# Seconds between two states of the line on a terminal.
ON_A_TERMINAL = 0.5


@contextmanager
def tell_time(stream: IO[str], limit: Any = None) -> Iterator[None]:
    """Within, a line tells the seconds gone and those that there are: in place on a terminal, now and then elsewhere.

    Raises:
        InputError: the limit is no time.
    """
    seconds = Options.time_limit if limit is None else read_seconds("time_limit", limit)
    done = threading.Event()
    thread = threading.Thread(target=_tell, args=(stream, seconds, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _compiling() -> float:
    """Seconds for which kernels have been compiled or waited for; what would load them is left to the search."""
    turns: Any = sys.modules.get("hypo.kernels.turns")
    return 0.0 if turns is None else float(getattr(turns, "waited", float)())


def _tell(stream: IO[str], limit: float, done: threading.Event) -> None:
    began, compiled = time.monotonic(), _compiling()
    last = compiled
    # A terminal that was closed, or a full disk, ends the line and nothing else.
    with suppress(OSError, ValueError):
        while not done.wait(ON_A_TERMINAL if stream.isatty() else PlainProgress.every):
            # The search's clock stands still while kernels are compiled.
            waited = _compiling()
            if waited > last:
                line = f"compiling for this machine, once per installation: {waited - compiled:.0f} s"
            else:
                gone = max(time.monotonic() - began - (waited - compiled), 0.0)
                line = f"searching for laws of motion: {gone:.0f} s of {limit:.0f} s"
            last = waited
            begin, clear, end = ("\r", "\x1b[K", "") if stream.isatty() else ("", "", "\n")
            print(f"{begin}{line}{clear}", end=end, file=stream, flush=True)
        if stream.isatty():
            print("\r\x1b[K", end="", file=stream, flush=True)
