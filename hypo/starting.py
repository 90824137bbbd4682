"""When a call began: its time limit counts from there, so that loading and reading come out of the search's time.

``hypo.fit`` and the command mark the moment before they load or read anything; the first search within takes it. Nothing is
imported here, for this comes first.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# The moment of ``time.monotonic``, and how long kernels had been waited for by then.
_mark: ContextVar[tuple[float, float] | None] = ContextVar("began", default=None)
# When loading of the public functions began and ended; a call that comes at once belongs to it.
_loaded: list[tuple[float, float]] = []
# Seconds between loading and a call that count as at once.
AT_ONCE = 0.01


def note_loading(since: float) -> None:
    """Something public was loaded on its first use, from the moment ``since`` until now."""
    _loaded[:] = [(since, time.monotonic())]


@contextmanager
def mark_start(kept: float = 0.0) -> Iterator[None]:
    """A context: all within began now, unless it stands in something that has mark_start already; ``kept`` seconds are for what
    comes after it."""
    if _mark.get() is not None:
        yield
        return
    moment = time.monotonic()
    if _loaded:
        since, until = _loaded.pop()
        if moment - until < AT_ONCE:
            moment = since
    token = _mark.set((moment - kept, time_waited()))
    try:
        yield
    finally:
        _mark.reset(token)


def count_from_call(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator: the function begins with its call."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mark_start():
            return function(*args, **kwargs)

    return inner


def take_start() -> float | None:
    """The moment at which what is at work began, without the time for which it waited for kernels; None where nothing says so,
    or a search has had it."""
    mark = _mark.get()
    if mark is None:
        return None
    _mark.set(None)
    return mark[0] + time_waited() - mark[1]


def load_in_background(*modules: str) -> None:
    """Load modules in the background; where that fails, who needs them will hear of it."""

    def load() -> None:
        with suppress(Exception):
            for name in modules:
                import_module(name)

    threading.Thread(target=load, name="loading", daemon=True).start()


def time_waited() -> float:
    """Seconds for which this process has waited for kernels so far."""
    turns = sys.modules.get("hypo.kernels.turns")
    found: Callable[[], float] | None = getattr(turns, "waited", None)
    return 0.0 if found is None else found()
