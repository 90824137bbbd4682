"""Tables of formulas for terminals and plain text, and the sentences that go with them."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from hypo.report.constants import LEVEL
from hypo.report.layout import INDENT, Sheet, fill, width_of

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


def equation_latex(h: Hypothesis, target: str) -> str:
    """The same in LaTeX; the target's name is set as those of the columns are."""
    from hypo.expression.expr import Expression

    return f"{Expression.variable(target).latex()} = {h.expression.latex()}"


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


def count_believed(front: Sequence[Hypothesis]) -> int:
    """How many formulas of the front the score believes: up to its least. Those beyond come closer to the data, but not by as
    much as they are longer."""
    return 1 + min(range(len(front)), key=lambda k: front[k].score, default=-1)


def marks(front: Sequence[Hypothesis], best: Hypothesis | None) -> list[str]:
    """The mark of each formula of the front: ``*`` the answer, ``~`` what the score does not believe."""
    known = count_believed(front)
    return ["*" if h == best else "~" if k >= known else "" for k, h in enumerate(front)]


def shows_origin(front: Sequence[Hypothesis]) -> bool:
    """True where the table says where formulas come from: when any is not hypo's own."""
    from hypo.scoring.score import NATIVE

    return any(h.origin != NATIVE for h in front)


def front_table(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> Sheet:
    """The front as a table, one row per formula, marked as by :func:`marks`."""
    table = Sheet()
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, right=True)
    origin = shows_origin(front)
    if origin:
        table.add_column("origin")
    table.add_column(f"{target} =", wraps=True)
    for h, mark in zip(front, marks(front, best), strict=True):
        source = [h.origin] if origin else []
        table.add_row(mark, *cells(h), *source, h.expression.pretty(), bold=mark == "*")
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
    return "\n".join(fill(line, width, INDENT) for line in (equation(h, target), *constants))


def group_digits(count: int) -> str:
    """A count with thin groups: ``1 234 567``."""
    return f"{count:,}".replace(",", " ")


def coverage_sentence(coverage: Mapping[str, int], dimensional: bool = False) -> str:
    """The formulas that the search covered for certain, in a sentence or two; ``coverage`` as in ``result.json``.

    ``dimensional`` says that only formulas with the target's unit were hypotheses.
    """
    complete, distinct, scored = coverage["complete_to"], coverage["distinct"], coverage["scored"]
    if not scored:
        return "The search ended before it scored a formula of its own."
    total = f"{group_digits(scored)} {'hypothesis was' if scored == 1 else 'hypotheses were'} scored"
    if not complete:
        return f"{total}; formulas were not looked through size by size."
    size = f"of up to {complete} {'node' if complete == 1 else 'nodes'} without fitted constants"
    if not distinct:
        kind = (
            "has the target's unit, so it takes a fitted constant with a unit" if dimensional else "can be the target"
        )
        return f"All formulas {size} were looked through: none {kind}. In all, {total}."
    kind = f"{size} that have the target's unit" if dimensional else size
    if distinct == 1:
        one = kind.replace("that have", "that has")
        return f"The only formula {one} was scored. In all, {total}."
    return f"All {group_digits(distinct)} distinct formulas {kind} were scored. In all, {total}."


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
