"""Progress of a search, and numbers and units as they are shown."""

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.checks import NO_LIMIT
from hypo.report import tables
from hypo.report.console import as_text
from hypo.report.constants import list_constants
from hypo.report.coverage import describe_coverage
from hypo.report.display.progress import PlainProgress, format_rate, make_panel, write_plain_line
from hypo.report.formatting import format_nats, format_number, format_r2
from hypo.search.outcome import Progress
from tests.oracles.falling import FAST, S, T

# --- progress -----------------------------------------------------------------------------------------------------


def test_progress_calls_a_function_and_an_interrupt_keeps_the_best() -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if progress.best is not None:
            raise KeyboardInterrupt

    result = hypo.fit((T, S + np.sin(9 * T)), progress=report, **FAST)
    assert seen[-1].best is not None
    assert result.status == "interrupted"
    assert result.best is not None


def report_of(best: Any, elapsed: float) -> Progress:
    return Progress(elapsed, 60 - elapsed, best, 1_234_567, 2.5e6, 7, "library of 250")


def test_plain_lines(law: hypo.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("hypo.report.display.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with PlainProgress(stream, "s") as progress:
        for now[0], best in ((0.5, None), (1.5, None), (2.0, law.best), (2.5, law.best), (8.0, law.best)):
            progress(report_of(best, now[0]))
    score = format_nats(law.best.score)  # type: ignore[union-attr]
    rest = "2.5 million hypotheses/s, all formulas of up to 7 nodes without fitted constants seen"
    assert stream.getvalue().splitlines() == [
        f"2.0 s, best {tables.write_equation(law.best, 's')} (score {score}), {rest}, 58 s left",  # type: ignore[arg-type]
        f"8.0 s, best {tables.write_equation(law.best, 's')} (score {score}), {rest}, 52 s left",  # type: ignore[arg-type]
    ]
    assert write_plain_line(report_of(None, 1.5), "s") == f"1.5 s, no formula yet (library of 250), {rest}, 58 s left"
    # What there is nothing to say of yet reads like a failure.
    nothing = Progress(0.0, 60.0, None, 0, 0.0, 0, "compiling")
    assert write_plain_line(nothing, "s") == "0.0 s, no formula yet (compiling), 60 s left"
    # A search that has turns in the place of a time limit.
    turns = replace(nothing, time_left=NO_LIMIT - 5.0)
    assert write_plain_line(turns, "s") == "0.0 s, no formula yet (compiling)"
    assert write_plain_line(turns, "s", ended=True) == "0.0 s, no formula yet (compiling), ended"
    assert "0.0 s (compiling)" in as_text(make_panel(turns, "s"))


def test_live_panel(law: hypo.Result) -> None:
    text = as_text(make_panel(report_of(law.best, 3.0), "s"))
    assert [line.split()[0] for line in text.splitlines()] == ["best", "score", "scored", "covered", "time"]
    assert "3.0 s, 57.0 s left (library of 250)" in text


def test_rate_text() -> None:
    assert [format_rate(r) for r in (7.4, 12_345, 3.21e6, 5e9)] == [
        "7 hypotheses/s",
        "12.3 thousand hypotheses/s",
        "3.21 million hypotheses/s",
        "5 billion hypotheses/s",
    ]


# --- numbers and units --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r2", "text"),
    [(1.0, "1"), (1 - 3e-13, "1 - 3e-13"), (0.99999871, "0.9999987"), (0.97251, "0.9725"), (-1e-16, "0.0000"),
     (-3.2, "-3.2000"), (math.nan, "-")],
)  # fmt: skip
def test_determination(r2: float, text: str) -> None:
    assert format_r2(r2) == text


def test_numbers() -> None:
    assert [format_number(v) for v in (3.0, 0.012345, 1e20, math.inf)] == ["3", "0.01235", "1e+20", "-"]
    none = "All formulas of up to 7 nodes without fitted constants were looked through: none"
    for coverage, dimensional, words in (
        ((7, 5200, 1300), False, "All 1 300 distinct formulas of up to 7 nodes without fitted constants were scored. "
         "In all, 5 200 {}."),
        ((7, 52, 0), True, none + " has the target's unit, so it takes a fitted constant with a unit. In all, 52 {}."),
        ((7, 52, 0), False, none + " can be the target. In all, 52 {}."),
        ((1, 1, 1), False, "The only formula of up to 1 node without fitted constants was scored. "
         "In all, 1 hypothesis was scored."),
        ((5, 9, 3), True, "All 3 distinct formulas of up to 5 nodes without fitted constants that have the target's unit were "
         "scored. In all, 9 {}."),
        ((0, 375, 0), False, "375 {}; formulas were not looked through size by size."),
        ((0, 0, 0), False, "The search ended before it scored a formula of its own."),
    ):  # fmt: skip
        given = dict(zip(("complete_to", "scored", "distinct"), coverage, strict=True))
        assert describe_coverage(given, dimensional) == words.format("hypotheses were scored")


def test_shown_constants() -> None:
    e = hypo.parse("g*x + pi*2 + c1*k", variables=["x", "c1"], constants={"g": 9.81})
    (name, value), (other, start) = [(c.name, c.value) for c in list_constants(e)]
    assert (name, value, other, start) == ("g", 9.81, "k", 1.0)
    fitted = hypo.Expression.constant(2.5, free=True) * hypo.Expression.variable("c1")
    assert [c.name for c in list_constants(fitted)] == ["c2"]
