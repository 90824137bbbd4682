"""Tables, formulas and sentences in any width: nothing is wider, and no name or number is cut."""

import re

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.expression.expr import Expression
from hypo.report import tables
from hypo.report.constants import ConstantRow
from hypo.report.layout import FEWEST, TextTable, fill, find_width, wrap, wrap_sentences
from hypo.scoring.score import Hypothesis

pytestmark = pytest.mark.usefixtures("short_searches")

WIDTHS = (20, 30, 40, 60, 79, 80, 120, 200)
NAMES = ("stress_rate", "x", "temperature_in_K", "Δt", "c_1")


def formula(rng: np.random.Generator, depth: int) -> Expression:
    if depth == 0:
        if rng.random() < 0.3:
            return Expression.constant(float(10.0 ** rng.integers(-9, 9) * rng.uniform(1, 9)), free=True)
        return Expression.variable(str(rng.choice(NAMES)))
    if rng.random() < 0.25:
        return Expression.apply(str(rng.choice(["sqrt", "exp", "neg", "inv", "square"])), formula(rng, depth - 1))
    name = str(rng.choice(["+", "-", "*", "/", "**"]))
    return Expression.apply(name, formula(rng, depth - 1), formula(rng, int(rng.integers(0, depth))))


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d]\w*|\d+\.?\d*(?:e[+-]?\d+)?", text)


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_formulas_wrap_at_operators(width: int) -> None:
    rng = np.random.default_rng(width)
    for _ in range(100):
        text = f"y = {formula(rng, int(rng.integers(1, 9))).pretty()}"
        lines = wrap(text, width)
        # A name with its brackets may be longer than a narrow page.
        assert all(len(line) <= max(width, 34) for line in lines)
        assert squeezed("".join(lines)) == squeezed(text)
        assert [w for line in lines for w in words(line)] == words(text)
        assert all(line.startswith("  ") and line.strip() for line in lines[1:])
        assert width < 40 or not any(line.strip().startswith("**") for line in lines)
        if len(text) <= width:
            assert lines == [text]


def test_names_that_are_too_long_stay_whole() -> None:
    name = "a_name_that_is_longer_than_the_width_of_the_page"
    lines = wrap(f"y = 2*{name} + 1", 30)
    assert (
        any(line.strip() in (name, f"*{name}") for line in lines) and "".join("".join(lines).split()) == f"y=2*{name}+1"
    )
    assert wrap("", 20) == [""] and wrap("   ", 20) == [""]


def test_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "All 6 297 distinct formulas of up to 9 nodes without fitted constants were scored (119 283 769 in total)."
    monkeypatch.delenv("COLUMNS", raising=False)
    assert find_width() == 80 and wrap_sentences([text, text]) == f"{text}\n{text}"
    monkeypatch.setenv("COLUMNS", "50")
    assert find_width() == 50
    lines = wrap_sentences([text]).split("\n")
    assert len(lines) == 3 and all(len(line) <= 50 for line in lines) and " ".join("\n".join(lines).split()) == text
    for wrong in ("", "wide", "0", "-3"):
        monkeypatch.setenv("COLUMNS", wrong)
        assert find_width() == 80
    monkeypatch.setenv("COLUMNS", "3")
    assert find_width() == FEWEST
    assert fill("  with 0.5 [a very long unit of it]", 20) == "  with 0.5 [a very\n  long unit of it]"


def hypotheses(rng: np.random.Generator) -> list[Hypothesis]:
    return [
        Hypothesis(
            formula(rng, k), k + 1, -1234.5 * k, 10.0 ** (k - 4), 0.0, -17.3 * 3**k, 1 - 10.0**-k, 10.0 ** (5 - k)
        )
        for k in range(1, 9)
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("target", ["y", "rate_of_change_of_the_stress"])
def test_the_front_fits(width: int, target: str) -> None:
    front = hypotheses(np.random.default_rng(width))
    table = tables.make_front_table(front, front[3], target)
    lines = [line for line, _ in table.lines(width)]
    assert all(len(line) <= max(width, 40) for line in lines)
    text = "".join(squeezed(line) for line in lines)
    for h in front:
        assert all(w in text for w in words(h.expression.pretty()))
    bold = [line for line, strong in table.lines(width) if strong]
    assert any(line.startswith("*") for line in bold)
    assert sum(line.startswith("*") and line[1:2] == " " for line in lines) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_constants_fit(width: int) -> None:
    rows = [
        ConstantRow("Vmax", 3.17067885990, "umol/L/min", 0.0067159, 3.157, 3.184),
        ConstantRow("a_rather_long_name", 6.674e-11, "m^3/kg/s^2", 2e-15, 6.67e-11, 6.68e-11),
        ConstantRow("g", 9.81, "m/s^2"),
    ]
    lines = [line for line, _ in tables.make_constants_table(rows).lines(width)]
    assert all(len(line) <= width for line in lines)
    text = "".join(map(squeezed, lines))
    assert "3.1707" in text and "0.0067" in text and "a_rather_long_name" in text and "9.81" in text


def test_wide_tables_are_as_they_were() -> None:
    sheet = TextTable()
    sheet.add_column("")
    sheet.add_column("score", right=True)
    sheet.add_column("y =", wraps=True)
    sheet.add_row("", "48.60", "36.73")
    sheet.add_row("*", "-2.76", "0.9994*sqrt(a)**3", bold=True)
    assert sheet.text(80) == ("    score   y =\n" + "─" * 29 + "\n    48.60   36.73\n*   -2.76   0.9994*sqrt(a)**3")
    assert [strong for _, strong in sheet.lines(80)] == [True, False, False, True]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A table with long names, and the folder of a result."""
    folder = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(0)
    x, z = rng.uniform(1, 4, (2, 30))
    y = 3.1 * np.exp(-0.7 * x) / (0.4 + z) + 0.8 * x * z + rng.normal(0, 0.01, 30)
    table, out = folder / "t.csv", folder / "r"
    rows = "".join(f"{a},{b},{c}\n" for a, b, c in zip(x, z, y, strict=True))
    table.write_text(f"position_of_probe [cm],height [m],signal [mV]\n{rows}")
    hypo.fit(str(table), "signal", workers=1, max_complexity=5, operators="+,*", out=out)
    return str(table), str(out)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_command_line_fits(
    width: int, fitted: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    table, folder = fitted
    law = "a*exp(-b*position_of_probe)/(c + height) + d*position_of_probe*height"
    assert main(["score", law, table, "--target", "signal"]) == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= width for line in shown.split("\n")) and "position_of_probe" in shown
    assert main(["show", folder]) == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= width for line in shown.split("\n"))
    assert main(["profile", folder, table]) == 0 and main(["suggest", folder]) == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= width for line in shown.split("\n"))
    text = str(hypo.Result.load(folder))
    assert all(len(line) <= width for line in text.split("\n"))
