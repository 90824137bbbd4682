"""The time that a search has had, and the moments at which it ends.

Of the first search what went into compiling kernels, or waiting for them, is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

# For each search at work whose kernels are not all compiled, how long this process had waited before.
_before: list[float] = []


def now() -> float:
    """Seconds on a clock that stands still while such a search waits for kernels; else that of ``time.monotonic``."""
    if not _before:
        return time.monotonic()
    from hypo.kernels.turns import waited

    return time.monotonic() - (waited() - _before[0])


def on_the_wall(moment: float) -> float:
    """A moment to come of :func:`now` on the clock of ``time.monotonic``, as it is where no search is at work."""
    return moment - now() + time.monotonic()


@contextmanager
def standing_still() -> Iterator[None]:
    """Do not count, meanwhile, the time for which this process waits for kernels."""
    from hypo.kernels.turns import waited

    _before.append(waited())
    try:
        yield
    finally:
        _before.pop()


class Expiring(Protocol):
    """Something that knows when time is up."""

    @property
    def expired(self) -> bool:
        """True once it is."""


@dataclass(frozen=True)
class Deadline:
    """The moment ``at`` (:func:`now`) after which nothing is begun. It is pickled as the seconds left, because every machine
    has a clock of its own."""

    at: float

    @property
    def expired(self) -> bool:
        """True once it has passed."""
        return now() > self.at

    def __reduce__(self) -> tuple[Callable[[float], Deadline], tuple[float]]:
        return _deadline_in, (self.at - now(),)


def _deadline_in(seconds: float) -> Deadline:
    return Deadline(now() + seconds)


@dataclass
class Clock:
    """A deadline that may be put off, and the count of hypotheses scored so far."""

    deadline: float = float("inf")
    scored: int = 0

    @property
    def expired(self) -> bool:
        """True once the deadline has passed."""
        return now() > self.deadline

    def put_off(self, moment: float) -> None:
        """Put the deadline off to a later ``moment`` (:func:`now`); an earlier one changes nothing."""
        self.deadline = max(self.deadline, moment)

    @property
    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - now()
