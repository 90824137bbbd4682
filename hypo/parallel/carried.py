"""State that every worker process has to have before its first task: what the user has defined, say.

Whoever has such state carries an object here; unpickling it in a worker puts the state in place. Objects arrive in the order in
which they were carried.
"""

from __future__ import annotations

from typing import Any

_carried: list[Any] = []


def carry(state: Any) -> None:
    """Give ``state`` to all worker processes that are started from now on."""
    if state not in _carried:
        _carried.append(state)


def carried() -> tuple[Any, ...]:
    """All that workers are to be given."""
    return tuple(_carried)
