"""The work of a search on GPUs: scans, batches and libraries, where a search on the processor has its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from hypo.search.gpu.backend import Cuda
from hypo.search.library.context import Workers
from hypo.search.library.library import Library


def open_devices(workers: Workers, names: tuple[str, ...], shards: int, report: Callable[[str], None]) -> Workers:
    """The workers with scans on the devices ``names``, batches on the first of them, compiled, and libraries grown there;
    ``report`` is told what takes time."""
    from hypo.kernels.gpu.operators import SIMULATED

    scanning = Cuda(workers.executor, names, shards)
    workers = replace(workers, executor=scanning, make_library=partial(_make_library, names[0]))
    if names == ("cpu",) and not SIMULATED:
        # Triton's interpreter without numba's simulator.
        return workers
    from hypo.search.gpu.batches import CudaBatches

    report("compiling for the GPU")
    batches = CudaBatches(workers.batches)
    batches.prepare()
    return replace(workers, batches=batches)


def _make_library(device: str, *given: Any, **rest: Any) -> Library:
    # Loads PyTorch.
    from hypo.search.gpu.library import CudaLibrary

    return CudaLibrary(device, *given, **rest)
