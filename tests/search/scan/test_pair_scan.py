"""Pair scans against slow loops over np.linalg.lstsq; threads and deadlines."""

import time
from collections.abc import Callable
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest

from hypo.clock import Clock
from hypo.parallel.executor import Threads
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.scan import pair_scan as scan
from hypo.search.scan.pair_scan import Best, scan_products, scan_sums
from hypo.search.scan.tuple_scan import extend_tuples
from tests.oracles.least_squares import BASES, N, basis_of, narrow, share, vectors

pytestmark = pytest.mark.usefixtures("one_thread", "no_numpy_noise")


@pytest.fixture(
    params=[(256, 1024, None), (7, 16, None), (16, 7, None), (1, 1, None), (256, 1024, 12), (7, 16, 3)],
    ids=lambda t: f"tiles {t[0]}x{t[1]}, {t[2] or 'all'} columns",
)
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Tiles larger than the sets, and small ones whose borders cut them; scans of all columns, and of a few with a pilot."""
    n_f, n_g, count = request.param
    monkeypatch.setattr(scan, "TILE_F", n_f)
    monkeypatch.setattr(scan, "TILE_G", n_g)
    if count:
        narrow(monkeypatch, count)
    return n_f, n_g


def check(best: Best, slow: dict[tuple[int, int], float], keep: int) -> None:
    """The list holds the ``keep`` best pairs in order, with their R²."""
    want = sorted(slow.items(), key=lambda item: -item[1])[:keep]
    assert len(best.r2) == len(want)
    np.testing.assert_allclose(best.r2, [r for _, r in want], atol=1e-9)
    assert np.all(np.diff(best.r2) <= 0)
    got = dict(zip(zip(best.i.tolist(), best.j.tolist(), strict=True), best.r2, strict=True))
    assert set(got) == {pair for pair, _ in want}
    for pair, r2 in got.items():
        assert r2 == pytest.approx(slow[pair], abs=1e-9)


# --- sums -------------------------------------------------------------------------------------------------------


@BASES
def test_sums_within_one_set(kind: str, tiles: tuple[int, int]) -> None:
    F, t, z = vectors(1, 40, N), vectors(2, 3, N), basis_of(kind)
    q = orthonormal(list(z), N)
    rows, kept = unit_rows(F, q)
    targets, _ = unit_rows(t, q)
    assert len(kept) == 40
    clock = Clock()
    found = scan_sums(targets, rows, None, keep=50, clock=clock)
    assert clock.scored == 3 * 40 * 39 // 2
    for k in range(3):
        check(found[k], {(i, j): share(t[k], [F[i], F[j]], z) for i, j in combinations(range(40), 2)}, 50)


@BASES
def test_sums_across_two_sets(kind: str, tiles: tuple[int, int]) -> None:
    F, G, t, z = vectors(1, 20, N), vectors(3, 33, N), vectors(2, 2, N), basis_of(kind)
    q = orthonormal(list(z), N)
    clock = Clock()
    found = scan_sums(unit_rows(t, q)[0], unit_rows(F, q)[0], unit_rows(G, q)[0], keep=40, clock=clock)
    assert clock.scored == 2 * 20 * 33
    for k in range(2):
        check(found[k], {(i, j): share(t[k], [F[i], G[j]], z) for i, j in product(range(20), range(33))}, 40)


def test_more_room_than_pairs() -> None:
    F, t = vectors(1, 4, N), vectors(2, 1, N)
    none = np.empty((0, N))
    best = scan_sums(unit_rows(t, none)[0], unit_rows(F, none)[0], None, keep=1000, clock=Clock())[0]
    check(best, {(i, j): share(t[0], [F[i], F[j]], none) for i, j in combinations(range(4), 2)}, 1000)


def test_an_exact_sum_comes_first_with_full_share() -> None:
    F = vectors(1, 60, N)
    q = orthonormal([np.ones(N)], N)
    t = 3 - 2 * F[11] + 0.7 * F[52]
    best = scan_sums(unit_rows(t[None], q)[0], unit_rows(F, q)[0], None, keep=5, clock=Clock())[0]
    assert (best.i[0], best.j[0]) == (11, 52)
    assert best.r2[0] == pytest.approx(1, abs=1e-12) and best.r2[0] <= 1 and best.r2[1] < 0.99


def test_collinear_rows_explain_no_more_than_one() -> None:
    F = vectors(1, 3, N)
    rows, _ = unit_rows(np.array([F[0], F[0] * (1 + 1e-13), F[1]]), np.empty((0, N)))
    t, _ = unit_rows(F[2:], np.empty((0, N)))
    best = scan_sums(t, rows, None, keep=10, clock=Clock())[0]
    assert (0, 1) not in set(zip(best.i.tolist(), best.j.tolist(), strict=True))
    assert len(best.r2) == 2


# --- products ---------------------------------------------------------------------------------------------------


@BASES
def test_products_within_one_set(kind: str, tiles: tuple[int, int]) -> None:
    F, t, z = vectors(1, 35, N), vectors(2, 2, N), basis_of(kind)
    q = orthonormal(list(z), N)
    clock = Clock()
    found = scan_products(unit_rows(t, q)[0], F, None, q, keep=60, clock=clock)
    assert clock.scored == 2 * 35 * 36 // 2
    for k in range(2):
        pairs = combinations_with_replacement(range(35), 2)
        check(found[k], {(i, j): share(t[k], [F[i] * F[j]], z) for i, j in pairs}, 60)


@BASES
def test_products_across_two_sets(kind: str, tiles: tuple[int, int]) -> None:
    F, G, t, z = vectors(1, 18, N), vectors(3, 21, N), vectors(2, 2, N), basis_of(kind)
    q = orthonormal(list(z), N)
    found = scan_products(unit_rows(t, q)[0], F, G, q, keep=25, clock=Clock())
    for k in range(2):
        check(found[k], {(i, j): share(t[k], [F[i] * G[j]], z) for i, j in product(range(18), range(21))}, 25)


def test_a_product_within_the_basis_explains_nothing() -> None:
    x = vectors(4, N)
    q = orthonormal([np.ones(N)], N)
    t, _ = unit_rows(vectors(2, 1, N), q)
    best = scan_products(t, np.array([x, 1 / x]), None, q, keep=5, clock=Clock())[0]
    assert sorted(zip(best.i.tolist(), best.j.tolist(), strict=True)) == [(0, 0), (1, 1)]


# --- threads and time -------------------------------------------------------------------------------------------


def test_two_threads_give_the_same_lists() -> None:
    F, G, t = vectors(1, 900, N), vectors(3, 700, N), vectors(2, 3, N)
    q = orthonormal([np.ones(N)], N)
    F, G, T = unit_rows(F, q)[0], unit_rows(G, q)[0], unit_rows(t, q)[0]
    scans: list[Callable[[Threads | None], list[Best]]] = [
        lambda pool: scan_sums(T, F, None, keep=200, clock=Clock(), executor=pool),
        lambda pool: scan_sums(T, F, G, keep=200, clock=Clock(), executor=pool),
        lambda pool: scan_products(T, F, None, q, keep=200, clock=Clock(), executor=pool),
        lambda pool: scan_products(T, F, G, q, keep=200, clock=Clock(), executor=pool),
    ]
    with Threads(2) as pool:
        for run in scans:
            for one, two in zip(run(None), run(pool), strict=True):
                np.testing.assert_array_equal(one.r2, two.r2)
                np.testing.assert_array_equal(one.i, two.i)
                np.testing.assert_array_equal(one.j, two.j)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_expired_clock_ends_a_scan_at_once(threads: int) -> None:
    F, _ = unit_rows(vectors(1, 6000, N), np.empty((0, N)))
    late = Clock(deadline=time.monotonic() - 1)
    with Threads(2) as pool:
        executor = pool if threads == 2 else None
        begin = time.monotonic()
        for best in (
            *scan_sums(F[:4], F, None, keep=300, clock=late, executor=executor),
            *scan_products(F[:4], F, None, np.empty((0, N)), keep=300, clock=late, executor=executor),
        ):
            assert len(best.r2) == len(best.i) == len(best.j) == 0
        terms, r2 = extend_tuples(F[0], F, np.array([[1, 2]]), keep=5, clock=late)
        assert terms.shape == (0, 3) and len(r2) == 0
        assert time.monotonic() - begin < 1


def test_a_deadline_inside_a_scan_gives_what_was_found() -> None:
    F, _ = unit_rows(vectors(1, 12000, N), np.empty((0, N)))
    begin = time.monotonic()
    best = scan_sums(F[:2], F[2:], None, keep=50, clock=Clock(deadline=begin + 0.05))
    assert time.monotonic() - begin < 1.5
    assert 0 < len(best[0].r2) <= 50


# --- vectors ----------------------------------------------------------------------------------------------------
