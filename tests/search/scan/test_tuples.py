"""Longer sums, the refit kernel and the list of the best, against slow loops over np.linalg.lstsq."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.clock import Clock
from hypo.kernels.cpu.pair_scan import push, refit
from hypo.kernels.opcodes import DIV, EXP, MUL, SQRT, SUB
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.scan.tuple_scan import extend_tuples, scan_triples
from tests.oracles.least_squares import BASES, N, basis_of, share, vectors

pytestmark = pytest.mark.usefixtures("one_thread", "no_numpy_noise")


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
        (target, orthonormal(list(z * root), N), root),
        (np.array([s[0] for s in steps], np.int64), np.array([s[1] for s in steps], np.int64), operand),
        (y, root),
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
        (target, orthonormal(list(z), N), np.ones(N)),
        (none, none, np.empty((0, N))),
        (target, np.ones(N)),
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
    fit, steps = (target, np.empty((0, N)), np.ones(N)), (none, none, np.empty((0, N)))
    refit(False, terms, F, fit, steps, (target, np.ones(N)), rss)
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
