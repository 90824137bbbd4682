"""Interrupts that do not lose what was found: the first ends the search, a second one cuts finishing short, a third one kills.

An interrupt is an exception between two instructions, which loses whatever it ends. So it comes up only where somebody awaits
it, and waits everywhere else: :func:`release` lets it come up, :func:`hold` keeps it back, and both stand within the ``try``
whose ``except KeyboardInterrupt`` is to meet it.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

# So many signals end the work whatever is lost.
KILLS = 3

_current: Interrupts | None = None


class Interrupts:
    """Within, the signals ``numbers`` raise KeyboardInterrupt, though not where they are held back. Outside the main thread,
    where no handler can be set, they are handled as before."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.count = 0
        self.held = self.waiting = False
        self._numbers = numbers
        self._before: list[tuple[signal.Signals, Any]] = []
        self._outer: Interrupts | None = None

    def __enter__(self) -> Self:
        global _current
        if threading.current_thread() is threading.main_thread():
            self._outer, _current = _current, self
            for number in self._numbers:
                self._before.append((number, signal.signal(number, self._come)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _current
        if threading.current_thread() is threading.main_thread():
            for number, old in self._before:
                signal.signal(number, old)
            _current = self._outer

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.held and self.count < KILLS:
            self.waiting = True
            return
        # The next one must not lose what this one ends.
        self.held = True
        raise KeyboardInterrupt


def _here() -> Interrupts | None:
    return _current if threading.current_thread() is threading.main_thread() else None


def during_a_fit() -> Interrupts:
    """The context around a fit: that of Ctrl-C where nobody else handles it, or within what the command line has set."""
    if _here() is not None:
        return Interrupts()
    free = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return Interrupts(*([signal.SIGINT] if free else ()))


def has_come() -> bool:
    """True where there was a signal."""
    here = _current
    while here is not None:
        if here.count:
            return True
        here = here._outer
    return False


def release() -> None:
    """From here on an interrupt comes up; raises KeyboardInterrupt where one waits."""
    here = _responsible()
    if here is None:
        return
    here.held = False
    if here.waiting:
        here.waiting, here.held = False, True
        raise KeyboardInterrupt


def hold() -> None:
    """From here on an interrupt waits."""
    here = _responsible()
    if here is not None:
        here.held = True


def expect_again() -> None:
    """The interrupt that came up was dropped, by a callback for one: it will come again."""
    here = _responsible()
    if here is not None and here.count:
        here.held = False
        here.count -= 1


def _responsible() -> Interrupts | None:
    """Whose handlers are set now."""
    here = _here()
    while here is not None and not here._before:
        here = here._outer
    return here
