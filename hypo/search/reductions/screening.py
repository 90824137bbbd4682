"""Screening of many columns: which matter, by themselves or only together with another.

A column's ranks u ∈ (0, 1) are expanded in cosines c_k = √2·cos(kπu), which are orthonormal for any distribution of the column.
With the target standardised, the sums over k of n·⟨y, c_k(u_i)⟩² (one column) and over k, l of n·⟨y, c_k(u_i)·c_l(u_j)⟩²
(two together) are χ² if the target knows nothing of them; all pairs cost one product of two matrices. The most
significant column or pair is taken, its functions are projected out of the target, and so on: a column that merely goes along
with one taken has nothing left to say. At the end each column is tested for the size of what is left, too, which sees
columns that act only through a product of three or more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Cosines for each column.
COSINES = 4
# Cosines for each column where there are more columns than WIDE_TABLE.
FEW_COSINES = 2
WIDE_TABLE = 250
# Columns that form pairs, the most significant ones, at most.
MOST_PAIRED = 600
# Rows that are looked at, fewer where there are more than MOST_VALUES values of cosines, but LEAST_ROWS.
MOST_ROWS = 3000
MOST_VALUES = 10_000_000
LEAST_ROWS = 300
# Columns that are taken, at most.
MOST_TAKEN = 10
# Significance of the largest of all statistics.
LEVEL = 0.01
# Share of the rows that functions projected out may number.
TERMS_SHARE = 0.25
# Targets are cut at so many times their interquartile range from the median: heavy tails would drown the rest.
CUT = 4.0


@dataclass(frozen=True)
class Screening:
    """Lines of X: those ``taken`` in order, and all in ``order``, the most significant first."""

    taken: tuple[int, ...]
    order: tuple[int, ...]


def screen(X: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64] | None = None) -> Screening:
    """The columns of ``X`` (n_var, n_row) by what they tell of ``y`` (n_row,)."""
    n_var = len(X)
    k = COSINES if n_var <= WIDE_TABLE else FEW_COSINES
    n = min(len(y), MOST_ROWS, max(LEAST_ROWS, MOST_VALUES // (n_var * k)))
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[:n])
    y = y[chosen]
    C = cosines(X[:, chosen], k)
    t = _cut(y)
    if weight is not None:
        # Residuals count by the root of their weight, here and in everything projected out.
        t = (t - np.average(t, weights=weight[chosen])) * np.sqrt(weight[chosen])
    taken: list[int] = []
    span = np.empty((0, n))
    scores = np.zeros(n_var)
    first: NDArray[np.float64] | None = None
    while True:
        t = _standard(_off(t, span))
        single = _surprise(n * np.sum((C @ t / n) ** 2, axis=1), k)
        if first is None:
            first = single
        best, group = _best(C, t, single, n_var)
        scores = np.maximum(scores, single)
        if best < -math.log(LEVEL) or len(taken) >= MOST_TAKEN:
            break
        new = _functions(C, group)
        if len(span) + len(new) > TERMS_SHARE * n:
            taken += [j for j in group if j not in taken]
            break
        before = len(span)
        span = _enlarge(span, new)
        taken += [j for j in group if j not in taken]
        if len(span) == before:
            break
    size = _standard(_cut(np.abs(_standard(_cut(y)))))
    spread = _surprise(n * np.sum((C @ size / n) ** 2, axis=1), k)
    left = _standard(np.abs(t))
    spread = np.maximum(spread, _surprise(n * np.sum((C @ left / n) ** 2, axis=1), k)) - math.log(n_var)
    rest = np.argsort(-np.maximum(scores, spread), kind="stable")
    alone = np.argsort(-np.maximum(first, spread), kind="stable")
    order = dict.fromkeys([*taken, *(int(j) for pair in zip(rest, alone, strict=True) for j in pair)])
    return Screening(tuple(taken), tuple(order))


def ranks(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ranks of each line's values (n_line, n), from 1; equal values have the mean of theirs. scipy.stats, which has them,
    too, takes half a second to load."""
    order = np.argsort(X, axis=1, kind="stable")
    ordered = np.take_along_axis(X, order, axis=1)
    at = np.arange(X.shape[1])
    edge = np.ones((len(X), X.shape[1] + 1), dtype=bool)
    edge[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(edge[:, :-1], at, 0), axis=1)
    last = np.minimum.accumulate(np.where(edge[:, 1:], at, X.shape[1])[:, ::-1], axis=1)[:, ::-1]
    out = np.empty(X.shape)
    np.put_along_axis(out, order, 0.5 * (first + last) + 1.0, axis=1)
    return out


