"""Progress of a running search: a live panel on a terminal, one line in a notebook, sparse plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, Protocol, Self

from hypo.checks import NO_LIMIT
from hypo.report import tables
from hypo.report.console import make_console
from hypo.report.display.notebook import NotebookLine, is_in_notebook
from hypo.report.formatting import format_nats, format_r2, group_digits

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hypo.search.outcome import Progress


class ProgressDisplay(Protocol):
    """A context manager that is called with each :class:`hypo.search.engine.Progress`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, progress: Progress) -> None: ...


def choose_display(stream: IO[str], target: str) -> ProgressDisplay:
    """The display that suits ``stream``; a notebook has its own."""
    if is_in_notebook():
        return NotebookProgress(target)
    return LiveProgress(stream, target) if stream.isatty() else PlainProgress(stream, target)


@contextmanager
def keep_up(display: ProgressDisplay) -> Iterator[ProgressDisplay | None]:
    """``display`` while it can be shown: a terminal that was closed, or a full disk, ends it and nothing else."""
    try:
        shown: ProgressDisplay | None = display.__enter__()
    except OSError:
        shown = None
    try:
        yield shown
    finally:
        if shown is not None:
            with suppress(OSError):
                display.__exit__(*sys.exc_info())


def format_rate(rate: float) -> str:
    """``850 hypotheses/s``, ``12 thousand hypotheses/s``, and so on to billions, with three digits."""
    for size, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if rate >= size:
            return f"{rate / size:.3g}{name} hypotheses/s"
    return f"{rate:.0f} hypotheses/s"


class PlainProgress:
    """Lines for logs: one when the best formula changed (at most each second), else every five seconds."""

    every = 5.0
    pause = 1.0

    def __init__(self, stream: IO[str], target: str) -> None:
        self._stream = stream
        self._target = target
        self._last_line = time.monotonic()
        self._last_best = ""
        self._compiling = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, progress: Progress) -> None:
        quiet_for = time.monotonic() - self._last_line
        if progress.compiling and not self._compiling:
            # Nobody expects to wait now: say at once what for.
            quiet_for = self.every
        self._compiling = bool(progress.compiling)
        # The first report comes before anything is found and says what is waited for.
        if quiet_for < self.pause and progress.best is not None:
            return
        best = "" if progress.best is None else tables.write_equation(progress.best, self._target)
        if best == self._last_best and quiet_for < self.every:
            return
        self._last_line, self._last_best = time.monotonic(), best
        print(write_plain_line(progress, self._target), file=self._stream, flush=True)


def write_plain_line(progress: Progress, target: str, ended: bool = False) -> str:
    """One line for logs: time, best formula and score, rate, what was looked through, time left unless the search has ended.
    What there is nothing to say of yet is left out."""
    parts = [f"{progress.elapsed:.1f} s"]
    if progress.best is None:
        parts.append(f"no formula yet ({progress.stage})")
    else:
        parts.append(f"best {tables.write_equation(progress.best, target)} (score {format_nats(progress.best.score)})")
    if progress.scored and progress.rate >= 1.0:
        parts.append(format_rate(progress.rate))
    if progress.complete_to:
        parts.append(write_coverage(progress.complete_to))
    if ended or has_time_limit(progress):
        parts.append("ended" if ended else f"{max(progress.time_left, 0.0):.0f} s left")
    if progress.compiling and not ended:
        parts.append(progress.compiling)
    return ", ".join(parts)


def has_time_limit(progress: Progress) -> bool:
    """False for a search that has turns in the place of a time limit."""
    return progress.time_left < NO_LIMIT / 2


def write_coverage(complete_to: int) -> str:
    """Which formulas were all looked at."""
    return (
        f"all formulas of up to {complete_to} {'node' if complete_to == 1 else 'nodes'} without fitted constants seen"
    )


class NotebookProgress:
    """The line of a search. It stays, so that a kept notebook says how the search went."""

    every = 0.3

    def __init__(self, target: str) -> None:
        self._target = target
        self._line = NotebookLine()
        self._last = -self.every
        self._latest: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._latest is not None:
            self._show(self._latest, ended=True)

    def __call__(self, progress: Progress) -> None:
        self._latest = progress
        if time.monotonic() - self._last >= self.every:
            self._show(progress)

    def _show(self, progress: Progress, ended: bool = False) -> None:
        self._last = time.monotonic()
        self._line.show(write_plain_line(progress, self._target, ended))


class LiveProgress:
    """A panel of a few lines that is redrawn in place, and removed when the search ends."""

    every = 0.1

    def __init__(self, stream: IO[str], target: str) -> None:
        from rich.live import Live

        # Redrawn only when the search reports: a drawing thread would compete with the search for the cores.
        self._live = Live(console=make_console(stream), auto_refresh=False, transient=True)
        self._target = target
        self._last = -self.every

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < self.every:
            return
        self._last = now
        self._live.update(make_panel(progress, self._target), refresh=True)


def make_panel(progress: Progress, target: str) -> RenderableType:
    """The live display of one report."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    if progress.best is None:
        grid.add_row("best", Text("none yet"))
    else:
        grid.add_row("best", Text(tables.write_equation(progress.best, target), style="bold"))
        grid.add_row("score", Text(f"{format_nats(progress.best.score)}   R² {format_r2(progress.best.r2)}"))
    if progress.scored and progress.rate >= 1.0:
        grid.add_row("scored", Text(f"{group_digits(progress.scored)}, {format_rate(progress.rate)}"))
    if progress.complete_to:
        grid.add_row("covered", Text(write_coverage(progress.complete_to)))
    left = f", {max(progress.time_left, 0.0):.1f} s left" if has_time_limit(progress) else ""
    grid.add_row("time", Text(f"{progress.elapsed:.1f} s{left} ({progress.stage})"))
    if progress.compiling:
        grid.add_row("", Text(progress.compiling))
    return grid
