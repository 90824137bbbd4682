"""Who compiles what, among processes that compile at the same time, and how long this one has been kept from its work by it.

Whoever is about to compile a function holds a lock on it, and who needs it too waits until it is done. Callers are locked
before what they call, so nobody waits in a circle. A lock ends with the process that holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from numba.core import event

# Longest wait for another process, in seconds: compiling all kernels takes a minute or two.
LONGEST = 600.0
# Seconds between two looks at whether it is done.
PAUSE = 0.03

_held: dict[Path, IO[str]] = {}
# What is told, again and again, that this process waits or compiles.
_told: list[Callable[[], None]] = []


class _Watch(event.Listener):
    """Adds up the time that this process waits for kernels or compiles them. All calls are made under numba's lock."""

    def __init__(self) -> None:
        self.depth, self.since, self.total = 0, 0.0, 0.0
        self._ours: list[bool] = []

    def begin(self) -> None:
        if self.depth == 0:
            self.since = time.monotonic()
        self.depth += 1

    def end(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.total += time.monotonic() - self.since

    def on_start(self, event: Any) -> None:
        # What a kernel calls may be numba's own; what others compile is none of our business.
        # A function that was made by exec has no module.
        module = event.data["dispatcher"].py_func.__module__ or ""
        ours = self.depth > 0 or module.startswith("hypo.")
        self._ours.append(ours)
        if ours:
            self.begin()
            tell()

    def on_end(self, event: Any) -> None:
        if self._ours.pop():
            self.end()


_watch = _Watch()
event.register("numba:compile", _watch)


def waited() -> float:
    """Seconds for which this process has waited for kernels or compiled them."""
    since = _watch.since
    return _watch.total + (time.monotonic() - since if _watch.depth > 0 else 0.0)


@contextmanager
def telling(told: Callable[[], None]) -> Iterator[None]:
    """Call ``told`` again and again while this process waits for kernels or compiles them."""
    _told.append(told)
    try:
        yield
    finally:
        _told.remove(told)


def tell() -> None:
    """Call what wants to be told."""
    for told in tuple(_told):
        told()


@contextmanager
def claimed(folder: Path | None, name: str) -> Iterator[bool]:
    """True if nobody else has claimed ``name`` in a folder; then it is claimed meanwhile. Where there are no locks all have."""
    with ExitStack() as stack:
        mine = True
        with suppress(ImportError, OSError):
            import fcntl

            if folder is not None:
                file = stack.enter_context((folder / f"{name}.claim").open("w"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    mine = False
        yield mine


def take(lock: Path) -> None:
    """Hold ``lock``, a path where no file needs to be, as soon as nobody else does. Where there are no locks, or one is not
    given back for ``LONGEST`` seconds, go on without."""
    if _watch.depth == 0:
        # Where compiling failed nobody has given them back.
        for left in tuple(_held):
            give_back(left)
    with suppress(ImportError, OSError):
        import fcntl

        file = lock.open("w")
        late = time.monotonic() + LONGEST
        _watch.begin()
        try:
            while lock not in _held and time.monotonic() < late:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _held[lock] = file
                except BlockingIOError:
                    tell()
                    time.sleep(PAUSE)
        finally:
            _watch.end()
            if _held.get(lock) is not file:
                file.close()


def is_held(lock: Path) -> bool:
    """True if another process holds ``lock`` now."""
    with suppress(ImportError, OSError):
        import fcntl

        with lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def give_back(lock: Path) -> None:
    """Let others have ``lock``, if it is held."""
    file = _held.pop(lock, None)
    if file is not None:
        with suppress(OSError):
            lock.unlink()
        file.close()
