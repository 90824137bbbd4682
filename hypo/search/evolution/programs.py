"""Batches of postfix programs, as evolution breeds and fits them: a program stands for a sum of terms with coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.kernels import opcodes as oc
from hypo.kernels.cpu.fit_batch import MAX_TERMS

# Nodes of a program.
WIDTH = 48


@dataclass
class ProgramBatch:
    """A batch of programs as in :mod:`hypo.kernels.cpu.fit_batch`, with their sums of squares ``rss`` and
    coefficients ``coef``."""

    op: NDArray[np.int32]
    arg: NDArray[np.int32]
    value: NDArray[np.float64]
    length: NDArray[np.int64]
    rss: NDArray[np.float64]
    coef: NDArray[np.float64]

    @staticmethod
    def empty(n: int) -> ProgramBatch:
        """Room for ``n`` programs, all of length 0."""
        return ProgramBatch(
            np.zeros((n, WIDTH), np.int32),
            np.zeros((n, WIDTH), np.int32),
            np.zeros((n, WIDTH)),
            np.zeros(n, np.int64),
            np.full(n, np.inf),
            np.zeros((n, MAX_TERMS + 1)),
        )

    def __len__(self) -> int:
        return len(self.length)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All six arrays."""
        return self.op, self.arg, self.value, self.length, self.rss, self.coef

    @property
    def programs(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
        """``(op, arg, value, length)``, as the kernels take them."""
        return self.op, self.arg, self.value, self.length

    def take(self, index: NDArray[np.int64]) -> ProgramBatch:
        """Copies of some programs."""
        return ProgramBatch(*(a[index] for a in self.arrays))

    def part(self, first: int, last: int) -> ProgramBatch:
        """Programs ``first`` to ``last`` - 1, the same memory."""
        return ProgramBatch(*(a[first:last] for a in self.arrays))

    def put(self, index: NDArray[np.int64] | slice, other: ProgramBatch) -> None:
        """Overwrites some programs."""
        for mine, theirs in zip(self.arrays, other.arrays, strict=True):
            mine[index] = theirs

    @staticmethod
    def join(parts: Sequence[ProgramBatch]) -> ProgramBatch:
        """All programs of ``parts``, in order."""
        return ProgramBatch(*(np.concatenate(a) for a in zip(*(p.arrays for p in parts), strict=True)))

    def key(self, k: int) -> bytes:
        """A key that is equal for programs that differ in fitted values only."""
        n = self.length[k]
        return self.op[k, :n].tobytes() + self.arg[k, :n].tobytes()

    def name(self, k: int) -> bytes:
        """A key that is equal for programs that hardly differ in their fitted values either."""
        return self.key(k) + f"{self.rss[k]:.3g}".encode()

    def terms(self) -> NDArray[np.int64]:
        """Terms (n,) of sums: a tidied one ends with the + that join them."""
        position = self.length[:, None] - 1 - np.arange(MAX_TERMS - 1)
        tail = np.take_along_axis(self.op, np.maximum(position, 0), axis=1) == oc.ADD
        joins: NDArray[np.int64] = np.sum(np.cumprod(tail & (position >= 0), axis=1), axis=1)
        return 1 + joins

    def sizes(self, linear: bool) -> NDArray[np.int64]:
        """Nodes (n,), where programs are ``linear`` with the coefficients."""
        return self.length + (2 * self.terms() + 2 if linear else 0)

    def numbers(self, linear: bool) -> NDArray[np.int64]:
        """Fitted numbers (n,), coefficients included."""
        within = np.arange(WIDTH) < self.length[:, None]
        free: NDArray[np.int64] = np.sum(within & (self.op == oc.CONST) & (self.arg < 0), axis=1)
        return free + (self.terms() + 1 if linear else 0)

    def keep_best(self, batch: ProgramBatch, linear: bool) -> None:
        """Of these programs, one of each size, those that one of the ``batch`` fits better than give way to it."""
        size = np.minimum(batch.sizes(linear), len(self) - 1)
        order = np.lexsort((batch.rss, size))
        _, first = np.unique(size[order], return_index=True)
        best = order[first]
        best = best[batch.rss[best] < self.rss[size[best]]]
        self.put(size[best], batch.take(best))
