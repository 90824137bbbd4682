"""The command line: output, files, exit codes, and one clear sentence for every error."""

import json
import math
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.cli.main import main

Cli = Callable[..., tuple[int, str, str]]

X = np.linspace(1.0, 4.0, 12)
LAW = 2.5 * X**2
FAST = ("--operators", "+,-,*,/", "--time-limit", "20")


def write_csv(path: Path, header: str, *columns: Any) -> Path:
    rows = [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows, ""]))
    return path


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command line in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "fall.csv", "t [s],s [m]", X, LAW)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


# --- help and version -------------------------------------------------------------------------------------------


def test_help(cli: Cli) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    assert "hypo fit DATA.csv --target y               search for the law\n" in out
    words = " ".join(out.split())
    assert (
        "Exit codes: 0 found, 2 wrong use or input, 3 nothing acceptable found, 4 found but saved elsewhere, 130"
        in words
    )
    assert re.findall(r"^  (\w+) {2,}\S", out[out.index("Commands:") :], re.M) == [
        "audit",
        "bound",
        "check",
        "fit",
        "merge",
        "predict",
        "profile",
        "score",
        "show",
        "suggest",
        "warmup",
    ]
    assert cli() == (0, out, "")


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"hypo {hypo.__version__}\n", "")


def test_as_module() -> None:
    run = subprocess.run([sys.executable, "-m", "hypo", "--version"], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"hypo {hypo.__version__}\n", "")
    run = subprocess.run([sys.executable, "-m", "hypo", "fit"], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "error: missing argument 'DATA.csv'; see hypo --help\n")


# --- fit ----------------------------------------------------------------------------------------------------------


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


# --- errors -------------------------------------------------------------------------------------------------------

