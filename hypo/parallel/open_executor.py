"""The choice of executors: threads, processes or a cluster, as the settings want them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from hypo.parallel.executor import PROCESSES, THREADS, Executor, Offload, Serial, Share, Threads

if TYPE_CHECKING:
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
