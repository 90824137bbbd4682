"""A small run of the fuzzing benchmark: nothing but messages, whatever stands in a knowledge file."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracles.places import BENCHMARKS

FOLDER = BENCHMARKS / "knowledge"


@pytest.mark.slow
def test_mutated_files_raise_nothing_but_knowledge_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    fuzz = importlib.import_module("fuzz")
    tally = fuzz.fuzz(2000, seed=7)
    assert tally.failures == []
    assert tally.files == 2000
    assert 100 < tally.loaded < 1900
    assert tally.problems >= tally.files - tally.loaded


def test_no_code_is_run(tmp_path: Path) -> None:
    """In a process of its own, for an audit hook stays; the summary is written, and the status says that nothing failed."""
    out = tmp_path / "fuzz.json"
    done = subprocess.run(
        [sys.executable, str(FOLDER / "fuzz.py"), "--files", "100", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"failures": {}' in out.read_text()


def test_the_watch_sees_code_run(tmp_path: Path) -> None:
    script = "import fuzz; w = fuzz.Watch()\nwith w: compile('1', 'x', 'eval')\nprint(dict(w.seen))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=FOLDER, check=True)
    assert done.stdout == "{'compile': 1}\n"