FIT = ("fit", "fall.csv", "--target", "s")
ERRORS = [
    (("fit", "gone.csv", "--target", "s"), "gone.csv: there is no such file"),
    (("fit", "fall.csv"), "fall.csv: no target is given; choose one of the columns t, s"),
    (("fit", "fall.csv", "--target", "z"), 'there is no column "z" as target'),
    ((*FIT, "--features", "q"), 'there is no column "q" as feature'),
    ((*FIT, "--operators", "+,expp"), "unknown operator expp; did you mean exp?"),
    ((*FIT, "--operators", ","), "the list of operators is empty"),
    ((*FIT, "--time-limit", "0"), "the time limit must be a positive number of seconds, got 0"),
    ((*FIT, "--time-limit", "nan"), "the time limit must be a positive number of seconds, got nan"),
    (
        (*FIT, "--time-limit", "soon"),
        "time_limit must be a number of seconds above 0, or a duration such as 90s, 2min or 1h, got 'soon'",
    ),
    ((*FIT, "--seed", "-1"), "the seed must be 0 or more, got -1"),
    ((*FIT, "--workers", "0"), "the number of workers must be 1 or more, got 0"),
    ((*FIT, "--max-complexity", "0"), "the largest complexity must be 1 or more, got 0"),
    ((*FIT, "--lambda", "-2"), "lambda must be a number from 0 on, got -2.0"),
    ((*FIT, "--sigma", "-1"), "sigma must be"),
    ((*FIT, "--knowledge", "gone.toml"), "gone.toml"),
    ((*FIT, "--colour"), "no such option"),
    (("guess",), "no such command 'guess'"),
    (("score", "2*", "fall.csv", "--target", "s"), "cannot read the formula at column 3"),
    (("score", "t*s", "fall.csv", "--target", "s"), 'uses the target "s"; a formula for it can use the columns t'),
    (("score", "log(0-t)", "fall.csv", "--target", "s"), "is undefined on some row"),
    (("show", "nowhere"), "there is no result at nowhere"),
    (("predict", "nowhere", "fall.csv"), "there is no result at nowhere"),
    (("check", "gone.toml"), "gone.toml"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=[" ".join(a) for a, _ in ERRORS])
def test_errors_are_sentences(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*arguments)
    assert code == 2
    assert message in (err if arguments[0] != "check" else out + err)
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert not Path("hypo-out").exists()


def test_damaged_results(cli: Cli) -> None:
    Path("r").mkdir()
    Path("r/result.json").write_text("{")
    code, _, err = cli("show", "r")
    assert code == 2
    assert err.startswith("error: cannot read r/result.json: ")
    Path("r/result.json").write_text('{"schema": "hypo-result/9"}')
    assert cli("show", "r") == (
        2,
        "",
        "error: r/result.json has schema 'hypo-result/9', but this version of hypo reads 'hypo-result/1'\n",
    )
    Path("r/result.json").write_text('{"schema": "hypo-result/1"}')
    assert cli("show", "r") == (2, "", 'error: r/result.json is damaged (no entry "status"); run hypo fit again\n')
    Path("r/result.json").write_text('{"schema": {"a": 1}}')
    assert cli("show", "r") == (
        2,
        "",
        'error: r/result.json is no result of hypo (no entry "schema"): give the folder that hypo fit wrote\n',
    )


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("best",), None, 'no entry "best"'),
        (("manifest", "settings", "scales"), None, 'no entry "scales"'),
        (("coverage", "distinct"), None, 'no entry "distinct"'),
        (("front", 0, "constants", 0, "unit"), None, 'no entry "unit"'),
        (("front", 0, "score"), None, 'no entry "score"'),
        (("front", 0), 7, 'a member of the entry "front" is not a table'),
        (("front", 0, "score"), "low", 'the entry "score" is not a number'),
        (("front", 0, "expression"), "2*", 'the formula "2*" cannot be read'),
        (("front", 0, "expression"), "2*q", 'the formula "2*q" holds an unknown name, q'),
        (("best",), {"a": 1}, 'the entry "best" is not in the entry "front"'),
        (("coverage",), [1, 2], 'the entry "coverage" is not a table'),
        (("manifest", "settings", "features"), [1], 'a member of the entry "features" is not a text'),
        (("posterior", 0, "sigma"), -1, 'a member of the entry "posterior" has a "dof" or "sigma" below 0'),
        (("manifest", "settings", "columns"), -1, 'the entry "columns" is not a list'),
        (("manifest", "settings", "columns"), ["q"], 'the entry "columns" lacks a feature'),
        (("manifest", "settings", "notes"), [1], 'a member of the entry "notes" is not a text'),
        (("manifest", "settings", "scales"), {"y": 0.0}, 'a member of the entry "scales" is not above 0'),
        (("manifest", "settings", "unit_note"), 1.5, 'the entry "unit_note" is not a text'),
        (("manifest", "settings", "model_selection"), ["score"], 'the entry "model_selection" is not a text'),
        (("manifest", "prior", "symbols"), 1, 'the entry "prior" has counts that no grammar has'),
        (("manifest", "prior", "leaves"), 0, 'the entry "prior" has counts that no grammar has'),
        (
            ("manifest", "prior", "code_lengths"),
            {"x": math.nan},
            'a member of the entry "code_lengths" is not a number',
        ),
    ],
)
def test_damaged_entries(cli: Cli, result: str, path: tuple[Any, ...], value: Any, message: str) -> None:
    """``value`` None stands for an entry that is gone."""
    file = Path(result, "result.json")
    content = json.loads(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file.write_text(json.dumps(content))
    assert cli("show", result) == (2, "", f"error: r/result.json is damaged ({message}); run hypo fit again\n")


def test_a_bug_is_called_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("sign flipped\nin line two")

    monkeypatch.setattr("hypo.fit", fail)
    code, out, err = cli("fit", "fall.csv", "--target", "s")
    assert (code, out) == (1, "")
    assert err == (
        "error: this is a bug in hypo (RuntimeError: sign flipped); set HYPO_DEBUG=1 to see where, and please "
        "report it\n"
    )
    monkeypatch.setenv("HYPO_DEBUG", "1")
    assert "Traceback" in cli("fit", "fall.csv", "--target", "s")[2]


# --- score, predict, show, check ----------------------------------------------------------------------------------


def test_score_refits_named_constants(cli: Cli) -> None:
    code, out, err = cli("score", "k*t**2 + d", "fall.csv", "--target", "s", "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert content["schema"] == "hypo-score/1"
    k, d = content["constants"]
    assert (k["name"], k["unit"], d["name"], d["unit"]) == ("k", "m/s^2", "d", "m")
    assert k["value"] == pytest.approx(2.5, rel=1e-9)
    assert d["value"] == pytest.approx(0.0, abs=1e-8)
    assert content["r2"] == pytest.approx(1.0)
    assert content["violations"] == []
    assert hypo.parse(content["expression"]).variables == ("t",)


def test_score_shows_columns_and_violations(cli: Cli) -> None:
    code, out, _ = cli("score", "t + 1.5", "fall.csv", "--target", "s")
    lines = out.splitlines()
    assert code == 0
    assert re.fullmatch(r" +complexity +score +misfit +R² +RMSE +s =", lines[0])
    assert lines[2].endswith("t + 1.5")
    assert lines[-1].startswith("Violates units by ")


def test_score_agrees_with_fit(cli: Cli) -> None:
    cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)
    front = json.loads(Path("r/result.json").read_text())["front"]
    simplest = front[0]
    _, out, _ = cli("score", f"({simplest['expression']})", "fall.csv", "--target", "s", "--json")
    scored = json.loads(out)
    assert scored["misfit"] == pytest.approx(simplest["misfit"], rel=1e-9)
    assert scored["rmse"] == pytest.approx(simplest["rmse"], rel=1e-9)


@pytest.fixture
def result(cli: Cli) -> str:
    """A folder with the law s = 2.5*t**2, t in s and s in m."""
    assert cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)[0] == 0
    return "r"


