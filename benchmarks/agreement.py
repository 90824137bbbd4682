"""Judges on fresh points if a formula is the law."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def agrees(
    found: Callable[[Values], Values],
    law: Callable[[Values], Values],
    points: Callable[[float], Values],
    tolerance: float,
) -> bool:
    """True if ``found`` is within ``tolerance`` of the law's RMS on fresh points (n, n_var) in the ranges, ``points(0)``,
    and, where both are defined, around them, ``points(0.5)``: outside the ranges another branch of an even root or an
    inverse function is not another law."""
    for stretch in (0.0, 0.5):
        X = points(stretch)
        truth, guess = law(X), found(X)
        defined = np.isfinite(truth)
        if stretch:
            defined &= np.isfinite(guess)
        if defined.sum() < 100:
            continue
        error = np.sqrt(np.mean((truth - guess)[defined] ** 2))
        if not error <= tolerance * np.sqrt(np.mean(truth[defined] ** 2)):
            return False
    return True
