"""What the linter of knowledge files finds of grammar, units and sizes."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest

from hypo.errors import KnowledgeError
from hypo.knowledge import Finding, Knowledge, lint
from hypo.knowledge.linter.check import analyse
from hypo.units import DIMENSIONLESS, Dimension
from tests.knowledge.linter.linting import found
from tests.oracles.knowledge_files import EXAMPLE, pendulum, write


def test_lint_is_silent_on_a_good_file(tmp_path: Path) -> None:
    text = EXAMPLE.replace('forbid = ["tan"]\n', "").replace(', "exp"]', "]")
    assert found(tmp_path, text) == []
    assert found(tmp_path, text, pendulum()) == []


def test_lint_reports_errors_as_loading_does(tmp_path: Path) -> None:
    text = EXAMPLE.replace('"m"', '"metr2x"').replace("25", "-1")
    path = write(tmp_path, text)
    with pytest.raises(KnowledgeError) as caught:
        Knowledge.load(path)
    errors = [f for f in lint(path) if f.level == "error"]
    assert [f"{f.file}:{f.line}: {f.message}" for f in errors] == list(caught.value.problems)
    assert str(Finding("note", "K.toml", 3, "text")) == "K.toml:3: note: text"
    assert found(tmp_path, "[units") == [
        "K:1: error: not valid TOML at column 7, the end of the file: expected ']' at the end of a table declaration"
    ]
    assert str(lint(tmp_path / "no")[0]).endswith(
        "no: error: cannot read the knowledge file: No such file or directory"
    )


LINTED = [
    (
        '[grammar]\noperators = ["+", "tan"]\nforbid = ["tan", "exp"]',
        [
            "K:3: warning: [grammar] forbid: tan also stands in operators, but forbid wins",
            "K:3: note: [grammar] forbid: exp is not among the operators anyway",
        ],
    ),
    (
        '[grammar]\noperators = ["sin", "sqrt"]',
        [
            "K:2: warning: [grammar] operators: no operator with two arguments is allowed, so a formula "
            "holds one variable or "
            "constant; allow + or *, for instance"
        ],
    ),
    (
        '[grammar]\nforbid = ["+", "-", "*", "/", "**", "min", "max"]',
        [
            "K:2: warning: [grammar] forbid: no operator with two arguments is allowed, so a formula holds "
            "one variable or "
            "constant; allow + or *, for instance"
        ],
    ),
    (
        '[grammar]\noperators = ["+", "exp"]\n[grammar.nesting]\nsin = ["exp"]\nexp = ["cos"]',
        [
            "K:4: note: [grammar.nesting] sin: sin is not allowed, so this limit never applies",
            "K:5: note: [grammar.nesting] exp: cos is not allowed, so it needs no limit here",
        ],
    ),
    (
        "[grammar]\nmax_complexity = 2",
        [
            "K:2: warning: [grammar] max_complexity: 2 leaves no formula with two variables or constants, "
            "which has at least 3 "
            "nodes"
        ],
    ),
    (
        '[units]\nL = "m"\n[constants]\nk = { value = 2 }',
        ["K:4: note: [constants] k: no unit is given, so it counts as dimensionless"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), LINTED)
def test_lint_of_a_file_alone(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert found(tmp_path, text) == expected


def test_lint_of_names_against_the_table(tmp_path: Path) -> None:
    text = '[units]\nT = "s"\nl = "m"\nG = "m/s^2"\nzzz = "m"\n[constants]\ntheta = { value = 1, unit = "1" }\n'
    lines = found(tmp_path, text, pendulum())
    assert "K:3: warning: [units] l: the table has no such column; did you mean L?" in lines
    assert "K:4: warning: [units] G: the table has no such column; did you mean g?" in lines
    assert "K:5: warning: [units] zzz: the table has no such column; its columns are L, g, theta, T" in lines
    assert "K:7: error: [constants] theta: the table has a column of this name; rename one of them" in lines
    assert sum("has no unit" in line for line in lines) == 3
    assert 'K:1: note: [units]: the column L has no unit and counts as a pure number; give its unit, or "1"' in lines


def test_lint_of_units_against_the_header(tmp_path: Path) -> None:
    data = pendulum(units={"T": "s", "L": "cm", "g": "m/s^2", "theta": "rad"})
    assert found(tmp_path, '[units]\nL = "m"', data) == [
        'K:2: error: [units] L: "m" contradicts the unit [cm] in the table\'s header; correct one of them, '
        "or leave it "
        "out here"
    ]
    assert found(tmp_path, '[units]\nL = "centimeter"', data) == []
    assert found(tmp_path, "", data) == []


def test_lint_of_complexity_against_the_table(tmp_path: Path) -> None:
    assert found(tmp_path, "[grammar]\nmax_complexity = 4", pendulum()) == [
        "K:2: note: [grammar] max_complexity: 4 leaves no formula with all 3 columns, which has at least 5 nodes"
    ]


def test_lint_finds_a_target_out_of_reach(tmp_path: Path) -> None:
    text = '[units]\nT = "K"\nL = "m"\ng = "m/s^2"\ntheta = "1"\n'
    assert found(tmp_path, text, pendulum()) == [
        "K:2: warning: [units] T: the target's unit K is no product of powers of L [m], g [m/s^2], theta "
        "[1]: nothing "
        "else carries K; it takes a constant with a unit such as K, in [constants] or fitted"
    ]
    text = '[units]\nT = "m"\nL = "m/s"\ng = "m^2/s^2"\ntheta = "1"\n'
    assert found(tmp_path, text, pendulum()) == [
        "K:2: warning: [units] T: the target's unit m is no product of powers of L [m/s], g [m^2/s^2], "
        "theta [1]: "
        "a factor in m is missing; it takes a constant with a unit such as m, in [constants] or fitted"
    ]
    text = '[units]\nT = "kg"\nL = "kg*m"\ng = "1"\ntheta = "1"\n'
    (line,) = found(tmp_path, text, pendulum())
    assert "theta [1]: a factor in kg is missing; it takes a constant with a unit such as kg," in line
    reached = text + '[constants]\ntau = { value = 2.0, unit = "mm" }\n'
    assert found(tmp_path, reached, pendulum()) == []


def test_lint_finds_columns_that_cannot_take_part(tmp_path: Path) -> None:
    text = '[units]\nT = "s"\nL = "m"\ng = "m/s^2"\ntheta = "kg"\n'
    assert found(tmp_path, text, pendulum()) == [
        "K:5: note: [units] theta: the other units cannot cancel kg, so theta can enter only together with "
        "a constant "
        "that has a unit"
    ]
    text = '[units]\nT = "1"\nL = "m"\ng = "s"\ntheta = "kg"\n'
    (line,) = found(tmp_path, text, pendulum())
    assert line.startswith("K:2: warning: [units] T: the target is dimensionless and no product of powers of L [m],")


def test_analysis_finds_the_powers_of_a_product() -> None:
    """Random products of known powers: the goal is reached, and one unit more is what is missing."""
    rng = random.Random(5)
    for _ in range(100):
        given = {
            f"x{i}": Dimension([Fraction(rng.randint(-2, 2), rng.choice([1, 1, 2])) for _ in range(4)])
            for i in range(rng.randint(1, 4))
        }
        goal = DIMENSIONLESS
        used = set()
        for name, dimension in given.items():
            power = Fraction(rng.randint(-3, 3), rng.choice([1, 2]))
            goal = goal * dimension**power
            used |= {name} if power else set()
        result = analyse(given, goal)
        assert result.missing is None
        assert not used & set(result.useless) or goal.is_dimensionless or len(given) > 1
        kelvin = Dimension((0, 0, 0, 0, 1))
        assert analyse(given, goal * kelvin).missing == kelvin


def test_analysis_writes_the_product() -> None:
    metre, second = Dimension((1,)), Dimension((0, 0, 1))
    result = analyse({"L": metre, "g": metre / second**2}, second)
    assert (result.product, result.missing, result.useless) == ("L^(1/2)/g^(1/2)", None, ())
