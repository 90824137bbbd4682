"""Interrupts before the command line is there, and after it is through: they end the process, without a traceback."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_before: dict[signal.Signals, object] = {}


def begin() -> None:
    """Where this process runs the command line and nothing else, an interrupt ends it until :func:`hand_over`."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    module = name == "-m" and "hypo" in sys.orig_argv
    if name in ("hypo", "hypo.exe") or module:
        # The last of all: then Python takes handlers away.
        atexit.register(_ignore)
        _set("error: interrupted before there was a result\n")


def hand_over() -> None:
    """The command handles interrupts itself."""
    for number, handler in _before.items():
        signal.signal(number, handler)  # type: ignore[arg-type]


def end() -> None:
    """All was said: what comes now ends what is left of the process."""
    if _before:
        _set("")


def _ignore() -> None:
    for number in _before:
        signal.signal(number, signal.SIG_IGN)


def _set(said: str) -> None:
    def leave(number: int, frame: FrameType | None) -> NoReturn:
        os.write(2, said.encode())
        os._exit(130)

    for number in _NUMBERS:
        old = signal.getsignal(number)
        if old != signal.SIG_IGN:
            signal.signal(number, leave)
            _before.setdefault(number, old)
