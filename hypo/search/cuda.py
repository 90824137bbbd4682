"""The backend ``cuda``: the same search, with large scans on NVIDIA GPUs.

:class:`Cuda` is an executor: what is mapped over goes where it went before, and scans go to the devices, in blocks that the
executor within hands out: to threads for several GPUs, to other machines that have one, or a shard's share of them.

Without a GPU the same kernels run in Triton's interpreter where TRITON_INTERPRET=1 is set, slowly: for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

from hypo.errors import InputError, MissingExtraError
from hypo.search.executor import Executor
from hypo.search.scan import Best, Clock, Job, Rows

R = TypeVar("R")

# Pairs and targets from which on a scan is worth the way to the device and back: about ten milliseconds of one core.
WORTH = 4_000_000
# Blocks for each device or shard, so that all have about as much to do.
SHARES = 4


def devices() -> tuple[str, ...]:
    """The GPUs of this process, or ``("cpu",)`` where Triton's interpreter stands in for them.

    Raises:
        MissingExtraError: PyTorch or Triton is not installed.
        InputError: there is no GPU.
    """
    if find_spec("torch") is None or find_spec("triton") is None:
        raise MissingExtraError("the backend cuda needs PyTorch and Triton, which are not installed: pip install 'hypo[gpu]'")
    import torch

    from hypo.kernels.cuda_scan import interpreted

    if interpreted():
        return ("cpu",)
    if not torch.cuda.is_available():
        raise InputError(
            "the backend cuda needs an NVIDIA GPU, and PyTorch finds none here; "
            "leave out the backend to search on the processor"
        )
    return tuple(f"cuda:{k}" for k in range(torch.cuda.device_count()))


class Cuda:
    """An executor with scans on devices; ``shards`` is how many shares the search is split into."""

    def __init__(self, executor: Executor, names: tuple[str, ...], shards: int = 1) -> None:
        self._executor, self._names = executor, names
        parts = max(len(names), shards)
        self._blocks = 1 if parts == 1 else SHARES * parts

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, wherever the executor within does it."""
        return self._executor.map(function, items, *shared)

    def scan(
        self, kind: Literal["sums", "products"], jobs: Sequence[Job], basis: Rows, *, keep: int, clock: Clock
    ) -> list[list[Best]] | None:
        """The lists of :func:`hypo.search.scan.scan_jobs`; None where the processor is faster, or for a basis of several."""
        pairs = sum(len(targets) * len(F) * len(F if G is None else G) for targets, F, G in jobs)
        if pairs < WORTH or len(basis) > 1:
            return None
        from hypo.search import cuda_scan

        return cuda_scan.scan(kind, jobs, basis, keep, clock, self._executor, self._names, self._blocks)
