"""Compiling the kernels, once per installation: in processes of their own, beside the first search.

Whoever needs a kernel that is being compiled waits for it, most of them not for long: the processes begin with what is needed
first. The clock of a search stands still meanwhile. The processes end with the one that started them; what they
have compiled is kept, and the next search goes on from there.
"""

from __future__ import annotations

import _thread
import atexit
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypo import interrupts
from hypo.kernels import compiled, turns

if TYPE_CHECKING:
    from hypo.kernels.entries import Entry

# Processes that compile; more would mostly wait for each other.
PROCESSES = 2
# Seconds between two looks at how far compiling is.
LOOK = 0.25
# Seconds between two lines of a log about it.
SAY = 10.0
# Seconds after which a lost interrupt comes again.
AGAIN = 0.1
_INSIDE = "HYPO_COMPILING"

_others: list[subprocess.Popen[bytes]] = []


def is_complete() -> bool:
    """True if nothing is left to compile, or nothing would be kept."""
    folder = compiled.place()
    return folder is None or (folder / compiled.COMPLETE).exists()


def begin() -> bool:
    """Begin to compile what is missing, in other processes; whether anything is. Where no process can be started kernels are
    compiled as they are called first."""
    if os.environ.get(_INSIDE) or is_complete():
        return False
    if all(other.poll() is not None for other in _others):
        _others.clear()
        home = str(Path(__file__).parents[2])
        script = (
            f"import sys; sys.path.append({home!r}); from hypo.search.compile import compile_beside; compile_beside()"
        )
        with suppress(OSError):
            for _ in range(max(1, min(PROCESSES, os.cpu_count() or 1))):
                _others.append(
                    subprocess.Popen(
                        [sys.executable, "-c", script], env={**os.environ, _INSIDE: "1"},
                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    )
                )  # fmt: skip
    return True


@atexit.register
def end() -> None:
    """End the processes that compile."""
    for other in _others:
        other.kill()
        with suppress(OSError):
            if other.stdin is not None:
                other.stdin.close()
        other.wait()
    _others.clear()


def compile_beside() -> None:
    """The work of such a process: compile all there is, and end when the process that started it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    compile_all()


def _end_with_parent() -> None:
    # The other end of this pipe closes with the process that holds it, however that ends.
    sys.stdin.buffer.read()
    os._exit(1)


def compile_all() -> None:
    """Compile every kernel, first those that nobody else is at."""
    from hypo.kernels.entries import entries, entries_of_motion

    _compile_each(list(entries()), "entry")
    folder = compiled.place()
    if folder is not None:
        with suppress(OSError):
            (folder / compiled.COMPLETE).touch()
    # Nobody who seeks a single law waits for these.
    _compile_each(list(entries_of_motion()), "motion")


def _compile_each(listed: Sequence[Entry], called: str) -> None:
    """Compile the kernels of a list, first those that nobody else is at."""
    for k, entry in enumerate(listed):
        with turns.claimed(compiled.place(), f"{called}-{k}") as mine:
            if mine and not entry.busy:
                entry.compile()
    for entry in listed:
        entry.compile()


@contextmanager
def interruptible() -> Iterator[None]:
    """An interrupt that comes in a callback of the compiler, where Python drops it, comes again until it is heard."""
    before = sys.unraisablehook

    def again(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type is not KeyboardInterrupt:
            before(dropped)
            return
        interrupts.expect_again()
        later = threading.Timer(AGAIN, _thread.interrupt_main)
        later.daemon = True
        later.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


_looked: tuple[float, str] = (0.0, "")


def status() -> str:
    """How far compiling is, or nothing where all is compiled."""
    global _looked
    if time.monotonic() - _looked[0] > LOOK:
        text = "" if is_complete() else "compiling, once for this installation: {} of {} kernels".format(*_count())
        _looked = (time.monotonic(), text)
    return _looked[1]


def _count() -> tuple[int, int]:
    """Kernels compiled in at least one variant, and all."""
    from hypo.kernels import entries  # noqa: F401  (all kernels of the processor are known once they are imported)

    folder = compiled.place()
    kept = {path.name.rpartition("-")[0] for path in folder.glob("*.nbi")} if folder is not None else set()
    return len(kept & compiled.NAMES), len(compiled.NAMES)


@contextmanager
def log_progress() -> Iterator[None]:
    """Log, as a warning, that this process waits for kernels, and now and then how far compiling is: nobody expects a minute of
    silence."""
    last = -SAY

    def say() -> None:
        nonlocal last
        if time.monotonic() - last >= SAY and (text := status()):
            last = time.monotonic()
            logging.getLogger("hypo").warning(text)

    with turns.telling(say):
        if begin():
            say()
        yield


@contextmanager
def _report_progress(report: Callable[[str], None]) -> Iterator[None]:
    """Report how far compiling is whenever that changes."""
    last = ""

    def say() -> None:
        nonlocal last
        if (text := status()) and text != last:
            last = text
            report(text)

    with turns.telling(say):
        yield


def warm(report: Callable[[str], None] | None = None) -> bool:
    """Compile what has not been compiled yet and wait for it; whether all is compiled in the end.

    ``report`` hears how far it is; without one that is logged.
    """
    with log_progress() if report is None else _report_progress(report):
        if begin():
            turns.tell()
            while not is_complete() and any(other.poll() is None for other in _others):
                turns.tell()
                time.sleep(LOOK)
    return is_complete()
