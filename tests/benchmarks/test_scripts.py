"""Every benchmark script imports and tells its options."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracles.places import BENCHMARKS

SCRIPTS = sorted(
    path for path in BENCHMARKS.rglob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts import each other by short names, the same in several folders: what one has imported is forgotten after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(BENCHMARKS)))
def test_help(script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    sys.path.insert(0, str(script.parent))
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {script.name}")


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 20
