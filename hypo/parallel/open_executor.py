"""The choice of executors: threads, processes or a cluster, as the settings want them."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from hypo.interrupts import has_come
from hypo.parallel.executor import PROCESSES, THREADS, Executor, Lasting, Offload, Serial, Share, Threads

if TYPE_CHECKING:
    from hypo.parallel.dask import Cluster
    from hypo.parallel.processes import Processes
    from hypo.problem.problem import Settings


def open_executor(settings: Settings, stack: ExitStack) -> tuple[Executor, Executor]:
    """The executor of this process and the one for scans, as the settings want them; ``stack`` closes them.

    Raises:
        MissingExtraError: a cluster is wanted, and Dask is not installed.
        InputError: no scheduler answers, or its workers have another version of hypo.
    """
    near: Executor = stack.enter_context(Threads(settings.workers)) if settings.workers > 1 else Serial()
    executor = near
    if settings.scheduler == PROCESSES:
        from hypo.parallel.processes import Processes

        executor = Offload(near, stack.enter_context(Processes(settings.workers)))
    elif settings.scheduler not in (None, THREADS):
        from hypo.parallel.dask import Cluster

        executor = Offload(near, stack.enter_context(Cluster(settings.scheduler, settings.workers)))
    return near, executor if settings.shard is None else Share(executor, *settings.shard)


def open_workers(workers: int, scheduler: str | None, stack: ExitStack) -> Executor:
    """The executor for whole pieces of work: processes of this machine for None, or a Dask cluster; ``stack`` closes it. What
    an interrupt ended is not waited for.

    Raises:
        MissingExtraError: a cluster is wanted, and Dask is not installed.
        InputError: no scheduler answers, or its workers have another version of hypo.
    """
    far: Processes | Cluster
    if scheduler in (None, PROCESSES):
        if workers == 1:
            return Serial()
        from hypo.parallel.processes import Processes

        far = Processes(workers)
    else:
        from hypo.parallel.dask import Cluster

        far = Cluster(str(scheduler), workers)

    def close(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        far.__exit__(KeyboardInterrupt if has_come() else kind, error, trace)

    stack.push(close)
    return Lasting(Serial(), far)
