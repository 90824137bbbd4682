"""The time that a search has had: of the first one, what went into compiling kernels, or waiting for them, is not counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

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
