"""A Dask cluster as executor: the only module that imports ``distributed``.

A worker that dies loses nothing: Dask gives its tasks to others, and arrays that died with it are sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

import hypo
from hypo.errors import InputError, MissingExtraError
from hypo.parallel.carried import carried
from hypo.parallel.executor import LOCAL, WorkersLost
from hypo.parallel.remote import Remote, block_interrupts, one_blas_thread, usable

# Seconds to wait for a scheduler.
SCHEDULER_WAIT = 5.0
# Seconds to wait for a worker when there is none.
WORKER_WAIT = 10.0
# Tasks under way for each thread of a worker: while some are at work the next ones are already there.
AHEAD = 4


class _Sent:
    """An array in the memory of a worker, made usable once."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = usable(array)

    def __reduce__(self) -> tuple[type[_Sent], tuple[NDArray[Any]]]:
        return _Sent, (self.array,)


class Cluster(Remote):
    """The workers of the Dask scheduler at an address, or, for ``"local"``, ``workers`` new processes of this machine.

    Raises:
        MissingExtraError: Dask is not installed.
        InputError: nobody answers there, there are no workers, or they have another version of hypo.
    """

    def __init__(self, scheduler: str, workers: int) -> None:
        super().__init__()
        try:
            import distributed
            from distributed.comm.core import CommClosedError
        except ImportError as error:
            raise MissingExtraError("work on a cluster needs Dask: pip install 'hypo[dask]'") from error
        # It has no types.
        library: Any = distributed
        self.lost = (distributed.KilledWorker, CancelledError, CommClosedError, TimeoutError)
        self._known: set[str] = set()
        with ExitStack() as stack:
            where: Any = scheduler
            if scheduler == LOCAL:
                # Nobody sees to the workers but us, so their own messages are of no use.
                with block_interrupts():
                    where = stack.enter_context(
                        library.LocalCluster(
                            n_workers=workers,
                            threads_per_worker=1,
                            memory_limit=0,
                            dashboard_address=":0",
                            silence_logs=logging.CRITICAL,
                        )
                    )
            elif not scheduler.partition("://")[2].strip():
                raise InputError(f"the scheduler's address {scheduler} names no host; write it like tcp://host:8786")
            try:
                self._client = stack.enter_context(library.Client(where, timeout=SCHEDULER_WAIT, set_as_default=False))
            except (OSError, ValueError) as error:
                raise InputError(
                    f"no Dask scheduler answers at {scheduler}; start one with the command dask scheduler, "
                    'or use the scheduler "local"'
                ) from error
            try:
                self._client.wait_for_workers(1, timeout=WORKER_WAIT)
            except TimeoutError as error:
                raise InputError(
                    f"the scheduler at {scheduler} has no workers; start some with the command dask worker {scheduler}"
                ) from error
            self._check(list(self._client.nthreads()))
            self._stack = stack.pop_all()

    def _window(self) -> int:
        threads = self._client.nthreads()
        new = [address for address in threads if address not in self._known]
        try:
            if new:
                self._check(new)
        except InputError as error:
            # In the middle of a search that is no reason to end it.
            raise WorkersLost(str(error)) from error
        return AHEAD * max(1, int(sum(threads.values())))

    def _check(self, workers: list[str]) -> None:
        """Raises InputError unless the workers have this version of hypo."""

        # A function within a function travels as code, so that a worker without hypo can run it.
        def version() -> str | None:
            try:
                import hypo
            except ImportError:
                return None
            return hypo.__version__

        for address, found in self._client.run(version, workers=workers, on_error="ignore").items():
            if found != hypo.__version__:
                has = "has no hypo" if found is None else f"has hypo {found}"
                raise InputError(f"the Dask worker {address} {has}; install hypo {hypo.__version__} there, as here")
            self._known.add(address)
        if state := carried():
            self._client.run(_receive, state, workers=workers)

    def _put(self, array: NDArray[Any]) -> Any:
        return self._client.scatter(_Sent(array), broadcast=True, hash=False)

    def _submit(self, function: Callable[..., Any], items: list[Any], given: list[Any]) -> list[Any]:
        return list(self._client.map(_work, items, function=function, given=given, pure=False)) if items else []

    def _fetch(self, futures: list[Any]) -> list[tuple[Any, Any]]:
        import distributed

        # One that is done already is seen without asking the scheduler.
        if not any(f.done() for f in futures):
            with self._client.as_current():
                library: Any = distributed
                library.wait(futures, return_when="FIRST_COMPLETED")
        sound = self._sound(futures, [f for f in futures if f.done()], _error)
        return list(zip(sound, self._client.gather(sound), strict=True))

    def _revive(self) -> None:
        self._placed.clear()
        try:
            self._client.wait_for_workers(1, timeout=WORKER_WAIT)
        except OSError as error:
            raise WorkersLost("the cluster has no workers any more") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._placed.clear()
        self._stack.close()


def _receive(state: tuple[Any, ...]) -> None:
    """Nothing: ``state`` was put in place as it was unpickled."""


def _error(future: Any) -> BaseException | None:
    """Why a future that is done has no result; None if it has one."""
    if future.cancelled():
        return CancelledError()
    return None if future.status == "finished" else future.exception()


def _work(item: Any, function: Callable[..., Any], given: list[Any]) -> Any:
    one_blas_thread()
    return function(item, *map(_resolve, given))


def _resolve(value: Any) -> Any:
    """The arrays in what was sent, or in a tuple of that."""
    if type(value) is tuple:
        return tuple(map(_resolve, value))
    return value.array if isinstance(value, _Sent) else usable(value)
