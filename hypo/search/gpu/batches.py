"""Batches on a GPU: the rows stay there, programs go there packed, and what was fitted comes back in one copy.

What enters the archive is fitted and scored by the processor whoever found it: the device only decides what is looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Deadline
from hypo.kernels.cpu.fit_batch import ROUNDING
from hypo.parallel.batches import Batches, Rows
from hypo.search.evolution.programs import ProgramBatch
from hypo.search.gpu.devices import Attempts

# Nodes times rows times evaluations from which on a batch is worth the way to the device and back: about two milliseconds of
# one core. Not measured on a device.
WORTH = 2_000_000
# As much of one launch, between two looks at the clock: some ten milliseconds, not measured either.
LAUNCH = 2_000_000_000
# Sets of rows that stay on the device.
RESIDENT = 8


class CudaBatches:
    """Large batches by the first GPU of this process, small ones, and all once it failed, as ``processor`` does them."""

    def __init__(self, processor: Batches) -> None:
        self._processor, self._attempts = processor, Attempts("fits")
        # By the identities of the arrays, which are kept so that no others get them.
        self._resident: dict[tuple[int, ...], tuple[Rows, tuple[Any, ...], float]] = {}

    def takes(self, node_rows: int) -> bool:
        """True if the batch is large enough and the device works."""
        return node_rows >= WORTH and not self._attempts.has_failed

    def fit(
        self,
        batch: ProgramBatch,
        rows: Rows,
        linear: bool,
        evaluations: int,
        limit: NDArray[np.float64],
        late: Deadline,
    ) -> None:
        """As :meth:`hypo.parallel.batches.Batches.fit`."""
        done = self.takes(int(batch.length.sum()) * len(rows[1]) * evaluations) and self._attempts.run(
            lambda: self._fit(batch, rows, linear, evaluations, limit, late)
        )
        if not done:
            self._processor.fit(batch, rows, linear, evaluations, limit, late)

    def prepare(self) -> None:
        """Compiles the kernels, before the clock starts."""
        one = ProgramBatch.empty(1)
        one.length[0] = 1
        rows = np.ones((1, 2)), np.ones(2), np.ones(2)
        self._attempts.run(lambda: self._fit(one, rows, True, 2, np.full(1, np.inf), Deadline(np.inf)))

    def _fit(
        self,
        batch: ProgramBatch,
        rows: Rows,
        linear: bool,
        evaluations: int,
        limit: NDArray[np.float64],
        late: Deadline,
    ) -> bool:
        from numba import cuda

        from hypo.kernels.gpu import fit_batch as cuda_fit
        from hypo.kernels.gpu import packing as cuda_batch

        there, floor = self._rows(rows)
        packed = cuda_batch.packed(batch.programs, linear, limit)
        step = max(1, LAUNCH // (packed.longest * len(rows[1]) * evaluations))
        for first in range(0, len(batch), step):
            # What is found by the deadline is to be told: one launch there always is.
            if first and late.expired:
                break
            cuda_fit.fit(packed, first, min(first + step, len(batch)), there, floor, evaluations)
            cuda.synchronize()  # type: ignore[no-untyped-call]
        # Only now does anything change here.
        cuda_batch.unpack(packed, batch.programs, batch.rss, batch.coef)
        return True

    def _rows(self, rows: Rows) -> tuple[tuple[Any, ...], float]:
        """The rows on the device, and the sum of squares that is rounding."""
        from numba import cuda

        key = tuple(id(a) for a in rows)
        if key not in self._resident:
            while len(self._resident) >= RESIDENT:
                del self._resident[next(iter(self._resident))]
            there = tuple(cuda.to_device(np.ascontiguousarray(a)) for a in rows)
            self._resident[key] = rows, there, float(np.sum((rows[1] * rows[2]) ** 2)) * ROUNDING
        return self._resident[key][1:]
