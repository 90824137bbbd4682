"""The backend ``cuda``: the same search, with large scans and batches on NVIDIA GPUs.

:class:`Cuda` is an executor: what is mapped over goes where it went before, and scans go to the devices, in blocks that the
executor within hands out: to threads for several GPUs, to other machines that have one, or a shard's share of them. Batches of
programs go to the first device of this process (:mod:`hypo.search.gpu.batches`). What a device fails at is done again by the
processor, and so is everything after it.

Without a GPU the same kernels run in Triton's interpreter where TRITON_INTERPRET=1 is set, slowly: for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

from hypo.clock import Clock
from hypo.parallel.executor import Executor, whole
from hypo.search.gpu.devices import Attempts
from hypo.search.scan.pair_scan import Best, Job
from hypo.search.scan.prefilter import Rows

R = TypeVar("R")

# Pairs and targets from which on a scan is worth the way to the device and back: about ten milliseconds of one core.
WORTH = 4_000_000
# Blocks for each device or shard, so that all have about as much to do.
SHARES = 4


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
        """The lists of :func:`hypo.search.scan.pair_scan.scan_jobs`; None where the processor is faster, or for a
        basis of several."""
        pairs = sum(len(targets) * len(F) * len(F if G is None else G) for targets, F, G in jobs)
        if pairs < WORTH or len(basis) > 1 or self._attempts.has_failed:
            return None
        from hypo.search.gpu.scan import scan

        before = clock.scored
        found = self._attempts.run(
            lambda: scan(kind, jobs, basis, keep, clock, self._executor, self._names, self._blocks)
        )
        if found is None:
            clock.scored = before
        return found
