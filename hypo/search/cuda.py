"""The backend ``cuda``: the same search, with large scans and batches on NVIDIA GPUs.

:class:`Cuda` is an executor: what is mapped over goes where it went before, and scans go to the devices, in blocks that the
executor within hands out: to threads for several GPUs, to other machines that have one, or a shard's share of them. Batches of
programs go to the first device of this process (:mod:`hypo.search.cuda_batches`). What a device fails at is done again by the
processor, and so is everything after it.

Without a GPU the same kernels run in Triton's interpreter where TRITON_INTERPRET=1 is set, slowly: for tests.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

from hypo.clock import Clock
from hypo.errors import HypoError, InputError, MissingExtraError
from hypo.search.batches import Batches
from hypo.search.executor import Executor, whole
from hypo.search.scan import Best, Job, Rows

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


class Attempts:
    """Work of one kind on devices, until some of it fails: then the processor does it, and a RuntimeWarning says why."""

    def __init__(self, what: str) -> None:
        self._what, self.failed = what, False

    def made(self, work: Callable[[], R]) -> R | None:
        """What the work returns; None where a device fails, and from then on."""
        if self.failed:
            return None
        try:
            return work()
        except HypoError:
            raise
        # PyTorch, Triton and numba have errors of their own for memory, drivers and compilers, with nothing in common.
        except Exception as error:
            self.failed = True
            said = str(error).strip().partition("\n")[0].rstrip(".")
            warnings.warn(
                f"{self._what} on the GPU failed ({type(error).__name__}{': ' if said else ''}{said}); "
                "the processor does them from now on",
                RuntimeWarning, stacklevel=2,
            )  # fmt: skip
            return None


def opened(
    executor: Executor, processor: Batches, names: tuple[str, ...], shards: int, report: Callable[[str], None]
) -> tuple[Executor, Batches]:
    """The executor with scans on devices, and batches on the first of them, compiled; ``report`` is told what takes time."""
    scanning = Cuda(executor, names, shards)
    from hypo.kernels.cuda_operators import SIMULATED

    if names == ("cpu",) and not SIMULATED:
        # Triton's interpreter without numba's simulator.
        return scanning, processor
    from hypo.search.cuda_batches import CudaBatches

    report("compiling for the GPU")
    batches = CudaBatches(processor)
    batches.prepare()
    return scanning, batches


class Cuda:
    """An executor with scans on devices; ``shards`` is how many shares the search is split into."""

    def __init__(self, executor: Executor, names: tuple[str, ...], shards: int = 1) -> None:
        self._executor, self._names, self._attempts = executor, names, Attempts("scans")
        parts = max(len(names), shards)
        self._blocks = 1 if parts == 1 else SHARES * parts

    @property
    def whole(self) -> Executor:
        """The executor for work that is not shared."""
        return whole(self._executor)

    def map(self, function: Callable[..., R], items: Iterable[Any], *shared: Any) -> Iterator[R]:
        """``function(item, *shared)`` for each item, wherever the executor within does it."""
        return self._executor.map(function, items, *shared)

    def scan(
        self, kind: Literal["sums", "products"], jobs: Sequence[Job], basis: Rows, *, keep: int, clock: Clock
    ) -> list[list[Best]] | None:
        """The lists of :func:`hypo.search.scan.scan_jobs`; None where the processor is faster, or for a basis of several."""
        pairs = sum(len(targets) * len(F) * len(F if G is None else G) for targets, F, G in jobs)
        if pairs < WORTH or len(basis) > 1 or self._attempts.failed:
            return None
        from hypo.search.cuda_scan import scan

        before = clock.scored
        found = self._attempts.made(
            lambda: scan(kind, jobs, basis, keep, clock, self._executor, self._names, self._blocks)
        )
        if found is None:
            clock.scored = before
        return found
