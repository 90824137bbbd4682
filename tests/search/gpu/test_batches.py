"""Batches of evolution on a device, in numba's CUDA simulator: the answers of the processor, thresholds, and failures."""

import os
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numba
import numpy as np
import pytest

from tests.oracles.no_limit import NO_LIMIT

os.environ["NUMBA_ENABLE_CUDASIM"] = os.environ["TRITON_INTERPRET"] = "1"
numba.config.ENABLE_CUDASIM = 1  # before anything imports numba.cuda

from hypo.clock import Clock, Deadline  # noqa: E402
from hypo.data import from_arrays  # noqa: E402
from hypo.kernels.gpu import fit_batch as cuda_fit  # noqa: E402
from hypo.parallel.batches import Processor, fit_programs  # noqa: E402
from hypo.parallel.executor import Serial, Share, Threads, WorkersLost, whole  # noqa: E402
from hypo.problem.problem import Settings, make_problem  # noqa: E402
from hypo.search.engine import search  # noqa: E402
from hypo.search.evolution import island  # noqa: E402
from hypo.search.evolution.island import Island, live, live_together  # noqa: E402
from hypo.search.evolution.programs import ProgramBatch  # noqa: E402
from hypo.search.gpu import batches as cuda_batches  # noqa: E402
from hypo.search.gpu.backend import Cuda  # noqa: E402
from hypo.search.gpu.batches import CudaBatches  # noqa: E402
from hypo.search.gpu.devices import Attempts  # noqa: E402
from hypo.search.gpu.open_devices import open_devices  # noqa: E402
from hypo.search.library.context import Context, Workers  # noqa: E402
from hypo.search.library.seeds import plain_library  # noqa: E402
from hypo.search.outcome import Outcome  # noqa: E402
from hypo.search.proposers import evolution as evolve  # noqa: E402
from hypo.search.proposers.base import Workspace  # noqa: E402
from hypo.search.proposers.evolution import Evolution  # noqa: E402

