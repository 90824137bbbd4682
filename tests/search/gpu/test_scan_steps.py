"""What follows the filter of a scan on a device, several scans at once, blocks, shards and deadlines."""

import os

import numpy as np
import pytest

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from hypo.clock import Clock  # noqa: E402
from hypo.data import from_arrays  # noqa: E402
from hypo.kernels.gpu import pair_scores as cuda_rescore  # noqa: E402
from hypo.kernels.gpu import pair_tiles as kernel  # noqa: E402
from hypo.knowledge import Knowledge  # noqa: E402
from hypo.parallel.executor import Serial, Share  # noqa: E402
from hypo.problem.problem import Settings, make_problem  # noqa: E402
from hypo.search.gpu import forms as cuda_forms  # noqa: E402
from hypo.search.gpu import scan as cuda_scan  # noqa: E402
from hypo.search.gpu.backend import Cuda  # noqa: E402
from hypo.search.gpu.layout import Piece  # noqa: E402
from hypo.search.library.context import Context, LibraryView, Workers  # noqa: E402
from hypo.search.library.seeds import plain_library  # noqa: E402
from hypo.search.library.unit_rows import unit_rows  # noqa: E402
from hypo.search.scan import forms  # noqa: E402
from hypo.search.scan.pair_scan import scan_jobs, scan_products, scan_sums  # noqa: E402
from hypo.search.scan.targets import Target, links  # noqa: E402
from tests.search.gpu.scans import CONSTANT, NONE, N, both, problem, same, scan_small  # noqa: E402


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    scan_small(monkeypatch)


# --- the steps after the filter -------------------------------------------------------------------------------------


