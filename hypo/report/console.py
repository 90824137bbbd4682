"""Tables on a terminal, and as plain text elsewhere."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from hypo.report.layout import TextTable, find_width

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Columns of text for what is shown without a terminal and is no table of ours.
UNLIMITED = 10_000


def make_console(stream: IO[str]) -> Console:
    """A rich console on ``stream``; off a terminal it has no colours and wraps nothing. Rich would write to the page of a
    notebook instead, and as the environment says (FORCE_COLOR)."""
    from rich.console import Console

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False, force_jupyter=False)
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        force_jupyter=False,
        force_terminal=False,
        color_system=None,
        width=UNLIMITED,
    )


def as_text(table: RenderableType | TextTable) -> str:
    """The table as plain text without trailing blanks."""
    if isinstance(table, TextTable):
        return table.text(find_width())
    stream = io.StringIO()
    make_console(stream).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


def print_table(table: TextTable | str, stream: IO[str], bold: bool = False) -> None:
    """Print a table, or lines of text: in bold on a terminal, as plain text elsewhere."""
    lines = (
        table.lines(find_width(stream))
        if isinstance(table, TextTable)
        else [(line, bold) for line in table.split("\n")]
    )
    if not stream.isatty():
        print("\n".join(line for line, _ in lines), file=stream)
        return
    from rich.text import Text

    console = make_console(stream)
    for line, strong in lines:
        console.print(Text(line, style="bold" if strong else ""), no_wrap=True, crop=False, overflow="ignore")
