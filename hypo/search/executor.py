"""Executors: where the parts of a piece of work are done. The interface is one method, ``map``.

Answers come in the order of the items and do not depend on who worked on which, so a search gives the same result with every
executor. Functions and arguments that leave this process must be picklable: functions at the top level of a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

R = TypeVar("R")


class Executor(Protocol):
    """Anything that applies a function to items."""

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, in the order of the items."""
        ...


class Serial:
    """One item after the other, in this thread."""

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, when it is asked for."""
        return (function(item, *shared) for item in items)


class Threads:
    """Threads of this process; compiled code and BLAS run side by side, and nothing is copied."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item; all begin at once."""
        return self._pool.map(lambda item: function(item, *shared), items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()
