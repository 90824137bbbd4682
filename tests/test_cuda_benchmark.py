"""The benchmark of the GPU backend: that it runs, and that it says so where nothing was measured."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

INSTALLED = find_spec("torch") is not None and find_spec("triton") is not None


def run(repository: Path, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", str(repository / "benchmarks/gpu/run.py"), *arguments]
    given = os.environ | {"TRITON_INTERPRET": "1", "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(repository)}
    return subprocess.run(command, env=given, capture_output=True, text=True, check=True, timeout=300).stdout


def test_without_a_gpu(repository: Path) -> None:
    assert run(repository).startswith("not measured: ")


@pytest.mark.skipif(not INSTALLED, reason="PyTorch or Triton is not installed")
def test_every_part_runs_in_the_interpreter(repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    printed = run(repository, "--tiny", "--only", "limits,checks,tiers,scans,whole", "--out", str(out))
    results = json.loads(out.read_text())
    assert results["device"].startswith("not measured") and "not measured" in printed
    assert results["checks"]["sums"] == results["checks"]["products"] == 1.0
    assert "FAILED" not in printed and not any("failed" in part for part in results.values() if isinstance(part, dict))
    assert results["checks"]["members"] == 1.0
    for one in results["tiers"]:
        assert 0 < one["reach"] <= one["near"] <= one["listed"]
    assert results["whole"]["device"]["members"] == results["whole"]["processor"]["members"]
