"""Jupyter: is the program in a notebook, and one line below its cell that updates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def is_in_notebook() -> bool:
    """True where a Jupyter kernel runs the program; looks only where IPython is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


class NotebookLine:
    """One line below the cell whose text is replaced."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """The line reads ``text`` from now on."""
        import IPython.display

        # IPython's functions have no types.
        display: Any = IPython.display.display
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def make_line_printer() -> Callable[[str], None]:
    """A function that shows its text: as the one line of a notebook that updates, else as a line on standard error."""
    if is_in_notebook():
        return NotebookLine().show
    return lambda text: print(text, file=sys.stderr)
