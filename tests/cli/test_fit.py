"""hypo fit: output, files, equal answers, interruption."""

import json
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from tests.cli.command_line import FAST, LAW, Cli, X, write_csv


def test_fit_prints_the_law_and_writes_the_result(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("fit", "fall.csv", "--target", "s", *FAST)
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(r"s = (5/2|2\.5)\*t\*\*2", lines[0])
    assert re.fullmatch(r"  with 2\.5 \[m/s\^2\]", lines[1])
    assert re.fullmatch(r" +complexity +score +misfit +R² +RMSE +s =", lines[3])
    marked = [line for line in lines if line.startswith("*")]
    assert len(marked) == 1
    assert marked[0].endswith(lines[0].removeprefix("s = "))
    assert re.fullmatch(
        r"All formulas of up to \d+ nodes? without fitted constants were looked through: none has the target's unit, so it "
        r"takes a fitted constant with a unit\. In all, [\d ]+ hypotheses were scored\.",
        lines[-2],
    )
    assert lines[-1] == f"Written to {Path('hypo-out/fall')}: result.json, front.csv"
    assert sorted(p.name for p in (tmp_path / "hypo-out" / "fall").iterdir()) == ["front.csv", "result.json"]


def test_fit_without_units(cli: Cli) -> None:
    write_csv(Path("plain.csv"), "t,s", X, LAW)
    _, out, _ = cli("fit", "plain.csv", "--target", "s", *FAST)
    assert re.search(
        r"^(All [\d ]+ distinct formulas|The only formula) of up to \d+ nodes? without fitted constants (were|was) scored\. "
        r"In all, [\d ]+ hypotheses were scored\.$",
        out,
        re.M,
    )
    assert "  with " not in out


def test_result_json(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("fit", "fall.csv", "--target", "s", "--json", "--out", "r", "--plot", *FAST)
    assert (code, err) == (0, "")
    assert out == (tmp_path / "r" / "result.json").read_text()
    assert (tmp_path / "r" / "plot.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads(out)
    assert list(content) == [
        "schema",
        "status",
        "best",
        "front",
        "coverage",
        "efficiency",
        "rules",
        "posterior",
        "inclusion",
        "timing",
        "manifest",
    ]
    assert content["schema"] == "hypo-result/1"
    assert list(content["status"]) == ["code", "message"]
    assert content["status"]["code"] == "exact"
    keys = ["expression", "pretty", "latex", "complexity", "constants", "misfit", "complexity_cost", "violation"]
    keys += ["score", "r2", "rmse", "origin", "believed"]
    assert all(list(row) == keys for row in (content["best"], *content["front"]))
    assert content["best"] in content["front"]
    assert [row["complexity"] for row in content["front"]] == sorted(row["complexity"] for row in content["front"])
    for row in content["front"]:
        assert row["score"] == pytest.approx(row["misfit"] + row["complexity_cost"] + row["violation"], rel=1e-12)
        assert all(
            list(constant) == ["name", "value", "std", "lower", "upper", "unit"] for constant in row["constants"]
        )
    assert list(content["coverage"]) == ["complete_to", "scored", "distinct"]
    assert list(content["efficiency"]) == ["outcome", "diversity"]
    assert list(content["manifest"]) == ["version", "seed", "data_sha256", "settings", "packages", "doubts", "prior"]
    assert content["manifest"]["settings"]["units"] == {"t": "s", "s": "m"}
    assert "workers" in content["timing"]
    assert "workers" not in content["manifest"]["settings"]


def test_front_csv(cli: Cli, tmp_path: Path) -> None:
    cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)
    front = json.loads((tmp_path / "r" / "result.json").read_text())["front"]
    header, *rows = (tmp_path / "r" / "front.csv").read_text().splitlines()
    assert header == "best,complexity,misfit,complexity_cost,violation,score,r2,rmse,expression,pretty,origin,believed"
    assert len(rows) == len(front)
    assert [float(row.split(",")[5]) for row in rows] == [row["score"] for row in front]
    assert [row.split(",")[0] for row in rows].count("1") == 1


def test_warmup_says_when_there_is_nothing_to_do(cli: Cli) -> None:
    assert cli("warmup") == (0, "all kernels are compiled\n", "")


def test_quiet_prints_the_formula_alone(cli: Cli) -> None:
    code, out, err = cli("fit", "fall.csv", "--target", "s", "--quiet", *FAST)
    assert (code, err) == (0, "")
    assert hypo.parse(out.strip()).variables == ("t",)
    assert out.count("\n") == 1


@pytest.mark.slow
def test_result_is_the_same_for_equal_seeds_and_any_number_of_workers(cli: Cli) -> None:
    rng = np.random.default_rng(5)
    write_csv(Path("noisy.csv"), "t,s", X, LAW + 0.05 * rng.normal(size=12))
    found = []
    for k, workers in enumerate("112"):
        cli("fit", "noisy.csv", "--target", "s", "--quiet", "--workers", workers, "--out", f"r{k}", *FAST)
        content = json.loads(Path(f"r{k}", "result.json").read_text())
        assert content.pop("timing")["workers"] == int(workers)
        found.append(json.dumps(content))
    assert found[0] == found[1] == found[2]


def test_an_earlier_result_is_replaced_but_nothing_else(cli: Cli) -> None:
    assert cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)[0] == 0
    assert cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)[0] == 0
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("precious")
    code, out, err = cli("fit", "fall.csv", "--target", "s", "--out", "mine", *FAST)
    assert (code, out) == (2, "")
    assert err == "error: mine holds files but no result of hypo: choose a new or empty folder\n"
    code, _, err = cli("fit", "fall.csv", "--target", "s", "--out", "fall.csv", *FAST)
    assert (code, err) == (2, "error: fall.csv is a file, so results cannot be written there: choose another folder\n")


