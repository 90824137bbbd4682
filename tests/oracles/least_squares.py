"""Slow scores of pairs by np.linalg.lstsq, and vectors to score."""

import numpy as np
import pytest

from hypo.search.scan import prefilter as columns

N = 30  # rows of data


def narrow(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Scans of any size begin with a pilot and multiply so many columns, whatever that costs."""
    monkeypatch.setattr(columns, "PREPARED_FROM", 0)
    monkeypatch.setattr(columns, "FIRST_ROWS", 6)
    monkeypatch.setattr(columns, "WIDTHS", (count,))
    monkeypatch.setattr(columns, "COMPUTED", 0)


def share(t: np.ndarray, columns: list[np.ndarray], basis: np.ndarray) -> float:
    """Explained share of t's part off the basis, by least squares on all columns together."""
    A = np.column_stack([*basis, *columns])
    rest = t - (basis.T @ np.linalg.lstsq(basis.T, t, rcond=None)[0] if len(basis) else 0)
    r = t - A @ np.linalg.lstsq(A, t, rcond=1e-13)[0]
    return 1 - float(r @ r) / float(rest @ rest)


def vectors(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 2.0, shape)


def basis_of(kind: str) -> np.ndarray:
    if kind == "none":
        return np.empty((0, N))
    return (
        np.ones((1, N)) if kind == "constant" else np.array([np.ones(N), np.log(vectors(9, N)), np.log(vectors(10, N))])
    )


BASES = pytest.mark.parametrize("kind", ["none", "constant", "three"])
