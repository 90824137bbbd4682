"""Executors: where the parts of a piece of work are done. The interface is one method, ``map``.

Answers come in the order of the items and do not depend on who worked on which, so a search gives the same result with every
executor. Functions and arguments that leave this process must be picklable: functions at the top level of a module.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from hypo.errors import HypoError

R = TypeVar("R")

# What settings.scheduler may be, besides the address of a Dask scheduler: threads of this process,
THREADS = "threads"
# processes of this machine,
PROCESSES = "processes"
# or a Dask cluster of this machine.
LOCAL = "local"
# Seconds of work from which on it leaves this process: to send the 16 MB of 20 000 rows to two workers took 0.3 to 0.9 s, a
# task 2 to 4 ms of the sending process (benchmarks/scaling).
WORTH = 1.0


class Executor(Protocol):
    """Anything that applies a function to items."""

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, in the order of the items."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """An executor that may do a share of the items only."""

    @property
    def whole(self) -> Executor:
        """The executor for all of them."""
        ...


class WorkersLost(HypoError):
    """Workers died again and again; the message says of what."""


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()


class Lasting:
    """Work goes ``far``; when the workers there are lost for good, a RuntimeWarning says so and all that is left is done
    ``near``."""

    def __init__(self, near: Executor, far: Executor) -> None:
        self.near, self.far, self.lost = near, far, False

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item."""
        listed = list(items)
        done = 0
        if not self.lost:
            try:
                for result in self.far.map(function, listed, *shared):
                    yield result
                    done += 1
            except WorkersLost as error:
                self.lost = True
                warnings.warn(f"{error}; the search goes on without them", RuntimeWarning, stacklevel=2)
        yield from self.near.map(function, listed[done:], *shared)


class Offload:
    """Large pieces of work go ``far``, small ones stay ``near``: the first item, done here, tells how long the others take."""

    def __init__(self, near: Executor, far: Executor, worth: float | None = None) -> None:
        self._near, self._far, self._worth = near, Lasting(near, far), WORTH if worth is None else worth

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item."""
        listed = list(items)
        if not listed:
            return
        begin = time.perf_counter()
        yield function(listed[0], *shared)
        each = time.perf_counter() - begin
        who = self._far if each * (len(listed) - 1) > self._worth else self._near
        yield from who.map(function, listed[1:], *shared)


class Share:
    """Share ``number`` (from 1) of ``of``: every ``of``-th item. With fewer than ``of`` items everybody does them all, so that
    cheap work needs no merging."""

    def __init__(self, executor: Executor, number: int, of: int) -> None:
        self._executor, self._number, self._of = executor, number, of

    @property
    def whole(self) -> Executor:
        """The executor for all items."""
        return self._executor

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for the items that are ours, in their order."""
        listed: Sequence[Any] = list(items)
        if len(listed) >= self._of:
            listed = listed[self._number - 1 :: self._of]
        return self._executor.map(function, listed, *shared)


def whole(executor: Executor) -> Executor:
    """The executor for work that all shares of a search do alike."""
    return executor.whole if isinstance(executor, Sharing) else executor
