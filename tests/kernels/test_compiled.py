"""Machine code is that of the sources as they are now, also of what a kernel inlines, and old code goes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hypo
from hypo.kernels import compiled

SCORE = """
import numpy as np
from hypo.kernels.cpu import pair_scores as rescore
from hypo.kernels import compiled
F, out = np.array([[0.6, 0.8]]), np.zeros(1)
r, at = np.array([0.5]), np.zeros(1, np.int64)
rescore.sum_scores(F, np.array([[1.0, 0.0]]), r, r, at, at, out)
print(out[0], compiled.place(), sum(rescore.sum_scores.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that may be edited."""
    shutil.copytree(Path(hypo.__file__).parent, tmp_path / "hypo", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(package: Path, script: str = SCORE, **environment: str) -> list[str]:
    settings = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    settings |= {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=package, env=settings, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.slow
def test_an_edit_of_an_inlined_kernel_reaches_its_callers(package: Path) -> None:
    before, old, hits = run(package)
    assert float(before) == pytest.approx((0.5 - 2 * 0.25 * 0.6) / 0.64) and hits == "0"
    assert run(package) == [before, old, "1"]
    source = package / "hypo" / "kernels" / "cpu" / "pair_scan.py"
    text = source.read_text()
    assert text.count("- 2.0 * (r * q) * d)") == 1
    source.write_text(text.replace("- 2.0 * (r * q) * d)", "- 1.0 * (r * q) * d)"))
    after, new, hits = run(package)
    assert float(after) == pytest.approx((0.5 - 0.25 * 0.6) / 0.64) and hits == "0"
    # The folder of the old sources is gone.
    assert [str(p) for p in Path(new).parent.glob(f"{compiled.PREFIX}*")] == [new] != [old]


def test_the_folder_lies_where_the_user_wants_it_or_else_where_it_can(package: Path) -> None:
    wanted = package / "wanted"
    place = Path(
        run(package, "from hypo.kernels.compiled import place; print(place())", NUMBA_CACHE_DIR=str(wanted))[0]
    )
    assert place.parent.parent == wanted
    blocked = package / "file"
    blocked.write_text("")
    place = Path(
        run(package, "from hypo.kernels.compiled import place; print(place())", NUMBA_CACHE_DIR=str(blocked))[0]
    )
    assert place.parent == package / "hypo" / "kernels" / "__pycache__"


def test_where_nothing_can_be_written_kernels_are_compiled_and_not_kept(package: Path) -> None:
    (package / "hypo" / "kernels" / "__pycache__").write_text("")
    home = package / "home"
    home.write_text("")
    value, place, _ = run(package, HOME=str(home), XDG_CACHE_HOME=str(home), LOCALAPPDATA=str(home))
    assert float(value) > 0 and place == "None"


def test_kernels_of_others_stay_where_numba_puts_them(package: Path) -> None:
    (package / "theirs.py").write_text("import numba\n\n@numba.njit(cache=True)\ndef double(x):\n    return 2 * x\n")
    script = "import hypo.kernels.cpu.many_targets, theirs; print(theirs.double(2), theirs.double.stats.cache_path)"
    assert run(package, script) == ["4", str(package / "__pycache__")]


@pytest.fixture
def folders(tmp_path: Path):
    """Makes folders of other versions, used so many days ago."""

    def made(name: str, days: float) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "used").touch()
        (folder / "code.nbc").touch()
        os.utime(folder / "used", (time.time() - days * 86400,) * 2)
        return folder

    return made


def test_what_old_sources_left_goes_and_other_versions_stay_while_used(folders, tmp_path: Path) -> None:
    mine, stale = folders("compiled-aa-11", 0), folders("compiled-aa-22", 0)
    other, forgotten, foreign = (
        folders("compiled-bb-11", 1),
        folders("compiled-cc-11", 31),
        folders("somebody-else", 99),
    )
    compiled.remove_old(mine)
    assert mine.exists() and other.exists() and foreign.exists()
    assert not stale.exists() and not forgotten.exists()


def test_a_process_of_old_sources_goes_on_when_its_folder_goes(package: Path) -> None:
    script = SCORE.replace("r, at =", "import shutil; shutil.rmtree(compiled.place()); r, at =")
    value, place, _ = run(package, script)
    assert float(value) > 0 and not Path(place).exists()


def test_processes_that_need_the_same_kernel_compile_it_once(package: Path) -> None:
    count = SCORE + "print(sum(rescore.sum_scores.stats.cache_misses.values()))"
    settings = {**os.environ, "PYTHONPATH": str(package), "NUMBA_CACHE_DIR": str(package / "kept")}
    command = [sys.executable, "-c", count]
    both = [subprocess.Popen(command, cwd=package, env=settings, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [other.communicate(timeout=300)[0].split() for other in both]
    assert sorted(misses for *_, misses in answers) == ["0", "1"]
    assert not list((package / "kept").rglob("*.lock"))


def test_there_is_one_way_to_compile() -> None:
    for path in compiled.HERE.glob("*.py"):
        if path != Path(compiled.__file__):
            text = path.read_text()
            assert "njit" not in text and "cache=True" not in text, f"{path.name}: use kernel or inner of compiled.py"
