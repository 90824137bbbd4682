"""Pair scans against slow loops over np.linalg.lstsq, and the vectors they work on."""

import time
from collections.abc import Callable, Iterator
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from hypo.clock import Clock
from hypo.kernels.cpu.pair_scan import push, refit
from hypo.kernels.opcodes import DIV, EXP, MUL, SQRT, SUB
from hypo.parallel.executor import Threads
from hypo.search.library.unit_rows import distinct_rows, orthonormal, unit_rows
from hypo.search.scan import pair_scan as scan
from hypo.search.scan import prefilter as columns
from hypo.search.scan.pair_scan import Best, scan_products, scan_sums
from hypo.search.scan.tuple_scan import extend_tuples, scan_triples

N = 30  # rows of data


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in the engine; threads of BLAS that wait for each other would be timed too."""
    with threadpool_limits(1):
        yield


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


def vectors(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 2.0, shape)


def basis_of(kind: str) -> np.ndarray:
    if kind == "none":
        return np.empty((0, N))
    return (
        np.ones((1, N)) if kind == "constant" else np.array([np.ones(N), np.log(vectors(9, N)), np.log(vectors(10, N))])
    )


BASES = pytest.mark.parametrize("kind", ["none", "constant", "three"])


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


# --- longer sums ------------------------------------------------------------------------------------------------


@BASES
def test_extend_finds_the_best_further_row(kind: str) -> None:
    F, t, z = vectors(1, 25, N), vectors(2, N), basis_of(kind)
    q = orthonormal(list(z), N)
    rows, target = unit_rows(F, q)[0], unit_rows(t[None], q)[0][0]
    terms, r2 = extend_tuples(target, rows, np.array([[3, 17], [0, 1]]), keep=6, clock=Clock())
    slow = {}
    for start in ((3, 17), (0, 1)):
        for k in set(range(25)) - set(start):
            key = tuple(sorted((*start, k)))
            slow[key] = share(t, [F[i] for i in key], z)
    want = sorted(slow.items(), key=lambda item: -item[1])[:6]
    assert [tuple(k) for k in terms.tolist()] == [k for k, _ in want]
    np.testing.assert_allclose(r2, [r for _, r in want], atol=1e-9)


def test_extend_leaves_out_rows_within_the_tuple() -> None:
    F, _ = unit_rows(vectors(1, 6, N), np.empty((0, N)))
    F[5] = (F[0] + F[1]) / np.linalg.norm(F[0] + F[1])
    terms, r2 = extend_tuples(F[2], F, np.array([[0, 1]]), keep=1, clock=Clock())
    assert terms.tolist() == [[0, 1, 2]] and r2[0] == pytest.approx(1)


@BASES
def test_triples_against_slow_loops(kind: str) -> None:
    F, t, z = vectors(1, 14, N), vectors(2, 2, N), basis_of(kind)
    q = orthonormal(list(z), N)
    clock = Clock()
    found = scan_triples(unit_rows(t, q)[0], unit_rows(F, q)[0], keep=20, clock=clock)
    assert clock.scored == 2 * 14 * 13 * 12 // 6
    for k in range(2):
        slow = {c: share(t[k], [F[i] for i in c], z) for c in combinations(range(14), 3)}
        # Of the triples that share their first two rows the best is kept.
        best = [max((c for c in slow if c[:2] == pair), key=lambda c: slow[c]) for pair in {c[:2] for c in slow}]
        want = sorted(best, key=lambda c: -slow[c])[:20]
        assert [tuple(c) for c in found[k].tolist()] == want


# --- the refit kernel -------------------------------------------------------------------------------------------

STEPS: dict[str, list[tuple[int, int, Callable[[np.ndarray, np.ndarray], np.ndarray]]]] = {
    "none": [],
    "exp": [(EXP, 0, lambda p, u: np.exp(p))],
    "exp, minus": [(EXP, 0, lambda p, u: np.exp(p)), (SUB, 1, lambda p, u: p - u)],
    "u minus": [(SUB, -1, lambda p, u: u - p)],
    "u divided by, times, root": [
        (DIV, -1, lambda p, u: u / p),
        (MUL, 1, lambda p, u: p * u),
        (SQRT, 0, lambda p, u: np.sqrt(p)),
    ],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("product_form", [False, True])
@pytest.mark.parametrize("n_term", [1, 2, 3, 4])
@BASES
def test_refit_against_lstsq(kind: str, n_term: int, product_form: bool, steps: list) -> None:
    F, target, y, root = vectors(1, 9, N), vectors(2, N), vectors(5, N), np.abs(vectors(6, N)) + 0.1
    z = basis_of(kind)
    rng = np.random.default_rng(n_term)
    terms = np.array([rng.permutation(9)[:n_term] for _ in range(12)])
    operand = vectors(7, len(steps), N)
    rss = np.empty(12)
    refit(
        product_form,
        terms,
        F,
        orthonormal(list(z * root), N),
        target,
        root,
        np.array([s[0] for s in steps], np.int64),
        np.array([s[1] for s in steps], np.int64),
        operand,
        y,
        root,
        rss,
    )
    for k, chosen in enumerate(terms):
        columns = [np.prod(F[chosen], axis=0)] if product_form else list(F[chosen])
        A = np.column_stack([*z, *columns])
        p = A @ np.linalg.lstsq(A * root[:, None], target * root, rcond=None)[0]
        with np.errstate(all="ignore"):
            for (_, _, apply), u in zip(steps, operand, strict=True):
                p = apply(p, u)
        want = float(np.sum((root * (y - p)) ** 2))
        assert rss[k] == (pytest.approx(want, rel=1e-9) if np.isfinite(want) else np.inf)


def test_refit_of_the_basis_alone() -> None:
    target, z = vectors(2, N), basis_of("three")
    none = np.empty(0, np.int64)
    rss = np.empty(1)
    refit(
        False,
        np.empty((1, 0), np.int64),
        np.empty((0, N)),
        orthonormal(list(z), N),
        target,
        np.ones(N),
        none,
        none,
        np.empty((0, N)),
        target,
        np.ones(N),
        rss,
    )
    r = target - z.T @ np.linalg.lstsq(z.T, target, rcond=None)[0]
    assert rss[0] == pytest.approx(float(r @ r), rel=1e-10)


def test_refit_of_dependent_rows_is_that_of_the_independent_ones() -> None:
    F, target = vectors(1, 3, N), vectors(2, N)
    F[2] = F[0] - 2 * F[1]
    none = np.empty(0, np.int64)
    rss = np.empty(2)
    terms = np.array([[0, 1, 2], [0, 2, 1]])
    refit(False, terms, F, np.empty((0, N)), target, np.ones(N), none, none, np.empty((0, N)), target, np.ones(N), rss)
    A = F[:2].T
    r = target - A @ np.linalg.lstsq(A, target, rcond=None)[0]
    np.testing.assert_allclose(rss, float(r @ r), rtol=1e-9)


# --- the top list -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60, unique=True),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100)
def test_the_top_list_does_not_depend_on_the_order_of_visits(entries: list, keep: int, random: object) -> None:
    def top(order: list) -> list:
        score, i, j = np.zeros(keep), np.full(keep, 10**6), np.full(keep, 10**6)
        for s, a, b in order:
            push(s / 8, a, b, score, i, j)
        return sorted(zip(score.tolist(), i.tolist(), j.tolist(), strict=True))

    want = sorted(((s / 8, a, b) for s, a, b in entries), key=lambda e: (-e[0], e[1], e[2]))[:keep]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    got = [e for e in top(shuffled) if e[1] < 10**6]
    assert sorted(got, key=lambda e: (-e[0], e[1], e[2])) == want
    assert top(entries) == top(shuffled)


# --- vectors ----------------------------------------------------------------------------------------------------


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


@pytest.fixture(autouse=True)
def no_numpy_noise() -> Iterator[None]:
    """Invalid rows are part of the matter here."""
    with np.errstate(all="ignore"):
        yield
