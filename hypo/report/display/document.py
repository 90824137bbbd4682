"""A page that stands by itself: one file of HTML with pictures and formulas inside, which needs no network and no script."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable

from hypo.report.display import html as notebook
from hypo.report.layout import TextTable

# On a narrow screen tables and pictures are moved sideways by themselves, not the page. In the dark a picture stays on its
# white sheet, and a formula has its lightness turned round.
STYLE = """\
:root { color-scheme: light dark }
body { font-family: system-ui, sans-serif; line-height: 1.45; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: 0.8rem 0; display: block; overflow-x: auto; max-width: 100% }
th, td { text-align: left; vertical-align: top; padding: 0.15rem 0.9rem 0.15rem 0 }
th { border-bottom: 1px solid #999; font-weight: 600 }
div.scroll { overflow-x: auto } img.picture { background: #fff; border-radius: 0.3rem }
img { max-width: 100% } img.law { display: block; margin: 0.3rem 0; max-width: none }
code { background: #f4f4f4; padding: 0.1rem 0.3rem; overflow-wrap: anywhere }
p.about, p.caption { color: #666; font-size: 0.9rem }
@media (max-width: 45rem) { img.wide { max-width: none; width: 45rem } ul { padding-left: 1.3rem } }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } code { background: #2a2a2a } p.about, p.caption { color: #aaa }
  img.law { filter: invert(0.87) }
}"""
# Points of the letters of a formula.
LETTERS = 15.0
# Points around it.
ROOM = 2.0


def write_document(title: str, sections: Iterable[tuple[str, str]], about: str) -> str:
    """A whole page.

    Args:
        title: of the page.
        sections: headings and their content in HTML; those without content are left out.
        about: a sentence at the end.
    """
    body = "\n".join(f"<h2>{html.escape(name)}</h2>\n{content}" for name, content in sections if content)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n{body}\n"
        f'<p class="about">{html.escape(about)}</p>\n</body>\n</html>\n'
    )


def write_formula(latex: str, text: str) -> str:
    """A formula as a drawing, with ``text`` for who cannot see it; the text alone where matplotlib cannot typeset it."""
    plain = f"<p><code>{html.escape(text)}</code></p>"
    try:
        drawing = _draw_formula(latex)
    except Exception:  # mathtext knows a part of LaTeX, and fonts lack letters; the text says the same
        return plain
    return f'<div class="scroll">{_write_image(drawing, "image/svg+xml", text, "law")}</div>'


def write_picture(png: bytes, text: str, caption: str = "", is_wide: bool = False) -> str:
    """A picture, with ``text`` for who cannot see it, and a caption; one that is wide keeps its size on a narrow screen."""
    below = f'<p class="caption">{html.escape(caption)}</p>' if caption else ""
    return f'<div class="scroll">{_write_image(png, "image/png", text, "picture wide" if is_wide else "picture")}</div>{below}'


def write_tables(tables: Iterable[TextTable]) -> str:
    """Tables that terminals show."""
    return "\n".join(map(notebook.write_table, tables))


def write_list(sentences: Iterable[str]) -> str:
    """Sentences, each a point of a list."""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in sentences)
    return f"<ul>{items}</ul>" if items else ""


def write_lines(texts: Iterable[str]) -> str:
    """Formulas as text, one a line."""
    lines = "<br>\n".join(f"<code>{html.escape(text)}</code>" for text in texts)
    return f"<p>{lines}</p>" if lines else ""


def _write_image(content: bytes, kind: str, text: str, name: str) -> str:
    data = base64.b64encode(content).decode("ascii")
    return f'<img class="{name}" alt="{html.escape(text)}" src="data:{kind};base64,{data}">'


def _draw_formula(latex: str) -> bytes:
    """A formula as SVG, the same each time."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    text, stream = f"${latex}$", io.BytesIO()
    with rc_context({"svg.hashsalt": "hypo", "svg.fonttype": "path", "mathtext.fontset": "stix"}):
        font = FontProperties(size=LETTERS)
        width, height, depth, *_ = MathTextParser("path").parse(text, dpi=72, prop=font)
        figure = Figure(figsize=((width + 2 * ROOM) / 72, (height + 2 * ROOM) / 72))
        FigureCanvasSVG(figure)
        place = (ROOM / (width + 2 * ROOM), (depth + ROOM) / (height + 2 * ROOM))
        figure.text(*place, text, fontproperties=font)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()
