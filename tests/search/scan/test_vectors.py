"""Vectors of scans: orthonormal bases, unit rows, distinct rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.search.library.unit_rows import distinct_rows, orthonormal, unit_rows
from tests.oracles.least_squares import N, vectors

pytestmark = pytest.mark.usefixtures("one_thread", "no_numpy_noise")


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    """Rows of many sizes, with dependent, repeated, zero and invalid ones among them."""
    seed, n_row, n = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 8)), draw(st.integers(8, 20))
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_row, n)) * 10.0 ** rng.integers(-8, 9, (n_row, 1))
    for kind in draw(st.lists(st.sampled_from(["zero", "nan", "inf", "repeat", "negative", "mix"]), max_size=4)):
        new = {
            "zero": np.zeros(n),
            "nan": np.full(n, np.nan),
            "inf": np.full(n, np.inf),
            "repeat": rows[0] * 3,
            "negative": -rows[0],
            "mix": rows[: max(1, n_row // 2)].sum(axis=0),
        }[kind]
        rows = np.vstack([rows, new])
    return rows


def rank_of(rows: np.ndarray) -> int:
    good = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows).max(axis=1) > 0)]
    return int(np.linalg.matrix_rank(good / np.linalg.norm(good, axis=1)[:, None], tol=1e-7)) if len(good) else 0


@given(matrices())
@settings(max_examples=150)
def test_orthonormal_spans_the_rows(rows: np.ndarray) -> None:
    q = orthonormal(list(rows), rows.shape[1])
    np.testing.assert_allclose(q @ q.T, np.eye(len(q)), atol=1e-12)
    good = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows).max(axis=1) > 0)]
    good = good / np.linalg.norm(good, axis=1)[:, None]
    np.testing.assert_allclose(good @ q.T @ q, good, atol=1e-7)
    assert len(q) == rank_of(rows)


@given(matrices(), st.integers(0, 2))
@settings(max_examples=150)
def test_unit_rows_are_unit_and_off_the_basis(rows: np.ndarray, n_basis: int) -> None:
    n = rows.shape[1]
    q = orthonormal([np.ones(n), np.arange(n)][:n_basis], n)
    units, kept = unit_rows(rows, q)
    assert list(kept) == sorted(set(kept.tolist())) and len(units) == len(kept)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(units @ q.T, 0, atol=1e-8)
    left = set(range(len(rows))) - set(kept.tolist())
    assert all(not np.isfinite(rows[k]).all() or not rows[k].any() for k in left)
    for unit, k in zip(units, kept, strict=True):
        off = rows[k] - rows[k] @ q.T @ q
        np.testing.assert_allclose(unit, off / np.linalg.norm(off), atol=1e-7)


def test_unit_rows_drops_what_lies_in_the_basis() -> None:
    q = orthonormal([np.ones(N), vectors(1, N)], N)
    rows = np.array([np.full(N, 5.0), 3 - 2 * vectors(1, N), vectors(2, N)])
    assert unit_rows(rows, q)[1].tolist() == [2]


@given(matrices())
@settings(max_examples=150)
def test_distinct_rows_keeps_the_first_of_each_up_to_sign(rows: np.ndarray) -> None:
    units, _ = unit_rows(rows, np.empty((0, rows.shape[1])))
    kept = distinct_rows(units)

    def apart(u: np.ndarray, v: np.ndarray) -> float:
        return min(np.abs(u - v).max(), np.abs(u + v).max())

    want = [k for k in range(len(units)) if all(apart(units[k], units[j]) > 1e-12 for j in range(k))]
    # Rows a billionth apart may count either way.
    clear = {k for k in want if all(apart(units[k], units[j]) > 1e-7 for j in range(k))}
    assert clear <= set(kept.tolist()) <= set(want)
