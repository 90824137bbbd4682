"""Unexpected errors: the part that failed is left out and told of once, and the rest goes on.

What hypo raises on purpose (:class:`hypo.errors.HypoError`), an interrupt and the end of time are no such errors: they pass.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypo.errors import HypoError

# The file of a result that holds the tracebacks, and the variable that has them printed at once.
FAILURES_FILE, DEBUG = "failures.txt", "HYPO_DEBUG"
# Different failures that are kept of one piece of work, and characters of a message.
MOST, LONGEST = 20, 200


@dataclass(frozen=True)
class Failure:
    """The ``part`` that failed, its ``error``, in one line, the place in the code where it came up, and the whole traceback."""

    part: str
    error: str
    where: str
    trace: str = field(default="", compare=False, repr=False)

    @staticmethod
    def of(part: str, error: BaseException) -> Failure:
        """What there is to say of ``error``."""
        lines = str(error).splitlines() or [""]
        text = f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__
        # A recursion has a thousand frames; the last lines say where it was.
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-40))
        return Failure(part, text if len(text) <= LONGEST else f"{text[:LONGEST]}…", _place(error), trace)

    def as_dict(self) -> dict[str, str]:
        """The entry of ``failures`` in the manifest: no traceback, which names paths of one machine."""
        return {"part": self.part, "error": self.error, "where": self.where}


class Failures:
    """Collects failures, after those that are known ``before``; the parts of one piece of work share it."""

    def __init__(self, before: Iterable[Failure] = ()) -> None:
        self.found: list[Failure] = list(before)

    def add(self, part: str, error: BaseException) -> None:
        """Keep what failed, once for each part and place."""
        failure = Failure.of(part, error)
        if os.environ.get(DEBUG):
            print(f"{failure.part}:\n{failure.trace}", file=sys.stderr)
        if len(self.found) < MOST and failure not in self.found:
            self.found.append(failure)

    @contextmanager
    def guarded(self, part: str) -> Iterator[Guard]:
        """An unexpected error within ends what stands within, and no more."""
        guard = Guard()
        try:
            yield guard
        except (HypoError, BrokenPipeError):
            # The second says that nobody reads what is printed.
            raise
        except Exception as error:  # whatever it is, the rest of the work is worth more than stopping here
            guard.failed = True
            self.add(part, error)


@dataclass
class Guard:
    """Whether what was guarded failed."""

    failed: bool = False


def report_text(failures: Iterable[Failure], version: str) -> str:
    """The text of ``failures.txt``: what somebody who is to mend it has to know."""
    import platform

    head = f"hypo {version}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    return head + "".join(f"\n{f.part}: {f.error}\n\n{f.trace}" for f in failures)


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