def test_nothing_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from hypo.search.outcome import Outcome

    def search(*_: Any) -> Outcome:
        return Outcome((), None, 0, 7, 0, 0.0, 0.0, "nothing_found", "no formula is defined on all rows", {})

    monkeypatch.setattr("hypo.search.engine.search", search)
    code, out, _ = cli("fit", "fall.csv", "--target", "s", "--out", "r")
    assert code == 3
    assert out.splitlines() == [
        "No formula is defined on all rows.",
        "7 hypotheses were scored; formulas were not looked through size by size.",
        "Written to r: result.json, front.csv",
    ]
    content = json.loads(Path("r/result.json").read_text())
    assert content["best"] is None
    assert content["front"] == []
    assert cli("show", "r") == (3, out[: out.index("Written to")], "")
    assert cli("show", "r", "--json")[0] == 3
    assert cli("fit", "fall.csv", "--target", "s", "--out", "r", "--quiet")[:2] == (3, "")
    code, _, err = cli("predict", "r", "fall.csv")
    assert (code, err) == (
        2,
        "error: the search found no formula, so there is nothing to work with: allow more time or operators\n",
    )


# Waits inside the search, where the report of progress is called, until a signal comes.
WAITING = textwrap.dedent("""
    import signal, sys, time
    from hypo.cli.main import main
    from hypo.report.display.progress import PlainProgress

    # A shell starts what runs in the background deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait(self, progress):
        if progress.best is not None:
            print("ready", flush=True)
            time.sleep(60)

    PlainProgress.__call__ = wait
    sys.exit(main(sys.argv[1:]))
""")


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "terminate", "hang up"]
)
def test_an_interrupted_search_leaves_the_best_so_far(tmp_path: Path, number: signal.Signals) -> None:
    data = write_csv(tmp_path / "fall.csv", "t,s", X, LAW + np.sin(9 * X))
    out = tmp_path / "r"
    command = [sys.executable, "-c", WAITING, "fit", str(data), "--target", "s", "--out", str(out), *FAST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stderr is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(number)
        printed, errors = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert "Interrupted by the user.\n" in printed
    content = json.loads((out / "result.json").read_text())
    assert content["status"]["code"] == "interrupted"
    assert content["best"] is not None


def test_interrupted_before_the_search(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hypo.fit", interrupt)
    code, _, err = cli("fit", "fall.csv", "--target", "s")
    assert (code, err.strip()) == (130, "error: interrupted before there was a result")
