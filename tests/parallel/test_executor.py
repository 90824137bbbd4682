"""Executors: the same answer from all of them, data sent once, workers that die, clusters that cannot be used."""

import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

import hypo
from hypo.checks import NO_LIMIT
from hypo.clock import Clock, Deadline
from hypo.data import from_arrays
from hypo.errors import InputError, MissingExtraError
from hypo.parallel import executor, remote
from hypo.parallel.dask import Cluster
from hypo.parallel.executor import Offload, Serial, Share, Threads
from hypo.parallel.processes import Processes
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.proposers import evolution as evolve
from hypo.search.scan import pair_scan as scan

N = 40  # probe rows
ROWS = np.random.default_rng(0).standard_normal((1500, N))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A Dask cluster of two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def dask(address: str) -> Iterator[Cluster]:
    with Cluster(address, 1) as found:
        yield found


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes(2) as found:
        yield found


@pytest.fixture(params=["processes", "dask"])
def far(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


# --- functions that travel --------------------------------------------------------------------------------------


def add(item: int, *shared: Any) -> float:
    return item + float(sum(np.sum(a) for a in shared))


def fail(item: int) -> int:
    if item == 3:
        raise ValueError("three")
    if item == 2:
        # The next one fails before this is done.
        time.sleep(0.3)
    return item


def die_once(item: int, rows: np.ndarray, mark: str) -> float:
    """Kills its process in the middle of the first try at item 5."""
    if item == 5 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return item + float(rows[item, 0])


def die_abroad(item: int, home: int) -> int:
    """Kills any process but ``home``."""
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def process(item: int) -> int:
    return os.getpid()


def wait_for_last(item: int, folder: str) -> int:
    """Item 0 takes until item 39 is done."""
    while item == 0 and not (Path(folder) / "39").exists():
        time.sleep(0.01)
    (Path(folder) / str(item)).touch()
    return item


def count_calls(item: int, folder: str) -> int:
    """Leaves a mark for each call; item 6 kills its process at the first."""
    mark = Path(folder) / f"{item}-{len(list(Path(folder).glob(f'{item}-*')))}"
    mark.touch()
    if mark.name == "6-0":
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def seconds_left(item: int, deadline: Deadline) -> float:
    return deadline.at - time.monotonic()


# --- the same answers -------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_items(far: Any) -> None:
    assert list(far.map(add, range(50), 2.0, np.ones(3))) == [k + 5.0 for k in range(50)]
    assert list(far.map(add, [])) == []


@pytest.mark.parametrize("ordered", [True, False])
def test_one_long_task_does_not_hold_up_the_others(far: Any, tmp_path: Path, ordered: bool) -> None:
    found = list((far.map if ordered else far.map_as_completed)(wait_for_last, range(40), str(tmp_path)))
    assert (found if ordered else sorted(found)) == list(range(40))
    assert ordered or found[0] != 0


def test_an_error_of_the_function_is_raised_here(far: Any) -> None:
    found = far.map(fail, range(9))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(found)
    assert list(far.map(add, range(3))) == [0, 1, 2]


@pytest.mark.parametrize("form", ["sums", "sums of two", "products", "products of two"])
def test_scans_are_the_same_bit_for_bit(form: str, far: Any) -> None:
    q = orthonormal([np.ones(N)], N)
    F, G, T = (unit_rows(a, q)[0] for a in (ROWS, ROWS[:700] ** 2, ROWS[:3] * ROWS[5:8]))
    F[900] = F[20]  # a tie between pairs of different blocks
    second = G if "two" in form else None
    found = []
    for where in (Serial(), Threads(2), far):
        clock = Clock()
        if "sums" in form:
            best = scan.scan_sums(T, F, second, keep=200, clock=clock, executor=where)
        else:
            best = scan.scan_products(T, F, second, q, keep=200, clock=clock, executor=where)
        found.append(([(b.r2.tobytes(), b.i.tobytes(), b.j.tobytes()) for b in best], clock.scored))
    assert found[0] == found[1] == found[2]
    pairs = 1500 * 700 if second is not None else 1500 * (1499 if form == "sums" else 1501) // 2
    assert found[0][1] == 3 * pairs


def _outcome(address: str | None, workers: int) -> Any:
    rng = np.random.default_rng(3)
    x, z = rng.uniform(1, 3, (2, 150))
    y = x * np.sin(z) + 1.7 * np.sqrt(x + z) + 0.01 * rng.standard_normal(150)
    settings = Settings(
        turns=2,
        time_limit=NO_LIMIT,
        posterior=False,
        library_sizes=(100, 600),
        workers=workers,
        scheduler=address,
        n_probe=50,
        n_race=100,
        max_complexity=14,
        proposers=("library",),
    )
    problem = make_problem(from_arrays(np.column_stack([x, z]), y), None, settings)
    out = search(problem, settings)
    return (
        [(str(h.expression), h.score, h.misfit) for h in out.front],
        out.scored,
        out.complete_to,
        out.distinct,
        out.message,
    )


@pytest.mark.slow
def test_a_search_is_the_same_with_every_executor(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "WORTH", 0.0)
    one = _outcome(None, 1)
    assert len(one[0]) > 2
    assert _outcome("threads", 2) == one
    assert _outcome("processes", 2) == one
    assert _outcome(address, 1) == one


def _bred(address: str | None, workers: int, **options: Any) -> Any:
    """What evolution makes of something hard in two turns."""
    x, z = np.random.default_rng(3).uniform(1, 3, (2, 100))
    y = np.sin(x * z + 0.7) / (1.3 + z) + 0.31 * np.exp(0.2 * x * x)
    settings = Settings(
        **{
            "turns": 2,
            "time_limit": NO_LIMIT,
            "library_sizes": (100,),
            "workers": workers,
            "scheduler": address,
            "posterior": False,
            "n_probe": 50,
            "n_race": 80,
            "proposers": ("evolution",),
            **options,
        }
    )
    out = search(make_problem(from_arrays(np.column_stack([x, z]), y), None, settings), settings)
    return [(str(h.expression), h.score) for h in out.front], out.scored, out.status


@pytest.mark.slow
def test_islands_are_the_same_with_every_executor(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "WORTH", 0.0)
    monkeypatch.setattr(evolve, "GENERATIONS", 3)
    one = _bred(None, 1)
    assert one[1] >= 2 * 3 * 6 * 150
    assert _bred("threads", 2) == one
    assert _bred("processes", 2) == one
    assert _bred(address, 1) == one


@pytest.mark.slow
@pytest.mark.parametrize("where", ["processes", "dask"])
def test_a_deadline_ends_islands_that_live_elsewhere(where: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "WORTH", 0.0)
    monkeypatch.setattr(evolve, "MIGRATION", 100_000)
    monkeypatch.setattr(evolve, "GENERATIONS", 100_000)
    clock: list[float] = []

    def watch(progress: Any) -> None:
        clock.append(progress.elapsed)

    x = np.random.default_rng(3).uniform(1, 3, (80, 2))
    settings = Settings(
        time_limit=3.0,
        workers=2,
        scheduler=where if where == "processes" else address,
        library_sizes=(50,),
        proposers=("evolution",),
    )
    y = np.sin(x[:, 0] * x[:, 1] * 3.3) + np.exp(np.cos(2.1 * x[:, 0]))
    out = search(make_problem(from_arrays(x, y), None, settings), settings, watch)
    assert out.status == "time_limit"
    assert out.timing["total"] < 6.0


# --- data go out once -------------------------------------------------------------------------------------------


def test_large_arrays_are_sent_once(far: Any) -> None:
    large, small, before = np.random.default_rng(int(far.sent)).random(10_000), np.ones(5), far.sent
    for _ in range(3):
        assert len(list(far.map(add, range(20), large, small, large.copy()))) == 20
    assert far.sent - before == large.nbytes
    list(far.map(add, range(2), large[::2]))
    assert far.sent - before == large.nbytes * 1.5


def test_what_was_sent_long_ago_is_forgotten(far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "KEPT", 200_000)
    rng = np.random.default_rng(7)
    for _ in range(5):
        a, b = rng.random((2, 10_000))
        assert list(far.map(add, [0, 1], a, b)) == pytest.approx([add(0, a, b), add(1, a, b)])
    assert len(far._placed) <= 2


def test_small_work_stays_here(far: Any) -> None:
    assert set(Offload(Serial(), far, worth=60.0).map(process, range(9))) == {os.getpid()}
    here, *there = Offload(Serial(), far, worth=0.0).map(process, range(9))
    assert here == os.getpid() and len(there) == 8 and here not in there
    assert list(Offload(Serial(), far, worth=0.0).map(process, [])) == []


def test_a_deadline_travels_as_seconds_left(far: Any) -> None:
    there = pickle.loads(pickle.dumps(Deadline(time.monotonic() + 5)))  # noqa: S301
    assert there.at - time.monotonic() == pytest.approx(5, abs=0.5)
    assert not there.expired
    assert all(0 < left <= 60 for left in far.map(seconds_left, range(3), Deadline(time.monotonic() + 60)))
    late = Deadline(time.monotonic() - 1)
    assert pickle.loads(pickle.dumps(late)).expired  # noqa: S301
    assert all(left < 0 for left in far.map(seconds_left, range(1000), late))


def test_an_expired_clock_ends_a_scan_at_once(far: Any) -> None:
    F, _ = unit_rows(ROWS, np.empty((0, N)))
    clock = Clock(deadline=time.monotonic() - 1)
    assert all(len(b.r2) == 0 for b in scan.scan_sums(F[:2], F, None, keep=9, clock=clock, executor=far))
    assert clock.scored == 0


# --- workers that die -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_nothing(far: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert list(far.map(die_once, range(60), ROWS, str(mark))) == [k + ROWS[k, 0] for k in range(60)]
    assert mark.exists()


@pytest.mark.slow
def test_what_was_finished_before_a_worker_died_is_not_done_again(tmp_path: Path) -> None:
    with Processes(2) as far:
        assert sorted(far.map_as_completed(count_calls, range(9), str(tmp_path))) == list(range(9))
    calls = sorted(mark.name.split("-")[0] for mark in tmp_path.iterdir())
    assert calls.count("6") == 2
    assert all(calls.count(str(k)) == 1 for k in range(4))


@pytest.mark.slow
def test_data_that_die_with_all_workers_are_sent_again(dask: Cluster) -> None:
    want = [k + float(ROWS.sum()) for k in range(6)]
    assert list(dask.map(add, range(6), ROWS)) == want
    for pid in dask._client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    assert list(dask.map(add, range(6), ROWS)) == want


@pytest.mark.slow
def test_workers_that_always_die_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST_LOSSES", 2)
    with Processes(1) as far:
        both = Offload(Threads(2), far, worth=0.0)
        with pytest.warns(RuntimeWarning, match="lost 2 times in a row .*; the search goes on without them"):
            assert list(both.map(die_abroad, range(4), os.getpid())) == [0, 1, 2, 3]
        assert list(both.map(die_abroad, range(4), os.getpid())) == [0, 1, 2, 3]


# --- clusters that cannot be used -------------------------------------------------------------------------------


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"needs Dask: pip install 'hypo\[dask\]'"):
        hypo.fit((ROWS[:, :2], ROWS[:, 2]), scheduler="local")


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_nobody_answers(where: str) -> None:
    begin = time.monotonic()
    with pytest.raises(InputError, match=f"no Dask scheduler answers at {where}; start one"):
        hypo.fit((ROWS[:, :2], ROWS[:, 2]), scheduler=where)
    assert time.monotonic() - begin < 15