# The simulator computes with NumPy's numbers, which warn where the kernels' results are NaN or infinite.
pytestmark = pytest.mark.filterwarnings("ignore:(invalid|divide|overflow|underflow).*:RuntimeWarning")
NEVER = Deadline(float("inf"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread of the simulator for each program, and little waiting for the thread that watches it: it is slow."""
    monkeypatch.setattr(cuda_fit, "THREADS", (1, 1))
    cuda_fit._kernels.cache_clear()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(interval)
    cuda_fit._kernels.cache_clear()


def evolution(n: int = 12) -> Evolution:
    X = np.random.default_rng(0).uniform(0.5, 2.5, (n, 1))
    settings = Settings()
    problem = make_problem(from_arrays(X, 2 + np.sin(1.3 * X[:, 0])), None, settings)
    ctx = Context.of(problem, settings, Clock(time.monotonic() + 60))
    library = plain_library(ctx, settings, range(1))
    library.grow(50)
    return Evolution(Workspace(problem, settings, own_context=ctx, own_library=library))


def bred() -> tuple[ProgramBatch, Evolution, Island]:
    """Some children that were never fitted, where they come from, and an island with parents."""
    e = evolution()
    e._settle([])
    parents, _ = live((Island(12), 1, 1), e.world, NEVER)
    children, _ = island._children(parents, np.array([7], np.uint64), e.world)
    return children.part(0, 12), e, parents


def same(a: ProgramBatch, b: ProgramBatch) -> None:
    for mine, theirs in zip(a.arrays, b.arrays, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def copied(batch: ProgramBatch) -> ProgramBatch:
    return batch.take(np.arange(len(batch)))


def test_islands_together_are_islands_each_by_itself() -> None:
    e = evolution(60)
    e._settle([])
    stays = [(Island(size), seed, 3) for seed, size in enumerate((12, 20, 34))]
    apart = [live(stay, e.world, NEVER) for stay in stays]
    with Threads(2) as threads:
        together = live_together(stays, e.world, NEVER, Processor(threads), threads)
    for (mine, counted), (theirs, expected) in zip(together, apart, strict=True):
        same(mine.individuals, theirs.individuals)
        same(mine.elite, theirs.elite)
        np.testing.assert_array_equal(mine.score, theirs.score)
        assert counted == expected == 3 * island.ISLAND


def test_children_are_fitted_as_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batches, "WORTH", 0)
    children, e, _ = bred()
    mine, theirs = copied(children), fit_programs(copied(children), e.rows, e.linear, 4)
    CudaBatches(Processor(Serial())).fit(mine, e.rows, e.linear, 4, np.full(12, np.inf), NEVER)
    assert np.isfinite(theirs.rss).sum() > 4
    np.testing.assert_allclose(mine.rss, theirs.rss, rtol=1e-6, atol=1e-20 * e.total)
    np.testing.assert_array_equal(mine.op, theirs.op)


def test_small_batches_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    children, e, _ = bred()
    work = int(children.length.sum()) * len(e.rows[1]) * 4
    launches = []
    inner = cuda_fit.fit
    monkeypatch.setattr(cuda_fit, "fit", lambda *given: launches.append(given) or inner(*given))
    for worth, expected in ((work + 1, 0), (work, 1)):
        monkeypatch.setattr(cuda_batches, "WORTH", worth)
        batches = CudaBatches(Processor(Serial()))
        assert batches.takes(work) == bool(expected) and not Processor(Serial()).takes(work)
        batches.fit(copied(children), e.rows, e.linear, 4, np.full(12, np.inf), NEVER)
        assert len(launches) == expected


def test_rows_go_to_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batches, "WORTH", 0)
    monkeypatch.setattr(cuda_batches, "RESIDENT", 2)
    e = evolution()
    batches = CudaBatches(Processor(Serial()))
    there = batches._rows(e.rows)[0]
    assert batches._rows(tuple(e.rows))[0][0] is there[0]
    others = [(e.rows[0].copy(), *e.rows[1:]) for _ in range(2)]
    for rows in others:
        batches._rows(rows)
    assert len(batches._resident) == 2 and batches._rows(e.rows)[0][0] is not there[0]


def test_the_deadline_ends_a_batch_between_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batches, "WORTH", 0)
    monkeypatch.setattr(cuda_batches, "LAUNCH", 1)
    children, e, _ = bred()
    CudaBatches(Processor(Serial())).fit(children, e.rows, e.linear, 2, np.full(12, np.inf), Deadline(0.0))
    assert np.isfinite(children.rss[0]) and np.isinf(children.rss[1:]).all()


def test_a_device_that_fails_is_left_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batches, "WORTH", 0)
    children, e, _ = bred()
    calls = []

    def lost(*given: object) -> None:
        calls.append(given)
        raise MemoryError("out of memory.\non the device")

    monkeypatch.setattr(cuda_fit, "fit", lost)
    batches = CudaBatches(Processor(Serial()))
    theirs = fit_programs(copied(children), e.rows, e.linear, 4)
    mine = copied(children)
    said = r"^fits on the GPU failed \(MemoryError: out of memory\); the processor does them from now on$"
    with pytest.warns(RuntimeWarning, match=said) as warned:
        batches.fit(mine, e.rows, e.linear, 4, np.full(12, np.inf), NEVER)
        again = copied(children)
        batches.fit(again, e.rows, e.linear, 4, np.full(12, np.inf), NEVER)
    assert len(calls) == 1 and len([w for w in warned if w.category is RuntimeWarning and "GPU" in str(w.message)]) == 1
    same(mine, theirs)
    same(again, theirs)
    assert not batches.takes(10**12)


def test_a_scan_that_fails_is_left_to_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Cuda(Serial(), ("cpu",))
    monkeypatch.setattr("hypo.search.gpu.backend.WORTH", 0)
    clock, T, F = Clock(), np.ones((1, 8)), np.ones((5, 8))

    def lost(*given: object) -> None:
        clock.scored += 7
        raise RuntimeError("unspecified launch failure")

    monkeypatch.setitem(sys.modules, "hypo.search.gpu.scan", type("Scans", (), {"scan": staticmethod(lost)}))
    with pytest.warns(RuntimeWarning, match="unspecified launch failure"):
        assert device.scan("sums", [(T, F, None)], F[:0], keep=3, clock=clock) is None
    assert device.scan("sums", [(T, F, None)], F[:0], keep=3, clock=clock) is None
    assert clock.scored == 0


def test_what_is_no_failure_of_a_device_is_raised() -> None:
    def refused() -> None:
        raise WorkersLost("the workers died")

    attempts = Attempts("scans")
    with pytest.raises(WorkersLost, match=r"^the workers died$"):
        attempts.run(refused)
    assert not attempts.has_failed and attempts.run(lambda: 3) == 3


def test_islands_are_not_shared_out_among_shards() -> None:
    within = Serial()
    assert whole(Cuda(Share(within, 1, 2), ("cpu",), 2)) is within
    assert whole(Share(within, 1, 2)) is within and whole(within) is within


def short(backend: str) -> Outcome:
    X = np.random.default_rng(1).uniform(0.5, 2.5, (10, 1))
    y = 2 + 3 * np.sin(1.3 * X[:, 0])
    settings = Settings(backend=backend, proposers=("evolution",), turns=2, time_limit=NO_LIMIT, posterior=False)
    return search(make_problem(from_arrays(X, y), None, settings), settings)


@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("triton") is None, reason="PyTorch or Triton is not installed"
)
def test_a_whole_search_finds_on_the_device_what_it_finds_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(island, "ISLAND", 5)
    monkeypatch.setattr(evolve, "ISLAND", 5)
    for name, value in (
        ("SIZES", (12,)),
        ("GENERATIONS", 3),
        ("MIGRATION", 2),
        ("FINALISTS", 4),
        ("FINAL_EVALUATIONS", 4),
    ):
        monkeypatch.setattr(evolve, name, value)
    native = short("native")
    fitted = []
    inner = CudaBatches._fit
    monkeypatch.setattr(CudaBatches, "_fit", lambda self, *given: fitted.append(len(given[0])) or inner(self, *given))
    monkeypatch.setattr(cuda_batches, "WORTH", 0)
    found = short("cuda")
    assert len(fitted) > 5 and found.scored == native.scored
    assert found.best is not None and native.best is not None
    assert str(found.best.expression) == str(native.best.expression)
    assert [h.complexity for h in found.front] == [h.complexity for h in native.front]
    np.testing.assert_allclose([h.score for h in found.front], [h.score for h in native.front], rtol=1e-6)


def test_the_backend_chooses_once(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers.of(Serial())
    said: list[str] = []
    opened = open_devices(workers, ("cuda:0",), 1, said.append)
    assert isinstance(opened.batches, CudaBatches) and said == ["compiling for the GPU"]
    monkeypatch.setattr("hypo.kernels.gpu.operators.SIMULATED", False)
    assert open_devices(workers, ("cpu",), 1, said.append).batches is workers.batches