def test_predict_keeps_columns_and_marks_undefined_rows(cli: Cli, result: str) -> None:
    Path("new.csv").write_text("# later\nwho;t;note\nAnn;2;x\nBob;;y\nEve;1,5;z\n")
    code, out, err = cli("predict", result, "new.csv")
    assert code == 0
    assert out == "who,t,note,s_predicted\nAnn,2,x,10.0\nBob,,y,\nEve,1.5,z,5.625\n"
    assert err.endswith(
        "has no value in 1 of 3 rows (undefined there, or a cell is missing); these predictions are empty\n"
    )
    assert cli("predict", result, "new.csv", "--out", "p.csv")[:2] == (0, "")
    assert Path("p.csv").read_text() == out


def test_predict_converts_units(cli: Cli, result: str) -> None:
    Path("new.csv").write_text("t [min]\n0.5\n")
    assert cli("predict", result, "new.csv") == (0, "t [min],s_predicted\n0.5,2250.0\n", "")
    Path("new.csv").write_text("t [kg]\n0.5\n")
    assert cli("predict", result, "new.csv") == (
        2,
        "",
        "error: new.csv: the column t is in kg, but the law was found with s; convert it or correct the header\n",
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x,y\n1,2\n", "new.csv: the formula needs the column t, but the columns of numbers are x, y"),
        ("t,y\nlong,2\n", 'column "t" was left out: "long" in line 2 is not a number'),
        ("t,s_predicted\n1,2\n", 'new.csv: there is a column "s_predicted" already; rename or remove it'),
    ],
)
def test_predict_refuses(cli: Cli, result: str, table: str, message: str) -> None:
    Path("new.csv").write_text(table)
    code, out, err = cli("predict", result, "new.csv")
    assert (code, out) == (2, "")
    assert message in err


def test_show_repeats_the_output_of_fit(cli: Cli) -> None:
    _, printed, _ = cli("fit", "fall.csv", "--target", "s", "--out", "r", *FAST)
    code, out, err = cli("show", "r")
    assert (code, err) == (0, "")
    assert out == printed[: printed.index("Written to")]
    assert cli("show", "r", "--json")[1] == Path("r/result.json").read_text()
    assert cli("show", "r/result.json")[1] == out


def test_show_plots(cli: Cli, result: str) -> None:
    code, out, _ = cli("show", result, "--plot", "a.png", "--data", "fall.csv")
    assert code == 0
    assert out.endswith("Plot written to a.png\n")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_check(cli: Cli) -> None:
    Path("k.toml").write_text('[units]\nt = "s"\ns = "m"\n')
    assert cli("check", "k.toml") == (0, "k.toml: no problems found\n", "")
    Path("k.toml").write_text('[units]\nt = "kg"\ns = "metr"\n')
    code, out, err = cli("check", "k.toml", "fall.csv", "--target", "s")
    assert code == 2
    assert "k.toml:2: error: " in out
    assert "k.toml:3: error: " in out
    assert err == "error: k.toml cannot be used: 2 problems\n"
    assert cli("check", "k.toml", "fall.csv")[2].startswith(
        "note: no --target is given, so the last column, s, is taken for it\n"
    )
