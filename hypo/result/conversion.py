"""A whole result in other units: in SI for who asks, and in those of the columns where an older version wrote it in SI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from hypo.errors import InputError
from hypo.report.constants import ConstantRow, list_leaves
from hypo.report.units import write_si_unit, write_unit
from hypo.result.fields import ResultFields
from hypo.units import parse_unit

if TYPE_CHECKING:
    from hypo.expression.expr import Expression
    from hypo.result.record import Record
    from hypo.result.unit_system import UnitSystem
    from hypo.search.table_units import Border

Fields = TypeVar("Fields", bound=ResultFields)

# Formulas and constants in the units of the table's columns.
COLUMNS = "columns"
# Formulas and constants in SI units.
SI = "si"


def convert_result(result: Fields, units: str) -> Fields:
    """``result`` as it is for ``"columns"``; for ``"si"`` with formulas, constants and posterior for numbers in SI.

    What takes or gives rows of a table then wants them in SI too. Raises InputError for other ``units``.
    """
    if not wants_si(units):
        return result
    old = result.record
    rows = tuple(convert_rows(each, units) for each in result.constants)
    record = replace(old, table=old.table.scaled(old.units.factor_to_si), units=old.units.to_si())
    return _cross_border(result, old.units.way_to_si(old.likelihood.is_scale_in_target_unit), rows, record)


def convert_from_si(result: Fields) -> Fields:
    """A result that an older version wrote in SI, in the units of the columns."""
    record = result.record
    border = record.units.way_from_si(record.likelihood.is_scale_in_target_unit)
    rows = tuple(
        _to_columns(h.expression, each, record.units, border)
        for h, each in zip(result.front, result.constants, strict=True)
    )
    return _cross_border(result, border, rows, replace(record, units=record.units.to_columns()))


def _cross_border(result: Fields, border: Border, rows: tuple[tuple[ConstantRow, ...], ...], record: Record) -> Fields:
    """Formulas and posterior beyond the border; ``rows`` are the constants there, and ``record`` is the record."""
    posterior = border.posterior(result.posterior)
    if record.prior is not None and posterior is not None and result.posterior is not None:
        prior = border.prior(record.prior, result.posterior.structures, posterior.structures)
        record = replace(record, prior=prior)
    front = tuple(border.hypothesis(h) for h in result.front)
    best = None if result.best is None else front[result.front.index(result.best)]
    return replace(result, best=best, front=front, constants=rows, posterior=posterior, record=record, data=None)


def wants_si(units: str) -> bool:
    """True where ``units`` are SI and not those of the columns; raises InputError for other ones."""
    if units not in (COLUMNS, SI):
        raise InputError(f'units must be "columns" (those of the table) or "si", got {units!r}')
    return units == SI


def convert_rows(rows: Sequence[ConstantRow], units: str) -> tuple[ConstantRow, ...]:
    """Constants in ``units``."""
    return tuple(map(_to_si, rows)) if wants_si(units) else tuple(rows)


def _to_si(row: ConstantRow) -> ConstantRow:
    if row.unit is None:
        return row
    unit = parse_unit(row.unit, strict_angles=True)
    return row.scaled(unit.factor, write_si_unit(unit.dimension))


def _to_columns(
    e: Expression, rows: tuple[ConstantRow, ...], units: UnitSystem, border: Border
) -> tuple[ConstantRow, ...]:
    """The constants ``rows`` of a formula in SI in the units of the columns."""
    leaves = [i for _, i in list_leaves(e)]
    if len(leaves) != len(rows):
        return rows
    found, names = border.convert(e), units.names
    values, texts = units.stated_values, units.all_texts
    out = []
    for row, i in zip(rows, leaves, strict=True):
        name = e.constants[i].name
        if name in values:
            out.append(replace(row, value=values[name], unit=texts[name]))
        else:
            known = None if row.unit is None else units.dimension(row.unit)
            out.append(row.scaled(found.factor[i], write_unit(found.units[i], known, names)))
    return tuple(out)
