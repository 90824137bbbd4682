"""A few columns decide which pairs are looked at, and the pairs of a tile: against slow loops over np.linalg.lstsq."""

from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypo.clock import Clock
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.scan import pair_scan as scan
from hypo.search.scan.pair_scan import Best, scan_products, scan_sums
from tests.oracles.least_squares import N, narrow

pytestmark = pytest.mark.usefixtures("one_thread", "no_numpy_noise")


# --- a few columns ----------------------------------------------------------------------------------------------


def library(kind: str) -> np.ndarray:
    """Rows as they come: smooth ones, spikes, the same again, nearly the same, and sums of others."""
    rng = np.random.default_rng(5)
    x, z = rng.uniform(0.2, 2.0, (2, N))
    smooth = np.array(
        [
            f(u)
            for u in (x, z, x * z, x + z, x / z)
            for f in (np.sqrt, np.square, np.log, np.exp, np.sin, lambda v: 1 / (1 + v), lambda v: 1 / (v - 1.03))
        ]
    )
    if kind == "smooth":
        return smooth
    if kind == "repeated":
        return np.vstack([smooth[:12], smooth[:12], -2 * smooth[:6]])
    size = {"near": 1e-3, "nearer": 3e-5}[kind]
    return np.vstack([smooth[:15], smooth[:15] + size * rng.standard_normal((15, N))])


def slow_sum(t: np.ndarray, f: np.ndarray, g: np.ndarray) -> float:
    """R² of t ≈ b·f + c·g from the angle between f and what f leaves of g."""
    if 1 - (f @ g) ** 2 <= 1e-10:
        return 0.0
    h = g - (f @ g) * f
    h -= (f @ h) * f
    return float((t @ f) ** 2 + (t @ h) ** 2 / (h @ h))


def slow_product(t: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    h = p - (p @ q.T) @ q
    return float((t @ h) ** 2 / (h @ h)) if h @ h > 1e-10 * (p @ p) else 0.0


KINDS = pytest.mark.parametrize("kind", ["smooth", "repeated", "near", "nearer"])
NOISE = pytest.mark.parametrize("noise", [0.0, 1e-6, 0.1, None], ids=["exact", "1e-6", "0.1", "noise alone"])


def check_scores(best: Best, slow: dict[tuple[int, int], float], keep: int, error: float) -> None:
    """As :func:`check` where scores may be equal: the scores are the best ones, and those of their pairs."""
    want = np.sort([r for r in slow.values() if r > 0])[::-1][:keep]
    np.testing.assert_allclose(best.r2, want, rtol=0, atol=error)
    pairs = list(zip(best.i.tolist(), best.j.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    np.testing.assert_allclose(best.r2, [slow[pair] for pair in pairs], rtol=0, atol=error)


def noisy(t: np.ndarray, noise: float | None) -> np.ndarray:
    e = np.random.default_rng(8).standard_normal(N)
    return e if noise is None else t + noise * np.std(t) * e


@KINDS
@NOISE
@pytest.mark.parametrize("count", [1, 4, 16])
def test_sums_of_a_few_columns_against_slow_loops(
    kind: str, noise: float | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, count)
    F, q = library(kind), orthonormal([np.ones(N)], N)
    t = np.array([noisy(3 + F[3] - 2 * F[9], noise), noisy(F[2] + 1e-4 * F[20], noise), np.ones(N)])
    rows, _ = unit_rows(F, q)
    targets = np.array([*unit_rows(t[:2], q)[0], np.zeros(N)])
    # Rounding of R² by the closed form, where rows are nearly the same.
    error = 1e-12 if kind in ("smooth", "repeated") else 1e-14 / {"near": 1e-6, "nearer": 1e-9}[kind]
    for second in (None, rows[::-1].copy()):
        G = rows if second is None else second
        for keep in (1, 20, 10_000):
            for target, best in zip(targets, scan_sums(targets, rows, second, keep=keep, clock=Clock()), strict=True):
                pairs = combinations(range(len(F)), 2) if second is None else product(range(len(F)), repeat=2)
                check_scores(
                    best,
                    {(i, j): slow_sum(target, rows[i], G[j]) for i, j in pairs} if target.any() else {},
                    keep,
                    error,
                )


@KINDS
@NOISE
@pytest.mark.parametrize("count", [3, 8, 20])
def test_products_of_a_few_columns_against_slow_loops(
    kind: str, noise: float | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, count)
    F, q = library(kind), orthonormal([np.ones(N)], N)
    targets = unit_rows(np.array([noisy(3 + F[3] * F[9], noise), noisy(F[2] * F[8], noise)]), q)[0]
    targets = np.array([*targets, np.zeros(N)])
    for second in (None, F[::-1].copy()):
        G = F if second is None else second
        for keep in (1, 20, 10_000):
            for target, best in zip(
                targets, scan_products(targets, F, second, q, keep=keep, clock=Clock()), strict=True
            ):
                some = (
                    combinations_with_replacement(range(len(F)), 2)
                    if second is None
                    else product(range(len(F)), repeat=2)
                )
                pairs = {(i, j): slow_product(target, F[i] * G[j], q) for i, j in some} if target.any() else {}
                check_scores(best, pairs, keep, 1e-9)


@pytest.mark.parametrize("count", [2, 8, 16])
def test_an_exact_sum_is_found_whatever_the_columns_show(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, count)
    F, q = library("smooth"), orthonormal([np.ones(N)], N)
    rows, _ = unit_rows(F, q)
    for i, j in combinations(range(0, len(F), 3), 2):
        # Two rows that nearly cancel: neither shows in the target. Logs of x, z, xz and x/z make several exact sums.
        sign = -np.sign(rows[i] @ rows[j])
        targets, _ = unit_rows((rows[i] + sign * rows[j])[None], q)
        best = scan_sums(targets, rows, None, keep=10, clock=Clock())[0]
        assert best.r2[0] == pytest.approx(1, abs=1e-12)
        assert (i, j) in set(zip(best.i.tolist(), best.j.tolist(), strict=True))


@pytest.mark.parametrize("form", ["sums", "products"])
@pytest.mark.parametrize("count", [4, 12])
def test_a_few_columns_give_the_same_lists_as_all(form: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    q = orthonormal([np.ones(N)], N)
    rng = np.random.default_rng(0)
    # Some rows are far larger in a few places than elsewhere.
    F, _ = unit_rows(
        rng.standard_normal((400, 6)) @ rng.standard_normal((6, N)) + 0.1 * rng.standard_cauchy((400, N)), q
    )
    T, _ = unit_rows(np.array([F[7] + F[90], F[7] * F[90], *rng.standard_normal((2, N))]), q)

    def lists() -> list[Best]:
        if form == "sums":
            return scan_sums(T, F, None, keep=60, clock=Clock())
        return scan_products(T, F, None, q, keep=60, clock=Clock())

    whole = lists()
    narrow(monkeypatch, count)
    for one, two in zip(whole, lists(), strict=True):
        np.testing.assert_array_equal(one.r2, two.r2)
        np.testing.assert_array_equal(one.i, two.i)
        np.testing.assert_array_equal(one.j, two.j)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 60), st.integers(0, 60), st.integers(0, 1))
def test_pairs_of_a_tile_are_counted(n_f: int, n_g: int, f0: int, g0: int, gap: int) -> None:
    want = sum(g0 + b >= f0 + a + gap for a in range(n_f) for b in range(n_g))
    assert scan._pairs(f0, n_f, g0, n_g, True, gap) == want
    assert scan._pairs(f0, n_f, g0, n_g, False, gap) == n_f * n_g


# --- vectors ----------------------------------------------------------------------------------------------------
