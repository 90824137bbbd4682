"""Sums over all rows that a score and a fit are made of, taken block by block: memory does not grow with the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.row_likelihood import RowLikelihood

# Rows of a block: a formula of 5 variables and 10 constants takes 2 MB.
BLOCK_ROWS = 16_384

R = TypeVar("R")


class Mapper(Protocol):
    """Threads, or whatever else applies a function in this process."""

    def map(self, function: Callable[[int], R], items: Iterable[int], /) -> Iterator[R]:
        """``function(item)`` for each item, in the order of the items."""


@dataclass(frozen=True)
class RowSums:
    """Over all rows, with r the residual, w² the weight and g the gradient in the constant slots:
    ``rss`` Σ (w r)², ``plain`` Σ r², ``slope`` Σ w² r g (n_constant,), ``normal`` Σ w² g gᵀ (n_constant, n_constant).

    For likelihoods that are not Gaussian ``rss`` is the loss, and with the score s and the information I of a row ``slope`` is
    Σ s g and ``normal`` Σ I g gᵀ; ``scale`` is that of the noise, where unknown its most likely value, ``scale_information``
    the one on its logarithm, and ``shared`` (n_constant,) the one on both, 0 where known; ``size`` is Σ I t² with t the size of
    the target on the scale of the formula."""

    rss: float
    plain: float
    slope: NDArray[np.float64]
    normal: NDArray[np.float64]
    scale: float = math.nan
    scale_information: float = 0.0
    size: float = math.nan
    shared: NDArray[np.float64] | None = None

    @staticmethod
    def of(
        e: Expression,
        X: NDArray[np.float64],
        columns: Sequence[str],
        likelihood: Likelihood,
        *,
        gradient: bool = True,
        clock: Expiring | None = None,
        executor: Mapper | None = None,
    ) -> RowSums | None:
        """Sums for ``e`` on ``X`` (n_var, n_row); None where a value is not finite on some row, or time was up.

        Memory is O(BLOCK_ROWS·(n_variable + n_constant)) for each thread of ``executor``, whatever the number of rows. Blocks
        are added up in one order, so threads do not change the sums. Without ``gradient`` those that need it are 0.
        """
        if isinstance(likelihood, RowLikelihood):
            return _of_rows(e, X, columns, likelihood, gradient, clock, executor)
        assert isinstance(likelihood, Gaussian)
        lines = [list(columns).index(name) for name in e.variables]
        program = Program.of(e, e.variables)
        k = len(e.constants)
        slope, normal = np.zeros(k), np.zeros((k, k))
        rss = plain = 0.0
        root = likelihood.root_weights
        n_row = X.shape[1]

        def part(first: int) -> RowSums | None:
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
                    return RowSums(float(r @ r), bare, np.zeros(k), np.zeros((k, k)))
                if root is not None:
                    g *= root[rows]
                return RowSums(float(r @ r), bare, g @ r, g @ g.T)

        firsts = range(0, n_row, BLOCK_ROWS)
        for found in map(part, firsts) if executor is None else executor.map(part, firsts):
            if found is None or not (math.isfinite(found.plain) and math.isfinite(found.rss)):
                return None
            plain, rss = plain + found.plain, rss + found.rss
            slope, normal = slope + found.slope, normal + found.normal
        return RowSums(rss, plain, slope, normal)


def _of_rows(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: RowLikelihood,
    gradient: bool,
    clock: Expiring | None,
    executor: Mapper | None,
) -> RowSums | None:
    """:meth:`RowSums.of` for likelihoods that are not Gaussian: the predictions of all rows first, since an unknown scale
    depends on all of them, then gradients block by block."""
    n_row, k = X.shape[1], len(e.constants)
    firsts = range(0, n_row, BLOCK_ROWS)
    gradient = gradient and k > 0

    def each(function: Callable[[int], NDArray[np.float64] | None]) -> list[NDArray[np.float64]] | None:
        def one(first: int) -> NDArray[np.float64] | None:
            if clock is not None and clock.expired:
                return None
            # NumPy keeps its error state by thread.
            with np.errstate(all="ignore"):
                return function(first)

        found = list(map(one, firsts) if executor is None else executor.map(one, firsts))
        return None if any(v is None for v in found) else [v for v in found if v is not None]

    def block(first: int) -> tuple[RowLikelihood, NDArray[np.float64], slice]:
        rows = slice(first, min(first + BLOCK_ROWS, n_row))
        if len(firsts) == 1:
            return likelihood, X, rows
        return likelihood.take(np.arange(rows.start, rows.stop)), np.ascontiguousarray(X[:, rows]), rows

    def predicted(first: int) -> NDArray[np.float64]:
        some, x, _ = block(first)
        return some.predict(e, x, columns)

    both = None
    if gradient and len(firsts) == 1:
        with np.errstate(all="ignore"):
            both = likelihood.predict_with_gradient(e, X, columns)
        p = both[0]
    else:
        parts = each(predicted)
        if parts is None:
            return None
        p = np.concatenate(parts, axis=1)
    with np.errstate(all="ignore"):
        loss, scale = likelihood.loss_and_scale(p)
        plain = float(np.sum(likelihood.residual(p) ** 2))
        if not (math.isfinite(loss) and math.isfinite(plain)):
            return None
        curvature = likelihood.scale_information(p, scale)
        d = likelihood.derivatives(p, scale)
        score, information = likelihood.weigh(d.score), likelihood.weigh(d.information)
        cross = None if d.cross is None else likelihood.weigh(d.cross)
        size = float(information[0] @ likelihood.size**2)
    if not gradient:
        return RowSums(loss, plain, np.zeros(k), np.zeros((k, k)), scale, curvature, size)

    def products(first: int) -> NDArray[np.float64]:
        """Slope, cross information with the scale, and the Gauss–Newton matrix, (n_constant, n_constant + 2)."""
        some, x, rows = block(first)
        g = both[1] if both is not None else some.predict_with_gradient(e, x, columns)[1]
        out = np.zeros((k, k + 2))
        for m in range(len(g)):
            out[:, 0] += g[m] @ score[m, rows]
            if cross is not None:
                out[:, 1] += g[m] @ cross[m, rows]
            out[:, 2:] += (g[m] * information[m, rows]) @ g[m].T
        return out

    tables = each(products)
    if tables is None:
        return None
    table = sum(tables[1:], tables[0])
    slope, shared, normal = table[:, 0], table[:, 1], table[:, 2:]
    return RowSums(loss, plain, slope, normal, scale, curvature, size, shared if cross is not None else None)
