"""Jupyter: whether the program runs in a notebook, and progress there, as one line that updates."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypo.search.outcome import Progress


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs the program; looks only where IPython is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class Line:
    """One line below the cell whose text is replaced."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """The line reads ``text`` from now on."""
        from IPython.display import display

        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class NotebookProgress:
    """The line of a search. It stays, so that a kept notebook says how the search went."""

    every = 0.3

    def __init__(self, target: str) -> None:
        self._target = target
        self._line = Line()
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
        from hypo.report.progress import plain_line

        self._last = time.monotonic()
        self._line.show(plain_line(progress, self._target, ended))


def line_printer() -> Callable[[str], None]:
    """A function that shows its text: as the one line of a notebook that updates, else as a line on standard error."""
    if in_notebook():
        return Line().show
    return lambda text: print(text, file=sys.stderr)
