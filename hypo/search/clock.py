"""The time that a search has had: what went into compiling kernels, or waiting for them, is not counted."""

from __future__ import annotations

import sys
import time


def now() -> float:
    """Seconds on a clock that stands still while kernels are compiled that this process needs."""
    # numba takes long to load, and as long as it is not loaded nothing has been compiled.
    turns = sys.modules.get("hypo.kernels.turns")
    return time.monotonic() - (turns.waited() if turns is not None else 0.0)
