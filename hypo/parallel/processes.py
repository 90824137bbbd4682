"""Processes of this machine as executor. Large arrays are files that they map into memory, so there is one copy for all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from hypo.parallel.carried import carried
from hypo.parallel.remote import Remote, block_interrupts, one_blas_thread, usable

# Tasks under way for each process: one at work, one that waits.
AHEAD = 2


@dataclass(frozen=True, eq=False)
class _Stored:
    """An array in a file."""

    path: str


class Processes(Remote):
    """A pool of ``workers`` processes. When one dies, all are started anew and what was not finished is done again.

    They are spawned, so a script that uses them needs ``if __name__ == "__main__":``.
    """

    lost = (BrokenProcessPool,)

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._workers = workers
        self._folder = TemporaryDirectory(prefix="hypo-")
        self._files = 0
        self._pool = self._start_pool()

    def _start_pool(self) -> ProcessPoolExecutor:
        # A fork would copy threads that hold locks.
        return ProcessPoolExecutor(self._workers, get_context("spawn"), _begin, carried())

    def _window(self) -> int:
        return AHEAD * self._workers

    def _put(self, array: NDArray[Any]) -> _Stored:
        self._files += 1
        stored = _Stored(str(Path(self._folder.name) / f"{self._files}.npy"))
        np.save(stored.path, array)
        finalize(stored, _remove, stored.path)
        return stored

    def _submit(self, function: Callable[..., Any], items: list[Any], given: list[Any]) -> list[Any]:
        # The first tasks start the processes, which could not yet ignore an interrupt.
        with block_interrupts():
            return [self._pool.submit(_work, function, item, given) for item in items]

    def _fetch(self, futures: list[Any]) -> list[tuple[Any, Any]]:
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        sound = self._sound(futures, done, lambda f: f.exception())
        return [(f, f.result()) for f in sound]

    def _revive(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._start_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Nobody waits for what is still being worked on; a handler that the main module sets has nothing to say.
            for process in (getattr(self._pool, "_processes", None) or {}).values():
                process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._placed.clear()
        self._folder.cleanup()


def _begin(*state: Any) -> None:
    # ``state`` was put in place as it was unpickled.
    # Ctrl-C reaches every process of a terminal; the one that shares out the work ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_blas_thread()


def _work(function: Callable[..., Any], item: Any, given: list[Any]) -> Any:
    return function(item, *map(_resolve, given))


def _resolve(value: Any) -> Any:
    """The array that a reference stands for, within tuples too."""
    if type(value) is tuple:
        return tuple(map(_resolve, value))
    return _load(value.path) if isinstance(value, _Stored) else usable(value)


@lru_cache(maxsize=16)
def _load(path: str) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="c"))


def _remove(path: str) -> None:
    # Gone with its folder, or still mapped on a system that minds.
    with suppress(OSError):
        os.remove(path)
