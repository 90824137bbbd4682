"""Unexpected errors: the part that failed is left out and told of once, and the rest goes on.

What hypo raises on purpose (:class:`hypo.errors.HypoError`), an interrupt and the end of time are no such errors: they pass.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from hypo.errors import HypoError

# The file of a result that holds the tracebacks.
FAILURES_FILE = "failures.txt"
# The environment variable that has them printed at once.
DEBUG = "HYPO_DEBUG"
# Whose the code was, where it was not hypo's.
USERS = "user"
# The most different failures that are kept of one piece of work.
MOST = 20
# The most characters of a message.
LONGEST = 200


@dataclass(frozen=True)
class Failure:
    """The ``part`` that failed, its ``error``, in one line, the place in the code where it came up, the whole traceback, and
    whether the code is the user's."""

    part: str
    error: str
    where: str
    trace: str = field(default="", compare=False, repr=False)
    theirs: bool = False

    @staticmethod
    def of(part: str, error: BaseException) -> Failure:
        """The failure that ``error`` is."""
        lines = str(error).splitlines() or [""]
        text = f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__
        # A recursion has a thousand frames; the last lines say where it was.
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-40))
        return Failure(part, text if len(text) <= LONGEST else f"{text[:LONGEST]}…", _place(error), trace)

    def as_dict(self) -> dict[str, str]:
        """The entry of ``failures`` in the manifest: no traceback, which names paths of one machine."""
        return {
            "part": self.part,
            "error": self.error,
            "where": self.where,
            **({"whose": USERS} if self.theirs else {}),
        }


class Failures:
    """Collects failures, after those that are known ``before``; the parts of one piece of work share it."""

    def __init__(self, before: Iterable[Failure] = ()) -> None:
        self.found: list[Failure] = list(before)

    def add(self, part: str, error: BaseException, place: str = "") -> None:
        """Keep what failed, once for each part and place; ``place``: where, in a function of the user's."""
        failure = Failure.of(part, error)
        if place:
            failure = replace(failure, where=place, theirs=True)
        if os.environ.get(DEBUG):
            print(f"{failure.part}:\n{failure.trace}", file=sys.stderr)
        self.take([failure])

    def take(self, failures: Iterable[Failure]) -> None:
        """Keep what failed elsewhere, at a worker for one."""
        for failure in failures:
            if len(self.found) < MOST and failure not in self.found:
                self.found.append(failure)

    @contextmanager
    def guarded(self, part: str, *meant: type[Exception]) -> Iterator[Guard]:
        """An unexpected error within ends what stands within, and no more; those that are ``meant`` pass."""
        guard = Guard()
        try:
            yield guard
        except (HypoError, BrokenPipeError):
            # The second says that nobody reads what is printed.
            raise
        except Exception as error:  # whatever it is, the rest of the work is worth more than stopping here
            if isinstance(error, meant) or is_from_signal(error):
                raise
            guard.failed = True
            self.add(part, error)


@dataclass
class Guard:
    """``failed`` says that something within the guard did."""

    failed: bool = False


def format_report(failures: Iterable[Failure], version: str) -> str:
    """The text of ``failures.txt``: what somebody who is to mend it has to know."""
    import platform

    head = f"hypo {version}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    return head + "".join(f"\n{f.part}: {f.error}\n\n{f.trace}" for f in failures)


def is_from_signal(error: BaseException) -> bool:
    """True where ``error`` comes from a function that handles a signal now, such as the user's own time limit: it only came up
    here."""
    codes = {code for number in signal.valid_signals() if (code := _code(signal.getsignal(number))) is not None}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def _code(handler: Any) -> CodeType | None:
    while isinstance(handler, partial):
        handler = handler.func
    if not hasattr(handler, "__code__") and not hasattr(handler, "__func__"):
        handler = getattr(handler, "__call__", None)  # noqa: B004
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None


def find_users_line(error: BaseException, caller: str) -> str:
    """File and line at which a function of the user's failed that the package ``caller`` called; empty where none did."""
    frames = [
        (f.f_code.co_filename, n, f.f_globals.get("__name__", "")) for f, n in traceback.walk_tb(error.__traceback__)
    ]
    own = [k for k, (*_, name) in enumerate(frames) if name.split(".")[0] == "hypo"]
    if not own or own[-1] + 1 == len(frames) or not frames[own[-1]][2].startswith(caller):
        return ""
    file, line, _ = frames[own[-1] + 1]
    return f"{Path(file).name}, line {line}"


def _place(error: BaseException) -> str:
    """File and line of the last frame that is hypo's own, or of the last one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "hypo" in Path(f.filename).parts and f.filename != __file__]
    if not frames:
        return ""
    last = (own or frames)[-1]
    parts = Path(last.filename).parts
    # As from the package on; a foreign file by its name alone.
    start = len(parts) - 1 - parts[::-1].index("hypo") if "hypo" in parts else len(parts) - 1
    return f"{'/'.join(parts[start:])}, line {last.lineno}"
