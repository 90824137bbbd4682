"""Sums over all rows that a score and a fit are made of, taken block by block: memory does not grow with the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.scoring.likelihood import Gaussian

# Rows of a block: a formula of 5 variables and 10 constants takes 2 MB.
BLOCK_ROWS = 16_384

R = TypeVar("R")


class Deadline(Protocol):
    """Something that knows when time is up."""

    @property
    def expired(self) -> bool:
        """Whether it is."""


class Mapper(Protocol):
    """Threads, or whatever else applies a function in this process."""

    def map(self, function: Callable[[int], R], items: Iterable[int], /) -> Iterator[R]:
        """``function(item)`` for each item, in the order of the items."""


@dataclass(frozen=True)
class Sums:
    """Over all rows, with r the residual, w² the weight and g the gradient in the constant slots:
    ``rss`` Σ (w r)², ``plain`` Σ r², ``slope`` Σ w² r g (n_constant,), ``normal`` Σ w² g gᵀ (n_constant, n_constant)."""

    rss: float
    plain: float
    slope: NDArray[np.float64]
    normal: NDArray[np.float64]

    @staticmethod
    def of(
        e: Expression,
        X: NDArray[np.float64],
        columns: Sequence[str],
        likelihood: Gaussian,
        *,
        gradient: bool = True,
        clock: Deadline | None = None,
        executor: Mapper | None = None,
    ) -> Sums | None:
        """Sums for ``e`` on ``X`` (n_var, n_row); None where a value is not finite on some row, or time was up.

        Memory is O(BLOCK_ROWS·(n_variable + n_constant)) for each thread of ``executor``, whatever the number of rows. Blocks
        are added up in one order, so threads do not change the sums. Without ``gradient`` those that need it are 0.
        """
        lines = [list(columns).index(name) for name in e.variables]
        program = Program.of(e, e.variables)
        k = len(e.constants)
        slope, normal = np.zeros(k), np.zeros((k, k))
        rss = plain = 0.0
        root = likelihood.root_weights
        n_row = X.shape[1]

        def part(first: int) -> Sums | None:
            if clock is not None and clock.expired:
                return None
            rows = slice(first, min(first + BLOCK_ROWS, n_row))
            block = np.empty((len(lines), rows.stop - rows.start))
            for line, at in zip(block, lines, strict=True):
                line[:] = X[at, rows]
            # NumPy keeps its error state by thread.
            with np.errstate(all="ignore"):
                if gradient and k:
                    f, g = program.value_and_gradient(block, program.values)
                else:
                    f, g = program.value(block), None
                r = likelihood.y[rows] - f
                bare = float(r @ r)
                if root is not None:
                    r *= root[rows]
                if g is None:
                    return Sums(float(r @ r), bare, np.zeros(k), np.zeros((k, k)))
                if root is not None:
                    g *= root[rows]
                return Sums(float(r @ r), bare, g @ r, g @ g.T)

        firsts = range(0, n_row, BLOCK_ROWS)
        for found in map(part, firsts) if executor is None else executor.map(part, firsts):
            if found is None or not (math.isfinite(found.plain) and math.isfinite(found.rss)):
                return None
            plain, rss = plain + found.plain, rss + found.rss
            slope, normal = slope + found.slope, normal + found.normal
        return Sums(rss, plain, slope, normal)
