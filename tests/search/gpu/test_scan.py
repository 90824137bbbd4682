"""Scans on a device against those of the processor: the same kernels, run by Triton's interpreter."""

import os
from itertools import combinations

import numpy as np
import pytest

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from hypo.expression.expr import Expression  # noqa: E402
from hypo.kernels.gpu import operands as cuda_operands  # noqa: E402
from hypo.kernels.gpu import pair_tiles as kernel  # noqa: E402
from hypo.kernels.gpu.operands import PASSES, ROUNDING, error, operand, unit_error  # noqa: E402
from hypo.kernels.gpu.row_order import clustered  # noqa: E402
from hypo.search.gpu import forms as cuda_forms  # noqa: E402
from hypo.search.gpu import scan as cuda_scan  # noqa: E402
from hypo.search.gpu.layout import Piece  # noqa: E402
from hypo.search.library.library import Library, Seed  # noqa: E402
from hypo.search.library.unit_rows import unit_rows  # noqa: E402
from hypo.search.scan.pair_scan import scan_products, scan_sums  # noqa: E402
from tests.search.gpu.scans import CONSTANT, NONE, N, both, problem, scan_small  # noqa: E402


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    scan_small(monkeypatch)


# --- the filter ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [False, True], ids=["one set", "two sets"])
@pytest.mark.parametrize("width", [16, N], ids=["some columns", "all columns"])
def test_sums(second: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_forms, "WIDTH", width)
    F, t = problem()
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t, CONSTANT)[0]
    G = rows[100:] if second else None
    found = both(lambda **given: scan_sums(T, rows, G, **given), 100)
    if not second:
        assert (found[0].i[0], found[0].j[0]) == (5, 77)
        assert 1 - found[0].r2[0] < 1e-14


@pytest.mark.parametrize("basis", [NONE, CONSTANT], ids=["alone", "with a constant"])
@pytest.mark.parametrize("second", [False, True], ids=["one set", "two sets"])
@pytest.mark.parametrize("width", [16, N], ids=["some columns", "all columns"])
def test_products(basis: np.ndarray, second: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_forms, "WIDTH", width)
    F, t = problem()
    T, G = unit_rows(t, basis)[0], F[60:] if second else None
    found = both(lambda **given: scan_products(T, F, G, basis, **given), 100)
    assert (found[1].i[0], found[1].j[0]) == (3, 149 - 60 * second)


@pytest.mark.parametrize("precision", ["fp16", "tf32", "bf16", "bf16x3", "float32"])
def test_every_precision_gives_the_same_list(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(1, 130)
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t[:1], CONSTANT)[0]
    for form in (cuda_forms.SumForm, cuda_forms.ProductForm):
        monkeypatch.setattr(form, "coarse", precision)
    both(lambda **given: scan_sums(T, rows, None, **given), 20)
    both(lambda **given: scan_products(T, F, None, CONSTANT, **given), 20)


def test_the_filter_passes_few_pairs_and_all_that_count() -> None:
    F, t = problem(2)
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t[2:], CONSTANT)[0]
    form = cuda_forms.SumForm([T], [Piece(0, rows, None)], torch.device("cpu"), [False])
    scores = form.against(0, torch.arange(len(rows)))[0]
    upper = scores[tuple(torch.triu_indices(*scores.shape, 1))]
    floor = torch.topk(upper, 50).values[-1:]
    work = kernel.runs([(0, 150, 0, 150, 1)], form.shape)
    launcher = form.launcher(0, floor[None], "bf16x3")
    (i, j), count = launcher.pairs(kernel.tiles(work, launcher.flagged(work), form.shape), 20_000)
    assert count == len(i) < 0.3 * len(upper)
    assert {(int(a), int(b)) for a, b in zip(i, j, strict=True) if scores[a, b] >= floor} == {
        (a, b) for a, b in combinations(range(150), 2) if scores[a, b] >= floor
    }
    assert (i < j).all()