def nearly_the_same(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Rows of which many are nearly parallel or nearly constant, by 1e-1 to 1e-9, and a target."""
    rng = np.random.default_rng(12)
    base, noise = rng.uniform(0.5, 2, (4, N)), rng.standard_normal((n, N))
    far = 10.0 ** rng.uniform(-9, -1, n)[:, None]
    near = np.where(np.arange(n)[:, None] % 2, base[np.arange(n) % 4] + far * noise, 1 + far * noise)
    return near, rng.uniform(0.2, 2, (2, N))


@pytest.mark.parametrize("kind", ["sums", "products", "products with a constant"])
def test_single_precision_loses_no_pair_and_leaves_few(kind: str) -> None:
    F, t = nearly_the_same()
    basis = NONE if kind == "products" else CONSTANT
    T = unit_rows(t, basis)[0]
    rows = unit_rows(F, basis)[0] if kind == "sums" else F
    where, pieces = torch.device("cpu"), [Piece(0, rows, None)]
    form = cuda_forms.SumForm([T], pieces, where, [False]) if kind == "sums" else None
    form = form or cuda_forms.ProductForm([T], pieces, basis, where, [False])
    i, j = torch.triu_indices(len(rows), len(rows), form.gap)
    scores = form.exact(0, i, j)
    # What is left of each pair, and the decision with twice the room in double precision.
    f, q = form.F[i], form.G[j] if kind == "sums" else form.F[i] * form.G[j]
    size = torch.linalg.vector_norm(q, dim=1)[:, None]
    for z in [f] if kind == "sums" else torch.from_numpy(basis):
        q = q - (q * z).sum(1, keepdim=True) * z
    num, rest = (q @ form.T[0].T).abs(), torch.linalg.vector_norm(q, dim=1)[:, None]
    room = 2 * cuda_rescore.slack(64) * size
    for share in (0.5, 0.9, 0.99):
        floor = torch.quantile(scores, share, dim=0)
        own = (floor - form.rf.T[i] ** 2).clamp(min=0) if kind == "sums" else floor
        near = {(int(a), int(b)) for a, b in zip(*form.near(0, floor[None], torch.stack([i, j])), strict=True)}
        for all_of, these in ((True, scores >= floor), (False, num + room >= own.sqrt() * (rest - room))):
            chosen = torch.nonzero(these.any(1)).view(-1)
            some = {(int(a), int(b)) for a, b in zip(i[chosen], j[chosen], strict=True)}
            assert near >= some if all_of else near <= some
        assert len(near) < len(i)


def test_single_precision_is_within_its_bound() -> None:
    # ⟨t, q⟩ and ‖q‖ of the kernel's arithmetic, all roundings the worst way, against exact ones: far below the room.
    F, t = nearly_the_same(200)
    size = np.abs(F).max(axis=1)
    rows = torch.from_numpy(F / size[:, None])
    single, z = cuda_rescore.padded(rows), cuda_rescore.padded(torch.from_numpy(CONSTANT))[0]
    target = unit_rows(t, CONSTANT)[0][0]
    p = single[:100] * single[100:]
    q = p - (p * z).sum(1)[:, None] * z
    exact = rows[:100] * rows[100:]
    left = exact - (exact @ torch.from_numpy(CONSTANT[0]))[:, None] * torch.from_numpy(CONSTANT[0])
    room = cuda_rescore.slack(single.shape[1]) * torch.linalg.vector_norm(exact, dim=1)
    padded = cuda_rescore.padded(torch.from_numpy(target[None]))[0]
    assert ((q * padded).sum(1).double() - left @ torch.from_numpy(target)).abs().le(room).all()
    assert (torch.linalg.vector_norm(q, dim=1).double() - torch.linalg.vector_norm(left, dim=1)).abs().le(room).all()
    assert room.max() < 1e-5 * torch.linalg.vector_norm(exact, dim=1).max()


# --- several scans at once ------------------------------------------------------------------------------------------


def launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is launched from now on."""
    out: list[str] = []
    margins, pairs, near = kernel.Launcher.margins, kernel.Launcher.pairs, cuda_rescore.passing
    monkeypatch.setattr(kernel.Launcher, "margins", lambda *given: out.append("margins") or margins(*given))
    monkeypatch.setattr(kernel.Launcher, "pairs", lambda *given: out.append("pairs") or pairs(*given))
    monkeypatch.setattr(cuda_rescore, "passing", lambda *given: out.append("near") or near(*given))
    return out


@pytest.mark.parametrize("kind", ["sums", "products"])
def test_many_scans_in_one_launch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(13)
    basis = CONSTANT if kind == "sums" else NONE
    T, rows = unit_rows(t, basis)[0], unit_rows(F, basis)[0]
    groups = [(0, 40, None), (40, 70, (70, 90)), (90, 93, None), (93, 94, (94, 150)), (94, 150, (70, 75))]
    jobs = [(T[: 1 + k % 2], rows[a:b], g and rows[slice(*g)]) for k, (a, b, g) in enumerate(groups)]
    clock, other = Clock(), Clock()
    want = list(scan_jobs(kind, jobs, NONE, keep=20, clock=clock))
    counted = launches(monkeypatch)
    found = list(scan_jobs(kind, jobs, NONE, keep=20, clock=other, executor=Cuda(Serial(), ("cpu",))))
    assert counted == ["margins", "pairs", "near"]
    for a, b in zip(found, want, strict=True):
        same(a, b)
    assert clock.scored == other.scored
    # Cut anywhere, between devices, the lists are the same.
    parts = scan_jobs(kind, jobs, NONE, keep=20, clock=Clock(), executor=Cuda(Serial(), ("cpu", "cpu")))
    for a, b in zip(parts, want, strict=True):
        same(a, b)


def test_dimension_groups_of_a_library_in_one_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(14).uniform(0.5, 3, (150, 3))
    settings = Settings(n_probe=60)
    knowledge = Knowledge.from_dict({"units": {"a": "kg", "b": "m/s", "c": "m^2/s^2", "y": "J"}})
    data = from_arrays(X, 0.5 * X[:, 0] * X[:, 1] ** 2 + 3 * X[:, 0] * X[:, 2], names=["a", "b", "c"], target="y")
    problem = make_problem(data, knowledge, settings)
    counted, hits = launches(monkeypatch), []
    for executor in (Serial(), Cuda(Serial(), ("cpu",))):
        ctx = Context.of(problem, settings, Clock(), Workers.of(None, executor))
        library = plain_library(ctx, settings, range(3))
        library.grow(300)
        view = LibraryView(library, ctx.X, 300, 60)
        target = Target(ctx.y, problem.pack(problem.target_dimension))
        targets = [target, *links(target, problem.allowed)]
        assert len({t.dimension for t in targets}) > 2
        found = [
            forms.sums(ctx, view, targets, 20, triples=False, beam=0),
            forms.products(ctx, view, [target], keep=20),
        ]
        hits.append([(h.terms, h.rss, len(h.target.steps)) for group in found for h in group])
        assert len(np.unique(view.dims)) > 10
    assert hits[0] == hits[1] and min(h[1] for h in hits[0]) < 1e-20
    assert counted.count("margins") == 2


# --- blocks, shards, deadlines --------------------------------------------------------------------------------------


def test_sets_larger_than_the_device_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(7)
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t, CONSTANT)[0]
    monkeypatch.setattr(cuda_scan, "ROWS", 64)
    monkeypatch.setattr(cuda_scan, "DENSE", 10**6)
    for G in (None, 70):
        both(lambda **given: scan_sums(T, rows, G and rows[:G], **given), 60)  # noqa: B023
        both(lambda **given: scan_products(T, F, G and F[:G], CONSTANT, **given), 60)  # noqa: B023
    monkeypatch.setattr(cuda_scan, "DENSE", 0)
    both(lambda **given: scan_sums(T[:1], rows, None, **given), 60)


def test_several_devices_share_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(8)
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t, CONSTANT)[0]
    monkeypatch.setattr(cuda_scan, "DENSE", 10**6)
    both(lambda **given: scan_sums(T, rows, None, **given), 60, Cuda(Serial(), ("cpu", "cpu")))


def test_shards_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    F, t = problem(9)
    monkeypatch.setattr(cuda_scan, "DENSE", 10**6)
    T = unit_rows(t[:1], CONSTANT)[0]
    clocks = [Clock() for _ in range(3)]
    parts = [
        scan_products(T, F, None, CONSTANT, keep=30, clock=c, executor=Cuda(Share(Serial(), k, 3), ("cpu",), 3))[0]
        for k, c in enumerate(clocks, 1)
    ]
    whole = scan_products(T, F, None, CONSTANT, keep=30, clock=Clock())[0]
    joint = sorted((-r, i, j) for p in parts for r, i, j in zip(p.r2, p.i, p.j, strict=True))[:30]
    assert joint == [(-r, i, j) for r, i, j in zip(whole.r2, whole.i, whole.j, strict=True)]
    assert sum(c.scored for c in clocks) == 150 * 151 // 2


def test_nothing_begins_after_the_deadline() -> None:
    F, t = problem()
    rows, T = unit_rows(F, CONSTANT)[0], unit_rows(t, CONSTANT)[0]
    late = Clock(deadline=0.0)
    for best in scan_sums(T, rows, None, keep=9, clock=late, executor=Cuda(Serial(), ("cpu",))):
        assert len(best.r2) == 0
    assert late.scored == 0
