"""Tables of formulas for terminals and plain text, and the sentences that go with them."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from hypo.report.constants import LEVEL

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from hypo.report.constants import ConstantRow
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


def equation_latex(h: Hypothesis, target: str) -> str:
    """The same in LaTeX; the target's name is set as those of the columns are."""
    from hypo.expression.expr import Expression

    return f"{Expression.variable(target).latex()} = {h.expression.latex()}"


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


def believed(front: Sequence[Hypothesis]) -> int:
    """How many formulas of the front the score believes: up to its least. Those beyond come closer to the data, but not by as
    much as they are longer."""
    return 1 + min(range(len(front)), key=lambda k: front[k].score, default=-1)


def marks(front: Sequence[Hypothesis], best: Hypothesis | None) -> list[str]:
    """The mark of each formula of the front: ``*`` the answer, ``~`` what the score does not believe."""
    known = believed(front)
    return ["*" if h == best else "~" if k >= known else "" for k, h in enumerate(front)]


def shows_origin(front: Sequence[Hypothesis]) -> bool:
    """Whether the table says where formulas come from: when any is not hypo's own."""
    from hypo.scoring.score import NATIVE

    return any(h.origin != NATIVE for h in front)


def front_table(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> RenderableType:
    """The front as a rich table, one row per formula, marked as by :func:`marks`."""
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
    for h, mark in zip(front, marks(front, best), strict=True):
        source = [Text(h.origin)] if origin else []
        formula = Text(h.expression.pretty())
        table.add_row(mark, *cells(h), *source, formula, style={"*": "bold", "~": "dim"}.get(mark, ""))
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
    """A rich console on ``stream``; off a terminal it has no colours and wraps nothing. Rich would write to the page of a
    notebook instead, and as the environment says (FORCE_COLOR)."""
    from rich.console import Console

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False, force_jupyter=False)
    return Console(
        file=stream, highlight=False, markup=False, emoji=False, force_jupyter=False, force_terminal=False, color_system=None,
        width=UNLIMITED,
    )


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


def grouped(count: int) -> str:
    """A count with thin groups: ``1 234 567``."""
    return f"{count:,}".replace(",", " ")


def coverage_sentence(coverage: Mapping[str, int], dimensional: bool = False) -> str:
    """What the search covered for certain, in a sentence or two; ``coverage`` as in ``result.json``.

    ``dimensional`` says that only formulas with the target's unit were hypotheses.
    """
    complete, distinct, scored = coverage["complete_to"], coverage["distinct"], coverage["scored"]
    if not scored:
        return "The search ended before it scored a formula."
    total = f"{grouped(scored)} {'hypothesis was' if scored == 1 else 'hypotheses were'} scored"
    if not complete:
        return f"{total}; formulas were not looked through size by size."
    size = f"of up to {complete} {'node' if complete == 1 else 'nodes'} without fitted constants"
    if not distinct:
        kind = "has the target's unit, so it takes a fitted constant with a unit" if dimensional else "can be the target"
        return f"All formulas {size} were looked through: none {kind}. In all, {total}."
    kind = f"{size} that have the target's unit" if dimensional else size
    if distinct == 1:
        one = kind.replace("that have", "that has")
        return f"The only formula {one} was scored. In all, {total}."
    return f"All {grouped(distinct)} distinct formulas {kind} were scored. In all, {total}."


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
