"""Compiling beside the first search."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hypo.clock import now, standing_still
from hypo.kernels import compiled, turns
from hypo.search import compile as module
from hypo.search.compile import begin, end, is_complete, status, warm
from tests.oracles.places import ROOT


class Other:
    """Stands for a process that compiles."""

    def __init__(self, command: list[str], folder: Path, ends: bool) -> None:
        self.command, self.folder, self.ends, self.stdin = command, folder, ends, None

    def poll(self) -> int | None:
        if self.ends:
            (self.folder / compiled.COMPLETE).touch()
        return 0 if self.ends else None

    def kill(self) -> None:
        self.ends = True

    def wait(self) -> int:
        return 0


@pytest.fixture
def others(monkeypatch, tmp_path):
    """The processes that would be started, with a folder of its own for what is compiled."""
    started: list[Other] = []

    def start(command, **_):
        started.append(Other(command, tmp_path, ends=True))
        return started[-1]

    monkeypatch.delenv("HYPO_COMPILING", raising=False)
    monkeypatch.setattr(compiled, "place", lambda: tmp_path)
    monkeypatch.setattr(module.subprocess, "Popen", start)
    monkeypatch.setattr(module, "_others", [])
    monkeypatch.setattr(module, "_looked", (0.0, ""))
    monkeypatch.setattr(module, "LOOK", 0.0)
    return started


def test_compiles_once_and_says_how_far_it_is(others) -> None:
    said: list[str] = []
    assert warm(said.append) and is_complete()
    assert 1 <= len(others) <= module.PROCESSES
    assert said[0].startswith("compiling, once for this installation: 0 of ")
    count = len(others)
    assert warm(said.append) and len(others) == count


def test_the_count_moves(others, tmp_path) -> None:
    assert " 0 of " in status()
    names = sorted(compiled.NAMES)
    (tmp_path / f"{names[0]}-0123.nbi").touch()
    (tmp_path / f"{names[0]}-4567.nbi").touch()
    (tmp_path / f"{names[1]}-0123.nbi").touch()
    assert status() == f"compiling, once for this installation: 2 of {len(names)} kernels"
    (tmp_path / compiled.COMPLETE).touch()
    assert status() == ""


def test_without_a_report_it_is_logged(others, caplog) -> None:
    warm()
    assert [r.name for r in caplog.records] == ["hypo"] and "compiling, once" in caplog.text
    warm()
    assert len(caplog.records) == 1


def test_processes_that_run_are_not_started_again(others, monkeypatch) -> None:
    monkeypatch.setattr(Other, "poll", lambda self: None)
    assert begin() and begin()
    assert len(others) <= module.PROCESSES
    end()
    assert all(other.ends for other in others)


def test_where_no_process_can_be_started_kernels_are_compiled_as_they_are_called(others, monkeypatch) -> None:
    def fails(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr(module.subprocess, "Popen", fails)
    assert not warm(lambda said: None)


def test_where_nothing_can_be_kept_nothing_is_begun(others, monkeypatch) -> None:
    monkeypatch.setattr(compiled, "place", lambda: None)
    assert not begin() and warm() and not others


def test_what_compiles_starts_no_others(others, monkeypatch) -> None:
    monkeypatch.setenv("HYPO_COMPILING", "1")
    assert not begin() and not others


def test_the_clock_of_a_search_stands_still_while_it_waits(monkeypatch, tmp_path) -> None:
    fcntl = pytest.importorskip("fcntl")
    lock = tmp_path / "kernel.lock"
    told: list[float] = []
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert turns.is_held(lock)

        def tell() -> None:
            told.append(now())
            if len(told) == 5:
                fcntl.flock(other, fcntl.LOCK_UN)

        begun, before = time.monotonic(), time.monotonic()
        with standing_still(), turns.telling(tell):
            turns.take(lock)
            taken, counted = time.monotonic() - begun, now() - before
    turns.give_back(lock)
    assert len(told) == 5 and taken > 3 * turns.PAUSE
    assert counted < taken / 2
    # Elsewhere it is the clock that everybody knows.
    assert now() == pytest.approx(time.monotonic(), abs=0.5)
    assert not lock.exists() and not turns.is_held(lock)


def test_a_claim_is_one_process_s(tmp_path) -> None:
    pytest.importorskip("fcntl")
    with turns.claimed(tmp_path, "entry") as mine, turns.claimed(tmp_path, "entry") as again:
        assert mine and not again
    with turns.claimed(tmp_path, "entry") as mine:
        assert mine


PARENT = """
import os, subprocess, sys, time
from hypo.search import compile as warm
started = []
real = subprocess.Popen
def start(*given, **more):
    started.append(real(*given, **more))
    return started[-1]
subprocess.Popen = start
assert warm.begin()
print(*(p.pid for p in started), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes by /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_that_compile_end_with_their_parent(how, tmp_path) -> None:
    settings = {k: v for k, v in os.environ.items() if k != "HYPO_COMPILING"} | {"NUMBA_CACHE_DIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert children
    parent.send_signal(how)
    parent.wait(60)
    parent.stdout.close()
    late = time.monotonic() + 60
    while time.monotonic() < late and any(_runs(pid) for pid in children):
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in children)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_warming_leaves_nothing_to_compile() -> None:
    """A variant that is compiled in the middle of a search takes seconds of it, and memory that no limit counts."""
    kinds = ["weights", "units", "rules", "template", "guesses", "columns", "few", "operators", "scoring"]
    script = ROOT / "tests" / "oracles" / "compiled.py"
    done = subprocess.run(
        [sys.executable, str(script), *kinds], capture_output=True, text=True, timeout=600, check=True
    )
    known, missed, never = json.loads(done.stdout.splitlines()[-1])
    assert known >= 15
    assert missed == []
    # All that is counted is compiled, so that the count ends where it should.
    assert never == []


def test_an_interrupt_that_a_callback_of_the_compiler_drops_comes_again() -> None:
    from hypo.search.compile import interruptible

    class Dropping:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    heard, until = False, time.monotonic() + 20
    with interruptible():
        try:
            # What is raised here is dropped, as in callbacks of C.
            Dropping()
            while time.monotonic() < until:
                time.sleep(0.01)
        except KeyboardInterrupt:
            heard = True
    assert heard