def cosines(X: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """√2·cos(kπu) of the ranks (n_var, count, n_row), of means 0 and mean squares 1 (0 where a column has few values)."""
    u = (ranks(X) - 0.5) / X.shape[1]
    out = np.array([np.cos(k * math.pi * u) for k in range(1, count + 1)]).transpose(1, 0, 2)
    out -= out.mean(axis=2, keepdims=True)
    size = np.sqrt(np.mean(out**2, axis=2, keepdims=True))
    return np.asarray(np.where(size > 0.1, out / np.where(size > 0, size, 1.0), 0.0))


def _best(
    C: NDArray[np.float64], t: NDArray[np.float64], single: NDArray[np.float64], n_var: int
) -> tuple[float, tuple[int, ...]]:
    """The surprise of the most surprising column or pair, less the logarithm of how many there are."""
    j = int(np.argmax(single))
    best, group = float(single[j]) - math.log(n_var), (j,)
    among = np.sort(np.argsort(-single, kind="stable")[:MOST_PAIRED])
    k, n = C.shape[1:]
    rows = C[among].reshape(-1, n)
    # One factor of n_row² for all pairs: unit mean squares for independent columns.
    r = ((rows * t) @ rows.T / n).reshape(len(among), k, len(among), k)
    total = n * np.einsum("ikjl->ij", r**2)
    total[np.tril_indices(len(among))] = 0.0
    a, b = divmod(int(np.argmax(total)), len(among))
    pair = float(_surprise(total[a, b], k * k)) - math.log(max(1, len(among) * (len(among) - 1) // 2))
    return (pair, (int(among[a]), int(among[b]))) if pair > best else (best, group)


def _functions(C: NDArray[np.float64], group: tuple[int, ...]) -> NDArray[np.float64]:
    """The functions of a column, or of two and of both together."""
    rows = [C[j] for j in group]
    if len(group) == 2:
        rows.append((C[group[0]][:, None] * C[group[1]]).reshape(-1, C.shape[2]))
    return np.concatenate(rows)


def _enlarge(span: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis of the span and new rows."""
    rest = new - (new @ span.T) @ span
    _, size, axes = np.linalg.svd(rest - (rest @ span.T) @ span, full_matrices=False)
    return np.concatenate([span, axes[size > 1e-6 * math.sqrt(new.shape[1])]])


def _off(t: NDArray[np.float64], span: NDArray[np.float64]) -> NDArray[np.float64]:
    return t - (t @ span.T) @ span


def _surprise(statistic: NDArray[np.float64] | float, freedom: int) -> NDArray[np.float64]:
    """−log of the chance that χ² with so many degrees of freedom exceeds the statistic (Wilson and Hilferty's cube root)."""
    from scipy.special import log_ndtr

    z = (np.cbrt(np.asarray(statistic) / freedom) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return -np.asarray(log_ndtr(-z))


def _cut(y: NDArray[np.float64]) -> NDArray[np.float64]:
    low, middle, high = np.quantile(y, [0.25, 0.5, 0.75])
    reach = CUT * (high - low)
    return y if reach == 0.0 else np.clip(y, middle - reach, middle + reach)


def _standard(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = t - t.mean()
    size = float(np.sqrt(np.mean(t**2)))
    return t / size if size > 0 else t
