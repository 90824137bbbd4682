"""Tables of formulas for terminals, plain text and notebooks, and the sentences that go with them."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from hypo.report.constants import LEVEL
from hypo.report.layout import INDENT, Sheet, filled, width_of

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
UNLIMITED = 10_000  # columns of text for what is shown without a terminal and is no table of ours
STANDARD_ERROR = "± is one standard error."


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


def constant_lines(
    rows: Sequence[ConstantRow], named: Collection[str] = (), *, intervals: bool = False, names: bool = False
) -> list[str]:
    """The fitted constants that have a known unit or a standard error, one line each: ``with 0.9994 ± 0.0003 [yr/AU^1.5]``;
    without an error the digits are those of the formula above.

    ``named`` are the constants that the formula shows by name; they are left out. With ``intervals`` those follow the errors;
    with ``names`` lines begin ``with Vmax = ``.
    """
    from hypo.expression.expr import Expression
    from hypo.report.constants import value_text

    lines = []
    for row in rows:
        text = value_text(row.value, row.std)
        if row.name not in named and (text is not None or row.unit is not None):
            unit = "" if row.unit is None else f" [{row.unit}]"
            if intervals and text is not None:
                text += f" ({_interval(row)})"
            name = f"{row.name} = " if names else ""
            lines.append(f"  with {name}{text or Expression.constant(row.value).pretty()}{unit}")
    return lines


def shows_origin(front: Sequence[Hypothesis]) -> bool:
    """Whether the table says where formulas come from: when any is not hypo's own."""
    from hypo.scoring.score import NATIVE

    return any(h.origin != NATIVE for h in front)


def front_table(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> Sheet:
    """The front as a table, one row per formula, the best marked with ``*``."""
    table = Sheet()
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, right=True)
    origin = shows_origin(front)
    if origin:
        table.add_column("origin")
    table.add_column(f"{target} =", wraps=True)
    for h in front:
        marked = h == best
        source = [h.origin] if origin else []
        table.add_row("*" if marked else "", *cells(h), *source, h.expression.pretty(), bold=marked)
    return table


def constants_table(rows: Sequence[ConstantRow], level: float = LEVEL) -> Sheet:
    """Name, value, standard error, interval of probability ``level`` and unit of constants as a table."""
    from hypo.report.constants import by_error

    table = Sheet()
    for name in ("constant", "value", "±", f"{100 * level:.6g} % interval", "unit"):
        table.add_column(name, right=name in ("value", "±"), wraps=name in ("constant", "unit"))
    for row in rows:
        if row.std is None:
            table.add_row(row.name, repr(row.value), "", "", row.unit or "")
            continue
        value, error = by_error(row.std, row.value, row.std)
        table.add_row(row.name, value, error, _interval(row), row.unit or "")
    return table


def _interval(row: ConstantRow) -> str:
    """``1.2 to 3.4``; an end that is None is open."""
    from hypo.report.constants import by_error

    lower, upper = (None if v is None else by_error(row.std, row.value, v)[1] for v in (row.lower, row.upper))
    if lower is None or upper is None:
        return "open" if lower is upper else f"up to {upper}" if lower is None else f"from {lower}"
    return f"{lower} to {upper}"


def console_for(stream: IO[str]) -> Console:
    """A rich console on ``stream``; off a terminal it has no colours and wraps nothing."""
    from rich.console import Console

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=UNLIMITED, no_color=True)


def as_text(table: RenderableType | Sheet) -> str:
    """The table as plain text without trailing blanks."""
    if isinstance(table, Sheet):
        return table.text(width_of())
    stream = io.StringIO()
    console_for(stream).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


def show(table: Sheet | str, stream: IO[str], bold: bool = False) -> None:
    """Print a table, or lines of text: in bold on a terminal, as plain text elsewhere."""
    lines = table.lines(width_of(stream)) if isinstance(table, Sheet) else [(line, bold) for line in table.split("\n")]
    if not stream.isatty():
        print("\n".join(line for line, _ in lines), file=stream)
        return
    from rich.text import Text

    console = console_for(stream)
    for line, strong in lines:
        console.print(Text(line, style="bold" if strong else ""), no_wrap=True, crop=False, overflow="ignore")


def law_lines(h: Hypothesis, target: str, constants: Iterable[str] = (), stream: IO[str] | None = None) -> str:
    """The law and what is said of its constants, a line or more each, in the width of the reader."""
    width = width_of(stream)
    return "\n".join(filled(line, width, INDENT) for line in (equation(h, target), *constants))


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
