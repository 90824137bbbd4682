"""Checks of single values that a user gave: each raises InputError that says what was expected and what came.

Durations are seconds, or a text such as ``2min``, ``90s`` or ``1h30min``.
"""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import Any

from hypo.errors import InputError

# Seconds in the place of a time limit where there is none, a month: timers and files take no endless time.
NO_LIMIT = 30 * 86400.0
_TIME_UNITS = {
    1e-3: ("ms", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
    86400.0: ("d", "day", "days"),
}
_SECONDS = {name: size for size, names in _TIME_UNITS.items() for name in names}
# A number and a unit of time.
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)\s*", re.IGNORECASE)


def require_number(name: str, value: Any, kind: type, words: str) -> None:
    """Raises InputError unless ``value`` is a number of ``kind``; NumPy's numbers are, True and False are not."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise InputError(f"{name} must be {words}, got {value!r}")


def require_whole_number(name: str, value: Any, least: int) -> None:
    """Raises InputError unless ``value`` is a whole number, ``least`` or more."""
    require_number(name, value, Integral, f"a whole number, {least} or more")
    if value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, got {value}")


def read_seconds(name: str, value: Any) -> float:
    """The seconds of a number or text, above 0; raises InputError, which calls the setting ``name``."""
    found = _read_duration(value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, Real):
        raise InputError(
            f"{name} must be a number of seconds above 0, or a duration such as 90s, 2min or 1h, got {value!r}"
        )
    if not 0 < float(found) < float("inf"):
        raise InputError(f"the {name.replace('_', ' ')} must be a positive number of seconds, got {value}")
    return float(found)


def _read_duration(text: str) -> float | None:
    """The seconds of ``1h 30min``, of a plain number too; None for anything else."""
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        pass
    total, at, smallest = 0.0, 0, float("inf")
    while at < len(text):
        part = _PART.match(text, at)
        size = None if part is None else _SECONDS.get(part[2].lower())
        if part is None or size is None or size >= smallest:
            return None
        total, at, smallest = total + float(part[1]) * size, part.end(), size
    return total if at else None
