"""Compiling before the clock starts."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hypo.search import warm as module
from hypo.search.warm import _marker, warm


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What would be compiled here and in other processes, with a cache folder of its own."""
    done: list[tuple[str, ...]] = []

    class Other:
        def __init__(self, command, **_):
            done.append(("other", command[0]))

        def wait(self, timeout):
            return 0

        def poll(self):
            return 0

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(module, "compile_share", done.append)
    monkeypatch.setattr(module.subprocess, "Popen", Other)
    return done


def test_compiles_once_and_says_so(calls) -> None:
    said: list[str] = []
    warm(said.append)
    assert [who for who, _ in calls] == ["other", "other"] and len(said) == 1
    assert _marker().exists()
    warm(said.append)
    assert len(calls) == 2 and len(said) == 1


def test_without_a_report_it_is_logged_once(calls, caplog) -> None:
    warm()
    warm()
    assert [r.name for r in caplog.records] == ["hypo"] and "compiling" in caplog.text


def test_who_comes_second_waits_and_compiles_nothing(calls) -> None:
    fcntl = pytest.importorskip("fcntl")
    marker = _marker()
    with marker.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=warm)
        second.start()
        second.join(0.2)
        assert second.is_alive()
        marker.touch()
    second.join(10)
    assert not second.is_alive() and not calls


def test_a_failed_compilation_is_tried_again(calls, monkeypatch) -> None:
    monkeypatch.setattr(module.subprocess.Popen, "wait", lambda self, timeout: 1)
    warm()
    assert not _marker().exists()
    warm()
    assert len(calls) == 4


def test_a_folder_that_cannot_be_written_is_no_error(calls, monkeypatch, tmp_path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    assert _marker() is None
    warm()
    assert not calls


def test_the_searches_that_compile_do_not_wait_for_themselves(calls, monkeypatch) -> None:
    monkeypatch.setenv("HYPO_COMPILING", "1")
    warm()
    assert not calls


def test_warming_leaves_nothing_to_compile() -> None:
    """A variant that is compiled in the middle of a search takes seconds of it, and memory that no limit counts."""
    kinds = ["weights", "units", "rules", "template", "guesses", "columns", "few", "operators", "scoring"]
    script = Path(__file__).parent / "compiled.py"
    done = subprocess.run([sys.executable, str(script), *kinds], capture_output=True, text=True, timeout=600, check=True)
    known, missed = json.loads(done.stdout.splitlines()[-1])
    assert known >= 15
    assert missed == []
