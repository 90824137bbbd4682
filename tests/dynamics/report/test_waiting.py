"""The line that says how long a search has been at work."""

from __future__ import annotations

import io
import time

import pytest

from hypo.dynamics.report.waiting import tell_time
from hypo.errors import InputError
from hypo.report.display.progress import PlainProgress


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainProgress, "every", 0.01)
    stream = io.StringIO()
    with tell_time(stream, "2min"):
        while stream.getvalue().count("\n") < 2:
            time.sleep(0.01)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "searching for laws of motion: 0 s of 120 s"
    time.sleep(0.05)
    assert stream.getvalue().splitlines() == lines


def test_a_closed_stream_ends_the_line_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainProgress, "every", 0.01)
    stream = io.StringIO()
    stream.close()
    with tell_time(stream):
        time.sleep(0.05)


def test_a_limit_that_is_none() -> None:
    with pytest.raises(InputError, match="time_limit"), tell_time(io.StringIO(), "soon"):
        pass


def test_compiling_is_told_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainProgress, "every", 0.01)
    seconds = iter([0.0, 7.0, *[9.0] * 10000])
    monkeypatch.setattr("hypo.dynamics.report.waiting._compiling", lambda: next(seconds))
    stream = io.StringIO()
    with tell_time(stream, "2min"):
        while stream.getvalue().count("\n") < 3:
            time.sleep(0.01)
    first, second, third = stream.getvalue().splitlines()[:3]
    assert first == "compiling for this machine, once per installation: 7 s"
    assert second == "compiling for this machine, once per installation: 9 s"
    assert third == "searching for laws of motion: 0 s of 120 s"
