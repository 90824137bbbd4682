"""Formulas and their constants as tables, and as lines of text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import IO, TYPE_CHECKING

from hypo.report.constants import LEVEL
from hypo.report.formatting import format_nats, format_number, format_r2, format_value, round_to_error
from hypo.report.layout import INDENT, TextTable, fill, find_width

if TYPE_CHECKING:
    from hypo.report.constants import ConstantRow
    from hypo.scoring.score import Hypothesis

# The figures of a formula, as the table of the front calls them.
FRONT_COLUMNS = ("complexity", "score", "misfit", "R²", "RMSE")


def make_cells(h: Hypothesis) -> tuple[str, ...]:
    """The figures of one hypothesis, in the order of ``FRONT_COLUMNS``."""
    return (
        format_number(h.complexity),
        format_nats(h.score),
        format_nats(h.misfit),
        format_r2(h.r2),
        format_number(h.rmse),
    )


def write_equation(h: Hypothesis, target: str) -> str:
    """``target = formula`` with four digits."""
    return f"{target} = {h.expression.pretty()}"


def write_equation_latex(h: Hypothesis, target: str) -> str:
    """The same in LaTeX; the target's name is set as those of the columns are."""
    from hypo.expression.expr import Expression

    return f"{Expression.variable(target).latex()} = {h.expression.latex()}"


def write_constant_lines(
    rows: Sequence[ConstantRow], named: Collection[str] = (), *, intervals: bool = False, names: bool = False
) -> list[str]:
    """The fitted constants that have a known unit or a standard error, one line each: ``with 0.9994 ± 0.0003 [yr/AU^1.5]``;
    without an error the digits are those of the formula above.

    ``named`` are the constants that the formula shows by name; they are left out. With ``intervals`` those follow the errors;
    with ``names`` lines begin ``with Vmax = ``.
    """
    from hypo.expression.expr import Expression

    lines = []
    for row in rows:
        text = format_value(row.value, row.std)
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


def mark_formulas(front: Sequence[Hypothesis], best: Hypothesis | None) -> list[str]:
    """The mark of each formula of the front: ``*`` the answer, ``~`` what the score does not believe."""
    known = count_believed(front)
    return ["*" if h == best else "~" if k >= known else "" for k, h in enumerate(front)]


def has_other_origins(front: Sequence[Hypothesis]) -> bool:
    """True where the table says where formulas come from: when any is not hypo's own."""
    from hypo.scoring.score import NATIVE

    return any(h.origin != NATIVE for h in front)


def make_front_table(front: Sequence[Hypothesis], best: Hypothesis | None, target: str) -> TextTable:
    """The front as a table, one row per formula, marked as by :func:`mark_formulas`."""
    table = TextTable()
    table.add_column("")
    for name in FRONT_COLUMNS:
        table.add_column(name, right=True)
    origin = has_other_origins(front)
    if origin:
        table.add_column("origin")
    table.add_column(f"{target} =", wraps=True)
    for h, mark in zip(front, mark_formulas(front, best), strict=True):
        source = [h.origin] if origin else []
        table.add_row(mark, *make_cells(h), *source, h.expression.pretty(), bold=mark == "*")
    return table


def make_constants_table(rows: Sequence[ConstantRow], level: float = LEVEL) -> TextTable:
    """Name, value, standard error, interval of probability ``level`` and unit of constants as a table."""
    table = TextTable()
    for name in ("constant", "value", "±", f"{100 * level:.6g} % interval", "unit"):
        table.add_column(name, right=name in ("value", "±"), wraps=name in ("constant", "unit"))
    for row in rows:
        if row.std is None:
            table.add_row(row.name, repr(row.value), "", "", row.unit or "")
            continue
        value, error = round_to_error(row.std, row.value, row.std)
        table.add_row(row.name, value, error, _interval(row), row.unit or "")
    return table


def _interval(row: ConstantRow) -> str:
    """``1.2 to 3.4``; an end that is None is open."""
    lower, upper = (None if v is None else round_to_error(row.std, row.value, v)[1] for v in (row.lower, row.upper))
    if lower is None or upper is None:
        return "open" if lower is upper else f"up to {upper}" if lower is None else f"from {lower}"
    return f"{lower} to {upper}"


def write_law(h: Hypothesis, target: str, constants: Iterable[str] = (), stream: IO[str] | None = None) -> str:
    """The law and what is said of its constants, a line or more each, in the width of the reader."""
    width = find_width(stream)
    return "\n".join(fill(line, width, INDENT) for line in (write_equation(h, target), *constants))
