"""hypo score, predict, show and check."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import hypo
from tests.cli.command_line import FAST, Cli, write_csv


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


def test_check_for_laws_of_motion(cli: Cli) -> None:
    write_csv(Path("run.csv"), "t,x,v", np.arange(10.0), np.arange(10.0) ** 2, 2 * np.arange(10.0))
    Path("k.toml").write_text('[dynamics]\nx = "v"\npositive = ["w"]\n')
    assert "hypo check K.toml TRAJ.csv --time t --state x,v" in cli("check", "k.toml", "run.csv")[1]
    code, out, err = cli("check", "k.toml", "run.csv", "--time", "t", "--state", "x,v")
    assert (code, out) == (2, "k.toml: error: [dynamics] positive: w is no state; the states are x, v\n")
    assert "k.toml cannot be used: 1 problem" in err
    Path("k.toml").write_text('[dynamics]\nx = "v"\n')
    assert cli("check", "k.toml", "run.csv", "--state", "x,v") == (0, "k.toml: no problems found\n", "")
    assert cli("check", "k.toml", "--time", "t")[0] == 2


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
