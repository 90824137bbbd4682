"""Tables of formulas for terminals, plain text and notebooks, and the sentences that go with them."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from hypo.report.constants import LEVEL

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from hypo.report.constants import ConstantRow
    from hypo.scoring.posterior import Posterior
    from hypo.scoring.score import Hypothesis

COLUMNS = ("complexity", "score", "misfit", "R²", "RMSE")
# How far the coverage goes where the likelihood is not Gaussian.
STAND_IN = (
    "Scans ranked formulas by least squares around a smooth estimate; what they put forward was fitted and scored by the "
    "likelihood itself."
)
UNLIMITED = 10_000  # columns of text, so that nothing wraps when the output is not a terminal


def number(value: float, digits: int = 4) -> str:
    """A number for people: ``digits`` significant digits, whole numbers whole, ``-`` when undefined."""
    if not math.isfinite(value):
        return "-"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.{digits}g}"


def nats(value: float) -> str:
    """A score or one of its terms, with two decimals."""
    return f"{value:.2f}" if math.isfinite(value) else "-"


def determination(r2: float) -> str:
    """R² with as many nines as tell it from 1: ``0.9934``, ``0.99999871``, ``1 - 3e-13``."""
    if not math.isfinite(r2):
        return "-"
    gap = 1.0 - r2
    if gap <= 0.0:
        return "1"
    if gap < 1e-9:
        return f"1 - {gap:.0e}".replace("e-0", "e-")
    if gap < 1e-2:
        return f"{r2:.{1 - math.floor(math.log10(gap))}f}"
    return f"{r2:.4f}".replace("-0.0000", "0.0000")


def cells(h: Hypothesis) -> tuple[str, ...]:
    """The figures of one hypothesis, in the order of ``COLUMNS``."""
    return (number(h.complexity), nats(h.score), nats(h.misfit), determination(h.r2), number(h.rmse))


def equation(h: Hypothesis, target: str) -> str:
    """``target = formula`` with four digits."""
    return f"{target} = {h.expression.pretty()}"


def headline(h: Hypothesis, target: str) -> RenderableType:
    """The law in one line."""
    from rich.text import Text

    return Text(equation(h, target), style="bold")


def constant_lines(rows: Sequence[ConstantRow], named: Collection[str] = (), *, intervals: bool = False) -> list[str]:
    """The fitted constants that have a known unit or a standard error, one line each: ``with 0.9994 ± 0.0003 [yr/AU^1.5]``;
    without an error the digits are those of the formula above.

    ``named`` are the constants that the formula shows by name; they are left out. With ``intervals`` those follow the errors.
    """
    from hypo.expression.expr import Expression
    from hypo.report.constants import value_text

    lines = []
    for row in rows:
        text = value_text(row.value, row.std)
        if row.name not in named and (text is not None or row.unit is not None):
            unit = "" if row.unit is None else f" [{row.unit}]"
            if intervals and text is not None:
                text += f" ({_interval(row.lower, row.upper)})"
            lines.append(f"  with {text or Expression.constant(row.value).pretty()}{unit}")
    return lines


def shows_origin(front: Sequence[Hypothesis]) -> bool:
    """Whether the table says where formulas come from: when any is not hypo's own."""
    from hypo.scoring.score import NATIVE

    return any(h.origin != NATIVE for h in front)


