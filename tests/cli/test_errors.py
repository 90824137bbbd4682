"""One clear sentence and an exit code for every error."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command_line import Cli

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
