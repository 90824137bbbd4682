"""The common part of processes and clusters: few tasks under way at a time, large arrays sent once, lost work done again."""

from __future__ import annotations

import hashlib
import signal
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sized
from contextlib import closing, contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hypo.parallel.executor import WorkersLost

R = TypeVar("R")

# Bytes of an array from which on it is sent once and not with every task.
LARGE = 1 << 15
# Bytes of such arrays that are kept for later maps.
KEPT = 1 << 28
# Losses of workers in a row, without any result in between, after which they are given up.
MOST_LOSSES = 4
# While one task takes long, the others run ahead of it by at most this many times the tasks under way.
EARLY = 16


class Remote(ABC):
    """An executor beyond this process. ``sent`` counts the bytes of arrays put where workers find them."""

    # Exceptions that mean that a worker or its data are gone.
    lost: tuple[type[BaseException], ...]

    def __init__(self) -> None:
        self.sent = 0
        self._placed: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, in their order. What a lost worker had is done again.

        Raises WorkersLost when workers die again and again before any of them has a result.
        """
        early: dict[int, R] = {}
        due = 0
        with closing(self._done(function, items, shared, early)) as done:
            for place, result in done:
                early[place] = result
                while due in early:
                    yield early.pop(due)
                    due += 1

    def map_as_completed(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """As :meth:`map`, but each result as soon as it is there."""
        with closing(self._done(function, items, shared, ())) as done:
            for _, result in done:
                yield result

    def _done(
        self, function: Callable[..., R], items: Iterable[Any], shared: tuple[Any, ...], early: Sized
    ) -> Generator[tuple[int, R], None, None]:
        """Results with the places of their items, as they come; while many are ``early`` nothing new is begun."""
        source, losses = enumerate(items), 0
        tasks: dict[Any, tuple[int, Any]] = {}
        redo: list[tuple[int, Any]] = []
        given: list[Any] | None = None
        try:
            while True:
                try:
                    if given is None:
                        window, given = self._window(), [self._place(a) for a in shared]
                    late = any(getattr(a, "expired", False) for a in shared)
                    if redo or (not late and len(tasks) <= window // 2 and len(early) <= EARLY * window):
                        redo = redo or list(islice(source, window - len(tasks)))
                        tasks.update(zip(self._submit(function, [item for _, item in redo], given), redo, strict=True))
                        redo = []
                    if not tasks:
                        break
                    # An error waits for the tasks before it.
                    results = self._fetch(list(tasks)) or self._fetch(list(tasks)[:1])
                except self.lost as error:
                    losses += 1
                    if losses == MOST_LOSSES:
                        raise WorkersLost(f"workers were lost {losses} times in a row ({_sentence(error)})") from error
                    redo = sorted([*tasks.values(), *redo], key=lambda task: task[0])
                    tasks.clear()
                    given = None
                    self._revive()
                    continue
                losses = 0
                for future, result in results:
                    yield tasks.pop(future)[0], result
            # What is not begun when time is up comes to nothing, and that is quicker here.
            for place, item in source:
                yield place, function(item, *shared)
        finally:
            for future in tasks:
                future.cancel()

    def _place(self, value: Any) -> Any:
        """``value`` as tasks carry it: large arrays, within tuples too, by reference, sent at most once as long as they are
        remembered."""
        if type(value) is tuple:
            return tuple(map(self._place, value))
        if not isinstance(value, np.ndarray) or value.nbytes < LARGE:
            return value
        key = _content(value)
        if key not in self._placed:
            self._placed[key] = (self._put(value), value.nbytes)
            self.sent += value.nbytes
        self._placed.move_to_end(key)
        reference = self._placed[key][0]
        while len(self._placed) > 1 and sum(size for _, size in self._placed.values()) > KEPT:
            # Whoever is still using it holds the reference.
            self._placed.popitem(last=False)
        return reference

    def _sound(
        self, futures: list[Any], done: Container[Any], error: Callable[[Any], BaseException | None]
    ) -> list[Any]:
        """Of futures those ``done`` with a result, up to the first whose function failed: an error comes in its turn, and what
        was finished before a worker died counts. If there are none, the first done, to raise its error: but nothing where a
        function failed and tasks before it are under way."""
        sound = []
        ready = [f for f in futures if f in done]
        for future in ready:
            found = error(future)
            if found is None:
                sound.append(future)
            elif not isinstance(found, self.lost):
                break
        if sound or ready[0] is futures[0] or isinstance(error(ready[0]), self.lost):
            return sound or ready[:1]
        return []

    @abstractmethod
    def _put(self, array: NDArray[Any]) -> Any:
        """Send ``array`` to where workers find it; the reference to give them. It is forgotten with its last user."""

    @abstractmethod
    def _window(self) -> int:
        """How many tasks are to be under way."""

    @abstractmethod
    def _submit(self, function: Callable[..., Any], items: list[Any], given: list[Any]) -> list[Any]:
        """Futures for ``function(item, *given)``, references in ``given`` being resolved."""

    @abstractmethod
    def _fetch(self, futures: list[Any]) -> list[tuple[Any, Any]]:
        """Futures that are done with their results, for which it waits: those that :meth:`_sound` lets pass."""

    @abstractmethod
    def _revive(self) -> None:
        """Make ready for work again after a loss."""


def _content(array: NDArray[Any]) -> bytes:
    """A key that is equal for arrays of the same content and layout."""
    whole = np.ascontiguousarray(array)
    digest = hashlib.blake2b(whole.view(np.uint8).reshape(-1).data, digest_size=16)
    digest.update(repr((array.shape, array.dtype.str, array.strides)).encode())
    return digest.digest()


def _sentence(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0].strip().rstrip(".") or type(error).__name__


def usable(value: Any) -> Any:
    """``value``; an array that a message left at an odd address is copied, because sums over such ones come out differently,
    within tuples and dataclasses too."""
    if type(value) is tuple:
        return tuple(map(usable, value))
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            old = getattr(value, field.name, None)
            new = usable(old)
            if new is not old:
                # What a message brought belongs to nobody else.
                object.__setattr__(value, field.name, new)
        return value
    return np.require(value, requirements=["ALIGNED", "WRITEABLE"]) if isinstance(value, np.ndarray) else value


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Processes started within do not mind Ctrl-C, which reaches every process of a terminal; here it waits until the end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Unlike one that is ignored, a blocked signal is not lost; processes inherit both.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def one_blas_thread() -> None:
    """Once in a worker process: sums come out the same whatever its number of cores. It stays so, because tasks of other
    threads may be in the middle of a product."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
