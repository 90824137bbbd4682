"""An alarm that ends a stage at a moment of the clock, also where nobody looks at it.

Search and finishing look at their clock between small steps; this is for what has no steps (sympy, a proof, one long formula)
and for machines so busy that a small step takes seconds. It works as an interrupt from the keyboard does: an exception comes
up between two instructions of the thread, here one that only its own ``with`` statement catches. Compiled code ends first.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from hypo.clock import now

# Seconds between two rings, for an exception that comes up in a destructor is lost.
AGAIN = 0.2
# Seconds between two looks at a thread that must not be disturbed.
SOON = 0.002
# Files that must not be disturbed wherever they stand on the stack: an import that was cut short may not be possible
# again.
_UNTOUCHED_FILES = (__file__, "<frozen importlib._bootstrap>")
# And the function of a file: while a thread is started CPython takes the new one for the one that starts it.
_STARTING = (threading.__file__, "start")
# Files that must not be disturbed on top of the stack: exceptions are lost in what a weak reference calls; a lock
# that was just taken would stay so.
_BRIEF_FILES = (contextlib.__file__, weakref.__file__)
# Functions that must not be disturbed there: exceptions are lost in destructors, and a context that was not entered
# yet is not left.
_BRIEF_NAMES = ("__del__", "__enter__", "__exit__")


class TimeIsUp(BaseException):
    """Ends what an alarm was set for; no error, so that nothing else catches it."""


class Alarm:
    """``with Alarm(at) as alarm:`` what stands within ends at the moment ``at`` (:func:`hypo.clock.now`) at the latest,
    and ``alarm.rang`` says whether it was cut short. Alarms may stand within each other."""

    def __init__(self, at: float) -> None:
        self.rang = False
        self._at = at
        # Of this alarm alone: one around it must not be caught here.
        self._kind: type[TimeIsUp] = type("TimeIsUp", (TimeIsUp,), {})
        self._off, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.get_ident()
        self._hook: Callable[[Any], None] | None = None

    def __enter__(self) -> Self:
        if self._at < now() + threading.TIMEOUT_MAX:
            threading.Thread(target=self._ring, name="alarm", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._off.set()
        with self._lock:
            # Whoever was about to ring has rung; that one may still be on its way.
            if self._hook is not None:
                self._receive()
            if self._hook is not None:
                sys.unraisablehook, self._hook = self._hook, None
        self.rang = kind is self._kind
        return self.rang

    def _ring(self) -> None:
        wait = max(0.0, self._at - now())
        while not self._off.wait(wait):
            if (wait := self._at - now()) > 0:
                # The clock stood still, for kernels were compiled: nothing disturbs that.
                continue
            with self._lock:
                if self._off.is_set():
                    return
                free = _may_be_disturbed(self._thread)
                if free:
                    self._mute()
                    _raise_in(self._thread, self._kind)
            wait = AGAIN if free else SOON

    def _receive(self) -> None:
        """Take a ring that is on its way. Only raising it ends the interpreter's look-out for one, which would go on for ever
        and stop every profiler and debugger."""
        with contextlib.suppress(self._kind):
            _raise_in(self._thread, self._kind)
            for _ in range(1000):
                pass

    def _mute(self) -> None:
        """Nobody is to hear of a ring that is lost in a destructor: there is another one."""
        if self._hook is None:
            before = self._hook = sys.unraisablehook

            def hook(lost: Any) -> None:
                if not issubclass(lost.exc_type, TimeIsUp):
                    before(lost)

            sys.unraisablehook = hook


def _may_be_disturbed(thread: int) -> bool:
    frame = top = sys._current_frames().get(thread)
    if top is None or top.f_code.co_filename in _BRIEF_FILES or top.f_code.co_name in _BRIEF_NAMES:
        return False
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if file in _UNTOUCHED_FILES or (file, name) == _STARTING:
            return False
        frame = frame.f_back
    return True


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Raise ``kind`` in a thread, in the place of what was not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))
