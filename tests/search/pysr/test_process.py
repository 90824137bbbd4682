"""PySR's process: what Julia does to it (descriptors, compiling, output, crashes), and what is said where it fails."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hypo
from hypo.errors import HypoError, MissingExtraError
from tests.oracles.pysr_case import LAW, NAMES, X, fit, left_behind, write

# Better than a constant, and of y's unit.
BETTER = '9,1.0,"(sin((x1 * x2) * 1.7) * 2.0) + x1"\n'
UNITS = {"a": "m", "S": "s", "y": "m"}


def test_it_starts_whatever_julia_does_to_the_standard_streams(stages: Path) -> None:
    # The stand-in sets O_NONBLOCK on all three, at its import as Julia does.
    write(stages, LAW)
    assert fit(backend="pysr").best.origin == "pysr"


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"units": UNITS},
        {"sigma": [0.1 + 0.01 * k for k in range(80)]},
        {"knowledge": {"template": {"form": "y = g(a) + h(S)"}}},
        {"guesses": ["k*a + S"]},
    ],
    ids=["plain", "units", "weights", "template", "guesses"],
)
def test_compiling_takes_nothing_of_the_time_limit(stages: Path, given: dict) -> None:
    (stages / "slow").write_text("2.5")
    write(stages, '3,1.0,"f1 = #1; f2 = #1"\n' if "knowledge" in given else BETTER)
    stagewise = []
    begin = time.monotonic()
    result = fit(backend="pysr", time_limit=1.5, progress=lambda p: stagewise.append(p.stage), **given)
    assert time.monotonic() - begin > 2.5
    assert "pysr" in {h.origin for h in result.front}
    assert stagewise[:2] == ["starting Julia", "compiling PySR's search"]
    assert result.coverage.scored > 0
    # The rehearsal was a search of the same kind, for other targets, in a folder of its own.
    short, whole = (json.loads((stages / name).read_text()) for name in ("rehearsal.json", "record.json"))
    same = (
        "binary_operators",
        "unary_operators",
        "constraints",
        "nested_constraints",
        "dimensional_constraint_penalty",
    )
    assert [short["model"][key] for key in same] == [whole["model"][key] for key in same]
    same = ("X_units", "y_units", "weighted")
    assert [short[key] for key in same] == [whole[key] for key in same]
    assert short["model"].get("expression_spec") == whole["model"].get("expression_spec")
    assert (short["model"]["guesses"] is None) == (whole["model"]["guesses"] is None)
    assert short["model"]["run_id"] != whole["model"]["run_id"]
    assert whole["model"]["timeout_in_seconds"] == 1.5
    assert not left_behind(stages)


def test_nothing_in_time_is_said(stages: Path) -> None:
    (stages / "stay").touch()
    result = fit(backend="pysr", time_limit=1, units=UNITS)
    assert result.status == "time_limit"
    assert result.message == "the time limit was reached; PySR found nothing within it"
    assert "0 hypotheses" not in str(result)
    assert "The search ended before it scored a formula of its own." in str(result)


def test_nothing_in_time_for_a_template_is_said(stages: Path) -> None:
    (stages / "stay").touch()
    result = fit(backend="pysr", time_limit=1, knowledge={"template": {"form": "y = g(a) + h(S)"}})
    assert (result.status, result.best) == ("nothing_found", None)
    assert result.message == "no formula was scored: the time limit was reached; PySR found nothing within it"


def test_formulas_that_break_the_knowledge_are_told_from_none(stages: Path) -> None:
    write(stages, '3,1.0,"f1 = #1; f2 = #1"\n')
    k = {"template": {"form": "y = g(a) + h(S)"}, "rule": [{"kind": "bounds", "max": -1.0, "hard": True}]}
    result = fit(backend="pysr", time_limit=3, knowledge=k)
    assert result.message == "no formula is defined on all rows and keeps the knowledge"


def test_a_native_search_that_ends_first_says_so(stages: Path) -> None:
    (stages / "stay").touch()
    result = hypo.fit(X, X[:, 0] * X[:, 1], features=NAMES, backend="all", time_limit=20, workers=2)
    assert result.status == "exact"
    assert result.message == "the formula meets every row to rounding; PySR found nothing until then"


def test_a_crash_while_it_compiles(stages: Path) -> None:
    (stages / "crash-early").touch()
    with pytest.raises(
        HypoError,
        match=r"PySR ended while it compiled its search \(its process was ended by SIGKILL; its last "
        r"words: .*signal \(11\): Segmentation fault / in expression starting at none:0\)$",
    ):
        fit(backend="pysr")
    beside = hypo.fit(X, X[:, 0] * X[:, 1], features=NAMES, time_limit=20, workers=1, backend="all")
    assert beside.status == "exact"
    assert "PySR ended before it found anything (its process was ended by SIGKILL" in beside.message
    assert not left_behind(stages)


def test_a_crash_in_the_search_keeps_what_was_found(stages: Path) -> None:
    write(stages, BETTER)
    (stages / "crash").touch()
    result = fit(backend="pysr")
    assert "pysr" in {h.origin for h in result.front}
    assert "PySR ended early (its process was ended by SIGKILL; its last words: " in result.message
    assert "\n" not in result.message


def test_an_interrupt_while_julia_starts(stages: Path) -> None:
    (stages / "slow").write_text("60")

    def interrupt(progress) -> None:
        if progress.stage.startswith("compiling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(backend="pysr", progress=interrupt)
    assert not left_behind(stages)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to look up processes in")
def test_the_child_ends_with_its_parent(stages: Path) -> None:
    (stages / "stay").touch()
    code = "from tests.oracles.pysr_case import fit; fit(backend='pysr', time_limit=60)"
    user = subprocess.Popen([sys.executable, "-c", code], env=_environment())
    late = time.monotonic() + 60
    while not (stages / "record.json").exists() and time.monotonic() < late:
        time.sleep(0.05)
    child = int((stages / "pid").read_text())
    assert _alive(child)
    user.kill()
    user.wait()
    late = time.monotonic() + 10
    while _alive(child) and time.monotonic() < late:
        time.sleep(0.05)
    assert not _alive(child)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# --- a Julia that is named ---------------------------------------------------------------------------------------


@pytest.fixture
def julia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is named as Julia."""
    path = tmp_path / "julia"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", str(path))
    return path


def test_a_named_julia_that_fails_says_its_own_words_and_how_to_prepare_it(
    stages: Path, julia: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stages / "command").touch()
    with pytest.raises(MissingExtraError) as error:
        fit(backend="pysr")
    message = str(error.value)
    assert "(a command of Julia ended with code 1; its last words: " in message
    assert message.count("ERROR: expected package PythonCall to be registered") == 1
    assert "CalledProcessError" not in message and "or name an installed Julia" not in message and "\n" not in message
    assert f'`export PYTHON_JULIAPKG_EXE={julia} PYTHON_JULIAPKG_PROJECT="$HOME/julia-pysr"`' in message
    assert "`python -c 'import pysr'`" in message
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", "/some where/julia")
    with pytest.raises(MissingExtraError, match="PYTHON_JULIAPKG_PROJECT='/some where/julia'`"):
        fit(backend="all")


def test_a_named_julia_that_is_not_there(stages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", "/nowhere/julia")
    with pytest.raises(
        MissingExtraError, match="PYTHON_JULIAPKG_EXE names /nowhere/julia, which is no program: give the path"
    ):
        fit(backend="pysr")


def test_the_stand_in_does_to_descriptors_what_julia_does(stages: Path) -> None:
    code = "import pysr, os; print([os.get_blocking(d) for d in (0, 1, 2)])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(),
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[False, False, False]"
