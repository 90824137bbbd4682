"""Help and version."""

import re
import subprocess
import sys

import hypo
from tests.cli.command_line import Cli


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
        "dynamics",
        "fit",
        "merge",
        "model",
        "predict",
        "profile",
        "rollout",
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