def test_more_pairs_than_a_launch_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(3)
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t[2:], CONSTANT)[0]
    monkeypatch.setattr(cuda_scan, "CAPACITY", 0)
    monkeypatch.setattr(cuda_forms.SumForm, "shape", kernel.Shape(32, 32, 2))
    calls = []
    pairs = kernel.Launcher.pairs
    monkeypatch.setattr(kernel.Launcher, "pairs", lambda *given: calls.append(0) or pairs(*given))
    both(lambda **given: scan_sums(T, rows, rows[:140].copy(), **given), 2000)
    assert len(calls) > 3


def test_runs_cover_every_pair_once() -> None:
    shape = kernel.Shape(16, 8, 3)
    sets = [(0, 50, 0, 50, 1), (7, 20, 60, 99, -(2**31) + 1), (48, 64, 0, 10, 0)]
    work = kernel.runs(sets, shape)
    tiles = kernel.tiles(work, torch.arange(len(work) * 3), shape)
    used = torch.arange(len(work) * 3) % 3 < work[:, 2].repeat_interleave(3)
    count: dict[tuple[int, int], int] = {}
    for f0, g0, f1, g1, gap in tiles[used].tolist():
        for f in range(f0, min(f0 + 16, f1)):
            for g in range(g0, min(g0 + 8, g1)):
                if g - f >= gap:
                    count[f, g] = count.get((f, g), 0) + 1
    want = [(f, g) for f0, f1, g0, g1, gap in sets for f in range(f0, f1) for g in range(g0, g1) if g - f >= gap]
    assert sorted(count) == sorted(set(want)) and sum(count.values()) == len(want)


def test_rows_in_the_order_of_clusters() -> None:
    rng = np.random.default_rng(10)
    centres = unit_rows(rng.standard_normal((4, N)), NONE)[0]
    which = rng.permutation(np.repeat(np.arange(4), 150))
    rows = rng.choice([-1.0, 1.0], (600, 1)) * (centres[which] + 0.02 * rng.standard_normal((600, N)))
    order = clustered(torch.from_numpy(unit_rows(rows, NONE)[0])).numpy()
    assert sorted(order) == list(range(600))
    # Of 599 neighbours few belong to different clusters.
    assert np.sum(np.diff(which[order]) != 0) < 30
    np.testing.assert_array_equal(clustered(torch.ones((5, 3))).numpy(), np.arange(5))


# --- precision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", list(PASSES))
def test_rounding_is_within_its_bound(precision: str) -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((300, 64)) * 10.0 ** rng.uniform(-3, 0, (300, 64))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    high, low = operand(torch.from_numpy(rows), precision, 64)
    back = high.double() + (low.double() if precision == "bf16x3" else 0.0)
    off = np.abs(back[:300, :64].numpy() - rows)
    limit = ROUNDING[precision] * (1 + 1e-6) * np.abs(rows) + (cuda_operands.HALF_STEP if precision == "fp16" else 0)
    assert (off <= limit + 2.0**-24 * np.abs(rows)).all() and off.max() > 0.2 * ROUNDING[precision] * np.abs(
        rows
    ).max() / 4
    assert not back[300:].any()
    # Inner products of the rounded rows as tensor cores form them.
    wide = high.float()[:300]
    if precision == "bf16x3":
        rest = low.float()[:300]
        found = wide @ wide.T + wide @ rest.T + rest @ wide.T
    else:
        found = wide @ wide.T
    worst = np.abs(found.double().numpy() - rows @ rows.T).max()
    assert worst <= unit_error(precision, 64) and error(precision, 64) <= unit_error(precision, 64)


def test_noise_free_problems_down_to_the_last_bit() -> None:
    # Many pairs explain the target to rounding: 1 − R² between 0 and 1e-16, and exactly 1 − 1e-28 for a slightly wrong one.
    x, y = np.random.default_rng(5).uniform(0.5, 2, (2, N))
    F = np.array(
        [x, y, x + y, x - y, 2 * x + y, x + 1e-14 * y, *(x + k * y for k in range(2, 30)), x * y, x / y, x**2, y**2]
    )
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(np.array([x + 3.5 * y, x**2 * y]), CONSTANT)[0]
    found = both(lambda **given: scan_sums(T, rows, None, **given), 100)
    assert np.sum(1 - found[0].r2 < 1e-13) == 100
    found = both(lambda **given: scan_products(T, F, None, CONSTANT, **given), 100)
    assert 1 - found[1].r2[0] < 1e-14


