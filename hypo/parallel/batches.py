"""Where batches are worked on: programs fitted to rows, by the processor here or by a device (:mod:`hypo.search.gpu.batches`).

The backend chooses once for a search. Islands that an executor sends elsewhere are fitted by the processor there: only this
process owns its device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Deadline
from hypo.kernels.cpu.fit_batch import fit_batch
from hypo.parallel.executor import Executor

if TYPE_CHECKING:
    from hypo.search.evolution.programs import ProgramBatch

# Programs fitted at once by one thread.
PIECE = 50

# X (n_var, n_row), the target and the roots of the weights of some rows.
Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Batches(Protocol):
    """Something that fits batches."""

    def takes(self, node_rows: int) -> bool:
        """True if a device is to do a batch of so many nodes times rows times evaluations: then it had better come whole."""
        ...

    def fit(
        self,
        batch: ProgramBatch,
        rows: Rows,
        linear: bool,
        evaluations: int,
        limit: NDArray[np.float64],
        late: Deadline,
    ) -> None:
        """Fits the programs in place by up to ``evaluations`` evaluations, giving up those above their ``limit`` (n,). What
        there was no time for has an infinite sum of squares."""
        ...


class Processor:
    """Batches in pieces, by threads where there are any; the outcome does not depend on them."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def takes(self, node_rows: int) -> bool:
        """Never: there is no device."""
        return False

    def fit(
        self,
        batch: ProgramBatch,
        rows: Rows,
        linear: bool,
        evaluations: int,
        limit: NDArray[np.float64],
        late: Deadline,
    ) -> None:
        """As :meth:`Batches.fit`; pieces that come after time is up are not fitted, and have no value."""

        def piece(k: int) -> None:
            if late.expired:
                batch.rss[k : k + PIECE] = np.inf
            else:
                fit_programs(batch.part(k, k + PIECE), rows, linear, evaluations, limit[k : k + PIECE])

        for _ in self._executor.map(piece, range(0, len(batch), PIECE)):
            pass


def fit_programs(
    batch: ProgramBatch, rows: Rows, linear: bool, evaluations: int, limit: NDArray[np.float64] | None = None
) -> ProgramBatch:
    """The batch itself, its constants fitted; programs that stay above their ``limit`` (n,) are given up."""
    if limit is None:
        limit = np.full(len(batch), np.inf)
    fit_batch(batch.programs, rows, linear, evaluations, limit, batch.rss, batch.coef)
    return batch
