"""Results in notebooks: the law in mathematics, its constants, the front, the rules and what the result says of itself.

Jupyter typesets LaTeX between dollar signs. Everything else stands in elements that it leaves alone, since a column may be
called ``price [$]``; and every text is escaped. Where nobody typesets (some editors), the law is there as plain text, too.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hypo.report import remarks, tables

if TYPE_CHECKING:
    from hypo.report.layout import TextTable
    from hypo.result.result import Result
    from hypo.scoring.score import Hypothesis

# Left as they are by MathJax 2 and 3.
PLAIN = "tex2jax_ignore mathjax_ignore"
# Letters of a cell that is not broken: an interval of two numbers has some twenty.
SHORT = 24
# A formula that stands by itself.
_LARGE = r"\displaystyle "
STYLE = (
    "<style>.hypo td, .hypo th { text-align: left; vertical-align: top } .hypo ul { margin: 0.5em 0 } "
    ".hypo .law { font-size: 115% }</style>"
)


def write_result(result: Result) -> str:
    """A result as a notebook shows it."""
    parts = []
    if result.best is not None:
        parts += [
            f'<div class="law">{html.escape(write_mathematics(result.best, result.target, large=True))}</div>',
            _plain(f"<code>{html.escape(tables.write_equation(result.best, result.target))}</code>"),
            _plain(_lines(result.constant_lines())),
            _plain(write_table(tables.make_front_table(result.front, result.best, result.target))),
        ]
    parts += [_plain(write_table(table)) for table in remarks.make_tables_below(result)]
    parts.append(_plain(_list(result.remarks())))
    return _page(parts)


def write_page(found: Iterable[TextTable], sentences: Iterable[str]) -> str:
    """Tables, and sentences below them."""
    return _page([*(_plain(write_table(table)) for table in found), _plain(_list(sentences))])


def write_page_of_laws(laws: Iterable[tuple[str, str]], found: Iterable[TextTable], sentences: Iterable[str]) -> str:
    """Laws in LaTeX and as text, tables, and sentences below them."""
    parts = []
    for latex, text in laws:
        parts.append(f'<div class="law">{html.escape("$" + _LARGE + latex + "$")}</div>')
        parts.append(_plain(f"<code>{html.escape(text)}</code>"))
    return _page([*parts, *(_plain(write_table(table)) for table in found), _plain(_list(sentences))])


def write_mathematics(h: Hypothesis, target: str, large: bool = False) -> str:
    """``target = formula`` in LaTeX, between dollar signs; ``large`` as a formula that stands by itself."""
    return f"${_LARGE if large else ''}{tables.write_equation_latex(h, target)}$"


def write_table(table: TextTable) -> str:
    """A table that terminals show, in HTML: one description of each table serves both."""
    head = "".join(f"<th{_style(name, right)}>{html.escape(name)}</th>" for name, right, _ in table.columns)
    cells = [[_cell(cell, right) for cell in column] for _, right, column in table.columns]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, right: bool) -> str:
    return f"<td{_style(text, right)}>{html.escape(text)}</td>"


def _style(text: str, right: bool) -> str:
    """Numbers stand below each other, and short texts with spaces in them on one line."""
    styles = ["text-align: right"] if right else []
    styles += ["white-space: nowrap"] if " " in text and len(text) <= SHORT else []
    return f' style="{"; ".join(styles)}"' if styles else ""


def _page(parts: Iterable[str]) -> str:
    return f'{STYLE}<div class="hypo">{"".join(part for part in parts if part)}</div>'


def _plain(content: str) -> str:
    return f'<div class="{PLAIN}">{content}</div>' if content else ""


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(html.escape(text.strip()) for text in texts)


def _list(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""
