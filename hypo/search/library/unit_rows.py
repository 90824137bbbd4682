"""Unit rows: rows of length 1 orthogonal to a small fixed basis, of which inner products are correlations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


def orthonormal(rows: Sequence[NDArray[np.float64]], n: int) -> Rows:
    """An orthonormal basis (n_basis, n) of the span of ``rows``; dependent ones are left out."""
    out: list[NDArray[np.float64]] = []
    for row in rows:
        v = np.array(row, dtype=np.float64)
        size = np.linalg.norm(v)
        if not np.isfinite(size) or size == 0.0:
            continue
        v /= size
        for _ in range(2):
            for q in out:
                v -= (q @ v) * q
        size = np.linalg.norm(v)
        if size > 1e-8:
            out.append(v / size)
    return np.array(out) if out else np.empty((0, n))


def project_off(rows: Rows, basis: Rows) -> Rows:
    """The parts of ``rows`` (n_row, n) orthogonal to an orthonormal ``basis`` (n_basis, n). Taken off twice, as by Gram and
    Schmidt: once leaves rounding where little is left."""
    if len(basis):
        for _ in range(2):
            rows = rows - (rows @ basis.T) @ basis
    return rows


def unit_rows(rows: Rows, basis: Rows, *, least: float = 1e-7) -> tuple[Rows, NDArray[np.int64]]:
    """Rows projected off the basis and scaled to length 1, and which of them are left (those within the span go)."""
    size = np.linalg.norm(rows, axis=1)
    with np.errstate(all="ignore"):
        out = rows / size[:, None]
    out = project_off(out, basis)
    rest = np.linalg.norm(out, axis=1)
    keep = np.flatnonzero(np.isfinite(rest) & (rest > least))
    return np.ascontiguousarray(out[keep] / rest[keep, None]), keep


def distinct_rows(rows: Rows, decimals: int = 9) -> NDArray[np.int64]:
    """Indices of the first of each set of unit rows that agree up to sign."""
    if len(rows) == 0:
        return np.empty(0, np.int64)
    rng = np.random.default_rng(12345)
    probe = np.abs(rows @ rng.standard_normal((rows.shape[1], 2)))
    _, first = np.unique(np.round(probe, decimals), axis=0, return_index=True)
    return np.sort(first)
