"""Rows that break a rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RowBreach:
    """Rows (numbers, the worst first) that break a rule, what the worst shows, and how many rows were looked at.

    ``around`` says that it is not the rows themselves, but the local fits around them.
    """

    rows: NDArray[np.intp]
    example: str
    looked_at: int
    around: bool = False


RowResult = RowBreach | str | None
"""What rows say of a rule: they break it, or why none can test it, or nothing."""