@pytest.mark.parametrize("law", ["relativistic energy", "lens", "damped wave"])
def test_the_top_hundred_of_real_problems(law: str) -> None:
    X = np.random.default_rng(11).uniform(0.3, 0.9, (3, N))
    m, v, k = X
    wave = np.exp(-m) * np.sin(5 * v) + k
    y = {"relativistic energy": m / np.sqrt(1 - v**2), "lens": 1 / (1 / m + k / v), "damped wave": wave}
    seeds = [Seed(Expression.variable(f"x{i}"), 1, row) for i, row in enumerate(X)]
    operators = ("+", "-", "*", "/", "sqrt", "square", "exp", "sin")
    library = Library([*seeds, Seed(Expression.constant(1.0), 1, np.ones(N))], operators, ("x0", "x1", "x2"))
    library.grow(400)
    first = np.flatnonzero(library.shape[: library.count] == np.arange(library.count))
    values, t = library.values[first], np.array([y[law], y[law] ** -2])
    for basis in (NONE, CONSTANT):
        T, rows = unit_rows(t, basis)[0], unit_rows(values, basis)[0]
        both(lambda **given: scan_sums(T, rows, None, **given), 100)  # noqa: B023
        both(lambda **given: scan_products(T, values, None, basis, **given), 100)  # noqa: B023


def test_rows_of_any_size_and_poles() -> None:
    x = np.random.default_rng(6).uniform(0.01, 3, N)
    steep = [np.exp(20 * x), np.exp(-20 * x), x**-8, x**8, 1e150 * x, 1e-150 / x, np.ones(N), 1e-30 * x]
    F = np.array([*steep, *np.vander(x, 20).T[:19]])
    t, _ = unit_rows(np.array([x**2, 1 / x, np.exp(-3 * x)]), NONE)
    both(lambda **given: scan_products(t, F, None, NONE, **given), 40)


def test_targets_that_are_nothing_find_nothing() -> None:
    F, t = problem()
    rows, T = unit_rows(F[:60], CONSTANT)[0], unit_rows(t, CONSTANT)[0]
    T[1] = 0
    assert not len(both(lambda **given: scan_sums(T, rows, None, **given), 10)[1].r2)
    assert not len(both(lambda **given: scan_products(T, F[:60], None, CONSTANT, **given), 10)[1].r2)


@pytest.mark.parametrize("basis", [NONE, CONSTANT], ids=["alone", "with a constant"])
def test_products_of_numbers_below_the_range_of_halves(basis: np.ndarray) -> None:
    # Rows over four to fourteen powers of ten, of which any two multiply to less than a millionth of the largest.
    rng = np.random.default_rng(15)
    peak = np.abs(np.arange(N) - np.repeat(np.arange(4, N, 6), 20)[:, None])
    F = 10.0 ** (-peak * rng.uniform(0.3, 1.0, (len(peak), 1))) * rng.uniform(0.5, 2, (len(peak), N))
    T = unit_rows(np.array([F[5] * F[100], F[3] * F[40] + 1e-9]), basis)[0]
    found = both(lambda **given: scan_products(T, F, None, basis, **given), 100)
    assert (found[0].i[0], found[0].j[0]) == (5, 100)
    form = cuda_forms.ProductForm([T], [Piece(0, F, None)], basis, torch.device("cpu"), [False])
    scores = form.against(0, torch.arange(len(F)))
    i, j = torch.triu_indices(len(F), len(F))
    floor = torch.quantile(scores[:, i, j], 0.9, dim=1)
    work = kernel.runs(form.sets(), form.shape)
    launcher = form.launcher(0, floor[None], "fp16")
    listed, count = launcher.pairs(kernel.tiles(work, launcher.flagged(work), form.shape), 1 << 16)
    enough = (scores >= floor[:, None, None]).any(0)
    assert {(int(a), int(b)) for a, b in listed.T} >= {(int(a), int(b)) for a, b in torch.nonzero(enough.triu())}
    assert count < 0.9 * len(i)
