"""The time that a search has had: what went into compiling kernels, or waiting for them, is not counted."""

from __future__ import annotations

import time

from hypo.kernels.turns import waited


def now() -> float:
    """Seconds on a clock that stands still while kernels are compiled that this process needs."""
    return time.monotonic() - waited()
