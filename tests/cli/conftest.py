"""The command line in a folder of its own."""

from pathlib import Path

import pytest

from hypo.cli.main import main
from tests.cli.command_line import FAST, LAW, Cli, X, write_csv


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


@pytest.fixture
def result(cli: Cli) -> str:
    """A folder with the law s = 2.5*t**2, t in s and s in m."""
    assert cli("fit", "fall.csv", "--target", "s", "--quiet", "--out", "r", *FAST)[0] == 0
    return "r"