def test_workers_of_another_version(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypo, "__version__", "9.9.9")
    with pytest.raises(InputError, match=r"has hypo 0\.1\.0; install hypo 9\.9\.9 there"):
        Cluster(address, 1)


def test_a_worker_of_another_version_that_comes_later(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(address, 1) as far:
        far._known.clear()
        monkeypatch.setattr(hypo, "__version__", "9.9.9")
        with pytest.warns(RuntimeWarning, match=r"has hypo 0\.1\.0; .*; the search goes on without them"):
            assert list(Offload(Serial(), far, worth=0.0).map(add, range(4))) == [0, 1, 2, 3]


@pytest.mark.parametrize("scheduler", ["fast", "host:8786", 3])
def test_a_scheduler_must_be_one(scheduler: Any) -> None:
    with pytest.raises(InputError, match="the scheduler must be threads, processes, local or the address of a Dask"):
        hypo.fit((ROWS[:, :2], ROWS[:, 2]), scheduler=scheduler)


# --- shares -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("items", "of"), [(10, 3), (3, 3), (7, 1)])
def test_shares_are_disjoint_and_complete(items: int, of: int) -> None:
    parts = [list(Share(Serial(), k, of).map(add, range(items))) for k in range(1, of + 1)]
    assert sorted(chain(*parts)) == list(range(items))


def test_everybody_does_what_is_little() -> None:
    assert [list(Share(Serial(), k, 3).map(add, range(2))) for k in (1, 2, 3)] == [[0, 1]] * 3


# --- arrays at odd addresses ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Held:
    values: np.ndarray
    parts: tuple[Any, ...] = ()


def test_arrays_within_dataclasses_are_made_usable():
    odd = np.frombuffer(bytearray(8 * 5 + 1), np.uint8)[1:].view(float)
    assert not odd.flags.aligned
    sound = np.arange(3.0)
    held = remote.usable(_Held(sound, (_Held(odd), 1, "a")))
    assert held.values is sound and held.parts[0].values.flags.aligned
    assert held.parts[0].values.tolist() == odd.tolist() and held.parts[1:] == (1, "a")
