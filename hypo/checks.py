"""Checks of single values that a user gave: each raises InputError that says what was expected and what came."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from hypo.errors import InputError


def require_number(name: str, value: Any, kind: type, words: str) -> None:
    """Raises InputError unless ``value`` is a number of ``kind``; NumPy's numbers are, True and False are not."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise InputError(f"{name} must be {words}, got {value!r}")


def require_whole_number(name: str, value: Any, least: int) -> None:
    """Raises InputError unless ``value`` is a whole number, ``least`` or more."""
    require_number(name, value, Integral, f"a whole number, {least} or more")
    if value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, got {value}")
