"""Sentences that several reports have."""

from __future__ import annotations

STANDARD_ERROR = "± is one standard error."
# How far the coverage goes where the likelihood is not Gaussian.
STAND_IN = (
    "Scans ranked formulas by least squares around a smooth estimate; what they put forward was fitted and scored by the "
    "likelihood itself."
)


def as_sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