def front_table(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> RenderableType:
    """The front as a rich table, one row per formula, the best marked with ``*``."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    origin = shows_origin(front)
    if origin:
        table.add_column("origin", no_wrap=True)
    table.add_column(f"{target} =", overflow="fold")
    for h in front:
        marked = h == best
        source = [Text(h.origin)] if origin else []
        formula = Text(h.expression.pretty())
        table.add_row("*" if marked else "", *cells(h), *source, formula, style="bold" if marked else "")
    return table


def constants_table(rows: Sequence[ConstantRow], level: float = LEVEL) -> RenderableType:
    """Name, value, standard error, interval of probability ``level`` and unit of constants as a rich table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("constant", "value", "±", f"{100 * level:.6g} % interval", "unit"):
        table.add_column(name, justify="right" if name in ("value", "±") else "left", no_wrap=True)
    for row in rows:
        spread = ("", "")
        if row.std is not None:
            spread = f"{row.std:.2g}", _interval(row.lower, row.upper)
        table.add_row(Text(row.name), repr(row.value), *spread, Text(row.unit or ""))
    return table


def _interval(lower: float | None, upper: float | None) -> str:
    """``1.2 to 3.4``; an end that is None is open."""
    if lower is None or upper is None:
        return "open" if lower is upper else f"up to {upper:.6g}" if lower is None else f"from {lower:.6g}"
    return f"{lower:.6g} to {upper:.6g}"


def console_for(stream: IO[str]) -> Console:
    """A rich console on ``stream``; off a terminal it has no colours and wraps nothing."""
    from rich.console import Console

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=UNLIMITED, no_color=True)


def as_text(table: RenderableType) -> str:
    """The table as plain text without trailing blanks."""
    stream = io.StringIO()
    console_for(stream).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


def show(table: RenderableType, stream: IO[str]) -> None:
    """Print the table: in colour on a terminal, as plain text elsewhere."""
    if stream.isatty():
        console_for(stream).print(table)
    else:
        print(as_text(table), file=stream)


def front_html(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> str:
    """The front as an HTML table for notebooks; every text is escaped."""
    origin = shows_origin(front)
    names = ("", *COLUMNS, *(["origin"] if origin else []), f"{target} =")
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = []
    for h in front:
        source = [h.origin] if origin else []
        texts = ("*" if h == best else "", *cells(h), *source, h.expression.pretty())
        row = "".join(f"<td>{html.escape(text)}</td>" for text in texts)
        body.append(f"<tr>{row}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def grouped(count: int) -> str:
    """A count with thin groups: ``1 234 567``."""
    return f"{count:,}".replace(",", " ")


def coverage_sentence(coverage: Mapping[str, int], dimensional: bool = False) -> str:
    """What the search covered for certain, in one sentence; ``coverage`` as in ``result.json``.

    ``dimensional`` says that only formulas with the target's unit were hypotheses.
    """
    complete, distinct, scored = coverage["complete_to"], coverage["distinct"], coverage["scored"]
    total = f"{grouped(scored)} {'hypothesis' if scored == 1 else 'hypotheses'}"
    were = "was" if scored == 1 else "were"
    if not scored and not complete:
        return "The search scored no hypothesis of its own."
    if not complete:
        return f"{total} {were} scored; no complexity was searched completely."
    size = f"of up to {complete} {'node' if complete == 1 else 'nodes'}"
    if not distinct:
        can = "has the target's unit" if dimensional else "can be the target"
        return f"Without fitted constants no formula {size} {can} ({total} {were} scored in total)."
    kind = f"{size} with the target's unit and without" if dimensional else f"{size} without"
    if distinct == 1:
        return f"The only formula {kind} fitted constants was scored ({total} in total)."
    return f"All {grouped(distinct)} distinct formulas {kind} fitted constants were scored ({total} in total)."


def posterior_sentences(posterior: Posterior) -> list[str]:
    """How sure the structure is, and where chains over structures do not agree with that."""
    chain = posterior.chain
    return [rivals_sentence(posterior), *([sentence(chain["verdict"])] if chain and not chain["mixed"] else [])]


def rivals_sentence(posterior: Posterior) -> str:
    """How sure the structure is among those that the search met, in a sentence."""
    from hypo.scoring.posterior import ODDS

    first = posterior.structures[0]
    weight = "over 99%" if first.weight > 0.99 else f"{first.weight:.0%}"
    if posterior.within == 1:
        return f"Of the structures that the search met the likeliest has {weight} of the posterior weight."
    return (
        f"Of the structures that the search met {posterior.within} are within odds of {ODDS:g}; the likeliest, "
        f"{first.expression.pretty()}, has {weight} of the posterior weight."
    )


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
