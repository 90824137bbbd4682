"""The benchmarks of the GPU backend: that they run, and that they say so where nothing was measured."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hypo
from tests.oracles.places import BENCHMARKS, ROOT

INSTALLED = find_spec("torch") is not None and find_spec("triton") is not None


def run(*arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / "gpu/run.py"), *arguments]
    given = os.environ | {"TRITON_INTERPRET": "1", "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=given, capture_output=True, text=True, check=True, timeout=300).stdout


def test_without_a_gpu() -> None:
    assert run().startswith("not measured: ")


@pytest.mark.skipif(not INSTALLED, reason="PyTorch or Triton is not installed")
def test_every_part_runs_in_the_interpreter(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    printed = run("--tiny", "--only", "limits,checks,tiers,scans,whole", "--out", str(out))
    results = json.loads(out.read_text())
    assert results["device"].startswith("not measured") and "not measured" in printed
    assert results["checks"]["sums"] == results["checks"]["products"] == 1.0
    assert "FAILED" not in printed and not any("failed" in part for part in results.values() if isinstance(part, dict))
    assert results["checks"]["members"] == 1.0
    for one in results["tiers"]:
        assert 0 < one["reach"] <= one["near"] <= one["listed"]
    assert results["whole"]["device"]["members"] == results["whole"]["processor"]["members"]


def line(name: str, device: str, recovered: bool, seconds: float) -> str:
    return json.dumps(
        {"name": name, "device": device, "recovered": recovered, "seconds": seconds, "found": "x", "status": ""}
    )


@pytest.fixture(scope="module")
def feynman() -> Iterator[Any]:
    """The script as a module; sys.path and sys.modules are put back afterwards."""
    names = ("run", "feynman", "suites", "judge", "peers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(BENCHMARKS / folder) for folder in ("srbench", "", "gpu")] + sys.path)
        for name in names:
            patch.delitem(sys.modules, name, raising=False)
        yield importlib.import_module("feynman")
        for name in names:
            sys.modules.pop(name, None)


NAMES = ("feynman_I_6_2", "feynman_I_9_18", "feynman_II_36_38", "strogatz_bacres1")


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A results file in which one problem was missed."""
    file = tmp_path / "measured.jsonl"
    file.write_text("".join(line(n, "cpu", k != 1, 10.0 * k) + "\n" for k, n in enumerate(NAMES)))
    return file


def test_what_one_backend_solves_alone(
    feynman: Any, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(line(NAMES[2], "cpu", False, 60.0) + "\n" + line(NAMES[2], "gpu", True, 7.5) + "\n")
    feynman.main(["--hardest", str(measured), "--out", str(out), "--limit", "0"])
    printed = capsys.readouterr().out
    # Nothing was begun.
    assert printed.startswith("# the time of this command is up; the same command goes on from here\n")
    assert "feynman_II_36_38   MISS 60.0 s      ok 7.5 s\n" in printed
    assert "only the GPU solves (1 of 1): feynman_II_36_38\nonly the CPU solves (0 of 1): -\n" in printed
    if find_spec("psrn") is None:
        assert "psrn: not installed: not measured\n" in printed
    assert "not measured\n" in printed.partition("gpu: ")[2]


def test_hard_problems_are_those_that_were_measured_to_be(feynman: Any, measured: Path) -> None:
    base = {"time_limit": 5.0, "rows": 100, "seed": 0, "threads": 1, "problems": 20}
    hardest = feynman.problems(SimpleNamespace(hardest=measured, missed=None, **base))
    missed = feynman.problems(SimpleNamespace(hardest=None, missed=measured, **base))
    others = feynman.problems(SimpleNamespace(hardest=None, missed=None, **base))
    assert [p.name for p in hardest] == [NAMES[2], NAMES[0]]
    assert [p.name for p in missed] == [NAMES[1]]
    assert len(others) == 20 and all(p.never_solved and p.units for p in others)
    args = feynman.settings(SimpleNamespace(**base), "gpu")
    assert (args.backend, args.engine, args.units) == ("cuda", "hypo", False)
    assert feynman.settings(SimpleNamespace(**base), "psrn").engine == "psrn"


def test_the_answer_of_psrn_is_read_back(feynman: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    peers = sys.modules["peers"]
    answer = SimpleNamespace(returncode=0, stdout='much\n{"found": "2.0*x10*sin(x1)", "seconds": 1.0}\n', stderr="")
    monkeypatch.setattr(peers, "find_spec", lambda name: object())
    monkeypatch.setattr(peers.subprocess, "run", lambda *given, **named: answer)
    columns = [f"v{k}" for k in range(11)]
    given = np.ones((4, 11)), np.ones(4), columns, 1.0, 0
    assert peers.psrn(*given) == hypo.parse("2.0*v10*sin(v1)", variables=columns)
    answer.stdout = '{"found": null, "seconds": 1.0}'
    with pytest.raises(RuntimeError, match="psrn found nothing"):
        peers.psrn(*given)
    answer.returncode, answer.stderr = 1, "Traceback\nOutOfMemoryError: CUDA out of memory"
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        peers.psrn(*given)
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="psrn"):
        peers.psrn(*given)
